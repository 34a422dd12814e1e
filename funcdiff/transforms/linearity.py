"""Whether what a program does to its moving inputs is linear, as far as its primitives tell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from funcdiff.core.array_type import is_differentiable
from funcdiff.core.primitive import Elementwise, General, LocallyConstant, Multilinear, Over, Primitive
from funcdiff.core.tape import Tape, Variable


def is_linear(primitive: Primitive, active: Sequence[int], params: dict[str, Any]) -> bool:
    """Tell whether a primitive is linear, or linear but for a constant, in the arguments at some places."""
    match primitive:
        case Elementwise():
            partials = primitive.partials
            if all(partials[n] in (1, -1) for n in active if not callable(partials[n])) and not any(
                callable(partials[n]) or isinstance(partials[n], Over) for n in active
            ):
                return True
            return len(active) == 1 and (
                primitive.name == "multiply" or (primitive.name == "divide" and list(active) == [0])
            )
        case Multilinear():
            return len(active) <= 1
        case General(name="loop"):
            return _is_linear_loop(active, params)
        case General(name="branch"):
            return 0 not in active and all(
                _is_linear_body(b, [n - 1 for n in active]) for b in params.values()
            )
        case General():
            return len(active) <= 1 and all(
                n < len(primitive.transposes) and primitive.transposes[n] is not None for n in active
            )
    return True


def _is_linear_loop(active: Sequence[int], params: dict[str, Any]) -> bool:
    from funcdiff.transforms.loops.dependence import needed_inputs
    from funcdiff.transforms.loops.derive import spread
    from funcdiff.transforms.loops.loop import Loop

    spec = Loop(**params)
    moving = spread(spec, [n in active for n in range(len(spec.body.inputs))])
    asked = [] if spec.cond is None else needed_inputs(spec.cond, [True])
    if any(a and m for a, m in zip(asked, moving, strict=False)):
        return False
    return _is_linear_body(spec.body, [n for n, m in enumerate(moving) if m])


def _is_linear_body(body: Tape, active: Sequence[int]) -> bool:
    moving = {body.inputs[n].number for n in active}
    for record in body.records:
        places = [n for n, a in enumerate(record.inputs) if isinstance(a, Variable) and a.number in moving]
        if not places:
            continue
        if isinstance(record.primitive, LocallyConstant) or not is_linear(
            record.primitive, places, record.params
        ):
            return False
        moving.update(v.number for v in record.outputs if is_differentiable(v.type.dtype))
    return True
