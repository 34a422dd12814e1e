"""`torch.func`: transforms of functions of tensors, which nest in each other."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from funcdiff.compat.torch._recorder import lift, lower
from funcdiff.compat.torch._state import STATE
from funcdiff.compat.torch._tensor import Tensor, wrap
from funcdiff.core.array_type import type_of
from funcdiff.core.trees import LEAF, flatten
from funcdiff.primitives.shape import broadcast_to
from funcdiff.transforms.basis import chunks
from funcdiff.transforms.forward import push_forward
from funcdiff.transforms.reverse import Recording, record
from funcdiff.transforms.vmap import from_front, run_batch, to_front


def _is_tensor(x: Any) -> bool:
    return isinstance(x, Tensor)


class _Flat:
    """A function of tensors in containers, as a function of a list of values."""

    def __init__(self, f: Callable[..., Any], args: Any, kwargs: Any, argnums: Any, has_aux: bool) -> None:
        self.f = f
        self.has_aux = has_aux
        self.args = args
        self.kwargs = kwargs
        self.argnums = argnums
        leaves, self.tree = flatten(tuple(args[n] for n in argnums))
        for x in leaves:
            if not _is_tensor(x):
                raise RuntimeError(f"Expected all leaves to be Tensors, but got {type(x).__name__}")
        self.tensors = leaves
        self.values = [lift(x) for x in leaves]
        self.out: Any = None
        self.out_tree: Any = None
        self.aux_tree: Any = None
        self.aux_leaves: list[Any] = []
        self.outputs = 0

    def __call__(self, *values: Any) -> list[Any]:
        given = self.tree.unflatten([wrap(v) for v in values])
        args = list(self.args)
        for n, x in zip(self.argnums, given, strict=True):
            args[n] = x
        recording, STATE.recording = STATE.recording, True if STATE.recording is False else STATE.recording
        STATE.transforms += 1
        try:
            out = self.f(*args, **self.kwargs)
        finally:
            STATE.transforms -= 1
            STATE.recording = recording
        if self.has_aux:
            if not isinstance(out, tuple) or len(out) != 2:
                raise RuntimeError("Expected the function to return a tuple (output, aux) with has_aux=True")
            out, aux = out
            self.aux_leaves, self.aux_tree = flatten(aux)
        leaves, self.out_tree = flatten(out)
        for x in leaves:
            if not _is_tensor(x):
                raise RuntimeError(f"Expected the function to return Tensors, got {type(x).__name__}")
        self.out = leaves
        self.outputs = len(leaves)
        traced = [a for a in self.aux_leaves if _is_tensor(a)]
        return [lift(x) for x in (*leaves, *traced)]

    def aux(self, values: Sequence[Any]) -> Any:
        """Return the auxiliary output, its tensors without the transform's own tracing."""
        plain = iter(values)
        return self.aux_tree.unflatten([lower(next(plain)) if _is_tensor(a) else a for a in self.aux_leaves])

    def wrap_out(self, values: Sequence[Any]) -> Any:
        """Return outputs in the function's structure."""
        return self.out_tree.unflatten([lower(v) for v in values])


def _numbers(argnums: Any) -> tuple[int, ...]:
    return (argnums,) if isinstance(argnums, int) else tuple(argnums)


def _outer(argnums: Any, found: Any) -> Any:
    return found[0] if isinstance(argnums, int) else found


def _conj(x: Any) -> Any:
    return np.conj(x) if type_of(x).dtype.kind == "c" else x


def _pulled(recording: Recording, seeds: Sequence[Any]) -> list[Any]:
    """Pull PyTorch's cotangents, which are the conjugates of the functional layer's."""
    return [_conj(g) for g in recording.pull([None if s is None else _conj(s) for s in seeds])]


def grad_and_value(func: Callable[..., Any], argnums: Any = 0, has_aux: bool = False) -> Callable[..., Any]:
    """As `torch.func.grad_and_value`: gradient and value of a scalar function."""

    @functools.wraps(func)
    def both(*args: Any, **kwargs: Any) -> Any:
        flat = _Flat(func, args, kwargs, _numbers(argnums), has_aux)
        recording = record(flat, flat.values)
        if flat.out_tree is not LEAF:
            raise RuntimeError(
                f"grad_and_value(f)(*args): Expected f(*args) to return a Tensor, got {flat.outputs} outputs in a container."
            )
        value = recording.outputs[0]
        kind = type_of(value)
        if kind.shape:
            raise RuntimeError(
                f"grad_and_value(f)(*args): Expected f(*args) to return a scalar Tensor, got tensor with {len(kind.shape)} dims. Maybe "
                "you wanted to use the vjp or jacrev APIs instead?"
            )
        if kind.dtype.kind == "c":
            raise RuntimeError(
                f"grad can be implicitly created only for real scalar outputs but got {lower(value).dtype}"
            )
        seeds = [np.ones((), kind.dtype), *[None] * (len(recording.outputs) - 1)]
        grads = flat.tree.unflatten([lower(g) for g in _pulled(recording, seeds)])
        result = lower(value)
        found = _outer(argnums, grads)
        return (found, (result, flat.aux(recording.outputs[1:]))) if has_aux else (found, result)

    return both


def grad(func: Callable[..., Any], argnums: Any = 0, has_aux: bool = False) -> Callable[..., Any]:
    """As `torch.func.grad`: the gradient of a scalar function."""
    both = grad_and_value(func, argnums, has_aux)

    @functools.wraps(func)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        found, value = both(*args, **kwargs)
        return (found, value[1]) if has_aux else found

    return gradient


def vjp(func: Callable[..., Any], *primals: Any, has_aux: bool = False) -> Any:
    """As `torch.func.vjp`: the outputs, and the function that pulls cotangents back."""
    flat = _Flat(func, primals, {}, tuple(range(len(primals))), has_aux)
    recording = record(flat, flat.values, lasting=True)

    def pull(*cotangents: Any, retain_graph: bool = True, create_graph: Any = None) -> Any:
        given = cotangents[0] if len(cotangents) == 1 else cotangents
        leaves, structure = flatten(given)
        if structure != flat.out_tree:
            raise RuntimeError(
                "Expected pytree structure of cotangents to be the same as pytree structure of outputs to the function. "
                f"cotangents: {structure}, primal output: {flat.out_tree}"
            )
        seeds = [lift(x) for x in leaves] + [None] * (len(recording.outputs) - flat.outputs)
        return flat.tree.unflatten([lower(g) for g in _pulled(recording, seeds)])

    out = flat.wrap_out(recording.outputs[: flat.outputs])
    return (out, pull, flat.aux(recording.outputs[flat.outputs :])) if has_aux else (out, pull)


def jvp(
    func: Callable[..., Any], primals: Any, tangents: Any, *, strict: bool = False, has_aux: bool = False
) -> Any:
    """As `torch.func.jvp`: the outputs, and the Jacobian times the tangents."""
    if not isinstance(primals, tuple):
        raise RuntimeError(
            f"jvp(f, primals, tangents): Expected primals to be a tuple. E.g. it should be valid to call f(*primals). Got {type(primals)}"
        )
    flat = _Flat(func, primals, {}, tuple(range(len(primals))), has_aux)
    leaves, structure = flatten(tangents)
    if structure != flat.tree:
        raise RuntimeError(
            "jvp(f, primals, tangents): Expected primals and tangents to have the same python structure. For example, if primals is a "
            "tuple of 3 tensors, tangents also must be. Got primals with structure "
            f"{flat.tree} and tangents with structure {structure}"
        )
    outs, pushed = push_forward(flat, flat.values, [lift(t) for t in leaves])
    out = flat.wrap_out(outs[: flat.outputs])
    moved = flat.wrap_out(
        [_zero(o) if t is None else t for o, t in zip(outs, pushed, strict=True)][: flat.outputs]
    )
    return (out, moved, flat.aux(outs[flat.outputs :])) if has_aux else (out, moved)


def _zero(o: Any) -> Any:
    kind = type_of(o)
    return np.zeros(kind.shape, kind.dtype)


def linearize(func: Callable[..., Any], *primals: Any) -> Any:
    """As `torch.func.linearize`: the outputs, and the function that pushes tangents forward."""
    flat = _Flat(func, primals, {}, tuple(range(len(primals))), False)
    recording = record(flat, flat.values, lasting=True)

    def push(*tangents: Any) -> Any:
        leaves, _ = flatten(tangents)
        pushed = recording.push([lift(t) for t in leaves])
        return flat.wrap_out(
            [_zero(o) if t is None else t for o, t in zip(recording.outputs, pushed, strict=True)]
        )

    return flat.wrap_out(recording.outputs), push


# --- Jacobians ----------------------------------------------------------------------------------------------


def _mapped(f: Callable[..., list[Any]], basis: list[Any], chunk_size: int | None) -> list[Any]:
    """Map a function of lists of values over the first axis; its outputs are all batched."""
    n = type_of(basis[0]).shape[0]
    pieces = []
    for start, stop in list(chunks(n, chunk_size)) or [(0, 0)]:
        part = [b[start:stop] for b in basis]
        outs, _ = run_batch(lambda boxes: (list(f(*boxes)), None), part, [True] * len(part), stop - start)
        size = stop - start
        pieces.append([x if m else broadcast_to(x, shape=(size, *type_of(x).shape)) for x, m in outs])
    if len(pieces) == 1:
        return pieces[0]
    from funcdiff.numpy import concatenate

    return [concatenate([p[k] for p in pieces]) for k in range(len(pieces[0]))]


def _basis(values: Sequence[Any]) -> list[Any]:
    """Return, for each value, the unit vectors of all values together."""
    kinds = [type_of(v) for v in values]
    total = sum(k.size for k in kinds)
    found, at = [], 0
    for k in kinds:
        block = np.zeros((total, k.size), k.dtype)
        block[at : at + k.size] = np.eye(k.size, dtype=k.dtype)
        found.append(block.reshape(total, *k.shape))
        at += k.size
    return found


def _split(x: Any, kinds: Sequence[Any]) -> list[Any]:
    found, at = [], 0
    for k in kinds:
        found.append(x[at : at + k.size])
        at += k.size
    return found


def jacrev(
    func: Callable[..., Any],
    argnums: Any = 0,
    *,
    has_aux: bool = False,
    chunk_size: int | None = None,
    _preallocate_and_copy: bool = False,
) -> Callable[..., Any]:
    """As `torch.func.jacrev`: the Jacobian, row by row."""

    @functools.wraps(func)
    def jacobian(*args: Any, **kwargs: Any) -> Any:
        flat = _Flat(func, args, kwargs, _numbers(argnums), has_aux)
        recording = record(flat, flat.values)
        outs = recording.outputs[: flat.outputs]
        rest: list[Any] = [None] * (len(recording.outputs) - flat.outputs)
        kinds = [type_of(o) for o in outs]
        rows = _mapped(lambda *g: _pulled(recording, [*g, *rest]), _basis(outs), chunk_size)
        blocks = [_split(r, kinds) for r in rows]  # by input, then by output
        result = []
        for o, kind in enumerate(kinds):
            parts = [
                lower(b[o].reshape((*kind.shape, *type_of(v).shape)))
                for b, v in zip(blocks, flat.values, strict=True)
            ]
            result.append(_outer(argnums, flat.tree.unflatten(parts)))
        found = flat.out_tree.unflatten(result)
        return (found, flat.aux(recording.outputs[flat.outputs :])) if has_aux else found

    return jacobian


def jacfwd(
    func: Callable[..., Any],
    argnums: Any = 0,
    has_aux: bool = False,
    *,
    randomness: str = "error",
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """As `torch.func.jacfwd`: the Jacobian, column by column."""

    @functools.wraps(func)
    def jacobian(*args: Any, **kwargs: Any) -> Any:
        flat = _Flat(func, args, kwargs, _numbers(argnums), has_aux)
        _, blocks = _columns(flat, chunk_size)
        result = [_outer(argnums, flat.tree.unflatten([lower(b) for b in row])) for row in blocks]
        found = flat.out_tree.unflatten(result)
        if has_aux:
            return found, flat.aux(record(flat, flat.values).outputs[flat.outputs :])
        return found

    return jacobian


def _columns(flat: _Flat, chunk_size: int | None) -> tuple[list[Any], list[list[Any]]]:
    """Return the outputs' types and the blocks of the Jacobian, by output, then by input."""
    kinds: list[Any] = []

    def push(*tangents: Any) -> list[Any]:
        outs, pushed = push_forward(flat, flat.values, tangents)
        kinds[:] = [type_of(o) for o in outs[: flat.outputs]]
        return [_zero(o) if t is None else t for o, t in zip(outs, pushed, strict=True)][: flat.outputs]

    columns = _mapped(push, _basis(flat.values), chunk_size)
    in_kinds = [type_of(v) for v in flat.values]
    blocks = []
    for column, kind in zip(columns, kinds, strict=True):
        row = []
        for part, in_kind in zip(_split(column, in_kinds), in_kinds, strict=True):
            moved = from_front_to_back(part, len(kind.shape))
            row.append(moved.reshape((*kind.shape, *in_kind.shape)))
        blocks.append(row)
    return kinds, blocks


def from_front_to_back(x: Any, rank: int) -> Any:
    """Move the first axis to the end."""
    return from_front(x, rank) if rank else x


def columns(func: Callable[..., Any], inputs: Sequence[Any]) -> tuple[bool, Any]:
    """Return whether a function gives a tuple, and its Jacobian by forward mode as nested lists."""
    inside = False

    def listed(*xs: Any) -> Any:
        nonlocal inside
        from funcdiff.compat.torch.autograd.functional import _OUTPUT, _tuple

        inside, outs = _tuple(func(*xs), _OUTPUT, "jacobian")
        return list(outs)

    flat = _Flat(listed, tuple(x.detach() for x in inputs), {}, tuple(range(len(inputs))), False)
    _, blocks = _columns(flat, None)
    return inside, [[lower(b) for b in row] for row in blocks]


def hessian(func: Callable[..., Any], argnums: Any = 0) -> Callable[..., Any]:
    """As `torch.func.hessian`: the Jacobian of the gradient, forward over reverse."""
    return jacfwd(jacrev(func, argnums), argnums)


# --- vmap -----------------------------------------------------------------------------------------------------


def _axes(dims: Any, x: Any) -> list[Any]:
    """Return the mapped axis of each leaf of an argument."""
    leaves, _ = flatten(x)
    if dims is None or isinstance(dims, int):
        return [dims if _is_tensor(leaf) else None for leaf in leaves]
    if isinstance(x, dict):
        return [a for k in sorted(x) for a in _axes(dims[k], x[k])]
    return [a for d, i in zip(dims, x, strict=True) for a in _axes(d, i)]


def vmap(
    func: Callable[..., Any],
    in_dims: Any = 0,
    out_dims: Any = 0,
    randomness: str = "error",
    *,
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """As `torch.func.vmap`: a function over a batch axis."""

    @functools.wraps(func)
    def mapped(*args: Any, **kwargs: Any) -> Any:
        leaves, tree = flatten((args, kwargs))
        per_argument = in_dims if isinstance(in_dims, (tuple, list)) else (in_dims,) * len(args)
        if len(per_argument) != len(args):
            raise ValueError(
                f"vmap({_name(func)}, in_dims={in_dims}, ...)(<inputs>): in_dims is not compatible with the structure of inputs. in_dims "
                f"has {len(per_argument)} entries but there are {len(args)} inputs."
            )
        axes = [a for d, x in zip(per_argument, args, strict=True) for a in _axes(d, x)]
        axes += [0 if _is_tensor(x) else None for x in flatten(kwargs)[0]]
        lengths = set()
        values = []
        for n, (x, axis) in enumerate(zip(leaves, axes, strict=True)):
            value = lift(x) if _is_tensor(x) else x
            if axis is not None:
                rank = len(value.shape)
                if not -rank <= axis < rank:
                    raise ValueError(
                        f"vmap({_name(func)}, in_dims={in_dims}, ...)(<inputs>): Got in_dim={axis} for some input, but that input is a Tensor of "
                        f"dimensionality {rank} so expected in_dim to satisfy -{rank} <= in_dim < {rank}."
                    )
                lengths.add(value.shape[axis])
                value = to_front(value, axis)
            values.append(value)
            del n
        if not lengths:
            raise ValueError(
                f"vmap({_name(func)}, in_dims={in_dims}, ...)(<inputs>): Expected at least one Tensor to vmap over"
            )
        if len(lengths) != 1:
            raise ValueError(
                f"vmap: Expected all tensors to have the same size in the mapped dimension, got sizes {sorted(lengths)} for the mapped "
                "dimension"
            )
        (length,) = lengths
        flags = [a is not None for a in axes]
        tensors = [_is_tensor(x) for x in leaves]
        structure: Any = None

        def call(boxes: Sequence[Any]) -> tuple[list[Any], Any]:
            given = [wrap(b) if t else x for b, t, x in zip(boxes, tensors, leaves, strict=True)]
            new_args, new_kwargs = tree.unflatten(given)
            STATE.transforms += 1
            try:
                out = func(*new_args, **new_kwargs)
            finally:
                STATE.transforms -= 1
            outs, found = flatten(out)
            for o in outs:
                if not _is_tensor(o):
                    raise ValueError(
                        f"vmap({_name(func)}, ...): `{_name(func)}` must only return Tensors, got type {type(o)}."
                    )
            return [lift(o) for o in outs], found

        pieces = []
        for start, stop in list(chunks(length, chunk_size)) or [(0, 0)]:
            part = [v[start:stop] if m else v for v, m in zip(values, flags, strict=True)]
            outs, structure = run_batch(call, part, flags, stop - start)
            size = stop - start
            pieces.append([x if m else broadcast_to(x, shape=(size, *type_of(x).shape)) for x, m in outs])
        joined = pieces[0]
        if len(pieces) > 1:
            from funcdiff.numpy import concatenate

            joined = [concatenate([p[k] for p in pieces]) for k in range(len(joined))]
        places = _out_axes(out_dims, structure, len(joined))
        moved = [x[0] if a is None else from_front(x, a) for x, a in zip(joined, places, strict=True)]
        return structure.unflatten([lower(x) for x in moved])

    return mapped


def _out_axes(out_dims: Any, structure: Any, count: int) -> list[Any]:
    if out_dims is None or isinstance(out_dims, int):
        return [out_dims] * count
    found = flatten(out_dims)[0] if not isinstance(out_dims, tuple) else list(out_dims)
    if len(found) != count:
        raise ValueError(
            f"vmap: out_dims={out_dims} is not compatible with the structure of the outputs ({structure})"
        )
    return found


def _name(func: Any) -> str:
    return getattr(func, "__name__", repr(func))


def batched_sweep(
    outs: Sequence[Any], wanted: Sequence[Any], grads: Sequence[Any], keep: bool, create_graph: bool
) -> list[Any]:
    """Return the gradients for a batch of cotangents, by one sweep."""
    from funcdiff.compat.torch._engine import sweep
    from funcdiff.compat.torch._hooks import inward, outward
    from funcdiff.compat.torch.autograd import _edge, _roots

    seeds = [inward(g) for g in grads]
    edges = [_edge(x) for x in wanted]
    missing: list[bool] = []

    def call(boxes: Sequence[Any]) -> tuple[list[Any], Any]:
        found = sweep(_roots(outs, list(boxes)), keep, create_graph, edges, accumulate=False)
        missing[:] = [g is None for g in found]
        return [g for g in found if g is not None], None

    length = type_of(seeds[0]).shape[0]
    results, _ = run_batch(call, seeds, [True] * len(seeds), length)
    full = iter([x if m else broadcast_to(x, shape=(length, *type_of(x).shape)) for x, m in results])
    return [None if gone else outward(next(full)) for gone in missing]


def functional_call(
    module: Any, parameter_and_buffer_dicts: Any, args: Any = None, kwargs: Any = None, **_: Any
) -> Any:
    """As `torch.func.functional_call`: call a module with other parameters in place of its own."""
    given = parameter_and_buffer_dicts
    if isinstance(given, (tuple, list)):
        given = {name: x for d in given for name, x in d.items()}
    args = () if args is None else args if isinstance(args, tuple) else (args,)
    return module._call_with(given, args, kwargs or {})


def functionalize(func: Callable[..., Any], *, remove: str = "mutations") -> Callable[..., Any]:
    """As `torch.func.functionalize`: the function itself, for transforms follow writes here."""
    return func


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
    "vjp",
    "vmap",
]
