"""Structured control flow: loops and branches as records, and the functions that make them."""
