"""Questions without derivative: equal to NumPy's answers, and answered per example under vmap."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import funcdiff as fd
import funcdiff.numpy as fnp
from funcdiff.core.recording import innermost
from tests.numpy.checks import A

MAPPED = {
    "argmax": lambda x: np.argmax(x),
    "argmax along": lambda x: np.argmax(x, axis=1),
    "argmin kept": lambda x: np.argmin(x, axis=0, keepdims=True),
    "nanargmax": lambda x: np.nanargmax(x, axis=1),
    "nanargmin": lambda x: np.nanargmin(x),
    "argsort": lambda x: np.argsort(x),
    "argsort flat": lambda x: np.argsort(x, axis=None, kind="stable"),
    "argpartition": lambda x: np.argpartition(x, 1, axis=1),
    "all": lambda x: np.all(x > -1, axis=0),
    "all where": lambda x: np.all(x > 0, axis=0, where=np.arange(3)[:, None] > 0),
    "any": lambda x: np.any(x > 0),
    "any of numbers": lambda x: np.any(x, axis=1, keepdims=True),
    "count_nonzero": lambda x: np.count_nonzero(x > 0, axis=1),
    "searchsorted": lambda x: np.searchsorted([-1.0, 0.0, 0.5], x),
    "searchsorted traced": lambda x: np.searchsorted(np.sort(x, axis=None), [0.0, 0.1], side="right"),
    "searchsorted sorter": lambda x: np.searchsorted(x[0], 0.3, sorter=np.argsort(x[0])),
    "digitize": lambda x: np.digitize(x, [-1.0, 0.0, 0.5]),
    "digitize falling": lambda x: np.digitize(x, [1.0, 0.0, -0.5], right=True),
    "isclose": lambda x: np.isclose(x, x[0], rtol=0.5),
    "isposinf": lambda x: np.isposinf(x),
    "isneginf": lambda x: np.isneginf(x),
    "isreal": lambda x: np.isreal(x),
    "iscomplex": lambda x: np.iscomplex(x),
    "comparison": lambda x: (x > 0) & (x < 1),
    "round": lambda x: np.round(x, 1),
    "fix": lambda x: np.fix(x),
    "astype int": lambda x: x.astype(int),
    "astype bool": lambda x: x.astype(bool),
    "sum of booleans": lambda x: np.sum(x > 0, axis=1),
    "mean of booleans": lambda x: np.mean(x > 0),
    "max of integers": lambda x: np.max(np.argsort(x, axis=1), axis=0),
    "prod of integers": lambda x: np.prod(np.argsort(x, axis=1) + 1),
    "clip of integers": lambda x: np.clip(np.argsort(x, axis=1), None, 2),
    "median of integers": lambda x: np.median(np.argsort(x, axis=1), axis=0),
    "var of integers": lambda x: np.var(np.argsort(x, axis=1), axis=0),
    "diff of booleans": lambda x: np.diff(x > 0),
    "where of integers": lambda x: np.where(x > 0, 1, 0),
    "stack of booleans": lambda x: np.stack([x[0] > 0, x[1] > 0]),
    "zeros_like booleans": lambda x: np.zeros_like(x > 0),
}


@pytest.mark.parametrize("name", MAPPED)
def test_per_example(name):
    f = MAPPED[name]
    found = []
    fd.grad(lambda x: (found.append(innermost(f(x))), np.sum(x))[1])(A)
    assert_array_equal(found[0], f(A))
    assert np.asarray(found[0]).dtype == np.asarray(f(A)).dtype
    stacked = np.stack([A, A[::-1] * 1.1 + 0.01])
    np.testing.assert_allclose(fd.vmap(f)(stacked), np.stack([f(a) for a in stacked]))


ABOUT = {
    "shape": lambda x: np.shape(x),
    "ndim": lambda x: np.ndim(x),
    "size": lambda x: (np.size(x), np.size(x, 1)),
    "result_type": lambda x: np.result_type(x, np.complex64),
    "common_type": lambda x: np.common_type(x),
    "can_cast": lambda x: np.can_cast(x.dtype, np.float32),
    "min_scalar_type": lambda x: np.min_scalar_type(x),
    "iscomplexobj": lambda x: np.iscomplexobj(x),
    "isrealobj": lambda x: np.isrealobj(x),
    "allclose": lambda x: np.allclose(x, x + 1e-12),
    "array_equal": lambda x: np.array_equal(x, x) and not np.array_equal(x, x[0]),
    "array_equal with nan": lambda x: np.array_equal(x * np.nan, x * np.nan, equal_nan=True),
    "array_equiv": lambda x: np.array_equiv(x, x[0]) or np.array_equiv(x[:1], x[0]),
    "may_share_memory": lambda x: np.may_share_memory(x, x.T) and np.shares_memory(x, x),
    "nonzero": lambda x: np.nonzero(x > 0),
    "where": lambda x: np.where(x > 0),
    "flatnonzero": lambda x: np.flatnonzero(x > 0),
    "argwhere": lambda x: np.argwhere(x > 0),
    "isin": lambda x: np.isin(x, x[0]),
    "lexsort": lambda x: np.lexsort((x[0], x[1])),
    "contains": lambda x: (x[0, 0] in x, 99.0 in x),
    "array2string": lambda x: np.array2string(x, precision=3),
    "array_str": lambda x: np.array_str(x),
}


@pytest.mark.parametrize("name", ABOUT)
def test_about_the_whole(name):
    f = ABOUT[name]
    found = []
    fd.grad(lambda x: (found.append(f(x)), np.sum(x))[1])(A)
    assert type(found[0]) is type(f(A))
    assert_array_equal(found[0], f(A))


@pytest.mark.parametrize("name", ["nonzero", "array_equal", "allclose", "flatnonzero"])
def test_deciding_on_a_mapped_value_is_refused(name):
    with pytest.raises(fd.errors.MappedControlFlowError, match=r"np\.where"):
        fd.vmap(ABOUT[name])(np.stack([A, -A]))


def test_exported_names_are_numpys_and_callable_on_plain_arrays():
    ours = [name for name in fnp.__all__ if not hasattr(fnp, name) or not (hasattr(np, name))]
    assert ours == ["rebind"]
    assert len(set(fnp.__all__)) == len(fnp.__all__)
    assert fnp.pi == np.pi
    assert fnp.newaxis is None
    assert fnp.float32 is np.float32
    assert_array_equal(fnp.sum(np.ones(3)), 3.0)


def test_unknown_names_say_what_to_do():
    with pytest.raises(AttributeError, match=r"no derivative rule .* call numpy\.mask_indices"):
        _ = fnp.mask_indices
    with pytest.raises(AttributeError, match="neither has numpy"):
        _ = fnp.not_a_function


def test_array_namespace():
    found = []
    fd.grad(lambda x: (found.append(x.__array_namespace__()), x.sum())[1])(A)
    assert found == [fnp]
