"""Long straight-line programs: pieces of bounded length, as many as the program is long, with the results of the whole."""

from __future__ import annotations

import functools
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import funcdiff as fd
from funcdiff.core.tape import Variable
from funcdiff.jit.native import kernel, pieces, plain_products
from funcdiff.jit.native.engine import engine, why_not
from funcdiff.jit.native.pieces import type_of
from tests.forward_algorithm import forward_algorithm
from tests.transforms import test_loop_derivatives as programs

pytestmark = pytest.mark.skipif(bool(why_not()), reason=f"no native backend: {why_not()}")

jit = functools.partial(fd.jit, backend="native")
MORE = 1.25  # times as much to compile for each record, at most, where a program is twice as long


def lengths(source: str) -> list[int]:
    """Return the lines of each function of a program."""
    return [text.count("\n") for text in re.split(r"^define ", source, flags=re.MULTILINE)[1:]]


def compiled(f: Any, *args: Any) -> tuple[Any, Any, list[int]]:
    """Return a result, what there is to see of a program, and the lengths of the modules that were compiled."""
    modules: list[int] = []
    machine = engine()
    parse = machine.llvm.parse_assembly
    with pytest.MonkeyPatch.context() as patch:
        counted = lambda text: modules.append(text.count("\n")) or parse(text)  # noqa: E731
        patch.setattr(machine.llvm, "parse_assembly", counted)
        g = jit(f)
        out = g(*args)
    return out, g.lower(*args), modules


def test_a_hessian_of_a_recursion_compiles_in_linear_time():
    theta = np.linspace(-0.5, 0.5, 9)
    found = []
    for steps in (12, 24):
        f = fd.hessian(forward_algorithm(steps, irregular=True))
        out, lowered, modules = compiled(f, theta)
        source = lowered.source
        np.testing.assert_allclose(out, f(theta), rtol=1e-9, atol=1e-12)
        assert max(lengths(source)) < 4 * pieces.LENGTH
        assert max(modules) < 2 * kernel.MODULE  # meanwhile nothing is interrupted
        assert len(modules) > 1
        found.append(source.count("\n") / len(lowered.tape))
    assert found[1] < MORE * found[0], found


@pytest.fixture
def short(monkeypatch):
    """Make pieces of programs of a few lines."""
    monkeypatch.setattr(pieces, "LONG", 12)
    monkeypatch.setattr(pieces, "LENGTH", 5)
    monkeypatch.setattr(plain_products, "LONG", 3)


def in_pieces(f: Any, *args: Any) -> Any:
    out, lowered, _ = compiled(f, *args)
    assert ".p1(" in lowered.source
    return out


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_pieces_hand_on_numbers_of_all_kinds(dtype, short):
    n = np.arange(4)

    def f(x: Any) -> Any:
        near, count = np.abs(x) < 1, n * 2
        y = np.where(near, np.sin(x), x) + count
        z = y[::-1] * x
        k = np.where(near, n, count)
        return np.sum(np.where(near, y, z) * k) + np.max(z) + z[0] * y[1] - y[3], near, k

    x = np.array([0.5, -2.0, 0.25, 3.0], dtype)
    for got, expected in zip(in_pieces(f, x), f(x), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-6)
        assert got.dtype == expected.dtype
    g = fd.hessian(lambda x: f(x)[0])
    np.testing.assert_allclose(in_pieces(g, x), g(x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("size", [1, 21])
def test_bodies_of_loops_are_parted(size, short):
    def f(x: Any) -> Any:
        z = x
        for k in range(2):
            z = np.sin(z) * x + 0.1 * k
            z = z - np.mean(z)
        m = np.stack([z, z * x, np.cos(z)], axis=1)
        return np.sum(np.where(m > 0, m, 2 * m) @ m.T)

    x = np.linspace(-1, 1, size)
    for g in (f, fd.vmap(fd.grad(lambda a: f(a * x)))):
        np.testing.assert_allclose(in_pieces(g, x), g(x), rtol=1e-9, atol=1e-9)


def test_guards_and_errors_leave_from_within_pieces(short):
    def f(x: Any, a: Any) -> Any:
        y = np.exp(x) * 2 + np.roll(x, 1)
        if y[0] > 3:
            y = y * np.cos(y) - y[2]
        c = np.linalg.cholesky(a + np.diag(np.abs(y)))
        return np.sum(c * y) / y[1]

    g = fd.value_and_grad(f)
    compiled_g = jit(g)
    a = np.eye(3) * 4 + 1
    for x in (np.array([1.0, 2.0, 3.0]), np.array([-1.0, 2.0, 3.0]), np.array([1.0, 2.5, 3.5])):
        for got, expected in zip(compiled_g(x, a), g(x, a), strict=True):
            np.testing.assert_allclose(got, expected, rtol=1e-12)
    assert ".p1(" in compiled_g.lower(x, a).source
    with pytest.raises(np.linalg.LinAlgError):
        compiled_g(x, -100 * a)


def test_places_that_are_out_of_bounds_leave_from_within_pieces(short):
    def f(x: Any, at: Any) -> Any:
        y = np.tanh(x) * x[at]
        return np.sum(np.cos(y) * y[0] + y[at] ** 2)

    x = np.linspace(0.1, 1, 5)
    g = jit(fd.grad(f))
    for at in ([0, 1, 2, 3, -5], [4, 4, 0, 2, 1]):
        np.testing.assert_allclose(g(x, np.array(at)), fd.grad(f)(x, np.array(at)), rtol=1e-12)
    with pytest.raises(IndexError):
        g(x, np.array([0, 1, 2, 3, 5]))


def test_products_keep_a_zero_zero_in_long_programs(short):
    def f(x: Any) -> Any:
        y = np.where(
            x > 0, np.sqrt(x), 0.0
        )  # the partial derivative of the branch not taken is infinite at zero
        return np.sum(y * np.sin(y) + np.cos(x) * y)

    g = fd.grad(f)
    compiled_g = jit(g)
    for x in (np.array([1.0, 2.0]), np.array([0.0, 2.0]), np.array([np.nan, 2.0]), np.array([1.0, 3.0])):
        np.testing.assert_allclose(compiled_g(x), g(x), rtol=1e-12)


def test_what_looks_for_a_nan_has_names_of_its_own(short):
    tape = fd.trace(fd.grad(lambda x: np.sum(np.sqrt(x) * np.sin(x))))(np.ones(3))
    (x,) = tape.inputs
    high = 1 + max(
        v.number for r in tape.records for v in r.outputs
    )  # as where a program is a part of another

    def renamed(a: Any) -> Any:
        return Variable(high, x.type) if isinstance(a, Variable) and a.number == x.number else a

    records = tuple(replace(r, inputs=tuple(map(renamed, r.inputs))) for r in tape.records)
    weak = plain_products.weak_program(replace(tape, inputs=(Variable(high, x.type),), records=records))
    made = [v.number for r in weak.records for v in r.outputs]
    assert len(weak.guards) == 1
    assert len({*made, high}) == len(made) + 1


@pytest.mark.parametrize("f", programs.SCALAR[:2], ids=lambda f: f.__name__)
def test_loops_within_long_programs(f, short):
    def g(x: Any) -> Any:
        y = f(x) * 2.0
        return np.sin(y) * f(np.cos(y)) + np.exp(-y * y) / (1 + y * y) + f(x + y)

    for h in (g, fd.grad(g)):
        np.testing.assert_allclose(in_pieces(h, 0.7), h(0.7), rtol=1e-9)


@pytest.mark.parametrize(
    ("line", "type_"),
    [
        ("fadd <8 x double> %a, %b", "<8 x double>"),
        ("fcmp une <8 x double> %a, splat (double 0x0)", "<8 x i1>"),
        ("icmp slt i64 %a, 0", "i1"),
        ("select <8 x i1> <i1 true, i1 false>, <8 x float> %a, <8 x float> %b", "<8 x float>"),
        ("select i1 %c, i64 %up, i64 %i", "i64"),
        ("load ptr, ptr %x", "ptr"),
        ("getelementptr i8, ptr %x, <8 x i64> <i64 0, i64 8>", "<8 x ptr>"),
        ("getelementptr i8, ptr %x, i64 8", "ptr"),
        ("shufflevector <24 x double> %w, <24 x double> poison, <8 x i32> <i32 0, i32 3>", "<8 x double>"),
        ("insertelement <8 x double> poison, double %x, i32 0", "<8 x double>"),
        ("extractelement <8 x float> %x, i32 3", "float"),
        ("zext <8 x i1> %x to <8 x i8>", "<8 x i8>"),
        ("sitofp i64 %x to double", "double"),
        ("call <8 x double> @f(<8 x double> %x)", "<8 x double>"),
        ("phi double [ %a, %x ], [ %b, %y ]", "double"),
    ],
)
def test_types_of_lines(line, type_):
    assert type_of(line) == type_
