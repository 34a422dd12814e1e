"""Selecting, clipping, taking, replacing, and writing in place."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import funcdiff as fd
from tests.numpy.checks import A, V, case, is_traced, run

CASES = {
    "where": case(lambda x, y: np.where(x > 0, x * y, y), A, V[:4]),
    "where with a number": case(lambda x: np.where(np.arange(4) > 1, 1, x), A),
    "where numbers as condition": case(lambda x: np.where(np.floor(x), x, 2 * x), A),
    "clip": case(lambda x, a, b: np.clip(x, a, b), A, np.array([-0.5, -0.4, -0.3, -0.2]), 0.6),
    "clip method of a plain array": case(lambda a, b: np.linspace(-1, 1, 5).clip(a, b), -0.3, 0.6),
    "clip into a buffer": case(lambda x: np.linspace(-1, 1, 4).clip(-0.5, x[0], out=np.zeros_like(x[0])), A),
    "clip above": case(lambda x: x.clip(max=0.2), A),
    "clip below": case(lambda x: np.clip(x, min=0.1), A),
    "clip crossed": case(lambda x, a, b: np.clip(x, a, b), A, 0.1, -0.1),
    "select": case(lambda x: np.select([x > 0.5, x > 0], [x**2, x * 3], default=1.5), A),
    "choose": case(lambda x, y: np.choose([2, 0, 1, 2], [x, y, x * y]), V[:4], A[0]),
    "choose wrap": case(lambda x: np.choose([[5], [1], [-1]], [x, x * 2], mode="wrap"), A),
    "piecewise": case(
        lambda x: np.piecewise(x, [x < -0.3, x > 0.4], [lambda v: v**2, np.exp, lambda v: 3 * v]), A
    ),
    "piecewise number": case(lambda x: np.piecewise(x, [x < 0], [7.0, lambda v: v]), A),
    "take": case(lambda x: np.take(x, [[0, 2], [1, -1]], axis=1), A),
    "take flat": case(lambda x: np.take(x, [7, 3]), A),
    "take wrap": case(lambda x: np.take(x, [7, -9], mode="wrap"), A),
    "take clip": case(lambda x: x.take(5, mode="clip", axis=0), A),
    "take_along_axis": case(lambda x: np.take_along_axis(x, np.array([[1, 0, 2, 2]]), 0), A),
    "take_along_axis by argmax": case(
        lambda x: np.take_along_axis(x, np.argmax(x, axis=1)[:, None], axis=1), A
    ),
    "compress": case(lambda x: np.compress([True, False, True], x, axis=0), A),
    "extract": case(lambda x: np.extract(x > 0, x), A, batched=False),
    "nan_to_num": case(lambda x: np.nan_to_num(np.where(np.arange(4) == 1, np.nan, x), nan=2.0), A),
    "sinc": case(lambda x: np.sinc(x), A),
    "round": case(lambda x: np.round(x, 1) + np.fix(x) + x, A),
}


@pytest.mark.parametrize("name", CASES)
def test_derivatives(name):
    run(CASES[name])


def test_what_is_not_selected_has_no_derivative():
    x = np.array([-1.0, 0.0, 4.0])
    with np.errstate(all="ignore"):
        g = fd.grad(lambda x: np.sum(np.where(x > 0, np.sqrt(x) * np.log(x), 0.0)))(x)
        h = fd.hessian(lambda x: np.sum(np.where(x > 0, np.sqrt(x), 0.0)))(x)
        _, t = fd.jvp(lambda x: np.where(x > 0, np.log(x), 0.0), x, np.ones(3))
    assert_allclose(g, [0, 0, np.log(4) / 4 + 0.5])
    assert_allclose(h, np.diag([0, 0, -0.25 / 8]))
    assert_allclose(t, [0, 0, 0.25])


def test_clip_passes_the_derivative_on_the_closed_interval():
    x = np.array([-1.0, 0.0, 0.5, 1.0, 2.0])
    assert_array_equal(fd.elementwise_grad(lambda x: np.clip(x, 0.0, 1.0))(x), [0, 1, 1, 1, 0])
    _, to_bounds = fd.pullback(lambda a, b: np.clip(x, a, b), 0.0, 1.0)
    assert to_bounds(np.ones(5)) == (1.0, 1.0)


def test_indices_and_conditions_that_vmap_maps_over():
    def f(x):
        i = np.argmax(x)
        return np.where(x > x[i] / 2, np.take(x, i) * x, 0.0) + np.choose(i % 2, [x, 2 * x])

    assert_allclose(fd.vmap(f)(A), np.stack([f(a) for a in A]))
    assert_allclose(fd.vmap(fd.jacrev(f))(A), np.stack([fd.jacfwd(f)(a) for a in A]))


WRITES = {
    "copyto": lambda x, y: np.copyto(y, x * 2),
    "copyto where": lambda x, y: np.copyto(y, x[0], where=np.arange(5) > 2),
    "put": lambda x, y: np.put(y, [0, -1], [x[1], x[2]]),
    "put wrap": lambda x, y: np.put(y, [7, 9], x[3], mode="wrap"),
    "put repeating": lambda x, y: y.put([0, 2, 4], x[:2]),
    "place": lambda x, y: np.place(y, np.arange(5) > 1, x[:2] ** 2),
    "putmask": lambda x, y: np.putmask(y, np.arange(5) % 2 == 0, x[:3] * 2),
    "putmask by value": lambda x, y: np.putmask(y, x > 0, x * 2),
    "put_along_axis": lambda x, y: np.put_along_axis(y, np.array([1, 3]), x[:2] * 3, 0),
    "fill_diagonal": lambda x, y: np.fill_diagonal(y[:4].reshape(2, 2), x[4]),
    "fill": lambda x, y: y.fill(2.5),
    "flat": lambda x, y: y.flat.__setitem__(slice(1, 4), x[0]),
    "nan_to_num": lambda x, y: np.nan_to_num(y, copy=False),
}


@pytest.mark.parametrize("name", WRITES)
def test_writing_in_place(name):
    def f(x):
        y = x.copy()
        WRITES[name](x, y)
        return y * y

    run(case(f, V))


BY_NUMPY = ("put", "put wrap", "fill_diagonal")  # there NumPy itself converts the value, and that is refused


@pytest.mark.parametrize(
    "name", [n for n in WRITES if n not in ("fill", "flat", "nan_to_num", "put repeating")]
)
def test_writing_into_a_plain_array_is_refused(name):
    kinds = (fd.errors.ConversionError, fd.errors.PlainWriteError)
    text = "derivative" if name in BY_NUMPY else r"np\.\w+ was to write .*zeros\(n, like=x\)"
    with pytest.raises(kinds if name in BY_NUMPY else fd.errors.PlainWriteError, match=text):
        fd.grad(lambda x: WRITES[name](x, np.zeros(5)))(V)


def test_writing_at_places_that_vmap_maps_over():
    def f(x):
        y = np.outer(x, x)
        np.put_along_axis(y, np.argmax(y, axis=1)[:, None], x[0] * 2, axis=1)
        return y

    run(case(f, V))


def test_fill_diagonal():
    def f(x):
        y = np.outer(x, x)
        np.fill_diagonal(y, x * 3)
        z = np.zeros((7, 3), like=x) if is_traced(x) else np.zeros((7, 3))
        np.fill_diagonal(z, x[:2], wrap=True)
        return y[:3, :3] @ z[:3] + z[4:].sum()

    run(case(f, V, float32=False))


def test_complex_parts():
    z = A[0] + 1j * A[1]
    _, t = fd.jvp(lambda z: (np.real(z), np.imag(z), np.angle(z)), z, 1j * z)
    assert_allclose(t[0], -z.imag)
    assert_allclose(t[1], z.real)
    assert_allclose(t[2], np.ones(4))
    assert fd.grad(lambda z: np.sum(np.angle(z)))(np.zeros(2) + 0j) == pytest.approx(np.zeros(2))
    assert_array_equal(fd.grad(lambda x: np.sum(np.angle(x)) + np.sum(np.imag(x)))(V), np.zeros(5))
    x = fd.grad(lambda z: np.sum(np.real(np.real_if_close(z)) ** 2))(z)
    assert_allclose(x, 2 * z.real)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.take(x, [7]),
        lambda x: np.take(x, np.array([0.5])),
        lambda x: np.choose([7], [x, x]),
        lambda x: np.select([x], [x]),
        lambda x: np.piecewise(x, [x > 0], [1, 2, 3]),
        lambda x: np.put(x.copy(), [99], 1.0),
        lambda x: np.fill_diagonal(x.copy(), 1.0),
        lambda x: np.compress(np.ones(9), x),
        lambda x: np.take_along_axis(x, np.array([[0]]), 0),
    ],
)
def test_errors_are_of_numpys_class(f):
    with pytest.raises(Exception) as theirs:  # noqa: PT011
        f(V)
    with pytest.raises(type(theirs.value)):
        fd.jvp(f, V, V)
