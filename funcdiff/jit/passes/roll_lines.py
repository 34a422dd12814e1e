"""A tape as arrays of numbers, in which repeated blocks are found by comparing."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from funcdiff.core.array_type import ArrayType, type_of
from funcdiff.core.keys import key_of
from funcdiff.core.primitive import REGISTRY
from funcdiff.core.tape import Literal, Record, Tape, Variable
from funcdiff.primitives.indexing import HOLE

REPETITIONS = 4
NEAR = 64  # records between a value and its use that tell places in a block apart
WINDOW = 16
PERIODS = 12
LITERAL = 1 << 40
PYTHON = frozenset([bool, int, float, complex])
_SINGLE = (HOLE,)
_NONE: tuple[Any, list[Any]] = (None, [])
_PLAIN: tuple[Any, int, list[Any]] = (None, 0, [])
_ODD = np.uint64(0x9E3779B97F4A7C15)
_PRIME = np.uint64(0xD6E8FEB86659FD93)


class Lines:
    """A tape as arrays: a token per record, and a code per operand.

    A token says what a record does.  The code of a variable is the place of its making among all outputs of
    records (inputs come before, below 0); the code of a literal is `LITERAL` plus its place in `literals`.

    Attributes
    ----------
    slots, outs : array
        The first operand and the first output of each record, among those of all.
    """

    def __init__(self, tape: Tape) -> None:
        records = tape.records
        self.tape = tape
        settings = _Settings()
        found = [settings.of(r) if r.params else _PLAIN for r in records]
        self.templates = [template for template, _, _ in found]
        operands = [
            (*r.inputs, *integers) if integers else r.inputs
            for r, (_, _, integers) in zip(records, found, strict=True)
        ]
        self.made_at: list[Variable] = [v for r in records for v in r.outputs]
        self.slots = _edges([len(o) for o in operands])
        self.outs = _edges([len(r.outputs) for r in records])
        self.users = np.repeat(np.arange(len(records)), np.diff(self.slots))  # of operands
        flat: list[Any] = [a for o in operands for a in o]
        names = np.array([a.number if type(a) is Variable else -1 for a in flat], np.int64)
        places = np.flatnonzero(names < 0)
        self.literals = [a.value if type(a) is Literal else a for a in map(flat.__getitem__, places.tolist())]
        self.code_of = {v.number: n for n, v in enumerate((*tape.inputs, *self.made_at), -len(tape.inputs))}
        codes = np.zeros(1 + max(self.code_of, default=0), np.int64)  # by the numbers of variables
        codes[list(self.code_of)] = list(self.code_of.values())
        self.codes = codes[names]
        self.codes[places] = LITERAL + np.arange(len(places))
        self.guard_codes = codes[[g.variable.number for g in tape.guards]]
        self.tokens = self._tokens([number for _, number, _ in found], places)

    def _tokens(self, settings: list[int], places: Any) -> Any:
        """Return the tokens, of the numbers of settings and the places of literals among the operands."""
        kinds: dict[Any, int] = {}
        operands = np.full(len(self.codes), -1)
        operands[places] = [
            _number(kinds, type(x) if type(x) in PYTHON else type_of(x)) for x in self.literals
        ]
        types = {id(v.type): v.type for v in self.made_at}  # many share one
        number_of = {n: _number(kinds, kind) for n, kind in types.items()}
        outputs = np.array([number_of[id(v.type)] for v in self.made_at], np.int64)
        parts = (
            np.array([id(r.primitive) for r in self.tape.records], np.uint64),
            np.array(settings, np.uint64),
            _hashed(operands, self.slots),
            _hashed(outputs, self.outs),
        )
        return sum(x * _ODD**n for n, x in enumerate(parts))

    def regions(self) -> list[tuple[int, int, int]]:
        """Return (start, period, repetitions) of what may be loops, in order and apart from each other."""
        found = []
        for period in self._periods():
            for start, stop in self._alike(period):
                repetitions = (stop - start) // period + 1
                if repetitions >= REPETITIONS:
                    found.append((start, period, repetitions, stop + period))
        found.sort(key=lambda r: (-(r[2] - 1) * r[1], r[1]))
        taken: list[tuple[int, int, int, int]] = []
        for region in found:
            if all(region[3] <= other[0] or region[0] >= other[3] for other in taken):
                taken.append(region)
        return [(start, period, n) for start, period, n, _ in sorted(taken)]

    def _periods(self) -> list[int]:
        """Return the commonest distances between windows that are alike."""
        tokens = self._local_tokens()
        window = min(WINDOW, max(1, len(tokens) // (2 * REPETITIONS)))
        weights = _ODD ** np.arange(1, window + 1, dtype=np.uint64)
        count = len(tokens) - window + 1
        windows = np.zeros(count, np.uint64)
        for n in range(window):
            windows += tokens[n : n + count] * weights[n]
        order = np.argsort(windows, kind="stable")
        alike = windows[order][1:] == windows[order][:-1]
        distances = (order[1:] - order[:-1])[alike]
        return [int(d) for d, _ in Counter(distances.tolist()).most_common(PERIODS) if d > 0]

    def _local_tokens(self) -> Any:
        """Return tokens that tell how far back operands are made, where that is near."""
        makers = np.repeat(np.arange(len(self.tokens)), np.diff(self.outs))
        variable = (self.codes >= 0) & (self.codes < LITERAL)
        distance = np.zeros(len(self.codes), np.int64)
        distance[variable] = self.users[variable] - makers[self.codes[variable]]
        distance[distance >= NEAR] = 0
        return self.tokens + _ODD * _hashed(distance, self.slots)

    def _alike(self, period: int) -> list[tuple[int, int]]:
        """Return the stretches whose records do what those one period on do, to operands that go along.

        An operand is the same in both, or as far on as they are, or goes on by a constant step.
        """
        count = max(len(self.tokens) - period, 0)
        same = self.tokens[:count] == self.tokens[period:]
        for start, stop in _stretches(same):
            if stop - start < (REPETITIONS - 1) * period:
                same[start:stop] = False
        here = np.flatnonzero(same[self.users[: self.slots[count]]])
        user = self.users[here]
        there = here + (self.slots[user + period] - self.slots[user])
        step = self.codes[there] - self.codes[here]
        steady = (
            (self.codes[here] >= LITERAL) | (step == 0) | (step == self.outs[user + period] - self.outs[user])
        )
        steps = np.full(len(self.codes), LITERAL)  # no step of a variable
        steps[here] = step
        constant = ~steady & (step == steps[there])
        good = np.ones(len(self.codes), bool)
        good[here] = steady
        good[here[constant]] = good[there[constant]] = True
        same[self.users[~good]] = False
        return [r for r in _stretches(same) if r[1] - r[0] >= (REPETITIONS - 1) * period]

    def uses(self) -> tuple[Any, Any]:
        """Return, for every output, the last record that reads it, and whether a guard asks for it.

        What the tape returns is read one past its end.
        """
        last = np.full(len(self.made_at), -1)
        variable = (self.codes >= 0) & (self.codes < LITERAL)
        last[self.codes[variable]] = self.users[variable]  # later ones overwrite
        for v in self.tape.outputs:
            if isinstance(v, Variable) and self.code_of[v.number] >= 0:
                last[self.code_of[v.number]] = len(self.tape.records)
        asked = np.zeros(len(last), bool)
        asked[self.guard_codes[self.guard_codes >= 0]] = True
        return last, asked


def _stretches(flags: Any) -> list[tuple[int, int]]:
    """Return where flags are set, as (start, stop)."""
    edges = np.diff(flags.astype(np.int8), prepend=0, append=0)
    return list(zip(*(np.flatnonzero(edges == e).tolist() for e in (1, -1)), strict=True))


def _edges(sizes: list[int]) -> Any:
    """Return where parts of these sizes begin and end."""
    return np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])


def _hashed(numbers: Any, edges: Any) -> Any:
    """Return a hash of the numbers of each part."""
    sizes = np.diff(edges)
    offset = np.arange(len(numbers)) - np.repeat(edges[:-1], sizes)
    powers = np.cumprod(np.full(max(sizes, default=0), _PRIME))
    sums = np.concatenate(
        [np.zeros(1, np.uint64), np.cumsum((numbers + 2).astype(np.uint64) * powers[offset])]
    )
    return sums[edges[1:]] - sums[edges[:-1]]


def _number(kinds: dict[Any, int], kind: Any) -> int:
    """Return the number of a type of arrays, or of numbers of Python's."""
    key = (kind.shape, id(kind.dtype)) if type(kind) is ArrayType else kind  # dtypes of numbers exist once
    return kinds.setdefault(key, len(kinds))


class _Settings:
    """Numbers of the params of records, equal where they are but for the integers of an index."""

    def __init__(self) -> None:
        self.numbers: dict[Any, int] = {}
        self.of_object: dict[int, Any] = {}
        self.getitem = REGISTRY["getitem"]

    def of(self, record: Record) -> tuple[Any, int, list[Any]]:
        """Return an index without its integers, or None; the number of the params; those integers."""
        index = record.params.get("index")
        if type(index) is int and record.primitive is self.getitem:
            return _SINGLE, 1, [index]
        found = self.of_object.get(id(record.params))
        if found is None:
            template, integers = template_of(record)
            key = key_of_params(record.params) if template is None else ("template", key_of(template))
            number = self.numbers.setdefault(key, 2 + len(self.numbers))
            found = self.of_object[id(record.params)] = template, number, integers
        return found


def key_of_params(params: dict[str, Any]) -> Any:
    """Return a key that is equal for equal settings; the bodies of loops are equal if they do the same."""
    return tuple((k, key_of_body(v) if isinstance(v, Tape) else key_of(v)) for k, v in sorted(params.items()))


def key_of_body(body: Tape) -> Any:
    """Return a key that is equal for bodies that do the same to the same inputs."""
    places: dict[int, int] = {}
    for v in (*body.inputs, *(v for r in body.records for v in r.outputs)):
        places[v.number] = len(places)

    def key(atom: Any) -> Any:
        return ("literal", key_of(atom.value)) if isinstance(atom, Literal) else places[atom.number]

    steps = tuple(
        (
            r.primitive,
            tuple(map(key, r.inputs)),
            key_of_params(r.params),
            tuple((v.type.shape, v.type.dtype.char) for v in r.outputs),
        )
        for r in body.records
    )
    inputs = tuple((v.type.shape, v.type.dtype.char) for v in body.inputs)
    return inputs, steps, tuple(map(key, body.outputs))


def template_of(record: Record) -> tuple[Any, list[Any]]:
    """Return an index without its integers, and those; (None, []) where a record has no plain index."""
    index = _index(record)
    if index is None:
        return _NONE
    items = index if type(index) is tuple else (index,)
    if not all(type(i) in (int, np.int64, slice) for i in items):
        return _NONE
    numbers = [int(i) for i in items if type(i) is not slice]
    if not numbers:
        return _NONE
    return tuple(i if type(i) is slice else HOLE for i in items), numbers


def _index(record: Record) -> Any:
    if record.primitive is REGISTRY["getitem"]:
        return record.params["index"]
    if record.primitive is REGISTRY["update_at"] and len(record.params["path"]) == 1:
        return record.params["path"][0][1].get("index")
    return None
