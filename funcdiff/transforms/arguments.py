"""What every transform does with arguments and results before and after its sweep."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import numpy as np

from funcdiff import errors
from funcdiff.core.array_type import ArrayType, type_of
from funcdiff.core.free import settle
from funcdiff.core.matching import convert
from funcdiff.core.objects import stack_objects
from funcdiff.core.primitive import REGISTRY
from funcdiff.core.recording import TracedArray, revive
from funcdiff.core.trees import LEAF, AnyTree, flatten, path_name

Argnums = int | tuple[int, ...]


def is_argnums(x: Any) -> bool:
    """Tell whether the second positional argument of `jacobian` and `hessian` is argnums."""
    if isinstance(x, (int, np.integer)) and not isinstance(x, (bool, np.bool_)):
        return True
    return isinstance(x, tuple) and len(x) > 0 and all(is_argnums(i) and not isinstance(i, tuple) for i in x)


def check_argnums(name: str, argnums: Any) -> None:
    """Refuse argnums that are not an int or a tuple of distinct ints."""
    if not is_argnums(argnums):
        raise errors.ArgnumsError(
            errors.at_user_line(f"argnums of {name} must be an int or a tuple of ints, not {argnums!r}")
        )


def check_callable(name: str, f: Any, argument: str = "") -> None:
    """Refuse what is not a function; `argument` is its name where it does not come first."""
    if not callable(f):
        kind = type(f).__name__
        raise errors.StructureError(
            errors.at_user_line(
                f"{argument} of {name} must be a function, not {kind}"
                if argument
                else f"{name} takes a function first, not {kind}: write {name}(f)(*args) or {name}(f, …)"
            )
        )


def leaf_value(x: Any) -> Any:
    """Return a leaf as a traced array, an ndarray or a NumPy scalar."""
    kind = type(x)
    if kind is TracedArray:
        if x.recorder.level < 0:
            revive(x)
        return x
    if kind is np.ndarray:
        return stack_objects(x) if x.dtype.hasobject else x
    if isinstance(x, np.generic):
        return x
    if kind is float:
        return np.float64(x)
    if kind is complex:
        return np.complex128(x)
    if isinstance(x, (np.ma.MaskedArray, np.matrix)):
        raise errors.DtypeError(
            errors.at_user_line(
                f"{kind.__name__} is a kind of array whose meaning would be lost: pass x.filled(0.0) and np.where with "
                "the mask for a masked array, np.asarray(x) for a matrix"
            )
        )
    try:
        return np.asarray(x)[()]
    except ValueError:
        return x


_NO_DTYPE = np.dtype(object)


def refuse_leaf(name: str, f: Any, x: Any, value: Any, where: str) -> NoReturn:
    """Say why an argument cannot be differentiated."""
    dtype = getattr(value, "dtype", None)
    shown = "an object" if dtype is None else f"dtype {dtype}"
    if dtype is not None and dtype.kind in "biu":
        remedy = "Cast it to a floating-point dtype first, for example x.astype(float), or 2.0 for 2"
    else:
        remedy = (
            "Only arrays and numbers of floating-point or complex dtype can be: leave others out of argnums, or make "
            "the class a container of arrays with fd.register_pytree_node"
        )
    raise errors.DtypeError(
        errors.at_user_line(
            f"{name} of {errors.function_name(f)} cannot differentiate with respect to {where}, "
            f"which is {type(x).__name__} of {shown}. {remedy}."
        )
    )


class Selection:
    """The differentiated arguments of a call as flat leaves, and how to call the function with others."""

    __slots__ = ("args", "bare", "f", "kwargs", "leaves", "name", "nested", "positions", "trees")

    def __init__(
        self,
        name: str,
        f: Callable[..., Any],
        args: tuple[Any, ...],
        argnums: Argnums,
        kwargs: dict[str, Any],
    ) -> None:
        self.name = name
        self.f = f
        self.args = args
        self.kwargs = kwargs
        self.bare = not isinstance(argnums, tuple)
        numbers = argnums if isinstance(argnums, tuple) else (argnums,)
        count = len(args)
        self.positions = [n if 0 <= n < count else self._position(n) for n in numbers]
        if len(numbers) > 1 and len(set(self.positions)) != len(numbers):
            raise errors.ArgnumsError(
                errors.at_user_line(f"argnums={argnums} of {name} names an argument of {self._f} twice")
            )
        self.leaves: list[Any] = []
        self.trees: list[AnyTree] = []
        self.nested = False
        for n in self.positions:
            x = args[n]
            if type(x) is np.ndarray and x.dtype.kind in "fc":  # nearly always
                self.leaves.append(x)
                self.trees.append(LEAF)
                continue
            leaves, tree = flatten(x)
            self.trees.append(tree)
            self.nested = self.nested or tree is not LEAF
            for k, leaf in enumerate(leaves):
                value = leaf_value(leaf)
                if getattr(value, "dtype", _NO_DTYPE).kind not in "fc":
                    refuse_leaf(name, f, leaf, value, f"argument {n}{path_name(tree.paths()[k])}")
                self.leaves.append(value)

    @property
    def _f(self) -> str:
        return errors.function_name(self.f)

    def _position(self, n: int) -> int:
        count = len(self.args)
        if not -count <= n < count:
            raise errors.ArgnumsError(
                errors.at_user_line(
                    f"argnums={n} of {self.name} is out of range: {self._f} was called with {count} positional "
                    f"argument{'s' * (count != 1)}. Pass the argument by position, or correct argnums."
                )
            )
        return int(n) % count

    def call(self, leaves: Sequence[Any]) -> Any:
        """Call the function with other leaves in place of the differentiated ones."""
        args = list(self.args)
        if not self.nested:
            for n, leaf in zip(self.positions, leaves, strict=True):
                args[n] = leaf
            return self.f(*args, **self.kwargs)
        start = 0
        for n, tree in zip(self.positions, self.trees, strict=True):
            args[n] = tree.unflatten(leaves[start : start + tree.num_leaves])
            start += tree.num_leaves
        return self.f(*args, **self.kwargs)

    def rebuild(self, leaves: Sequence[Any]) -> Any:
        """Give results, one per leaf, the structure of the argument or arguments."""
        parts: Sequence[Any] = leaves
        if self.nested:
            parts = []
            start = 0
            for tree in self.trees:
                parts.append(tree.unflatten(leaves[start : start + tree.num_leaves]))
                start += tree.num_leaves
        return parts[0] if self.bare else tuple(parts)


class Outputs:
    """Runs a function on leaves and keeps the structure of what it returns."""

    __slots__ = ("aux_tree", "has_aux", "name", "selection", "tree")

    def __init__(self, selection: Selection, has_aux: bool) -> None:
        self.selection = selection
        self.name = selection.name
        self.has_aux = has_aux
        self.tree: AnyTree = LEAF
        self.aux_tree: AnyTree = LEAF

    def __call__(self, *leaves: Any) -> list[Any]:
        out = self.selection.call(leaves)
        aux: list[Any] = []
        if self.has_aux:
            if not (isinstance(out, tuple) and len(out) == 2):
                raise errors.OutputError(
                    errors.at_user_line(
                        f"{self.name} with has_aux=True needs {errors.function_name(self.selection.f)} to return a "
                        f"pair (output, aux); it returned {type(out).__name__}"
                    )
                )
            out, aux_value = out
            aux, self.aux_tree = flatten(aux_value)
        if type(out) is TracedArray:  # nearly always
            self.tree = LEAF
            return [out if out.kind is not None else self._leaf(out, 0), *aux]
        outs, self.tree = flatten(out)
        return [self._leaf(o, n) for n, o in enumerate(outs)] + aux

    @property
    def count(self) -> int:
        """Number of output leaves; the rest is aux."""
        return self.tree.num_leaves

    def _leaf(self, o: Any, n: int) -> Any:
        value = leaf_value(o)
        dtype = getattr(value, "dtype", None)
        if dtype is None or dtype.kind not in "fcbiu":
            paths = self.tree.paths()
            raise errors.OutputError(
                errors.at_user_line(
                    f"{errors.function_name(self.selection.f)} returned {type(o).__name__} at output"
                    f"{path_name(paths[n])}, which is not a number or an array of numbers, so {self.name} "
                    "cannot use it. Return arrays, or return it as aux with has_aux=True."
                )
            )
        return value


def scalar_output(name: str, f: Any, out: Any, tree: AnyTree, holomorphic: bool = False) -> None:
    """Refuse an output that has no gradient: not one array of one real element."""
    if type(out) is np.float64 and tree is LEAF and not holomorphic:  # nearly always
        return
    if tree is not LEAF:
        raise errors.OutputError(
            errors.at_user_line(
                f"{name} of {errors.function_name(f)} needs a function with one scalar output; it returned {tree!r} with {tree.num_leaves} leaves. "
                "Return a single number (others can go into aux with has_aux=True), or use fd.jacobian."
            )
        )
    kind = type_of(out)
    if kind.size != 1:
        raise errors.OutputError(
            errors.at_user_line(
                f"{name} of {errors.function_name(f)} needs a scalar output, one number; the function returned shape {kind.shape}. "
                "Sum it (or weigh its elements) to a scalar, or use fd.jacobian, or fd.vjp with a v."
            )
        )
    if holomorphic:
        if kind.dtype.kind != "c":
            raise errors.DtypeError(
                errors.at_user_line(
                    f"{name} of {errors.function_name(f)} with holomorphic=True needs a complex output; it has dtype {kind.dtype}"
                )
            )
    elif kind.dtype.kind == "c":
        raise errors.DtypeError(
            errors.at_user_line(
                f"{name} of {errors.function_name(f)} needs a real output; it has dtype {kind.dtype}. Return a real number such as abs(z)**2, or "
                "pass holomorphic=True for the complex derivative of a holomorphic function."
            )
        )


def check_holomorphic_inputs(name: str, f: Any, leaves: Sequence[Any]) -> None:
    """Refuse real inputs where the complex derivative is asked for."""
    for leaf in leaves:
        if leaf.dtype.kind != "c":
            raise errors.DtypeError(
                errors.at_user_line(
                    f"{name} of {errors.function_name(f)} with holomorphic=True needs complex inputs; one has dtype "
                    f"{leaf.dtype}. Cast it, for example x.astype(complex)."
                )
            )


def own(x: Any, shared: Sequence[Any] = ()) -> Any:
    """Return a result that nobody else holds: views, read-only arrays and inputs are copied."""
    if type(x) is TracedArray:
        x = settle(x)
    if type(x) is np.ndarray:
        if x.base is not None or not x.flags.writeable or _is_among(x, shared):
            return x.copy(order="K")
    elif type(x) is TracedArray and _is_among(x, shared):
        return REGISTRY["positive"].function(x)
    return x


def _is_among(x: Any, others: Sequence[Any]) -> bool:
    for other in others:  # a third of the time of any(), which every result would pay
        if x is other:
            return True
    return False


def own_all(results: list[Any], shared: Sequence[Any] = ()) -> list[Any]:
    """Return results that alias neither each other nor anything else."""
    seen: list[Any] = list(shared)
    done = []
    for x in results:
        x = own(x, seen)
        seen.append(x)
        done.append(x)
    return done


def vectors(
    name: str, what: str, f: Any, v: Any, tree: AnyTree, kinds: Sequence[ArrayType], bare_hint: str = ""
) -> list[Any]:
    """Return the leaves of a tangent, cotangent or `v`, checked against what they belong to."""
    leaves, found = flatten(v)
    if found != tree:
        who = f"{what} given to {name} of {errors.function_name(f)}"
        raise errors.VectorError(
            errors.at_user_line(f"the {who} has structure {found!r}; it must be {tree!r}{bare_hint}")
        )
    if are_of_kinds(leaves, kinds):
        return leaves

    def refuse(n: int, why: str) -> NoReturn:
        path = tree.paths()[n]
        where = f" at {path_name(path)}" if path else ""
        raise errors.VectorError(
            errors.at_user_line(f"the {what} given to {name} of {errors.function_name(f)}{where} {why}")
        )

    checked = []
    for n, (leaf, kind) in enumerate(zip(leaves, kinds, strict=True)):
        value = leaf_value(leaf)
        dtype = getattr(value, "dtype", None)
        if dtype is None or dtype.kind not in "fcbiu":
            refuse(n, f"is {type(leaf).__name__}, not an array of numbers")
        if tuple(value.shape) != kind.shape:
            refuse(n, f"has shape {tuple(value.shape)}; it must be {kind.shape}")
        if dtype.kind == "c" and kind.dtype.kind != "c":
            refuse(n, f"has dtype {dtype}; it must be real, as {kind.dtype} is")
        checked.append(convert(value, kind.dtype) if dtype != kind.dtype else value)
    return checked


def are_of_kinds(leaves: Sequence[Any], kinds: Sequence[ArrayType]) -> bool:
    """Tell whether all leaves are ndarrays of the shapes and dtypes asked for, as they nearly always are."""
    for leaf, kind in zip(leaves, kinds, strict=True):
        if type(leaf) is not np.ndarray or leaf.shape != kind[0] or leaf.dtype is not kind[1]:
            return False
    return True
