"""Writes into arrays that a compiled function captures are noticed, wherever and however they lie."""

from __future__ import annotations

import functools
import random
import types
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import funcdiff as fd
from funcdiff import jit
from funcdiff.errors import PerformanceWarning
from funcdiff.jit.captures import Captures
from funcdiff.jit.compiled import CALLS, CHANGES

X = np.linspace(0.1, 2.0, 6)

pytestmark = pytest.mark.usefixtures("both_backends")

LAYOUTS = {
    "contiguous": lambda: np.arange(6.0),
    "single precision": lambda: np.arange(6, dtype=np.float32),
    "integers": lambda: np.arange(6),
    "truth values": lambda: np.arange(6) % 2 == 0,
    "complex": lambda: np.arange(6) + 1j,
    "a column": lambda: np.arange(24.0).reshape(6, 4)[:, 1],
    "columns": lambda: np.arange(24.0).reshape(6, 4)[:, 1:3],
    "in Fortran's order": lambda: np.asfortranarray(np.arange(12.0).reshape(6, 2)),
    "reversed": lambda: np.arange(6.0)[::-1],
    "gaps everywhere": lambda: np.arange(288.0).reshape(6, 8, 6)[:, ::2, ::3],
    "repeated": lambda: np.broadcast_to(np.arange(6.0)[:, None], (6, 3)),
    "no axes": lambda: np.array(3.0),
    "large": lambda: np.arange(6000.0).reshape(6, 1000),
    "large and odd": lambda: np.arange(6006, dtype=np.int8).reshape(6, 1001),
    "large with gaps": lambda: np.arange(12000.0).reshape(6, 2000)[:, 3:1999],
}


class Counted:
    def __init__(self):
        self.calls = 0


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_write_is_noticed(layout):
    w, count = LAYOUTS[layout](), Counted()
    base = w if w.base is None else w.base

    def f(x):
        count.calls += 1
        return np.sum(x * w.reshape(len(w), -1).sum(axis=1)) if w.ndim else x * w

    compiled = jit(f)
    for value in (1, 0, 3):
        for _ in range(3):
            found = compiled(X)
        calls = count.calls
        assert_allclose(found, f(X), rtol=1e-13)
        count.calls = calls
        base[...] = value
    assert count.calls == 3  # arrays that hold the same are not recorded again


def test_bits_count():
    w = np.array([1.0, np.nan, 0.0])
    count = Counted()

    def f(x):
        count.calls += 1
        return x / w

    compiled = jit(f)
    with np.errstate(all="ignore"):
        for _ in range(3):
            assert compiled(np.ones(3))[2] == np.inf
        w[2] = -0.0
        assert compiled(np.ones(3))[2] == -np.inf
    assert count.calls == 2


def test_shapes_indices_and_decisions_count():
    size, order, mask = np.array([2]), np.array([0, 1]), np.array([True, False, True])

    def f(x):
        found = np.ones(size[0]) * x[order].sum() + x[:3][mask].sum()
        return found if size[0] < 4 else found[:1]

    compiled = jit(f)
    for _ in range(2):
        assert_array_equal(compiled(X), f(X))
    size[0] = 5
    assert_array_equal(compiled(X), f(X))
    order[:] = 4
    assert_array_equal(compiled(X), f(X))
    mask[:] = False
    assert_array_equal(compiled(X), f(X))


def test_defaults_and_inner_functions():
    inner_weights = np.ones(6)

    def inner(x):
        return x * inner_weights

    def f(x, weights=np.ones(6)):  # noqa: B008
        return inner(x) * weights

    compiled = jit(lambda x: f(x))
    assert_array_equal(compiled(X), X)
    f.__defaults__[0][:] = 2
    assert_array_equal(compiled(X), 2 * X)
    inner_weights[0] = 5
    assert_array_equal(compiled(X), f(X))


def test_derivatives_and_batches_of_a_compiled_function():
    w = np.ones(6)
    compiled = jit(lambda x: np.sum(w * x**2))
    for value in (1.0, 3.0):
        w[:] = value
        for _ in range(2):
            assert_array_equal(fd.grad(compiled)(X), 2 * value * X)
            assert_array_equal(jit(fd.grad(compiled))(X), 2 * value * X)
            assert_allclose(fd.vmap(compiled)(np.stack([X, X]))[1], value * np.sum(X**2))


def test_what_the_function_itself_writes_is_written_as_it_is_recorded():
    count = np.zeros(1)
    total = 0

    def f(x):
        nonlocal total
        count[0] += 1
        total += 1
        return x * 2

    compiled = jit(f)
    for _ in range(4):
        assert_array_equal(compiled(X), 2 * X)
    assert count[0] == 1
    assert total == 1


def test_names_bound_after_the_function_was_compiled():
    def outer():
        compiled = jit(lambda x: x * late)
        late = np.ones(6)
        first = compiled(X), compiled(X)
        late[:] = 2
        second = compiled(X)
        late = np.full(6, 3.0)
        return (*first, second, compiled(X))

    for found, factor in zip(outer(), (1, 1, 2, 3), strict=True):
        assert_array_equal(found, X * factor)


def test_another_shape_or_dtype_of_the_same_memory():
    w = np.arange(6.0)
    compiled = jit(lambda x: x[: len(w)].sum() + w.sum())
    assert compiled(X) == X.sum() + 15
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        w.shape = (3, 2)
    assert compiled(X) == X[:3].sum() + 15


def test_an_array_that_changes_all_the_time():
    w, count = np.zeros(6), Counted()

    def f(x):
        count.calls += 1
        return x * w

    compiled = jit(f)

    def run():
        for n in range(4 * CHANGES):
            w[:] = n
            assert_array_equal(compiled(X), X * n)

    with pytest.warns(PerformanceWarning, match="Pass it as an argument"):
        run()
    n = w[0]
    for _ in range(2 * CHANGES * CALLS):
        assert_array_equal(compiled(X), X * n)
    calls = count.calls
    compiled(X)
    assert count.calls == calls  # compiled again


def test_a_read_only_array_is_taken_at_its_word():
    w, count = np.arange(6.0), Counted()
    w.flags.writeable = False

    def f(x):
        count.calls += 1
        return x * w

    compiled = jit(f)
    for _ in range(3):
        assert_array_equal(compiled(X), X * np.arange(6.0))
    assert count.calls == 1
    assert not Captures(f).contents[id(w)].saved
    w.flags.writeable = True
    w[:] = 7
    for _ in range(3):
        assert_array_equal(compiled(X), X * 7)
    w[:] = 8
    assert_array_equal(compiled(X), X * 8)
    read_only_view = np.broadcast_to(w[:1], 6)
    viewing = jit(lambda x: x * read_only_view)
    for n in (8.0, 9.0):
        w[0] = n
        assert_array_equal(viewing(X), X * n)


def test_an_array_that_a_tape_around_the_call_holds():
    w = np.ones(2000)
    x = np.linspace(0.0, 1.0, 2000)
    compiled = jit(lambda x: np.sum(x * w))

    def f(x):
        return np.sum(x * w) + compiled(x)  # w is read-only from its first use until f returns

    for n in (1.0, 2.0, 3.0):
        w[:] = n
        for _ in range(2):
            assert_array_equal(fd.grad(f)(x), np.full(2000, 2 * n))


def test_large_and_endless_containers():
    endless = [np.ones(6)]
    endless.append(endless)
    many = [[[["text"] * 60 for _ in range(60)] for _ in range(60)]]
    compiled = jit(lambda x: x * endless[1][0] + len(many))
    for n in (1.0, 2.0):
        endless[0][:] = n
        assert_array_equal(compiled(X), X * n + 1)
    assert len(Captures(compiled).seen) < 100


def test_copies_are_taken_once():
    w = np.ones(6)

    def f(x):
        return x * w

    first = Captures(f)
    again = Captures(f, first)
    assert first.contents[id(w)] is again.contents[id(w)]
    w[0] = 2
    assert Captures(f, first).contents[id(w)] is not first.contents[id(w)]


def test_results_are_the_callers_own():
    compiled = jit(lambda x: (x * 2, np.sum(x), [x + 1]))
    found = [compiled(X + n) for n in range(6)]
    for n, (double, total, (more,)) in enumerate(found):
        assert_array_equal(double, (X + n) * 2)
        assert total == np.sum(X + n)
        assert_array_equal(more, X + n + 1)
    del double, more
    view = found[-1][0][::2]
    del found
    compiled(X)
    compiled(X * 5)
    assert_array_equal(view, ((X + 5) * 2)[::2])
    reference = memoryview(compiled(X)[0])
    for n in range(4):
        compiled(X + n)
    assert_array_equal(np.asarray(reference), X * 2)


class Model:
    scale = np.ones(1)

    def __init__(self):
        self.w = np.ones(6)
        self.layers = [np.ones(6), np.ones(6)]
        self.named = {"b": np.zeros(6), "inner": {"c": np.ones(6)}}
        self.power = 1
        self.pair = (np.ones(6), 2.0)

    @property
    def doubled(self):
        return self.w * 2

    def hidden(self, x):
        return x * self.layers[1] + self.pair[0]

    def loss(self, x):
        total = self.hidden(x) * self.doubled + self.named["b"] + self.layers[0] * self.named["inner"]["c"]
        return np.sum(total**self.power * self.scale)


def change_attribute(m):
    m.w = np.full(6, 3.0)


def write_attribute(m):
    m.w[2] = 4.0


def change_element(m):
    m.layers[1] = np.full(6, 5.0)


def write_element(m):
    m.layers[0][1] = 7.0


def shorten(m):
    m.layers[:] = [np.ones(6) * 2, np.ones(6) * 3]


def change_item(m):
    m.named["b"] = np.full(6, 2.0)


def write_inner_item(m):
    m.named["inner"]["c"][:] = 9.0


def change_number(m):
    m.power = 2


def write_tuple(m):
    m.pair[0][3] = 8.0


def write_class(m):
    m.scale[0] += 1.0


CHANGES_OF_A_MODEL = [
    change_attribute, write_attribute, change_element, write_element, shorten, change_item, write_inner_item,
    change_number, write_tuple, write_class,
]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "way"),
    [
        *((c, "closure") for c in CHANGES_OF_A_MODEL),
        *((write_element, w) for w in ("method", "gradient", "partial")),
    ],
)
def test_what_is_reached_from_an_object(change, way):
    m = Model()
    f = {
        "method": m.loss,
        "closure": lambda x: m.loss(x),
        "gradient": fd.grad(m.loss),
        "partial": functools.partial(Model.loss, m),
    }[way]
    compiled = jit(f)
    for _ in range(2):
        assert_allclose(compiled(X), f(X), rtol=1e-13)
    change(m)
    for _ in range(2):
        assert_allclose(compiled(X), f(X), rtol=1e-13)


def test_attributes_that_are_not_read_do_not_matter():
    m, calls = Model(), []
    m.steps = 0

    def f(x):
        calls.append(1)
        return m.loss(x)

    compiled = jit(f)
    for _ in range(4):
        compiled(X)
        m.steps += 1
        m.other = np.ones(3)
    assert len(calls) == 1


def test_functions_in_a_closure_and_other_modules(monkeypatch):
    module = types.ModuleType("weights")
    module.w = np.ones(6)

    def twice(x):
        return 2 * x

    inner = twice
    compiled = jit(lambda x: inner(x) * module.w)
    assert_array_equal(compiled(X), 2 * X)
    inner = np.negative
    assert_array_equal(compiled(X), -X)
    module.w[:] = 4
    assert_array_equal(compiled(X), -4 * X)
    module.w = np.full(6, 5.0)
    assert_array_equal(compiled(X), -5 * X)


class Layer:
    gain = 1.0

    def __init__(self, w):
        self.w = np.array([w])

    def __call__(self, x):
        return x * self.w * self.gain


def applied(layer, x):
    return layer(x)


@pytest.mark.parametrize(
    "spelling",
    [
        jit,
        lambda layer: jit(lambda x: layer(x)),
        lambda layer: jit(lambda x: applied(layer, x)),
        lambda layer: jit(fd.grad(lambda x: layer(x)[0])),
        lambda layer: functools.partial(jit(applied), layer),
        lambda layer: functools.partial(jit(lambda x, o: o[0](x)), o=(layer,)),
        lambda layer: functools.partial(jit(applied, static_argnums=0), layer),
        lambda layer: functools.partial(jit(lambda x, *, o: o(x), static_argnames="o"), o=layer),
    ],
    ids=[
        "itself",
        "called",
        "handed on",
        "differentiated",
        "argument",
        "in an argument",
        "static",
        "static name",
    ],
)
def test_objects_that_are_called(spelling, monkeypatch):
    """Whatever code reads an attribute, of whatever object: it is noticed when it changes."""
    layer = Layer(2.0)
    compiled = spelling(layer)
    assert_array_equal(np.ravel(compiled(1.0)), [2.0])
    layer.w[0] = 3.0
    assert_array_equal(np.ravel(compiled(1.0)), [3.0])
    layer.w = np.array([5.0])
    assert_array_equal(np.ravel(compiled(1.0)), [5.0])
    monkeypatch.setattr(Layer, "gain", 2.0)
    assert_array_equal(np.ravel(compiled(1.0)), [10.0])


class Fit:
    def __init__(self):
        self.w = np.zeros(2)

    @jit
    def loss(self, x):
        return np.sum((self.w - x) ** 2)


def test_methods_decorated_in_a_class():
    first, second = Fit(), Fit()
    x = np.array([1.0, 2.0])
    second.w = np.ones(2)
    assert (first.loss(x), second.loss(x)) == (5.0, 1.0)
    first.w = first.w + 1.0
    assert (first.loss(x), second.loss(x)) == (1.0, 1.0)


def test_containers_that_grow():
    numbers, named, some = [1.0, 2.0], {"a": 1.0}, {1.0}
    compiled = jit(lambda x: x * (sum(numbers) + sum(named.values()) + sum(some)))
    assert compiled(1.0) == 5.0
    numbers.append(3.0)
    assert compiled(1.0) == 8.0
    named["b"] = 2.0
    assert compiled(1.0) == 10.0
    some.add(4.0)
    assert compiled(1.0) == 14.0


def test_random_numbers_would_be_the_same_at_every_call():
    generator = np.random.default_rng(0)
    normal, uniform = generator.normal, np.random.rand
    drawn, shuffled = random.Random(0), random.sample
    for f in (
        lambda x: x + generator.normal(),
        lambda x: x + np.random.rand(),
        lambda x: x + normal(),
        lambda x: x + uniform(),
        lambda x: x + random.random(),
        lambda x: x + random.gauss(0.0, 1.0),
        lambda x: x + drawn.uniform(0.0, 1.0),
        lambda x: x + shuffled([1.0, 2.0, 3.0], 1)[0],
    ):
        with pytest.raises(fd.errors.UnsupportedError, match="draws random numbers"):
            jit(f)(0.0)


def test_random_numbers_of_a_generator_of_the_functions_own():
    def f(x):
        return x + random.Random(3).random() + np.random.default_rng(3).random()

    compiled = jit(f)
    assert compiled(1.0) == compiled(1.0) == f(1.0)


def test_numbers_that_python_finds_equal():
    sign = 0.0
    compiled = jit(lambda x: np.copysign(x, sign))
    assert compiled(1.0) == 1.0
    sign = -0.0
    assert compiled(1.0) == -1.0


def first_pivot(x):
    try:
        return np.linalg.cholesky(x)[0, 0]
    except np.linalg.LinAlgError:
        return -1.0 * x[0, 0]


@pytest.mark.parametrize("transform", [lambda f: f, fd.grad], ids=["value", "gradient"])
@pytest.mark.parametrize("signs", [(-1.0, 4.0, -1.0), (4.0, 4.0, -1.0, -1.0, 4.0)])
def test_errors_that_the_function_catches(transform, signs):
    """What an error leads to is another path, of which no guard knows: the function itself runs then."""
    expected = transform(first_pivot)
    for compiled in (jit(expected), transform(jit(first_pivot))):
        for sign in signs:
            x = sign * np.eye(2)
            assert_allclose(compiled(x), expected(x))


def test_what_is_caught_is_not_recorded_at_every_call():
    runs = []

    def f(x):
        runs.append(1)
        return first_pivot(x)

    compiled = jit(f)
    bad, good = -np.eye(2), np.diag([4.0, 9.0])
    for _ in range(100):
        assert_allclose(compiled(bad), first_pivot(bad))
    assert len(runs) < 110  # a few of which recorded
    for _ in range(200):
        assert_allclose(compiled(good), 2.0)
    before = len(runs)
    for _ in range(10):
        assert_allclose(compiled(good), 2.0)
    assert len(runs) == before  # compiled by now
    gradient = fd.grad(compiled)
    for _ in range(5):
        assert_allclose(gradient(bad), fd.grad(first_pivot)(bad))
        assert_allclose(gradient(good), fd.grad(first_pivot)(good))


def test_errors_of_steps_that_a_transformed_function_catches():
    def f(x, places):
        try:
            return np.sum(np.sin(x[places]))
        except IndexError:
            return -np.sum(x)

    compiled = jit(f)
    x = np.arange(4.0)
    for places in (np.array([0, 3]), np.array([1, 4]), np.array([2, 2]), np.array([-5, 0])):
        assert_allclose(compiled(x, places), f(x, places))
        assert_allclose(fd.grad(compiled)(x, places), fd.grad(f)(x, places))
        found, expected = (fd.jvp(lambda x, g=g, at=places: g(x, at), x, x)[1] for g in (compiled, f))
        assert_allclose(found, expected)
