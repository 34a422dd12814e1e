"""The native backend: the same answers as eager evaluation, in every composition, for every primitive that it has."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

import funcdiff as fd
from funcdiff.core.primitive import REGISTRY, Primitive
from funcdiff.jit import factors
from funcdiff.jit.native import elementwise
from funcdiff.jit.native.engine import why_not
from funcdiff.jit.native.lower import Lowering
from funcdiff.jit.native.program import HANDLERS
from tests.fuzz.programs import check_and_shrink
from tests.fuzz.test_random_programs import FUZZ, SEEDS, random_program
from tests.jit import test_blocked, test_compositions, test_primitives, test_random_programs

pytestmark = pytest.mark.skipif(bool(why_not()), reason=f"no native backend: {why_not()}")

jit = functools.partial(fd.jit, backend="native")
COMPOSITIONS, FUNCTIONS = test_compositions.COMPOSITIONS, test_compositions.FUNCTIONS
PRIMITIVES = [n for n in test_primitives.PRIMITIVES if n in HANDLERS or n in elementwise.RULES]


@pytest.fixture
def natively(monkeypatch):
    for module in (test_blocked, test_compositions, test_primitives, test_random_programs):
        monkeypatch.setattr(module, "jit", jit)
    monkeypatch.setattr(test_primitives, "same", nearly_the_same)


def nearly_the_same(found: Any, expected: Any, exact: bool = True) -> None:
    same_but_rounding(found, expected, exact=False)


same_but_rounding = test_primitives.same


@pytest.mark.parametrize("name", PRIMITIVES)
def test_values_of_primitives(name, natively):
    test_primitives.test_values(name)


@pytest.mark.parametrize("name", [n for n in PRIMITIVES if n in test_primitives.DIFFERENTIABLE])
def test_derivatives_of_primitives(name, natively):
    test_primitives.test_derivatives(name)


@pytest.mark.parametrize(("n", "name"), list(enumerate(COMPOSITIONS)))
def test_compositions_of_transforms(n, name, natively):
    test_compositions.test_jit_around_transforms(name, FUNCTIONS[n % len(FUNCTIONS)])
    if name not in ("f", "linearize", "pullback"):
        test_compositions.test_transforms_around_jit(name, FUNCTIONS[(n + 1) % len(FUNCTIONS)])


@pytest.mark.parametrize("f", FUNCTIONS[:-1])
def test_within_vmap(f, natively):
    test_compositions.test_with_vmap(f)


@settings(FUZZ, max_examples=4)
@given(SEEDS)
def test_random_values_and_gradients(seed):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(test_random_programs, "jit", jit)
        check_and_shrink(test_random_programs.check, random_program(seed))


@settings(FUZZ, max_examples=4)
@given(SEEDS)
def test_random_programs_that_write(seed):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(test_random_programs, "jit", jit)
        test_random_programs.test_programs_that_write_in_place.hypothesis.inner_test(seed)


def test_everything_registered_here_is_a_primitive():
    """A rule for a name that no primitive has would never be tried."""
    special = {"erf", "erfc", "gammaln", "digamma", "psi", "expit", "logit", "log_expit", "ndtr", "log_ndtr"}
    on_optimised_tapes = {
        f.primitive.name
        for f in vars(factors).values()
        if isinstance(getattr(f, "primitive", None), Primitive)
    }
    known = set(REGISTRY) | on_optimised_tapes | special | {"", "loggamma", "logaddexp2", "float_power"}
    assert set(HANDLERS) | set(elementwise.RULES) <= known


@pytest.mark.parametrize("axes", [(0, 1), (1, 0)])
def test_writes_into_transposed_arrays(axes):
    """The numbers of a transposed array do not lie side by side, and a write must reach them."""

    def written(x):
        y = np.zeros((2, 2), like=x)
        y[0] = x
        y[1] = y[0] * x
        return np.sum(np.transpose(y, axes)[:, [1]] ** 2)

    x = np.array([1.0, 2.0])
    np.testing.assert_allclose(jit(fd.grad(written))(x), fd.grad(written)(x), rtol=1e-14)


def slow(x):
    return np.arctan2(x, 0.7)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: slow(x)[:10],
        lambda x: slow(x[:, None] + x)[:5],
        lambda x: (slow(x)[:9], slow(x)),
        lambda x: (x[:, None] @ np.exp(x)[None])[:3],
    ],
)
def test_a_beginning_of_an_array_is_a_result_of_its_own_size(f):
    """What lies in memory is computed where it is returned only if all of it is returned."""
    x = np.linspace(-1.0, 1.0, 40)
    tape = fd.trace(f)(x)
    lowering = Lowering(tape)
    lowering.lower()
    for base in lowering.bases:
        if base.place >= len(tape.inputs):
            assert base.size == tape.outputs[base.place - len(tape.inputs)].type.size * x.itemsize
    found, expected = jit(f)(x), f(x)
    for a, b in zip(*[v if isinstance(v, tuple) else (v,) for v in (found, expected)], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-14)


@pytest.mark.parametrize("n", [4, 40, 5000])
def test_sums_along_loops_of_what_is_equal_everywhere(n):
    def f(x):
        y = x.copy()
        v = y[-2]
        v -= y.sum()
        w = y.T
        w += 1
        v -= y.sum()
        z = y + v.sum()
        return np.sum(z) ** 2

    x = np.random.default_rng(0).standard_normal((2, 3, n))
    np.testing.assert_allclose(jit(fd.grad(f))(x), fd.grad(f)(x), rtol=1e-12)
