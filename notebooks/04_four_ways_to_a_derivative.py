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
# # Four ways to a derivative
#
# **What this teaches:** a derivative can be worked out by hand, by symbols, by differences of values, or by
# running the program's own steps through the chain rule. The first is work, the second grows without bound, the
# third loses digits, and the fourth does neither.
#
# The example is the logistic map, $l_1 = x$, $l_{n+1} = 4\, l_n (1 - l_n)$: a polynomial of degree $2^{n-1}$ written
# in one line of code.

# %%
import time

import matplotlib.pyplot as plt
import numpy as np
import sympy
from scipy.differentiate import derivative

import funcdiff as fd


def logistic(x, n):
    for _ in range(n - 1):
        x = 4 * x * (1 - x)
    return x


x0 = 0.2
[logistic(x0, n) for n in (1, 2, 3, 4)]

# %% [markdown]
# ## 1. By hand
#
# $l_2' = 4 - 8x$ is easy. $l_3 = 16 x (1-x)(1-2x)^2$ takes a line of product rule:

# %%


def l3_by_hand(x):
    return 16 * (1 - x) * (1 - 2 * x) ** 2 - 16 * x * (1 - 2 * x) ** 2 - 64 * x * (1 - x) * (1 - 2 * x)


l3_by_hand(x0), fd.grad(logistic)(x0, 3)

# %% [markdown]
# It is right, it took a minute, and nobody wants to do $l_4$.
#
# ## 2. By symbols
#
# SymPy does it without complaint. But the formula of a derivative repeats the formula of the function, once for each
# factor: *expression swell*. We count operations, and for comparison the records of the tape of the gradient.

# %%
x = sympy.symbols("x")
sizes, records, seconds = [], [], []
depths = range(1, 8)
for n in depths:
    formula = logistic(x, n)
    start = time.perf_counter()
    slope = sympy.diff(formula, x)
    seconds.append(time.perf_counter() - start)
    sizes.append(sympy.count_ops(slope))
    records.append(len(fd.trace(fd.grad(lambda x, n=n: logistic(x, n)))(x0)))
print(slope.subs(x, x0).evalf(), fd.grad(logistic)(x0, 7))

# %%
figure, axes = plt.subplots(figsize=(6, 3.6))
axes.semilogy(depths, sizes, "o-", label="SymPy: operations in the derivative")
axes.semilogy(depths, np.maximum(records, 1), "s-", label="tape: records of the gradient")
axes.set(xlabel="n", ylabel="size")
axes.legend()
axes.set_title("expression swell");

# %% [markdown]
# The formula doubles (and more) with each iteration; the tape grows by the same few records each time, because a
# value that has been computed is read, not written out again.
#
# ## 3. By differences of values
#
# $f'(x) \approx (f(x+h) - f(x)) / h$. With a large step the *truncation* error dominates, with a small step the *rounding*
# error, and in between there is a best step that one has to find.

# %%
f = lambda x: logistic(x, 4)  # noqa: E731
exact = fd.grad(f)(x0)
steps = np.logspace(-16, -1, 61)
forward = np.abs((f(x0 + steps) - f(x0)) / steps - exact)
central = np.abs((f(x0 + steps) - f(x0 - steps)) / (2 * steps) - exact)
adaptive = derivative(f, x0)

figure, axes = plt.subplots(figsize=(6.5, 3.8))
axes.loglog(steps, forward + 1e-17, label="forward difference")
axes.loglog(steps, central + 1e-17, label="central difference")
axes.axhline(abs(adaptive.df - exact) + 1e-17, color="gray", linestyle="--", label=f"scipy.differentiate, {adaptive.nfev} evaluations")
axes.axhline(np.finfo(float).eps * abs(exact), color="crimson", linestyle=":", label="rounding of the result itself")
axes.set(xlabel="step", ylabel="error")
axes.legend(fontsize=8)
axes.set_title("every step is wrong in its own way");

# %% [markdown]
# SciPy's adaptive scheme reaches ten digits or more, at the price of many evaluations, *for one input*. A gradient of a
# thousand inputs costs a thousand times as much.
#
# ## 4. Automatically
#
# `fd.grad` runs the program once, keeps a tape of its steps, and applies the chain rule from the last step to
# the first. The derivative is exact to rounding, and costs a few evaluations however many inputs there are:

# %%
formula = sympy.lambdify(x, sympy.diff(logistic(x, 4), x), "math")
print("automatic  ", fd.grad(f)(x0))
print("symbolic   ", formula(x0))
print("difference ", ((f(x0 + 1e-6) - f(x0 - 1e-6)) / 2e-6))
assert np.isclose(fd.grad(f)(x0), formula(x0), rtol=1e-14)

# %% [markdown]
# And it is a program one can read:

# %%
print(fd.trace(fd.grad(lambda x: logistic(x, 3)))(x0).to_source())

# %% [markdown]
# Where a formula is wanted after all, a tape has one: the two worlds meet in `to_sympy`.

# %%
sympy.factor(fd.trace(fd.grad(lambda x: logistic(x, 3)))(x0).to_sympy())
