"""Modules, optimisers and data loaders behave as PyTorch's, seeds included."""

from __future__ import annotations

import pytest

from tests.compat.both import agree
from tests.compat.modules import PROGRAMS


@pytest.mark.parametrize("name", PROGRAMS)
def test_prints_what_pytorch_prints(name):
    agree(PROGRAMS[name], rtol=1e-3)
