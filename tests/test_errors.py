"""Bad input: the class of the error, and that its message names function, argument, line and remedy."""

from __future__ import annotations

import contextlib
import math
import os
import re

import numpy as np
import pytest

import funcdiff as fd
from funcdiff import errors

X = np.array([0.3, -1.2, 2.5])
V = np.array([0.1, 1.0, -0.5])
HERE = os.path.basename(__file__)


@contextlib.contextmanager
def fails(kind, *pieces):
    """Expect an error of exactly this class whose message has every piece (a regular expression)."""
    with pytest.raises(kind) as caught:
        yield caught
    assert type(caught.value) is kind
    message = str(caught.value)
    for piece in pieces:
        assert re.search(piece, message), f"{piece!r} not in the message:\n{message}"


def vector_valued(x):
    return np.sin(x)


def scalar_valued(x):
    return np.sum(x**2)


# --- the hierarchy -----------------------------------------------------------------------------------------

BUILTIN = {
    "OutputError": ValueError,
    "DtypeError": TypeError,
    "ArgnumsError": ValueError,
    "VectorError": ValueError,
    "StructureError": TypeError,
    "EscapedTraceError": RuntimeError,
    "ConversionError": TypeError,
    "PlainWriteError": TypeError,
    "UnsupportedError": TypeError,
    "MappedControlFlowError": ValueError,
    "BatchAxisError": ValueError,
    "CustomRuleError": ValueError,
    "MissingRuleError": NotImplementedError,
    "TapeError": ValueError,
}


@pytest.mark.parametrize("name", BUILTIN)
def test_each_class_is_also_the_builtin_one_would_catch(name):
    kind = getattr(errors, name)
    assert issubclass(kind, errors.FuncdiffError)
    assert issubclass(kind, BUILTIN[name])


def test_performance_warning_is_a_user_warning():
    assert issubclass(errors.PerformanceWarning, UserWarning)


# --- output of grad ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("transform", [fd.grad, fd.value_and_grad])
def test_grad_of_a_vector(transform):
    with fails(errors.OutputError, "vector_valued", r"\(3,\)", "jacobian|vjp", "grad"):
        transform(vector_valued)(X)


def test_grad_of_a_container():
    def pair_valued(x):
        return np.sum(x), np.sum(x * x)

    with fails(errors.OutputError, "pair_valued", "has_aux|tuple"):
        fd.grad(pair_valued)(X)


def test_grad_of_nothing():
    def forgot_to_return(x):
        np.sum(x)

    with fails(errors.OutputError, "forgot_to_return", "None|return"):
        fd.grad(forgot_to_return)(X)


def test_grad_of_a_string():
    def text_valued(x):
        return "text"

    with fails(errors.OutputError, "text_valued"):
        fd.grad(text_valued)(X)


def test_grad_of_an_empty_output():
    def empty_valued(x):
        return x[:0]

    with fails(errors.OutputError, "empty_valued"):
        fd.grad(empty_valued)(X)


@pytest.mark.parametrize("transform", [fd.hessian, fd.grad, fd.value_and_grad])
def test_second_derivative_of_a_vector(transform):
    with fails(errors.OutputError, "vector_valued"):
        transform(vector_valued)(X)


@pytest.mark.parametrize("product", [fd.hvp, fd.vhp])
def test_hessian_product_of_a_vector(product):
    with fails(errors.OutputError, "vector_valued"):
        product(vector_valued, X, V)


def test_has_aux_without_a_pair():
    def alone(x):
        return np.sum(x)

    with fails(errors.OutputError, "alone", "has_aux"):
        fd.grad(alone, has_aux=True)(X)


def test_elementwise_grad_of_a_reduction():
    def reducing(x):
        return np.sum(x)

    with fails(errors.OutputError, "reducing", "elementwise"):
        fd.elementwise_grad(reducing)(X)


# --- dtypes ------------------------------------------------------------------------------------------------

TRANSFORMS = {
    "grad": lambda f, x: fd.grad(f)(x),
    "value_and_grad": lambda f, x: fd.value_and_grad(f)(x),
    "jacobian": lambda f, x: fd.jacobian(f)(x),
    "jacobian, inputs": lambda f, x: fd.jacobian(f, np.asarray(x)),
    "jacfwd": lambda f, x: fd.jacfwd(f)(x),
    "jacrev": lambda f, x: fd.jacrev(f)(x),
    "hessian": lambda f, x: fd.hessian(f)(x),
    "vjp": lambda f, x: fd.vjp(f, x),
    "jvp": lambda f, x: fd.jvp(f, x, x),
    "hvp": lambda f, x: fd.hvp(f, x, x),
    "elementwise_grad": lambda f, x: fd.elementwise_grad(lambda x: x * 2.0)(x),
    "pullback": lambda f, x: fd.pullback(f, x),
    "linearize": lambda f, x: fd.linearize(f, x),
}


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("x", [np.arange(3), np.arange(3, dtype=np.uint8), np.array([True, False, True])])
def test_integer_and_boolean_inputs(transform, x):
    with fails(errors.DtypeError, str(x.dtype), "float|cast|astype"):
        TRANSFORMS[transform](scalar_valued, x)


def test_python_integer():
    with fails(errors.DtypeError, "int", "float|3\\.0"):
        fd.grad(lambda x: x * x)(3)


def test_integer_inside_a_container_is_located():
    with fails(errors.DtypeError, "weights", "int"):
        fd.grad(lambda p: np.sum(p["weights"]) + p["bias"])({"weights": np.arange(3), "bias": 1.0})


def test_integer_in_the_second_argument_is_located():
    with fails(errors.DtypeError, "int", "1|y"):
        fd.grad(lambda x, y: np.sum(x * y), argnums=(0, 1))(X, np.arange(3))


@pytest.mark.parametrize(
    "x",
    [
        np.array(["a", "b"]),
        "text",
        np.array([object()], dtype=object),
        np.array(["2020-01-01"], dtype="datetime64[D]"),
        object(),
        b"bytes",
    ],
)
@pytest.mark.parametrize("transform", [fd.grad, fd.jacobian, fd.jacfwd, fd.hessian])
def test_inputs_that_are_not_numbers(transform, x):
    with fails(errors.DtypeError, "<lambda>|argument"):
        transform(lambda x: 1.0)(x)


@pytest.mark.parametrize("transform", [fd.grad, fd.value_and_grad, fd.hessian])
def test_complex_output_without_holomorphic(transform):
    def complex_valued(z):
        return np.sum(z * z)

    with fails(errors.DtypeError, "complex_valued", "complex", "holomorphic"):
        transform(complex_valued)(X * 1j)


def test_complex_output_of_a_real_input():
    def complex_valued(x):
        return np.sum(x * 1j)

    with fails(errors.DtypeError, "complex_valued", "complex", "holomorphic|real"):
        fd.grad(complex_valued)(X)


def test_holomorphic_with_a_real_input():
    with fails(errors.DtypeError, "scalar_valued", "holomorphic", "complex"):
        fd.grad(scalar_valued, holomorphic=True)(X)


def test_integer_output_has_no_derivative_to_speak_of():
    """An integer output is not silently a zero derivative of the wrong dtype."""
    result = fd.jacobian(lambda x: np.argmax(x) * 1.0)(X)
    np.testing.assert_array_equal(result, np.zeros(3))


# --- argnums -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "transform",
    [fd.grad, fd.value_and_grad, fd.jacobian, fd.jacfwd, fd.jacrev, fd.hessian, fd.elementwise_grad],
)
@pytest.mark.parametrize("argnums", [2, -3, (0, 2)])
def test_argnums_out_of_range(transform, argnums):
    def two_arguments(x, y):
        return np.sum(x * y)

    with fails(errors.ArgnumsError, "two_arguments", "argnums", "2"):
        transform(two_arguments, argnums=argnums)(X, X)


@pytest.mark.parametrize("transform", [fd.grad, fd.jacfwd, fd.elementwise_grad])
@pytest.mark.parametrize("argnums", [0.5, "0", None, (0, "x")])
def test_argnums_of_another_type(transform, argnums):
    with fails(errors.ArgnumsError, "argnums"):
        transform(lambda x: np.sum(x), argnums=argnums)(X)


def test_argnums_repeated():
    with fails(errors.ArgnumsError, "argnums", "twice|repeat|more than once|duplicate"):
        fd.grad(lambda x: np.sum(x), argnums=(0, 0))(X)


def test_no_positional_arguments():
    with fails(errors.ArgnumsError, "scalar_valued", "argnums|positional"):
        fd.grad(scalar_valued)()
    with fails(errors.ArgnumsError, "scalar_valued", "argnums|positional"):
        fd.grad(scalar_valued)(x=X)


def test_function_that_is_not_callable():
    with pytest.raises(TypeError, match="function"):
        fd.grad(3.0)(X)


# --- v -----------------------------------------------------------------------------------------------------


def test_vjp_v_missing():
    with fails(errors.VectorError, "vector_valued", r"\bv\b", "vjp"):
        fd.vjp(vector_valued, X)


def test_jvp_v_missing():
    with fails(errors.VectorError, "vector_valued", r"\bv\b", "jvp"):
        fd.jvp(vector_valued, X)


@pytest.mark.parametrize("product", [fd.hvp, fd.vhp])
def test_hessian_product_v_missing(product):
    with pytest.raises((errors.VectorError, TypeError), match=r"\bv\b"):
        product(scalar_valued, X)


WRONG_V = {
    "shape": (np.zeros(4), [r"\(4,\)", r"\(3,\)"]),
    "rank": (np.zeros((3, 1)), [r"\(3, 1\)", r"\(3,\)"]),
    "scalar": (1.0, [r"\(\)", r"\(3,\)"]),
    "dtype": (np.ones(3, dtype=complex), ["complex128", "float64"]),
    "string": (np.array(["a", "b", "c"]), []),
    "structure": ((V,), []),
    "two": ((V, V), []),
    "dict": ({"v": V}, []),
}


@pytest.mark.parametrize("name", WRONG_V)
@pytest.mark.parametrize("transform", [fd.vjp, fd.jvp])
def test_v_that_does_not_fit(transform, name):
    v, pieces = WRONG_V[name]
    with fails(errors.VectorError, "vector_valued", r"\bv\b|tangent", *pieces):
        transform(vector_valued, X, v)


@pytest.mark.parametrize("name", WRONG_V)
@pytest.mark.parametrize("transform", [fd.hvp, fd.vhp])
def test_v_of_a_hessian_product_that_does_not_fit(transform, name):
    v, pieces = WRONG_V[name]
    with fails(errors.VectorError, "scalar_valued", r"\bv\b|tangent", *pieces):
        transform(scalar_valued, X, v)


def test_v_of_a_tuple_of_inputs():
    def product(x, y):
        return x * y

    with fails(errors.VectorError, "product"):
        fd.jvp(product, (X, X), V)
    with fails(errors.VectorError, "product"):
        fd.jvp(product, (X, X), (V,))
    with fails(errors.VectorError, "product", r"\(2,\)"):
        fd.jvp(product, (X, X), (V, np.zeros(2)))


def test_v_with_none_inside():
    with fails(errors.VectorError):
        fd.jvp(lambda x, y: x * y, (X, X), (V, None))


@pytest.mark.parametrize("name", WRONG_V)
def test_cotangent_of_pull_that_does_not_fit(name):
    cotangent, pieces = WRONG_V[name]
    _, pull = fd.pullback(vector_valued, X)
    with fails(errors.VectorError, "vector_valued|cotangent", *pieces):
        pull(cotangent)


@pytest.mark.parametrize("name", [n for n in WRONG_V if n != "two"])
def test_tangent_of_push_that_does_not_fit(name):
    tangent, pieces = WRONG_V[name]
    _, push = fd.linearize(vector_valued, X)
    with fails(errors.VectorError, "vector_valued|tangent", *pieces):
        push(tangent)


def test_push_with_the_wrong_number_of_tangents():
    _, push = fd.linearize(lambda x, y: x * y, X, X)
    with fails(errors.VectorError, "structure", "tangents"):
        push(V)


def test_pull_outlives_nothing_but_reports_its_structure():
    _, pull = fd.pullback(lambda x: {"a": x, "b": x}, X)
    with fails(errors.VectorError):
        pull({"a": V})


def test_transposed_function_checks_its_argument():
    transposed = fd.linear_transpose(lambda x: 2.0 * x, X)
    with fails(errors.VectorError, r"\(2,\)"):
        transposed(np.zeros(2))


# --- escaped values ----------------------------------------------------------------------------------------

ESCAPES = {
    "grad": lambda f: fd.grad(f)(X),
    "jvp": lambda f: fd.jvp(f, X, V),
    "vmap": lambda f: fd.vmap(f)(X),
    "trace": lambda f: fd.trace(f)(X),
    "jacfwd": lambda f: fd.jacfwd(f)(X),
    "linearize": lambda f: fd.linearize(f, X),
    "hessian": lambda f: fd.hessian(f)(X),
}
USES = {
    "operator": lambda y: y + 1.0,
    "reflected operator": lambda y: 1.0 * y,
    "array operator": lambda y: X * y,
    "ufunc": np.exp,
    "method": lambda y: y.sum(),
    "function": lambda y: np.concatenate([np.atleast_1d(y), X]),
    "index": lambda y: y[..., None],
    "write": lambda y: y.__setitem__(..., 0.0),
}


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("transform", ESCAPES)
def test_value_that_outlived_its_transform(transform, use):
    kept = []

    def leaking(x):
        kept.append(x * 2)
        return np.sum(x)

    ESCAPES[transform](leaking)
    with fails(errors.EscapedTraceError, "returned|outlived|escaped|finished"):
        USES[use](kept[0])


def test_escaped_value_used_in_another_transform():
    kept = []
    fd.grad(lambda x: kept.append(x) or np.sum(x))(X)
    with fails(errors.EscapedTraceError, HERE):
        fd.grad(lambda x: np.sum(x * kept[0]))(X)


def test_escaped_value_after_user_code_raised():
    kept = []

    def raising(x):
        kept.append(x)
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        fd.grad(raising)(X)
    with fails(errors.EscapedTraceError):
        kept[0] + 1.0


def test_inner_value_used_by_the_outer_function():
    kept = []

    def outer(x):
        fd.grad(lambda y: kept.append(y * x) or np.sum(y))(X)
        return np.sum(kept[0] * x)

    with fails(errors.EscapedTraceError):
        fd.grad(outer)(X)


def test_repr_of_an_escaped_value_still_works():
    kept = []
    fd.grad(lambda x: kept.append(x) or np.sum(x))(X)
    assert isinstance(repr(kept[0]), str)


# --- conversions that would drop a derivative --------------------------------------------------------------

CONVERSIONS = {
    "float": float,
    "complex": complex,
    "int": int,
    "math.exp": math.exp,
    "math.sqrt": math.sqrt,
    "round trip through a list": lambda t: math.fsum([t, t]),
}
SCALAR_TRANSFORMS = {
    "grad": lambda f: fd.grad(f)(0.7),
    "jvp": lambda f: fd.jvp(f, 0.7),
    "hessian": lambda f: fd.hessian(f)(0.7),
    "linearize": lambda f: fd.linearize(f, 0.7),
    "trace": lambda f: fd.trace(f)(0.7),
}


@pytest.mark.parametrize("name", CONVERSIONS)
@pytest.mark.parametrize("transform", SCALAR_TRANSFORMS)
def test_conversion_to_a_python_number(transform, name):
    with fails(errors.ConversionError, "item", "stop_gradient", HERE):
        SCALAR_TRANSFORMS[transform](lambda x: CONVERSIONS[name](x) * x)


def test_float_names_itself():
    with fails(errors.ConversionError, "float"):
        fd.grad(lambda x: float(x) * x)(0.7)
    with fails(errors.ConversionError, "int"):
        fd.grad(lambda x: int(x) * x)(0.7)
    with fails(errors.ConversionError, "complex"):
        fd.grad(lambda x: abs(complex(x)) * x)(0.7)


def test_float_is_an_index_nowhere():
    with fails((errors.ConversionError), "index|int"):
        fd.grad(lambda x: [1.0, 2.0][x] * x)(1.0)


def test_integer_and_boolean_values_do_convert():
    """They have no derivative to drop."""

    def f(x):
        best = int(np.argmax(x))
        if bool(np.all(x < 10)) and float(np.argmax(x)) == 2.0:
            return x[best] * [10.0, 20.0, 30.0][np.argmax(x)]
        return 0.0

    np.testing.assert_array_equal(fd.grad(f)(X), [0.0, 0.0, 30.0])


def find_cause(error, kind):
    """The error itself or one it was raised from."""
    while error is not None and not isinstance(error, kind):
        error = error.__cause__ or error.__context__
    return error


HIDDEN_CONVERSIONS = {
    "np.float64": lambda x: np.float64(x[0]) * 1.0,
    "array of floats": lambda x: np.sum(np.array([x[0], x[1]], dtype=float)),
    "tolist": lambda x: np.sum(np.array(x.tolist(), dtype=float)),
    "fromiter": lambda x: np.sum(np.fromiter((t for t in x), dtype=float)),
    "full of floats": lambda x: np.sum(np.full(3, x[0], dtype=float)),
}


@pytest.mark.parametrize("name", HIDDEN_CONVERSIONS)
def test_conversion_that_numpy_asks_for(name):
    """A derivative is kept or refused; NumPy may wrap the refusal in an error of its own."""
    try:
        gradient = fd.grad(HIDDEN_CONVERSIONS[name])(X)
    except (TypeError, ValueError) as error:
        refusal = find_cause(error, (errors.ConversionError, errors.PlainWriteError))
        assert refusal is not None
        assert re.search(r"fd\.numpy|like=x", str(refusal))
    else:
        assert np.any(gradient)


# --- writing into plain arrays -----------------------------------------------------------------------------


def plain_item(x):
    y = np.zeros(3)
    y[0] = x[0] ** 2
    return np.sum(y)


def plain_slice(x):
    y = np.zeros(3)
    y[:] = x**2
    return np.sum(y)


def plain_ellipsis(x):
    y = np.zeros(3)
    y[...] = x
    return np.sum(y)


def plain_row(x):
    y = np.zeros((2, 3))
    y[0] = x
    return np.sum(y)


def plain_fancy(x):
    y = np.zeros(3)
    y[[0, 2]] = x[:2]
    return np.sum(y)


def plain_mask(x):
    y = np.zeros(3)
    y[x > 0] = x[x > 0]
    return np.sum(y)


def plain_list(x):
    y = np.zeros(3)
    y[1:] = [x[0], x[1]]
    return np.sum(y)


def plain_flat(x):
    y = np.zeros((2, 2))
    y.flat[3] = x[1]
    return np.sum(y)


def plain_flat_slice(x):
    y = np.zeros((2, 2))
    y.flat[1:3] = x[:2]
    return np.sum(y)


def plain_whole_flat(x):
    y = np.zeros((1, 3))
    y.flat = x
    return np.sum(y)


def plain_integers(x):
    y = np.zeros(3, dtype=int)
    y[0] = x[0]
    return np.sum(y)


PLAIN_WRITES = [
    plain_item,
    plain_slice,
    plain_ellipsis,
    plain_row,
    plain_fancy,
    plain_mask,
    plain_list,
    plain_flat,
    plain_flat_slice,
    plain_whole_flat,
    plain_integers,
]


@pytest.mark.parametrize("f", PLAIN_WRITES)
@pytest.mark.parametrize(
    "transform", [fd.grad, fd.hessian, fd.trace, fd.jit, lambda f: lambda x: fd.jvp(f, x, x)]
)
def test_item_write_into_a_plain_array(transform, f):
    """NumPy calls a conversion, and may raise an error of its own in place of ours."""
    with fails(errors.PlainWriteError, "plain ndarray", r"np\.zeros\(n, like=x\)", HERE):
        transform(f)(X)


@pytest.mark.parametrize("index", ["x[0]", "'a'"])
@pytest.mark.parametrize("array", ["x", "np.arange(3.0)"])
def test_what_is_no_index(array, index):
    f = eval(f"lambda x: {array}[{index}]")
    for transform in (fd.grad, fd.trace, fd.jacfwd):
        with fails(errors.IndexingError, "only integers, slices", r"astype\(int\)", r"in_axes=None"):
            transform(f)(X)


def test_a_buffer_of_integers_holds_no_traced_value():
    def f(x):
        y = np.zeros(3, dtype=int, like=x)
        y[0] = x[0]
        return np.sum(y)

    with fails(errors.PlainWriteError, "with a dtype that holds it", HERE):
        fd.grad(f)(X)
    with fails(errors.DtypeError, "int64", "dtype=float64", HERE):
        fd.jit(f)(X)


def test_conversion_of_an_array_that_is_not_a_write():
    """A line that makes a plain array is told about conversions, whatever it does with the array."""

    def f(x):
        y = np.zeros(3)
        y[:] = np.asarray(x, dtype=float)
        return np.sum(y)

    with fails(errors.ConversionError, "plain array of dtype float64", r"fd\.numpy\.array", HERE):
        fd.grad(f)(X)


def plain_add(x):
    y = np.zeros(3)
    y += x**2
    return np.sum(y)


def plain_out(x):
    y = np.zeros(3)
    np.add(x, 1.0, out=y)
    return np.sum(y)


def plain_at(x):
    y = np.zeros(3)
    np.add.at(y, [0, 0, 1], x)
    return np.sum(y)


def plain_copyto(x):
    y = np.zeros(3)
    np.copyto(y, x)
    return np.sum(y)


def plain_put(x):
    y = np.zeros(3)
    np.put(y, [0, 1], x[:2])
    return np.sum(y)


def plain_reduce_out(x):
    y = np.zeros(())
    np.sum(x, out=y)
    return y


@pytest.mark.parametrize("f", [plain_add, plain_out, plain_at, plain_copyto, plain_put, plain_reduce_out])
def test_update_of_a_plain_array(f):
    with fails(errors.PlainWriteError, r"like=x|like=", HERE):
        fd.grad(f)(X)
    with fails(errors.PlainWriteError, r"like=x|like=", HERE):
        fd.jvp(f, X, V)


def test_captured_array_is_not_changed_by_a_refused_write():
    captured = np.ones(3)

    def f(x):
        nonlocal captured
        captured += x
        return np.sum(captured)

    with fails(errors.PlainWriteError):
        fd.grad(f)(X)
    np.testing.assert_array_equal(captured, np.ones(3))


def test_writing_the_argument_of_another_level_leaves_the_callers_array_alone():
    def f(x):
        x[0] = 0.0
        return np.sum(x)

    x = X.copy()
    with contextlib.suppress(errors.FuncdiffError):
        fd.grad(f)(x)
    np.testing.assert_array_equal(x, X)


def test_in_place_dtype_and_shape_follow_numpy():
    def wrong_shape(x):
        y = np.zeros_like(x)
        y += np.ones((2, 3))
        return np.sum(y)

    def wrong_dtype(x):
        y = np.zeros_like(x)
        y += 1j
        return np.sum(y)

    with pytest.raises((ValueError, errors.FuncdiffError)):
        fd.grad(wrong_shape)(X)
    with pytest.raises((TypeError, errors.FuncdiffError)):
        fd.grad(wrong_dtype)(X)


# --- unsupported -------------------------------------------------------------------------------------------

UNSUPPORTED = {
    "packbits": lambda x: np.packbits(x),
    "datetime_as_string": lambda x: np.datetime_as_string(x),
    "busday_count": lambda x: np.busday_count(x, x),
    "is_busday": lambda x: np.is_busday(x),
}


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_unsupported_function(name):
    with fails(errors.UnsupportedError, name, HERE):
        fd.grad(lambda x: np.sum(UNSUPPORTED[name](x)))(X)


KEYWORDS = {
    "signature": lambda x: np.add(x, x, signature="dd->d"),
    "casting": lambda x: np.exp(x, casting="unsafe", dtype=np.float32),
}


@pytest.mark.parametrize("name", KEYWORDS)
def test_unsupported_keyword(name):
    """A keyword is honoured or refused by name, never ignored."""
    try:
        result = fd.vjp(KEYWORDS[name], X, np.ones(3, dtype=KEYWORDS[name](X).dtype))[0]
    except errors.UnsupportedError as error:
        assert name in str(error)  # noqa: PT017
        assert HERE in str(error)  # noqa: PT017
    else:
        assert result.dtype == KEYWORDS[name](X).dtype


def test_unknown_keyword_is_a_type_error():
    with pytest.raises(TypeError, match="bogus"):
        fd.grad(lambda x: np.sum(x, bogus=1))(X)
    with pytest.raises(TypeError, match="bogus"):
        fd.grad(lambda x: np.sum(np.exp(x, bogus=1)))(X)


def test_unknown_attribute():
    with pytest.raises(AttributeError, match="no_such_method"):
        fd.grad(lambda x: x.no_such_method())(X)


def test_bitwise_operation_on_floats():
    with pytest.raises(TypeError):
        fd.grad(lambda x: np.sum(np.bitwise_and(x, 1)))(X)


def test_index_out_of_range_is_numpys_own_error():
    with pytest.raises(IndexError):
        fd.grad(lambda x: x[5])(X)


def test_shape_mismatch_is_a_value_error():
    with pytest.raises(ValueError, match=r"shape|broadcast"):
        fd.grad(lambda x: np.sum(x + np.zeros(4)))(X)


def test_hash_is_refused():
    with pytest.raises(TypeError):
        fd.grad(lambda x: hash(x) * np.sum(x))(X)


def test_truth_of_an_array_of_several_elements_is_ambiguous():
    with pytest.raises(ValueError, match=r"ambiguous|any|all"):
        fd.grad(lambda x: np.sum(x) if x > 0 else 0.0)(X)


# --- vmap --------------------------------------------------------------------------------------------------


def test_branch_on_a_mapped_value():
    with fails(errors.MappedControlFlowError, "np.where", "fd.cond|funcdiff.cond", HERE):
        fd.vmap(lambda x: x if x > 0 else -x)(X)


def test_loop_on_a_mapped_value():
    def f(x):
        while np.linalg.norm(x) < 10:
            x = x * 2
        return x

    with fails(errors.MappedControlFlowError, "while_loop|where", HERE):
        fd.vmap(f)(np.eye(3))


MAPPED_DECISIONS = {
    "int": lambda x: int(np.argmax(x)) * x,
    "index of a list": lambda x: [1.0, 2.0, 3.0][np.argmax(x)] * x,
    "range": lambda x: sum(range(np.argmax(x))) * x,
    "item": lambda x: x[0].item() * x,
    "boolean mask": lambda x: x[x > 0],
    "nonzero": lambda x: np.nonzero(x)[0],
}


@pytest.mark.parametrize("name", MAPPED_DECISIONS)
def test_other_decisions_on_a_mapped_value(name):
    with fails(errors.MappedControlFlowError, HERE):
        fd.vmap(MAPPED_DECISIONS[name])(np.eye(3) - 0.5)


def test_mapped_decision_inside_a_gradient():
    with fails(errors.MappedControlFlowError):
        fd.vmap(fd.grad(lambda x: x if x > 0 else -x))(X)
    with fails(errors.MappedControlFlowError):
        fd.grad(lambda xs: np.sum(fd.vmap(lambda x: x if x > 0 else -x)(xs)))(X)


def test_float_of_a_mapped_value():
    with pytest.raises((errors.ConversionError, errors.MappedControlFlowError)):
        fd.vmap(lambda x: float(x) * x)(X)


def test_decision_on_an_unmapped_value_is_fine():
    scale = fd.vmap(lambda x, s: x * s if s > 0 else x, in_axes=(0, None))(X, 2.0)
    np.testing.assert_allclose(scale, 2 * X)


def test_batch_sizes_differ():
    def product(x, y):
        return x * y

    with fails(errors.BatchAxisError, "product", r"\b3\b", r"\b4\b"):
        fd.vmap(product)(X, np.zeros(4))


BAD_AXES = {
    "out of range": (1, (X,)),
    "negative out of range": (-2, (X,)),
    "scalar": (0, (1.0,)),
    "nothing mapped": (None, (X,)),
    "wrong length": ((0, 0), (X,)),
    "wrong type": ("0", (X,)),
    "fraction": (0.5, (X,)),
    "wrong structure": (({"a": 0},), ({"b": X},)),
}


@pytest.mark.parametrize("name", BAD_AXES)
def test_in_axes_that_do_not_fit(name):
    in_axes, arguments = BAD_AXES[name]
    with fails(errors.BatchAxisError, "in_axes|axis|axes|batch"):
        fd.vmap(lambda *args: args[0], in_axes=in_axes)(*arguments)


@pytest.mark.parametrize("out_axes", [1, -2, (0, 0), "0", {"a": 0}])
def test_out_axes_that_do_not_fit(out_axes):
    with fails(errors.BatchAxisError, "out_axes"):
        fd.vmap(lambda x: x * 2, out_axes=out_axes)(X)


def test_out_axes_none_for_a_mapped_output():
    with fails(errors.BatchAxisError, "out_axes", "None"):
        fd.vmap(lambda x: x * 2, out_axes=None)(X)


# --- custom rules ------------------------------------------------------------------------------------------


def custom_with_jvp(rule):
    @fd.custom_jvp
    def mine(x):
        return np.sin(x)

    mine.defjvp(rule)
    return mine


WRONG_JVP = {
    "shape": lambda primals, tangents: (np.sin(primals[0]), np.sum(tangents[0])),
    "structure": lambda primals, tangents: (np.sin(primals[0]), (tangents[0],)),
    "not a pair": lambda primals, tangents: np.sin(primals[0]),
    "three": lambda primals, tangents: (1.0, 2.0, 3.0),
    "nothing": lambda primals, tangents: None,
    "primal shape": lambda primals, tangents: (np.ones(2), tangents[0]),
}


@pytest.mark.parametrize("name", WRONG_JVP)
def test_jvp_rule_of_the_wrong_shape(name):
    f = custom_with_jvp(WRONG_JVP[name])
    with fails(errors.CustomRuleError, "mine"):
        fd.jvp(f, X, V)


@pytest.mark.parametrize("name", ["shape", "structure", "not a pair", "nothing"])
def test_jvp_rule_of_the_wrong_shape_in_reverse_mode(name):
    f = custom_with_jvp(WRONG_JVP[name])
    with fails(errors.CustomRuleError, "mine"):
        fd.grad(lambda x: np.sum(f(x)))(X)


WRONG_VJP = {
    "shape": (lambda x: (x, None), lambda r, g: (np.sum(g),)),
    "too many": (lambda x: (x, None), lambda r, g: (g, g)),
    "too few": (lambda x: (x, None), lambda r, g: ()),
    "nothing": (lambda x: (x, None), lambda r, g: None),
    "structure": (lambda x: (x, None), lambda r, g: ((g, g),)),
    "forward is not a pair": (lambda x: x, lambda r, g: (g,)),
}


@pytest.mark.parametrize("name", WRONG_VJP)
def test_vjp_rule_of_the_wrong_shape(name):
    @fd.custom_vjp
    def mine(x):
        return x * 1.0

    mine.defvjp(*WRONG_VJP[name])
    with fails(errors.CustomRuleError, "mine"):
        fd.grad(lambda x: np.sum(mine(x)))(X)


def test_custom_vjp_that_closes_over_a_traced_value():
    def f(x):
        @fd.custom_vjp
        def closing(y):
            return y * x

        closing.defvjp(lambda y: (y * x, None), lambda r, g: (g,))
        return np.sum(closing(x))

    with fails(errors.CustomRuleError, "closing", "closes over", "argument", HERE):
        fd.grad(f)(X)
    with fails(errors.CustomRuleError, "closing", "closes over", "argument", HERE):
        fd.jvp(f, X, V)


def test_custom_jvp_that_closes_over_a_traced_value():
    def f(x):
        @fd.custom_jvp
        def closing(y):
            return y * x

        closing.defjvp(lambda primals, tangents: (primals[0] * x, tangents[0]))
        return np.sum(closing(x))

    with fails(errors.CustomRuleError, "closing", "closes over", "argument", HERE):
        fd.grad(f)(X)
    with fails(errors.CustomRuleError, "closing", "closes over", "argument", HERE):
        fd.jvp(f, X, V)


def test_custom_function_without_any_rule():
    @fd.custom_vjp
    def bare(x):
        return np.sin(x)

    with fails(errors.MissingRuleError, "bare", "defvjp"):
        fd.grad(lambda x: np.sum(bare(x)))(X)

    @fd.custom_jvp
    def bare_too(x):
        return np.sin(x)

    with fails(errors.MissingRuleError, "bare_too", "defjvp"):
        fd.jvp(bare_too, X, V)


# --- tapes -------------------------------------------------------------------------------------------------

WRONG_REPLAY = {
    "shape": ((np.zeros(4), X), r"float64\[4\]"),
    "rank": ((np.zeros((3, 3)), X), r"float64\[3,3\]"),
    "count": ((X,), "structure"),
    "dtype": ((X.astype(np.float32), X), "float32"),
    "structure": (((X,), X), ""),
}


@pytest.mark.parametrize("name", WRONG_REPLAY)
def test_replay_on_arguments_that_do_not_fit(name):
    arguments, piece = WRONG_REPLAY[name]
    tape = fd.trace(lambda x, y: x * y)(X, X)
    with fails(errors.TapeError, piece):
        tape.run(*arguments)


def test_replay_where_another_branch_would_be_taken():
    def branching(x):
        return x * 2 if np.sum(x) > 0 else x * 3

    tape = fd.trace(branching)(X)
    with fails(errors.TapeError, "branch|guard|value"):
        tape.run(-X)


# --- containers --------------------------------------------------------------------------------------------


def test_container_registered_twice():
    class Once:
        pass

    fd.register_pytree_node(Once, lambda node: ((), None), lambda aux, children: Once())
    with pytest.raises(ValueError, match="Once"):
        fd.register_pytree_node(Once, lambda node: ((), None), lambda aux, children: Once())


@pytest.mark.parametrize("cls", [float, int, str, bytes, np.ndarray, np.float32, "Once", np.zeros(2)])
def test_container_that_is_a_number(cls):
    with fails(errors.StructureError, "register_pytree_node", "class of containers", HERE):
        fd.register_pytree_node(cls, lambda node: ((), None), lambda aux, children: None)
    np.testing.assert_array_equal(fd.grad(np.sum)(X), np.ones(3))


def test_container_with_a_leaf_that_is_not_a_number():
    with fails(errors.DtypeError, "name"):
        fd.grad(lambda p: np.sum(p["x"]))({"x": X, "name": "text"})


def test_unregistered_class_says_how_to_register_it():
    class Opaque:
        pass

    with pytest.raises((errors.DtypeError, errors.StructureError), match="register_pytree_node"):
        fd.grad(lambda p: 1.0)(Opaque())


# --- wherever an error occurs, the user's own exception is untouched ---------------------------------------


@pytest.mark.parametrize("transform", ESCAPES)
def test_users_exception_passes_through(transform):
    class MineError(Exception):
        pass

    def raising(x):
        raise MineError("mine")

    with pytest.raises(MineError, match="mine"):
        ESCAPES[transform](raising)
