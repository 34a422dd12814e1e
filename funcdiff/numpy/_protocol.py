"""How plain NumPy reaches traced arrays: `__array_ufunc__`, `__array_function__`, `__array_namespace__`.

`implements` states that a function of this package is what a NumPy function means for traced arrays.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from funcdiff import errors
from funcdiff.core.free import settle
from funcdiff.core.objects import stack_objects, warn_if_large
from funcdiff.core.primitive import REGISTRY, Function
from funcdiff.core.recording import ASK_FOR_NDARRAYS, TracedArray, concrete, revive
from funcdiff.primitives.operators import conversion_error

F = TypeVar("F", bound=Callable[..., Any])

_missing: Any = object()

POLYNOMIAL_MODULES = ("polynomial", "chebyshev", "legendre", "hermite", "hermite_e", "laguerre")
"""Where NumPy gives the coefficients the axes of the points only if these are an ndarray."""

PLAIN = frozenset(
    {np.ndarray, np.float64, float, int, bool, complex, str, type(None), type, slice, np.bool_, np.intp}
)
"""Types that are surely not traced, and contain nothing traced; arrays of objects are NumPy's own to look into."""

API_VERSIONS = ("2021.12", "2022.12", "2023.12", "2024.12")
"""The versions of the Array API standard, each of which contains the ones before."""

UFUNCS: dict[np.ufunc, Function] = {}
"""The function each NumPy or SciPy ufunc means for traced arrays."""

FUNCTIONS: dict[Any, Function] = {}
"""The function each NumPy function means for traced arrays."""

CREATION: dict[Any, Function] = {}
"""The function that makes an array when ``like=x`` names a traced array; it is told ``like=`` again."""


def implements(*numpy_functions: Any) -> Callable[[F], F]:
    """Register a function for traced arrays as NumPy's, and return it for any arrays.

    The returned function calls NumPy itself where no argument is traced.
    """

    def decorate(function: F) -> F:
        original = numpy_functions[0]
        for numpy_function in numpy_functions:
            FUNCTIONS[numpy_function] = function

        @functools.wraps(function)
        def public(*args: Any, **kwargs: Any) -> Any:
            for a in args:
                if type(a) not in PLAIN and has_traced(a):
                    return function(*args, **kwargs)
            if kwargs:
                for a in kwargs.values():
                    if type(a) not in PLAIN and has_traced(a):
                        return function(*args, **kwargs)
            return original(*args, **kwargs)

        public.numpy_function = original  # type: ignore[attr-defined]
        if not function.__doc__:
            public.__doc__ = f"As `numpy.{original.__name__}`, differentiable."
        return public  # type: ignore[return-value]

    return decorate


def has_traced(x: Any) -> bool:
    """Tell whether an argument is, or contains, a traced array."""
    kind = type(x)
    if kind is TracedArray:
        return True
    if kind is list or kind is tuple:
        return any(has_traced(i) for i in x)
    if kind is np.ndarray:
        return x.dtype.hasobject and any(type(i) is TracedArray for i in x.flat)
    if kind is dict:
        return any(has_traced(i) for i in x.values())
    return False


def collect_ufuncs() -> None:
    """Enter every primitive whose values a ufunc computes."""
    for primitive in REGISTRY.values():
        if isinstance(primitive.impl, np.ufunc):
            UFUNCS.setdefault(primitive.impl, primitive.function)


def array_ufunc(
    self: TracedArray, ufunc: np.ufunc, method: str, a: Any, b: Any = _missing, *rest: Any, **kwargs: Any
) -> Any:
    """Answer ``np.sin(x)``, ``np.add(x, y, out=z)``, ``np.add.reduce(x)`` and the like."""
    if method == "__call__" and not kwargs:
        try:
            function = UFUNCS[ufunc]
        except KeyError:
            pass
        else:
            if b is _missing:
                return function(a)
            return function(a, b, *rest) if rest else function(a, b)
    from funcdiff.numpy.ufunc_methods import call_ufunc

    args = (a,) if b is _missing else (a, b, *rest)
    return call_ufunc(ufunc, method, args, kwargs)


def array_function(self: TracedArray, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
    """Answer any other function of NumPy's."""
    ours = FUNCTIONS.get(function)
    if ours is not None:
        return ours(*args, **kwargs)
    make = CREATION.get(function)
    if make is not None:  # NumPy has taken `like=` away: it is `self`
        return make(*args, like=self, **kwargs)
    if self.recorder.free:
        plain, plain_kwargs = settled(args), settled(kwargs)
        if not has_traced(plain) and not has_traced(plain_kwargs):
            return function(*plain, **plain_kwargs)
    raise unsupported(function)


def settled(x: Any) -> Any:
    """Replace free buffers by their values in arguments."""
    if isinstance(x, (list, tuple)) and type(x) in (list, tuple):
        return type(x)(settled(i) for i in x)
    if type(x) is dict:
        return {name: settled(i) for name, i in x.items()}
    return settle(x)


def unsupported(function: Any) -> errors.UnsupportedError:
    """Say that a function is not differentiable yet, and what to do."""
    module = getattr(function, "__module__", "numpy") or "numpy"
    name = f"{module}.{getattr(function, '__name__', function)}"
    return errors.UnsupportedError(
        errors.at_user_line(
            f"{name} cannot take a traced array: funcdiff has no derivative rule for it yet. Write it with functions "
            "that have one (see funcdiff.numpy), give it a rule with fd.custom_jvp or fd.custom_vjp, or take the "
            "plain value with fd.stop_gradient(x) where no derivative is wanted."
        )
    )


def array_namespace(self: TracedArray, /, *, api_version: str | None = None) -> Any:
    """Return `funcdiff.numpy`, the Array API namespace of traced arrays."""
    import funcdiff.numpy

    del self
    if api_version is not None and api_version not in API_VERSIONS:
        raise ValueError(f"api_version {api_version!r} is not one of {', '.join(API_VERSIONS)}")
    return funcdiff.numpy


def dlpack(self: TracedArray, **keywords: Any) -> Any:
    """Export the memory of a free buffer; others have derivatives, which would be dropped."""
    if self.recorder.free:
        return self.value.__dlpack__(**keywords)
    raise errors.ConversionError(
        errors.at_user_line(
            "a traced array cannot be exported by DLPack, which would drop its derivative. Write the function with "
            "fd.numpy, or take the values with fd.stop_gradient(x)."
        )
    )


def dlpack_device(self: TracedArray) -> tuple[int, int]:
    """Return the device of NumPy's arrays: the CPU."""
    return (1, 0)


def as_ndarray(self: TracedArray, dtype: Any = None, copy: bool | None = None) -> Any:
    """Answer ``np.asarray(x)``: an object array of traced elements, which traced code stacks back.

    Integers and booleans answer with their values, with a guard.  A sparse matrix is given an object it
    cannot read, so that it leaves ``A @ x`` to the traced array.
    """
    if self.recorder.level < 0:
        revive(self)
    if self.recorder.free:
        plain = np.array(self.value, dtype)
        plain.flags.writeable = copy is True  # of np.asarray a write would have to reach the buffer
        return plain
    if self.dtype.kind in "biu":
        return np.array(concrete(self), dtype)
    if dtype is not None and np.dtype(dtype) != object:
        raise conversion_error(
            f"a traced array cannot become a plain array of dtype {np.dtype(dtype)}, which would drop its "
            "derivative. Build arrays with fd.numpy.array, write into arrays made with np.zeros(n, like=x), convert "
            "with x.astype(dtype), or take the values with fd.stop_gradient(x)."
        )
    whole = np.empty((), object)
    whole[()] = self
    caller = sys._getframe(1)
    module = caller.f_globals.get("__name__", "")
    if module == "scipy.sparse._coo" and caller.f_code.co_name == "dot":
        return np.empty(self.shape, object)  # it asks for the rank only, and goes on to ``A @ x``
    if module.startswith("scipy"):
        _refuse_where_objects_differ(caller)
    if module.startswith("scipy.sparse.linalg"):
        raise errors.ConversionError(
            errors.at_user_line("scipy.sparse.linalg takes no traced array: call fd.scipy.sparse.linalg")
        )
    if not self.shape or module.startswith("scipy.sparse"):
        return whole
    if module.startswith("numpy.polynomial"):
        _refuse_fits(caller)
        if caller.f_code.co_name in ("_fit", "mapdomain"):
            return whole  # they add to it or scale it, and so go on with the traced array
    elif caller.f_code.co_name == "as_strided":
        _refuse_other_strides(self, caller.f_locals)
    warn_if_large(self.size)
    elements = np.empty(self.shape, object)
    for index in np.ndindex(self.shape):
        elements[index] = self[index]  # type: ignore[index]
    elements.flags.writeable = bool(
        copy
    )  # np.asarray gives no copy: a write would not reach the traced array
    return elements


def _refuse_fits(frame: Any) -> None:
    """Say what to call where `numpy.polynomial` would give LAPACK an object array.

    A fit goes to `numpy.linalg.lstsq`, which asks us if the right-hand side is traced, as data or weights make it.
    """
    while frame is not None and frame.f_globals.get("__name__", "").startswith("numpy.polynomial"):
        name, given = frame.f_code.co_name, frame.f_locals
        refused = name.endswith("roots") and not name.endswith(("fromroots", "_fromroots"))
        if name == "_fit":
            plain = not (has_traced(given.get("y")) or has_traced(given.get("w")))
            refused = plain or np.ndim(given.get("deg")) > 0
        if refused:
            raise errors.UnsupportedError(
                errors.at_user_line(
                    "numpy.polynomial's roots, and its fits of plain data at traced points or of some degrees only, "
                    "cannot take a traced array, for NumPy turns it into an array of objects. Call the function or class "
                    "of the same name in fd.numpy.polynomial, or leave the code as it is and call fd.numpy.rebind(f)."
                )
            )
        frame = frame.f_back


_LISTS_OF_POLYNOMIALS = ("scipy.signal._filter_design", "scipy.signal._lti_conversion")
"""Where SciPy takes an array of objects for a list of polynomials, which gives other shapes than numbers do."""


def _refuse_where_objects_differ(frame: Any) -> None:
    """Refuse to become an array of objects where SciPy would give that another meaning than numbers."""
    if frame.f_code.co_name == "squareform":  # it copies elements byte by byte, and objects must be counted
        raise errors.ConversionError(
            errors.at_user_line("scipy.spatial.distance.squareform cannot copy traced elements")
        )
    while frame is not None and (module := frame.f_globals.get("__name__", "")).startswith("scipy"):
        if module in _LISTS_OF_POLYNOMIALS:
            raise errors.ConversionError(
                errors.at_user_line(
                    "scipy.signal takes a traced array of coefficients for a list of polynomials"
                )
            )
        frame = frame.f_back


def _refuse_other_strides(self: TracedArray, asked: dict[str, Any]) -> None:
    """Refuse strides that would not mean the same elements of an array of objects, or reach out of it."""
    from funcdiff.numpy._arguments import example_of

    shape, strides = asked.get("shape"), asked.get("strides")
    x = example_of(self)
    steps = () if shape is None or strides is None else tuple(zip(shape, strides, strict=False))
    reach = [sum(side(0, (n - 1) * step) for n, step in steps) for side in (min, max)]
    inside = reach[0] >= 0 and reach[1] < x.nbytes  # what it is a view of is not there
    if self.dtype.itemsize != np.dtype(object).itemsize or not x.flags.c_contiguous or not inside:
        raise errors.UnsupportedError(
            errors.at_user_line(
                "numpy's as_strided takes a traced array only if it is contiguous and of eight-byte elements, and all "
                "that is asked for lies in it. Call fd.numpy.lib.stride_tricks.as_strided or "
                "np.lib.stride_tricks.sliding_window_view; of SciPy's functions, the one of the same name in fd.scipy."
            )
        )


def attach() -> None:
    """Attach the protocols to the traced array."""
    ASK_FOR_NDARRAYS.update(f"numpy.polynomial.{name}" for name in POLYNOMIAL_MODULES)
    ASK_FOR_NDARRAYS.add("numpy._core._methods")  # mean and var of an object array divide an ndarray in place
    collect_ufuncs()
    for name, method in {
        "__array__": as_ndarray,
        "__array_ufunc__": array_ufunc,
        "__array_function__": array_function,
        "__array_namespace__": array_namespace,
        "__dlpack__": dlpack,
        "__dlpack_device__": dlpack_device,
    }.items():
        setattr(TracedArray, name, method)


__all__ = [
    "CREATION",
    "FUNCTIONS",
    "UFUNCS",
    "array_function",
    "array_ufunc",
    "attach",
    "has_traced",
    "implements",
    "settled",
    "stack_objects",
    "unsupported",
]
