"""Every exception class of funcdiff, and where the user's line is found.

Each class derives from the built-in a NumPy user would catch in the same situation, and from
`FuncdiffError`, so ``except fd.errors.FuncdiffError`` catches them all.
"""

from __future__ import annotations

import linecache
import os
import sys
from collections.abc import Callable, Iterable
from functools import cache
from types import CodeType, FrameType
from typing import ClassVar

__all__ = [
    "ArgnumsError",
    "BatchAxisError",
    "ConversionError",
    "CustomRuleError",
    "DtypeError",
    "EscapedTraceError",
    "FuncdiffError",
    "IndexingError",
    "MappedControlFlowError",
    "MissingExtraError",
    "MissingRuleError",
    "NonFiniteError",
    "OutputError",
    "PerformanceWarning",
    "PlainWriteError",
    "StructureError",
    "TapeError",
    "UnsupportedError",
    "VectorError",
]


class FuncdiffError(Exception):
    """Base of every error that funcdiff raises on purpose."""

    page: ClassVar[str] = ""
    """The page of the documentation that explains it; tracebacks end with it."""

    def __init__(self, *args: object, **settings: object) -> None:
        super().__init__(*args, **settings)
        if self.page:
            self.add_note(f"(The documentation page {self.page} tells more.)")


class OutputError(FuncdiffError, ValueError):
    """A function returned something the transform cannot use, such as a non-scalar to `grad`."""


class DtypeError(FuncdiffError, TypeError):
    """An argument or output has a dtype that cannot be differentiated."""

    page = "conventions"


class ArgnumsError(FuncdiffError, ValueError):
    """`argnums` does not name positional arguments of the call."""


class VectorError(FuncdiffError, ValueError):
    """A tangent, cotangent or `v` is missing, or has the wrong structure, shape or dtype."""


class StructureError(FuncdiffError, TypeError):
    """A nested container (pytree) does not have the structure that is asked for."""


class EscapedTraceError(FuncdiffError, RuntimeError):
    """A traced array was used after the transform that made it had returned."""


class ConversionError(FuncdiffError, TypeError):
    """A traced array was to become a plain Python number, which would drop its derivative."""

    page = "what_to_write_instead"


class IndexingError(FuncdiffError, IndexError):
    """An index that cannot be followed, such as one that `vmap` maps over into a plain ndarray."""

    page = "what_to_write_instead"


class PlainWriteError(FuncdiffError, TypeError):
    """A traced value was to be written into a plain ndarray, which would drop its derivative."""

    page = "what_to_write_instead"


class UnsupportedError(FuncdiffError, TypeError):
    """A function, keyword or argument that funcdiff cannot differentiate through."""

    page = "what_to_write_instead"


class MappedControlFlowError(FuncdiffError, ValueError):
    """Python control flow asked for the value of an array that `vmap` maps over."""

    page = "what_to_write_instead"


class BatchAxisError(FuncdiffError, ValueError):
    """`in_axes` or `out_axes` of `vmap` do not fit the arguments."""


class CustomRuleError(FuncdiffError, ValueError):
    """A custom derivative rule returned the wrong structure or shape, or closes over a traced value."""

    page = "adding_a_primitive"


class MissingRuleError(FuncdiffError, NotImplementedError):
    """A primitive does not state the rule that a transform needs."""

    page = "adding_a_primitive"


class TapeError(FuncdiffError, ValueError):
    """A tape is malformed, or was replayed on arguments that do not fit it."""

    page = "how_the_tape_works"


class NonFiniteError(FuncdiffError, FloatingPointError):
    """A NaN or infinity arose under `fd.debug.nan_check`; the message names the primitive and the line."""


class MissingExtraError(FuncdiffError, ImportError):
    """An optional dependency is not installed; the message names the ``pip install`` line."""


class PerformanceWarning(UserWarning):
    """The program is right but slow, and the message names the faster spelling."""


_OWN = os.path.dirname(os.path.abspath(__file__)) + os.sep
_GENERATED = "<funcdiff "  # how the file names of generated code start
_LIBRARIES = ("numpy", "scipy")
FILES = 10_000  # whose names are kept


def _internal() -> tuple[str, ...]:
    """Return the folders whose code is not the user's."""
    modules = sys.modules
    return _folders("numpy" in modules, "scipy" in modules)


@cache
def _folders(*_loaded: bool) -> tuple[str, ...]:
    """Return the folders of what is loaded."""
    files = (getattr(sys.modules.get(name), "__file__", None) for name in _LIBRARIES)
    return (_OWN, _GENERATED, *(os.path.dirname(file) + os.sep for file in files if file))


class _Files(dict[str, bool]):
    """Whether files are internal, by name: every record of a program asks for each frame below it."""

    def __init__(self, folders: tuple[str, ...]) -> None:
        self.folders = folders

    def __missing__(self, name: str) -> bool:
        if len(self) >= FILES:
            self.clear()
        found = self[name] = name.startswith(self.folders)
        return found


@cache
def _known_files(*loaded: bool) -> _Files:
    return _Files(_folders(*loaded))


def source_lines(file: str) -> list[str]:
    """Return the lines of a file, none if they cannot be had."""
    try:
        return linecache.getlines(file)
    except (IndexError, ValueError):  # doctest answers for the examples of one block only
        return []


def is_internal(file: str) -> bool:
    """Tell whether code in a file belongs to funcdiff, NumPy or SciPy."""
    return file.startswith(_internal())


def user_frame(internal: _Files | None = None) -> FrameType | None:
    """Return the innermost frame that belongs neither to funcdiff nor to NumPy or SciPy."""
    if internal is None:
        modules = sys.modules
        internal = _known_files("numpy" in modules, "scipy" in modules)
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and internal[frame.f_code.co_filename]:
        frame = frame.f_back
    return frame


def user_line() -> str:
    """Return where the user's code stands, as ``'file.py', line 3: y = f(x)``; empty if unknown."""
    frame = user_frame()
    return "" if frame is None else _where(frame.f_code.co_filename, frame.f_lineno)


class Lines:
    """The user's lines that the records of one program quote.

    A line is found by the instruction that is carried out: to count its number takes longer than all else
    that a record needs.
    """

    def __init__(self) -> None:
        self._found: dict[tuple[int, int], str] = {}
        self._codes: dict[int, CodeType] = {}  # alive, so that none gets another's identity
        self._read: dict[tuple[str, int], str] = {}
        modules = sys.modules
        self._internal = _known_files("numpy" in modules, "scipy" in modules)

    def here(self) -> str:
        """Return `user_line`."""
        frame = user_frame(self._internal)
        if frame is None:
            return ""
        place = id(frame.f_code), frame.f_lasti
        return self._found.get(place) or self._find(place)

    def _find(self, place: tuple[int, int]) -> str:
        frame = user_frame()  # a library may have been imported meanwhile
        if frame is None:
            return ""
        line = frame.f_code.co_filename, frame.f_lineno
        if line not in self._read:
            self._read[line] = _where(*line)
        if place[0] == id(frame.f_code):
            self._codes[place[0]] = frame.f_code
            self._found[place] = self._read[line]
        return self._read[line]


def _where(name: str, number: int) -> str:
    text = linecache.getline(name, number).strip()
    return f"{name}:{number}: {text}" if text else f"{name}:{number}"


def at_user_line(message: str) -> str:
    """Append the user's line to a message, where one can be had."""
    where = user_line()
    return f"{message}\n  at {where}" if where else message


def plain_write(what: str) -> PlainWriteError:
    """Return the refusal to write a traced value into a plain array; `what` was to be done."""
    return PlainWriteError(
        at_user_line(f"{what} into a plain ndarray, which would drop its derivative. {_BUFFERS}")
    )


_BUFFERS = (
    "Make the array from a traced one, with a dtype that holds it: np.zeros(n, like=x), np.zeros_like(x), or "
    "fd.numpy.zeros(n)."
)
_OBJECT_ARRAYS = (
    "loop of ufunc does not support argument",
    "dtype('O')",
    "not supported for the input types",
    "object arrays are not supported",
    "nsupported dtype object",
)


EXPLANATIONS: list[Callable[[Exception], Exception | None]] = []
"""What upper layers know of foreign errors: each returns what to raise instead, or None."""


def reveal(error: Exception) -> Exception:
    """Return what funcdiff has to say where NumPy hides it behind an error of its own; else the error.

    NumPy replaces what `__float__` and `__index__` of a traced array raise, and says of an object array
    only that its loop is missing.
    """
    for explain in EXPLANATIONS:
        found = explain(error)
        if found is not None:
            return found
    text = str(error)
    if isinstance(error, FuncdiffError):
        return error
    if isinstance(error, ValueError) and text.startswith("setting an array element with a sequence"):
        cause = error.__cause__ or error.__context__
        return cause if isinstance(cause, FuncdiffError) else error
    if isinstance(error, TypeError) and _is_about_objects(text):
        return UnsupportedError(
            f"NumPy or SciPy says: {text}. That is so for object arrays, which is what np.array([x[0], x[1]]), np.asarray(x) "
            "and functions written in Python make of traced values. Build arrays with fd.numpy.array, call the function "
            "of the same name in fd.numpy or fd.scipy, or write it with NumPy functions on the array itself."
            + raised_at(error)
        )
    if isinstance(error, TypeError) and text.startswith("can't convert type 'TracedArray'"):
        return UnsupportedError(
            f"{text}: Python's statistics and fractions take plain numbers only. Write np.mean for statistics.mean, and so on."
            + raised_at(error)
        )
    if isinstance(error, ValueError) and "read-only" in text:
        return PlainWriteError(
            f"{text}. Either a plain array is written to after a traced operation has read it, which would change the "
            "derivative: write to a copy of it, or make it with like=x; or it is np.asarray(x) of a traced x, an object "
            "array that is not x itself: write to x, or use fd.numpy.asarray(x)." + raised_at(error)
        )
    if isinstance(error, ValueError) and text.startswith("Error setting single item of array"):
        return PlainWriteError(  # NumPy drops the cause of this one
            f"{text} A traced value cannot be written into the flat of a plain ndarray, which would drop its derivative. "
            + _BUFFERS
            + raised_at(error)
        )
    if isinstance(error, IndexError) and text.startswith("only integers, slices"):
        return IndexingError(
            f"{text}. A float is no index: convert it, x.astype(int). If vmap maps over the index and not over the array, "
            "write fd.numpy.take(a, i, axis=0), or pass the array as an argument with in_axes=None."
            + raised_at(error)
        )
    return error


def _is_about_objects(text: str) -> bool:
    """Tell whether NumPy's message is that of a ufunc without a loop for objects."""
    return (
        text.startswith("loop of ufunc does not support argument")
        or (text.startswith("ufunc ") and "not supported for the input types" in text)
        or (text.startswith("Cannot cast ufunc ") and "dtype('O')" in text)
    )


def raised_at(error: Exception) -> str:
    """Return the user's line in a traceback."""
    internal = _internal()
    trace, found = error.__traceback__, ""
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        if not name.startswith(internal):
            found = f"\n  at {_where(name, trace.tb_lineno)}"
        trace = trace.tb_next
    return found


def function_name(function: object) -> str:
    """Name a user's function as its author would."""
    name = getattr(function, "__qualname__", None) or getattr(function, "__name__", None)
    if name is None and hasattr(function, "func"):  # functools.partial
        return function_name(function.func)
    return str(name) if name is not None else repr(function)


def enumerate_words(words: Iterable[str], last: str = "and") -> str:
    """Join words as a sentence does: ``a, b and c``."""
    items = list(words)
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} {last} {items[-1]}"
