"""`torch.autograd.forward_ad`: dual tensors, which carry a tangent."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from funcdiff.compat.torch._not_covered import refuse
from funcdiff.compat.torch._recorder import lift, lower
from funcdiff.compat.torch._state import STATE
from funcdiff.compat.torch._tensor import wrap
from funcdiff.core.recording import TracedArray, box
from funcdiff.transforms.forward import ForwardRecorder


class UnpackedDualTensor(NamedTuple):
    """Primal and tangent of a dual tensor."""

    primal: Any
    tangent: Any


class dual_level:
    """A level of forward mode: tensors made dual in it carry tangents until it ends."""

    def __enter__(self) -> Any:
        return enter_dual_level()

    def __exit__(self, *_: object) -> None:
        exit_dual_level()


def enter_dual_level() -> int:
    """Begin a level of forward mode."""
    if STATE.dual_level is not None:
        raise RuntimeError("Nested forward mode AD is not supported at the moment")
    STATE.dual_level = ForwardRecorder(False)
    return 0


def exit_dual_level(*, level: Any = None) -> None:
    """End the level of forward mode."""
    if STATE.dual_level is None:
        raise RuntimeError(
            "Trying to exit a forward AD level that was not the last one that was created. This is not supported."
        )
    STATE.dual_level.close()
    STATE.dual_level = None


def make_dual_at(recorder: Any, tensor: Any, tangent: Any) -> Any:
    """Make a dual tensor on a level."""
    return wrap(box(lift(tensor), recorder, lift(tangent)))


def make_dual(tensor: Any, tangent: Any, *, level: Any = None) -> Any:
    """As `torch.autograd.forward_ad.make_dual`."""
    if STATE.dual_level is None:
        raise RuntimeError(
            "Trying to create a dual Tensor for forward AD but no level exists, make sure to enter_dual_level() first."
        )
    if not (tensor.is_floating_point() or tensor.is_complex()):
        raise ValueError(f"Expected primal to be floating point or complex, but got: {tensor.dtype}")
    if not (tangent.is_floating_point() or tangent.is_complex()):
        raise ValueError(f"Expected tangent to be floating point or complex, but got: {tangent.dtype}")
    if tensor.value.shape != tangent.value.shape:
        raise RuntimeError(
            f"Expected tangent to have the same shape as primal, but got: {list(tangent.shape)} and {list(tensor.shape)}"
        )
    return make_dual_at(STATE.dual_level, tensor, tangent)


def dual_parts(tensor: Any, recorder: Any) -> tuple[Any, Any]:
    """Return primal and tangent of a tensor on a level; None where it has no tangent."""
    value = tensor.value
    if type(value) is TracedArray and value.recorder is recorder:
        return lower(value.value), None if value.place is None else lower(
            np.asarray(value.place) if np.isscalar(value.place) else value.place
        )
    return tensor, None


def unpack_dual(tensor: Any, *, level: Any = None) -> UnpackedDualTensor:
    """As `torch.autograd.forward_ad.unpack_dual`."""
    if STATE.dual_level is None:
        return UnpackedDualTensor(tensor, None)
    return UnpackedDualTensor(*dual_parts(tensor, STATE.dual_level))


def unpack_plain(tensor: Any) -> tuple[Any, Any]:
    """Return the elements of a dual tensor and its tangent, for printing; None inside other transforms."""
    value = tensor.value
    if STATE.dual_level is None or value.recorder is not STATE.dual_level:
        return None, None
    primal, tangent = dual_parts(tensor, value.recorder)
    if type(primal.value) is TracedArray:
        return None, None
    return primal.value, tangent


def __getattr__(name: str) -> Any:
    return refuse("autograd.forward_ad", name)
