"""The passes in their order."""

from __future__ import annotations

from funcdiff.core.tape import Tape
from funcdiff.jit.passes.algebra import simplify_algebra
from funcdiff.jit.passes.broadcasts import fold_broadcasts
from funcdiff.jit.passes.common_subexpressions import merge_common_subexpressions
from funcdiff.jit.passes.constant_folding import fold_constants
from funcdiff.jit.passes.dead_code import drop_dead_code
from funcdiff.jit.passes.factorizations import share_factorizations
from funcdiff.jit.passes.negated_products import reuse_negated_products
from funcdiff.jit.passes.rearrangements import fold_rearrangements
from funcdiff.jit.passes.rewriting import Rewriter, chained
from funcdiff.jit.passes.stacked_products import keep_stacks


def optimise(tape: Tape) -> Tape:
    """Return a tape with the same results, bit for bit, and less to do.

    The rules are applied to one record after the other in a single walk, so that what one leaves, the
    next ones see, and what they make of a record is seen by all rules at its users.
    """
    rule = chained(
        fold_rearrangements,
        fold_broadcasts,
        simplify_algebra,
        reuse_negated_products(),
        fold_constants,
        merge_common_subexpressions(),
    )
    return drop_dead_code(Rewriter(drop_dead_code(tape)).run(rule))


def optimise_for(tape: Tape, backend: str) -> Tape:
    """Return what a backend runs: the same results but for the rounding of linear systems and products of matrices."""
    optimised = optimise(tape)
    shared = share_factorizations(optimised, backend == "native")
    if backend == "native":
        shared = keep_stacks(shared)
    return optimised if shared is optimised else optimise(shared)
