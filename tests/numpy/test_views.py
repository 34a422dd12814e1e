"""In-place programs through views agree with NumPy's, whatever the memory layout."""

import numpy as np
import pytest

import funcdiff as fd
from tests.numpy.checks import A, case, is_traced, run

MAYBE_VIEWS = {
    "reshape": lambda y: y.reshape(2, 6),
    "reshape F": lambda y: y.reshape(2, 6, order="F"),
    "reshape of T": lambda y: y.T.reshape(-1),
    "reshape F of T": lambda y: y.T.reshape(6, 2, order="F"),
    "reshape of columns": lambda y: y[:, 1:3].reshape(3, 2, 1),
    "reshape of columns, flat": lambda y: y[:, 1:3].reshape(6),
    "reshape of a column": lambda y: y[:, 1].reshape(3, 1),
    "reshape of rows of T": lambda y: y.T[1:].reshape(9),
    "ravel": lambda y: y.ravel(),
    "ravel of T": lambda y: y.T.ravel(),
    "ravel F": lambda y: y.ravel("F"),
    "ravel K": lambda y: y.T.ravel("K"),
    "ravel A": lambda y: y.T.ravel("A"),
    "ravel of a row": lambda y: y[1].ravel(),
    "ravel of a column": lambda y: y[:, 1].ravel(),
    "flatten": lambda y: y.flatten(),
    "T": lambda y: y.T,
    "T twice": lambda y: y.T.T,
    "mT": lambda y: y.mT,
    "swapaxes": lambda y: y.swapaxes(0, 1),
    "moveaxis": lambda y: np.moveaxis(y, 0, 1),
    "rollaxis": lambda y: np.rollaxis(y, 1),
    "permute_dims": lambda y: np.permute_dims(y, (1, 0)),
    "squeeze": lambda y: y[None].squeeze(),
    "squeeze of nothing": lambda y: y.squeeze(),
    "squeeze an axis": lambda y: y.reshape(3, 1, 4).squeeze(1),
    "expand_dims": lambda y: np.expand_dims(y, 1),
    "flip": lambda y: np.flip(y, 1),
    "flip all": lambda y: np.flip(y),
    "rot90": lambda y: np.rot90(y),
    "rot180": lambda y: np.rot90(y, 2),
    "rot270": lambda y: np.rot90(y, 3),
    "rot360": lambda y: np.rot90(y, 4),
    "split": lambda y: np.split(y, 2, axis=1)[1],
    "vsplit": lambda y: np.vsplit(y, 3)[1],
    "hsplit": lambda y: np.hsplit(y, 2)[0],
    "unstack": lambda y: np.unstack(y, axis=1)[2],
    "atleast_1d": lambda y: np.atleast_1d(y),
    "atleast_2d": lambda y: np.atleast_2d(y[1]),
    "atleast_3d": lambda y: np.atleast_3d(y),
    "real": lambda y: y.real,
    "view": lambda y: y.view(),
    "row": lambda y: y[1],
    "slice": lambda y: y[1:, ::2],
    "newaxis": lambda y: y[:, None, :],
    "astype, no copy": lambda y: y.astype(float, copy=False),
    "astype": lambda y: y.astype(float),
    "copy": lambda y: y.copy(),
    "broadcast_arrays": lambda y: np.broadcast_arrays(y, y)[0],
    "roll": lambda y: np.roll(y, 1),
    "meshgrid": lambda y: np.meshgrid(y[0], y[1])[0],
    "tile": lambda y: np.tile(y, 1),
    "repeat": lambda y: np.repeat(y, 1),
    "sort": lambda y: np.sort(y),
    "nan_to_num": lambda y: np.nan_to_num(y),
    "fancy index": lambda y: y[[0, 2]],
    "mask": lambda y: y[np.eye(3, 4) > 0],
    "take": lambda y: y.take([0], axis=0),
    "concatenate": lambda y: np.concatenate([y]),
    "diff of order 0": lambda y: np.diff(y, 0),
    "where": lambda y: np.where(True, y, y),
    "tril": lambda y: np.tril(y, 9),
    "clip": lambda y: np.clip(y, -9, 9),
    "delete nothing": lambda y: np.delete(y, [], axis=0),
    "pad nothing": lambda y: np.pad(y, 0),
}

LAYOUTS = {
    "C": lambda x: x.copy(),
    "F": lambda x: x.copy(order="F"),
    "computed": lambda x: (x.T * 1.0).T,
}


def program(view, layout):
    def f(x):
        y = layout(x)
        z = view(y)
        z[...] = z * 2 + 1  # through the view
        y[0] = y[0] * 3  # to what it looks at
        y[:, 1] = x[0, 0]
        w = view(z) if z.shape == y.shape else z[...]
        w *= 2
        z += y[0, 0]
        return np.concatenate([y.ravel(), z.ravel() * z.ravel(), w.ravel()])

    return f


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", MAYBE_VIEWS)
def test_writes_are_seen_where_numpy_shows_them(name, layout):
    f = program(MAYBE_VIEWS[name], LAYOUTS[layout])
    run(case(f, A, order=2 if layout == "C" else 1, batched=name != "mask", float32=False))


def test_a_diagonal_follows_the_matrix():
    def f(x):
        y = x.copy()
        d = np.diagonal(y)
        e = np.diag(y, 1)
        y[1, 1] = x[0, 1] ** 2
        y[0, 1] = 7
        return np.concatenate([d, e, d * 2])

    run(case(f, A))


@pytest.mark.parametrize(
    "view", [np.diagonal, lambda y: np.broadcast_to(y, (2, 3, 4))], ids=["diagonal", "broadcast_to"]
)
def test_writing_through_a_read_only_view_is_refused(view):
    def f(x):
        view(x.copy())[...] = 1.0

    with pytest.raises(fd.errors.UnsupportedError, match="writing through the view that"):
        fd.grad(f)(A)


def test_flat_writes_in_c_order_whatever_the_layout():
    def f(x):
        y = x.copy()
        y.flat[2:5] = x[0, 0]
        y.T.flat[3] = x[1, 1] ** 2
        y.flat[[0, 7]] = [1.0, 2.0]
        third = list(y.flat)[3]
        y.flat = y.T.ravel() * 2
        return y * third

    run(case(f, A))


def test_scalars_are_immutable():
    def f(x):
        total = x[0]
        before = total
        total += 1.0
        copied = total.copy()
        copied *= 2.0
        return fd.numpy.array([total, before, copied]) if is_traced(x) else np.array([total, before, copied])

    run(case(f, A[0], values=False))


def test_views_of_slices_of_a_written_array():
    """Such slices are copied when they are read, so their own layout does not tell what NumPy shows."""

    def f(x):
        y = x.copy()
        y[0] = x[1] * 2
        column, row = y[:, 1], y[1]
        copied, shown = column.ravel(), row.ravel()
        copied[0] = 7.0 * x[0, 0]
        shown[1] = x[2, 2] * 3
        middle = y[:, 1:3].reshape(-1)
        middle[:] = 0.0
        other = y[:, 2].reshape(3, 1)
        other[1] = x[0, 1]
        return np.concatenate([y.ravel(), copied, shown, middle])

    run(case(f, A))


def scalar_views(x):
    y = np.fmax(x, 0.0) * 1
    v, w = y[()], y.T
    v *= 3
    w += 1
    v -= y.sum()
    return y + v * w


def scalar_read_and_used(x):
    y = x * 1
    return y[()] * y.sum() + y[None][0] * x


def array_of_one_number(x):
    y = np.zeros((), like=x)
    y[()] = x
    y += x
    v, w = y[...], y.T
    v *= 2
    w += v * x
    return y * v


ONE_NUMBER = {
    scalar_views: (lambda x: x + (2 * x) * (x + 1), lambda x: 3 + 4 * x),
    scalar_read_and_used: (lambda x: 2 * x**2, lambda x: 4 * x),
    array_of_one_number: (lambda x: (4 * x * (1 + x)) ** 2, lambda x: 32 * x * (1 + x) * (1 + 2 * x)),
}


@pytest.mark.parametrize("f", ONE_NUMBER)
def test_views_of_scalars_are_scalars_and_those_of_arrays_without_axes_are_views(f):
    x = np.array(1.5)
    pair = np.array([x, x])
    value, slope = (g(x) for g in ONE_NUMBER[f])
    assert f(x) == value
    for g in (f, fd.jit(f, backend="numpy")):
        assert g(x) == value
        assert fd.grad(g)(x) == slope
        assert fd.jvp(g, x, np.ones(()))[1] == slope
        np.testing.assert_array_equal(fd.vmap(g)(pair), [value] * 2)
        np.testing.assert_array_equal(fd.vmap(fd.grad(g))(pair), [slope] * 2)
