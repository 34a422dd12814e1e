"""The source of a tape, statement by statement."""

from __future__ import annotations

import keyword
from typing import Any

import numpy as np

from funcdiff import errors
from funcdiff.core.keys import key_of
from funcdiff.core.mutation import is_basic
from funcdiff.core.primitive import REGISTRY, Elementwise
from funcdiff.core.tape import Atom, Guard, Literal, Record, Tape, Variable, bodies
from funcdiff.source import constants, containers, loops
from funcdiff.source.arrangement import arrange, is_write
from funcdiff.source.expression import ATOM, PRODUCT, Expression, call, item, method
from funcdiff.source.inlining import Helpers
from funcdiff.source.naming import LONGEST, RESERVED, Names, identifier, user_names, without_scope
from funcdiff.source.spelling import filled, path, spell
from funcdiff.source.tidying import tidied

INLINE = 6  # elements up to which an array is written where it is used


def to_source(tape: Tape, name: str | None = None, *, plain_products: bool = False) -> str:
    """Write a tape as a NumPy function."""
    if name is not None and (not name.isidentifier() or keyword.iskeyword(name)):
        raise errors.UnsupportedError(f"to_source: {name!r} is not a name that a function can have")
    return Writer(tape, name or identifier(tape.name), plain_products).write()


class Writer:
    """Writes one function."""

    def __init__(self, tape: Tape, name: str, plain_products: bool, around: Writer | None = None) -> None:
        title = without_scope(tape.name.partition("\n")[0])
        self.title = title if len(title) <= LONGEST else f"{title[:LONGEST]}…"
        self.tape = tape = tidied(tape)
        self.name = name
        self.plain_products = plain_products
        self.wanted = user_names(tape)
        self.arrangement = arrange(tape, self.wanted)
        self.parts, self.sources = containers.parameters(tape)
        used = [*self.parts, *self.wanted.values(), *(wanted for wanted, _ in self.sources), name]
        self.helpers: Helpers = Helpers(()) if around is None else around.helpers
        self.helpers.avoided.update(used)
        self.constants: dict[Any, str] = {} if around is None else around.constants
        self.constant_lines: list[str] = [] if around is None else around.constant_lines
        self.names = Names([*RESERVED, name, *self.helpers.definitions, *self.constants.values()])
        self.depths: dict[
            int, int
        ] = {}  # of what loops of unknown length collect: how many of them are around
        self.lines: list[str] = []
        self.now = 0

    def write(self) -> str:
        """Write the function with what it needs."""
        self.statements()
        return self._assembled()

    def statements(self) -> None:
        """Write what the function does."""
        tape, end = self.tape, len(self.arrangement.statements)
        self.names.taken.update(self.parts)
        for v, (wanted, source) in zip(tape.inputs, self.sources, strict=True):
            last = self.arrangement.last.get(v.number, -1)
            if source:
                self.lines.append(f"{self.names.give(v.number, wanted, -1, last)} = {source}")
            else:
                self.names.of[v.number] = wanted
                self.names.taken.discard(wanted)
                self.names.held[wanted] = last
        for n, statement in enumerate(self.arrangement.statements):
            self.now = n
            if statement is None:
                self._return()
            elif isinstance(statement, Guard):
                self._guard(statement)
            else:
                self._record(statement)
        assert self.now == end - 1

    def function(self, title: str) -> list[str]:
        """Return the lines of the function."""
        types = ", ".join(str(v.type) for v in self.tape.inputs)
        return [
            f"def {self.name}({', '.join(self.parts)}):",
            f'    """{title}, for {types or "no inputs"}."""',
            *(f"    {line}" for line in self.lines),
        ]

    def _assembled(self) -> str:
        whole = self.function(self.title)
        before = [*self.helpers.definitions.values(), *self.constant_lines]
        if any("unpacked(" in line for line in (*before, *self.lines)):
            before.insert(0, constants.UNPACK.rstrip())
            self.helpers.imports.update({"import base64": None, "import zlib": None})
        text = "\n".join([*before, *whole])
        if "scipy.sparse." in text:
            self.helpers.imports["import scipy.sparse"] = None
        if "special." in text:
            self.helpers.imports["from scipy import special"] = None
        imports = "\n".join(sorted({*self.helpers.imports, "import numpy as np"}, key=_import_order))
        functions = list(self.helpers.definitions.values())
        blocks = [imports]
        if "unpacked(" in text:
            blocks.append("\n" + constants.UNPACK.rstrip())
        blocks += [("\n" if d.startswith("def") else "") + d for d in functions]
        if self.constant_lines:
            blocks.append(
                "\n".join(["", *self.constant_lines]) if functions else "\n".join(self.constant_lines)
            )
        return "\n\n".join(blocks) + "\n\n\n" + "\n".join(whole) + "\n"

    # --- values ----------------------------------------------------------------------------------

    def value(self, atom: Atom, beside: Record | None = None) -> Expression:
        """Write an operand."""
        if isinstance(atom, Literal):
            return self._constant(atom.value, beside)
        record = self.arrangement.inside.get(atom.number)
        return Expression(self.names.of[atom.number]) if record is None else self._spelled(record)

    def _spelled(self, record: Record) -> Expression:
        if any(isinstance(a, Variable) and a.number in self.depths for a in record.inputs):
            loops.check_stacks(self, record)
        args = [self.value(a, record) for a in record.inputs]
        if record.primitive is REGISTRY["scale"] and (self.plain_products or _is_ordinary(record)):
            return Expression(f"{args[0].within(PRODUCT)} * {args[1].within(PRODUCT + 1)}", PRODUCT)
        return spell(record, args, self.helpers)

    def _constant(self, value: Any, beside: Record | None) -> Expression:
        if isinstance(value, np.ndarray):
            text = constants.array(value)
            if value.size <= INLINE or len(text) < 24:
                return Expression(text)
            key = key_of(value)
            if key not in self.constants:
                self.constants[key] = name = f"C{len(self.constants) + 1}"
                self.names.taken.add(name)
                self.constant_lines.append(f"{name} = {text}")
            return Expression(self.constants[key])
        if isinstance(value, np.float64) and beside is not None and _promotes_nothing(beside):
            value = float(value)
        return constants.number(value)

    # --- statements ------------------------------------------------------------------------------

    def give(self, v: Variable, wanted: str = "") -> str:
        """Name a variable that is made now."""
        last = self.arrangement.last.get(v.number, self.now)
        return self.names.give(v.number, self.wanted.get(v.number, wanted), self.now, last)

    def _record(self, record: Record) -> None:
        if is_write(record):
            self._write(record)
            return
        if bodies(record):
            loops.write(self, record)
            return
        text = self._spelled(record).text
        left = ", ".join(self.give(v) for v in record.outputs)
        self.lines.append(
            f"{left or '_'}{',' if len(record.outputs) == 1 and record.primitive.multiple_outputs else ''} = {text}"
        )

    def _write(self, record: Record) -> None:
        """Write into an array: a copy, zeros, or the array itself where nobody reads it any more."""
        out, params = record.outputs[0], record.params
        values = [self.value(a) for a in record.inputs]
        match record.primitive.name:
            case "index_add":
                index, whole = constants.index(params["index"]), constants.setting(params["index"])
                self._add(self._zeros(out), is_basic(params["index"]), index, whole, values[0])
            case "scatter_add":
                template = params["template"]
                whole = f"({filled(template, values[1:], constants.setting)},)"
                self._add(self._zeros(out), False, "", whole, values[0])
            case "put":
                index = filled(params["template"], values[2:])
                self._put(self._target(record, out), out, params["lenses"], index, values[1])
            case _:
                *lenses, (lens, last) = params["path"]
                if last.get("index") is Ellipsis and lenses and "index" in lenses[-1][1]:
                    *lenses, (lens, last) = lenses
                if "index" in last:
                    self._put(
                        self._target(record, out), out, lenses, constants.index(last["index"]), values[1]
                    )
                else:
                    self._put(self._target(record, out), out, [*lenses, (lens, last)], "...", values[1])

    def _zeros(self, out: Variable) -> str:
        name = self.give(out)
        self.lines.append(f"{name} = {constants.array(np.zeros(out.type.shape, out.type.dtype))}")
        return name

    def _target(self, record: Record, out: Variable) -> str:
        """Return the name of the array that is written into."""
        old = record.inputs[0]
        if not out.type.shape:  # a number may stand for it, which cannot be written into
            name = self.give(out)
            self.lines.append(f"{name} = {call('np.array', self.value(old)).text}")
            return name
        if out.number in self.arrangement.in_place:
            assert isinstance(old, Variable)
            name = self.names.of[out.number] = self.names.of[old.number]
            self.names.held[name] = self.arrangement.last.get(out.number, self.now)
            return name
        source = self.value(old)
        name = self.give(out)
        if isinstance(old, Literal) and source.text not in self.constants.values():
            self.lines.append(f"{name} = {source.text}")
        else:
            self.lines.append(f"{name} = {method(source, 'copy').text}")
        return name

    def _add(self, name: str, basic: bool, index: str, whole: str, value: Expression) -> None:
        if basic:
            self.lines.append(f"{name}[{index}] = {value.text}")
        else:
            self.lines.append(f"np.add.at({name}, {whole}, {value.text})")

    def _put(self, name: str, out: Variable, lenses: Any, index: str, value: Expression) -> None:
        """Write through views; through a reshape, which may copy, by the numbers of the elements."""
        if any("shape" in params for _, params in lenses):
            size, shape = out.type.size, out.type.shape
            places = item(path(Expression(f"np.arange({size}).reshape({shape})"), lenses), index)
            self.lines.append(f"places = {places.text}")
            self.lines.append(f"np.put({name}, places, np.broadcast_to({value.text}, places.shape))")
        else:
            self.lines.append(f"{item(path(Expression(name), lenses), index).text} = {value.text}")

    def _guard(self, guard: Guard) -> None:
        found, seen = self.value(guard.variable), np.asarray(guard.value)
        if seen.dtype == bool and not seen.shape:
            test = found.within(ATOM - 1) if not seen else ""
            holds_not = f"not ({found.text})" if seen else test
        elif not seen.shape and seen == seen:
            holds_not = f"{found.within(1)} != {constants.number(seen[()]).text}"
        else:
            nan = ", equal_nan=True" if seen.dtype.kind in "fc" else ""
            holds_not = f"not np.array_equal({found.text}, {constants.array(seen)}{nan})"
        line = guard.line.rpartition(": ")[0] and guard.line.split(": ", 1)[-1]
        message = f"recorded for another path{': ' + line if line else ''}"
        self.lines += [f"if {holds_not}:", f"    raise ValueError({message!r})"]

    def _return(self) -> None:
        text, imports = containers.result(self.tape, [self.value(a) for a in self.tape.outputs])
        self.helpers.imports.update(dict.fromkeys(imports))
        self.lines.append(f"return {text}")


def _promotes_nothing(record: Record) -> bool:
    """Tell whether a NumPy scalar beside an operand can as well be a Python number."""
    if not isinstance(record.primitive, Elementwise) and record.primitive is not REGISTRY["scale"]:
        return False
    return any(isinstance(a, Variable) and a.type.dtype in (np.float64, np.complex128) for a in record.inputs)


def _is_ordinary(record: Record) -> bool:
    """Tell whether a product cannot meet a zero beside an infinity."""
    g, p = record.inputs
    if isinstance(g, Literal) and np.all(g.value):
        return True
    return isinstance(p, Literal) and bool(np.all(np.isfinite(p.value)))


def _import_order(line: str) -> tuple[bool, str]:
    return (line.startswith(("from", "import scipy", "import numpy")), line.split(" ", 1)[1])
