"""What a jitted function is compiled to, to look at."""

from __future__ import annotations

from funcdiff.core.stats import TapeStats, stats
from funcdiff.core.tape import Tape
from funcdiff.jit.program import Program


class Lowered:
    """One path of a jitted function at one signature.

    Attributes
    ----------
    tape : Tape
        The program as recorded.
    optimized : Tape
        The program after the optimiser.
    source : str
        The generated source; where a value holds a NaN it answers None, and the program is run with
        products in which a zero stays zero.
    compile_seconds : float
        What optimising and compiling took.
    cost : TapeStats
        Records, elementary operations and bytes of the optimised program.
    """

    def __init__(self, program: Program) -> None:
        self.tape: Tape = program.recorded
        self.optimized: Tape = program.tape
        self.source: str = program.text
        self.compile_seconds: float = program.compile_seconds
        self.cost: TapeStats = stats(program.tape)

    def __str__(self) -> str:
        return (
            f"recorded: {stats(self.tape)}\n{self.tape}\n\noptimised: {self.cost}\n{self.optimized}\n\n"
            f"source, compiled in {1e3 * self.compile_seconds:.1f} ms:\n{self.source}"
        )

    def __repr__(self) -> str:
        return f"<Lowered {self.tape.name}: {len(self.tape)} records, optimised to {len(self.optimized)}>"
