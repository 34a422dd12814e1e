"""`fd.scipy.linalg` against SciPy: values, signatures, options, derivatives to second order, stacks, vmap."""

import inspect

import numpy as np
import pytest
import scipy.linalg as sl

import funcdiff as fd
from funcdiff import errors
from funcdiff.scipy import linalg as fl
from tests.numpy.checks import check, keeps_float32

_RNG = np.random.default_rng(3)
N = _RNG.standard_normal
A = N((3, 3)) + 4 * np.eye(3)
S = N((3, 3)) / 4
H = (S + S.T) + 3 * np.diag([1.0, 2.0, 4.0])
SPD = S @ S.T + np.diag([1.0, 2.0, 3.0])
M = N((4, 2))
W = N((2, 4))
B = N((3, 2))
V = N(3)
STACK = N((2, 3, 3)) + 4 * np.eye(3)
C = np.concatenate([[5.0], N(3)])
R = N(4)
BANDS = N((4, 5)) + np.array([[0.0], [0.0], [6.0], [0.0]])
DEFINITE = np.array([[4.0, 5.0, 4.5, 5.5], [1.0, 0.5, -0.7, 0.0]])
SPREAD = np.array([[4.0, 7.0, 8.5, 11.5], [1.0, 0.5, -0.7, 0.0]])
D, E = np.array([1.0, 3.0, 6.0, 8.0]), np.array([0.5, -0.3, 0.8])


def sym(x):
    return (x + x.T) / 2


CASES = {
    # systems
    "solve": (lambda m, a, b: m.solve(a, b), A, V),
    "solve matrix": (lambda m, a, b: m.solve(a, b, assume_a="gen", overwrite_a=True), A, B),
    "solve sym": (lambda m, a, b: m.solve(a, b, assume_a="sym"), A, B),
    "solve sym lower": (lambda m, a, b: m.solve(a, b, assume_a="sym", lower=True), A, V),
    "solve her": (lambda m, a, b: m.solve(a, b, assume_a="her"), A, B),
    "solve pos": (lambda m, a, b: m.solve(a, b, assume_a="pos"), SPD, B),
    "solve upper": (lambda m, a, b: m.solve(a, b, assume_a="upper triangular"), A, B),
    "solve lower": (lambda m, a, b: m.solve(a, b, assume_a="lower triangular"), A, V),
    "solve diagonal": (lambda m, a, b: m.solve(a, b, assume_a="diagonal"), A, V),
    "solve tridiagonal": (lambda m, a, b: m.solve(a, b, assume_a="tridiagonal"), A, V),
    "solve banded": (lambda m, a, b: m.solve(a, b, assume_a="banded"), A, V),
    "solve transposed": (lambda m, a, b: m.solve(a, b, transposed=True), A, B),
    "solve transposed lower": (
        lambda m, a, b: m.solve(a, b, transposed=True, assume_a="lower triangular"),
        A,
        B,
    ),
    "solve stack": (lambda m, a, b: m.solve(a, b), STACK, B),
    "solve_triangular": (lambda m, a, b: m.solve_triangular(a, b), A, V),
    "solve_triangular T": (lambda m, a, b: m.solve_triangular(a, b, trans="T", lower=True), A, B),
    "solve_triangular C": (lambda m, a, b: m.solve_triangular(a, b, trans="C", unit_diagonal=True), A, B),
    "inv": (lambda m, a: m.inv(a), A),
    "inv pos": (lambda m, a: m.inv(a, assume_a="pos", lower=True), SPD),
    "det": (lambda m, a: m.det(a), A),
    "det stack": (lambda m, a: m.det(a), STACK),
    "lu_solve": (lambda m, a, b: m.lu_solve(m.lu_factor(a), b), A[::-1], B),
    "lu_solve T": (lambda m, a, b: m.lu_solve(m.lu_factor(a), b, trans=1), A[::-1], V),
    "lu_factor": (lambda m, a: m.lu_factor(a)[0], A[::-1]),
    "lu": (lambda m, a: m.lu(a), A[::-1]),
    "lu tall": (lambda m, a: m.lu(a), M),
    "lu wide": (lambda m, a: m.lu(a, permute_l=True), W),
    "lu indices": (lambda m, a: m.lu(a, p_indices=True)[1:], A[::-1]),
    "lu stack": (lambda m, a: m.lu(a, permute_l=True), STACK[:, ::-1]),
    "cholesky": (lambda m, a: m.cholesky(a), SPD),
    "cholesky lower": (lambda m, a: m.cholesky(a, lower=True), SPD),
    "cho_factor": (lambda m, a: m.cho_factor(a)[0], SPD),
    "cho_factor lower": (lambda m, a: m.cho_factor(a, lower=True)[0], SPD),
    "cho_solve": (lambda m, a, b: m.cho_solve(m.cho_factor(a), b), SPD, B),
    "cho_solve lower": (lambda m, a, b: m.cho_solve(m.cho_factor(a, lower=True), b), SPD, V),
    "solve_circulant": (lambda m, c, b: m.solve_circulant(c, b), C, N(4)),
    "solve_circulant matrix": (lambda m, c, b: m.solve_circulant(c, b, outaxis=-1), C, N((4, 2))),
    "lstsq": (lambda m, a, b: m.lstsq(a, b)[:2], M, N(4)),
    "lstsq matrix": (lambda m, a, b: m.lstsq(a, b)[0], M, N((4, 3))),
    "lstsq wide": (lambda m, a, b: m.lstsq(a, b)[0], W, N(2)),
    "pinv": (lambda m, a: m.pinv(a), M),
    "pinvh": (lambda m, a: m.pinvh(a), H),
    # bands
    "solve_banded": (lambda m, a, b: m.solve_banded((1, 2), a, b), BANDS, N(5)),
    "solve_banded matrix": (lambda m, a, b: m.solve_banded((1, 2), a, b), BANDS, N((5, 2))),
    "solveh_banded": (lambda m, a, b: m.solveh_banded(a, b, lower=True), DEFINITE, N(4)),
    "solveh_banded upper": (lambda m, a, b: m.solveh_banded(a, b), DEFINITE[::-1, ::-1], N((4, 2))),
    "cholesky_banded": (lambda m, a: m.cholesky_banded(a, lower=True), DEFINITE),
    "cho_solve_banded": (
        lambda m, a, b: m.cho_solve_banded((m.cholesky_banded(a, lower=True), True), b),
        DEFINITE,
        N(4),
    ),
    "cho_solve_banded upper": (
        lambda m, a, b: m.cho_solve_banded((m.cholesky_banded(a), False), b),
        np.array([[0.0, 1.0, 0.5, -0.7], [4.0, 5.0, 4.5, 5.5]]),
        N((4, 2)),
    ),
    "solve_toeplitz": (lambda m, c, r, b: m.solve_toeplitz((c, r), b), C, R, N(4)),
    "solve_toeplitz symmetric": (lambda m, c, b: m.solve_toeplitz(c, b), C, N((4, 2))),
    "matmul_toeplitz": (lambda m, c, r, x: m.matmul_toeplitz((c, r), x), C, N(3), N(3)),
    "matmul_toeplitz matrix": (lambda m, c, x: m.matmul_toeplitz(c, x), C, N((4, 2))),
    "eigh_tridiagonal": (lambda m, d, e: m.eigh_tridiagonal(d, e), D, E),
    "eigh_tridiagonal chosen": (
        lambda m, d, e: m.eigh_tridiagonal(d, e, eigvals_only=True, select="i", select_range=(1, 2)),
        D,
        E,
    ),
    "eigvalsh_tridiagonal": (lambda m, d, e: m.eigvalsh_tridiagonal(d, e), D, E),
    "eig_banded": (lambda m, a: m.eig_banded(a, lower=True), SPREAD),
    "eigvals_banded": (lambda m, a: m.eigvals_banded(a, lower=True), SPREAD),
    # factorizations
    "qr": (lambda m, a: m.qr(a), A),
    "qr economic": (lambda m, a: m.qr(a, mode="economic"), M),
    "qr r": (lambda m, a: m.qr(a, mode="r"), M),
    "qr wide": (lambda m, a: m.qr(a), W),
    "qr pivoting": (lambda m, a: m.qr(a, pivoting=True)[:2], A),
    "rq": (lambda m, a: m.rq(a), A),
    "rq wide": (lambda m, a: m.rq(a, mode="economic"), W),
    "rq tall": (lambda m, a: m.rq(a, mode="economic"), M),
    "qr_multiply": (lambda m, a, c: m.qr_multiply(a, c), M, N((3, 4))),
    "qr_multiply left": (lambda m, a, c: m.qr_multiply(a, c, mode="left"), M, N((2, 3))),
    "svd": (lambda m, a: m.svd(a, full_matrices=False), M),
    "svd values": (lambda m, a: m.svd(a, compute_uv=False), A),
    "svdvals": (lambda m, a: m.svdvals(a), W),
    "polar": (lambda m, a: m.polar(a), A),
    "polar left": (lambda m, a: m.polar(a, side="left"), A),
    "orthogonal_procrustes": (lambda m, a, b: m.orthogonal_procrustes(a, b), N((4, 3)), N((4, 3))),
    "matrix_balance": (lambda m, a: m.matrix_balance(a)[0], A * np.array([1.0, 1e3, 1.0])),
    "norm": (lambda m, a: m.norm(a), A),
    "norm 2": (lambda m, a: m.norm(a, 2), A),
    "norm axis": (lambda m, a: m.norm(a, 3, axis=0), A),
    # spectra
    "eigvals": (lambda m, a: np.real(m.eigvals(a)), H),
    "eig": (lambda m, a: [np.real(x) for x in m.eig(a)], H + S / 8),
    "eig left": (lambda m, a: [np.real(x) for x in m.eig(a, left=True)], H + S / 8),
    "eig pencil": (lambda m, a, b: np.real(m.eigvals(a, b)), H, SPD),
    "eigh": (lambda m, a: m.eigh(a), H),
    "eigh upper": (lambda m, a: m.eigh(a, lower=False), H),
    "eigh index": (lambda m, a: m.eigh(a, subset_by_index=[1, 2]), H),
    "eigh pencil": (lambda m, a, b: m.eigh(a, b, eigvals_only=True), H, SPD),
    "eigh pencil 2": (lambda m, a, b: m.eigh(a, b, type=2, eigvals_only=True), H, SPD),
    "eigh pencil vectors": (lambda m, a, b: np.abs(m.eigh(a, b)[1]), H, SPD),
    "eigh pencil 3": (lambda m, a, b: np.abs(m.eigh(a, b, type=3)[1]), H, SPD),
    "eigvalsh": (lambda m, a: m.eigvalsh(a), H),
    "eigvalsh values": (lambda m, a, b: m.eigvalsh(a, b, subset_by_index=(0, 1)), H, SPD),
    # functions
    "expm": (lambda m, a: m.expm(a), S),
    "expm stack": (lambda m, a: m.expm(a), N((2, 2, 2))),
    "expm_frechet": (lambda m, a, e: m.expm_frechet(a, e), S, N((3, 3))),
    "expm_cond": (lambda m, a: m.expm_cond(a), N((2, 2))),
    "logm": (lambda m, a: m.logm(a), SPD[:2, :2]),
    "logm of a Jordan block": (lambda m, a: m.logm(a), np.array([[2.0, 1.0], [0.0, 2.0]])),
    "sqrtm": (lambda m, a: m.sqrtm(a), A),
    "signm": (lambda m, a: m.signm(a), S + np.diag([3.0, -3.0, 4.0])),
    "fractional_matrix_power": (lambda m, a: m.fractional_matrix_power(a, 0.5), SPD[:2, :2]),
    "fractional_matrix_power integer": (lambda m, a: m.fractional_matrix_power(a, 3), A),
    "cosm": (lambda m, a: m.cosm(a), S),
    "sinm": (lambda m, a: m.sinm(a), S),
    "tanm": (lambda m, a: m.tanm(a), S),
    "coshm": (lambda m, a: m.coshm(a), S),
    "sinhm": (lambda m, a: m.sinhm(a), S),
    "tanhm": (lambda m, a: m.tanhm(a), S),
    "funm": (lambda m, a: m.funm(a, lambda x: x * x), H + S / 8),
    "khatri_rao": (lambda m, a, b: m.khatri_rao(a, b), M, B),
    # equations
    "solve_sylvester": (lambda m, a, b, q: m.solve_sylvester(a, b, q), A, SPD, N((3, 3))),
    "solve_continuous_lyapunov": (lambda m, a, q: m.solve_continuous_lyapunov(a, q), A, N((3, 3))),
    "solve_lyapunov": (lambda m, a, q: m.solve_lyapunov(a, q), A, SPD),
    "solve_discrete_lyapunov": (lambda m, a, q: m.solve_discrete_lyapunov(a, q), S, N((3, 3))),
    "solve_discrete_lyapunov bilinear": (
        lambda m, a, q: m.solve_discrete_lyapunov(a, q, method="bilinear"),
        S,
        N((3, 3)),
    ),
    "solve_continuous_are": (
        lambda m, a, b, q, r: m.solve_continuous_are(a, b, sym(q), sym(r)),
        A,
        B,
        SPD,
        SPD[:2, :2],
    ),
    "solve_continuous_are e s": (
        lambda m, a, b, e, s: m.solve_continuous_are(a, b, SPD, np.eye(2), e, s),
        A,
        B,
        np.eye(3) + S / 4,
        B / 9,
    ),
    "solve_discrete_are": (
        lambda m, a, b, q, r: m.solve_discrete_are(a, b, sym(q), sym(r)),
        S,
        B,
        SPD,
        SPD[:2, :2],
    ),
    "solve_discrete_are e s": (
        lambda m, a, b, e, s: m.solve_discrete_are(a, b, SPD, np.eye(2), e, s),
        S,
        B,
        np.eye(3) + S / 4,
        B / 9,
    ),
    # special matrices
    "toeplitz": (lambda m, c, r: m.toeplitz(c, r), C, N(2)),
    "toeplitz symmetric": (lambda m, c: m.toeplitz(c), C),
    "toeplitz stack": (lambda m, c, r: m.toeplitz(c, r), N((2, 3)), N(2)),
    "circulant": (lambda m, c: m.circulant(c), C),
    "hankel": (lambda m, c, r: m.hankel(c, r), C, N(2)),
    "hankel zeros": (lambda m, c: m.hankel(c), C),
    "leslie": (lambda m, f, s: m.leslie(f, s), V, N(2)),
    "diagsvd": (lambda m, s: m.diagsvd(s, 3, 4), V),
    "convolution_matrix": (lambda m, a: m.convolution_matrix(a, 4, "same"), V),
    "companion": (lambda m, a: m.companion(a), C),
    "fiedler_companion": (lambda m, a: m.fiedler_companion(a), np.concatenate([C, V])),
    "fiedler": (lambda m, a: m.fiedler(a), V),
    "block_diag": (lambda m, a, b, c: m.block_diag(a, b, c), A, B, V),
}
# what is decided by values cannot be decided for a whole batch
DECIDED = {
    "orth": (lambda m, a: m.orth(a) @ m.orth(a).T, M),
    "null_space": (lambda m, a: m.null_space(a) @ m.null_space(a).T, W),
    "subspace_angles": (lambda m, a, b: m.subspace_angles(a, b), N((5, 2)), N((5, 2))),
    "subspace_angles one": (lambda m, a, b: m.subspace_angles(a, b), N((5, 2)), N((5, 1))),
    "eigh value": (lambda m, a: m.eigh(a, subset_by_value=(1.0, 8.0), eigvals_only=True), H),
    "pinv rank": (lambda m, a: m.pinv(a, return_rank=True)[0], M),
    "clarkson_woodruff_transform": (lambda m, a: m.clarkson_woodruff_transform(a, 3, rng=1), N((6, 2))),
}
# of the primitives, tests/primitives has second derivatives; these are compositions
SECOND_ORDER = {
    "solve",
    "lu_solve",
    "cho_solve",
    "lstsq",
    "rq",
    "eig left",
    "eigh pencil",
    "tanm",
    "funm",
    "orth",
}
NO_BATCH = {"funm", "solve_circulant", "solve_circulant matrix", "lu_solve", "lu_solve T"}
DOUBLE = {
    "det",
    "det stack",
    "expm_frechet",
    "matmul_toeplitz",
    "matmul_toeplitz matrix",
}  # whatever is given
NO_FLOAT32 = {"signm", "expm_cond", "matrix_balance", "logm", "logm of a Jordan block"} | DOUBLE


@pytest.mark.parametrize("name", [*CASES, *DECIDED])
def test_values_are_scipys(name):
    f, *args = (CASES | DECIDED)[name]
    expected = f(sl, *args)
    found, _ = fd.jvp(lambda *xs: f(fl, *xs), tuple(args), tuple(args))
    for a, b in zip(*(x if isinstance(x, (tuple, list)) else [x] for x in (found, expected)), strict=True):
        assert np.shape(a) == np.shape(b)
        assert np.asarray(a).dtype == np.asarray(b).dtype
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("name", [*CASES, *DECIDED])
def test_derivatives(name):
    f, *args = (CASES | DECIDED)[name]
    batched = name in CASES and name not in NO_BATCH
    check(lambda *xs: f(fl, *xs), *args, batched=batched, order=2 if name in SECOND_ORDER else 1)


@pytest.mark.parametrize("name", [n for n in CASES if n not in NO_FLOAT32])
def test_float32_is_kept(name):
    f, *args = CASES[name]
    keeps_float32(lambda *xs: f(fl, *xs), *args)


PUBLIC = [n for n in sl.__all__ if callable(getattr(sl, n)) and not isinstance(getattr(sl, n), type)]


def test_every_public_function_is_there():
    assert not [n for n in PUBLIC if not hasattr(fl, n)]
    assert set(fl.__all__) >= set(PUBLIC)


@pytest.mark.parametrize("name", PUBLIC)
def test_signatures_are_scipys(name):
    ours, theirs = (list(inspect.signature(getattr(m, name)).parameters) for m in (fl, sl))
    assert ours == theirs


@pytest.mark.parametrize("name", [n for n in PUBLIC if hasattr(getattr(fl, n), "without_rule")])
def test_what_has_no_rule_says_so(name):
    with pytest.raises(errors.UnsupportedError, match=f"scipy.linalg.{name}"):
        fd.grad(lambda a: np.sum(getattr(fl, name)(a)[0]))(A)
