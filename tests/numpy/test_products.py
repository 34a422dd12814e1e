"""NumPy's products of traced arrays: values as NumPy's, derivatives by differences."""

import warnings

import numpy as np
import pytest

import funcdiff as fd
from funcdiff.testing import check_grads


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def complex_normal(*shape, seed=0):
    return normal(*shape, seed=seed) + 1j * normal(*shape, seed=seed + 1)


def traced(f, *args):
    """The value of a function of traced arrays."""
    return fd.pullback(f, *args)[0]


def check(f, *args):
    np.testing.assert_allclose(traced(f, *args), f(*args), rtol=1e-14, atol=1e-15)
    assert np.shape(traced(f, *args)) == np.shape(f(*args))
    check_grads(f, args)


# --- dot and its relatives -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((), (2, 3)),
        ((2, 3), ()),
        ((3,), (3,)),
        ((2, 3), (3,)),
        ((3,), (3, 2)),
        ((2, 3), (3, 4)),
        ((2, 4, 3), (3,)),
        ((3,), (5, 3, 2)),
        ((2, 4, 3), (5, 3, 2)),
        ((0,), (0,)),
        ((2, 0), (0, 3)),
    ],
)
def test_dot(left, right):
    check(np.dot, normal(*left), normal(*right, seed=1))


def test_dot_refuses_shapes_in_numpys_words():
    with pytest.raises(
        ValueError, match=r"shapes \(2,3\) and \(2,\) not aligned|shapes \(2, 3\) and \(2,\) not aligned"
    ):
        fd.grad(lambda a: np.dot(a, np.ones(2)).sum())(np.ones((2, 3)))


@pytest.mark.parametrize(
    ("left", "right"), [((), (2,)), ((3,), (3,)), ((2, 3), (4, 3)), ((2, 3), (3,)), ((2, 2, 3), (3,))]
)
def test_inner(left, right):
    check(np.inner, normal(*left), normal(*right, seed=1))


def test_vdot_conjugates_its_first_argument():
    check(np.vdot, normal(2, 3), normal(2, 3, seed=1))
    check(np.vdot, complex_normal(2, 3), complex_normal(2, 3, seed=2))
    check(np.vdot, normal(), normal(seed=1))


def test_outer_flattens():
    check(np.outer, normal(2, 2), normal(3, seed=1))
    check(np.linalg.outer, normal(2), normal(3, seed=1))


@pytest.mark.parametrize("axes", [0, 1, 2, ([0, -1], [1, 0]), (1, -3), ([], [])])
def test_tensordot_axes(axes):
    a, b = normal(3, 3, 3), normal(3, 3, 3, seed=1)
    check(lambda a, b: np.tensordot(a, b, axes=axes), a, b)


def test_tensordot_refuses_what_numpy_refuses():
    for axes, message in [(1, "shape-mismatch"), (([0, 0], [0, 0]), "duplicate axes")]:
        with pytest.raises(ValueError, match=message):
            fd.grad(lambda a, axes=axes: np.tensordot(a, np.ones((2, 3)), axes).sum())(np.ones((2, 3)))


@pytest.mark.parametrize(
    ("left", "right"), [((2, 3), (2, 2)), ((2,), (2, 2)), ((2, 1, 2), (3, 2)), ((), (2, 2)), ((3,), (2,))]
)
def test_kron(left, right):
    check(np.kron, normal(*left), normal(*right, seed=1))


def test_vector_dot_products_by_the_ufuncs():
    check(np.vecdot, complex_normal(4, 1, 3), complex_normal(2, 3, seed=2))
    check(lambda a, b: np.vecdot(a, b, axis=0), complex_normal(3, 2), complex_normal(3, 2, seed=2))
    check(lambda a, b: np.linalg.vecdot(a, b, axis=0), normal(3, 2), normal(3, 2, seed=2))
    check(np.matvec, normal(2, 2, 3), normal(4, 1, 3, seed=1))
    check(np.vecmat, complex_normal(2), complex_normal(2, 3, seed=1))


def test_matmul_keywords():
    a, b = normal(3, 2), normal(3, 2, seed=1)
    check(lambda a, b: fd.numpy.matmul(a, b, axes=[(1, 0), (0, 1), (1, 0)]), a, b)
    check(lambda a, b: fd.numpy.vecdot(a, b, axis=0, keepdims=True), a, b)
    check(lambda a, b: np.matmul(a, b, axes=[(1, 0), (0, 1), (1, 0)]), a, b)


# --- cross ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("left", "right", "keywords"),
    [
        ((3,), (3,), {}),
        ((4, 1, 3), (2, 3), {}),
        ((3, 2), (3, 2), {"axis": 0}),
        ((3, 4, 2), (4, 3, 2), {"axisa": 0, "axisb": 1, "axisc": 0}),
    ],
)
def test_cross(left, right, keywords):
    check(lambda a, b: np.cross(a, b, **keywords), normal(*left), normal(*right, seed=1))


def outcome(function, *args):
    """What becomes of a call: the warnings, and the error if there is one."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            function(*args)
        except ValueError as error:
            return str(error)
    return [(w.category, str(w.message), w.filename) for w in said]


@pytest.mark.filterwarnings(
    "ignore:Arrays of 2-dimensional vectors:DeprecationWarning"
)  # refused by NumPy 2.5
@pytest.mark.parametrize(
    ("left", "right", "keywords"),
    [
        ((2,), (2,), {}),
        ((4, 2), (4, 3), {}),
        ((4, 3), (4, 2), {"axisc": 0}),
        ((2, 4), (3, 4), {"axis": 0}),
    ],
)
def test_cross_of_two_components(left, right, keywords):
    def f(a, b):
        return np.cross(a, b, **keywords)

    a, b = normal(*left), normal(*right, seed=1)
    of_numpy = outcome(f, a, b)
    assert of_numpy
    for g in (f, lambda a, b: fd.numpy.cross(a, b, **keywords)):
        assert outcome(lambda a, g=g: fd.jvp(lambda a: g(a, b), (a,), (a,)), a) == of_numpy
    if not isinstance(of_numpy, str):
        check(f, a, b)


# --- einsum --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("subscripts", "shapes"),
    [
        ("ij,jk", [(2, 3), (3, 2)]),
        ("ij , jk -> ki", [(2, 3), (3, 2)]),
        ("ba", [(2, 3)]),
        ("ii", [(3, 3)]),
        ("ii->i", [(3, 3)]),
        ("iji->ji", [(3, 2, 3)]),
        ("i...i->...", [(3, 2, 3)]),
        ("...", [(2, 3)]),
        ("...ij,...jk->...ik", [(5, 2, 3), (3, 2)]),
        ("...ij,...jk", [(5, 2, 3), (5, 3, 2)]),
        ("i...,i...->i...", [(2, 3), (2, 1)]),
        ("...,...->...", [(2, 1), (3,)]),
        ("Ab,bC", [(2, 3), (3, 2)]),
        ("ab,bc,cd", [(2, 3), (3, 4), (4, 2)]),
        ("i,j->", [(2,), (3,)]),
        ("->", [()]),
    ],
)
@pytest.mark.parametrize("optimize", [False, True, "optimal"])
def test_einsum(subscripts, shapes, optimize):
    arrays = [normal(*s, seed=n) for n, s in enumerate(shapes)]
    check(lambda *x: np.einsum(subscripts, *x, optimize=optimize), *arrays)


def test_einsum_takes_a_path():
    arrays = [normal(2, 3), normal(3, 4, seed=1), normal(4, 2, seed=2)]
    path = np.einsum_path("ab,bc,cd->ad", *arrays)[0]
    check(lambda *x: np.einsum("ab,bc,cd->ad", *x, optimize=path), *arrays)
    text = fd.pullback(lambda *x: float(len(np.einsum_path("ab,bc,cd->ad", *x)[0])) * x[0], *arrays)[0]
    np.testing.assert_array_equal(text, len(path) * arrays[0])


def test_einsum_with_lists_of_labels():
    a, b = normal(3, 2), normal(3, 2, seed=1)
    check(lambda a, b: np.einsum(a, [0, 1], b, [0, 2], [2, 1]), a, b)
    check(lambda a, b: np.einsum(a, [0, 1], b, [27, 1]), a, b)
    check(lambda a, b: np.einsum(a, [0, Ellipsis], b, [0, Ellipsis]), a, b)
    check(lambda a, b: np.einsum(a, [0, ...], b, [1, ...], [..., 0, 1]), a, b)


def test_einsum_dtype():
    def f(x):
        return np.einsum("i,i->", x, x, dtype=np.float64)

    gradient = fd.grad(f)(np.ones(3, np.float32))
    assert gradient.dtype == np.float32
    with pytest.raises(TypeError, match="safe"):
        fd.grad(lambda x: np.einsum("i,i->", x, x, dtype=np.float32))(np.ones(3))


@pytest.mark.parametrize(
    "subscripts", ["ij,jk", "ij->k", "ijk", "i", "i...->i", "ij->ii", "i1", "ij-", "i..", "...i->i"]
)
def test_einsum_refuses_what_numpy_refuses(subscripts):
    a = np.ones((2, 3))
    with pytest.raises((ValueError, IndexError)):
        np.einsum(subscripts, a)
    with pytest.raises(ValueError):  # noqa: PT011 - NumPy's wording differs between versions
        fd.grad(lambda a: np.einsum(subscripts, a).sum())(a)


def test_einsum_of_one_operand_is_a_view_where_numpys_is():
    def f(x):
        y = x * 1.0
        np.einsum("ii->i", y)[:] = 7.0
        np.einsum("ij->ji", y)[0] *= 3.0
        return y

    x = normal(3, 3)
    np.testing.assert_allclose(traced(f, x), f(x))
    expected = np.ones((3, 3))
    expected[:, 0] = 3.0
    np.fill_diagonal(expected, 0.0)
    np.testing.assert_allclose(fd.grad(lambda x: f(x).sum())(x), expected)


def test_out_is_written():
    def f(x):
        out = np.zeros_like(x)
        np.dot(x, x, out=out)
        return out.sum()

    x = normal(3, 3)
    np.testing.assert_allclose(fd.grad(f)(x), fd.grad(lambda x: (x @ x).sum())(x))


def test_float32_is_kept():
    x = normal(3, 3).astype(np.float32)
    functions = [np.dot, np.inner, np.outer, np.kron, np.tensordot, np.cross, np.matmul, np.vecdot]
    for function in [*functions, lambda a, b: np.einsum("ij,jk->ik", a, b)]:
        out, pull = fd.pullback(function, x, x)
        assert out.dtype == np.float32
        assert all(g.dtype == np.float32 for g in pull(np.ones_like(out)))


def test_vmap_of_products():
    a, b = normal(4, 2, 3), normal(4, 3, 2, seed=1)
    functions = {
        np.dot: (a, b),
        np.inner: (a, a),
        np.outer: (a, b),
        np.kron: (a, b),
        np.vdot: (a, a),
        (lambda x, y: np.tensordot(x, y, 1)): (a, b),
        (lambda x, y: np.einsum("ij,jk", x, y)): (a, b),
        (lambda x, y: np.einsum("ij,ij->j", x, x) + y[:, 0]): (a, b),
    }
    for f, (x, y) in functions.items():
        np.testing.assert_allclose(fd.vmap(f)(x, y), np.stack([f(*z) for z in zip(x, y, strict=True)]))
        np.testing.assert_allclose(fd.vmap(f, in_axes=(None, 0))(x[0], y), np.stack([f(x[0], z) for z in y]))
        np.testing.assert_allclose(fd.vmap(f, in_axes=(0, None))(x, y[0]), np.stack([f(z, y[0]) for z in x]))
