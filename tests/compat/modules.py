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

PROGRAMS = MODELS | {
    name: text
    for name, text in list(globals().items())
    if name.isupper() and isinstance(text, str) and name not in ("TRAIN", "LINEAR")
}
