"""The cells of the autograd tutorials, for both libraries to run."""

PARABOLOID = """
import torch
x1 = torch.tensor([2.0], requires_grad=True)
x2 = torch.tensor([2.0], requires_grad=True)
x3 = x1.square()
x5 = x3 * 0.2
x4 = x2.square()
x6 = x4 * 0.2
x7 = x5 + x6 - 5
x7
x7.requires_grad
x7.backward()
x1.grad, x2.grad
x3.grad
x3 = x1.square()
x3.retain_grad()
x5 = x3 * 0.2
x5.retain_grad()
x4 = x2.square()
x4.retain_grad()
x6 = x4 * 0.2
x6.retain_grad()
x7 = x5 + x6 - 5
x7.backward()
x3.grad
x4.grad, x5.grad, x6.grad
x3.grad_fn
x4.grad_fn, x5.grad_fn, x6.grad_fn
x3.grad_fn.next_functions
"""

SINE = """
import torch
import math
a = torch.linspace(0., 2. * math.pi, steps=25, requires_grad=True)
print(a)
b = torch.sin(a)
print(b)
c = 2 * b
print(c)
d = c + 1
print(d)
out = d.sum()
print(out)
print('d:')
print(d.grad_fn)
print(d.grad_fn.next_functions)
print(d.grad_fn.next_functions[0][0].next_functions)
print(d.grad_fn.next_functions[0][0].next_functions[0][0].next_functions)
print(d.grad_fn.next_functions[0][0].next_functions[0][0].next_functions[0][0].next_functions)
print(c.grad_fn, b.grad_fn, a.grad_fn)
out.backward()
print(a.grad)
print(c.grad)
import numpy as np
np.asarray(a.detach()).shape, np.asarray(b.detach()).dtype
"""

SWITCHES = """
import torch
a = torch.ones(2, 3, requires_grad=True)
print(a)
b1 = 2 * a
print(b1)
a.requires_grad = False
b2 = 2 * a
print(b2)
a = torch.ones(2, 3, requires_grad=True) * 2
b = torch.ones(2, 3, requires_grad=True) * 3
c1 = a + b
print(c1)
with torch.no_grad():
    c2 = a + b
print(c2)
c3 = a * b
print(c3)
def add_tensors1(x, y):
    return x + y
@torch.no_grad()
def add_tensors2(x, y):
    return x + y
print(add_tensors1(a, b))
print(add_tensors2(a, b))
torch.manual_seed(0)
x = torch.rand(5, requires_grad=True)
y = x.detach()
print(x)
print(y)
"""

IN_PLACE = """
import torch, math
a = torch.linspace(0., 2. * math.pi, steps=25, requires_grad=True)
torch.sin_(a)
"""

DOUBLING = """
import torch
torch.manual_seed(3)
x = torch.randn(3, requires_grad=True)
y = x * 2
while y.data.norm() < 1000:
    y = y * 2
print(y)
v = torch.tensor([0.1, 1.0, 0.0001], dtype=torch.float)
y.backward(v)
print(x.grad)
y = x * 2
y.backward()
"""

HIGH_LEVEL = """
import torch
torch.manual_seed(1)
def exp_adder(x, y):
    return 2 * x.exp() + 3 * y
inputs = (torch.rand(1), torch.rand(1))
print(inputs)
torch.autograd.functional.jacobian(exp_adder, inputs)
inputs = (torch.rand(3), torch.rand(3))
print(inputs)
torch.autograd.functional.jacobian(exp_adder, inputs)
def do_some_doubling(x):
    y = x * 2
    while y.data.norm() < 1000:
        y = y * 2
    return y
inputs = torch.randn(3)
my_gradients = torch.tensor([0.1, 1.0, 0.0001])
torch.autograd.functional.vjp(do_some_doubling, inputs, v=my_gradients)
torch.autograd.functional.jvp(do_some_doubling, inputs, v=my_gradients)
torch.autograd.functional.hessian(lambda x: (x.exp() * x).sum(), inputs)
torch.autograd.functional.hvp(lambda x: (x.exp() * x).sum(), inputs, my_gradients)
torch.autograd.functional.vhp(lambda x: (x.exp() * x).sum(), inputs, my_gradients)
"""

VECTORS = """
import torch
x = torch.arange(4.0)
x, x.shape
x.requires_grad_(True)
x.grad
y = 2 * torch.dot(x, x)
y, y.shape
y.backward()
x.grad
x.grad == 4 * x
x.grad.zero_()
y = x.sum()
y.backward()
x.grad
x.grad.zero_()
y = x * x
y.sum().backward()
x.grad
x.grad.zero_()
y = x * x
u = y.detach()
z = u * x
z.sum().backward()
x.grad == u
x.grad.zero_()
y.sum().backward()
x.grad == 2 * x
def f(a):
    b = a * 2
    while b.norm() < 1000:
        b = b * 2
    if b.sum() > 0:
        c = b
    else:
        c = 100 * b
    return c
torch.manual_seed(0)
a = torch.randn(size=(), requires_grad=True)
d = f(a)
d.backward()
a.grad == d / a
f'{a}', f'{d}', f'{a.grad}'
"""

LECTURE = """
import torch
x = torch.arange(4.0)
f'向量x为{x}'
x.requires_grad_(True)
f'x的梯度为{x.grad}'
torch.arange(start=0, end=4.0, step=1, requires_grad=False)
y = 2 * torch.dot(x, x)
f'y的值为{y}'
y.backward()
f'x的梯度为{x.grad}'
x.grad.zero_()
y = x.sum()
f'y的值为{y}'
y.backward()
f'x的梯度为{x.grad}'
x.grad.zero_()
y = x * x
f'y的值为{y}'
y.backward(gradient=torch.ones(len(y)))
f'关于x的偏导数为{x.grad}'
y = x * x
x.grad.zero_()
y.sum().backward()
x.grad
u = y.detach()
z = u * x
x.grad.zero_()
z.sum().backward()
f'z关于x的偏导为{x.grad}'
x.grad == u
"""

PROFILER = """
import torch
device = torch.device('cpu')
run_on_gpu = False
if torch.cuda.is_available():
    device = torch.device('cuda')
    run_on_gpu = True
x = torch.randn(2, 3, requires_grad=True)
y = torch.rand(2, 3, requires_grad=True)
z = torch.ones(2, 3, requires_grad=True)
with torch.autograd.profiler.profile() as prf:
    for _ in range(100):
        z = (z / x) * y
table = prf.key_averages().table(sort_by='self_cpu_time_total')
[(e.key, e.count) for e in sorted(prf.key_averages(), key=lambda e: e.key) if e.key.startswith('aten')]
'Self CPU time total:' in table, 'aten::mul' in table
"""

TINY_MODEL = """
import torch
BATCH_SIZE = 16
DIM_IN = 1000
HIDDEN_SIZE = 100
DIM_OUT = 10
class TinyModel(torch.nn.Module):
    def __init__(self):
        super(TinyModel, self).__init__()
        self.layer1 = torch.nn.Linear(1000, 100)
        self.relu = torch.nn.ReLU()
        self.layer2 = torch.nn.Linear(100, 10)
    def forward(self, x):
        x = self.layer1(x)
        x = self.relu(x)
        x = self.layer2(x)
        return x
torch.manual_seed(0)
some_input = torch.randn(BATCH_SIZE, DIM_IN, requires_grad=False)
ideal_output = torch.randn(BATCH_SIZE, DIM_OUT, requires_grad=False)
model = TinyModel()
print(model.layer2.weight[0][0:10])
print(model.layer2.weight.grad)
optimizer = torch.optim.SGD(model.parameters(), lr=0.001)
prediction = model(some_input)
loss = (ideal_output - prediction).pow(2).sum()
print(loss)
loss.backward()
print(model.layer2.weight[0][0:10])
print(model.layer2.weight.grad[0][0:10])
optimizer.step()
print(model.layer2.weight[0][0:10])
print(model.layer2.weight.grad[0][0:10])
for i in range(0, 5):
    prediction = model(some_input)
    loss = (ideal_output - prediction).pow(2).sum()
    loss.backward()
print(model.layer2.weight.grad[0][0:10])
optimizer.zero_grad(set_to_none=False)
print(model.layer2.weight.grad[0][0:10])
print(model)
"""

PROGRAMS = {name: text for name, text in list(globals().items()) if name.isupper() and isinstance(text, str)}
