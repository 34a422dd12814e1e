"""What the command line is given: a function by its name, and arguments as text or files."""

from __future__ import annotations

import csv
import importlib
import importlib.util
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np


class InputError(ValueError):
    """What was given on the command line cannot be used."""


def load_function(target: str) -> Callable[..., Any]:
    """Return the function that ``module:function`` or ``file.py:function`` names."""
    module_name, colon, path = target.rpartition(":")
    if not colon or not module_name or not path:
        raise InputError(
            f"{target!r} names no function: write module:function, as in numpy:sin, or file.py:function"
        )
    found: Any = _module(module_name)
    for part in path.split("."):
        if not hasattr(found, part):
            names = [n for n in dir(found) if not n.startswith("_") and callable(getattr(found, n))]
            raise InputError(f"{module_name} has no {path!r}{_nearest(part, names)}")
        found = getattr(found, part)
    if not callable(found):
        raise InputError(f"{target} is {type(found).__name__}, not a function")
    return found  # type: ignore[no-any-return]


def _module(name: str) -> Any:
    if name.endswith(".py"):
        file = Path(name)
        if not file.is_file():
            raise InputError(f"there is no file {name}")
        spec = importlib.util.spec_from_file_location(file.stem, file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[file.stem] = module
        sys.path.insert(0, str(file.parent.resolve()))  # for what stands beside it
        spec.loader.exec_module(module)
        return module
    sys.path.insert(0, "")
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name.split(".")[0] and error.name != name:
            raise
        raise InputError(f"there is no module {name!r} here; for a file write {name}.py:function") from None


def _nearest(word: str, names: Sequence[str]) -> str:
    import difflib

    near = difflib.get_close_matches(word, names, n=3)
    if near:
        return f"; did you mean {' or '.join(near)}?"
    shown = ", ".join(names[:8])
    return f"; it has {shown}{', …' if len(names) > 8 else ''}" if names else ""


def read_arguments(texts: Sequence[str]) -> tuple[Any, ...]:
    """Return arguments from texts: JSON, or names of files that hold arrays."""
    found: list[Any] = []
    for text in texts:
        value = read_argument(text)
        found += list(value) if isinstance(value, Several) else [value]
    return tuple(found)


class Several(list[Any]):
    """The arrays of an ``.npz`` file: one argument each."""


def read_argument(text: str) -> Any:
    """Return one argument, or the several of an ``.npz`` file."""
    name, colon, member = text.rpartition(":")
    if colon and name.endswith(".npz"):
        return _member(_npz(name), name, member)
    match Path(text).suffix.lower():
        case ".npy":
            return _floating(_numpy(text))
        case ".npz":
            return Several(map(_floating, _npz(text).values()))
        case ".csv" | ".tsv" | ".txt":
            return _csv(text)
        case ".json":
            return _json(_existing(text).read_text(encoding="utf-8"), text)
    return _json(text, text)


def _existing(name: str) -> Path:
    path = Path(name)
    if not path.is_file():
        raise InputError(f"there is no file {name}")
    return path


def _numpy(name: str) -> Any:
    try:
        return np.load(_existing(name), allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise InputError(f"{name} cannot be read as an array: {error}") from None


def _npz(name: str) -> dict[str, Any]:
    found = _numpy(name)
    try:
        return {key: found[key] for key in found.files}
    except (ValueError, AttributeError) as error:
        raise InputError(f"{name} cannot be read as arrays: {error}") from None


def _member(arrays: dict[str, Any], name: str, member: str) -> Any:
    if member not in arrays:
        raise InputError(f"{name} has no array {member!r}; it has {', '.join(arrays)}")
    return _floating(arrays[member])


def _csv(name: str) -> Any:
    """Read numbers in rows and columns; a first row of words is left out."""
    text = _existing(name).read_text(encoding="utf-8-sig")
    delimiter = "\t" if "\t" in text else ";" if ";" in text else "," if "," in text else None
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    rows = list(csv.reader(lines, delimiter=delimiter)) if delimiter else [line.split() for line in lines]
    if rows and not all(map(_is_number, rows[0])):
        rows = rows[1:]
    if not rows or len({len(row) for row in rows}) != 1:
        raise InputError(f"{name} does not hold rows of equally many numbers")
    bad = next(((n, cell) for n, row in enumerate(rows, 1) for cell in row if not _is_number(cell)), None)
    if bad is not None:
        raise InputError(f"{name}: {bad[1]!r} in row {bad[0]} is not a number")
    array = np.array([[float(cell) for cell in row] for row in rows])
    return array[:, 0] if array.shape[1] == 1 else array


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _json(text: str, name: str) -> Any:
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        raise InputError(
            f'{name!r} is neither JSON (2.5, [1, 2, 3], {{"w": [1, 2]}}) nor a file that ends in .npy, .npz, .csv or .json'
        ) from None
    return _arrays(value, name)


def _arrays(value: Any, name: str) -> Any:
    """Turn lists of numbers into arrays, and integers into floats: they are to be differentiated."""
    if isinstance(value, dict):
        return {key: _arrays(v, name) for key, v in value.items()}
    if isinstance(value, bool) or value is None or isinstance(value, str):
        raise InputError(f"{name!r} holds {json.dumps(value)}, and arguments are numbers")
    if isinstance(value, (int, float)):
        return float(value)
    if any(isinstance(v, dict) for v in value):
        return [_arrays(v, name) for v in value]
    try:
        return np.array(value, dtype=np.float64)
    except (ValueError, TypeError):
        raise InputError(
            f"{name!r} is not an array: its rows have different lengths, or hold no numbers"
        ) from None


def _floating(array: Any) -> Any:
    if array.dtype.kind not in "biufc":
        raise InputError(f"an array of {array.dtype} holds no numbers")
    return array.astype(np.float64) if array.dtype.kind in "biu" else array
