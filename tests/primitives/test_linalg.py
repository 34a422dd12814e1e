"""Rules of linear algebra: fast VJPs against transposed JVPs, singular and degenerate matrices, triangles, gauges."""

from functools import partial

import numpy as np
import pytest

import funcdiff as fd
from funcdiff.core.array_type import type_of
from funcdiff.core.matching import match
from funcdiff.core.primitive import REGISTRY
from funcdiff.primitives.linalg.common import fold, hermitian, inverse_gaps, reciprocal_or_zero, rounding
from funcdiff.primitives.linalg.determinant import det, det_derivative
from funcdiff.primitives.linalg.eigen import eigvals
from funcdiff.primitives.linalg.least_squares import pinv
from funcdiff.primitives.linalg.solve import inv_or_nan, solve
from funcdiff.testing import check_grads
from funcdiff.transforms.record_rules import transpose_at


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def complex_normal(*shape, seed=0):
    return normal(*shape, seed=seed) + 1j * normal(*shape, seed=seed + 1)


def random_like(x, seed):
    x = np.asarray(x)
    return complex_normal(*x.shape, seed=seed) if x.dtype.kind == "c" else normal(*x.shape, seed=seed)


def adjoint(x):
    return np.conj(np.swapaxes(x, -1, -2))


# --- two statements of one derivative -------------------------------------------------------------------


WITH_BOTH = [
    "inv",
    "inv_or_nan",
    "solve",
    "cholesky",
    "eigh",
    "eigvalsh",
    "det",
    "slogdet",
    "svdvals",
    "lstsq",
    "vector_norm",
]


@pytest.mark.parametrize("name", WITH_BOTH)
def test_the_fast_vjp_is_the_transposed_jvp(name):
    primitive = REGISTRY[name]
    for args, params in primitive.samples(np.random.default_rng(0)):
        out = primitive.impl(*args, **params)
        outs = out if isinstance(out, tuple) else (out,)
        g = tuple(random_like(o, n) if np.asarray(o).dtype.kind in "fc" else 0.0 for n, o in enumerate(outs))
        g = g if isinstance(out, tuple) else g[0]
        for n, x in enumerate(args):
            if primitive.vjps[n] is None:
                continue
            pulled = primitive.vjps[n](g, out, *args, **params)
            jvp = partial(primitive.jvps[n], **params)
            transposed = transpose_at(lambda t, f=jvp, rest=(out, *args): f(t, *rest), type_of(x), g)
            np.testing.assert_allclose(match(pulled, type_of(x)), transposed, rtol=1e-10, atol=1e-10)


# --- determinants ---------------------------------------------------------------------------------------


SINGULAR = {
    "rank 2": np.array([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0], [1.0, 0.0, 1.0]]),
    "rank 1": np.outer([1.0, 2.0, 3.0], [1.0, 0.0, 2.0]),
    "rank 0": np.zeros((3, 3)),
    "almost singular": np.diag([1e3, 1.0, 1e-12]),
    "identity": np.eye(3),
}


def minors(a):
    """Cofactors by Leibniz: a polynomial, right everywhere."""
    out = np.empty_like(a)
    for i in range(3):
        for j in range(3):
            m = np.delete(np.delete(a, i, 0), j, 1)
            out[i, j] = (-1) ** (i + j) * (m[0, 0] * m[1, 1] - m[0, 1] * m[1, 0])
    return out


@pytest.mark.parametrize("name", SINGULAR)
def test_det_at_singular_matrices_to_third_order(name):
    a = SINGULAR[name]
    t, s = normal(3, 3), normal(3, 3, seed=1)
    scale = max(1.0, np.abs(a).max())
    gradient = fd.grad(np.linalg.det)
    np.testing.assert_allclose(gradient(a), minors(a), atol=1e-10 * scale**2)
    # the cofactors of a 3 × 3 matrix are quadratic, so that these differences are exact
    second = (minors(a + t) - minors(a - t)) / 2
    np.testing.assert_allclose(fd.jvp(gradient, (a,), (t,))[1], second, atol=1e-10 * scale)
    third = (minors(a + t + s) - minors(a + t - s) - minors(a - t + s) + minors(a - t - s)) / 4

    def directional(x):
        return fd.jvp(gradient, (x,), (t,))[1]

    np.testing.assert_allclose(fd.jvp(directional, (a,), (s,))[1], third, atol=1e-10 * scale)
    np.testing.assert_allclose(fd.grad(lambda x: np.sum(gradient(x) * t))(a), second, atol=1e-10 * scale)


def test_det_in_a_stack_of_regular_and_singular_matrices():
    stack = np.stack(list(SINGULAR.values()))
    found = fd.grad(lambda a: np.sum(np.linalg.det(a)))(stack)
    np.testing.assert_allclose(found, [minors(a) for a in stack], atol=1e-8)
    found = fd.vmap(fd.grad(np.linalg.det))(stack)
    np.testing.assert_allclose(found, [minors(a) for a in stack], atol=1e-8)


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_det_of_a_matrix_that_is_not_finite():
    assert np.isnan(fd.grad(np.linalg.det)(np.array([[np.nan, 1.0], [1.0, 1.0]]))).all()


def test_det_derivatives_of_an_order_above_the_size_vanish():
    a, t = normal(2, 2), normal(2, 2, seed=1)
    np.testing.assert_array_equal(det_derivative(a, t, t), np.zeros((2, 2)))
    check_grads(det, (normal(1, 1),))


def test_det_derivatives_of_very_high_order_are_refused():
    with pytest.raises(fd.errors.UnsupportedError, match="order 9"):
        det_derivative(np.eye(9), *[np.eye(9)] * 7)


def test_slogdet_at_a_singular_matrix():
    def masked(a):
        return np.where(np.linalg.det(a) > 0, np.linalg.slogdet(a)[1], 0.0)

    np.testing.assert_array_equal(fd.grad(masked)(np.ones((2, 2))), np.zeros((2, 2)))


def test_inv_or_nan_marks_the_singular_matrices_of_a_stack():
    a = np.stack([np.eye(2), np.ones((2, 2))])
    found = inv_or_nan(a)
    np.testing.assert_array_equal(found[0], np.eye(2))
    assert np.isnan(found[1]).all()
    assert np.isnan(inv_or_nan(np.zeros((2, 2)))).all()


# --- one triangle ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("lower", [True, False])
@pytest.mark.parametrize("draw", [normal, complex_normal])
def test_fold_is_the_transpose_of_hermitian(draw, lower):
    x, g = draw(3, 3), draw(3, 3, seed=5)
    h = hermitian(x, lower)
    np.testing.assert_allclose(h, adjoint(h))
    triangle = np.tril if lower else np.triu
    np.testing.assert_allclose(triangle(h, -1 if lower else 1), triangle(x, -1 if lower else 1))
    pairing = np.real(np.sum(g * h))
    np.testing.assert_allclose(np.real(np.sum(fold(g, lower) * x)), pairing)
    assert not np.any(np.triu(fold(g, lower), 1) if lower else np.tril(fold(g, lower), -1))


@pytest.mark.parametrize("upper", [False, True])
def test_cholesky_reads_one_triangle(upper):
    a = normal(3, 3)
    a = a @ a.T + 3 * np.eye(3)
    gradient = fd.grad(lambda a: np.sum(np.linalg.cholesky(a, upper=upper) ** 3))(a)
    assert not np.any(np.tril(gradient, -1) if upper else np.triu(gradient, 1))
    check_grads(lambda a: np.linalg.cholesky(a, upper=upper), (a,))


@pytest.mark.parametrize("uplo", ["L", "U", "l"])
def test_eigh_reads_one_triangle(uplo):
    a = normal(3, 3) + np.diag([0.0, 3.0, 6.0])
    gradient = fd.grad(lambda a: np.sum(np.linalg.eigvalsh(a, uplo) ** 3))(a)
    assert not np.any(np.tril(gradient, -1) if uplo == "U" else np.triu(gradient, 1))
    check_grads(lambda a: np.linalg.eigvalsh(a, uplo), (a,))
    check_grads(lambda a: np.linalg.eigh(a, uplo), (a,))


# --- degenerate spectra ---------------------------------------------------------------------------------


def rotated(spectrum, seed=0):
    q = np.linalg.qr(normal(len(spectrum), len(spectrum), seed=seed))[0]
    a = (q * spectrum) @ q.T
    return (a + a.T) / 2


def test_repeated_eigenvalues_in_symmetric_functions():
    a = rotated([1.0, 1.0, 3.0])
    check_grads(lambda a: np.sum(np.linalg.eigvalsh(a) ** 3), (a,), order=1)
    check_grads(lambda a: np.sum(np.exp(np.linalg.eigh(a)[0])), (a,), order=1)
    check_grads(lambda a: np.sum(np.exp(np.linalg.eigh(a)[0])), (np.eye(3),), order=1)


def test_repeated_eigenvalues_in_projections_on_the_whole_eigenspace():
    a = rotated([1.0, 1.0, 3.0, 3.0, 7.0])

    def projection(a):
        v = np.linalg.eigh(a)[1]
        return v[:, 2:4] @ v[:, 2:4].T

    check_grads(projection, (a,), order=1)


def test_derivatives_at_repeated_eigenvalues_are_finite():
    for order in (1, 2):
        f = fd.grad(lambda a: np.sum(np.linalg.eigh(a)[1] ** 3) + np.sum(np.linalg.eigh(a)[0] ** 2))
        if order == 2:
            g = f
            f = fd.grad(lambda a, g=g: np.sum(g(a) ** 2))
        assert np.isfinite(f(np.eye(3))).all()
        assert np.isfinite(f(np.zeros((3, 3)))).all()


@pytest.mark.parametrize("draw", [normal, complex_normal])
def test_the_polar_factor_at_equal_singular_values(draw):
    def polar(a):
        u, _, vh = np.linalg.svd(a, full_matrices=False)
        return u @ vh

    unitary = np.linalg.qr(draw(3, 3))[0]
    check_grads(polar, (unitary,), order=1)
    check_grads(polar, (np.linalg.qr(draw(4, 2))[0],), order=1)


def test_the_nuclear_norm_at_equal_and_at_zero_singular_values():
    def nuclear(a):
        return np.linalg.norm(a, "nuc")

    check_grads(nuclear, (3 * np.linalg.qr(normal(3, 3))[0],), order=1)
    a = normal(4, 2) @ normal(2, 3)
    u, s, vh = np.linalg.svd(a)
    np.testing.assert_allclose(fd.grad(nuclear)(a), u[:, :2] @ vh[:2], atol=1e-12)
    np.testing.assert_array_equal(fd.grad(nuclear)(np.zeros((2, 3))), np.zeros((2, 3)))


@pytest.mark.parametrize("shape", [(3, 3), (4, 2), (2, 4)])
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("draw", [normal, complex_normal])
def test_svd_in_functions_without_a_gauge(shape, full, draw):
    def f(a):
        u, s, vh = np.linalg.svd(a, full_matrices=full)
        k = min(shape)
        u_k, v_k = u[:, :k], adjoint(vh)[:, :k]
        rest_u, rest_v = u[:, k:], adjoint(vh)[:, k:]
        return (
            (u_k * np.exp(s)) @ adjoint(v_k),
            u_k @ adjoint(v_k),
            rest_u @ adjoint(rest_u),
            rest_v @ adjoint(rest_v),
        )

    check_grads(f, (draw(*shape) / 2,))


@pytest.mark.parametrize("draw", [normal, complex_normal])
@pytest.mark.parametrize("shape", [(5, 2), (3, 3), (2, 4)])
def test_qr_in_functions_without_a_gauge(shape, draw):
    def f(a):
        q, r = np.linalg.qr(a, mode="complete")
        k = min(shape)
        return q[:, :k], r, q[:, k:] @ adjoint(q[:, k:]), q @ r

    check_grads(f, (draw(*shape),))


def test_complex_eigenvectors_in_functions_without_a_gauge():
    a = complex_normal(3, 3)
    a = a + adjoint(a)

    def f(a):
        w, v = np.linalg.eigh(a)
        return (v * np.exp(w / 3)) @ adjoint(v), w

    check_grads(f, (a,))


def test_eig_follows_lapacks_normalisation():
    turn = np.array([[0.0, -2.0, 0.3], [2.0, 0.5, 0.1], [0.2, 0.4, 5.0]])
    for a in (turn, normal(3, 3) + np.diag([0.0, 4.0, 8.0]), complex_normal(3, 3)):
        check_grads(np.linalg.eig, (a,))
        check_grads(np.linalg.eigvals, (a,))


def test_eigvals_keeps_its_own_order(monkeypatch):
    a = normal(4, 4) + np.diag([0.0, 4.0, 8.0, 12.0])
    plain = np.linalg.eigvals
    monkeypatch.setattr(eigvals.primitive, "impl", lambda a: plain(a)[::-1])
    found = fd.jvp(eigvals, (a,), (normal(4, 4, seed=1),))[1]
    monkeypatch.undo()
    np.testing.assert_allclose(found[::-1], fd.jvp(eigvals, (a,), (normal(4, 4, seed=1),))[1])


# --- guarded reciprocals --------------------------------------------------------------------------------


def test_reciprocal_or_zero():
    x = np.array([0.0, 1e-9, -2.0, 4.0])
    np.testing.assert_array_equal(reciprocal_or_zero(x, 1e-8), [0.0, 0.0, -0.5, 0.25])
    np.testing.assert_array_equal(
        fd.grad(lambda x: np.sum(reciprocal_or_zero(x, 1e-8)))(x), [0.0, 0.0, -0.25, -0.0625]
    )


def test_inverse_gaps_in_both_precisions():
    for dtype in (np.float32, np.float64):
        eps = float(np.finfo(dtype).eps)
        w = np.array([1.0, 1.0 + eps, 1.0 + 100 * eps], dtype)
        gaps = inverse_gaps(w, 3)
        assert gaps.dtype == dtype
        assert gaps[0, 1] == gaps[1, 0] == 0
        assert gaps[0, 2] > 0 > gaps[2, 0]
        assert rounding(w, size=3).dtype == dtype


# --- systems --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("fa", "fb"), [(1, 0), (0, 1), (1, 1)])
@pytest.mark.parametrize(
    ("a", "b"),
    [((3, 3), (3,)), ((3, 3), (3, 2)), ((2, 3, 3), (3,)), ((2, 3, 3), (3, 2)), ((3, 3), (2, 3, 2))],
)
def test_solve_under_vmap(a, b, fa, fb):
    x = normal(*((4,) * fa), *a) + 4 * np.eye(3)
    y = normal(*((4,) * fb), *b, seed=1)
    found = fd.vmap(solve, in_axes=(0 if fa else None, 0 if fb else None))(x, y)
    expected = [np.linalg.solve(x[i] if fa else x, y[i] if fb else y) for i in range(4)]
    np.testing.assert_allclose(found, expected)


def test_many_right_hand_sides_share_one_factorization(monkeypatch):
    seen = []

    def spy(a, b):
        seen.append(a.shape)
        return np.linalg.solve(a, b)

    monkeypatch.setattr(solve.primitive, "impl", spy)
    a = normal(3, 3) + 4 * np.eye(3)
    jacobian = fd.jacobian(lambda b: np.linalg.solve(a, b), argnums=0, mode="reverse")(normal(3))
    np.testing.assert_allclose(jacobian, np.linalg.inv(a))
    assert seen == [(3, 3)] * 2


# --- least squares --------------------------------------------------------------------------------------


def along_rank(m, n, rank):
    """A curve of matrices of constant rank, and its derivative at 0."""
    left, right = normal(m, rank), normal(rank, n, seed=1)
    dl, dr = normal(m, rank, seed=2), normal(rank, n, seed=3)
    return (lambda h: (left + h * dl) @ (right + h * dr)), dl @ right + left @ dr


@pytest.mark.parametrize("shape", [(4, 3), (3, 4), (3, 3)])
def test_pinv_and_lstsq_of_deficient_rank(shape):
    curve, tangent = along_rank(*shape, 2)
    a, b, h = curve(0.0), normal(shape[0], 2, seed=4), 1e-5
    expected = (np.linalg.pinv(curve(h), rcond=1e-10) - np.linalg.pinv(curve(-h), rcond=1e-10)) / (2 * h)
    found = fd.jvp(lambda a: np.linalg.pinv(a, rcond=1e-10), (a,), (tangent,))[1]
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6 * np.abs(expected).max())

    def solution(a):
        return np.linalg.lstsq(a, b, rcond=1e-10)[0]

    expected = (solution(curve(h)) - solution(curve(-h))) / (2 * h)
    np.testing.assert_allclose(
        fd.jvp(solution, (a,), (tangent,))[1], expected, rtol=1e-6, atol=1e-6 * np.abs(expected).max()
    )
    g = normal(*expected.shape, seed=5)
    pulled = fd.pullback(solution, a)[1](g)[0]
    np.testing.assert_allclose(np.sum(pulled * tangent), np.sum(g * expected), rtol=1e-5)


def test_a_cutoff_that_drops_what_counts_is_refused():
    a = np.diag([1.0, 0.5, 0.01])
    for f in (lambda a: np.linalg.pinv(a, rcond=0.1), lambda a: np.linalg.lstsq(a, np.ones(3), rcond=0.1)[0]):
        with pytest.raises(fd.errors.UnsupportedError, match="not negligible"):
            fd.grad(lambda a, f=f: np.sum(f(a)))(a)


def test_pinv_with_cutoffs_for_each_matrix():
    a = normal(3, 4, 2)
    cutoffs = np.array([1e-15, 1e-12, 1e-10])
    found = fd.vmap(lambda a, r: pinv(a, r, hermitian=False))(a, cutoffs)
    np.testing.assert_allclose(found, np.linalg.pinv(a, cutoffs))
    found = fd.vmap(lambda r: pinv(a[0], r, hermitian=False))(cutoffs)
    np.testing.assert_allclose(found, np.broadcast_to(np.linalg.pinv(a[0]), (3, 2, 4)))


def test_lstsq_under_vmap_with_different_ranks_says_so():
    stack = np.stack([np.eye(3, 2), np.ones((3, 2))])
    with pytest.raises(fd.errors.UnsupportedError, match="different shapes"):
        fd.vmap(lambda a: np.linalg.lstsq(a, np.ones(3))[0])(stack)
