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
# # Rosenbrock's valley in 1000 variables
#
# Rosenbrock's function is the classic hard valley: steep walls, a bent, nearly flat floor.
# `scipy.optimize.minimize` has methods that walk it well if they are given derivatives: a gradient
# (`jac`) and products of the Hessian with a vector (`hessp`). With 1000 variables the full Hessian
# would have a million entries; its product with a vector costs only a few gradients.
# Both derivatives come from funcdiff here, and both are compared with the formulas in SciPy.

# %%
import time
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
from scipy.optimize import minimize, rosen, rosen_der, rosen_hess, rosen_hess_prod

import funcdiff as fd

# %% [markdown]
# ## The function
#
# $$ f(x) = \sum_{i=1}^{n-1} 100\,(x_{i+1} - x_i^2)^2 + (1 - x_i)^2 $$
#
# has its minimum, zero, at $x = (1, \ldots, 1)$. In NumPy it is one line over slices. The second
# version is a loop over neighbours with an accumulator, as one might first write it: it gives the
# same derivatives, only slower. The third is SciPy's own `rosen`, unmodified.


# %%
def rosenbrock(x):
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def rosenbrock_in_a_loop(x):
    total = 0.0
    for here, there in pairwise(x):
        total += 100.0 * (there - here**2) ** 2 + (1.0 - here) ** 2
    return total


n = 1000
random = np.random.default_rng(1)
start = random.uniform(-1.0, 1.0, n)
direction = random.normal(size=n)

for function in (rosenbrock, rosenbrock_in_a_loop, rosen):
    gradient = fd.grad(function)(start)
    product = fd.hvp(function, start, direction)[1]
    error = np.abs(gradient - rosen_der(start)).max() / np.abs(gradient).max()
    second = np.abs(product - rosen_hess_prod(start, direction)).max() / np.abs(product).max()
    print(f"{function.__name__:>20}: gradient off by {error:.0e}, Hessian product by {second:.0e}")
    assert error < 1e-13
    assert second < 1e-13

# %% [markdown]
# ## What the derivatives cost
#
# Reverse mode gives the whole gradient for a multiple of the cost of the function that does not
# depend on the number of variables, and the Hessian product for a small multiple of the gradient.
# Short vectors show the fixed cost of each recorded operation (the curves are flat), long ones the
# arrays that go through memory (they rise together). Finite differences would need 1000 evaluations
# for a single gradient, and 100 000 at the right end of the figure.


# %%
def cpu_time(call, number=30):
    taken = []
    for _ in range(number):
        start = time.process_time()
        call()
        taken.append(time.process_time() - start)
    return min(taken)


value_and_grad = fd.value_and_grad(rosenbrock)
sizes = np.array([100, 1000, 10_000, 100_000])
plain, first, second = [], [], []
for size in sizes:
    x, v = random.uniform(-1, 1, size), random.normal(size=size)
    plain.append(cpu_time(lambda x=x: rosenbrock(x)))
    first.append(cpu_time(lambda x=x: value_and_grad(x)))
    second.append(cpu_time(lambda x=x, v=v: fd.hvp(rosenbrock, x, v)))

figure, axes = plt.subplots(figsize=(7, 4))
axes.loglog(sizes, 1e6 * np.array(plain), "o-", label="function")
axes.loglog(sizes, 1e6 * np.array(first), "o-", label="value and gradient")
axes.loglog(sizes, 1e6 * np.array(second), "o-", label="Hessian product")
axes.set(xlabel="variables", ylabel="microseconds", title="Cost of one evaluation")
axes.legend()
figure.tight_layout()

# %% [markdown]
# ## Minimising
#
# Newton-CG and trust-krylov solve each Newton step approximately by an iteration that asks for
# Hessian products only. L-BFGS-B builds its own picture of the curvature from gradients, and the
# last run does without any derivatives from us: SciPy then takes finite differences, 1000
# evaluations a gradient, and is stopped after a few steps.
#
# Within one Newton step all the products are taken at the same point. `fd.hvp` starts afresh each
# time; `fd.linearize` runs the gradient once and gives a function that applies the Hessian to as
# many vectors as one likes. The second product below remembers the last point it was asked about.

# %%
gradient = fd.grad(rosenbrock)


def product(x, v):
    return fd.hvp(rosenbrock, x, v)[1]


def remembering_product():
    point, push = None, None

    def product(x, v):
        nonlocal point, push
        if point is None or not np.array_equal(point, x):
            point, (_, push) = x.copy(), fd.linearize(gradient, x)
        return push(v)

    return product


def run(method, **options):
    values = []
    limit = options.pop("maxiter", 5000)
    result = minimize(
        rosenbrock,
        start,
        method=method,
        callback=lambda intermediate_result: values.append(intermediate_result.fun),
        options={"maxiter": limit},
        **options,
    )
    return result, np.array(values)


runs = {
    "Newton-CG, hessp": run("Newton-CG", jac=gradient, hessp=product, tol=1e-12),
    "trust-krylov, hessp": run("trust-krylov", jac=gradient, hessp=remembering_product(), tol=1e-8),
    "L-BFGS-B, jac": run("L-BFGS-B", jac=gradient, tol=1e-14),
    "L-BFGS-B, differences": run("L-BFGS-B", maxiter=10),
}
for name, (result, _) in runs.items():
    print(
        f"{name:>22}: f = {result.fun:.1e} after {result.nit:5} steps, {result.nfev:6} values, "
        f"{result.get('njev', 0):5} gradients, {result.get('nhev', 0):6} products"
    )

# %%
figure, axes = plt.subplots(figsize=(7, 4))
for name, (_, values) in runs.items():
    axes.semilogy(np.arange(1, len(values) + 1), np.maximum(values, 1e-24), label=name)
axes.set(xscale="log", xlabel="step", ylabel="f", title="The way down the valley, 1000 variables")
axes.legend()
figure.tight_layout()

# %% [markdown]
# Both methods with Hessian products end at $(1, \ldots, 1)$. The gradient there is zero to
# rounding, and the Hessian is positive definite, which `rosen_hess` confirms: it is a minimum.

# %%
for name in ("Newton-CG, hessp", "trust-krylov, hessp", "L-BFGS-B, jac"):
    result = runs[name][0]
    distance = np.abs(result.x - 1.0).max()
    print(f"{name:>22}: largest distance from 1: {distance:.1e}")
    assert distance < 1e-3, name
assert np.linalg.eigvalsh(rosen_hess(runs["trust-krylov, hessp"][0].x)).min() > 0

# %% [markdown]
# The same run with SciPy's hand-written derivatives takes the same path: to the optimiser there is
# no difference between a formula and `fd.grad`.

# %%
by_hand = minimize(
    rosen,
    start,
    method="trust-krylov",
    jac=rosen_der,
    hessp=rosen_hess_prod,
    tol=1e-8,
    options={"maxiter": 5000},
)
ours = runs["trust-krylov, hessp"][0]
print(f"steps: {ours.nit} with funcdiff, {by_hand.nit} with the formulas")
assert np.allclose(ours.x, by_hand.x, atol=1e-6)

# %% [markdown]
# ## SciPy's own function, unmodified
#
# `scipy.optimize.rosen` calls `asarray` on its argument, which turns the traced array into an array
# of Python objects. It still differentiates, element by element; so it can be handed to the
# optimiser as it is. For a thousand variables the vectorised function above is faster, and for
# ten nobody will notice.

# %%
small = minimize(
    rosen,
    start[:10],
    method="Newton-CG",
    jac=fd.grad(rosen),
    hessp=lambda x, v: fd.hvp(rosen, x, v)[1],
    tol=1e-10,
)
print(f"10 variables: f = {small.fun:.1e} after {small.nit} steps")
assert small.success
assert np.allclose(small.x, 1.0, atol=1e-6)
