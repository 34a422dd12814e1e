"""Recording runs no loops and computes no large arrays, unless Python's control flow asks for what they give."""

import sys

import numpy as np
import pytest

import funcdiff as fd
from funcdiff.core.primitive import REGISTRY
from funcdiff.core.tape import Literal
from funcdiff.core.trees import flatten
from funcdiff.primitives.indexing import HOLE
from funcdiff.transforms import sketch, stand_ins, untouched
from funcdiff.transforms.loops import derive, loop


@pytest.fixture
def runs(answered):
    """Count the loops that are run in earnest."""
    return answered(loop, "gathered")


def powers(x):
    return fd.while_loop(lambda s: s[0] < 50, lambda s: (s[0] * x, s[1] + 1), (x, 0))


def test_tracing_runs_no_loop(runs):
    def f(x):
        y, n = powers(x)
        return fd.fori_loop(0, 10, lambda i, z: z + np.sin(y * z) * n, y)

    tape = fd.trace(fd.value_and_grad(f))(3.0)
    assert runs == []
    value, gradient = tape.run(3.0)
    expected = fd.value_and_grad(f)(3.0)
    np.testing.assert_allclose([value, gradient], expected, rtol=1e-14)


def test_control_flow_that_asks_gets_values(runs):
    def f(x):
        y, n = powers(x)
        if y > 60:  # 81 from 3, 64 from 2, 57.7 from 1.5
            y = y * 2
            y = fd.while_loop(lambda z: z > 1, lambda z: z / 2, y)
            if y < 0.6:
                return y * n
        return y

    for compiled in (fd.jit(f), fd.jit(fd.grad(f))):
        plain = f if compiled(3.0) == f(3.0) else fd.grad(f)
        for x in (3.0, 2.0, 1.5, 3.0, 7.0):
            np.testing.assert_allclose(compiled(x), plain(x), rtol=1e-13)
    guards = fd.trace(f)(3.0).guards
    assert [bool(g.value) for g in guards] == [True, False]
    assert runs


def test_values_are_asked_for_once(runs):
    def f(x):
        y = powers(x)[0]
        z = y + 1
        for n in range(20):
            if z > n:
                z = z - 0.5
        return z

    tape = fd.trace(f)(3.0)
    assert len(runs) == 1
    assert len(tape.guards) == 20
    assert tape.run(3.0) == f(3.0)


def test_what_fails_on_a_stand_in_is_computed_in_earnest(runs):
    def f(a):
        b = fd.fori_loop(0, 3, lambda i, c: c + 4 * np.eye(3), a)  # no Cholesky factor before the third step
        return np.linalg.cholesky(b)

    a = np.array([[-9.0, 1, 0], [1, -9, 1], [0, 1, -9]])
    tape = fd.trace(f)(a)
    assert len(runs) == 1
    np.testing.assert_allclose(tape.run(a), f(a), rtol=1e-14)
    with pytest.raises(np.linalg.LinAlgError):
        fd.trace(f)(a - 9 * np.eye(3))


def test_writes_of_what_a_loop_gives(runs):
    def f(x):
        y = fd.numpy.zeros(5)
        total, n = powers(x)
        y[1] = total
        view = y[:3]
        view[2] = total * x
        y[n] = 7.0
        w = y.copy()
        w[0] = x
        if w[2] > 0:
            y[3] += w[0] * total
            view[0] = y[3]
        return y * w

    for compiled, plain in (
        (fd.jit(f), f),
        (fd.jit(lambda x: fd.jacfwd(f)(x)), fd.jacfwd(f)),
        (fd.jit(lambda x: fd.grad(lambda x: np.sum(f(x)))(x)), fd.grad(lambda x: np.sum(f(x)))),
    ):
        for x in (3.0, 4.0, 3.0):
            np.testing.assert_allclose(compiled(np.float64(x)), plain(np.float64(x)), rtol=1e-13)


def test_loops_in_bodies_of_loops_are_not_run(runs):
    def f(x):
        def step(i, y):
            inner = fd.while_loop(lambda z: z[0] > 1, lambda z: (z[0] / 3, z[1] * x), (y + i, x))
            return y + inner[1]

        return fd.fori_loop(0, 6, step, x)

    for transformed in (fd.grad(f), fd.grad(fd.grad(f)), lambda x: fd.vmap(f)(x * np.arange(3.0))):
        tape = fd.trace(transformed)(0.7)
        assert runs == []
        expected = transformed(0.7)
        np.testing.assert_allclose(tape.run(0.7), expected, rtol=1e-12)
        runs.clear()


def test_constants_are_computed():
    def f(x):
        table, _ = fd.scan(lambda c, k: (c * k, c), 1.0, np.arange(1.0, 6))  # of nothing that is traced
        return x * table if table == 120 else x

    tape = fd.trace(f)(2.0)
    assert not tape.guards
    assert tape.run(2.0) == 240


def test_rolled_loops_are_not_run_until_asked_for(runs):
    def f(x):
        def g(y):
            for _ in range(3000):
                y = y + 0.001 * np.sin(y * x)
            return y

        slope = fd.grad(g)(x)
        return slope * 2 if slope > 0 else slope

    compiled = fd.jit(f, backend="numpy")
    for x in (0.5, -2.0):
        np.testing.assert_allclose(compiled(x), f(x), rtol=1e-12)


@pytest.mark.parametrize("steps", [0, 1, 3])
def test_loops_of_loops_with_few_steps(steps):
    def f(x):
        def step(i, y):
            return y + fd.while_loop(lambda z: z < 4, lambda z: z * x + y, x)

        return fd.fori_loop(0, steps, step, x)

    for transformed in (fd.grad(f), fd.grad(fd.grad(f)), fd.grad(lambda x: fd.jvp(f, x, 1.0)[1])):
        np.testing.assert_allclose(fd.jit(transformed)(1.3), transformed(1.3), rtol=1e-12)


LAYOUTS = [
    lambda x: x,
    lambda x: x.T.copy().T,
    lambda x: x[::-1],
    lambda x: x[:, :, ::2],
    lambda x: x.transpose(1, 0, 2),
    lambda x: np.broadcast_to(x[:, :1], x.shape),
    lambda x: x[:1],
    lambda x: x[0, 0, 0],
    lambda x: x.astype(np.float32).transpose(2, 0, 1),
]


def stand_in(primitive, values, params=None):
    return stand_ins.stand_in(primitive, values, params or {}, [True] * len(values))


def lies_alike(made, real):
    distances = [[d for n, d in zip(x.shape, x.strides, strict=True) if n != 1] for x in (made, real)]
    return (made.shape, made.dtype, distances[0]) == (real.shape, real.dtype, distances[1])


@pytest.mark.parametrize(
    "name", ["add", "exp", "scale", "where", "divide", "less", "bitwise_or", "floor_divide"]
)
def test_stand_ins_lie_in_memory_as_results_do(name):
    x = np.random.default_rng(0).standard_normal((3, 3, 3))
    primitive = REGISTRY[name]
    count = {"exp": 1, "where": 3}.get(name, 2)
    for n, f in enumerate(LAYOUTS):
        for g in LAYOUTS[: n + 1]:
            try:
                values = [f(x), g(x), x][:count]
                if name in ("bitwise_or", "floor_divide"):
                    values = [v.astype(int) | 1 for v in values]
                if name == "where":
                    values[0] = values[0] > 0
                real = primitive.impl(*values)
            except ValueError:
                continue
            made = stand_in(primitive, values)
            assert made is not None
            assert made.shape == np.shape(real)
            assert made.dtype == real.dtype
            if np.ndim(real):
                assert made.strides == real.strides


@pytest.mark.parametrize("right", [(6, 4), (4, 6), (12, 4), (6, 1), (5, 4), (6,)])
@pytest.mark.parametrize("dtype", [float, np.float32, complex, int])
def test_stand_ins_of_products_lie_in_memory_as_products_do(right, dtype):
    primitive = REGISTRY["matmul"]
    b = {(4, 6): np.ones((4, 6), dtype).T, (12, 4): np.ones((12, 4), dtype)[::2]}.get(
        right, np.ones(right, dtype)
    )
    for a in (np.ones((3, 6)), np.ones((6, 3)).T, np.ones((3, 12))[:, ::2], np.ones((3, 6), int)):
        made = stand_in(primitive, [a, b])
        if right in ((5, 4), (6,)) or a.dtype == b.dtype == int:
            assert made is None
        else:
            real = a @ b
            assert (made.shape, made.dtype, made.strides) == (real.shape, real.dtype, real.strides)


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("sum", {"axis": (0,), "keepdims": False}),
        ("sum", {"axis": (1,), "keepdims": True}),
        ("sum", {"axis": (0, 2), "keepdims": False}),
        ("max", {"axis": (2,), "keepdims": False}),
        ("min", {"axis": (0, 1, 2), "keepdims": False}),
        ("sum_to", {"shape": (4, 5)}),
        ("sum_to", {"shape": (4, 1)}),
        ("sum_to", {"shape": (3, 1, 5)}),
        ("sum_to", {"shape": ()}),
        ("astype", {"dtype": np.dtype(np.float32)}),
        ("index_add", {"shape": (6, 4, 5), "index": slice(1, 4)}),
    ],
)
def test_stand_ins_of_reductions_lie_in_memory_as_results_do(name, params):
    primitive, x = REGISTRY[name], np.random.default_rng(0).standard_normal((3, 4, 5))
    for f in LAYOUTS[:-3]:
        for values in ([f(x)], [f(x) > 0], [f(x).astype(np.float32)]):
            if f(x).shape == x.shape:
                real = primitive.impl(*values, **params)
                made = stand_in(primitive, values, params)
                assert lies_alike(made, real)
                assert type(made) is type(real)


@pytest.mark.parametrize("a", [(3, 4), (2, 3, 4), (2, 1, 3, 4)])
@pytest.mark.parametrize("b", [(4, 5), (1, 4, 5), (2, 4, 5), (1, 2, 4, 5)])
def test_stand_ins_of_stacked_products_lie_in_memory_as_products_do(a, b):
    for turn in (lambda x: x, lambda x: x.swapaxes(-1, -2).copy().swapaxes(-1, -2), lambda x: x.T.copy().T):
        for other in (lambda x: x, lambda x: np.broadcast_to(x[..., :1], x.shape)):
            x, y = turn(np.ones(a)), other(np.ones(b))
            assert lies_alike(stand_in(REGISTRY["matmul"], [x, y]), x @ y)


def test_stand_ins_of_what_is_gathered(monkeypatch):
    monkeypatch.setattr(stand_ins, "LARGE", 0)
    primitive, x, every = REGISTRY["gather"], np.ones((5, 6, 7)), slice(None)
    i, j = np.array([[0, 4], [-1, 2]]), np.array([3, -6])
    for f in (lambda x: x, lambda x: x.T.copy().T, lambda x: x.transpose(1, 0, 2).copy().transpose(1, 0, 2)):
        for template, arrays in (
            ((HOLE,), [i]),
            ((every, HOLE), [i]),
            ((every, every, HOLE), [j]),
            ((HOLE, HOLE), [i, j]),
            ((every, HOLE, HOLE), [j, i]),
            ((HOLE, HOLE, HOLE), [i, j, 3]),
        ):
            params = {"template": template}
            real = primitive.impl(f(x), *arrays, **params)
            assert lies_alike(stand_in(primitive, [f(x), *arrays], params), real)
        assert (
            stand_in(primitive, [f(x), np.array([5])], {"template": (HOLE,)}) is None
        )  # there is no such element
        assert stand_in(primitive, [f(x), j, j], {"template": (HOLE, every, HOLE)}) is None
        assert stand_ins.stand_in(primitive, [f(x), j], {"template": (every, HOLE)}, [True, False]) is None


def test_places_and_masks_of_large_arrays_are_not_computed(monkeypatch):
    settled = []
    settle = sketch.Sketch.settle
    monkeypatch.setattr(sketch.Sketch, "settle", lambda self: settled.append(self) or settle(self))

    def f(x, i):
        rows = 3 * i + np.arange(2)[:, None]
        seen = x[:, i]
        chosen = np.where(seen > 0, seen, -seen)
        return (
            np.concatenate([rows, rows % 7]).ravel(),
            chosen @ np.ones((seen.shape[1], 2)),
            np.sum(seen > 0, 0),
        )

    x = np.random.default_rng(0).standard_normal((3, 5))
    i = np.random.default_rng(1).integers(0, 5, 1 << 16)
    tape = fd.trace(f)(x, i)
    assert not settled
    for got, expected in zip(tape.run(x, i), f(x, i), strict=True):
        np.testing.assert_array_equal(got, expected)
    tape = fd.trace(lambda x, i: x[i // 2])(x[0], i)  # the places are a stand-in, which is looked at
    np.testing.assert_array_equal(tape.run(x[0], i), x[0][i // 2])
    i[77] = 5
    with pytest.raises(IndexError):
        fd.trace(f)(x, i)
    with pytest.raises(IndexError):
        fd.jit(f)(x, i)


def test_what_a_power_of_integers_raises_is_raised():
    i = np.ones(1 << 16, int)
    i[5] = -1
    with pytest.raises(ValueError, match="negative integer powers"):
        fd.trace(lambda i: np.full(i.shape, 2) ** i)(i)


def test_large_products_are_not_computed(monkeypatch):
    found = []
    primitive = REGISTRY["matmul"]
    function = primitive.function
    monkeypatch.setattr(
        primitive, "function", lambda *args, **params: found.append(args) or function(*args, **params)
    )
    x = np.random.default_rng(0).standard_normal((200, 200))
    tape = fd.trace(lambda x: np.sum(np.sin(x @ x.T)))(x)
    assert found == []
    np.testing.assert_allclose(tape.run(x), np.sum(np.sin(x @ x.T)), rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("copy", {}),
        ("copy", {"order": "K", "lead": 1}),
        ("copy", {"order": "C"}),
        ("reshape", {"shape": (9, 3)}),
        ("reshape", {"shape": (27,)}),
        ("concatenate", {"axis": 1}),
        ("stack", {"axis": 2}),
    ],
)
def test_stand_ins_of_copies_lie_in_memory_as_results_do(name, params):
    x = np.random.default_rng(0).standard_normal((3, 3, 3))
    primitive, found = REGISTRY[name], 0
    for f in LAYOUTS[:-3] + LAYOUTS[-1:]:
        for others in ([], [f(x)], [x.astype(int)]) if name in ("concatenate", "stack") else ([],):
            values = [f(x), *others]
            made = stand_in(primitive, values, params)
            if made is not None:
                real = primitive.impl(*values, **params)
                assert (made.shape, made.dtype, made.strides) == (real.shape, real.dtype, real.strides)
                found += 1
    if name == "reshape":
        assert stand_in(primitive, [x.T], {"shape": (5, 5)}) is None
    assert found or params.get("order") == "C" or params.get("lead")


def large(x, k):
    y = np.exp(-x) * x
    z = fd.numpy.zeros(x.shape)
    z[:] = y
    view = z[::2]
    if z[3] > 0.1:
        z[1:] = z[1:] * z[:-1]
        view[0] = x[1]
    w = np.sin(z).reshape(2, -1)
    for _ in range(3):
        w = w * 1.5 + k
        if np.sum(w) > 1000:
            w[0] = np.sqrt(w[1] ** 2)
    sides = np.stack([w, np.concatenate([w[:1], w[1:]])]).transpose(2, 0, 1).ravel()
    return np.sum(w.T.ravel() * view[0] / np.max(np.abs(w))) + np.sum(sides.copy() ** 2)


def test_large_arrays_are_stand_ins_until_asked_for():
    x = np.random.default_rng(0).uniform(0.1, 1, 1 << 16)
    for f in (
        large,
        fd.value_and_grad(large),
        lambda x, k: fd.jvp(lambda x: large(x, k), x, np.ones_like(x)),
    ):
        compiled = fd.jit(f)
        for scale, k in ((1.0, 0.1), (1e-3, 0.01), (1.0, 0.1), (-0.1, 3.0)):
            got, expected = compiled(x * scale, k), f(x * scale, k)
            for a, b in zip(flatten(got)[0], flatten(expected)[0], strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-14)


def test_the_users_arrays_may_change_while_a_program_is_recorded():
    buffer = np.ones(1 << 16)

    def f(x):
        buffer[:] = 2.0
        y = x * buffer
        buffer[:] = -1.0
        z = y + buffer
        return z if np.sum(z) > 0 else -z

    x = np.ones(1 << 16)
    np.testing.assert_array_equal(fd.trace(f)(x).run(x), x)


def test_a_large_constant_is_kept_once():
    constant = np.arange(1 << 16) * 1.0

    def f(x):
        y = x * constant + constant
        constant[-1] = 7.0
        return y - constant

    tape = fd.trace(f)(np.ones(1 << 16))
    first, second, third = (next(a.value for a in r.inputs if isinstance(a, Literal)) for r in tape.records)
    assert first is second
    assert third is not second
    assert (first[-1], third[-1]) == ((1 << 16) - 1, 7.0)
    constant[:] = 0.0
    np.testing.assert_array_equal(tape.run(np.zeros(1 << 16))[:-1], 0.0)


def test_results_are_kept_as_they_are_if_nobody_else_has_them():
    made, held = [], np.arange(1 << 16)

    def f(x):
        fresh = np.arange(1 << 16)
        made.append(fresh.__array_interface__["data"][0])
        return fresh, fresh[1:], held, np.zeros(1 << 16), 2 * x

    tape = fd.trace(lambda x: [f(x)[0]])(1.0)
    assert tape.outputs[0].value.__array_interface__["data"][0] == made[0]
    tape = fd.trace(f)(1.0)
    fresh, part, user, _, _ = (np.asarray(a.value) if isinstance(a, Literal) else a for a in tape.outputs)
    assert not any(np.shares_memory(a, b) for a, b in [(fresh, part), (user, held)])
    held[:] = -1
    np.testing.assert_array_equal(tape.run(1.0)[2], np.arange(1 << 16))


def test_cotangents_are_added_into_zeros_that_take_no_memory():
    def f(x):
        return np.sum(np.sin(x[1:]) * x[:-1]) + x[5] * x[7]

    x = np.random.default_rng(0).standard_normal(1 << 16)
    for transformed in (fd.grad(f), fd.grad(lambda x: np.sum(fd.grad(f)(x) ** 2))):
        tape = fd.trace(transformed)(x)
        zeros = [
            a.value for r in tape.records for a in r.inputs if isinstance(a, Literal) and np.size(a.value) > 9
        ]
        assert zeros
        assert not any(v.strides[0] for v in zeros)
        expected = transformed(x)
        np.testing.assert_array_equal(tape.run(x), expected)
        np.testing.assert_allclose(fd.jit(transformed)(x), expected, rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(fd.jit(transformed, backend="numpy")(x), expected, rtol=1e-12, atol=1e-15)


def test_what_is_settled_is_let_go(monkeypatch):
    alive = []
    enter = sketch.Sketch.enter

    def watching(self, *args):
        enter(self, *args)
        alive.append(sum(np.size(x) > 1 for x in self.values.values()))

    monkeypatch.setattr(sketch.Sketch, "enter", watching)

    def f(x):
        for n in range(40):
            x = np.sin(x) + 1e-3 * n
            if np.sum(x) < 0:
                return x
        return x

    fd.trace(f)(np.ones(1 << 16))
    assert max(alive) < 5


@pytest.fixture
def recorded(answered):
    """Count the steps that are recorded to be differentiated."""
    return answered(derive, "record")


def test_a_step_is_recorded_once_for_the_loops_there_and_back(recorded, runs):
    def f(x):
        return fd.scan(lambda c, _: (np.sin(c) * x, None), x, None, length=10)[0]

    for order, steps in ((1, 1), (2, 3)):  # the step, then those of the loops there and back
        recorded.clear()
        g = f
        for _ in range(order):
            g = fd.grad(g)
        fd.trace(g)(0.5)
        assert len(recorded) == steps
    assert runs == []


def test_arrays_that_nobody_touches(monkeypatch):
    monkeypatch.setattr(untouched, "RANGE", 1 << 20)
    monkeypatch.setattr(untouched, "_range", untouched._Range())
    made = [
        untouched.untouched(shape, dtype)
        for shape in ((300, 200), (1 << 16,), (0,), (9,))
        for dtype in (float, int, "c16")
    ]
    for n, x in enumerate(made):
        assert x.flags.c_contiguous
        assert x.flags.aligned
        assert x.flags.writeable
        x[...] = n
    assert [x.dtype.kind for x in made] == 4 * ["f", "i", "c"]
    assert all((x == n).all() for n, x in enumerate(made))
    if sys.platform == "linux":
        addresses = untouched._range.addresses
        assert addresses() is not None
        del made, x
        assert addresses() is None  # with the last array
