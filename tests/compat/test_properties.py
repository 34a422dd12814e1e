"""Random programs give in both libraries the same values, gradients and printed text."""

from __future__ import annotations

import warnings
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import funcdiff.compat.torch as ours
from tests.compat.both import close_text, real_torch

torch = real_torch()
pytestmark = [pytest.mark.peers, pytest.mark.skipif(torch is None, reason="needs PyTorch")]

STEPS = {
    "sin": lambda t, a, b: a.sin(),
    "tanh": lambda t, a, b: a.tanh(),
    "sigmoid": lambda t, a, b: a.sigmoid(),
    "relu": lambda t, a, b: t.relu(a),
    "square": lambda t, a, b: a * a,
    "scale": lambda t, a, b: 0.5 * a - 1,
    "from one": lambda t, a, b: 1 - a,
    "sum": lambda t, a, b: a + b,
    "product": lambda t, a, b: a * b,
    "quotient": lambda t, a, b: a / (b * b + 1),
    "maximum": lambda t, a, b: t.maximum(a, b + 0.1),
    "where": lambda t, a, b: t.where(a > b, a, 2 * b),
    "matmul": lambda t, a, b: a @ b.T,
    "transpose": lambda t, a, b: a.T,
    "reshape": lambda t, a, b: a.reshape(-1).view(a.shape),
    "rows": lambda t, a, b: a[[2, 0, 0]],
    "row": lambda t, a, b: a[1] + b,
    "column": lambda t, a, b: a[:, :1] * b,
    "shifted": lambda t, a, b: t.cat([a[1:], b[:1]]),
    "normalised": lambda t, a, b: a / (a.norm(dim=1, keepdim=True) + 1),
    "softmax": lambda t, a, b: a.softmax(1),
    "cumsum": lambda t, a, b: a.cumsum(0) / 3,
    "sorted": lambda t, a, b: a.sort(1).values,
    "deviation": lambda t, a, b: a - a.mean(0) + b.std(1, keepdim=True),
    "detached": lambda t, a, b: a * b.detach(),
    "flip": lambda t, a, b: a.flip(1),
}


def in_place_add(t, a, b):
    c = a * 1
    c += b
    return c


def in_place_row(t, a, b):
    c = a.clone()
    c[1] = b[0] * 2
    c[:, 2].mul_(0.5)
    return c


def through_a_diagonal(t, a, b):
    c = a * 1
    c.diagonal().add_(b[0])
    return c


def through_windows(t, a, b):
    c = a * 1
    c.unfold(1, 2, 2)[:, 0].mul_(2)
    c.as_strided((2,), (4,), 1).sub_(b[1, :2])
    return c


def through_views_of_views(t, a, b):
    c = a.contiguous().clone()  # a clone lies as its original does, and `view` wants rows
    d = c.t()[1:]
    d[0].copy_(b[2])
    c.view(-1)[4:6] *= 3
    return c + d.sum()


def hooked(t, a, b):
    c = a * b
    if c.requires_grad:
        c.register_hook(lambda g: g * 2 + c.detach())
    return c


def unrecorded(t, a, b):
    with t.no_grad():
        c = a * 2
    return a + c


def changed_in_place_without_recording(t, a, b):
    c = a * 1
    with t.no_grad():
        c.add_(1)
    return c + b


def masked(t, a, b):
    c = a.clone()
    c[c > 0] = 0.25
    c[:, 1:].masked_fill_(b[:, 1:] < 0, -1)
    return c


def accumulated(t, a, b):
    c = t.zeros(3, 3)
    for n in range(3):
        c[n] += a[n] * b[:, n]
    return c


class _Cube:
    """The cube as an autograd.Function of either library."""

    made: ClassVar[dict] = {}

    @classmethod
    def of(cls, t):
        if t not in cls.made:

            class Cube(t.autograd.Function):
                @staticmethod
                def forward(ctx, x):
                    ctx.save_for_backward(x)
                    return x**3

                @staticmethod
                def backward(ctx, g):
                    (x,) = ctx.saved_tensors
                    return 3 * x * x * g

            cls.made[t] = Cube
        return cls.made[t]


STEPS |= {
    "in place": in_place_add,
    "written": in_place_row,
    "diagonal": through_a_diagonal,
    "windows": through_windows,
    "views of views": through_views_of_views,
    "hook": hooked,
    "unrecorded": unrecorded,
    "changed": changed_in_place_without_recording,
    "masked": masked,
    "accumulated": accumulated,
    "function": lambda t, a, b: _Cube.of(t).apply(a) + b,
    "expanded": lambda t, a, b: a.sum(0).expand(3, 3) * b,
    "scatter": lambda t, a, b: a.scatter_add(1, t.tensor([[0, 0, 2]] * 3), b),
    "gather": lambda t, a, b: a.gather(1, t.tensor([[2, 0, 0]] * 3)) - b,
    "einsum": lambda t, a, b: t.einsum("ij,kj->ik", a, b) / 3,
    "normed": lambda t, a, b: t.nn.functional.layer_norm(a, (3,)) + b,
    "attention": lambda t, a, b: (a @ b.T).softmax(-1) @ a,
    "cloned": lambda t, a, b: a.clone().clamp(-0.5, 0.5) + b.abs(),
}


def evaluate(t, values, names):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        x = t.tensor(values.tolist(), requires_grad=True)
        a, b = x, x * 0.5
        for name in names:
            a, b = STEPS[name](t, a, b), a
        if hasattr(a, "retain_grad") and a.requires_grad and not a.is_leaf:
            a.retain_grad()
        loss = (a * a).mean() + b.sum()
        (g,) = t.autograd.grad(loss, x, create_graph=True)
        loss.backward(retain_graph=True)
        kept = a.grad.detach().clone() if a.requires_grad else None  # later sweeps may pass other ways
        h = t.autograd.grad((g * g).sum(), x, allow_unused=True)[0] if g.requires_grad else None
        return loss, x.grad, h, kept, repr(a.detach()), a.grad_fn.name() if a.grad_fn else None


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 10**6), names=st.lists(st.sampled_from(sorted(STEPS)), min_size=1, max_size=6))
def test_random_programs(seed, names):
    values = np.random.default_rng(seed).uniform(-1, 1, (3, 3)).astype(np.float32)
    mine, theirs = evaluate(ours, values, names), evaluate(torch, values, names)
    for n, (a, b) in enumerate(zip(mine[:4], theirs[:4], strict=True)):
        assert (a is None) == (b is None)
        if a is not None:
            a, b = a.detach().numpy(), b.detach().numpy()
            assert a.dtype == b.dtype
            if n == 2 and "deviation" in names and np.isnan(b).any():  # see test_std_without_spread
                assert np.isfinite(a).all()
                a, b = a[~np.isnan(b)], b[~np.isnan(b)]
                if not b.size:
                    continue
            size = np.abs(b[np.isfinite(b)]).max(initial=1.0)
            assert np.allclose(a, b, rtol=2e-3, atol=1e-3 * float(size))
    assert close_text(mine[4], theirs[4], rtol=1e-2)
    assert mine[5] == theirs[5]


def test_std_without_spread():
    """The exception: where nothing spreads, PyTorch's second derivative through std is NaN; the contract makes ours 0."""
    found = {}
    for t in (ours, torch):
        x = t.tensor([[0.5, 0.5, 0.5], [0.1, 0.2, 0.4]], requires_grad=True)
        loss = (x.std(1, keepdim=True) + x).square().mean()
        (g,) = t.autograd.grad(loss, x, create_graph=True)
        (h,) = t.autograd.grad((g * g).sum(), x)
        found[t] = g.detach().numpy(), h.numpy()
    (g, h), (their_g, their_h) = found[ours], found[torch]
    np.testing.assert_allclose(g, their_g, rtol=1e-5)
    assert np.isnan(their_h[0]).all()
    np.testing.assert_allclose(h[0], 1 / 9, rtol=1e-5)  # that of the mean of squares alone: std adds nothing
    np.testing.assert_allclose(h[1], their_h[1], rtol=1e-4)


NUMBERS = st.one_of(
    st.floats(width=32, allow_nan=True, allow_infinity=True),
    st.integers(-1000, 100000).map(float),
    st.sampled_from([0.0, -0.0, 1.0, 0.5, 1e-5, 123456.0]),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(NUMBERS, min_size=0, max_size=30), st.sampled_from([(-1,), (-1, 1), (1, -1, 1)]))
def test_printing(values, shape):
    a = np.array(values, np.float32).reshape(shape if values else (0,))
    assert repr(ours.from_numpy(a)) == repr(torch.from_numpy(a))
    with np.errstate(all="ignore"):
        z = (a + 1j * a[::-1]).astype(np.complex64)
    assert repr(ours.from_numpy(z)) == repr(torch.from_numpy(z))
    integers = np.nan_to_num(a, posinf=3, neginf=-3).clip(-1e6, 1e6).astype(np.int64)
    assert repr(ours.from_numpy(integers)) == repr(torch.from_numpy(integers))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40))
def test_random_streams(seed, n):
    for t in (ours, torch):
        t.manual_seed(seed)
    for draw in (
        lambda t: t.rand(n),
        lambda t: t.randn(n),
        lambda t: t.randint(-3, 1000, (n,)),
        lambda t: t.randperm(n),
        lambda t: t.rand(n, dtype=t.float64),
        lambda t: t.randn(n, dtype=t.float64),
        lambda t: t.empty(n).uniform_(-1, 3),
    ):
        assert np.allclose(draw(ours).numpy(), draw(torch).numpy(), rtol=1e-5, atol=1e-6)
