"""The section on `scipy.special` of docs/coverage_scipy.md, from the registered primitives."""

import inspect
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.special as sp

HEAD = """## scipy.special

The ufuncs work in plain spelling, `scipy.special.jv(v, x)`, the others as `fd.scipy.special.…`. For each argument:

- *closed*: the derivative is a formula in functions of this page;
- *method*: it is computed by quadrature, a series or Cauchy's integral, with the method, its source and the errors reached
  in the docstring of the file that the table names, below `funcdiff/primitives/special`;
- 0: SciPy rounds the argument, so the function is constant between jumps;
- —: there is no rule, and an error says so; the reason is in the last column.

What has a derivative has it in forward and in reverse mode, to second order, and under `vmap`: the registry tests
check all four over samples of each, and mpmath the parameters. Orders beyond the second work too, but methods lose about
a digit for each.
"""


def _methods() -> set[Any]:
    """Functions whose derivatives of all orders are computed by a method."""
    from funcdiff.core.primitive import REGISTRY
    from funcdiff.primitives.quantile_slopes import log_gamma_slope, logit_beta_slope

    return {log_gamma_slope, logit_beta_slope} | {
        p.function
        for p in REGISTRY.values()
        if callable(p.impl)
        and not isinstance(p.impl, np.ufunc)
        and {"orders", "exponents"} & set(inspect.signature(p.impl).parameters)
        and p.impl.__module__.startswith("funcdiff.primitives.special")
        and p.name != "complex_polygamma"  # polygamma has closed forms at real arguments
    }


def _reached(rule: Any) -> Iterator[Any]:
    """The objects that a rule names, in itself and in the plain functions it calls."""
    seen, waiting = set(), [rule]
    while waiting:
        f = waiting.pop()
        code = getattr(f, "__code__", None)
        if f in seen or code is None or hasattr(f, "primitive"):
            continue
        seen.add(f)
        inner = [code, *(c for c in code.co_consts if inspect.iscode(c))]
        names = {n for c in inner for n in c.co_names}
        values = [f.__globals__[n] for n in names if n in f.__globals__]
        modules = [v for v in values if inspect.ismodule(v) and v.__name__.startswith("funcdiff")]
        values += [vars(m)[n] for m in modules for n in names if n in vars(m)]
        values += [c.cell_contents for c in f.__closure__ or ()]
        values += [e for v in list(values) if isinstance(v, (list, tuple)) for e in v]
        yield from (v for v in values if callable(v))
        waiting += [v for v in values if inspect.isfunction(v)]


def _status(rule: Any, methods: set[Any]) -> str:
    from funcdiff.core.primitive import Over

    if rule is None:
        return "—"
    if isinstance(rule, int):
        return "closed" if rule else "0"
    rule = rule.denominator if isinstance(rule, Over) else rule
    return "method" if any(f in methods for f in _reached(rule) if getattr(f, "__hash__", None)) else "closed"


def _rules(primitive: Any) -> list[Any]:
    from funcdiff.core.primitive import Elementwise, LocallyConstant

    if isinstance(primitive, Elementwise):
        return list(primitive.partials)
    if isinstance(primitive, LocallyConstant):
        return [0] * primitive.impl.nin
    return list(primitive.jvps)


def _arguments(ufunc: np.ufunc) -> list[str]:
    """The names in SciPy's docstring, which begins with its signature, before NumPy 2.4 after one of NumPy's."""
    for signature in re.findall(rf"^\s*{ufunc.__name__}\((.*?)\)", ufunc.__doc__ or "", re.MULTILINE):
        names = [n.strip() for n in re.split(r"[,\[]", signature) if n.strip()]
        names = [n for n in names if n.isidentifier() and n != "out"]
        if len(names) >= ufunc.nin and "/" not in signature:
            return names[: ufunc.nin]
    return [f"x{n + 1}" for n in range(ufunc.nin)] if ufunc.nin > 1 else ["x"]


def _file(function: Any, rules: list[Any]) -> str:
    """The file that declares a primitive: where it has a name, or where its rules are written."""
    import funcdiff.primitives.special as package

    modules = [getattr(package, name) for name in package.__all__ if inspect.ismodule(getattr(package, name))]
    for module in modules:
        if any(v is function for v in vars(module).values()):
            return str(module.__name__.rsplit(".", 1)[-1])
    for rule in rules:
        for f in _reached(rule) if callable(rule) else ():
            if inspect.isfunction(f) and inspect.getmodule(f) in modules:
                return str(f.__module__.rsplit(".", 1)[-1])
    return ""


def ufunc_rows() -> list[dict[str, Any]]:
    """One row for each ufunc: its arguments, their status, and the reasons where there is no rule."""
    from funcdiff.numpy import _protocol
    from funcdiff.scipy import special

    methods = _methods()
    rows = []
    for name in sorted(n for n in dir(sp) if isinstance(getattr(sp, n), np.ufunc)):
        ufunc = getattr(sp, name)
        function = _protocol.UFUNCS[ufunc]
        primitive = getattr(function, "primitive", None)
        arguments = _arguments(ufunc)
        if primitive is None:
            reason = special._REFUSED[name]
            rows.append({"name": name, "file": "", "arguments": [(a, "—", reason) for a in arguments]})
            continue
        rules = _rules(primitive)
        rows.append(
            {
                "name": name,
                "file": _file(function, rules),
                "arguments": [
                    (a, _status(r, methods), primitive.missing.get(n, "") if r is None else "")
                    for n, (a, r) in enumerate(zip(arguments, rules, strict=False))
                ],
            }
        )
    return rows


def section() -> str:
    """The text of the section."""
    from funcdiff.scipy import special

    out = [HEAD, "| ufunc | arguments | file | without a rule |", "| --- | --- | --- | --- |"]
    for row in ufunc_rows():
        arguments = ", ".join(f"`{a}` {status}" for a, status, _reason in row["arguments"])
        reasons = "; ".join(
            ", ".join(f"`{a}`" for a, _status, r in row["arguments"] if r == reason) + ": " + reason
            for reason in dict.fromkeys(r for _a, _status, r in row["arguments"] if r)
        )
        out.append(f"| `{row['name']}` | {arguments} | {row['file']} | {reasons} |")
    functions, refused = [], []
    for name in sp.__all__:
        value = getattr(special, name)
        if isinstance(getattr(sp, name), np.ufunc) or not hasattr(value, "scipy_function"):
            continue
        if hasattr(value, "without_rule"):
            refused.append(f"| `{name}` | {value.without_rule} |")
        else:
            functions.append(f"`{name}`")
    out += ["", "Differentiable functions that are not ufuncs: " + ", ".join(sorted(functions)) + ".", ""]
    out += ["For plain arguments only; a traced one raises an error with this reason:", ""]
    out += ["| function | why |", "| --- | --- |", *sorted(refused), ""]
    return "\n".join(out)
