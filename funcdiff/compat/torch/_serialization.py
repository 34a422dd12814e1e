"""`save` and `load`: tensors in nested containers, in a file that holds data only and runs no code."""

from __future__ import annotations

import io
import json
import zipfile
from collections import OrderedDict
from typing import Any

import numpy as np

from funcdiff.compat.torch._dtypes import Size, check_device
from funcdiff.compat.torch._tensor import Tensor, plain, wrap
from funcdiff.compat.torch.nn.parameter import Parameter

_CONTAINERS: dict[str, Any] = {
    "list": list,
    "tuple": tuple,
    "dict": dict,
    "OrderedDict": OrderedDict,
    "Size": Size,
}


def save(obj: Any, f: Any, **_: Any) -> None:
    """As `torch.save`, of tensors, numbers, strings and containers of them.

    Parameters
    ----------
    obj : nested containers
        A state dict, say; modules are refused, for they would have to be code.
    f : path or file
        Where to write: a zip archive of ``.npy`` files and a description in JSON.

    Raises
    ------
    TypeError
        If anything else is inside.
    """
    arrays: list[Any] = []
    described = _describe(obj, arrays)
    with zipfile.ZipFile(f, "w") as archive:
        archive.writestr(
            "structure.json", json.dumps({"format": "funcdiff.compat.torch 1", "root": described})
        )
        for n, x in enumerate(arrays):
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, np.asarray(x), allow_pickle=False)
            archive.writestr(f"{n}.npy", buffer.getvalue())


def _describe(x: Any, arrays: list[Any]) -> Any:
    if isinstance(x, Tensor):
        arrays.append(plain(x))
        kind = "parameter" if isinstance(x, Parameter) else "tensor"
        return {"kind": kind, "n": len(arrays) - 1, "requires_grad": x.is_leaf and x.requires_grad}
    if isinstance(x, np.ndarray) and not x.dtype.hasobject:
        arrays.append(x)
        return {"kind": "array", "n": len(arrays) - 1}
    if x is None or isinstance(x, (bool, int, float, str)):
        return {"kind": "value", "value": x}
    name = type(x).__name__
    if _CONTAINERS.get(name) is type(x):
        if isinstance(x, dict):
            return {
                "kind": name,
                "items": [[_describe(k, arrays), _describe(v, arrays)] for k, v in x.items()],
            }
        return {"kind": name, "items": [_describe(i, arrays) for i in x]}
    raise TypeError(
        f"torch.save of funcdiff.compat.torch stores tensors, numbers, strings, lists, tuples and dicts, not {name}. Save "
        "model.state_dict() and optimizer.state_dict()."
    )


def load(f: Any, map_location: Any = None, *, weights_only: bool = True, **_: Any) -> Any:
    """As `torch.load`, of files that `save` has written.

    Parameters
    ----------
    f : path or file
        What `save` wrote.
    map_location : optional
        The CPU.

    Raises
    ------
    ValueError
        If the file is another one; PyTorch's own files hold pickles, which could run code.
    """
    if map_location is not None and not callable(map_location) and not isinstance(map_location, dict):
        check_device(map_location)
    try:
        archive = zipfile.ZipFile(f)
    except zipfile.BadZipFile:
        raise ValueError(f"{f!r} was not written by torch.save of funcdiff.compat.torch") from None
    with archive:
        if "structure.json" not in archive.namelist():
            raise ValueError(
                f"{f!r} was not written by torch.save of funcdiff.compat.torch; a file of PyTorch's holds pickles. Load it with "
                "PyTorch, and store the arrays with numpy.savez."
            )
        described = json.loads(archive.read("structure.json"))

        def array(n: int) -> Any:
            return np.lib.format.read_array(io.BytesIO(archive.read(f"{int(n)}.npy")), allow_pickle=False)

        return _restore(described["root"], array)


def _restore(d: Any, array: Any) -> Any:
    kind = d["kind"]
    if kind == "value":
        return d["value"]
    if kind == "array":
        return array(d["n"])
    if kind == "parameter":
        return Parameter(wrap(array(d["n"])), d["requires_grad"])
    if kind == "tensor":
        return wrap(array(d["n"])).requires_grad_(d["requires_grad"])
    items = d["items"]
    if kind in ("dict", "OrderedDict"):
        pairs = [(_restore(k, array), _restore(v, array)) for k, v in items]
        return _CONTAINERS[kind](pairs)
    if kind not in _CONTAINERS:
        raise ValueError(f"the file names an unknown container {kind!r}")
    return _CONTAINERS[kind]([_restore(i, array) for i in items])
