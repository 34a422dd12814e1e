"""NumPy's names and signatures, differentiable.

Everything here takes plain and traced arrays alike.  It is for what NumPy's own protocols cannot reach,
such as ``fd.numpy.array([x[0], x[1]])`` or ``fd.numpy.zeros(n)`` as a buffer for traced values; and it is an
Array API namespace.
"""

from typing import Any

import numpy as _numpy
from numpy import bool as bool
from numpy import bool_ as bool_
from numpy import broadcast_shapes as broadcast_shapes
from numpy import bytes_ as bytes_
from numpy import cdouble as cdouble
from numpy import clongdouble as clongdouble
from numpy import complex128 as complex128
from numpy import complex64 as complex64
from numpy import complexfloating as complexfloating
from numpy import csingle as csingle
from numpy import diag_indices as diag_indices
from numpy import double as double
from numpy import dtype as dtype
from numpy import e as e
from numpy import errstate as errstate
from numpy import euler_gamma as euler_gamma
from numpy import finfo as finfo
from numpy import float16 as float16
from numpy import float32 as float32
from numpy import float64 as float64
from numpy import floating as floating
from numpy import from_dlpack as from_dlpack
from numpy import generic as generic
from numpy import half as half
from numpy import iinfo as iinfo
from numpy import index_exp as index_exp
from numpy import indices as indices
from numpy import inexact as inexact
from numpy import inf as inf
from numpy import int16 as int16
from numpy import int32 as int32
from numpy import int64 as int64
from numpy import int8 as int8
from numpy import int_ as int_
from numpy import integer as integer
from numpy import intp as intp
from numpy import isdtype as isdtype
from numpy import isscalar as isscalar
from numpy import iterable as iterable
from numpy import longdouble as longdouble
from numpy import nan as nan
from numpy import ndarray as ndarray
from numpy import ndindex as ndindex
from numpy import newaxis as newaxis
from numpy import number as number
from numpy import pi as pi
from numpy import ravel_multi_index as ravel_multi_index
from numpy import s_ as s_
from numpy import set_printoptions as set_printoptions
from numpy import signedinteger as signedinteger
from numpy import single as single
from numpy import tril_indices as tril_indices
from numpy import triu_indices as triu_indices
from numpy import uint as uint
from numpy import uint16 as uint16
from numpy import uint32 as uint32
from numpy import uint64 as uint64
from numpy import uint8 as uint8
from numpy import unravel_index as unravel_index
from numpy import unsignedinteger as unsignedinteger

from funcdiff.numpy import _protocol, methods
from funcdiff.numpy import linalg as linalg
from funcdiff.numpy.creation import arange as arange
from funcdiff.numpy.creation import array as array
from funcdiff.numpy.creation import asanyarray as asanyarray
from funcdiff.numpy.creation import asarray as asarray
from funcdiff.numpy.creation import asarray_chkfinite as asarray_chkfinite
from funcdiff.numpy.creation import ascontiguousarray as ascontiguousarray
from funcdiff.numpy.creation import asfortranarray as asfortranarray
from funcdiff.numpy.creation import astype as astype
from funcdiff.numpy.creation import copy as copy
from funcdiff.numpy.creation import empty as empty
from funcdiff.numpy.creation import empty_like as empty_like
from funcdiff.numpy.creation import eye as eye
from funcdiff.numpy.creation import fromfunction as fromfunction
from funcdiff.numpy.creation import full as full
from funcdiff.numpy.creation import full_like as full_like
from funcdiff.numpy.creation import geomspace as geomspace
from funcdiff.numpy.creation import identity as identity
from funcdiff.numpy.creation import linspace as linspace
from funcdiff.numpy.creation import logspace as logspace
from funcdiff.numpy.creation import ones as ones
from funcdiff.numpy.creation import ones_like as ones_like
from funcdiff.numpy.creation import require as require
from funcdiff.numpy.creation import tri as tri
from funcdiff.numpy.creation import zeros as zeros
from funcdiff.numpy.creation import zeros_like as zeros_like
from funcdiff.numpy.diagonals import diag as diag
from funcdiff.numpy.diagonals import diagflat as diagflat
from funcdiff.numpy.diagonals import diagonal as diagonal
from funcdiff.numpy.diagonals import fill_diagonal as fill_diagonal
from funcdiff.numpy.diagonals import trace as trace
from funcdiff.numpy.diagonals import tril as tril
from funcdiff.numpy.diagonals import triu as triu
from funcdiff.numpy.diagonals import vander as vander
from funcdiff.numpy.differences import convolve as convolve
from funcdiff.numpy.differences import correlate as correlate
from funcdiff.numpy.differences import diff as diff
from funcdiff.numpy.differences import ediff1d as ediff1d
from funcdiff.numpy.differences import gradient as gradient
from funcdiff.numpy.differences import interp as interp
from funcdiff.numpy.differences import trapezoid as trapezoid
from funcdiff.numpy.differences import unwrap as unwrap
from funcdiff.numpy.in_place import copyto as copyto
from funcdiff.numpy.in_place import place as place
from funcdiff.numpy.in_place import put as put
from funcdiff.numpy.in_place import put_along_axis as put_along_axis
from funcdiff.numpy.in_place import putmask as putmask
from funcdiff.numpy.joining import append as append
from funcdiff.numpy.joining import block as block
from funcdiff.numpy.joining import column_stack as column_stack
from funcdiff.numpy.joining import concat as concat
from funcdiff.numpy.joining import concatenate as concatenate
from funcdiff.numpy.joining import delete as delete
from funcdiff.numpy.joining import dstack as dstack
from funcdiff.numpy.joining import hstack as hstack
from funcdiff.numpy.joining import insert as insert
from funcdiff.numpy.joining import stack as stack
from funcdiff.numpy.joining import vstack as vstack
from funcdiff.numpy.padding import pad as pad
from funcdiff.numpy.pointwise import angle as angle
from funcdiff.numpy.pointwise import around as around
from funcdiff.numpy.pointwise import fix as fix
from funcdiff.numpy.pointwise import imag as imag
from funcdiff.numpy.pointwise import nan_to_num as nan_to_num
from funcdiff.numpy.pointwise import real as real
from funcdiff.numpy.pointwise import real_if_close as real_if_close
from funcdiff.numpy.pointwise import round as round
from funcdiff.numpy.pointwise import sinc as sinc
from funcdiff.numpy.products import cross as cross
from funcdiff.numpy.products import dot as dot
from funcdiff.numpy.products import einsum as einsum
from funcdiff.numpy.products import einsum_path as einsum_path
from funcdiff.numpy.products import inner as inner
from funcdiff.numpy.products import kron as kron
from funcdiff.numpy.products import matmul as matmul
from funcdiff.numpy.products import matvec as matvec
from funcdiff.numpy.products import outer as outer
from funcdiff.numpy.products import tensordot as tensordot
from funcdiff.numpy.products import vdot as vdot
from funcdiff.numpy.products import vecdot as vecdot
from funcdiff.numpy.products import vecmat as vecmat
from funcdiff.numpy.quantiles import median as median
from funcdiff.numpy.quantiles import nanmedian as nanmedian
from funcdiff.numpy.quantiles import nanpercentile as nanpercentile
from funcdiff.numpy.quantiles import nanquantile as nanquantile
from funcdiff.numpy.quantiles import percentile as percentile
from funcdiff.numpy.quantiles import quantile as quantile
from funcdiff.numpy.queries import all as all
from funcdiff.numpy.queries import allclose as allclose
from funcdiff.numpy.queries import any as any
from funcdiff.numpy.queries import argmax as argmax
from funcdiff.numpy.queries import argmin as argmin
from funcdiff.numpy.queries import argwhere as argwhere
from funcdiff.numpy.queries import array2string as array2string
from funcdiff.numpy.queries import array_equal as array_equal
from funcdiff.numpy.queries import array_equiv as array_equiv
from funcdiff.numpy.queries import array_repr as array_repr
from funcdiff.numpy.queries import array_str as array_str
from funcdiff.numpy.queries import can_cast as can_cast
from funcdiff.numpy.queries import common_type as common_type
from funcdiff.numpy.queries import count_nonzero as count_nonzero
from funcdiff.numpy.queries import digitize as digitize
from funcdiff.numpy.queries import flatnonzero as flatnonzero
from funcdiff.numpy.queries import isclose as isclose
from funcdiff.numpy.queries import iscomplex as iscomplex
from funcdiff.numpy.queries import iscomplexobj as iscomplexobj
from funcdiff.numpy.queries import isin as isin
from funcdiff.numpy.queries import isneginf as isneginf
from funcdiff.numpy.queries import isposinf as isposinf
from funcdiff.numpy.queries import isreal as isreal
from funcdiff.numpy.queries import isrealobj as isrealobj
from funcdiff.numpy.queries import may_share_memory as may_share_memory
from funcdiff.numpy.queries import min_scalar_type as min_scalar_type
from funcdiff.numpy.queries import nanargmax as nanargmax
from funcdiff.numpy.queries import nanargmin as nanargmin
from funcdiff.numpy.queries import ndim as ndim
from funcdiff.numpy.queries import nonzero as nonzero
from funcdiff.numpy.queries import result_type as result_type
from funcdiff.numpy.queries import searchsorted as searchsorted
from funcdiff.numpy.queries import shape as shape
from funcdiff.numpy.queries import shares_memory as shares_memory
from funcdiff.numpy.queries import size as size
from funcdiff.numpy.rearranging import array_split as array_split
from funcdiff.numpy.rearranging import dsplit as dsplit
from funcdiff.numpy.rearranging import flip as flip
from funcdiff.numpy.rearranging import fliplr as fliplr
from funcdiff.numpy.rearranging import flipud as flipud
from funcdiff.numpy.rearranging import hsplit as hsplit
from funcdiff.numpy.rearranging import repeat as repeat
from funcdiff.numpy.rearranging import resize as resize
from funcdiff.numpy.rearranging import roll as roll
from funcdiff.numpy.rearranging import rot90 as rot90
from funcdiff.numpy.rearranging import split as split
from funcdiff.numpy.rearranging import tile as tile
from funcdiff.numpy.rearranging import trim_zeros as trim_zeros
from funcdiff.numpy.rearranging import unstack as unstack
from funcdiff.numpy.rearranging import vsplit as vsplit
from funcdiff.numpy.reductions import amax as amax
from funcdiff.numpy.reductions import amin as amin
from funcdiff.numpy.reductions import cumprod as cumprod
from funcdiff.numpy.reductions import cumsum as cumsum
from funcdiff.numpy.reductions import cumulative_prod as cumulative_prod
from funcdiff.numpy.reductions import cumulative_sum as cumulative_sum
from funcdiff.numpy.reductions import max as max
from funcdiff.numpy.reductions import mean as mean
from funcdiff.numpy.reductions import min as min
from funcdiff.numpy.reductions import nancumprod as nancumprod
from funcdiff.numpy.reductions import nancumsum as nancumsum
from funcdiff.numpy.reductions import nanmax as nanmax
from funcdiff.numpy.reductions import nanmean as nanmean
from funcdiff.numpy.reductions import nanmin as nanmin
from funcdiff.numpy.reductions import nanprod as nanprod
from funcdiff.numpy.reductions import nansum as nansum
from funcdiff.numpy.reductions import prod as prod
from funcdiff.numpy.reductions import ptp as ptp
from funcdiff.numpy.reductions import sum as sum
from funcdiff.numpy.selection import choose as choose
from funcdiff.numpy.selection import clip as clip
from funcdiff.numpy.selection import compress as compress
from funcdiff.numpy.selection import extract as extract
from funcdiff.numpy.selection import piecewise as piecewise
from funcdiff.numpy.selection import select as select
from funcdiff.numpy.selection import take as take
from funcdiff.numpy.selection import take_along_axis as take_along_axis
from funcdiff.numpy.selection import where as where
from funcdiff.numpy.shapes import atleast_1d as atleast_1d
from funcdiff.numpy.shapes import atleast_2d as atleast_2d
from funcdiff.numpy.shapes import atleast_3d as atleast_3d
from funcdiff.numpy.shapes import broadcast_arrays as broadcast_arrays
from funcdiff.numpy.shapes import broadcast_to as broadcast_to
from funcdiff.numpy.shapes import expand_dims as expand_dims
from funcdiff.numpy.shapes import matrix_transpose as matrix_transpose
from funcdiff.numpy.shapes import meshgrid as meshgrid
from funcdiff.numpy.shapes import moveaxis as moveaxis
from funcdiff.numpy.shapes import permute_dims as permute_dims
from funcdiff.numpy.shapes import ravel as ravel
from funcdiff.numpy.shapes import reshape as reshape
from funcdiff.numpy.shapes import rollaxis as rollaxis
from funcdiff.numpy.shapes import squeeze as squeeze
from funcdiff.numpy.shapes import swapaxes as swapaxes
from funcdiff.numpy.shapes import transpose as transpose
from funcdiff.numpy.sorting import argpartition as argpartition
from funcdiff.numpy.sorting import argsort as argsort
from funcdiff.numpy.sorting import lexsort as lexsort
from funcdiff.numpy.sorting import partition as partition
from funcdiff.numpy.sorting import sort as sort
from funcdiff.numpy.sorting import sort_complex as sort_complex
from funcdiff.numpy.sorting import unique as unique
from funcdiff.numpy.sorting import unique_values as unique_values
from funcdiff.numpy.statistics import average as average
from funcdiff.numpy.statistics import corrcoef as corrcoef
from funcdiff.numpy.statistics import cov as cov
from funcdiff.numpy.statistics import nanstd as nanstd
from funcdiff.numpy.statistics import nanvar as nanvar
from funcdiff.numpy.statistics import std as std
from funcdiff.numpy.statistics import var as var
from funcdiff.numpy.ufuncs import abs as abs
from funcdiff.numpy.ufuncs import absolute as absolute
from funcdiff.numpy.ufuncs import acos as acos
from funcdiff.numpy.ufuncs import acosh as acosh
from funcdiff.numpy.ufuncs import add as add
from funcdiff.numpy.ufuncs import arccos as arccos
from funcdiff.numpy.ufuncs import arccosh as arccosh
from funcdiff.numpy.ufuncs import arcsin as arcsin
from funcdiff.numpy.ufuncs import arcsinh as arcsinh
from funcdiff.numpy.ufuncs import arctan as arctan
from funcdiff.numpy.ufuncs import arctan2 as arctan2
from funcdiff.numpy.ufuncs import arctanh as arctanh
from funcdiff.numpy.ufuncs import asin as asin
from funcdiff.numpy.ufuncs import asinh as asinh
from funcdiff.numpy.ufuncs import atan as atan
from funcdiff.numpy.ufuncs import atan2 as atan2
from funcdiff.numpy.ufuncs import atanh as atanh
from funcdiff.numpy.ufuncs import bitwise_and as bitwise_and
from funcdiff.numpy.ufuncs import bitwise_count as bitwise_count
from funcdiff.numpy.ufuncs import bitwise_invert as bitwise_invert
from funcdiff.numpy.ufuncs import bitwise_left_shift as bitwise_left_shift
from funcdiff.numpy.ufuncs import bitwise_not as bitwise_not
from funcdiff.numpy.ufuncs import bitwise_or as bitwise_or
from funcdiff.numpy.ufuncs import bitwise_right_shift as bitwise_right_shift
from funcdiff.numpy.ufuncs import bitwise_xor as bitwise_xor
from funcdiff.numpy.ufuncs import cbrt as cbrt
from funcdiff.numpy.ufuncs import ceil as ceil
from funcdiff.numpy.ufuncs import conj as conj
from funcdiff.numpy.ufuncs import conjugate as conjugate
from funcdiff.numpy.ufuncs import copysign as copysign
from funcdiff.numpy.ufuncs import cos as cos
from funcdiff.numpy.ufuncs import cosh as cosh
from funcdiff.numpy.ufuncs import deg2rad as deg2rad
from funcdiff.numpy.ufuncs import degrees as degrees
from funcdiff.numpy.ufuncs import divide as divide
from funcdiff.numpy.ufuncs import divmod as divmod
from funcdiff.numpy.ufuncs import equal as equal
from funcdiff.numpy.ufuncs import exp as exp
from funcdiff.numpy.ufuncs import exp2 as exp2
from funcdiff.numpy.ufuncs import expm1 as expm1
from funcdiff.numpy.ufuncs import fabs as fabs
from funcdiff.numpy.ufuncs import float_power as float_power
from funcdiff.numpy.ufuncs import floor as floor
from funcdiff.numpy.ufuncs import floor_divide as floor_divide
from funcdiff.numpy.ufuncs import fmax as fmax
from funcdiff.numpy.ufuncs import fmin as fmin
from funcdiff.numpy.ufuncs import fmod as fmod
from funcdiff.numpy.ufuncs import frexp as frexp
from funcdiff.numpy.ufuncs import gcd as gcd
from funcdiff.numpy.ufuncs import greater as greater
from funcdiff.numpy.ufuncs import greater_equal as greater_equal
from funcdiff.numpy.ufuncs import heaviside as heaviside
from funcdiff.numpy.ufuncs import hypot as hypot
from funcdiff.numpy.ufuncs import invert as invert
from funcdiff.numpy.ufuncs import isfinite as isfinite
from funcdiff.numpy.ufuncs import isinf as isinf
from funcdiff.numpy.ufuncs import isnan as isnan
from funcdiff.numpy.ufuncs import lcm as lcm
from funcdiff.numpy.ufuncs import ldexp as ldexp
from funcdiff.numpy.ufuncs import left_shift as left_shift
from funcdiff.numpy.ufuncs import less as less
from funcdiff.numpy.ufuncs import less_equal as less_equal
from funcdiff.numpy.ufuncs import log as log
from funcdiff.numpy.ufuncs import log10 as log10
from funcdiff.numpy.ufuncs import log1p as log1p
from funcdiff.numpy.ufuncs import log2 as log2
from funcdiff.numpy.ufuncs import logaddexp as logaddexp
from funcdiff.numpy.ufuncs import logaddexp2 as logaddexp2
from funcdiff.numpy.ufuncs import logical_and as logical_and
from funcdiff.numpy.ufuncs import logical_not as logical_not
from funcdiff.numpy.ufuncs import logical_or as logical_or
from funcdiff.numpy.ufuncs import logical_xor as logical_xor
from funcdiff.numpy.ufuncs import maximum as maximum
from funcdiff.numpy.ufuncs import minimum as minimum
from funcdiff.numpy.ufuncs import mod as mod
from funcdiff.numpy.ufuncs import modf as modf
from funcdiff.numpy.ufuncs import multiply as multiply
from funcdiff.numpy.ufuncs import negative as negative
from funcdiff.numpy.ufuncs import nextafter as nextafter
from funcdiff.numpy.ufuncs import not_equal as not_equal
from funcdiff.numpy.ufuncs import positive as positive
from funcdiff.numpy.ufuncs import pow as pow
from funcdiff.numpy.ufuncs import power as power
from funcdiff.numpy.ufuncs import rad2deg as rad2deg
from funcdiff.numpy.ufuncs import radians as radians
from funcdiff.numpy.ufuncs import reciprocal as reciprocal
from funcdiff.numpy.ufuncs import remainder as remainder
from funcdiff.numpy.ufuncs import right_shift as right_shift
from funcdiff.numpy.ufuncs import rint as rint
from funcdiff.numpy.ufuncs import sign as sign
from funcdiff.numpy.ufuncs import signbit as signbit
from funcdiff.numpy.ufuncs import sin as sin
from funcdiff.numpy.ufuncs import sinh as sinh
from funcdiff.numpy.ufuncs import spacing as spacing
from funcdiff.numpy.ufuncs import sqrt as sqrt
from funcdiff.numpy.ufuncs import square as square
from funcdiff.numpy.ufuncs import subtract as subtract
from funcdiff.numpy.ufuncs import tan as tan
from funcdiff.numpy.ufuncs import tanh as tanh
from funcdiff.numpy.ufuncs import true_divide as true_divide
from funcdiff.numpy.ufuncs import trunc as trunc
from funcdiff.primitives import operators

__array_namespace_info__ = _numpy.__array_namespace_info__

__all__ = [
    "abs",
    "absolute",
    "acos",
    "acosh",
    "add",
    "all",
    "allclose",
    "amax",
    "amin",
    "angle",
    "any",
    "append",
    "arange",
    "arccos",
    "arccosh",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctan2",
    "arctanh",
    "argmax",
    "argmin",
    "argpartition",
    "argsort",
    "argwhere",
    "around",
    "array",
    "array2string",
    "array_equal",
    "array_equiv",
    "array_repr",
    "array_split",
    "array_str",
    "asanyarray",
    "asarray",
    "asarray_chkfinite",
    "ascontiguousarray",
    "asfortranarray",
    "asin",
    "asinh",
    "astype",
    "atan",
    "atan2",
    "atanh",
    "atleast_1d",
    "atleast_2d",
    "atleast_3d",
    "average",
    "bitwise_and",
    "bitwise_count",
    "bitwise_invert",
    "bitwise_left_shift",
    "bitwise_not",
    "bitwise_or",
    "bitwise_right_shift",
    "bitwise_xor",
    "block",
    "bool",
    "bool_",
    "broadcast_arrays",
    "broadcast_shapes",
    "broadcast_to",
    "bytes_",
    "can_cast",
    "cbrt",
    "cdouble",
    "ceil",
    "choose",
    "clip",
    "clongdouble",
    "column_stack",
    "common_type",
    "complex128",
    "complex64",
    "complexfloating",
    "compress",
    "concat",
    "concatenate",
    "conj",
    "conjugate",
    "convolve",
    "copy",
    "copysign",
    "copyto",
    "corrcoef",
    "correlate",
    "cos",
    "cosh",
    "count_nonzero",
    "cov",
    "cross",
    "csingle",
    "cumprod",
    "cumsum",
    "cumulative_prod",
    "cumulative_sum",
    "deg2rad",
    "degrees",
    "delete",
    "diag",
    "diag_indices",
    "diagflat",
    "diagonal",
    "diff",
    "digitize",
    "divide",
    "divmod",
    "dot",
    "double",
    "dsplit",
    "dstack",
    "dtype",
    "e",
    "ediff1d",
    "einsum",
    "einsum_path",
    "empty",
    "empty_like",
    "equal",
    "errstate",
    "euler_gamma",
    "exp",
    "exp2",
    "expand_dims",
    "expm1",
    "extract",
    "eye",
    "fabs",
    "fill_diagonal",
    "finfo",
    "fix",
    "flatnonzero",
    "flip",
    "fliplr",
    "flipud",
    "float16",
    "float32",
    "float64",
    "float_power",
    "floating",
    "floor",
    "floor_divide",
    "fmax",
    "fmin",
    "fmod",
    "frexp",
    "from_dlpack",
    "fromfunction",
    "full",
    "full_like",
    "gcd",
    "generic",
    "geomspace",
    "gradient",
    "greater",
    "greater_equal",
    "half",
    "heaviside",
    "hsplit",
    "hstack",
    "hypot",
    "identity",
    "iinfo",
    "imag",
    "index_exp",
    "indices",
    "inexact",
    "inf",
    "inner",
    "insert",
    "int16",
    "int32",
    "int64",
    "int8",
    "int_",
    "integer",
    "interp",
    "intp",
    "invert",
    "isclose",
    "iscomplex",
    "iscomplexobj",
    "isdtype",
    "isfinite",
    "isin",
    "isinf",
    "isnan",
    "isneginf",
    "isposinf",
    "isreal",
    "isrealobj",
    "isscalar",
    "iterable",
    "kron",
    "lcm",
    "ldexp",
    "left_shift",
    "less",
    "less_equal",
    "lexsort",
    "linalg",
    "linspace",
    "log",
    "log10",
    "log1p",
    "log2",
    "logaddexp",
    "logaddexp2",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "logspace",
    "longdouble",
    "matmul",
    "matrix_transpose",
    "matvec",
    "max",
    "maximum",
    "may_share_memory",
    "mean",
    "median",
    "meshgrid",
    "min",
    "min_scalar_type",
    "minimum",
    "mod",
    "modf",
    "moveaxis",
    "multiply",
    "nan",
    "nan_to_num",
    "nanargmax",
    "nanargmin",
    "nancumprod",
    "nancumsum",
    "nanmax",
    "nanmean",
    "nanmedian",
    "nanmin",
    "nanpercentile",
    "nanprod",
    "nanquantile",
    "nanstd",
    "nansum",
    "nanvar",
    "ndarray",
    "ndim",
    "ndindex",
    "negative",
    "newaxis",
    "nextafter",
    "nonzero",
    "not_equal",
    "number",
    "ones",
    "ones_like",
    "outer",
    "pad",
    "partition",
    "percentile",
    "permute_dims",
    "pi",
    "piecewise",
    "place",
    "positive",
    "pow",
    "power",
    "prod",
    "ptp",
    "put",
    "put_along_axis",
    "putmask",
    "quantile",
    "rad2deg",
    "radians",
    "ravel",
    "ravel_multi_index",
    "real",
    "real_if_close",
    "reciprocal",
    "remainder",
    "repeat",
    "require",
    "reshape",
    "resize",
    "result_type",
    "right_shift",
    "rint",
    "roll",
    "rollaxis",
    "rot90",
    "round",
    "s_",
    "searchsorted",
    "select",
    "set_printoptions",
    "shape",
    "shares_memory",
    "sign",
    "signbit",
    "signedinteger",
    "sin",
    "sinc",
    "single",
    "sinh",
    "size",
    "sort",
    "sort_complex",
    "spacing",
    "split",
    "sqrt",
    "square",
    "squeeze",
    "stack",
    "std",
    "subtract",
    "sum",
    "swapaxes",
    "take",
    "take_along_axis",
    "tan",
    "tanh",
    "tensordot",
    "tile",
    "trace",
    "transpose",
    "trapezoid",
    "tri",
    "tril",
    "tril_indices",
    "trim_zeros",
    "triu",
    "triu_indices",
    "true_divide",
    "trunc",
    "uint",
    "uint16",
    "uint32",
    "uint64",
    "uint8",
    "unique",
    "unique_values",
    "unravel_index",
    "unsignedinteger",
    "unstack",
    "unwrap",
    "vander",
    "var",
    "vdot",
    "vecdot",
    "vecmat",
    "vsplit",
    "vstack",
    "where",
    "zeros",
    "zeros_like",
]


def __getattr__(name: str) -> Any:
    """Say what to do about a name that is not here."""
    if name.startswith("_") or not hasattr(_numpy, name):
        raise AttributeError(f"module 'funcdiff.numpy' has no attribute {name!r}, and neither has numpy")
    raise AttributeError(
        f"module 'funcdiff.numpy' has no attribute {name!r}: funcdiff has no derivative rule for it yet. On plain "
        f"arrays call numpy.{name}; for traced ones write it with functions that are here, or give it a rule with "
        "fd.custom_jvp or fd.custom_vjp."
    )


_protocol.attach()
methods.attach()
