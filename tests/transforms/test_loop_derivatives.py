"""Derivatives of loops and branches: every mode and order, batches, memory, against Python and jax.lax."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import funcdiff as fd
from tests.random_expressions import Expressions
from tests.test_growth import allocated

MODES = {"f": lambda f: lambda x: fd.jvp(f, x, 1.0)[1], "r": fd.grad}


def pendulum(w):
    def step(c, x):
        a, b = c
        a = np.sin(a) * x + b
        b = b * np.cos(x) + 0.1 * a
        return (a, b), a * b

    (a, b), ys = fd.scan(step, (w, w * 2), np.array([0.5, 0.3, 0.2, 0.9]) * w)
    return a + b + np.sum(ys**2)


def counted_while(w):
    return fd.while_loop(lambda s: s[0] < 3.0, lambda s: (s[0] + 1.0, np.sin(s[1]) * w + s[1]), (0.0, w))[1]


def stopping_by_value(w):
    return fd.while_loop(lambda y: y < 5.0, lambda y: y * 1.3 + np.cos(w), w)


def buffer(w):
    def step(i, y):
        y[i] = w * y[i - 1] + np.sin(y[i - 1])
        return y

    return np.sum(fd.fori_loop(1, 5, step, fd.numpy.ones(5) * w))


def nested(w):
    def outer(c, x):
        return fd.fori_loop(0, 3, lambda i, d: d * w + np.cos(d) * x, c), c

    c, ys = fd.scan(outer, w, np.array([0.3, 0.4, 0.1]))
    return c * np.sum(ys)


def branches(w):
    small = fd.cond(w > 0, lambda x: np.exp(x) * x, lambda x: x**3, w)
    return small + fd.cond(w > 5, lambda x: np.log(x - 5), lambda x: 0 * x + w * x, w)


def branch_in_while(w):
    def body(s):
        k, x = s
        return k + 1, fd.cond(x > 1, lambda x: x / 2 * w, lambda x: np.sin(x) + w, x)

    return fd.while_loop(lambda s: s[0] < 4, body, (0, w))[1]


def while_in_scan(w):
    def step(c, _):
        inner = fd.while_loop(lambda z: z < 4.0, lambda z: z * 1.5 + w * w + 0.1, c * c)
        return inner / 8, inner

    c, ys = fd.scan(step, w, None, length=3)
    return c + np.sum(ys * ys)


def in_sections(w):
    def step(c, x):
        c = np.sin(c) * x * w + c
        return c, c * x

    c, ys = fd.scan(step, w, np.linspace(0.1, 0.9, 10), checkpoint=3)
    return c + np.sum(ys)


PROGRAMS = [
    pendulum,
    counted_while,
    stopping_by_value,
    buffer,
    nested,
    branches,
    branch_in_while,
    while_in_scan,
    in_sections,
]
SCALAR = [f for f in PROGRAMS if f is not buffer]  # whose carries are numbers
programs = pytest.mark.parametrize("f", PROGRAMS, ids=lambda f: f.__name__)


@programs
@pytest.mark.parametrize("order", [1, 2, 3])
def test_all_combinations_of_modes_agree(f, order):
    found = {}
    for combination in itertools.product("fr", repeat=order):
        g = f
        for mode in combination:
            g = MODES[mode](g)
        name = "".join(combination)
        found[name] = float(g(0.7))
        if order < 3:
            tape = fd.trace(g)(0.7)
            tape.validate()
            found[f"{name} traced"] = float(tape.run(0.7))
            np.testing.assert_allclose(tape.run(0.73), g(0.73), rtol=1e-10)
        elif name in ("rrr", "frf"):
            found[f"{name} traced"] = float(fd.trace(g)(0.7).run(0.7))
    first = next(iter(found.values()))
    for name, value in found.items():
        np.testing.assert_allclose(value, first, rtol=1e-9, err_msg=name)


@programs
def test_gradients_are_those_of_differences(f):
    fd.testing.check_grads(f, (0.7,), order=2)


@programs
def test_batches_are_the_examples_one_by_one(f):
    xs = np.array([0.7, -0.3, 1.2, 6.0])
    for g in (f, fd.grad(f), fd.grad(fd.grad(f)), MODES["f"](fd.grad(f))):
        want = [float(g(x)) for x in xs]
        with np.errstate(all="ignore"):
            for way in (fd.vmap(g), fd.vmap(fd.jit(g)), fd.jit(fd.vmap(g))):
                np.testing.assert_allclose(way(xs), want, rtol=1e-9)
    np.testing.assert_allclose(
        fd.grad(lambda x: np.sum(fd.vmap(f)(x)))(xs), fd.vmap(fd.grad(f))(xs), rtol=1e-9
    )


@programs
def test_taylor_mode_and_compiled_functions(f):
    orders = [f, fd.grad(f), fd.grad(fd.grad(f)), fd.grad(fd.grad(fd.grad(f)))]
    want = [float(g(0.7)) for g in orders]
    for g in (f, fd.jit(f)):
        value, terms = fd.jet(g, (0.7,), ((1.0, 0.0, 0.0),))
        np.testing.assert_allclose([value, *terms], want, rtol=1e-8)
        np.testing.assert_allclose(fd.grad(g)(0.7), want[1], rtol=1e-10)
        np.testing.assert_allclose(fd.grad(fd.grad(g))(0.7), want[2], rtol=1e-9)


def test_matrices_of_derivatives():
    def f(x):
        return fd.fori_loop(0, 4, lambda i, c: np.tanh(c) * x + np.roll(c, 1), x)

    x = np.array([0.3, -0.2, 0.5])
    for g in (f, lambda x: fd.trace(f)(x).run(x), fd.jit(f)):
        forward, reverse = fd.jacfwd(g)(x), fd.jacrev(g)(x)
        np.testing.assert_allclose(forward, reverse, rtol=1e-12)
        np.testing.assert_allclose(
            fd.hessian(lambda x, g=g: np.sum(g(x) ** 2))(x), fd.hessian(lambda x: np.sum(f(x) ** 2))(x)
        )
    outputs, push = fd.linearize(fd.jit(f), x)
    np.testing.assert_allclose(push(np.ones(3)), fd.jacfwd(f)(x) @ np.ones(3))
    np.testing.assert_allclose(outputs, f(x))


def test_a_pullback_is_used_more_than_once():
    tape = fd.trace(pendulum)(0.7)
    _, pull = fd.pullback(tape.run, 0.7)
    assert pull(1.0) == pull(1.0)
    np.testing.assert_allclose(pull(2.0)[0], 2 * fd.grad(pendulum)(0.7))


def test_zero_stays_zero_in_the_branch_not_taken():
    def f(x):
        return fd.cond(x > 0, lambda x: np.sqrt(x) * np.log(x), lambda x: 0.0 * x, x)

    xs = np.array([0.0, 4.0, -1.0])
    with np.errstate(all="raise"):
        got = fd.vmap(fd.grad(f))(xs)
    np.testing.assert_allclose(got, [0.0, np.log(4) / 4 + 0.5, 0.0])
    np.testing.assert_array_equal(fd.jit(fd.vmap(fd.grad(f)))(xs), got)


def test_examples_that_have_stopped_stay_where_they_are():
    def f(x):  # log(2 - y) is not defined where an example that goes on too long would come
        return fd.while_loop(lambda y: y < 1.0, lambda y: y - np.log(2 - y) + x, x)

    xs = np.array([0.9, 0.7, 0.75, 1.5])
    want = [float(f(x)) for x in xs]
    np.testing.assert_allclose(fd.vmap(f)(xs), want)
    np.testing.assert_allclose(fd.vmap(fd.grad(f))(xs), [float(fd.grad(f)(x)) for x in xs])
    assert np.isfinite(fd.vmap(fd.grad(f))(xs)).all()


def test_batched_and_shared_operands():
    def f(c, w, xs):
        def step(c, x):
            c = np.tanh(w @ c) + x
            return c, (c[0], x)

        return fd.scan(step, c, xs)

    rng = np.random.default_rng(0)
    c, w, xs = rng.standard_normal((3, 2)), rng.standard_normal((2, 2)), rng.standard_normal((4, 2))
    for axes in ((0, None, None), (None, None, 1), (0, None, 1), (None, 0, None)):
        args = [
            np.stack([a] * 3, n) if n is not None and a is not c else a
            for a, n in zip((c, w, xs), axes, strict=True)
        ]
        args[0] = c if axes[0] == 0 else c[0]
        mapped = fd.vmap(f, axes)
        for g in (mapped, fd.jit(mapped), lambda *a, f=mapped: fd.trace(f)(*a).run(*a)):
            last, (heads, same) = g(*args)
            for n in range(3):
                one = f(c[n if axes[0] == 0 else 0], w, xs)
                np.testing.assert_allclose(last[n], one[0])
                np.testing.assert_allclose(heads[n], one[1][0])
                np.testing.assert_allclose(same[n], xs)


def test_what_is_not_differentiable_is_carried_along():
    def f(x):
        def step(state, v):
            total, count, seen = state
            return (total + v * x, count + 1, seen | (v > 2)), (count, total)

        (total, count, seen), (counts, totals) = fd.scan(step, (0.0, 0, False), np.array([1.0, 2.0, 3.0]))
        return total * count + totals[1] + 0 * counts[0], seen

    for way in (lambda f: f, fd.jit):
        gradient, seen = way(fd.grad(f, has_aux=True))(2.0)
        assert gradient == 19.0
        assert seen


def test_dtypes_are_kept():
    def f(x):
        return np.sum(fd.fori_loop(0, 3, lambda i, c: np.sin(c) * x, x))

    x = np.ones(2, np.float32)
    for way in (lambda f: f, fd.jit, lambda f: lambda x: fd.trace(f)(x).run(x)):
        assert way(fd.grad(f))(x).dtype == np.float32
        assert way(fd.hessian(f))(x).dtype == np.float32


def test_large_constants_in_bodies():
    a = np.random.default_rng(0).standard_normal((40, 40)) / 8
    index = np.arange(1600) % 40

    def f(x):
        def step(c, _):
            c = np.sin(c @ a) + np.sum(np.sin(c)[index]) / 1600
            return c, np.sum(c)

        c, ys = fd.scan(step, x, None, length=3)
        return np.sum(c * c) + np.sum(ys)

    x = np.linspace(0.1, 1, 40)
    for g in (fd.grad(f), lambda x: fd.jvp(fd.grad(f), x, x)[1]):
        want = g(x)
        np.testing.assert_allclose(fd.trace(g)(x).run(x), want)
        np.testing.assert_allclose(fd.jit(g)(x), want)


# --- memory --------------------------------------------------------------------------------------------


def bytes_of(n, run):
    x = np.linspace(0.1, 0.2, n)
    run(x)
    return allocated(run, x)


def recurrence(x):
    def step(i, y):
        y[i] = x[i] * y[i - 1] + 1.0
        return y

    return np.sum(fd.fori_loop(1, len(x), step, x * 1.0))


@pytest.mark.parametrize("way", ["at once", "replayed", "compiled"])
@pytest.mark.parametrize("transform", ["value", "gradient", "second derivative"])
def test_filling_a_buffer_costs_linear_bytes(way, transform):
    f = {
        "value": recurrence,
        "gradient": fd.grad(recurrence),
        "second derivative": lambda x: fd.jvp(fd.grad(recurrence), x, x)[1],
    }[transform]

    def run(n):
        x = np.linspace(0.1, 0.2, n)
        call = {"at once": lambda: f, "replayed": lambda: fd.trace(f)(x).run, "compiled": lambda: fd.jit(f)}[
            way
        ]()
        return bytes_of(n, call)

    small, large = run(200), run(400)
    assert large < 2.4 * small + 20_000


def test_checkpoints_keep_fewer_states():
    def peak(checkpoint):
        import tracemalloc

        def f(x):
            return np.sum(
                fd.scan(lambda c, _: (np.sin(c) + c * x, None), x, None, length=200, checkpoint=checkpoint)[0]
            )

        tape = fd.trace(fd.grad(f))(np.ones(2000))
        tracemalloc.start()
        tape.run(np.ones(2000))
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size

    assert peak(15) < peak(None) / 4


# --- against others --------------------------------------------------------------------------------------


def test_against_jax():
    jax = pytest.importorskip("jax")
    jax.config.update("jax_enable_x64", True)
    jnp, lax = jax.numpy, jax.lax
    rng = np.random.default_rng(3)
    w, xs, c = rng.standard_normal((3, 3)), rng.standard_normal((5, 3)), rng.standard_normal(3)

    def of(np_, scan, cond, fori):
        def f(w, c, xs):
            def step(c, x):
                new = np_.tanh(w @ c + x)
                new = cond(np_.sum(new) > 0, lambda v: v * 2, lambda v: np_.sin(v), new)
                return new, (c[0], fori(0, 3, lambda i, d: d * new[1] + i, new[2]))

            last, (heads, tails) = scan(step, c, xs, reverse=True)
            return np_.sum(last**2) + heads @ tails

        return f

    ours = of(np, fd.scan, fd.cond, fd.fori_loop)
    theirs = of(jnp, lax.scan, lax.cond, lax.fori_loop)
    np.testing.assert_allclose(ours(w, c, xs), theirs(w, c, xs), rtol=1e-12)
    want = jax.grad(theirs, (0, 1, 2))(w, c, xs)
    hessian = jax.hessian(theirs, 1)(w, c, xs)
    for way in (lambda f: f, fd.jit):
        for got, expected in zip(way(fd.grad(ours, (0, 1, 2)))(w, c, xs), want, strict=True):
            np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(way(fd.hessian(ours, 1))(w, c, xs), hessian, rtol=1e-9, atol=1e-11)
    batch = rng.standard_normal((4, 3))
    np.testing.assert_allclose(
        fd.vmap(ours, (None, 0, None))(w, batch, xs), jax.vmap(theirs, (None, 0, None))(w, batch, xs)
    )


def test_while_against_jax_in_forward_mode():
    jax = pytest.importorskip("jax")
    jax.config.update("jax_enable_x64", True)

    def of(np_, while_loop):
        return lambda x: while_loop(
            lambda s: s[0] < 3.0, lambda s: (s[0] * 1.3 + s[1], np_.sin(s[1])), (x, x)
        )[0]

    ours, theirs = of(np, fd.while_loop), of(jax.numpy, jax.lax.while_loop)
    xs = np.array([0.3, 0.9, 4.0, 0.05])
    np.testing.assert_allclose(fd.vmap(ours)(xs), jax.vmap(theirs)(xs))
    want = jax.vmap(jax.jacfwd(theirs))(xs)
    for derivative in (fd.jacfwd, fd.jacrev, fd.grad):
        np.testing.assert_allclose(fd.vmap(derivative(ours))(xs), want)
        np.testing.assert_allclose(fd.jit(fd.vmap(derivative(ours)))(xs), want)


# --- random programs with loops -----------------------------------------------------------------------------

UNARY = [np.sin, np.tanh, lambda v: 0.3 * v, lambda v: v * v / 4, np.arctan]
BINARY = [
    np.add,
    np.multiply,
    np.subtract,
    lambda a, b: a * np.cos(b),
    lambda a, b: np.where(a > b, a, b / 2),
]

expressions = Expressions(UNARY, BINARY, most_names=4, most_leaves=5)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(expressions.strategy, min_size=2, max_size=4),
    st.sampled_from(["scan", "reverse", "fori", "while", "cond", "inner"]),
    st.integers(0, 4),
    st.sampled_from(["r", "f", "rr", "fr"]),
)
def test_random_loops_are_their_python_loops(bodies, form, steps, modes):
    xs = np.array([0.3, -0.7, 1.1, 0.2])[:steps]

    def one(carry, x, w):
        return tuple(
            np.tanh(expressions.value(e, [*carry, x, w])) + 0 * c for e, c in zip(bodies, carry, strict=True)
        )

    def plain(w):
        carry, ys = (w,) * len(bodies), 0.0
        for x in xs[::-1] if form == "reverse" else xs:
            for _ in range(2 if form == "inner" else 1):
                carry = (
                    one(carry, x if form in ("scan", "reverse", "inner") else 0.5, w)
                    if form != "cond" or carry[0] > 0
                    else tuple(c / 2 for c in carry)
                )
            ys = ys + carry[0] * carry[-1]
        return sum(carry) + (ys if form in ("scan", "reverse", "inner") else 0.0)

    def loop(w):
        start = (w,) * len(bodies)

        def step(carry, x):
            carry = (
                fd.fori_loop(0, 2, lambda i, c: one(c, x, w), carry) if form == "inner" else one(carry, x, w)
            )
            return carry, carry[0] * carry[-1]

        if form in ("scan", "reverse", "inner"):
            carry, ys = fd.scan(step, start, xs, reverse=form == "reverse")
            return sum(carry) + np.sum(ys)
        if form == "fori":
            return sum(fd.fori_loop(0, steps, lambda i, c: one(c, 0.5, w), start))
        if form == "while":
            return sum(
                fd.while_loop(lambda s: s[0] < steps, lambda s: (s[0] + 1, one(s[1], 0.5, w)), (0, start))[1]
            )

        def either(i, c):
            return fd.cond(c[0] > 0, lambda c: one(c, 0.5, w), lambda c: tuple(v / 2 for v in c), c)

        return sum(fd.fori_loop(0, steps, either, start))

    ours, theirs = loop, plain
    for mode in modes:
        ours, theirs = MODES[mode](ours), MODES[mode](theirs)
    w = 0.61
    want = theirs(w)
    np.testing.assert_allclose(ours(w), want, rtol=1e-10, atol=1e-12)
    tape = fd.trace(ours)(w)
    tape.validate()
    np.testing.assert_allclose(tape.run(w), want, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(
        fd.vmap(ours)(np.array([w, w / 2])), [want, theirs(w / 2)], rtol=1e-10, atol=1e-12
    )


def test_linearize_of_loops_and_branches_in_a_recorded_program():
    def f(x):
        y = fd.fori_loop(0, 3, lambda i, y: np.sin(y) * x, x)
        return fd.cond(y > 0, lambda y: y * x, lambda y: y / x, y)

    def linear(x):
        push = fd.linearize(f, x)[1]
        return push(1.0) + push(2.0) * x

    expected = 0.7 * 2 * fd.grad(f)(0.7) + fd.grad(f)(0.7)
    for run in (linear, fd.trace(linear)(0.7).run, fd.jit(linear)):
        np.testing.assert_allclose(run(0.7), expected, rtol=1e-13)


def softplus_of(inner):
    """Return softplus with rules of its own, which call `inner` of the function itself."""

    @fd.custom_vjp
    def g(x):
        return np.log1p(np.exp(x))

    g.defvjp(lambda x: (inner(g, x), x), lambda x, c: (c / (1 + np.exp(-inner(lambda x: x, x))),))
    return g


INNER = {
    "itself": lambda g, x: g(x),
    "branch": lambda g, x: fd.cond(x > 50.0, lambda x: x, g, x),
    "loop": lambda g, x: fd.fori_loop(0, 1, lambda i, y: g(y), x),
}
RULED_LOOPS = {
    "fori": lambda g, x: fd.fori_loop(0, 4, lambda i, c: g(c) * x, x),
    "scan": lambda g, x: fd.scan(lambda c, a: (g(c) * x + a, g(c * a)), x, np.arange(4) / 4)[0],
    "collected": lambda g, x: np.sum(fd.scan(lambda c, a: (g(c) * x, g(c * a)), x, np.arange(4) / 4)[1]),
    "two": lambda g, x: fd.fori_loop(0, 4, lambda i, c: (g(c[0]) * x, g(c[1]) * c[0]), (x, x * x))[0],
    "while": lambda g, x: fd.while_loop(
        lambda s: s[0] < 4, lambda s: (s[0] + 1, g(s[1]) * x, g(s[1]) * s[2]), (0, x, x)
    )[1],
}


@pytest.mark.parametrize("inner", INNER)
@pytest.mark.parametrize("loop", RULED_LOOPS)
def test_rules_of_the_users_own_may_call_their_function(loop, inner):
    g = softplus_of(INNER[inner])
    slope = fd.grad(lambda x: RULED_LOOPS[loop](g, x))
    plain = fd.grad(lambda x: RULED_LOOPS[loop](lambda x: np.log1p(np.exp(x)), x))
    want = plain(0.8)
    np.testing.assert_allclose(slope(0.8), want, rtol=1e-12)
    np.testing.assert_allclose(fd.trace(slope)(0.8).run(0.8), want, rtol=1e-12)
    np.testing.assert_allclose(fd.jit(slope)(0.8), want, rtol=1e-12)
    np.testing.assert_allclose(fd.grad(fd.jit(lambda x: RULED_LOOPS[loop](g, x)))(0.8), want, rtol=1e-12)
    np.testing.assert_allclose(fd.vmap(slope)(np.array([0.8, 0.3])), [want, plain(0.3)], rtol=1e-12)
    np.testing.assert_allclose(fd.jit(fd.grad(slope))(0.8), fd.grad(plain)(0.8), rtol=1e-10)


@pytest.mark.parametrize("inner", ["branch", "loop"])
def test_only_what_depends_on_what_moves_has_tangents(inner):
    def moving(a):
        def step(s):
            x, y = s
            if inner == "branch":
                return fd.cond(x > 2, lambda x, y: (x * 2, a * y), lambda x, y: (x + 1, y * a), x, y)
            return fd.fori_loop(0, 2, lambda _, s: (s[0] + 1, s[1] * a), (x, y))

        return fd.while_loop(lambda s: s[0] < 3, step, (0.5, 0.3))

    tape = fd.trace(lambda a: fd.jvp(moving, a, 1.0))(2.0)
    (loop,) = (r for r in tape.records if r.primitive.name == "loop")
    assert loop.params["carries"] == 3  # x, y and the tangent of y
    assert len(loop.params["body"].records[-1].outputs) == 3
    assert fd.grad(lambda a: moving(a)[0])(2.0) == 0
    n = 3 if inner == "branch" else 4
    assert fd.grad(lambda a: moving(a)[1])(2.0) == pytest.approx(0.3 * n * 2.0 ** (n - 1))


def test_branches_of_which_nothing_moves_are_constants():
    """Their operands may move all the same, as in the second derivative of what is linear."""

    def f(x):
        def either(i, c):
            return fd.cond(c[0] > 0, lambda c: (c[0] * 3.0, c[1]), lambda c: (c[0], c[1] / 2), c)

        return sum(fd.fori_loop(0, 2, either, (x, x)))

    xs = np.array([0.4, -0.3])
    np.testing.assert_array_equal(fd.vmap(fd.grad(f))(xs), [10.0, 1.25])
    np.testing.assert_array_equal(fd.vmap(fd.grad(fd.grad(f)))(xs), [0.0, 0.0])
    np.testing.assert_array_equal(fd.trace(fd.vmap(fd.grad(fd.grad(f))))(xs).run(xs), [0.0, 0.0])


def turned(x, angles):
    def step(c, a):
        return (np.cos(a) * c[0] - np.sin(a) * c[1], np.sin(a) * c[0] + np.cos(a) * c[1]), c[0]

    return fd.scan(step, (x[0], x[1]), angles)


@pytest.mark.parametrize("compiled", [fd.trace, fd.jit])
def test_loops_and_branches_that_are_linear_are_transposed(compiled):
    x, angles, g = np.array([1.0, 2.0]), np.linspace(0, 1, 5), np.arange(5.0)

    def transposed(g, angles):
        return fd.linear_transpose(lambda x: turned(x, angles), x)(((1.0, 2.0), g))[0]

    def chosen(g, p):
        return fd.linear_transpose(lambda x: fd.cond(p > 0, lambda c: 3 * c, lambda c: c / 2, x), 1.0)(g)[0]

    def grown(g, end):  # how often is not asked of x
        def step(c):
            return c[0] * 2 + 1, c[1] * 3

        return fd.linear_transpose(lambda x: fd.while_loop(lambda c: c[0] < end, step, (0.0, x))[1], 1.0)(g)[
            0
        ]

    for f, args in (
        (transposed, (g, angles)),
        (chosen, (1.0, 1.0)),
        (chosen, (1.0, -1.0)),
        (grown, (2.0, 5.0)),
    ):
        run = compiled(f)(*args)
        found = run.run(*args) if compiled is fd.trace else run
        np.testing.assert_allclose(found, f(*args), rtol=1e-12)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: fd.fori_loop(0, 3, lambda i, c: c * c, x),
        lambda x: 2 * x + fd.fori_loop(0, 2, lambda i, c: np.floor(c), x),
        lambda x: fd.while_loop(lambda c: c < -1, lambda c: c * 3, x),
        lambda x: fd.cond(x > 1, lambda c: c * 3, lambda c: c, x),
        lambda x: fd.fori_loop(0, 3, lambda i, c: c + 1, x),
    ],
)
def test_loops_and_branches_that_are_not_linear_are_refused(f):
    for run in (lambda g: fd.linear_transpose(f, 1.0)(g), fd.jit(lambda g: fd.linear_transpose(f, 1.0)(g))):
        with pytest.raises(fd.errors.OutputError, match="not linear"):
            run(3.0)
