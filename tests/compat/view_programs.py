"""Views with strides of their own, for both libraries."""

VIEWS = """
import torch
def t(f):
    try:
        print(f())
    except Exception as e:
        print(type(e).__name__, e)
x=torch.arange(12.,requires_grad=True).reshape(3,4)
b=torch.arange(12.); m=b.reshape(3,4)
t(lambda: torch.as_strided(b,(2,3),(1,2))); t(lambda: x.as_strided((3,),(5,))); t(lambda: x.as_strided((2,2),(1,1),3).sum().backward())
t(lambda: b.as_strided((2,2),(1,2),1)); t(lambda: m.T.as_strided((2,2),(1,2))); t(lambda: m[1:].as_strided((2,2),(1,2))); t(lambda: m[1:].as_strided((2,),(1,)).storage_offset());t(lambda: b.as_strided((20,),(1,)))
c=b.clone(); d=c.as_strided((3,2),(2,1)); d.mul_(10); print(c,d)
c=b.clone(); c.reshape(3,4).diagonal().zero_(); print(c)
c=b.clone().reshape(3,4); c.diagonal(1).add_(100); print(c); c.diagonal().fill_(-1);print(c)
z=torch.zeros(4,dtype=torch.complex64); torch.view_as_real(z)[:,1]=2; print(z); z.real.fill_(7); print(z); z.imag[0]=9; print(z)
r=torch.arange(6.).reshape(3,2); torch.view_as_complex(r).mul_(1j); print(r)
c=b.clone(); c.unfold(0,3,3)[1]=-5; print(c)
c=b.clone(); e=c.expand(2,12); print(e.data_ptr()==c.data_ptr())
c=m.clone(); c.view(-1)[3]=99; c.flatten()[4]=98; c.ravel()[5]=97; c.reshape(2,6)[1,1]=96; print(c)
c=m.clone(); c.t()[0,1]=1000; c.permute(1,0)[3,2]=2000; c.swapaxes(0,1)[1,1]=3000;c.movedim(0,1)[2,2]=4000; print(c)
c=m.clone(); c.squeeze()[0,0]=5; c.unsqueeze(0)[0,0,1]=6; c[None][0,0,2]=7; c.narrow(0,1,1).fill_(8); c.select(1,3).fill_(9); print(c)
c=m.clone();
for p in c.chunk(2): p.add_(1)
for p in c.split(1,1): p.mul_(2)
c.unbind(0)[0].zero_(); c.tensor_split(2,1)[1][1]=-1; c.unflatten(1,(2,2))[2,1,1]=55; c.view_as(c)[2,0]=44; c.detach()[2,1]=33; c.data[2,2]=22; print(c)
c=m.clone(); c.hsplit(2)[0].zero_(); c.vsplit(3)[2].fill_(1); print(c)
c=m.clone(); c.adjoint()[0,0]=3; c.mT[1,0]=4; c.H[2,0]=5; print(c)
c=m.clone(); c.expand_as(c)[0,0]=77; c.view(torch.int32)[0,1]=0; c.contiguous()[0,2]=0; c.to(torch.float32)[0,3]=0; c.float()[1,0]=0; print(c)
print(x.diagonal().grad_fn, x.as_strided((2,),(1,)).grad_fn, torch.view_as_real(x+0j).grad_fn, x.unfold(0,2,1).grad_fn, x.real is x)
w=torch.zeros(3,4,requires_grad=True); y=w*1; y.diagonal().add_(torch.ones(3)*2); print(y.grad_fn, y.diagonal().grad_fn, y); (y**2).sum().backward(); print(w.grad)
w=torch.zeros(6,requires_grad=True); y=w*1; y.unfold(0,2,2)[1].add_(3.); print(y); (y**2).sum().backward(); print(w.grad)
w=torch.ones(6,requires_grad=True); y=w*1; y.as_strided((2,2),(2,1),1).mul_(3.); print(y, y.grad_fn); (y**2).sum().backward(); print(w.grad)
w=torch.ones(3,dtype=torch.complex64,requires_grad=True); y=w*1; y.imag.add_(2.); y.real.mul_(3.); print(y); y.abs().sum().backward(); print(w.grad)
t(lambda: x.select_scatter(torch.zeros(4),0,1)); t(lambda: x.slice_scatter(torch.zeros(3,2),1,0,4,2)); t(lambda: x.diagonal_scatter(torch.zeros(3))); t(lambda: torch.as_strided_scatter(x,torch.zeros(2),(2,),(1,)))
t(lambda: x._base is not None, m[0]._base is m, m._is_view(), b._is_view()); t(lambda: m.storage_offset(), m[1].storage_offset(), m.stride())
t(lambda: torch.as_strided(b,(2,3),(1,-2))); t(lambda: b.as_strided((2,3),(1,)))

a = torch.zeros(3)
t(lambda: a.expand(2,3).add_(1))
t(lambda: a.expand(2,3).fill_(1))
t(lambda: a.expand(2,3).__setitem__((0,0),5))
t(lambda: a.expand(2,3)[0].add_(1))
t(lambda: a.expand(1,3).add_(1))
t(lambda: a.expand(2,3).copy_(torch.ones(2,3)))
t(lambda: a.expand(2,3).uniform_())
t(lambda: torch.broadcast_to(a,(2,3)).mul_(2))
t(lambda: a)
w = torch.ones(3,requires_grad=True); y = w*1
t(lambda: y.expand(2,3).add_(1))
t(lambda: y.unfold(0,2,0))
t(lambda: y.unfold(0,4,1))
t(lambda: y.diagonal())
t(lambda: w[None].diagonal(0,1,1))
t(lambda: torch.view_as_complex(w))
t(lambda: torch.view_as_complex(torch.arange(4).reshape(2,2)))
t(lambda: torch.view_as_real(w))
t(lambda: torch.arange(6.).reshape(2,3).t().as_strided((2,),(1,)))
t(lambda: torch.hsplit(torch.ones(2,3),2))
t(lambda: torch.vsplit(torch.ones(3),3))
t(lambda: torch.dsplit(torch.ones(1,2,2),2))
t(lambda: w.select_scatter(torch.ones(2),0,1))
"""

PROGRAMS = {"VIEWS": VIEWS}
