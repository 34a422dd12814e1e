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
# # The computation graph, step by step
#
# **What this teaches:** what a tape is, what stands on the edges of its graph, and how forward and reverse accumulation
# go through the same graph in opposite directions, at different prices.

# %%
import matplotlib.pyplot as plt
import numpy as np

import funcdiff as fd


def f(a, b):
    c = a + b
    d = b + 1
    e = c * d
    return e


tape = fd.trace(f)(2.0, 1.0)
print(tape)

# %% [markdown]
# `fd.trace` runs the function once and writes down each primitive step. As a graph, with what each step gives at
# $a = 2$, $b = 1$:

# %%
tape.draw(at=(2.0, 1.0))

# %% [markdown]
# ## Local derivatives
#
# Each arrow carries the derivative of one step by one of its operands. As formulas, they need no values:

# %%
tape.draw(derivatives=True, direction="right")

# %% [markdown]
# The derivative of $e$ by $b$ is the sum over all paths from $b$ to $e$ of the products along each path:
# $\partial e / \partial b = 1 \cdot d + 1 \cdot c = 2 + 3 = 5$.
#
# With many paths, adding them one by one would take for ever. The two *modes* of automatic differentiation are two orders of
# doing the sums so that each arrow is used once.
#
# ## Forward: from one input to everything
#
# Start with $\partial b / \partial b = 1$ and go with the program.

# %%
forward = tape.draw(at=(2.0, 1.0), steps="forward", wrt="b")
forward

# %% [markdown]
# At the end, $\partial e / \partial b = 5$ is known, and of course nothing about $a$: forward mode is run once for every input.
# `fd.jvp` is that run:

# %%
fd.jvp(f, (2.0, 1.0), (0.0, 1.0))

# %% [markdown]
# ## Reverse: from one output to everything
#
# Start with $\partial e / \partial e = 1$ and go against the program.

# %%
reverse = tape.draw(at=(2.0, 1.0), steps="reverse")
reverse

# %% [markdown]
# One run gives the derivative of $e$ by *every* node, both inputs among them. `fd.grad` is that run:

# %%
fd.grad(f, (0, 1))(2.0, 1.0)

# %% [markdown]
# ## The same for the bowl of the first notebook
#
# $x_7 = 0.2\, x_1^2 + 0.2\, x_2^2 - 5$, with the names that a textbook gives to the nodes.


# %%
def bowl(x1, x2):
    x3 = x1**2
    x5 = x3 * 0.2
    x4 = x2**2
    x6 = x4 * 0.2
    x7 = x5 + x6 - 5
    return x7


fd.trace(bowl)(2.0, 2.0).draw(at=(2.0, 2.0), steps="reverse")[-1]

# %% [markdown]
# ## A gradient is a program too
#
# The sweep back can be recorded like any other program. This is what `fd.grad(f)` computes:

# %%
print(fd.trace(fd.grad(f, (0, 1)))(2.0, 1.0).to_source())

# %% [markdown]
# ## What the two modes cost
#
# Records on the tape of a Jacobian product, for a function with many inputs and one output: the gradient takes a small
# multiple of the function's own records, whatever the number of inputs.

# %%
sizes = np.arange(5, 105, 20)
counts = {"function": [], "gradient (reverse, all inputs)": [], "one direction (forward)": []}


def chain(x):
    total = 0.0
    for i in range(len(x)):
        total = np.sin(total) + x[i] ** 2
    return total


for n in sizes:
    x = np.linspace(0.1, 1, n)
    counts["function"].append(len(fd.trace(chain)(x)))
    counts["gradient (reverse, all inputs)"].append(len(fd.trace(fd.grad(chain))(x)))
    counts["one direction (forward)"].append(len(fd.trace(lambda x: fd.jvp(chain, x, np.ones_like(x))[1])(x)))
figure, axes = plt.subplots(figsize=(6, 3.5))
for name, values in counts.items():
    axes.plot(sizes, values, "o-", label=name)
axes.plot(sizes, sizes * np.array(counts["one direction (forward)"]), "--", color="gray", label="all inputs (forward, one by one)")
axes.set(xlabel="inputs", ylabel="records", yscale="log")
axes.legend(fontsize=8);

# %% [markdown]
# Long tapes are drawn folded, by statement, repetition and function:

# %%
fd.trace(fd.grad(chain))(np.linspace(0.1, 1, 30)).draw()
