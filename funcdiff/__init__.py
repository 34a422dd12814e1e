"""funcdiff: derivatives of NumPy programs, any order, forward and reverse.

Unmodified NumPy code in (``import numpy as np``, in-place code and Python control flow included), any
derivative out: `grad`, `jacobian`, `hessian`, `vjp`, `jvp`, `hvp`, `vmap` and their compositions.
"""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

from funcdiff import debug as debug
from funcdiff import errors as errors
from funcdiff import numpy as numpy
from funcdiff import scipy as scipy
from funcdiff import testing as testing
from funcdiff.core.tape import Tape as Tape
from funcdiff.core.trees import register_pytree_node as register_pytree_node
from funcdiff.jit.compile import jit as jit
from funcdiff.jit.keeping import release_memory as release_memory
from funcdiff.jit.threads import get_num_threads as get_num_threads
from funcdiff.jit.threads import set_num_threads as set_num_threads
from funcdiff.storage import load as load
from funcdiff.transforms.checkpoint import checkpoint as checkpoint
from funcdiff.transforms.checkpoint_loop import checkpoint_loop as checkpoint_loop
from funcdiff.transforms.custom import custom_jvp as custom_jvp
from funcdiff.transforms.custom import custom_vjp as custom_vjp
from funcdiff.transforms.declaring import primitive as primitive
from funcdiff.transforms.gauss_newton import ggnvp as ggnvp
from funcdiff.transforms.gradient import elementwise_grad as elementwise_grad
from funcdiff.transforms.gradient import grad as grad
from funcdiff.transforms.gradient import value_and_grad as value_and_grad
from funcdiff.transforms.hessian import hessian as hessian
from funcdiff.transforms.hessian import hvp as hvp
from funcdiff.transforms.hessian import vhp as vhp
from funcdiff.transforms.jacobian import jacfwd as jacfwd
from funcdiff.transforms.jacobian import jacobian as jacobian
from funcdiff.transforms.jacobian import jacrev as jacrev
from funcdiff.transforms.jet import jet as jet
from funcdiff.transforms.laplacian import laplacian as laplacian
from funcdiff.transforms.loops.cond import cond as cond
from funcdiff.transforms.loops.scan import scan as scan
from funcdiff.transforms.loops.while_loop import fori_loop as fori_loop
from funcdiff.transforms.loops.while_loop import while_loop as while_loop
from funcdiff.transforms.numerical import numerical as numerical
from funcdiff.transforms.products import jvp as jvp
from funcdiff.transforms.products import linear_transpose as linear_transpose
from funcdiff.transforms.products import linearize as linearize
from funcdiff.transforms.products import pullback as pullback
from funcdiff.transforms.products import vjp as vjp
from funcdiff.transforms.stochastic import hutchinson as hutchinson
from funcdiff.transforms.stop import stop_gradient as stop_gradient
from funcdiff.transforms.trace import trace as trace
from funcdiff.transforms.vmap import vmap as vmap

if _TYPE_CHECKING:
    from funcdiff import profiler as profiler

__version__ = "0.1.0"

__all__ = [
    "Tape",
    "checkpoint",
    "checkpoint_loop",
    "cond",
    "custom_jvp",
    "custom_vjp",
    "debug",
    "elementwise_grad",
    "errors",
    "fori_loop",
    "get_num_threads",
    "ggnvp",
    "grad",
    "hessian",
    "hutchinson",
    "hvp",
    "jacfwd",
    "jacobian",
    "jacrev",
    "jet",
    "jit",
    "jvp",
    "laplacian",
    "linear_transpose",
    "linearize",
    "load",
    "numerical",
    "numpy",
    "primitive",
    "profiler",
    "pullback",
    "register_pytree_node",
    "release_memory",
    "scan",
    "scipy",
    "set_num_threads",
    "stop_gradient",
    "testing",
    "trace",
    "value_and_grad",
    "vhp",
    "vjp",
    "vmap",
    "while_loop",
]


def __getattr__(name: str) -> _Any:
    """Load what most programs do without when it is first asked for."""
    if name == "profiler":
        return _import_module("funcdiff.profiler")
    raise AttributeError(f"module 'funcdiff' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, *(name for name in globals() if name.startswith("__"))]
