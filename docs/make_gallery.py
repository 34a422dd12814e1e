"""Draw the pictures of the gallery: ``python docs/make_gallery.py``."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import funcdiff as fd

FOLDER = Path(__file__).parent / "_static" / "gallery"


def f(a, b):
    """The textbooks' example."""
    c = a + b
    d = b + 1
    e = c * d
    return e  # noqa: RET504  # it is to have a name


def network(W1, b1, W2, x, y):
    """One hidden layer and a loss."""
    h = np.tanh(x @ W1 + b1)
    out = h @ W2
    r = out - y
    return np.mean(r**2)


def logistic(x):
    """Sixty iterations of the logistic map."""
    for _ in range(60):
        y = 3.5 * x
        x = y * (1 - x)
    return np.sin(x) + np.cos(x)


def main() -> None:
    """Draw everything."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    at = (2.0, 1.0)
    tape = fd.trace(f)(*at)
    tape.draw(FOLDER / "derivatives.svg", derivatives=True, direction="right")
    steps = tape.draw(FOLDER / "steps.svg", at=at, steps="reverse")
    steps[-1].save(FOLDER / "reverse.svg")
    rng = np.random.default_rng(0)
    args = tuple(rng.standard_normal(shape) for shape in [(3, 4), (4,), (4,), (5, 3), (5,)])
    fd.trace(network)(*args).draw(FOLDER / "network.svg", derivatives=True)
    fd.trace(fd.grad(network, (0, 1, 2)))(*args).draw(FOLDER / "network_gradient.svg")
    fd.trace(fd.grad(logistic))(0.3).draw(FOLDER / "folded.svg")
    gradient = fd.grad(network, (0, 1, 2))
    larger = tuple(np.tile(a, (40,) + (1,) * (a.ndim - 1)) if n > 2 else a for n, a in enumerate(args))
    gradient(*larger)
    with fd.profiler.profile() as profile:
        for _ in range(20):
            gradient(*larger)
    (FOLDER / "flame.svg").write_text(profile.flame(), encoding="utf-8")


if __name__ == "__main__":
    main()
