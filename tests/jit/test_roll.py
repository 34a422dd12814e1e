"""Rolling: a tape with loops in the place of repeated blocks is the same program, to the last bit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import funcdiff as fd
from funcdiff.core.tape import bodies
from funcdiff.jit.native.spaces import numbers
from funcdiff.jit.passes.roll import WORTH, roll
from tests.transforms import test_loop_derivatives as programs


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


def three_steps_back(x):
    a, b, c = x, x * 0.5, x * 0.25
    for _ in range(120):
        a, b, c = b, c, np.sin(a) + 0.1 * b - 0.2 * c
    return a + b * c


def rows_of_data(w):
    rows = np.random.default_rng(3).standard_normal((150, 2))
    for row in rows:
        w = w - 0.05 * (np.tanh(np.sum(w * row)) - row[0]) * row
    return np.sum(w)


def first_and_last_steps_differ(x):
    y = np.exp(-x)
    for n in range(100):
        if n == 0:
            y = y * x + 1.0
        y = np.sin(y) * 1.01 + 0.1 * x
        if n < 99:
            y = y / 1.1
    return y


def step_that_varies(x):
    h = 0.1
    for _ in range(120):
        x = x + h * np.cos(x)
        h = h * 0.99
    return x


def inner_count_cycles(x):
    for n in range(60):
        for _ in range(2 + n % 5):
            x = np.sin(x) * 1.05
        x = x + 0.1
    return x


def single_precision(x):
    for n in range(120):
        x = x * (0.5 + 0.001 * n) + np.sin(x)
    return np.sum(x)


def parameters_read_before(p):
    rates, x, y = [p[n] * 1.0 for n in range(4)], 1.0, 0.5
    for _ in range(60):
        x, y = x + 0.01 * (rates[0] * x - rates[1] * x * y), y + 0.01 * (rates[2] * x * y - rates[3] * y)
    return x * y


def reset_in_the_middle(x):
    y = x
    for n in range(200):
        y = np.sin(y) * 1.1 + 0.1
        if n == 120:
            y = x * 0.5
    return y


PROGRAMS = {
    runge_kutta: np.array([1.0, 0.5, 0.3, 0.7]),
    elements_and_constants: np.linspace(0.1, 0.9, 200),
    two_steps_back: 0.7,
    writes: 1.01,
    adam: np.ones(3),
    iterates_in_the_middle: 0.3,
    inner_loop: 0.4,
    two_phases: 0.2,
    three_steps_back: 0.9,
    rows_of_data: np.array([0.3, -0.2]),
    first_and_last_steps_differ: 0.4,
    step_that_varies: 0.3,
    inner_count_cycles: 0.5,
    parameters_read_before: np.array([1.0, 0.5, 0.3, 0.7]),
    reset_in_the_middle: 0.3,
    single_precision: np.ones(4, np.float32),
}


def answers_of(tape):
    return [a for g in tape.guards for a in g.answers or [bool(g.value)]]


@pytest.mark.parametrize("f", PROGRAMS, ids=lambda f: f.__name__)
def test_rolled_is_unrolled(f):
    x = PROGRAMS[f]
    tape = fd.trace(f)(x)
    rolled = roll(tape)
    rolled.validate()
    assert len(rolled) < (50 if f is inner_count_cycles else 40) < len(tape)  # some with a step apart
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


def ends_when_it_is_small(x):
    n = 0
    while abs(x) > 0.01 and n < 190:
        x = x * 0.97 + 0.001 * np.sin(x)
        if x > 3.0:
            x = x - 0.25
        n += 1
    return x * x + n


def first_below(x):
    for n in range(150):
        x = np.sin(x) * 1.3 if n % 5 else np.sin(x) * 1.29
        if x < -5:
            return x
    return x * x


def alternating(x):
    y = x
    for n in range(120):
        y = y + (0.3 if n % 2 else -0.25) * x
        if y > x:
            pass
        if not y < -100:
            y = np.tanh(y)
    return y


GUARDED = {ends_when_it_is_small: 2.5, first_below: 0.3, alternating: 0.7}


@pytest.mark.parametrize("f", GUARDED, ids=lambda f: f.__name__)
def test_answers_in_loops_are_counted(f):
    x = GUARDED[f]
    tape = fd.trace(f)(x)
    rolled = roll(tape)
    rolled.validate()
    assert len(rolled) < 40 < len(tape)
    assert answers_of(rolled) == answers_of(tape)
    for y in (x, x * (1 + 1e-9)):
        assert rolled.run(y) == tape.run(y)
    np.testing.assert_allclose(fd.grad(rolled.run)(x), fd.grad(f)(x), rtol=1e-12)
    if f is ends_when_it_is_small:
        with pytest.raises(fd.errors.TapeError):
            rolled.run(0.5)


@pytest.mark.parametrize("backend", ["numpy", "auto"])
def test_every_number_of_steps_is_a_path(backend, monkeypatch):
    monkeypatch.setitem(WORTH, "numpy", 400)
    monkeypatch.setitem(WORTH, "native", 400)
    recorded = []

    def f(x):
        recorded.append(x)
        return ends_when_it_is_small(x)

    compiled, gradient = fd.jit(f, backend=backend), fd.jit(fd.grad(f), backend=backend)
    starts = [2.5, 1.5, 2.0, 0.7, 0.4, 0.012, 2.9, 2.91]
    for x in (*starts, *starts[::-1], *starts):
        np.testing.assert_allclose(compiled(x), ends_when_it_is_small(x), rtol=1e-13)
        np.testing.assert_allclose(gradient(x), fd.grad(ends_when_it_is_small)(x), rtol=1e-11)
    assert len(recorded) <= 2 * len(starts)  # each of them once for each function
    assert len(compiled.lower(2.5).tape) < 60
    assert len(gradient.lower(2.5).tape) < 90


def test_guarded_loops_that_may_fail_keep_their_answers():
    def f(a):
        for _ in range(100):
            a = a * 0.99 + 0.01 * np.linalg.inv(a)
            if a[0, 0] < 0.5:
                break
        return np.sum(a)

    a = np.array([[2.0, 0.1], [0.1, 3.0]])
    tape = fd.trace(f)(a)
    rolled = roll(tape)
    rolled.validate()
    assert answers_of(rolled) == answers_of(tape)
    assert rolled.run(a) == tape.run(a)


@pytest.mark.parametrize("backend", ["numpy", "auto"])
def test_steps_that_fail_after_the_end(backend):
    """The recorded number of steps, with other arguments, goes on to a matrix of zeros."""

    def f(a):
        while a[0, 0] > 0.0:
            a = a + 0.0 * np.linalg.inv(a) - np.eye(2) * 0.5
        return np.sum(a)

    compiled = fd.jit(f, backend=backend)
    for s in (201.2, 50.0, 150.0, 201.2, 100.2):
        assert compiled(np.eye(2) * s) == f(np.eye(2) * s)
        assert np.array_equal(fd.grad(compiled)(np.eye(2) * s), fd.grad(f)(np.eye(2) * s))


def test_control_flow_on_what_a_part_does_not_make():
    def f(x, k):
        def inner(w):
            y = w
            for _ in range(300):
                y = np.sin(y) + w
                if y < -9:
                    break
            return y if k > 0 else -y

        return fd.grad(inner)(x)

    compiled = fd.jit(f, backend="numpy")
    for x, k in ((0.4, 1.0), (0.5, -1.0), (0.4, 2.0), (0.5, -2.0)):
        np.testing.assert_allclose(compiled(x, k), f(x, k), rtol=1e-12)


def test_a_function_that_decides_on_its_values_is_not_linear():
    def f(x):
        y = x
        for _ in range(600):
            y = y * 1.001
            if y > 1e9:
                break
        return y

    def linear(x):
        return fd.linearize(f, x)[1](1.0) + fd.pullback(f, x)[1](1.0)

    np.testing.assert_allclose(fd.jit(linear, backend="numpy")(0.5), linear(0.5), rtol=1e-12)


def nested(depths):
    def f(x):
        for _ in range(depths[0]):
            for _ in range(depths[1]):
                for _ in range(depths[2]):
                    x = np.cos(x) * 1.01
                x = x / 1.5
            x = x + np.tanh(x)
        return x

    return f


@pytest.mark.parametrize("depths", [(6, 20, 30), (30, 5, 40), (5, 1, 300), (4, 80, 10)])
def test_loops_of_loops(depths):
    f = nested(depths)
    tape = fd.trace(f)(0.4)
    rolled = roll(tape)
    rolled.validate()
    assert total(rolled) < 160
    assert rolled.run(0.7) == tape.run(0.7)
    np.testing.assert_allclose(fd.grad(rolled.run)(0.4), fd.grad(f)(0.4), rtol=1e-10)
    np.testing.assert_allclose(fd.jit(fd.grad(f), backend="numpy")(0.4), fd.grad(f)(0.4), rtol=1e-10)


def total(tape):
    """Count records, those of bodies included."""
    return len(tape.records) + sum(total(b) for r in tape.records for b in bodies(r).values())


def test_loops_of_different_lengths_in_a_loop():
    def f(x):
        for n in range(12):
            for _ in range(20 + n):
                x = np.sin(x) + 0.5
            x = x * 1.1
        return x

    tape = fd.trace(f)(0.4)
    rolled = roll(tape)
    rolled.validate()
    assert len(rolled) <= 30
    assert rolled.run(0.7) == tape.run(0.7)


def test_loops_of_written_loops():
    def f(x):
        for n in range(80):
            x = fd.fori_loop(0, 5, lambda i, y: np.sin(y) + 0.1 * i, x) * (1 + 0.01 * n)
            x = fd.while_loop(lambda y: y > 1, lambda y: y / 2, x)
        return x

    tape = fd.trace(f)(0.4)
    rolled = roll(tape, 100)
    rolled.validate()
    assert len(rolled) < 5
    assert rolled.run(0.7) == tape.run(0.7)
    np.testing.assert_allclose(fd.grad(rolled.run)(0.4), fd.grad(f)(0.4), rtol=1e-10)
    np.testing.assert_allclose(roll(fd.trace(fd.grad(f))(0.4), 100).run(0.4), fd.grad(f)(0.4), rtol=1e-10)


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


MODES = {**programs.MODES, "v": lambda f: lambda x: fd.vmap(f)(x * ONES)}
ONES = np.array([1.0, 0.9, -0.4])


@settings(max_examples=6, deadline=None)
@given(
    st.lists(st.integers(0, len(STEPS) - 1), min_size=1, max_size=2),
    st.integers(70, 90),
    st.sampled_from(["f", "r", "ff", "fr", "rf", "rr", "rv", "frv"]),
    st.booleans(),
)
def test_random_periodic_programs_in_all_modes(body, count, modes, ends):
    def f(w):
        a, b, rate = w, w * 0.3, np.exp(-w * w)
        for n in range(count):
            for k in body:
                a, b = STEPS[k](a, b, rate, n)
            if ends and a > 1e6:
                break
        return a * b

    if ends:  # examples of a batch would go different ways
        modes = modes.replace("v", "")
    for m in modes:
        f = MODES[m](f)
    compiled = fd.jit(f)
    for w in (0.6, -0.3):
        np.testing.assert_allclose(compiled(w), f(w), rtol=1e-8, atol=1e-11)
    if "v" not in modes:  # derivatives under vmap are rolled afterwards: not all that repeats is found
        assert len(compiled.lower(0.6).tape) < 300


@settings(max_examples=8, deadline=None)
@given(
    st.lists(st.integers(0, len(STEPS) - 1), min_size=1, max_size=3),
    st.integers(1, 3),
    st.floats(0.2, 3.0),
    st.booleans(),
)
def test_random_programs_that_end_by_themselves(body, period, bound, ends):
    def f(w):
        a, b, n = w, w * 0.3, 0
        while n < 80:
            for k in body:
                a, b = STEPS[k](a, b, w, 0)
            if n % period == 0 and a > bound:
                a = a * 0.5
            n += 1
            if ends and abs(a - b) < 1e-3:
                break
        return a * b + n

    tape = fd.trace(f)(0.6)
    rolled = roll(tape)
    rolled.validate()
    assert answers_of(rolled) == answers_of(tape)
    assert rolled.run(0.6) == tape.run(0.6)
    np.testing.assert_allclose(fd.grad(rolled.run)(0.6), fd.grad(f)(0.6), rtol=1e-8, atol=1e-12)
    compiled = fd.jit(fd.value_and_grad(f), backend="numpy")
    for w in (0.6, 1.7, 0.6):
        np.testing.assert_allclose(compiled(w), fd.value_and_grad(f)(w), rtol=1e-8, atol=1e-12)


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


@pytest.mark.parametrize("kind", ["vjp", "jvp"])
def test_rules_of_the_user_hold_in_long_loops(kind):
    if kind == "vjp":
        step = fd.custom_vjp(lambda x: np.sin(x))
        step.defvjp(lambda x: (np.sin(x), x), lambda x, g: (1.01 * g * np.cos(x),))
    else:
        step = fd.custom_jvp(lambda x: np.sin(x))
        step.defjvp(lambda p, t: (np.sin(p[0]), 1.01 * t[0] * np.cos(p[0])))

    def f(x):
        for _ in range(200):
            x = step(x) + 0.1
        return x

    for transform in (fd.grad, lambda f: lambda x: fd.jvp(f, x, 1.0)[1]):
        np.testing.assert_allclose(fd.jit(transform(f))(0.7), transform(f)(0.7), rtol=1e-12)


def test_derivatives_with_respect_to_constants_and_traced_values():
    def f(a, b):
        for _ in range(400):
            a = np.sin(a * b) + 0.1
        return a

    for of in (fd.grad(f, (0, 1)), lambda a, b: fd.vjp(f, (a, b))[1]):
        got, want = fd.jit(lambda x, of=of: of(x, 0.5))(0.7), of(0.7, 0.5)
        np.testing.assert_allclose(got, want, rtol=1e-12)


def test_numbers_of_small_matrices_count_beside_records():
    def f(x):
        y = x
        for _ in range(20):
            y = y @ x + y.T
        return y

    x = np.linspace(-0.5, 0.5, 16).reshape(4, 4)
    tape = fd.trace(f)(x)
    assert roll(tape) is tape
    assert numbers(tape) == 20 * (2 * 4 + 1 + 1) * 16
    assert roll(tape, numbers=numbers) is tape
    rolled = roll(tape, numbers=lambda tape: 4 * numbers(tape))
    assert len(rolled.records) < len(tape.records) / 4
    assert numbers(rolled) < numbers(tape) / 4
    np.testing.assert_array_equal(rolled.run(x), f(x))
