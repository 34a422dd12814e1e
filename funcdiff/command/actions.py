"""What the commands do."""

from __future__ import annotations

import argparse
import inspect
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import funcdiff as fd
from funcdiff.command.inputs import InputError, load_function, read_arguments


def run(options: argparse.Namespace, program: str) -> int:
    """Carry out a command and return its exit code."""
    try:
        f = load_function(options.function)
        args = read_arguments(options.args)
        _check_call(f, args, options.function)
    except InputError as error:
        print(f"{program} {options.command}: error: {error}", file=sys.stderr)
        return 2
    except Exception:  # noqa: BLE001  # the user's module may raise anything
        traceback.print_exc()
        print(
            f"{program} {options.command}: error: {options.function} could not be imported", file=sys.stderr
        )
        return 1
    try:
        return COMMANDS[options.command](f, args, options)
    except fd.errors.FuncdiffError as error:
        print(f"{program} {options.command}: error: {error}", file=sys.stderr)
        return 1


def _check_call(f: Callable[..., Any], args: tuple[Any, ...], name: str) -> None:
    """Refuse arguments that do not fit the function's parameters."""
    try:
        inspect.signature(f).bind(*args)
    except ValueError:  # it has no signature to compare with
        return
    except TypeError as error:
        given = "no arguments" if not args else f"{len(args)} argument{'s' if len(args) > 1 else ''}"
        raise InputError(f"{name} cannot be called with {given}: {error}; give them by --args") from None


def _check(f: Callable[..., Any], args: tuple[Any, ...], options: argparse.Namespace) -> int:
    if options.order < 1:
        print(f"error: --order must be at least 1, but is {options.order}", file=sys.stderr)
        return 2
    try:
        fd.testing.check_grads(f, args, order=options.order, progress=options.progress)
    except AssertionError as error:
        print(f"✗ {error}")
        return 1
    orders = "order 1" if options.order == 1 else f"orders 1 to {options.order}"
    print(f"✓ derivatives of {orders}, forward and reverse, agree with central differences")
    return 0


def _traced(f: Callable[..., Any], args: tuple[Any, ...], of: str) -> fd.Tape:
    numbers = 0 if len(args) == 1 else tuple(range(len(args)))
    if of == "grad":
        f = fd.grad(f, numbers)
    elif of == "jacobian":
        f = fd.jacobian(f, numbers)
    elif of == "hessian":
        f = fd.hessian(f, numbers)
    return fd.trace(f)(*args)


def _tape(f: Callable[..., Any], args: tuple[Any, ...], options: argparse.Namespace) -> int:
    tape = _traced(f, args, options.of)
    print(tape)
    print(f"\n{tape.stats()}")
    return 0


def _source(f: Callable[..., Any], args: tuple[Any, ...], options: argparse.Namespace) -> int:
    tape = _traced(f, args, options.of)
    print(tape.to_source(options.name, plain_products=options.plain_products), end="")
    return 0


def _draw(f: Callable[..., Any], args: tuple[Any, ...], options: argparse.Namespace) -> int:
    tape = _traced(f, args, options.of)
    at = args if options.values or options.steps else None
    tape.draw(
        options.output,
        at=at,
        derivatives=options.derivatives,
        steps=options.steps,
        direction=options.direction,
    )
    print(f"{options.output}: {len(tape)} steps")
    return 0


def _profile(f: Callable[..., Any], args: tuple[Any, ...], options: argparse.Namespace) -> int:
    numbers = 0 if len(args) == 1 else tuple(range(len(args)))
    gradient = fd.value_and_grad(f, numbers)
    gradient(*args)  # what is made on first use is not what is looked for
    with fd.profiler.profile() as profile:
        for _ in range(options.repeat):
            gradient(*args)
    averages = profile.key_averages(options.group_by)
    print(averages.table(sort_by=options.sort_by))
    if options.flame:
        Path(options.flame).write_text(profile.flame(), encoding="utf-8")
        print(f"{options.flame}: flame picture")
    if options.trace:
        profile.export_chrome_trace(options.trace)
        print(f"{options.trace}: {len(profile.events)} operations")
    return 0


def _jacobian(f: Callable[..., Any], args: tuple[Any, ...], options: argparse.Namespace) -> int:
    numbers = 0 if len(args) == 1 else tuple(range(len(args)))
    found = fd.jacobian(f, numbers, mode=options.mode)(*args)
    if options.output:
        if not isinstance(found, (np.ndarray, np.generic)):
            print("error: --output holds one array, and the Jacobian has several parts", file=sys.stderr)
            return 2
        np.save(options.output, found)
        print(f"{options.output}: {np.shape(found)}")
        return 0
    with np.printoptions(precision=8, suppress=True, threshold=1000, linewidth=100):
        if len(args) == 1:
            print(found)
        else:
            for n, part in enumerate(found):
                print(f"with respect to argument {n}:")
                print(part)
    return 0


COMMANDS = {
    "check": _check,
    "tape": _tape,
    "source": _source,
    "draw": _draw,
    "profile": _profile,
    "jacobian": _jacobian,
}
