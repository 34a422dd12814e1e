"""Ufuncs with keywords, their methods, and the names of `fd.numpy`."""

import numpy as np
import pytest

import funcdiff as fd
from funcdiff.numpy import ufuncs
from funcdiff.numpy.ufuncs import Ufunc

RNG = np.random.default_rng(0)
X = RNG.uniform(0.5, 2.0, (3, 4))


def check(f, *args, order=2):
    """Value as plain NumPy's, derivatives as central differences, vmap as a loop."""
    expected = f(*args)
    outputs, _ = fd.pullback(f, *args)
    np.testing.assert_allclose(outputs, expected, rtol=1e-13)
    assert np.shape(outputs) == np.shape(expected)
    fd.testing.check_grads(f, args, order=order)
    stacked = [np.stack([a, 1.1 * a]) for a in args]
    np.testing.assert_allclose(
        fd.vmap(f)(*stacked), [f(*(s[0] for s in stacked)), f(*(s[1] for s in stacked))], rtol=1e-12
    )


# --- reduce ------------------------------------------------------------------------------------------------

REDUCIBLE = [
    np.add,
    np.multiply,
    np.maximum,
    np.minimum,
    np.fmax,
    np.fmin,
    np.logaddexp,
    np.logaddexp2,
    np.hypot,
]


@pytest.mark.parametrize("ufunc", REDUCIBLE)
@pytest.mark.parametrize("axis", [None, 0, 1, -1, (0, 1), ()])
@pytest.mark.parametrize("keepdims", [False, True])
def test_reduce(ufunc, axis, keepdims):
    check(lambda x: ufunc.reduce(x, axis=axis, keepdims=keepdims), X, order=1)


@pytest.mark.parametrize("ufunc", REDUCIBLE)
def test_reduce_is_over_the_first_axis_unless_told(ufunc):
    check(lambda x: ufunc.reduce(x), X)


@pytest.mark.parametrize("ufunc", REDUCIBLE)
def test_reduce_with_initial_and_where(ufunc):
    mask = RNG.random((3, 4)) < 0.6
    check(lambda x: ufunc.reduce(x, axis=1, initial=0.7), X, order=1)
    check(lambda x: ufunc.reduce(x, axis=0, where=mask, initial=0.7), X, order=1)


def test_reduce_with_where_uses_the_identity():
    mask = np.array([True, False, True, False])
    check(lambda x: np.add.reduce(x, axis=1, where=mask), X)
    check(lambda x: np.logaddexp.reduce(x, axis=1, where=mask), X)
    with pytest.raises(ValueError, match="initial"):
        fd.grad(lambda x: np.maximum.reduce(x, where=mask))(X[0])


@pytest.mark.parametrize("ufunc", [np.subtract, np.divide])
def test_reduce_one_after_the_other(ufunc):
    mask = RNG.random((3, 4)) < 0.6
    check(lambda x: ufunc.reduce(x, axis=1), X)
    check(lambda x: ufunc.reduce(x, axis=1, initial=3.0), X)
    check(lambda x: ufunc.reduce(x, axis=1, initial=3.0, where=mask), X)
    with pytest.raises(ValueError, match="reorderable"):
        fd.grad(lambda x: ufunc.reduce(x, axis=(0, 1)))(X)


def test_reduce_by_power():
    # NumPy's own np.power.reduce and np.arctan2.reduce are wrong where they run vectorised
    for ufunc in (np.power, np.arctan2):
        value, g = fd.value_and_grad(ufunc.reduce)(X[0])
        a, b, c, d = X[0]
        expected, slopes = fd.value_and_grad(lambda x, f=ufunc: f(f(f(x[0], x[1]), x[2]), x[3]))(X[0])
        np.testing.assert_allclose(value, ufunc(ufunc(ufunc(a, b), c), d))
        np.testing.assert_allclose((value, *g), (expected, *slopes))


def test_reduce_ties_share_equally():
    x = np.array([2.0, 1.0, 2.0, 2.0])
    for f in (np.maximum.reduce, np.fmax.reduce):
        np.testing.assert_allclose(fd.grad(f)(x), np.array([1, 0, 1, 1]) / 3)


def test_fmax_reduces_without_nan():
    x = np.array([[np.nan, 1.0, 3.0], [np.nan, np.nan, np.nan]])
    for f in (np.fmax, np.fmin):
        value, pull = fd.pullback(lambda x, f=f: f.reduce(x, axis=1), x)
        np.testing.assert_array_equal(value, f.reduce(x, axis=1))
        assert pull(np.array([1.0, 0.0]))[0][0, 2 if f is np.fmax else 1] == 1


def test_reduce_logical_answers_plainly():
    def f(x):
        assert np.logical_and.reduce(x > 0, axis=None)
        assert np.logical_or.reduce(x, axis=0).dtype == bool
        return np.sum(x)

    fd.grad(f)(X)


def test_reduce_of_nothing():
    empty = np.zeros((0, 2))
    for ufunc in (np.add, np.multiply, np.logaddexp, np.hypot):
        value, pull = fd.pullback(ufunc.reduce, empty)
        np.testing.assert_array_equal(value, ufunc.reduce(empty))
        assert pull(np.ones(2))[0].shape == (0, 2)
    with pytest.raises(ValueError, match="identity"):
        fd.grad(lambda x: np.sum(np.maximum.reduce(x)))(empty)


def test_reduce_with_dtype_and_out():
    x = X.astype(np.float32)

    def f(x):
        total = np.add.reduce(x, axis=1, dtype=np.float64)
        assert total.dtype == np.float64
        out = np.zeros(3, like=x)
        assert np.hypot.reduce(x, axis=1, out=out) is out
        return np.sum(total * out)

    g = fd.grad(f)(x)
    assert g.dtype == np.float32
    with pytest.raises(fd.errors.PlainWriteError, match="like=x"):
        fd.grad(lambda x: np.add.reduce(x, out=np.zeros(4)))(X)


def test_reduce_is_for_binary_functions():
    with pytest.raises(ValueError, match="binary"):
        fd.grad(lambda x: np.exp.reduce(x))(X)


# --- accumulate ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ufunc", [*REDUCIBLE, np.subtract, np.divide])
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_accumulate(ufunc, axis):
    check(lambda x: ufunc.accumulate(x, axis=axis), X)


def test_running_maximum_shares_ties_and_carries_nan():
    x = np.array([1.0, 1.0, 3.0, 2.0, 3.0])
    j = fd.jacobian(np.maximum.accumulate)(x)
    np.testing.assert_allclose(
        j, [[1, 0, 0, 0, 0], [0.5, 0.5, 0, 0, 0], [0, 0, 1, 0, 0], [0, 0, 1, 0, 0], [0, 0, 0.5, 0, 0.5]]
    )
    np.testing.assert_allclose(fd.jacfwd(np.maximum.accumulate)(x), j)
    x = np.array([1.0, np.nan, 2.0])
    np.testing.assert_array_equal(fd.jacobian(np.minimum.accumulate)(x), [[1, 0, 0], [0, 1, 0], [0, 1, 0]])


def test_accumulate_empty_and_out():
    for ufunc in (np.add, np.maximum, np.logaddexp, np.subtract):
        value, pull = fd.pullback(ufunc.accumulate, np.zeros(0))
        assert value.shape == (0,)
        assert pull(np.zeros(0))[0].shape == (0,)

    def f(x):
        y = np.zeros_like(x)
        np.logaddexp.accumulate(x, axis=0, out=y)
        return y

    check(f, X)


# --- reduceat, outer -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("ufunc", [np.add, np.multiply, np.maximum, np.logaddexp, np.subtract])
@pytest.mark.parametrize("indices", [[0, 2], [0, 1, 3], [2, 0, 1], [1, 1, 3], [3, 2, 1, 0]])
def test_reduceat(ufunc, indices):
    check(lambda x: ufunc.reduceat(x, indices, axis=1), X)


def test_reduceat_out_of_bounds():
    with pytest.raises(IndexError):
        fd.grad(lambda x: np.sum(np.add.reduceat(x, [0, 7])))(X)


@pytest.mark.parametrize(
    "ufunc", [np.add, np.subtract, np.multiply, np.divide, np.power, np.maximum, np.arctan2]
)
def test_outer(ufunc):
    check(lambda x, y: ufunc.outer(x, y), X[0], X[1:, :2])
    check(lambda x: ufunc.outer(x, 2.0), X)
    check(lambda x: ufunc.outer([1.0, 2.0], x), X)


# --- at --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ufunc", [np.add, np.subtract, np.multiply, np.divide, np.maximum, np.power])
@pytest.mark.parametrize(
    "index",
    [[0, 2], [1, 1, 2, 1], (slice(None), [0, 0, 3]), 1, ([0, 2, 0], [1, 1, 1]), np.eye(3, 4, dtype=bool)],
    ids=str,
)
def test_at(ufunc, index):
    b = RNG.uniform(1.1, 1.4, X[index].shape)

    def f(x, b):
        y = x * 1.0
        ufunc.at(y, index, b)
        return y

    check(f, X, b)


def test_at_of_one_argument():
    def f(x):
        y = x * 1.0
        np.negative.at(y, [0, 0, 0, 2])
        np.exp.at(y, [1])
        return y

    check(f, X)


def test_at_refuses_plain_arrays():
    with pytest.raises(fd.errors.PlainWriteError, match=r"numpy\.add\.at"):
        fd.grad(lambda x: np.add.at(np.zeros(3), [0], x[0]))(X[0])


def test_at_with_a_mapped_index():
    def f(x, i):
        y = np.zeros_like(x)
        np.add.at(y, i, x[:2])
        return y

    x, i = RNG.standard_normal((3, 4)), np.array([[0, 0], [1, 3], [2, 2]])
    np.testing.assert_allclose(fd.vmap(f)(x, i), [f(a, b) for a, b in zip(x, i, strict=True)])


# --- out=, where=, dtype=, casting= ----------------------------------------------------------------------------


def test_out_writes_in_place_and_is_returned():
    def f(x):
        y = np.zeros_like(x)
        view = y[1]
        assert np.exp(x, out=y) is y
        assert np.multiply(y, x, out=(y,)) is y
        np.add(y, view, y)
        return y

    check(f, X)


def test_out_of_functions_with_two_results():
    def f(x):
        quotient, rest = np.zeros_like(x), np.zeros_like(x)
        np.divmod(x, 0.4, out=(quotient, rest))
        fraction, whole = np.modf(x)
        return quotient + rest * 2 + fraction + whole

    check(f, np.array([0.5, 0.95, 1.3]), order=1)


def test_out_of_another_shape_or_kind():
    with pytest.raises(ValueError, match="broadcast"):
        fd.grad(lambda x: np.sum(np.exp(x, out=np.zeros(3, like=x))))(X)

    def f(x):
        np.exp(x * 1j, out=np.zeros_like(x))

    with pytest.raises(fd.errors.DtypeError, match="cast"):
        fd.grad(f)(X)


@pytest.mark.parametrize(
    "write",
    [lambda x, y: np.exp(x, out=y), lambda x, y: np.add(y, x, out=y), lambda x, y: np.add(y, x, y)],
)
def test_plain_out_is_refused(write):
    with pytest.raises(fd.errors.PlainWriteError, match=r"np\.zeros\(n, like=x\)"):
        fd.grad(lambda x: np.sum(write(x, np.zeros((3, 4)))))(X)


def test_plain_in_place_operator_is_refused():
    def f(x):
        y = np.zeros((3, 4))
        y += x
        return np.sum(y)

    with pytest.raises(fd.errors.PlainWriteError):
        fd.grad(f)(X)


def test_where_with_out_has_finite_derivatives_where_it_does_not_write():
    x = np.array([-1.0, 0.0, 2.0])

    def f(x):
        y = x * 3.0
        np.log(x, out=y, where=x > 0)
        return np.sum(y)

    with np.errstate(all="raise"):
        np.testing.assert_array_equal(fd.grad(f)(x), [3.0, 3.0, 0.5])
    np.testing.assert_array_equal(np.diag(fd.hessian(f)(x)), [0.0, 0.0, -0.25])


def test_where_without_out_says_what_to_write():
    with pytest.raises(fd.errors.UnsupportedError, match=r"np\.where"):
        fd.grad(lambda x: np.sum(np.log(x, where=x > 0)))(X)


def test_dtype_and_casting():
    x = X.astype(np.float32)

    def f(x):
        y = np.exp(x, dtype=np.float64)
        assert y.dtype == np.float64
        z = np.add(x, 1, dtype=np.complex64, casting="safe")
        assert z.dtype == np.complex64
        return np.sum(y) + np.sum(np.real(z))

    g = fd.grad(f)(x)
    assert g.dtype == np.float32
    np.testing.assert_allclose(g, np.exp(x) + 1, rtol=1e-6)
    with pytest.raises(fd.errors.DtypeError, match="safe"):
        fd.grad(lambda x: np.sum(np.exp(x, dtype=np.float32, casting="safe")))(X)
    np.testing.assert_allclose(fd.grad(lambda x: np.sum(np.sin(x, order="F", subok=False)))(X), np.cos(X))


def test_keywords_that_cannot_be():
    with pytest.raises(fd.errors.UnsupportedError, match="dtype="):
        fd.grad(lambda x: np.sum(np.exp(x, signature="d->d")))(X)


def test_float_power_is_in_double_precision():
    x = X.astype(np.float32)
    value, pull = fd.pullback(lambda x: np.float_power(x, 3), x)
    assert value.dtype == np.float64
    assert pull(np.ones((3, 4)))[0].dtype == np.float32
    check(lambda x, y: np.float_power(x, y), X, X[0])
    np.testing.assert_allclose(fd.grad(lambda x: np.float_power(x, 2))(3.0), 6.0)


def test_unknown_ufuncs_say_so():
    twice = np.frompyfunc(lambda v: v * 2, 1, 1)
    with pytest.raises(fd.errors.UnsupportedError):
        fd.grad(lambda x: twice(x))(1.0)


# --- the names of fd.numpy -----------------------------------------------------------------------------------------


def test_every_name_is_numpys():
    for name, value in vars(ufuncs).items():
        if isinstance(value, Ufunc):
            assert value.ufunc is getattr(np, name), name


def test_every_elementwise_ufunc_of_numpy_is_there():
    absent = {
        "isnat",
        "matmul",
        "matvec",
        "vecdot",
        "vecmat",
    }  # times of day; products, which are in their own file
    for name, value in vars(np).items():
        if isinstance(value, np.ufunc) and name not in absent:
            assert isinstance(vars(ufuncs).get(name), Ufunc), name


def test_plain_arguments_give_what_numpy_gives():
    assert ufuncs.sin(0.5) == np.sin(0.5)
    assert type(ufuncs.sin(0.5)) is np.float64
    np.testing.assert_array_equal(ufuncs.add([1, 2], 3), [4, 5])
    np.testing.assert_array_equal(ufuncs.add.reduce(X, axis=None), X.sum())
    np.testing.assert_array_equal(ufuncs.add.accumulate(X), np.add.accumulate(X))
    np.testing.assert_array_equal(ufuncs.add.reduceat(X[0], [0, 2]), np.add.reduceat(X[0], [0, 2]))
    np.testing.assert_array_equal(ufuncs.add.outer(X[0], X[1]), np.add.outer(X[0], X[1]))
    y = np.zeros(3)
    assert ufuncs.exp(np.ones(3), y) is y
    ufuncs.add.at(y, [0, 0], 1.0)
    np.testing.assert_allclose(y, [np.e + 2, np.e, np.e])
    np.testing.assert_array_equal(ufuncs.absolute([3 + 4j]), [5.0])
    for a, b in zip(ufuncs.divmod(7.5, 2), np.divmod(7.5, 2), strict=True):
        assert a == b
    assert (ufuncs.add.nin, ufuncs.add.identity, ufuncs.add.__name__) == (2, 0, "add")
    with pytest.raises(TypeError):
        ufuncs.sin()


def test_traced_arguments_by_name():
    def f(x):
        y = ufuncs.exp(x)
        ufuncs.add(y, x, out=y)
        ufuncs.multiply.at(y, [0], 2.0)
        return ufuncs.add.reduce(y, axis=None) + ufuncs.maximum.reduce(
            ufuncs.subtract.outer(x[0], x[1]), axis=None
        )

    def plain(x):
        y = np.exp(x) + x
        y[0] *= 2
        return y.sum() + np.subtract.outer(x[0], x[1]).max()

    check_value, _ = fd.value_and_grad(f)(X)
    np.testing.assert_allclose(check_value, plain(X))
    fd.testing.check_grads(f, (X,), order=1)


@pytest.mark.parametrize(
    "name", ["acos", "asin", "atan2", "pow", "mod", "true_divide", "conj", "abs", "bitwise_not"]
)
def test_aliases(name):
    assert getattr(ufuncs, name).ufunc is getattr(np, name)


def test_the_sequences_numpy_takes():
    np.testing.assert_allclose(fd.grad(lambda x: np.sum(np.add(x, [1.0, 2.0])))(np.zeros(2)), 1.0)
    np.testing.assert_allclose(fd.grad(lambda x: np.sum(ufuncs.exp([x[0], x[1]])))(np.zeros(2)), 1.0)
    np.testing.assert_allclose(
        fd.grad(lambda z: np.sum(ufuncs.absolute([z[0], z[1]])))(np.array([3 + 4j, 1j])), [0.6 - 0.8j, -1j]
    )
