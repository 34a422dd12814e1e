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
# # A data study: an epidemic, its parameters, and how well they are known
#
# **What this teaches:** the whole way from data to parameters with error bars: a model written as a loop, maximum likelihood with
# exact gradients, the Hessian as the inverse covariance, and a profile that checks it.
#
# The data are the boys confined to bed in an English boarding school in January 1978, one number a day (British Medical
# Journal, 4 March 1978): 763 boys, an influenza epidemic of two weeks.

# %%
import matplotlib.pyplot as plt
import numpy as np
from scipy.optimize import minimize
from scipy.stats import chi2

import funcdiff as fd

in_bed = np.array([3, 8, 26, 76, 225, 298, 258, 233, 189, 128, 68, 29, 14, 4], dtype=float)
days = np.arange(len(in_bed))
boys = 763

# %% [markdown]
# ## The model
#
# Susceptible boys catch it from infectious ones, who recover: $S' = -\beta S I / N$, $I' = \beta S I / N - \gamma I$.
# Ten Runge-Kutta steps a day, written as a loop that fills an array.


# %%
def infectious(parameters):
    """Infectious boys on each day, for log-parameters: contact rate, recovery rate, first cases."""
    beta, gamma, first = np.exp(parameters)

    def slope(s, i):
        new = beta * s * i / boys
        return -new, new - gamma * i

    s, i, h = boys - first, first, 0.1
    found = fd.numpy.zeros(len(days))
    for day in days:
        found[day] = i
        for _ in range(10):
            s1, i1 = slope(s, i)
            s2, i2 = slope(s + h / 2 * s1, i + h / 2 * i1)
            s3, i3 = slope(s + h / 2 * s2, i + h / 2 * i2)
            s4, i4 = slope(s + h * s3, i + h * i3)
            s = s + h / 6 * (s1 + 2 * s2 + 2 * s3 + s4)
            i = i + h / 6 * (i1 + 2 * i2 + 2 * i3 + i4)
    return found


guess = np.log([1.5, 0.4, 2.0])
infectious(guess).round(1)

# %% [markdown]
# ## The likelihood
#
# Counts scatter more than Poisson's law allows, so their variance is $\phi$ times their mean, with $\phi$ estimated from
# the residuals afterwards (quasi-likelihood). Up to constants, minus the log-likelihood is


# %%
def misfit(parameters):
    expected = infectious(parameters)
    return np.sum(expected - in_bed * np.log(expected))


slope = fd.value_and_grad(misfit)
fit = minimize(slope, guess, jac=True, method="BFGS", options={"gtol": 1e-6})
best = fit.x
print(fit.nit, "iterations,", fit.nfev, "evaluations; largest slope", abs(fd.grad(misfit)(best)).max())
print("contact rate {:.3f}, recovery rate {:.3f}, first cases {:.2f}".format(*np.exp(best)))

# %% [markdown]
# The gradient is exact to rounding, also through the 130 steps of the solver. Central differences agree as far as they can:

# %%
fd.testing.check_grads(misfit, best, order=1)
h = 1e-5
differences = [(misfit(best + h * e) - misfit(best - h * e)) / (2 * h) for e in np.eye(3)]
print(np.array(differences), fd.grad(misfit)(best))

# %% [markdown]
# ## How well are the parameters known?
#
# Near its minimum the misfit is a parabola, and the inverse of its Hessian is the covariance of the estimates, times the
# overdispersion $\phi$.

# %%
hessian = fd.hessian(misfit, best)
expected = infectious(best)
phi = np.sum((in_bed - expected) ** 2 / expected) / (len(in_bed) - 3)
covariance = phi * np.linalg.inv(hessian)
errors = np.sqrt(np.diag(covariance))
print(f"overdispersion {phi:.1f}")
for name, value, error in zip(("contact rate", "recovery rate", "first cases"), best, errors, strict=True):
    print(f"{name:14} {np.exp(value):.3f}   95 %: {np.exp(value - 1.96 * error):.3f} to {np.exp(value + 1.96 * error):.3f}")

# %% [markdown]
# What people ask for is the *reproduction number* $R_0 = \beta / \gamma$, a function of the parameters. Its error follows from its
# gradient (the delta method), which is again one call:


# %%
def reproduction(parameters):
    return np.exp(parameters[0] - parameters[1])


g = fd.grad(reproduction)(best)
r0, r0_error = reproduction(best), np.sqrt(g @ covariance @ g)
print(f"R0 = {r0:.2f} ± {1.96 * r0_error:.2f}")

# %% [markdown]
# And the band around the curve comes from the Jacobian of the whole curve:

# %%
jacobian = fd.jacobian(infectious)(best)
band = 1.96 * np.sqrt(np.einsum("di,ij,dj->d", jacobian, covariance, jacobian))
figure, axes = plt.subplots(figsize=(6.5, 3.6))
axes.fill_between(days, expected - band, expected + band, alpha=0.3, label="95 % band of the model")
axes.plot(days, expected, label="model")
axes.plot(days, in_bed, "ko", label="boys in bed")
axes.set(xlabel="day", ylabel="boys")
axes.legend();

# %% [markdown]
# ## Is the parabola good enough?
#
# A *profile* fixes the recovery rate at several values and fits the rest. Where it follows the parabola, the error bars can be
# trusted.


# %%
def profile(value):
    def restricted(rest):
        return misfit(fd.numpy.stack([rest[0], value, rest[1]]))

    return minimize(fd.value_and_grad(restricted), best[[0, 2]], jac=True, method="BFGS").fun


values = best[1] + np.linspace(-3, 3, 9) * errors[1]
rise = np.array([profile(v) for v in values]) - fit.fun
figure, axes = plt.subplots(figsize=(6, 3.4))
axes.plot(np.exp(values), 2 * rise / phi, "o-", label="profile")
axes.plot(np.exp(values), ((values - best[1]) / errors[1]) ** 2, "--", label="parabola of the Hessian")
axes.axhline(chi2.ppf(0.95, 1), color="gray", linewidth=1)
axes.set(xlabel="recovery rate", ylabel="2 (misfit - least) / φ")
axes.legend();

# %% [markdown]
# ## What the data say about each parameter
#
# The rows of the Jacobian also show *when* each parameter matters: the curve's answer to one per cent more of each.

# %%
figure, axes = plt.subplots(figsize=(6.5, 3.2))
for column, name in zip(jacobian.T, ("contact rate", "recovery rate", "first cases"), strict=True):
    axes.plot(days, 0.01 * column, "o-", markersize=3, label=name)
axes.set(xlabel="day", ylabel="boys, for 1 % more")
axes.legend();
