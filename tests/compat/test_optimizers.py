"""Optimisers and schedules step as PyTorch's."""

from __future__ import annotations

import pytest

import funcdiff.compat.torch as torch
from funcdiff.errors import UnsupportedError
from tests.compat.both import agree
from tests.compat.optim_programs import PROGRAMS


@pytest.mark.parametrize("name", PROGRAMS)
def test_prints_what_pytorch_prints(name):
    agree(PROGRAMS[name], rtol=1e-3)


def test_what_an_optimiser_cannot_do_is_refused():
    with pytest.raises(UnsupportedError, match="differentiable"):
        torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.1, differentiable=True)
    with pytest.raises(TypeError, match="unexpected keyword"):
        torch.optim.Rprop([torch.nn.Parameter(torch.ones(1))], beta=1)
