"""Running one program with funcdiff.compat.torch and with PyTorch, and what is printed."""

from __future__ import annotations

import builtins
import contextlib
import io
import re
import sys
import warnings

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
        if issubclass(w.category, UserWarning):
            print(
                f"{w.category.__name__}: {str(w.message).partition(' (Triggered internally')[0]}", file=said
            )
    text = re.sub(r"0x[0-9a-f]+", "0x", said.getvalue())
    return "\n".join(line.rstrip() for line in text.splitlines())


NUMBER = re.compile(r"-?\d+\.\d*(?:e[+-]\d+)?")


def close_text(a, b, rtol=2e-4):
    """Whether two printed texts agree but for the last digits of numbers."""
    if a == b:
        return True
    if re.sub(r"\s+", " ", NUMBER.sub("#", a)) != re.sub(r"\s+", " ", NUMBER.sub("#", b)):
        return False
    pairs = zip(map(float, NUMBER.findall(a)), map(float, NUMBER.findall(b)), strict=True)
    return all(abs(x - y) <= rtol * max(abs(x), abs(y)) + 1.001e-4 for x, y in pairs)
