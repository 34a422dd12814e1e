"""`Tape.to_sympy`: formulas that have the values of the tape."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose

import funcdiff as fd
from funcdiff.symbolic.functions import BY_IMPLEMENTATION, elementwise
from tests.primitives.test_registry import PRIMITIVES

sympy = pytest.importorskip("sympy")

X = np.array([0.3, 1.2, 2.5])
Y = np.array([1.5, 0.7, 0.4])
KNOWN = [
    n
    for n in (*elementwise(sympy), *BY_IMPLEMENTATION, "max", "min", "inv", "det", "solve")
    if n in PRIMITIVES
]


def numbers(found, symbols, values):
    """The value of formulas at numbers."""
    point = dict(zip(symbols, values, strict=True))
    flat = (
        [found] if not hasattr(found, "shape") else list(found.reshape(int(np.prod(found.shape, dtype=int))))
    )
    return [
        complex(e.subs(point).evalf()) if isinstance(e, sympy.Expr) else bool(e.subs(point)) for e in flat
    ]


def check(f, *args):
    tape = fd.trace(f)(*args)
    found = tape.to_sympy()
    symbols, values = [], []
    for n, x in enumerate(map(np.asarray, args)):
        name = tape.input_names[n] if n < len(tape.input_names) else f"x_{n}"
        for index in np.ndindex(x.shape):
            place = ",".join(map(str, index))
            label = name if not index else f"{name}_{place}" if len(place) == 1 else f"{name}_{{{place}}}"
            facts = {} if x.dtype.kind == "c" else {"real": True}
            facts |= {"integer": True} if x.dtype.kind in "iu" else {}
            symbols.append(sympy.Symbol(label, **facts))
            values.append(x[index].item())
    expected = np.asarray(tape.run(*args))
    assert_allclose(numbers(found, symbols, values), expected.ravel(), rtol=1e-10, atol=1e-12)
    return found


@pytest.mark.parametrize("name", sorted(n for n in KNOWN if PRIMITIVES[n].samples))
def test_primitives(name):
    primitive = PRIMITIVES[name]
    for args, params in primitive.samples(np.random.default_rng(0))[:2]:
        values = [np.asarray(a) for a in args]
        if any(v.size > 30 for v in values) or (name in ("inv", "det", "solve") and values[0].ndim > 2):
            continue
        free = [n for n, v in enumerate(values) if v.dtype.kind not in "iu"]

        def f(x_0, x_1=None, x_2=None, values=values, free=free, params=params):
            given = dict(zip(free, (x_0, x_1, x_2), strict=False))
            return primitive.function(*(given.get(n, v) for n, v in enumerate(values)), **params)

        check(f, *(values[n] for n in free))


def test_comparisons_and_logic():
    check(lambda x, y: np.where((x < y) & ~(x > 0.5) | (y >= 1), x, y), X, Y)
    check(lambda x, y: np.where(np.logical_or(x != y, x <= y), np.floor(x), np.ceil(y)), X, Y)


def test_formulas_read_as_written():
    x, y = sympy.symbols("x y", real=True)
    assert check(lambda x, y: np.exp(x) * np.sin(y) + x / 2, 1.0, 2.0) == sympy.exp(x) * sympy.sin(y) + x / 2
    assert check(lambda x: 0.25 * x**3 - 7, 1.5) == x**3 / 4 - 7


def test_derivatives_are_those_of_sympy():
    f = lambda x, y: np.exp(x * y) * np.sin(y) + np.tanh(x) / y  # noqa: E731
    x, y = sympy.symbols("x y", real=True)
    formula = check(f, 0.7, 1.3)
    for n, symbol in enumerate((x, y)):
        found = fd.trace(fd.grad(f, n))(0.7, 1.3).to_sympy()
        assert sympy.simplify(found - sympy.diff(formula, symbol)) == 0


def test_arrays_have_a_symbol_for_each_element():
    found = check(lambda x: np.sum(x**2), X)
    assert str(found) == "x_0**2 + x_1**2 + x_2**2"
    matrix = check(lambda a: a.T @ a, np.array([[1.0, 2.0], [3.0, 4.0]]))
    assert matrix.shape == (2, 2)
    assert "a_{0,1}" in str(matrix)


def test_programs():
    def f(x):
        y = np.zeros_like(x)
        for i in range(3):
            y[i] = np.sin(x[i]) if i else x[i] ** 2
        return np.where(y > 0.5, np.sqrt(y), y) @ x[::-1]

    check(f, X)
    check(fd.jacobian(lambda x: np.outer(x, x) @ x), X)
    check(lambda a: np.linalg.det(a) * np.linalg.inv(a), np.array([[2.0, 1.0], [0.5, 3.0]]))


def test_nested_results():
    found = fd.trace(lambda p: {"a": (p["u"] * 2, [1.5])})({"u": 3.0}).to_sympy()
    assert found == {"a": (2 * sympy.Symbol("p_u", real=True), [sympy.Rational(3, 2)])}


def test_latex():
    assert fd.trace(lambda x: np.sqrt(x) / (1 + x))(1.0).to_latex() == r"\frac{\sqrt{x}}{x + 1}"


def test_control_flow_is_refused_unless_asked_for():
    tape = fd.trace(lambda x: x * 2 if x > 0 else x)(1.0)
    with pytest.raises(fd.errors.UnsupportedError, match="on_path=True"):
        tape.to_sympy()
    assert tape.to_sympy(on_path=True) == 2 * sympy.Symbol("x", real=True)


def test_what_has_no_form():
    with pytest.raises(fd.errors.UnsupportedError, match="sort has no form"):
        fd.trace(lambda x: np.sort(x))(X).to_sympy()
    with pytest.raises(fd.errors.UnsupportedError, match="up to 400"):
        fd.trace(lambda x: x * 2)(np.ones(1000)).to_sympy()


def test_without_sympy(monkeypatch):
    monkeypatch.setitem(sys.modules, "sympy", None)
    with pytest.raises(fd.errors.MissingExtraError, match=r'pip install "funcdiff\[symbolic\]"'):
        fd.trace(lambda x: x)(1.0).to_sympy()
