"""`trace`: the program a function runs, as a tape."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from contextvars import ContextVar, Token
from dataclasses import replace
from itertools import count
from typing import Any, Self

import numpy as np

from funcdiff import errors
from funcdiff.core import mutation
from funcdiff.core.array_type import NUMBER, type_of
from funcdiff.core.collector import looking_rarely
from funcdiff.core.mutation import Cell, Path
from funcdiff.core.primitive import REGISTRY, LocallyConstant, Primitive
from funcdiff.core.recording import Recorder, TracedArray, box, innermost, output
from funcdiff.core.surroundings import run_inside
from funcdiff.core.tape import Atom, Guard, Literal, Record, Tape, Variable
from funcdiff.core.trees import AnyTree, flatten, path_name
from funcdiff.primitives.putting import hollow, path_to, put
from funcdiff.primitives.update import update_at
from funcdiff.transforms.arguments import check_callable, leaf_value
from funcdiff.transforms.gradient import wrap
from funcdiff.transforms.kept_constants import KeptConstants, taken
from funcdiff.transforms.sketch import Sketch, sketching
from funcdiff.transforms.stand_ins import LARGE, any_large, stand_in
from funcdiff.transforms.untouched import untouched

_SCALARS = frozenset(
    {bool, int, complex, *(t for t in np.sctypeDict.values() if np.dtype(t).kind in "biufc")}
)
_writing: ContextVar[list[Any] | None] = ContextVar("funcdiff programs being written", default=None)
EVIDENCE: ContextVar[Any] = ContextVar("funcdiff evidence", default=None)
"""What looks at Python's state where control flow asks for a value; set while `jit` records with `free_loops`."""


def is_writing() -> bool:
    """Tell whether a program is being written, of which a loop or a branch may be a record."""
    return _writing.get() is not None


def keep_while_writing(x: Any) -> None:
    """Let an object live as long as a program is being written, which may come upon an equal one."""
    kept = _writing.get()
    if kept is not None:
        kept.append(x)


class TraceRecorder(Recorder):
    """Records a program: every primitive, and what Python's control flow saw."""

    program = True
    name = "trace"

    def __init__(self) -> None:
        super().__init__()
        self.direct = True
        self.records: list[Record] = []
        self.guards: list[Guard] = []
        self.variables: dict[int, Variable] = {}  # by number
        self.numbers = count()  # of which each thread that writes takes its own, without a lock
        self.part = 0  # the first variable of the part of the program that is being written
        self.around: dict[int, Any] = {}  # what parts read of variables before them
        self.line = ""  # the user's, where a part is written anew
        self.aliases: dict[int, Variable] = {}  # other names of variables, for the time of recording
        self.sketch = Sketch()
        self.careful = self.sketch.entered  # the places of what is not simply its value
        self.constants = KeptConstants()
        self.raised: Exception | None = None  # by a step, which the function may catch and go on
        self.lines = errors.Lines()
        self.flat: set[int] = set()  # variables without a derivative, in the records that have been looked at
        self.looked_at = 0
        self.token: Token[list[Any] | None] | None = None
        self.evidence = EVIDENCE.get()

    def __enter__(self) -> Self:
        kept = _writing.get()
        self.token = _writing.set([] if kept is None else kept)
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if self.token is not None:
            _writing.reset(self.token)
        super().__exit__(kind, error, traceback)

    def variable(self, value: Any) -> Variable:
        """Number a value."""
        number = next(self.numbers)
        kind = NUMBER if type(value) is np.float64 else type_of(value)
        made = self.variables[number] = Variable(number, kind)
        return made

    def alias(self, x: TracedArray) -> TracedArray:
        """Return the same value by another name."""
        known = self.variables[x.place]
        other = self.variable(x.value)
        self.aliases[other.number] = self._known(known)
        self.sketch.rename(x.value, known.number, other.number)
        return box(x.value, self, other.number)

    def settle(self, outputs: list[Atom]) -> tuple[list[Record], list[Atom], list[Guard]]:
        """Return records, outputs and guards without aliases."""
        names = self.aliases
        if not names:
            return self.records, outputs, self.guards

        def known(a: Atom) -> Any:
            return self._known(a) if isinstance(a, Variable) else a

        records = [replace(r, inputs=tuple(map(known, r.inputs))) for r in self.records]
        guards = [replace(g, variable=known(g.variable)) for g in self.guards]
        return records, [known(a) for a in outputs], guards

    def atom(self, x: Any) -> Atom:
        """Return what stands for a value on the tape."""
        if type(x) is TracedArray and x.recorder is self and x.place >= 0:
            variable: Variable = self.variables[x.place]
            if x.place < self.part:
                self.around[x.place] = x.value
            return variable
        value, _ = output(x, self)
        return Literal(self.constants.keep(value) if type(value) is np.ndarray else value)

    def result(self, holder: Cell) -> Atom:
        """Return what stands on the tape for a result that a holder has been given."""
        if type(holder.value) is np.ndarray:
            return Literal(taken(holder))
        return self.atom(holder.value)

    def apply(self, primitive: Primitive, args: Sequence[Any], params: dict[str, Any]) -> Any:
        """Record a step on values that are small and plain, in one pass over them; else ask what they are."""
        if primitive.control is not None:
            return self.apply_to_any(primitive, args, params)
        atoms: list[Atom] = []
        values = []
        is_traced, are_numbers = False, True
        for a in args:
            x = a
            if type(a) is TracedArray:
                own = a if a.recorder is self else self.inner(a)
                if own is None or (place := own.place) in self.careful:
                    return self.apply_to_any(primitive, args, params)
                x = own.value
                if place < self.part:
                    if place < 0:
                        return self.apply_to_any(primitive, args, params)
                    self.around[place] = x
            kind = type(x)
            if kind is not np.float64 and kind is not float:
                are_numbers = False
                if kind is np.ndarray:
                    if x.size >= LARGE:
                        return self.apply_to_any(primitive, args, params)
                elif kind not in _SCALARS:
                    return self.apply_to_any(primitive, args, params)
            if x is not a:
                is_traced = True
                atoms.append(self.variables[place])
            else:  # the user may write to it
                atoms.append(Literal(x.copy(order="K") if kind is np.ndarray else x))
            values.append(x)
        if not is_traced:
            return self.apply_to_any(primitive, args, params)
        operate = primitive.impl
        if are_numbers and primitive.operator is not None and primitive.batch is None:
            operate = primitive.operator  # of two numbers in a tenth of the ufunc's time
        try:
            out = operate(*values, **params)
        except Exception as error:
            self.raised = error
            raise
        return self._record(primitive, atoms, params, out)

    def inner(self, x: TracedArray) -> TracedArray | None:
        """Return what stands here for a value of an older level, None if it is a constant."""
        return None

    def apply_to_any(self, primitive: Primitive, args: Sequence[Any], params: dict[str, Any]) -> Any:
        """Record a step on any operands."""
        for a in args:
            if type(a) is TracedArray and a.recorder is self and a.place >= 0:
                break
        else:  # of constants
            out = primitive.function(*[self.lower(a) for a in args], **params)
            return tuple(box(o, self, -1) for o in out) if isinstance(out, tuple) else box(out, self, -1)
        try:
            return self._evaluate(primitive, args, [self.atom(a) for a in args], params)
        except Exception as error:
            self.raised = error
            raise

    def _evaluate(
        self, primitive: Primitive, args: Sequence[Any], atoms: Sequence[Atom], params: dict[str, Any]
    ) -> Any:
        """Compute a step, unless a stand-in will do as long as nobody asks, and record it."""
        values = [self.lower(a) for a in args]
        sketch = self.sketch
        is_loop = primitive.control is not None
        if not is_loop and not sketch.places and not any_large(values):
            return self._record(primitive, atoms, params, primitive.function(*values, **params))
        places = [a.number if isinstance(a, Variable) else -1 for a in atoms]
        is_sketched = is_loop or not sketch.places.isdisjoint(places)
        if any(type(v) is TracedArray for v in values):
            return self._record(primitive, atoms, params, primitive.function(*values, **params))
        try:
            with sketching():
                known = [p not in sketch.places for p in places]
                out = stand_in(primitive, values, params, known) if any_large(values) else None
                is_sketched = is_sketched or out is not None
                if out is None and is_sketched:
                    out = primitive.function(*values, **params)
        except Exception:  # noqa: BLE001  # in earnest it may go well, or raise what is to be raised
            sketch.settle()
            values = [self.lower(a) for a in args]
            is_sketched = False
        if not is_sketched:
            return self._record(primitive, atoms, params, primitive.function(*values, **params))
        kept = self._kept(args, atoms, places)
        made = self._record(primitive, atoms, params, out)
        numbers = [x.place for x in (made if isinstance(made, tuple) else (made,))]
        sketch.enter(primitive.function, kept, places, params, numbers, out)
        return made

    def _kept(self, args: Sequence[Any], atoms: Sequence[Atom], places: Sequence[int]) -> list[Any]:
        """Return what operands are, as far as it is known, however the user's arrays may change."""
        known = zip(args, atoms, places, strict=True)
        return [
            a.value if isinstance(a, Literal) else None if p in self.sketch.places else self.lower(x)
            for x, a, p in known
        ]

    def _record(self, primitive: Primitive, atoms: Sequence[Atom], params: dict[str, Any], out: Any) -> Any:
        line = self.line or self.lines.here()
        if not isinstance(out, tuple):  # named tuples, too
            variable = self.variable(out)
            self.records.append(Record(primitive, tuple(atoms), params, (variable,), line))
            made = box(out, self, variable.number)
            if variable.type is NUMBER:
                made.kind = NUMBER  # newer levels need not compare what they make of such numbers
            return made
        outputs = tuple(self.variable(o) for o in out)
        self.records.append(Record(primitive, tuple(atoms), params, outputs, line))
        return tuple(box(o, self, v.number) for o, v in zip(out, outputs, strict=True))

    def concrete(self, x: TracedArray) -> Any:
        if x.place >= 0:
            if x.place in self.sketch.places:
                self.sketch.settle()
            value = self.lower(x)
            seen = np.array(innermost(value))
            if x.place < self.part:
                self.around[x.place] = x.value
            asked = Guard(self.variables[x.place], seen, len(self.records), errors.user_line())
            if self.evidence is not None:
                asked = replace(asked, visit=self.evidence(self))
            self.guards.append(asked)
            return value
        return x.value

    def is_flat(self, number: int) -> bool:
        """Tell whether a variable is made of integers, booleans and roundings alone, and so has no derivative."""
        for record in self.records[self.looked_at :]:
            if isinstance(record.primitive, LocallyConstant) or all(
                a.type.dtype.kind in "biu" or self._known(a).number in self.flat
                for a in record.inputs
                if isinstance(a, Variable)
            ):
                self.flat.update(v.number for v in record.outputs)
        self.looked_at = len(self.records)
        return self._known(self.variables[number]).number in self.flat

    def _known(self, a: Variable) -> Variable:
        """Return the variable that an alias stands for."""
        return self.aliases.get(a.number, a)

    def write(self, x: TracedArray, value: Any, path: Path) -> None:
        old, new = self.atom(x), self.atom(value)
        primitive, params = REGISTRY[update_at.__name__], {"path": path}
        template, indices = hollow(path[-1][1]["index"])
        atoms = [old, new, *map(self.atom, indices)]
        if indices:
            primitive, params = REGISTRY[put.__name__], {"lenses": path[:-1], "template": template}
            path = path_to(path[:-1], template, [self.lower(i) for i in indices])
        x.value = self.lower(x)
        places = [a.number if isinstance(a, Variable) else -1 for a in atoms]
        is_sketched = not self.sketch.places.isdisjoint(places)
        operands = self._kept((x, value, *indices), atoms, places) if is_sketched else []
        if not is_sketched or not any_large([x.value]):
            mutation.update(x, self.lower(value), path)
        elif not x.value.flags.writeable:
            x.value = untouched(x.value.shape, x.value.dtype)  # where a copy would be written into
        if any(isinstance(a, Variable) for a in atoms):
            x.place = self._record(primitive, atoms, params, x.value).place
            if is_sketched:
                self.sketch.enter(primitive.function, operands, places, params, [x.place], x.value)

    def lower(self, x: Any) -> Any:
        """Return what stands for an operand one level down."""
        if type(x) is not TracedArray or x.recorder is not self:
            return x
        return self.sketch.values.get(x.place, x.value) if self.sketch.values else x.value


def trace(f: Callable[..., Any]) -> Callable[..., Tape]:
    """Make the function that records a program instead of only running it.

    Parameters
    ----------
    f : callable
        A pure function of arrays, or nested containers of them; also the result of any transform, so
        ``trace(grad(f))`` gives the program of the gradient.

    Returns
    -------
    callable
        Takes what `f` takes and returns a `Tape`: print it, ``tape.run(*args)``, ``tape.validate()``.
        Keyword arguments are constants of the program.

    Raises
    ------
    OutputError
        When called, if `f` returns something else than arrays.
    DtypeError
        When called, if an argument is not an array of numbers.

    Examples
    --------
    >>> import numpy as np, funcdiff as fd
    >>> print(fd.trace(lambda x: 2 * np.exp(x))(np.zeros(3)))
    tape <lambda>(x: float64[3]):
      x1: float64[3] = exp(x)
      x2: float64[3] = multiply(2, x1)
      return x2
    """
    check_callable("trace", f)

    @wrap(f, "trace")
    def traced(*args: Any, **kwargs: Any) -> Tape:
        line = errors.user_line()
        leaves, tree = flatten(args)
        values = []
        for leaf, path in zip(leaves, tree.paths(), strict=True):
            value = leaf_value(leaf)
            if getattr(value, "dtype", np.dtype(object)).kind not in "fcbiu":
                raise errors.DtypeError(
                    errors.at_user_line(
                        f"trace of {errors.function_name(f)}: argument{path_name(path)} is {type(leaf).__name__}, not an "
                        "array of numbers. Pass it by keyword, or close over it."
                    )
                )
            values.append(value)
        recorder = TraceRecorder()
        inputs = [recorder.variable(v) for v in values]
        with recorder, looking_rarely():
            boxes = [box(v, recorder, i.number) for v, i in zip(values, inputs, strict=True)]
            out = run_inside(recorder, f, *tree.unflatten(boxes), **kwargs)
            outs, out_tree = flatten(out)
            del out  # nothing else holds an array that has been made for the result
            found = []
            for n in range(len(outs)):
                holder, outs[n] = Cell(_output(f, outs[n])), None
                found.append(recorder.result(holder))
            records, outputs, guards = recorder.settle(found)
        return Tape(
            errors.function_name(f),
            tuple(inputs),
            tuple(records),
            tuple(outputs),
            tuple(guards),
            tree,
            out_tree,
            _names(f, args, tree),
            line,
        )

    return traced


def _output(f: Any, o: Any) -> Any:
    value = leaf_value(o)
    if getattr(value, "dtype", np.dtype(object)).kind not in "fcbiu":
        raise errors.OutputError(
            errors.at_user_line(
                f"trace of {errors.function_name(f)}: it returned {type(o).__name__}, which is not an array of numbers"
            )
        )
    return value


def _names(f: Any, args: tuple[Any, ...], tree: AnyTree) -> tuple[str, ...]:
    """Name the inputs as the function's parameters are named."""
    try:
        parameters = list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):
        return ()
    names: list[str] = []
    for n, path in enumerate(tree.paths()):
        first = path[0] if path else 0
        if not isinstance(first, int) or first >= len(parameters):
            return tuple(names)
        if parameters[first].kind not in (
            inspect.Parameter.POSITIONAL_ONLY,
            inspect.Parameter.POSITIONAL_OR_KEYWORD,
        ):
            return tuple(names)
        names.append(parameters[first].name + path_name(path[1:]))
        del n
    return tuple(names)
