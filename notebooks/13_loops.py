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
# # Loops: plain, written as `scan`, and rolled
#
# **What this teaches:** that a loop may be written as Python writes it; what `fd.scan` and `fd.while_loop` add; and how
# `fd.jit` finds the loop in the records of a plain one, so that both run at the speed of machine code, derivatives included.

# %%
import time

import matplotlib.pyplot as plt
import numpy as np

import funcdiff as fd


def best(call, repeats=20):
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


# %% [markdown]
# Hares and lynxes: the hares grow and are eaten, the lynxes starve and eat. Four rates $p$ decide how it goes, and we ask how
# the populations at the end depend on them. One step of the classical Runge-Kutta method:

# %%
h, steps = 0.02, 500


def rate(y, p):
    hares, lynxes = y
    met = hares * lynxes
    return p[0] * hares - p[1] * met, p[2] * met - p[3] * lynxes


def moved(y, k, by):
    return tuple(a + by * b for a, b in zip(y, k, strict=True))


def step(y, p):
    k1 = rate(y, p)
    k2 = rate(moved(y, k1, h / 2), p)
    k3 = rate(moved(y, k2, h / 2), p)
    k4 = rate(moved(y, k3, h), p)
    slopes = tuple(a + 2 * b + 2 * c + d for a, b, c, d in zip(k1, k2, k3, k4, strict=True))
    return moved(y, slopes, h / 6)


# %% [markdown]
# ## The same loop, twice
#
# As a Python loop, and as `fd.scan`, whose body takes a carry and gives the next one, and a result to collect:


# %%
def plain(p):
    y = (1.2, 0.6)
    for _ in range(steps):
        y = step(y, p)
    return y[0] - y[1]


def scanned(p):
    def body(y, _):
        return step(y, p), np.stack(y)

    (hares, lynxes), path = fd.scan(body, (1.2, 0.6), length=steps)
    return hares - lynxes, path


p = np.array([1.1, 0.7, 0.5, 0.9])
difference, path = scanned(p)
assert np.isclose(plain(p), difference)
plt.figure(figsize=(6, 3))
plt.plot(np.arange(steps) * h, path, label=["hares", "lynxes"])
plt.legend();

# %% [markdown]
# Their gradients are the same. Evaluated at once, both are Python loops, and each step costs its records.

# %%
of_plain = fd.grad(plain)
of_scan = fd.grad(lambda p: scanned(p)[0])
print(of_plain(p))
assert np.allclose(of_plain(p), of_scan(p), rtol=1e-10)
print(f"{best(lambda: of_plain(p), 3) * 1e3:.0f} ms and {best(lambda: of_scan(p), 3) * 1e3:.0f} ms")

# %% [markdown]
# ## What is recorded
#
# The tape of the plain loop has every step; drawn, equal stretches fold into one.

# %%
tape = fd.trace(plain)(p)
print(tape.stats())
tape.draw()

# %% [markdown]
# The tape of `scan` has one record, whatever the number of steps. Its body is a tape of its own.

# %%
print(fd.trace(lambda p: scanned(p)[0])(p))

# %% [markdown]
# ## Rolled
#
# `fd.jit` looks for the loop in the plain tape, *before* anything is differentiated: which stretches repeat, what they hand
# on, what they share, what differs. It compiles a tape with one loop, and its gradient is two loops: there and back.

# %%
start = time.perf_counter()
rolled = fd.jit(plain)
rolled(p)
print(f"compiled in {(time.perf_counter() - start) * 1e3:.0f} ms")
rolled.lower(p).tape.draw()

# %%
compiled = {
    "Python loop": fd.jit(of_plain),
    "fd.scan": fd.jit(of_scan),
}
for name, gradient in compiled.items():
    assert np.allclose(gradient(p), of_plain(p), rtol=1e-9)
    print(f"{name:12} gradient in {best(lambda: gradient(p)) * 1e6:.0f} µs")

# %% [markdown]
# A loop that is twenty times as long is compiled in the time that it takes to record it, and takes twenty times as long to run:

# %%
steps = 10_000
longer = fd.jit(fd.grad(lambda p: scanned(p)[0]))
longer(p)
print(f"{best(lambda: longer(p)) * 1e3:.2f} ms for {steps} steps")
steps = 500

# %% [markdown]
# ## Loops that end when they are done
#
# In a plain loop Python asks for a value after each step. Rolled, the loop counts for how many steps the answers are the ones
# that were recorded; where there are more or fewer steps, another path is recorded. `fd.while_loop` is one record for any number.


# %%
def root(a):
    x = a
    while abs(x * x - a) > 1e-12:
        x = (x + a / x) / 2
    return x


def any_root(a):
    return fd.while_loop(lambda x: abs(x * x - a) > 1e-12, lambda x: (x + a / x) / 2, a)


for a in (2.0, 9.0, 1e6):
    assert np.isclose(fd.jit(fd.grad(root))(a), 0.5 / np.sqrt(a))
    assert np.isclose(fd.jit(fd.grad(any_root))(a), 0.5 / np.sqrt(a))
print(fd.trace(fd.grad(any_root))(2.0))

# %% [markdown]
# Under `fd.vmap` each example stops by its own condition:

# %%
fd.vmap(fd.grad(any_root))(np.array([2.0, 9.0, 1e6]))

# %% [markdown]
# **To remember:** write the loop as it reads best. `fd.jit` finds plain loops, and `fd.scan` and `fd.while_loop` say it outright:
# one record, one step to compile, any number of steps to run.
