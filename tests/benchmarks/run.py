"""`python -m tests.benchmarks [names] [--rounds N]`."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence

from . import eager, imports, jacobians, jit, large, loops, shim, stencils, tapes
from .timing import Effort, Table

BENCHMARKS: dict[str, Callable[[Effort], Table | list[Table]]] = {
    "first_order": eager.first_order,
    "second_order": eager.second_order,
    "large": large.gradients,
    "jacobian": jacobians.jacobian,
    "tapes": tapes.long_tapes,
    "fills": tapes.fills,
    "jit": jit.compiled,
    "stencils": stencils.stencils,
    "loops": loops.loops,
    "shim": shim.small_operations,
    "imports": imports.import_time,
}


def run(name: str, effort: Effort) -> list[Table]:
    result = BENCHMARKS[name](effort)
    return result if isinstance(result, list) else [result]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(BENCHMARKS))
    parser.add_argument("--rounds", type=int, default=Effort.rounds)
    options = parser.parse_args(arguments)
    unknown = set(options.names) - set(BENCHMARKS)
    if unknown:
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    for name in options.names or BENCHMARKS:
        for table in run(name, Effort(rounds=options.rounds)):
            print(table, end="\n\n", flush=True)


if __name__ == "__main__":
    main()
