"""Rolling: a tape with loops in the place of repeated blocks is the same program, to the last bit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import funcdiff as fd
from funcdiff.jit.passes.roll import roll


def runge_kutta(p):
    y, h = fd.numpy.array([p[0], p[1]]), 0.01

    def rate(y):
        return np.stack([p[0] * y[0] - p[1] * y[0] * y[1], p[2] * y[0] * y[1] - p[3] * y[1]])

    for _ in range(30):
        k1 = rate(y)
        k2 = rate(y + h / 2 * k1)
        k3 = rate(y + h / 2 * k2)
        k4 = rate(y + h * k3)
        y = y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return np.sum(y)


def elements_and_constants(w):
    c, rates = w[0], np.linspace(0, 1, 200)
    for n in range(200):
        c = np.sin(c * rates[n]) + w[n] * c
    return c


def two_steps_back(x):
    a = b = x
    for _ in range(200):
        a, b = b, np.sin(a) + b * 0.1
    return a * b


def writes(x):
    y = fd.numpy.ones(150) * x
    for n in range(1, 150):
        y[n] = y[n - 1] * x + np.cos(y[n - 1])
    return np.sum(y)


def adam(x):
    m = v = 0 * x
    for t in range(1, 60):
        g = 2 * x + np.sin(x)
        m, v = 0.9 * m + 0.1 * g, 0.99 * v + 0.01 * g * g
        x = x - 0.01 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.99**t)) + 1e-8)
    return np.sum(x)


def iterates_in_the_middle(x):
    found = []
    for _ in range(150):
        x = np.sin(x) * 1.1 + 0.1
        found.append(x)
    return found[50] * found[-1] * found[-2] + found[3]


def all_iterates(x):
    found = []
    for _ in range(150):
        x = np.sin(x) * 1.1 + 0.1
        found.append(x)
    return np.sum(np.stack(found) ** 2)


def inner_loop(x):
    for _ in range(40):
        for _ in range(3):
            x = np.cos(x) * 1.01
        x = x / 1.5 + np.tanh(x)
    return x


def two_phases(x):
    for _ in range(100):
        x = np.sin(x) + 0.5
    for _ in range(100):
        x = np.cos(x) * np.exp(-x)
    return x


def single_precision(x):
    for n in range(120):
        x = x * (0.5 + 0.001 * n) + np.sin(x)
    return np.sum(x)


PROGRAMS = {
    runge_kutta: np.array([1.0, 0.5, 0.3, 0.7]),
    elements_and_constants: np.linspace(0.1, 0.9, 200),
    two_steps_back: 0.7,
    writes: 1.01,
    adam: np.ones(3),
    iterates_in_the_middle: 0.3,
    inner_loop: 0.4,
    two_phases: 0.2,
    single_precision: np.ones(4, np.float32),
}


@pytest.mark.parametrize("f", PROGRAMS, ids=lambda f: f.__name__)
def test_rolled_is_unrolled(f):
    x = PROGRAMS[f]
    tape = fd.trace(f)(x)
    rolled = roll(tape)
    rolled.validate()
    assert len(rolled) < 40 < len(tape)
    for y in (x, x * (type(x)(1.25) if isinstance(x, float) else x.dtype.type(1.25))):
        assert np.array_equal(rolled.run(y), tape.run(y))
    got, want = fd.grad(rolled.run)(x), fd.grad(f)(x)
    assert got.dtype == want.dtype
    np.testing.assert_allclose(got, want, rtol=1e-4 if got.dtype == np.float32 else 1e-10)


@pytest.mark.parametrize("f", PROGRAMS, ids=lambda f: f.__name__)
def test_gradients_roll_to_the_last_bit_or_stay(f):
    x = PROGRAMS[f]
    tape = fd.trace(fd.grad(f))(x)
    rolled = roll(tape)
    rolled.validate()
    assert np.array_equal(rolled.run(x), tape.run(x))


def test_short_and_irregular_tapes_stay():
    tape = fd.trace(lambda x: np.sin(x) * 2)(1.0)
    assert roll(tape) is tape
    choice = np.random.default_rng(0).integers(0, 2, 400)

    def f(x):
        for c in choice:
            x = np.sin(x) if c else np.cos(x) * x
        return x

    tape = fd.trace(f)(0.3)
    assert np.array_equal(roll(tape).run(0.4), tape.run(0.4))


def test_guards_stay_where_values_are_asked_for():
    def f(x):
        for _ in range(100):
            x = np.sin(x) * 1.3
            if x < -5:
                return x
        return x * x

    tape = fd.trace(f)(0.3)
    rolled = roll(tape)
    rolled.validate()
    assert len(rolled.guards) == len(tape.guards)
    assert rolled.run(0.31) == tape.run(0.31)


STEPS = [
    lambda a, b, w, n: (np.sin(a) * w + b, b * 0.5 + a),
    lambda a, b, w, n: (b, np.tanh(a * w) + 0.1 * n),
    lambda a, b, w, n: (a * np.cos(b) + w, a),
    lambda a, b, w, n: (a / (1 + b * b), b + np.where(a > b, a, w)),
    lambda a, b, w, n: (np.arctan(a + b) + 0.01 * n * w, b),
]


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(0, len(STEPS) - 1), min_size=1, max_size=3),
    st.integers(60, 130),
    st.lists(st.integers(0, 59), max_size=3),
    st.integers(0, 1),
)
def test_random_periodic_programs(body, count, looked_at, shape):
    def f(w):
        a, b, seen = w, w * 0.3, []
        for n in range(count):
            for k in body:
                a, b = STEPS[k](a, b, w, n)
            seen.append(a)
        out = a * b
        for n in looked_at:
            out = out + seen[n]
        return np.sum(out)

    w = np.array([0.6, -0.4]) if shape else 0.6
    tape = fd.trace(f)(w)
    rolled = roll(tape)
    rolled.validate()
    assert np.array_equal(rolled.run(w), tape.run(w))
    assert np.array_equal(rolled.run(w * 0.7), tape.run(w * 0.7))
    np.testing.assert_allclose(fd.grad(rolled.run)(w), fd.grad(f)(w), rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize(("backend", "count"), [("numpy", 700), ("auto", 7000)])
def test_long_python_loops_are_compiled_in_the_time_of_one_step(backend, count):
    def f(x):
        for _ in range(count):
            x = np.sin(x) * 1.1 + 0.1
        return x

    compiled = fd.jit(f, backend=backend)
    np.testing.assert_allclose(compiled(0.3), f(0.3), rtol=1e-12)
    assert len(compiled.lower(0.3).tape) < 20
    np.testing.assert_allclose(fd.grad(compiled)(0.3), fd.grad(f)(0.3), rtol=1e-9)
    np.testing.assert_allclose(fd.vmap(compiled)(np.array([0.3, 0.9])), [f(0.3), f(0.9)], rtol=1e-12)


def newton(w, data):
    x = w[0]
    for n in range(250):
        x = x - 0.1 * (np.sin(x) - w[1] * data[n % 3]) / (1 + np.cos(x) ** 2)
    return x * np.sum(data)


def test_gradients_are_rolled_before_they_are_taken():
    w, data = np.array([0.4, 0.7]), np.array([0.1, 0.5, 0.9])
    want = fd.value_and_grad(newton)(w, data)
    for transform in (fd.value_and_grad, lambda f: lambda w, d: (f(w, d), fd.vjp(f, (w, d))[1][0])):
        compiled = fd.jit(transform(newton), backend="numpy")
        for got, expected in zip(compiled(w, data), want, strict=True):
            np.testing.assert_allclose(got, expected, rtol=1e-12)
        assert len(compiled.lower(w, data).tape) < 60
    hessian = fd.jit(fd.hessian(newton), backend="numpy")(w, data)
    np.testing.assert_allclose(hessian, fd.hessian(newton)(w, data), rtol=1e-9)


def test_a_value_that_is_closed_over_too_is_a_constant():
    def outer(x):
        def inner(w):
            y = w
            for _ in range(400):
                y = np.sin(y * x) + w
            return y

        return fd.grad(inner)(x)

    np.testing.assert_allclose(fd.jit(outer, backend="numpy")(0.8), outer(0.8), rtol=1e-12)


def test_values_kept_elsewhere_stay_valid():
    def f(x):
        kept = []

        def inner(w):
            y = w
            for _ in range(400):
                y = np.sin(y) + w
                kept.append(y)
            return y

        return fd.grad(inner)(x), len(kept)

    got = fd.jit(f, backend="numpy")(0.8)
    np.testing.assert_allclose(got[0], f(0.8)[0], rtol=1e-12)
