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
# # Why derivatives: down a paraboloid
#
# **What this teaches:** a gradient points uphill; following its opposite finds a minimum; how far to step
# is a question of its own, which second derivatives answer.
#
# The function is a bowl over the plane, $f(x_1, x_2) = 0.2\, x_1^2 + 0.2\, x_2^2 - 5$. It is lowest at the
# origin, and standing anywhere else we want to know which way is down.

# %%
import matplotlib.pyplot as plt
import numpy as np

import funcdiff as fd


def bowl(x):
    return 0.2 * x[0] ** 2 + 0.2 * x[1] ** 2 - 5


start = np.array([2.0, 2.0])
fd.grad(bowl)(start)

# %% [markdown]
# By hand: $\partial f / \partial x_1 = 0.4\, x_1$, which is 0.8 at $x_1 = 2$, and the same for $x_2$.
# Both are positive: the function grows when either coordinate grows, so down is the opposite direction.
#
# ## Steepest descent
#
# Step against the gradient, look again, step again.


# %%
def descend(f, x, rate, steps):
    """The points that steepest descent visits."""
    slope = fd.grad(f)
    path = [x]
    for _ in range(steps):
        x = x - rate * slope(x)
        path.append(x)
    return np.array(path)


path = descend(bowl, start, rate=0.8, steps=12)
print(path[[0, 1, 2, 5, 12]].round(4))

# %%
grid = np.linspace(-3, 3, 61)
x1, x2 = np.meshgrid(grid, grid)
heights = bowl(np.array([x1, x2]))

figure = plt.figure(figsize=(9.5, 3.9))
surface = figure.add_subplot(1, 2, 1, projection="3d")
surface.plot_surface(x1, x2, heights, cmap="viridis", alpha=0.7, linewidth=0)
surface.plot(*path.T, bowl(path.T), "o-", color="crimson", markersize=3, zorder=10)
surface.set(xlabel="$x_1$", ylabel="$x_2$", title="the bowl, and the way down")
plane = figure.add_subplot(1, 2, 2)
plane.contour(x1, x2, heights, levels=15, cmap="viridis")
arrows = np.linspace(-2.5, 2.5, 8)
a1, a2 = np.meshgrid(arrows, arrows)
slopes = fd.vmap(fd.grad(bowl))(np.stack([a1.ravel(), a2.ravel()], axis=1))
plane.quiver(a1.ravel(), a2.ravel(), *-slopes.T, color="gray", width=0.004)
plane.plot(*path.T, "o-", color="crimson", markersize=3)
plane.set(xlabel="$x_1$", ylabel="$x_2$", title="minus the gradient, everywhere", aspect="equal")
figure.tight_layout()

# %% [markdown]
# The gray arrows are $-\nabla f$ at 64 points, computed in one batch by `fd.vmap(fd.grad(bowl))`.
#
# ## How far to step
#
# The rate decides. Too small is slow; too large overshoots. Here each step multiplies $x$ by
# $1 - 0.4\,\text{rate}$, so beyond a rate of 5 the path flies apart.

# %%
figure, axes = plt.subplots(figsize=(6, 3.4))
for rate in (0.3, 1.0, 2.5, 4.5):
    path = descend(bowl, start, rate, 20)
    axes.semilogy(np.linalg.norm(path, axis=1) + 1e-17, "o-", markersize=3, label=f"rate {rate}")
axes.set(xlabel="step", ylabel="distance from the minimum", ylim=(1e-15, 10))
axes.legend()
axes.set_title("rate 2.5 is exact in one step");

# %% [markdown]
# Why 2.5? It is one over the second derivative, 0.4. Newton's method finds this rate by itself, in every
# direction, from the Hessian:

# %%
hessian = fd.hessian(bowl, start)
newton_step = -np.linalg.solve(hessian, fd.grad(bowl)(start))
print(hessian)
print("lands at", start + newton_step)

# %% [markdown]
# A less kind bowl, ten times as steep one way as the other: steepest descent zigzags, Newton does not.


# %%
def trough(x):
    return 0.05 * x[0] ** 2 + 0.5 * x[1] ** 2


zigzag = descend(trough, np.array([2.5, 1.0]), rate=1.85, steps=25)
newton = np.array([[2.5, 1.0], [2.5, 1.0] - np.linalg.solve(fd.hessian(trough, start), fd.grad(trough)(np.array([2.5, 1.0])))])
figure, axes = plt.subplots(figsize=(6.5, 3))
axes.contour(x1, x2, trough(np.array([x1, x2])), levels=15, cmap="viridis")
axes.plot(*zigzag.T, "o-", markersize=3, label="steepest descent, 25 steps")
axes.plot(*newton.T, "s-", label="Newton, one step")
axes.set(ylim=(-1.5, 1.5))
axes.legend()
assert np.allclose(newton[-1], 0)
