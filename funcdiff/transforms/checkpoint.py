"""`checkpoint`: recompute a function in the reverse sweep instead of keeping its intermediates.

A call is recorded as one primitive that keeps its inputs and outputs.  Its pullback records the function
again and sweeps over that; pullback and pushforward are themselves checkpointed, so that the transforms
below keep as little as the first one does.  Where nothing is kept (forward mode, vmap, plain
evaluation, a program being traced) the function is simply called.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from funcdiff import errors
from funcdiff.core.free import buffer, settle
from funcdiff.core.mutation import clone
from funcdiff.core.primitive import General
from funcdiff.core.recording import TracedArray, box, innermost, newest
from funcdiff.core.trees import LEAF, AnyTree, flatten
from funcdiff.transforms.arguments import check_callable, leaf_value
from funcdiff.transforms.batch import BatchRecorder
from funcdiff.transforms.checkpoint_budget import place, run_segments
from funcdiff.transforms.custom_call import Call, Flat
from funcdiff.transforms.forward import push_forward
from funcdiff.transforms.gradient import wrap
from funcdiff.transforms.products import tangent_or_zeros
from funcdiff.transforms.reverse import ReverseRecorder, record
from funcdiff.transforms.stop import stopped
from funcdiff.transforms.sweeps import writes_program
from funcdiff.transforms.trace import trace
from funcdiff.transforms.vmap import run_batch


def checkpoint(f: Callable[..., Any], *, memory: int | None = None) -> Callable[..., Any]:
    """Make a function that is recomputed in the reverse sweep instead of keeping its intermediates.

    Memory is saved for time: a reverse sweep keeps the inputs and outputs of each call only, and runs
    `f` once more.  Values and derivatives are those of `f`, of any order and in every mode; forward
    mode and vmap, which keep nothing, call `f` as it is.

    Parameters
    ----------
    f : callable
        A pure function of arrays, or nested containers of them.
    memory : int, optional
        Bytes that the reverse sweep may need for intermediate values.  Then `f` is traced at each call and cut
        into segments, of which as many are run again as this asks for; see Notes.

    Returns
    -------
    callable
        Takes what `f` takes and returns what it returns.

    Raises
    ------
    CustomRuleError
        When differentiated in reverse mode, if `f` closes over a traced value that is being
        differentiated (pass it as an argument), or returns other values when it is run again.
    OutputError
        When differentiated in reverse mode, if `f` returns something else than arrays.
    ValueError
        If `memory` is less than 0; or, when differentiated, less than the best placement needs.

    Notes
    -----
    With `memory`, what is counted are residuals (values that rules of the reverse sweep read), values kept between
    segments and cotangents there; not arguments, results, and what a single operation needs.  The placement follows Chen, Xu,
    Zhang and Guestrin (arXiv:1604.06174, 2016), with cuts where the least is alive.

    Examples
    --------
    >>> import numpy as np, funcdiff as fd
    >>> @fd.checkpoint
    ... def layer(w, x):
    ...     return np.tanh(w * x)
    >>> def network(w):
    ...     x = 1.0
    ...     for _ in range(3):
    ...         x = layer(w, x)
    ...     return x
    >>> round(float(fd.grad(network)(1.0)), 6)
    0.907977
    """
    check_callable("checkpoint", f)
    if memory is not None and memory < 0:
        raise ValueError(errors.at_user_line(f"checkpoint needs memory of 0 bytes or more, not {memory}"))
    name = errors.function_name(f)

    @wrap(f, "checkpoint")
    def checkpointed(*args: Any, **kwargs: Any) -> Any:
        leaves, tree = flatten((args, kwargs))
        leaves = [leaf_value(x) if is_array(x) else x for x in leaves]
        traced = [isinstance(x, TracedArray) for x in leaves]

        def call(values: Sequence[Any]) -> Any:
            given = [own(v) if t else v for v, t in zip(values, traced, strict=True)]
            new_args, new_kwargs = tree.unflatten(given)
            return f(*new_args, **new_kwargs)

        if not any(on_tape(x) for x in leaves):
            return call(leaves) if any(traced) else f(*args, **kwargs)
        # immutable leaves stay what they are; arrays are operands, so that the record guards them
        places = [n for n, x in enumerate(leaves) if is_array(x)]
        out_tree: list[AnyTree] = [LEAF]

        # a traced array in the function would make a cycle with its tape
        fixed = [None if n in places else x for n, x in enumerate(leaves)]

        def flat(*operands: Any) -> list[Any]:
            values = list(fixed)
            for n, v in zip(places, operands, strict=True):
                values[n] = v
            outs, out_tree[0] = flatten(call(values))
            return [checked_output(name, o) for o in outs]

        operands = [leaves[n] for n in places]
        found = run(name, flat, operands) if memory is None else run_within(name, flat, operands, memory)
        return out_tree[0].unflatten(found)

    return checkpointed


def run(name: str, f: Flat, values: Sequence[Any]) -> list[Any]:
    """Call a function on leaves, as one primitive if a reverse sweep may come."""
    if not any(on_tape(v) for v in values):
        return list(f(*values))
    recorder = newest(values)
    if isinstance(recorder, BatchRecorder):
        return _run_batch(name, f, values, recorder)
    return list(CheckpointedCall(name, f).primitive().function(*values))


def run_within(name: str, f: Flat, values: Sequence[Any], memory: int) -> list[Any]:
    """Call a function on leaves, with as much of it checkpointed as a budget of memory asks for."""
    if writes_program(values):  # one program is written, of which this is a part
        return f(*values)
    tape = trace(f)(*[stopped(v) for v in values])
    segments = place(name, tape, memory)
    return run_segments(tape.inputs, segments, tape.outputs, values, lambda g, given: run(name, g, given))


def _run_batch(name: str, f: Flat, values: Sequence[Any], recorder: BatchRecorder) -> list[Any]:
    """Call a function of mapped values: what it does to the batch is the checkpointed function."""
    mine = [type(v) is TracedArray and v.recorder is recorder for v in values]
    flags = [m and bool(v.place) for v, m in zip(values, mine, strict=True)]
    mapped: list[bool] = []

    def batched(*leaves: Any) -> list[Any]:
        outs, _ = run_batch(lambda boxes: (list(f(*boxes)), None), leaves, flags, recorder.length)
        mapped[:] = [m for _, m in outs]
        return [o for o, _ in outs]

    outs = run(name, batched, [v.value if m else v for v, m in zip(values, mine, strict=True)])
    return [box(o, recorder, m) for o, m in zip(outs, mapped, strict=True)]


class CheckpointedCall(Call):
    """One call of a checkpointed function on leaves; all rules follow from the function itself."""

    def __init__(self, name: str, f: Flat) -> None:
        super().__init__(name, f, None, None, None)

    def reverse(self, level: int, primitive: General, values: Sequence[Any], places: Sequence[int]) -> Any:
        if all(p < 0 for p in places):
            return None
        out = tuple(run(self.name, self.f, values))
        self._check_level(level, out)
        before = None if writes_program(out) else [innermost(o) for o in out]

        def pull(g: Any, needed: Sequence[int], _out: Any, args: Any, _params: Any) -> list[Any]:
            return self._pulled(g, needed, args, before)

        def push(tangents: Sequence[Any], _out: Any, args: Any, _params: Any) -> Any:
            return tuple(self._pushed(args, tangents)[1])

        return self._ruled(pull, push), out

    def forward(self, level: int, values: Sequence[Any], tangents: Sequence[Any]) -> Any:
        outs, found = self._pushed(values, tangents)
        self._check_level(level, [*outs, *found])
        return tuple(outs), tuple(found)

    def _pulled(self, g: Any, needed: Sequence[int], args: Any, before: list[Any] | None) -> list[Any]:
        """Record again, and return the cotangents of the arguments that need one."""
        count = len(args)

        def sweep(*leaves: Any) -> list[Any]:
            recording = record(self._of(leaves[:count], needed), [leaves[n] for n in needed])
            if before is not None:
                self._check_same(recording.outputs, before)
            return recording.pull(leaves[count:])

        return run(f"pullback of {self.name}", sweep, [*args, *g])

    def _pushed(self, values: Sequence[Any], tangents: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        """Return outputs and tangents."""
        count = len(values)
        active = [n for n, t in enumerate(tangents) if t is not None]

        def push(*leaves: Any) -> list[Any]:
            f = self._of(leaves[:count], active)
            outs, found = push_forward(f, [leaves[n] for n in active], leaves[count:])
            return [*outs, *[tangent_or_zeros(o, t) for o, t in zip(outs, found, strict=True)]]

        both = run(f"pushforward of {self.name}", push, [*values, *[tangents[n] for n in active]])
        half = len(both) // 2
        return [_unmapped(o) for o in both[:half]], both[half:]

    def _of(self, values: Sequence[Any], active: Sequence[int]) -> Flat:
        """Return the function of some of its arguments."""

        def restricted(*given: Any) -> list[Any]:
            full = list(values)
            for n, v in zip(active, given, strict=True):
                full[n] = v
            return self.f(*full)

        return restricted

    def _check_level(self, level: int, outs: Sequence[Any]) -> None:
        found = newest(outs)
        if found is not None and found.level >= level:
            raise errors.CustomRuleError(
                errors.at_user_line(
                    f"checkpoint of {self.name}: the function closes over a traced value that is being "
                    "differentiated, whose derivative would be lost. Pass the value as an argument."
                )
            )

    def _check_same(self, outs: Sequence[Any], before: Sequence[Any]) -> None:
        """Refuse a function that returns other values when it is run again."""
        for o, old in zip(outs, before, strict=True):
            new = innermost(o)
            if np.shape(new) == np.shape(old) and not np.allclose(
                new, old, rtol=1e-3, atol=1e-3 * np.max(np.abs(old), initial=0.0), equal_nan=True
            ):
                raise errors.CustomRuleError(
                    f"checkpoint of {self.name}: the function returned other values when it was run again for the "
                    "reverse sweep. It must not draw random numbers, nor read what changes in between: pass "
                    "them as arguments."
                )


def on_tape(x: Any) -> bool:
    """Tell whether a reverse sweep may come over a value, or over a derivative that it carries."""
    while type(x) is TracedArray:
        if isinstance(x.recorder, ReverseRecorder):
            return True
        for part in x.place if isinstance(x.place, list) else (x.place,):
            if type(part) is TracedArray and on_tape(part):
                return True
        x = x.value
    return False


def _unmapped(x: Any) -> Any:
    """Take an output from the level of the mapped tangents that it does not depend on."""
    if type(x) is TracedArray and isinstance(x.recorder, BatchRecorder) and not x.place:
        return x.value
    return x


def is_array(x: Any) -> bool:
    """Tell whether a leaf is an array; other leaves are immutable and stay what they are."""
    return isinstance(x, (TracedArray, np.ndarray))


def own(x: Any) -> Any:
    """Let the function write to its argument without the caller seeing it."""
    if type(x) is TracedArray:
        return clone(x)
    return buffer(x)


def checked_output(name: str, o: Any) -> Any:
    """Return an output as an array, or refuse it."""
    value = settle(leaf_value(o))
    if getattr(value, "dtype", np.dtype(object)).kind not in "fcbiu":
        raise errors.OutputError(
            errors.at_user_line(
                f"{name} returned {type(o).__name__}, which is not a number or an array of numbers, so checkpoint "
                "cannot use it"
            )
        )
    return value


__all__ = ["checkpoint"]
