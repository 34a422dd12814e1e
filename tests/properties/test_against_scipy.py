"""Random shapes, broadcasts, memory layouts and dtypes, checked by SciPy's numerics."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.special
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import differentiate, optimize

import funcdiff as fd

PROPERTY = settings(
    max_examples=int(os.environ.get("PROPERTY_EXAMPLES", "40")),
    deadline=None,
    print_blob=True,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=list(HealthCheck),
)

# name -> function, and an interval inside its domain, away from kinks
ELEMENTWISE: dict[str, tuple[Callable[[Any], Any], float, float]] = {
    "sin": (np.sin, -3, 3),
    "cos": (np.cos, -3, 3),
    "tan": (np.tan, -1, 1),
    "arcsin": (np.arcsin, -0.8, 0.8),
    "arccos": (np.arccos, -0.8, 0.8),
    "arctan": (np.arctan, -3, 3),
    "sinh": (np.sinh, -2, 2),
    "cosh": (np.cosh, -2, 2),
    "tanh": (np.tanh, -2, 2),
    "arcsinh": (np.arcsinh, -3, 3),
    "arccosh": (np.arccosh, 1.3, 4),
    "arctanh": (np.arctanh, -0.8, 0.8),
    "exp": (np.exp, -2, 2),
    "exp2": (np.exp2, -2, 2),
    "expm1": (np.expm1, -2, 2),
    "log": (np.log, 0.3, 4),
    "log2": (np.log2, 0.3, 4),
    "log10": (np.log10, 0.3, 4),
    "log1p": (np.log1p, -0.6, 4),
    "sqrt": (np.sqrt, 0.3, 4),
    "cbrt": (np.cbrt, 0.3, 4),
    "square": (np.square, -2, 2),
    "reciprocal": (np.reciprocal, 0.4, 3),
    "negative": (np.negative, -2, 2),
    "abs": (np.abs, 0.3, 2),
    "cube": (lambda x: x**3, -2, 2),
    "quotient": (lambda x: (x - 1) / (x + 5), -2, 2),
    "power": (lambda x: x**x, 0.4, 2),
    "exponent": (lambda x: 2.0**x, -2, 2),
    "softplus": (lambda x: np.logaddexp(0, x), -3, 3),
    "where": (lambda x: np.where(x > -10, x * np.sin(x), 0.0), -2, 2),
    "expit": (scipy.special.expit, -3, 3),
    "erf": (scipy.special.erf, -2, 2),
    "gammaln": (scipy.special.gammaln, 0.6, 4),
    "methods": (lambda x: x.clip(-9, 9) * 2 - x**2, -2, 2),
}

BINARY: dict[str, tuple[Callable[[Any, Any], Any], float, float]] = {
    "add": (np.add, -2, 2),
    "subtract": (np.subtract, -2, 2),
    "multiply": (np.multiply, -2, 2),
    "divide": (np.divide, 0.5, 2),
    "power": (np.power, 0.5, 2),
    "hypot": (np.hypot, 0.5, 2),
    "arctan2": (np.arctan2, 0.5, 2),
    "logaddexp": (np.logaddexp, -2, 2),
    "logaddexp2": (np.logaddexp2, -2, 2),
    "xlogy": (scipy.special.xlogy, 0.5, 2),
    "operators": (lambda a, b: (a - 2 * b) / (a * b) + 3 / a, 0.5, 2),
}

REDUCTIONS: dict[str, Callable[..., Any]] = {
    "sum": np.sum,
    "mean": np.mean,
    "prod": np.prod,
    "var": np.var,
    "std": np.std,
    "max": np.max,
    "min": np.min,
    "log-sum-exp": np.logaddexp.reduce,
    "method sum": lambda x, axis: x.sum(axis=axis),
    "norm": lambda x, axis: np.sqrt(np.sum(x * x, axis=axis)),
    "cumsum": np.cumsum,
    "cumprod": np.cumprod,
    "ptp": np.ptp,
    "sort": lambda x, axis: np.sort(x, axis=-1 if axis is None else axis),
    "median": np.median,
}
# only one axis, or none
ACCUMULATIONS = {"log-sum-exp", "cumsum", "cumprod", "sort"}

LAYOUTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "C": lambda x: np.array(x, order="C"),
    "Fortran": lambda x: np.array(x, order="F"),
    "strided": lambda x: np.repeat(x, 2, axis=-1)[..., ::2],
    "negative strides": lambda x: np.array(np.flip(x))[(slice(None, None, -1),) * x.ndim],
    "transposed": lambda x: np.array(x.T).T,
    "read-only": lambda x: read_only(x),
    "offset": lambda x: np.concatenate([x, x])[len(x) :],
}


def read_only(x: np.ndarray) -> np.ndarray:
    copy = x.copy()
    copy.flags.writeable = False
    return copy


layouts = st.sampled_from(sorted(LAYOUTS))
shapes = hnp.array_shapes(min_dims=1, max_dims=3, max_side=4)


def spread(shape: tuple[int, ...], low: float, high: float, salt: int = 0) -> np.ndarray:
    """Values all over the interval, all different: no ties, and the same ones in every run."""
    size = int(np.prod(shape))
    golden = (0.618033988749895 * np.arange(1, size + 1) + 0.37 * salt) % 1.0
    return (low + (high - low) * golden).reshape(shape)


def weights_for(value: Any) -> np.ndarray:
    return np.cos(0.7 * np.arange(np.size(value))).reshape(np.shape(value))


def weighed(f: Callable[..., Any]) -> Callable[..., Any]:
    """`f` as a scalar function in which every output counts differently."""

    def loss(*args: Any) -> Any:
        value = f(*args)
        return (weights_for(value) * value).sum()

    return loss


def close(actual: Any, expected: Any, tolerance: float = 1e-7) -> None:
    scale = 1.0 + np.max(np.abs(expected), initial=0.0)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance * scale)


def scipy_gradient(loss: Callable[[np.ndarray], Any], x: np.ndarray, step: float = 0.02) -> Any:
    """The gradient by `scipy.differentiate.jacobian`, which wants points along trailing axes."""

    def over_points(points: np.ndarray) -> np.ndarray:
        return np.apply_along_axis(lambda point: loss(point.reshape(x.shape)), 0, points)

    return differentiate.jacobian(over_points, x.ravel(), initial_step=step).df.reshape(x.shape)


@pytest.mark.parametrize("name", ELEMENTWISE)
@settings(PROPERTY, max_examples=8)
@given(shape=hnp.array_shapes(min_dims=0, max_dims=3, max_side=4), salt=st.integers(0, 99))
def test_elementwise_functions(name: str, shape: tuple[int, ...], salt: int) -> None:
    f, low, high = ELEMENTWISE[name]
    x = spread(shape, low, high, salt)
    step = 0.03 * (high - low)
    first = differentiate.derivative(f, x, initial_step=step).df
    close(fd.elementwise_grad(f)(x), first)
    gradient = fd.grad(weighed(f))(x)
    close(gradient, weights_for(x) * first)
    assert gradient.shape == x.shape
    second = differentiate.derivative(fd.elementwise_grad(f), x, initial_step=step).df
    close(fd.elementwise_grad(fd.elementwise_grad(f))(x), second, 1e-6)
    close(fd.jvp(fd.elementwise_grad(f), x, np.ones_like(x))[1], second, 1e-6)


@pytest.mark.parametrize("name", BINARY)
@settings(PROPERTY, max_examples=10)
@given(
    pair=hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=3, min_side=1),
    salt=st.integers(0, 99),
)
def test_broadcasting_binary_functions(name: str, pair: Any, salt: int) -> None:
    f, low, high = BINARY[name]
    a, b = (spread(shape, low, high, salt + i) for i, shape in enumerate(pair.input_shapes))
    grad_a, grad_b = fd.grad(weighed(f), argnums=(0, 1))(a, b)
    close(grad_a, scipy_gradient(lambda t: weighed(f)(t, b), a))
    close(grad_b, scipy_gradient(lambda t: weighed(f)(a, t), b))
    # one traced side at a time, the other side plain: left and right operators
    close(fd.grad(weighed(f), 0)(a, b), grad_a, 1e-14)
    close(fd.grad(weighed(f), 1)(a, b), grad_b, 1e-14)
    tangents = (np.sin(1 + a), np.cos(1 + b))
    slope = np.sum(grad_a * tangents[0]) + np.sum(grad_b * tangents[1])
    close(fd.jvp(weighed(f), (a, b), tangents)[1], slope, 1e-12)


@pytest.mark.parametrize("name", REDUCTIONS)
@settings(PROPERTY, max_examples=10)
@given(shape=shapes, layout=layouts, data=st.data())
def test_reductions(name: str, shape: tuple[int, ...], layout: str, data: Any) -> None:
    axes: list[Any] = [None, *range(-len(shape), len(shape))]
    if name not in ACCUMULATIONS and len(shape) > 1:
        axes += [(0, 1), (-1, 0)]
    axis = data.draw(st.sampled_from(axes))
    x = LAYOUTS[layout](spread(shape, 0.4, 1.9))
    if name == "std" and np.any(np.std(x, axis=axis) == 0):
        return  # one element: a kink

    def f(x: Any) -> Any:
        return REDUCTIONS[name](x, axis=axis)

    gradient = fd.grad(weighed(f))(x)
    # differences shorter than the distance of any two elements: no order changes
    close(gradient, scipy_gradient(weighed(f), x, step=1e-3), 1e-6)

    def flat(point: Any) -> Any:
        return weighed(f)(point.reshape(shape))

    error = optimize.check_grad(flat, fd.grad(flat), x.ravel())
    assert error < 1e-5 * (1 + np.abs(gradient).max())


@PROPERTY
@given(
    m=st.integers(1, 4),
    n=st.integers(1, 4),
    k=st.integers(1, 3),
    layout_a=layouts,
    layout_b=layouts,
)
def test_matrix_products(m: int, n: int, k: int, layout_a: str, layout_b: str) -> None:
    a = LAYOUTS[layout_a](spread((m, k), -1, 1))
    b = LAYOUTS[layout_b](spread((k, n), -1, 1, 5))

    def f(a: Any, b: Any) -> Any:
        return np.einsum("ij,jk->ki", np.tanh(a @ b) @ b.T, a.T)

    grad_a, grad_b = fd.grad(weighed(f), argnums=(0, 1))(a, b)
    close(grad_a, scipy_gradient(lambda t: weighed(f)(t, b), a))
    close(grad_b, scipy_gradient(lambda t: weighed(f)(a, t), b))


def random_map(outputs: int) -> Callable[[Any], Any]:
    """A smooth map from vectors to vectors of another length."""

    def f(x: Any) -> Any:
        mixing = spread((outputs, len(x)), -1.0, 1.0)
        return np.sin(mixing @ x) + (mixing @ (x * x)) * np.exp(-x[0])

    return f


@PROPERTY
@given(m=st.integers(1, 5), n=st.integers(1, 5))
def test_jacobians(m: int, n: int) -> None:
    f, x = random_map(m), spread((n,), -1, 1)
    expected = differentiate.jacobian(
        lambda points: np.apply_along_axis(f, 0, points), x, initial_step=0.05
    ).df
    assert expected.shape == (m, n)
    for jacobian in (
        fd.jacobian(f, x),
        fd.jacobian(f)(x),
        fd.jacfwd(f)(x),
        fd.jacrev(f)(x),
        fd.jacobian(f, mode="forward", chunk_size=2)(x),
        fd.jacobian(f, mode="reverse", chunk_size=1)(x),
    ):
        assert jacobian.shape == expected.shape
        close(jacobian, expected)


@settings(PROPERTY, max_examples=10)
@given(n=st.integers(1, 3), salt=st.integers(0, 20))
def test_hessians(n: int, salt: int) -> None:
    x = spread((n,), -1, 1, salt)

    def f(x: Any) -> Any:
        return np.sum(random_map(2)(x) ** 2)

    expected = differentiate.hessian(
        lambda points: np.apply_along_axis(f, 0, points), x, initial_step=0.05
    ).ddf
    hessian = fd.hessian(f, x)
    close(hessian, expected, 1e-5)
    close(hessian, hessian.T, 1e-13)
    v = np.cos(x)
    close(fd.hvp(f, x, v)[1], hessian @ v, 1e-12)
    close(fd.vhp(f, x, v)[1], v @ hessian, 1e-12)


@PROPERTY
@given(shape=shapes, layout=layouts, data=st.data())
def test_basic_indexing(shape: tuple[int, ...], layout: str, data: Any) -> None:
    index = data.draw(hnp.basic_indices(shape, allow_newaxis=True))
    check_index(LAYOUTS[layout](spread(shape, -1, 1)), index)


@PROPERTY
@given(shape=shapes, layout=layouts, data=st.data())
def test_integer_array_indexing(shape: tuple[int, ...], layout: str, data: Any) -> None:
    result = hnp.array_shapes(min_dims=1, max_dims=2, max_side=3)
    index = data.draw(hnp.integer_array_indices(shape, result_shape=result))
    check_index(LAYOUTS[layout](spread(shape, -1, 1)), index)


@PROPERTY
@given(shape=shapes, layout=layouts, data=st.data())
def test_boolean_indexing(shape: tuple[int, ...], layout: str, data: Any) -> None:
    leading = data.draw(st.integers(1, len(shape)))
    mask = data.draw(hnp.arrays(bool, shape[:leading]))
    check_index(LAYOUTS[layout](spread(shape, -1, 1)), mask)


def check_index(x: np.ndarray, index: Any) -> None:
    """Reading and writing are linear: gradients are exactly the weights scattered back."""
    taken = x[index]
    expected = np.zeros(x.shape)
    np.add.at(expected, index, weights_for(taken))
    np.testing.assert_array_equal(fd.grad(weighed(lambda x: x[index]))(x), expected)

    def write(x: Any, v: Any) -> Any:
        y = x * 1.0
        y[index] = v
        return y

    v = np.sin(2 + np.arange(np.size(taken))).reshape(np.shape(taken))
    before = x.copy()
    value, pull = fd.pullback(write, x, v)
    np.testing.assert_array_equal(value, write(x, v))
    np.testing.assert_array_equal(x, before)
    check_linear(write, (x, v), weights_for(x), pull(weights_for(x)))


def check_linear(f: Any, args: Any, cotangent: np.ndarray, cotangents: Any) -> None:
    """The dot-product test with NumPy's own run: `f` is linear in its arguments."""
    for place, found in enumerate(cotangents):
        args_zero = [np.zeros_like(arg) for arg in args]
        expected = np.zeros(np.shape(args[place]))
        for i in np.ndindex(expected.shape):
            unit = np.zeros(expected.shape)
            unit[i] = 1.0
            probe = [*args_zero[:place], unit, *args_zero[place + 1 :]]
            expected[i] = np.sum(cotangent * f(*probe))
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-14)


def everything(x: Any) -> Any:
    """Reads, writes, reductions, shapes and products of one array."""
    y = np.sin(x) * x[::-1]
    y[0] += x[-1].sum()
    turned = y.T[::-1]
    turned[-1] *= 3.0
    return np.tanh(y).sum(axis=0).mean() + np.sum(x.T @ y * 0.1) + np.sqrt(np.sum(x.ravel() ** 2))


@pytest.mark.parametrize("layout", LAYOUTS)
@PROPERTY
@given(shape=hnp.array_shapes(min_dims=2, max_dims=2, max_side=4), salt=st.integers(0, 9))
def test_layouts_do_not_matter(layout: str, shape: tuple[int, ...], salt: int) -> None:
    plain = spread(shape, 0.3, 1.7, salt)
    x = LAYOUTS[layout](plain)
    np.testing.assert_array_equal(x, plain)
    value, gradient = fd.value_and_grad(everything)(x)
    close(value, everything(plain), 1e-14)
    close(gradient, fd.grad(everything)(plain), 1e-13)
    close(gradient, scipy_gradient(everything, plain, 1e-3), 1e-6)
    np.testing.assert_array_equal(x, plain)
    is_callers_own(gradient, x)
    v = LAYOUTS[layout](np.cos(plain))
    close(fd.jvp(everything, x, v)[1], np.sum(gradient * v), 1e-12)
    product = fd.hvp(everything, x, v)[1]
    close(product, fd.hvp(everything, plain, np.array(v))[1], 1e-12)
    is_callers_own(product, x)
    np.testing.assert_array_equal(x, plain)


def is_callers_own(result: Any, *inputs: np.ndarray) -> None:
    assert type(result) is np.ndarray
    assert result.flags.writeable
    assert not any(np.shares_memory(result, array) for array in inputs)


@given(shape=shapes)
@PROPERTY
def test_results_do_not_share_memory(shape: tuple[int, ...]) -> None:
    x, y = spread(shape, -1, 1), spread(shape, -1, 1, 3)
    grad_x, grad_y = fd.grad(lambda x, y: np.sum(x + y), argnums=(0, 1))(x, y)
    is_callers_own(grad_x, x, y, grad_y)
    is_callers_own(grad_y, x, y, grad_x)
    outputs, pull = fd.pullback(lambda x: x, x)
    is_callers_own(outputs, x)
    (pulled,) = pull(y)
    is_callers_own(pulled, x, y)
    again, _ = fd.jvp(lambda x: x, x, y)
    is_callers_own(again, x)


REAL = (np.float16, np.float32, np.float64, np.longdouble)
COMPLEX = (np.complex64, np.complex128, np.clongdouble)


@pytest.mark.parametrize("dtype", REAL)
@PROPERTY
@given(shape=hnp.array_shapes(min_dims=2, max_dims=2, max_side=3), salt=st.integers(0, 9))
def test_real_dtypes_are_kept(dtype: Any, shape: tuple[int, ...], salt: int) -> None:
    wide = spread(shape, 0.3, 1.0, salt)
    x = wide.astype(dtype)

    def f(x: Any) -> Any:
        y = 2 * np.sin(x) / (1 + x**2) - 0.5
        y[0] *= 2.0
        return (np.tanh(y) @ x.T).sum() + np.mean(np.sqrt(x))

    value, gradient = fd.value_and_grad(f)(x)
    assert value.dtype == dtype
    assert gradient.dtype == dtype
    tolerance = 40 * max(float(np.finfo(dtype).eps), 1e-16)
    close(gradient.astype(float), fd.grad(f)(x.astype(float)), tolerance)
    out, slope = fd.jvp(f, x, np.ones_like(x))
    assert out.dtype == dtype
    assert slope.dtype == dtype
    assert fd.hvp(f, x, np.ones_like(x))[1].dtype == dtype
    jacobian = fd.jacobian(lambda x: np.exp(x) * 3)(x)
    assert jacobian.dtype == dtype


@pytest.mark.parametrize("dtype", COMPLEX)
@settings(PROPERTY, max_examples=15)
@given(shape=hnp.array_shapes(min_dims=1, max_dims=2, max_side=3))
def test_complex_gradients(dtype: Any, shape: tuple[int, ...]) -> None:
    """`grad` is df/da - i df/db for z = a + ib: `x - lr * grad.conj()` descends."""
    real, imaginary = spread(shape, 0.3, 1.2), spread(shape, -1, 1, 3)
    z = (real + 1j * imaginary).astype(dtype)

    def f(z: Any) -> Any:
        return np.sum(np.abs(np.exp(z) * z - 1j) ** 2 + (z * z).real + np.sin(z).imag)

    value, gradient = fd.value_and_grad(f)(z)
    assert gradient.dtype == dtype
    assert value.dtype == np.finfo(dtype).dtype
    by_real = scipy_gradient(lambda a: f(a + 1j * imaginary), real)
    by_imaginary = scipy_gradient(lambda b: f(real + 1j * b), imaginary)
    tolerance = 1e-6 if dtype != np.complex64 else 1e-4
    close(gradient, by_real - 1j * by_imaginary, tolerance)
    step = 1e-3 * gradient.conj()
    assert f(z - step) < f(z)
    derivative = fd.elementwise_grad(np.sin)(real)  # holomorphic: the same along the real axis
    holomorphic = fd.grad(lambda z: np.sum(np.sin(z)), holomorphic=True)(real.astype(dtype))
    close(holomorphic, derivative, tolerance)


@PROPERTY
@given(
    n=st.integers(1, 4),
    values=st.lists(st.integers(-2, 2), min_size=4, max_size=4),
)
def test_weak_python_scalars(n: int, values: list[int]) -> None:
    """Python numbers and loops over them never change the dtype of a derivative."""
    x = spread((n,), 0.5, 1.5).astype(np.float32)

    def f(x: Any) -> Any:
        y = x
        for value in values:
            y = y * (1 + 0.1 * value) + value - np.cos(y) * 0.25
        return y.sum()

    assert fd.grad(f)(x).dtype == np.float32
    close(fd.grad(f)(x), scipy_gradient(f, x.astype(float)), 1e-5)


@settings(PROPERTY, max_examples=15)
@given(n=st.integers(2, 6), salt=st.integers(0, 50))
def test_check_grad_of_a_program_with_loops_and_branches(n: int, salt: int) -> None:
    x = spread((n,), 0.2, 1.4, salt)

    def f(x: Any) -> Any:
        y = np.zeros_like(x)
        y[0] = x[0]
        for i in range(1, len(x)):
            if x[i] > x[i - 1]:
                y[i] = y[i - 1] * np.sin(x[i])
            else:
                y[i] = y[i - 1] + x[i] ** 2
        while (y * y).sum() < 50:
            y = y * 1.7
        return y.sum()

    error = optimize.check_grad(f, fd.grad(f), x)
    assert error < 1e-4 * (1 + np.abs(fd.grad(f)(x)).max())
