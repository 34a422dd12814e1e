"""Linear algebra: systems, determinants, factorizations, spectra, least squares, norms.

Each rule names its source: Giles is "An extended collection of matrix derivative results for forward
and reverse mode algorithmic differentiation" (2008).  Everything works on stacks of matrices, so batch
rules mostly put the batch before the stack.
"""
