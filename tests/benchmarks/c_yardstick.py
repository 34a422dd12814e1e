"""Programs in C as yardsticks; None where there is no gcc."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

CHAIN = """
#include <math.h>
double chain(const double *restrict x, double *restrict g, long n) {
    double total = 0.0;
    for (long i = 0; i < n; i++) {
        double t = tanh(x[i]), s = x[i] * x[i], e = exp(-s);
        total += t * e + log1p(s);
        g[i] = (1.0 - t * t) * e - 2.0 * x[i] * t * e + 2.0 * x[i] / (1.0 + s);
    }
    return total;
}
"""
# the sum by rows, without which a strict compiler adds one number after the other
ROSENBROCK = """
#define ROW 1024
double rosenbrock(const double *restrict x, double *restrict g, long n) {
    double a = x[1] - x[0] * x[0], b = 1.0 - x[0], total = 100.0 * a * a + b * b, sums[ROW] = {0.0};
    g[0] = -400.0 * a * x[0] - 2.0 * b;
    for (long start = 1; start < n - 1; start += ROW) {
        long count = n - 1 - start < ROW ? n - 1 - start : ROW;
        const double *y = x + start;
        double *h = g + start;
        for (long i = 0; i < count; i++) {
            double a = y[i + 1] - y[i] * y[i], b = 1.0 - y[i], left = y[i] - y[i - 1] * y[i - 1];
            sums[i] += 100.0 * a * a + b * b;
            h[i] = 200.0 * left - 400.0 * a * y[i] - 2.0 * b;
        }
    }
    for (long i = 0; i < ROW; i++) total += sums[i];
    g[n - 1] = 200.0 * (x[n - 1] - x[n - 2] * x[n - 2]);
    return total;
}
"""
HEAT = """
#include <string.h>
double heat(const double *restrict u, double *restrict v, long n) {
    memcpy(v, u, n * sizeof(double));
    memcpy(v + (n - 1) * n, u + (n - 1) * n, n * sizeof(double));
    for (long i = 1; i < n - 1; i++) {
        const double *r = u + i * n;
        v[i * n] = r[0];
        v[i * n + n - 1] = r[n - 1];
        for (long j = 1; j < n - 1; j++)
            v[i * n + j] = r[j] + 0.1 * (r[j + n] + r[j - n] + r[j + 1] + r[j - 1] - 4.0 * r[j]);
    }
    return 0.0;
}
"""
HEAT_TRANSPOSED = """
double heat_transposed(const double *restrict g, double *restrict w, long n) {
    for (long i = 0; i < n; i++)
        for (long j = 0; j < n; j++) {
            const double *c = g + i * n + j;
            if (i > 1 && i < n - 2 && j > 1 && j < n - 2) {
                long last = n - 2;
                for (; j < last; j++, c++)
                    w[i * n + j] = 0.1 * (c[n] + c[-n] + c[1] + c[-1]) + (c[0] - 0.4 * c[0]);
                j--;
                continue;
            }
            int in_rows = i > 0 && i < n - 1, in_columns = j > 0 && j < n - 1;
            double sum = in_rows && in_columns ? c[0] - 0.4 * c[0] : c[0];
            if (in_columns && i < n - 2) sum += 0.1 * c[n];
            if (in_columns && i > 1) sum += 0.1 * c[-n];
            if (in_rows && j < n - 2) sum += 0.1 * c[1];
            if (in_rows && j > 1) sum += 0.1 * c[-1];
            w[i * n + j] = sum;
        }
    return 0.0;
}
"""
STRICT = ("-O3", "-march=native", "-fPIC")
FAST = (*STRICT, "-mprefer-vector-width=512", "-ffast-math")

Function = Callable[[Any], tuple[float, Any]]


def chain() -> Function | None:
    """The chain's value and gradient, with vector math."""
    return compiled("chain", CHAIN, FAST)


def rosenbrock() -> Function | None:
    """Rosenbrock's value and gradient, each element gathered from its neighbours."""
    return compiled("rosenbrock", ROSENBROCK, STRICT)


def heat() -> Function | None:
    """One step of the heat equation in a square."""
    return compiled("heat", HEAT, STRICT)


def heat_transposed() -> Function | None:
    """What that step makes of a cotangent."""
    return compiled("heat_transposed", HEAT_TRANSPOSED, STRICT)


REACTIONS = """
static void rate(const double *y, const double *k, double *to) {
    double a = y[0], b = y[1], c = y[2], d = y[3];
    to[0] = -k[0] * a + k[1] * b * c - k[8] * a * d;
    to[1] = k[0] * a - k[1] * b * c - k[2] * b * b + k[3] * d;
    to[2] = k[2] * b * b - k[4] * c + k[5] * d * a;
    to[3] = k[4] * c - k[3] * d - k[5] * d * a + k[6] * a - k[7] * d + k[9] * b;
}
double reactions(const double *restrict k, double *restrict out, long n) {
    double y[4] = {1.0, 0.5, 0.2, 0.1}, k1[4], k2[4], k3[4], k4[4], z[4], h = 0.01, total = 0.0;
    for (long i = 0; i < 200; i++) {
        rate(y, k, k1);
        for (int j = 0; j < 4; j++) z[j] = y[j] + h / 2 * k1[j];
        rate(z, k, k2);
        for (int j = 0; j < 4; j++) z[j] = y[j] + h / 2 * k2[j];
        rate(z, k, k3);
        for (int j = 0; j < 4; j++) z[j] = y[j] + h * k3[j];
        rate(z, k, k4);
        for (int j = 0; j < 4; j++) y[j] += h / 6 * (k1[j] + 2 * k2[j] + 2 * k3[j] + k4[j]);
    }
    for (int j = 0; j < 4; j++) total += y[j] * y[j];
    return total;
}
"""
TRIDIAGONAL = """
double tridiagonal(const double *restrict in, double *restrict out, long n) {
    double *ratio = out, *y = out + n, *x = out + 2 * n, total = 0.0;
    ratio[0] = in[2] / in[1];
    y[0] = in[3] / in[1];
    for (long i = 1; i < n; i++) {
        const double *row = in + 4 * i;
        double m = row[1] - row[0] * ratio[i - 1];
        ratio[i] = row[2] / m;
        y[i] = (row[3] - row[0] * y[i - 1]) / m;
    }
    x[n - 1] = y[n - 1];
    for (long i = n - 2; i >= 0; i--) x[i] = y[i] - ratio[i] * x[i + 1];
    for (long i = 0; i < n; i++) total += x[i] * x[i];
    return total;
}
"""
HEAT_EQUATION = """
#include <stdlib.h>
#include <string.h>
double heat_equation(const double *restrict start, double *restrict out, long n) {
    double *from = out, *to = malloc(n * n * sizeof(double)), total = 0.0;
    memcpy(from, start, n * n * sizeof(double));
    memcpy(to, start, n * n * sizeof(double));
    for (long s = 0; s < 200; s++) {
        double *restrict v = to;
        const double *restrict u = from;
        for (long i = 1; i < n - 1; i++)
            for (long j = n * i + 1; j < n * i + n - 1; j++)
                v[j] = u[j] + 0.1 * (u[j + n] + u[j - n] + u[j + 1] + u[j - 1] - 4 * u[j]);
        double *kept = from;
        from = to;
        to = kept;
    }
    for (long i = 0; i < n * n; i++) total += from[i] * from[i];
    free(from == out ? to : from);
    return total;
}
"""

HEAT_EQUATION_GRADIENT = """
#include <stdlib.h>
#include <string.h>
#define STEPS 200
#define AROUND(u, j) (u[j + n] + u[j - n] + u[j + 1] + u[j - 1])
static double *states = 0, *spare = 0;
static long side = 0;
static void step(const double *restrict u, double *restrict v, double k, long n) {
    memcpy(v, u, n * sizeof(double));
    memcpy(v + (n - 1) * n, u + (n - 1) * n, n * sizeof(double));
    for (long i = n; i < (n - 1) * n; i += n) {
        v[i] = u[i];
        v[i + n - 1] = u[i + n - 1];
        for (long j = i + 1; j < i + n - 1; j++) v[j] = u[j] + k * (AROUND(u, j) - 4 * u[j]);
    }
}
static double at(const double *g, double k, long n, long i, long j) {  /* near the boundary */
    int in_row = i > 0 && i < n - 1, in_column = j > 0 && j < n - 1;
    const double *c = g + i * n + j;
    double sum = in_row && in_column ? (1 - 4 * k) * c[0] : c[0];
    if (in_column && i < n - 2) sum += k * c[n];
    if (in_column && i > 1) sum += k * c[-n];
    if (in_row && j < n - 2) sum += k * c[1];
    if (in_row && j > 1) sum += k * c[-1];
    return sum;
}
static void back(const double *restrict u, const double *restrict g, double *restrict w, double *restrict of_k,
                 double k, long n) {
    for (long i = 0; i < n; i++) {
        const double *r = g + i * n, *s = u + i * n;
        double *to = w + i * n, c = 1 - 4 * k;
        if (i > 1 && i < n - 2) {
            to[0] = at(g, k, n, i, 0), to[1] = at(g, k, n, i, 1);
            for (long j = 2; j < n - 2; j++) to[j] = c * r[j] + k * AROUND(r, j);
            to[n - 2] = at(g, k, n, i, n - 2), to[n - 1] = at(g, k, n, i, n - 1);
        } else
            for (long j = 0; j < n; j++) to[j] = at(g, k, n, i, j);
        if (i > 0 && i < n - 1)
            for (long j = 1; j < n - 1; j++) of_k[j] += r[j] * (AROUND(s, j) - 4 * s[j]);
    }
}
double heat_equation_gradient(const double *restrict in, double *restrict out, long count) {
    long n = 1;
    while (n * n < count - 1) n++;
    long size = n * n;
    double k = in[size], total = 0.0, of_k[n];
    if (side != n) {
        free(states), free(spare);
        states = malloc((STEPS + 1) * size * sizeof(double));
        spare = malloc(2 * size * sizeof(double));
        side = n;
    }
    memcpy(states, in, size * sizeof(double));
    for (long s = 0; s < STEPS; s++) step(states + s * size, states + (s + 1) * size, k, n);
    double *u = states + STEPS * size, *g = spare, *w = spare + size;
    for (long i = 0; i < size; i++) {
        total += u[i] * u[i];
        g[i] = 2 * u[i];
    }
    memset(of_k, 0, sizeof of_k);
    for (long s = STEPS - 1; s >= 0; s--) {
        double *to = s ? w : out;
        back(states + s * size, g, to, of_k, k, n);
        w = g;
        g = to;
    }
    out[size] = 0.0;
    for (long j = 1; j < n - 1; j++) out[size] += of_k[j];
    return total;
}
"""


def reactions() -> Function | None:
    """200 steps of an ordinary differential equation of four species, from ten rates."""
    return compiled("reactions", REACTIONS, STRICT)


def tridiagonal() -> Function | None:
    """A tridiagonal system, from rows of three coefficients and a right-hand side."""
    return compiled("tridiagonal", TRIDIAGONAL, STRICT)


def heat_equation() -> Function | None:
    """200 steps of the heat equation."""
    return compiled("heat_equation", HEAT_EQUATION, STRICT)


def heat_equation_gradient() -> Function | None:
    """The same with derivatives by start and coefficient, which follows the start in what is given.

    All states are stored, in memory that is kept between calls; cotangents are gathered.
    """
    return compiled("heat_equation_gradient", HEAT_EQUATION_GRADIENT, STRICT)


def compiled(name: str, code: str, flags: Sequence[str]) -> Function | None:
    """A function of an array (its length, and where its results go), which allocates these as NumPy does."""
    compiler = shutil.which("gcc")
    if compiler is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        source, built, library = (Path(folder) / f"{name}.{end}" for end in ("c", "o", "so"))
        source.write_text(code)
        # linked without -ffast-math, which would make the whole process flush subnormal numbers to zero
        for command in (
            [compiler, *flags, "-c", str(source), "-o", str(built)],
            [compiler, "-shared", str(built), "-o", str(library), "-lm"],
        ):
            if subprocess.run(command, capture_output=True, check=False).returncode:
                return None
        function = getattr(ctypes.CDLL(str(library)), name)
    function.restype = ctypes.c_double
    function.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_long]

    def call(x: Any) -> tuple[float, Any]:
        g = np.empty_like(x)
        return function(x.ctypes.data, g.ctypes.data, len(x)), g

    return call
