"""NumPy's names and signatures, differentiable.

Everything here takes plain and traced arrays alike.  It is for what NumPy's own protocols cannot reach,
such as ``fd.numpy.array([x[0], x[1]])`` or ``fd.numpy.zeros(n)`` as a buffer for traced values; and it is an
Array API namespace.
"""

import importlib
from typing import Any

import numpy as _numpy

import funcdiff.primitives.operators  # noqa: F401  # attaches Python's operators

# Several hundred names: they are packed, not one to a line.
# fmt: off
# isort: off
from numpy import (
    bartlett, blackman, bool, bool_, broadcast_shapes, bytes_, c_, cdouble, clongdouble, complex128,
    complex64, complexfloating, csingle, diag_indices, double, dtype, e, errstate, euler_gamma, False_,
    float16, float32, float64, floating, generic, half, hamming, hanning, index_exp, indices, inexact,
    inf, int16, int32, int64, int8, int_, integer, intersect1d, intp, isdtype, isscalar, issubdtype,
    iterable, longdouble, mgrid, nan, ndarray, ndenumerate, ndindex, newaxis, number, ogrid, pi,
    promote_types, r_, s_, set_printoptions, setdiff1d, setxor1d, signedinteger,
    single, tril_indices, triu_indices, True_, uint, uint16, uint32, uint64, uint8, union1d,
    unsignedinteger, vectorize,
)

from funcdiff.numpy import _protocol, emath, fft, lib, linalg, methods, polynomial
from funcdiff.numpy.applying import apply_along_axis, apply_over_axes, bincount
from funcdiff.numpy.creation import (
    array, asanyarray, asarray, asarray_chkfinite, ascontiguousarray, asfortranarray, astype, copy, empty,
    empty_like, eye, from_dlpack, fromfunction, full, full_like, identity, ones, ones_like, require, tri, zeros,
    zeros_like,
)
from funcdiff.numpy.diagonals import diag, diagflat, diagonal, fill_diagonal, trace, tril, triu, vander
from funcdiff.numpy.differences import convolve, correlate, diff, ediff1d, gradient, interp, trapezoid, unwrap
from funcdiff.numpy.histograms import histogram, histogram2d, histogram_bin_edges, histogramdd
from funcdiff.numpy.in_place import copyto, place, put, put_along_axis, putmask
from funcdiff.numpy.joining import (
    append, block, column_stack, concat, concatenate, delete, dstack, hstack, insert, stack, vstack,
)
from funcdiff.numpy.limits import finfo, iinfo
from funcdiff.numpy.padding import pad
from funcdiff.numpy.pointwise import angle, around, fix, i0, imag, kaiser, nan_to_num, real, real_if_close, round, sinc
from funcdiff.numpy.polynomials import (
    poly, polyadd, polyder, polydiv, polyfit, polyint, polymul, polysub, polyval, roots,
)
from funcdiff.numpy.positions import ix_, ravel_multi_index, unravel_index
from funcdiff.numpy.products import (
    cross, dot, einsum, einsum_path, inner, kron, matmul, matvec, outer, tensordot, vdot, vecdot, vecmat,
)
from funcdiff.numpy.quantiles import median, nanmedian, nanpercentile, nanquantile, percentile, quantile
from funcdiff.numpy.queries import (
    all, allclose, any, argmax, argmin, argwhere, array2string, array_equal, array_equiv, array_repr,
    array_str, can_cast, common_type, count_nonzero, diag_indices_from, digitize, flatnonzero, isclose, iscomplex,
    iscomplexobj, isin, isneginf, isposinf, isreal, isrealobj, may_share_memory, min_scalar_type,
    nanargmax, nanargmin, ndim, nonzero, result_type, searchsorted, shape, shares_memory, size, tril_indices_from, triu_indices_from,
)
from funcdiff.numpy.ranges import arange, geomspace, linspace, logspace
from funcdiff.numpy.rearranging import (
    array_split, dsplit, flip, fliplr, flipud, hsplit, repeat, resize, roll, rot90, split, tile,
    trim_zeros, unstack, vsplit,
)
from funcdiff.numpy.reductions import (
    amax, amin, cumprod, cumsum, cumulative_prod, cumulative_sum, max, mean, min, nancumprod, nancumsum,
    nanmax, nanmean, nanmin, nanprod, nansum, prod, ptp, sum,
)
from funcdiff.numpy.selection import (
    choose, clip, compress, extract, piecewise, select, take, take_along_axis, where,
)
from funcdiff.numpy.shapes import (
    atleast_1d, atleast_2d, atleast_3d, broadcast_arrays, broadcast_to, expand_dims, matrix_transpose,
    meshgrid, moveaxis, permute_dims, ravel, reshape, rollaxis, squeeze, swapaxes, transpose,
)
from funcdiff.numpy.sorting import (
    argpartition, argsort, lexsort, partition, sort, sort_complex, unique, unique_all, unique_counts,
    unique_inverse, unique_values,
)
from funcdiff.numpy.statistics import average, corrcoef, cov, nanstd, nanvar, std, var
from funcdiff.numpy.user_code import rebind
from funcdiff.numpy.ufuncs import (
    abs, absolute, acos, acosh, add, arccos, arccosh, arcsin, arcsinh, arctan, arctan2, arctanh, asin,
    asinh, atan, atan2, atanh, bitwise_and, bitwise_count, bitwise_invert, bitwise_left_shift,
    bitwise_not, bitwise_or, bitwise_right_shift, bitwise_xor, cbrt, ceil, conj, conjugate, copysign, cos,
    cosh, deg2rad, degrees, divide, divmod, equal, exp, exp2, expm1, fabs, float_power, floor,
    floor_divide, fmax, fmin, fmod, frexp, gcd, greater, greater_equal, heaviside, hypot, invert,
    isfinite, isinf, isnan, lcm, ldexp, left_shift, less, less_equal, log, log10, log1p, log2, logaddexp,
    logaddexp2, logical_and, logical_not, logical_or, logical_xor, maximum, minimum, mod, modf, multiply,
    negative, nextafter, not_equal, positive, pow, power, rad2deg, radians, reciprocal, remainder,
    right_shift, rint, sign, signbit, sin, sinh, spacing, sqrt, square, subtract, tan, tanh, true_divide,
    trunc,
)

__all__ = [  # noqa: RUF022  sorted as Python sorts, and packed
    "False_", "True_", "abs", "absolute", "acos", "acosh", "add", "all", "allclose", "amax", "amin",
    "angle", "any", "append", "apply_along_axis", "apply_over_axes", "arange", "arccos", "arccosh",
    "arcsin", "arcsinh", "arctan", "arctan2", "arctanh", "argmax", "argmin", "argpartition", "argsort",
    "argwhere", "around", "array", "array2string", "array_equal", "array_equiv", "array_repr",
    "array_split", "array_str", "asanyarray", "asarray", "asarray_chkfinite", "ascontiguousarray",
    "asfortranarray", "asin", "asinh", "astype", "atan", "atan2", "atanh", "atleast_1d", "atleast_2d",
    "atleast_3d", "average", "bartlett", "bincount", "bitwise_and", "bitwise_count", "bitwise_invert",
    "bitwise_left_shift", "bitwise_not", "bitwise_or", "bitwise_right_shift", "bitwise_xor", "blackman",
    "block", "bool", "bool_", "broadcast_arrays", "broadcast_shapes", "broadcast_to", "bytes_", "c_",
    "can_cast", "cbrt", "cdouble", "ceil", "choose", "clip", "clongdouble", "column_stack", "common_type",
    "complex128", "complex64", "complexfloating", "compress", "concat", "concatenate", "conj",
    "conjugate", "convolve", "copy", "copysign", "copyto", "corrcoef", "correlate", "cos", "cosh",
    "count_nonzero", "cov", "cross", "csingle", "cumprod", "cumsum", "cumulative_prod", "cumulative_sum",
    "deg2rad", "degrees", "delete", "diag", "diag_indices", "diag_indices_from", "diagflat", "diagonal",
    "diff", "digitize", "divide", "divmod", "dot", "double", "dsplit", "dstack", "dtype", "e", "ediff1d",
    "einsum", "einsum_path", "emath", "empty", "empty_like", "equal", "errstate", "euler_gamma", "exp",
    "exp2", "expand_dims", "expm1", "extract", "eye", "fabs", "fft", "fill_diagonal", "finfo", "fix",
    "flatnonzero", "flip", "fliplr", "flipud", "float16", "float32", "float64", "float_power", "floating",
    "floor", "floor_divide", "fmax", "fmin", "fmod", "frexp", "from_dlpack", "fromfunction", "full",
    "full_like", "gcd", "generic", "geomspace", "gradient", "greater", "greater_equal", "half", "hamming",
    "hanning", "heaviside", "histogram", "histogram2d", "histogram_bin_edges", "histogramdd", "hsplit",
    "hstack", "hypot", "i0", "identity", "iinfo", "imag", "index_exp", "indices", "inexact", "inf",
    "inner", "insert", "int16", "int32", "int64", "int8", "int_", "integer", "interp", "intersect1d",
    "intp", "invert", "isclose", "iscomplex", "iscomplexobj", "isdtype", "isfinite", "isin", "isinf",
    "isnan", "isneginf", "isposinf", "isreal", "isrealobj", "isscalar", "issubdtype", "iterable", "ix_",
    "kaiser", "kron", "lcm", "ldexp", "left_shift", "less", "less_equal", "lexsort", "lib", "linalg",
    "linspace", "log", "log10", "log1p", "log2", "logaddexp", "logaddexp2", "logical_and", "logical_not",
    "logical_or", "logical_xor", "logspace", "longdouble", "matmul", "matrix_transpose", "matvec", "max",
    "maximum", "may_share_memory", "mean", "median", "meshgrid", "mgrid", "min", "min_scalar_type",
    "minimum", "mod", "modf", "moveaxis", "multiply", "nan", "nan_to_num", "nanargmax", "nanargmin",
    "nancumprod", "nancumsum", "nanmax", "nanmean", "nanmedian", "nanmin", "nanpercentile", "nanprod",
    "nanquantile", "nanstd", "nansum", "nanvar", "ndarray", "ndenumerate", "ndim", "ndindex", "negative",
    "newaxis", "nextafter", "nonzero", "not_equal", "number", "ogrid", "ones", "ones_like", "outer",
    "pad", "partition", "percentile", "permute_dims", "pi", "piecewise", "place", "poly", "polyadd",
    "polyder", "polydiv", "polyfit", "polyint", "polymul", "polynomial", "polysub", "polyval", "positive",
    "pow", "power", "prod", "promote_types", "ptp", "put", "put_along_axis", "putmask", "quantile", "r_",
    "rad2deg", "radians", "random", "ravel", "ravel_multi_index", "real", "real_if_close", "rebind",
    "reciprocal", "remainder", "repeat", "require", "reshape", "resize", "result_type", "right_shift",
    "rint", "roll", "rollaxis", "roots", "rot90", "round", "s_", "searchsorted", "select",
    "set_printoptions", "setdiff1d", "setxor1d", "shape", "shares_memory", "sign", "signbit",
    "signedinteger", "sin", "sinc", "single", "sinh", "size", "sort", "sort_complex", "spacing", "split",
    "sqrt", "square", "squeeze", "stack", "std", "subtract", "sum", "swapaxes", "take", "take_along_axis",
    "tan", "tanh", "tensordot", "tile", "trace", "transpose", "trapezoid", "tri", "tril", "tril_indices",
    "tril_indices_from", "trim_zeros", "triu", "triu_indices", "triu_indices_from", "true_divide",
    "trunc", "uint", "uint16", "uint32", "uint64", "uint8", "union1d", "unique", "unique_all",
    "unique_counts", "unique_inverse", "unique_values", "unravel_index", "unsignedinteger", "unstack",
    "unwrap", "vander", "var", "vdot", "vecdot", "vecmat", "vectorize", "vsplit", "vstack", "where",
    "zeros", "zeros_like",
]
# isort: on
# fmt: on

__array_namespace_info__ = _numpy.__array_namespace_info__
__array_api_version__ = _protocol.API_VERSIONS[-1]


def __getattr__(name: str) -> Any:
    """Load `random`, which needs SciPy; say what to do about a name that is not here."""
    if name == "random":
        return importlib.import_module("funcdiff.numpy.random")
    if name.startswith("_") or not hasattr(_numpy, name):
        raise AttributeError(f"module 'funcdiff.numpy' has no attribute {name!r}, and neither has numpy")
    raise AttributeError(
        f"module 'funcdiff.numpy' has no attribute {name!r}: funcdiff has no derivative rule for it yet. On plain "
        f"arrays call numpy.{name}; for traced ones write it with functions that are here, or give it a rule with "
        "fd.custom_jvp or fd.custom_vjp."
    )


_protocol.attach()
methods.attach()
