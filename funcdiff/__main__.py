"""The command line: ``python -m funcdiff demo``, and commands that take a function of the user's."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable, Sequence

from funcdiff.command.parser import add_commands

_EXAMPLES = """\
examples:
  python -m funcdiff demo
  python -m funcdiff demo --n 4 --seed 7
  python -m funcdiff demo --x 1,2,3 --y 4,5,6
  python -m funcdiff check numpy:sinh --args "[0.5, 1, 2]"
  python -m funcdiff source numpy:sinh --args 0.5 --of grad
  python -m funcdiff COMMAND --help
"""

_NUMBERS = re.compile(r"-[\d.,eE+\-\s]+")


def build_parser() -> argparse.ArgumentParser:
    """Describe the commands and their options."""
    parser = argparse.ArgumentParser(
        prog="python -m funcdiff",
        description="Exact derivatives of ordinary NumPy functions.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    demo = commands.add_parser(
        "demo",
        help="a Jacobian, its tape and a nested Hessian, checked and timed",
        description=(
            "Differentiate exp_adder(x, y) = 2 * np.exp(x) + 3 * y: its Jacobian, its tape, and the Hessian "
            "of a scalar function made of it, checked against SciPy's finite differences, each step timed."
        ),
        epilog=_EXAMPLES + "\nexit codes: 0 all checks hold, 1 a check failed, 2 wrong arguments",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    demo.add_argument("--x", metavar="1,2,3", type=_vector, help="the first input (default: random)")
    demo.add_argument("--y", metavar="4,5,6", type=_vector, help="the second input, as long as the first")
    demo.add_argument("--n", metavar="N", type=int, help="length of random inputs, 1 to 30 (default: 3)")
    demo.add_argument("--seed", metavar="S", type=int, default=0, help="of the random inputs (default: 0)")
    add_commands(commands)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code."""
    parser = build_parser()
    options = parser.parse_args(_keep_negative_vectors(sys.argv[1:] if arguments is None else arguments))
    if options.version:
        import funcdiff

        print(f"funcdiff {funcdiff.__version__}")
        return 0
    if options.command is None:
        parser.print_help(sys.stderr)
        return 2

    if options.command != "demo":
        from funcdiff.command.actions import run as run_command

        return _quietly(lambda: run_command(options, parser.prog))

    # Imported here: --help and wrong arguments should not wait for NumPy and SciPy.
    from funcdiff._demo import InputError, make_inputs, run

    try:
        inputs = make_inputs(options.x, options.y, n=options.n, seed=options.seed)
    except InputError as error:
        print(f"{parser.prog} demo: error: {error}", file=sys.stderr)
        return 2
    return _quietly(lambda: 0 if run(*inputs, stream=sys.stdout) else 1)


def _quietly(command: Callable[[], int]) -> int:
    """Run a command whose reader may stop reading, as ``| head`` does."""
    try:
        code = command()
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code


def _vector(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a list of numbers; write them with commas and no spaces, as in 1,2.5,-3"
        ) from None


def _keep_negative_vectors(arguments: Sequence[str]) -> list[str]:
    """Write ``--x -1,2`` as ``--x=-1,2``; argparse takes ``-1,2`` alone for an option."""
    joined: list[str] = []
    for argument in arguments:
        if joined and joined[-1] in ("--x", "--y") and _NUMBERS.fullmatch(argument):
            joined[-1] += f"={argument}"
        else:
            joined.append(argument)
    return joined


if __name__ == "__main__":
    sys.exit(main())
