"""Tapes in files: a format of text and arrays that cannot run code when it is read.

A file is a zip archive of ``tape.json`` and of arrays in NumPy's own format, none of them pickled.  Steps
are stored by the names of their primitives, and only names that funcdiff, or `fd.primitive`, has registered
are taken back.
"""

from __future__ import annotations

import os

from funcdiff.core.tape import Tape


def load(path: str | os.PathLike[str]) -> Tape:
    """Read a tape that `Tape.save` has written.

    The file is text and arrays: reading it runs no code, whoever wrote it.

    Parameters
    ----------
    path : path
        Name of the file.

    Returns
    -------
    Tape
        It prints, replays, draws and differentiates like the one that was saved.

    Raises
    ------
    TapeError
        If the file is not a tape, is damaged, was written by a newer version of the format, or uses a
        primitive that is not known here.
    OSError
        If the file cannot be read.

    Examples
    --------
    >>> import numpy as np, funcdiff as fd
    >>> import tempfile, pathlib
    >>> tape = fd.trace(lambda x: np.sum(np.sin(x) ** 2))(np.zeros(3))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "tape.fdt"
    ...     tape.save(path)
    ...     again = fd.load(path)
    >>> float(again.run(np.full(3, np.pi / 2)))
    3.0
    >>> fd.grad(again.run)(np.full(3, np.pi / 4))
    array([1., 1., 1.])
    """
    from funcdiff.storage.archive import read  # the modules it needs are not needed before

    with open(path, "rb") as file:
        return read(file, os.fspath(path))
