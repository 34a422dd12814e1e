"""Programs with autograd.Function inside torch.func transforms, for both libraries."""

CUBE = """
import torch
from torch.func import grad, vjp, jvp, jacrev, jacfwd, hessian, vmap, linearize
class Cube(torch.autograd.Function):
    generate_vmap_rule = True
    @staticmethod
    def forward(x, scale):
        return scale * x ** 3, x.numel()
    @staticmethod
    def setup_context(ctx, inputs, output):
        x, ctx.scale = inputs
        ctx.save_for_backward(x)
        ctx.save_for_forward(x)
    @staticmethod
    def backward(ctx, g, _):
        x, = ctx.saved_tensors
        return 3 * ctx.scale * x ** 2 * g, None
    @staticmethod
    def jvp(ctx, t, _):
        x, = ctx.saved_tensors
        return 3 * ctx.scale * x ** 2 * t, None
class Power(torch.autograd.Function):
    generate_vmap_rule = True
    @staticmethod
    def forward(x, scale):
        return scale * x ** 3
    @staticmethod
    def setup_context(ctx, inputs, output):
        x, ctx.scale = inputs
        ctx.save_for_backward(x)
        ctx.save_for_forward(x)
    @staticmethod
    def backward(ctx, g):
        x, = ctx.saved_tensors
        return 3 * ctx.scale * x ** 2 * g, None
    @staticmethod
    def jvp(ctx, t, _):
        x, = ctx.saved_tensors
        return 3 * ctx.scale * x ** 2 * t
x = torch.tensor([1., 2., 3.])
m = torch.arange(6.).reshape(2, 3)
"""

TRANSFORMED = """
grad(lambda x: Cube.apply(x, 2.)[0].sum())(x)
Cube.apply(x, 2.)
f = lambda x: Power.apply(x, 2.)
grad(lambda x: f(x).sum())(x); grad(grad(lambda s: f(s)))(torch.tensor(2.)); grad(grad(grad(f)))(torch.tensor(2.))
vjp(f, x)[1](x); jvp(f, (x,), (torch.ones(3),)); linearize(f, x)[1](x)
jacrev(f)(x); jacfwd(f)(x); hessian(lambda x: f(x).sum())(x)
jacrev(jacrev(lambda x: f(x).sum()))(x); jacfwd(jacfwd(lambda x: f(x).sum()))(x); jacrev(jacfwd(lambda x: f(x).sum()))(x)
vmap(f)(m); vmap(f, in_dims=1, out_dims=1)(m); vmap(vmap(f))(m); vmap(grad(lambda x: f(x).sum()))(m); grad(lambda m: vmap(f)(m).sum())(m)
vmap(jacrev(f))(m); jacrev(vmap(f))(m[:, :2]); jvp(vmap(f), (m,), (torch.ones(2, 3),)); vmap(hessian(lambda x: f(x).sum()))(m)
vmap(lambda a, b: Power.apply(a, 1.) * b, in_dims=(0, None))(m, x)
grad(lambda b: vmap(lambda a: Power.apply(a * b, 1.))(m).sum())(x)
grad(lambda b: vmap(lambda a: (a * Power.apply(b, 1.)).sum())(m).sum())(x)
w = torch.tensor([1., 2., 3.], requires_grad=True); o = vmap(f)(torch.stack([w, w])); o.sum().backward(); w.grad
w = torch.tensor([1., 2., 3.], requires_grad=True); vmap(f)(w[None])
w = torch.tensor([1., 2., 3.], requires_grad=True); grad(lambda x: f(x * w).sum())(x).sum().backward(); w.grad
w = torch.tensor([1., 2., 3.], requires_grad=True); g, = torch.autograd.grad(vmap(f)(w).sum(), w, create_graph=True); torch.autograd.grad(g.sum(), w)
torch.autograd.functional.jacobian(f, x, vectorize=True)
"""

PAIR = """
import torch
from torch.func import grad, vjp, jvp, jacrev, vmap
class Pair(torch.autograd.Function):
    @staticmethod
    def forward(x, y, flag=None):
        return x * y, (x > y)
    @staticmethod
    def setup_context(ctx, inputs, output):
        x, y, _ = inputs
        ctx.save_for_backward(x, y)
        ctx.mark_non_differentiable(output[1])
    @staticmethod
    def backward(ctx, g, _):
        x, y = ctx.saved_tensors
        return g * y, g * x, None
    @staticmethod
    def vmap(info, in_dims, x, y, flag):
        print(info.batch_size, in_dims)
        return Pair.apply(x, y, flag), 0
x, y = torch.tensor([1., 2.]), torch.tensor([3., 1.])
"""

MAPPED_BY_HAND = """
grad(lambda a: Pair.apply(a, y, 1)[0].sum())(x); grad(lambda a: Pair.apply(a, a, 1)[0].sum())(x)
vmap(lambda a, b: Pair.apply(a, b, 3))(x, y); vmap(grad(lambda a, b: Pair.apply(a, b, 3)[0]))(x, y); grad(lambda a: vmap(lambda a, b: Pair.apply(a, b, 3))(a, y)[0].sum())(x)
vmap(lambda a: Pair.apply(a, torch.tensor(2.), 3))(x); vjp(lambda a: Pair.apply(a, y, 1)[0], x)[1](y)
jvp(lambda a: Pair.apply(a, y, 1)[0], (x,), (y,))
"""

REFUSED = """
class A(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x): return x * 2
    @staticmethod
    def backward(ctx, g): return g * 2
class B(torch.autograd.Function):
    @staticmethod
    def forward(x, y): return x * y
    @staticmethod
    def setup_context(ctx, inputs, output): ctx.save_for_backward(*inputs)
    @staticmethod
    def backward(ctx, g): return g
class Both(B):
    generate_vmap_rule = True
    @staticmethod
    def vmap(info, in_dims, x, y): return x * y, 0
class One(B):
    @staticmethod
    def vmap(info, in_dims, x, y): return [x * y]
class Shape(B):
    @staticmethod
    def backward(ctx, g): return g.sum(), g
class NoRule(B):
    backward = torch.autograd.Function.backward
"""

REFUSALS = """
grad(lambda a: A.apply(a).sum())(x); vmap(A.apply)(x); jvp(A.apply, (x,), (x,)); grad(lambda a: B.apply(a, a).sum())(x); vmap(B.apply)(x, x); jvp(B.apply, (x, x), (x, x)); vmap(Both.apply)(x, x)
grad(lambda a: Shape.apply(a, a).sum())(x); grad(lambda a: NoRule.apply(a, a).sum())(x); grad(lambda a: B.apply(a, 2.).sum())(x); A.apply(x); B.apply(x, x); A()
"""


def lines(text):
    return [line.strip() for line in text.strip().splitlines() if line.strip()]


PROGRAMS = [CUBE + line for line in lines(TRANSFORMED)]
PROGRAMS += [PAIR + part for line in lines(MAPPED_BY_HAND) for part in line.split("; ")]
PROGRAMS += [PAIR + REFUSED + part for line in lines(REFUSALS) for part in line.split("; ")]

PRINTED_INSIDE = """
import torch
from torch.func import grad, jvp, vmap
def f(x):
    print(x)
    print(x.requires_grad, x.shape)
    return x.sum()
x = torch.arange(6.).reshape(2, 3)
grad(f)(x)
vmap(f)(x)
vmap(grad(f))(x)
grad(lambda x: vmap(f)(x).sum())(x)
jvp(f, (x,), (x,))
grad(lambda x: f(torch.sin(x) * 1.5))(x)
y = torch.tensor([1., 2.], requires_grad=True)
vmap(f)(y)
grad(f)(y)
"""
PROGRAMS.append(PRINTED_INSIDE)

KEPT_AWAY = """
import torch
class Half(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, n):
        ctx.n = n
        ctx.set_materialize_grads(False)
        return x * n, 3, x + n
    @staticmethod
    def backward(ctx, *g):
        print(g)
        return ctx.n * g[0], None, None, None
    @staticmethod
    def jvp(ctx, t, _):
        print(t)
        return ctx.n * t if t is not None else None, None, t
x = torch.ones(2, requires_grad=True)
Half.apply(x, 2.)
Half.apply(x, 2.)[0].sum().backward()
x.grad
import torch.autograd.forward_ad as fwAD
class Pair(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, y):
        return x * y
    @staticmethod
    def jvp(ctx, t, s):
        print(t, s)
        return t + s
with fwAD.dual_level():
    d = fwAD.make_dual(torch.ones(2), torch.ones(2))
    print(Pair.apply(d, torch.ones(2)))
class Many(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x, 1)
        return x
    @staticmethod
    def backward(ctx, g): return g.sum()
try:
    Many.apply(x)
except TypeError as e:
    print(e)
class Small(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 1
    @staticmethod
    def backward(ctx, g): return g.sum()
Small.apply(x).sum().backward()
"""
PROGRAMS.append(KEPT_AWAY)
