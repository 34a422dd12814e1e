"""`stop_gradient`: a value without its derivative."""

from __future__ import annotations

from typing import Any

import numpy as np

from funcdiff.core.declare import locally_constant
from funcdiff.core.primitive import REGISTRY
from funcdiff.core.trees import tree_map
from funcdiff.transforms.arguments import leaf_value


def _identity(x: Any) -> Any:
    return np.array(x)[()] if np.ndim(x) == 0 and not isinstance(x, np.ndarray) else np.array(x)


stopped = locally_constant(_identity, name="stop_gradient", doc="A copy whose derivative is zero.")


REGISTRY[stopped.__name__].way_out = True


def stop_gradient(x: Any) -> Any:
    """Return the same values with derivative zero, in every mode and order.

    This is what ``x.detach()`` does, and one of the two explicit ways out of differentiation (the other
    is ``x.item()``).

    Parameters
    ----------
    x : array or nested containers of arrays
        Any values; what is not an array is returned as it is.

    Returns
    -------
    array or nested containers of arrays
        Copies with the same values, shapes and dtypes: plain ones, unless `vmap` or `trace` is at work.

    Examples
    --------
    >>> import numpy as np, funcdiff as fd
    >>> fd.grad(lambda x: fd.stop_gradient(x) * x)(3.0)
    np.float64(3.0)
    """

    def stop(leaf: Any) -> Any:
        value = leaf_value(leaf)
        return stopped(value) if hasattr(value, "dtype") and value.dtype.kind in "fcbiu" else leaf

    return tree_map(stop, x)
