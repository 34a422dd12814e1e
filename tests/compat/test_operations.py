"""Operations, their derivatives, their nodes and their errors, beside PyTorch's."""

from __future__ import annotations

import re

import pytest

from tests.compat.both import agree
from tests.compat.programs import (
    DIFFERENTIATE,
    ERROR_SETUP,
    ERRORS,
    NAMED_OTHERWISE,
    OPERATIONS,
    SETUP,
)


def without_names(said):
    return re.sub(r"grad_fn=<\w+>", "grad_fn", said)


@pytest.mark.parametrize("expression", OPERATIONS)
def test_prints_and_differentiates_as_pytorch(expression):
    program = f"import torch{SETUP}{expression}{DIFFERENTIATE.format(expression=expression)}"
    agree(program, mend=without_names if expression in NAMED_OTHERWISE else str)


@pytest.mark.parametrize("program", ERRORS)
def test_fails_as_pytorch(program):
    agree(ERROR_SETUP + program, rtol=0)
