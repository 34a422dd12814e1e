"""Finding where a NaN or an infinity comes from."""

from __future__ import annotations

import linecache
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from funcdiff import errors
from funcdiff.core.mutation import Path
from funcdiff.core.primitive import Primitive
from funcdiff.core.recording import Recorder, TracedArray, innermost
from funcdiff.core.rules import RULES
from funcdiff.core.watching import WATCHER
from funcdiff.transforms.forward import ForwardRecorder
from funcdiff.transforms.record_rules import pull_any
from funcdiff.transforms.reverse import ReverseRecorder
from funcdiff.transforms.sweeps import FIELDS, Recording

__all__ = ["nan_check"]


@contextmanager
def nan_check(*, infinities: bool = True) -> Iterator[None]:
    """Raise where the first NaN or infinity arises while something is differentiated.

    Inside the ``with`` block every function that a transform evaluates, and every reverse sweep, is
    checked operation by operation; the error names the primitive and the user's line.  That is slow;
    outside of the block nothing is checked and nothing is paid.

    Parameters
    ----------
    infinities : bool, default True
        Whether infinities count too, not only NaN.

    Yields
    ------
    None

    Raises
    ------
    NonFiniteError
        In the block, at the first operation that makes a NaN or an infinity from finite operands: in the
        function, in the tangents of forward mode, or in the sweep of reverse mode (where a zero
        cotangent stays zero whatever it is multiplied with).

    Notes
    -----
    An infinity that is masked later, as in ``np.where(x > 0, np.log(x), 0.0)`` at 0, is reported as
    well; move the mask before the operation, or pass ``infinities=False``.

    Examples
    --------
    >>> import numpy as np, funcdiff as fd
    >>> try:
    ...     with fd.debug.nan_check():
    ...         slope = fd.grad(lambda x: np.sqrt(x) * 2.0)(0.0)
    ... except fd.errors.NonFiniteError as error:
    ...     print(str(error).splitlines()[0])
    the reverse sweep made the first inf in the derivative of sqrt
    """
    token = WATCHER.set(Watcher(infinities))
    try:
        yield
    finally:
        WATCHER.reset(token)


class Line(NamedTuple):
    """Which primitive made a record of finite values, and where."""

    name: str
    file: str
    number: int

    def __str__(self) -> str:
        text = linecache.getline(self.file, self.number).strip()
        return f"{self.name}\n  at {self.file}:{self.number}" + (f": {text}" if text else "")


class Watcher:
    """Makes recorders that look at every result."""

    def __init__(self, infinities: bool) -> None:
        self.infinities = infinities
        self.sweeping = 0  # in a sweep rules run on the levels below; the sweep reports for them

    def reverse(self) -> ReverseRecorder:
        """Return a recorder for reverse mode."""
        return WatchedReverseRecorder(self)

    def forward(self, strong: bool) -> ForwardRecorder:
        """Return a recorder for forward mode."""
        return WatchedForwardRecorder(self, strong)

    def recording(self, recorder: Any, *arguments: Any) -> Recording:
        """Return a recording whose sweeps are watched."""
        return WatchedRecording(self, recorder.lines, *arguments)

    def bad(self, x: Any) -> str:
        """Return what is wrong with a value, "" if nothing."""
        if isinstance(x, (tuple, list)):
            return next((b for b in map(self.bad, x) if b), "")
        plain = np.asarray(innermost(x))
        if plain.dtype.kind not in "fc":
            return ""
        if np.isnan(plain).any():
            return "NaN"
        return "inf" if self.infinities and np.isinf(plain).any() else ""

    def check(self, made: Any, operands: Sequence[Any], what: str) -> None:
        """Raise if a result is not finite and the operands are."""
        if self.sweeping:
            return
        found = self.bad(made)
        if found and not self.bad([o for o in operands if o is not None]):
            raise errors.NonFiniteError(errors.at_user_line(what.format(found)))


class _Watched(Recorder):
    """What the two watched recorders share; the fast path is off, so every operation comes here."""

    watcher: Watcher

    def look(self, primitive: Primitive, args: Sequence[Any], out: Any) -> None:
        """Look at what a primitive made of its arguments."""
        self.watcher.check(out, args, f"{primitive.name} made the first {{}}")

    def apply(self, primitive: Primitive, args: Sequence[Any], params: dict[str, Any]) -> Any:
        out = super().apply(primitive, args, params)
        self.look(primitive, args, out)
        return out

    def write(self, x: TracedArray, value: Any, path: Path) -> None:
        super().write(x, value, path)
        if isinstance(self, WatchedReverseRecorder):
            self.note(x, "a write")


class WatchedReverseRecorder(_Watched, ReverseRecorder):
    """Remembers the line of each record too."""

    def __init__(self, watcher: Watcher) -> None:
        super().__init__()
        self.tape = None
        self.watcher = watcher
        self.lines: dict[int, Line] = {}

    def look(self, primitive: Primitive, args: Sequence[Any], out: Any) -> None:
        super().look(primitive, args, out)
        if not self.watcher.bad([*args, out]):  # or its derivative is not the first
            several = isinstance(out, tuple)
            for n, o in enumerate(out if several else (out,)):
                self.note(o, primitive.name, 1 + n if several else 0)

    def note(self, x: Any, name: str, part: int = 0) -> None:
        """Remember where a record was made; the outputs of a record of several follow it as its parts."""
        frame = errors.user_frame()
        if type(x) is TracedArray and x.recorder is self and frame is not None:
            self.lines[x.place - FIELDS * part] = Line(name, frame.f_code.co_filename, frame.f_lineno)


class WatchedForwardRecorder(_Watched, ForwardRecorder):
    """Looks at tangents too."""

    def __init__(self, watcher: Watcher, strong: bool) -> None:
        super().__init__(strong)
        self.forward = False
        self.watcher = watcher

    def look(self, primitive: Primitive, args: Sequence[Any], out: Any) -> None:
        super().look(primitive, args, out)
        mine = [a.place for a in args if type(a) is TracedArray and a.recorder is self]
        for o in out if isinstance(out, tuple) else (out,):
            if type(o) is TracedArray and o.recorder is self and o.place is not None:
                what = f"forward mode made the first {{}} in the derivative of {primitive.name}"
                self.watcher.check(o.place, [*args, *mine], what)


class WatchedRecording(Recording):
    """Looks at every cotangent and tangent of its sweeps."""

    __slots__ = ("lines", "watcher")

    def __init__(self, watcher: Watcher, lines: dict[int, Line], *arguments: Any) -> None:
        super().__init__(*arguments)
        self.watcher = watcher
        self.lines = lines

    def _pull(self, seeds: Sequence[Any], strong: bool) -> list[Any]:
        cot: list[Any] = [None] * self.length
        for place, seed in zip(self.places, seeds, strict=True):
            if place >= 0 and seed is not None:
                cot[place] = seed if cot[place] is None else cot[place] + seed
        it = reversed(self.records)
        for t, v, y, x, j, i, n, rule in zip(it, it, it, it, it, it, it, it):  # noqa: B905
            g = cot[n]
            if g is None:
                continue
            cot[n] = None
            was = self._is_bad(g)
            self._run(RULES[rule].strong_pull, cot, g, i, j, x, y, v, t)
            operands = i if rule is pull_any else (i, j)
            for p in operands:
                if not was and isinstance(p, int) and p >= 0 and (found := self._is_bad(cot[p])):
                    self._refuse("the reverse sweep", found, n)
        return cot[: len(self.inputs)]

    def _push(self, tangents: Sequence[Any], strong: bool) -> list[Any]:
        tan: list[Any] = [None] * self.length
        tan[: len(tangents)] = tangents
        sound = not any(self._is_bad(t) for t in tangents)
        it = iter(self.records)
        for rule, n, i, j, x, y, v, t in zip(it, it, it, it, it, it, it, it):  # noqa: B905
            self._run(RULES[rule].strong_push, tan, n, i, j, x, y, v, t)
            if sound and (found := self._is_bad(tan[n])):
                self._refuse("the sweep forward", found, n)
        return [tan[p] if p >= 0 else None for p in self.places]

    def _is_bad(self, x: Any) -> str:
        if x is None:
            return ""
        return self.watcher.bad(
            [part for part in x if part is not None] if isinstance(x, (tuple, list)) else x
        )

    def _run(self, rule: Any, *fields: Any) -> None:
        self.watcher.sweeping += 1
        try:
            rule(*fields)
        finally:
            self.watcher.sweeping -= 1

    def _refuse(self, sweep: str, found: str, n: int) -> None:
        if n in self.lines and not self.watcher.sweeping:
            raise errors.NonFiniteError(
                f"{sweep} made the first {found} in the derivative of {self.lines[n]}"
            )
