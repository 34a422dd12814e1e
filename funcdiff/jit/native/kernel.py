"""A compiled tape as text."""

from __future__ import annotations

from collections.abc import Sequence

from funcdiff.jit.native.emit import Emitter


class Kernel:
    """The text of a compiled tape, and what it refers to.

    Attributes
    ----------
    name, text : str
        The kernel's symbol and IR.
    declared : list of str
        What its module has to declare.
    symbols : dict
        Addresses of what the text refers to.
    constants : list of array
        What the addresses of constants stand for.
    work, size : int
        About how many operations it takes, and lines of text.
    weakened : bool
        Whether it takes the slow path where a product keeps a zero zero.
    """

    def __init__(self, emitter: Emitter, functions: Sequence[Kernel] = ()) -> None:
        self.name = emitter.kernel
        self.text: str = "\n".join([*(f.text for f in functions), emitter.emit()])
        self.declared: list[str] = [*(line for f in functions for line in f.declared), *emitter.declared]
        self.constants = [b.constant for b in emitter.bases if b.constant is not None]
        self.constants += [c for f in functions for c in f.constants]
        self.symbols = dict(emitter.symbols)
        for f in functions:
            self.symbols |= f.symbols
        for base in emitter.bases:
            if base.constant is not None:
                self.symbols[base.name] = base.constant.__array_interface__["data"][0]
        self.work = emitter.work
        self.size: int = max([len(emitter.lines), *(f.size for f in functions)])
        self.kept = emitter.kept
        self.weakened = False
