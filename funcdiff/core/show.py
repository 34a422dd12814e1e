"""How a tape reads."""

from __future__ import annotations

from typing import Any

import numpy as np

from funcdiff.core.tape import Atom, Guard, Literal, Record, Tape, bodies


def show(tape: Tape) -> str:
    """Return a typed listing of a tape."""
    names = dict(zip((v.number for v in tape.inputs), tape.input_names, strict=False))
    header = ", ".join(_named(v, names) + f": {v.type}" for v in tape.inputs)
    return "\n".join([f"tape {tape.name}({header}):", *_steps(tape, names)])


def _steps(tape: Tape, names: dict[int, str]) -> list[str]:
    """Return the indented lines of records, guards and outputs."""
    lines = []
    guards = list(tape.guards)
    for position, record in enumerate(tape.records):
        while guards and guards[0].position == position:
            lines.append("  " + show_guard(guards.pop(0), names))
        lines.append("  " + show_record(record, names))
        for name, body in bodies(record).items():
            header = ", ".join(f"{v}: {v.type}" for v in body.inputs)
            lines.append(f"    {name}({header}):")
            lines += ["    " + line for line in _steps(body, {})]
    lines += ["  " + show_guard(guard, names) for guard in guards]
    lines.append("  return " + (", ".join(_atom(a, names) for a in tape.outputs) or "nothing"))
    return lines


def show_record(record: Record, names: dict[int, str]) -> str:
    """Return one line: typed outputs, primitive, inputs, params."""
    outputs = ", ".join(f"{v}: {v.type}" for v in record.outputs)
    inputs = [_atom(a, names) for a in record.inputs]
    hidden = bool(bodies(record))  # what does not apply to this loop
    params = [
        f"at={_path(value)}" if key == "path" else f"{key}={_param(value)}"
        for key, value in record.params.items()
        if not isinstance(value, Tape) and not (hidden and (value is None or value is False))
    ]
    return f"{outputs} = {record.primitive.name}({', '.join(inputs + params)})"


def show_guard(guard: Guard, names: dict[int, str]) -> str:
    """Return one line that says what Python's control flow saw."""
    value = np.asarray(guard.value)
    shown = str(value) if value.size <= 6 else f"{value.dtype.name}[{','.join(map(str, value.shape))}]"
    return f"guard {_named(guard.variable, names)} == {shown}" + (f"    # {guard.line}" if guard.line else "")


def neighbourhood(tape: Tape, position: int, width: int = 3) -> str:
    """Return the records around one, which is marked, and the user's line of it."""
    names = dict(zip((v.number for v in tape.inputs), tape.input_names, strict=False))
    lines = []
    for n in range(max(0, position - width), min(len(tape.records), position + width + 1)):
        mark = "->" if n == position else "  "
        line = f"    # {tape.records[n].line}" if n == position and tape.records[n].line else ""
        lines.append(f"  {mark} {show_record(tape.records[n], names)}{line}")
    return "\n".join(lines)


def _named(variable: Any, names: dict[int, str]) -> str:
    return names.get(variable.number, str(variable))


def _atom(atom: Atom, names: dict[int, str]) -> str:
    if not isinstance(atom, Literal):
        return _named(atom, names)
    value = atom.value
    if np.ndim(value) == 0:
        return repr(value.item() if hasattr(value, "item") else value)
    if np.size(value) <= 6:
        return np.array2string(np.asarray(value), separator=", ").replace("\n", "")
    return f"{np.asarray(value).dtype.name}[{','.join(map(str, np.shape(value)))}]{{…}}"


def _path(path: Any) -> str:
    """Write a path of lenses as NumPy would be asked for it."""
    text = ""
    for function, params in path:
        if "index" in params:
            shown = _param(params["index"])
            text += f"[{shown[1:-1] if isinstance(params['index'], tuple) else shown}]"
        else:
            text += f".{function.__name__}({', '.join(_param(value) for value in params.values())})"
    return text


def _param(value: Any) -> str:
    if isinstance(value, slice):
        parts = ["" if p is None else str(p) for p in (value.start, value.stop)]
        return ":".join(parts) + (f":{value.step}" if value.step is not None else "")
    if value is Ellipsis:
        return "..."
    if isinstance(value, tuple):
        return "(" + ", ".join(map(_param, value)) + ("," if len(value) == 1 else "") + ")"
    if isinstance(value, np.ndarray) and value.size > 6:
        return f"{value.dtype.name}[{','.join(map(str, value.shape))}]{{…}}"
    if callable(value) and hasattr(value, "__name__"):
        return str(value.__name__)
    return str(value).replace("\n", "")
