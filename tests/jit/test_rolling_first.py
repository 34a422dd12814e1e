"""Long Python loops under `jit` are loops before they are differentiated, in every mode and in each other."""

from itertools import product

import numpy as np
import pytest

import funcdiff as fd
from funcdiff.core.tape import bodies
from funcdiff.core.trees import flatten
from tests.jit import test_roll as zoo


def jvp(f):
    return lambda x: fd.jvp(f, x, 1.0)[1]


MODES = {"f": jvp, "r": fd.grad}


def in_modes(f, modes):
    for m in modes:
        f = MODES[m](f)
    return f


def two_steps_back(w):
    a, b = w, w * 0.3
    for n in range(80):
        a, b = b, np.tanh(a * w) + 0.1 * n
    return a * b


def repeated(x):
    for _ in range(400):
        x = np.sin(x) * 1.2 + 0.1
    return x


def has_loop(tape):
    return any(bodies(r) for r in tape.records)


@pytest.mark.parametrize("modes", ["".join(m) for n in (1, 2, 3) for m in product("fr", repeat=n)])
def test_all_modes_find_the_loop(modes):
    f = in_modes(two_steps_back, modes)
    compiled = fd.jit(f)
    for w in (0.6, -0.3):
        np.testing.assert_allclose(compiled(w), f(w), rtol=1e-9)
    assert len(compiled.lower(0.6).tape) < 90 * len(modes)


def of_two(w):
    return two_steps_back(w[0] * w[1])


@pytest.mark.parametrize(
    "transform",
    [
        lambda f: lambda w: fd.hvp(f, w, np.array([1.0, 0.5]))[1],
        lambda f: lambda w: fd.vhp(f, w, np.array([1.0, 0.5]))[1],
        lambda f: lambda w: fd.jvp(fd.grad(f), w, np.array([1.0, 0.5]))[1],
        lambda f: lambda w: fd.linearize(f, w)[1](np.array([1.0, 0.5])),
        lambda f: lambda w: fd.jet(f, (w,), ((np.array([1.0, 0.5]), np.array([0.0, 2.0])),)),
        lambda f: fd.jacfwd(f, chunk_size=1),
        lambda f: fd.jacobian(fd.grad(f), mode="forward"),
        lambda f: fd.laplacian(f),
        *[
            lambda f, m=m: fd.hessian(f, mode=m)
            for m in (
                "forward-over-reverse",
                "reverse-over-forward",
                "reverse-over-reverse",
                "forward-over-forward",
            )
        ],
    ],
)
def test_transforms_that_push_forward(transform):
    f = transform(of_two)
    compiled = fd.jit(f)
    for w in (np.array([0.5, 0.7]), np.array([0.9, -0.4])):
        got, want = flatten(compiled(w))[0], flatten(f(w))[0]
        for a, b in zip(got, want, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9)
    assert len(compiled.lower(np.array([0.5, 0.7])).tape) < 150


ZOO = {
    zoo.adam: np.ones(3),
    zoo.inner_loop: 0.4,
    zoo.inner_count_cycles: 0.5,
    zoo.three_steps_back: 0.9,
    zoo.all_iterates: 0.3,
    zoo.iterates_in_the_middle: 0.3,
    zoo.rows_of_data: np.array([0.3, -0.2]),
}


@pytest.mark.parametrize("f", ZOO, ids=lambda f: f.__name__)
@pytest.mark.parametrize("transform", [fd.grad, lambda f: lambda w: fd.hvp(f, w, np.ones_like(w))[1]])
def test_programs_of_the_zoo(f, transform):
    compiled, w = fd.jit(transform(f)), np.asarray(ZOO[f])
    for x in (w, w * 1.25):
        np.testing.assert_allclose(compiled(x), transform(f)(x), rtol=1e-8)
    assert len(compiled.lower(w).tape) < (
        350 if f is zoo.all_iterates else 200
    )  # each of which is read by itself


def test_the_tape_is_that_of_the_program_where_nothing_repeats():
    choice = np.random.default_rng(0).integers(0, 3, 300)

    def f(x):
        y = x
        for c in choice:
            y = (np.sin(y) * x, y + x, np.tanh(y))[c]
        return y

    for modes in ("f", "r", "rf", "fr"):
        g = in_modes(f, modes)
        compiled = fd.jit(g, backend="numpy")
        np.testing.assert_allclose(compiled(0.4), g(0.4), rtol=1e-13)
        assert len(compiled.lower(0.4).tape) == len(fd.trace(g)(0.4))


@pytest.mark.parametrize("modes", ["f", "r", "rf"])
def test_control_flow_goes_along(modes):
    def f(x):
        n = 0
        while abs(x) > 0.01 and n < 190:
            x = x * 0.97 + 0.001 * np.sin(x)
            n += 1
        return x * x * n

    f = in_modes(f, modes)
    compiled = fd.jit(f)
    for x in (2.5, 1.5, 0.7, 0.012, 2.5, 0.001, 2.51):
        np.testing.assert_allclose(compiled(x), f(x), rtol=1e-11)


# --- what a function closes over ---------------------------------------------------------------------


@pytest.mark.parametrize("outer", "fr")
@pytest.mark.parametrize("inner", "fr")
def test_closures_stay_active_where_they_are(inner, outer):
    """The inner derivative of a loop over both variables, differentiated with respect to what it closes over."""

    def steps(x, y):
        for _ in range(120):
            x = np.sin(x * y) + 0.3 * y
        return x

    def of(x):
        scale = np.exp(0.1 * x)
        return MODES[inner](lambda y: steps(x * scale, y + scale))(0.8) + x * MODES[inner](repeated)(0.5 * x)

    f = MODES[outer](of)
    compiled = fd.jit(f)
    for x in (0.7, 0.2):
        np.testing.assert_allclose(compiled(x), f(x), rtol=1e-9)
    assert has_loop(compiled.lower(0.7).tape)


@pytest.mark.parametrize("mode", "fr")
def test_what_was_computed_before_is_a_constant_of_the_loop(mode):
    def f(w):
        rate, data = np.exp(w), fd.numpy.array([0.1, 0.2, 0.3]) * w

        def steps(a):
            for n in range(200):
                a = np.sin(a * rate) + w * data[n % 3]
            return a

        return MODES[mode](steps)(w)

    compiled = fd.jit(f)
    np.testing.assert_allclose(compiled(0.3), f(0.3), rtol=1e-9)
    assert len(compiled.lower(0.3).tape) < 40


@pytest.mark.parametrize("mode", "fr")
def test_rules_of_the_user_that_close_over_what_is_differentiated_are_refused(mode):
    def f(w):
        step = fd.custom_jvp(lambda x: np.sin(x) * w)
        step.defjvp(lambda p, t: (np.sin(p[0]) * w, t[0] * np.cos(p[0]) * w))

        x = w
        for _ in range(5):
            x = step(x)
        return x

    with pytest.raises(fd.errors.CustomRuleError):
        MODES[mode](f)(0.7)
    with pytest.raises((fd.errors.CustomRuleError, fd.errors.EscapedTraceError)):
        fd.jit(MODES[mode](f))(0.7)


# --- what a function does beside computing -----------------------------------------------------------


@pytest.mark.parametrize("mode", "fr")
@pytest.mark.parametrize("count", [3, 300])
def test_a_function_runs_once(mode, count):
    def f(x):
        calls = 0

        def steps(y):
            nonlocal calls
            calls += 1
            for _ in range(count):
                y = np.sin(y) * 1.1
            return y

        return MODES[mode](steps)(x) + calls

    assert fd.jit(f)(0.5) == pytest.approx(f(0.5), rel=1e-12)


@pytest.mark.parametrize("mode", "fr")
def test_values_that_a_function_keeps(mode):
    def f(x):
        kept = []

        def steps(y):
            for _ in range(400):
                y = np.sin(y) + 0.1 * x
                kept.append(fd.stop_gradient(y))
            return y

        return MODES[mode](steps)(x), len(kept)

    got, want = fd.jit(f)(0.8), f(0.8)
    np.testing.assert_allclose(got, want, rtol=1e-12)


@pytest.mark.parametrize("mode", "fr")
def test_writes_to_an_argument(mode):
    def f(v):
        def steps(y):
            for n in range(1, 100):
                y[n] = y[n - 1] * 0.9 + y[n] * v[n]
            return np.sum(y)

        if mode == "f":
            return fd.jvp(steps, v, np.ones(100))[1] + np.sum(v)
        return np.sum(fd.grad(steps)(v)) + np.sum(v)

    v = np.linspace(0.1, 1.0, 100)
    np.testing.assert_allclose(fd.jit(f)(v), f(v.copy()), rtol=1e-12)


@pytest.mark.parametrize("mode", "fr")
def test_errors_are_those_of_the_function(mode):
    def f(a):
        try:
            return MODES[mode](lambda x: np.sum(np.linalg.inv(x * np.eye(2))))(a)
        except np.linalg.LinAlgError:
            return a * 5.0

    compiled = fd.jit(f)
    assert [float(compiled(a)) for a in (0.0, 2.0, 0.0)] == [float(f(a)) for a in (0.0, 2.0, 0.0)]
    with pytest.raises(fd.errors.MappedControlFlowError, match="vmap"):
        fd.jit(fd.vmap(MODES[mode](lambda x: x if x > 0 else -x)))(np.ones(3))


def test_records_name_the_line_of_the_user():
    def f(x):
        y = np.sin(x)
        return y * np.exp(x)

    lines = {r.primitive.name: r.line for r in fd.jit(jvp(f)).lower(0.5).tape.records}
    assert "y = np.sin(x)" in lines["sin"]
    assert "np.exp(x)" in lines["exp"]


def test_what_is_returned_beside():
    def f(x):
        (value, gradient) = fd.value_and_grad(lambda y: (repeated(y), {"n": 3, "y": y}), has_aux=True)(x)
        jacobian, aux = fd.jacobian(lambda y: (repeated(y), (y, 4)), has_aux=True)(x)
        return value[0] + gradient + jacobian, value[1]["n"], value[1]["y"], aux[1]

    np.testing.assert_allclose(fd.jit(f)(0.4), f(0.4), rtol=1e-12)


def test_a_function_that_asks_for_values_has_no_transpose():
    def f(x):
        return fd.linear_transpose(lambda y: y * 2.0 if y >= 0 else y * 3.0, x)(1.0)[0]

    with pytest.raises(fd.errors.OutputError):
        f(0.5)
    with pytest.raises(fd.errors.OutputError):
        fd.jit(f)(0.5)


@pytest.mark.parametrize("modes", ["f", "r", "rf", "fr"])
@pytest.mark.parametrize("order", ["inside", "outside"])
def test_under_vmap(modes, order):
    rows = np.array([0.6, -0.3, 0.1])
    if order == "outside":
        f = fd.vmap(in_modes(two_steps_back, modes))
    else:
        inner = in_modes(lambda x: np.sum(fd.vmap(two_steps_back)(x * rows)), modes)
        f = lambda xs: inner(xs[0])  # noqa: E731
    np.testing.assert_allclose(fd.jit(f)(rows), f(rows), rtol=1e-9)
