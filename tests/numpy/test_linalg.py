"""`numpy.linalg` on traced arrays: values and result classes as NumPy's, derivatives by differences."""

import inspect

import numpy as np
import pytest

import funcdiff as fd
from funcdiff.testing import check_grads

LA = np.linalg


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def complex_normal(*shape, seed=0):
    return normal(*shape, seed=seed) + 1j * normal(*shape, seed=seed + 1)


def regular(*shape, seed=0):
    return normal(*shape, seed=seed) + 3 * np.eye(shape[-1])


def positive(*shape, seed=0):
    a = normal(*shape, seed=seed)
    return a @ np.swapaxes(a, -1, -2) + 2 * np.eye(shape[-1])


def symmetric(*shape, seed=0):
    a = normal(*shape, seed=seed) / 4
    return a + np.swapaxes(a, -1, -2) + np.diag(3.0 * np.arange(shape[-1]))


def traced(f, *args):
    return fd.pullback(f, *args)[0]


def leaves(x):
    return x if isinstance(x, tuple) else (x,)


CASES = {
    "inv": (LA.inv, (regular(2, 3, 3),)),
    "solve, a vector": (LA.solve, (regular(3, 3), normal(3))),
    "solve, a stack and a vector": (LA.solve, (regular(2, 3, 3), normal(3))),
    "solve, a stack": (LA.solve, (regular(2, 3, 3), normal(3, 2))),
    "det": (LA.det, (regular(2, 3, 3),)),
    "slogdet": (LA.slogdet, (regular(3, 3),)),
    "slogdet, complex": (LA.slogdet, (complex_normal(3, 3),)),
    "cholesky": (LA.cholesky, (positive(2, 3, 3),)),
    "cholesky, upper": (lambda a: LA.cholesky(a, upper=True), (positive(3, 3),)),
    "qr": (LA.qr, (normal(4, 3),)),
    "qr, wide": (LA.qr, (normal(2, 4),)),
    "qr, stack": (LA.qr, (normal(2, 3, 3),)),
    "qr, r": (lambda a: LA.qr(a, mode="r"), (normal(3, 4),)),
    "qr, complete": (lambda a: LA.qr(a, mode="complete"), (normal(3, 3),)),
    "eigh": (LA.eigh, (symmetric(2, 3, 3),)),
    "eigh, U": (lambda a: LA.eigh(a, UPLO="U"), (symmetric(3, 3),)),
    "eigvalsh": (LA.eigvalsh, (symmetric(2, 3, 3),)),
    "svd": (LA.svd, (normal(3, 3),)),
    "svd, thin": (lambda a: LA.svd(a, full_matrices=False), (normal(4, 2),)),
    "svd, full": (LA.svd, (normal(3, 2),)),
    "svd, values": (lambda a: LA.svd(a, compute_uv=False), (normal(2, 3),)),
    "svd, hermitian": (lambda a: LA.svd(a, hermitian=True), (symmetric(3, 3) - np.diag([0, 5, 0]),)),
    "svd, hermitian values": (
        lambda a: LA.svd(a, hermitian=True, compute_uv=False),
        (symmetric(3, 3) - np.diag([0, 5, 0]),),
    ),
    "svdvals": (LA.svdvals, (normal(2, 2, 3),)),
    "eig": (LA.eig, (symmetric(3, 3) + normal(3, 3, seed=1) / 5,)),
    "eigvals": (LA.eigvals, (complex_normal(3, 3),)),
    "pinv": (LA.pinv, (normal(4, 2),)),
    "pinv, stack": (lambda a: LA.pinv(a, rtol=None), (normal(2, 2, 3),)),
    "pinv, rcond": (lambda a: LA.pinv(a, rcond=1e-12), (complex_normal(2, 3),)),
    "pinv, hermitian": (lambda a: LA.pinv(a, hermitian=True), (symmetric(3, 3) + np.eye(3),)),
    "lstsq": (LA.lstsq, (normal(4, 2), normal(4))),
    "lstsq, matrix": (lambda a, b: LA.lstsq(a, b, rcond=-1), (normal(4, 2), normal(4, 3))),
    "lstsq, wide": (LA.lstsq, (normal(2, 4), normal(2))),
    "matrix_power, 1": (lambda a: LA.matrix_power(a, 1), (regular(2, 2),)),
    "matrix_power, 2": (lambda a: LA.matrix_power(a, 2), (regular(2, 2),)),
    "matrix_power, 3": (lambda a: LA.matrix_power(a, 3), (regular(2, 2, 2),)),
    "matrix_power, 5": (lambda a: LA.matrix_power(a, 5), (regular(2, 2),)),
    "matrix_power, -2": (lambda a: LA.matrix_power(a, -2), (regular(2, 2),)),
    "multi_dot, two": (lambda a, b: LA.multi_dot([a, b]), (normal(2, 3), normal(3, 2))),
    "multi_dot, three": (lambda a, b, c: LA.multi_dot([a, b, c]), (normal(2, 3), normal(3, 2), normal(2))),
    "multi_dot, vectors": (
        lambda a, b, c, d: LA.multi_dot([a, b, c, d]),
        (normal(3), normal(3, 2), normal(2, 4), normal(4)),
    ),
    "multi_dot, many": (
        lambda *x: LA.multi_dot(x),
        (normal(2, 3), normal(3, 2), normal(2, 4), normal(4, 1), normal(1, 3)),
    ),
    "tensorsolve": (LA.tensorsolve, (normal(2, 3, 6) + 4 * np.eye(6).reshape(2, 3, 6), normal(2, 3))),
    "tensorsolve, axes": (
        lambda a, b: LA.tensorsolve(a, b, axes=(1,)),
        (normal(2, 6, 3) + 4 * np.eye(6).reshape(2, 3, 6).transpose(0, 2, 1), normal(2, 3)),
    ),
    "tensorinv": (LA.tensorinv, (normal(2, 3, 6) + 4 * np.eye(6).reshape(2, 3, 6),)),
    "tensorinv, 1": (lambda a: LA.tensorinv(a, ind=1), (normal(6, 2, 3) + 4 * np.eye(6).reshape(6, 2, 3),)),
    "cond": (LA.cond, (regular(2, 3, 3),)),
    "cond, -2": (lambda a: LA.cond(a, -2), (normal(3, 2),)),
    "cond, fro": (lambda a: LA.cond(a, "fro"), (regular(3, 3),)),
    "cond, 1": (lambda a: LA.cond(a, 1), (regular(2, 3, 3),)),
    "cross": (lambda a, b: LA.cross(a, b, axis=0), (normal(3, 2), normal(3, 2, seed=1))),
    "outer": (LA.outer, (normal(2), normal(3))),
    "tensordot": (lambda a, b: LA.tensordot(a, b, axes=1), (normal(2, 3), normal(3, 2))),
    "vecdot": (lambda a, b: LA.vecdot(a, b, axis=0), (complex_normal(3, 2), complex_normal(3, 2, seed=3))),
    "matmul": (LA.matmul, (normal(2, 3), normal(3, 2))),
    "diagonal": (lambda a: LA.diagonal(a, offset=1), (normal(2, 3, 3),)),
    "trace": (LA.trace, (normal(2, 3, 3),)),
    "matrix_transpose": (LA.matrix_transpose, (normal(2, 2, 3),)),
}
for order in (None, 2, 1, 0, np.inf, -np.inf, 3, 2.5, 0.5, -2):
    name = f"norm of vectors, {order}"
    p = 2 if order is None else order
    CASES[name] = (lambda x, order=order: LA.norm(x, order), (normal(4),))
    CASES[f"{name}, axis"] = (
        lambda x, order=order: LA.norm(x, order, axis=-2, keepdims=True),
        (normal(3, 4),),
    )
    CASES[f"{name}, complex"] = (lambda x, order=order: LA.norm(x, order), (complex_normal(4),))
    CASES[f"vector_norm, {order}, axes"] = (
        lambda x, p=p: LA.vector_norm(x, ord=p, axis=(2, 0), keepdims=True),
        (normal(2, 3, 2),),
    )
    CASES[f"vector_norm, {order}"] = (lambda x, p=p: LA.vector_norm(x, ord=p), (normal(2, 3),))
for order in (None, "fro", "nuc", 2, -2, 1, -1, np.inf, -np.inf):
    name = f"norm of matrices, {order}"
    CASES[name] = (lambda x, order=order: LA.norm(x, order), (normal(3, 2),))
    CASES[f"{name}, axes"] = (lambda x, order=order: LA.norm(x, order, axis=(2, 0)), (normal(3, 2, 2),))
    CASES[f"{name}, keepdims"] = (
        lambda x, order=order: LA.norm(x, order, axis=(0, 1), keepdims=True),
        (normal(3, 2, 2),),
    )
    CASES[f"{name}, complex"] = (lambda x, order=order: LA.norm(x, order), (complex_normal(3, 2),))
    if order is not None:
        CASES[f"matrix_norm, {order}"] = (
            lambda x, order=order: LA.matrix_norm(x, ord=order),
            (normal(2, 3, 2),),
        )


@pytest.mark.parametrize("name", CASES)
def test_values_are_numpys_and_derivatives_agree_with_differences(name):
    f, args = CASES[name]
    expected = leaves(f(*args))
    found = leaves(traced(lambda *x: inexact(f(*x)), *args))
    for a, b in zip(found, inexact(expected), strict=True):
        np.testing.assert_array_equal(a, b)
        assert np.shape(a) == np.shape(b)
        assert np.asarray(a).dtype == np.asarray(b).dtype
    check_grads(lambda *x: inexact(f(*x)), args)


def inexact(results):
    """The results that have a derivative: not the rank that lstsq returns."""
    return tuple(r for r in leaves(results) if r.dtype.kind in "fc")


@pytest.mark.parametrize("name", CASES)
def test_vmap_agrees_with_a_loop(name):
    f, args = CASES[name]
    stacks = [np.stack([a, a * 1.1, a * 0.9]) for a in args]
    found = fd.vmap(lambda *x: inexact(f(*x)))(*stacks)
    expected = zip(*[inexact(f(*x)) for x in zip(*stacks, strict=True)], strict=True)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, np.stack(b), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", CASES)
def test_float32_is_kept(name):
    f, args = CASES[name]
    args = [a.astype(np.complex64 if a.dtype.kind == "c" else np.float32) for a in args]
    outs, pull = fd.pullback(lambda *x: inexact(f(*x)), *args)
    assert [o.dtype for o in outs] == [o.dtype for o in inexact(f(*args))]
    assert [g.dtype for g in pull(tuple(np.ones_like(o) for o in outs))] == [a.dtype for a in args]


# --- results --------------------------------------------------------------------------------------------


def test_results_have_numpys_classes():
    seen = {}

    def f(a):
        seen.update(eigh=LA.eigh(a), eig=LA.eig(a), svd=LA.svd(a), qr=LA.qr(a), slogdet=LA.slogdet(a))
        return (
            seen["eigh"].eigenvalues.sum()
            + seen["eigh"].eigenvectors.sum()
            + seen["svd"].U.sum()
            + seen["svd"].S.sum()
            + seen["svd"].Vh.sum()
            + seen["qr"].Q.sum()
            + seen["qr"].R.sum()
            + seen["slogdet"].logabsdet
            + seen["slogdet"].sign
        )

    a = symmetric(3, 3) + np.eye(3)
    assert np.isfinite(fd.grad(f)(a)).all()
    for name, result in seen.items():
        assert type(result) is type(getattr(LA, name)(a))


def test_the_mirror_exports_every_name_of_numpy_linalg():
    ours = set(fd.numpy.linalg.__all__)
    theirs = {n for n in dir(LA) if not n.startswith("_")} - {"linalg", "test"}
    assert theirs <= ours
    for name in ours - {"LinAlgError"}:
        function = getattr(fd.numpy.linalg, name)
        assert function.__doc__
        assert function.numpy_function is getattr(LA, name)
        assert list(inspect.signature(function).parameters) == list(
            inspect.signature(getattr(LA, name)).parameters
        )


def test_the_mirror_on_plain_arrays_is_numpy():
    a = regular(3, 3)
    np.testing.assert_array_equal(fd.numpy.linalg.inv(a), LA.inv(a))
    assert fd.numpy.linalg.norm(a) == LA.norm(a)


def test_lists_of_traced_values_are_matrices():
    def f(x):
        return fd.numpy.linalg.det([[x[0], x[1]], [1.0, x[2]]])

    np.testing.assert_allclose(fd.grad(f)(np.array([2.0, 3.0, 5.0])), [5.0, -1.0, 2.0])


def test_integer_operands():
    np.testing.assert_allclose(
        fd.grad(lambda b: LA.solve(np.array([[2, 0], [0, 4]]), b).sum())(np.ones(2)), [0.5, 0.25]
    )


def test_rank_has_no_derivative():
    seen = []

    def f(a):
        seen.append(LA.matrix_rank(a))
        return a.sum() * LA.matrix_rank(a)

    np.testing.assert_array_equal(fd.grad(f)(np.ones((2, 3))), np.ones((2, 3)))
    assert seen == [1]
    stack = np.stack([np.eye(2), np.ones((2, 2)), np.zeros((2, 2))])
    np.testing.assert_array_equal(fd.vmap(LA.matrix_rank)(stack), [2, 1, 0])
    np.testing.assert_array_equal(fd.vmap(LA.matrix_rank)(np.array([[0.0, 0.0], [1.0, 0.0]])), [0, 1])


def test_the_power_0_is_a_constant_that_can_be_written_to():
    def f(a):
        one = LA.matrix_power(a, 0)
        one[0, 0] = a[0, 1]
        return one.sum()

    np.testing.assert_array_equal(fd.grad(f)(np.ones((2, 2))), [[0.0, 1.0], [0.0, 0.0]])


# --- conventions ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [None, 2, 1, 0, np.inf, -np.inf, 3, 2.5, 1.5, 0.5, -1])
def test_norms_of_vectors_have_derivative_zero_at_zero(order):
    x = np.zeros(3)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(fd.grad(lambda x: LA.norm(x, order))(x), x)
        np.testing.assert_array_equal(fd.jvp(lambda x: LA.norm(x, order), (x,), (np.ones(3),))[1], 0.0)
        assert np.isfinite(fd.hessian(lambda x: LA.norm(x, order), x)).all()


@pytest.mark.parametrize("order", [None, "nuc", 2, -2, 1, -1, np.inf, -np.inf])
def test_norms_of_matrices_have_derivative_zero_at_zero(order):
    x = np.zeros((2, 3))
    np.testing.assert_array_equal(fd.grad(lambda x: LA.norm(x, order))(x), x)


def test_ties_share():
    np.testing.assert_array_equal(
        fd.grad(lambda x: LA.norm(x, np.inf))(np.array([2.0, -2.0, 1.0])), [0.5, -0.5, 0.0]
    )
    np.testing.assert_array_equal(
        fd.grad(lambda x: LA.norm(x, -np.inf))(np.array([2.0, -1.0, 1.0])), [0.0, -0.5, 0.5]
    )
    np.testing.assert_array_equal(fd.grad(lambda x: LA.norm(x, 1))(np.eye(2)), np.eye(2) / 2)
    np.testing.assert_allclose(fd.grad(lambda x: LA.norm(x, 2))(np.eye(2)), np.eye(2) / 2)


def test_gradients_of_real_functions_of_complex_matrices_descend():
    a = complex_normal(3, 3)
    for f in (LA.norm, lambda a: LA.slogdet(a)[1], lambda a: LA.norm(a, "nuc"), lambda a: LA.norm(LA.inv(a))):
        step = 1e-4 * np.conj(fd.grad(f)(a))
        assert f(a - step) < f(a)


def test_singular_matrices_raise_numpys_error():
    for f in (LA.inv, lambda a: LA.solve(a, np.ones(2))):
        with pytest.raises(LA.LinAlgError, match="Singular"):
            fd.grad(lambda a, f=f: f(a).sum())(np.ones((2, 2)))
    with pytest.raises(LA.LinAlgError, match="positive definite"):
        fd.grad(lambda a: LA.cholesky(a).sum())(-np.eye(2))


@pytest.mark.parametrize(
    "f",
    [
        LA.inv,
        LA.det,
        LA.slogdet,
        LA.cholesky,
        LA.eigh,
        LA.eigvals,
        lambda a: LA.solve(a, np.ones(2)),
        lambda a: LA.matrix_power(a, 2),
        lambda a: LA.qr(a[0]),
        lambda a: LA.svd(a[0]),
        lambda a: LA.multi_dot([a, a[0][:, None], a]),
        lambda a: LA.lstsq(a, np.ones(5)),
        lambda a: LA.tensorsolve(a, np.ones(2)),
        lambda a: LA.cond(a[:, :0]),
        lambda a: LA.norm(a, 7),
        lambda a: LA.norm(a, "fro", axis=0),
        lambda a: LA.norm(a, axis=(0, 0)),
        lambda a: LA.norm(a, axis=(0, 1, 2)),
        lambda a: LA.norm(a, axis="x"),
        lambda a: LA.norm(a, axis=5),
        lambda a: LA.outer(a, a),
        lambda a: LA.cross(a, a, axis=0),
        lambda a: LA.matrix_power(a @ a.T, 1.5),
        lambda a: LA.eigh(a @ a.T, "X"),
        lambda a: LA.qr(a, mode="none"),
        lambda a: LA.pinv(a, rcond=0.1, rtol=0.1),
        lambda a: LA.tensorinv(a, ind=0),
        lambda a: LA.multi_dot([a]),
    ],
)
def test_what_numpy_refuses_is_refused_alike(f):
    a = np.ones((2, 3))
    with pytest.raises(Exception) as expected:  # noqa: PT011 - whatever NumPy raises
        f(a)
    with pytest.raises(type(expected.value)):
        fd.pullback(f, a)


def test_raw_qr_is_refused_with_a_remedy():
    with pytest.raises(fd.errors.UnsupportedError, match="mode='reduced'"):
        fd.grad(lambda a: LA.qr(a, mode="raw")[0].sum())(np.ones((2, 2)))


# --- real use -------------------------------------------------------------------------------------------


def test_gaussian_log_likelihood():
    x = normal(20, 3)

    def by_cholesky(m):
        low = LA.cholesky(m @ m.T + np.eye(3))
        z = LA.solve(low, x.T)
        return 0.5 * np.sum(z**2) + 20 * np.sum(np.log(np.diagonal(low)))

    def by_inverse(m):
        s = m @ m.T + np.eye(3)
        return 0.5 * np.einsum("ni,ij,nj->", x, LA.inv(s), x) + 10 * LA.slogdet(s).logabsdet

    m = normal(3, 3, seed=1)
    np.testing.assert_allclose(by_cholesky(m), by_inverse(m))
    np.testing.assert_allclose(fd.grad(by_cholesky)(m), fd.grad(by_inverse)(m))
    np.testing.assert_allclose(fd.hessian(by_cholesky, m), fd.hessian(by_inverse, m), atol=1e-10)


def test_implicit_steps_written_with_solve():
    a = -np.array([[2.0, 1.0], [0.0, 3.0]])

    def after_ten_steps(x):
        for _ in range(10):
            x = LA.solve(np.eye(2) - 0.1 * a, x)
        return x

    expected = LA.matrix_power(LA.inv(np.eye(2) - 0.1 * a), 10)
    np.testing.assert_allclose(fd.jacobian(after_ten_steps, normal(2)), expected)
