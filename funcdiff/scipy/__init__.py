"""NumPy names."""
