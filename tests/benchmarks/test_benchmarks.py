"""Every benchmark runs, with and without peers; how fast is for `python -m tests.benchmarks`."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

import funcdiff as fd

from . import c_yardstick, eager, jacobians, large, loops, shim, stencils
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


def test_gradients_in_c_are_ours() -> None:
    in_c = c_yardstick.rosenbrock()
    if in_c is None:
        pytest.skip("no gcc")
    for n in (3, 40, 3000):
        x = np.random.default_rng(n).standard_normal(n)
        for found, expected in zip(in_c(x), fd.value_and_grad(stencils.rosenbrock(np))(x), strict=True):
            assert_allclose(found, expected, rtol=1e-12)
    program = loops.heat(12, 200)
    assert program.gradient_in_c is not None
    value, gradient = program.gradient_in_c()
    assert_allclose(value, program.f(*program.arguments), rtol=1e-12)
    by_start, by_coefficient = fd.grad(program.f, argnums=(0, 1))(*program.arguments)
    assert_allclose(gradient, np.append(by_start, by_coefficient), rtol=1e-11)
