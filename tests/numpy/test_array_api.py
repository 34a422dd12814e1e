"""fd.numpy as an Array API namespace: the names and signatures of the standard 2024.12, on plain and traced arrays.

Each line of the tables is a call with the standard's own keywords.  On plain arrays, and on traced ones of every
inexact dtype, it gives the values, shapes and dtypes of NumPy.  `ours` holds what the standard has and NumPy has not.
"""

import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import funcdiff as fd
from funcdiff.core.recording import TracedArray, innermost

xp = fd.numpy

FLOATS = (np.float32, np.float64)
INEXACT = (*FLOATS, np.complex64, np.complex128)

ELEMENTWISE = {
    **dict.fromkeys(
        [
            "abs",
            "acos",
            "asin",
            "asinh",
            "atan",
            "atanh",
            "cos",
            "cosh",
            "exp",
            "expm1",
            "log",
            "log1p",
            "log2",
            "log10",
            "negative",
            "positive",
            "reciprocal",
            "sign",
            "sin",
            "sinh",
            "sqrt",
            "square",
            "tan",
            "tanh",
            "conj",
            "real",
            "imag",
            "isfinite",
            "isinf",
            "isnan",
            "round",
        ],
        "xp.{name}(x)",
    ),
    "acosh": "xp.acosh(1 + x)",
    **dict.fromkeys(["ceil", "floor", "trunc", "signbit"], "xp.{name}(r)"),
    **dict.fromkeys(
        ["add", "divide", "multiply", "subtract", "equal", "not_equal", "pow"], "xp.{name}(x, y)"
    ),
    **dict.fromkeys(
        [
            "atan2",
            "copysign",
            "floor_divide",
            "greater",
            "greater_equal",
            "hypot",
            "less",
            "less_equal",
            "logaddexp",
            "maximum",
            "minimum",
            "nextafter",
            "remainder",
        ],
        "xp.{name}(r, s)",
    ),
    **dict.fromkeys(
        ["bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_left_shift", "bitwise_right_shift"],
        "xp.{name}(i, i % 3)",
    ),
    "bitwise_invert": "xp.bitwise_invert(i)",
    **dict.fromkeys(["logical_and", "logical_or", "logical_xor"], "xp.{name}(b, r > 0.5)"),
    "logical_not": "xp.logical_not(b)",
    "clip": ["xp.clip(r, 0.2, 0.6)", "xp.clip(r, min=0.2)", "xp.clip(r, max=s)", "xp.clip(r)"],
}
CREATION = {
    "arange": ["xp.arange(4)", "xp.arange(1, 4, 2, dtype=xp.float32, device='cpu')", "xp.arange(1, stop=3, step=1)"],
    "asarray": [
        "xp.asarray(x, dtype=xp.complex128, device='cpu', copy=True)", "xp.asarray(x, copy=None)", "xp.asarray([1, 2])",
    ],
    "empty": "xp.empty((2, 3), dtype=xp.int8, device='cpu').shape",
    "empty_like": "xp.empty_like(x, dtype=xp.float64, device='cpu').shape",
    "eye": "xp.eye(2, 3, k=1, dtype=xp.float32, device='cpu')",
    "from_dlpack": "xp.from_dlpack(i, device='cpu', copy=True)",
    "full": "xp.full((2, 3), 1.5, dtype=xp.float32, device='cpu')",
    "full_like": "xp.full_like(x, 2, dtype=xp.complex64, device='cpu')",
    "linspace": "xp.linspace(0.0, 1.0, num=5, dtype=xp.float32, device='cpu', endpoint=False)",
    "meshgrid": "xp.meshgrid(x, y, indexing='ij')",
    "ones": "xp.ones(3, dtype=xp.uint8, device='cpu')",
    "ones_like": "xp.ones_like(x, dtype=xp.float32, device='cpu')",
    "tril": "xp.tril(m, k=-1)",
    "triu": "xp.triu(m, k=1)",
    "zeros": "xp.zeros((2, 0), dtype=xp.bool, device='cpu')",
    "zeros_like": "xp.zeros_like(x, dtype=None, device='cpu')",
}  # fmt: skip
MANIPULATION = {
    "astype": ["xp.astype(x, xp.complex64, copy=False, device='cpu')", "xp.astype(r, xp.int32)"],
    "broadcast_arrays": "xp.broadcast_arrays(x, m)",
    "broadcast_to": "xp.broadcast_to(x, (2, 3))",
    "concat": ["xp.concat((x, y), axis=0)", "xp.concat([m, x], axis=None)"],
    "expand_dims": "xp.expand_dims(x, axis=1)",
    "flip": ["xp.flip(m, axis=1)", "xp.flip(m)"],
    "moveaxis": "xp.moveaxis(t, 0, -1)",
    "permute_dims": "xp.permute_dims(t, (2, 0, 1))",
    "repeat": ["xp.repeat(m, 2, axis=0)", "xp.repeat(x, i % 3)"],
    "reshape": ["xp.reshape(m, (3, 2), copy=True)", "xp.reshape(m, shape=(6,), copy=None)"],
    "roll": "xp.roll(m, (1, 1), axis=(0, 1))",
    "squeeze": "xp.squeeze(m[None], axis=0)",
    "stack": "xp.stack([x, y], axis=-1)",
    "tile": "xp.tile(x, (2, 2))",
    "unstack": "xp.unstack(m, axis=1)",
    "matmul": "xp.matmul(m, x)",
    "matrix_transpose": "xp.matrix_transpose(t)",
    "tensordot": ["xp.tensordot(m, x, axes=1)", "xp.tensordot(m, m, axes=((0, 1), (0, 1)))"],
    "vecdot": "xp.vecdot(m, x, axis=-1)",
    "take": "xp.take(m, i % 2, axis=0)",
    "take_along_axis": "xp.take_along_axis(m, i[None] % 2, axis=0)",
    "where": ["xp.where(b, x, y)", "xp.where(b, x, 0.0)"],
    "diff": "xp.diff(m, axis=-1, n=1, prepend=m[:, :1], append=m[:, :1])",
}
REDUCTIONS = {
    **dict.fromkeys(["max", "min"], "xp.{name}(q, axis=(0, 1), keepdims=True)"),
    **dict.fromkeys(["mean"], "xp.{name}(m, axis=0, keepdims=False)"),
    **dict.fromkeys(
        ["sum", "prod"], ("xp.{name}(m, axis=1, dtype=xp.complex128, keepdims=True)", "xp.{name}(x)")
    ),
    **dict.fromkeys(["std", "var"], "xp.{name}(m, axis=1, correction=1.0, keepdims=True)"),
    **dict.fromkeys(
        ["cumulative_sum", "cumulative_prod"],
        "xp.{name}(m, axis=1, dtype=xp.complex128, include_initial=True)",
    ),
    **dict.fromkeys(["all", "any"], "xp.{name}(b, axis=0, keepdims=True)"),
    **dict.fromkeys(["argmax", "argmin"], ("xp.{name}(q, axis=0, keepdims=True)", "xp.{name}(q)")),
    "count_nonzero": "xp.count_nonzero(m, axis=1, keepdims=True)",
    "nonzero": "xp.nonzero(m)",
    "searchsorted": "xp.searchsorted(xp.sort(r), s, side='right', sorter=None)",
    "argsort": ["xp.argsort(q, axis=0, stable=True)"],
    "sort": ["xp.sort(q, axis=0, stable=True)"],
    "unique_all": "xp.unique_all(i % 2)",
    "unique_counts": "xp.unique_counts(i % 2)",
    "unique_inverse": "xp.unique_inverse(q)",
    "unique_values": "xp.unique_values(q)",
}
TYPES = {
    "can_cast": ["xp.can_cast(xp.float32, xp.float64)", "xp.can_cast(x, xp.complex128)"],
    "finfo": ["xp.finfo(xp.float64).eps", "xp.finfo(xp.complex128).bits"],
    "iinfo": "xp.iinfo(xp.int8).max",
    "isdtype": ["xp.isdtype(x.dtype, ('real floating', xp.bool))", "xp.isdtype(xp.int8, 'integral')"],
    "result_type": ["xp.result_type(x, xp.float32, 1.0)", "xp.result_type(xp.int8, 2)"],
}
MAIN = ELEMENTWISE | CREATION | MANIPULATION | REDUCTIONS | TYPES
LINALG = {
    "cholesky": ["xp.linalg.cholesky(h, upper=False)", "xp.linalg.cholesky(h, upper=True)"],
    "cross": "xp.linalg.cross(x, y, axis=-1)",
    "det": "xp.linalg.det(h)",
    "diagonal": "xp.linalg.diagonal(t, offset=1)",
    "eigh": "xp.linalg.eigh(h).eigenvalues",
    "eigvalsh": "xp.linalg.eigvalsh(h)",
    "inv": "xp.linalg.inv(h)",
    "matmul": "xp.linalg.matmul(m, h)",
    "matrix_norm": ["xp.linalg.matrix_norm(m, keepdims=True, ord=1)", "xp.linalg.matrix_norm(m)"],
    "matrix_power": "xp.linalg.matrix_power(h, 3)",
    "matrix_rank": "xp.linalg.matrix_rank(h, rtol=1e-3)",
    "matrix_transpose": "xp.linalg.matrix_transpose(t)",
    "outer": "xp.linalg.outer(x, y)",
    "pinv": "xp.linalg.pinv(m, rtol=1e-5)",
    "qr": "xp.abs(xp.linalg.qr(h, mode='reduced').R)",
    "slogdet": "xp.linalg.slogdet(h).logabsdet",
    "solve": ["xp.linalg.solve(h, x)", "xp.linalg.solve(h, h[:, :2])"],
    "svd": "xp.linalg.svd(h, full_matrices=False).S",
    "svdvals": "xp.linalg.svdvals(m)",
    "tensordot": "xp.linalg.tensordot(m, h, axes=1)",
    "trace": "xp.linalg.trace(h, offset=1, dtype=xp.complex128)",
    "vecdot": "xp.linalg.vecdot(m, x, axis=-1)",
    "vector_norm": [
        "xp.linalg.vector_norm(t, axis=(0, 2), keepdims=True, ord=3)",
        "xp.linalg.vector_norm(x)",
    ],
}
FFT = {
    **dict.fromkeys(["fft", "ifft", "hfft"], "xp.fft.{name}(x, n=4, axis=-1, norm='ortho')"),
    **dict.fromkeys(["rfft", "ihfft"], "xp.fft.{name}(r, n=4, axis=0, norm='backward')"),
    "irfft": "xp.fft.irfft(x, n=5, axis=-1, norm='forward')",
    **dict.fromkeys(["fftn", "ifftn"], "xp.fft.{name}(m, s=(2, 4), axes=(0, 1), norm='ortho')"),
    "rfftn": "xp.fft.rfftn(q, s=(2, 4), axes=(0, 1), norm='ortho')",
    "irfftn": "xp.fft.irfftn(m, s=(2, 4), axes=(0, 1), norm='ortho')",
    "fftfreq": "xp.fft.fftfreq(5, d=0.5, device='cpu')",
    "rfftfreq": "xp.fft.rfftfreq(5, d=0.5, device='cpu')",
    "fftshift": "xp.fft.fftshift(m, axes=1)",
    "ifftshift": "xp.fft.ifftshift(m, axes=None)",
}
OURS = {  # what the standard has and NumPy has not: ours, and the same in NumPy
    "xp.sort(q, axis=0, descending=True, stable=True)": "xp.flip(xp.sort(q, axis=0), axis=0)",
    "xp.argsort(r, descending=True)": "xp.argsort(-r)",
    "xp.argsort(i % 2, descending=True, stable=True)": "xp.argsort(-(i % 2), stable=True)",
    "xp.fft.fftfreq(5, dtype=xp.float32)": "xp.astype(xp.fft.fftfreq(5), xp.float32)",
    "xp.fft.rfftfreq(5, dtype=xp.float32)": "xp.astype(xp.fft.rfftfreq(5), xp.float32)",
    "xp.diff(m, prepend=None, append=None)": "xp.diff(m)",
}
DTYPES = [
    "bool",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "float32",
    "float64",
    "complex64",
    "complex128",
]
CONSTANTS = ["e", "inf", "nan", "newaxis", "pi"]
METHODS = [
    "abs",
    "add",
    "and",
    "bool",
    "complex",
    "eq",
    "float",
    "floordiv",
    "ge",
    "getitem",
    "gt",
    "index",
    "int",
    "invert",
    "le",
    "lshift",
    "lt",
    "matmul",
    "mod",
    "mul",
    "ne",
    "neg",
    "or",
    "pos",
    "pow",
    "rshift",
    "setitem",
    "sub",
    "truediv",
    "xor",
    "radd",
    "rand",
    "rfloordiv",
    "rlshift",
    "rmatmul",
    "rmod",
    "rmul",
    "ror",
    "rpow",
    "rrshift",
    "rsub",
    "rtruediv",
    "rxor",
    "iadd",
    "iand",
    "ifloordiv",
    "ilshift",
    "imatmul",
    "imod",
    "imul",
    "ior",
    "ipow",
    "irshift",
    "isub",
    "itruediv",
    "ixor",
    "array_namespace",
    "dlpack",
    "dlpack_device",
]


def calls(table):
    for name, entry in table.items():
        for line in [entry] if isinstance(entry, str) else entry:
            yield line.format(name=name)


LINES = [*calls(MAIN), *calls(LINALG), *calls(FFT)]


def inputs(dtype):
    """Arrays by name: x, y, m, t of a dtype, r, s, q, real, and h, symmetric and positive definite."""
    rng = np.random.default_rng(0)
    real = np.zeros(0, dtype).real.dtype

    def draw(*shape, kind=dtype):
        values = rng.uniform(0.2, 0.9, shape)
        if np.issubdtype(kind, np.complexfloating):
            values = values + 1j * rng.uniform(0.1, 0.3, shape)
        return values.astype(kind)

    a = draw(3, 3)
    return {
        "x": draw(3), "y": draw(3), "m": draw(2, 3), "t": draw(2, 3, 2), "h": a @ a.conj().T + np.eye(3, dtype=dtype),
        "r": draw(3, kind=real), "s": draw(3, kind=real), "q": draw(2, 3, kind=real),
    }  # fmt: skip


CONSTANT = {"i": np.array([3, 1, 2]), "b": np.array([True, False, True])}


def leaves(value):
    if isinstance(value, tuple | list) and not hasattr(value, "dtype"):
        return [leaf for item in value for leaf in leaves(item)]
    return [value]


def evaluated(line, namespace, arrays):
    return leaves(eval(line, {"xp": namespace, **CONSTANT, **arrays}))


def same(found, expected, line):
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        if not hasattr(b, "dtype"):
            assert a == b
            continue
        assert a.dtype == b.dtype, line
        assert a.shape == b.shape, line
        tolerance = 2e-5 if np.dtype(b.dtype).itemsize <= 8 and b.dtype.kind in "fc" else 1e-12
        assert_allclose(np.asarray(innermost(a)), b, rtol=tolerance, atol=tolerance)


def takes(line, dtype):
    """Whether NumPy has the function for the dtype."""
    try:
        return evaluated(line, np, inputs(dtype))
    except TypeError:
        assert np.issubdtype(dtype, np.complexfloating)
        return None


@pytest.mark.parametrize("line", LINES)
def test_calls_of_the_standard(line):
    tested = 0
    for dtype in INEXACT:
        expected = takes(line, dtype)
        if expected is None:
            continue
        tested += 1
        arrays = inputs(dtype)
        same(evaluated(line, xp, arrays), expected, line)

        def f(*values, arrays=arrays, expected=expected):
            same(evaluated(line, xp, dict(zip(arrays, values, strict=True))), expected, line)
            return sum(np.sum(np.real(v)) for v in values)

        fd.vjp(f, tuple(arrays.values()))
    assert tested >= 2


@pytest.mark.parametrize("line", OURS)
def test_what_numpy_has_not(line):
    arrays = inputs(np.float64)
    expected = evaluated(OURS[line], np, arrays)
    same(evaluated(line, xp, arrays), expected, line)

    def f(*values):
        same(evaluated(line, xp, dict(zip(arrays, values, strict=True))), expected, line)
        return np.sum(values[0])

    fd.grad(f, argnums=tuple(range(len(arrays))))(*arrays.values())


def test_descending_sorts_are_differentiable():
    x = np.array([0.3, 0.9, 0.1])
    w = np.array([1.0, 2.0, 4.0])
    assert_array_equal(fd.grad(lambda x: np.sum(w * xp.sort(x, descending=True)))(x), [2.0, 1.0, 4.0])
    stable = xp.argsort(np.array([1, 2, 1, 2]), descending=True, stable=True)
    assert_array_equal(stable, [1, 3, 0, 2])


def test_every_name_of_the_standard_is_there():
    names = [*MAIN, *DTYPES, *CONSTANTS, "__array_namespace_info__", "__array_api_version__"]
    assert [n for n in names if not hasattr(xp, n)] == []
    assert [n for n in LINALG if not hasattr(xp.linalg, n)] == []
    assert [n for n in FFT if not hasattr(xp.fft, n)] == []
    assert xp.__array_api_version__ >= "2024.12"
    for name in (*MAIN, *DTYPES, *CONSTANTS, "linalg", "fft"):
        assert name in xp.__all__ or name in ("linalg", "fft"), name


def test_dtypes_and_constants_are_numpys():
    for name in (*DTYPES, *CONSTANTS):
        assert getattr(xp, name) is getattr(np, name)


def test_the_namespace_describes_itself():
    info = xp.__array_namespace_info__()
    capabilities = info.capabilities()
    assert capabilities["boolean indexing"] is True
    assert "data-dependent shapes" in capabilities
    assert info.default_device() == "cpu"
    assert list(info.devices()) == ["cpu"]
    assert set(info.default_dtypes()) == {"real floating", "complex floating", "integral", "indexing"}
    assert set(info.dtypes()) == set(DTYPES)
    assert set(info.dtypes(kind="complex floating")) == {"complex64", "complex128"}


@pytest.mark.parametrize(
    "line",
    [
        "xp.zeros(3, device='gpu')", "xp.ones(3, device='gpu')", "xp.empty(3, device='gpu')", "xp.full(3, 1.0, device='gpu')",
        "xp.eye(3, device='gpu')", "xp.arange(3, device='gpu')", "xp.linspace(0, 1, 3, device='gpu')",
        "xp.asarray([1.0], device='gpu')", "xp.asarray(x, device='gpu')", "xp.zeros_like(x, device='gpu')",
        "xp.ones_like(x, device='gpu')", "xp.empty_like(x, device='gpu')", "xp.full_like(x, 1.0, device='gpu')",
        "xp.astype(x, xp.float32, device='gpu')", "x.to_device('gpu')", "xp.fft.fftfreq(3, device='gpu')",
    ],
)  # fmt: skip
def test_other_devices_are_refused(line):
    x = np.ones(3)
    with pytest.raises(ValueError, match=r"[dD]evice"):
        eval(line, {"xp": xp, "x": x})

    def f(x):
        with pytest.raises(ValueError, match=r"[dD]evice"):
            eval(line, {"xp": xp, "x": x})
        return x.sum()

    fd.grad(f)(x)


def test_arrays_have_the_attributes_of_the_standard():
    def f(x):
        assert type(x) is TracedArray
        for name in METHODS:
            assert hasattr(x, f"__{name}__"), name
        assert x.__array_namespace__() is xp
        assert x.__array_namespace__(api_version="2024.12") is xp
        assert x.device == "cpu"
        assert x.to_device("cpu") is x
        assert x.to_device(x.device, stream=None) is x
        assert (x.dtype, x.ndim, x.shape, x.size) == (np.float64, 3, (2, 3, 2), 12)
        assert x.mT.shape == (2, 2, 3)
        assert x[0].T.shape == (2, 3)
        with pytest.raises(ValueError, match="api_version"):
            x.__array_namespace__(api_version="1999.01")
        return x.sum()

    fd.grad(f)(np.ones((2, 3, 2)))


def test_traced_arrays_are_not_exported():
    def f(x):
        with pytest.raises((fd.errors.ConversionError, BufferError)):
            np.from_dlpack(x)
        return x.sum()

    fd.grad(f)(np.ones(2))


# --- special cases -------------------------------------------------------------------------------------------


def test_special_cases():
    values = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 0.5])
    a, b = (v.ravel() for v in np.meshgrid(values, values))

    def f(a, b):
        with np.errstate(all="ignore"):
            for line in [*calls(ELEMENTWISE)]:
                if "(x)" in line or "(r)" in line or "(r, s)" in line or "(x, y)" in line:
                    plain, traced = {"x": A, "y": B, "r": A, "s": B}, {"x": a, "y": b, "r": a, "s": b}
                    for found, expected in zip(
                        evaluated(line, xp, traced), evaluated(line, np, plain), strict=True
                    ):
                        assert_array_equal(np.asarray(innermost(found)), expected)
                        if expected.dtype.kind == "f":
                            assert_array_equal(np.signbit(innermost(found)), np.signbit(expected))
        return np.sum(a)

    A, B = a, b
    fd.vjp(f, (a, b))


def test_empty_and_scalar_arrays():
    def f(x, s):
        for line in ("xp.sum(x)", "xp.prod(x, axis=0)", "xp.concat((x, x))", "xp.sort(x)", "xp.unique_values(x)",
                     "xp.cumulative_sum(x, include_initial=True)", "xp.all(x)", "xp.stack((s, s))", "xp.squeeze(s, axis=())",
                     "xp.reshape(s, (1, 1))", "xp.expand_dims(s, axis=0)", "xp.broadcast_to(s, (2,))", "xp.flip(s)"):  # fmt: skip
            same(
                evaluated(line, xp, {"x": x, "s": s}),
                evaluated(line, np, {"x": np.ones(0), "s": np.float64(2.0)}),
                line,
            )
        with pytest.raises(ValueError, match="zero-size"):
            xp.max(x)
        return s * 1.0

    fd.grad(f, argnums=(0, 1))(np.ones(0), 2.0)


# --- generic code, as SciPy and scikit-learn write it ------------------------------------------------------------


def logsumexp(x, axis=-1):
    xp = x.__array_namespace__()
    largest = xp.max(x, axis=axis, keepdims=True)
    largest = xp.where(xp.isfinite(largest), largest, xp.asarray(0.0, dtype=x.dtype, device=x.device))
    total = xp.sum(xp.exp(x - largest), axis=axis, keepdims=True)
    return xp.squeeze(xp.log(total) + largest, axis=axis)


def standardized(x):
    xp = x.__array_namespace__()
    scale = xp.std(x, axis=0, correction=1)
    return (x - xp.mean(x, axis=0)) / xp.where(scale == 0, xp.ones_like(scale), scale)


def ridge(a, b, penalty):
    xp = a.__array_namespace__()
    eye = xp.eye(a.shape[1], dtype=a.dtype, device=a.device)
    return xp.linalg.solve(a.mT @ a + penalty * eye, a.mT @ b)


def distances(a, b):
    xp = a.__array_namespace__()
    squared = xp.linalg.vecdot(a, a)[:, None] + xp.vecdot(b, b)[None, :] - 2 * a @ b.T
    return xp.sqrt(xp.clip(squared, min=1e-12))


def filled(x):
    xp = x.__array_namespace__()
    out = xp.empty_like(x)
    for n in range(x.shape[0]):
        out[n, ...] = x[n, ...] * n
    return xp.concat([out, xp.zeros((1, x.shape[1]), dtype=x.dtype, device=x.device)], axis=0)


def median_by_sorting(x):
    xp = x.__array_namespace__()
    ordered = xp.sort(x, axis=0)
    n = x.shape[0]
    return (
        xp.take(ordered, xp.asarray([n // 2]), axis=0) + xp.take(ordered, xp.asarray([(n - 1) // 2]), axis=0)
    ) / 2


def spectrum(x):
    xp = x.__array_namespace__()
    return xp.abs(xp.fft.rfft(x, axis=0)) ** 2


GENERIC = [
    logsumexp,
    standardized,
    lambda x: ridge(x, xp_of(x).sum(x, axis=1), 0.3),
    lambda x: distances(x, x[:2]),
    filled,
    median_by_sorting,
    spectrum,
]


def xp_of(x):
    return x.__array_namespace__()


@pytest.mark.parametrize("f", GENERIC)
def test_generic_code(f):
    x = np.random.default_rng(1).normal(size=(5, 3))
    assert_allclose(fd.jvp(f, x, x)[0], f(x))
    fd.testing.check_grads(f, (x,), order=2)
    xs = np.stack([x, x + 1])
    assert_allclose(fd.vmap(f)(xs), [f(v) for v in xs])
    assert_allclose(fd.jit(f)(x), f(x))


def test_generic_code_of_scipys():
    """SciPy's own helpers take the namespace from the arrays they are given."""
    from scipy._lib._array_api import is_numpy, xp_size

    def f(x):
        assert is_numpy(np)
        assert xp_size(x) == 3
        return logsumexp(x)

    assert_allclose(fd.grad(f)(np.zeros(3)), np.ones(3) / 3)


# --- speed on plain arrays -----------------------------------------------------------------------------------------

PLAIN_CALLS = [
    "xp.sum(m)", "xp.mean(m, axis=0)", "xp.max(m)", "xp.where(b, x, x)", "xp.concatenate([x, x])", "xp.stack((x, x))",
    "xp.reshape(m, (-1,))", "xp.transpose(m)", "xp.dot(x, x)", "xp.einsum('ij,j', m, x)", "xp.sort(x)", "xp.argmax(x)",
    "xp.cumsum(x)", "xp.std(x)", "xp.linalg.norm(x)", "xp.linalg.inv(h)", "xp.fft.fft(x)", "xp.linalg.svd(h)",
    "xp.clip(x, 0.0, 1.0)", "xp.take(x, i % 2)", "xp.diff(x)", "xp.outer(x, x)", "xp.median(x)", "xp.interp(x, x, x)",
]  # fmt: skip


@pytest.mark.parametrize("line", PLAIN_CALLS)
def test_plain_arrays_go_to_numpy_at_once(line):
    """One frame of ours, and a type check for each list or tuple among the arguments, and NumPy."""
    arrays = inputs(np.float64)
    code = compile(line, line, "eval")
    scope = {"xp": xp, **CONSTANT, **arrays}
    eval(code, scope)
    entered = []

    def watch(frame, event, _arg):
        if event == "call" and "funcdiff" in frame.f_globals.get("__name__", ""):
            entered.append(frame.f_code.co_name)

    sys.setprofile(watch)
    try:
        eval(code, scope)
    finally:
        sys.setprofile(None)
    name = line.removeprefix("xp.").partition("(")[0]
    assert [n for n in entered if n not in ("has_traced", "<genexpr>", name)] == ["public"]
    sequences = line.count("[") + line.count("(-1") + line.count("((")  # each of two elements at most
    assert len(entered) <= 4 + 6 * sequences
