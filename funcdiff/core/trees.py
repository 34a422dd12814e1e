"""Nested containers: to a flat list of leaves and back, by optree.

Tuples, lists, dicts, named tuples and None are containers; dataclasses become containers when they are
first seen; `register_pytree_node` adds others.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import optree

from funcdiff import errors
from funcdiff.core.recording import TracedArray

_NAMESPACE = "funcdiff"
_LEAF_TYPES = frozenset({np.ndarray, TracedArray, float, int, complex, bool, np.float64, str})


class LeafTree:
    """The structure of a bare leaf, which needs no library."""

    num_leaves = 1

    def unflatten(self, leaves: Iterable[Any]) -> Any:
        """Return the only leaf."""
        (leaf,) = leaves
        return leaf

    def paths(self) -> list[tuple[Any, ...]]:
        """Return the path of the only leaf, which is empty."""
        return [()]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LeafTree)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return "*"


LEAF = LeafTree()


class Tree:
    """The structure of a nested container."""

    __slots__ = ("spec",)

    def __init__(self, spec: Any) -> None:
        self.spec = spec

    @property
    def num_leaves(self) -> int:
        """Number of leaves."""
        return int(self.spec.num_leaves)

    def unflatten(self, leaves: Iterable[Any]) -> Any:
        """Put leaves back into the structure."""
        return optree.tree_unflatten(self.spec, leaves)

    def paths(self) -> list[tuple[Any, ...]]:
        """Return the path of each leaf, as indices and keys."""
        return [tuple(p) for p in self.spec.paths()]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tree) and bool(self.spec == other.spec)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        text = repr(self.spec)
        inside = text[text.index("(") + 1 : -1]
        return inside.rsplit(", NoneIsLeaf", 1)[0].rsplit(", namespace", 1)[0]


AnyTree = LeafTree | Tree


def flatten(tree: Any) -> tuple[list[Any], AnyTree]:
    """Return the leaves of a nested container and its structure."""
    if type(tree) in _LEAF_TYPES:
        return [tree], LEAF
    while True:
        leaves, spec = optree.tree_flatten(tree, namespace=_NAMESPACE)
        new = [cls for cls in set(map(type, leaves)) - _LEAF_TYPES if dataclasses.is_dataclass(cls)]
        if not new:
            if len(leaves) == 1 and leaves[0] is tree:
                return leaves, LEAF
            return leaves, Tree(spec)
        for cls in new:
            _register_dataclass(cls)


def tree_map(function: Callable[[Any], Any], tree: Any) -> Any:
    """Apply a function to every leaf."""
    leaves, spec = flatten(tree)
    return spec.unflatten([function(x) for x in leaves])


def _register_dataclass(cls: type) -> None:
    names = [field.name for field in dataclasses.fields(cls)]

    def unflatten(_: Any, children: Iterable[Any]) -> Any:
        new: Any = object.__new__(cls)
        for name, child in zip(names, children, strict=True):
            object.__setattr__(new, name, child)
        return new

    optree.register_pytree_node(
        cls,
        lambda x: (tuple(getattr(x, name) for name in names), None, tuple(names)),
        unflatten,
        namespace=_NAMESPACE,
    )


def register_pytree_node(
    cls: type, flatten: Callable[[Any], tuple[Iterable[Any], Any]], unflatten: Callable[[Any, Any], Any]
) -> None:
    """Make a class a container of arrays for every transform.

    Parameters
    ----------
    cls : type
        The class; its instances may then be arguments, results and parts of them.
    flatten : callable
        ``flatten(obj) -> (children, aux)``: the children, which hold arrays, and anything hashable
        that is needed beside them to make the object again.
    unflatten : callable
        ``unflatten(aux, children) -> obj``.

    Raises
    ------
    ValueError
        If the class has been registered already.
    StructureError
        If it is no class, or one of numbers, arrays or strings, which are what containers hold.

    Examples
    --------
    >>> import numpy as np, funcdiff as fd
    >>> class Point:
    ...     def __init__(self, x, y):
    ...         self.x, self.y = x, y
    >>> fd.register_pytree_node(Point, lambda p: ((p.x, p.y), None), lambda aux, c: Point(*c))
    >>> g = fd.grad(lambda p: p.x * p.y)(Point(2.0, 5.0))
    >>> float(g.x), float(g.y)
    (5.0, 2.0)
    """
    if not _may_be_container(cls):
        raise errors.StructureError(
            errors.at_user_line(
                f"register_pytree_node takes a class of containers, not {errors.function_name(cls)}: what is in it is "
                "differentiated, and numbers, arrays and strings have nothing in them"
            )
        )
    optree.register_pytree_node(cls, flatten, unflatten, namespace=_NAMESPACE)


def _may_be_container(cls: Any) -> bool:
    return isinstance(cls, type) and cls not in _LEAF_TYPES and not issubclass(cls, (np.generic, bytes))


def path_name(path: tuple[Any, ...]) -> str:
    """Write the path of a leaf as Python would reach it."""
    return "".join(f"[{p!r}]" for p in path)
