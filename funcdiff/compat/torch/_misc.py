"""What belongs to no kind of operation: queries of types, devices that are not there, registering as ``torch``."""

from __future__ import annotations

import importlib
import sys
from typing import Any

from funcdiff.compat.torch._dtypes import (
    FROM_NUMPY,
    bool_,
    dtype,
    float32,
    float64,
    int32,
    int64,
    uint8,
)
from funcdiff.compat.torch._promotion import promote, result_dtype
from funcdiff.compat.torch._tensor import Tensor
from funcdiff.compat.torch.ops.creation import tensor, zeros

_PACKAGE = __name__.rpartition(".")[0]
_IN_OPS = ("linalg", "special", "fft", "random")
"""Modules of PyTorch's that lie deeper here."""


def typename(obj: Any) -> str:
    """As `torch.typename`."""
    return str(obj.type()) if isinstance(obj, Tensor) else type(obj).__name__


def numel(input: Tensor) -> int:
    """As `torch.numel`."""
    return input.numel()


def result_type(tensor1: Any, tensor2: Any) -> Any:
    """As `torch.result_type`."""
    return FROM_NUMPY[result_dtype(*(x.value if isinstance(x, Tensor) else x for x in (tensor1, tensor2)))]


def promote_types(type1: dtype, type2: dtype) -> dtype:
    """As `torch.promote_types`."""
    return FROM_NUMPY[promote(type1.numpy, type2.numpy)]


def set_num_threads(n: int) -> None:
    """As `torch.set_num_threads`; NumPy's libraries choose for themselves."""


def get_num_threads() -> int:
    """As `torch.get_num_threads`."""
    return 1


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """As `torch.use_deterministic_algorithms`: all are."""


class cuda:
    """`torch.cuda`: there is none."""

    @staticmethod
    def is_available() -> bool:
        """Tell that there is no CUDA."""
        return False

    @staticmethod
    def device_count() -> int:
        """Return 0."""
        return 0

    @staticmethod
    def manual_seed_all(seed: int) -> None:
        """Do nothing."""

    manual_seed = manual_seed_all


class _Legacy:
    """`torch.FloatTensor` and its relatives: constructors of tensors of one type."""

    def __init__(self, kind: dtype) -> None:
        self.dtype = kind

    def __call__(self, *args: Any) -> Any:
        if len(args) == 1 and not isinstance(args[0], int):
            return tensor(args[0], dtype=self.dtype)
        return zeros(*(args or (0,)), dtype=self.dtype)

    def __instancecheck__(self, x: object) -> bool:
        return isinstance(x, Tensor) and x.dtype is self.dtype


FloatTensor, DoubleTensor, LongTensor = _Legacy(float32), _Legacy(float64), _Legacy(int64)
IntTensor, BoolTensor, ByteTensor = _Legacy(int32), _Legacy(bool_), _Legacy(uint8)

MISSING = {
    "distributed": "distributed computing",
    "quantization": "quantisation",
    "ao": "quantisation",
    "sparse": "sparse tensors",
    "sparse_coo_tensor": "sparse tensors",
    "jit": "TorchScript",
    "compile": "compiler",
    "onnx": "ONNX export",
    "fx": "graph rewriting",
    "bfloat16": "bfloat16, which NumPy has not",
    "quantize_per_tensor": "quantisation",
    "multiprocessing": "multiprocessing",
    "mps": "device but the CPU",
    "xpu": "device but the CPU",
    "hub": "model hub",
}
"""What PyTorch has and is out of scope here."""


def register(name: str = "torch") -> Any:
    """Make ``import torch`` find this module, and its submodules, from now on.

    Parameters
    ----------
    name : str, default "torch"
        The name to register under.

    Returns
    -------
    module
        This module.

    Raises
    ------
    RuntimeError
        If another module of that name has been imported already.

    Examples
    --------
    >>> import funcdiff.compat.torch
    >>> torch = funcdiff.compat.torch.register("torch_on_funcdiff")
    >>> from torch_on_funcdiff.autograd import Function
    """
    known = sys.modules.get(name)
    here = sys.modules[_PACKAGE]
    if known is not None and known is not here:
        raise RuntimeError(
            f"a module named {name!r} has been imported already; call funcdiff.compat.torch.register() before it is"
        )
    for module in (
        "autograd",
        "autograd.function",
        "autograd.functional",
        "autograd.forward_ad",
        "autograd.profiler",
        "func",
        *_IN_OPS,
    ):
        importlib.import_module(f"{_PACKAGE}.ops.{module}" if module in _IN_OPS else f"{_PACKAGE}.{module}")
    for found in list(sys.modules):
        if found == _PACKAGE or found.startswith(f"{_PACKAGE}."):
            sys.modules[name + found[len(_PACKAGE) :]] = sys.modules[found]
    for module in _IN_OPS:
        sys.modules[f"{name}.{module}"] = sys.modules[f"{_PACKAGE}.ops.{module}"]
    return here
