"""NumPy's names and signatures, differentiable."""

from funcdiff.numpy import _protocol, creation, joining, methods, reductions, selection, shapes
from funcdiff.primitives import operators

_protocol.attach()
methods.attach()
