"""`torch.func`: transforms of functions of tensors, which nest in each other."""

from __future__ import annotations

from typing import Any as _Any

from funcdiff.compat.torch._not_covered import refuse as _refuse
from funcdiff.compat.torch.func.gradients import grad, grad_and_value, jvp, linearize, vjp
from funcdiff.compat.torch.func.jacobians import hessian, jacfwd, jacrev
from funcdiff.compat.torch.func.mapping import vmap
from funcdiff.compat.torch.func.modules import (
    functional_call,
    functionalize,
    replace_all_batch_norm_modules_,
    stack_module_state,
)


def __getattr__(name: str) -> _Any:
    return _refuse("func", name)


__all__ = [
    "functional_call",
    "functionalize",
    "grad",
    "grad_and_value",
    "hessian",
    "jacfwd",
    "jacrev",
    "jvp",
    "linearize",
    "replace_all_batch_norm_modules_",
    "stack_module_state",
    "vjp",
    "vmap",
]
