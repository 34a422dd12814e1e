"""Kernels: the functions of a compiled tape, equal ones once, each compiled with as much care as it is worth."""

from __future__ import annotations

import re
from collections.abc import Sequence

from funcdiff.jit.native.emit import Emitter
from funcdiff.jit.native.pairwise import PAIRWISE, declarations
from funcdiff.jit.native.pieces import Piece

OPTIMISED = 3000  # lines of IR up to which LLVM chooses the instructions of a function with care
OFTEN = 64  # operations for each of its lines, which what a long kernel calls once takes at least if it is worth care
MODULE = 10_000  # lines of pieces that are compiled together; meanwhile nothing can be interrupted
RARE = 32  # times its own operations, which what a function calls takes at least if it is not worth care
_NAME = re.compile(r"@[\w.]+")
_INTERNAL = re.compile(r"\Adefine internal")  # of a function itself, not of the parts of its loops
_HEAD = re.compile(r"define internal (i32 @[\w.]+\([^)]*\))")


class Kernel:
    """One function, and those that it calls.

    Attributes
    ----------
    name, text : str
        The symbol and IR of the function itself.
    functions : list of Kernel
        What it calls, and they, in an order in which none calls a later one.
    pieces : list of Piece
        What it calls if it is long.
    shared : dict of str
        What these have to declare of the function's parts.
    declared : list of str
        What a module has to declare for it.
    symbols : dict
        Addresses of what all of them refer to.
    constants : list of array
        What the addresses of constants stand for.
    work, lines : int
        About how many operations it takes, and how long it is.
    called : int or None
        About how many operations its only call takes; None if it may be called again and again, or take any time.
    careful : bool
        Whether LLVM chooses its instructions with care; that takes three times as long, and is wasted on what runs
        a loop.
    weakened : bool
        Whether it takes the slow path where a product keeps a zero zero.
    is_large, is_shared : bool
        Whether it has loops that are worth several threads, and whether some are shared among threads.
    """

    def __init__(self, emitter: Emitter, functions: Sequence[Kernel] = (), called: int | None = None) -> None:
        self.name = emitter.kernel
        self.functions, same = _merged(functions)
        self.text: str = _renamed(emitter.emit(), same)
        self.declared: list[str] = list(emitter.declared)
        self.shared = emitter.shared
        self.pieces = [_renamed_in(piece, same) for piece in emitter.pieces]
        self.constants = [b.constant for b in emitter.bases if b.constant is not None]
        self.symbols = dict(emitter.symbols)
        for base in emitter.bases:
            if base.constant is not None:
                self.symbols[base.name] = base.constant.__array_interface__["data"][0]
        for f in self.functions:
            self.symbols |= f.symbols
            self.constants += f.constants
        self.work = emitter.work
        elsewhere = emitter.elsewhere
        self.lines = len(emitter.lines)
        self.careful = self.lines <= OPTIMISED and elsewhere <= RARE * (self.work - elsewhere)
        self.called = called
        if (
            self.pieces or self.lines > OPTIMISED
        ):  # compiled quickly: nor is there time for what is called once
            for f in self.functions:
                f.careful = f.careful and (f.called is None or f.called >= OFTEN * f.lines)
        self.kept = emitter.kept
        self.weakened = False
        self.is_large: bool = emitter.is_large or any(f.is_large for f in functions)
        self.is_shared: bool = bool(emitter.parts) or any(f.is_shared for f in functions)


def modules(kernels: Sequence[Kernel]) -> dict[bool, str]:
    """Return the text of the functions that are compiled with care, and of those that are not."""
    every = [one for k in kernels for one in (*k.functions, k)]
    parted = any(k.pieces for k in kernels)
    found = {}
    for careful in (True, False):
        own = [one for one in every if one.careful is careful]
        if not own:
            continue
        texts = [declarations(line for one in own for line in one.declared)]
        if len(own) < len(every) or parted:
            texts += [f"declare {m[1]}" for one in every if one.careful is not careful for m in _head(one)]
            texts += [_INTERNAL.sub("define", one.text) for one in own]
        else:
            texts += [one.text for one in own]
        found[careful] = "\n".join(texts)
    return found


def modules_of_pieces(kernel: Kernel) -> list[str]:
    """Return the text of a kernel's pieces, in modules of bounded length."""
    declared = {name: line for line in kernel.declared for name in _declares(line)}
    declared |= {f.name: f"declare {m[1]}" for f in kernel.functions for m in _head(f)}
    declared |= kernel.shared | {piece.name: piece.declared for piece in kernel.pieces}
    found: list[str] = []
    here: list[Piece] = []
    for n, piece in enumerate(kernel.pieces):
        here.append(piece)
        if sum(p.lines for p in here) < MODULE and n + 1 < len(kernel.pieces):
            continue
        names = sorted({name for p in here for name in p.symbols} - {p.name for p in here})
        # LLVM knows its own functions
        texts = [declarations(declared[name] for name in names if name in declared or name[:5] != "llvm.")]
        found.append("\n".join([*texts, *(p.text for p in here)]))
        here = []
    return found


def _declares(line: str) -> list[str]:
    """Return the symbols that a line declares."""
    return (
        [line[len(PAIRWISE) :]] if line.startswith(PAIRWISE) else [name[1:] for name in _NAME.findall(line)]
    )


def _head(kernel: Kernel) -> list[re.Match[str]]:
    found = _HEAD.match(kernel.text)
    return [found] if found else []


def _merged(functions: Sequence[Kernel]) -> tuple[list[Kernel], dict[str, str]]:
    """Return functions of which no two do the same, and which stand for those that are left out."""
    same: dict[str, str] = {}
    known: dict[str, str] = {}
    kept = []
    for one in functions:
        one.text = _renamed(one.text, same)
        first = known.setdefault(one.text.replace(f"@{one.name}(", "@(", 1), one.name)
        if first == one.name:
            kept.append(one)
        else:
            same[f"@{one.name}"] = f"@{first}"
    return kept, same


def _renamed(text: str, names: dict[str, str]) -> str:
    return _NAME.sub(lambda m: names.get(m[0], m[0]), text) if names else text


def _renamed_in(piece: Piece, names: dict[str, str]) -> Piece:
    symbols = frozenset(names.get(f"@{name}", f"@{name}")[1:] for name in piece.symbols)
    return piece._replace(text=_renamed(piece.text, names), symbols=symbols)
