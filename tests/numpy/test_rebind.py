"""fd.numpy.rebind: code that makes plain buffers runs unchanged, and nothing of the user's is changed."""

import contextlib
import functools
import gc
import importlib
import math
import sys
import textwrap
import threading
import weakref
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.linalg as la
import pytest
from numpy import zeros
from numpy import zeros as make_zeros
from numpy.linalg import norm
from numpy.testing import assert_allclose, assert_array_equal
from scipy import special
from scipy.special import logsumexp

import funcdiff as fd
from funcdiff.errors import PlainWriteError, UnsupportedError

X = np.array([0.5, 1.5, 2.5])
rebind = fd.numpy.rebind


def squares_into(y, x):
    for i in range(len(x)):
        y[i] = x[i] ** 2
    return y.sum()


def by_module(x):
    return squares_into(np.zeros(len(x)), x)


def by_name(x):
    return squares_into(zeros(len(x)), x)


def by_alias(x):
    return squares_into(make_zeros(len(x)), x)


def by_attribute(x):
    return squares_into(np.random.default_rng(0).normal(0 * x) * 0 + np.array([1.0, 2.0, 3.0]), x)


def helper(n):
    return np.empty(n)


def by_helper(x):
    return squares_into(helper(len(x)), x)


def by_local_import(x):
    import numpy
    import numpy.linalg as inner
    from numpy import zeros as fresh

    y, z = numpy.zeros(2), fresh(1)
    y[0], y[1], z[0] = x[0] ** 2, x[1] ** 2, x[2] ** 2
    return y.sum() + z.sum() + 0 * inner.norm(x)


def by_nested(x):
    def inner(n):
        return (lambda: np.zeros(n))()

    return squares_into(inner(len(x)), x)


def by_comprehension(x):
    rows = [np.zeros(1) for _ in x]
    for row, v in zip(rows, x, strict=True):
        row[0] = v**2
    return sum(row.sum() for row in rows)


def by_generator(x):
    def buffers():
        for v in x:
            y = np.zeros(1)
            y[0] = v**2
            yield y

    return sum(y.sum() for y in buffers())


def by_recursion(x):
    if len(x) == 0:
        return 0.0
    y = np.zeros(1)
    y[0] = x[0] ** 2
    return y.sum() + by_recursion(x[1:])


def by_default(x, make=np.zeros, *, also=helper):
    return (squares_into(make(len(x)), x) + squares_into(also(len(x)), x)) / 2


def double(f):
    @functools.wraps(f)
    def wrapper(*args):
        return 2 * f(*args) / 2

    return wrapper


@double
def by_decorator(x):
    return squares_into(np.zeros(len(x)), x)


by_partial = functools.partial(by_default, make=make_zeros)


def uses_partial(x):
    return by_partial(x)


@contextlib.contextmanager
def managed(n):
    yield np.zeros(n)


def by_context(x):
    with managed(len(x)) as y:
        return squares_into(y, x)


def by_class_body(x):
    class Holder:
        start = np.zeros(3)

        def fill(self, x):
            return squares_into(np.zeros(len(x)) + self.start, x)

    return Holder().fill(x)


class Base:
    def total(self, x):
        return squares_into(np.zeros(len(x)), x)


class Model(Base):
    made = 0
    floor = 0.0

    def __init__(self, scale=1.0):
        self.scale = scale
        self.calls = 0

    def __call__(self, x):
        self.calls += 1
        return self.scale * self.total(x) + self.empty(0).sum()

    def total(self, x):
        return super().total(x)

    @staticmethod
    def empty(n):
        return helper(n)

    @classmethod
    def make(cls, scale):
        cls.made += 1
        return cls(scale)

    @property
    def buffer(self):
        return np.zeros(3)

    @functools.cached_property
    def kept(self):
        return np.zeros(3)


GLOBAL_MODEL = Model()


def by_class(x):
    model = Model.make(1.0)
    assert isinstance(model, Model)
    assert isinstance(GLOBAL_MODEL, Model)
    assert not isinstance(x, Model)
    return (model(x) + squares_into(model.buffer, x) + squares_into(model.kept, x)) / 3


def by_object(x):
    return GLOBAL_MODEL(x)


def by_closure():
    make, model = helper, Model()

    def f(x):
        return (squares_into(make(len(x)), x) + model(x)) / 2

    return f


def by_gradient(x):
    y = np.zeros(3)
    for i, v in enumerate(fd.grad(by_helper)(x)):
        y[i] = v * x[i] / 2
    return y.sum()


def async_free(x):
    return squares_into(np.full(len(x), 0.0), x)


PROGRAMS = [
    by_module, by_name, by_alias, by_attribute, by_helper, by_local_import, by_nested, by_comprehension, by_generator,
    by_recursion, by_default, by_decorator, by_partial, uses_partial, by_context, by_class_body, by_class, by_object,
    by_closure(), by_gradient, async_free, Model(), Model().total,
]  # fmt: skip


@pytest.mark.parametrize("f", PROGRAMS, ids=lambda f: getattr(f, "__qualname__", "object"))
def test_programs_that_make_buffers(f):
    g = rebind(f)
    assert_allclose(g(X), np.sum(X**2))
    assert_allclose(fd.grad(g)(X), 2 * X)
    assert_allclose(fd.jvp(g, X, X)[1], 2 * np.sum(X**2))
    assert_allclose(fd.hessian(g)(X), 2 * np.eye(3), atol=1e-14)
    with pytest.raises((PlainWriteError, fd.errors.ConversionError)):
        fd.grad(f)(X)


@pytest.mark.parametrize("f", [by_module, by_helper, by_class, by_decorator, by_closure()])
def test_rebound_functions_nest_in_transforms(f):
    g = rebind(f)
    xs = np.stack([X, X + 1])
    assert_allclose(fd.vmap(fd.grad(g))(xs), 2 * xs)
    for _ in range(2):
        assert_allclose(fd.jit(fd.value_and_grad(g))(X)[1], 2 * X)
    assert_allclose(fd.grad(fd.jit(g))(X), 2 * X)
    assert_allclose(fd.grad(fd.checkpoint(g))(X), 2 * X)
    assert "x" in str(fd.trace(g)(X))
    assert rebind(g) is g


def test_as_a_decorator():
    @rebind
    def first(x):
        y = np.zeros(2)
        y[0] = x
        return y[0] * 3

    @rebind(modules=("json",))
    def second(x):
        return first(x) * first(x)

    assert first.__name__ == "first"
    assert fd.grad(second)(2.0) == 36.0


def test_other_modules_functions_by_name():
    def f(x):
        y = np.zeros(2)
        y[0], y[1] = logsumexp(x), special.logsumexp(2 * x)
        return y.sum() + norm(x) + la.norm(x) + math.sqrt(4.0) + special.gammaln(x).sum()

    def plain(x):
        return (
            fd.scipy.special.logsumexp(x)
            + fd.scipy.special.logsumexp(2 * x)
            + 2 * norm(x)
            + special.gammaln(x).sum()
        )

    assert_allclose(fd.grad(rebind(f))(X), fd.grad(plain)(X))
    assert_allclose(rebind(f)(X), f(X))


COUNT = 0
SETTING = 2.0


def counting(x):
    global COUNT
    COUNT += 1
    seen = COUNT
    y = np.zeros(1)
    y[0] = x * SETTING
    return y[0] * seen / seen


def test_global_variables_are_those_of_the_module(monkeypatch):
    start = COUNT
    g = rebind(counting)
    assert fd.grad(g)(1.0) == 2.0
    assert start + 1 == COUNT
    monkeypatch.setitem(globals(), "SETTING", 5.0)
    assert fd.grad(g)(1.0) == 5.0
    assert start + 2 == COUNT
    assert "SETTING" in g.__wrapped__.__wrapped__.__globals__


def test_written_globals_are_seen_before_anything_is_called():
    seen = []

    def outer(x):
        return counting(x) + [seen.append(COUNT), 0.0][1]

    start = COUNT
    rebind(outer)(1.0)
    assert seen == [start + 1]
    assert start + 1 == COUNT


def test_nothing_of_the_users_is_changed():
    names = dict(globals())
    methods = dict(vars(Model))
    closure = by_closure()
    cells = [c.cell_contents for c in closure.__closure__]
    for f in (by_class, by_object, by_decorator, closure):
        fd.grad(rebind(f))(X)
    assert {n for n, v in globals().items() if v is not names.get(n)} <= {"COUNT"}
    assert {n for n, v in vars(Model).items() if v is not methods.get(n)} <= {"made"}
    assert all(a.cell_contents is b for a, b in zip(closure.__closure__, cells, strict=True))
    assert np.zeros is make_zeros


def test_state_of_objects_and_classes_is_shared():
    model = Model(3.0)
    made = Model.made
    assert_allclose(fd.grad(rebind(lambda x, m: m(x)))(X, m=model), 6 * X)
    assert model.calls == 1
    assert_allclose(fd.grad(rebind(model.total))(X), 2 * X)
    rebind(lambda: Model.make(2.0))()
    assert Model.made == made + 1

    total = 0

    def accumulate(x):
        nonlocal total
        total += 1
        return helper(0).sum() + x

    assert fd.grad(rebind(accumulate))(1.0) == 1.0
    assert total == 1


def test_results_are_instances_of_the_users_classes():
    class Point(NamedTuple):
        x: float
        y: float

    @dataclass
    class Pair:
        a: object
        b: object

    def f(x):
        y = np.zeros(2)
        y[0] = x
        return Point(y[0], 1.0), Pair(y[0] * x, x), Model(x)

    point, pair, model = rebind(f)(2.0)
    assert type(point) is Point
    assert type(pair) is Pair
    assert isinstance(model, Model)


class Old(Base):
    def total(self, x):
        return super(Old, self).total(x)  # noqa: UP008


class Slotted:
    __slots__ = ("n",)

    def fill(self, x):
        return squares_into(np.zeros(len(x)), x)


class Problem(Exception):
    def text(self):
        return np.zeros(1)


def raising():
    raise Problem


def test_what_cannot_be_rebound_raises_as_before():
    for model in (Old(), Slotted()):
        with pytest.raises(PlainWriteError):
            fd.grad(rebind(lambda x, m=model: (m.total if hasattr(m, "total") else m.fill)(x)))(X)
    table = {"by_module": by_module}
    with pytest.raises(PlainWriteError):
        fd.grad(rebind(lambda x: table["by_module"](x)))(X)

    def catching(x):
        try:
            raising()
        except Problem:
            return x * np.ones(1)[0]

    assert fd.grad(rebind(catching))(3.0) == 1.0


def test_what_cannot_be_rebound_safely_is_refused():
    with pytest.raises(UnsupportedError, match="no Python code of its own"):
        rebind(np.sin)
    with pytest.raises(UnsupportedError, match="no Python code of its own"):
        rebind(fd.jit(by_module))
    scope = {"__name__": "tests.made_up", "np": np}
    source = """
    def deleting(x):
        global gone
        del gone
    def generating(x):
        global count
        count = 1
        yield x
    """
    exec(textwrap.dedent(source), scope)
    with pytest.raises(UnsupportedError, match="deletes a global variable"):
        rebind(scope["deleting"])
    with pytest.raises(UnsupportedError, match="writes a global"):
        rebind(scope["generating"])


def test_packages(tmp_path, monkeypatch):
    package = tmp_path / "rebound_package"
    package.mkdir()
    (package / "__init__.py").write_text("from .solver import solve\n")
    (package / "grid.py").write_text(
        "import numpy as np\nSCALE = 2.0\ndef grid(n):\n    return np.zeros(n)\n"
    )
    (package / "solver.py").write_text(
        textwrap.dedent("""
        import numpy as np
        from . import grid
        from .grid import grid as make
        def solve(x):
            from .grid import SCALE
            from rebound_package import grid as again
            y, z, w = make(len(x)), grid.grid(len(x)), again.grid(len(x))
            grid.SCALE = SCALE
            for i in range(len(x)):
                y[i] = x[i] * SCALE
                z[i] = y[i] * x[i]
                w[i] = z[i]
            return w.sum()
        """)
    )
    (tmp_path / "rebound_other.py").write_text("import numpy as np\ndef buffer(n):\n    return np.zeros(n)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    solve = importlib.import_module("rebound_package").solve
    assert_allclose(fd.grad(rebind(solve))(X), 4 * X)
    other = importlib.import_module("rebound_other")

    def uses_other(x):
        return squares_into(other.buffer(len(x)), x)

    with pytest.raises(PlainWriteError):
        fd.grad(rebind(uses_other))(X)
    assert_allclose(fd.grad(rebind(uses_other, modules=["rebound_other"]))(X), 2 * X)
    assert_allclose(fd.grad(rebind(uses_other, modules=[other]))(X), 2 * X)
    for name in ("rebound_package", "rebound_package.grid", "rebound_package.solver", "rebound_other"):
        sys.modules.pop(name, None)


def test_threads():
    g = rebind(by_class)
    found = []

    def work(k):
        for _ in range(5):
            same = np.array_equal(fd.grad(g)(X * k), 2 * X * k)
            found.append(same)

    threads = [threading.Thread(target=work, args=(k,)) for k in (1, 2, 4, 8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert found == [True] * 20


def test_nothing_grows():
    def make():
        def f(x):
            return squares_into(helper(len(x)), x)

        return f

    f = make()
    rebound = rebind(f)
    fd.grad(rebound)(X)
    dead = weakref.ref(f), weakref.ref(rebound)
    del f, rebound
    gc.collect()
    assert [d() for d in dead] == [None, None]
    g = rebind(by_nested)
    fd.grad(g)(X)
    gc.collect()
    before = len(gc.get_objects())
    for _ in range(20):
        fd.grad(g)(X)
    gc.collect()
    assert len(gc.get_objects()) <= before + 5


WITH_CONSTANT_BUFFERS = {
    "product": lambda x: np.sum(np.array([2.0, 3.0, 4.0]) * x),
    "quotient": lambda x: np.sum(np.ones(3) / x),
    "power": lambda x: np.sum(x ** np.array([2.0, 3.0, 4.0])),
    "matmul": lambda x: np.sum((np.eye(3) * 2) @ x),
    "solve": lambda x: np.sum(np.linalg.solve(np.eye(3) + 0.1, x)),
    "maximum": lambda x: np.sum(np.maximum(x, np.ones(3))),
    "interp": lambda x: np.sum(np.interp(x, np.arange(4.0), np.array([1.0, 3.0, 2.0, 5.0]))),
    "norm": lambda x: np.linalg.norm(x - np.full(3, 0.5)),
    "softmax": lambda x: np.sum(special.softmax(x) * np.arange(3.0)),
    "fft": lambda x: np.sum(np.abs(np.fft.fft(x) * np.linspace(1, 2, 3))),
}


@pytest.mark.parametrize("name", WITH_CONSTANT_BUFFERS)
def test_results_are_plain(name):
    f = rebind(WITH_CONSTANT_BUFFERS[name])
    results = [
        f(X), *fd.value_and_grad(f)(X), *fd.jvp(f, X, X), *fd.vjp(f, X), fd.hessian(f)(X), fd.hvp(f, X, X)[1],
        fd.jacobian(lambda x: f(x) * x, X), fd.vmap(fd.grad(f))(np.stack([X, X])), fd.jit(fd.grad(f))(X),
        fd.pullback(f, X)[1](1.0)[0], fd.linearize(f, X)[1](X),
    ]  # fmt: skip
    assert {type(r) for r in results} <= {np.ndarray, np.float64}
    assert_allclose(results[2], results[-2])


def test_errors_name_the_users_line():
    def f(x):
        y = np.zeros(2)
        y[0] = x
        return math.sqrt(y[0])

    with pytest.raises(fd.errors.ConversionError, match=r"math\.sqrt"):
        fd.grad(rebind(f))(1.0)


def test_plain_values_are_numpys():
    def f(x):
        y = np.zeros((2, 3), order="F")
        y[0] = x
        return y, np.arange(4), np.asarray([1, 2]), np.linspace(0, 1, 3), np.array([1.0]) @ np.eye(1)

    for a, b in zip(rebind(f)(1.0), f(1.0), strict=True):
        assert_array_equal(np.asarray(a), b)
