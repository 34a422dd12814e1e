"""Python control flow: every path is recorded when it is met, and the right one is replayed."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import funcdiff as fd
from funcdiff import jit
from funcdiff.jit.guards import LIMIT

pytestmark = pytest.mark.usefixtures("both_backends")


class Counted:
    def __init__(self, f):
        self.f = f
        self.calls = 0

    def __call__(self, *args):
        self.calls += 1
        return self.f(*args)


def doubled(x, limit):
    y = x * 1.0
    while np.linalg.norm(y) < limit:
        y = y * 2
    return y


def branches(x):
    y = x * 2 if x[0] > 0 else x * 3
    if y[1] > 1:
        return np.sin(y)
    return np.cos(y) if x.sum() > 0 else y


X = np.array([0.3, -0.5, 0.8])


def test_while_loops_take_as_many_turns_as_the_values_ask_for():
    f = Counted(doubled)
    compiled = jit(f)
    limits = [1.0, 10.0, 100.0, 10.0, 1.0, 3.0, 1000.0, 3.0, 100.0]
    for limit in limits:
        assert_array_equal(compiled(X, limit), doubled(X, limit))
    assert f.calls == 5
    for limit in limits:
        assert_array_equal(compiled(X, limit), doubled(X, limit))
        slopes = [fd.jacobian(f)(X, limit) for f in (compiled, doubled)]
        assert_allclose(*slopes)
    assert f.calls == 5


def test_branches_within_branches():
    f = Counted(branches)
    compiled = jit(f)
    rng = np.random.default_rng(0)
    for _ in range(60):
        x = rng.standard_normal(3)
        assert_array_equal(compiled(x), branches(x))
        assert_array_equal(fd.jacobian(compiled)(x), fd.jacobian(branches)(x))
    assert f.calls <= 6


def test_what_stands_after_a_guard_runs_only_if_it_holds():
    def f(a):
        if np.linalg.det(a) > 0.1:
            return np.linalg.inv(a)
        return a

    compiled = jit(f)
    assert_array_equal(compiled(np.eye(2)), np.eye(2))
    assert_array_equal(compiled(np.zeros((2, 2))), np.zeros((2, 2)))
    assert_array_equal(compiled(2 * np.eye(2)), np.eye(2) / 2)


def test_integers_and_indices_from_values():
    def f(x, n):
        return x[: int(n)].sum() * x[int(np.argmax(x))]

    compiled = jit(f)
    for n in (1, 2, 3, 2):
        assert_array_equal(compiled(X, n), f(X, n))
    assert_array_equal(compiled(-X, 2), f(-X, 2))


def test_masks():
    compiled = jit(lambda x: np.sum(x[x > 0] ** 2))
    for x in (X, -X, X * 2, np.abs(X)):
        assert_array_equal(compiled(x), np.sum(x[x > 0] ** 2))


def test_too_many_paths_warn_once_and_name_the_line():
    def f(x):
        if x.sum().item() > 3:  # the culprit
            return x
        return x * 2

    compiled = jit(f)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for n in range(3 * LIMIT):
            assert_array_equal(compiled(np.full(2, float(n))), f(np.full(2, float(n))))
    (warning,) = caught
    assert warning.category is fd.errors.PerformanceWarning
    assert "the culprit" in str(warning.message)


def test_few_paths_do_not_warn():
    compiled = jit(doubled)
    for limit in np.geomspace(1, 1e12, 30):
        compiled(X, limit)


def test_guards_see_no_nan_of_an_ordinary_product():
    """The gradient is 0 where eager mode says so, and the branch on it is taken alike."""

    def f(x):
        g = fd.grad(lambda x: np.sum(np.where(x > 0, np.sqrt(x), 0.0)))(x)
        return x if (g > 0.1).all() else g

    compiled = jit(f)
    for x in (np.array([1.0, 2.0]), np.array([0.0, 1.0]), np.array([-1.0, 4.0]), np.array([1.0, 1.0])):
        with np.errstate(all="ignore"):
            assert_array_equal(compiled(x), f(x))


def test_strong_zeros():
    def f(x):
        return np.sum(np.where(x > 0, np.log(x), 0.0) + np.where(x > 1, np.sqrt(x - 1), 0.0))

    for compiled in (jit(fd.grad(f)), fd.grad(jit(f))):
        for x in (np.array([2.0, 3.0]), np.array([0.0, 1.0]), np.array([-1.0, 1.5]), np.array([2.0, 3.0])):
            with np.errstate(all="ignore"):
                assert_array_equal(compiled(x), fd.grad(f)(x))
    with np.errstate(all="ignore"):
        swallowed = jit(lambda x: np.isnan(fd.grad(f)(x)))
        assert not swallowed(np.array([0.0, 1.0])).any()


def test_guards_in_an_outer_program():
    inner = jit(branches)
    outer = jit(lambda x: inner(x * 2) + 1)
    for x in (X, -X, X + 1):
        assert_array_equal(outer(x), branches(x * 2) + 1)


def test_an_error_in_the_function_is_the_functions_own():
    compiled = jit(lambda x: x if x[0] > 0 else 1 / 0)
    assert_array_equal(compiled(X), X)
    with pytest.raises(ZeroDivisionError):
        compiled(-X)
    assert_array_equal(compiled(X), X)


def batch_loss(w, data, targets, index):
    batch = data[index]
    return np.sum((batch @ w - targets[index, 0]) ** 2)


def test_arrays_of_places_are_read_by_one_program():
    """A minibatch of other rows is no other path: no guard knows which rows were read."""
    rng = np.random.default_rng(0)
    counted = Counted(batch_loss)
    compiled, eager = (
        jit(fd.value_and_grad(counted, argnums=(0, 1))),
        fd.value_and_grad(batch_loss, argnums=(0, 1)),
    )
    w, data, targets = rng.standard_normal(3), rng.standard_normal((20, 3)), rng.standard_normal((20, 1))
    for index in (np.array([0, 3, 3, -1]), np.array([5, -20, 19, 2]), rng.integers(0, 20, 4)):
        for found, expected in zip(
            compiled(w, data, targets, index)[1], eager(w, data, targets, index)[1], strict=True
        ):
            assert_allclose(found, expected, rtol=1e-13, atol=1e-13)
    assert counted.calls == 1
    with pytest.raises(IndexError, match="index 20 is out of bounds for axis 0 with size 20"):
        compiled(w, data, targets, np.array([0, 1, 20, 2]))


def written(x, index, v):
    y = x.copy()
    y[index] = v
    y[index] += x[index[::-1]] * v
    np.add.at(y, index, v)
    return np.sum(y**3)


def test_arrays_of_places_are_written_by_one_program():
    rng = np.random.default_rng(0)
    counted = Counted(written)
    compiled, eager = jit(fd.grad(counted, argnums=(0, 2))), fd.grad(written, argnums=(0, 2))
    for index in (np.array([0, 3, 1]), np.array([-1, 2, 2]), np.array([4, 4, 4])):
        args = rng.standard_normal(6), index, rng.standard_normal(3)
        for found, expected in zip(compiled(*args), eager(*args), strict=True):
            assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
    assert counted.calls == 1
