"""What quick paths must keep: values at infinities, kept values and versions, nodes, second order, long arrays."""

from __future__ import annotations

import pytest

from tests.compat.both import agree

SOFTMAX = """
import torch
inf, nan = float("inf"), float("nan")
for values in ([inf, 0.], [-inf, -inf], [-inf, 0.], [inf, inf], [nan, 1.], [3., inf, -inf], [1e4, 1e4 - 1, 0.],
               [-90., -91., -92.], [60., -60., 0.], [300., -300., 299.]):
    for name in ("softmax", "log_softmax", "logsumexp"):
        for x in (torch.tensor(values), torch.tensor([values, values[::-1]]).T):
            x = x.clone().requires_grad_()
            y = getattr(torch, name)(x, 0)
            (y * torch.arange(float(y.numel())).reshape(y.shape)).sum().backward()
            print(y, x.grad)
"""

SPREAD = """
import torch
for values in ([1., 1.], [2.], [float("nan"), 1.], [1e3, 1e3 + 1, 1e3 + 3], [[1., 2., 4.], [3., 3., 3.]]):
    for f in (torch.std, torch.var):
        x = torch.tensor(values, requires_grad=True)
        y = f(x)
        y.backward()
        print(y, x.grad)
x = torch.tensor([[1., 2., 4.], [3., 5., 3.]], requires_grad=True)
for y in (x.std(0), x.var(1, keepdim=True), x.std((0, 1), correction=0), x.var(dim=[1]), x.std(1, False)):
    y
    torch.autograd.grad(y.sum(), x)
"""

KEPT = """
import torch
def attempt(make, spoil):
    x = torch.tensor([.3, -.5, .7], requires_grad=True)
    w = x * 1
    try:
        out = make(w)
        spoil(w, out)
        out.sum().backward()
        print(x.grad)
    except RuntimeError as error:
        print(error)
def argument(w, out): w.mul_(2)
def result(w, out): out.mul_(2)
makers = [lambda w: w.softmax(0), lambda w: w.std(), lambda w: w.norm(), lambda w: w.max(), lambda w: w.sum(),
          lambda w: w.logsumexp(0), lambda w: w.prod(), lambda w: w.cumsum(0), lambda w: torch.cat([w, w]),
          lambda w: w @ w, lambda w: torch.where(w > 0, w, -w), lambda w: torch.lerp(w, w, .5), lambda w: w.clamp(0, 1),
          lambda w: torch.nn.functional.silu(w), lambda w: torch.nn.functional.elu(w)]
for make in makers:
    attempt(make, argument)
for make in makers[:1] + makers[7:9] + makers[10:13]:
    attempt(make, result)
"""

FREED = """
import torch
x = torch.tensor([.3, -.5, .7], requires_grad=True)
for y in (x.softmax(0), x.std(), x.clamp(0, 1), torch.cat([x, x]), torch.stack([x, x]), x.sum(), x @ x, x.flip(0),
          torch.where(x > 0, x, 2 * x), x[1:2], x.amax(), x.split(2)[0], torch.lerp(x, x, .2)):
    y.sum().backward()
    try:
        y.sum().backward()
        print(y.grad_fn.name(), "again")
    except RuntimeError as error:
        print(y.grad_fn.name(), str(error)[:60])
"""

NODES = """
import torch
x = torch.tensor([[.3, -.5, .7], [.2, .4, -.9]], requires_grad=True)
v = torch.tensor([1., 2., 3.], requires_grad=True)
def chain(node):
    names = []
    while node is not None:
        names.append(node.name())
        node = node.next_functions[0][0] if node.next_functions else None
    return names
F = torch.nn.functional
for y in (x[0, 1], x[:, 1], x[1:, ::2], x[0], x[:], torch.outer(v, v), torch.where(x > 0, x, 0.), torch.cat([x, x]),
          x.masked_fill(x > 0, 0), torch.lerp(x, x, .5), x.clamp(min=0), x.clamp(max=0), x.max(1)[0], x.max(),
          x.flip(0), x.tril(), x.repeat(2, 1), x.split(1)[1], x.unbind(1)[2], x.T, x.std(), F.silu(x), F.elu(x),
          F.leaky_relu(x), F.layer_norm(x, (3,)), F.mse_loss(x, 2 * x), F.cross_entropy(x, torch.tensor([0, 2])),
          F.binary_cross_entropy_with_logits(v, v.detach()), x @ v, x @ x.T, v @ v, v @ x.T):
    print(chain(y.grad_fn), len(y.grad_fn.next_functions))
"""

SECOND_ORDER = """
import torch
F = torch.nn.functional
x = torch.tensor([[.3, -.5, .7], [.2, .4, -.9]], requires_grad=True)
w = torch.tensor([.5, 1.5, -.5], requires_grad=True)
classes = torch.tensor([0, 2])
for f in (lambda: x.std(1), lambda: x.var(), lambda: x.softmax(1), lambda: x.log_softmax(0), lambda: x.logsumexp(1),
          lambda: F.layer_norm(x, (3,)), lambda: F.layer_norm(x, (3,), w, w), lambda: F.layer_norm(x, (3,), None, w),
          lambda: F.cross_entropy(x, classes), lambda: F.cross_entropy(x, classes, reduction="sum"),
          lambda: F.mse_loss(x, w.expand(2, 3)), lambda: F.binary_cross_entropy_with_logits(x, x.detach() * .5 + .5),
          lambda: F.silu(x), lambda: F.elu(x, .7), lambda: F.leaky_relu(x, .2), lambda: F.leaky_relu(x, 1.5),
          lambda: F.softplus(30 * x), lambda: F.logsigmoid(x), lambda: F.gelu(x), lambda: torch.lerp(x, w, .3),
          lambda: torch.lerp(x, w, x), lambda: torch.addcmul(x, x, w, value=.5), lambda: torch.addcdiv(x, x, w + 2),
          lambda: x.norm(dim=1), lambda: x.norm(1), lambda: x.prod(1), lambda: x.prod(), lambda: x.clamp(-.4, .4),
          lambda: torch.outer(w, w), lambda: x @ x.T, lambda: torch.einsum("ij,kj->ik", x, x * x), lambda: x.tril(),
          lambda: torch.cat([x * x, x]), lambda: torch.stack([x, x ** 3], 1), lambda: x.split(1)[0] ** 3,
          lambda: x.sort(1)[0] ** 3, lambda: x.topk(2)[0] ** 3, lambda: x.gather(1, classes[:, None]) ** 3):
    y = f()
    (g,) = torch.autograd.grad((y * y).sum(), x if y.grad_fn.name() != "MulBackward0" else w, create_graph=True)
    print(y.detach(), g.detach())
    if g.requires_grad:
        print(torch.autograd.grad((g * g).sum(), x, allow_unused=True), )
"""

LONG = """
import torch
torch.manual_seed(0)
x = torch.randn(40, 50, dtype=torch.float64).mul(10)
for y in (x, x.T, x[::2, 1:], x.float(), x[:3, :4].double(), x[:0]):
    for d in (0, 1):
        print(y.sum(d)[:3], y.softmax(d).sum(), y.var(d)[:2] if y.numel() else 0, y.argmax(d)[:3] if y.numel() else 0)
        print(y.max(d)[0][:3] if y.numel() else 0, y.amax(d, keepdim=True).shape if y.numel() else 0)
    print(y.sum(), y.tril().sum(), y.repeat(2, 3).sum(), y.flip(1).sum(0)[:2])
print(torch.ones(3, 4, dtype=torch.int64).sum(1), torch.ones(3, dtype=torch.bool).sum(), x.int().max(), x.long().amax(0)[:3])
print(torch.tensor([3, 1, 2]).topk(2), torch.tensor([[1, 5, 2]]).max(1), torch.tensor([2., float("nan")]).max())
"""

MAPPED = """
import torch
from torch.func import grad, vmap, jacrev, jacfwd
F = torch.nn.functional
x = torch.tensor([[.3, -.5, .7], [.2, .4, -.9]])
v = torch.tensor([1., 2., 3.])
for f in (lambda t: t.std(), lambda t: t.softmax(0) @ v, lambda t: t.logsumexp(0), lambda t: F.mse_loss(t, v),
          lambda t: F.layer_norm(t, (3,), v, v) @ v, lambda t: F.silu(t).sum(), lambda t: F.elu(t).sum(),
          lambda t: F.leaky_relu(t).sum(), lambda t: t.clamp(-.4, .4).sum(), lambda t: torch.lerp(t, v, t).sum(),
          lambda t: F.binary_cross_entropy_with_logits(t, v), lambda t: torch.outer(t, t).tril().sum(), lambda t: t[1] * t[0],
          lambda t: torch.cat([t, t * t]).norm(), lambda t: t.repeat(2, 2)[1] @ t.repeat(2), lambda t: t.flip(0) @ v,
          lambda t: F.cross_entropy(t[None], torch.tensor([1])), lambda t: t.max() + t.amin(), lambda t: t.sort()[0] @ v):
    print(vmap(f)(x), vmap(grad(f))(x), jacrev(vmap(grad(f)))(x))
"""

PROGRAMS = {
    "softmax": SOFTMAX,
    "spread": SPREAD,
    "kept values": KEPT,
    "freed graphs": FREED,
    "nodes": NODES,
    "second order": SECOND_ORDER,
    "long arrays": LONG,
    "mapped": MAPPED,
}


@pytest.mark.peers
@pytest.mark.parametrize("name", PROGRAMS)
def test_prints_what_pytorch_prints(name):
    agree(PROGRAMS[name])
