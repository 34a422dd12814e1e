"""Tapes as builtin functions: whole, or as segments between which Python runs what has no machine code."""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from funcdiff import errors
from funcdiff.core.array_type import ArrayType
from funcdiff.core.primitive import REGISTRY, General
from funcdiff.core.tape import Atom, Literal, Record, Tape, Variable, variables
from funcdiff.core.trees import flatten
from funcdiff.jit.keeping import Kept
from funcdiff.jit.native import entered, pool, wrapper  # noqa: F401  handlers are entered
from funcdiff.jit.native.elementwise import loop_kinds
from funcdiff.jit.native.engine import Library, engine
from funcdiff.jit.native.handlers import HANDLERS, NotNative
from funcdiff.jit.native.kernel import modules, modules_of_pieces
from funcdiff.jit.native.loop_body import prepared
from funcdiff.jit.native.lower import Lowering
from funcdiff.jit.native.nodes import KINDS
from funcdiff.jit.native.plain_products import weak_program
from funcdiff.jit.nesting import Nesting
from funcdiff.jit.passes.rewriting import kind
from funcdiff.jit.threads import get_num_threads, when_set
from funcdiff.transforms.loops.stack import Stack

FEW = 1000  # elements of operands on which it is tried out what a record makes
WORTH = 2  # records that a segment between pieces of Python has at least
SEGMENT = "native_segment"
STRUCTURED = ("loop", "branch")


class Native:
    """A tape as machine code.

    Attributes
    ----------
    call : builtin
        Takes leaves of the tape's types and returns the results as `nesting` says.
    text : str
        The IR.
    """

    call: Any
    _second_try: Any

    def __init__(
        self,
        tape: Tape,
        nesting: Nesting,
        floats: bool,
        slow: Callable[..., Any],
        number: int = 0,
        weak: bool = True,
        threads: bool | None = None,
    ) -> None:
        self._threads = _has_threads() if threads is None else threads
        plain = weak_program(tape) if weak else tape
        self.kernel = Lowering(plain, f"kernel{number}", weak, self._threads).lower()
        self.kernel.weakened |= plain is not tape
        self._tape = tape
        self._number, self._weak = number, weak
        self._careful: Native | None = None  # the same with products that keep a zero zero
        self.types = [_canonical(v.type) for v in tape.inputs]
        self.outputs = [_canonical(kind(a)) for a in tape.outputs]
        self.name = tape.name
        self.nesting = nesting
        makers = {v.number: r for r in tape.records for v in r.outputs}
        self.arrays = [isinstance(a, Variable) and _is_array(a, makers) for a in tape.outputs]
        self.floats = floats
        self._slow = slow

    @property
    def text(self) -> str:
        """The IR."""
        return "\n".join([*modules([self.kernel]).values(), *modules_of_pieces(self.kernel)])

    def load(self, library: Library) -> None:
        """Make the builtin, once the kernel has been compiled."""
        self._library = library
        address, work = library.address(self.kernel.name), self.kernel.work
        self._table = wrapper.table(
            address, self.types, self.outputs, self.nesting, work, self.floats, self.arrays
        )
        self._results = Kept(
            2 * len(self.outputs)
        )  # one for all builtins: memory is touched for the first time once
        self.call = self.within(self._regular, ())
        self._second_try = self.within(self._slow, ())
        if self.kernel.is_large and not self._threads:
            _large.add(self)
            _share_all()

    def share(self) -> None:
        """Compile once more, with large loops that are shared among threads."""
        again = Native(
            self._tape, self.nesting, self.floats, self._slow, self._number, self._weak, threads=True
        )
        if not again.kernel.is_shared:
            return
        try:
            compile_natives([again])
        except NotNative:  # a warning has said why
            return
        self._library.keep(again._library)  # a builtin may outlive this object
        self.kernel = again.kernel
        wrapper.exchange(self._table, again._library.address(again.kernel.name))

    def within(self, slow: Any, captured: Sequence[tuple[Any, ...]]) -> Any:
        """Return the builtin with something else to call where a check fails, and captured objects to check."""
        return wrapper.builtin(self._library, self._table, self._results, slow, captured)

    def _regular(self, *leaves: Any) -> Any:
        """Call with leaves made contiguous, and the like; where that does not help, take the slow path."""
        if len(leaves) == len(self.types):
            values = [_regular(x, t) for x, t in zip(leaves, self.types, strict=True)]
            if any(a is not b for a, b in zip(values, leaves, strict=True)):
                return self._second_try(*values)
        if self.kernel.weakened:
            if self._careful is None:
                self._careful = Native(self._tape, self.nesting, self.floats, self._slow, weak=False)
                compile_natives([self._careful])
            return self._careful.call(*leaves)
        return self._slow(*leaves)


_large: weakref.WeakSet[Native] = weakref.WeakSet()  # compiled for one thread, with large loops


def _has_threads() -> bool:
    return get_num_threads() > 1 and pool.is_available()


def _share_all() -> None:
    """Compile once more what has been compiled for one thread, if there are several."""
    while _large and _has_threads():
        try:
            one = _large.pop()
        except KeyError:  # gone meanwhile
            break
        one.share()


def compile_natives(natives: Sequence[Native]) -> None:
    """Compile kernels as one module; raises `NotNative` if LLVM does not take it."""
    kernels = [n.kernel for n in natives]
    symbols: dict[str, int] = {}
    for k in kernels:
        symbols |= k.symbols
    exports = [name for k in kernels for name in (k.name, *k.kept)]
    texts = [(text, int(careful)) for careful, text in modules(kernels).items()]
    texts += [(text, 0) for k in kernels for text in modules_of_pieces(k)]
    try:
        library = engine().compile(texts, symbols, exports, keep=[k.constants for k in kernels])
    except RuntimeError as error:  # of LLVM; the program runs without machine code
        message = f"LLVM does not compile {natives[0].name}, so it runs as NumPy source: {error}"
        warnings.warn(errors.at_user_line(message[:400]), errors.PerformanceWarning, stacklevel=2)
        raise NotNative from error
    for native in natives:
        native.load(library)


when_set(_share_all)


def native(tape: Tape, nesting: Nesting, floats: bool, slow: Callable[..., Any]) -> Native:
    """Compile a whole tape."""
    made = Native(tape, nesting, floats, slow)
    compile_natives([made])
    return made


def _is_array(v: Variable, makers: Mapping[int, Record]) -> bool:
    """Tell whether NumPy makes an array of what has no axes, and not one of its scalars, as rearrangements do."""
    record = makers.get(v.number)
    if v.type.shape or record is None or isinstance(record.primitive.impl, np.ufunc) or is_structured(record):
        return False
    if any(kind(a).size > FEW for a in record.inputs):
        return False
    operands: list[Any] = []
    for a in record.inputs:
        if isinstance(a, Literal):
            operands.append(a.value)
        else:
            one = np.ones(a.type.shape, a.type.dtype)
            operands.append(one if a.type.shape or _is_array(a, makers) else one[()])
    try:
        with np.errstate(all="ignore"):
            return isinstance(record.primitive.impl(*operands, **record.params), np.ndarray)
    except (ArithmeticError, TypeError, ValueError, IndexError):
        return False


def _canonical(type_: ArrayType) -> ArrayType:
    """Return a type with the one dtype object that NumPy's arrays have; bytes that were swapped leave another."""
    shape, dtype = type_
    return ArrayType(shape, np.dtype(dtype.str)) if dtype in KINDS else type_


def _regular(x: Any, type_: ArrayType) -> Any:
    """Return a leaf as the wrapper takes it, if it has the right type at all."""
    if getattr(x, "shape", None) != type_.shape or x.dtype != type_.dtype or isinstance(x, Stack):
        return x
    if not type_.shape:
        return type_.dtype.type(x) if type(x) is not type_.dtype.type else x
    if type(x) is np.ndarray and x.flags.c_contiguous and x.flags.aligned:
        return x if x.dtype is type_.dtype else x.view(type_.dtype)  # what was pickled has a dtype of its own
    return np.asarray(x).astype(type_.dtype, order="C", copy=True)  # np.array would keep that dtype


# --- segments --------------------------------------------------------------------------------------


def is_structured(record: Record) -> bool:
    """Tell whether a record is a loop or a branch."""
    return record.primitive.name in STRUCTURED and record.primitive is REGISTRY[record.primitive.name]


def looks_native(record: Record) -> bool:
    """Tell whether a record is one of those that have machine code, by what is quick to see."""
    if is_structured(record):
        bodies = [b for b in record.params.values() if isinstance(b, Tape)]
        return record.primitive.custom is None and all(map(_looks_native_within, bodies))
    if len(record.outputs) != 1 or record.primitive.user_made or record.primitive.custom is not None:
        return False
    if KINDS.get(record.outputs[0].type.dtype) is None:
        return False
    if not all(KINDS.get(kind(a).dtype) for a in record.inputs):
        return False
    return record.primitive.name in HANDLERS or loop_kinds(record) is not None


def _looks_native_within(body: Tape) -> bool:
    """Tell the same of all records of a body; what it is prepared to be may look so where it does not itself."""
    if all(map(looks_native, body.records)):
        return True
    try:
        return all(map(looks_native, prepared(body).records))
    except NotNative:
        return False


def segmented(tape: Tape, program: Callable[[Tape], Any]) -> tuple[Tape, list[Native]] | None:
    """Return the tape with segments of machine code as single records; None if there are none.

    `program` makes what runs a segment where its checks fail.
    """
    refused: set[int] = set()
    for _ in range(len(tape.records) + 1):
        try:
            found = _segmented(tape, refused, program)
            if found is not None:
                compile_natives(found[1])
            return found
        except NotNative as error:
            if error.record is None:
                return None
            refused.add(error.record.outputs[0].number)
    return None


def _segmented(
    tape: Tape, refused: set[int], program: Callable[[Tape], Any]
) -> tuple[Tape, list[Native]] | None:
    place: dict[int, tuple[int, bool]] = {v.number: (0, True) for v in tape.inputs}
    native: list[list[Record]] = [[]]
    python: list[list[Record]] = [[]]
    floor = 0
    guards = list(tape.guards)
    for position, record in enumerate(tape.records):
        while guards and guards[0].position <= position:  # what is after a guard must not run before it
            guards.pop(0)
            floor = len(native)
        ours = record.outputs and record.outputs[0].number not in refused and looks_native(record)
        n = floor
        for v in variables(record.inputs):
            at, by_us = place[v.number]
            n = max(n, at if by_us or not ours else at + 1)
        while len(native) <= n:
            native.append([])
            python.append([])
        (native if ours else python)[n].append(record)
        place.update((v.number, (n, bool(ours))) for v in record.outputs)
    if any(r.primitive.name == "scale" for records in python for r in records):
        return None
    needed = _readers(tape, native, python)
    records: list[Record] = []
    made: list[Native] = []
    for n, (ours_here, theirs) in enumerate(zip(native, python, strict=True)):
        if len(ours_here) >= WORTH:
            segment, found = _segment(tape, len(made), ours_here, needed[n], program)
            records.append(segment)
            made.append(found)
        elif any(r.primitive.name == "scale" for r in ours_here):
            return None
        else:
            records += ours_here
        records += theirs
    if not made:
        return None
    made_at = {v.number: i for i, r in enumerate(records) for v in r.outputs}
    moved, low = [], 0
    for guard in tape.guards:
        low = max(low, made_at.get(guard.variable.number, -1) + 1)
        moved.append(replace(guard, position=low))
    return replace(tape, records=tuple(records), guards=tuple(moved)), made


def _readers(tape: Tape, native: list[list[Record]], python: list[list[Record]]) -> list[set[int]]:
    """Return, per segment, which of its values are read outside of it."""
    outside: set[int] = {v.number for v in variables(tape.outputs)} | {g.variable.number for g in tape.guards}
    for records in python:
        outside.update(v.number for r in records for v in variables(r.inputs))
    found = []
    for records in reversed(native):
        found.append({v.number for r in records for v in r.outputs} & outside)
        outside.update(v.number for r in records for v in variables(r.inputs))
    return found[::-1]


def _segment(
    tape: Tape, number: int, records: Sequence[Record], needed: set[int], program: Callable[[Tape], Any]
) -> tuple[Record, Native]:
    made = {v.number for r in records for v in r.outputs}
    inputs: dict[int, Variable] = {}
    for record in records:
        for v in variables(record.inputs):
            if v.number not in made:
                inputs[v.number] = v
    outputs = tuple(v for r in records for v in r.outputs if v.number in needed)
    inner = Tape(
        f"{tape.name}, segment {number}",
        tuple(inputs.values()),
        tuple(records),
        outputs,
        (),
        flatten((0.0,) * len(inputs))[1],
        flatten([0.0] * len(outputs))[1],
    )
    fallback: list[Any] = []

    def slow(*leaves: Any) -> Any:
        if not fallback:
            fallback.append(program(inner))
        return fallback[0](*leaves)

    native = Native(inner, ("tuple", list(range(len(outputs)))), False, slow, number)
    primitive = General(SEGMENT, lambda *leaves: native.call(*leaves), multiple_outputs=True)
    given: tuple[Atom, ...] = tuple(inputs.values())
    return Record(primitive, given, {}, outputs), native
