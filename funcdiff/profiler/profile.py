"""`profile`: take the time of what transforms do."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

from funcdiff.core.watching import WATCHER
from funcdiff.profiler.events import Event
from funcdiff.profiler.flame import to_svg
from funcdiff.profiler.recorders import Clock
from funcdiff.profiler.tables import Averages, seconds


class Profile:
    """What `profile` has seen; notebooks show it as a flame picture.

    Attributes
    ----------
    wall_time : float
        Seconds from the start of the ``with`` block to its end.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.wall_time = 0.0

    @property
    def events(self) -> list[Event]:
        """Every operation, in the order of their starts."""
        return self._clock.events

    def key_averages(self, group_by: str = "primitive") -> Averages:
        """Add up the operations.

        Parameters
        ----------
        group_by : {"primitive", "line", "function"}
            What is added up: operations of the same primitive, of the same line of the user's program, or
            of the same function of it.

        Returns
        -------
        Averages
            A sequence of rows with ``key``, ``calls``, ``self_time``, ``total_time``, ``forward_time``,
            ``reverse_time`` and ``bytes``; ``table(sort_by=..., group_by=...)`` writes them.

        Raises
        ------
        UnsupportedError
            If `group_by` is not one of these.
        """
        return Averages(self.events, group_by)

    def export_chrome_trace(self, path: str | os.PathLike[str]) -> None:
        """Write the operations as a file that the tracing pages of browsers read (``chrome://tracing``, Perfetto).

        Parameters
        ----------
        path : path
            Name of the file, by custom ending in ``.json``.
        """
        first = min((e.start for e in self.events), default=0)
        threads = {t: n for n, t in enumerate(dict.fromkeys(e.thread for e in self.events))}
        events: list[dict[str, Any]] = [
            {
                "name": e.name,
                "cat": e.phase,
                "ph": "X",
                "ts": (e.start - first) / 1000,
                "dur": e.total / 1000,
                "pid": 0,
                "tid": threads[e.thread],
                "args": {"line": str(e.place), "function": e.place.function, "bytes": e.bytes},
            }
            for e in self.events
        ]
        Path(path).write_text(json.dumps({"traceEvents": events, "displayTimeUnit": "ms"}), encoding="utf-8")

    def flame(self) -> str:
        """Draw where the time went, as SVG: by phase, function, line and primitive.

        Returns
        -------
        str
            SVG text; notebooks show it for the profile itself.
        """
        return to_svg(self.events)

    def _repr_svg_(self) -> str:
        return self.flame()

    def __repr__(self) -> str:
        return f"<Profile: {len(self.events)} operations in {seconds(self.wall_time)}>"


@contextmanager
def profile() -> Iterator[Profile]:
    """Take the time of every operation that transforms evaluate, and of the sweeps.

    Inside the ``with`` block, the operations of functions under `grad`, `jacobian`, `jvp` and the other
    transforms are timed one by one, and put down to the primitive and to the line of the user's program;
    those of reverse sweeps to the line whose derivative they are.

    Yields
    ------
    Profile
        To be read after the block: ``key_averages().table()``, ``export_chrome_trace(path)``, ``flame()``.

    Notes
    -----
    Timing costs some 5 µs for each operation, most of which falls outside of the times that are taken;
    operations on arrays of a few thousand elements are slower than that themselves.  Outside of the block
    nothing is paid.  What no transform evaluates, plain NumPy and compiled functions, is not seen.

    Examples
    --------
    >>> import numpy as np, funcdiff as fd
    >>> def loss(w, x):
    ...     h = np.tanh(x @ w)
    ...     return np.mean(h ** 2)
    >>> with fd.profiler.profile() as p:
    ...     slope = fd.grad(loss)(np.ones((4, 3)), np.ones((5, 4)))
    >>> [(row.key, row.calls) for row in sorted(p.key_averages(), key=lambda row: row.key)]
    [('divide', 2), ('matmul', 2), ('power', 2), ('sum', 2), ('tanh', 2)]
    >>> table = p.key_averages().table(sort_by="calls", group_by="line")
    """
    clock = Clock()
    found = Profile(clock)
    token = WATCHER.set(clock)
    start = perf_counter()
    try:
        yield found
    finally:
        WATCHER.reset(token)
        found.wall_time = perf_counter() - start
