"""Cost of funcdiff beside NumPy and, where installed, its peers.

`python -m tests.benchmarks` runs everything; names on the command line choose.  All columns of a
table are measured interleaved in one process on CPU time: trust the ratios, not the absolutes.
"""
