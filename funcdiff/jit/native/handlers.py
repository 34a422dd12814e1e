"""Which function lowers the records of which primitive."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from funcdiff.core.array_type import ArrayType
from funcdiff.core.tape import Record
from funcdiff.jit.native.nodes import KINDS

if TYPE_CHECKING:
    from funcdiff.jit.native.arrays import Array
    from funcdiff.jit.native.lower import Lowering

Handler = Callable[["Lowering", Record], "Array | list[Array]"]
ELEMENTWISE = ""  # stands for every primitive that has a rule in `elementwise`
HANDLERS: dict[str, Handler] = {}
OF_STACKS: dict[str, Handler] = {}


class NotNative(Exception):
    """Raised where a record cannot be compiled to machine code."""

    def __init__(self, record: Record | None = None) -> None:
        super().__init__("" if record is None else record.primitive.name)
        self.record = record


def handler(*names: str, table: dict[str, Handler] = HANDLERS) -> Callable[[Handler], Handler]:
    """Enter the function that lowers records of primitives, or what those do with stacks."""

    def enter(f: Handler) -> Handler:
        for name in names:
            table[name] = f
        return f

    return enter


def kind_of(type_: ArrayType) -> str:
    """Return how the elements of an array are computed with."""
    found = KINDS.get(type_.dtype)
    if found is None:
        raise NotNative
    return found
