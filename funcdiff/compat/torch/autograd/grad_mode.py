"""Switching recording on and off, as context managers and decorators."""

from __future__ import annotations

import functools
import inspect
from typing import Any

from funcdiff.compat.torch._state import ANOMALY, EVER, STATE


def on() -> int:
    """Return the state of recording that "on" means: with or without where nodes are made."""
    return ANOMALY if STATE.anomaly else True


class _Mode:
    """A state of recording that holds inside a ``with`` block, or inside a decorated function."""

    def _enter(self) -> Any:
        raise NotImplementedError

    def _leave(self, before: Any) -> None:
        STATE.recording, STATE.inference = before

    def _again(self) -> Any:
        """Return a manager of the same mode, for each call of a decorated function."""
        return type(self)()

    def __enter__(self) -> None:
        self._before = (*self.__dict__.get("_before", ()), self._enter())

    def __exit__(self, *_: object) -> None:
        *rest, last = self._before
        self._before = tuple(rest)
        self._leave(last)

    def __call__(self, function: Any) -> Any:
        if inspect.isclass(function):
            setattr(function, "__init__", self(function.__init__))  # noqa: B010  (a method, to the type checker)
            return function
        if inspect.isgeneratorfunction(function):

            @functools.wraps(function)
            def generate(*args: Any, **kwargs: Any) -> Any:
                with self._again():
                    running = function(*args, **kwargs)
                sent: Any = None
                while True:
                    try:
                        with self._again():
                            found = running.send(sent)
                    except StopIteration as stop:
                        return stop.value
                    sent = yield found

            return generate

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            with self._again():
                return function(*args, **kwargs)

        return call


def _swap(recording: int, inference: bool) -> tuple[int, bool]:
    before = STATE.recording, STATE.inference
    STATE.recording, STATE.inference = recording, inference
    EVER.inference = EVER.inference or inference
    return before


class no_grad(_Mode):
    """Nothing is recorded."""

    def __new__(cls, function: Any = None) -> Any:  # noqa: D102
        manager = super().__new__(cls)
        return manager if function is None else manager(function)

    def __init__(self, function: Any = None) -> None: ...

    def _enter(self) -> Any:
        return _swap(False, STATE.inference)


class enable_grad(_Mode):
    """Operations are recorded."""

    def __new__(cls, function: Any = None) -> Any:  # noqa: D102
        manager = super().__new__(cls)
        return manager if function is None else manager(function)

    def __init__(self, function: Any = None) -> None: ...

    def _enter(self) -> Any:
        return _swap(on(), STATE.inference)


class set_grad_enabled(_Mode):
    """Operations are recorded, or not; holds at once, also without ``with``."""

    def __init__(self, mode: bool) -> None:
        self.mode = mode
        self.previous = _swap(on() if mode else False, STATE.inference)

    def __repr__(self) -> str:
        return f"torch.autograd.grad_mode.set_grad_enabled(mode={self.mode})"

    def _again(self) -> Any:
        return type(self)(self.mode)

    def __call__(self, function: Any) -> Any:
        """Decorate a function, for which alone the mode holds then."""
        self._leave(self.previous)
        return super().__call__(function)

    def _enter(self) -> Any:
        STATE.recording = on() if self.mode else False
        return self.previous


class inference_mode(_Mode):
    """Nothing is recorded, and the tensors made can never take part in a graph."""

    def __new__(cls, mode: Any = True) -> Any:  # noqa: D102
        manager = super().__new__(cls)
        if callable(mode):
            manager.mode = True
            return manager(mode)
        return manager

    def __init__(self, mode: Any = True) -> None:
        self.mode = mode

    def _again(self) -> Any:
        return type(self)(self.mode)

    def _enter(self) -> Any:
        return _swap(False if self.mode else on(), bool(self.mode))


def is_grad_enabled() -> bool:
    """Tell whether operations are recorded."""
    return bool(STATE.recording)


def is_inference_mode_enabled() -> bool:
    """Tell whether inference mode is on."""
    return STATE.inference
