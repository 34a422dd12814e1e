"""How each primitive is written in NumPy.

Most are written as they are implemented: a ufunc by its name or operator, a public function by its name,
an implementation of one expression by that expression, any other as a helper function.  Stated here are
the few that read better otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from funcdiff import errors
from funcdiff.core.array_type import ArrayType, type_of
from funcdiff.core.primitive import REGISTRY, Primitive
from funcdiff.core.tape import Literal, Record
from funcdiff.source import constants, inlining
from funcdiff.source.expression import Expression, call, item, method, operation

Spelling = Callable[[list[Expression], Record], "Expression | None"]


def spell(record: Record, args: list[Expression], helpers: inlining.Helpers) -> Expression:
    """Write one application of a primitive."""
    primitive, params = record.primitive, record.params
    own = _SPELLINGS.get(primitive.name)
    if own is not None and not primitive.user_made:
        text = own(args, record)
        if text is not None:
            return text
    impl = primitive.impl
    if isinstance(impl, np.ufunc) and not params:
        written = operation(primitive.name, args)
        if written is not None:
            return written
    before = helpers.copy()
    try:
        return _as_implemented(primitive, args, params, helpers)
    except inlining.NoSourceError as reason:
        helpers.restore(before)
        return _by_import(primitive, args, params, helpers, reason)


def _as_implemented(
    primitive: Primitive, args: Sequence[Expression], params: dict[str, Any], helpers: inlining.Helpers
) -> Expression:
    impl = primitive.impl
    public = inlining.public_name(impl)
    if public is not None:
        return call(helpers.use(public), *args, **_settings(params))
    if not primitive.user_made:
        short = inlining.expression(impl, args, params, primitive.multiple_outputs)
        if short is not None:
            return short
    return call(
        helpers.add(impl if primitive.user_made else primitive.function, primitive.name),
        *args,
        **_settings(params),
    )


def _by_import(
    primitive: Primitive,
    args: Sequence[Expression],
    params: dict[str, Any],
    helpers: inlining.Helpers,
    reason: Exception,
) -> Expression:
    """Import an implementation that cannot be written out."""
    if not primitive.user_made and REGISTRY.get(primitive.name) is primitive:
        name = helpers.loaded(primitive.name)
        return call(name, *args, **_settings(params))
    impl = primitive.impl
    module, name = getattr(impl, "__module__", ""), getattr(impl, "__qualname__", "<lambda>")
    if module in ("", "__main__") or "<" in name:
        raise errors.UnsupportedError(
            f"to_source: {primitive.name} has no source, because {reason}. Write its implementation as a function of a "
            "module, without closures, or leave it out of the traced function."
        )
    helpers.imports[f"from {module} import {name.split('.')[0]}"] = None
    return call(name, *args, **_settings(params))


def _settings(params: dict[str, Any]) -> dict[str, str]:
    return {name: constants.setting(value) for name, value in params.items()}


# --- those that read better otherwise ----------------------------------------------------------------


def _type(record: Record, n: int = 0) -> ArrayType:
    atom = record.inputs[n]
    return type_of(atom.value) if isinstance(atom, Literal) else atom.type


def _shape(shape: tuple[int, ...]) -> str:
    return str(shape[0]) if len(shape) == 1 else repr(shape)


def _axis(axis: tuple[int, ...]) -> str:
    return str(axis[0]) if len(axis) == 1 else repr(axis)


def _renamed(name: str) -> Spelling:
    return lambda args, record: call(name, *args, **_settings(record.params))


def _reduction(name: str) -> Spelling:
    def write(args: list[Expression], record: Record) -> Expression:
        axis, keepdims = record.params["axis"], record.params["keepdims"]
        settings = {} if len(axis) == _type(record).ndim > 0 else {"axis": _axis(axis)}
        return call(name, *args, **settings, **({"keepdims": "True"} if keepdims else {}))

    return write


def _sum_to(args: list[Expression], record: Record) -> Expression:
    shape, given = record.params["shape"], _type(record).shape
    lead = len(given) - len(shape)
    kept = tuple(lead + n for n, length in enumerate(shape) if length == 1 and given[lead + n] != 1)
    if not shape:
        return call("np.sum", *args)
    if not kept:
        return call("np.sum", *args, axis=_axis(tuple(range(lead))))
    if not lead:
        return call("np.sum", *args, axis=_axis(kept), keepdims="True")
    summed = call("np.sum", *args, axis=repr((*range(lead), *kept)))
    return method(summed, "reshape", _shape(shape))


def _reshape(args: list[Expression], record: Record) -> Expression:
    shape = record.params["shape"]
    if not _type(record).shape:
        return call("np.reshape", *args, _shape(shape))
    return (
        method(args[0], "ravel")
        if len(shape) == 1
        else method(args[0], "reshape", *(map(str, shape) if shape else ["()"]))
    )


def _transpose(args: list[Expression], record: Record) -> Expression:
    axes = record.params["axes"]
    if axes == tuple(reversed(range(len(axes)))):
        return Expression(f"{args[0].within(9)}.T")
    return method(args[0], "transpose", *map(str, axes))


def _tensordot(args: list[Expression], record: Record) -> Expression:
    return call("np.tensordot", *args, axes=repr(record.params["axes"]))


def _fourier(name: str) -> Spelling:
    def write(args: list[Expression], record: Record) -> Expression:
        params, kind = record.params, _type(record)
        settings = {}
        if params["n"] != kind.shape[params["axis"]] or name == "irfft":
            settings["n"] = str(params["n"])
        if params["axis"] != kind.ndim - 1:
            settings["axis"] = str(params["axis"])
        if params["norm"] not in (None, "backward"):
            settings["norm"] = repr(params["norm"])
        return call(f"np.fft.{name}", *args, **settings)

    return write


def _gather(args: list[Expression], record: Record) -> Expression:
    return item(args[0], filled(record.params["template"], args[1:]))


def filled(template: tuple[Any, ...], arrays: Sequence[Expression], separate: Any = constants.index) -> str:
    """Write an index some of whose parts are computed."""
    from funcdiff.primitives.indexing import HOLE

    given = iter(arrays)
    return ", ".join(next(given).text if i is HOLE else separate(i) for i in template)


def path(x: Expression, lenses: Any) -> Expression:
    """Write what a path of views shows of an array."""
    for lens, params in lenses:
        if "index" in params:
            x = item(x, constants.index(params["index"]))
        elif "axes" in params:
            x = method(x, "transpose", *map(str, params["axes"]))
        else:
            x = method(x, "reshape", *(map(str, params["shape"]) if params["shape"] else ["()"]))
        del lens
    return x


def _sinc(args: list[Expression], record: Record) -> Expression | None:
    return call("np.sinc", *args) if record.params["order"] == 0 else None


def _product(args: list[Expression], record: Record) -> Expression:
    return Expression(f"{constants.sparse(record.params['matrix'])} @ {args[0].within(7)}", 6)


def _argument(name: str) -> Spelling:
    def write(args: list[Expression], record: Record) -> Expression:
        keep = {"keepdims": "True"} if record.params["keepdims"] else {}
        return call(name, *args, axis=str(record.params["axis"]), **keep)

    return write


_SPELLINGS: dict[str, Spelling] = {
    "sum": _reduction("np.sum"),
    "prod": _reduction("np.prod"),
    "max": _reduction("np.max"),
    "min": _reduction("np.min"),
    "all": _reduction("np.all"),
    "any": _reduction("np.any"),
    "count_nonzero": _reduction("np.count_nonzero"),
    "argmax": _argument("np.argmax"),
    "argmin": _argument("np.argmin"),
    "sum_to": _sum_to,
    "reshape": _reshape,
    "transpose": _transpose,
    "getitem": lambda args, record: item(args[0], constants.index(record.params["index"])),
    "gather": _gather,
    "view": lambda args, record: path(args[0], record.params["path"]),
    "cumsum": _renamed("np.cumsum"),
    "cumprod": _renamed("np.cumprod"),
    "real": _renamed("np.real"),
    "imag": _renamed("np.imag"),
    "conj": _renamed("np.conj"),
    "copy": lambda args, record: call("np.copy", *args),
    "broadcast_to": lambda args, record: call("np.broadcast_to", *args, _shape(record.params["shape"])),
    "stop_gradient": lambda args, record: args[0],
    "square": lambda args, record: operation("power", [*args, Expression("2")]),
    "absolute": _renamed("np.abs"),
    "modulus": _renamed("np.abs"),
    "unit": _renamed("np.sign"),
    "sinc": _sinc,
    "tensordot": _tensordot,
    "fft": _fourier("fft"),
    "ifft": _fourier("ifft"),
    "rfft": _fourier("rfft"),
    "irfft": _fourier("irfft"),
    "eig": _renamed("np.linalg.eig"),
    "matrix_rank": _renamed("np.linalg.matrix_rank"),
    "sparse_product": _product,
}
