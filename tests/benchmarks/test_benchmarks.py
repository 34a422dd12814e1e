"""Every benchmark runs, with and without peers; how fast is for `python -m tests.benchmarks`."""

from __future__ import annotations

import pytest

from . import eager, jacobians, large, shim
from .run import BENCHMARKS, run
from .timing import TINY, Effort, Table, interleave


@pytest.mark.parametrize("name", BENCHMARKS)
def test_runs_without_peers(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (eager, large, jacobians, shim):
        monkeypatch.setattr(module, "torch", None)
    for module in (eager, large):
        monkeypatch.setattr(module, "autograd", None)
    for table in run(name, TINY):
        assert table.rows
        assert all(len(row) == len(table.header) for row in table.rows)
        assert table.title in str(table)


@pytest.mark.peers
@pytest.mark.parametrize("name", ["first_order", "second_order", "large", "jacobian", "shim"])
def test_runs_with_peers(name: str) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("autograd")
    assert all(len(row) == len(table.header) for table in run(name, TINY) for row in table.rows)


def test_contestants_take_turns() -> None:
    order: list[str] = []
    effort = Effort(rounds=3, seconds=0.0)
    times = interleave({name: (lambda n=name: order.append(n)) for name in "ab"}, effort)
    assert order[-6:] == ["a", "b"] * 3
    assert set(times) == {"a", "b"}
    assert str(Table("title", ("a", "b"), [("1", "2")])).startswith("title\n")
