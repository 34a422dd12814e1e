"""What numbers of a dtype can be: `finfo` and `iinfo`, of a dtype or of an array, as the Array API standard has them."""

from __future__ import annotations

from typing import Any

import numpy as np


class FloatLimits:
    """The attributes of `numpy.finfo`, its limits as Python floats, which take the dtype of the array they meet."""

    def __init__(self, numpys: Any) -> None:
        self._numpys = numpys
        self.eps = float(numpys.eps)
        self.max = float(numpys.max)
        self.min = float(numpys.min)
        self.smallest_normal = float(numpys.smallest_normal)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._numpys, name)

    def __repr__(self) -> str:
        return repr(self._numpys)


def _dtype_of(x: Any) -> Any:
    return x if isinstance(x, (type, np.dtype)) else getattr(x, "dtype", x)


def finfo(type: Any, /) -> Any:
    """Return the limits of a dtype of floats.

    Parameters
    ----------
    type : dtype or array
        Of real or complex floats; for complex ones the limits are those of the parts.

    Returns
    -------
    object with the attributes of `numpy.finfo`
        For float32 its limits are Python floats, as the standard asks.

    Examples
    --------
    >>> import numpy as np, funcdiff as fd
    >>> fd.numpy.finfo(np.ones(3)).bits
    64
    """
    found = np.finfo(_dtype_of(type))
    return FloatLimits(found) if found.bits < 64 else found


def iinfo(type: Any, /) -> Any:
    """Return the limits of a dtype of integers.

    Parameters
    ----------
    type : dtype or array
        Of integers.

    Returns
    -------
    numpy.iinfo

    Examples
    --------
    >>> import numpy as np, funcdiff as fd
    >>> fd.numpy.iinfo(np.int8).max
    127
    """
    return np.iinfo(_dtype_of(type))
