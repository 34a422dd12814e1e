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
# # Control flow, detaching, and in-place code
#
# **What this teaches:** a function stays plain Python. Loops and branches that depend on values, recursion, writes into arrays and
# views behave as in NumPy, and what must not be differentiated says so.

# %%
import matplotlib.pyplot as plt
import numpy as np

import funcdiff as fd

# %% [markdown]
# ## A loop that runs until a value is large enough
#
# How often the loop runs is known only when it runs. The function is linear in $a$ on each stretch, so its derivative is $f(a)/a$.


# %%
def f(a):
    b = a * 2
    while np.linalg.norm(b) < 1000:
        b = b * 2
    if np.sum(b) > 0:
        c = b
    else:
        c = 100 * b
    return c


a = 0.37
fd.grad(f)(a), f(a) / a

# %%
points = np.linspace(-3, 3, 601)
slopes = np.array([fd.grad(f)(p) for p in points if p != 0])
figure, axes = plt.subplots(figsize=(6, 3.2))
axes.semilogy(points[points != 0], slopes, ".", markersize=2)
axes.set(xlabel="a", ylabel="f'(a)", title="each stretch has its own slope");

# %% [markdown]
# The tape of a call holds what the control flow saw, as *guards*. Replayed where another path would be taken, it refuses:

# %%
tape = fd.trace(f)(a)
try:
    tape.run(-a)
except fd.errors.TapeError as error:
    print(str(error).split(" at ")[0])

# %% [markdown]
# ## Recursion


# %%
def power(x, n):
    if n == 0:
        return 1.0
    half = power(x, n // 2)
    return half * half * x if n % 2 else half * half


fd.grad(power)(1.1, 13), 13 * 1.1**12

# %% [markdown]
# ## Detaching
#
# `fd.stop_gradient(x)` is the value of `x` as a constant. With $u$ detached, $z = u\,x$ has the derivative $u$, not $3x^2$:

# %%
x = np.arange(4.0)


def product(x):
    y = x * x
    u = fd.stop_gradient(y)
    return np.sum(u * x)


fd.grad(product)(x), fd.grad(lambda x: np.sum((x * x) * x))(x)

# %% [markdown]
# ## Backward for outputs that are not scalars
#
# `grad` takes scalars. For a vector of outputs say what is wanted: the derivative of the sum, or a Jacobian.

# %%
try:
    fd.grad(lambda x: x * x)(x)
except fd.errors.OutputError as error:
    print(str(error).splitlines()[0])
print(fd.grad(lambda x: np.sum(x * x))(x))
print(fd.jacobian(lambda x: x * x)(x))

# %% [markdown]
# ## Writing into arrays
#
# Derivatives are those of the same program without mutation. The caller's arrays never change.


# %%
def heat(u, steps=40):
    """Explicit time steps of the heat equation, written as one writes them."""
    u = u.copy()
    for _ in range(steps):
        u[1:-1] += 0.4 * (u[2:] - 2 * u[1:-1] + u[:-2])
        u[0] = u[1]
        u[-1] = u[-2]
    return u


grid = np.linspace(0, 1, 60)
initial = np.exp(-((grid - 0.4) ** 2) / 0.01)
sensitivity = fd.grad(lambda u: heat(u)[20])(initial)
kept = initial.copy()
figure, axes = plt.subplots(figsize=(6, 3.2))
axes.plot(grid, initial, label="start")
axes.plot(grid, heat(initial), label="after 40 steps")
axes.plot(grid, 5 * sensitivity, label="what u(0.34) at the end depends on (times 5)")
axes.set_ylim(-0.05, 1.45)
axes.legend(fontsize=8)
assert np.array_equal(initial, kept)

# %% [markdown]
# Views share memory, also here, and the last write to a place wins:


# %%
def views(x):
    y = np.zeros_like(x)
    row = y[1:]
    row[...] = x[:-1] ** 2  # seen through y
    y[0] = 3 * x[0]
    y[0] = 5 * x[0]  # the first write has no effect, nor a derivative
    return y.sum()


print(fd.grad(views)(x))

# %% [markdown]
# ## What is not allowed, and what to write instead
#
# A traced value cannot be written into a plain array, because the array could not remember where it comes from. The error says
# what to do:


# %%
def forgets(x):
    y = np.zeros(3)
    y[0] = x[0]
    return y.sum()


try:
    fd.grad(forgets)(x)
except fd.errors.PlainWriteError as error:
    print(str(error).splitlines()[0])

# %%
fd.grad(lambda x: fd.numpy.stack([x[0], 2 * x[1], x[2] ** 2]).sum())(x)
