"""Fourier transforms and other of NumPy's namespaces where the coverage table does not reach."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

import funcdiff as fd

ONE_AXIS = [np.fft.fft, np.fft.ifft, np.fft.rfft, np.fft.irfft, np.fft.hfft, np.fft.ihfft]
SEVERAL = [np.fft.fftn, np.fft.ifftn, np.fft.rfftn, np.fft.irfftn]


@pytest.mark.parametrize("f", ONE_AXIS + SEVERAL)
def test_float32_is_kept(f):
    x = np.arange(1, 7, dtype=np.float32)
    assert fd.grad(lambda x: np.sum(np.abs(f(x)) ** 2))(x).dtype == np.float32
    assert fd.jvp(f, x, x)[1].dtype == f(x).dtype


@pytest.mark.parametrize("f", ONE_AXIS)
@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 6, 9])
@pytest.mark.parametrize("norm", ["backward", "ortho", "forward"])
def test_every_length_and_norm(f, n, norm):
    x = np.cos(np.arange(8.0)).reshape(2, 4)
    fd.testing.check_grads(lambda x: f(x, n, 1, norm), x)
    if f not in (np.fft.rfft, np.fft.ihfft):
        fd.testing.check_grads(lambda z: f(z, n, 0, norm), x + 1j * np.sin(x))


@pytest.mark.parametrize("f", ONE_AXIS + SEVERAL)
def test_wrong_arguments_raise_as_numpy(f):
    x = np.ones((3, 4))
    for bad in (lambda x: f(x, norm="best"), lambda x: f(x, axes=(5,)) if f in SEVERAL else f(x, axis=5)):
        with pytest.raises((ValueError, IndexError)):
            bad(x)
        with pytest.raises((ValueError, IndexError)):
            fd.jvp(bad, x, x)


def test_out():
    def f(x):
        y = np.zeros_like(x, dtype=complex)
        np.fft.fft(x, out=y)
        return np.sum(np.abs(y) ** 2)

    assert_allclose(fd.grad(f)(np.arange(4.0)), 8 * np.arange(4.0))


def test_real_transform_of_complex_values_is_an_error():
    with pytest.raises(TypeError):
        fd.jvp(np.fft.rfft, np.ones(3) + 1j, np.ones(3) + 1j)


def test_histogram_edges_move_with_the_values():
    x = np.array([0.3, 1.0, 2.0, 0.7, 0.2, 0.9])
    fd.testing.check_grads(lambda x: np.histogram(x, bins=3)[1], x)
    fd.testing.check_grads(lambda x: np.histogram(x, bins=3, density=True)[0], x)


def test_strides_that_an_array_of_objects_would_misread_are_refused():
    def f(x):
        return np.lib.stride_tricks.as_strided(x, (2, 2), (16, 8))

    m = np.arange(6.0).reshape(2, 3)
    for x in (m.T, m.astype(np.float32), m + 0j):
        with pytest.raises(fd.errors.UnsupportedError, match=r"fd\.numpy\.lib"):
            fd.jvp(f, x, x)
