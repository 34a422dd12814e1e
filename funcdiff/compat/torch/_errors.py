"""Errors of several modules, in PyTorch's words where PyTorch raises them."""

from __future__ import annotations

from typing import Any

from funcdiff import errors
from funcdiff.compat.torch._dtypes import FROM_NUMPY


def unsupported(what: str, remedy: str) -> errors.UnsupportedError:
    """Say that something of PyTorch's is not here, and what to do."""
    return errors.UnsupportedError(errors.at_user_line(f"funcdiff.compat.torch has no {what}. {remedy}"))


def not_a_tensor(name: str, argument: str, position: int, given: Any) -> TypeError:
    """Say that a function wants a tensor."""
    return TypeError(
        f"{name}(): argument '{argument}' (position {position}) must be Tensor, not {type(given).__name__}"
    )


def type_name(x: Any) -> str:
    """Return the name of the type of an array, as `torch.FloatTensor`."""
    return f"torch.{FROM_NUMPY[x.dtype].type_name}Tensor"


def operation_name(node: Any) -> str:
    """Return the name of the operation a node belongs to."""
    name: str = node.name().rsplit("::", maxsplit=1)[-1]
    return name.partition("Backward")[0]


def modified(x: Any, node: Any, number: int, version: int, expected: int) -> RuntimeError:
    """Say that a value kept for the derivative has been overwritten."""
    where = "" if node is None else f", which is output {number} of {operation_name(node)},"
    return RuntimeError(
        "one of the variables needed for gradient computation has been modified by an inplace operation: "
        f"[{type_name(x)} {list(x.shape)}]{where} is at version {version}; expected version {expected} instead. Hint: "
        "enable anomaly detection to find the operation that failed to compute its gradient, with "
        "torch.autograd.set_detect_anomaly(True, check_nan=False)."
    )


LEAF_IN_PLACE = "a leaf Variable that requires grad is being used in an in-place operation."
VIEW_OF_LEAF = "a view of a leaf Variable that requires grad is being used in an in-place operation."
VIEW_OF_SEVERAL = (
    "Output {number} of {name} is a view and is being modified inplace. This view is the output of a function that "
    "returns multiple views. Such functions do not allow the output views to be modified inplace. You should replace "
    "the inplace operation by an out-of-place one."
)
VIEW_WITHOUT_GRAD = (
    "A view was created in {mode} mode and is being modified inplace with grad mode enabled. Given that this use "
    "case is ambiguous and error-prone, it is forbidden. You can clarify your code by moving both the view and the "
    "inplace either both inside the {mode} block (if you don't want the inplace to be tracked) or both outside (if "
    "you want the inplace to be tracked)."
)
INFERENCE_SAVED = (
    "Inference tensors cannot be saved for backward. Please do not use Tensors created in inference mode in "
    "computation tracked by autograd. To work around this, you can make a clone to get a normal tensor and use it in "
    "autograd, or use `torch.no_grad()` instead of `torch.inference_mode()`."
)
INFERENCE_WRITTEN = (
    "Inplace update to inference tensor outside InferenceMode is not allowed.You can make a clone to get a normal "
    "tensor before doing inplace update.See https://github.com/pytorch/rfcs/pull/17 for more details."
)
NOT_A_LEAF_FLAG = (
    "you can only change requires_grad flags of leaf variables. If you want to use a computed variable in a subgraph "
    "that doesn't require differentiation use var_no_grad = var.detach()."
)
GRAD_OF_NON_LEAF = (
    "The .grad attribute of a Tensor that is not a leaf Tensor is being accessed. Its .grad attribute won't be "
    "populated during autograd.backward(). If you indeed want the .grad field to be populated for a non-leaf Tensor, "
    "use .retain_grad() on the non-leaf Tensor. If you access the non-leaf Tensor by mistake, make sure you access the "
    "leaf Tensor instead. See github.com/pytorch/pytorch/pull/30531 for more information."
)
NO_STORAGE = "Cannot access data pointer of Tensor that doesn't have storage"
MAPPED_ITEM = (
    "vmap: It looks like you're calling .item() on a Tensor. We don't support vmap over calling .item() on a Tensor, "
    "please try to rewrite what you're doing with other operations. If error is occurring somewhere inside PyTorch "
    "internals, please file a bug report."
)
MAPPED_BRANCH = (
    "vmap: It looks like you're attempting to use a Tensor in some data-dependent control flow. We don't support that "
    "yet, please file an issue at https://github.com/pytorch/pytorch/issues ."
)
MAPPED_SHAPE = (
    "vmap: We do not support batching operators that can output dynamic shape. Attempted to vmap over {name}. Please file "
    "an issue at https://github.com/pytorch/pytorch/issues if you need this feature."
)
MAPPED_MASK = (
    "vmap: Attempted to vmap over `mask` in torch.masked_select(self, mask) We cannot support this because for each batch "
    "this would return a differently shaped Tensor. Please file an issue at https://github.com/pytorch/pytorch/issues if "
    "you need this feature."
)
MAPPED_ALLCLOSE = (
    "vmap over torch.allclose isn't supported yet. Please file an issue at https://github.com/pytorch/pytorch/issues if "
    "you need this feature."
)
OVERLAPPING = (
    "unsupported operation: more than one element of the written-to tensor refers to a single memory location. Please "
    "clone() the tensor before performing the operation."
)
