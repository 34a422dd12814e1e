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
# # Higher derivatives, and Taylor mode
#
# **What this teaches:** transforms nest, so derivatives of any order come by repetition; and for high orders along a line there is
# a better way, which carries Taylor coefficients through the program once.

# %%
import time

import matplotlib.pyplot as plt
import numpy as np

import funcdiff as fd

# %% [markdown]
# ## By nesting

# %%
derivatives = [np.tanh]
for _ in range(4):
    derivatives.append(fd.elementwise_grad(derivatives[-1]))
x = np.linspace(-4, 4, 401)
figure, axes = plt.subplots(figsize=(6.5, 3.6))
for order, f in enumerate(derivatives):
    axes.plot(x, f(x), label=f"order {order}")
axes.legend()
axes.set_title("tanh and its derivatives");

# %% [markdown]
# `grad` of `grad` differentiates the program of the derivative. No formula is kept anywhere, and no order is special:

# %%
f = lambda x: x**3  # noqa: E731
fd.grad(fd.grad(fd.grad(f)))(2.0)

# %% [markdown]
# ## Taylor mode
#
# Each nesting multiplies the work by two or three. `fd.jet` instead pushes a truncated Taylor series through every step: along
# $x(t) = x_0 + t$ it gives $f$, $f'$, $f''$, … at once, at a price that grows with the square of the order.

# %%
value, coefficients = fd.jet(np.tanh, (0.5,), ([1.0, 0.0, 0.0, 0.0],))
print(value, coefficients)
print([float(g(0.5)) for g in derivatives])


# %%
def best(call, repeats=5):
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def wave(x):
    return np.sin(np.exp(np.tanh(x)) * x)


nested, taylor = [], []
f = wave
for order in range(1, 7):
    f = fd.grad(f)
    nested.append(best(lambda f=f: f(0.3)))
    direction = [1.0] + [0.0] * (order - 1)
    taylor.append(best(lambda direction=direction: fd.jet(wave, (0.3,), (direction,))))
    assert np.isclose(f(0.3), fd.jet(wave, (0.3,), (direction,))[1][-1], rtol=1e-8)
figure, axes = plt.subplots(figsize=(6, 3.4))
axes.semilogy(range(1, 7), np.array(nested) * 1e3, "o-", label="grad nested")
axes.semilogy(range(1, 7), np.array(taylor) * 1e3, "s-", label="jet")
axes.set(xlabel="order", ylabel="ms")
axes.legend();

# %% [markdown]
# ## A use: Taylor's method for a differential equation
#
# The pendulum $\theta'' = -\sin\theta$. All time derivatives of the solution follow from the equation; ten of them make a step of
# order ten. `jet` takes the derivatives of the right-hand side along the series that is known so far.


# %%
def taylor_step(state, h, order=10):
    """One step of the series solution of y' = g(y)."""
    g = lambda y: fd.numpy.stack([y[1], -np.sin(y[0])])  # noqa: E731
    series = [g(state)]
    while len(series) < order:
        value, found = fd.jet(g, (state,), (list(series),))
        series.append(found[len(series) - 1])
    factorial, new = 1.0, state.copy()
    for k, term in enumerate(series, 1):
        factorial *= k
        new = new + term * h**k / factorial
    return new


def energy(state):
    return state[1] ** 2 / 2 - np.cos(state[0])


state, path = np.array([2.5, 0.0]), []
for _ in range(150):
    path.append(state)
    state = taylor_step(state, 0.2)
path = np.array(path)
drift = [abs(energy(s) - energy(path[0])) for s in path]
figure, axes = plt.subplots(1, 2, figsize=(9, 3.3))
axes[0].plot(*path.T, ".-", markersize=3)
axes[0].set(xlabel="angle", ylabel="speed", title="150 steps of 0.2")
axes[1].semilogy(np.array(drift) + 1e-17)
axes[1].set(xlabel="step", title="error of the energy")
figure.tight_layout()

# %% [markdown]
# ## Several variables
#
# Mixed derivatives come from nesting `jacobian`: the third derivatives of a function of two variables are a $2\times2\times2$ array,
# symmetric in all its axes.

# %%
g = lambda x: np.exp(x[0]) * np.sin(x[1]) + x[0] ** 2 * x[1]  # noqa: E731
third = fd.jacobian(fd.hessian(g))(np.array([0.3, 0.7]))
print(third.round(4))
assert np.allclose(third, third.transpose(2, 0, 1))
print("Laplacian", fd.laplacian(g)(np.array([0.3, 0.7])))
