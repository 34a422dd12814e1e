"""Products: their transposes where shapes are awkward, and that batches become one product."""

import numpy as np
import pytest

import funcdiff as fd
from funcdiff.primitives.einsum import einsum
from funcdiff.primitives.product import cross, matmul, matvec, tensordot, vecdot, vecmat
from funcdiff.testing import check_grads


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def complex_normal(*shape, seed=0):
    return normal(*shape, seed=seed) + 1j * normal(*shape, seed=seed + 1)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((3,), (3,)),
        ((2, 3), (3,)),
        ((3,), (3, 2)),
        ((5, 2, 3), (3,)),
        ((5, 2, 3), (3, 4)),
        ((3,), (5, 3, 2)),
        ((1, 2, 3), (5, 3, 2)),
        ((4, 1, 2, 3), (5, 3, 2)),
        ((0, 3), (3, 2)),
        ((2, 0), (0, 3)),
        ((0, 2, 3), (1, 3, 2)),
    ],
)
def test_matmul(left, right):
    check_grads(matmul, (normal(*left), normal(*right, seed=1)))


@pytest.mark.parametrize(
    ("left", "right", "f", "g"),
    [
        ((3,), (3,), 1, 1),
        ((2, 3), (3,), 1, 0),
        ((2, 3), (3,), 0, 1),
        ((2, 3), (3, 2), 1, 0),
        ((2, 3), (3, 2), 0, 1),
        ((3,), (3, 2), 1, 0),
        ((3,), (3, 2), 1, 1),
        ((4, 2, 3), (3,), 0, 1),
        ((4, 2, 3), (3, 2), 1, 0),
        ((2, 3), (4, 3, 2), 1, 1),
    ],
)
def test_matmul_under_vmap(left, right, f, g):
    a = normal(*((6,) * f), *left)
    b = normal(*((6,) * g), *right, seed=1)
    found = fd.vmap(lambda x, y: x @ y, in_axes=(0 if f else None, 0 if g else None))(a, b)
    expected = np.stack([(a[i] if f else a) @ (b[i] if g else b) for i in range(6)])
    np.testing.assert_allclose(found, expected)


def test_a_batch_of_vectors_times_a_matrix_is_one_product(monkeypatch):
    shapes = []
    monkeypatch.setattr(
        matmul.primitive, "impl", lambda a, b: (shapes.append((a.shape, b.shape)), np.matmul(a, b))[1]
    )
    fd.vmap(lambda x: normal(4, 3) @ x)(normal(100, 3))
    assert all(len(s) == 2 for pair in shapes for s in pair)


def test_the_cotangent_of_shared_weights_is_one_product():
    x, w = normal(50, 4, 3), normal(3, 2, seed=1)
    found = fd.grad(lambda w: np.sum((x @ w) ** 2))(w)
    np.testing.assert_allclose(found, np.einsum("bij,bik->jk", x, 2 * (x @ w)))


@pytest.mark.parametrize("function", [vecdot, matvec, vecmat])
def test_stacked_products_of_complex_vectors(function):
    left = complex_normal(4, 1, 3, 3) if function is matvec else complex_normal(4, 1, 3)
    right = complex_normal(2, 3, 3, seed=2) if function is vecmat else complex_normal(2, 3, seed=2)
    check_grads(function, (left, right))


def test_only_one_factor_is_kept_where_only_the_other_is_active():
    b = normal(3, 2)
    check_grads(lambda a: matmul(a, b), (normal(2, 3),))
    check_grads(lambda a: tensordot(a, b, axes=((1,), (0,))), (normal(2, 3),))
    check_grads(lambda a: einsum(a, b, subscripts="ij,jk->ki", optimize=False), (normal(2, 3),))


@pytest.mark.parametrize(
    "axes", [((2, 1), (0, 1)), ((0, 2), (2, 1)), ((1,), (1,)), ((), ()), ((0, 1, 2), (2, 1, 0))]
)
def test_tensordot_brings_axes_back_in_order(axes):
    a = normal(2, 2, 2)
    b = normal(2, 2, 2, seed=1)
    np.testing.assert_allclose(tensordot(a, b, axes=axes), np.tensordot(a, b, axes))
    check_grads(lambda a, b: tensordot(a, b, axes=axes), (a, b))


def test_cross_broadcasts():
    check_grads(cross, (normal(4, 1, 3), normal(2, 3, seed=1)))


# --- einsum ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("subscripts", "shapes"),
    [
        ("ij->ij", [(2, 3)]),
        ("ij->i", [(2, 3)]),
        ("ij,kl->k", [(2, 3), (2, 2)]),  # indices summed away alone
        ("iij->j", [(2, 2, 3)]),  # a repeated index
        ("iijj->ij", [(2, 2, 3, 3)]),
        ("iii,ij->j", [(2, 2, 2), (2, 3)]),
        ("ij,ij->ij", [(1, 3), (2, 1)]),  # axes of length one are broadcast
        ("ij,ij->", [(1, 3), (2, 1)]),
        ("ii,i->i", [(3, 3), (1,)]),
        ("a,a,a->a", [(3,), (3,), (3,)]),
        (",->", [(), ()]),
        ("ij,jk->ik", [(0, 2), (2, 3)]),
        ("ij,jk->ik", [(2, 0), (0, 3)]),
    ],
)
def test_einsum(subscripts, shapes):
    arrays = tuple(normal(*s, seed=n) for n, s in enumerate(shapes))
    check_grads(lambda *x: einsum(*x, subscripts=subscripts, optimize=False), arrays)


def test_large_contractions_are_planned_in_rules(monkeypatch):
    seen = []

    def spy(*operands, subscripts, optimize):
        seen.append(optimize)
        return np.einsum(subscripts, *operands, optimize=optimize)

    monkeypatch.setattr(einsum.primitive, "impl", spy)
    a = normal(60, 60)
    fd.grad(lambda a: np.sum(np.einsum("ij,jk->ik", a, a)))(a)
    assert seen[0] is False
    assert all(o is True for o in seen[1:])


def test_einsum_with_all_letters_in_use_says_so_under_vmap():
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    ones = [np.ones((1,) * 26), np.ones((1,) * 26)]
    text = f"{letters[:26]},{letters[26:]}->"
    with pytest.raises(fd.errors.UnsupportedError, match="52 letters"):
        fd.vmap(lambda x: einsum(x, ones[1], subscripts=text, optimize=False))(np.ones((2, *(1,) * 26)))
