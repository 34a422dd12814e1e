"""Random programs, run on plain NumPy and on funcdiff."""
