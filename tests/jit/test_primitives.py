"""Every registered primitive with samples: jit against eager, and its derivatives."""

from __future__ import annotations

import functools
import importlib
import pkgutil

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import funcdiff as fd
import funcdiff.primitives
from funcdiff.core.primitive import REGISTRY, Elementwise, General, LocallyConstant

jit = functools.partial(fd.jit, backend="numpy")

for module in pkgutil.walk_packages(funcdiff.primitives.__path__, "funcdiff.primitives."):
    importlib.import_module(module.name)

PRIMITIVES = {n: p for n, p in sorted(REGISTRY.items()) if p.samples is not None and p.custom is None}
DIFFERENTIABLE = [n for n, p in PRIMITIVES.items() if not isinstance(p, LocallyConstant)]


def cases(name):
    primitive = PRIMITIVES[name]
    for args, params in primitive.samples(np.random.default_rng(0)):
        yield primitive, args, params


def is_number(x):
    return isinstance(x, (bool, int, float, complex)) or np.asarray(x).dtype.kind in "fcbiu"


def outputs(x):
    return x if isinstance(x, tuple) else (x,)


def same(found, expected, exact=True):
    for a, b in zip(outputs(found), outputs(expected), strict=True):
        b = np.asarray(b)
        assert a.shape == b.shape
        assert a.dtype == b.dtype
        if exact:
            assert_array_equal(a, b)
        else:
            assert_allclose(a, b, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", PRIMITIVES)
def test_values(name):
    for primitive, args, params in cases(name):
        numbers = [n for n, a in enumerate(args) if is_number(a)]

        def f(*values, args=args, numbers=numbers, primitive=primitive, params=params):
            full = list(args)
            for n, v in zip(numbers, values, strict=True):
                full[n] = v
            return primitive.function(*full, **params)

        values = [args[n] for n in numbers]
        compiled = jit(f)
        with np.errstate(all="ignore"):
            expected = f(*[np.asarray(v)[()] for v in values])
            exact = any(np.size(v) > 1 for v in values)  # scalars are computed by `math`
            for _ in range(3):
                same(compiled(*values), expected, exact)
            strided = [np.repeat(v, 2, axis=-1)[..., ::2] if np.ndim(v) else v for v in values]
            same(compiled(*strided), f(*[np.asarray(v)[()] for v in strided]), exact=False)
            for v in values:
                if isinstance(v, np.ndarray):
                    v.flags.writeable = False
            same(compiled(*values), expected, exact)


def active(primitive, args):
    def has_rule(n):
        match primitive:
            case Elementwise():
                return primitive.partials[n] is not None
            case General():
                rules = (primitive.jvps, primitive.transposes, primitive.vjps)
                return any(n < len(r) and r[n] is not None for r in rules)
        return True

    return [n for n, a in enumerate(args) if np.asarray(a).dtype.kind in "fc" and has_rule(n)]


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_derivatives(name):
    for primitive, args, params in cases(name):
        places = active(primitive, args)
        if not places or any(np.asarray(args[n]).dtype.kind == "c" for n in places):
            continue

        def f(*values, args=args, places=places, primitive=primitive, params=params):
            full = list(args)
            for n, v in zip(places, values, strict=True):
                full[n] = v
            outs = outputs(primitive.function(*full, **params))
            return tuple(np.real(o) for o in outs if o.dtype.kind in "fc")

        values = [np.asarray(args[n])[()] for n in places]
        with np.errstate(all="ignore"):
            outs = f(*values)
        if any(np.asarray(o).dtype.kind != "f" for o in outs):
            continue
        cotangents = tuple(np.cos(np.arange(o.size)).reshape(o.shape)[()].astype(o.dtype) for o in outs)
        tangents = tuple(np.sin(np.arange(v.size)).reshape(v.shape)[()].astype(v.dtype) for v in values)

        def pull(*x, f=f, cotangents=cotangents):
            return fd.pullback(f, *x)[1](cotangents)

        def push(*x, f=f, tangents=tangents):
            return fd.linearize(f, *x)[1](*tangents)

        expected = pull(*values), push(*values)
        compiled = jit(f)
        for found in (
            (jit(pull)(*values), jit(push)(*values)),
            (pull(*values, f=compiled), push(*values, f=compiled)),
        ):
            for a, b in zip(found, expected, strict=True):
                same(a, b, exact=False)
