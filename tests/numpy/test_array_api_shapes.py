"""fd.numpy as an Array API namespace, at every shape: 0-d, empty, broadcast, with NaN, infinities and signed zeros.

Traced arrays and the buffers that `fd.numpy` makes give NumPy's values, shapes and dtypes.  What the standard asks beyond
NumPy is tested by itself.  The strategies of hypothesis make their arrays by the namespace's own functions.
"""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.array_api import make_strategies_namespace
from numpy.testing import assert_allclose, assert_array_equal

import funcdiff as fd
from funcdiff.core.recording import TracedArray, innermost

xp = fd.numpy
SHAPES = [(), (0,), (1,), (5,), (2, 3), (0, 3), (2, 0), (3, 3), (2, 1, 3)]
REFUSALS = (TypeError, ValueError, IndexError, AttributeError)
DTYPES = ["float32", "float64", "complex128"]

UNARY = (
    "abs acos acosh asin asinh atan atanh conj cos cosh exp expm1 imag isfinite isinf isnan log log10 log1p log2 "
    "logical_not negative positive real reciprocal round sign sin sinh sqrt square tan tanh ceil floor trunc signbit"
)
BINARY = (
    "add atan2 copysign divide equal floor_divide greater greater_equal hypot less less_equal logaddexp logical_and "
    "logical_or logical_xor maximum minimum multiply nextafter not_equal pow remainder subtract"
)
REDUCTIONS = (
    "all any max min sum prod mean std var argmax argmin cumulative_sum cumulative_prod count_nonzero"
)
KEYWORDS = [
    "",
    "axis=0",
    "axis=-1, keepdims=True",
    "axis=(0, 1)",
    "axis=()",
    "correction=1",
    "include_initial=True",
]
LINES = [
    *(f"xp.{name}(a)" for name in UNARY.split()),
    *(f"xp.{name}(a, b)" for name in BINARY.split()),
    *(f"xp.{name}(a, {kw})" for name in REDUCTIONS.split() for kw in KEYWORDS),
    "xp.sort(a)", "xp.sort(a, axis=0, stable=True)", "xp.argsort(a, stable=True)", "xp.nonzero(a)", "xp.unique_all(a)",
    "xp.unique_counts(a)", "xp.unique_inverse(a)", "xp.sort(xp.unique_values(a))", "xp.flip(a)", "xp.flip(a, axis=(0, -1))",
    "xp.roll(a, 1)", "xp.roll(a, (1, 2), axis=(0, 1))", "xp.reshape(a, (-1,))", "xp.reshape(a, (1, *a.shape), copy=True)",
    "xp.squeeze(a, axis=())", "xp.squeeze(a, axis=1)", "xp.squeeze(a, 0)", "xp.expand_dims(a, axis=0)",
    "xp.expand_dims(a, axis=-1)", "xp.permute_dims(a, tuple(range(a.ndim))[::-1])", "xp.matrix_transpose(a)",
    "xp.moveaxis(a, 0, -1)", "xp.stack([a, a])", "xp.stack((a, b), axis=-1)", "xp.concat([a, b])",
    "xp.concat([a, a], axis=None)", "xp.tile(a, (2, 1))", "xp.repeat(a, 2)", "xp.repeat(a, 2, axis=0)", "xp.unstack(a)",
    "xp.unstack(a, axis=-1)", "xp.broadcast_to(a, (2, *a.shape))", "xp.broadcast_arrays(a, a)", "xp.meshgrid(a, a)",
    "xp.meshgrid(a, b, indexing='ij')", "xp.tril(a)", "xp.triu(a, k=1)", "xp.zeros_like(a)", "xp.ones_like(a)",
    "xp.full_like(a, 2)", "xp.astype(a, xp.complex128)", "xp.isdtype(a.dtype, 'real floating')", "xp.result_type(a, b)",
    "xp.asarray(a, copy=True)", "xp.take(a, xp.asarray([0, 0]), axis=-1)", "xp.take(a, xp.asarray([], dtype=xp.int64), axis=0)",
    "xp.take_along_axis(a, xp.zeros(a.shape, dtype=xp.int64), axis=-1)", "xp.diff(a)", "xp.diff(a, axis=0, n=2)",
    "xp.searchsorted(xp.sort(a), a, side='right')", "xp.where(a == a, a, b)", "xp.where(a == a, a, 1)",
    "xp.clip(a, min=1, max=3)", "xp.clip(a, max=2)", "xp.clip(a)", "xp.matmul(a, xp.matrix_transpose(a))", "xp.vecdot(a, a)",
    "xp.vecdot(a, a, axis=0)", "xp.tensordot(a, a, axes=0)", "xp.tensordot(a, a, axes=a.ndim)", "xp.linalg.outer(a, a)",
    "xp.linalg.trace(a)", "xp.linalg.diagonal(a)", "xp.linalg.vector_norm(a)", "xp.linalg.vector_norm(a, ord=xp.inf, axis=0)",
    "xp.linalg.vector_norm(a, ord=0)", "xp.linalg.vector_norm(a, axis=-1, keepdims=True)", "xp.linalg.matrix_norm(a)",
    "xp.linalg.matrix_norm(a, ord=1, keepdims=True)", "xp.fft.fft(a)", "xp.fft.ifft(a, n=3)", "xp.fft.rfft(a)",
    "xp.fft.irfft(a)", "xp.fft.hfft(a)", "xp.fft.fftn(a)", "xp.fft.rfftn(a)", "xp.fft.fftshift(a)",
    "a[0]", "a[..., 0]", "a[::-1]", "a[None]", "a[xp.asarray(True)]", "a[a == a]", "a[...]", "abs(a)", "-a", "+a", "a + b",
    "a - b", "a * b", "a / b", "a // b", "a % b", "a**2", "a + 1", "a + 1.5", "1 + a", "2**a", "a @ a", "a == b", "a < b", "2 - a",
    "1.0 / a", "a.mT", "a.ndim", "a.size", "a.shape", "len(a)", "bool(a == a)",
]  # fmt: skip


def array(dtype, shape, seed):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=shape) * 2
    if dtype.startswith("complex"):
        values = values + 1j * rng.normal(size=shape)
    values = np.asarray(values, dtype)
    if values.size > 3:
        values.reshape(-1)[:3] = [np.nan, np.inf, -0.0]
    return values


def leaves(value):
    if isinstance(value, tuple | list):
        return [leaf for item in value for leaf in leaves(item)]
    return [np.asarray(innermost(value)) if type(value) is TracedArray else value]


def evaluated(line, namespace, arrays):
    with np.errstate(all="ignore"):
        return leaves(eval(line, {"xp": namespace, **arrays}))


def same(found, expected, where):
    assert len(found) == len(expected), where
    for f, e in zip(found, expected, strict=True):
        if isinstance(e, (np.ndarray, np.generic)):
            assert (f.dtype, f.shape) == (e.dtype, e.shape), where
            tolerance = 1e-5 if e.dtype.itemsize <= 4 else 1e-12
            assert_allclose(f, e, rtol=tolerance, atol=tolerance, err_msg=str(where))
        else:
            assert f == e, where


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_calls_at_every_shape(shape, dtype):
    plain = {"a": array(dtype, shape, 0), "b": array(dtype, shape, 1)}
    expected, refused = {}, []
    for line in LINES:
        try:
            expected[line] = evaluated(line, np, plain)
        except REFUSALS:  # NumPy has none, for this shape or dtype
            refused.append(line)
    assert len(expected) > 70
    for line in refused:  # nor has a traced array what NumPy refuses
        with pytest.raises(REFUSALS):
            fd.vjp(lambda a, b, line=line: evaluated(line, xp, {"a": a, "b": b}), tuple(plain.values()))

    def every(a, b):
        for line, values in expected.items():
            same(evaluated(line, xp, {"a": a, "b": b}), values, (line, shape, dtype))
        return np.sum(a) * 0.0

    fd.vjp(every, tuple(plain.values()))
    fd.vmap(lambda s, a, b: every(a, b) + s, in_axes=(0, None, None))(np.zeros(1), *plain.values())
    buffers = []
    for values in plain.values():
        buffers.append(xp.empty_like(values))
        buffers[-1][...] = values
    every(*buffers)


# --- what the standard asks beyond NumPy --------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.complex128])
def test_limits_of_floats_are_floats(dtype):
    for argument in (dtype, np.dtype(dtype), np.ones(2, dtype)):
        info = xp.finfo(argument)
        for name in ("eps", "max", "min", "smallest_normal"):
            assert isinstance(getattr(info, name), float)
            assert getattr(info, name) == getattr(np.finfo(dtype), name)
        assert isinstance(info.bits, int)
        assert info.dtype == np.zeros(0, dtype).real.dtype
        assert info.tiny == np.finfo(dtype).tiny
        assert str(info) == str(np.finfo(dtype)) or repr(info) == repr(np.finfo(dtype))


def test_limits_of_integers_and_of_traced_arrays():
    for dtype in (np.int8, np.uint64):
        assert xp.iinfo(dtype).max == xp.iinfo(np.ones(2, dtype)).max == np.iinfo(dtype).max
    assert fd.grad(lambda x: x * xp.finfo(x).eps)(1.0) == np.finfo(np.float64).eps


def test_clip_takes_one_bound_by_position():
    x = np.array([-1.0, 0.5, 2.0])
    assert_array_equal(xp.clip(x, 0), [0, 0.5, 2])
    assert_array_equal(xp.clip(x, 0, max=1), [0, 0.5, 1])
    assert_array_equal(fd.grad(lambda x: np.sum(xp.clip(x, 0)))(x), [0, 1, 1])


def test_repeats_of_any_whole_number_dtype():
    times = np.array([1, 2, 0], np.uint64)
    assert_array_equal(xp.repeat(np.arange(3.0), times), [0, 1, 1])
    assert_array_equal(fd.grad(lambda x: np.sum(xp.repeat(x, times) ** 2))(np.arange(3.0)), [0, 4, 0])


def test_descending_orders_are_stable():
    a = np.random.default_rng(0).integers(0, 3, (4, 60)).astype(np.int32)
    order = xp.argsort(a, axis=1, descending=True)
    for row, found in zip(a, order, strict=True):
        assert list(found) == sorted(range(60), key=lambda n: row[n], reverse=True)


def test_errors_of_the_standard():
    for x in (np.ones((2, 3)), None):

        def f(a):
            with pytest.raises(IndexError):
                xp.expand_dims(a, axis=4)
            with pytest.raises(ValueError, match=r"squeeze|size"):
                xp.squeeze(a, 0)
            with pytest.raises(ValueError, match="0d"):
                xp.nonzero(a[0, 0])
            with pytest.raises(IndexError):
                a[np.ones((3, 2), bool)]
            with pytest.raises(ValueError, match="copy"):
                xp.asarray(a, dtype=xp.float32, copy=False)
            return np.sum(a)

        if x is None:
            fd.grad(f)(np.ones((2, 3)))
        else:
            f(x)


strategies = make_strategies_namespace(xp, api_version="2023.12")


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no failure
@given(st.data())
def test_arrays_made_by_the_namespace(data):
    x = data.draw(strategies.arrays(strategies.scalar_dtypes(), strategies.array_shapes(max_dims=3)))
    plain = np.asarray(innermost(x))
    assert (x.dtype, x.shape, x.ndim, x.size) == (plain.dtype, plain.shape, plain.ndim, plain.size)
    assert_array_equal(np.asarray(xp.reshape(x, (-1,))), plain.reshape(-1))
    index = data.draw(strategies.indices(x.shape))
    assert_array_equal(np.asarray(x[index]), plain[index])
    copied = xp.asarray(x, copy=True)
    copied[index] = 0
    plain = plain.copy()
    plain[index] = 0
    assert_array_equal(np.asarray(copied), plain)
    axes = data.draw(strategies.valid_tuple_axes(x.ndim))
    assert_array_equal(
        np.asarray(xp.count_nonzero(x, axis=axes)), np.count_nonzero(np.asarray(innermost(x)), axis=axes)
    )
