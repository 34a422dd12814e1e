"""Operands that are no arrays: sequences, Python's other numbers, and classes of the user's own."""

from __future__ import annotations

import array
import collections
import decimal
import fractions
import operator

import numpy as np
import pytest
from numpy.testing import assert_allclose

import funcdiff as fd

X = np.array([0.5, 1.5, 2.5])


class Sequence(collections.abc.Sequence):
    def __len__(self):
        return 3

    def __getitem__(self, n):
        return (1.0, 2.0, 3.0)[n]


class ArrayLike:
    def __array__(self, dtype=None, copy=None):
        return np.arange(1.0, 4.0)


TAKEN_AS_ARRAYS = {
    "list": [1, 2, 3],
    "tuple": (1.0, 2.0, 3.0),
    "range": range(1, 4),
    "sequence": Sequence(),
    "array-like": ArrayLike(),
    "array.array": array.array("d", [1, 2, 3]),
    "memoryview": memoryview(np.arange(1.0, 4.0)),
    "deque": collections.deque([1, 2, 3]),
    "array of fractions": np.array([fractions.Fraction(n) for n in (1, 2, 3)]),
    "array of objects": np.array([1, 2.0, 3], dtype=object),
}
OPERATORS = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "**": operator.pow,
    "//": operator.floordiv,
    "%": operator.mod,
}


@pytest.mark.parametrize("symbol", OPERATORS)
@pytest.mark.parametrize("name", TAKEN_AS_ARRAYS)
def test_what_numpy_takes_for_an_array(name, symbol):
    operate, other, plain = OPERATORS[symbol], TAKEN_AS_ARRAYS[name], np.arange(1.0, 4.0)
    for of_traced, expected in (
        (lambda x: operate(x, other), lambda x: operate(x, plain)),
        (lambda x: operate(other, x), lambda x: operate(plain, x)),
    ):
        assert_allclose(fd.jacobian(of_traced)(X), fd.jacobian(expected)(X))
        assert_allclose(fd.jvp(of_traced, X, X), fd.jvp(expected, X, X))
        assert_allclose(fd.vmap(of_traced)(np.stack([X, X])), fd.vmap(expected)(np.stack([X, X])))
        assert_allclose(fd.jit(of_traced)(X), expected(X))


def test_comparisons_with_sequences():
    assert fd.grad(lambda x: np.sum(x) if np.all(x < range(1, 4)) else 0.0)(X)[0] == 1.0


@pytest.mark.parametrize("symbol", OPERATORS)
def test_fractions_and_huge_integers_are_numbers(symbol):
    operate = OPERATORS[symbol]
    for number in (fractions.Fraction(3, 2), 10**20):
        slope = fd.grad(lambda x: operate(x, number))(0.7)  # noqa: B023
        assert_allclose(slope, fd.grad(lambda x: operate(x, float(number)))(0.7))  # noqa: B023
    slope = fd.grad(lambda x: operate(fractions.Fraction(3, 2), x))(0.7)
    assert_allclose(slope, fd.grad(lambda x: operate(1.5, x))(0.7))


class Length:
    """A number with a unit."""

    def __init__(self, meters):
        self.meters = meters

    def __add__(self, other):
        return Length(self.meters + (other.meters if isinstance(other, Length) else other))

    __radd__ = __add__

    def __rsub__(self, other):
        return Length(other - self.meters)

    def __mul__(self, other):
        return Length(self.meters * other)

    __rmul__ = __mul__

    def __rtruediv__(self, other):
        return 1 / Length(self.meters / other).meters

    def __rpow__(self, other):
        return Length(other**self.meters)


class OptedOut(Length):
    __array_ufunc__ = None


class Preferred(Length, ArrayLike):
    __array_priority__ = 10.0


@pytest.mark.parametrize("kind", [Length, OptedOut, Preferred])
def test_classes_that_know_arithmetic(kind):
    two = kind(2.0)
    assert fd.grad(lambda x: (x * two).meters)(3.0) == 2.0
    assert fd.grad(lambda x: (two * x).meters)(3.0) == 2.0
    assert fd.grad(lambda x: (x + two).meters ** 2)(3.0) == 10.0
    assert fd.grad(lambda x: (x - two).meters ** 2)(3.0) == 2.0
    assert fd.grad(lambda x: x / two)(3.0) == 0.5
    assert fd.grad(lambda x: (x**two).meters)(3.0) == 6.0
    assert fd.hessian(lambda x: (x * kind(x)).meters)(3.0) == 2.0

    def in_place(x):
        y = x.copy()
        y *= two
        return np.sum(y.meters)

    if kind is not Length:  # of which NumPy makes an array of objects
        assert_allclose(fd.grad(in_place)(X), [2.0, 2.0, 2.0])
    assert_allclose(fd.vmap(lambda x: (x * two).meters)(X), 2 * X)


@pytest.mark.parametrize("other", [decimal.Decimal(2), None, {}, "a", b"a", len])
@pytest.mark.parametrize("symbol", ["+", "-", "*", "/"])
def test_what_is_no_operand(other, symbol):
    operate = OPERATORS[symbol]
    for f in (lambda x: operate(x, other), lambda x: operate(other, x)):
        with pytest.raises(TypeError, match=r"unsupported operand|formatting"):
            fd.grad(lambda x: np.sum(f(x)))(X)  # noqa: B023
