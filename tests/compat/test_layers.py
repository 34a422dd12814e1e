"""Functions and modules of torch.nn print, and differentiate to second order, as PyTorch's."""

from __future__ import annotations

import re

import pytest

from tests.compat.both import agree
from tests.compat.layer_programs import NAMES, PROGRAMS


def without_names(said):
    return re.sub(r"grad_fn=<\w+>|\w+Backward\d?", "node", said)


@pytest.mark.parametrize("number", range(len(PROGRAMS)), ids=NAMES)
def test_prints_what_pytorch_prints(number):
    agree(PROGRAMS[number], rtol=5e-4, mend=without_names)
