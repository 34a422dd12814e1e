"""Sparse matrices: plain ones with traced vectors, traced elements, and `fd.scipy.sparse.linalg`."""

import functools
import inspect

import numpy as np
import pytest
import scipy.sparse as sp
import scipy.sparse.linalg as ssl

import funcdiff as fd
from funcdiff import errors
from funcdiff.scipy import sparse as fs
from funcdiff.scipy.sparse import linalg as fsl
from tests.numpy.checks import check

_RNG = np.random.default_rng(7)
N = _RNG.standard_normal
PLACES = np.array([0, 1, 2, 3, 0, 2, 3]), np.array([0, 1, 2, 3, 2, 1, 0])
DATA = np.concatenate([[5.0, 4.0, 6.0, 5.0], N(3)])
A = sp.csr_array((DATA, PLACES), shape=(4, 4))
S = A + A.T
RECT = sp.csr_array(N((4, 3)) * (_RNG.random((4, 3)) > 0.4))
X, V, M = N(3), N(4), N((4, 2))
FORMATS = ("csr", "csc", "coo", "bsr", "dia", "lil", "dok")


def made(m, data, format="csr"):
    return getattr(m, f"{format}_array")((data, PLACES), shape=(4, 4))


def symmetric(m, data):
    a = made(m, data)
    return a + a.T


# --- plain matrices -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["array", "matrix"])
@pytest.mark.parametrize("format", FORMATS)
def test_plain_matrices_in_all_formats(format, kind):
    a = getattr(sp, f"{format}_{kind}")(RECT)
    for f, x in [
        (lambda x: a @ x, X),
        (lambda x: a.dot(x), X),
        (lambda x: a @ x, N((3, 2))),
        (lambda x: a.T @ x, V),
        (lambda x: x @ a, V),
        (lambda x: x @ a, M.T),
        (lambda x: a.T.dot(x), M),
    ]:
        np.testing.assert_allclose(fd.jvp(f, (x,), (x,))[0], f(x), rtol=1e-13)
        check(f, x, order=1)


@pytest.mark.parametrize("format", FORMATS)
def test_elementwise_with_plain_arrays(format):
    a = getattr(sp, f"{format}_array")(A)
    for f in (
        lambda x: (x * a).toarray(),
        lambda x: (a * x).toarray(),
        lambda x: a + x * np.eye(4),
        lambda x: x[:, None] - a,
    ):
        np.testing.assert_allclose(fd.jvp(f, (V,), (V,))[0], f(V), rtol=1e-13)
        check(f, V, order=1)
    check(lambda s: (s * a) @ V, 1.3, order=1)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: A / x,
        lambda x: x / A,
        lambda x: A + x[0],
        lambda x: A * x[0],
        lambda x: A.maximum(x),
        lambda x: A.multiply(x).toarray(),
        lambda x: np.dot(A, x),
        lambda x: np.matmul(A, x),
        lambda x: sp.csr_matrix(A) + x,
        lambda x: np.multiply(sp.csr_matrix(A), x),
        lambda x: sp.coo_array((x, (np.arange(4), np.arange(4)))),
        lambda x: sp.diags_array(x),
        lambda x: ssl.spsolve(A, x),
        lambda x: ssl.splu(A.tocsc()).solve(x),
        lambda x: ssl.cg(A, x)[0],
        lambda x: ssl.gmres(A, x)[0],
        lambda x: ssl.lsqr(A, x)[0],
    ],
)
def test_what_plain_sparse_arrays_cannot_do_raises(f):
    with pytest.raises((errors.FuncdiffError, TypeError, ValueError, NotImplementedError, AttributeError)):
        fd.grad(lambda x: np.sum(f(x)))(V)


def test_plain_complex_matrices():
    a = RECT + 1j * RECT.multiply(2.0)
    fd.testing.check_grads(lambda z: a @ z, (X + 1j * X[::-1],), order=2)
    fd.testing.check_grads(lambda x: np.real(a @ x), (X,), order=2)


# --- traced elements ----------------------------------------------------------------------------------------

ELEMENTS = {
    "matvec": lambda m, d: made(m, d) @ V,
    "matmat": lambda m, d: made(m, d, "csc") @ M,
    "from the left": lambda m, d: V @ made(m, d, "coo"),
    "matrix from the left": lambda m, d: M.T @ made(m, d),
    "transposed": lambda m, d: made(m, d).T @ V,
    "dot": lambda m, d: made(m, d).dot(V),
    "toarray": lambda m, d: made(m, d).toarray(),
    "sum": lambda m, d: made(m, d).sum(),
    "sum 0": lambda m, d: made(m, d).sum(axis=0),
    "sum 1": lambda m, d: made(m, d).sum(axis=-1),
    "mean": lambda m, d: made(m, d).mean(axis=0),
    "diagonal": lambda m, d: made(m, d).diagonal(),
    "diagonal 2": lambda m, d: made(m, d).diagonal(k=2),
    "diagonal -1": lambda m, d: made(m, d).diagonal(k=-1),
    "trace": lambda m, d: made(m, d).trace(),
    "sum of two": lambda m, d: (made(m, d) + made(m, d).T).toarray(),
    "difference with plain": lambda m, d: (made(m, d) - A).toarray(),
    "plain first": lambda m, d: (A - 2 * made(m, d)).toarray(),
    "with dense": lambda m, d: made(m, d) + np.ones((4, 4)),
    "multiply": lambda m, d: made(m, d).multiply(V).toarray(),
    "multiply column": lambda m, d: made(m, d).multiply(V[:, None]).toarray(),
    "divide": lambda m, d: (made(m, d) / 3).toarray(),
    "power": lambda m, d: made(m, d).power(2).toarray(),
    "csc": lambda m, d: made(m, d).tocsc().data,
    "csr": lambda m, d: made(m, d, "csc").tocsr().data,
    "pointers": lambda m, d: m.csr_array((d, [0, 2, 1, 1, 2, 0, 3], [0, 2, 3, 5, 7]), shape=(4, 4)) @ V,
    "pointers csc": lambda m, d: m.csc_array((d, [0, 2, 1, 1, 2, 0, 3], [0, 2, 3, 5, 7])) @ V,
    "diags": lambda m, d: m.diags_array([d[:4], d[4:]], offsets=[0, -1]).toarray(),
    "diags one": lambda m, d: m.diags_array(d[:4]).toarray(),
    "diags spread": lambda m, d: m.diags([d[:1], d[1:4]], [1, 0], shape=(3, 4)).toarray(),
    "vstack": lambda m, d: m.vstack([made(m, d), A]).toarray(),
    "hstack": lambda m, d: m.hstack([A, made(m, d)], format="csc") @ np.concatenate([V, V]),
    "block_diag": lambda m, d: m.block_diag([made(m, d), np.ones((1, 2))]).toarray(),
    "kron": lambda m, d: m.kron(made(m, d), RECT).toarray(),
    "repeated places": lambda m, d: m.coo_array(
        (d, (PLACES[0] // 2, PLACES[1] // 2)), shape=(2, 2)
    ).toarray(),
    "norm": lambda m, d: (fsl if m is fs else ssl).norm(made(m, d)),
    "norm 1": lambda m, d: (fsl if m is fs else ssl).norm(made(m, d), 1),
}
ELEMENTS |= {
    "times plain": lambda m, d: (made(m, d) @ A).toarray(),
    "plain times": lambda m, d: (A @ made(m, d)).toarray(),
    "plain matrix times": lambda m, d: (sp.csr_matrix(A) @ made(m, d)).toarray(),
    "times itself": lambda m, d: (made(m, d) @ made(m, d, "csc").T).toarray(),
    "times rectangle": lambda m, d: made(m, d, "csc").dot(RECT).toarray(),
    "times nothing": lambda m, d: (made(m, d) @ sp.csr_array((4, 2))).toarray(),
    "elementwise": lambda m, d: made(m, d).multiply(A.T).toarray(),
    "elementwise with itself": lambda m, d: (made(m, d) * made(m, d).T).toarray(),
    "elementwise, plain first": lambda m, d: (A * made(m, d)).toarray(),
    "elementwise, repeated places": lambda m, d: halved(m, d).multiply(halved(m, 2 * d)).toarray(),
    "element": lambda m, d: made(m, d)[2, 1],
    "element that is not stored": lambda m, d: made(m, d)[1, 0] * 1.0,
    "element from the end": lambda m, d: made(m, d)[-1, -1],
    "repeated element": lambda m, d: halved(m, d)[0, 1],
    "rows": lambda m, d: made(m, d)[[2, 0, 2]].toarray(),
    "slice": lambda m, d: made(m, d)[1:3].toarray(),
    "slices": lambda m, d: made(m, d)[1:, ::-2].toarray(),
    "columns": lambda m, d: made(m, d)[:, [1, 3]].toarray(),
    "mask": lambda m, d: made(m, d)[np.array([True, False, True, False])].toarray(),
    "block": lambda m, d: made(m, d)[np.ix_([0, 2], [1, 2, 2])].toarray(),
    "everything": lambda m, d: made(m, d)[...].toarray(),
    "tril": lambda m, d: m.tril(made(m, d)).toarray(),
    "triu": lambda m, d: m.triu(made(m, d), k=1, format="csc").toarray(),
    "power of a matrix": lambda m, d: (fsl if m is fs else ssl).matrix_power(made(m, d), 5).toarray(),
}


def halved(m, d):
    return m.coo_array((d, (PLACES[0] // 2, PLACES[1] // 2)), shape=(2, 2)).tocsr()


@pytest.mark.parametrize("name", ELEMENTS)
def test_traced_elements(name):
    f = ELEMENTS[name]
    expected = f(sp, DATA)
    np.testing.assert_allclose(fd.jvp(lambda d: f(fs, d), (DATA,), (DATA,))[0], expected, rtol=1e-12)
    check(lambda d: f(fs, d), DATA, order=1)


def test_both_factors_traced():
    check(lambda d, x: made(fs, d) @ x, DATA, M)
    check(lambda d, x: x @ made(fs, d), DATA, V)


def test_plain_elements_give_scipys_arrays():
    assert type(made(fs, DATA)) is sp.csr_array
    assert type(fs.vstack([A, A])).__module__.startswith("scipy.sparse")
    assert fs.issparse(A)


def test_elements_under_vmap_and_second_order():
    check(lambda d, x: made(fs, d) @ (made(fs, d).T @ x), DATA, V)
    stack = np.stack([DATA, 2 * DATA])
    found = fd.vmap(lambda d: made(fs, d))(stack)
    assert found.data.shape == (2, 7)


def test_it_is_a_container():
    a = fd.jvp(lambda d: made(fs, d), (DATA,), (DATA,))[0]
    assert isinstance(a, fs.SparseArray)
    g = fd.grad(lambda a: np.sum((a @ V) ** 2))(a)
    expected = fd.grad(lambda d: np.sum((fs.coo_array((d, a.coords), shape=(4, 4)) @ V) ** 2))(a.data)
    np.testing.assert_allclose(g.data, expected)
    assert (g.shape, g.nnz, g.format) == ((4, 4), 7, a.format)
    assert "7 stored elements" in repr(a)


@pytest.mark.parametrize(
    "f",
    [
        lambda a: a[0],
        lambda a: a[:, 1],
        lambda a: a[[0, 1], [1, 2]],
        lambda a: a == A,
        lambda a: a < A,
        lambda a: A.maximum(a),
        lambda a: np.asarray(a),
        lambda a: np.sin(a),
        lambda a: a + 1.0,
        lambda a: fs.find(a),
        lambda a: fsl.eigsh(A, M=a),
        lambda a: fsl.eigsh(a, 1, OPinv=A),
        lambda a: fsl.eigs(A, 1, v0=a.data[:4])[0],
        lambda a: fsl.eigsh(a, 1, v0=a.data[:4])[0],
        lambda a: fsl.svds(fsl.LinearOperator((4, 4), lambda x: a @ x), 1)[1],
        lambda a: fsl.lobpcg(a, M, retLambdaHistory=True)[0],
        lambda a: fsl.matrix_power(a, 0),
        lambda a: fsl.spilu(a),
        lambda a: fsl.spsolve(a, A),
        lambda a: fsl.expm_multiply(a, V),
    ],
)
def test_what_is_not_supported_raises(f):
    with pytest.raises((errors.UnsupportedError, TypeError)):
        fd.grad(lambda d: np.sum(f(made(fs, d)).toarray()))(DATA)


# --- spectra ------------------------------------------------------------------------------------------------

LARGE = 9
BELOW = np.array([1, 3, 5, 5, 7, 8]), np.array([0, 1, 2, 4, 3, 7])
MASS = sp.diags_array(np.linspace(1.0, 1.6, LARGE))
SPECTRUM = np.concatenate([np.arange(1.0, LARGE + 1) ** 1.3, N(6)])
PROJECTION = N((LARGE, LARGE))


def banded(m, d):
    """A symmetric matrix with simple eigenvalues."""
    n = np.arange(LARGE)
    rows, columns = np.concatenate([n, *BELOW]), np.concatenate([n, *BELOW[::-1]])
    return m.coo_array((np.concatenate([d, d[LARGE:]]), (rows, columns)), shape=(LARGE, LARGE)).tocsr()


def tall(m, d):
    places = np.arange(len(d))
    return m.coo_array((d, (places % 5, places * 2 % 3)), shape=(5, 3)).tocsr()


def symmetric_pairs(found):
    """What does not depend on the signs of the vectors."""
    w, v = found
    return w, v**4, np.sum(PROJECTION * (v @ v.T))


def singular_triplets(found):
    u, s, vh = found
    return s, np.abs(u) ** 4, np.abs(vh) ** 4, np.abs((u * s) @ vh) ** 2


START = np.eye(LARGE)[:, -1:] + 0.1
SPECTRA = {
    "eigsh": lambda m, s, d: symmetric_pairs(s.eigsh(banded(m, d), 3)),
    "eigsh smallest": lambda m, s, d: symmetric_pairs(s.eigsh(banded(m, d), 2, which="SA")),
    "eigsh near a value": lambda m, s, d: symmetric_pairs(s.eigsh(banded(m, d), 2, sigma=3.0)),
    "eigsh with a mass": lambda m, s, d: symmetric_pairs(s.eigsh(banded(m, d), 2, M=MASS)),
    "eigsh values": lambda m, s, d: s.eigsh(banded(m, d), 3, return_eigenvectors=False),
    "eigsh dense": lambda m, s, d: symmetric_pairs(s.eigsh(banded(m, d).toarray(), 2)),
    "eigs": lambda m, s, d: [np.sum(np.abs(p) ** 4) for p in s.eigs(banded(m, d), 2)],
    "eigs with a mass": lambda m, s, d: [np.abs(p) ** 2 for p in s.eigs(banded(m, d), 1, M=MASS)],
    "eigs values": lambda m, s, d: np.sort(np.real(s.eigs(banded(m, d), 2, return_eigenvectors=False))),
    "eigs of a rotation": lambda m, s, d: [np.sum(np.abs(p) ** 4) for p in s.eigs(skewed(m, d), 2)],
    "svds": lambda m, s, d: singular_triplets(s.svds(tall(m, d), 2)),
    "svds wide": lambda m, s, d: singular_triplets(s.svds(tall(m, d).T, 1)),
    "svds of complex elements": lambda m, s, d: singular_triplets(s.svds(tall(m, d + 1j * d**2), 1)),
    "svds values": lambda m, s, d: s.svds(tall(m, d), 2, return_singular_vectors=False),
    "svds half": lambda m, s, d: np.abs(s.svds(tall(m, d), 1, return_singular_vectors="u")[0]) ** 2,
    "lobpcg": lambda m, s, d: symmetric_pairs(s.lobpcg(banded(m, d), START, tol=1e-11, maxiter=200)),
}


def skewed(m, d):
    """A matrix whose largest eigenvalues are a conjugate pair."""
    turn = m.coo_array((20 * np.ones(2) * d[0], ([0, 1], [1, 0])), shape=(LARGE, LARGE))
    return banded(m, d) + turn.multiply(np.where(np.tri(LARGE, dtype=bool), -1.0, 1.0))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", SPECTRA)
def test_spectra(name):
    f = SPECTRA[name]
    d = SPECTRUM if "svds" not in name else SPECTRUM[:8] / 4 + 0.3
    plain = f(sp, ssl, d)
    traced = fd.jvp(lambda d: f(fs, fsl, d), (d,), (d,))[0]
    for a, b in zip(*(p if isinstance(p, (tuple, list)) else [p] for p in (traced, plain)), strict=True):
        order = np.argsort(b) if np.ndim(b) == 1 else ...
        np.testing.assert_allclose(
            np.sort(a) if np.ndim(a) == 1 else a, b[order] if np.ndim(b) == 1 else b, atol=1e-8
        )
    check(lambda d: f(fs, fsl, d), d, order=2, values=False, batched=name in ("eigsh", "svds", "eigs"))


def test_equal_eigenvalues_contribute_nothing_between_themselves():
    def subspace(d):
        _, v = fsl.eigsh(fs.diags_array(d) + sp.csr_array(PLACES_OF_ONE, shape=(5, 5)), 2)
        return np.sum((v @ v.T) ** 2 * np.arange(25.0).reshape(5, 5))

    d = np.array([1.0, 2.0, 6.0, 6.0, 3.0])
    slope, h = fd.grad(subspace)(d), 1e-5
    for n in (0, 1, 4):
        e = h * np.eye(5)[n]
        np.testing.assert_allclose(slope[n], (subspace(d + e) - subspace(d - e)) / (2 * h), atol=1e-6)


PLACES_OF_ONE = (np.array([0.4, 0.4, 0.2, 0.2]), (np.array([0, 2, 1, 3]), np.array([2, 0, 3, 1])))


# --- systems ------------------------------------------------------------------------------------------------

TIGHT = {"rtol": 1e-13}
SYSTEMS = {
    "spsolve": lambda m, s, d, b: s.spsolve(made(m, d), b),
    "spsolve csc": lambda m, s, d, b: s.spsolve(made(m, d, "csc"), b, permc_spec="NATURAL"),
    "splu": lambda m, s, d, b: s.splu(made(m, d, "csc")).solve(b),
    "splu T": lambda m, s, d, b: s.splu(made(m, d, "csc")).solve(b, "T"),
    "splu H": lambda m, s, d, b: s.splu(made(m, d, "csc")).solve(b, "H"),
    "factorized": lambda m, s, d, b: s.factorized(made(m, d, "csc"))(b),
    "cg": lambda m, s, d, b: s.cg(symmetric(m, d), b, **TIGHT)[0],
    "minres": lambda m, s, d, b: s.minres(symmetric(m, d), b, **TIGHT)[0],
    "gmres": lambda m, s, d, b: s.gmres(made(m, d), b, x0=np.ones(4), **TIGHT)[0],
    "gmres M": lambda m, s, d, b: s.gmres(made(m, d), b, M=sp.diags_array(1 / A.diagonal()), **TIGHT)[0],
    "bicg": lambda m, s, d, b: s.bicg(made(m, d), b, **TIGHT)[0],
    "bicgstab": lambda m, s, d, b: s.bicgstab(made(m, d), b, **TIGHT)[0],
    "cgs": lambda m, s, d, b: s.cgs(made(m, d), b, **TIGHT)[0],
    "lgmres": lambda m, s, d, b: s.lgmres(made(m, d), b, **TIGHT)[0],
    "gcrotmk": lambda m, s, d, b: s.gcrotmk(made(m, d), b, **TIGHT)[0],
    "qmr": lambda m, s, d, b: s.qmr(made(m, d), b, **TIGHT)[0],
    "tfqmr": lambda m, s, d, b: s.tfqmr(made(m, d), b, **TIGHT)[0],
    "lsqr": lambda m, s, d, b: [s.lsqr(made(m, d), b, atol=1e-14, btol=1e-14)[n] for n in (0, 8)],
    "lsmr": lambda m, s, d, b: [s.lsmr(made(m, d), b, atol=1e-14, btol=1e-14)[n] for n in (0, 7)],
}


@pytest.mark.parametrize("name", SYSTEMS)
def test_systems_with_traced_elements(name):
    f = SYSTEMS[name]
    found = fd.jvp(lambda d, b: f(fs, fsl, d, b), (DATA, V), (DATA, V))[0]
    expected = f(sp, ssl, DATA, V)
    for a, b in zip(*([x] if isinstance(x, np.ndarray) else x for x in (found, expected)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9)
    check(
        lambda d, b: f(fs, fsl, d, b), DATA, V, order=1 + (name in ("spsolve", "gmres", "lsqr")), values=False
    )


@pytest.mark.parametrize("name", SYSTEMS)
def test_systems_with_plain_matrices(name):
    def f(b):
        return SYSTEMS[name](sp, fsl, DATA, b)

    check(f, V, order=1, values=False)


def test_right_hand_sides_of_several_columns():
    check(lambda d, b: fsl.spsolve(made(fs, d), b), DATA, M, order=1)
    check(lambda b: fsl.splu(A.tocsc()).solve(b), M, order=1)
    check(lambda b: fsl.spilu(A.tocsc(), drop_tol=0.2).solve(b, "T"), M, order=1)


def test_complex_systems():
    z = (DATA + 0.3j * DATA[::-1], V + 1j * V[::-1])
    fd.testing.check_grads(lambda d, b: fsl.spsolve(made(fs, d), b), z, order=2)
    fd.testing.check_grads(lambda b: fsl.splu(A.tocsc()).solve(b), z[1:], order=1)
    fd.testing.check_grads(lambda d, b: fsl.gmres(made(fs, d), b, **TIGHT)[0], z, order=1)


def test_triangular_systems():
    lower = sp.tril(A + sp.coo_array(([0.5, 0.3], ([1, 3], [0, 1])), shape=(4, 4)), format="csr").tocoo()

    def solve(m, lib, d, b, **options):
        places = tuple(c.astype(np.int32) for c in lower.coords)  # SciPy 1.17.0 takes no others
        a = m.csr_array((d, places), shape=(4, 4))
        return lib.spsolve_triangular(a, b, **options)

    for options in ({}, {"unit_diagonal": True}):
        f = functools.partial(solve, **options)
        found = fd.jvp(lambda d, f=f: f(fs, fsl, d, V), (lower.data,), (lower.data,))[0]
        np.testing.assert_allclose(found, f(sp, ssl, lower.data, V), rtol=1e-12)
        check(lambda d, b, f=f: f(fs, fsl, d, b), lower.data, V, order=1, values=False)


def test_dense_and_operator_systems():
    dense = A.toarray()
    check(lambda a, b: fsl.gmres(a, b, **TIGHT)[0], dense, V, order=1)
    operator = ssl.aslinearoperator(A)
    check(lambda b: fsl.bicgstab(operator, b, **TIGHT)[0], V, order=1)
    only_forth = fsl.LinearOperator((4, 4), matvec=lambda x: S @ x)
    check(lambda b: fsl.cg(only_forth, b, **TIGHT)[0], V, order=1)


def test_least_squares_of_all_shapes():
    tall = RECT.tocoo()
    options = {"atol": 1e-14, "btol": 1e-14}
    for coords, shape, b in ((tall.coords, (4, 3), V), (tall.coords[::-1], (3, 4), X)):

        def f(d, b, coords=coords, shape=shape):
            return fsl.lsqr(fs.coo_array((d, coords), shape=shape), b, **options)[0]

        check(f, tall.data, b, order=1)
    check(lambda b: fsl.lsqr(RECT, b, damp=0.3, **options)[:1], V, order=1)
    check(lambda b: fsl.lsmr(RECT, b, damp=0.3, **options)[:1], V, order=1)
    for solve, places in ((fsl.lsqr, (3, 4, 7, 8)), (fsl.lsmr, (3, 7))):
        plain = (ssl.lsqr if solve is fsl.lsqr else ssl.lsmr)(RECT, V, damp=0.3, **options)
        traced = fd.jvp(lambda b, s=solve: s(RECT, b, damp=0.3, **options), (V,), (V,))[0]
        for n in places:
            np.testing.assert_allclose(traced[n], plain[n], rtol=1e-8, atol=1e-10)


def test_the_factors_are_reused(monkeypatch):
    calls = []
    original = ssl.splu
    monkeypatch.setattr(ssl, "splu", lambda *args, **kwargs: calls.append(1) or original(*args, **kwargs))
    fd.grad(lambda d, b: np.sum(fsl.spsolve(made(fs, d), b) ** 2), argnums=(0, 1))(DATA, V)
    assert len(calls) == 1


def test_singular_matrices_warn_as_scipys():
    with pytest.warns(ssl.MatrixRankWarning):
        x = fd.jvp(lambda b: fsl.spsolve(sp.csr_array((2, 2)), b), (X[:2],), (X[:2],))[0]
    assert np.isnan(x).all()


def test_derivatives_that_do_not_converge_warn():
    with pytest.warns(RuntimeWarning, match="did not converge"):
        fd.grad(lambda b: np.sum(fsl.gmres(A, b, rtol=1e-14, maxiter=1, restart=1)[0]))(V)


# --- operators and exponentials --------------------------------------------------------------------------------


def test_operators_of_traced_values():
    def f(d, x):
        operator = fsl.LinearOperator(
            (4, 4), matvec=lambda x: d[:4] * x, rmatvec=lambda x: np.conj(d[:4]) * x
        )
        return [
            operator @ x,
            operator.matvec(x),
            operator.T @ x,
            operator.H.dot(x),
            operator @ np.stack([x, x], 1),
        ]

    check(f, DATA, V)
    check(lambda d, x: fsl.aslinearoperator(made(fs, d)).rmatvec(x), DATA, V, order=1)
    check(lambda a, x: fsl.aslinearoperator(a) @ x, A.toarray(), V, order=1)


def test_systems_of_traced_operators_raise():
    def f(d):
        return np.sum(fsl.cg(fsl.LinearOperator((4, 4), matvec=lambda x: d[:4] * x), V)[0])

    with pytest.raises(errors.UnsupportedError, match="Give the matrix itself"):
        fd.grad(f)(DATA)


def test_plain_operators_refuse_traced_vectors():
    with pytest.raises((errors.FuncdiffError, TypeError, ValueError)):
        fd.grad(lambda x: np.sum(ssl.aslinearoperator(A) @ x))(V)
    with pytest.raises(errors.UnsupportedError, match="plain vectors"):
        fd.grad(lambda x: np.sum(fsl.aslinearoperator(ssl.aslinearoperator(A)) @ x))(V)


def test_expm_multiply():
    small = A / 5
    for b in (V, M):
        found = fd.jvp(lambda b: fsl.expm_multiply(small, b), (b,), (b,))[0]
        np.testing.assert_allclose(found, ssl.expm_multiply(small, b), rtol=1e-12)
        check(lambda b: fsl.expm_multiply(small, b), b, order=1)
    check(lambda b: ssl.expm_multiply(small, b), V, order=1, batched=False)  # SciPy's own program, traced
    steps = {"start": 0.0, "stop": 1.0, "num": 3}
    found = fd.jvp(lambda b: fsl.expm_multiply(small, b, **steps), (V,), (V,))[0]
    np.testing.assert_allclose(found, ssl.expm_multiply(small, V, **steps), rtol=1e-10)
    check(lambda b: fsl.expm_multiply(small, b, **steps), V, order=1, values=False)


# --- names ------------------------------------------------------------------------------------------------------

PUBLIC = [n for n in ssl.__all__ if inspect.isfunction(getattr(ssl, n))]


@pytest.mark.parametrize("name", PUBLIC)
def test_names_and_signatures_are_scipys(name):
    ours, theirs = (list(inspect.signature(getattr(m, name)).parameters) for m in (fsl, ssl))
    assert ours == theirs
    assert name in fsl.__all__


def test_all_of_scipy_sparse_is_there():
    assert not [n for n in sp.__all__ if not hasattr(fs, n)]
