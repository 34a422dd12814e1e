"""`fd.profiler.profile`: what is counted, and that derivatives stay what they are."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import funcdiff as fd

X = np.array([0.3, -1.2, 2.5])


def layer(w, h):
    return np.tanh(h @ w)


def loss(w, x):
    h = x
    for k in range(2):
        h = layer(w[k], h)
        h[0] = 0.0
    return np.mean(h**2)


ARGS = (np.ones((2, 3, 3)) / 3, np.ones((4, 3)))


def profiled(f, *args):
    with fd.profiler.profile() as p:
        found = f(*args)
    return p, found


def rows(p, group_by="primitive"):
    return {row.key: row for row in p.key_averages(group_by)}


def test_primitives_are_counted_forward_and_back():
    p, _ = profiled(fd.grad(loss), *ARGS)
    found = rows(p)
    assert {name: row.calls for name, row in found.items()} == {
        **dict.fromkeys(["getitem", "matmul", "tanh", "write"], 4),
        **dict.fromkeys(["power", "sum", "divide"], 2),
    }
    for row in found.values():
        assert row.forward_time > 0
        assert row.reverse_time > 0
        assert row.self_time == pytest.approx(row.forward_time + row.reverse_time)
        assert row.self_time <= row.total_time * (1 + 1e-9)


def test_lines_and_functions():
    p, _ = profiled(fd.grad(loss), *ARGS)
    lines = rows(p, "line")
    (tanh,) = [key for key in lines if "np.tanh(h @ w)" in key]
    assert tanh.startswith("test_profile.py:")
    assert lines[tanh].calls == 8
    assert {"layer", "loss"} == set(rows(p, "function"))


def test_bytes_are_those_of_the_results():
    p, _ = profiled(fd.vjp(lambda x: np.sin(x)), X, X)
    assert rows(p)["sin"].bytes == 2 * X.nbytes


@pytest.mark.parametrize(
    "transform",
    [
        lambda f: fd.grad(f)(X),
        lambda f: fd.hessian(f)(X),
        lambda f: fd.hessian(f, mode="reverse-over-reverse")(X),
        lambda f: fd.jacfwd(f)(X),
        lambda f: fd.jvp(f, X, X)[1],
        lambda f: fd.vmap(fd.grad(f))(np.stack([X, X])),
        lambda f: fd.linearize(f, X)[1](X),
        lambda f: fd.hvp(f, X, X)[1],
    ],
)
def test_derivatives_are_the_same(transform):
    def f(x):
        y = np.zeros_like(x)
        y[1:] = np.sin(x[:-1]) * x[1:]
        return np.sum(np.where(y > 0, np.exp(y), y**3)) + np.linalg.norm(x)

    p, found = profiled(transform, f)
    assert_array_equal(found, transform(f))
    assert p.events


def test_zero_cotangents_stay_zero():
    def f(x):
        return np.sum(np.where(x > 0, np.log(x), 0.0))

    with np.errstate(all="ignore"):
        _, found = profiled(fd.grad(f), np.array([2.0, 0.0, -1.0]))
    assert_array_equal(found, [0.5, 0.0, 0.0])


def test_nested_operations_count_once():
    p, _ = profiled(fd.hessian(lambda x: np.sum(np.sin(x) ** 2)), X)
    assert sum(e.own for e in p.events) == sum(e.total for e in p.events if e.depth == 0)
    assert all(e.own >= 0 for e in p.events)
    assert p.wall_time >= sum(e.total for e in p.events if e.depth == 0) * 1e-9


def test_custom_functions_and_errors():
    @fd.custom_vjp
    def f(x):
        return np.sin(x)

    f.defvjp(lambda x: (np.sin(x), x), lambda x, g: (g * np.cos(x),))
    p, found = profiled(fd.grad(lambda x: np.sum(f(x))), X)
    assert_array_equal(found, np.cos(X))
    assert "f" in "".join(rows(p))

    def fails(x):
        raise KeyError(x.shape)

    with pytest.raises(KeyError), fd.profiler.profile():
        fd.grad(lambda x: fails(np.sin(x)))(X)
    assert_array_equal(fd.grad(lambda x: np.sum(x * x))(X), 2 * X)


def test_outside_of_the_block_nothing_is_seen():
    p, _ = profiled(fd.grad(loss), *ARGS)
    before = len(p.events)
    fd.grad(loss)(*ARGS)
    assert len(p.events) == before


# --- what it shows ---------------------------------------------------------------------------------------


def test_tables():
    p, _ = profiled(fd.grad(loss), *ARGS)
    averages = p.key_averages()
    by_calls = averages.table(sort_by="calls", row_limit=3).splitlines()
    assert by_calls[0].split()[:4] == ["primitive", "calls", "self", "self"]
    assert [int(line.split()[1]) for line in by_calls[2:5]] == [4, 4, 4]
    assert by_calls[-1].startswith("sum, with 4 more rows")
    assert "np.tanh(h @ w)" in averages.table(group_by="line")
    assert str(averages) == averages.table()
    assert len(averages) == 7
    for sort_by in ("self_time", "total_time", "forward_time", "reverse_time", "bytes"):
        assert averages.table(sort_by=sort_by).count("\n") == 10


def test_settings_that_are_refused():
    p, _ = profiled(fd.grad(loss), *ARGS)
    with pytest.raises(fd.errors.UnsupportedError, match="'self_time'"):
        p.key_averages().table(sort_by="cuda_time")
    with pytest.raises(fd.errors.UnsupportedError, match="'primitive', 'line' or 'function'"):
        p.key_averages(group_by="stack")


def test_chrome_trace(tmp_path):
    p, _ = profiled(fd.grad(loss), *ARGS)
    p.export_chrome_trace(tmp_path / "trace.json")
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    assert len(events) == len(p.events)
    assert {e["cat"] for e in events} == {"forward", "reverse"}
    assert all(e["ph"] == "X" and e["dur"] > 0 and e["ts"] >= 0 for e in events)


def test_flame_picture():
    p, _ = profiled(fd.grad(loss), *ARGS)
    root = ElementTree.fromstring(p._repr_svg_())
    titles = [t.text for t in root.iter("{http://www.w3.org/2000/svg}title")]
    assert any(t.startswith("reverse sweep: ") for t in titles)
    assert any("np.tanh(h @ w)" in t for t in titles)
    widths = {
        t.text.partition(":")[0]: float(g.find("{http://www.w3.org/2000/svg}rect").get("width"))
        for g in root.iter("{http://www.w3.org/2000/svg}g")
        for t in g.iter("{http://www.w3.org/2000/svg}title")
    }
    assert widths["forward evaluation"] + widths["reverse sweep"] == pytest.approx(widths["all"], abs=0.1)


def test_an_empty_profile():
    p, _ = profiled(np.sin, X)
    assert p.events == []
    assert p.key_averages().table().splitlines()[-1].startswith("sum")
    assert p.flame().startswith("<svg")
