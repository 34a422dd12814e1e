"""Files of tapes: written whole or not at all, and read with suspicion."""

from __future__ import annotations

import io
import json
import math
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from funcdiff import errors
from funcdiff.core.tape import Tape
from funcdiff.core.validate import check
from funcdiff.storage.decoding import Damaged, Decoder
from funcdiff.storage.encoding import Encoder

FORMAT = "funcdiff tape"
VERSION = 1  # of the format; a reader refuses newer ones
TEXT = "tape.json"
LARGEST_TEXT = 1 << 28


def save(tape: Tape, path: str | os.PathLike[str]) -> None:
    """Write a tape to a file."""
    path = Path(path)
    partial = path.with_name(path.name + ".partial")
    try:
        with open(partial, "wb") as file:
            write(tape, file)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def write(tape: Tape, file: BinaryIO) -> None:
    """Write a tape to an open file."""
    encoder = Encoder(tape)
    text = json.dumps({"format": FORMAT, "version": VERSION, **encoder.tape(tape)}, allow_nan=False)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(_entry(TEXT), text)
        for n, array in enumerate(encoder.arrays):
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, array, allow_pickle=False)
            archive.writestr(_entry(f"arrays/{n}.npy"), buffer.getvalue())


def to_bytes(tape: Tape) -> bytes:
    """Return a tape as the bytes of its file."""
    buffer = io.BytesIO()
    write(tape, buffer)
    return buffer.getvalue()


def from_bytes(data: bytes) -> Tape:
    """Read a tape from the bytes of its file."""
    return read(io.BytesIO(data), "a pickled tape")


def _entry(name: str) -> zipfile.ZipInfo:
    return zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))  # equal tapes give equal files


def read(file: BinaryIO, name: str) -> Tape:
    """Read a tape from an open file."""
    try:
        text, arrays = _contents(file)
        header = json.loads(text, parse_constant=_refuse_constant)
        _check_header(header, name)
        tape = Decoder(arrays).tape(header)
        check(tape)
    except errors.TapeError as error:
        raise errors.TapeError(f"{name} cannot be loaded: {error}") from None
    except Damaged as error:
        raise errors.TapeError(f"{name} is damaged: {error}") from None
    except (zipfile.BadZipFile, EOFError, ValueError, RuntimeError) as error:  # of zipfile and json
        raise errors.TapeError(
            f"{name} is not a tape that funcdiff saved, or it is damaged: {error}"
        ) from None
    return tape


def _contents(file: BinaryIO) -> tuple[str, Sequence[Any]]:
    """Return the text of an archive and its arrays."""
    with zipfile.ZipFile(file) as archive:
        entries = {entry.filename: entry for entry in archive.infolist()}
        if TEXT not in entries:
            raise Damaged(f"there is no {TEXT} in it")
        if any(e.compress_type != zipfile.ZIP_STORED or e.flag_bits & 1 for e in entries.values()):
            raise Damaged("its entries are compressed or encrypted, which those of a tape never are")
        if entries[TEXT].file_size > LARGEST_TEXT:
            raise Damaged(f"its {TEXT} is longer than that of any tape")
        text = archive.read(TEXT).decode("utf-8")
        arrays: list[Any] = []
        while (name := f"arrays/{len(arrays)}.npy") in entries:
            arrays.append(_array(archive.read(name), name))
    if len(entries) != len(arrays) + 1:
        raise Damaged("it holds entries that do not belong to a tape")
    return text, arrays


def _array(data: bytes, name: str) -> Any:
    """Read an array; what its header says must be what is there."""
    buffer = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(buffer)
        if version not in ((1, 0), (2, 0)):
            raise Damaged(f"{name} has a header of version {version}")
        read_header = (
            np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        )
        shape, _, dtype = read_header(buffer)
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise Damaged(f"{name}: {error}") from None
    if dtype.hasobject or dtype.names or dtype.kind not in "fcbiu":
        raise Damaged(f"{name} holds {dtype}, and a tape holds numbers")
    if math.prod(shape) * dtype.itemsize != len(data) - buffer.tell():
        raise Damaged(
            f"{name} should hold {shape} numbers of {dtype}, and has {len(data) - buffer.tell()} bytes"
        )
    buffer.seek(0)
    return np.lib.format.read_array(buffer, allow_pickle=False)


def _refuse_constant(name: str) -> Any:
    raise Damaged(f"{TEXT} holds the word {name}, which is no number")


def _check_header(header: Any, name: str) -> None:
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise Damaged(f"its {TEXT} is not that of a tape")
    version = header.get("version")
    if type(version) is not int or version < 1:
        raise Damaged("it has no version")
    if version > VERSION:
        raise errors.TapeError(
            f"it was written in version {version} of the format, and this funcdiff reads up to {VERSION}; "
            "install a newer funcdiff"
        )
