"""What the subscripts of `einsum` mean: both call forms, ellipses and implicit outputs, brought to one form."""

from __future__ import annotations

from string import ascii_letters
from typing import Any

from funcdiff import errors
from funcdiff.numpy._arguments import as_array


def _letter(label: Any) -> str:
    """Write a label of the operand-and-list form as subscripts do; NumPy sorts A…Z before a…z."""
    if label is Ellipsis:
        return "..."
    label = label.__index__()
    if not 0 <= label < 52:
        raise ValueError("subscript is not within the valid range [0, 52)")
    return chr(ord("A") + label) if label < 26 else chr(ord("a") + label - 26)


def split_operands(operands: tuple[Any, ...]) -> tuple[str, list[Any]]:
    """Bring both call forms of einsum to a string of subscripts and a list of arrays."""
    if not operands:
        raise ValueError("must specify the einstein sum subscripts string and at least one operand")
    if isinstance(operands[0], str):
        return operands[0].replace(" ", ""), [as_array(x) for x in operands[1:]]
    count = len(operands) // 2
    terms = ["".join(map(_letter, labels)) for labels in operands[1 : 2 * count : 2]]
    text = ",".join(terms)
    if len(operands) % 2:
        text += "->" + "".join(map(_letter, operands[-1]))
    return text, [as_array(x) for x in operands[: 2 * count : 2]]


def explicit_subscripts(text: str, ranks: list[int]) -> str:
    """Write subscripts out: letters for every axis an ellipsis stands for, and the output."""
    inputs, arrow, output = text.partition("->")
    terms = inputs.split(",")
    if len(terms) != len(ranks):
        raise ValueError(
            f"{'more' if len(terms) < len(ranks) else 'fewer'} operands provided to einstein sum function than "
            "specified in the subscripts string"
        )
    for c in text.replace("->", "").replace("...", "").replace(",", ""):
        if c not in ascii_letters:
            raise ValueError(
                f"invalid subscript {c!r} in einstein sum subscripts string, subscripts must be letters"
            )
    spare = [c for c in ascii_letters if c not in text]
    hidden = [
        rank - len(term.replace("...", "")) if "..." in term else 0
        for term, rank in zip(terms, ranks, strict=True)
    ]
    most = max(hidden, default=0)
    if most > len(spare):
        raise errors.UnsupportedError(errors.at_user_line("einsum needs more than the 52 letters there are"))
    for n, (term, rank) in enumerate(zip(terms, ranks, strict=True)):
        letters = len(term.replace("...", ""))
        if hidden[n] < 0 or ("..." not in term and letters != rank):
            few = letters < rank
            raise ValueError(
                "operand has more dimensions than subscripts given in einstein sum, but no '...' ellipsis provided "
                "to broadcast the extra dimensions."
                if few
                else f"einstein sum subscripts string contains too many subscripts for operand {n}"
            )
        terms[n] = term.replace("...", "".join(spare[most - hidden[n] : most]))
    ellipsis = "".join(spare[:most])
    if not arrow:
        named = inputs.replace("...", "").replace(",", "")
        output = ellipsis + "".join(sorted(c for c in set(named) if named.count(c) == 1))
    elif most and "..." not in output:
        raise ValueError(
            "output has more dimensions than subscripts given in einstein sum, but no '...' ellipsis provided to "
            "broadcast the extra dimensions."
        )
    else:
        output = output.replace("...", ellipsis)
    for c in output:
        if output.count(c) > 1:
            raise ValueError(f"einstein sum subscripts string includes output subscript {c!r} multiple times")
        if not any(c in term for term in terms):
            raise ValueError(
                f"einstein sum subscripts string included output subscript {c!r} which never appeared in an input"
            )
    return f"{','.join(terms)}->{output}"


__all__ = ["explicit_subscripts", "split_operands"]
