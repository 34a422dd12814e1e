"""Methods and properties of traced arrays, NumPy's and PyTorch's."""

import copy
import math
import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import funcdiff as fd
from tests.numpy.checks import A, T, V, case, is_traced, run

POSITIVE = np.abs(A) + 0.2
UFUNCS = [
    "exp",
    "exp2",
    "expm1",
    "log",
    "log2",
    "log10",
    "log1p",
    "sin",
    "cos",
    "tan",
    "sinh",
    "cosh",
    "tanh",
    "arctan",
    "arcsinh",
    "sqrt",
    "cbrt",
    "square",
    "reciprocal",
    "negative",
    "absolute",
    "fabs",
    "degrees",
    "radians",
    "deg2rad",
    "rad2deg",
    "conjugate",
]


@pytest.mark.parametrize("name", UFUNCS)
def test_ufuncs_as_methods(name):
    ufunc = getattr(np, name)
    run(case(lambda x: getattr(x, name)() if is_traced(x) else ufunc(x), POSITIVE))


@pytest.mark.parametrize("name", UFUNCS)
def test_ufuncs_on_object_arrays(name):
    """NumPy's object loops call the method of each element."""
    ufunc = getattr(np, name)

    def f(x):
        return ufunc(np.array([x[0, 0], x[1, 1]], dtype=object if is_traced(x) else None))

    run(case(f, POSITIVE, values=False, batched=False, float32=False))


@pytest.mark.parametrize("name", ["arctan2", "hypot", "fmod", "logaddexp"])
def test_binary_ufuncs_as_methods(name):
    run(
        case(
            lambda x, y: getattr(x, name)(y) if is_traced(x) else getattr(np, name)(x, y),
            POSITIVE,
            POSITIVE.T.reshape(3, 4) * 2,
        )
    )


NDARRAY = {
    "sum": lambda x: x.sum(0),
    "mean": lambda x: x.mean(axis=1, keepdims=True),
    "prod": lambda x: x.prod(),
    "max": lambda x: x.max(1),
    "min": lambda x: x.min(),
    "var": lambda x: x.var(ddof=1),
    "std": lambda x: x.std(axis=0),
    "cumsum": lambda x: x.cumsum(),
    "cumprod": lambda x: x.cumprod(axis=1),
    "trace": lambda x: x.trace(1),
    "diagonal": lambda x: x.diagonal(),
    "dot": lambda x: x.dot(x.T),
    "reshape": lambda x: x.reshape(6, 2) + x.reshape((6, 2)),
    "reshape order": lambda x: x.reshape(2, 6, order="F"),
    "transpose": lambda x: x.transpose() @ x.transpose(0, 1) + x.transpose((1, 0)) @ x,
    "swapaxes": lambda x: x.swapaxes(0, 1),
    "squeeze": lambda x: x[None].squeeze(0),
    "ravel": lambda x: x.ravel() * x.flatten(),
    "repeat": lambda x: x.repeat(2),
    "take": lambda x: x.take([0, 3]),
    "compress": lambda x: x.compress([True, False, True], 0),
    "clip": lambda x: x.clip(-0.5, 0.5),
    "round": lambda x: x.round(1) + x,
    "astype": lambda x: x.astype(x.dtype, copy=False) * x,
    "real": lambda x: x.real + x.imag,
    "conj": lambda x: x.conj() * x.conjugate(),
    "flat": lambda x: x.flat[1:6:2] * x.flat[3],
    "view": lambda x: x.view() * x.view(x.dtype),
    "copy": lambda x: copy.deepcopy(x) * copy.copy(x),
    "T": lambda x: x.T @ x,
}


@pytest.mark.parametrize("name", NDARRAY)
def test_methods_of_ndarray(name):
    run(case(NDARRAY[name], A))


def softmax(x):
    return np.exp(x) / np.exp(x).sum(-1, keepdims=True)


TORCH = {
    "pow": (lambda x: x.pow(3), lambda x: x**3, A),
    "mm": (lambda x: x.mm(x.t()), lambda x: x @ x.T, A),
    "mv": (lambda x: x.mv(x[0]), lambda x: x @ x[0], A),
    "matmul": (lambda x: x.matmul(x.T), lambda x: x @ x.T, A),
    "norm": (lambda x: x.norm(), lambda x: np.sqrt((x**2).sum()), A),
    "norm 1 along": (lambda x: x.norm(1, 0), lambda x: np.abs(x).sum(0), A),
    "norm 3 kept": (
        lambda x: x.norm(3, 1, True),
        lambda x: (np.abs(x) ** 3).sum(1, keepdims=True) ** (1 / 3),
        A,
    ),
    "norm of axes": (lambda x: x.norm(dim=(0, 2)), lambda x: np.sqrt((x**2).sum((0, 2))), T),
    "sigmoid": (lambda x: x.sigmoid(), lambda x: 1 / (1 + np.exp(-x)), A),
    "relu": (lambda x: x.relu(), lambda x: np.maximum(x, 0), A),
    "softmax": (lambda x: x.softmax(), softmax, A),
    "log_softmax": (lambda x: x.log_softmax(dim=0), lambda x: np.log(softmax(x.T).T), A),
    "unsqueeze": (lambda x: x.unsqueeze(1), lambda x: x[:, None], A),
    "permute": (lambda x: x.permute(2, 0, 1), lambda x: x.transpose(2, 0, 1), T),
    "expand": (lambda x: x.expand(2, -1, -1), lambda x: np.broadcast_to(x, (2, 3, 4)), A),
    "clamp": (lambda x: x.clamp(min=0.0), lambda x: np.maximum(x, 0.0), A),
    "view": (lambda x: x.view(2, -1), lambda x: x.reshape(2, -1), A),
    "dim and keepdim": (
        lambda x: x.sum(dim=1, keepdim=True) * x.mean(dim=0),
        lambda x: x.sum(1, keepdims=True) * x.mean(0),
        A,
    ),
    "arithmetic": (
        lambda x: x.add(x, alpha=2).sub(1.0).mul(x).div(3.0).neg(),
        lambda x: -(3 * x - 1) * x / 3,
        A,
    ),
    "clone": (lambda x: x.clone() * x.abs(), lambda x: x * np.abs(x), A),
}


@pytest.mark.parametrize("name", TORCH)
def test_methods_of_torch(name):
    method, meaning, x = TORCH[name]
    run(case(lambda x: method(x) if is_traced(x) else meaning(x), x))


def test_norm_and_relu_at_zero():
    assert_array_equal(fd.grad(lambda x: x.norm())(np.zeros(3)), np.zeros(3))
    assert_array_equal(fd.grad(lambda x: x.relu().sum())(np.zeros(3)), np.zeros(3))


def test_detach():
    assert_array_equal(fd.grad(lambda x: (x.detach() * x).sum())(V), V)
    assert_array_equal(fd.grad(lambda x: fd.grad(lambda z: (z.detach() * z * x).sum())(x).sum())(V), V)


def test_item_and_tolist():
    assert fd.grad(lambda x: x[0] * x.sum().item())(V)[0] == pytest.approx(V.sum())
    assert_allclose(fd.grad(lambda x: sum(x.tolist()[:2]))(V), [1, 1, 0, 0, 0])
    found = []
    fd.grad(lambda x: (found.extend([x.item(3), x.item((1, 2)), math.floor(x[0, 0])]), x.sum())[1])(A)
    assert found == [A.item(3), A.item((1, 2)), math.floor(A[0, 0])]


def test_what_an_array_says_of_itself():
    found = []

    def f(x):
        found.append(
            (
                x.shape,
                x.ndim,
                x.size,
                len(x),
                x.dtype,
                x.itemsize,
                x.nbytes,
                x.strides,
                x.numel(),
                x.dim(),
                x.device,
            )
        )
        return x.sum()

    fd.grad(f)(A)
    assert found[0] == ((3, 4), 2, 12, 3, np.float64, 8, 96, (32, 8), 12, 2, "cpu")


def test_questions():
    found = []

    def f(x):
        found.extend(
            [
                (x > -9).all(),
                (x > 0).any(0),
                x.argmax(1),
                x.argmin(),
                x.argsort(0),
                x.nonzero(),
                x[0].searchsorted(0.1),
            ]
        )
        return x.sum()

    fd.grad(f)(A)
    f(A)
    for ours, theirs in zip(found[:7], found[7:], strict=True):
        assert_array_equal(ours, theirs)


def test_writing_methods():
    def f(x):
        y = x.copy()
        y[0].sort()
        y[1].fill(3.0)
        y[2].put([1, 2], x[0, :2])
        y.flat[[0, 5]] = x[1, :2]
        return y * x

    run(case(f, A))


def test_resize_in_place():
    def f(x):
        y = x * 1.0
        y.resize(2, 4)
        return y

    assert_array_equal(fd.jacobian(f)(V).reshape(8, 5), np.eye(8, 5))
    with pytest.raises(ValueError, match="does not own its data"):
        fd.grad(lambda x: x[1:].resize(2))(V)


def test_setting_the_real_part():
    def f(z):
        y = z * 2
        before = y.real
        y[0] = z[1]
        y.real = y.real * 2
        y.imag = np.abs(z)
        return np.sum(before**2) + np.sum(np.abs(y) ** 2)

    z = A[0] + 1j * A[1]
    eps, direction = 1e-6, np.array([1, 1j, 2 - 1j, 0.5])
    slope = (f(z + eps * direction) - f(z - eps * direction)) / (2 * eps)
    assert_allclose(np.real(np.sum(fd.grad(f)(z) * direction)), slope, rtol=1e-6)


@pytest.mark.parametrize(
    ("f", "error", "message"),
    [
        (lambda x: x.numpy(), fd.errors.ConversionError, "drop its derivative"),
        (lambda x: x.view(int), fd.errors.UnsupportedError, "astype"),
        (lambda x: x.astype(int, casting="safe"), TypeError, "safe"),
        (lambda x: x.to_device("gpu"), ValueError, "cpu"),
        (lambda x: np.outer(x, x)[None].t(), ValueError, "at most 2"),
    ],
)
def test_refusals(f, error, message):
    with pytest.raises(error, match=message):
        fd.grad(lambda x: (f(x), x.sum())[1])(V)


@pytest.mark.parametrize(
    "drop",
    [
        lambda x: x.tobytes(),
        lambda x: x.dumps(),
        lambda x: x.tofile("never_written"),
        lambda x: x.astype(str),
        lambda x: np.astype(x, "S8"),
        lambda x: pickle.dumps(x),
        lambda x: pickle.dumps([x, 1]),
    ],
)
def test_bytes_and_text_of_traced_arrays_are_refused(drop):
    for transform in (fd.grad, fd.jit, lambda f: fd.vmap(f, in_axes=0)):
        with pytest.raises(fd.errors.ConversionError, match="would drop its derivative"):
            transform(lambda x: (drop(x), np.sum(x))[1])(np.ones((2, 2)))


def test_buffers_of_no_transform_are_plain():
    buffer = fd.numpy.ones(2)
    assert buffer.tobytes() == np.ones(2).tobytes()
    assert_array_equal(pickle.loads(pickle.dumps(buffer)), np.ones(2))


def test_copies_and_texts_for_reading():
    def f(x):
        assert "1.5" in f"{x[0]:.2f} {x}"
        return np.sum(copy.deepcopy(x) * copy.copy(x))

    np.testing.assert_allclose(fd.grad(f)(np.array([1.5, 2.0])), [3.0, 4.0])
