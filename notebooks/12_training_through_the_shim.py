# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Training a small network: a PyTorch program, and the same in NumPy
#
# **What this teaches:** how a program written for PyTorch trains its model here with one changed import; what `backward`, `step` and
# `zero_grad` do to the gradients; how to look into a step with hooks and the profiler; and that the same training, written with
# `fd.value_and_grad` on plain arrays, gives the same numbers.

# %%
import matplotlib.pyplot as plt
import numpy as np

import funcdiff as fd
import funcdiff.compat.torch as torch  # in PyTorch: import torch

# %% [markdown]
# ## The model
#
# From here to "In plain NumPy" nothing is special: it is PyTorch code. The weights are drawn by PyTorch's own generator, so that
# they are those PyTorch would start with.

# %%
BATCH_SIZE, DIM_IN, HIDDEN_SIZE, DIM_OUT = 16, 1000, 100, 10


class TinyModel(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer1 = torch.nn.Linear(DIM_IN, HIDDEN_SIZE)
        self.relu = torch.nn.ReLU()
        self.layer2 = torch.nn.Linear(HIDDEN_SIZE, DIM_OUT)

    def forward(self, x):
        return self.layer2(self.relu(self.layer1(x)))


torch.manual_seed(0)
some_input = torch.randn(BATCH_SIZE, DIM_IN)
ideal_output = torch.randn(BATCH_SIZE, DIM_OUT)
model = TinyModel()
print(model)
print(sum(parameter.numel() for parameter in model.parameters()), "parameters")

# %% [markdown]
# A copy of the initial weights, for the second half:

# %%
start = {name: value.detach().numpy().copy() for name, value in model.named_parameters()}
print({name: value.shape for name, value in start.items()})

# %% [markdown]
# ## One step, slowly
#
# `backward` fills `.grad` and leaves the weights as they are; `optimizer.step` moves the weights.

# %%
optimizer = torch.optim.SGD(model.parameters(), lr=0.001)
prediction = model(some_input)
loss = (ideal_output - prediction).pow(2).sum()
print(loss, loss.grad_fn.next_functions)
print("before backward:", model.layer2.weight.grad)

loss.backward()
print("after backward: ", model.layer2.weight.grad[0, :5])
print("weights:        ", model.layer2.weight[0, :5].detach())
optimizer.step()
print("after the step: ", model.layer2.weight[0, :5].detach())

# %% [markdown]
# ## Gradients add up until they are zeroed
#
# Five sweeps without `zero_grad` leave the sum of six gradients. A loop that forgets it takes steps that grow.

# %%
sizes = [model.layer2.weight.grad.norm().item()]
for _ in range(5):
    loss = (ideal_output - model(some_input)).pow(2).sum()
    loss.backward()
    sizes.append(model.layer2.weight.grad.norm().item())
print("norm of the gradient, sweep by sweep:", np.round(sizes, 1))
optimizer.zero_grad(set_to_none=False)
print("after zero_grad:", model.layer2.weight.grad.norm().item())

# %% [markdown]
# ## Looking into a step
#
# A hook on a tensor sees its gradient pass, a hook on a module sees what goes in and comes out. Here: how much of the hidden layer is
# alive, and how large the gradient is that reaches it.

# %%
def look(module, inputs, output):
    print(f"{type(module).__name__}: {tuple(output.shape)}, {(output > 0).float().mean().item():.0%} above zero")
    output.register_hook(lambda gradient: print(f"gradient at its output: norm {gradient.norm().item():.2f}"))


handle = model.relu.register_forward_hook(look)
(ideal_output - model(some_input)).pow(2).sum().backward()
handle.remove()
optimizer.zero_grad()

# %% [markdown]
# The profiler shows where a step spends its time: in the product with the 1000 inputs, forward and backward.

# %%
with torch.autograd.profiler.profile() as profile:
    for _ in range(20):
        (ideal_output - model(some_input)).pow(2).sum().backward()
optimizer.zero_grad()
print(profile.key_averages().table(sort_by="self_cpu_time_total", row_limit=6))

# %% [markdown]
# ## The training loop
#
# From the initial weights again, with momentum:

# %%
STEPS, RATE, MOMENTUM = 60, 0.0005, 0.5


def train():
    model.load_state_dict({name: torch.tensor(value) for name, value in start.items()})
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE, momentum=MOMENTUM)
    losses = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = (ideal_output - model(some_input)).pow(2).sum()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


torch_losses = train()
print(torch_losses[0], torch_losses[-1])

# %% [markdown]
# ## In plain NumPy
#
# The same training without tensors. The parameters are a dictionary of arrays, the model is a function of them, and
# `fd.value_and_grad` returns the loss with a dictionary of gradients. There is nothing to zero, to detach or to switch off: a gradient is
# what a function returns.

# %%
x, y = some_input.numpy(), ideal_output.numpy()


def squared_distance(p):
    hidden = np.maximum(x @ p["layer1.weight"].T + p["layer1.bias"], 0)
    return np.sum((y - (hidden @ p["layer2.weight"].T + p["layer2.bias"])) ** 2)


def train_arrays():
    p = dict(start)
    velocity = {name: np.zeros_like(value) for name, value in p.items()}
    losses = []
    for _ in range(STEPS):
        value, slopes = fd.value_and_grad(squared_distance)(p)
        velocity = {name: MOMENTUM * velocity[name] + slopes[name] for name in p}
        p = {name: p[name] - RATE * velocity[name] for name in p}
        losses.append(float(value))
    return p, losses


trained, array_losses = train_arrays()

# %%
for name, tensor in model.named_parameters():
    difference = np.abs(tensor.detach().numpy() - trained[name]).max()
    print(f"{name:14} {trained[name].dtype}  largest difference {difference:.1e} of {np.abs(trained[name]).max():.2f}")
    np.testing.assert_allclose(trained[name], tensor.detach().numpy(), rtol=1e-4, atol=1e-6)
np.testing.assert_allclose(array_losses, torch_losses, rtol=1e-4, atol=1e-6)

# %%
figure, axes = plt.subplots(1, 2, figsize=(10, 3.4))
axes[0].semilogy(torch_losses, label="PyTorch program", linewidth=4, alpha=0.4)
axes[0].semilogy(array_losses, "k--", label="fd.value_and_grad", linewidth=1)
axes[0].set(xlabel="step", ylabel="loss", title="the loss, both ways")
axes[0].legend()
axes[1].plot(np.arange(1, 7), sizes, "o-")
axes[1].set(xlabel="calls of backward", ylabel="norm of .grad", title="without zero_grad", ylim=(0, None))
figure.tight_layout()
