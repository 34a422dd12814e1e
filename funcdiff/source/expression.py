"""Pieces of Python expressions, with how strongly they bind."""

from __future__ import annotations

from typing import NamedTuple

# Python's operators, loosest first
COMPARE, OR, XOR, AND, SHIFT, SUM, PRODUCT, SIGN, POWER, ATOM = range(10)

_OPERATORS = {
    "less": ("<", COMPARE),
    "less_equal": ("<=", COMPARE),
    "greater": (">", COMPARE),
    "greater_equal": (">=", COMPARE),
    "equal": ("==", COMPARE),
    "not_equal": ("!=", COMPARE),
    "bitwise_or": ("|", OR),
    "bitwise_xor": ("^", XOR),
    "bitwise_and": ("&", AND),
    "left_shift": ("<<", SHIFT),
    "right_shift": (">>", SHIFT),
    "add": ("+", SUM),
    "subtract": ("-", SUM),
    "multiply": ("*", PRODUCT),
    "divide": ("/", PRODUCT),
    "floor_divide": ("//", PRODUCT),
    "remainder": ("%", PRODUCT),
    "matmul": ("@", PRODUCT),
    "power": ("**", POWER),
}
_SIGNS = {"negative": "-", "positive": "+", "invert": "~"}


class Expression(NamedTuple):
    """Source text of a value."""

    text: str
    strength: int = ATOM

    def within(self, strength: int) -> str:
        """Return the text as an operand of something that binds this strongly."""
        return self.text if self.strength >= strength else f"({self.text})"


def call(function: str, *args: Expression | str, **settings: str) -> Expression:
    """Write a function call."""
    given = [a if isinstance(a, str) else a.text for a in args]
    return Expression(f"{function}({', '.join([*given, *(f'{k}={v}' for k, v in settings.items())])})")


def method(x: Expression, name: str, *args: str) -> Expression:
    """Write a method call."""
    return Expression(f"{x.within(ATOM)}.{name}({', '.join(args)})")


def item(x: Expression, index: str) -> Expression:
    """Write an index."""
    return Expression(f"{x.within(ATOM)}[{index}]")


def operation(name: str, args: list[Expression]) -> Expression | None:
    """Write an operator, grouped as it was computed; None for a function that has none."""
    if name in _SIGNS and len(args) == 1:
        return Expression(_SIGNS[name] + args[0].within(SIGN), SIGN)
    if name not in _OPERATORS or len(args) != 2:
        return None
    symbol, strength = _OPERATORS[name]
    left, right = args
    if strength == POWER:
        return Expression(f"{left.within(ATOM)} ** {right.within(SIGN)}", POWER)
    # comparisons chain in Python, so neither side may be one
    first = left.within(strength + 1 if strength == COMPARE else strength)
    return Expression(f"{first} {symbol} {right.within(strength + 1)}", strength)
