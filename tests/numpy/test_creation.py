"""Making arrays: from traced values, like a traced array, as free buffers."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import funcdiff as fd
import funcdiff.numpy as fnp
from tests.numpy.checks import A, V, case, is_traced, run

CASES = {
    "array": case(lambda x: fnp.array([[x[0], 1.0], [x[1] * x[2], x[3]]]), V, values=False, float32=False),
    "array of rows": case(lambda x: fnp.array([x[:2], (x[2], x[3])]), V, values=False, float32=False),
    "full": case(lambda x: fnp.full((2, 2), x[0]), V, values=False, float32=False),
    "full_like": case(
        lambda x: fnp.full_like(x, x[0]) + np.full_like(x, x[1]), V, values=False, float32=False
    ),
    "full_like a plain one": case(
        lambda x: fnp.full_like(np.ones((2, 5)), x), V, values=False, float32=False
    ),
    "arange": case(lambda a, b: fnp.arange(a, b, 0.4), 0.1, 2.0, values=False, batched=False, float32=False),
    "fromfunction": case(
        lambda x: np.fromfunction(lambda i, j: (i + 1) * x[1] + j, (2, 3), like=x),
        V,
        values=False,
        float32=False,
    ),
    "linspace": case(lambda a, b: np.linspace(a, b, 5), 1.0, 2.0),
    "linspace of arrays": case(
        lambda a, b: np.linspace(a, b, 4, endpoint=False, retstep=True, axis=1), V, 1.0, float32=False
    ),
    "logspace": case(lambda a, b: np.logspace(a, b, 4, base=2.0), 1.0, 2.0),
    "geomspace": case(lambda a, b: np.geomspace(a, b, 4), 1.0, 20.0, float32=False),
    "geomspace negative": case(
        lambda a, b: np.geomspace(a, b, 4, axis=-1), -np.abs(V), -np.arange(1.0, 6.0), float32=False
    ),
    "copy": case(lambda x: np.copy(x) * x.copy(), V),
    "astype": case(lambda x: x.astype(np.float64) * np.astype(x, x.dtype), V, float32=False),
}


@pytest.mark.parametrize("name", CASES)
def test_derivatives(name):
    run(CASES[name])


LIKE = {
    "zeros": lambda x: np.zeros(5, like=x),
    "ones": lambda x: np.ones(5, like=x),
    "empty": lambda x: np.empty(5, like=x),
    "full": lambda x: np.full(5, 3.0, like=x),
    "arange": lambda x: np.arange(5.0, like=x),
    "array": lambda x: np.array([1.0, 2, 3, 4, 5], like=x),
    "asarray": lambda x: np.asarray(np.ones(5), like=x),
    "asanyarray": lambda x: np.asanyarray(np.ones(5), like=x),
    "ascontiguousarray": lambda x: np.ascontiguousarray(np.ones(5), like=x),
    "require": lambda x: np.require(np.ones(5), like=x),
    "eye": lambda x: np.eye(5, like=x)[0],
    "identity": lambda x: np.identity(5, like=x)[0],
    "tri": lambda x: np.tri(5, like=x)[0],
    "zeros_like": lambda x: np.zeros_like(x),
    "ones_like": lambda x: np.ones_like(x),
    "empty_like": lambda x: np.empty_like(x),
    "full_like": lambda x: np.full_like(x, 2.0),
    "free array": lambda x: fnp.array([1.0, 2, 3, 4, 5]),
    "free arange": lambda x: fnp.arange(5.0),
    "free linspace": lambda x: fnp.linspace(0, 1, 5),
    "free eye": lambda x: fnp.eye(5)[0],
    "free zeros": lambda x: fnp.zeros(5),
    "free ones": lambda x: fnp.ones(5),
    "free empty": lambda x: fnp.empty(5),
    "free full": lambda x: fnp.full(5, 2.0),
    "free zeros_like": lambda x: fnp.zeros_like(np.ones(5)),
    "free copy": lambda x: fnp.zeros(5).copy(),
    "free view": lambda x: fnp.zeros((5, 1)).reshape(5),
}


@pytest.mark.parametrize("name", LIKE)
def test_traced_values_can_be_written_in(name):
    def f(x):
        y = LIKE[name](x)
        y[:] = x
        y[1:3] *= x[0]
        return y[::-1] * y

    def expected(x):
        y = np.array(x)
        y[1:3] *= x[0]
        return y[::-1] * y

    assert_allclose(fd.jvp(f, V, V)[0], expected(V))
    run(case(f, V, values=False, float32=False))


def test_a_buffer_is_a_constant_until_it_is_written():
    assert_array_equal(fd.grad(lambda x: np.sum(np.ones_like(x) * x + fnp.ones(5)))(V), np.ones(5))
    assert_array_equal(fd.jacobian(lambda x: np.zeros_like(x))(V), np.zeros((5, 5)))
    assert_array_equal(fd.jacobian(lambda x: fnp.zeros(3))(V), np.zeros((3, 5)))


def test_a_free_buffer_is_a_plain_array_to_numpy():
    buffer = fnp.zeros((2, 3))
    assert type(np.asarray(buffer)) is np.ndarray
    assert np.asarray(buffer).dtype == np.float64
    assert type(np.sin(buffer)) is np.ndarray
    assert float(fnp.ones(())) == 1.0
    assert np.linalg.norm(buffer) == 0.0
    assert fnp.zeros(3, int).dtype.kind == "i"
    buffer[1] = 5.0
    assert_array_equal(np.asarray(buffer)[1], [5, 5, 5])
    assert_array_equal(fd.grad(lambda x: np.sum(x**2))(fnp.ones(2)), [2, 2])
    assert type(fd.vmap(lambda x: fnp.zeros(2))(A)) is np.ndarray


def test_views_of_a_free_buffer():
    def f(x):
        y = fnp.zeros((5, 5))
        row, column = y[0], y.T[2]
        y[1:4, 2] = x[:3]
        row[:] = x * column
        column[4] = row[1] ** 2
        return y.sum(0)

    run(case(f, V, values=False, float32=False))


def test_a_free_buffer_between_levels():
    def f(x):
        w = fnp.zeros(5)
        w[:] = x

        def g(z):
            y = w.copy()
            y[1:3] = z[1:3]
            return np.sum(y**3)

        return fd.grad(g)(x) * x

    run(case(f, V, values=False, float32=False))


def test_filling_one_element_at_a_time():
    def f(x):
        y = np.zeros_like(x)
        for n in range(len(x)):
            y[n] = x[n] ** 2 + (y[n - 1] if n else 0.0)
        return y

    run(case(f, V))


def test_integer_buffers():
    def f(x):
        index = np.zeros_like(x, dtype=int)
        index[1] = np.argmax(x)
        return x[index]

    run(case(f, V))


def test_dtypes():
    x = V.astype(np.float32)
    found = []

    def f(x):
        made = [
            np.zeros_like(x),
            np.ones_like(x, dtype=complex),
            np.zeros(2, like=x),
            np.empty_like(x, shape=(2,)),
        ]
        found.extend(a.dtype for a in made)
        return np.sum(x)

    fd.grad(f)(x)
    assert found == [np.float32, np.complex128, np.float64, np.float32]


def test_int_conversion_drops_the_derivative_on_purpose():
    assert_array_equal(fd.grad(lambda x: np.sum(x.astype(int) * 1.0) + np.sum(x))(V), np.ones(5))


def test_new_arrays_are_free_buffers_and_given_ones_stay_plain():
    given = np.ones(3)
    for name in (
        "asarray",
        "asanyarray",
        "ascontiguousarray",
        "asfortranarray",
        "asarray_chkfinite",
        "require",
    ):
        assert getattr(fnp, name)(given) is given
    made = [
        fnp.array([1.0, 2.0]),
        fnp.arange(3.0),
        fnp.linspace(0, 1, 3),
        fnp.logspace(0, 1, 3),
        fnp.eye(3),
        fnp.tri(2),
    ]
    assert all(is_traced(m) for m in made)
    assert fnp.linspace(0, 1, 3, retstep=True)[1] == 0.5
    assert type(fnp.arange(3)) is np.ndarray  # integers have no derivatives


def test_ragged_sequences_are_numpys_error():
    with pytest.raises(ValueError, match="inhomogeneous shape"):
        fd.grad(lambda x: np.sum(fnp.array([x, x[:2]])))(V)
    with pytest.raises(ValueError, match="infs or NaNs"):
        fd.grad(lambda x: np.sum(fnp.asarray_chkfinite(x * np.inf)))(np.ones(2))


def test_layout_follows_the_prototype():
    def f(x):
        y = np.zeros_like(x.T)
        y[...] = x.T
        view = y.T.ravel()  # a view only if `y` is laid out as x.T is
        view[0] = 7.0 * x[1, 1]
        return y

    run(case(f, A))
    assert not is_traced(fd.jvp(f, A, A)[0])


def _augmented(c):
    c += 3.0


VIEWS_OF_A_BUFFER = {
    "all": lambda a: a[:],
    "slice": lambda a: a[1:],
    "ellipsis": lambda a: a[...],
    "slice of a view": lambda a: a[:][1:],
    "transpose": lambda a: a.T,
    "reshape": lambda a: a.reshape(-1),
    "ravel": lambda a: a.ravel(),
    "view": lambda a: a.view(),
    "new axis": lambda a: a[None],
    "split": lambda a: np.split(a, [1])[1],
    "squeeze": lambda a: np.squeeze(a[None]),
    "flip": lambda a: np.flip(a),
}


@pytest.mark.parametrize("name", VIEWS_OF_A_BUFFER)
def test_a_buffer_and_its_views_see_each_others_writes(name):
    view = VIEWS_OF_A_BUFFER[name]

    def through_the_view(a):
        _augmented(view(a))
        return a

    def through_the_buffer(a):
        seen = view(a)
        _augmented(a)
        a *= 2.0
        return seen

    for f in (through_the_view, through_the_buffer):
        expected = f(np.zeros(3))
        for made in (fnp.zeros(3), fnp.zeros((2, 3))[0], fnp.zeros(3).copy(), fnp.array([0.0, 0.0, 0.0])):
            assert_array_equal(np.asarray(f(made), dtype=float), expected)
        _, tangent = fd.jvp(lambda x, f=f: x * f(fnp.zeros(3)), 2.0, 1.0)
        assert_array_equal(tangent, expected)


@pytest.mark.parametrize("convert", [np.asarray, np.ascontiguousarray, np.asanyarray, np.require])
def test_writes_to_what_numpy_takes_for_a_buffer_itself(convert):
    """NumPy's own answer would be the array itself; a plain array cannot be the buffer."""
    buffer = fnp.zeros(3)
    plain = convert(buffer)
    assert type(plain) is np.ndarray
    with pytest.raises(ValueError, match="read-only"):
        plain[0] = 1.0
    np.array(buffer)[0] = 1.0
    convert(buffer).copy()[0] = 1.0


@pytest.mark.parametrize("reps", [2, (2, 1), (1, 2), (1, 1), (3, 1, 2)])
def test_tiles_of_a_buffer_are_its_own(reps):
    def f(x):
        y = np.tile(x, reps)
        y[0] = 2.0 * y[-1]
        return y.sum()

    x = np.arange(1.0, 4.0)
    assert_array_equal(fd.grad(fd.checkpoint(f))(x), fd.grad(f)(x))
    tiles = np.tile(fnp.array(x), reps)
    tiles[0] = 9.0
    expected = np.tile(x, reps)
    expected[0] = 9.0
    assert_array_equal(np.asarray(tiles), expected)
