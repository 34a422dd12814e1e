"""What plain NumPy cannot do on traced arrays, and what `vmap` cannot do because shapes depend on values."""

from tests.numpy.coverage import polynomials

REFUSED = [
    line
    for table in polynomials.FAMILIES.values()
    for entry in table.values()
    for line in ([entry] if isinstance(entry, str) else entry)
    if ("roots(" in line and "fromroots(" not in line) or ("fit(" in line and "[0, 2]" in line)
]
"""NumPy makes arrays of objects of these and gives them to LAPACK, or writes into arrays made fresh: fd.numpy.polynomial
has them all, and `rebind` makes the lines work as they are."""

WHOLE_VALUES = (
    "np.extract(M > 0, M)",
    "np.histogram(x, bins=[0, 0.5, 1], weights=y)",
    "np.histogram(x, bins=[0, 0.5, 1.0], weights=y, density=True)",
    "a = x.copy(); np.place(a, y > 0.5, x**2); a",
    "np.polydiv(x, y[:2])",
    "np.trim_zeros(x)",
    "np.unique(x)",
    "np.unique(x, return_inverse=True)",
    "np.unique(M, axis=0)",
    "np.unique_values(x)",
    "np.vectorize(lambda v, w: v * w if v > w else np.sin(v))(x, y)",
    "x * x.item(0)",
    "x[(x > 0.5).nonzero()]",
    "M[M > 0]",
    "x * (x[0] in x)",
    "x if s > 0 else -x",
    "x * float(np.argmax(x))",
    "x * int(np.argmax(x))",
    "list(range(5))[np.argmax(x)] * x",
    "x * complex(np.argmax(x))",
    "x**2 if x[0] > 0.2 else x",
    "a = x\nwhile a.sum() < 10:\n    a = a * 2\na",
    "x[x > 0.5] ** 2",
    "sum(x) * max(x)",
)
"""Shapes or branches depend on values."""


def trims(line):
    """Tell whether NumPy's polynomial module asks whether the last coefficients, or columns of a system, are zero."""
    if "np.polynomial." not in line or "fd.numpy" in line:
        return False
    return (
        "deriv()" in line
        or "fit(x, y" in line  # whether a column of the system is zero, and the system of full rank
        or any(
            f"{prefix}{name}(" in line
            for prefix in polynomials.MODULES.values()
            for name in ("add", "sub", "mulx", "mul", "div", "pow", "fromroots", "companion", "2poly")
        )
        or "poly2" in line
    )
