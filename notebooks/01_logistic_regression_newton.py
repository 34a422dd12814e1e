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
# # Logistic regression by Newton's method
#
# Newton's method needs two things that are tedious to derive by hand: a gradient and a Hessian.
# Here both come from `fd.grad` and `fd.hessian`, applied to a loss written in plain NumPy.
# The data are real (569 tumours, 30 measurements each, from scikit-learn), and at the end the
# coefficients are compared with those that scikit-learn finds for the same problem.

# %%
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression

import funcdiff as fd

# %% [markdown]
# ## The data
#
# The measurements differ in scale by four orders of magnitude, so each is standardised to mean 0
# and standard deviation 1. The labels become $-1$ (malignant) and $+1$ (benign), which gives the
# loss its shortest form. A column of ones carries the intercept.

# %%
data = load_breast_cancer()
measurements = (data.data - data.data.mean(axis=0)) / data.data.std(axis=0)
labels = np.where(data.target == 1, 1.0, -1.0)
design = np.column_stack([np.ones(len(labels)), measurements])
print(design.shape)

# %% [markdown]
# ## The loss
#
# With weights $w$ (the first one is the intercept), the negative log-likelihood with an L2 penalty
# is
#
# $$ L(w) = \sum_i \log\bigl(1 + e^{-y_i\, x_i \cdot w}\bigr)
#        + \tfrac{\lambda}{2} \sum_{j \ge 1} w_j^2 . $$
#
# The penalty spares the intercept. `np.logaddexp(0, -margin)` is $\log(1 + e^{-\text{margin}})$
# without overflow. Nothing here knows that it will be differentiated.

# %%
penalty = 1.0


def loss(weights):
    margin = labels * (design @ weights)
    return np.sum(np.logaddexp(0.0, -margin)) + 0.5 * penalty * np.sum(weights[1:] ** 2)


start = np.zeros(design.shape[1])
print(loss(start), len(labels) * np.log(2))

# %% [markdown]
# At $w = 0$ every tumour has probability one half, so the loss is $n \log 2$, as it should be.
#
# ## Its derivatives
#
# `fd.grad(loss)` is a function that returns the gradient; `fd.hessian(loss)` one that returns the
# $31 \times 31$ matrix of second derivatives. For logistic regression both are known,
#
# $$ \nabla L = -X^\top (y \, \sigma(-m)) + \lambda \tilde w, \qquad
#    \nabla^2 L = X^\top \operatorname{diag}\bigl(\sigma(m)\, \sigma(-m)\bigr) X
#                + \lambda \tilde I, $$
#
# so this is a good place to see that they agree to rounding.

# %%
gradient = fd.grad(loss)
hessian = fd.hessian(loss)


def gradient_by_hand(weights):
    margin = labels * (design @ weights)
    penalised = np.concatenate([[0.0], weights[1:]])
    return -design.T @ (labels / (1 + np.exp(margin))) + penalty * penalised


def hessian_by_hand(weights):
    margin = labels * (design @ weights)
    spread = 1 / (2 + np.exp(margin) + np.exp(-margin))
    spared = np.diag(np.concatenate([[0.0], np.ones(len(weights) - 1)]))
    return (design.T * spread) @ design + penalty * spared


somewhere = np.random.default_rng(0).normal(size=len(start)) * 0.1
print("gradient differs by", np.abs(gradient(somewhere) - gradient_by_hand(somewhere)).max())
print("Hessian differs by ", np.abs(hessian(somewhere) - hessian_by_hand(somewhere)).max())
assert np.allclose(gradient(somewhere), gradient_by_hand(somewhere), rtol=1e-12, atol=1e-11)
assert np.allclose(hessian(somewhere), hessian_by_hand(somewhere), rtol=1e-12, atol=1e-11)

# %% [markdown]
# `fd.trace` shows what was differentiated: the function as a flat program of NumPy operations.

# %%
print(fd.trace(loss)(start))

# %% [markdown]
# ## Newton's method
#
# Near a minimum a smooth function is almost a parabola, and a parabola's minimum is one linear
# solve away: $w \leftarrow w - (\nabla^2 L)^{-1} \nabla L$. The loss is convex, but far from the
# minimum a full step may overshoot, so the step is halved until the loss falls enough
# (Armijo's rule).


# %%
def newton(weights, steps=20, tolerance=1e-10):
    history = []
    for _ in range(steps):
        value, slope = fd.value_and_grad(loss)(weights)
        history.append((value, np.linalg.norm(slope)))
        if history[-1][1] < tolerance:
            break
        direction = -np.linalg.solve(hessian(weights), slope)
        # what rounding may hide: near the minimum no step can show a gain
        slack = 1e-13 * abs(value)
        length, expected = 1.0, 1e-4 * slope @ direction
        while loss(weights + length * direction) > value + length * expected + slack:
            length /= 2
        weights = weights + length * direction
    return weights, np.array(history)


weights, history = newton(start)
for step, (value, norm) in enumerate(history):
    print(f"step {step}: loss {value:.12f}   |gradient| {norm:.2e}")

# %% [markdown]
# The number of correct digits doubles from step to step at the end: quadratic convergence, the
# sign of a Hessian that is right. Replacing it by a wrong one (its diagonal, say) still reaches
# the minimum, but only linearly. The figure shows both.


# %%
def newton_with_diagonal(weights, steps):
    norms = []
    for _ in range(steps):
        slope = gradient(weights)
        norms.append(np.linalg.norm(slope))
        direction = -slope / np.diag(hessian(weights))
        length = 1.0
        while loss(weights + length * direction) > loss(weights):
            length /= 2
        weights = weights + length * direction
    return np.array(norms)


diagonal = newton_with_diagonal(start, 40)

figure, axes = plt.subplots(figsize=(7, 4))
axes.semilogy(history[:, 1], "o-", label="full Hessian")
axes.semilogy(diagonal, ".-", color="tab:gray", label="diagonal of the Hessian")
axes.set(xlabel="step", ylabel="norm of the gradient", title="Newton's method, logistic regression")
axes.legend()
figure.tight_layout()

# %% [markdown]
# ## Against scikit-learn
#
# scikit-learn minimises $C \sum_i \log(\ldots) + \tfrac12 |w|^2$, which is ours with $C = 1/\lambda$.
# Its own solver is asked for full precision, so that the two can be compared tightly.

# %%
model = LogisticRegression(C=1 / penalty, solver="newton-cholesky", tol=1e-12, max_iter=200)
model.fit(measurements, data.target)

theirs = np.concatenate([model.intercept_, model.coef_[0]])
difference = np.abs(weights - theirs).max()
print(f"largest difference of any coefficient: {difference:.1e}")
assert difference < 1e-8
assert history[-1, 1] < 1e-9

accuracy = np.mean(np.sign(design @ weights) == labels)
print(f"accuracy on the training data: {accuracy:.3f}")
assert accuracy == model.score(measurements, data.target)

# %%
order = np.argsort(weights[1:])
figure, axes = plt.subplots(figsize=(7, 6))
axes.barh(data.feature_names[order], weights[1:][order], label="funcdiff, Newton")
axes.plot(model.coef_[0][order], np.arange(30), "k|", markersize=9, label="scikit-learn")
axes.set(xlabel="coefficient (positive: benign)", title="The fitted coefficients")
axes.tick_params(axis="y", labelsize=7)
axes.legend()
figure.tight_layout()

# %% [markdown]
# ## What else the Hessian is good for
#
# The inverse Hessian at the minimum is the covariance of the coefficients in Laplace's
# approximation, so error bars cost one more line. And how a coefficient reacts to the penalty
# follows from differentiating the condition $\nabla L(w, \lambda) = 0$: $dw/d\lambda =
# -(\nabla^2 L)^{-1}\, \partial_\lambda \nabla L$, where the mixed derivative is a Jacobian of a
# gradient. The last cell checks it by fitting again with a slightly different penalty.

# %%
errors = np.sqrt(np.diag(np.linalg.inv(hessian(weights))))
for place in order[[0, 1, -2, -1]]:
    print(f"{data.feature_names[place]:>24}: {weights[1 + place]:+.2f} ± {errors[1 + place]:.2f}")


def penalised_loss(weights, penalty):
    margin = labels * (design @ weights)
    return np.sum(np.logaddexp(0.0, -margin)) + 0.5 * penalty * np.sum(weights[1:] ** 2)


mixed = fd.jacobian(fd.grad(penalised_loss), argnums=1)(weights, penalty)
sensitivity = -np.linalg.solve(hessian(weights), mixed)

penalty = 1.001
refitted, _ = newton(weights)
error = np.abs((refitted - weights) / 0.001 - sensitivity).max()
print(f"sensitivity to the penalty: up to {np.abs(sensitivity).max():.3f}, off by {error:.1e}")
assert error < 2e-3
