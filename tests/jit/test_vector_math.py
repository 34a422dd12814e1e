"""The vector math: accuracy against many digits, special values against NumPy and SciPy, equality of all widths."""

from __future__ import annotations

import ctypes
import functools
import math
import re

import numpy as np
import pytest
import scipy.special
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mp, mpf
from numpy.testing import assert_array_equal

from funcdiff.jit.native.vector_math import available, coefficients, definitions, symbol
from funcdiff.jit.native.vector_math.registry import FUNCTIONS
from tests.jit import vector_math_coefficients

llvm = pytest.importorskip("llvmlite.binding")

SCALARS = {"f64": "double", "f32": "float"}
DTYPES = {"f64": np.float64, "f32": np.float32}
PRECISION = 160  # bits of the reference values
LIMIT = 2.5  # units in the last place
SEVERAL_RESULTS = {"sincos": 2}


class Library:
    """All functions at one width, each with a loop over arrays."""

    def __init__(self, dtype: str, lanes: int) -> None:
        self.dtype, self.lanes = DTYPES[dtype], lanes
        wanted = [(name, dtype, lanes) for name in FUNCTIONS]
        loops = [loop_text(*triple) for triple in wanted]
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        module = llvm.parse_assembly("\n".join([definitions(wanted), *loops]))
        module.verify()
        features = llvm.get_host_cpu_features().flatten()
        machine = llvm.Target.from_default_triple().create_target_machine(features=features, opt=1)
        self.engine = llvm.create_mcjit_compiler(module, machine)
        self.engine.finalize_object()

    def __call__(self, name: str, *arguments: np.ndarray) -> np.ndarray:
        arrays = [np.asarray(x, self.dtype).ravel() for x in arguments]
        size, missing = arrays[0].size, -arrays[0].size % self.lanes
        arrays = [np.concatenate([x, np.ones(missing, self.dtype)]) for x in arrays]
        results = [np.empty(size + missing, self.dtype) for _ in range(SEVERAL_RESULTS.get(name, 1))]
        pointers = [array.ctypes.data for array in arrays + results]
        prototype = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * len(pointers), ctypes.c_int64)
        prototype(self.engine.get_function_address(f"loop.{name}"))(*pointers, size + missing)
        return np.stack([result[:size] for result in results]) if len(results) > 1 else results[0][:size]


def loop_text(name: str, dtype: str, lanes: int) -> str:
    """A function that applies ``name`` to arrays whose length is a multiple of the lanes."""
    scalar, arity, outputs = SCALARS[dtype], FUNCTIONS[name].arity, SEVERAL_RESULTS.get(name, 1)
    vector = scalar if lanes == 1 else f"<{lanes} x {scalar}>"
    returned = vector if outputs == 1 else "{ " + ", ".join([vector] * outputs) + " }"
    parameters = [f"ptr %x{k}" for k in range(arity)] + [f"ptr %y{k}" for k in range(outputs)]
    lines = [
        f"define void @loop.{name}({', '.join(parameters)}, i64 %n) {{",
        "entry:",
        "  br label %loop",
        "loop:",
    ]
    lines.append("  %i = phi i64 [ 0, %entry ], [ %j, %loop ]")
    for k in range(arity):
        lines.append(f"  %p{k} = getelementptr {scalar}, ptr %x{k}, i64 %i")
        lines.append(f"  %a{k} = load {vector}, ptr %p{k}, align 4")
    arguments = ", ".join(f"{vector} %a{k}" for k in range(arity))
    lines.append(f"  %r = call {returned} {symbol(name, dtype, lanes)}({arguments})")
    for k in range(outputs):
        lines.append(f"  %q{k} = getelementptr {scalar}, ptr %y{k}, i64 %i")
        if outputs > 1:
            lines.append(f"  %e{k} = extractvalue {returned} %r, {k}")
        lines.append(f"  store {vector} {'%r' if outputs == 1 else f'%e{k}'}, ptr %q{k}, align 4")
    lines += [f"  %j = add i64 %i, {lanes}", "  %more = icmp ult i64 %j, %n"]
    return "\n".join([*lines, "  br i1 %more, label %loop, label %done", "done:", "  ret void", "}"])


@functools.cache
def library(dtype: str, lanes: int) -> Library:
    return Library(dtype, lanes)


# Samples


def uniform(low, high, size=150):
    return lambda rng: rng.uniform(low, high, size)


def magnitudes(low, high, size=150, signed=False):
    """Numbers whose decimal exponents are uniform."""
    return lambda rng: (
        10.0 ** rng.uniform(low, high, size) * (rng.choice([-1.0, 1.0], size) if signed else 1.0)
    )


def around(center, low=-17, high=-1, size=100):
    """Numbers near a center, most of them very near."""
    return lambda rng: center + 10.0 ** rng.uniform(low, high, size) * rng.choice([-1.0, 1.0], size)


def below(limit, size=100):
    return lambda rng: limit - 10.0 ** rng.uniform(-16, 0, size)


def above(limit, size=100):
    return lambda rng: limit + 10.0 ** rng.uniform(-16, 0, size)


def near_multiples_of_half_pi(largest, size=60):
    """Doubles next to multiples of π/2, where sines and cosines lose the most."""

    def sample(rng):
        multiples = rng.integers(1, largest, size)
        with mp.workprec(300):
            nearest = np.array([float(int(k) * mp.pi / 2) for k in multiples])
        return np.concatenate([nearest, np.nextafter(nearest, 0), np.nextafter(nearest, math.inf)])

    return sample


TINY = magnitudes(-320, -1, signed=True)
CIRCLE = [
    uniform(-4, 4),
    uniform(-1e5, 1e5),
    TINY,
    magnitudes(0, 308, signed=True),
    uniform(2.0**29, 2.0**31),
    near_multiples_of_half_pi(1000),
    near_multiples_of_half_pi(2**29),
    near_multiples_of_half_pi(2**52),
    # the double that comes closest to a multiple of π/2 (Kahan), and its neighbours' kind
    lambda rng: np.array(
        [6381956970095103.0 * 2.0**797, 5.319372648326541e255, 1.7976931348623157e308, 1e22]
    ),
]


def ndtr(x):
    return mp.erfc(-x / mp.sqrt(2)) / 2


UNARY = {
    "exp": (mp.exp, [uniform(-745, 709.7), uniform(-1, 1), TINY, uniform(-745, -708)]),
    "exp2": (lambda x: mpf(2) ** x, [uniform(-1074, 1023.9), uniform(-1, 1), TINY]),
    "expm1": (mp.expm1, [uniform(-40, 709.7), uniform(-2, 2), TINY]),
    "sinh": (mp.sinh, [uniform(-710.4, 710.4), uniform(-2, 2), TINY]),
    "cosh": (mp.cosh, [uniform(-710.4, 710.4), uniform(-2, 2), TINY]),
    "tanh": (mp.tanh, [uniform(-25, 25), uniform(-2, 2), TINY]),
    "expit": (lambda x: 1 / (1 + mp.exp(-x)), [uniform(-745, 40), uniform(-4, 4), TINY]),
    "log": (mp.log, [uniform(0, 4), magnitudes(-323, 308), around(1.0)]),
    "log2": (lambda x: mp.log(x, 2), [uniform(0, 4), magnitudes(-323, 308), around(1.0)]),
    "log10": (mp.log10, [uniform(0, 4), magnitudes(-323, 308), around(1.0)]),
    "log1p": (mp.log1p, [uniform(-1, 4), magnitudes(-3, 308), TINY, above(-1.0)]),
    "log_expit": (lambda x: -mp.log1p(mp.exp(-x)), [uniform(-700, 700), uniform(-4, 4), TINY]),
    "logit": (lambda p: mp.log(p / (1 - p)), [uniform(0, 1), magnitudes(-320, 0), around(0.5), below(1.0)]),
    "arcsinh": (mp.asinh, [uniform(-4, 4), magnitudes(-3, 308, signed=True), TINY]),
    "arccosh": (mp.acosh, [uniform(1, 4), magnitudes(0, 308), above(1.0)]),
    "arctanh": (mp.atanh, [uniform(-1, 1), TINY, below(1.0)]),
    "sin": (mp.sin, CIRCLE),
    "cos": (mp.cos, CIRCLE),
    "tan": (mp.tan, CIRCLE),
    "arctan": (mp.atan, [uniform(-4, 4), magnitudes(-3, 308, signed=True), TINY]),
    "arcsin": (mp.asin, [uniform(-1, 1), TINY, below(1.0)]),
    "arccos": (mp.acos, [uniform(-1, 1), TINY, below(1.0), above(-1.0)]),
    "cbrt": (
        lambda x: mp.sign(x) * mp.cbrt(abs(x)),
        [uniform(-9, 9), magnitudes(-323, 308, signed=True)],
    ),
    "sqrt": (mp.sqrt, [uniform(0, 9), magnitudes(-323, 308)]),
    "erf": (mp.erf, [uniform(-1, 1), uniform(-6, 6), TINY]),
    "erfc": (mp.erfc, [uniform(-1, 3), uniform(-6, 27.2), TINY]),
    "ndtr": (ndtr, [uniform(-3, 3), uniform(-38, 8), TINY]),
    "erfcx": (
        lambda x: mp.exp(x * x) * mp.erfc(x),
        [uniform(-1, 1), uniform(-26, 26), TINY, lambda rng: np.linspace(26, 100, 50)],
    ),
    "entr": (lambda x: -x * mp.log(x), [uniform(0, 4), magnitudes(-300, 300), around(1.0)]),
    "log_ndtr": (
        lambda x: mp.log1p(-ndtr(-x)) if x > 0 else mp.log(ndtr(x)),
        [uniform(-3, 3), uniform(-60, 30), TINY],
    ),
    "gammaln": (
        lambda x: mp.log(abs(mp.gamma(x))),
        [uniform(0, 4), uniform(0, 30), around(1.0), around(2.0), magnitudes(-300, 2)],
    ),
    "digamma": (
        mp.digamma,
        [uniform(0, 4), uniform(0, 30), around(1.4616321449683622), magnitudes(-300, 300)],
    ),
}
UNARY["gamma"] = (mp.gamma, [uniform(0, 4), uniform(0, 171.6), magnitudes(-307, 2)])
UNARY["trigamma"] = (
    lambda x: mp.psi(1, x),
    [uniform(0, 4), uniform(0, 40), magnitudes(-150, 300)],
)
REFLECTED = {"gamma": (mp.gamma, 4), "trigamma": (lambda x: mp.psi(1, x), 4)}
UNARY["loggamma"], UNARY["psi"] = UNARY["gammaln"], UNARY["digamma"]


def paired(first, second):
    return lambda rng: (first(rng), second(rng))


BINARY = {
    "power": (
        lambda x, y: x**y,
        [
            paired(uniform(0, 5), uniform(-50, 50)),
            paired(magnitudes(-300, 300), uniform(-1, 1)),
            paired(uniform(0.999, 1.001), uniform(-7e5, 7e5)),
            paired(uniform(1 - 1e-10, 1 + 1e-10), magnitudes(10, 12, signed=True)),
            paired(uniform(0.5, 2), uniform(-1000, 1000)),
        ],
    ),
    "arctan2": (
        mp.atan2,
        [
            paired(uniform(-1, 1), uniform(-1, 1)),
            paired(magnitudes(-323, 308, signed=True), magnitudes(-323, 308, signed=True)),
            paired(magnitudes(-323, -306, signed=True), magnitudes(-323, -306, signed=True)),
            paired(magnitudes(306, 308, signed=True), magnitudes(306, 308, signed=True)),
        ],
    ),
    "hypot": (
        mp.hypot,
        [
            paired(uniform(-1, 1), uniform(-1, 1)),
            paired(magnitudes(-323, 307), magnitudes(-323, 307)),
            paired(magnitudes(-323, -306), magnitudes(-323, -306)),
            paired(magnitudes(306, 308), magnitudes(306, 308)),
        ],
    ),
    "logaddexp": (
        lambda x, y: mp.log(mp.exp(x) + mp.exp(y)),
        [paired(uniform(0, 50), uniform(0, 50)), paired(uniform(-700, -1), uniform(-700, -1))],
    ),
    "logaddexp2": (
        lambda x, y: mp.log(mpf(2) ** x + mpf(2) ** y, 2),
        [paired(uniform(0, 50), uniform(0, 50)), paired(uniform(-700, -2), uniform(-700, -2))],
    ),
}
BINARY["xlogy"] = (lambda x, y: x * mp.log(y), [paired(uniform(-4, 4), magnitudes(-300, 300))])
BINARY["xlog1py"] = (lambda x, y: x * mp.log1p(y), [paired(uniform(-4, 4), above(-1.0, 150))])
BINARY["rel_entr"] = (
    lambda x, y: x * mp.log(x / y),
    [paired(uniform(0, 4), uniform(0, 4)), paired(magnitudes(-300, 300), magnitudes(-300, 300))],
)
REFERENCES = UNARY | BINARY
EXACT = [
    "floor",
    "ceil",
    "trunc",
    "fix",
    "rint",
    "sign",
    "sqrt",
    "copysign",
    "maximum",
    "minimum",
    "fmax",
    "fmin",
]
EXACT += ["heaviside", "fmod", "remainder", "mod", "floor_divide", "nextafter"]


def units(result: float, reference: mpf) -> float:
    """The error in units in the last place of the reference."""
    nearest = float(reference)
    if not math.isfinite(result) or not math.isfinite(nearest):
        return 0.0 if result == nearest else math.inf
    return float(abs(mpf(result) - reference) / mpf(float(np.spacing(abs(nearest)))))


@pytest.mark.parametrize("name", REFERENCES)
def test_accuracy(name):
    reference, samplers = REFERENCES[name]
    rng = np.random.default_rng(7)
    for sampler in samplers:
        arguments = sampler(rng) if name in BINARY else (sampler(rng),)
        results = library("f64", 8)(name, *arguments)
        with mp.workprec(PRECISION):
            errors = [
                units(float(result), reference(*map(mpf, point)))
                for result, *point in zip(results, *arguments, strict=True)
            ]
        worst = int(np.argmax(errors))
        assert errors[worst] <= LIMIT, (name, [x[worst] for x in arguments], results[worst], errors[worst])


@pytest.mark.parametrize("name", REFLECTED)
def test_reflected_gamma_functions(name):
    reference, limit = REFLECTED[name]
    x = np.random.default_rng(8).uniform(-184, 0, 200)
    with mp.workprec(PRECISION):
        errors = [
            units(float(result), reference(mpf(point)))
            for result, point in zip(library("f64", 8)(name, x), x, strict=True)
        ]
    assert max(errors) <= limit


# Special values

INEXACT = ("digamma", "psi", "gammaln", "log_ndtr")  # in SciPy
ILL_CONDITIONED = {"logaddexp": 5e-16, "logaddexp2": 5e-16, "kl_div": 1e-12}  # near their zeros
SPECIAL = np.array(
    [
        *(0.0, -0.0, math.inf, -math.inf, math.nan, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 3.0, 1e300, -1e300),
        *(5e-324, -5e-324, 1e-310, -1e-310, 2.0**-1022, 1.7976931348623157e308, -1.7976931348623157e308),
        *(2.0**53, -(2.0**53) - 1, 2.5, -3.5, 1e-17, -1e-17),
        *(709.782712893384, 709.7827128933841, 745.2, -745.1, -745.2),
    ]
)


def library_function(name):
    if name == "trigamma":
        return lambda x: scipy.special.zeta(2.0, x)
    return getattr(np, name, None) or getattr(scipy.special, name)


def points(arity):
    return [grid.ravel() for grid in np.meshgrid(*[SPECIAL] * arity)]


def right_where_scipy_is_not(name, point):
    """SciPy's gammaln overflows for subnormal numbers, its logistic function and quotients underflow early."""
    x = abs(point[0])
    match name:
        case "expit":
            return point[0] < -700
        case "gammaln":
            return 0 < x < 1e-307
        case "loggamma":
            return 0 < point[0] < 1e-307
        case "kl_div":
            first, second = point
            is_regular = 0 < first < 1e304 and 0 < second < math.inf
            return is_regular and abs(np.log(first) - np.log(second)) > 706
    return False


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name != "sincos"])
def test_special_values_are_those_of_numpy_and_scipy(name):
    arguments = points(FUNCTIONS[name].arity)
    results = library("f64", 8)(name, *arguments)
    with np.errstate(all="ignore"):
        expected = library_function(name)(*arguments)
    for *point, result, wanted in zip(*arguments, results, expected, strict=True):
        if right_where_scipy_is_not(name, point):
            assert math.isfinite(result)
        elif math.isfinite(wanted) and wanted != 0 and name not in EXACT:
            relative = 2e-14 if name in INEXACT else 1e-15
            absolute = ILL_CONDITIONED.get(name, 1e-323)
            assert abs(result - wanted) <= relative * abs(wanted) + absolute, (name, point)
        else:
            assert_array_equal(result, wanted, err_msg=f"{name}{point}")
            assert math.isnan(result) or math.copysign(1, result) == math.copysign(1, wanted), (name, point)


@pytest.mark.parametrize("dtype", ["f64", "f32"])
@pytest.mark.parametrize("name", EXACT)
def test_exact_functions(name, dtype):
    rng = np.random.default_rng(3)
    sizes = (uniform(-9, 9), magnitudes(-40, 38, signed=True), lambda rng: np.round(rng.uniform(-9, 9, 150)))
    for sampler in sizes:
        arguments = [sampler(rng).astype(DTYPES[dtype]) for _ in range(FUNCTIONS[name].arity)]
        with np.errstate(all="ignore"):
            assert_array_equal(library(dtype, 8)(name, *arguments), library_function(name)(*arguments))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.floats(), min_size=8, max_size=8), st.lists(st.floats(), min_size=8, max_size=8))
def test_any_floats(first, second):
    """Every function that NumPy computes well agrees with it on whatever floats there are."""
    for name in (
        "exp",
        "expm1",
        "log",
        "log1p",
        "tanh",
        "arctan",
        "arcsinh",
        "sin",
        "cos",
        "cbrt",
        "exp2",
        "sinh",
    ):
        with np.errstate(all="ignore"):
            wanted = getattr(np, name)(np.array(first))
        np.testing.assert_allclose(library("f64", 8)(name, np.array(first)), wanted, rtol=2e-15, atol=1e-323)
    for name in ("power", "arctan2", "hypot", "fmod", "remainder", "floor_divide", "maximum", "logaddexp"):
        with np.errstate(all="ignore"):
            wanted = getattr(np, name)(np.array(first), np.array(second))
        atol = 1e-15 if name == "logaddexp" else 1e-323
        result = library("f64", 8)(name, np.array(first), np.array(second))
        np.testing.assert_allclose(result, wanted, rtol=2e-15, atol=atol)


def samples(name, dtype):
    """Arguments of all kinds for one function."""
    rng = np.random.default_rng(11)
    size = 400 - SPECIAL.size
    columns = []
    for _ in range(FUNCTIONS[name].arity):
        parts = [
            SPECIAL,
            rng.uniform(-3, 3, size // 2),
            magnitudes(-320, 308, size - size // 2, signed=True)(rng),
        ]
        columns.append(rng.permutation(np.concatenate(parts)).astype(DTYPES[dtype]))
    return columns


@pytest.mark.parametrize("dtype", ["f64", "f32"])
@pytest.mark.parametrize("lanes", [1, 2, 4, 16])
def test_all_widths_agree_bit_for_bit(lanes, dtype):
    with np.errstate(over="ignore"):
        for name in FUNCTIONS:
            arguments = samples(name, dtype)
            assert_array_equal(
                library(dtype, lanes)(name, *arguments), library(dtype, 8)(name, *arguments), name
            )


@pytest.mark.parametrize("name", [name for name in REFERENCES if name != "sqrt"])
def test_float32_is_within_its_own_last_places(name):
    with np.errstate(over="ignore"):
        arguments = samples(name, "f32")
    results = library("f32", 8)(name, *arguments)
    wide = library("f64", 8)(name, *(x.astype(np.float64) for x in arguments))
    with np.errstate(all="ignore"):
        nearest = wide.astype(np.float32)
        error = np.abs(results.astype(np.float64) - wide) / np.spacing(np.abs(nearest)).astype(np.float64)
    assert_array_equal(np.isfinite(results), np.isfinite(nearest))
    assert np.max(error[np.isfinite(nearest)], initial=0.0) <= LIMIT
    assert_array_equal(results[~np.isfinite(nearest)], nearest[~np.isfinite(nearest)])


def test_sincos_gives_both():
    x = samples("sin", "f64")[0]
    both = library("f64", 8)("sincos", x)
    assert_array_equal(both, [library("f64", 8)("sin", x), library("f64", 8)("cos", x)])


def test_definitions_are_unique_and_self_contained():
    text = definitions([("sin", "f64", 8), ("cos", "f64", 8), ("sin", "f64", 8), ("tan", "f32", 4)])
    assert text.count("@fd.sin.f64.v8(") == 1
    assert text.count("define internal { double, double, double } @fd.reduce_huge") == 1
    assert "declare" not in text
    assert available("exp", "f64")
    assert not available("exp", "c128")
    assert not available("no such function", "f64")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_nothing_is_called_but_intrinsics_that_are_instructions(name):
    """No remainder instruction and no transcendental intrinsic, which would become calls of the C library."""
    text = definitions([(name, "f64", 8), (name, "f32", 8)])
    assert "frem" not in text
    called = {word.split("(")[0] for word in text.split() if word.startswith("@llvm.")}
    instructions = "fma|fabs|sqrt|copysign|floor|ceil|trunc|roundeven|umax|smax|fshl|vector.reduce.or|x86.avx512.mask.scalef"
    assert all(re.match(rf"@llvm\.({instructions})\.", symbol) for symbol in called)
    assert all(word.startswith(("@llvm.", "@fd.")) for word in text.split() if word.startswith("@"))


@pytest.mark.parametrize("name", ["EXP_TAIL", "LOG_TAIL", "SIN_TAIL", "COS_TAIL", "PI_HALF", "TWO_OVER_PI"])
def test_coefficients_are_what_their_derivation_gives(name):
    assert getattr(coefficients, name) == vector_math_coefficients.TABLES[name]()
