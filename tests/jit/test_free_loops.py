"""Python loops that run freely: one program for any number of steps, and none where Python's state changes meanwhile."""

from __future__ import annotations

import abc
import contextlib
import dataclasses
import functools
import pickle
import sys
import warnings
from collections import deque
from types import ModuleType, SimpleNamespace
from typing import NamedTuple

import numpy as np
import pytest

import funcdiff as fd
from funcdiff.errors import PerformanceWarning
from tests.jit.conftest import BACKENDS, native


def programs_of(compiled):
    """Count the programs that have been recorded, and those with free loops."""
    entries = compiled.compiled.entries.values()
    entries = [e for entry in entries for e in (entry, *(entry.by_value or {}).values())]
    return sum(len(e.paths.order) for e in entries), sum(len(e.paths.free) for e in entries)


def root(x):
    y = x
    while abs(y * y - x) > 1e-10 * x:
        y = (y + x / y) / 2
    return y


def root_by_predicate(x):
    def is_far(y):
        error = abs(y * y - x)
        return error > 1e-10 * x

    y = x
    while is_far(y):
        y = (y + x / y) / 2
    return y


def root_with_break(x):
    y = x * 1.0
    while True:
        new = (y + x / y) / 2
        error = abs(new - y)
        y = new
        if error <= 1e-10 * x:
            break
    return y * error + y


def root_not_done(x):
    y = x
    done = np.abs(y * y - x) <= 1e-10 * x
    while not done:
        y = (y + x / y) / 2
        done = np.abs(y * y - x) <= 1e-10 * x
    return y


def falls(height):
    v = t = 0.0 * height
    while height > 0:
        v, height, t = v - 0.981, height + 0.1 * v, t + 0.1
    return t + height / v


def before_last(x):
    old = older = x
    while x > 1:
        x, old, older = 0.7 * x + 0.1 * np.sin(older), x, old
    return x + 2 * old + 3 * older


def delayed_exit(x):
    y = 0.1 * x
    z = 0.3 * x
    while x > 0.2:
        z = y
        y = np.sin(x) * z
        x = 0.5 * x + 0.01 * y
    return x * y + z


def two_exits(x):
    y = 1.0 + 0 * x
    while x > 0.1:
        x = x - 0.25 * np.cos(y)
        y = y * (1.0 + 0.1 * x)
        if y > 5.0:
            break
    return x + y


def and_condition(x):
    y = 0.0 * x
    while x > 0.1 and y < 3.0:
        x, y = 0.9 * x, y + 0.1 * x
    return x * y


def with_rows(x):
    state = np.array([1.0, 2.0, 3.0]) * x
    history = {"last": 0.5 * state, "weights": [0.1, 0.2]}
    while np.sum(state**2) > 0.01:
        history["last"] = state
        state = state * 0.8 + history["weights"][0] * np.sin(history["weights"][1] * state)
    return np.sum(state) + np.sum(history["last"])


def in_place(x):
    u = np.array([1.0, 0.5]) * x
    while u[0] > 0.05:
        u[0] = 0.8 * u[0] - 0.01 * u[1]
        u[1] = u[1] * 0.9
    return u[0] + u[1]


class Body:
    def __init__(self, height, speed):
        self.height = height
        self.speed = speed

    def step(self):
        self.height, self.speed = self.height + 0.1 * self.speed, self.speed - 0.981


def of_an_object(x):
    body = Body(x, 0.0 * x)
    while body.height > 0:
        body.step()
    return body.height * body.speed


def nested(x):
    total = 0.0 * x
    while x > 0.5:
        y = x
        while y * y > 0.3:
            y = 0.6 * y
        total = total + y
        x = 0.8 * x
    return total + x


def inner_in_for(x):
    for _ in range(3):
        y = x
        while abs(y * y - x) > 1e-9:
            y = (y + x / y) / 2
        x = y + 1
    return x


def rotation_of_five(x):
    a, b, c, d, e = x, 2 * x, 3 * x, 4 * x, 5 * x
    while x > 0.2:
        a, b, c, d, e = b, c, d, e, np.sin(a)
        x = 0.8 * x
    return a + 2 * b + 3 * c + 4 * d + 5 * e


def by_a_pullback(x):
    _, pull = fd.pullback(np.tanh, 0.1 * x)
    z = x
    while abs(z) > 0.01:
        z = 0.5 * pull(z)[0] + 0.1 * z
    return z


inner_step = fd.jit(lambda z: 0.5 * np.sin(z), backend="numpy")


def by_a_compiled_function(x):
    while abs(x) > 0.01:
        x = inner_step(x)
    return x


class Model:
    def __init__(self, weight):
        self.weight = weight
        self.gradient = fd.grad(self.loss)

    def loss(self, z):
        return (z - self.weight) ** 2

    def fit(self, z):
        while abs(z - self.weight) > 1e-3:
            z = z - 0.2 * self.gradient(z)
        return z


def by_a_model(x):
    return Model(0.3 * x).fit(x)


def damped(z, rate, x):
    return z - rate * (z * z - x) / z


def by_a_partial(x):
    step = functools.partial(damped, rate=0.25, x=x)
    z = x
    while abs(z * z - x) > 1e-6 * x:
        z = step(z)
    return z


FREE = [
    root,
    root_by_predicate,
    root_with_break,
    root_not_done,
    falls,
    before_last,
    delayed_exit,
    with_rows,
    in_place,
    of_an_object,
    rotation_of_five,
    by_a_pullback,
    by_a_compiled_function,
    by_a_model,
    by_a_partial,
]
POINTS = [50.0, 2.0, 1.0, 1.3, 1e4, 0.9, 700.0, 0.02, 3.0, 0.3, 5.5]


@pytest.mark.parametrize("f", FREE, ids=lambda f: f.__name__)
def test_one_program_for_any_number_of_steps(f):
    check_one_program(f, "numpy")


@native
@pytest.mark.parametrize("f", [before_last, in_place, by_a_model], ids=lambda f: f.__name__)
def test_one_program_in_machine_code(f):
    check_one_program(f, "native")


def check_one_program(f, backend):
    compiled = fd.jit(f, backend=backend, free_loops=True)
    gradient = fd.jit(fd.value_and_grad(f), backend=backend, free_loops=True)
    for x in POINTS:
        expected = fd.value_and_grad(f)(x)
        np.testing.assert_allclose(compiled(x), expected[0], rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(gradient(x), expected, rtol=1e-9, atol=1e-12)
    assert programs_of(compiled) == (1, 1)
    assert programs_of(gradient) == (1, 1)


@pytest.mark.parametrize(
    "f", [root, before_last, with_rows, in_place, two_exits, inner_in_for], ids=lambda f: f.__name__
)
def test_derivatives_in_every_mode(f):
    def jitted(g):
        return fd.jit(g, backend="numpy", free_loops=True)

    inner = jitted(f)
    pairs = [
        (jitted(lambda x: fd.jvp(f, (x,), (0.7,))[1]), lambda x: fd.jvp(f, (x,), (0.7,))[1]),
        (jitted(lambda x: fd.hvp(f, x, 0.7)), lambda x: fd.hvp(f, x, 0.7)),
        (jitted(fd.grad(fd.grad(f))), fd.grad(fd.grad(f))),
        (fd.grad(fd.grad(inner)), fd.grad(fd.grad(f))),
    ]
    for x in (8.0, 0.3):
        for compiled, plain in pairs:
            np.testing.assert_allclose(compiled(x), plain(x), rtol=1e-7, atol=1e-9)
    for compiled, _ in pairs[:-1]:
        programs, free = programs_of(compiled)
        assert free == programs if f is two_exits else (programs, free) == (1, 1)
    if f in FREE:
        assert fd.vmap(inner)(np.array([8.0, 0.3])) == pytest.approx([f(8.0), f(0.3)], rel=1e-12)


def test_loops_in_loops_are_right():
    compiled = fd.jit(fd.value_and_grad(nested), backend="numpy", free_loops=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PerformanceWarning)
        for x in (50.0, 1.0, 3.0, 0.3, 3.0):
            for got, expected in zip(compiled(x), fd.value_and_grad(nested)(x), strict=True):
                np.testing.assert_allclose(got, expected, rtol=1e-12)


def newton_in_descent(x):
    while x > 0.05:
        y = 1.0 + x
        while np.abs(y**3 - x) > 1e-10:
            y = y - (y**3 - x) / (3 * y**2)
        x = 0.9 * x - 0.01 * y
    return x


def test_a_loop_in_a_loop_is_free_as_well():
    compiled = fd.jit(fd.value_and_grad(newton_in_descent), backend="numpy", free_loops=True)
    for x in (1.0, 0.04, 0.5, 3.0, 20.0, 0.06):
        for got, expected in zip(compiled(x), fd.value_and_grad(newton_in_descent)(x), strict=True):
            np.testing.assert_allclose(got, expected, rtol=1e-10)
    assert programs_of(compiled) == (1, 1)


def test_the_first_step_may_differ():
    def f(x):
        last = state = np.array([1.0, 2.0]) * x  # one array, which later are two
        n = 0.0
        while np.sum(state) > 0.1:
            n = n + np.exp(-state[0])  # a plain number at first
            last = state
            state = 0.7 * state
        return np.sum(last) + n

    compiled = fd.jit(fd.value_and_grad(f), backend="numpy", free_loops=True)
    for x in (3.0, 0.01, 0.04, 50.0, 7.0, 0.01):
        for got, expected in zip(compiled(x), fd.value_and_grad(f)(x), strict=True):
            np.testing.assert_allclose(got, expected, rtol=1e-12)
    assert programs_of(compiled) == (2, 1)  # no step, or some


def test_few_steps_are_a_path_until_there_are_more():
    compiled = fd.jit(root, backend="numpy", free_loops=True)
    found = []
    for x in (1.0, 1.00001, 30.0, 2.0, 1.0, 500.0):
        np.testing.assert_allclose(compiled(x), root(x), rtol=1e-12)
        found.append(programs_of(compiled)[1])
    assert found[0] == 0
    assert found[2:] == [1] * 4
    assert programs_of(compiled)[0] <= 3


@pytest.mark.parametrize("backend", BACKENDS)
def test_ten_thousand_steps(backend):
    def f(x):
        y = 1.0 + 0.0 * x
        while y > 0.02:
            y = y - x * y * y
        return y

    gradient = fd.jit(fd.value_and_grad(f), backend=backend, free_loops=True)
    for x in (0.3, 0.1, 0.005):
        for got, expected in zip(gradient(x), fd.value_and_grad(f)(x), strict=True):
            np.testing.assert_allclose(got, expected, rtol=1e-9)
    assert len(fd.trace(f)(0.005).guards) > 9000
    assert programs_of(gradient) == (1, 1)


def landing(inner, dt):
    """GradBench's particle, with Python's own loop."""

    def f(w):
        charges = ((10.0, 10.0 - w), (10.0, 0.0))

        def potential(z):
            return sum(1 / np.sqrt((z[0] - x) ** 2 + (z[1] - y) ** 2) for x, y in charges)

        acceleration = inner(potential)
        z, v = np.array([0.0, 8.0]), np.array([0.75, 0.0])
        z_new = z + dt * v
        while z_new[1] > 0:
            z = z_new
            v = v - dt * acceleration(z)
            z_new = z + dt * v
        t = -z[1] / v[1]
        return (z[0] + t * v[0]) ** 2

    return f


@pytest.mark.parametrize(("inner", "dt"), [(fd.grad, 0.2), (fd.jacfwd, 1.0)], ids=["reverse", "forward"])
def test_particle_is_one_program(inner, dt):
    f = landing(inner, dt)
    compiled = fd.jit(fd.value_and_grad(f), backend="numpy", free_loops=True)
    steps = set()
    for w in (0.0, 0.5):
        steps.add(len(fd.trace(f)(w).guards))
        for got, expected in zip(compiled(w), fd.value_and_grad(f)(w), strict=True):
            np.testing.assert_allclose(got, expected, rtol=1e-10)
    assert len(steps) > 1
    assert programs_of(compiled) == (1, 1)


def test_conditions_on_batches_of_examples():
    compiled = fd.jit(root, free_loops=True, backend="numpy")
    compiled(np.float64(30.0))
    x = np.array([0.5, 1.5, 900.0, 1e8])
    np.testing.assert_allclose(fd.vmap(compiled)(x), np.sqrt(x), rtol=1e-9)
    np.testing.assert_allclose(fd.vmap(fd.grad(compiled))(x), 0.5 / np.sqrt(x), rtol=1e-9)
    assert programs_of(compiled)[1] == 1


def test_the_setting_is_pickled_and_off_by_default():
    compiled = pickle.loads(pickle.dumps(fd.jit(root, free_loops=True)))
    assert compiled._settings["free_loops"]
    plain = fd.jit(root, backend="numpy")
    for x in (50.0, 2.0, 1e4):
        plain(x)
    assert programs_of(plain) == (3, 0)


# --- loops that something else than traced values may end ------------------------------------------------------


def counted(x):
    k = 0
    while x > 0.01:
        x = 0.8 * x
        k += 1
        if k > 12:
            break
    return x


def divided_by_the_count(x):
    k = 0
    while x > 0.01:
        x = 0.8 * x
        k += 1
    return x / (1 + k)


def average_of_a_list(x):
    seen = []
    while x > 0.01:
        x = 0.8 * x
        seen.append(x)
    return sum(seen) / (1 + len(seen))


class Counter:
    total = 0

    def __init__(self):
        self.k = 0

    def count(self):
        self.k += 1
        return self.k < 9


def attribute(x):
    counter = Counter()
    while x > 0.01 and counter.k < 9:
        x = 0.8 * x
        counter.k += 1
    return x


def method_without_a_local(x):
    goes_on = Counter().count
    while x > 0.01:
        x = 0.8 * x
        if not goes_on():
            break
    return x


def class_attribute(x):
    Counter.total = 0
    while x > 0.01:
        x = 0.8 * x
        Counter.total += 1
        if Counter.total > 9:
            break
    return x


def generator(x):
    def steps(x):
        for _ in [None] * 11:
            x = 0.8 * x
            if x < 0.01:
                return
            yield x

    last = x
    for last in steps(x):  # noqa: B007
        pass
    return last


def local_iterator(x):
    steps = iter([None] * 11)
    while x > 0.01:
        x = 0.8 * x
        if next(steps, 0) == 0:
            break
    return x


def for_loop_over_the_same(x):
    for _ in [None] * 11:
        x = 0.8 * x
        if x < 0.01:
            break
    return x


def closure_cell(x):
    k = 0

    def step(x):
        nonlocal k
        k += 1
        return 0.8 * x

    while x > 0.01:
        x = step(x)
        if k > 12:
            break
    return x


_steps = 0


def count_globally():
    global _steps
    _steps += 1
    return _steps


def global_counter(x):
    global _steps
    _steps = 0
    while x > 0.01:
        x = 0.8 * x
        if count_globally() > 12:
            break
    return x


def default_argument(x):
    def step(x, seen=[]):  # noqa: B006
        seen.append(1)
        return 0.8 * x if len(seen) < 13 else 0.5 * x

    while x > 0.01:
        x = step(x)
    return x


def function_attribute(x):
    def step(x):
        step.k += 1
        return 0.8 * x if step.k < 13 else 0.5 * x

    step.k = 0
    while x > 0.01:
        x = step(x)
    return x


def array_that_counts(x):
    counts = np.zeros(3)
    while x > 0.01:
        x = 0.8 * x
        counts[1] += 1
        if counts[1] > 12:
            break
    return x


def buffer_that_counts(x):
    counts = fd.numpy.zeros(3)
    while x > 0.01:
        x = 0.8 * x
        counts[1] += 1
    return x / (1 + counts[1])


def deque_that_turns(x):
    turn = deque([0.8] * 12 + [0.5])
    while x > 0.01:
        x = turn[0] * x
        turn.rotate(-1)
    return x


def rates_that_differ(x):
    rates = iter(np.linspace(0.5, 0.9, 100))
    while x > 0.01:
        x = next(rates) * x
    return x


def recursion(x):
    return x if x < 0.01 else recursion(0.8 * x)


def retried(x):
    for _ in [None] * 7:
        while True:
            x = 0.8 * x
            if x < 0.01:
                return x
            if x is not None:
                break
    return x


TRAPS = [
    counted,
    divided_by_the_count,
    average_of_a_list,
    attribute,
    method_without_a_local,
    class_attribute,
    generator,
    local_iterator,
    for_loop_over_the_same,
    closure_cell,
    global_counter,
    default_argument,
    function_attribute,
    array_that_counts,
    buffer_that_counts,
    deque_that_turns,
    rates_that_differ,
    recursion,
    retried,
]
SILENT = {recursion, generator, retried}


@pytest.mark.parametrize("f", TRAPS, ids=lambda f: f.__name__)
def test_traps(f):
    for transform in (lambda f: f, fd.grad):
        compiled = fd.jit(transform(f), backend="numpy", free_loops=True)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            for x in (0.05, 0.005, 0.9, 1e4, 0.1):
                np.testing.assert_allclose(compiled(x), transform(f)(x), rtol=1e-12)
        assert programs_of(compiled)[1] == 0
        found = [str(w.message) for w in caught if w.category is PerformanceWarning]
        assert f in SILENT or any(
            "free_loops" in m and "fd.while_loop" in m and f.__name__ in m for m in found
        )


def through_a_view(x):
    u = np.array([1.0, 2.0, 3.0]) * x
    tail = u[1:]
    while u[0] > 0.1:
        u[1] = 0.5 * u[1] + 0.1 * u[0]
        u[0] = 0.7 * u[0] + 0.01 * tail[0]
    return np.sum(tail) + u[0]


def in_a_product(x):
    def halved(y):
        while y > 0.3:
            y = 0.6 * y
        return y

    return x * halved(x) + halved(2 * x) * halved(x + 1)


def shifted_from_one_value(x):
    a = b = c = d = x
    while d > 0.2:
        a, b, c, d = b, c, d, 0.7 * d
    return a + 2 * b + 3 * c + 4 * d + x


def grows(x):
    v = np.array([1.0]) * x
    while np.sum(v) < 20:
        v = np.concatenate([v, v[-1:] + 0.5])
    return np.sum(v)


@pytest.mark.parametrize(
    ("f", "free"),
    [(through_a_view, 1), (in_a_product, 1), (shifted_from_one_value, 1), (grows, 0)],
    ids=lambda f: getattr(f, "__name__", ""),
)
def test_values_that_are_kept_in_several_places(f, free):
    compiled = fd.jit(fd.value_and_grad(f), backend="numpy", free_loops=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PerformanceWarning)
        for x in (5.0, 0.05, 2.0, 0.15, 30.0):
            np.testing.assert_allclose(compiled(x), fd.value_and_grad(f)(x), rtol=1e-10)
    assert programs_of(compiled)[1] == free


# --- state that is easily overlooked -----------------------------------------------------------------


def weight(x):
    return 1 if x > 0.01 else 100


def count_in_an_expression(x):
    n = 0
    while n < 100:
        x = 0.8 * x
        n += weight(x)  # what `n` was is held by the interpreter alone while `weight` asks
    return x * n


def count_in_a_with(x):
    counts = [0]

    @contextlib.contextmanager
    def counting():
        before = counts.pop()
        yield
        counts.append(before + 1)

    while True:
        with counting():
            x = 0.8 * x
            if x < 0.01:
                break
    return x * counts[0]


def identity(x):
    a = b = c = d = e = x
    while x > 0.2:
        x = 0.7 * x if a is b else 0.5 * x
        a, b, c, d, e = b, c, d, e, x
    return x


def shared_memory(x):
    one = np.zeros(1)
    arrays = [one[:] for _ in range(6)]
    while x > 0.2:
        arrays[0][0] += 1.0
        arrays[1][0] -= 1.0
        x = x * (0.8 + 0.1 * arrays[1][0])
        arrays = [*arrays[1:], np.zeros(1)]
    return x


class Damped:
    def __init__(self):
        self.k = 0

    def step(self, x):
        self.k += 1
        return 0.8 * x


class Run(Damped):
    def step(self, x):
        while x > 0.01:
            x = super().step(x)
        return x


def by_super(x):
    run = Run()
    return run.step(x) * run.k


def arguments_of_an_exception(x):
    error = Exception(0)
    while x > 0.01:
        x = 0.8 * x
        error.args = (error.args[0] + 1,)
    return x * error.args[0]


class Counting(np.ndarray):
    pass


def attribute_of_an_array(x):
    counts = np.zeros(2).view(Counting)
    counts.k = 0
    while x > 0.01:
        x = 0.8 * x
        counts.k += 1
    return x * counts.k


class Marked:
    __steps__ = 0


def attribute_with_underscores(x):
    Marked.__steps__ = 0
    while x > 0.01:
        x = 0.8 * x
        Marked.__steps__ += 1
    return x * Marked.__steps__


def attribute_of_a_partial(x):
    step = functools.partial(lambda rate, x: rate * x, 0.8)
    step.k = 0
    while x > 0.01:
        x = step(x)
        step.k += 1
    return x * step.k


@functools.cache
def settings():
    return {"k": 0}


@functools.lru_cache(maxsize=4)
def bounded_settings():
    return [0]


def in_a_cache(x):
    settings()["k"] = 0
    while x > 0.01:
        x = 0.8 * x
        settings()["k"] += 1
    return x * settings()["k"]


def in_a_bounded_cache(x):
    bounded_settings()[0] = 0
    while x > 0.01:
        x = 0.8 * x
        bounded_settings()[0] += 1
    return x * bounded_settings()[0]


counters = ModuleType("counters")


def count_in_a_module():
    import counters

    counters.k += 1


def imported_by_a_helper(x):
    counters.k = 0
    while x > 0.01:
        x = 0.8 * x
        count_in_a_module()
    return x * counters.k


def by_reduce(x):
    def step(x, _):
        return 0.8 * x if x > 0.01 else 0.9 * x

    while x > 0.001:
        x = functools.reduce(step, [0] * 5, x)
        x = 0.5 * x
    return x


def by_map(x):
    def step(_):
        nonlocal x
        x = 0.8 * x if x > 0.01 else 0.9 * x

    while x > 0.001:
        list(map(step, [0] * 5))
        x = 0.5 * x
    return x


@pytest.mark.parametrize("f", [by_reduce, by_map])
def test_functions_that_call_again_and_again(f):
    compiled = fd.jit(fd.value_and_grad(f), backend="numpy", free_loops=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PerformanceWarning)
        for x in (0.7, 0.005, 0.02, 0.0101, 300.0, 0.1):
            np.testing.assert_allclose(compiled(x), fd.value_and_grad(f)(x), rtol=1e-12)


@pytest.mark.parametrize(
    "f",
    [
        count_in_an_expression,
        count_in_a_with,
        identity,
        shared_memory,
        by_super,
        arguments_of_an_exception,
        attribute_of_an_array,
        attribute_with_underscores,
        attribute_of_a_partial,
        in_a_cache,
        in_a_bounded_cache,
        imported_by_a_helper,
    ],
    ids=lambda f: f.__name__,
)
def test_state_that_is_easily_overlooked(f, monkeypatch):
    monkeypatch.setitem(sys.modules, "counters", counters)
    for transform in (lambda f: f, fd.grad):
        compiled = fd.jit(transform(f), backend="numpy", free_loops=True)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            for x in (0.7, 0.05, 0.005, 30.0, 0.1):
                np.testing.assert_allclose(compiled(x), transform(f)(x), rtol=1e-12)
        if f not in (identity, shared_memory):  # which are free once the first values are gone
            assert programs_of(compiled)[1] == 0
            assert any("free_loops" in str(w.message) for w in caught)


class Lazy:
    __slots__ = ("unbound",)

    def __getattr__(self, name):
        raise RuntimeError(name)


class Noting:
    def __getattribute__(self, name):
        looked_up.append(name)
        return object.__getattribute__(self, name)


looked_up = []


@pytest.mark.parametrize("kind", [Lazy, Noting])
def test_looking_at_an_object_runs_none_of_its_code(kind):
    def f(x):
        held = kind()
        while x > 0.01:
            x = 0.8 * x
        return x if held is not None else 0.0

    compiled = fd.jit(f, backend="numpy", free_loops=True)
    looked_up.clear()
    assert compiled(1.0) == pytest.approx(f(1.0))
    assert not looked_up
    assert programs_of(compiled) == (1, 1)


class Stepper(abc.ABC):
    @abc.abstractmethod
    def step(self, x): ...


@dataclasses.dataclass
class ByRate(Stepper):
    rate: float
    seen: list = dataclasses.field(default_factory=list)

    def step(self, x):
        return self.rate * x


class Pair(NamedTuple):
    rate: float

    def step(self, x):
        return self.rate * x


class ByNamespace(SimpleNamespace):
    def step(self, x):
        return self.rate * x


class ByCache:
    def __init__(self, rate):
        self.rate = rate

    @staticmethod
    @functools.lru_cache
    def power(n):
        return 0.5**n

    def step(self, x):
        return self.power(1) * self.rate * x


@pytest.mark.parametrize(
    "stepper", [ByRate(0.8), Pair(0.8), ByNamespace(rate=0.8), ByCache(0.8)], ids=lambda s: type(s).__name__
)
def test_objects_that_stay_as_they_are(stepper):
    def f(x):
        while x > 0.01:
            x = stepper.step(x)
        return x

    f(1.0)  # what is cached is there
    compiled = fd.jit(f, backend="numpy", free_loops=True)
    for x in (30.0, 0.001, 1.0, 1e3):
        assert compiled(x) == pytest.approx(f(x), rel=1e-12)
    assert programs_of(compiled) == (1, 1)


def halved(x):
    while x > 0.01:
        x = 0.8 * x
    return x


def test_derivatives_of_linear_loops_within_derivatives():
    def pulled(x):
        return fd.pullback(halved, x)[1](1.0)[0] * x

    def sloped(x):
        return fd.grad(lambda y: halved(y) ** 2)(x) + fd.jvp(halved, (x,), (x,))[1]

    for f in (pulled, sloped):
        for transform in (lambda f: f, fd.grad, fd.value_and_grad):
            compiled = fd.jit(transform(f), backend="numpy", free_loops=True)
            for x in (0.7, 0.005, 30.0, 0.0101):
                np.testing.assert_allclose(compiled(x), transform(f)(x), rtol=1e-12)
