"""BLAS and LAPACK called from compiled code give what NumPy and SciPy give."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import numpy as np
import pytest
import scipy.linalg
from numpy.testing import assert_allclose

from funcdiff.jit.native import blas

llvm = pytest.importorskip("llvmlite.binding")

DTYPES = {"f64": np.float64, "f32": np.float32}
TOLERANCE = {"f64": 1e-12, "f32": 1e-4}
C_TYPES = {"ptr": ctypes.c_void_p, "i64": ctypes.c_int64, "i1": ctypes.c_bool, "i32": ctypes.c_int32}
C_NUMBERS = {"f64": ctypes.c_double, "f32": ctypes.c_float}


@pytest.fixture(scope="module")
def library():
    """Every operation of both dtypes, callable."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    names = [(name, dtype) for name in blas.OPERATIONS for dtype in DTYPES]
    text, symbols = blas.definitions(names)
    for name, address in symbols.items():
        llvm.add_symbol(name, address)
    module = llvm.parse_assembly(text.replace("define internal", "define"))
    module.verify()
    machine = llvm.Target.from_default_triple().create_target_machine()
    engine = llvm.create_mcjit_compiler(module, machine)
    engine.finalize_object()

    def call(name, dtype, *arguments):
        found = blas.OPERATIONS[name]
        kinds = [C_TYPES[parameter.split()[0]] for parameter in found.parameters.split(", ")]
        result = {"void": None, "number": C_NUMBERS[dtype]}.get(found.result, ctypes.c_int32)
        function = ctypes.CFUNCTYPE(result, *kinds)(engine.get_function_address(f"fd.{name}.{dtype}"))
        return function(*(x.ctypes.data if isinstance(x, np.ndarray) else x for x in arguments))

    return call


@pytest.fixture(params=DTYPES)
def dtype(request):
    return request.param


def draw(dtype, *shape):
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(DTYPES[dtype])


def well_conditioned(dtype, n):
    return (draw(dtype, n, n) + 3 * np.sqrt(n) * np.eye(n)).astype(DTYPES[dtype])


def test_every_routine_is_exported_as_known(dtype):
    for routine in blas.SIGNATURES:
        assert blas.address(routine, dtype)


def test_a_routine_of_another_signature_is_refused(monkeypatch):
    monkeypatch.setitem(blas.SIGNATURES, "axpy", ("cython_blas", "void", "inini"))
    monkeypatch.setitem(blas.SIGNATURES, "no_such", ("cython_blas", "void", "i"))
    with pytest.raises(LookupError, match="another signature"):
        blas.address("axpy", "f64")
    with pytest.raises(LookupError, match="has no dno_such"):
        blas.address("no_such", "f64")


@pytest.mark.parametrize("steps", [(1, 1), (2, 3)])
def test_dot(library, dtype, steps):
    x, y = draw(dtype, 20)[:: steps[0]][:6], draw(dtype, 21)[:: steps[1]][:6]
    result = library("dot", dtype, 6, x, steps[0], y, steps[1])
    assert_allclose(result, x @ y, rtol=TOLERANCE[dtype])


@pytest.mark.parametrize("adds", [False, True])
@pytest.mark.parametrize("turned", [(False, False), (True, False), (False, True), (True, True)])
@pytest.mark.parametrize("sizes", [(4, 3, 5), (1, 7, 1), (3, 2, 0), (0, 3, 2), (40, 30, 20)])
def test_matmul(library, dtype, sizes, turned, adds):
    m, n, k = sizes
    a, b = draw(dtype, m, k), draw(dtype, k, n)
    held_a, held_b = (np.ascontiguousarray(x.T if t else x) for x, t in zip((a, b), turned, strict=True))
    start = draw(dtype, m, n)
    out = start.copy()
    rows = [x.shape[1] for x in (out, held_a, held_b)]
    library(
        "matmul", dtype, out, rows[0], held_a, rows[1], turned[0], held_b, rows[2], turned[1], m, n, k, adds
    )
    assert_allclose(out, a @ b + adds * start, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])


@pytest.mark.parametrize("adds", [False, True])
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("sizes", [(4, 3), (1, 5), (5, 1), (30, 20)])
def test_matvec(library, dtype, sizes, turned, adds):
    m, k = sizes
    a, x = draw(dtype, m, k), draw(dtype, 2 * k)[::2]
    held = np.ascontiguousarray(a.T if turned else a)
    start = draw(dtype, m)
    out = start.copy()
    library("matvec", dtype, out, 1, held, held.shape[1], turned, x, 2, m, k, adds)
    assert_allclose(out, a @ x + adds * start, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])


@pytest.mark.parametrize("upper", [False, True])
@pytest.mark.parametrize("n", [0, 1, 3, 40])
def test_cholesky(library, dtype, n, upper):
    a = well_conditioned(dtype, n)
    a = a @ a.T
    a[np.tril_indices(n, -1) if upper else np.triu_indices(n, 1)] = np.nan  # not read
    out = np.full_like(a, 7)
    assert library("cholesky", dtype, out, a, n, upper) == 0
    symmetric = np.where(np.isnan(a), a.T, a)
    assert_allclose(
        out, np.linalg.cholesky(symmetric, upper=upper), rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype]
    )


def test_cholesky_says_what_is_not_positive_definite(library, dtype):
    a = -np.eye(3, dtype=DTYPES[dtype])
    assert library("cholesky", dtype, np.empty_like(a), a, 3, False) != 0


@pytest.mark.parametrize("unit", [False, True])
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("lower", [False, True])
@pytest.mark.parametrize("sizes", [(3, 1), (3, 2), (20, 7), (0, 2), (3, 0)])
def test_solve_triangular(library, dtype, sizes, lower, turned, unit):
    n, columns = sizes
    a, b = (
        (well_conditioned(dtype, n) / (3 * np.sqrt(max(n, 1)))).astype(DTYPES[dtype]),
        draw(dtype, n, columns),
    )
    out = np.full_like(b, 7)
    assert library("solve_triangular", dtype, out, a, b, n, columns, lower, turned, unit) == 0
    expected = scipy.linalg.solve_triangular(a, b, trans=int(turned), lower=lower, unit_diagonal=unit)
    assert_allclose(out, expected, rtol=TOLERANCE[dtype], atol=10 * TOLERANCE[dtype])


def scratch(name, dtype, n, columns=0):
    return np.empty(blas.scratch_size(name, dtype, n, columns), np.uint8)


@pytest.mark.parametrize("sizes", [(3, 1), (3, 2), (20, 7), (0, 2), (3, 0)])
def test_solve(library, dtype, sizes):
    n, columns = sizes
    a, b = well_conditioned(dtype, n), draw(dtype, n, columns)
    out, before = np.full_like(b, 7), (a.copy(), b.copy())
    assert library("solve", dtype, out, a, b, n, columns, scratch("solve", dtype, n, columns)) == 0
    assert_allclose(out, np.linalg.solve(a, b), rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])
    assert_allclose(np.concatenate([a, b], axis=1), np.concatenate(before, axis=1), rtol=0)


@pytest.mark.parametrize("n", [0, 1, 3, 20])
def test_inv(library, dtype, n):
    a = well_conditioned(dtype, n)
    out = np.full_like(a, 7)
    assert library("inv", dtype, out, a, n, scratch("inv", dtype, n)) == 0
    assert_allclose(out, np.linalg.inv(a), rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])


def test_singular_matrices_are_said_to_be(library, dtype):
    a, b = np.ones((2, 2), DTYPES[dtype]), np.ones((2, 1), DTYPES[dtype])
    assert library("solve", dtype, np.empty_like(b), a, b, 2, 1, scratch("solve", dtype, 2, 1)) != 0
    assert library("inv", dtype, np.empty_like(a), a, 2, scratch("inv", dtype, 2)) != 0
    a[1, 1] = 0
    assert library("solve_triangular", dtype, np.empty_like(b), a, b, 2, 1, True, False, False) != 0
    assert library("solve_triangular", dtype, np.empty_like(b), a, b, 2, 1, True, False, True) == 0


def test_no_more_of_scipy_is_imported_than_is_called():
    program = (
        "import sys, numpy as np, funcdiff as fd\n"
        "a = np.arange(10000.0).reshape(100, 100)\n"
        "assert np.allclose(fd.jit(lambda a: a @ a.T, backend='native')(a), a @ a.T)\n"
        "assert 'scipy.linalg' not in sys.modules\n"
        "import scipy.linalg\n"
        "from scipy.linalg import cython_blas\n"
        "assert cython_blas.__pyx_capi__ and scipy.linalg.cython_blas is cython_blas\n"
        "assert np.allclose(scipy.linalg.solve(a + 9e4 * np.eye(100), a[0]), np.linalg.solve(a + 9e4 * np.eye(100), a[0]))\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
