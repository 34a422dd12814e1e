"""Programs with torch.autograd and torch.func, for both libraries."""

FUNCTIONAL_SETUP = """
import torch
F = torch.autograd.functional
x = torch.tensor([1., 2.])
y = torch.tensor([3., 4., 5.])
f = lambda a: (a ** 3).sum()
g = lambda a, b: (a.sum() * b, (a * 2))
h = lambda a, b: (a ** 2).sum() * (b ** 3).sum()
"""

FUNCTIONAL = """
F.jacobian(f, x); F.jacobian(lambda a: a ** 2, x); F.jacobian(g, (x, y)); F.jacobian(lambda a: (a ** 2,), (x,)); F.jacobian(lambda a: a ** 2, (x,))
F.jacobian(f, [x]); F.jacobian(f, 1.); F.jacobian(f, (x, 1.)); F.jacobian(lambda a: 1, x); F.jacobian(g, (x, y), vectorize=True); F.jacobian(f, x, create_graph=True)
F.jacobian(g, (x, y), vectorize=True, strategy='forward-mode'); F.jacobian(lambda a: a ** 2, x, vectorize=True, strategy='forward-mode')
F.jacobian(f, x, strategy='forward-mode'); F.jacobian(f, x, strategy='bad'); F.jacobian(f, x, strict=True, vectorize=True); F.jacobian(f, x, strategy='forward-mode', vectorize=True, create_graph=True)
F.jacobian(f, x, strategy='forward-mode', vectorize=True, strict=True); F.jacobian(lambda a: torch.ones(2), x); F.jacobian(lambda a: torch.ones(2), x, strict=True); F.jacobian(lambda a, b: a ** 2, (x, y), strict=True)
F.jacobian(lambda a: 2 * a, x, strict=True, create_graph=True); F.jacobian(f, torch.tensor([1, 2])); F.jacobian(f, x.clone().requires_grad_()).requires_grad
F.hessian(f, x); F.hessian(h, (x, y)); F.hessian(f, (x,)); F.hessian(h, (x, y), vectorize=True); F.hessian(lambda a: a ** 2, x); F.hessian(lambda a: (a.sum(),), x); F.hessian(lambda a: a.sum(), x); F.hessian(lambda a: a.sum(), x, strict=True)
F.hessian(lambda a: a.sum().reshape(1, 1), x); F.hessian(f, x, create_graph=True).requires_grad; F.hessian(f, x, outer_jacobian_strategy='bad'); F.hessian(f, x, vectorize=True, outer_jacobian_strategy='forward-mode').detach()
F.vjp(f, x); F.vjp(lambda a: a ** 2, x); F.vjp(lambda a: a ** 2, x, x); F.vjp(g, (x, y), (y, x)); F.vjp(lambda a: a ** 2, x, y); F.vjp(lambda a: a ** 2, x, 1.); F.vjp(g, (x, y), (y,)); F.vjp(lambda a: a ** 2, x, (x, x)); F.vjp(g, (x, y), (x, x))
F.vjp(lambda a, b: a ** 2, (x, y), x); F.vjp(lambda a, b: a ** 2, (x, y), x, strict=True); F.vjp(lambda a: 1, x); F.vjp(f, x, create_graph=True)
F.jvp(lambda a: a ** 2, x, x); F.jvp(g, (x, y), (x, y)); F.jvp(lambda a: a ** 2, x); F.jvp(lambda a: a ** 2, x[0]); F.jvp(lambda a: torch.ones(2), x, x); F.jvp(lambda a: torch.ones(2), x, x, strict=True); F.jvp(lambda a: a * 2, x, x, create_graph=True); F.jvp(lambda a, b: a ** 2, (x, y), (x, y), strict=True)
F.vhp(f, x, x); F.vhp(h, (x, y), (x, y)); F.vhp(f, x); F.vhp(lambda a: a ** 2, x, x); F.vhp(lambda a: a.sum(), x, x); F.vhp(lambda a: a.sum(), x, x, strict=True); F.vhp(lambda a: (a.sum(),), x, x); F.vhp(lambda a: (a ** 2).sum().reshape(1, 1), x, x)
F.hvp(f, x, x); F.hvp(h, (x, y), (x, y)); F.hvp(f, x); F.hvp(lambda a: a ** 2, x, x); F.hvp(lambda a: a.sum(), x, x); F.hvp(lambda a: a.sum(), x, x, strict=True); F.hvp(f, x, x, create_graph=True); F.hvp(f, x, y)
"""

FUNCTIONAL = [line.strip() for line in FUNCTIONAL.replace("\n", ";").split(";") if line.strip()]

GRAPHS = """
import torch
x = torch.tensor([1., 2.], requires_grad=True)
y = torch.tensor([3., 4.], requires_grad=True)
torch.autograd.grad((x * y).sum(), (x, y))
torch.autograd.grad(x * y, x, torch.tensor([1., 2.]))
torch.autograd.grad((x * x).sum(), (x, y), allow_unused=True)
torch.autograd.grad((x * x).sum(), (x, y), materialize_grads=True)
g, = torch.autograd.grad((x ** 3).sum(), x, create_graph=True)
g
torch.autograd.grad(g.sum(), x, create_graph=True)
torch.autograd.grad(x * y, x, torch.eye(2), is_grads_batched=True)
z = x * y
z.register_hook(lambda g: print('hook', g))
x.register_hook(lambda g: g * 10)
handle = y.register_hook(lambda g: print('y', g))
y.register_post_accumulate_grad_hook(lambda p: print('after', p.grad))
z.retain_grad()
(z * z).sum().backward(retain_graph=True)
x.grad, y.grad, z.grad
handle.remove()
z.sum().backward(inputs=[x])
x.grad, y.grad
w = x * 2
w.grad_fn.register_hook(lambda gi, go: print('node', gi, go))
w.grad_fn.register_prehook(lambda go: print('before', go))
(w * w).sum().backward()
w.grad_fn.name(), w.grad_fn.metadata, w.grad_fn(torch.ones(2)) if False else None
a, b = x.unbind()
a.grad_fn, b.grad_fn, a.output_nr, b.output_nr
x.is_leaf, w.is_leaf, w.requires_grad, w.detach().requires_grad, x.data.requires_grad
with torch.no_grad():
    v = x * 2
    print(v.requires_grad, torch.is_grad_enabled())
    with torch.enable_grad():
        print((x * 2).requires_grad)
with torch.set_grad_enabled(False):
    print((x * 2).requires_grad)
torch.set_grad_enabled(False)
(x * 2).requires_grad
torch.set_grad_enabled(True)
with torch.inference_mode():
    i = x * 2
    print(i.requires_grad, i.is_inference() if hasattr(i, 'is_inference') else True)
i * x
x._version, w._version, x.add(1)._version
u = torch.zeros(3)
u[0] = 1
u.add_(1).mul_(2)
u._version
t = torch.zeros(2, 2)
t[:, 0] = x
t.sum().backward()
x.grad
"""

FUNCTIONS = """
import torch
from torch.autograd import Function
class Exp(Function):
    @staticmethod
    def forward(ctx, i):
        result = i.exp()
        ctx.save_for_backward(result)
        return result
    @staticmethod
    def backward(ctx, grad_output):
        result, = ctx.saved_tensors
        return grad_output * result
x = torch.tensor([1., 2.], requires_grad=True)
y = Exp.apply(x)
y
y.grad_fn.name(), y.grad_fn.next_functions
g, = torch.autograd.grad(y.sum(), x, create_graph=True)
g
torch.autograd.grad(g.sum(), x)
class Two(Function):
    @staticmethod
    def forward(a, b, n):
        return a * b, a + n * b
    @staticmethod
    def setup_context(ctx, inputs, output):
        a, b, ctx.n = inputs
        ctx.save_for_backward(a, b)
    @staticmethod
    def backward(ctx, gm, gs):
        a, b = ctx.saved_tensors
        print(ctx.needs_input_grad, gm, gs)
        return gm * b + gs, gm * a + ctx.n * gs, None
m, s = Two.apply(x, torch.ones(2), 3)
m, s
m.sum().backward()
x.grad
class Bad(Function):
    @staticmethod
    def forward(ctx, a):
        return a * 1
    @staticmethod
    def backward(ctx, g):
        return g, g
Bad.apply(x).sum().backward()
"""

REFUSED = """
import torch
class Shape(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a):
        return a * 1
    @staticmethod
    def backward(ctx, g):
        return torch.ones(5)
x = torch.tensor([1., 2.], requires_grad=True)
Shape.apply(x).sum().backward()
"""

MISSING = """
import torch
class None_(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a):
        return a * 1
x = torch.tensor([1., 2.], requires_grad=True)
None_.apply(x).sum().backward()
"""

ONCE = """
import torch
from torch.autograd.function import once_differentiable
class Once(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a):
        ctx.save_for_backward(a)
        return a ** 3
    @staticmethod
    @once_differentiable
    def backward(ctx, g):
        a, = ctx.saved_tensors
        return 3 * a ** 2 * g
x = torch.tensor([1., 2.], requires_grad=True)
g, = torch.autograd.grad(Once.apply(x).sum(), x, create_graph=True)
g.detach()
g.sum().backward()
"""

FORWARD = """
import torch
import torch.autograd.forward_ad as fwAD
x, t = torch.tensor([1., 2.]), torch.tensor([1., 0.5])
with fwAD.dual_level():
    d = fwAD.make_dual(x, t)
    print(d)
    out = (d ** 2).sum() * d.sin()
    primal, tangent = fwAD.unpack_dual(out)
    print(primal, tangent)
    print(fwAD.unpack_dual(x).tangent)
class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a):
        ctx.a = a
        return a * a
    @staticmethod
    def jvp(ctx, ta):
        return 2 * ctx.a * ta
with fwAD.dual_level():
    print(fwAD.unpack_dual(Square.apply(fwAD.make_dual(x, t))).tangent)
fwAD.make_dual(x, t)
"""

CHECKS = """
import torch
from torch.autograd import gradcheck, gradgradcheck
torch.manual_seed(0)
x = torch.randn(3, dtype=torch.double, requires_grad=True)
m = torch.randn(3, 3, dtype=torch.double, requires_grad=True)
gradcheck(lambda a, b: (b @ a).tanh(), (x, m)), gradgradcheck(lambda a, b: (b @ a).tanh(), (x, m))
gradcheck(lambda a: a.abs().sqrt() * 1, (x,), check_forward_ad=True)
class Wrong(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a):
        return a * 2
    @staticmethod
    def backward(ctx, g):
        return g * 3
gradcheck(Wrong.apply, (x,), raise_exception=False)
try:
    gradcheck(Wrong.apply, (x,))
except RuntimeError as error:
    print(str(error).splitlines()[0])
gradcheck(lambda a: a * 2, (x.detach(),))
"""

ANOMALY = """
import torch
x = torch.tensor([0., 1.], requires_grad=True)
with torch.autograd.set_detect_anomaly(True):
    y = (x.sqrt() * 0).sum()
    try:
        y.backward()
    except RuntimeError as error:
        print(error)
torch.autograd.grad((x.sqrt() * 0).sum(), x)
"""

TRANSFORMS = """
import torch
from torch.func import grad, grad_and_value, vjp, jvp, jacrev, jacfwd, hessian, vmap
x = torch.tensor([1., 2., 3.])
f = lambda a: (a ** 3).sum()
grad(f)(x), grad_and_value(f)(x)
grad(lambda a, b: (a * b).sum(), argnums=(0, 1))(x, x + 1)
grad(lambda a: (f(a), a * 2), has_aux=True)(x)
grad(grad(lambda s: s ** 4))(torch.tensor(2.))
out, pull = vjp(lambda a: a.sin(), x)
out, pull(torch.ones(3))
jvp(lambda a: a.sin(), (x,), (torch.ones(3),))
jacrev(lambda a: a ** 2)(x), jacfwd(lambda a: a ** 2)(x), hessian(f)(x)
jacrev(lambda a, b: {'u': a * b.sum(), 'v': b.sum()}, argnums=(0, 1))(x, x[:2])
vmap(lambda a: a.sum() * a)(torch.arange(6.).reshape(2, 3))
vmap(torch.dot, in_dims=(0, None))(torch.ones(2, 3), x)
vmap(grad(f))(torch.arange(6.).reshape(2, 3))
vmap(lambda a: a * 2, out_dims=1)(torch.arange(6.).reshape(2, 3))
w = torch.tensor([2., 2., 2.], requires_grad=True)
o = grad(lambda a: (w * a ** 2).sum())(x)
o.detach()
o.sum().backward()
w.grad
layer = torch.nn.Linear(3, 2)
p = {k: torch.ones_like(v) for k, v in layer.named_parameters()}
torch.func.functional_call(layer, p, x)
grad(lambda q: torch.func.functional_call(layer, q, x).sum())(p)
grad(lambda a: a)(x)
"""

BULLETS = """
import torch
def t(s):
    try:
        print(s, '->', eval(s, globals()))
    except Exception as e:
        print(s, '!!', type(e).__name__, str(e))
def r(s):
    try:
        exec(s, globals())
    except Exception as e:
        print(s, '!!', type(e).__name__, str(e))
t("torch.tensor([1,2.5]), torch.tensor([True,2]), torch.tensor(1+2j), torch.tensor([[1],[2]]).dtype"); t("torch.tensor([[1],[2,3]])"); t("torch.tensor('a')"); t("torch.tensor([1],dtype=torch.float16,requires_grad=True)"); t("torch.tensor([1],requires_grad=True)"); t("torch.arange(0,1,.25)"); t("torch.arange(5,0,-2)"); t("torch.arange(0,5,0)"); t("torch.arange(1,0)"); t("torch.linspace(0,1,3), torch.linspace(0,1,1)"); t("torch.full((2,),True), torch.full((2,),3), torch.full((2,),3.)"); t("torch.eye(2,3)"); t("torch.zeros(2,3,dtype=torch.long)"); t("torch.ones_like(torch.zeros(2,dtype=torch.int))"); t("torch.empty(2,3).shape"); t("torch.zeros(-1)"); t("torch.randint(3,1,(2,))"); t("torch.rand(2,dtype=torch.int)"); t("torch.rand_like(torch.ones(2,dtype=torch.int))")
x=torch.arange(6.).reshape(2,3); y=torch.tensor([1.,2.,3.],requires_grad=True)
t("x.size(), x.size(0), x.shape[1], x.numel(), len(x), x.dim(), x.stride(), x.dtype, x.device, x.layout"); t("x[2]"); t("x[0,5]"); t("x[:,::2]"); t("x[::-1]"); t("x[0.5]"); t("x['a']"); t("x[torch.tensor([True,False])]"); t("x[torch.tensor([0.])]"); t("x+torch.ones(4)"); t("x@x"); t("x@torch.ones(3)"); t("torch.ones(2)@torch.ones(3)"); t("x.view(4)"); t("x.t().view(6)"); t("x.reshape(-1,2)"); t("x.reshape(-1,-1)"); t("x.reshape(4,-1)"); t("x.sum(2)"); t("x.sum(0,keepdim=True)"); t("x.max()"); t("x.max(1)"); t("x.max(dim=0,keepdim=True)"); t("x.min(0).indices"); t("x.mean(dtype=torch.double)"); t("torch.arange(3).mean()"); t("x.norm(2,1), x.norm(p=1), x.norm('fro')"); t("x.std(), x.var(0), x.std(unbiased=False), x.var(dim=1,correction=0)"); t("torch.ones(1).std()"); t("x.median(), x.median(0)"); t("x.sort(descending=True)"); t("x.topk(2)"); t("x.argmax(), x.argmax(1)"); t("x.unbind()"); t("x.split(2,1)"); t("x.chunk(2)"); t("torch.cat([x,x],2)"); t("torch.cat([x,torch.ones(1,2)])"); t("torch.cat([])"); t("torch.stack([x,torch.ones(2)])"); t("x.squeeze(0).shape, x.unsqueeze(-1).shape, x[None].squeeze().shape"); t("x.unsqueeze(4)"); t("x.transpose(0,2)"); t("x.permute(0)"); t("x.permute(0,0)"); t("x.expand(3,2,3).shape"); t("x.expand(2,4)"); t("x.repeat(2)"); t("x.flatten().shape"); t("x.item()"); t("torch.tensor([2.5]).item(), torch.tensor(True).item()"); t("x.tolist()"); t("x.numpy()"); t("y.numpy()"); t("y.detach().numpy()"); t("float(torch.tensor(2)), int(torch.tensor(2.7)), bool(torch.tensor(0))"); t("float(x)"); t("bool(x)"); t("if_ := 1 if x.sum() else 0"); t("x==x, x!=1, x>2, (x>1)&(x<4), ~(x>1)"); t("x.type(), x.type(torch.int32), x.type_as(y).dtype, x.to(torch.long), x.to('cpu') is x, x.to(y).dtype, x.int(), x.bool()"); t("x.clamp(1,3), x.clamp(max=2)"); t("x.clamp()"); t("torch.where(x>2,x,-x), torch.where(x>2)"); t("x.pow(2), 2**x, x**-1, x**.5"); t("torch.arange(3)**-1"); t("torch.arange(3)/2, torch.arange(3)//2, torch.arange(3)%2, 7//torch.tensor(2), -7//torch.tensor(2)"); t("torch.tensor([1,0])/0, torch.tensor(1)//torch.tensor(0)"); t("x.T, x.mT, x.H"); t("torch.det(x)"); t("torch.inverse(torch.zeros(2,2))"); t("torch.linalg.solve(torch.zeros(2,2),torch.ones(2))"); t("torch.linalg.cholesky(-torch.eye(2))"); t("torch.einsum('ij,jk',x,x.T)"); t("torch.einsum('ij,jk->il',x,x)"); t("torch.dot(x,x)"); t("torch.mm(x,torch.ones(3))"); t("torch.bmm(x,x)"); t("torch.outer(x,x)"); t("x.gather(1,torch.tensor([[0],[3]]))"); t("x.index_select(0,torch.tensor([2]))"); t("x.scatter(0,torch.tensor([[0,1,0]]),9.)"); t("x.masked_fill(x>2,torch.tensor([1.,2.]))"); t("x.fill_(True)"); x=torch.arange(6.).reshape(2,3)
r("x.add_(1,alpha=2); print(x)"); r("x.add_(torch.ones(2,3).long()); print(x)"); r("torch.ones(2).long().add_(1.5)"); r("torch.ones(2).add_(torch.ones(2,2))"); r("y.add_(1)"); r("y[0]=1"); r("with torch.no_grad(): y[0]=5; print(y, y._version)"); r("z=y*2; z[0]=0; print(z, z.grad_fn, z._version); z.sum().backward(); print(y.grad)"); r("z=y*2; w=z.detach(); w[0]=7; print(z, z._version)"); r("z=(y*2).exp(); z.add_(1); z.sum().backward()"); r("z=y*y; y.data.mul_(2); z.sum().backward(); print(y.grad)");
r("y.grad=torch.ones(2)"); r("y.grad=1"); r("y.grad=torch.ones(3,dtype=torch.double)"); r("y.grad=None; print(y.grad)"); r("(y*2).backward()"); r("(y*2).backward(torch.ones(2))"); r("(y*2).backward(torch.ones(3)); print(y.grad)"); r("s=(y*y).sum(); s.backward(); s.backward()"); r("s=(y*2).sum(); s.backward(); s.backward(); print(y.grad)"); r("torch.ones(2).sum().backward()"); r("y.retain_grad(); print(y.retains_grad)"); r("torch.ones(2).retain_grad()"); r("z=y*2; z.retain_grad(); z.sum().backward(); print(z.grad, z.retains_grad)"); r("z=y*2; print(z.grad)"); r("print((y*2).is_leaf, y.is_leaf, y.detach().is_leaf, (y*2).requires_grad, torch.ones(1).requires_grad)"); r("z=y*2; z.requires_grad=False"); r("z=y*2; z.requires_grad_(False)"); r("torch.ones(2).long().requires_grad_()"); r("z=y.clone().detach_(); print(z.requires_grad)"); r("z=(y*2)[0]; z.detach_()"); r("h=y.register_hook(lambda g: g*2); y.grad=None; y.sum().backward(); print(y.grad); h.remove()"); r("y.register_hook(lambda g: g[:1]); y.sum().backward()"); y=torch.tensor([1.,2.,3.],requires_grad=True)
r("torch.autograd.grad(y.sum(),[y,torch.ones(1)])"); r("torch.autograd.grad(y.sum(),y*1)"); r("torch.autograd.grad((y*2),y)"); r("print(torch.autograd.grad(y.sum(),y,materialize_grads=True,allow_unused=False))"); r("torch.autograd.backward([y.sum(),(y*2).sum()]); print(y.grad)"); r("torch.autograd.backward(y.sum(),inputs=[])"); r("(y*2).sum().backward(inputs=y*1)"); r("print(torch.is_grad_enabled(), torch.is_inference_mode_enabled())"); r("with torch.inference_mode(): q=y*2\\nq.requires_grad_()"); r("with torch.inference_mode(): q=torch.ones(2)\\nq.add_(1)"); r("with torch.inference_mode(): q=torch.ones(3)\\n(q*y).sum().backward()"); r("@torch.no_grad()\\ndef f(x): return x*2\\nprint(f(y).requires_grad)"); r("@torch.no_grad\\ndef f(x): return x*2\\nprint(f(y).requires_grad)"); r("with torch.no_grad():\\n  z=y[0:1]\\nz.add_(1)"); r("a,b,c=(y*1).unbind(); a.add_(1)"); r("a=(y*1).split(1)[0]; a.mul_(2)"); r("z=(y*2).sum(); n=z.grad_fn; print(n, n.name(), n.next_functions, n.next_functions[0][0].next_functions[0][0].next_functions)"); r("print(y.grad_fn, (y+1).grad_fn, (y@y).grad_fn, y.mean().grad_fn, y.exp().grad_fn, y[0].grad_fn, y.view(3,1).grad_fn, y.max().grad_fn, torch.cat([y,y]).grad_fn, y.relu().grad_fn, torch.nn.functional.linear(y[None],torch.ones(2,3)).grad_fn)"); r("print(y.grad_fn.next_functions)"); r("import pickle; q=pickle.loads(pickle.dumps(y)); print(q, q.requires_grad)"); r("import copy; copy.deepcopy(y*2)"); r("print(copy.deepcopy(y), copy.copy(y) is y)"); r("print(hash(y)==id(y), y in [y], (y==y).all())"); r("for v in y: print(v)"); r("for v in torch.tensor(1): pass"); r("len(torch.tensor(1))"); r("print(f'{y.sum():.2f} {y[0].item():.1f} {torch.tensor(3)}')"); r("print(f'{y:.2f}')"); r("print(repr(torch.ones(2,0)), torch.zeros(0,3), torch.tensor([]), torch.tensor(float('nan')), torch.tensor([1e-8,1]), torch.tensor([1e5,1.]), torch.tensor([123456789.]), torch.tensor([[1,-1]]), torch.tensor([True]), torch.tensor([1+1j]), torch.ones(2,dtype=torch.float16), torch.arange(1001))"); r("torch.set_printoptions(precision=2); print(torch.tensor([1.23456])); torch.set_printoptions(profile='default')"); r("torch.set_printoptions(sci_mode=True); print(torch.tensor([1.5])); torch.set_printoptions(sci_mode=None)"); r("torch.set_default_dtype(torch.float64); print(torch.ones(1), torch.tensor(1.5)); torch.set_default_dtype(torch.float32)"); r("torch.set_default_dtype(torch.int)")
"""

PROGRAMS = {
    name: text
    for name, text in list(globals().items())
    if name.isupper() and isinstance(text, str) and name != "FUNCTIONAL_SETUP"
}
