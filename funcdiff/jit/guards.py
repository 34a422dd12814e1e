"""The recorded paths of one signature, as a tree of what Python's control flow saw.

Paths that agree in what their first guards saw share nodes.  A call runs the path that was right last;
where one of its guards does not hold, the tree leads to a path that saw what has been found there, or
says that there is none yet.
"""

from __future__ import annotations

import threading
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import accumulate
from typing import Any

import numpy as np

from funcdiff import errors
from funcdiff.core.tape import Tape
from funcdiff.core.trees import flatten
from funcdiff.jit.program import Program
from funcdiff.jit.source import Miss

LIMIT = 64  # paths kept per signature


class Path:
    """A program, and what its guards ask for."""

    def __init__(self, program: Program, out_tree: Any, is_free: bool = False) -> None:
        self.program = program
        self.out_tree = out_tree
        self.is_free = is_free  # whether loops in it take any number of steps
        guards = program.recorded.guards
        seen = [guard.answers or (_key(guard.value),) for guard in guards]
        self.keys = tuple(key for answers in seen for key in answers)
        self.lines = [guard.line for guard, answers in zip(guards, seen, strict=True) for _ in answers]
        self._first = list(accumulate(map(len, seen), initial=0))
        self._guards: Program | None = None

    def met(self, miss: Miss) -> tuple[int, Any]:
        """Return the place of the first key that is another, and that key."""
        place, answers = self._first[miss.index], self.program.recorded.guards[miss.index].answers
        if not answers:
            return place, _key(miss.value)
        agreeing = int(miss.value)
        return place + agreeing, not answers[agreeing]

    def check(self, *leaves: Any) -> Any:
        """Compute no more than what the guards need; return a tuple, or a `Miss`."""
        if not self.keys:
            return ()
        if self._guards is None:
            self._guards = Program(_guards_only(self.program.recorded), self.program.backend)
        return self._guards(*leaves)


def _guards_only(tape: Tape) -> Tape:

    return replace(tape, outputs=(), out_tree=flatten([])[1])


class _Node:
    __slots__ = ("children", "line", "recent")

    def __init__(self) -> None:
        self.children: dict[Any, _Node] = {}
        self.recent: Path | None = None
        self.line = ""


class Paths:
    """The tree, and beside it the paths with loops that take any number of steps: their guards tell nothing of others."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.root = _Node()
        self.order: dict[Path, None] = {}  # least recently used first
        self.free: dict[Path, None] = {}  # those beside the tree, likewise
        self.recent: Path | None = None
        self.warned = False
        self.wasted = 0  # how often lately a recorded path was not met again
        self.lock = threading.Lock()

    @property
    def thrashing(self) -> bool:
        """Tell whether recording has become a waste: hardly any path is met twice."""
        return self.wasted > LIMIT

    def find(self, run: Callable[[Path], Any]) -> tuple[Path, Any] | None:
        """Return the path whose guards hold, and what running it gave; None if there is no such path."""
        for free in reversed(list(self.free)):
            out = run(free)
            if type(out) is not Miss:
                return self._found(free, out)
        path = self.root.recent
        agreed = -1
        while path is not None:
            out = run(path)
            if type(out) is not Miss:
                return self._found(path, out)
            place, key = path.met(out)
            if place <= agreed:  # cannot be, as both paths compute alike up to there
                return None
            agreed = place
            path = self._other(path, place, key)
        return None

    def _found(self, path: Path, out: Any) -> tuple[Path, Any]:
        if path is not self.recent:
            with self.lock:
                self._use(path)
        if self.wasted:
            self.wasted -= 1
        return path, out

    def _other(self, path: Path, place: int, found: Any) -> Path | None:
        """Return the last used path that agrees with another up to a key, and there with what was found."""
        node: _Node | None = self.root
        for key in (*path.keys[:place], found):
            if node is None:
                return None
            node = node.children.get(key)
        return None if node is None else node.recent

    def add(self, path: Path) -> None:
        """Enter a path, and drop the one used least recently if there are too many."""
        with self.lock:
            full = len(self.order) >= LIMIT
            if full:
                self.wasted += 2  # one is taken off by every path that is met again
                culprit = self._culprit()
                self._drop(next(iter(self.order)))
            self._use(path)
        if full and not self.warned:
            self.warned = True
            self._warn(culprit)

    def _use(self, path: Path) -> None:
        self.recent = path
        self.order.pop(path, None)
        self.order[path] = None
        if path.is_free:
            self.free.pop(path, None)
            self.free[path] = None
            return
        node = self.root
        node.recent = path
        for key, line in zip(path.keys, path.lines, strict=True):
            node.line = line
            node = node.children.setdefault(key, _Node())
            node.recent = path

    def _drop(self, path: Path) -> None:
        self.order.pop(path, None)
        if path.is_free:
            self.free.pop(path, None)
            return
        trail = [self.root]
        for key in path.keys:
            child = trail[-1].children.get(key)
            if child is None:
                return
            trail.append(child)
        for parent, key in zip(reversed(trail[:-1]), reversed(path.keys), strict=True):
            child = parent.children[key]
            if child.recent is path:
                child.recent = next((c.recent for c in child.children.values() if c.recent), None)
                if child.recent is None:
                    del parent.children[key]

    def _culprit(self) -> str:
        """Return the line at which paths part most often."""
        counts: Counter[str] = Counter()
        nodes = [self.root]
        while nodes:
            node = nodes.pop()
            counts[node.line] += max(0, len(node.children) - 1)
            nodes.extend(node.children.values())
        return max(counts, key=lambda name: counts[name])

    def _warn(self, line: str) -> None:
        warnings.warn(
            errors.at_user_line(
                f"jit of {self.name} has recorded more than {LIMIT} paths of Python's control flow, most of them "
                f"by what it asks for at {line or 'a line that is not known'}. Every new path is recorded and "
                "compiled, and the one used least recently is dropped. Select values with np.where, or pass what is "
                "asked for as a static argument."
            ),
            errors.PerformanceWarning,
            stacklevel=2,
        )


def _key(value: Any) -> Any:
    """Return something hashable that is equal for values between which no guard tells a difference."""
    value = np.asarray(value)
    if value.dtype.kind == "b" and not value.shape:
        return bool(value)
    return (value.shape, value.dtype.str, (value + 0 if value.dtype.kind in "fc" else value).tobytes())
