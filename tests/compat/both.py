"""Running one program with funcdiff.compat.torch and with PyTorch, and what is printed."""

from __future__ import annotations

import builtins
import contextlib
import functools
import hashlib
import io
import json
import os
import pathlib
import re
import sys
import warnings

import pytest

import funcdiff.compat.torch as ours


def real_torch():
    """PyTorch, or None."""
    try:
        import torch
    except ImportError:
        return None
    return torch


def importing(torch):
    """`__import__` for programs that say ``import torch``."""

    def find(name, globals=None, locals=None, fromlist=(), level=0):
        if torch is not ours or name.partition(".")[0] != "torch":
            return builtins.__import__(name, globals, locals, fromlist, level)
        full = "funcdiff.compat." + name
        builtins.__import__(full)
        return sys.modules[full] if fromlist else ours

    return find


def run(program, torch):
    """Everything a program prints, each expression statement's value too, warnings and the final error."""
    import ast

    tree = ast.parse(program)
    for n, node in enumerate(tree.body):
        if isinstance(node, ast.Expr):
            shown = ast.Expr(ast.Call(ast.Name("_show", ast.Load()), [node.value], []))
            tree.body[n] = ast.fix_missing_locations(ast.copy_location(shown, node))
    said = io.StringIO()

    def show(value):
        if value is not None:
            print(repr(value))

    space = {
        "torch": torch,
        "_show": show,
        "__builtins__": {**vars(builtins), "__import__": importing(torch)},
    }
    with contextlib.redirect_stdout(said), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            exec(compile(tree, "<program>", "exec"), space)
        except Exception as error:  # noqa: BLE001  (whatever the program raises is what is compared)
            print(f"{type(error).__name__}: {error}")
    for w in caught:
        of_pytorchs_own = str(w.message).startswith(
            ("Attempted to insert a get_attr", "There is a performance drop", "Using a non-tuple sequence")
        )
        if issubclass(w.category, UserWarning) and not of_pytorchs_own:
            print(
                f"{w.category.__name__}: {str(w.message).partition(' (Triggered internally')[0]}", file=said
            )
    text = re.sub(r"0x[0-9a-f]+", "0x", said.getvalue())
    text = re.sub(r'  File "(?!<program>)[^\n]*\n(?:    [^\n]*\n)*', "", text)  # who called the program
    return "\n".join(line.rstrip() for line in text.splitlines())


NUMBER = re.compile(r"-?\d+\.\d*(?:e[+-]\d+)?")


def close_text(a, b, rtol=2e-4):
    """Whether two printed texts agree but for the last digits of numbers."""
    if a == b:
        return True
    if not rtol:
        return False
    if re.sub(r"\s+", " ", NUMBER.sub("#", a)) != re.sub(r"\s+", " ", NUMBER.sub("#", b)):
        return False
    pairs = zip(map(float, NUMBER.findall(a)), map(float, NUMBER.findall(b)), strict=True)
    return all(abs(x - y) <= rtol * max(abs(x), abs(y)) + 1.001e-4 for x, y in pairs)


# --- what PyTorch prints, live or written down -----------------------------------------------------------

WRITTEN_DOWN = pathlib.Path(__file__).parent / "written_down.json"


@functools.cache
def written_down():
    """What PyTorch has printed, by program; for where it is not installed."""
    return json.loads(WRITTEN_DOWN.read_text()) if WRITTEN_DOWN.exists() else {}


def key(program):
    return hashlib.sha256(program.encode()).hexdigest()[:20]


def by_pytorch(program):
    """What PyTorch prints, as it is installed here or as it was written down; FUNCDIFF_WRITE_DOWN=1 writes it."""
    torch = real_torch()
    known = written_down().get(key(program))
    if torch is None:
        if known is None:
            pytest.skip("needs PyTorch")
        return known
    said = run(program, torch)
    if os.environ.get("FUNCDIFF_WRITE_DOWN"):
        written_down()[key(program)] = said
        WRITTEN_DOWN.write_text(json.dumps(written_down(), indent=0, sort_keys=True) + "\n")
    elif known is not None and torch.__version__.startswith("2.13"):
        assert close_text(known, said, rtol=2e-3), f"written down:\n{known}\n--- PyTorch:\n{said}"
    return said


def agree(program, rtol=2e-4, mend=lambda said: said):
    """Assert that a program prints with the shim what it prints with PyTorch."""
    mine, theirs = mend(run(program, ours)), mend(by_pytorch(program))
    assert close_text(mine, theirs, rtol), f"\n{mine}\n\n--- PyTorch:\n{theirs}"
