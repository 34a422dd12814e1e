"""`Tape.to_source`: NumPy source that runs by itself and computes what the tape computes."""

from __future__ import annotations

import ast
import re
from functools import partial
from random import Random
from typing import NamedTuple

import numpy as np
import pytest
import scipy.sparse
from numpy.testing import assert_allclose, assert_array_equal

import funcdiff as fd
from funcdiff.core.primitive import REGISTRY
from funcdiff.core.trees import flatten
from tests.fuzz.test_mutation_programs import MutationBuilder
from tests.fuzz.test_mutation_programs import random_program as random_mutation_program
from tests.fuzz.test_random_programs import random_program
from tests.primitives.test_registry import PRIMITIVES, SAMPLED

X = np.array([0.3, -1.2, 2.5])

Y = np.array([1.5, 0.7, -0.4])


def is_set_up_with_objects(params):
    """Tell whether settings hold factors or patterns of matrices, which are neither text nor arrays."""
    own = ("funcdiff", "scipy.sparse.linalg")
    return any(type(v).__module__.startswith(own) or type(v).__name__ == "SuperLU" for v in params.values())


def function_of(source):
    """Run source text by itself and return the function it ends with."""
    scope = {}
    exec(compile(source, "<generated>", "exec"), scope)
    return scope[re.findall(r"^def (\w+)", source, re.MULTILINE)[-1]]


def body_of(source):
    """The lines of the last function, without its docstring."""
    lines = source[source.rindex("\ndef ") :].strip().splitlines()
    return [line.strip() for line in lines[2:]]


def same(found, expected, rtol=1e-13):
    found, found_tree = flatten(found)
    expected, expected_tree = flatten(expected)
    assert found_tree == expected_tree
    for a, b in zip(found, expected, strict=True):
        a, b = np.asarray(a), np.asarray(b)
        assert a.dtype == b.dtype
        assert_allclose(a, b, rtol=rtol, atol=1e-14)


def check(f, *args, **options):
    """The source of f's tape computes what f computes, and returns itself when traced again."""
    tape = fd.trace(f)(*args)
    source = tape.to_source(**options)
    with np.errstate(all="ignore"):
        same(function_of(source)(*args), tape.run(*args))
    return source


# --- every primitive ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [n for n in PRIMITIVES if PRIMITIVES[n].samples is not None])
def test_every_primitive_has_a_spelling(name):
    primitive = PRIMITIVES[name]
    for args, params in primitive.samples(np.random.default_rng(0)):
        f = partial(primitive.function, **params)
        if is_set_up_with_objects(params):
            with pytest.raises(fd.errors.UnsupportedError, match="is set up with"):
                check(lambda *values, f=f: f(*values), *map(np.asarray, args))
            continue
        source = check(lambda *values, f=f: f(*values), *map(np.asarray, args))
        if isinstance(primitive.impl, np.ufunc) and hasattr(np, primitive.impl.__name__):
            assert "funcdiff" not in source
        ast.parse(source)


@pytest.mark.parametrize("name", SAMPLED)
def test_derivatives_of_every_primitive(name):
    primitive = PRIMITIVES[name]
    for args, params in primitive.samples(np.random.default_rng(0))[:1]:
        active = [n for n, a in enumerate(args) if np.asarray(a).dtype.kind == "f"]
        if is_set_up_with_objects(params) or not active or any(np.asarray(a).dtype.kind == "c" for a in args):
            continue
        first = active[0]

        def loss(x, args=args, params=params, first=first):
            full = list(args)
            full[first] = x
            out = primitive.function(*full, **params)
            outs = out if isinstance(out, tuple) else (out,)
            return sum(np.sum(np.real(o)) for o in outs if o.dtype.kind in "fc")

        try:
            fd.grad(loss)(np.asarray(args[first]))
        except fd.errors.FuncdiffError:
            continue
        check(fd.grad(loss), np.asarray(args[first]))


# --- random programs -----------------------------------------------------------------------------------


def checked_with_gradient(program):
    x = program.x

    def loss(x):
        return sum(np.sum(np.cos(0.7 * np.arange(a.size)).reshape(a.shape) * a) for a in program(x))

    same(function_of(fd.trace(lambda x: program(x))(x).to_source())(x), program(x), rtol=1e-10)
    gradient = fd.trace(fd.grad(loss))(x)
    same(function_of(gradient.to_source())(x), gradient.run(x), rtol=1e-10)


@pytest.mark.parametrize("seed", range(25))
def test_random_programs(seed):
    checked_with_gradient(random_program(seed))


@pytest.mark.parametrize("seed", range(25))
def test_random_programs_that_write(seed):
    checked_with_gradient(random_mutation_program(Random(seed), MutationBuilder))


# --- how it reads ----------------------------------------------------------------------------------------


def test_a_function_comes_back_as_it_was_written():
    def f(x, y):
        a = np.exp(x) + y
        a = a * 2 - x / 3
        b, c = np.linalg.qr(np.outer(a, y))
        return b @ c, -(a**2)

    source = check(f, X, Y)
    assert body_of(source) == [
        "a = np.exp(x) + y",
        "a = a * 2 - x / 3",
        "b, c = np.linalg.qr(a.reshape(3, 1) * y.reshape(1, 3), 'reduced')",
        "return b @ c, -a ** 2",
    ]


def test_in_place_programs_stay_in_place():
    def f(x):
        y = np.zeros_like(x)
        for i in range(3):
            y[i] = np.sin(x[i])
        y += x
        y[1:] *= 2.0
        return y.sum()

    assert body_of(check(f, X)) == [
        "y = np.zeros(3)",
        "y[0] = np.sin(x[0])",
        "y[1] = np.sin(x[1])",
        "y[2] = np.sin(x[2])",
        "y = y + x",
        "y[1:] = y[1:] * 2.0",
        "return np.sum(y)",
    ]


def test_arrays_without_axes_are_written_into():
    def f(x):
        s = np.zeros((), like=x)
        s += x[0]
        s *= s
        t = s
        t += 1.0
        return s * t

    check(f, X)
    check(fd.grad(f), X)
    check(lambda x: fd.jvp(fd.grad(f), x, Y), X)


def test_what_is_still_read_is_not_written_over():
    def f(x):
        y = x * 2
        row = y[:2]
        old = y.copy()
        y[0] = 5.0
        return y, old, row * 1.0

    check(f, X)


def test_loops_reuse_their_names():
    def f(x):
        for _ in range(3):
            x = np.tanh(x) * 2
        return x

    assert body_of(check(f, X)) == [
        *["x = np.tanh(x) * 2"] * 3,
        "return x",
    ]


def test_the_source_of_a_gradient():
    def f(a, b):
        c = a + b
        d = b + 1
        return c * d

    source = check(fd.grad(f, (0, 1)), 2.0, 1.0)
    assert "def grad_f(a, b):" in source
    assert body_of(source)[-1] == "return d, c + d"


def test_products_of_derivatives_keep_zeros():
    def f(x):
        return np.sum(np.where(x > 0, np.log(x), 0.0))

    x = np.array([2.0, 0.0, -1.0])
    with np.errstate(all="ignore"):
        tape = fd.trace(fd.grad(f))(x)
        assert_array_equal(function_of(tape.to_source())(x), [0.5, 0, 0])


def test_plain_products():
    tape = fd.trace(fd.grad(lambda x: np.sum(np.exp(x) * np.sin(x) ** 3)))(X)
    assert "scale(" in tape.to_source()
    plain = tape.to_source(plain_products=True)
    assert "scale(" not in plain
    assert_allclose(function_of(plain)(X), tape.run(X), rtol=1e-13)


def test_control_flow_is_checked():
    def f(x):
        if x.sum() > 0:
            return x * 2
        return x

    g = function_of(fd.trace(f)(X).to_source())
    assert_array_equal(g(X), 2 * X)
    with pytest.raises(ValueError, match=r"recorded for another path: if x\.sum\(\) > 0:"):
        g(-X)


def test_guards_on_numbers_and_arrays():
    def f(x):
        n = int(np.argmax(x))
        y = x[n] * x
        for value in (x > 0).tolist():
            y = y + 1 if value else y
        return y

    source = check(f, X)
    with pytest.raises(ValueError, match="another path"):
        function_of(source)(-X)


class Pair(NamedTuple):
    first: object
    second: object


def test_nested_arguments_and_results():
    def f(params, x, *rest):
        return {"a": [params["w"] * x, params["b"][0] + rest[0]], "pair": Pair(x, (x * 2,)), "none": None}

    source = check(f, {"w": X, "b": (Y, 2.0)}, Y, X)
    assert "w = params['w']" in source
    assert "Pair(first=x" in source


def test_names_that_python_or_numpy_has_taken():
    def f(np_, lambda_, t1, special):
        np = np_ + 1  # noqa: F841
        scale = lambda_ * t1
        places = scale + special
        return fd.numpy.exp(places * t1) * scale

    check(f, X, Y, X, Y)
    check(fd.grad(lambda scale, np_: fd.numpy.sum(fd.numpy.exp(scale) * np_**3)), X, Y)


@pytest.mark.parametrize(
    "constant",
    [
        2,
        -3,
        0.1,
        -0.0,
        float("inf"),
        float("nan"),
        1 - 2j,
        complex(0.0, -0.0),
        np.float32(0.1),
        np.float64(0.1),
        np.int8(3),
        np.array(2.5),
        np.array([0.1, np.nan, -np.inf], np.float32),
        np.array([0.0, -0.0, 0.0]),
        np.array([1, 2, 3]),
        np.array([1, 2, 3], np.uint8),
        np.array([True, False, True]),
        np.array([0.1, 1 / 3, 1e-300]),
        np.array([1 + 2j, 3, complex(np.inf, -0.0)]),
        np.array(["0.1", "1.7", "2"], np.longdouble) / 3,
        np.full((2, 3), 7.5),
        np.eye(3),
        np.eye(3, dtype=np.float32),
        np.arange(3),
        np.zeros((0, 3)),
        np.arange(30.0).reshape(10, 3) / 7,
        np.random.default_rng(0).standard_normal((500, 3)),
        np.random.default_rng(0).standard_normal((500, 3)).astype(np.float32).T.copy().T,
    ],
    ids=repr,
)
def test_constants_are_exact(constant):
    f = lambda x: x * constant  # noqa: E731
    with np.errstate(all="ignore"):
        tape = fd.trace(f)(X)
        found, expected = function_of(tape.to_source())(X), np.asarray(X * constant)
    assert found.dtype == expected.dtype
    assert_array_equal(found, expected)
    assert_array_equal(np.signbit(found.real), np.signbit(expected.real))


def test_sparse_constants():
    matrix = scipy.sparse.random_array((4, 3), density=0.5, rng=np.random.default_rng(0), format="csr")
    check(lambda x: matrix @ x, X)


def test_dtypes_are_kept():
    x = X.astype(np.float32)
    check(lambda x: np.sum(2 * np.exp(x) + np.float32(0.1)) / 3, x)
    check(fd.grad(lambda x: np.sum(2 * np.exp(x)) / 3), x)
    check(fd.grad(lambda z: np.sum(np.abs(z) ** 2)), x + 1j * x)


def test_derivatives_of_higher_order_and_batches():
    f = lambda x: np.sum(np.exp(x) * np.sin(x[::-1])) / np.linalg.norm(x)  # noqa: E731
    check(fd.hessian(f), X)
    check(fd.vmap(fd.grad(f)), np.stack([X, Y]))
    check(fd.jacobian(lambda x: np.linalg.solve(np.outer(x, x) + np.eye(3), x)), X)


def test_functions_with_rules_of_their_own_are_written_out():
    @fd.custom_jvp
    def softplus(x):
        return np.log1p(np.exp(x))

    softplus.defjvp(lambda primals, tangents: (softplus(primals[0]), tangents[0] / (1 + np.exp(-primals[0]))))
    assert "np.log1p(np.exp(" in check(lambda x: softplus(x) * x, X)
    check(fd.grad(lambda x: np.sum(softplus(x) * x)), X)
    check(fd.grad(lambda x: np.sum(fd.checkpoint(lambda v: np.sin(v) * v)(x))), X)


def test_custom_functions_that_decide_on_values_are_refused():
    @fd.custom_jvp
    def f(x):
        return x * 2 if x.sum() > 0 else x

    f.defjvp(lambda primals, tangents: (f(primals[0]), tangents[0]))
    with pytest.raises(fd.errors.UnsupportedError, match="control flow"):
        fd.trace(lambda x: f(x))(X).to_source()


def test_user_made_primitives():
    closed_over = 3

    def cube(x):
        return x**closed_over

    f = fd.primitive(cube, partials=[lambda out, x: 3 * x**2], name="source_cube")
    try:
        with pytest.raises(fd.errors.UnsupportedError, match="source_cube"):
            fd.trace(lambda x: f(x))(X).to_source()
    finally:
        REGISTRY.pop("source_cube")
    f = fd.primitive(module_cube, partials=[lambda out, x: 3 * x**2], name="source_cube")
    try:
        source = check(lambda x: f(x) * 2, X)
        assert "x ** 3" in source
    finally:
        REGISTRY.pop("source_cube")


def module_cube(x):
    return x**3


def test_the_name_of_the_function():
    tape = fd.trace(lambda x: x)(X)
    assert "def f(x):" in tape.to_source()
    assert "def model(x):" in tape.to_source(name="model")
    with pytest.raises(fd.errors.UnsupportedError, match="lambda"):
        tape.to_source(name="lambda")


def test_records_nobody_reads_are_left_out():
    def f(x):
        np.exp(x) * 17
        return x * 2

    assert "exp" not in check(f, X)


def test_names_follow_the_conversion_of_the_whole_program():
    """Names of different statements on one line, of multi-line statements and of nested functions."""

    def inner(v):
        w = np.sin(v)
        return w * 2

    def f(x):
        first = inner(x)
        second = inner(first) + x
        return first * second

    source = check(f, X)
    assert "second = " in source
    assert "w = np.sin(x)" in source
