"""`torch.autograd.profiler`: the time each operation took, forwards and backwards.

While a profiler runs, the functions and methods of the module are replaced by ones that keep the time;
otherwise profiling costs nothing.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any, ClassVar, Self

from funcdiff.compat.torch import _engine
from funcdiff.compat.torch._errors import unsupported
from funcdiff.compat.torch._not_covered import refuse
from funcdiff.compat.torch._tensor import Tensor


class Event:
    """One run of one operation."""

    def __init__(self, name: str, start: int, shapes: Any, parent: Event | None) -> None:
        self.name = self.key = name
        self.start = start
        self.end = start
        self.input_shapes = shapes
        self.parent = parent
        self.children = 0  # nanoseconds spent in operations inside

    @property
    def cpu_time_total(self) -> float:
        """Microseconds from begin to end."""
        return (self.end - self.start) / 1000

    @property
    def self_cpu_time_total(self) -> float:
        """Microseconds without the operations inside."""
        return (self.end - self.start - self.children) / 1000

    def __repr__(self) -> str:
        return f"<Event {self.name}: {_time(self.cpu_time_total)}>"


class Average:
    """The runs of one operation (with one set of shapes) together."""

    def __init__(self, key: str, shapes: Any) -> None:
        self.key = self.name = key
        self.input_shapes = shapes
        self.count = 0
        self.cpu_time_total = 0.0
        self.self_cpu_time_total = 0.0

    def add(self, event: Event) -> None:
        """Take in one more run."""
        self.count += 1
        self.cpu_time_total += event.cpu_time_total
        self.self_cpu_time_total += event.self_cpu_time_total

    @property
    def cpu_time(self) -> float:
        """Microseconds of one run, on average."""
        return self.cpu_time_total / self.count

    def __repr__(self) -> str:
        return f"<Average {self.key}: {self.count} calls, {_time(self.cpu_time_total)}>"


def _time(us: float) -> str:
    if us >= 1e6:
        return f"{us / 1e6:.3f}s"
    return f"{us / 1e3:.3f}ms" if us >= 1e3 else f"{us:.3f}us"


_KEYS = ("cpu_time", "cpu_time_total", "self_cpu_time_total", "count")


class EventList(list[Any]):
    """Events, or averages of them."""

    def __init__(self, events: Any = (), total: float = 0.0) -> None:
        super().__init__(events)
        self.self_cpu_time_total = total

    def table(
        self,
        sort_by: str | None = None,
        row_limit: int = 100,
        max_name_column_width: int = 55,
        header: str | None = None,
        top_level_events_only: bool = False,
        **ignored: Any,
    ) -> str:
        """Return the averages as a table, in descending order of `sort_by`."""
        rows = list(self)
        if sort_by is not None:
            if sort_by not in _KEYS:
                raise ValueError(f"sort_by must be one of {', '.join(_KEYS)}, not {sort_by!r}")
            rows.sort(key=lambda r: -float(getattr(r, sort_by)))
        total = sum(r.self_cpu_time_total for r in rows)
        with_shapes = any(r.input_shapes for r in rows if isinstance(r, Average))
        names = ["Name", "Self CPU %", "Self CPU", "CPU total %", "CPU total", "CPU time avg", "# of Calls"]
        if with_shapes:
            names.append("Input Shapes")
        lines = []
        for r in rows[:row_limit]:
            share = [100 * t / total if total else 0.0 for t in (r.self_cpu_time_total, r.cpu_time_total)]
            count = getattr(r, "count", 1)
            name = (
                r.key if len(r.key) <= max_name_column_width else r.key[: max_name_column_width - 3] + "..."
            )
            cells = [
                name,
                f"{share[0]:.2f}%",
                _time(r.self_cpu_time_total),
                f"{share[1]:.2f}%",
                _time(r.cpu_time_total),
                _time(r.cpu_time_total / count),
                str(count),
            ]
            lines.append([*cells, str(r.input_shapes)] if with_shapes else cells)
        widths = [max(12, *(len(line[n]) for line in [names, *lines])) for n in range(len(names))]
        rule = "  ".join("-" * w for w in widths)
        text = [rule, "  ".join(c.rjust(w) for c, w in zip(names, widths, strict=True)), rule]
        text += ["  ".join(c.rjust(w) for c, w in zip(line, widths, strict=True)) for line in lines]
        text += [rule, f"Self CPU time total: {_time(total)}", ""]
        return "\n".join(([header] if header else []) + text)

    def total_average(self) -> Average:
        """Return all events together."""
        found = Average("Total", [])
        for r in self:
            found.count += getattr(r, "count", 1)
            found.cpu_time_total += r.cpu_time_total
            found.self_cpu_time_total += r.self_cpu_time_total
        return found

    def __str__(self) -> str:
        return self.table()


_SYNONYMS = {
    "__add__": "add", "__radd__": "add", "__sub__": "sub", "__rsub__": "rsub", "__mul__": "mul", "__rmul__": "mul",
    "__truediv__": "div", "__div__": "div", "__rtruediv__": "div", "__rdiv__": "div", "__pow__": "pow",
    "__rpow__": "pow", "__neg__": "neg", "__matmul__": "matmul", "__rmatmul__": "matmul", "__abs__": "abs",
    "__eq__": "eq", "__ne__": "ne", "__lt__": "lt", "__le__": "le", "__gt__": "gt", "__ge__": "ge",
    "__iadd__": "add_", "__isub__": "sub_", "__imul__": "mul_", "__itruediv__": "div_", "__getitem__": "index",
    "__setitem__": "index_put_", "__floordiv__": "floor_divide", "__mod__": "remainder",
}  # fmt: skip
"""The operations that operators stand for."""

_SKIPPED = frozenset(
    {
        "dim", "size", "numel", "nelement", "ndimension", "current", "item", "tolist", "numpy", "stride", "data_ptr",
        "get_device", "is_contiguous", "is_floating_point", "is_complex", "is_signed", "requires_grad_", "backward",
        "register_hook", "register_post_accumulate_grad_hook", "retain_grad", "cpu", "storage_offset", "element_size",
    }
)  # fmt: skip
"""Methods that compute nothing."""


class _Watch:
    """The replaced functions, and the profilers that are told."""

    active: ClassVar[list[profile]] = []
    replaced: ClassVar[list[tuple[Any, str, Any]]] = []

    @classmethod
    def start(cls, profiler: profile) -> None:
        cls.active.append(profiler)
        _engine.OBSERVERS.append(profiler)
        if len(cls.active) == 1:
            cls._replace()

    @classmethod
    def stop(cls, profiler: profile) -> None:
        cls.active.remove(profiler)
        _engine.OBSERVERS.remove(profiler)
        if not cls.active:
            for owner, name, old in reversed(cls.replaced):
                setattr(owner, name, old)
            cls.replaced.clear()

    @classmethod
    def _replace(cls) -> None:
        package = __name__.rpartition(".autograd")[0]
        for name, function in list(vars(Tensor).items()):
            spelled = _SYNONYMS.get(name, name)
            if callable(function) and not spelled.startswith("_") and spelled not in _SKIPPED:
                cls._put(Tensor, name, function, spelled)
        modules = (package, f"{package}.linalg", f"{package}.nn.functional")
        for owner in (sys.modules.get(m) for m in modules):
            for name, function in list(vars(owner).items()) if owner is not None else ():
                module = getattr(function, "__module__", "")
                is_op = module == "torch" or module.startswith(
                    (f"{package}.ops.", f"{package}.nn.functional")
                )
                if (
                    is_op
                    and not isinstance(function, type)
                    and callable(function)
                    and not name.startswith("_")
                ):
                    cls._put(owner, name, function, name)

    @classmethod
    def _put(cls, owner: Any, name: str, function: Any, spelled: str) -> None:
        cls.replaced.append((owner, name, function))
        setattr(owner, name, _timed(function, f"aten::{spelled}"))


def _timed(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    def timed(*args: Any, **kwargs: Any) -> Any:
        active = _Watch.active
        for p in active:
            p._begin(name, args)
        try:
            return function(*args, **kwargs)
        finally:
            for p in active:
                p._end()

    return timed


class profile:
    """Keep the time of every operation inside a ``with`` block.

    Parameters
    ----------
    enabled : bool, default True
        Whether anything is done at all.
    record_shapes : bool, default False
        Whether the shapes of the operands are kept, for ``key_averages(group_by_input_shape=True)``.

    Examples
    --------
    >>> import funcdiff.compat.torch as torch
    >>> x = torch.ones(3)
    >>> with torch.autograd.profiler.profile() as prof:
    ...     y = x * 2 + x
    >>> sorted(e.key for e in prof.key_averages())
    ['aten::add', 'aten::mul']
    """

    def __init__(
        self,
        enabled: bool = True,
        *,
        use_cuda: bool = False,
        use_device: Any = None,
        record_shapes: bool = False,
        with_flops: bool = False,
        profile_memory: bool = False,
        with_stack: bool = False,
        **ignored: Any,
    ) -> None:
        if use_cuda or use_device not in (None, "cpu"):
            raise unsupported("device but the CPU", "Leave use_cuda and use_device out.")
        self.enabled = enabled
        self.record_shapes = record_shapes
        self.function_events: EventList | None = None
        self._events: list[Event] = []
        self._open: list[Event] = []

    def __enter__(self) -> Self:
        if self.enabled:
            _Watch.start(self)
        return self

    def __exit__(self, *_: object) -> None:
        if self.enabled:
            _Watch.stop(self)
            self.function_events = EventList(self._events)

    def _begin(self, name: str, args: Any = ()) -> None:
        shapes = [list(a.shape) if isinstance(a, Tensor) else [] for a in args] if self.record_shapes else []
        event = Event(name, 0, shapes, self._open[-1] if self._open else None)
        self._events.append(event)
        self._open.append(event)
        event.start = time.perf_counter_ns()

    def _end(self) -> None:
        now = time.perf_counter_ns()
        event = self._open.pop()
        event.end = now
        if event.parent is not None:
            event.parent.children += now - event.start

    def enter(self, node: Any) -> None:
        """Take note that a node of the graph runs."""
        self._begin(node.name())

    def leave(self) -> None:
        """Take note that it has run."""
        self._end()

    def _done(self) -> EventList:
        if self.function_events is None:
            raise RuntimeError("Profiler didn't finish running")
        return self.function_events

    def key_averages(self, group_by_input_shape: bool = False, group_by_stack_n: int = 0) -> EventList:
        """Return the events, those of one operation together."""
        groups: dict[Any, Average] = {}
        for e in self._done():
            key = (e.key, str(e.input_shapes) if group_by_input_shape else "")
            if key not in groups:
                groups[key] = Average(e.key, e.input_shapes if group_by_input_shape else [])
            groups[key].add(e)
        return EventList(groups.values())

    def table(self, sort_by: str | None = None, row_limit: int = 100, **kwargs: Any) -> str:
        """Return the events as a table."""
        return self._done().table(sort_by, row_limit, **kwargs)

    def total_average(self) -> Average:
        """Return all events together."""
        return self._done().total_average()

    @property
    def self_cpu_time_total(self) -> float:
        """Microseconds of all operations."""
        return float(sum(e.self_cpu_time_total for e in self._done()))

    def export_chrome_trace(self, path: str) -> None:
        """Write the events to a file that ``chrome://tracing`` shows."""
        events = self._done()
        begin = min((e.start for e in events), default=0)
        rows = [
            {
                "name": e.name,
                "ph": "X",
                "ts": (e.start - begin) / 1000,
                "dur": e.cpu_time_total,
                "tid": 0,
                "pid": "CPU functions",
                "args": {"Input Dims": e.input_shapes} if e.input_shapes else {},
            }
            for e in events
        ]
        with open(path, "w") as file:
            json.dump(rows, file)

    def __str__(self) -> str:
        return (
            "<unfinished torch.autograd.profile>"
            if self.function_events is None
            else str(self.function_events)
        )


class record_function:
    """Give a block of code a name in the profile."""

    def __init__(self, name: str, args: str | None = None) -> None:
        self.name = name

    def __enter__(self) -> Self:
        for p in _Watch.active:
            p._begin(self.name)
        return self

    def __exit__(self, *_: object) -> None:
        for p in _Watch.active:
            p._end()

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Name every run of a function."""

        def named(*args: Any, **kwargs: Any) -> Any:
            with record_function(self.name):
                return function(*args, **kwargs)

        return named


def __getattr__(name: str) -> Any:
    return refuse("autograd.profiler", name)
