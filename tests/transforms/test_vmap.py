"""`vmap` against a loop: axes, containers, chunks, nesting, writes, and other transforms inside."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import funcdiff as fd

RNG = np.random.default_rng(7)
B = 4
XS = RNG.normal(size=(B, 3))
YS = RNG.normal(size=(B, 3))
MATRICES = RNG.normal(size=(B, 3, 3)) + 3 * np.eye(3)


def loop(f, *batches):
    """`f` over the leading axis, one example at a time."""
    return np.stack([np.asarray(f(*example)) for example in zip(*batches, strict=True)])


def written(x):
    y = np.zeros_like(x)
    y[0] = x[1]
    y[1:] = np.sin(x[:-1])
    y += 2 * x
    return y


def filled(x):
    y = np.zeros(4, like=x)
    for i in range(3):
        y[i] = x[i] * x[i - 1]
    y[-1] = np.sum(y[:3])
    return y


UNARY = {
    "exp": np.exp,
    "polynomial": lambda x: 3 * x**2 - x + 1,
    "sum": np.sum,
    "sum_keepdims": lambda x: np.sum(x, axis=0, keepdims=True),
    "norm": np.linalg.norm,
    "max": np.max,
    "argmax": np.argmax,
    "sort": np.sort,
    "cumsum": np.cumsum,
    "outer": lambda x: np.outer(x, x),
    "dot": lambda x: np.dot(x, x),
    "index": lambda x: x[1],
    "negative_index": lambda x: x[-1] * x,
    "slice": lambda x: x[::-1][:2],
    "fancy": lambda x: x[[2, 0, 0]],
    "newaxis": lambda x: x[None, :, None],
    "mask": lambda x: np.where(x > 0, x, -0.1 * x),
    "reshape": lambda x: np.reshape(x, (3, 1)),
    "flat": lambda x: np.reshape(np.outer(x, x), -1),
    "transpose": lambda x: np.outer(x, x**2).T,
    "concatenate": lambda x: np.concatenate([x, x[:1], np.ones(2)]),
    "stack": lambda x: np.stack([x, np.arange(3.0)], axis=1),
    "broadcast": lambda x: np.broadcast_to(x, (2, 3)) + np.arange(2.0)[:, None],
    "einsum": lambda x: np.einsum("i,j->ji", x, x),
    "constant": lambda x: np.arange(2.0),
    "written": written,
    "clip": lambda x: np.clip(x, -0.5, 0.5),
}


@pytest.mark.parametrize("name", UNARY)
def test_is_a_loop(name):
    f = UNARY[name]
    if name == "constant":
        expected = np.stack([f(x) for x in XS])
    else:
        expected = loop(f, XS)
    result = fd.vmap(f)(XS)
    assert result.shape == expected.shape
    assert result.dtype == expected.dtype
    assert_allclose(result, expected, rtol=1e-13)


def test_filling_a_buffer_is_a_loop():
    expected = loop(lambda x: [*(x * np.roll(x, 1)), np.sum(x * np.roll(x, 1))], XS)
    assert_allclose(fd.vmap(filled)(XS), expected, rtol=1e-13)


LINALG = {
    "solve": lambda a: np.linalg.solve(a, np.ones(3)),
    "inv": np.linalg.inv,
    "det": np.linalg.det,
    "slogdet": lambda a: np.linalg.slogdet(a)[1],
    "cholesky": lambda a: np.linalg.cholesky(a @ a.T),
    "eigvalsh": lambda a: np.linalg.eigvalsh(a + a.T),
    "qr": lambda a: np.linalg.qr(a)[1],
    "svd": lambda a: np.linalg.svd(a, compute_uv=False),
    "trace": np.trace,
    "diagonal": np.diag,
    "matmul": lambda a: a @ a,
    "frobenius": np.linalg.norm,
}


@pytest.mark.parametrize("name", LINALG)
def test_linear_algebra_is_a_loop(name):
    f = LINALG[name]
    assert_allclose(fd.vmap(f)(MATRICES), loop(f, MATRICES), rtol=1e-11, atol=1e-12)


BINARY = {
    "add": np.add,
    "multiply": lambda x, y: x * y,
    "power": lambda x, y: np.abs(x) ** y,
    "dot": np.dot,
    "outer": np.outer,
    "outer_of_scalar": lambda x, y: x * np.sum(y),
    "where": lambda x, y: np.where(x > y, x, y),
    "stack": lambda x, y: np.stack([x, y]),
    "take_by_value": lambda x, y: np.take(x, np.argmax(y)),
}


@pytest.mark.parametrize("name", BINARY)
def test_two_batches(name):
    f = BINARY[name]
    assert_allclose(fd.vmap(f)(XS, YS), loop(f, XS, YS), rtol=1e-13)


@pytest.mark.parametrize("name", BINARY)
def test_one_batched_argument(name):
    f = BINARY[name]
    expected = np.stack([np.asarray(f(x, YS[0])) for x in XS])
    assert_allclose(fd.vmap(f, in_axes=(0, None))(XS, YS[0]), expected, rtol=1e-13)
    expected = np.stack([np.asarray(f(XS[0], y)) for y in YS])
    assert_allclose(fd.vmap(f, in_axes=(None, 0))(XS[0], YS), expected, rtol=1e-13)


def test_ranks_are_aligned_as_for_one_example():
    """A batched scalar against an unbatched vector, and vectors against matrices."""
    scalars = XS[:, 0]
    assert_allclose(fd.vmap(lambda s: s * np.arange(3.0))(scalars), scalars[:, None] * np.arange(3.0))
    result = fd.vmap(lambda x, a: x + a)(XS, MATRICES)
    assert_allclose(result, XS[:, None, :] + MATRICES)


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2, -3])
def test_in_axes(axis):
    batch = np.moveaxis(MATRICES, 0, axis)
    assert_allclose(fd.vmap(np.linalg.det, in_axes=axis)(batch), np.linalg.det(MATRICES))


def test_in_axes_per_argument():
    result = fd.vmap(lambda x, a, y: a @ x + y, in_axes=(1, 0, None))(XS.T, MATRICES, YS[0])
    expected = np.einsum("bij,bj->bi", MATRICES, XS) + YS[0]
    assert_allclose(result, expected, rtol=1e-13)


def test_in_axes_as_a_list():
    result = fd.vmap(lambda x, y: x * y, in_axes=[0, None])(XS, YS[0])
    assert_allclose(result, XS * YS[0])


def test_in_axes_tree():
    parameters = {"a": MATRICES, "b": YS[0]}
    result = fd.vmap(lambda p, x: p["a"] @ x + p["b"], in_axes=({"a": 0, "b": None}, 0))(parameters, XS)
    assert_allclose(result, np.einsum("bij,bj->bi", MATRICES, XS) + YS[0], rtol=1e-13)


def test_in_axes_prefix_covers_a_container():
    result = fd.vmap(lambda pair: pair[0] * pair[1])((XS, YS))
    assert_allclose(result, XS * YS)
    result = fd.vmap(lambda pair, s: pair[0] * pair[1] * s, in_axes=(1, None))((XS.T, YS.T), 2.0)
    assert_allclose(result, 2 * XS * YS)


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2, -3])
def test_out_axes(axis):
    result = fd.vmap(lambda x: np.outer(x, x), out_axes=axis)(XS)
    assert_allclose(result, np.moveaxis(np.einsum("bi,bj->bij", XS, XS), 0, axis))


def test_out_axes_tree():
    doubled, total = fd.vmap(lambda x: (2 * x, np.sum(x)), out_axes=(1, 0))(XS)
    assert_allclose(doubled, 2 * XS.T)
    assert_allclose(total, XS.sum(1))
    result = fd.vmap(lambda x: {"a": x, "b": x}, out_axes={"a": 0, "b": 1})(XS)
    assert_allclose(result["a"], XS)
    assert_allclose(result["b"], XS.T)


def test_out_axes_none_for_an_unbatched_output():
    mapped, shared = fd.vmap(lambda x, y: (x * y, y + 1.0), in_axes=(0, None), out_axes=(0, None))(XS, YS[0])
    assert_allclose(mapped, XS * YS[0])
    assert_allclose(shared, YS[0] + 1)


def test_containers_in_and_out():
    result = fd.vmap(lambda p: {"sum": p["x"] + p["y"], "list": [p["x"][0], 1.0]})({"x": XS, "y": YS})
    assert_allclose(result["sum"], XS + YS)
    assert_allclose(result["list"][0], XS[:, 0])
    assert_allclose(result["list"][1], np.ones(B))


@pytest.mark.parametrize("chunk_size", [1, 2, 3, 4, 100, None])
def test_chunks_do_not_change_the_result(chunk_size):
    result = fd.vmap(np.linalg.inv, chunk_size=chunk_size)(MATRICES)
    assert_allclose(result, np.linalg.inv(MATRICES), rtol=1e-12)
    result = fd.vmap(lambda x: (x, x[0]), out_axes=(1, 0), chunk_size=chunk_size)(XS)
    assert_array_equal(result[0], XS.T)
    assert_array_equal(result[1], XS[:, 0])


def test_keyword_arguments_are_mapped_over_their_leading_axis():
    """As `jax.vmap` does."""
    result = fd.vmap(lambda x, *, y: x * y)(XS, y=YS)
    assert_allclose(result, XS * YS)


def test_function_is_called_once():
    calls = []
    fd.vmap(lambda x: calls.append(1) or x)(XS)
    assert len(calls) == 1


def test_shape_seen_inside_is_that_of_one_example():
    seen = []

    def f(a):
        y = a[1:]
        seen.append((a.shape, a.ndim, len(a), a.size, y.shape, np.shape(a), np.ndim(a), a.T.shape))
        return a

    fd.vmap(f)(np.zeros((5, 3, 2)))
    assert seen == [((3, 2), 2, 3, 6, (2, 2), (3, 2), 2, (2, 3))]


def test_nested():
    result = fd.vmap(fd.vmap(lambda x, y: x * np.exp(y), in_axes=(None, 0)), in_axes=(0, None))(
        XS[:, 0], YS[:, 1]
    )
    assert_allclose(result, np.outer(XS[:, 0], np.exp(YS[:, 1])), rtol=1e-14)


def test_nested_three_levels_over_different_axes():
    cube = RNG.normal(size=(2, 3, 4, 5))
    inner = fd.vmap(lambda v: np.sum(v**2), in_axes=1)
    result = fd.vmap(fd.vmap(inner, in_axes=0))(cube)
    assert_allclose(result, np.sum(cube**2, axis=2), rtol=1e-13)


def test_nested_writes():
    def f(x, y):
        z = np.zeros(2, like=y)
        z[0] = x
        z[1] = y * x
        return z

    result = fd.vmap(fd.vmap(f, in_axes=(None, 0)), in_axes=(0, None))(XS[:, 0], YS[:, 0])
    expected = np.stack(
        [np.stack([[x, y * x] for y in YS[:, 0]]) for x in XS[:, 0]],
    )
    assert_allclose(result, expected, rtol=1e-14)


def test_batched_value_written_into_an_unbatched_buffer():
    def f(x):
        buffer = fd.numpy.zeros(3)
        buffer[1] = x
        return buffer

    result = fd.vmap(f)(np.array([1.0, 2.0]))
    assert_array_equal(result, [[0, 1, 0], [0, 2, 0]])


def gather(table, i):
    return fd.numpy.take(table, i) ** 2


def test_mapped_index_into_a_shared_table():
    index = np.array([0, 0, 2])
    table = XS[0]
    assert_allclose(fd.vmap(gather, in_axes=(None, 0))(table, index), table[index] ** 2)
    assert_allclose(fd.vmap(lambda i: gather(table, i))(index), table[index] ** 2)
    gradient = fd.grad(lambda t: np.sum(fd.vmap(lambda i: t[i] ** 2)(index)))(table)
    assert_allclose(gradient, 2 * table * [2.0, 0.0, 1.0])


def place_first(x):
    y = x * 1.0
    y[np.argmax(x)] = x[0] ** 2
    return y


def scatter_by_rank(x):
    y = np.zeros(3, like=x)
    y[np.argsort(x)] = x**2
    return y


def add_by_rank(x):
    y = np.zeros(3, like=x)
    np.add.at(y, np.argsort(x), x**2)
    return y


@pytest.mark.parametrize("f", [place_first, scatter_by_rank, add_by_rank])
def test_write_at_a_mapped_index(f):
    assert_allclose(fd.vmap(f)(XS), loop(f, XS), rtol=1e-13)
    assert_allclose(fd.vmap(fd.jacfwd(f))(XS), loop(fd.jacfwd(f), XS), rtol=1e-13)
    assert_allclose(fd.vmap(fd.jacrev(f))(XS), loop(fd.jacfwd(f), XS), rtol=1e-13)
    total = lambda x: np.sum(f(x))  # noqa: E731
    assert_allclose(fd.vmap(fd.grad(total))(XS), loop(fd.grad(total), XS), rtol=1e-13)
    gradient = fd.grad(lambda xs: np.sum(fd.vmap(f)(xs)))(XS)
    assert_allclose(gradient, loop(fd.grad(total), XS), rtol=1e-13)
    assert_allclose(fd.vmap(fd.hessian(total))(XS), loop(fd.hessian(total), XS), rtol=1e-13)


# --- with derivatives -----------------------------------------------------------------------------------


def energy(x):
    return np.sum(np.sin(x) * np.roll(x, 1)) + np.prod(x)


def test_vmap_of_grad_is_per_example_gradients():
    assert_allclose(fd.vmap(fd.grad(energy))(XS), loop(fd.grad(energy), XS), rtol=1e-12)


def test_per_example_gradients_of_shared_parameters():
    w = RNG.normal(size=3)

    def loss(w, x, y):
        return (np.dot(w, x) - y) ** 2

    result = fd.vmap(fd.grad(loss), in_axes=(None, 0, 0))(w, XS, YS[:, 0])
    assert_allclose(result, (2 * (XS @ w - YS[:, 0]))[:, None] * XS, rtol=1e-12)


def test_grad_of_vmap():
    gradient = fd.grad(lambda xs: np.sum(fd.vmap(energy)(xs)))(XS)
    assert_allclose(gradient, loop(fd.grad(energy), XS), rtol=1e-12)


def test_jvp_of_vmap():
    _, result = fd.jvp(fd.vmap(energy), XS, YS)
    assert_allclose(result, np.sum(loop(fd.grad(energy), XS) * YS, axis=1), rtol=1e-12)


def test_vmap_of_jvp():
    result = fd.vmap(lambda x, v: fd.jvp(energy, x, v)[1])(XS, YS)
    assert_allclose(result, np.sum(loop(fd.grad(energy), XS) * YS, axis=1), rtol=1e-12)


def test_vmap_of_hessian_and_jacobian():
    assert_allclose(fd.vmap(fd.hessian(energy))(XS), loop(fd.hessian(energy), XS), rtol=1e-12)
    assert_allclose(fd.vmap(fd.jacrev(written))(XS), loop(fd.jacrev(written), XS), rtol=1e-12)
    assert_allclose(fd.vmap(fd.jacfwd(written))(XS), loop(fd.jacfwd(written), XS), rtol=1e-12)


def test_jacobian_of_vmap():
    result = fd.jacobian(fd.vmap(written))(XS)
    expected = np.zeros((B, 3, B, 3))
    for b in range(B):
        expected[b, :, b, :] = fd.jacobian(written)(XS[b])
    assert_allclose(result, expected, rtol=1e-12)


def test_captured_values_of_an_outer_transform():
    def f(scale):
        return np.sum(fd.vmap(lambda x: x * scale)(XS) ** 2)

    assert_allclose(fd.grad(f)(1.5), 3.0 * np.sum(XS**2), rtol=1e-13)


def test_zero_stays_zero_per_example():
    xs = np.array([-1.0, 0.0, 4.0])
    result = fd.vmap(fd.grad(lambda x: np.where(x > 0, np.sqrt(np.abs(x)), 0.0)))(xs)
    assert_allclose(result, [0.0, 0.0, 0.25])


@pytest.mark.parametrize("size", [1, 0])
def test_batches_of_one_and_none(size):
    result = fd.vmap(lambda x: np.sum(x**2))(XS[:size])
    assert result.shape == (size,)
    assert_allclose(result, np.sum(XS[:size] ** 2, axis=1))
