"""Views share memory and gradients as PyTorch's do."""

from __future__ import annotations

import numpy as np
import pytest

import funcdiff.compat.torch as torch
from tests.compat.both import agree
from tests.compat.view_programs import PROGRAMS


@pytest.mark.parametrize("name", PROGRAMS)
def test_prints_what_pytorch_prints(name):
    agree(PROGRAMS[name])


VIEWS = {
    "diagonal": lambda x: x.diagonal(),
    "upper diagonal": lambda x: x.diagonal(1, 1, 0),
    "windows": lambda x: x.unfold(1, 2, 1),
    "windows of rows": lambda x: x.unfold(0, 2, 2)[0],
    "strides": lambda x: x.as_strided((2, 3), (1, 2), 1),
    "strides of a row": lambda x: x[1].as_strided((2, 2), (1, 2)),
    "diagonal of a slice": lambda x: x[1:].diagonal(),
    "strides of a diagonal": lambda x: x.diagonal().as_strided((2,), (3,)),
    "diagonal of windows": lambda x: x.unfold(1, 2, 1).diagonal(0, 0, 2),
    "turned": lambda x: x.T.diagonal(-1),
}


@pytest.mark.parametrize("name", VIEWS)
def test_writes_through_a_view_are_seen_and_differentiated(name):
    look = VIEWS[name]
    start = torch.arange(12.0, dtype=torch.float64).reshape(3, 4)

    def written(x):
        y = x * 1
        look(y)[...] = look(y) * 2 + 1 if look(y).shape != (3, 3, 2) else 5.0
        return (y**2).sum() + (look(y) ** 3).sum()

    def without_views(x):
        positions = look(torch.arange(12).reshape(3, 4)).clone().reshape(-1)
        flat = x.reshape(-1)
        new = torch.full((1,), 5.0, dtype=x.dtype) if look(x).shape == (3, 3, 2) else flat[positions] * 2 + 1
        made = flat.index_put((positions,), new.expand(len(positions)) if len(new) == 1 else new)
        return (made**2).sum() + (made[positions] ** 3).sum()

    found, wanted = [], []
    for f, out in ((written, found), (without_views, wanted)):
        x = start.clone().requires_grad_()
        (g,) = torch.autograd.grad(f(x), x, create_graph=True)
        (h,) = torch.autograd.grad((g**2).sum(), x) if g.requires_grad else (None,)
        out += [f(x).item(), g, h]
    assert found[0] == wanted[0]
    assert torch.allclose(found[1], wanted[1])
    assert torch.allclose(found[2], wanted[2])


@pytest.mark.parametrize("name", [n for n in VIEWS if "strides" not in n])
def test_views_under_transforms(name):
    look = VIEWS[name]

    def f(x):
        y = x.clone()
        look(y).mul_(2.0)
        return (y**3).sum() + look(y).sum()

    def g(x):
        positions = look(torch.arange(12).reshape(3, 4)).clone().reshape(-1)
        y = x.reshape(-1) * torch.ones(12, dtype=x.dtype).index_put(
            (positions,), torch.tensor(2.0, dtype=x.dtype)
        )
        return (y**3).sum() + y[positions].sum()

    x = torch.arange(24.0, dtype=torch.float64).reshape(2, 3, 4)
    if name.startswith("windows") and "rows" not in name:
        pytest.skip("windows that overlap are written more than once")
    assert torch.allclose(torch.func.grad(f)(x[0]), torch.func.grad(g)(x[0]))
    assert torch.allclose(torch.func.vmap(torch.func.grad(f))(x), torch.func.vmap(torch.func.grad(g))(x))


def test_memory_is_shared_with_numpy():
    a = np.zeros((3, 3), np.float32)
    x = torch.from_numpy(a)
    x.diagonal().fill_(2)
    x.as_strided((2,), (1,), 1).fill_(7)
    assert a.tolist() == [[2, 7, 7], [0, 2, 0], [0, 0, 2]]
    z = torch.zeros(2, dtype=torch.complex64)
    z.imag.add_(3)
    assert z.tolist() == [3j, 3j]
