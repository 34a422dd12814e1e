"""Sorting, partitioning and unique values."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import funcdiff as fd
from tests.numpy.checks import A, V, case, run

CASES = {
    "sort": case(lambda x: np.sort(x, axis=0), A),
    "sort flat": case(lambda x: np.sort(x, axis=None), A),
    "sort stable": case(lambda x: np.sort(x, stable=True), A),
    "sort by argsort": case(lambda x: np.take_along_axis(x, np.argsort(x, axis=1), 1), A),
    "partition": case(lambda x: np.partition(x, [1, 2], axis=1), A),
    "partition float16 order": case(lambda x: np.partition(x, 2, axis=1), A),
    "unique": case(lambda x: np.unique(x), A, batched=False),
    "unique with counts": case(
        lambda x: np.unique(np.concatenate([x, x]), return_counts=True)[0], V, batched=False
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_derivatives(name):
    run(CASES[name])


def test_the_derivative_of_sort_is_its_permutation():
    x = np.array([0.3, -1.0, 2.0])
    assert_array_equal(fd.jacobian(np.sort)(x), np.eye(3)[np.argsort(x)])
    assert_array_equal(fd.jacfwd(np.sort)(x), np.eye(3)[np.argsort(x)])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.longdouble])
def test_partition_differentiates_the_permutation_numpy_chose(dtype):
    x = A.ravel().astype(dtype)
    value, tangent = fd.jvp(lambda x: np.partition(x, 5), x, 2 * x)
    assert_array_equal(value, np.partition(x, 5))
    assert_array_equal(tangent, 2 * value)


def test_complex_sort():
    z = A[0] + 1j * A[1]
    _, tangent = fd.jvp(np.sort, z, 1j * z)
    assert_allclose(tangent, 1j * np.sort(z))
    assert fd.jvp(np.sort_complex, V, V)[1].dtype == np.complex128


def test_sorting_in_place():
    def f(x):
        y = x.copy()
        y.sort()
        y[1:].partition(1)
        return y * np.arange(5.0)

    assert_allclose(fd.jacobian(f)(V).sum(0), np.arange(5.0)[np.argsort(np.argsort(V))])


def test_unique_parts_are_numpys():
    def f(x):
        return np.unique(np.round(x), return_index=True, return_inverse=True, return_counts=True)

    found = []
    fd.grad(lambda x: (found.extend(f(x)[1:]), np.sum(x))[1])(A)
    for ours, theirs in zip(found, f(A)[1:], strict=True):
        assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.sort(x, axis=7),
        lambda x: np.partition(x, 77),
        lambda x: np.sort(x, kind="heap", stable=True),
    ],
)
def test_errors_are_of_numpys_class(f):
    with pytest.raises(Exception) as theirs:  # noqa: PT011
        f(V)
    with pytest.raises(type(theirs.value)):
        fd.jvp(f, V, V)
