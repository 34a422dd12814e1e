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
# # Jacobians, Hessians and their products with vectors
#
# **What this teaches:** the functional interface, `jacobian`, `hessian`, `vjp`, `jvp`, `vhp`, `hvp`, and what each one costs, so
# that one asks for a product where a matrix is not needed.

# %%
import time

import matplotlib.pyplot as plt
import numpy as np

import funcdiff as fd

# %% [markdown]
# ## Whole matrices
#
# A function of two vectors, and its Jacobian as one block per input:


# %%
def exp_adder(x, y):
    return 2 * np.exp(x) + 3 * y


x, y = np.array([0.1, 0.5, 1.0]), np.array([1.0, 2.0, 3.0])
by_x, by_y = fd.jacobian(exp_adder, (x, y))
print(by_x.round(3))
print(by_y)

# %% [markdown]
# A scalar function has a gradient and a Hessian:


# %%
def energy(x):
    return np.sum(np.exp(x) ** 2) / 2 + np.prod(x)


print(fd.grad(energy)(x))
print(fd.hessian(energy, x).round(3))

# %% [markdown]
# ## Products
#
# $v^\top J$ (`vjp`, one reverse sweep) and $J v$ (`jvp`, one forward run) cost a few evaluations each, whatever the size of $J$:

# %%
v = np.array([1.0, 0.0, -1.0])
value, (left_x, left_y) = fd.vjp(exp_adder, (x, y), v)
print(left_x, left_y)
assert np.allclose(left_x, v @ by_x)
value, right = fd.jvp(exp_adder, (x, y), (v, v))
assert np.allclose(right, by_x @ v + by_y @ v)

# %% [markdown]
# and so do $H v$ (`hvp`) and $v^\top H$ (`vhp`), which are equal where the function is smooth:

# %%
value, product = fd.hvp(energy, x, v)
assert np.allclose(product, fd.hessian(energy, x) @ v)
assert np.allclose(product, fd.vhp(energy, x, v)[1])
product

# %% [markdown]
# ## Several sweeps over one recording
#
# `pullback` and `linearize` record once and hand out the linear map, to be used as often as one likes:

# %%
value, pull = fd.pullback(np.sin, x)
value, push = fd.linearize(np.sin, x)
print(pull(v)[0], push(v))
print(fd.vmap(lambda row: pull(row)[0])(np.eye(3)))

# %% [markdown]
# ## What they cost
#
# For a function from $n$ numbers to one: a gradient costs the same multiple of an evaluation for every $n$, a Hessian grows with $n$, and
# a Hessian-vector product costs two or three gradients.


# %%
def rosenbrock(x):
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def best(call, repeats=7):
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


lengths = [10, 30, 100, 300, 600]
rows = {"gradient": [], "Hessian times vector": [], "Hessian": []}
for n in lengths:
    point = np.linspace(0.5, 1.5, n)
    plain = best(lambda: rosenbrock(point), 20)
    rows["gradient"].append(best(lambda: fd.grad(rosenbrock)(point)) / plain)
    rows["Hessian times vector"].append(best(lambda: fd.hvp(rosenbrock, point, point)) / plain)
    rows["Hessian"].append(best(lambda: fd.hessian(rosenbrock, point), 3) / plain)
figure, axes = plt.subplots(figsize=(6, 3.6))
for name, values in rows.items():
    axes.loglog(lengths, values, "o-", label=name)
axes.set(xlabel="inputs n", ylabel="time, in evaluations of the function")
axes.legend();

# %% [markdown]
# ## Which mode for a Jacobian
#
# With more outputs than inputs, forward mode (columns) is cheaper; with more inputs than outputs, reverse (rows).
# `mode="auto"` chooses, and `jacfwd` and `jacrev` say it by name. Both run all columns or rows as one batch.

# %%
wide = np.random.default_rng(0).standard_normal((5, 400))
tall = wide.T
for name, matrix in (("400 inputs, 5 outputs", wide), ("5 inputs, 400 outputs", tall)):
    function = lambda z, matrix=matrix: np.tanh(matrix @ z)  # noqa: E731
    point = np.ones(matrix.shape[1]) / 10
    forward, reverse = best(lambda: fd.jacfwd(function)(point)), best(lambda: fd.jacrev(function)(point))
    assert np.allclose(fd.jacfwd(function)(point), fd.jacrev(function)(point))
    print(f"{name}: forward {forward * 1e6:.0f} µs, reverse {reverse * 1e6:.0f} µs")
