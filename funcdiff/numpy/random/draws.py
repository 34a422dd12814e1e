"""A draw of random numbers as an operation: who calls NumPy, with which shape, and where it may not be called.

A draw has a value for each example of the calls of `vmap` around it.  Whether its parameters are mapped does not
matter for that: each such call adds a witness to the operands, which is mapped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from funcdiff import errors
from funcdiff.core.declare import locally_constant
from funcdiff.core.recording import Recorder, TracedArray, box
from funcdiff.core.surroundings import SURROUNDINGS
from funcdiff.primitives.shape import reshape, stack

Sampler = Callable[..., Any]
"""Draws numbers, given parameters and ``size=``."""


def _elements(*values: Any, sample: Sampler, count: int, shape: tuple[int, ...]) -> Any:
    return np.asarray(sample(*values[:count], size=shape))[()]


def _batch_elements(
    values: Sequence[Any], flags: Sequence[bool], size: int, *, sample: Sampler, count: int, shape: Any
) -> Any:
    parameters = [
        reshape(p, shape=(size, *(1,) * (len(shape) + 1 - len(p.shape)), *p.shape[1:])) if f else p
        for p, f in zip(values[:count], flags[:count], strict=True)
    ]
    witnesses = [v for v, f in zip(values[count:], flags[count:], strict=True) if not f]
    return draw_elements(*parameters, *witnesses, sample=sample, count=count, shape=(size, *shape))


draw_elements = locally_constant(
    _elements,
    name="random_elements",
    batch=_batch_elements,
    doc="Numbers drawn independently, with parameters that broadcast to their shape.",
)


def _whole(*values: Any, sample: Sampler, count: int) -> Any:
    return np.asarray(sample(*values[:count]))[()]


def _batch_whole(
    values: Sequence[Any], flags: Sequence[bool], size: int, *, sample: Sampler, count: int
) -> Any:
    parts = []
    for n in range(size):
        parameters = [v[n] if f else v for v, f in zip(values[:count], flags[:count], strict=True)]
        witnesses = [v for v, f in zip(values[count:], flags[count:], strict=True) if not f]
        parts.append(draw_whole(*parameters, *witnesses, sample=sample, count=count))
    return stack(*[np.asarray(p) if not hasattr(p, "shape") else p for p in parts], axis=0)


draw_whole = locally_constant(
    _whole,
    name="random_whole",
    batch=_batch_whole,
    doc="Numbers drawn together, one example after the other.",
)


class Place:
    """Where a generator was made: calls of `vmap` and `trace` entered since then ask for draws of their own."""

    def __init__(self, made_in: tuple[Recorder, ...]) -> None:
        self.made_in = made_in

    def entered(self) -> list[Recorder]:
        """Return the calls of `vmap` and `trace` around the present line that were not around the generator."""
        surroundings = SURROUNDINGS.get()
        return [r for r in surroundings if r not in self.made_in] if surroundings else []

    def noise(self, name: str, sample: Sampler, check: Sampler, parameters: Sequence[Any], size: Any) -> Any:
        """Draw numbers that do not depend on the parameters; NumPy checks these by a draw of nothing."""
        shape = _shape(parameters, size)

        def nothing(*values: Any, size: tuple[int, ...]) -> Any:
            check(*values, size=(0, *size))
            return np.zeros(size)

        draw_elements(*parameters, sample=nothing, count=len(parameters), shape=shape)
        return draw_elements(*self._witnesses(name), sample=sample, count=0, shape=shape)

    def values(self, name: str, sample: Sampler, parameters: Sequence[Any], size: Any) -> Any:
        """Draw independent numbers whose values depend on the parameters."""
        self._need_generator_for_each_example(name, parameters)
        return draw_elements(
            *parameters,
            *self._witnesses(name),
            sample=sample,
            count=len(parameters),
            shape=_shape(parameters, size),
        )

    def whole(self, name: str, sample: Sampler, parameters: Sequence[Any] = ()) -> Any:
        """Draw numbers that belong together."""
        self._need_generator_for_each_example(name, parameters)
        return draw_whole(*parameters, *self._witnesses(name), sample=sample, count=len(parameters))

    def _witnesses(self, name: str) -> list[Any]:
        entered = self.entered()
        if any(r.program for r in entered):
            raise refused_in_program(name)
        return [box(np.zeros(r.length), r, True) for r in entered]  # type: ignore[attr-defined]

    def _need_generator_for_each_example(self, name: str, parameters: Sequence[Any]) -> None:
        """Refuse parameters on which depends how many numbers the generator uses up."""
        if any(r.program for r in SURROUNDINGS.get()):
            raise refused_in_program(name)
        if any(r.batch and _is_mapped_by(p, r) for r in self.made_in for p in parameters):
            raise errors.UnsupportedError(
                errors.at_user_line(
                    f"{name} of a mapped parameter needs a generator for each example, and this one is made inside the "
                    "function that vmap maps. Make it outside."
                )
            )


def _shape(parameters: Sequence[Any], size: Any) -> tuple[int, ...]:
    if size is None:
        return np.broadcast_shapes(*[p.shape for p in parameters])
    return tuple(size) if isinstance(size, (tuple, list)) else (int(size),)


def _is_mapped_by(x: Any, recorder: Recorder) -> bool:
    while type(x) is TracedArray:
        if x.recorder is recorder:
            return bool(x.place)
        x = x.value
    return False


def refused_in_program(name: str) -> errors.UnsupportedError:
    """Say what to write instead of a draw in what `jit` or `trace` records."""
    return errors.UnsupportedError(
        errors.at_user_line(
            f"{name} inside a function that jit or trace records would be drawn once, and be the same number in every "
            "later run. Draw outside and pass the numbers as an argument: f(theta, rng.standard_normal(n)), with "
            "mu + sigma * z inside."
        )
    )


def no_path(name: str) -> errors.UnsupportedError:
    """Say what to write instead of the derivative of a discrete draw."""
    return errors.UnsupportedError(
        errors.at_user_line(
            f"numpy.random's {name} draws from a set of values that does not move with its parameters, only their "
            "probabilities do: it has no pathwise derivative. For the derivative of a mean of f(k), use the score "
            "function: draw k with fd.stop_gradient(p) for the parameter p, and differentiate f(k) + fd.stop_gradient(f(k)) "
            "* (log_p - fd.stop_gradient(log_p)), where log_p is the log-probability of k given p."
        )
    )
