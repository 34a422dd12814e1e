"""The peers, each None where it is not installed (they come with the `bench` extra)."""

from __future__ import annotations

import importlib
from types import ModuleType


def optional(name: str) -> ModuleType | None:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


torch = optional("torch")
autograd = optional("autograd")
autograd_numpy = optional("autograd.numpy")

if torch is not None:
    torch.set_num_threads(1)
