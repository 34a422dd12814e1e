"""Joining, inserting, deleting and padding against NumPy and central differences."""

import numpy as np
import pytest

import funcdiff as fd
from tests.numpy.checks import A, M, V, case, run

P = ((1, 2), (3, 0))


def fill_edges(vector, width, axis, kwargs):
    vector[: width[0]] = vector[width[0]] * 2
    vector[vector.shape[0] - width[1] :] = kwargs.get("p", 3.0)


CASES = {
    "concatenate": case(lambda x, y: np.concatenate([x, y, x], axis=1), A, A[:, :2]),
    "concatenate flat": case(lambda x, y: np.concatenate([x, y], axis=None), A, V),
    "concatenate with plain": case(lambda x: np.concatenate([x, np.ones(2, x.dtype)]), V),
    "stack": case(lambda x, y: np.stack([x, y], axis=-1), A, A + 1),
    "vstack": case(lambda x, y: np.vstack([x, y]), A, A[0]),
    "hstack": case(lambda x, y: np.hstack([x, y]), V, V[:2]),
    "dstack": case(lambda x, y: np.dstack([x, y]), A, A),
    "column_stack": case(lambda x, y: np.column_stack([x, y]), A, A[:, 0]),
    "append": case(lambda x, y: np.append(x, y), A, V),
    "append along": case(lambda x, y: np.append(x, y, axis=0), A, A[:1]),
    "block": case(lambda x, y: np.block([[x, y], [y.T, np.zeros((4, 4), y.dtype)]]), M, A),
    "block of vectors": case(lambda x, y: np.block([x, y]), V, V),
    "insert at one place": case(lambda x, y: np.insert(x, 1, y, axis=1), A, A[:, :2].T),
    "insert one": case(lambda x, y: np.insert(x, -1, y, axis=0), A, V[:4]),
    "insert several in a row": case(lambda x, y: np.insert(x, 1, y), V, V[:2]),
    "insert at places": case(lambda x, y: np.insert(x, [0, 2, 2], y), V, V[:3]),
    "insert at a slice": case(lambda x, y: np.insert(x, slice(0, 3), y, axis=1), A, V[:3]),
    "insert at a list of one": case(lambda x, y: np.insert(x, [1], y, axis=1), A, A[:, :1]),
    "delete": case(lambda x: np.delete(x, [0, -1], axis=1), A),
    "delete a slice": case(lambda x: np.delete(x, slice(0, 5, 2)), A),
    "delete one": case(lambda x: np.delete(x, 1, axis=0), A),
    "pad values": case(lambda x, v: np.pad(x, 2, constant_values=v), A, np.array([1.0, 2.0])),
    "pad values per axis": case(lambda x: np.pad(x, P, constant_values=((1, 2), (3, 4))), A),
    "pad odd": case(lambda x: np.pad(x, P, "reflect", reflect_type="odd"), A),
    "pad odd far": case(lambda x: np.pad(x, ((4, 4), (5, 5)), "symmetric", reflect_type="odd"), A),
    "pad ramp": case(lambda x, v: np.pad(x, P, "linear_ramp", end_values=v), A, np.array([1.0, 2.0])),
    "pad mean of two": case(lambda x: np.pad(x, P, "mean", stat_length=2), A),
    "pad median of some": case(lambda x: np.pad(x, P, "median", stat_length=((1, 2), (3, 2))), A),
    "pad by a function": case(lambda x: np.pad(x, P, fill_edges, p=4.0), A),
}


@pytest.mark.parametrize("name", CASES)
def test_derivatives(name):
    run(CASES[name])


def test_pad_by_a_dict():
    try:
        np.pad(A, {1: (1, 2)})
    except TypeError:
        pytest.skip("NumPy pads by a dict from 2.3 on")
    run(case(lambda x: np.pad(x, {1: (1, 2)}), A))


MODES = [
    "constant",
    "edge",
    "reflect",
    "symmetric",
    "wrap",
    "linear_ramp",
    "mean",
    "maximum",
    "minimum",
    "median",
]


@pytest.mark.parametrize("mode", MODES)
def test_padding_modes(mode):
    run(case(lambda x: np.pad(x, P, mode), A))


def test_joining_dtypes():
    x = V.astype(np.float32)
    assert fd.jvp(lambda x: np.concatenate([x, V]), x, x)[1].dtype == np.float64
    assert fd.jvp(lambda x: np.concatenate([x, V], dtype=np.float32), x, x)[1].dtype == np.float32
    assert fd.grad(lambda x: np.sum(np.stack([x, V])))(x).dtype == np.float32


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.concatenate([x, np.ones((2, 2, 2))]),
        lambda x: np.concatenate([x, x], axis=5),
        lambda x: np.concatenate([x[0, 0], x]),
        lambda x: np.stack([x, np.ones(7)]),
        lambda x: np.block([[x], x]),
        lambda x: np.insert(x, 99, 1.0),
        lambda x: np.pad(x, -1),
        lambda x: np.pad(x, 1, "foo"),
        lambda x: np.pad(x, 1, "edge", constant_values=3),
        lambda x: np.delete(x, 99),
    ],
)
def test_errors_are_of_numpys_class(f):
    with pytest.raises(Exception) as theirs:  # noqa: PT011
        f(A)
    with pytest.raises(type(theirs.value)):
        fd.jvp(f, A, A)
