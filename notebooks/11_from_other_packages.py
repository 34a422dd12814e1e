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
# # From autograd, JAX and PyTorch
#
# **What this teaches:** what the things you know are called here, and the few that work differently. The left column of each pair is
# what one writes there; the code below it runs here.

# %%
import matplotlib.pyplot as plt
import numpy as np

import funcdiff as fd

# %% [markdown]
# ## From autograd
#
# | autograd | funcdiff |
# | --- | --- |
# | `import autograd.numpy as np` | `import numpy as np`: plain NumPy |
# | `grad(f, argnum=1)` | `fd.grad(f, argnums=1)` |
# | `elementwise_grad(f)` | `fd.elementwise_grad(f)` |
# | `jacobian(f)`, `hessian(f)` | `fd.jacobian(f)`, `fd.hessian(f)` |
# | `make_vjp(f)(x)` | `fd.pullback(f, x)`, value first |
# | `@primitive` with `defvjp` | `fd.primitive`, `fd.custom_vjp` |
# | in-place assignment: not supported | supported |

# %%
tanh = lambda x: (1.0 - np.exp(-2 * x)) / (1.0 + np.exp(-2 * x))  # noqa: E731
x = np.linspace(-7, 7, 200)
figure, axes = plt.subplots(figsize=(6, 3.3))
f = tanh
for order in range(5):
    axes.plot(x, f(x), label=str(order))
    f = fd.elementwise_grad(f)
axes.legend(title="derivative", loc="upper left")
axes.set_title("the first example of autograd's tutorial, on plain NumPy");

# %% [markdown]
# ## From JAX
#
# The transforms have JAX's names and meanings: `grad`, `value_and_grad`, `jacfwd`, `jacrev`, `hessian`, `vjp`, `jvp`, `vmap`, `jit`,
# `linearize`, `checkpoint`, `custom_jvp`, `custom_vjp`, and `jet`. What differs:
#
# | JAX | funcdiff |
# | --- | --- |
# | `x.at[i].set(v)` | `x[i] = v` on a copy, or on an array made with `like=x` |
# | `jax.lax.cond`, `scan` needed under `jit` | plain `if` and `for`; `jit` records again when a decision changes |
# | `jax.vjp(f, x)` gives `(y, pull)` | `fd.pullback(f, x)`; `fd.vjp(f, x, v)` gives the product |
# | `jax.jvp(f, (x,), (v,))` | `fd.jvp(f, x, v)` |
# | float32 by default | the dtype of the input, float64 mostly |
# | `jax.make_jaxpr(f)(x)` | `print(fd.trace(f)(x))` |
# | complex gradients: the same convention | the same |


# %%
def selu(x, alpha=1.67, scale=1.05):
    return scale * np.where(x > 0, x, alpha * np.exp(x) - alpha)


points = np.array([-1.0, 0.5, 2.0])
print(fd.vmap(fd.grad(selu))(points))
print(fd.trace(selu)(points))

# %%
value, pull = fd.pullback(selu, points)
print(pull(np.ones(3))[0])


def cumulative(x):
    y = np.zeros_like(x)
    y[0] = x[0]
    for i in range(1, len(x)):
        y[i] = y[i - 1] * x[i]  # in JAX: y.at[i].set(...)
    return y


print(fd.jacobian(cumulative)(points))

# %% [markdown]
# ## From PyTorch
#
# There is no `requires_grad` and no `.backward()` that fills `.grad`: a derivative is the *result of a function*. Nothing has to be
# zeroed, detached, or retained.
#
# | PyTorch | funcdiff |
# | --- | --- |
# | `x.requires_grad_(); y = f(x); y.backward(); x.grad` | `fd.grad(f)(x)` |
# | `torch.autograd.grad(y, x, create_graph=True)` | `fd.grad(f)`, which nests as it is |
# | `torch.autograd.functional.jacobian(f, (x, y))` | `fd.jacobian(f, (x, y))`, nested alike |
# | `...functional.hessian`, `vjp`, `jvp`, `hvp`, `vhp` | the same names and results |
# | `torch.func.grad`, `vmap`, `jacrev`, `jacfwd` | `fd.grad`, `fd.vmap`, `fd.jacrev`, `fd.jacfwd` |
# | `x.detach()`, `with torch.no_grad()` | `fd.stop_gradient(x)` |
# | `torch.autograd.gradcheck(f, x)` | `fd.testing.check_grads(f, x)` |
# | `class F(torch.autograd.Function)` | `fd.custom_vjp` |

# %%
x = np.arange(4.0)
print(fd.grad(lambda x: 2 * np.dot(x, x))(x), 4 * x)


def exp_adder(x, y):
    return 2 * np.exp(x) + 3 * y


a, b = np.array([0.1, 0.2]), np.array([1.0, 2.0])
print(fd.jacobian(exp_adder, (a, b)))
value, products = fd.vjp(exp_adder, (a, b), np.array([1.0, 10.0]))
print(products)

# %% [markdown]
# A training loop holds its parameters in whatever container it likes:

# %%
rng = np.random.default_rng(0)
inputs = rng.uniform(-2, 2, (200, 1))
targets = np.sin(2 * inputs[:, 0]) + 0.1 * rng.standard_normal(200)
parameters = {
    "hidden": (rng.standard_normal((1, 16)), rng.standard_normal(16)),
    "out": (rng.standard_normal(16) / 4, 0.0),
}


def model(p, x):
    (w, b), (v, c) = p["hidden"], p["out"]
    return np.tanh(x @ w + b) @ v + c


def loss(p):
    return np.mean((model(p, inputs) - targets) ** 2)


def moved(p, step, rate):
    return {
        name: tuple(value - rate * slope for value, slope in zip(p[name], step[name], strict=True)) for name in p
    }


history = []
step = fd.value_and_grad(loss)
for _ in range(1500):
    value, slopes = step(parameters)
    history.append(value)
    parameters = moved(parameters, slopes, 0.1)
figure, axes = plt.subplots(1, 2, figsize=(9, 3.2))
axes[0].semilogy(history)
axes[0].set(xlabel="step", ylabel="loss")
order = np.argsort(inputs[:, 0])
axes[1].plot(inputs, targets, ".", markersize=3)
axes[1].plot(inputs[order, 0], model(parameters, inputs[order]))
figure.tight_layout()
