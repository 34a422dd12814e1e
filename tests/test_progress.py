"""``progress=True``: a bar on stderr, and the same results."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import funcdiff as fd

pytest.importorskip("tqdm")

X = np.linspace(0.3, 1.2, 6)


def energy(x):
    return np.sum(np.sin(x) ** 2 * x)


CALLS = {
    "jacobian": lambda p: fd.jacobian(np.sin, chunk_size=2, progress=p)(X),
    "jacfwd": lambda p: fd.jacfwd(np.sin, chunk_size=2, progress=p)(X),
    "jacrev": lambda p: fd.jacrev(np.sin, chunk_size=2, progress=p)(X),
    "hessian": lambda p: fd.hessian(energy, chunk_size=2, progress=p)(X),
    "vmap": lambda p: fd.vmap(np.sin, chunk_size=2, progress=p)(X),
}


@pytest.mark.parametrize("name", CALLS)
def test_bars(name, capfd):
    expected = CALLS[name](False)
    assert capfd.readouterr().err == ""
    assert_array_equal(CALLS[name](True), expected)
    assert "3/3" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("order", "modes", "checks"), [(2, ("fwd", "rev"), 3), (3, ("rev",), 3), (1, ("fwd",), 1)]
)
def test_check_grads(order, modes, checks, capfd):
    fd.testing.check_grads(energy, X, order=order, modes=modes, progress=True)
    assert f"{checks}/{checks}" in capfd.readouterr().err


def test_without_tqdm(monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    with pytest.raises(fd.errors.MissingExtraError, match=r"funcdiff\[progress\]"):
        fd.vmap(np.sin, progress=True)(X)
