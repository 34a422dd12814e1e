"""Functions beyond the common ones print, and differentiate, as PyTorch's; what is not covered says so."""

from __future__ import annotations

import re

import pytest

from tests.compat.both import agree
from tests.compat.more_programs import PROGRAMS


def without_names(said):
    said = re.sub(r"(?<=\d)\. ?\]", ".]", said)
    said = re.sub(r"torch\.return_types\.\w+\(|\w+_result\(|old_svd\(", "(", said)
    return re.sub(r",?\s*grad_fn=<\w+>", "", said)


@pytest.mark.parametrize("expression", PROGRAMS)
def test_prints_what_pytorch_prints(expression):
    agree(PROGRAMS[expression], rtol=5e-4, mend=without_names)


# --- what is not covered -------------------------------------------------------------------------------------

import importlib  # noqa: E402

import funcdiff.compat.torch as ours  # noqa: E402
from funcdiff.compat.torch._not_covered import NotCoveredError  # noqa: E402
from funcdiff.compat.torch._pytorch_names import NAMES  # noqa: E402
from tests.compat.both import real_torch  # noqa: E402


def found(torch, path):
    for part in path.split(".") if path else []:
        torch = getattr(torch, part)
    return torch


@pytest.mark.parametrize("module", NAMES)
def test_a_name_that_is_not_covered_says_so(module):
    owner = found(ours, module)
    owner = ours.zeros(2, 2) if module == "Tensor" else owner
    for name in NAMES[module].split():
        assert not hasattr(owner, name), name
        with pytest.raises(NotCoveredError, match=rf"\.{name} is PyTorch's"):
            getattr(owner, name)
    with pytest.raises(AttributeError) as told:
        owner.no_such_name  # noqa: B018
    assert not isinstance(told.value, NotCoveredError)


@pytest.mark.peers
@pytest.mark.skipif(real_torch() is None, reason="needs PyTorch")
@pytest.mark.parametrize("module", ["Tensor", "nn", "optim", "func", "linalg", "special", "fft"])
def test_every_public_name_is_there_or_refused(module):
    owner, theirs = found(ours, module), found(real_torch(), module)
    owner = ours.zeros(2, 2) if module == "Tensor" else owner
    for name in dir(theirs):
        if name.startswith("_") or type(getattr(theirs, name, None)) is type(importlib):
            continue
        try:
            getattr(owner, name)
        except NotCoveredError:
            pass
        except AttributeError:
            made_by = getattr(getattr(theirs, name), "__module__", "") or ""
            assert not made_by.startswith("torch.") or name.isupper(), name
        except RuntimeError:  # a property that refuses this tensor, as PyTorch's does
            pass
