"""`fd.scipy.fft` against SciPy, also in plain spelling: values, signatures, derivatives, vmap."""

import inspect

import numpy as np
import pytest
import scipy.fft as sf

import funcdiff as fd
from funcdiff import errors
from funcdiff.scipy import fft as ff
from tests.numpy.checks import check, keeps_float32

_RNG = np.random.default_rng(5)
X = _RNG.standard_normal(6)
M = _RNG.standard_normal((3, 4))
T = _RNG.standard_normal((2, 3, 4))
ALONG = ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")
OVER = [f"{name}{n}" for name in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft") for n in ("2", "n")]
REAL = [f"{i}{name}" for i in ("", "i") for name in ("dct", "dst")]


def parts(y):
    return [np.real(y), np.imag(y)] if np.iscomplexobj(y) else y


CASES = {
    **{name: (lambda m, x, name=name: getattr(m, name)(x), X) for name in ALONG},
    **{
        f"{name} cut": (lambda m, x, name=name: getattr(m, name)(x, n=5, axis=0, norm="ortho"), M)
        for name in ALONG
    },
    **{
        f"{name} padded": (
            lambda m, x, name=name: getattr(m, name)(x, 7, norm="forward", workers=1, overwrite_x=True),
            M,
        )
        for name in ALONG
    },
    **{name: (lambda m, x, name=name: getattr(m, name)(x), M) for name in OVER},
    **{
        f"{name} axes": (
            lambda m, x, name=name: getattr(m, name)(x, s=(4, 5), axes=(0, -1), norm="ortho"),
            T,
        )
        for name in OVER
    },
    **{
        f"{name} {k} {norm}": (
            lambda m, x, name=name, k=k, norm=norm: getattr(m, name)(x, k, norm=norm),
            X,
        )
        for name in REAL
        for k in (1, 2, 3, 4)
        for norm in (None, "ortho", "forward")
    },
    **{
        f"{name} orthogonalize": (
            lambda m, x, name=name: getattr(m, name)(x, 2, n=6, axis=1, norm="ortho", orthogonalize=False),
            M,
        )
        for name in REAL
    },
    **{f"{name}n": (lambda m, x, name=name: getattr(m, f"{name}n")(x, 2, norm="ortho"), M) for name in REAL},
    **{
        f"{name}n axes": (lambda m, x, name=name: getattr(m, f"{name}n")(x, 3, s=(5, 2), axes=(2, 0)), T)
        for name in REAL
    },
    "fht": (lambda m, x: m.fht(x, dln=0.1, mu=0.5, bias=0.2), M),
    "ifht": (lambda m, x: m.ifht(x, dln=0.1, mu=0.5, offset=0.3), X),
    "fftshift": (lambda m, x: m.fftshift(x), M),
    "ifftshift": (lambda m, x: m.ifftshift(x, axes=1), M),
}
DIFFERENTIATED = [n for n in CASES if n.split()[0] not in REAL or n.endswith(("None", "orthogonalize"))]


@pytest.mark.parametrize("plain", [False, True], ids=["fd.scipy.fft", "scipy.fft"])
@pytest.mark.parametrize("name", CASES)
def test_values_are_scipys(name, plain):
    f, x = CASES[name]
    expected = f(sf, x)
    found, tangent = fd.jvp(lambda x: f(sf if plain else ff, x), (x,), (x,))
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(tangent, expected, rtol=1e-12, atol=1e-13)  # they are linear


@pytest.mark.parametrize("name", DIFFERENTIATED)
def test_derivatives(name):
    f, x = CASES[name]
    check(lambda x: parts(f(ff, x)), x, order=1)
    if not name.startswith(("fht", "ifht")):
        keeps_float32(lambda x: parts(f(ff, x)), x)


def test_complex_cosine_transforms():
    z = X + 1j * X[::-1]
    found = fd.jvp(lambda z: ff.dct(z, 2, norm="forward", orthogonalize=True), (z,), (z,))[0]
    parted = sf.dct(z.real, 2, norm="forward", orthogonalize=True) + 1j * sf.dct(
        z.imag, 2, norm="forward", orthogonalize=True
    )
    np.testing.assert_allclose(found, parted)


def test_plain_spelling_under_all_transforms():
    def f(x):
        return np.sum(np.abs(sf.fft(x)) ** 2) + np.sum(sf.dct(x, 3) ** 3)

    fd.testing.check_grads(f, (X,), order=2)
    stack = np.stack([X, X[::-1]])
    np.testing.assert_allclose(fd.vmap(fd.grad(f))(stack), [fd.grad(f)(x) for x in stack])


def test_plain_arrays_are_scipys_own():
    assert type(sf.fft(X)) is np.ndarray
    with sf.set_backend("scipy"):
        np.testing.assert_array_equal(sf.fft(X), ff.fft(X))


def test_settings_of_the_hankel_transform_have_no_derivative():
    with pytest.raises(errors.UnsupportedError, match="traced mu"):
        fd.grad(lambda mu: np.sum(ff.fht(X, 0.1, mu)))(0.5)


@pytest.mark.parametrize(
    "call", [lambda x: ff.fft(x, 0), lambda x: ff.fftn(x, axes=(0, 0)), lambda x: ff.dct(x, 5)]
)
def test_invalid_arguments(call):
    with pytest.raises(ValueError, match=r"\w"):
        call(X)
    with pytest.raises(ValueError, match=r"\w"):
        fd.grad(lambda x: np.sum(np.real(call(x))))(X)


PUBLIC = sf.__all__


@pytest.mark.parametrize("name", PUBLIC)
def test_names_and_signatures_are_scipys(name):
    ours, theirs = (list(inspect.signature(getattr(m, name)).parameters) for m in (ff, sf))
    assert ours == theirs
    assert name in ff.__all__
