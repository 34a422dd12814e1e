"""Programs with modules, optimisers and data loaders, for both libraries."""

TRAIN = """
import torch
torch.manual_seed(0)
model = torch.nn.Sequential({layers})
x = torch.randn({shape})
y = torch.rand(4, 2)
optimizer = torch.optim.{optimizer}
for step in range(5):
    optimizer.zero_grad()
    loss = torch.nn.functional.mse_loss(model(x), y)
    loss.backward()
    optimizer.step()
    print(loss.item())
for name, p in model.named_parameters():
    print(name, p.shape, p.sum().item(), p.grad.abs().sum().item())
print(model)
print(optimizer)
model.eval()
print(model(x))
"""

LINEAR = "torch.nn.Linear(3, 5), torch.nn.Tanh(), torch.nn.Linear(5, 2)"

MODELS = {
    name: TRAIN.format(layers=layers, shape=shape, optimizer=optimizer)
    for name, (layers, shape, optimizer) in {
        "sgd": (LINEAR, "4, 3", "SGD(model.parameters(), lr=0.1)"),
        "momentum": (LINEAR, "4, 3", "SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=0.01)"),
        "nesterov": (LINEAR, "4, 3", "SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True)"),
        "adam": (LINEAR, "4, 3", "Adam(model.parameters(), lr=0.01, weight_decay=0.1)"),
        "amsgrad": (LINEAR, "4, 3", "Adam(model.parameters(), lr=0.01, amsgrad=True)"),
        "adamw": (LINEAR, "4, 3", "AdamW(model.parameters(), lr=0.01)"),
        "rmsprop": (LINEAR, "4, 3", "RMSprop(model.parameters(), lr=0.01, momentum=0.5, centered=True)"),
        "adagrad": (LINEAR, "4, 3", "Adagrad(model.parameters(), lr=0.1)"),
        "groups": (
            LINEAR,
            "4, 3",
            "SGD([{'params': model[0].parameters()}, {'params': model[2].parameters(), 'lr': 0.5}], lr=0.1)",
        ),
        "normalisation": (
            "torch.nn.Linear(3, 6), torch.nn.BatchNorm1d(6), torch.nn.ReLU(), torch.nn.LayerNorm(6), torch.nn.Linear(6, 2)",
            "4, 3",
            "SGD(model.parameters(), lr=0.1)",
        ),
        "convolution": (
            (
                "torch.nn.Conv2d(1, 3, 3, padding=1), torch.nn.BatchNorm2d(3), torch.nn.ReLU(), torch.nn.MaxPool2d(2), "
                "torch.nn.Flatten(), torch.nn.Linear(12, 2), torch.nn.Sigmoid()"
            ),
            "4, 1, 4, 4",
            "SGD(model.parameters(), lr=0.1)",
        ),
        "convolution along one axis": (
            (
                "torch.nn.Conv1d(2, 4, 3, stride=2, groups=2), torch.nn.LeakyReLU(0.2), torch.nn.AvgPool1d(2), "
                "torch.nn.Flatten(), torch.nn.Linear(8, 2)"
            ),
            "4, 2, 9",
            "SGD(model.parameters(), lr=0.1)",
        ),
    }.items()
}

CELLS = """
import torch
torch.manual_seed(1)
for cell in (torch.nn.LSTMCell(3, 4), torch.nn.GRUCell(3, 4), torch.nn.RNNCell(3, 4)):
    print(cell)
    out = cell(torch.ones(2, 3))
    print(out)
    (out[0] if isinstance(out, tuple) else out).sum().backward()
    print(cell.weight_ih.grad)
for layer in (torch.nn.LSTM(3, 4, 2), torch.nn.GRU(3, 4, batch_first=True), torch.nn.RNN(3, 4, bidirectional=True)):
    print(layer)
    out, state = layer(torch.ones(5, 2, 3))
    out.sum().backward()
    print(out.shape, out.sum().item(), layer.weight_hh_l0.grad.sum().item())
embedding = torch.nn.Embedding(5, 3, padding_idx=0)
embedding(torch.tensor([[1, 0, 2]])).sum().backward()
embedding.weight, embedding.weight.grad
"""

MODULES = """
import torch
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = torch.nn.ModuleList([torch.nn.Linear(2, 2), torch.nn.Linear(2, 1)])
        self.scale = torch.nn.Parameter(torch.ones(1))
        self.register_buffer('seen', torch.zeros(1))
        self.named = torch.nn.ModuleDict({'drop': torch.nn.Dropout(0.0), 'act': torch.nn.ReLU()})
    def forward(self, x):
        for layer in self.layers:
            x = self.named['act'](layer(x))
        return x * self.scale
torch.manual_seed(0)
net = Net()
print(net)
[name for name, _ in net.named_parameters()], [name for name, _ in net.named_modules()], list(net.state_dict())
handles = [net.register_forward_hook(lambda m, a, o: print('forward', type(m).__name__, o.shape)),
           net.layers[0].register_full_backward_hook(lambda m, gi, go: print('backward', gi, go)),
           net.register_forward_pre_hook(lambda m, a: print('before', len(a)))]
x = torch.ones(1, 2, requires_grad=True)
(net(x) + 1).sum().backward()
[h.remove() for h in handles]
x.grad
net.load_state_dict(net.state_dict())
other = Net()
other.load_state_dict(net.state_dict())
torch.equal(net(x), other(x))
net.zero_grad()
[p.grad for p in net.parameters()]
net.train(False).training, net.layers[0].training
net.requires_grad_(False)(x).requires_grad
net.double().scale.dtype
net.foo
torch.nn.utils.parameters_to_vector(net.parameters()).shape
net.scale = torch.ones(1)
"""

DATA = """
import torch
from torch.utils.data import DataLoader, TensorDataset, random_split
torch.manual_seed(0)
data = TensorDataset(torch.arange(10.), torch.arange(10))
for a, b in DataLoader(data, batch_size=4, shuffle=True):
    print(a, b)
for a, b in DataLoader(data, batch_size=4, drop_last=True):
    print(a, b)
[len(p) for p in random_split(data, [7, 3])], len(DataLoader(data, 3))
[p.indices for p in random_split(data, [0.5, 0.5])]
"""

SCHEDULES = """
import torch
def rates(make):
    p = torch.nn.Parameter(torch.zeros(1))
    o = torch.optim.SGD([p], lr=1.0)
    s = make(o)
    found = []
    for epoch in range(6):
        found.append(o.param_groups[0]['lr'])
        p.grad = torch.ones(1)
        o.step()
        s.step()
    return found
L = torch.optim.lr_scheduler
rates(lambda o: L.StepLR(o, 2, 0.5))
rates(lambda o: L.MultiStepLR(o, [1, 3], 0.1))
rates(lambda o: L.ExponentialLR(o, 0.9))
rates(lambda o: L.LambdaLR(o, lambda n: 1 / (n + 1)))
rates(lambda o: L.CosineAnnealingLR(o, 5))
p = torch.nn.Parameter(torch.zeros(1))
o = torch.optim.SGD([p], lr=1.0)
s = L.ReduceLROnPlateau(o, patience=1)
[(s.step(1.0), o.param_groups[0]['lr'])[1] for _ in range(6)]
"""

QUASI_NEWTON = """
import torch
def solve(**settings):
    x = torch.tensor([-1.2, 1.0], dtype=torch.float64, requires_grad=True)
    o = torch.optim.LBFGS([x], **settings)
    def closure():
        o.zero_grad()
        loss = (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2
        loss.backward()
        return loss
    for _ in range(20):
        o.step(closure)
    return x
torch.set_printoptions(precision=3)
solve(line_search_fn='strong_wolfe')
torch.set_printoptions(profile='default')
"""

INITIAL = """
import torch
torch.manual_seed(0)
I = torch.nn.init
w = torch.empty(3, 4)
I.xavier_uniform_(w); I.xavier_normal_(w); I.kaiming_uniform_(w); I.kaiming_normal_(w); I.uniform_(w, -1, 2); I.normal_(w, 1, 2)
I.constant_(w, 3); I.ones_(w); I.zeros_(w); I.eye_(w); I.calculate_gain('tanh'), I.calculate_gain('leaky_relu', 0.2)
print(w)
I.xavier_uniform_(w)
I.kaiming_normal_(w)
"""

BULLETS = r"""
import torch
def t(s):
    try:
        print(s, '->', eval(s, globals()))
    except Exception as e:
        print(s, '!!', type(e).__name__, str(e))
def r(s):
    try:
        exec(s, globals())
    except Exception as e: print(s,'!!',type(e).__name__,str(e))
nn=torch.nn
torch.manual_seed(0)
m=nn.Sequential(nn.Linear(2,3),nn.ReLU(),nn.Linear(3,1))
t("m"); t("[n for n,_ in m.named_parameters()]"); t("list(m.state_dict())"); t("m.state_dict()['0.bias']"); t("m[0]"); t("m[0:2]"); t("len(m)"); t("m[5]"); t("list(m.children())"); t("[type(x).__name__ for x in m.modules()]"); t("m.training, m.eval().training, m.train().training"); t("m(torch.ones(2,3))"); t("m(torch.ones(2))")
t("m.load_state_dict({'a':1})"); t("m.load_state_dict({'a':torch.ones(1)},strict=False)"); t("m.load_state_dict(m.state_dict())"); t("m.get_parameter('0.weight').shape"); t("m.get_submodule('1')"); t("m.get_submodule('7')"); t("m.get_parameter('0.x')"); t("m.foo"); t("m.requires_grad_(False)[0].weight.requires_grad"); t("m.double()[0].weight.dtype"); t("m.float()[0].weight.dtype"); t("m.to(torch.float64)[0].bias.dtype"); t("m.to('cpu') is m"); t("m.half()[0].bias.dtype"); m.float(); m.requires_grad_(True)
t("sum(p.numel() for p in m.parameters())"); t("m.apply(lambda x: None) is m"); t("m.zero_grad()")
class N(nn.Module):
    def __init__(self):
        super().__init__(); self.w=nn.Parameter(torch.ones(2)); self.register_buffer('b',torch.zeros(2)); self.register_buffer('c',torch.zeros(1),persistent=False); self.l=nn.ModuleList([nn.Linear(1,1)]); self.d=nn.ModuleDict({'x':nn.ReLU()}); self.p=nn.ParameterList([torch.ones(1)]); self.x=3
    def forward(self,x): return self.w*x+self.b
n=N(); t("n"); t("list(n.state_dict())"); t("dict(n.named_buffers())"); t("n(torch.ones(2))"); t("[k for k,_ in n.named_modules()]"); t("n._get_name()"); t("n.extra_repr()"); t("n.w");
r("n.w=torch.ones(2)"); r("n.w=None; print(n.w, list(n.state_dict()))"); r("n.b=nn.Parameter(torch.ones(2)); print(list(n.state_dict()))"); r("n.register_parameter('w',torch.ones(2))"); r("n.register_buffer('x',torch.ones(1))"); r("n.register_parameter('a.b',None)"); r("n.register_buffer('',None)"); r("n.add_module('q',3)"); r("n.register_module('z',nn.ReLU()); print(n.z)"); r("del n.z; n.z"); r("n.register_parameter('w2', (torch.ones(1,requires_grad=True)*2))")
class B(nn.Module):
    def __init__(self): self.w=nn.Parameter(torch.ones(1))
t("B()");
class C(nn.Module):
    def __init__(self): self.l=nn.Linear(1,1)
t("C()")
h=[]; f=m[0].register_forward_hook(lambda mod,i,o: h.append(('fwd',type(mod).__name__,i[0].shape,o.shape))); p=m[0].register_forward_pre_hook(lambda mod,i: h.append(('pre',len(i)))); bb=m[0].register_full_backward_hook(lambda mod,gi,go: h.append(('bwd',gi,go[0].shape)));
m(torch.ones(2,2)).sum().backward(); print(h); f.remove(); p.remove(); bb.remove(); h.clear(); m(torch.ones(2,2)); print(h)
f=m.register_forward_hook(lambda mod,i,o: o*0+5); t("m(torch.ones(1,2))"); f.remove()
f=m.register_forward_hook(lambda mod,args,kwargs,o: print('kw',kwargs), with_kwargs=True); r("m(torch.ones(1,2))"); f.remove()
f=m.register_forward_pre_hook(lambda mod,args,kwargs: (args,kwargs), with_kwargs=True); t("m(torch.ones(1,2)).shape"); f.remove()
t("nn.Parameter(torch.ones(2))"); t("nn.Parameter(torch.ones(2),requires_grad=False)"); t("nn.Parameter(torch.tensor([1]))"); t("isinstance(nn.Parameter(torch.ones(1)),torch.Tensor), type(nn.Parameter(torch.ones(1))*2), type(nn.Parameter(torch.ones(1)).data)"); t("type(torch.ones(1)), type(torch.ones(1).shape), torch.Tensor, torch.float32, type(torch.float32), torch.device('cpu'), type(torch.device('cpu'))")
t("nn.Linear(2,3,bias=False)"); t("nn.Linear(2,3).extra_repr()"); t("nn.Linear(2,3,dtype=torch.double).weight.dtype"); t("nn.Identity()(3)"); t("nn.Flatten()(torch.ones(2,3,4)).shape"); t("nn.Unflatten(1,(2,3))(torch.ones(4,6)).shape")
t("nn.Sequential()"); t("nn.Sequential(3)"); t("nn.ModuleList([nn.ReLU(),nn.ReLU(),nn.Tanh()])"); t("nn.ModuleDict({'a':nn.ReLU()})"); t("nn.ParameterList([torch.ones(2),torch.ones(1,2)])"); t("nn.ParameterDict({'a':torch.ones(2)})"); t("nn.ModuleList()");
import collections
t("nn.Sequential(collections.OrderedDict([('a',nn.ReLU()),('b',nn.Linear(1,2))]))"); s=nn.Sequential(nn.ReLU()); s.append(nn.Tanh()); s.insert(0,nn.Sigmoid()); s.extend([nn.GELU()]); t("s"); r("del s[0]; print(s)"); t("s[-1]"); t("s+nn.Sequential(nn.ReLU())"); t("s.pop(0)")
t("nn.Embedding(3,2,padding_idx=0)(torch.tensor([0,2]))"); t("nn.Embedding(3,2)(torch.tensor([5]))"); t("nn.Embedding.from_pretrained(torch.ones(2,2))"); t("nn.CrossEntropyLoss(weight=torch.ones(2))"); t("nn.CrossEntropyLoss()(torch.ones(1,2),torch.tensor([1]))"); t("nn.CrossEntropyLoss(reduction='bad')(torch.ones(1,2),torch.tensor([1]))"); t("nn.CrossEntropyLoss()(torch.ones(1,2),torch.tensor([1.]))"); t("nn.CrossEntropyLoss()(torch.ones(2,2),torch.tensor([1]))"); t("nn.MSELoss()(torch.ones(2),torch.ones(3))"); t("nn.MSELoss()(torch.ones(2),torch.ones(1))"); t("nn.BCELoss()(torch.tensor([2.]),torch.tensor([1.]))"); t("nn.BCELoss()(torch.ones(2),torch.ones(1))"); t("nn.BCEWithLogitsLoss()(torch.ones(2),torch.ones(3))"); t("nn.NLLLoss()(torch.ones(2,2),torch.tensor([0,3]))")
t("nn.LSTM(2,3,2,bidirectional=True,batch_first=True)"); t("nn.LSTM(2,3)(torch.ones(4,2))[0].shape"); t("nn.LSTM(2,3)(torch.ones(4,1,5))"); t("nn.GRUCell(2,3)(torch.ones(1,2)).shape"); t("nn.RNN(2,3,nonlinearity='relu')"); t("nn.LSTM(2,3,dropout=.5)")
t("nn.utils.clip_grad_norm_(m.parameters(),1.)"); t("nn.utils.parameters_to_vector(m.parameters()).shape"); t("nn.Softmax()(torch.ones(2,2))"); t("nn.functional.softmax(torch.ones(2),dim=0)"); t("nn.functional.dropout(torch.ones(2),2.)"); t("nn.functional.relu(torch.tensor([-1.,1.]),inplace=True)"); t("nn.LayerNorm(3)(torch.ones(2,4))"); t("nn.BatchNorm1d(3)(torch.ones(2,4))"); t("nn.BatchNorm1d(3)(torch.ones(1,3))"); t("nn.GroupNorm(2,4)(torch.ones(1,3,2))"); t("nn.Conv2d(1,1,5)(torch.ones(1,1,3,3))"); t("nn.Linear(2,2)(torch.ones(2,dtype=torch.double))"); t("nn.Linear(2,2)(torch.ones(1,2).long())")
import copy; t("copy.deepcopy(m)(torch.ones(1,2)).shape"); t("copy.copy(m) is m")
"""

PROGRAMS = (
    {"BULLETS": BULLETS}
    | MODELS
    | {
        name: text
        for name, text in list(globals().items())
        if name.isupper() and isinstance(text, str) and name not in ("TRAIN", "LINEAR")
    }
)
