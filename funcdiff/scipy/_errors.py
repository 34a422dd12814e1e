"""What to say where a SciPy function in plain spelling meets a traced array it cannot compute with.

SciPy's compiled code takes no array of objects, and says so in a hundred ways.  Here the function that the user
called is named, with what to write instead.
"""

from __future__ import annotations

import importlib
import sys
import types
from collections.abc import Iterator
from typing import Any

import numpy as np

from funcdiff import errors
from funcdiff.core.recording import TracedArray
from funcdiff.numpy.code_objects import content
from funcdiff.primitives.operators import refuse_search

HINTS = (
    "object",
    "'O'",
    "loop of ufunc does not support argument",
    "type not supported",
    "not available for this type",
    "supported types",
    "No matching signature",
    "must be real numbers",
    "must have real dtype",
    "not a proper array of floats",
    "pythranized function",
    "must have different signs",  # a root finder in C that met nothing it could convert, and went on
)
"""Words by which SciPy's errors are recognized as being about arrays of objects, if there are any."""


CONVERSIONS = (
    "_number",
    "_index",
    "as_ndarray",
    "_refuse_where_objects_differ",
)
"""Where a traced array refuses to become plain numbers."""


CALLERS = (
    ("funcdiff.core.surroundings", "run_inside"),
    ("funcdiff.jit.compiled", "flat"),
    ("funcdiff.transforms.arguments", "call"),
    ("funcdiff.transforms.vmap", "call"),
)
"""Where the transforms call what the user gave them, which may be a function of SciPy's itself."""


SEARCHES = (
    "_basinhopping",
    "_bracket",
    "_chandrupatla",
    "_cobyla_py",
    "_cobyqa_py",
    "_constraints",
    "_dcsrch",
    "_differentiable_functions",
    "_differentialevolution",
    "_direct_py",
    "_dual_annealing",
    "_elementwise",
    "_hessian_update_strategy",
    "_isotonic",
    "_lbfgsb_py",
    "_linesearch",
    "_linprog",
    "_lsq.least_squares",
    "_milp",
    "_minimize",
    "_nonlin",
    "_numdiff",
    "_optimize",
    "_qap",
    "_root",
    "_shgo",
    "_shgo_lib._complex",
    "_shgo_lib._vertex",
    "_slsqp_py",
    "_spectral",
    "_tnc",
    "_trustregion",
    "_trustregion_dogleg",
    "_trustregion_exact",
    "_trustregion_krylov",
    "_trustregion_ncg",
)
"""Where scipy.optimize compares values to decide where to go; Newton's method and fixed points are sums and products."""


def _frames(error: BaseException) -> list[types.FrameType]:
    found, trace = [], error.__traceback__
    while trace is not None:
        found.append(trace.tb_frame)
        trace = trace.tb_next
    return found


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Give an error and those before it: compiled code that calls on after an error gathers a long chain."""
    waiting, seen = [error], set()
    while waiting:
        e = waiting.pop()
        if id(e) not in seen:
            seen.add(id(e))
            yield e
            waiting += [before for before in (e.__cause__, e.__context__) if before is not None]


def _package(frame: types.FrameType) -> str:
    return str(frame.f_globals.get("__name__") or "").partition(".")[0]


def _called(frames: list[types.FrameType], in_callback: bool) -> types.FrameType | None:
    """Return the frame of the SciPy function that the user's code called last, perhaps with a callback in it."""
    found = None
    for before, frame in zip([None, *frames], frames, strict=False):
        if _package(frame) == "scipy" and (
            before is None
            or _package(before) not in ("scipy", "numpy", "funcdiff")
            or (before.f_globals.get("__name__"), before.f_code.co_name) in CALLERS
        ):
            found = frame
        elif not in_callback and _package(frame) not in (
            "scipy",
            "numpy",
            "funcdiff",
            "contextlib",
            "functools",
        ):
            found = None
    return found


def _asked_by_user(frames: list[types.FrameType]) -> bool:
    """Tell whether the user's own code, in a callback of SciPy's, made a traced array a plain number."""
    return (
        len(frames) > 1
        and frames[-1].f_code.co_name in CONVERSIONS
        and _package(frames[-2]) not in ("scipy", "numpy", "funcdiff")
    )


def _holds_traced(frame: types.FrameType) -> bool:
    for x in frame.f_locals.values():
        parts = x if isinstance(x, (list, tuple)) else x.values() if isinstance(x, dict) else (x,)
        if any(map(_is_traced, parts)):
            return True
    return False


def _is_traced(x: Any, depth: int = 3) -> bool:
    """Tell whether something is traced, an array of objects, or a function that closes over the like."""
    if type(x) is types.FunctionType:
        return depth > 0 and any(_is_traced(content(cell), depth - 1) for cell in x.__closure__ or ())
    return type(x) is TracedArray or (isinstance(x, np.ndarray) and x.dtype.hasobject)


def _name(frame: types.FrameType) -> tuple[str, str]:
    """Return the public module and the name of a SciPy function; a decorator's frame holds the function."""
    name, module = frame.f_code.co_name, str(frame.f_globals["__name__"])
    me = frame.f_locals.get("self")
    if name == "__init__":  # of a class
        name = type(me).__name__
    elif name == "__call__":  # of an object that stands for a function
        package = sys.modules.get(".".join(module.split(".")[:2]))
        name = next((n for n, value in vars(package).items() if value is me), name)
    if "wrap" in frame.f_code.co_name or frame.f_code.co_name == "inner":
        found = (frame.f_locals.get(key) for key in ("f", "func", "fun", "function", "hypotest_fun_in"))
        for function in found:
            if callable(function) and str(getattr(function, "__module__", "")).startswith("scipy."):
                name, module = getattr(function, "__name__", name), function.__module__
                break
    parts = [part for part in module.split(".") if not part.startswith("_")]
    paths = [".".join(parts[: n + 1]) for n in range(1, len(parts))]
    public = next((path for path in paths if hasattr(sys.modules.get(path), name)), ".".join(parts[:2]))
    return public, name


def remedy(module: str, name: str) -> str:
    """Say what to write instead of a SciPy function."""
    try:
        ours = importlib.import_module("funcdiff." + module)
    except (ImportError, AttributeError):
        ours = None
    if ours is not None and hasattr(ours, name):
        return f"Call fd.{module}.{name}."
    write = "write it with functions that have one"
    if module == "scipy.optimize":
        write = "differentiate the condition that its result satisfies"
    return (
        f"funcdiff has no derivative rule for it yet: {write}, give it a rule with "
        "fd.custom_jvp, fd.custom_vjp or fd.primitive, or take one by finite differences with fd.numerical."
    )


def explain(error: Exception) -> Exception | None:
    """Return what to raise instead of an error that comes of a traced array in SciPy's code, if it does."""
    conversion = any(isinstance(e, errors.ConversionError) for e in _chain(error))
    decision = isinstance(error, errors.MappedControlFlowError)
    if isinstance(error, errors.FuncdiffError) and not conversion and not decision:
        return None
    frames = _frames(error)
    # compiled code that goes on after a conversion has failed meets the failure in the next callback
    frame = _called(frames, conversion and not _asked_by_user(frames))
    if frame is None:
        return None
    text = str(error)
    if conversion and frames[-1].f_code is refuse_search.__code__:
        said = "it finds its result by comparing values, which passes no derivative on"
    elif conversion:
        said = "it would become plain numbers there, which drops derivatives"
    elif decision:
        said = "it decides by values, which differ between the examples that vmap maps over"
    elif (isinstance(error, (TypeError, ValueError)) and not any(hint in text for hint in HINTS)) or not any(
        _package(f) == "scipy" and _holds_traced(f) for f in frames
    ):
        return None
    else:
        said = f"SciPy says {type(error).__name__}: {text.strip()}"
    module, name = _name(frame)
    return errors.UnsupportedError(
        f"{module}.{name} cannot take a traced array ({said}). {remedy(module, name)}"
        + errors.raised_at(error)
    )
