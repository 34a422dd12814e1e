"""On how many threads the large loops of compiled programs run."""

from __future__ import annotations

import operator
import os
import warnings
from collections.abc import Callable

from funcdiff import errors

VARIABLE = "FUNCDIFF_NUM_THREADS"
MOST = 1024  # more would be a mistake

_told: list[Callable[[], object]] = []  # whom to tell that there is another number


def get_num_threads() -> int:
    """Return on how many threads the large loops of compiled programs run.

    Returns
    -------
    int
        What `set_num_threads` has set last; else the environment variable ``FUNCDIFF_NUM_THREADS``; else 1.

    Examples
    --------
    >>> import funcdiff as fd
    >>> fd.get_num_threads()
    1
    """
    return _count


def set_num_threads(n: int) -> None:
    """Set on how many threads the large loops of compiled programs run.

    Loops over some hundred thousand elements and more, in programs that `jit` compiles to machine code, are parted
    among so many threads, the calling one included.  Results do not depend on their number, to the last bit.

    Parameters
    ----------
    n : int
        From 1 to 1024. With 1, where a process begins, there are no threads but the caller's.

    Raises
    ------
    TypeError
        If `n` is no integer.
    ValueError
        If it is out of range.

    Notes
    -----
    It holds for all calls that begin afterwards, from whatever thread.  Programs that have been compiled for one
    thread and have large loops are compiled again when more are asked for first.  The environment variable
    ``FUNCDIFF_NUM_THREADS`` says with how many a process begins.  The threads of BLAS, in which large matrix
    products and factorizations run, are not counted here; ``OPENBLAS_NUM_THREADS`` and the like are about those.

    Examples
    --------
    >>> import funcdiff as fd
    >>> fd.set_num_threads(2)
    >>> fd.get_num_threads()
    2
    >>> fd.set_num_threads(1)
    """
    global _count
    _count = _checked(n)
    for tell in tuple(_told):
        tell()


def when_set(tell: Callable[[], object]) -> None:
    """Call a function now, and whenever the number of threads has been set."""
    _told.append(tell)
    tell()


def _checked(n: int) -> int:
    """Return a number of threads, checked."""
    try:
        count = operator.index(n)
    except TypeError:
        count = None
    if count is None or isinstance(n, bool):
        raise TypeError(errors.at_user_line(f"set_num_threads needs an integer, not {n!r}"))
    if not 1 <= count <= MOST:
        raise ValueError(
            errors.at_user_line(
                f"set_num_threads needs 1 to {MOST} threads, not {count}; 1 stands for none but the caller's"
            )
        )
    return count


def _from_environment() -> int:
    """Return the number of threads with which the process begins."""
    text = os.environ.get(VARIABLE, "").strip()
    if not text:
        return 1
    if text.isdecimal() and 1 <= int(text) <= MOST:
        return int(text)
    warnings.warn(
        f"{VARIABLE} must be a number from 1 to {MOST}, not {text!r}, so programs run on one thread",
        errors.PerformanceWarning,
        stacklevel=2,
    )
    return 1


_count = _from_environment()
