"""Events added up by primitive, or by the user's line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from funcdiff import errors
from funcdiff.profiler.events import REVERSE, Event

SORTS: dict[str, Callable[[Row], float]] = {
    "self_time": lambda row: -row.self_time,
    "total_time": lambda row: -row.total_time,
    "forward_time": lambda row: -row.forward_time,
    "reverse_time": lambda row: -row.reverse_time,
    "calls": lambda row: -row.calls,
    "bytes": lambda row: -row.bytes,
}
GROUPS: dict[str, Callable[[Event], str]] = {
    "primitive": lambda event: event.name,
    "line": lambda event: str(event.place) if event.place.file else "(no line)",
    "function": lambda event: event.place.function or "(no function)",
}


@dataclass
class Row:
    """What the events of one name have taken together; times are in seconds.

    Attributes
    ----------
    key : str
        The primitive, line or function.
    calls : int
        How many operations.
    self_time, total_time : float
        Without and with the operations within them.
    forward_time, reverse_time : float
        Self time in the evaluation of functions, and in the sweeps back.
    bytes : int
        Of all results.
    """

    key: str
    calls: int = 0
    self_time: float = 0.0
    total_time: float = 0.0
    forward_time: float = 0.0
    reverse_time: float = 0.0
    bytes: int = 0

    def add(self, event: Event, outermost: bool) -> None:
        """Add an event; its total counts only if none of this name stands around it."""
        own = event.own * 1e-9
        self.calls += 1
        self.self_time += own
        if event.phase == REVERSE:
            self.reverse_time += own
        else:
            self.forward_time += own
        if outermost:
            self.total_time += event.total * 1e-9
        self.bytes += event.bytes


class Averages(Sequence[Row]):
    """Rows of a profile, to be printed as a table."""

    def __init__(self, events: Iterable[Event], group_by: str = "primitive") -> None:
        check("group_by", group_by, GROUPS)
        self._events = list(events)
        self._group_by = group_by
        self._rows = sorted(_rows(self._events, GROUPS[group_by]), key=SORTS["self_time"])

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, n: int) -> Row:  # type: ignore[override]
        return self._rows[n]

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows)

    def table(self, sort_by: str = "self_time", group_by: str | None = None, row_limit: int = 30) -> str:
        """Write the rows as a table.

        Parameters
        ----------
        sort_by : {"self_time", "total_time", "forward_time", "reverse_time", "calls", "bytes"}
            What the largest come first of.
        group_by : {"primitive", "line", "function"}, optional
            What is added up; as it was asked for in `key_averages` by default.
        row_limit : int, default 30
            How many rows are written.

        Returns
        -------
        str
            The table, with a line for the sum.

        Raises
        ------
        UnsupportedError
            If `sort_by` or `group_by` is not one of these.
        """
        check("sort_by", sort_by, SORTS)
        group_by = group_by or self._group_by
        check("group_by", group_by, GROUPS)
        rows = sorted(_rows(self._events, GROUPS[group_by]), key=SORTS[sort_by])
        return _table(rows, group_by, row_limit)

    def __str__(self) -> str:
        return self.table()


def check(name: str, value: str, known: Iterable[str]) -> None:
    """Refuse a setting that is not known."""
    if value not in known:
        words = errors.enumerate_words([repr(k) for k in known], "or")
        raise errors.UnsupportedError(f"profile: {name} is {words}, not {value!r}")


def _rows(events: Sequence[Event], key: Callable[[Event], str]) -> list[Row]:
    rows: dict[str, Row] = {}
    around: list[tuple[str, int, int]] = []  # names of the events that are open: (name, stop, thread)
    for event in events:
        name = key(event)
        around = [a for a in around if a[1] >= event.stop and a[2] == event.thread]
        outermost = all(a[0] != name for a in around)
        rows.setdefault(name, Row(name)).add(event, outermost)
        around.append((name, event.stop, event.thread))
    return list(rows.values())


def _table(rows: Sequence[Row], group_by: str, limit: int) -> str:
    total = sum(r.self_time for r in rows) or 1.0
    head = [group_by, "calls", "self", "self %", "total", "forward", "reverse", "bytes"]
    lines = [
        [
            r.key if len(r.key) <= 60 else r.key[:59] + "…",
            str(r.calls),
            seconds(r.self_time),
            f"{100 * r.self_time / total:.1f}",
            seconds(r.total_time),
            seconds(r.forward_time),
            seconds(r.reverse_time),
            size(r.bytes),
        ]
        for r in rows[:limit]
    ]
    whole = [
        "sum" if len(rows) <= limit else f"sum, with {len(rows) - limit} more rows",
        str(sum(r.calls for r in rows)),
        seconds(sum(r.self_time for r in rows)),
        "100.0" if rows else "0.0",
        "",
        seconds(sum(r.forward_time for r in rows)),
        seconds(sum(r.reverse_time for r in rows)),
        size(sum(r.bytes for r in rows)),
    ]
    widths = [max(len(line[n]) for line in (head, *lines, whole)) for n in range(len(head))]

    def written(cells: Sequence[str]) -> str:
        first = cells[0].ljust(widths[0])
        return "  ".join([first, *(c.rjust(w) for c, w in zip(cells[1:], widths[1:], strict=True))]).rstrip()

    rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
    return "\n".join([written(head), rule, *map(written, lines), rule, written(whole)])


def seconds(t: float) -> str:
    """Write a time."""
    if t == 0:
        return "0"
    if t < 1e-3:
        return f"{t * 1e6:.1f} µs"
    return f"{t * 1e3:.2f} ms" if t < 1 else f"{t:.3f} s"


def size(n: int) -> str:
    """Write a number of bytes."""
    for unit in ("B", "kB", "MB"):
        if n < 1000:
            return f"{n:.0f} {unit}" if unit == "B" else f"{n:.1f} {unit}"
        n /= 1000  # type: ignore[assignment]
    return f"{n:.1f} GB"
