"""Names from the user's program: what the statement that a record comes from assigns to."""

from __future__ import annotations

import ast
import keyword
import re
from collections.abc import Sequence
from functools import lru_cache

from funcdiff import errors
from funcdiff.core.tape import Record, Tape

_WHERE = re.compile(r"(?P<file>.*?):(?P<number>\d+)(?:: .*)?", re.DOTALL)
RESERVED = (*keyword.kwlist, "np", "scipy", "special", "base64", "zlib", "unpacked", "places")
_FOLDERS = re.compile(r"^[^:]*[/\\](?=[^/\\:]*:\d+)")
LONGEST = 40  # characters of a function's name
Place = tuple[str, int, int]
"""A statement: its file, first and last line."""


def user_names(tape: Tape) -> dict[int, str]:
    """Return, for the numbers of some variables, the names they have in the user's program.

    Consecutive records from one statement belong together, and the last of them makes what the statement
    assigns.  Where the same steps come several times in a row, the statement ran several times.
    """
    called_from = statement_at(tape.line)
    names: dict[int, str] = {}
    start = 0
    places = [statement_at(record.line) for record in tape.records]
    for n in range(1, len(places) + 1):
        if n == len(places) or places[n] != places[start]:
            place = places[start]
            if place is not None and place != called_from:
                targets = _targets(place)
                for run in _runs(tape.records[start:n]):
                    names.update(_named(run[-1], targets))
            start = n
    return names


def _named(record: Record, targets: tuple[str, ...]) -> dict[int, str]:
    if len(targets) != len(record.outputs):
        return {}
    return {v.number: name for v, name in zip(record.outputs, targets, strict=True) if name}


def _runs(records: Sequence[Record]) -> list[Sequence[Record]]:
    """Part records that repeat the same steps into their repetitions."""
    steps = [record.primitive.name for record in records]
    total = len(steps)
    for period in range(1, total // 2 + 1):
        if total % period == 0 and all(steps[n] == steps[n - period] for n in range(period, total)):
            return [records[n : n + period] for n in range(0, total, period)]
    return [records]


def statement_at(line: str) -> Place | None:
    """Return the innermost statement that a line belongs to."""
    found = _WHERE.fullmatch(line)
    if found is None:
        return None
    file, number = found["file"], int(found["number"])
    inside = [s for s in _statements(file, len(errors.source_lines(file))) if s[1] <= number <= s[2]]
    return min(inside, key=lambda s: s[2] - s[1], default=None)


def text_of(place: Place) -> str:
    """Return the first line of a statement."""
    lines = errors.source_lines(place[0])
    return lines[place[1] - 1].strip() if place[1] <= len(lines) else ""


def function_at(line: str) -> str:
    """Return the name of the innermost function that a line belongs to."""
    found = _WHERE.fullmatch(line)
    if found is None:
        return ""
    file, number = found["file"], int(found["number"])
    inside = [
        node
        for node in _parsed(file, len(errors.source_lines(file)))
        if isinstance(node, ast.FunctionDef) and node.lineno <= number <= (node.end_lineno or 0)
    ]
    return inside[-1].name if inside else ""


@lru_cache(maxsize=64)
def _parsed(file: str, _lines: int) -> tuple[ast.stmt, ...]:
    try:
        tree = ast.parse("".join(errors.source_lines(file)))
    except (SyntaxError, ValueError):
        return ()
    return tuple(node for node in ast.walk(tree) if isinstance(node, ast.stmt))


@lru_cache(maxsize=64)
def _statements(file: str, lines: int) -> tuple[Place, ...]:
    return tuple((file, node.lineno, node.end_lineno or node.lineno) for node in _parsed(file, lines))


def _targets(place: Place) -> tuple[str, ...]:
    """Return the names that a statement assigns to, empty where it assigns to something else."""
    file, first, last = place
    for node in _parsed(file, len(errors.source_lines(file))):
        if (node.lineno, node.end_lineno) == (first, last):
            if isinstance(node, ast.Assign) and len(node.targets) == 1:
                target = node.targets[0]
                parts = target.elts if isinstance(target, (ast.Tuple, ast.List)) else [target]
                return tuple(map(_name, parts))
            if isinstance(node, (ast.AugAssign, ast.AnnAssign)):
                return (_name(node.target),)
    return ()


def _name(target: ast.expr) -> str:
    """Return the variable that is assigned to, or written into."""
    while isinstance(target, (ast.Subscript, ast.Attribute)):
        target = target.value
    return target.id if isinstance(target, ast.Name) else ""


def identifier(text: str, otherwise: str = "f") -> str:
    """Turn a text into a name: ``grad(f)`` into ``grad_f``."""
    text = without_scope(text.partition("\n")[0])
    if not text.isidentifier():
        text = re.sub(r"\W+", "_", text.replace("<lambda>", "f")).strip("_")
    if not text or len(text) > LONGEST or not text.isidentifier() or keyword.iskeyword(text):
        return f"{otherwise}_{text}" if text and text[0].isdigit() and len(text) <= LONGEST else otherwise
    return text


def without_scope(name: str) -> str:
    """Drop the functions that a function was defined in from its name."""
    return re.sub(r"[\w.<>]*<locals>\.", "", name)


def without_folders(line: str) -> str:
    """Drop the folders from ``folder/file.py:3: y = f(x)``: they mean nothing elsewhere."""
    return _FOLDERS.sub("", line)


class Names:
    """Gives names: a name is free again once nobody needs what it holds."""

    def __init__(self, taken: Sequence[str]) -> None:
        self.taken = set(taken)
        self.held: dict[str, int] = {}  # name -> the last statement that reads what it holds
        self.of: dict[int, str] = {}
        self.temporaries = 0

    def give(self, number: int, wanted: str, now: int, last: int) -> str:
        """Name a variable that statement `now` makes and statement `last` reads last."""
        name = wanted or self._temporary()
        base, n = name, 2
        while name in self.taken or self.held.get(name, -1) > now:
            name, n = f"{base}_{n}", n + 1
        self.held[name] = last
        self.of[number] = name
        return name

    def _temporary(self) -> str:
        while True:
            self.temporaries += 1
            name = f"t{self.temporaries}"
            if name not in self.taken and name not in self.held:
                return name
