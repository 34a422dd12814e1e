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
# # Performance: where the time goes, and what to do about it
#
# **What this teaches:** to measure first, by primitive and by line; to write steps on whole arrays; to compile with `fd.jit` what
# is called many times; and to trade time for memory.

# %%
import time

import matplotlib.pyplot as plt
import numpy as np

import funcdiff as fd


def best(call, repeats=9):
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def layer(w, h):
    return np.tanh(h @ w)


def loss(w, x):
    h = x
    for k in range(len(w)):
        h = layer(w[k], h)
    return np.mean((h - x) ** 2)


rng = np.random.default_rng(0)
w, x = rng.standard_normal((4, 60, 60)) / 8, rng.standard_normal((200, 60))
gradient = fd.grad(loss)
print(f"function {best(lambda: loss(w, x)) * 1e3:.2f} ms, gradient {best(lambda: gradient(w, x)) * 1e3:.2f} ms")

# %% [markdown]
# ## Measure first
#
# `fd.profiler.profile` times every operation, forward and in the sweep back, and puts it down to a primitive or a line.

# %%
with fd.profiler.profile() as profile:
    for _ in range(5):
        gradient(w, x)
print(profile.key_averages().table(sort_by="self_time"))

# %%
print(profile.key_averages().table(group_by="line"))

# %%
profile

# %% [markdown]
# ## Steps on whole arrays
#
# Every recorded step costs a microsecond or so, whatever its size. A loop over elements has as many steps as elements; the same
# sum on whole arrays has a few.


# %%
def element_by_element(x):
    total = 0.0
    for i in range(len(x) - 1):
        total = total + (x[i + 1] - x[i] ** 2) ** 2
    return total


def at_once(x):
    return np.sum((x[1:] - x[:-1] ** 2) ** 2)


z = np.linspace(0, 1, 500)
assert np.allclose(fd.grad(element_by_element)(z), fd.grad(at_once)(z))
slow, fast = best(lambda: fd.grad(element_by_element)(z)), best(lambda: fd.grad(at_once)(z))
print(f"{slow * 1e3:.2f} ms and {fast * 1e3:.3f} ms: {slow / fast:.0f} times")

# %% [markdown]
# ## Compile what runs often
#
# `fd.jit` records the program once for each signature, simplifies it, and runs generated code from then on.

# %%
compiled = fd.jit(fd.grad(at_once))
compiled(z)
small = np.linspace(0, 1, 20)
compiled(small)
names, times = ["eager", "jit"], []
for point in (small, z):
    times.append([best(lambda: fd.grad(at_once)(point), 30) * 1e6, best(lambda: compiled(point), 30) * 1e6])
figure, axes = plt.subplots(figsize=(5.5, 3))
for offset, name, column in zip((-0.2, 0.2), names, np.array(times).T, strict=True):
    axes.bar(np.arange(2) + offset, column, 0.4, label=name)
axes.set_xticks([0, 1], ["20 numbers", "500 numbers"])
axes.set_ylabel("µs for a gradient")
axes.legend();

# %% [markdown]
# What it runs can be read:

# %%
print(fd.trace(fd.grad(at_once))(small).to_source())

# %% [markdown]
# ## Time for memory
#
# The sweep back needs intermediate values, so a long loop keeps them all. `fd.checkpoint` keeps the inputs of a stretch
# and runs it again in the sweep: half the memory and more, for one more evaluation.

# %%
import tracemalloc


def stretch(h):
    for _ in range(10):
        h = np.sin(h) * 1.01
    return h


def long(h, wrapped):
    for _ in range(10):
        h = wrapped(h)
    return np.sum(h)


big = np.linspace(0, 1, 50_000)
for name, wrapped in (("plain", stretch), ("checkpointed", fd.checkpoint(stretch))):
    f = fd.grad(lambda h, wrapped=wrapped: long(h, wrapped))
    tracemalloc.start()
    f(big)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    print(f"{name:13} {best(lambda: f(big), 3) * 1e3:6.1f} ms   peak {peak / 1e6:6.1f} MB")

# %% [markdown]
# ## Do not ask for more than is needed
#
# A product with a Hessian instead of the Hessian; a `vjp` instead of a Jacobian; `fd.vmap(fd.grad(f))` instead of a loop over
# examples:

# %%
examples = rng.standard_normal((300, 20))
g = fd.grad(at_once)
loop = best(lambda: np.array([g(e) for e in examples]), 3)
batch = best(lambda: fd.vmap(g)(examples), 3)
print(f"{loop * 1e3:.1f} ms one by one, {batch * 1e3:.2f} ms in one batch")
