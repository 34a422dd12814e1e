"""One check for a differentiable function of arrays: values, both modes, second order, vmap, dtypes."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.testing import assert_allclose

import funcdiff as fd
from funcdiff.core.recording import TracedArray


def outputs(out):
    """The arrays of a result, which may be nested in lists and tuples."""
    if isinstance(out, (list, tuple)):
        return [leaf for item in out for leaf in outputs(item)]
    return [out]


def inner(f, weights):
    """A scalar function of f's inputs: its outputs against fixed weights."""

    def scalar(*args):
        total = 0.0
        for out, w in zip(outputs(f(*args)), weights, strict=True):
            total = total + np.sum(np.multiply(out, w))
        return total

    return scalar


def same_values(f, *args):
    """Assert that f of traced arrays has NumPy's values, shapes and dtypes; return the plain outputs."""
    plain = outputs(f(*args))
    traced = outputs(fd.jvp(f, args, args)[0])
    assert len(plain) == len(traced)
    for p, t in zip(plain, traced, strict=True):
        assert np.shape(p) == np.shape(t)
        assert np.asarray(p).dtype == np.asarray(t).dtype
        assert_allclose(np.asarray(t, float), np.asarray(p, float), rtol=1e-12, atol=1e-12)
    return plain


def check(f, *args, order=2, batched=True, rtol=1e-6, eps=1e-6, values=True):
    """Check f at real float64 arrays against NumPy and central differences."""
    args = tuple(np.asarray(a, float) if np.ndim(a) else float(a) for a in args)
    rng = np.random.default_rng(0)
    plain = same_values(f, *args) if values else outputs(f(*args))
    weights = [rng.standard_normal(np.shape(p)) for p in plain]
    scalar = inner(f, weights)
    tangents = tuple(rng.standard_normal(np.shape(a))[()] for a in args)
    slope = directional(scalar, args, tangents, eps)
    gradients = fd.grad(scalar, argnums=tuple(range(len(args))))(*args)
    for g, a in zip(gradients, args, strict=True):
        assert np.shape(g) == np.shape(a)
    assert_allclose(dot(gradients, tangents), slope, rtol=rtol, atol=1e-6)
    _, pushed = fd.jvp(scalar, args, tangents)
    assert_allclose(pushed, dot(gradients, tangents), rtol=1e-10, atol=1e-10)
    if batched:
        check_batched(f, scalar, args, rng)
    if order > 1:

        def first(*xs):
            return dot(fd.grad(scalar, argnums=tuple(range(len(args))))(*xs), tangents)

        def first_forward(*xs):
            return fd.jvp(scalar, xs, tangents)[1]

        check(first, *args, order=1, batched=batched, rtol=1e-5, eps=1e-5, values=False)
        check(first_forward, *args, order=1, batched=False, rtol=1e-5, eps=1e-5, values=False)


def check_batched(f, scalar, args, rng):
    """Check vmap of f and of its gradient against a loop, all arguments mapped and the first one alone."""
    stacks = tuple(np.stack([a, a + 1e-3 * rng.standard_normal(np.shape(a))]) for a in args)
    gradient = fd.grad(scalar, argnums=tuple(range(len(args))))
    for function in (f, gradient):
        together = outputs(fd.vmap(function)(*stacks))
        alone = [outputs(function(*(s[n] for s in stacks))) for n in range(2)]
        for n, out in enumerate(together):
            assert_allclose(out, np.stack([a[n] for a in alone]), rtol=1e-10, atol=1e-10)
    if len(args) > 1:
        together = outputs(fd.vmap(gradient, in_axes=(0, *(None,) * (len(args) - 1)))(stacks[0], *args[1:]))
        alone = [outputs(gradient(stacks[0][n], *args[1:])) for n in range(2)]
        for n, out in enumerate(together):
            assert_allclose(out, np.stack([a[n] for a in alone]), rtol=1e-10, atol=1e-10)


def keeps_float32(f, *args):
    """Assert that float32 in gives float32 out, for values and both modes."""
    args = tuple(np.asarray(a, np.float32) for a in args)
    plain = outputs(f(*args))
    scalar = inner(f, [np.ones(np.shape(p), np.float32) for p in plain])
    for g in fd.grad(scalar, argnums=tuple(range(len(args))))(*args):
        assert g.dtype == np.float32
    out, pushed = fd.jvp(f, args, args)
    for p, o, t in zip(plain, outputs(out), outputs(pushed), strict=True):
        assert np.asarray(p).dtype == o.dtype == t.dtype


def directional(f, args, tangents, eps):
    """The central difference of f along a direction."""
    up = f(*(a + eps * t for a, t in zip(args, tangents, strict=True)))
    down = f(*(a - eps * t for a, t in zip(args, tangents, strict=True)))
    return (up - down) / (2 * eps)


def dot(xs, ys):
    """The sum of all products."""
    return sum(np.sum(x * y) for x, y in zip(xs, ys, strict=True))


class Case(NamedTuple):
    """A function, where to check it, and how."""

    f: Callable
    args: tuple
    float32: bool
    options: dict


def case(f, *args, float32=True, **options):
    """State a case; NumPy's own result is wider than float32 where ``float32=False``."""
    return Case(f, args, float32, options)


def run(c):
    """Check a case, and that it keeps float32."""
    check(c.f, *c.args, **c.options)
    if c.float32:
        keeps_float32(c.f, *c.args)


def is_traced(x):
    """Tell whether a function is being transformed or run by plain NumPy."""
    return isinstance(x, TracedArray)


_RNG = np.random.default_rng(1)
A = _RNG.standard_normal((3, 4))
V = _RNG.standard_normal(5)
M = _RNG.standard_normal((3, 3))
T = _RNG.standard_normal((2, 3, 4))
ZEROS = A.copy()
ZEROS[0, 1] = ZEROS[0, 3] = ZEROS[1, 0] = 0
ZEROS[2] = 0
