"""A tape as SymPy expressions: what `Tape.to_sympy` and `Tape.to_latex` call."""
