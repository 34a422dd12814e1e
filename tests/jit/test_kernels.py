"""Functions of a kernel: equal ones are compiled once, and with care only those in which time is spent."""

import re

import numpy as np
import pytest

import funcdiff as fd
from funcdiff.jit.native.engine import why_not
from funcdiff.jit.native.kernel import Kernel, modules
from funcdiff.jit.native.program import Native

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())


@pytest.fixture
def kernels(monkeypatch):
    found = []
    load = Native.load

    def loaded(self, library):
        found.append(self.kernel)
        load(self, library)

    monkeypatch.setattr(Native, "load", loaded)
    return found


def heads(text):
    return re.findall(r"^define [^@]*@([\w.]+)\(", text, re.MULTILINE)


def decay(x, rate):
    return fd.while_loop(lambda y: y > 1.0, lambda y: y * rate, x)


def test_equal_loops_are_one_function(kernels):
    f = fd.jit(lambda x: decay(x, 0.5) + decay(x + 1.0, 0.5) + decay(x * 3.0, 0.25))
    assert f(8.0) == 1.0 + 9.0 / 16 + 24.0 / 64
    assert len(kernels[0].functions) == 2


def test_loops_in_equal_loops_are_one_function(kernels):
    def outer(x):
        return fd.fori_loop(0, 3, lambda i, y: decay(y * 7.0, 0.5) + y, x)

    f = fd.jit(lambda x, y: (outer(x), outer(y)))
    assert f(2.0, 3.0) == (outer(2.0), outer(3.0))
    assert len(kernels[0].functions) == 2


def test_what_runs_loops_is_not_worth_care(kernels):
    def outer(x):
        return fd.fori_loop(0, 3, lambda i, y: decay(y * 7.0, 0.5) + y, x)

    assert fd.jit(outer)(2.0) == outer(2.0)
    (kernel,) = kernels
    assert [f.careful for f in kernel.functions] == [True, False]
    assert not kernel.careful
    texts = modules(kernels)
    assert heads(texts[True]) == [kernel.functions[0].name]
    assert heads(texts[False]) == [kernel.functions[1].name, kernel.name]


def test_a_loop_that_is_short_beside_its_surroundings_takes_no_care_from_them(kernels):
    def f(x):
        return fd.fori_loop(0, 2, lambda i, y: np.sin(y), np.sum(x)) * np.exp(x)

    x = np.linspace(0, 1, 1000)
    np.testing.assert_allclose(fd.jit(f)(x), f(x), rtol=1e-14)
    assert kernels[0].careful
    assert list(modules(kernels)) == [True]


def test_programs_without_loops_are_one_module(kernels):
    assert fd.jit(lambda x: x * x)(3.0) == 9.0
    assert list(modules(kernels)) == [True]
    assert isinstance(kernels[0], Kernel)


def test_gradients_of_loops_in_loops_call_across_modules(kernels):
    def outer(x, steps):
        return fd.fori_loop(0, steps, lambda i, y: decay(y * 7.0, x) + y, x)

    gradient = fd.grad(lambda x: outer(x, 4))
    np.testing.assert_allclose(fd.jit(gradient)(0.75), gradient(0.75), rtol=1e-13)
    assert set(modules(kernels)) == {True, False}
