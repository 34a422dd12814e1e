"""`numpy.lib`: what of it takes arrays."""

from funcdiff.numpy.lib import stride_tricks

__all__ = ["stride_tricks"]
