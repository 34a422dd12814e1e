"""Recurrent cells and layers."""

# ruff: noqa: D102  (an overridden method does what the class says)

from __future__ import annotations

import math
import warnings
from typing import Any

from funcdiff.compat.torch._errors import unsupported
from funcdiff.compat.torch.nn import functional as F
from funcdiff.compat.torch.nn import init
from funcdiff.compat.torch.nn.module import Module
from funcdiff.compat.torch.nn.parameter import Parameter
from funcdiff.compat.torch.ops import functions
from funcdiff.compat.torch.ops.creation import empty, zeros
from funcdiff.compat.torch.ops.joining import cat, stack


def _lstm(x: Any, state: Any, w: Any, u: Any, b: Any, c: Any) -> Any:
    h, cell = state
    gates = F.linear(x, w, b) + F.linear(h, u, c)
    i, f, g, o = gates.chunk(4, -1)
    cell = functions.sigmoid(f) * cell + functions.sigmoid(i) * functions.tanh(g)
    return functions.sigmoid(o) * functions.tanh(cell), cell


def _gru(x: Any, h: Any, w: Any, u: Any, b: Any, c: Any) -> Any:
    r, z, n = F.linear(x, w, b).chunk(3, -1)
    hr, hz, hn = F.linear(h, u, c).chunk(3, -1)
    reset, update = functions.sigmoid(r + hr), functions.sigmoid(z + hz)
    new = functions.tanh(n + reset * hn)
    return (1 - update) * new + update * h


def _simple(x: Any, h: Any, w: Any, u: Any, b: Any, c: Any, *, nonlinearity: str = "tanh") -> Any:
    activate = functions.tanh if nonlinearity == "tanh" else functions.relu
    return activate(F.linear(x, w, b) + F.linear(h, u, c))


class _Cell(Module):
    """One step of a recurrence."""

    gates: int

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__()
        made = {"device": device, "dtype": dtype}
        self.input_size, self.hidden_size = input_size, hidden_size
        rows = self.gates * hidden_size
        self.weight_ih = Parameter(empty(rows, input_size, **made))
        self.weight_hh = Parameter(empty(rows, hidden_size, **made))
        self.register_parameter("bias_ih", Parameter(empty(rows, **made)) if bias else None)
        self.register_parameter("bias_hh", Parameter(empty(rows, **made)) if bias else None)
        _draw(self)

    def weights(self) -> tuple[Any, ...]:
        """Return the parameters in the order of the recurrence's formula."""
        return self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}"


def _draw(module: Any) -> None:
    bound = 1 / math.sqrt(module.hidden_size) if module.hidden_size else 0
    for p in module.parameters():
        init.uniform_(p, -bound, bound)


def _start(input: Any, size: int) -> Any:
    return zeros(*input.shape[:-1], size, dtype=input.dtype)


class LSTMCell(_Cell):
    """One step of a long short-term memory."""

    gates = 4

    def forward(self, input: Any, hx: Any = None) -> Any:
        if hx is None:
            hx = (_start(input, self.hidden_size), _start(input, self.hidden_size))
        return _lstm(input, hx, *self.weights())


class GRUCell(_Cell):
    """One step of a gated recurrent unit."""

    gates = 3

    def forward(self, input: Any, hx: Any = None) -> Any:
        return _gru(input, _start(input, self.hidden_size) if hx is None else hx, *self.weights())


class RNNCell(_Cell):
    """One step of a plain recurrence."""

    gates = 1

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Any, hx: Any = None) -> Any:
        h = _start(input, self.hidden_size) if hx is None else hx
        return _simple(input, h, *self.weights(), nonlinearity=self.nonlinearity)


class _Recurrent(Module):
    """Layers of a recurrence over the steps of sequences."""

    gates: int

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        **settings: Any,
    ) -> None:
        super().__init__()
        made = {k: settings.pop(k, None) for k in ("device", "dtype")}
        if settings.pop("proj_size", 0):
            raise unsupported("nn.LSTM with proj_size", "Put an nn.Linear after it.")
        unknown = set(settings) - ({"nonlinearity"} if type(self).__name__ == "RNN" else set())
        if unknown:
            raise TypeError(
                f"{type(self).__name__}.__init__() got an unexpected keyword argument {min(unknown)!r}"
            )
        if dropout and num_layers == 1:
            warnings.warn(
                "dropout option adds dropout after all but last recurrent layer, so non-zero dropout expects num_layers greater than "
                f"1, but got dropout={dropout} and num_layers={num_layers}",
                UserWarning,
                stacklevel=3,
            )
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.bias, self.batch_first, self.dropout, self.bidirectional = (
            bias,
            batch_first,
            dropout,
            bidirectional,
        )
        self.settings = settings
        self.directions = 2 if bidirectional else 1
        for layer in range(num_layers):
            for suffix in ("", "_reverse")[: self.directions]:
                width = input_size if layer == 0 else hidden_size * self.directions
                rows = self.gates * hidden_size
                self.register_parameter(f"weight_ih_l{layer}{suffix}", Parameter(empty(rows, width, **made)))
                self.register_parameter(
                    f"weight_hh_l{layer}{suffix}", Parameter(empty(rows, hidden_size, **made))
                )
                if bias:
                    self.register_parameter(f"bias_ih_l{layer}{suffix}", Parameter(empty(rows, **made)))
                    self.register_parameter(f"bias_hh_l{layer}{suffix}", Parameter(empty(rows, **made)))
        _draw(self)

    def _weights(self, layer: int, suffix: str) -> tuple[Any, ...]:
        names = ["weight_ih", "weight_hh", "bias_ih", "bias_hh"]
        return tuple(self._parameters.get(f"{n}_l{layer}{suffix}") for n in names)

    def _step(self, x: Any, state: Any, weights: Any) -> Any:
        raise NotImplementedError

    def _first(self, state: Any) -> Any:
        return state

    def _layer(self, steps: Any, state: Any, weights: Any) -> tuple[list[Any], Any]:
        outs = []
        for x in steps:
            state = self._step(x, state, weights)
            outs.append(self._first(state))
        return outs, state

    def _run(self, input: Any, starts: Any) -> tuple[Any, list[Any]]:
        if input.size(-1) != self.input_size:
            raise RuntimeError(
                f"input.size(-1) must be equal to input_size. Expected {self.input_size}, got {input.size(-1)}"
            )
        steps = list(input.unbind(1 if self.batch_first and input.ndim == 3 else 0))
        finals = []
        for layer in range(self.num_layers):
            found = []
            for d, suffix in enumerate(("", "_reverse")[: self.directions]):
                ordered = steps[::-1] if d else steps
                outs, state = self._layer(
                    ordered, starts[layer * self.directions + d], self._weights(layer, suffix)
                )
                found.append(outs[::-1] if d else outs)
                finals.append(state)
            steps = found[0] if len(found) == 1 else [cat(pair, -1) for pair in zip(*found, strict=True)]
            if self.dropout and layer + 1 < self.num_layers:
                steps = [F.dropout(s, self.dropout, self.training) for s in steps]
        return stack(steps, 1 if self.batch_first and input.ndim == 3 else 0), finals

    def _zeros(self, input: Any) -> Any:
        batch = () if input.ndim == 2 else (input.size(0 if self.batch_first else 1),)
        return zeros(self.num_layers * self.directions, *batch, self.hidden_size, dtype=input.dtype)

    def extra_repr(self) -> str:
        words = [f"{self.input_size}, {self.hidden_size}"]
        if self.num_layers != 1:
            words.append(f"num_layers={self.num_layers}")
        if not self.bias:
            words.append("bias=False")
        if self.batch_first:
            words.append("batch_first=True")
        if self.dropout:
            words.append(f"dropout={self.dropout}")
        if self.bidirectional:
            words.append("bidirectional=True")
        return ", ".join(words)


class GRU(_Recurrent):
    """Layers of gated recurrent units."""

    gates = 3

    def _step(self, x: Any, state: Any, weights: Any) -> Any:
        return _gru(x, state, *weights)

    def forward(self, input: Any, hx: Any = None) -> Any:
        out, finals = self._run(input, (self._zeros(input) if hx is None else hx).unbind(0))
        return out, stack(finals)


class RNN(_Recurrent):
    """Layers of plain recurrences."""

    gates = 1

    def _step(self, x: Any, state: Any, weights: Any) -> Any:
        return _simple(x, state, *weights, nonlinearity=self.settings.get("nonlinearity", "tanh"))

    def forward(self, input: Any, hx: Any = None) -> Any:
        out, finals = self._run(input, (self._zeros(input) if hx is None else hx).unbind(0))
        return out, stack(finals)


class LSTM(_Recurrent):
    """Layers of long short-term memories."""

    gates = 4

    def _step(self, x: Any, state: Any, weights: Any) -> Any:
        return _lstm(x, state, *weights)

    def _first(self, state: Any) -> Any:
        return state[0]

    def forward(self, input: Any, hx: Any = None) -> Any:
        h, c = (self._zeros(input), self._zeros(input)) if hx is None else hx
        out, finals = self._run(input, list(zip(h.unbind(0), c.unbind(0), strict=True)))
        return out, (stack([s[0] for s in finals]), stack([s[1] for s in finals]))
