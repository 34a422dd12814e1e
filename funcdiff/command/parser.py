"""The commands and their options."""

from __future__ import annotations

import argparse
from typing import Any

EXAMPLES = """\
examples:
  python -m funcdiff check numpy:sinh --args "[0.5, 1, 2]"
  python -m funcdiff tape model.py:loss --args weights.npy data.csv
  python -m funcdiff source model.py:loss --args 0.5 --of grad
  python -m funcdiff draw model.py:loss --args 2 1 --derivatives --output loss.svg
  python -m funcdiff profile model.py:loss --args weights.npz --group-by line
  python -m funcdiff jacobian package.module:f --args "[1, 2, 3]"

arguments:
  JSON (2.5, [1, 2], {"w": [1, 2]}), or a file: .npy, .npz (one argument for each of its arrays;
  data.npz:name for one of them), .csv (numbers, a header is left out), .json

exit codes:
  0 done, and checks hold · 1 a check failed, or the function raised · 2 wrong command line
"""
OF = ("value", "grad", "jacobian", "hessian")


def add_commands(commands: Any) -> None:
    """Describe the commands that take a function."""
    check = _command(commands, "check", "compare its derivatives with central differences, in both modes")
    check.add_argument("--order", type=int, default=2, metavar="N", help="up to this order (default: 2)")
    check.add_argument("--progress", action="store_true", help="show a progress bar")
    tape = _command(commands, "tape", "print the program that it runs, step by step")
    _of(tape)
    source = _command(commands, "source", "print NumPy source of what it computes")
    _of(source)
    source.add_argument("--name", help="name of the function in the source")
    source.add_argument(
        "--plain-products", action="store_true", help="write g * p for scale(g, p), which keeps zeros zero"
    )
    draw = _command(commands, "draw", "draw its computation graph")
    _of(draw)
    draw.add_argument(
        "--output",
        "-o",
        metavar="FILE",
        default="tape.svg",
        help=".svg, .png, .pdf or .gif (default: tape.svg)",
    )
    draw.add_argument("--values", action="store_true", help="write the values into the boxes")
    draw.add_argument("--derivatives", action="store_true", help="write local derivatives on the arrows")
    draw.add_argument("--steps", choices=("forward", "reverse"), help="show how derivatives accumulate")
    draw.add_argument(
        "--direction", choices=("down", "right"), default="down", help="where arrows lead (default: down)"
    )
    profile = _command(commands, "profile", "show where the time of its gradient goes")
    profile.add_argument(
        "--group-by",
        choices=("primitive", "line", "function"),
        default="primitive",
        help="(default: primitive)",
    )
    profile.add_argument(
        "--sort-by",
        default="self_time",
        metavar="COLUMN",
        help="self_time, total_time, calls, bytes, … (default: self_time)",
    )
    profile.add_argument("--repeat", type=int, default=10, metavar="N", help="run it so often (default: 10)")
    profile.add_argument("--flame", metavar="FILE", help="write a flame picture (.svg)")
    profile.add_argument("--trace", metavar="FILE", help="write a trace for chrome://tracing (.json)")
    jacobian = _command(commands, "jacobian", "print its Jacobian")
    jacobian.add_argument(
        "--mode", choices=("auto", "forward", "reverse"), default="auto", help="(default: auto)"
    )
    jacobian.add_argument("--output", "-o", metavar="FILE", help="write it as .npy instead")


def _command(commands: Any, name: str, does: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=f"{does} (of a function)",
        description=f"Take a function and {does}.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("function", metavar="module:function", help="or file.py:function")
    parser.add_argument(
        "--args",
        nargs="+",
        default=[],
        metavar="ARG",
        help="its arguments: JSON, or .npy, .npz, .csv, .json files",
    )
    return parser


def _of(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--of", choices=OF, default="value", help="what of it (default: value)")
