"""Tapes with loops and branches in files: what comes back computes and differentiates the same; what is no loop is refused."""

import numpy as np
import pytest

import funcdiff as fd
from funcdiff.jit.passes.roll import roll
from funcdiff.storage.archive import from_bytes, to_bytes
from tests.storage.test_storage import rewritten, same


def scanned(x):
    y, ys = fd.scan(lambda c, k: (np.sin(c) * k, c), x, np.arange(1.0, 5.0))
    return y + np.sum(ys)


def ended(x):
    return fd.while_loop(lambda s: s[1] < x + 9, lambda s: (s[0] * x, s[1] + 1.0), (x, x * 0))[0]


def nested(x):
    def step(i, y):
        y = fd.while_loop(lambda z: z < 3, lambda z: z * 1.5 + x, y)
        return fd.cond(y > 4, lambda y: y / 3, lambda y: y - x, y)

    return fd.fori_loop(0, 4, step, x)


def buffer(x):
    def step(i, y):
        y[i] = y[i - 1] * x
        return y

    return np.sum(fd.fori_loop(1, 6, step, np.ones(6) * x))


PROGRAMS = [scanned, ended, nested, buffer]


def pushed(f):
    return lambda x: fd.jvp(f, x, 1.0)[1]


@pytest.mark.parametrize("f", PROGRAMS, ids=lambda f: f.__name__)
def test_round_trips(f):
    for transform in (lambda f: f, fd.grad, lambda f: fd.grad(fd.grad(f)), pushed):
        again = same(fd.trace(transform(f))(0.7), 0.9)
        plain = transform(f)
        np.testing.assert_allclose(again.run(0.9), plain(0.9), rtol=1e-12)
        for way in (fd.grad, pushed):
            np.testing.assert_allclose(way(again.run)(0.9), way(plain)(0.9), rtol=1e-11)
        found = fd.vmap(again.run)(np.array([0.6, 0.9]))
        np.testing.assert_allclose(found, [plain(0.6), plain(0.9)], rtol=1e-12)


def test_rolled_tapes():
    def f(x):
        for n in range(200):
            x = np.sin(x) * (1 + 0.01 * n)
        return x

    again = same(roll(fd.trace(f)(0.3)), 0.4)
    np.testing.assert_allclose(fd.grad(again.run)(0.4), fd.grad(f)(0.4), rtol=1e-11)


def loop(tape):
    return next(r for r in tape["records"] if r["do"] in ("loop", "branch"))


def setting(name, value):
    return lambda tape: loop(tape)["with"].__setitem__(name, value)


def in_body(change):
    return lambda tape: change(loop(tape)["with"]["body"][1])


HOSTILE = {
    "more carries than there are": setting("carries", 9),
    "a negative number of invariants": setting("invariants", -1),
    "carries that are no number": setting("carries", "1"),
    "another length": setting("length", 17),
    "a length that is a flag": setting("length", True),
    "a flag that is a number": setting("reverse", 3),
    "no body": setting("body", None),
    "an unknown setting": setting("out", 1),
    "a missing setting": lambda t: loop(t)["with"].pop("recompute"),
    "a condition of a counted loop": lambda t: setting("cond", loop(t)["with"]["body"])(t),
    "fewer operands": lambda t: loop(t)["of"].pop(),
    "fewer results": lambda t: (loop(t)["to"].pop(), t.update(records=t["records"][:1], outputs=[0])),
    "no examples": lambda t: loop(t)["with"]["body"].__setitem__(2, ["list"]),
    "examples of other types": lambda t: loop(t)["with"]["body"].__setitem__(2, ["list", 1, 2, 3, 4]),
    "examples that are no list": lambda t: loop(t)["with"]["body"].__setitem__(2, 5),
    "a body of another shape": in_body(lambda b: b["inputs"][0].__setitem__(1, [3])),
    "a body without records": in_body(lambda b: b.pop("records")),
    "a body that gives too little": in_body(lambda b: b["outputs"].pop()),
    "a body that uses what is outside": in_body(lambda b: b["records"][0].update(of=[77])),
    "a body with guards": in_body(lambda b: b.update(guards=[[0, ["array", 0], 0, ""]])),
    "a body that is no tape": lambda t: loop(t)["with"]["body"].__setitem__(1, [1]),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_loops(name):
    data = to_bytes(fd.trace(scanned)(0.7))
    from_bytes(rewritten(lambda t: None, data))
    with pytest.raises(fd.errors.TapeError):
        from_bytes(rewritten(HOSTILE[name], data))


def test_hostile_branches_and_stacks():
    data = to_bytes(fd.trace(lambda x: fd.cond(x > 0, lambda x: x * 2, lambda x: x, x))(0.7))
    for name, value in (("then", None), ("other", 3), ("more", 1)):
        with pytest.raises(fd.errors.TapeError):
            from_bytes(rewritten(setting(name, value), data))
    data = to_bytes(fd.trace(fd.grad(ended))(0.7))

    def change(tape):
        back = tape["records"][-1]
        while back["do"] != "loop":
            back = tape["records"][tape["records"].index(back) - 1]
        back["of"].pop()

    with pytest.raises(fd.errors.TapeError):
        from_bytes(rewritten(change, data))
