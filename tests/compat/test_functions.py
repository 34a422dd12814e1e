"""autograd.Function inside torch.func transforms: what PyTorch prints, and what needs no PyTorch to be told."""

from __future__ import annotations

import numpy as np
import pytest

import funcdiff.compat.torch as torch
from funcdiff.compat.torch.func import grad, hessian, jacfwd, jacrev, vmap
from funcdiff.errors import UnsupportedError
from tests.compat.both import agree
from tests.compat.function_programs import PROGRAMS
from tests.compat.transform_programs import EXPRESSIONS, SETUP


@pytest.mark.parametrize("program", PROGRAMS, ids=range(len(PROGRAMS)))
def test_prints_what_pytorch_prints(program):
    agree(program)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_a_transform_gives_or_refuses_what_pytorchs_does(expression):
    agree(SETUP + expression)


class Sort(torch.autograd.Function):
    """A function computed by NumPy, whose rules are functions of the same kind."""

    @staticmethod
    def forward(x, dim):
        a = x.numpy()
        order = np.argsort(a, axis=dim)
        return torch.tensor(np.take_along_axis(a, order, dim)), torch.tensor(order)

    @staticmethod
    def setup_context(ctx, inputs, output):
        _, ctx.dim = inputs
        _, order = output
        ctx.mark_non_differentiable(order)
        ctx.save_for_backward(order)

    @staticmethod
    def backward(ctx, g, _):
        (order,) = ctx.saved_tensors
        return torch.zeros_like(g).scatter(ctx.dim, order, g), None

    @staticmethod
    def vmap(info, in_dims, x, dim):
        x = x.movedim(in_dims[0], 0)
        return Sort.apply(x, dim if dim < 0 else dim + 1), (0, 0)


def test_a_function_of_numpys_under_transforms():
    x = torch.tensor([[3.0, 1.0, 2.0], [0.0, 5.0, 4.0]])
    weights = torch.tensor([1.0, 10.0, 100.0])

    def f(row):
        return (Sort.apply(row, 0)[0] ** 2 * weights).sum()

    each = vmap(grad(f))(x)
    assert each.tolist() == [[600.0, 2.0, 40.0], [0.0, 1000.0, 80.0]]
    whole = grad(lambda m: vmap(f)(m).sum())(x)
    assert whole.tolist() == each.tolist()
    assert vmap(jacrev(f))(x).tolist() == each.tolist()


class Tanh(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x):
        return torch.tanh(x)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(output)
        ctx.save_for_forward(output)

    @staticmethod
    def backward(ctx, g):
        (y,) = ctx.saved_tensors
        return g * (1 - y * y)

    @staticmethod
    def jvp(ctx, t):
        (y,) = ctx.saved_for_forward
        return t * (1 - y * y)


@pytest.mark.parametrize("first", [jacrev, jacfwd])
@pytest.mark.parametrize("second", [jacrev, jacfwd])
@pytest.mark.parametrize("mapped", [False, True])
def test_second_and_third_order_are_those_of_tanh(first, second, mapped):
    x = torch.linspace(-1, 1, 6, dtype=torch.float64).reshape(2, 3)

    def twice(f):
        g = first(second(f))
        return (vmap(g)(x), vmap(jacrev(g))(x)) if mapped else (g(x), jacrev(g)(x))

    for a, b in zip(twice(lambda a: Tanh.apply(a).sum()), twice(lambda a: torch.tanh(a).sum()), strict=True):
        assert torch.allclose(a, b, rtol=1e-12, atol=1e-14)


def test_a_graph_through_a_mapped_function_has_second_derivatives():
    x = torch.linspace(-1, 1, 6, dtype=torch.float64).reshape(2, 3).requires_grad_()

    def second(f):
        (g,) = torch.autograd.grad(vmap(f)(x).sin().sum(), x, create_graph=True)
        return torch.autograd.grad((g**2).sum(), x)[0]

    assert torch.allclose(second(Tanh.apply), second(torch.tanh), rtol=1e-12)
    assert vmap(Tanh.apply)(x).grad_fn.name() == "VmappedTanhBackward"


def test_tensors_kept_as_attributes_are_mapped_too():
    class Scale(torch.autograd.Function):
        generate_vmap_rule = True

        @staticmethod
        def forward(x, y):
            return x * y

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.kept = {"x": inputs[0], "y": inputs[1]}

        @staticmethod
        def backward(ctx, g):
            return g * ctx.kept["y"], g * ctx.kept["x"]

    x, y = torch.tensor([1.0, 2.0]), torch.tensor([3.0, 5.0])
    assert vmap(grad(Scale.apply, argnums=(0, 1)))(x, y)[0].tolist() == [3.0, 5.0]
    assert grad(lambda s: vmap(Scale.apply, in_dims=(0, None))(x, s).sum())(torch.tensor(2.0)).item() == 3.0
    assert hessian(lambda p: (p[0] * 2) * p[1])(x).tolist() == [[0.0, 2.0], [2.0, 0.0]]


def test_writing_into_an_input_is_refused():
    class Double(torch.autograd.Function):
        @staticmethod
        def forward(x):
            return x.mul_(2)

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.mark_dirty(inputs[0])

        @staticmethod
        def backward(ctx, g):
            return 2 * g

    with pytest.raises(UnsupportedError, match="mark_dirty"):
        grad(lambda x: Double.apply(x * 1).sum())(torch.ones(2))


def test_hooks_inside_transforms_are_refused():
    with pytest.raises(UnsupportedError, match="hooks"):
        grad(lambda x: x.register_hook(print) or x.sum())(torch.ones(2))
