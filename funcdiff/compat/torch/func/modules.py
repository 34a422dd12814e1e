"""Modules as functions of their parameters: `functional_call`, `stack_module_state`."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from funcdiff.compat.torch._tensor import wrap
from funcdiff.compat.torch.ops.joining import stack


def functional_call(
    module: Any,
    parameter_and_buffer_dicts: Any,
    args: Any = None,
    kwargs: Any = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """As `torch.func.functional_call`: call a module with other parameters in place of its own."""
    given = parameter_and_buffer_dicts
    if isinstance(given, (tuple, list)):
        if not all(isinstance(d, dict) for d in given):
            raise ValueError("Expected all elements of parameter_and_buffer_dicts to be dictionaries")
        names = [name for d in given for name in d]
        repeated = [name for name in dict.fromkeys(names) if names.count(name) > 1]
        if repeated:
            raise ValueError(
                f"{repeated} appeared in multiple dictionaries; behavior of functional call is ambiguous"
            )
        given = {name: x for d in given for name, x in d.items()}
    elif not isinstance(given, dict):
        raise ValueError(
            f"Expected parameter_and_buffer_dicts to be a dict, or a list/tuple of dicts, but got {type(given)}"
        )
    if strict:
        own = {name for name, _ in module.named_parameters()} | {name for name, _ in module.named_buffers()}
        wrong = []
        if set(given) - own:
            wrong.append("Unexpected key(s): " + ", ".join(map(repr, sorted(set(given) - own))) + ".")
        if own - set(given):
            wrong.append("Missing key(s): " + ", ".join(map(repr, sorted(own - set(given)))) + ".")
        if wrong:
            raise RuntimeError(
                f"Error(s) in reparametrizing for {type(module).__name__}:\n\t" + "\n\t".join(wrong)
            )
    args = () if args is None else args if isinstance(args, tuple) else (args,)
    return module._call_with(given, args, kwargs or {})


def stack_module_state(models: Sequence[Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """As `torch.func.stack_module_state`: the parameters and the buffers of an ensemble, each stacked."""
    if not models:
        raise RuntimeError("stack_module_state: Expected at least one model, got 0.")
    if not (all(m.training for m in models) or not any(m.training for m in models)):
        raise RuntimeError("stack_module_state: Expected all models to have the same training/eval mode.")
    if len({type(m) for m in models}) != 1:
        raise RuntimeError("stack_module_state: Expected all models to be of the same class.")
    parameters = [dict(m.named_parameters()) for m in models]
    buffers = [dict(m.named_buffers()) for m in models]

    def stacked(dicts: Sequence[dict[str, Any]], wanted: bool) -> dict[str, Any]:
        found = {}
        for name in dicts[0]:
            same = [d[name] for d in dicts]
            needs = wanted and same[0].requires_grad
            found[name] = wrap(stack([x.detach() for x in same]).value).requires_grad_(needs)
        return found

    return stacked(parameters, True), stacked(buffers, False)


def replace_all_batch_norm_modules_(root: Any) -> Any:
    """As `torch.func.replace_all_batch_norm_modules_`: batch norms keep no running statistics."""
    for module in root.modules():
        if hasattr(module, "track_running_stats") and type(module).__name__.startswith("BatchNorm"):
            module.running_mean = module.running_var = module.num_batches_tracked = None
            module.track_running_stats = False
    return root


def functionalize(func: Any, *, remove: str = "mutations") -> Any:
    """As `torch.func.functionalize`: the function itself, for transforms follow writes here."""
    return copy.copy(func)
