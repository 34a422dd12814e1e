"""All modules that say how records are lowered; importing this one enters their handlers."""

from funcdiff.jit.native import (
    assembled,
    branches,
    calls,
    composed,
    determinants,
    loop_records,
    mapped,
    products,
    rearranged,
    reduced,
    run_time_indices,
    running,
)

__all__ = [
    "assembled",
    "branches",
    "calls",
    "composed",
    "determinants",
    "loop_records",
    "mapped",
    "products",
    "rearranged",
    "reduced",
    "run_time_indices",
    "running",
]
