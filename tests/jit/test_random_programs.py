"""Random programs, jitted: the same values, gradients and Jacobians as without."""

from __future__ import annotations

import functools
from random import Random
from typing import Any

import numpy as np
from hypothesis import given, settings

import funcdiff as fd
from tests.fuzz import test_mutation_programs as mutation_programs
from tests.fuzz.programs import Program, check_and_shrink
from tests.fuzz.test_mutation_programs import MaskedByValueBuilder
from tests.fuzz.test_random_programs import FUZZ, SEEDS, close, outputs, random_program, total

jit = functools.partial(fd.jit, backend="numpy")


@settings(FUZZ, max_examples=40)
@given(SEEDS)
def test_values_and_gradients(seed: int) -> None:
    check_and_shrink(check, random_program(seed))


@settings(FUZZ, max_examples=10)
@given(SEEDS)
def test_second_order(seed: int) -> None:
    check_and_shrink(check_second_order, random_program(seed))


@settings(FUZZ, max_examples=30)
@given(SEEDS)
def test_programs_that_write_in_place(seed: int) -> None:
    check_and_shrink(check_writes, mutation_programs.random_program(Random(seed), MaskedByValueBuilder))


def check_writes(plain: Program) -> None:
    program = plain.within(**mutation_programs.BY_FUNCDIFF)
    loss = mutation_programs.loss(program)
    compiled, gradient, outer = jit(program), jit(fd.grad(loss)), fd.grad(jit(loss))
    for point in (plain.x, plain.x + 0.004, plain.x[::-1] * 0.7):
        given_point = point.copy()
        with np.errstate(all="ignore"):
            for found, array in zip(compiled(point), plain(point.copy()), strict=True):
                close(found, array, 1e-13, "values")
            expected = fd.grad(loss)(point)
            close(gradient(point), expected, 1e-10, "jit of grad")
            close(outer(point), expected, 1e-10, "grad of jit")
        assert np.array_equal(point, given_point), "the caller's array was written to"


def check(program: Program) -> None:
    f, loss = outputs(program), total(program)
    compiled = jit(f)
    gradient, outer = jit(fd.value_and_grad(loss)), fd.value_and_grad(jit(loss))
    for point in points(program):
        with np.errstate(all="ignore"):
            close(compiled(point), f(point), 1e-13, "values")
            value, slope = fd.value_and_grad(loss)(point)
            for name, transformed in (("jit of grad", gradient), ("grad of jit", outer)):
                found = transformed(point)
                close(found[0], value, 1e-13, name)
                close(found[1], slope, 1e-10, name)
            close(fd.jacfwd(compiled)(point), fd.jacfwd(f)(point), 1e-10, "forward mode of jit")


def check_second_order(program: Program) -> None:
    loss = total(program)
    compiled, outer = jit(fd.hessian(loss)), fd.hessian(jit(loss))
    for point in points(program)[:2]:
        with np.errstate(all="ignore"):
            expected = fd.hessian(loss)(point)
            close(compiled(point), expected, 1e-8, "jit of hessian")
            close(outer(point), expected, 1e-8, "hessian of jit")


def points(program: Program) -> list[Any]:
    """The program's own point, and others where it runs too; branches may be taken differently there."""
    found = []
    for point in (program.x, program.x + 0.01, program.x.copy(), -0.5 * program.x):
        try:
            with np.errstate(all="ignore"):
                values = program(point.copy())
        except (ValueError, TypeError, IndexError, np.linalg.LinAlgError):
            continue
        if all(np.isfinite(v).all() for v in values):
            found.append(point)
    return found
