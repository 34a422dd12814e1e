"""Operations, their derivatives, their nodes and their errors, beside PyTorch's."""

from __future__ import annotations

import re

import pytest

import funcdiff.compat.torch as ours
from tests.compat.both import close_text, real_torch, run
from tests.compat.programs import (
    DIFFERENTIATE,
    ERROR_SETUP,
    ERRORS,
    NAMED_OTHERWISE,
    OPERATIONS,
    SETUP,
)

torch = real_torch()
pytestmark = [pytest.mark.peers, pytest.mark.skipif(torch is None, reason="needs PyTorch")]


@pytest.mark.parametrize("expression", OPERATIONS)
def test_prints_and_differentiates_as_pytorch(expression):
    program = f"import torch{SETUP}{expression}{DIFFERENTIATE.format(expression=expression)}"
    mine, theirs = run(program, ours), run(program, torch)
    if expression in NAMED_OTHERWISE:
        mine, theirs = (re.sub(r"grad_fn=<\w+>", "grad_fn", said) for said in (mine, theirs))
    assert close_text(mine, theirs), f"\n{mine}\n--- PyTorch:\n{theirs}"


@pytest.mark.parametrize("program", ERRORS)
def test_fails_as_pytorch(program):
    mine, theirs = run(ERROR_SETUP + program, ours), run(ERROR_SETUP + program, torch)
    assert mine == theirs
