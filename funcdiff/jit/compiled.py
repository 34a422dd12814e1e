"""A jitted function's programs: which of them a call runs, and when one is recorded."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import Any

import numpy as np

from funcdiff import errors
from funcdiff.core.collector import looking_rarely
from funcdiff.core.recording import TracedArray
from funcdiff.core.tape import Literal, Tape
from funcdiff.core.trees import LEAF, flatten, path_name
from funcdiff.jit import loops as _loops  # noqa: F401  # compiles the bodies of long loops
from funcdiff.jit.captures import Captures
from funcdiff.jit.derived import example, is_tangled
from funcdiff.jit.evidence import Evidence
from funcdiff.jit.guards import Path, Paths
from funcdiff.jit.lowered import Lowered
from funcdiff.jit.nesting import nesting_of
from funcdiff.jit.passes.roll import WORTH, roll_for
from funcdiff.jit.program import Program
from funcdiff.jit.record import call
from funcdiff.jit.rolling import NotClosed, Rolling, is_closed
from funcdiff.jit.signature import NUMBERS, Signature, Statics
from funcdiff.jit.source import Unsteady
from funcdiff.transforms.reverse import ROLLING
from funcdiff.transforms.sweeps import writes_program
from funcdiff.transforms.trace import EVIDENCE, trace

SIGNATURES = 256  # kept per function
CHANGES = 8  # of what is captured, after each of which programs are recorded anew; then there is a warning
CALLS = 16  # uncompiled ones that a change counts for
_STRONG = tuple(np.dtype(t) for t in (bool, np.int64, float, complex, np.longdouble, np.clongdouble))
STEP_ERRORS = (ArithmeticError, LookupError, ValueError)  # what steps raise, which the function may catch
LONGEST_REST = 1 << 12  # calls
PARTS_SKIPPED = 4  # of a program that is recorded anew for each, before it is recorded as it is
_MISSING: Any = object()
_float64 = np.float64
_ndarray = np.ndarray
_SCALARS = frozenset(t for t in np.sctypeDict.values() if np.dtype(t).kind in NUMBERS)
_MADE = {bool: np.bool_, int: np.int64, float: _float64, complex: np.complex128}  # of Python's numbers


class Entry:
    """What has been recorded for one signature."""

    def __init__(self, name: str) -> None:
        self.paths = Paths(name)
        self.by_value: dict[Any, Entry] | None = None  # where Python numbers must stay Python numbers
        self.rest = 0  # calls in which nothing is recorded, as what was recorded last could not be compiled
        self.last_rest = 0

    def is_resting(self) -> bool:
        """Tell whether this call shall not record, and count it."""
        self.rest = max(0, self.rest - 1)
        return self.rest > 0

    def give_up(self) -> None:
        """Record again after some calls, after twice as many each time: other inputs may be compiled."""
        self.last_rest = self.rest = min(2 * self.last_rest + 1, LONGEST_REST)


class Compiled:
    """A jitted function's programs."""

    def __init__(
        self, f: Callable[..., Any], statics: Statics, backend: str, free_loops: bool = False
    ) -> None:
        self.f = f
        self.statics = statics
        self.backend = backend
        self.free_loops = free_loops
        self.warned: set[str] = set()  # lines of loops that are not free
        self.install: Callable[[Any, Any], None] = lambda native, captured: None
        self.name = errors.function_name(f)
        self.entries: dict[Any, Entry] = {}
        self.fast: dict[Any, Entry] = {}  # the same, by what is quick to look at
        self.objects: dict[int, tuple[Any, str]] = {}  # static arguments that have attributes
        self.captures = self._captures()
        self.changes = 0  # of what is captured, lately, in calls

    def run(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run the function, by what has been compiled if there is something."""
        if not kwargs:
            out = self.quick(args, [])
            if out is not _MISSING:
                return out
        if not self.statics.any:
            leaves, tree = flatten((args, kwargs))
            out = self.quick(leaves, [tree.spec])  # type: ignore[union-attr]
            if out is not _MISSING:
                return out
        return self.call(args, kwargs)

    def quick(self, leaves: Sequence[Any], key: list[Any]) -> Any:
        """Run what is there for leaves all of which are arrays or numbers."""
        plain = True
        for a in leaves:
            kind = type(a)
            if kind is _ndarray:
                key.append(a.shape)
                key.append(a.dtype)
            elif kind in _SCALARS:
                key.append(kind)
            elif kind in _MADE:
                key.append(kind)
                plain = False
            else:
                return _MISSING
        entry = self.fast.get(tuple(key))
        if entry is None or not self.captures.same():
            return _MISSING
        path = entry.paths.recent
        try:
            values = leaves if plain else [_MADE[type(a)](a) if type(a) in _MADE else a for a in leaves]
        except OverflowError:  # an int of other than 64 bits
            return _MISSING
        try:
            if path is not None and not path.keys:
                out = _run(path, values)
                return out[0] if path.out_tree is LEAF else path.out_tree.unflatten(out)
            found = entry.paths.find(partial(_run, values=values))
        except Unsteady:
            return _MISSING
        return _MISSING if found is None else found[0].out_tree.unflatten(found[1])

    def call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run the function, recording what has not been recorded yet."""
        rest, named, static = self.statics.part(args, kwargs)
        signature = Signature(self.f, rest, named, static)
        if signature.traced:
            return self._call_traced(signature, args, kwargs)
        entry, places = self._entry(signature)
        try:
            found = self._find(entry, signature, [signature.values[n] for n in places], _run)
            captures = self.captures
        except Unsteady:
            found = None
        if found is None:
            plain = self.f(*args, **kwargs)
            if self.changes:  # what f itself has changed is no reason to go on like that
                self.captures = self._captures()
            return plain
        path, out = found
        if not static:
            self._remember(args, signature, entry, captures)
        return path.out_tree.unflatten(out)

    def lower(self, *args: Any, **kwargs: Any) -> Lowered:
        """Compile for these arguments, and return what the function is compiled to."""
        rest, named, static = self.statics.part(args, kwargs)
        signature = Signature(self.f, rest, named, static)
        entry, places = self._entry(signature)
        found = self._find(entry, signature, [example(signature.values[n]) for n in places], _check)
        if found is None:
            raise errors.TapeError(
                errors.at_user_line(f"{self.name} closes over traced values, so it is not compiled")
            )
        return Lowered(found[0].program)

    def _call_traced(self, signature: Signature, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if writes_program(signature.values):  # one program is written, of which this is a part
            return self.f(*args, **kwargs)
        entry, places = self._entry(signature)
        values = [signature.values[n] for n in places]
        try:
            found = self._find(entry, signature, [example(v) for v in values], _checked)
            if found is None or (found[0].keys and any(map(_is_mapped, values))):
                return self.f(*args, **kwargs)
        except Unsteady:
            return self.f(*args, **kwargs)
        path = found[0]
        try:
            return path.out_tree.unflatten(call(path.program, values))
        except STEP_ERRORS:  # which the function may catch
            return self.f(*args, **kwargs)

    def _entry(self, signature: Signature) -> tuple[Entry, list[int]]:
        """Return the entry of a signature, and which of its leaves are inputs."""
        if not self.captures.same():
            self._forget()
        entry = _get(self.entries, signature.key, self.name)
        if entry.by_value is None:
            return entry, signature.dynamic(by_value=False)
        numbers = tuple(
            (type(v), repr(v))
            for v, kind in zip(signature.values, signature.key[1], strict=True)
            if len(kind) == 3 and kind[2] is not None
        )
        return _get(entry.by_value, numbers, self.name), signature.dynamic(by_value=True)

    def _forget(self) -> None:
        """Drop all programs: something that they captured has changed."""
        name = self.captures.changed() if self.entries else None
        self.entries.clear()
        self.fast.clear()
        self.objects.clear()
        self.captures = self._captures()
        self.install(None, None)
        if name is None:
            return
        warned = self.changes >= CHANGES * CALLS
        self.changes = min(self.changes + CALLS, 2 * CHANGES * CALLS)
        if self.changes >= CHANGES * CALLS and not warned:
            warnings.warn(
                errors.at_user_line(
                    f"jit of {self.name} has been recorded anew {CHANGES} times because something that it reads "
                    f"without being given it, here {name}, had changed or been written to. From now on it runs without "
                    "being compiled while that goes on. Pass it as an argument."
                ),
                errors.PerformanceWarning,
                stacklevel=2,
            )

    def _captures(self) -> Captures:
        """Look at what the function reads without being given it now."""
        return Captures(self.f, getattr(self, "captures", None), self.objects.values())

    def _is_restless(self) -> bool:
        """Tell whether recording is a waste: what is captured changes all the time."""
        if self.changes < CHANGES * CALLS:
            return False
        self.changes -= 1
        return True

    def _find(
        self, entry: Entry, signature: Signature, values: list[Any], run: Callable[[Path, list[Any]], Any]
    ) -> tuple[Path, Any] | None:
        """Return the path for these values and what `run` made of it, recording it if it is new."""
        found = entry.paths.find(lambda path: run(path, values))
        if found is not None:
            return found
        if run is _run and (entry.paths.thrashing or self._is_restless()):
            return None
        if run is not _check and entry.is_resting():
            return None
        places = [n for n in range(len(signature.values)) if n not in dict(signature.objects)]
        by_value = len(values) < len(places)
        with looking_rarely():
            path = self._record(signature, values, signature.dynamic(by_value))
        if path is None:
            entry.give_up()
            return None
        if not by_value and self._has_python_numbers(signature) and not _is_strong(path.program.recorded):
            entry.by_value = {}
            entry, places = self._entry(signature)
            return self._find(entry, signature, [values[_place(n, signature)] for n in places], run)
        entry.paths.add(path)
        return path, run(path, values)

    def _record(self, signature: Signature, values: list[Any], places: list[int]) -> Path | None:
        """Record the function at these values."""
        trees: list[Any] = []
        caught: list[Exception] = []
        full = list(signature.values)
        for n, x in signature.objects:
            full[n] = x
        for n, kind in enumerate(signature.key[1]):
            if n not in places and len(kind) == 3:
                full[n] = full[n].item()

        def flat(*leaves: Any) -> Any:
            if evidence is not None:
                evidence.begin(leaves)
            now = list(full)
            for n, leaf in zip(places, leaves, strict=True):
                now[n] = leaf
            args, kwargs = signature.tree.unflatten(now)
            args, kwargs = self.statics.join(args, kwargs, signature.static)
            outs, tree = flatten(self.f(*args, **kwargs))
            trees.append(tree)
            recorders = [leaf.recorder for leaf in leaves if type(leaf) is TracedArray]
            errors_met = [getattr(r, "raised", None) for r in recorders[:1]]
            caught.extend(error for error in errors_met if error is not None)
            return outs

        flat.__qualname__ = self.name
        drawn = self.captures.random_states()
        evidence = Evidence() if self.free_loops else None
        tape = self._trace(flat, values, evidence)
        for n, x in (*signature.objects, *chain(*signature.static[:2])):
            if hasattr(x, "__dict__"):
                self.objects[id(x)] = (x, f"argument {n}")
        self.captures = self._captures()  # with what has been bound meanwhile, or written by f itself
        if self.captures.random_states() != drawn:
            raise errors.UnsupportedError(
                errors.at_user_line(
                    f"jit of {self.name}: the function draws random numbers, which would be the same ones at every call. "
                    "Draw them outside, and pass them as arguments."
                )
            )
        if caught or is_tangled(tape):  # which other inputs raise what the function catches, no guard knows
            return None
        if evidence is not None:
            evidence.warn(self.name, self.warned)
        tape = roll_for(tape, self.backend)
        names = tuple("".join(_input_name(p)) for p in signature.tree.paths())
        tape = replace(tape, input_names=tuple(names[n] for n in places))
        tree = trees[-1]
        is_free = evidence is not None and evidence.found
        if self.backend == "numpy":
            return Path(Program(tape), tree, is_free)
        return Path(Program(tape, self.backend, nesting_of(tree), _is_strong(tape)), tree, is_free)

    def _trace(self, flat: Callable[..., Any], values: list[Any], evidence: Evidence | None) -> Tape:
        """Record the program, what is to be differentiated of it with loops in the place of repeated blocks."""
        looking = EVIDENCE.set(evidence)
        try:
            tape = self._in_parts(flat, values, evidence)
        finally:
            EVIDENCE.reset(looking)
        return tape if evidence is None else evidence.close(tape)

    def _in_parts(self, flat: Callable[..., Any], values: list[Any], evidence: Evidence | None) -> Tape:
        skipped: set[int] = set()
        while len(skipped) < PARTS_SKIPPED:
            rolling = Rolling(WORTH[self.backend] // 4, evidence, skipped)
            token = ROLLING.set(rolling)
            try:
                tape = trace(flat)(*values)
            except NotClosed as end:
                skipped.add(end.part)
                continue
            finally:
                ROLLING.reset(token)
            if not rolling.begun or is_closed(tape):
                return tape
            break  # a value of a part has been kept elsewhere
        return trace(flat)(*values)

    @staticmethod
    def _has_python_numbers(signature: Signature) -> bool:
        return any(len(kind) == 3 and kind[2] is not None for kind in signature.key[1])

    def _remember(
        self, args: tuple[Any, ...], signature: Signature, entry: Entry, captures: Captures
    ) -> None:
        """Enter what `quick` looks up, by position where all arguments are leaves of its kinds."""
        key: list[Any] = [] if all(map(_is_quick, args)) and not signature.has_names else [signature.key[0]]
        for a, value in zip(signature.leaves, signature.values, strict=True):
            if not _is_quick(a) or type(value) is not _MADE.get(type(a), type(a)):
                return
            key += (a.shape, a.dtype) if type(a) is _ndarray else (type(a),)
        if entry is self.entries.get(signature.key):
            if len(self.fast) >= SIGNATURES:
                self.fast.clear()
            self.fast[tuple(key)] = entry
            path = entry.paths.recent
            flat = all(map(_is_quick, args)) and not signature.has_names
            if (
                path is not None
                and path.program.builtin is not None
                and flat
                and nesting_of(path.out_tree) is not None
            ):
                watched = captures.watched()
                if watched is not None:
                    self.install(path.program.builtin, watched)


def _is_quick(a: Any) -> bool:
    kind = type(a)
    return kind in _MADE or kind in _SCALARS or (kind is _ndarray and not a.dtype.hasobject)


def _get(entries: dict[Any, Entry], key: Any, name: str) -> Entry:
    entry = entries.get(key)
    if entry is None:
        while len(entries) >= SIGNATURES:
            entries.pop(next(iter(entries)), None)
        entry = entries.setdefault(key, Entry(name))
    return entry


def _run(path: Path, values: Sequence[Any]) -> Any:
    """Run a program; where a step of it raises, the function itself must run, which may catch that."""
    try:
        return path.program(*values)
    except STEP_ERRORS as error:
        raise Unsteady(str(error)) from error


def _check(path: Path, values: Sequence[Any]) -> Any:
    return path.check(*values)


def _checked(path: Path, values: Sequence[Any]) -> Any:
    """Check guards; where a step of theirs raises, the function itself must run."""
    try:
        return path.check(*values)
    except STEP_ERRORS as error:
        raise Unsteady(str(error)) from error


def _is_mapped(x: Any) -> bool:
    while hasattr(x, "recorder"):
        if x.recorder.batch and x.place:
            return True
        x = x.value
    return False


def _place(n: int, signature: Signature) -> int:
    """Return where a leaf stands among those that are numbers."""
    before = [m for m, _ in signature.objects if m < n]
    return n - len(before)


def _is_strong(tape: Tape) -> bool:
    """Tell whether a Python number could be an array as well: no dtype on the tape gives way to it."""
    for record in tape.records:
        for atom in (*record.inputs, *record.outputs):
            if isinstance(atom, Literal):
                if isinstance(atom.value, (np.ndarray, np.generic)) and atom.value.dtype not in _STRONG:
                    return False
            elif atom.type.dtype not in _STRONG:
                return False
    return True


def _input_name(path: tuple[Any, ...]) -> str:
    """Name a leaf of (args, kwargs)."""
    if path[0] == 0:
        return f"arg{path[1]}{path_name(path[2:])}"
    return f"{path[1]}{path_name(path[2:])}"
