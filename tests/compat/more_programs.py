"""Functions beyond the common ones, for both libraries."""

SETUP = """
import torch
L, S, F = torch.linalg, torch.special, torch.fft
torch.manual_seed(0)
x = torch.rand(2, 3, dtype=torch.double) * .8 + .1
y = torch.rand(2, 3, dtype=torch.double) * .8 + .1
a = torch.tensor([[2., 1, 0], [.5, 3, 1], [1, 0, 4]], dtype=torch.double)
b = torch.arange(6., dtype=torch.double).reshape(3, 2)
i = torch.tensor([[4, 6, 9], [10, 12, 8]])
for t in (x, y, a, b):
    t.requires_grad_()
leaves = [x, y, a, b]
"""

DIFFERENTIATE = """
def at(value):
    return (value if isinstance(value, tuple) else (value,))[0]
out = {expression}
print(out)
if isinstance(at(out), torch.Tensor) and at(out).requires_grad:
    g = torch.autograd.grad((at(out).abs() ** 2).sum(), leaves, allow_unused=True)
    for d in g:
        if d is not None:
            print(d)
"""

EXPRESSIONS = """
S.i0e(x); S.i1(x); S.i1e(x); S.ndtr(x); S.log_ndtr(x); S.ndtri(x); S.entr(x); S.erfcx(x); S.bessel_j0(x).detach(); S.modified_bessel_k0(x.detach()); S.gammainc(x.detach(), y); S.gammaincc(x.detach(), y); S.xlog1py(x, y); S.zeta(2., y + 1).detach(); torch.polygamma(2, x); x.polygamma(1); torch.mvlgamma(x + 2, 3); S.expit(x); S.psi(x); S.gammaln(x); torch.igamma(x.detach(), y); S.logsumexp(x, 1); S.softmax(x, 1)
F.fft(x); F.ifft(x).abs(); F.rfft(x); F.irfft(x); F.fft2(x); F.rfft2(x); F.irfftn(x); F.fftn(x); F.hfft(x); F.ihfft(x); F.fft(x, 5, norm='ortho'); F.rfft(x, dim=0); F.fftfreq(5); F.rfftfreq(4, .5); F.fftshift(x); F.ifftshift(x, 1); F.fft(x.float()).dtype; F.fftn(x, (2, 2)); F.irfft(F.rfft(x), 3)
L.solve_triangular(a, b, upper=True); L.solve_triangular(a, b.T, upper=False, left=False); L.solve_triangular(a, b, upper=True, unitriangular=True); torch.cholesky_solve(b, L.cholesky(a @ a.T)); torch.cholesky_inverse(L.cholesky(a @ a.T)); L.vecdot(x, y); L.tensorinv(a.reshape(3, 3), 1); L.tensorsolve(a, b[:, 0]); L.vander(b[:, 0]); torch.svd(a).S; L.qr(a).R.abs()
torch.block_diag(x, a, b[0]); torch.cov(x); torch.cov(x[0]); torch.corrcoef(x); torch.vander(b[:, 1].detach(), 3); torch.diagflat(x, 1); torch.split_with_sizes(x, [1, 2], 1); torch.atleast_3d(x); torch.atleast_3d(x[0], x[0, 0]); x.sum_to_size(1, 3); x.sum_to_size(3); x.sum_to_size(2)
torch.gcd(i, torch.tensor(6)); torch.lcm(i, torch.tensor([2, 3, 4])); torch.heaviside(x.detach() - .5, x.detach()); torch.nextafter(x.detach(), y.detach()); torch.ldexp(x, torch.tensor([1, 2, 3])); torch.frexp(x.detach())[0]; torch.frexp(x.detach())[1]; torch.float_power(i, 2); torch.float_power(x, y); torch.positive(x); torch.unique_consecutive(torch.tensor([1, 1, 2, 2, 1]), return_inverse=True, return_counts=True)
x.put(torch.tensor([0, 5]), b[0]); x.put(torch.tensor([0, 0]), b[1], accumulate=True); torch.unravel_index(torch.tensor([5, 1]), (2, 3)); x.scatter_reduce(1, torch.tensor([[0, 0, 2], [1, 1, 1]]), y, 'sum'); x.scatter_reduce(1, torch.tensor([[0, 0, 2], [1, 1, 1]]), y, 'mean', include_self=False); torch.msort(b); torch.cumulative_trapezoid(x); torch.renorm(x, 2, 0, .5); torch.pdist(a); torch.addbmm(a, a[None], a[None]); torch.nanmedian(x); torch.nanquantile(x, .3)
torch.hamming_window(5); torch.blackman_window(4); torch.bartlett_window(5); torch.hamming_window(5, periodic=False); torch.can_cast(torch.float, torch.int); torch.can_cast(torch.int, torch.double); torch.is_inference(x); x.is_conj(); x.detach().clone().apply_(lambda v: v * 2); x.detach().clone().map_(y.detach(), lambda p, q: p + q)
x.detach().clone().lt_(.5); x.detach().clone().asinh_(); (x * 1).sinc_(); (x * 1).acosh_().shape; (x * 1).cumsum_(1); (x * 1).masked_scatter_(x > .5, y); (x * 1).logit_(); (a * 1).addr_(b[:, 0], b[:, 1]); i.clone().gcd_(torch.tensor(4)); (x * 1).renorm_(2, 0, .5); x.fliplr(); x.flipud(); a.matrix_exp(); torch.frombuffer(bytearray(b'abcd'), dtype=torch.uint8)
"""

EXPRESSIONS = [e.strip() for line in EXPRESSIONS.strip().splitlines() for e in line.split("; ")]
PROGRAMS = {e: SETUP + DIFFERENTIATE.format(expression=e) for e in EXPRESSIONS}
