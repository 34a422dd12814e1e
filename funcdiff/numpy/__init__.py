"""NumPy's names and signatures, differentiable."""

from funcdiff.numpy import _protocol, creation
from funcdiff.primitives import operators

_protocol.attach()
