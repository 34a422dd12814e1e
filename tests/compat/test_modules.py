"""Modules, optimisers and data loaders behave as PyTorch's, seeds included."""

from __future__ import annotations

import pytest

import funcdiff.compat.torch as ours
from tests.compat.both import close_text, real_torch, run
from tests.compat.modules import PROGRAMS

torch = real_torch()


@pytest.mark.peers
@pytest.mark.skipif(torch is None, reason="needs PyTorch")
@pytest.mark.parametrize("name", PROGRAMS)
def test_prints_what_pytorch_prints(name):
    mine, theirs = run(PROGRAMS[name], ours), run(PROGRAMS[name], torch)
    assert close_text(mine, theirs, rtol=1e-3), f"\n{mine}\n\n--- PyTorch:\n{theirs}"
