"""Shapes, order and diagonals against NumPy and central differences."""

import numpy as np
import pytest

import funcdiff as fd
from tests.numpy.checks import A, M, T, V, case, run

CASES = {
    "reshape": case(lambda x: x.reshape(2, -1) * 2, A),
    "reshape F": case(lambda x: np.reshape(x, (2, 6), order="F"), A),
    "ravel": case(lambda x: np.ravel(x), A),
    "ravel F": case(lambda x: np.ravel(x, "F"), A),
    "ravel K": case(lambda x: np.ravel(x.T, "K"), A),
    "T": case(lambda x: x.T @ x, A),
    "mT": case(lambda x: x.mT, T),
    "matrix_transpose": case(lambda x: np.matrix_transpose(x), T),
    "transpose": case(lambda x: np.transpose(x, (1, -1, 0)), T),
    "permute_dims": case(lambda x: np.permute_dims(x, (2, 0, 1)), T),
    "swapaxes": case(lambda x: np.swapaxes(x, 0, -1), T),
    "moveaxis": case(lambda x: np.moveaxis(x, [0, 1], [-1, -2]), T),
    "rollaxis": case(lambda x: np.rollaxis(x, 2, 0), T),
    "rollaxis forward": case(lambda x: np.rollaxis(x, 0, 3), T),
    "squeeze": case(lambda x: np.squeeze(x[None, :, None]), A),
    "squeeze one axis": case(lambda x: np.squeeze(x[None, :, None], 2), A),
    "expand_dims": case(lambda x: np.expand_dims(x, (0, -1)), A),
    "broadcast_to": case(lambda x: np.broadcast_to(x, (2, 3, 4)), A),
    "broadcast_arrays": case(lambda x, y: np.broadcast_arrays(x, y), A, V[:4]),
    "meshgrid": case(lambda x, y: np.meshgrid(x, y), V, V[:3]),
    "meshgrid ij": case(lambda x, y: np.meshgrid(x, y, indexing="ij", sparse=True), V, V[:3]),
    "atleast_1d": case(lambda x: np.atleast_1d(x), 1.5),
    "atleast_2d": case(lambda x: np.atleast_2d(x), V),
    "atleast_3d": case(lambda x, y: np.atleast_3d(x, y), V, A),
    "flip": case(lambda x: np.flip(x, (0, 2)), T),
    "flip all": case(lambda x: np.flip(x), T),
    "fliplr": case(lambda x: np.fliplr(x), A),
    "flipud": case(lambda x: np.flipud(x), A),
    "rot90": case(lambda x: [np.rot90(x, k, axes=(0, 2)) for k in range(4)], T),
    "roll": case(lambda x: np.roll(x, 5), A),
    "roll axes": case(lambda x: np.roll(x, (1, -2), (0, 1)), A),
    "roll one axis twice": case(lambda x: np.roll(x, (1, 2), 1), A),
    "tile": case(lambda x: np.tile(x, (2, 1, 3)), A),
    "tile fewer": case(lambda x: np.tile(x, 2), T),
    "repeat": case(lambda x: np.repeat(x, 3, axis=1), A),
    "repeat each": case(lambda x: np.repeat(x, [0, 1, 2], axis=0), A),
    "repeat flat": case(lambda x: np.repeat(x, 2), A),
    "resize": case(lambda x: np.resize(x, (3, 7)), V),
    "array_split": case(lambda x: np.array_split(x, 3, axis=1), A),
    "split": case(lambda x: np.split(x, [1, 3], axis=1), A),
    "hsplit": case(lambda x: np.hsplit(x, 2), A),
    "vsplit": case(lambda x: np.vsplit(x, 3), A),
    "dsplit": case(lambda x: np.dsplit(x, [2]), T),
    "unstack": case(lambda x: np.unstack(x, axis=1), A),
    "diag of a matrix": case(lambda x: np.diag(x, 1), A),
    "diag of a vector": case(lambda x: np.diag(x, -1), V),
    "diagonal": case(lambda x: np.diagonal(x, 1, 0, 2), T),
    "diagflat": case(lambda x: np.diagflat(x, 2), A),
    "tril": case(lambda x: np.tril(x, 1), T),
    "tril of a vector": case(lambda x: np.tril(x), V),
    "triu": case(lambda x: np.triu(x, -1), A),
    "trace": case(lambda x: np.trace(x, offset=1, axis1=1, axis2=2), T),
    "trace of a matrix": case(lambda x: np.trace(x), M),
    "vander": case(lambda x: np.vander(x, 4), V, float32=False),
    "vander increasing": case(lambda x: np.vander(x, increasing=True), V, float32=False),
}


@pytest.mark.parametrize("name", CASES)
def test_derivatives(name):
    run(CASES[name])


EMPTY = [
    lambda x: x.reshape(3, 0),
    lambda x: np.reshape(x, (-1, 3)),
    lambda x: np.ravel(x),
    lambda x: x.T,
    lambda x: np.flip(x),
    lambda x: np.roll(x, 1),
    lambda x: np.tile(x, (2, 2)),
    lambda x: np.repeat(x, 2),
    lambda x: np.resize(x, (2, 2)),
    lambda x: np.array_split(x, 2)[0],
    lambda x: np.diagonal(x),
    lambda x: np.tril(x),
]


@pytest.mark.parametrize("f", EMPTY)
def test_of_nothing(f):
    x = np.zeros((0, 3))
    value, tangent = fd.jvp(f, x, x)
    assert value.shape == tangent.shape == f(x).shape


ERRORS = [
    lambda x: x.reshape(5, 2),
    lambda x: x.reshape(-1, -1),
    lambda x: np.transpose(x, (0, 0)),
    lambda x: np.transpose(x, (0, 1, 2)),
    lambda x: np.swapaxes(x, 0, 7),
    lambda x: np.moveaxis(x, 0, 7),
    lambda x: np.squeeze(x, 0),
    lambda x: np.expand_dims(x, 9),
    lambda x: np.broadcast_to(x, (1,)),
    lambda x: np.split(x, 2),
    lambda x: np.array_split(x, 0),
    lambda x: np.rot90(x, axes=(0, 0)),
    lambda x: np.repeat(x, -1),
    lambda x: np.repeat(x, [1, 2]),
    lambda x: np.ravel(x, "X"),
    lambda x: np.meshgrid(x, x, indexing="zz"),
    lambda x: np.dsplit(x, 2),
    lambda x: np.diag(x[None]),
]


@pytest.mark.parametrize("f", ERRORS)
def test_errors_are_of_numpys_class(f):
    with pytest.raises(Exception) as theirs:  # noqa: PT011
        f(A)
    with pytest.raises(type(theirs.value)):
        fd.jvp(f, A, A)
