"""Small operations of the PyTorch shim beside PyTorch eager: forward, recorded, and backward."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import funcdiff.compat.torch as shim

from .peers import torch
from .timing import Effort, Table, at_most, interleave

BUDGET = 1.5
Operation = Callable[[Any, Any, Any, Any, Any], Any]

# Each takes the library, two vectors of 10 and two matrices of 3x4.
CASES: dict[str, Operation] = {
    "x + y": lambda t, x, y, m, n: x + y,
    "x * 2.5": lambda t, x, y, m, n: x * 2.5,
    "x / y": lambda t, x, y, m, n: x / y,
    "1 - x": lambda t, x, y, m, n: 1 - x,
    "-x": lambda t, x, y, m, n: -x,
    "x ** 2": lambda t, x, y, m, n: x**2,
    "m + x[:4]": lambda t, x, y, m, n: m + x[:4],
    "exp(x)": lambda t, x, y, m, n: t.exp(x),
    "x.log()": lambda t, x, y, m, n: x.log(),
    "x.sqrt()": lambda t, x, y, m, n: x.sqrt(),
    "sin(x)": lambda t, x, y, m, n: t.sin(x),
    "tanh(m)": lambda t, x, y, m, n: t.tanh(m),
    "x.abs()": lambda t, x, y, m, n: x.abs(),
    "x.square()": lambda t, x, y, m, n: x.square(),
    "sigmoid(x)": lambda t, x, y, m, n: t.sigmoid(x),
    "relu(x)": lambda t, x, y, m, n: t.relu(x),
    "F.gelu(x)": lambda t, x, y, m, n: t.nn.functional.gelu(x),
    "F.softplus(x)": lambda t, x, y, m, n: t.nn.functional.softplus(x),
    "maximum(x, y)": lambda t, x, y, m, n: t.maximum(x, y),
    "x.clamp(0.2, 0.8)": lambda t, x, y, m, n: x.clamp(0.2, 0.8),
    "x.clamp(min=0.2)": lambda t, x, y, m, n: x.clamp(min=0.2),
    "where(c, x, y)": lambda t, x, y, m, n: t.where(y > 0.5, x, y),
    "x.masked_fill(c, 0)": lambda t, x, y, m, n: x.masked_fill(y > 0.5, 0.0),
    "addcmul(x, x, y)": lambda t, x, y, m, n: t.addcmul(x, x, y, value=0.5),
    "lerp(x, y, 0.3)": lambda t, x, y, m, n: t.lerp(x, y, 0.3),
    "x.sum()": lambda t, x, y, m, n: x.sum(),
    "m.sum(1)": lambda t, x, y, m, n: m.sum(1),
    "m.sum(0, keepdim)": lambda t, x, y, m, n: m.sum(0, keepdim=True),
    "x.mean()": lambda t, x, y, m, n: x.mean(),
    "m.mean(dim=0)": lambda t, x, y, m, n: m.mean(dim=0),
    "x.prod()": lambda t, x, y, m, n: x.prod(),
    "x.max()": lambda t, x, y, m, n: x.max(),
    "m.max(1)": lambda t, x, y, m, n: m.max(1)[0],
    "m.amax(1)": lambda t, x, y, m, n: m.amax(1),
    "x.std()": lambda t, x, y, m, n: x.std(),
    "m.var(1)": lambda t, x, y, m, n: m.var(1),
    "x.norm()": lambda t, x, y, m, n: x.norm(),
    "m.norm(dim=1)": lambda t, x, y, m, n: m.norm(dim=1),
    "x.norm(p=1)": lambda t, x, y, m, n: x.norm(p=1),
    "softmax(x, 0)": lambda t, x, y, m, n: t.softmax(x, 0),
    "softmax(m, 1)": lambda t, x, y, m, n: t.softmax(m, dim=1),
    "log_softmax(m, 1)": lambda t, x, y, m, n: t.log_softmax(m, dim=1),
    "logsumexp(m, 1)": lambda t, x, y, m, n: t.logsumexp(m, dim=1),
    "x.cumsum(0)": lambda t, x, y, m, n: x.cumsum(0),
    "x.sort()": lambda t, x, y, m, n: x.sort()[0],
    "x.topk(3)": lambda t, x, y, m, n: x.topk(3)[0],
    "x @ y": lambda t, x, y, m, n: x @ y,
    "m @ n.T": lambda t, x, y, m, n: m @ n.T,
    "m @ x[:4]": lambda t, x, y, m, n: m @ x[:4],
    "mm(m, n.t())": lambda t, x, y, m, n: t.mm(m, n.t()),
    "outer(x, y)": lambda t, x, y, m, n: t.outer(x, y),
    "einsum ij,kj->ik": lambda t, x, y, m, n: t.einsum("ij,kj->ik", m, n),
    "F.linear(m, n)": lambda t, x, y, m, n: t.nn.functional.linear(m, n),
    "F.mse_loss(x, y)": lambda t, x, y, m, n: t.nn.functional.mse_loss(x, y),
    "F.l1_loss(x, y)": lambda t, x, y, m, n: t.nn.functional.l1_loss(x, y),
    "F.cross_entropy": lambda t, x, y, m, n: t.nn.functional.cross_entropy(m, t.argmax(n.detach(), 1)),
    "F.bce_with_logits": lambda t, x, y, m, n: t.nn.functional.binary_cross_entropy_with_logits(x, y),
    "F.layer_norm(m)": lambda t, x, y, m, n: t.nn.functional.layer_norm(m, (4,)),
    "F.silu(x)": lambda t, x, y, m, n: t.nn.functional.silu(x),
    "F.leaky_relu(x)": lambda t, x, y, m, n: t.nn.functional.leaky_relu(x),
    "F.elu(x)": lambda t, x, y, m, n: t.nn.functional.elu(x),
    "F.logsigmoid(x)": lambda t, x, y, m, n: t.nn.functional.logsigmoid(x),
    "F.normalize(m)": lambda t, x, y, m, n: t.nn.functional.normalize(m, dim=1),
    "x[3]": lambda t, x, y, m, n: x[3],
    "x[2:7]": lambda t, x, y, m, n: x[2:7],
    "m[0, 1]": lambda t, x, y, m, n: m[0, 1],
    "m[:, 1]": lambda t, x, y, m, n: m[:, 1],
    "m[1:, ::2]": lambda t, x, y, m, n: m[1:, ::2],
    "x[[0, 3]]": lambda t, x, y, m, n: x[[0, 3]],
    "x[c]": lambda t, x, y, m, n: x[y > 0.5],
    "m.reshape(4, 3)": lambda t, x, y, m, n: m.reshape(4, 3),
    "m.view(-1)": lambda t, x, y, m, n: m.view(-1),
    "m.flatten()": lambda t, x, y, m, n: m.flatten(),
    "m.T": lambda t, x, y, m, n: m.T,
    "m.transpose(0, 1)": lambda t, x, y, m, n: m.transpose(0, 1),
    "m.permute(1, 0)": lambda t, x, y, m, n: m.permute(1, 0),
    "x.unsqueeze(0)": lambda t, x, y, m, n: x.unsqueeze(0),
    "x.squeeze()": lambda t, x, y, m, n: x.squeeze(),
    "x.expand(3, 10)": lambda t, x, y, m, n: x.expand(3, 10),
    "x.clone()": lambda t, x, y, m, n: x.clone(),
    "x.detach()": lambda t, x, y, m, n: x.detach(),
    "x.double()": lambda t, x, y, m, n: x.double(),
    "cat([x, y])": lambda t, x, y, m, n: t.cat([x, y]),
    "stack([x, y])": lambda t, x, y, m, n: t.stack([x, y]),
    "x.split(5)": lambda t, x, y, m, n: x.split(5)[0],
    "x.flip(0)": lambda t, x, y, m, n: x.flip(0),
    "m.repeat(2, 1)": lambda t, x, y, m, n: m.repeat(2, 1),
    "m.tril()": lambda t, x, y, m, n: m.tril(),
    "m.diagonal()": lambda t, x, y, m, n: m.diagonal(),
    "gather": lambda t, x, y, m, n: t.gather(x, 0, x.detach().argsort()),
    # made from nothing, or without a derivative
    "x > y": lambda t, x, y, m, n: x > y,
    "x.argmax()": lambda t, x, y, m, n: x.argmax(),
    "(x > 0.5).any()": lambda t, x, y, m, n: (x > 0.5).any(),
    "floor(x)": lambda t, x, y, m, n: t.floor(x),
    "x.item() of one": lambda t, x, y, m, n: x.sum().item(),
    "x.shape": lambda t, x, y, m, n: x.shape,
    "tensor([1., 2., 3.])": lambda t, x, y, m, n: t.tensor([1.0, 2.0, 3.0]),
    "zeros(3, 4)": lambda t, x, y, m, n: t.zeros(3, 4),
    "ones_like(x)": lambda t, x, y, m, n: t.ones_like(x),
    "arange(10)": lambda t, x, y, m, n: t.arange(10),
    "linspace(0, 1, 10)": lambda t, x, y, m, n: t.linspace(0, 1, 10),
    "full((3,), 2.)": lambda t, x, y, m, n: t.full((3,), 2.0),
    "eye(3)": lambda t, x, y, m, n: t.eye(3),
    "rand(10)": lambda t, x, y, m, n: t.rand(10),
    "randn(10)": lambda t, x, y, m, n: t.randn(10),
    "randint(5, (10,))": lambda t, x, y, m, n: t.randint(5, (10,)),
}


def operands(library: Any, requires_grad: bool) -> list[Any]:
    """Return two vectors and two matrices, the same in both libraries."""
    values = [[0.5 + 0.4 * math.sin(3.7 * k + shift) for k in range(12)] for shift in range(4)]
    vectors = [library.tensor(v[:10]) for v in values[:2]]
    matrices = [library.tensor(v).reshape(3, 4).clone() for v in values[2:]]
    return [v.requires_grad_(requires_grad) for v in (*vectors, *matrices)]


def contestants(name: str, library: Any) -> dict[str, Callable[[], Any]]:
    """The operation on plain tensors, on ones that require a gradient, and its backward pass alone."""
    case = CASES[name]
    plain, wanted = operands(library, False), operands(library, True)
    calls: dict[str, Callable[[], Any]] = {"forward": lambda: case(library, *plain)}
    out = case(library, *wanted)
    if getattr(out, "requires_grad", False) and not out.is_leaf:
        calls["recorded"] = lambda: case(library, *wanted)
        g = library.ones_like(out).detach()
        pull, used = library.autograd.grad, _used(library, out, wanted)
        calls["backward"] = lambda: pull(out, used, g, retain_graph=True)
    return calls


def _used(library: Any, out: Any, inputs: list[Any]) -> list[Any]:
    found = library.autograd.grad(out.sum(), inputs, retain_graph=True, allow_unused=True)
    return [x for x, g in zip(inputs, found, strict=True) if g is not None]


PHASES = ("forward", "recorded", "backward")


def small_operations(effort: Effort) -> Table:
    rows = []
    for name in list(CASES)[:3] if effort.tiny else CASES:
        calls = {("ours", k): call for k, call in contestants(name, shim).items()}
        if torch is not None:
            calls |= {("theirs", k): call for k, call in contestants(name, torch).items()}
        times = interleave({f"{who} {k}": c for (who, k), c in calls.items()}, effort)
        cells, worst = [], 0.0
        for phase in PHASES:
            ours, theirs = times.get(f"ours {phase}"), times.get(f"theirs {phase}")
            if ours is None:
                cells += ["", "", ""]
                continue
            cells.append(f"{1e6 * ours.minimum:.2f}")
            if theirs is None:
                cells += ["-", "-"]
                continue
            quotient = ours.minimum / theirs.minimum
            worst = max(worst, quotient)
            cells += [f"{1e6 * theirs.minimum:.2f}", f"{quotient:.2f}"]
        rows.append((name, *cells, at_most(worst, BUDGET) if worst else f"<= {BUDGET:g}"))
    return Table(
        "the PyTorch shim, vectors of 10 and matrices of 3x4: us of CPU time, minima, ours, PyTorch's, ratio",
        (
            "operation",
            *(cell for phase in PHASES for cell in (phase, "torch", "ratio")),
            "budget of the worst",
        ),
        rows,
    )
