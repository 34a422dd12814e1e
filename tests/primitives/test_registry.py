"""Every registered primitive, over its own samples: derivatives, batches, dtypes, layouts, declared zeros."""

import dis
import importlib
import inspect
import itertools
import pkgutil

import numpy as np
import pytest

import funcdiff
import funcdiff.primitives
from funcdiff.core.primitive import REGISTRY, Elementwise, General, Linear, LocallyConstant, Multilinear, Over
from funcdiff.core.recording import TracedArray, box
from funcdiff.transforms.batch import BatchRecorder
from funcdiff.transforms.forward import push_forward
from funcdiff.transforms.reverse import record

for module in pkgutil.walk_packages(funcdiff.primitives.__path__, "funcdiff.primitives."):
    importlib.import_module(module.name)
for _module in ("rules", "strided"):  # what the PyTorch shim adds
    importlib.import_module(f"funcdiff.compat.torch.ops.{_module}")

importlib.import_module("funcdiff.jit.factors")  # what compiled programs add

TREATED_AS_CONSTANT = {"rounding", "stop_gradient"}
DEFINED_UP_TO_PHASES = {
    "eig_banded",
    "eigh",
    "eigh_by_driver",
    "general_pairs",
    "generalized_eig",
    "hermitian_pairs",
    "svd",
}  # for complex matrices; what does not depend on phases is tested elsewhere

PRIMITIVES = dict(sorted(REGISTRY.items()))  # as it is now: other tests may add their own
DIFFERENTIABLE = [
    n
    for n, p in PRIMITIVES.items()
    if not isinstance(p, LocallyConstant) and p.custom is None and p.control is None
]
SAMPLED = [n for n in DIFFERENTIABLE if PRIMITIVES[n].samples is not None]
CONSTANT = [
    n
    for n, p in PRIMITIVES.items()
    if isinstance(p, LocallyConstant) and p.samples is not None and n not in TREATED_AS_CONSTANT
]
WITH_SAMPLES = [n for n, p in PRIMITIVES.items() if p.samples is not None]


# --- helpers -----------------------------------------------------------------------------------------


def samples(name, seed=0):
    return PRIMITIVES[name].samples(np.random.default_rng(seed))


def kind_of(x):
    return np.asarray(x).dtype.kind


def active_arguments(primitive, args):
    """The arguments with respect to which there is a derivative rule."""

    def has_rule(n):
        match primitive:
            case Elementwise():
                return primitive.partials[n] is not None
            case General():
                rules = (primitive.jvps, primitive.transposes, primitive.vjps)
                return any(n < len(r) and r[n] is not None for r in rules)
        return True

    return [n for n, a in enumerate(args) if kind_of(a) in "fc" and has_rule(n)]


def restrict(primitive, args, params):
    """The primitive as a function of its active arguments, with a list of inexact outputs."""
    active = active_arguments(primitive, args)

    def f(*values):
        full = list(args)
        for n, v in zip(active, values, strict=True):
            full[n] = v
        out = primitive.function(*full, **params)
        outs = out if isinstance(out, tuple) else (out,)
        return [o for o in outs if (o.dtype if hasattr(o, "dtype") else np.asarray(o).dtype).kind in "fc"]

    return f, [np.asarray(args[n])[()] for n in active]


def random_like(rng, x):
    x = np.asarray(x)
    real = rng.standard_normal(x.shape)
    if x.dtype.kind == "c":
        real = real + 1j * rng.standard_normal(x.shape)
    return np.asarray(real, x.dtype)[()]


def filled(found, like):
    return [
        np.zeros(np.shape(x), np.asarray(x).dtype) if t is None else t
        for t, x in zip(found, like, strict=True)
    ]


def forward(f, values, tangents):
    outs, found = push_forward(f, values, tangents)
    return filled(found, outs)


def pairing(a, b):
    """Re(sum of products): the pairing of cotangents with tangents."""
    return sum(float(np.sum(np.real(np.asarray(x) * np.asarray(y)))) for x, y in zip(a, b, strict=True))


def central(f, values, tangents, h=1e-3):
    """Directional derivative by central differences, extrapolated twice (Richardson)."""

    def difference(h):
        up = f(*[v + h * t for v, t in zip(values, tangents, strict=True)])
        down = f(*[v - h * t for v, t in zip(values, tangents, strict=True)])
        return [(np.asarray(a) - np.asarray(b)) / (2 * h) for a, b in zip(up, down, strict=True)]

    rows = [difference(h / 2**k) for k in range(3)]
    once = [[(4 * b - a) / 3 for a, b in zip(*pair, strict=True)] for pair in itertools.pairwise(rows)]
    return [(16 * b - a) / 15 for a, b in zip(*once, strict=True)]


def close(found, expected, tol=1e-7):
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        assert np.shape(a) == np.shape(b)
        size = max(1.0, float(np.max(np.abs(b), initial=0.0)))
        np.testing.assert_allclose(a, b, rtol=tol, atol=tol * size)


def directions(rng, values):
    """Random tangents, scaled so that steps stay within the domain."""
    return [random_like(rng, v) * 0.3 for v in values]


def each_sample(name):
    for args, params in samples(name):
        f, values = restrict(PRIMITIVES[name], args, params)
        if values:
            yield f, values


# --- derivatives -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SAMPLED)
def test_forward_mode_agrees_with_differences(name):
    rng = np.random.default_rng(1)
    primitive = PRIMITIVES[name]
    tested = False
    for f, values in each_sample(name):
        tangents = directions(rng, values)
        outs = f(*values)
        found = forward(f, values, tangents)
        assert [t.dtype for t in found] == [o.dtype for o in outs]
        close(found, central(f, values, tangents))
        # SciPy's complex functions take other branches, so they are not exact for tiny imaginary parts
        exact = isinstance(primitive, Elementwise) and getattr(np, name, None) is primitive.impl
        if exact and primitive.holomorphic and all(kind_of(v) == "f" for v in values):
            stepped = f(*[v + 1e-30j * t for v, t in zip(values, tangents, strict=True)])
            close(found, [np.imag(o) / 1e-30 for o in stepped], tol=1e-11)
        tested = True
    assert tested


@pytest.mark.parametrize("name", SAMPLED)
def test_reverse_mode_is_the_transpose_of_forward_mode(name):
    rng = np.random.default_rng(2)
    for f, values in each_sample(name):
        tangents = directions(rng, values)
        recording = record(f, values)
        seeds = [random_like(rng, o) for o in recording.outputs]
        pulled = recording.pull(seeds)
        for g, v in zip(pulled, values, strict=True):
            assert g.shape == np.shape(v)
            assert g.dtype == np.asarray(v).dtype
        expected = pairing(seeds, forward(f, values, tangents))
        np.testing.assert_allclose(pairing(pulled, tangents), expected, rtol=1e-9, atol=1e-9)
        pushed = filled(recording.push(tangents), recording.outputs)
        np.testing.assert_allclose(pairing(seeds, pushed), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", SAMPLED)
def test_second_derivatives_agree_by_all_four_nestings(name):
    rng = np.random.default_rng(3)
    for f, values in each_sample(name):
        v, w = directions(rng, values), directions(rng, values)
        seeds = [random_like(rng, o) for o in f(*values)]

        def gradient(*x, f=f, seeds=seeds):
            return record(f, x).pull(seeds)

        def directional(*x, f=f, v=v):
            outs, found = push_forward(f, x, v)
            return filled_traced(found, outs)

        expected = pairing(w, central(gradient, values, v))
        size = 1 + abs(expected) + max(float(np.max(np.abs(g), initial=0.0)) for g in gradient(*values))
        nestings = {
            "forward over reverse": pairing(w, forward(gradient, values, v)),
            "reverse over reverse": pairing(record(gradient, values).pull(w), v),
            "reverse over forward": pairing(w, record(directional, values).pull(seeds)),
            "forward over forward": pairing(seeds, forward(directional, values, w)),
        }
        for nesting, found in nestings.items():
            assert abs(found - expected) < 1e-6 * size, (nesting, found, expected)
        np.testing.assert_allclose(
            list(nestings.values()), nestings["forward over reverse"], atol=1e-9 * size
        )


def filled_traced(found, outs):
    return [np.zeros(o.shape, o.dtype) if t is None else t for t, o in zip(found, outs, strict=True)]


# --- complex -----------------------------------------------------------------------------------------


def complex_cases(name):
    """Samples moved into the complex plane, where the primitive takes complex arguments."""
    primitive = PRIMITIVES[name]
    if not primitive.holomorphic:
        return
    rng = np.random.default_rng(4)
    for args, params in samples(name):
        if params.get("mode") == "complete":
            continue  # the columns that complete a basis are defined up to phases
        moved = list(args)
        for n in active_arguments(primitive, args):
            moved[n] = args[n] + 1j * rng.uniform(0.05, 0.2, np.shape(args[n]))
        try:
            primitive.impl(*moved, **params)
        except TypeError:
            continue  # NumPy takes no complex numbers here
        yield restrict(primitive, moved, params)


@pytest.mark.parametrize(
    "name", [n for n in SAMPLED if PRIMITIVES[n].holomorphic and n not in DEFINED_UP_TO_PHASES]
)
def test_complex_arguments(name):
    rng = np.random.default_rng(5)
    for f, values in complex_cases(name):
        tangents = directions(rng, values)
        found = forward(f, values, tangents)
        close(found, central(f, values, tangents))
        recording = record(f, values)
        seeds = [random_like(rng, o) for o in recording.outputs]
        pulled = recording.pull(seeds)
        assert [g.dtype for g in pulled] == [v.dtype for v in values]
        np.testing.assert_allclose(pairing(pulled, tangents), pairing(seeds, found), rtol=1e-8, atol=1e-8)


# --- vmap --------------------------------------------------------------------------------------------

BATCH = 3


def batches(name):
    """Samples with three draws of each: [(args drawn thrice, params)], where shapes agree."""
    draws = [samples(name, seed) for seed in range(BATCH)]
    for cases in zip(*draws, strict=True):
        columns = list(zip(*(args for args, _ in cases), strict=True))
        if all(len({np.shape(x) for x in column}) == 1 for column in columns):
            yield columns, cases[0][1]


def batched(f, columns, mapped):
    """Call f with the chosen columns as batches, under a batch recorder."""
    recorder = BatchRecorder(BATCH)
    boxes = [
        box(np.stack([np.asarray(x) for x in column]), recorder, True) if n in mapped else column[0]
        for n, column in enumerate(columns)
    ]
    out = f(*boxes)
    single = not isinstance(out, (tuple, list))
    outs = []
    for o in [out] if single else out:
        if type(o) is TracedArray and o.recorder is recorder:
            outs.append(o.value if o.place else np.broadcast_to(o.value, (BATCH, *np.shape(o.value))))
        else:
            outs.append(np.broadcast_to(o, (BATCH, *np.shape(o))))
    recorder.close()
    return outs


def looped(f, columns, mapped):
    rows = []
    for i in range(BATCH):
        out = f(*[column[i] if n in mapped else column[0] for n, column in enumerate(columns)])
        rows.append(out if isinstance(out, (tuple, list)) else [out])
    return [np.stack([np.asarray(x) for x in column]) for column in zip(*rows, strict=True)]


@pytest.mark.parametrize("name", WITH_SAMPLES)
def test_batches_agree_with_a_loop(name):
    primitive = PRIMITIVES[name]
    for columns, params in batches(name):

        def f(*args, params=params):
            return primitive.function(*args, **params)

        for count in range(1, len(columns) + 1):
            for mapped in itertools.combinations(range(len(columns)), count):
                expected = looped(f, columns, mapped)
                found = batched(f, columns, mapped)
                for a, b in zip(found, expected, strict=True):
                    assert a.shape == b.shape, mapped
                    assert a.dtype == b.dtype, mapped
                    np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", SAMPLED)
def test_batched_gradients_agree_with_a_loop(name):
    primitive = PRIMITIVES[name]
    for columns, params in batches(name):
        active = active_arguments(primitive, [column[0] for column in columns])
        if not active:
            continue

        def gradient(*args, params=params, active=active):
            f, _ = restrict_traced(primitive, args, params, active)
            recording = record(f, [as_value(args[n]) for n in active])
            return recording.pull([np.ones(o.shape, o.dtype) for o in recording.outputs])

        mapped = tuple(range(len(columns)))
        for a, b in zip(batched(gradient, columns, mapped), looped(gradient, columns, mapped), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-9)


def as_value(x):
    return x if hasattr(x, "dtype") else np.asarray(x)[()]


def restrict_traced(primitive, args, params, active):
    def f(*values):
        full = list(args)
        for n, v in zip(active, values, strict=True):
            full[n] = v
        out = primitive.function(*full, **params)
        outs = out if isinstance(out, tuple) else (out,)
        return [o for o in outs if o.dtype.kind in "fc"]

    return f, active


# --- dtypes ------------------------------------------------------------------------------------------

PRECISIONS = [np.float16, np.float32, np.longdouble]
COMPLEX = {np.float16: None, np.float32: np.complex64, np.longdouble: np.clongdouble}


def cast(args, dtype):
    """Cast the inexact arguments; None if there is a complex one and no complex dtype of this precision."""
    out = []
    for a in args:
        kind = kind_of(a)
        target = {"f": dtype, "c": COMPLEX[dtype]}.get(kind)
        if kind == "c" and target is None:
            return None
        out.append(np.asarray(a).astype(target)[()] if kind in "fc" else a)
    return out


@pytest.mark.filterwarnings("ignore:Calling .* with arguments of dtype=:DeprecationWarning")  # SciPy 1.18
@pytest.mark.parametrize("dtype", PRECISIONS, ids=lambda d: np.dtype(d).name)
@pytest.mark.parametrize("name", SAMPLED)
def test_precision_is_kept(name, dtype):
    rng = np.random.default_rng(6)
    primitive = PRIMITIVES[name]
    for args, params in samples(name):
        if "dtype" in params:
            continue  # converting is what it does
        args = cast(args, dtype)
        if args is None:
            continue
        try:
            plain = primitive.impl(*args, **params)
        except TypeError:
            continue  # there is no implementation in this precision
        f, values = restrict(primitive, args, params)
        if not values:
            continue
        outs = [o for o in (plain if isinstance(plain, tuple) else (plain,)) if kind_of(o) in "fc"]
        if any(np.asarray(o).dtype.type(0).real.dtype != dtype for o in outs):
            continue  # NumPy itself promotes
        try:
            found = forward(f, values, directions(rng, values))
        except TypeError as error:
            if "ufunc" not in str(error) and "linalg" not in str(error):
                raise
            continue  # a rule needs a function that has no implementation in this precision
        assert [t.dtype for t in found] == [np.asarray(o).dtype for o in outs]
        recording = record(f, values)
        seeds = [random_like(rng, o) for o in recording.outputs]
        pulled = recording.pull(seeds)
        assert [g.dtype for g in pulled] == [v.dtype for v in values]
        if dtype is np.float32:
            wide, points = restrict(
                primitive,
                [
                    np.asarray(a).astype(np.result_type(a, np.float64))[()] if kind_of(a) in "fc" else a
                    for a in args
                ],
                params,
            )
            exact = record(wide, points).pull(
                [np.asarray(s).astype(np.result_type(s, np.float64)) for s in seeds]
            )
            close(pulled, exact, tol=2e-4)

            def gradient(*x, f=f, seeds=seeds):
                return record(f, x).pull(seeds)

            assert [t.dtype for t in forward(gradient, values, values)] == [v.dtype for v in values]


@pytest.mark.parametrize("name", [n for n in SAMPLED if isinstance(PRIMITIVES[n], Elementwise)])
def test_python_numbers_are_weak(name):
    primitive = PRIMITIVES[name]
    for args, _ in samples(name)[:1]:
        if len(args) < 2:
            continue
        args = cast(args, np.float32)
        for n in active_arguments(primitive, args):
            mixed = [a if k == n or kind_of(a) != "f" else float(np.ravel(a)[0]) for k, a in enumerate(args)]

            def f(x, mixed=mixed, n=n):
                return [primitive.function(*mixed[:n], x, *mixed[n + 1 :])]

            recording = record(f, [args[n]])
            if recording.outputs[0].dtype != np.float32:
                continue  # SciPy itself promotes
            assert recording.pull([np.ones_like(recording.outputs[0])])[0].dtype == np.float32
            assert forward(f, [args[n]], [args[n]])[0].dtype == np.float32


# --- layouts -----------------------------------------------------------------------------------------


def fortran(x):
    return np.asfortranarray(x)


def strided(x):
    wide = np.empty((*x.shape[:-1], 2 * x.shape[-1]), x.dtype)
    wide[..., ::2] = x
    wide[..., 1::2] = 99
    return wide[..., ::2]


def reversed_(x):
    return x[..., ::-1].copy()[..., ::-1]


def read_only(x):
    x = x.copy()
    x.setflags(write=False)
    return x


@pytest.mark.parametrize("layout", [fortran, strided, reversed_, read_only])
@pytest.mark.parametrize("name", SAMPLED)
def test_layouts(name, layout):
    rng = np.random.default_rng(7)
    primitive = PRIMITIVES[name]
    for args, params in samples(name):
        laid_out = [layout(a) if isinstance(a, np.ndarray) and a.ndim else a for a in args]
        before = [np.array(a) for a in laid_out]
        f, values = restrict(primitive, args, params)
        g, others = restrict(primitive, laid_out, params)
        others = [laid_out[n] for n in active_arguments(primitive, laid_out)]
        others = [o if isinstance(o, np.ndarray) else np.asarray(o)[()] for o in others]
        tangents = directions(rng, values)
        close(forward(g, others, tangents), forward(f, values, tangents), tol=1e-12)
        recording = record(g, others)
        seeds = [random_like(rng, o) for o in recording.outputs]
        close(recording.pull(seeds), record(f, values).pull(seeds), tol=1e-12)
        for a, b in zip(laid_out, before, strict=True):
            np.testing.assert_array_equal(a, b)


# --- declared zeros ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CONSTANT)
def test_locally_constant_primitives_are_locally_constant(name):
    primitive = PRIMITIVES[name]
    for args, params in samples(name):
        inexact = [n for n, a in enumerate(args) if kind_of(a) in "fc"]
        for n in inexact:
            for h in (1e-7, -1e-7):
                moved = [a + h if k == n else a for k, a in enumerate(args)]
                assert_same(primitive.impl(*moved, **params), primitive.impl(*args, **params))
        if inexact:
            values = [np.asarray(args[n])[()] for n in inexact]

            def f(*x, args=args, params=params, inexact=inexact):
                full = list(args)
                for n, v in zip(inexact, x, strict=True):
                    full[n] = v
                out = primitive.function(*full, **params)
                return list(out) if isinstance(out, tuple) else [out]

            _, found = push_forward(f, values, values)
            assert all(t is None or not np.any(t) for t in found)
            recording = record(f, values)
            assert all(p < 0 for p in recording.places)


def assert_same(a, b):
    for x, y in zip(a if isinstance(a, tuple) else (a,), b if isinstance(b, tuple) else (b,), strict=True):
        np.testing.assert_array_equal(x, y)


# --- declarations ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_every_differentiable_primitive_has_samples(name):
    assert PRIMITIVES[name].samples is not None
    assert samples(name)


def rules(primitive):
    """The rule functions of a primitive."""
    match primitive:
        case Elementwise():
            found = [p.denominator if isinstance(p, Over) else p for p in primitive.partials]
        case Linear() | Multilinear():
            found = [*primitive.transposes]
        case General():
            found = [*primitive.jvps, *primitive.transposes, *primitive.vjps]
        case _:
            found = []
    return [r for r in found if inspect.isfunction(r)]


def names_read(function):
    """The local names that a function's code reads, in itself or in functions inside it."""
    return {
        name
        for instruction in dis.get_instructions(function)
        if instruction.opname.startswith("LOAD") and instruction.argval is not None
        for name in (instruction.argval if isinstance(instruction.argval, tuple) else (instruction.argval,))
        if isinstance(name, str)
    }


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_underscored_parameters_are_not_read_and_others_are(name):
    primitive = PRIMITIVES[name]
    for rule in rules(primitive):
        read = names_read(rule)
        for parameter in inspect.signature(rule).parameters.values():
            if parameter.kind is parameter.KEYWORD_ONLY:
                continue
            if parameter.name.startswith("_"):
                assert parameter.name not in read, f"{rule} reads {parameter.name}"
            elif isinstance(primitive, Elementwise):
                assert parameter.name in read, f"{rule} does not read {parameter.name}: underscore it"


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_rules_take_what_they_are_given(name):
    primitive = PRIMITIVES[name]
    for rule in rules(primitive):
        parameters = [p for p in inspect.signature(rule).parameters.values() if p.kind is not p.KEYWORD_ONLY]
        assert all(p.default is p.empty for p in parameters), f"{rule} has a default"
        if isinstance(primitive, Elementwise):
            assert len(parameters) == 1 + len(primitive.partials), rule
    if isinstance(primitive, Elementwise) and isinstance(primitive.impl, np.ufunc):
        assert primitive.impl.nin == len(primitive.partials)
