"""Expressions and programs for both libraries; every expression is also differentiated."""

SETUP = """
x = torch.tensor([[.3, -.5, .7], [.2, .4, -.9]], requires_grad=True)
y = torch.tensor([[.1, .25, .3], [.6, .7, .8]], requires_grad=True)
v = torch.tensor([1., -2., 3.], requires_grad=True)
m = torch.tensor([[2., .5], [.3, 1.5]], requires_grad=True)
i = torch.tensor([[0], [1]])
n = torch.arange(6).reshape(2, 3)
"""

OPERATIONS = """
x+y; x+1; 1+x; x-y; x-1; 1-x; x*y; x*2; 2*x; x/y; x/2; 2/y; x**2; y**x; 2**x; y**0.5; y**-1; -x; abs(x); x%2; x%y
x//2; x//y; torch.add(x, y, alpha=2); torch.sub(x, y, alpha=.5); torch.div(x, y, rounding_mode='floor'); torch.rsub(x, y)
torch.div(x, y, rounding_mode='trunc'); torch.true_divide(x, y); torch.fmod(x, y); torch.remainder(x, y)
x.exp(); y.log(); y.log2(); y.log10(); y.log1p(); x.expm1(); x.exp2(); x.sin(); x.cos(); x.tan(); x.asin(); x.acos(); x.atan()
x.sinh(); x.cosh(); x.tanh(); x.asinh(); (y+1).acosh(); x.atanh(); y.sqrt(); y.rsqrt(); x.square(); x.reciprocal(); x.sigmoid()
x.relu(); x.abs(); x.sign(); x.floor(); x.ceil(); x.trunc(); x.round(); x.frac(); x.erf(); x.erfc(); x.erfinv(); y.lgamma(); y.digamma()
x.clamp(-.2, .5); x.clamp(min=.1); x.clamp(max=.3); x.clamp(min=y); x.clamp_min(.3); x.clamp_max(.3); x.sinc(); y.logit(); x.deg2rad()
torch.maximum(x, y); torch.minimum(x, y); torch.fmax(x, y); torch.fmin(x, y); torch.atan2(x, y); torch.hypot(x, y); torch.logaddexp(x, y)
torch.lerp(x, y, .3); torch.lerp(x, y, y); torch.addcmul(x, x, y, value=.5); torch.addcdiv(x, x, y); torch.xlogy(y, y); x.nan_to_num()
x.sum(); x.sum(0); x.sum(1, keepdim=True); x.sum((0, 1)); x.mean(); x.mean(1); x.mean(dim=0, keepdim=True); x.prod(); x.prod(0)
x.max(); x.min(); x.max(0).values; x.min(1)[0]; x.amax(0); x.amax((0, 1)); x.var(); x.std(); x.std(0); x.var(1, unbiased=False); x.std(1, keepdim=True)
x.norm(); x.norm(1); x.norm(3); x.norm(2, 0); x.norm(dim=1); x.norm(float('inf')); torch.linalg.norm(x, 1, 1); torch.linalg.vector_norm(x, 3, (0, 1))
x.cumsum(0); x.cumprod(1); x.logsumexp(1); x.logsumexp((0, 1)); x.logcumsumexp(1); x.median(); x.median(1).values; x.sort(1).values; x.sort(descending=True)[0]
x.topk(2).values; x.kthvalue(2).values; x.cummax(1).values; x.softmax(1); x.log_softmax(0); x.dist(y); torch.cdist(x, y); x.diff(); torch.trapezoid(x)
x[0]; x[0:1]; x[0, 1]; x[:, 0]; x[...]; x[:]; x[None]; x[[0, 1]]; x[torch.tensor([0, 0])]; x[x > 0]; x[:, [0, 2]]; x[0][0:2]; x[::2]; x[..., 0]; x[:, None]; x[1, 1:3]; x[-1, -2:]
x.reshape(3, 2); x.view(6); x.T; x.t(); x.transpose(0, 1); x.permute(1, 0); x.unsqueeze(1); x[None].squeeze(0); x.expand(2, 2, 3); x.flatten(); x.ravel()
x.clone(); x.T.contiguous(); x.T.reshape(6); x.repeat(2, 2); x.flip(1); x.roll(1, 1); x.tile((2,)); x.repeat_interleave(2, 0); x.rot90(); x.movedim(0, 1)
x.chunk(3, 1)[1]; x.split(2, 1)[0]; x.split([1, 2], 1)[1]; x.unbind(1)[2]; x.narrow(1, 1, 2); x.select(1, 2); x.tensor_split(2, 1)[0]; x.unfold(1, 2, 1)
m.diagonal(); m.diag(); v.diag(); torch.diag_embed(v); torch.cat([x, y]); torch.cat([x, y], 1); torch.stack([x, y], 1); torch.hstack([x, y]); torch.vstack([x, y]); torch.dstack([x, y])
x.tril(); x.triu(1); x.gather(1, i); x.index_select(0, torch.tensor([1, 1])); x.masked_fill(x > .4, 0.); torch.where(x > 0, x, y); torch.where(x > 0, x, 0.)
x.masked_select(x > 0); x.take(torch.tensor([0, 5])); x.scatter(1, i, y[:, :1]); x.scatter_add(1, i, y[:, :1]); x.index_add(0, torch.tensor([0, 0]), y); x.index_copy(0, torch.tensor([0]), y[:1]); x.index_fill(0, torch.tensor([0]), 3.); x.index_put((torch.tensor([0]),), y[0])
x @ v; m @ x; v @ x.T; v @ v; x.T @ x; torch.dot(v, v); torch.mm(m, x); torch.mv(x, v); torch.bmm(x[None], x.T[None]); x[None] @ x.T; torch.matmul(x, x.T[None]); torch.outer(v, v); torch.addmm(x, m, x)
torch.einsum('ij,j->i', x, v); torch.tensordot(x, y, 2); torch.kron(m, m); torch.cross(v, v.flip(0), dim=0); torch.trace(m); torch.inner(v, v); torch.addmv(m[0], m, m[1]); torch.baddbmm(x[None], m[None], x[None])
torch.inverse(m); torch.det(m); torch.linalg.solve(m, x); torch.linalg.solve(m, m[0]); torch.linalg.cholesky(m @ m.T); torch.linalg.eigvalsh(m @ m.T); torch.linalg.svdvals(m); torch.slogdet(m)[1]; torch.logdet(m @ m.T); torch.linalg.pinv(x); torch.linalg.matrix_power(m, 3); torch.linalg.matrix_norm(m); torch.linalg.qr(m)[1].abs()
x.double(); x.float(); x.to(torch.float64); x.half().float(); (x + 0j).abs(); torch.real(x * (1 + 2j)); torch.imag(x * (1 + 2j)); torch.complex(x, y).abs(); torch.polar(y, x).real; (x * 1j).conj().imag; torch.view_as_real(x + 1j); torch.complex(x, y).angle()
x.quantile(.3); x.nansum(); x.nanmean(0); torch.meshgrid(v, v, indexing='ij')[0]; torch.meshgrid(v, v[:2], indexing='xy')[1]; torch.broadcast_to(v, (2, 3)); x.unflatten(1, (3, 1))
x == y; x != y; x < y; x >= 0; n + 1; n * 2; n / 2; n // 2; n % 4; n ** 2; n + 1.5; n * True; n > 2; n.sum(); n.float().mean(); n.max(); n.argmax(); n.argmax(1); n.argmin(0, keepdim=True); x.argsort(1); n & 1; n | 8; ~n; n << 1; n == 3; (n > 2).sum(); (n > 2).any(); (n > 2).all(0); n.cumsum(1); n.prod(1); -n; abs(-n); n.bool(); n.unique(); n.flatten().bincount()
x + n; x * n; n + x.double(); n.short() + n; n.int() * 2.5; x.isnan(); x.isfinite(); torch.isclose(x, x); torch.allclose(x, x); torch.equal(x, y); torch.numel(x); x.nonzero(); torch.count_nonzero(n); n.tolist(); x.dim(); x.size(); x.size(1); x.stride(); x.T.stride(); x.is_contiguous(); x.T.is_contiguous(); x.dtype; x.type(); n.dtype; x.device; x.shape; x.numel(); x.itemsize
torch.zeros(2, 3); torch.ones((2,)); torch.full((2, 2), 7); torch.full((2,), 1.5); torch.eye(3); torch.arange(5); torch.arange(1., 2., .3); torch.linspace(0, 1, 5); torch.logspace(0, 2, 3); torch.zeros_like(x); torch.ones_like(n); torch.full_like(x, 2); torch.tensor([1, 2.5]); torch.tensor([True, False]); torch.tensor(3); torch.tensor([[1, 2], [3, 4]], dtype=torch.float64); torch.tensor([1+2j]); torch.empty(0); torch.zeros(2, 0); x.new_zeros(2); torch.tril_indices(2, 2); torch.tensor([]); torch.zeros(0, 3, dtype=torch.int32); torch.tensor([1., float('nan'), float('inf')]); torch.tensor([1e-10, 1.]); torch.tensor([1e10, 1.]); torch.tensor([100000., 1.]); torch.tensor(1e-5); torch.tensor([.1, 1000.]); torch.arange(2000); torch.arange(2000.).reshape(20, 100); torch.ones(3, 4, 5); torch.tensor([1.5, 2.], dtype=torch.float16); torch.tensor(2, dtype=torch.int8); torch.tensor([[-1.5], [20.]]); torch.tensor([1+1e-5j, 2]); torch.ones(1, 1, 2, 2) * 1e6
torch.nn.functional.gelu(x); torch.nn.functional.gelu(x, approximate='tanh'); torch.nn.functional.silu(x); torch.nn.functional.elu(x); torch.nn.functional.leaky_relu(x); torch.nn.functional.softplus(x); torch.nn.functional.logsigmoid(x); torch.nn.functional.mish(x); torch.nn.functional.selu(x); torch.nn.functional.celu(x); torch.nn.functional.hardtanh(x); torch.nn.functional.relu6(x); torch.nn.functional.hardswish(x); torch.nn.functional.hardsigmoid(x); torch.nn.functional.softsign(x); torch.nn.functional.tanhshrink(x); torch.nn.functional.softshrink(x); torch.nn.functional.hardshrink(x); torch.nn.functional.threshold(x, 0.1, 2.); torch.nn.functional.glu(x.reshape(3, 2)); torch.nn.functional.softmin(x, 1); torch.nn.functional.normalize(x); torch.nn.functional.pad(x, (1, 2)); torch.nn.functional.pad(x[None], (1, 1), mode='reflect'); torch.nn.functional.one_hot(n); torch.nn.functional.prelu(x, v[:1])
torch.nn.functional.mse_loss(x, y); torch.nn.functional.l1_loss(x, y); torch.nn.functional.smooth_l1_loss(x, y); torch.nn.functional.huber_loss(x, y, delta=.5); torch.nn.functional.cross_entropy(x, torch.tensor([0, 2])); torch.nn.functional.cross_entropy(x, y); torch.nn.functional.cross_entropy(x, torch.tensor([0, -100]), reduction='sum'); torch.nn.functional.cross_entropy(x, torch.tensor([0, 2]), weight=v.detach().abs(), label_smoothing=.1); torch.nn.functional.nll_loss(x, torch.tensor([1, 1])); torch.nn.functional.binary_cross_entropy(y, y.detach() * .5); torch.nn.functional.binary_cross_entropy_with_logits(x, y.detach()); torch.nn.functional.kl_div(x, y, reduction='batchmean'); torch.nn.functional.cosine_similarity(x, y); torch.nn.functional.pairwise_distance(x, y); torch.nn.functional.poisson_nll_loss(x, y); torch.nn.functional.gaussian_nll_loss(x, y, y.detach() + 1); torch.nn.functional.soft_margin_loss(x, x.detach().sign()); torch.nn.functional.margin_ranking_loss(x[0], y[0], v.detach().sign()); torch.nn.functional.triplet_margin_loss(x, y, x.flip(0)); torch.nn.functional.hinge_embedding_loss(x, x.detach().sign())
torch.nn.functional.linear(x, y); torch.nn.functional.linear(x, y, m[0]); torch.nn.functional.bilinear(x, y, torch.ones(2, 3, 3)); torch.nn.functional.embedding(torch.tensor([1, 0]), x); torch.nn.functional.layer_norm(x, (3,)); torch.nn.functional.layer_norm(x, (3,), v, v); torch.nn.functional.batch_norm(x, None, None, training=True); torch.nn.functional.group_norm(x.reshape(1, 6, 1), 2); torch.nn.functional.rms_norm(x * 1, (3,), v).sum(); torch.nn.functional.conv1d(x[None], y[None, :, :2]); torch.nn.functional.conv1d(x[None], y[None, :, :2], stride=2, padding=1, dilation=2); torch.nn.functional.conv2d(x[None, None], m[None, None]); torch.nn.functional.conv2d(x[None, None], y[None, None, :1], padding='same'); torch.nn.functional.max_pool1d(x[None], 2); torch.nn.functional.max_pool2d(x[None], 2, 1); torch.nn.functional.avg_pool1d(x[None], 2, 1, 1); torch.nn.functional.avg_pool2d(x[None], 2); torch.nn.functional.adaptive_avg_pool1d(x[None], 2); torch.nn.functional.adaptive_avg_pool2d(x[None], (1, 2)); torch.nn.functional.unfold(x[None, None], 2); torch.nn.functional.scaled_dot_product_attention(x[None], y[None], y[None]); torch.nn.functional.scaled_dot_product_attention(x[None], y[None], y[None], is_causal=True)
"""

OPERATIONS = [line.strip() for line in OPERATIONS.replace("\n", ";").split(";") if line.strip()]

NAMED_OTHERWISE = {
    "torch.trapezoid(x)",
    "x.repeat_interleave(2, 0)",
    "torch.matmul(x, x.T[None])",
    "x.quantile(.3)",
    "torch.nn.functional.bilinear(x, y, torch.ones(2, 3, 3))",
    "torch.nn.functional.scaled_dot_product_attention(x[None], y[None], y[None])",
    "torch.nn.functional.scaled_dot_product_attention(x[None], y[None], y[None], is_causal=True)",
}
"""What PyTorch makes of several nodes, of which the last gives its name."""

DIFFERENTIATE = """
out = {expression}
if isinstance(out, torch.Tensor) and out.requires_grad:
    loss = (out.abs() if out.is_complex() else out * out).sum()
    loss.backward()
    print(x.grad); print(y.grad); print(v.grad); print(m.grad)
"""

ERRORS = """
y.exp().add_(1).sum().backward()|x.add_(1)|x[0].add_(1)|y.backward()|v.sum().backward()|torch.ones(3)+torch.ones(2)
torch.ones(2,3)@torch.ones(2,3)|torch.ones(2,3)@torch.ones(2)|torch.dot(torch.ones(2),torch.ones(3))|torch.ones(3).reshape(2)|torch.ones(3).view(2)
torch.ones(3)[5]|torch.ones(3)[0,0]|bool(torch.ones(3))|torch.ones(3).item()|float(torch.ones(3))|x.numpy()|torch.sin(2)|y.requires_grad_(False)
v.retain_grad()|torch.tensor([1,2],requires_grad=True)|torch.arange(3).requires_grad_()|torch.ones(2,3).sum(5)|torch.ones(2,3).squeeze(4)
torch.cat([torch.ones(2),torch.ones(2,2)])|torch.cat([torch.ones(2,3),torch.ones(2,2)])|torch.stack([torch.ones(2),torch.ones(3)])
torch.arange(3).add_(0.5)|torch.ones(2).add_(torch.ones(3,2))|torch.ones(2)+'a'|torch.tensor('a')|torch.tensor([[1,2],[3]])|torch.tensor(None)
y.sum().backward(torch.ones(3))|torch.autograd.grad(y.sum(),v)|torch.autograd.grad(y.sum(),torch.ones(2,requires_grad=True))|torch.arange(3).mean()
torch.mm(torch.ones(2),torch.ones(2))|torch.ones(2,2).T.view(4)|len(torch.tensor(1.))|iter(torch.tensor(1.))|torch.ones(2)[1.0]|torch.ones(2,3).expand(3,3)
torch.linalg.inv(torch.zeros(2,2))|torch.linalg.cholesky(-torch.eye(2))|torch.linalg.inv(torch.ones(2,3))|torch.tensor([]).max()|torch.arange(3)**-1|x.foo
x.grad=torch.ones(3)|x.grad=1|torch.tensor(1)//0|torch.ones(2).backward()|torch.zeros(2).copy_(torch.ones(3))|y.grad|y.unbind()[0].add_(1)
torch.ones(2)@torch.tensor(1.)|torch.ones(2).masked_fill_(torch.ones(2),1)|torch.where(torch.ones(2),1,2)|torch.gather(torch.ones(2,2),0,torch.ones(2,2))
torch.nn.functional.cross_entropy(torch.ones(2,3),torch.tensor([0,5]))|torch.complex(torch.ones(1),torch.ones(1,dtype=torch.double))
s=y.sum(); s.backward(); s.backward()|z=x*x; z.sum().backward(); z.sum().backward()|a=torch.ones(2); a.register_hook(print)
y=x*2;z=y[0:1];r=z.mul_(3);print(y.grad_fn,z.grad_fn,y.grad_fn.next_functions,z.grad_fn.next_functions)
y=x*2;z=y*y;y.add_(1);z.sum().backward()|z=x.exp();z.add_(1);print(z.grad_fn.next_functions);z.sum().backward()|z=x*x;x.data.add_(1);z.sum().backward();print(x.grad)
d=y.detach();d.add_(1);(y*y).sum().backward();print(x.grad,y._version)|z=y*y;d=y.detach();d.add_(1);z.sum().backward()
a=torch.zeros(3);a[0]=x[0];print(a.grad_fn,a.grad_fn.next_functions,a.requires_grad);a.sum().backward();print(x.grad)
a=torch.zeros(3);a[torch.tensor([0,1])]=x;print(a.grad_fn,a.grad_fn.next_functions);(a*a).sum().backward();print(x.grad)
z=torch.zeros(2);z+=x;print(z.grad_fn,z.grad_fn.next_functions,z)|y=x*1;y.mul_(y);y.sum().backward()|z=y.detach();z.requires_grad_();print(z.is_leaf)
w=x*2;w.detach_();print(w.requires_grad,w.is_leaf,w)|w=x*2;z=w[0];z.detach_()|w=x*2;w.requires_grad=False|torch.nn.Linear(2,3)(torch.ones(3))|torch.nn.Module()(1)
torch.nn.Linear(2,2).load_state_dict({})|torch.nn.Linear(2,2).load_state_dict({'weight':torch.ones(3,3),'bias':torch.ones(2)})|torch.optim.SGD([],lr=1)|torch.optim.SGD(x,lr=1)|torch.optim.SGD([x],lr=-1)|torch.nn.Dropout(2)
"""

ERRORS = [e.strip() for e in ERRORS.replace("\n", "|").split("|") if e.strip()]

ERROR_SETUP = "import torch\nx=torch.ones(2,requires_grad=True);y=x*2;v=torch.tensor([1.,2.])\n"
