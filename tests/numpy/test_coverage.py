"""Plain NumPy programs, one or more per name of NumPy's namespaces: what a user writes is differentiable.

Each is checked for its value, in reverse against central differences, forward against reverse, in second
order and under `vmap` against a loop.
"""

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

import funcdiff as fd
from tests.numpy.coverage import exceptions, functions, linear_algebra, methods, polynomials, ufuncs
from tests.numpy.coverage.programs import compiled, outputs

FAMILIES = {
    "ufuncs": ufuncs.UFUNCS,
    "zero gradient": ufuncs.ZERO_GRADIENT,
    "ufunc methods": ufuncs.UFUNC_METHODS,
    "functions": functions.FUNCTIONS,
    "linalg": linear_algebra.LINALG,
    "fft": linear_algebra.FFT,
    "emath": linear_algebra.EMATH,
    "stride_tricks": linear_algebra.STRIDE_TRICKS,
    "index objects": linear_algebra.INDEX_OBJECTS,
    "methods": methods.METHODS,
    "syntax": methods.SYNTAX,
    **polynomials.FAMILIES,
}
FIXED = {  # `item` takes the plain value, a documented way out
    "x * x.item(0)",
    "np.array(x.tolist()) * y",
}
MIRRORED = {
    f"fd.numpy {family}": {
        name: [
            line.replace("np.polynomial.", "fd.numpy.polynomial.")
            for line in ([e] if isinstance(e, str) else e)
        ]
        for name, e in table.items()
    }
    for family, table in polynomials.FAMILIES.items()
}
LINES = [
    pytest.param(line, id=f"{family}: {line}")
    for family, table in (FAMILIES | MIRRORED).items()
    for entry in table.values()
    for line in ([entry] if isinstance(entry, str) else entry)
    if line not in exceptions.REFUSED
]


def weighted(f, weights):
    """The real part of f's outputs against fixed weights."""

    def scalar(*args):
        total = 0.0
        for out, w in zip(outputs(f(*args)), weights, strict=True):
            total = total + np.sum(np.real(np.multiply(out, w)))
        return total

    return scalar


def normal(rng, x):
    t = rng.standard_normal(np.shape(x))
    return (t + 1j * rng.standard_normal(np.shape(x)) if np.iscomplexobj(x) else t)[()]


def pairing(gradients, tangents):
    return sum(np.sum(np.real(g * t)) for g, t in zip(gradients, tangents, strict=True))


def directional(f, args, tangents, h=1e-3):
    """Central differences, extrapolated twice."""

    def difference(h):
        up = f(*(a + h * t for a, t in zip(args, tangents, strict=True)))
        return (up - f(*(a - h * t for a, t in zip(args, tangents, strict=True)))) / (2 * h)

    a, b, c = difference(h), difference(h / 2), difference(h / 4)
    return (16 * (4 * c - b) / 3 - (4 * b - a) / 3) / 15


def same(found, expected, tol=1e-10):
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        a, b = np.asarray(a), np.asarray(b)
        assert a.shape == b.shape
        assert_allclose(a, b, rtol=tol, atol=tol)


@pytest.mark.parametrize("line", LINES)
def test_program(line):
    f, args = compiled(line)
    rng = np.random.default_rng(0)
    plain = outputs(f(*args))
    tangents = tuple(normal(rng, a) * 0.1 for a in args)
    value, _ = fd.jvp(f, args, tangents)
    same([np.asarray(v, np.asarray(p).dtype) for v, p in zip(outputs(value), plain, strict=True)], plain)
    weights = [normal(rng, p) for p in plain]
    scalar = weighted(f, weights)
    every = tuple(range(len(args)))
    gradients = fd.grad(scalar, argnums=every)(*args)
    slope = pairing(gradients, tangents)
    pushed = fd.jvp(scalar, args, tangents)[1]
    assert_allclose(pushed, slope, rtol=1e-9, atol=1e-10)

    def first(*xs):
        return pairing(fd.grad(scalar, argnums=every)(*xs), tangents)

    second = pairing(fd.grad(first, argnums=every)(*args), tangents)
    assert_allclose(
        fd.jvp(lambda *xs: fd.jvp(scalar, xs, tangents)[1], args, tangents)[1], second, rtol=1e-8, atol=1e-9
    )
    if line not in FIXED:
        assert_allclose(slope, directional(scalar, args, tangents), rtol=1e-6, atol=1e-8)
        assert_allclose(second, directional(first, args, tangents), rtol=1e-5, atol=1e-7)
    stacks = tuple(np.stack([a, a + 1e-3 * np.asarray(t)]) for a, t in zip(args, tangents, strict=True))
    if line in exceptions.WHOLE_VALUES or exceptions.trims(line):
        with pytest.raises((fd.errors.MappedControlFlowError, TypeError)):
            fd.vmap(f)(*stacks)
        return
    for function in (f, fd.grad(scalar, argnums=every)):
        together = outputs(fd.vmap(function)(*stacks))
        alone = [outputs(function(*(s[n] for s in stacks))) for n in range(2)]
        same(together, [np.stack(parts) for parts in zip(*alone, strict=True)])


@pytest.mark.parametrize("line", exceptions.REFUSED)
def test_refused_with_a_remedy(line):
    f, args = compiled(line)
    with pytest.raises(fd.errors.UnsupportedError, match=r"fd\.numpy"):
        fd.jvp(f, args, args)


@pytest.mark.parametrize("line", exceptions.REFUSED)
def test_refused_lines_work_where_numpy_is_rebound(line):
    f, args = compiled(line)
    mirrored, _ = compiled(line.replace("np.polynomial.", "fd.numpy.polynomial."))
    found, expected = (fd.jvp(g, args, args) for g in (fd.numpy.rebind(f), mirrored))
    same(outputs(found), outputs(expected))


@pytest.mark.parametrize(
    "line",
    [
        "np.polynomial.polynomial.polyfit([0, 0.2, 0.5, 1], [0.1, 0.4, 0.2, 0.9], 1, w=y)",
        "np.polynomial.polynomial.polyfit(x, [0.1, 0.4, 0.2, 0.9], 1, w=y)",
        "np.polynomial.polynomial.polyfit(y, M.T, 1, full=True)[0]",
        "np.polynomial.polynomial.polyfit([0, 0.2, 0.5, 1], z, 1)",
        "np.polynomial.Polynomial.fit(x, y, 2)(0.3)",
        "np.polynomial.Chebyshev.fit(x, M.T[:, 0], 2, domain=[0, 1], w=y)(s)",
    ],
)
def test_fits_in_plain_spelling(line):
    f, args = compiled(line)
    mirrored, _ = compiled(line.replace("np.polynomial.", "fd.numpy.polynomial."))
    found, expected = (fd.jvp(fd.jit(g), args, args) for g in (f, mirrored))
    same(outputs(found), outputs(expected))

    def pulled(g):
        return fd.grad(lambda *a: np.sum(np.real(g(*a)) ** 2), argnums=tuple(range(len(args))))(*args)

    same(pulled(f), pulled(mirrored))


def test_fits_at_traced_points_alone_are_refused():
    with pytest.raises(fd.errors.UnsupportedError, match=r"fd\.numpy\.rebind"):
        fd.grad(lambda x: np.polynomial.polynomial.polyfit(x, np.ones(4), 1)[0])(np.arange(4.0))


@pytest.mark.parametrize("name", methods.WITHOUT_DERIVATIVE)
def test_without_derivative(name):
    f, args = compiled(methods.WITHOUT_DERIVATIVE[name])
    seen = []

    def scalar(*xs):
        seen.extend(outputs(f(*xs)))
        return sum(np.sum(np.real(v)) for v in xs)

    fd.grad(scalar, argnums=tuple(range(len(args))))(*args)
    expected = outputs(f(*args))
    assert len(seen) == len(expected)
    for a, b in zip(seen, expected, strict=True):
        assert isinstance(a, (np.ndarray, np.generic, bool, int)), type(a)
        assert np.array_equal(a, b)


@pytest.mark.parametrize("name", methods.NOT_NUMBERS)
def test_not_numbers(name):
    f, args = compiled(methods.NOT_NUMBERS[name])
    seen = []

    def scalar(*xs):
        seen.append(f(*xs))
        return np.sum(np.real(xs[0]))

    fd.grad(scalar)(*args)
    expected = f(*args)
    assert str(seen[0]) == str(expected)


def test_the_page_in_the_docs_is_this_table():
    path = Path(__file__).parents[2] / "docs" / "make_coverage.py"
    scope = {"__file__": str(path), "__name__": "make_coverage"}
    exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), scope)
    written = (path.parent / "coverage.md").read_text(encoding="utf-8")
    assert written == scope["page"](), "run python docs/make_coverage.py"
