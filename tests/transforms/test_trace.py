"""`trace`: a tape that prints, replays on new inputs, and is checked."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import funcdiff as fd

X = np.array([0.3, -1.2, 2.5])
Y = np.array([1.5, 0.7, -0.4])


def exp_adder(x, y):
    return 2 * np.exp(x) + 3 * y


def written(x):
    y = np.zeros_like(x)
    y[0] = np.sin(x[1])
    y[1:] = x[:-1] * x[1:]
    y += x
    row = y[::2]
    row *= 2.0
    return y


PROGRAMS = {
    "elementwise": lambda x: np.sin(x) * x + 1.0,
    "reductions": lambda x: np.sum(x * x) / np.max(np.abs(x)),
    "linalg": lambda x: np.linalg.solve(np.outer(x, x) + np.eye(3), x),
    "indexing": lambda x: x[[0, 2, 2]] * x[:, None],
    "named tuple": lambda x: np.linalg.slogdet(np.outer(x, x) + np.eye(3))[1],
    "written": written,
    "captured": lambda x: np.arange(3.0) * x,
    "where": lambda x: np.where(x > 0, np.log(np.abs(x)), x),
    "selection": lambda x: np.sort(x)[np.argmax(x)] * x,
    "constant": lambda x: np.ones(2),
    "identity": lambda x: x,
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_replay_at_the_recorded_point_and_elsewhere(name):
    f = PROGRAMS[name]
    tape = fd.trace(f)(X)
    for point in (X, X * 1.1, X - 0.01):
        assert_allclose(tape.run(point), f(point), rtol=1e-13)


def test_masks_and_selections_are_recomputed_on_replay():
    tape = fd.trace(lambda x: np.where(x > 0, x, 0.0) + np.sort(x))(X)
    point = np.array([-1.0, 5.0, 2.0])
    assert_allclose(tape.run(point), np.where(point > 0, point, 0) + np.sort(point))


def test_replay_does_not_call_the_function():
    calls = []

    def f(x):
        calls.append(1)
        return np.exp(x)

    tape = fd.trace(f)(X)
    tape.run(Y)
    tape.run(X)
    assert len(calls) == 1


def test_several_arguments_and_outputs():
    tape = fd.trace(lambda x, y: {"sum": exp_adder(x, y), "pair": (x, 2.0 * y)})(X, Y)
    result = tape.run(Y, X)
    assert_allclose(result["sum"], 2 * np.exp(Y) + 3 * X, rtol=1e-14)
    assert_allclose(result["pair"][0], Y)
    assert_allclose(result["pair"][1], 2 * X)


def test_containers_of_arguments():
    tape = fd.trace(lambda p: p["a"] * p["b"][0])({"a": X, "b": [2.0]})
    assert_allclose(tape.run({"a": Y, "b": [3.0]}), 3 * Y)


def test_listing_is_typed_and_names_the_operations():
    text = str(fd.trace(exp_adder)(X, Y))
    assert "exp" in text
    assert "multiply" in text or "mul" in text
    assert "add" in text
    assert "float64" in text or "f64" in text
    assert "3" in text
    assert len(text.splitlines()) >= 5


def test_listing_of_a_gradient_is_the_gradients_program():
    text = str(fd.trace(fd.grad(lambda x: np.sum(np.sin(x))))(X))
    assert "cos" in text


def test_listing_shows_one_program_for_one_function():
    assert str(fd.trace(exp_adder)(X, Y)) == str(fd.trace(exp_adder)(X, Y))


def test_replay_of_a_gradients_tape():
    def f(x):
        return np.sum(np.sin(x) * x**2)

    tape = fd.trace(fd.grad(f))(X)
    for point in (X, Y):
        assert_allclose(tape.run(point), fd.grad(f)(point), rtol=1e-13)


def test_gradient_of_a_replay():
    tape = fd.trace(lambda x: np.sum(written(x) ** 2))(X)
    expected = fd.grad(lambda x: np.sum(written(x) ** 2))
    for point in (X, Y):
        assert_allclose(fd.grad(tape.run)(point), expected(point), rtol=1e-12)
    assert_allclose(fd.hessian(tape.run)(Y), fd.jacobian(expected)(Y), rtol=1e-11, atol=1e-12)


def test_vmap_of_a_replay():
    tape = fd.trace(lambda x: np.sum(np.exp(x)))(X)
    assert_allclose(fd.vmap(tape.run)(np.stack([X, Y])), [np.exp(X).sum(), np.exp(Y).sum()])


def test_singular_points_of_another_input_are_right_on_replay():
    """The tape of a gradient must be right where the recorded point was regular."""
    tape = fd.trace(fd.grad(lambda x: np.sum(np.where(x > 0, np.log(x), 0.0))))(np.abs(X))
    with np.errstate(all="ignore"):
        assert_allclose(tape.run(np.array([-1.0, 0.0, 2.0])), [0.0, 0.0, 0.5])


def test_followed_branches_are_guarded():
    def f(x):
        if x.sum() > 0:
            return x * 2
        return x * 3

    tape = fd.trace(f)(X)
    assert_allclose(tape.run(np.ones(3)), np.full(3, 2.0))
    with pytest.raises(fd.errors.TapeError):
        tape.run(-np.ones(3))


def test_guard_on_an_integer_read_from_a_value():
    tape = fd.trace(lambda x: x[: int(np.argmax(x)) + 1] * 2)(X)
    assert_allclose(tape.run(np.array([1.0, 2.0, 3.0])), [2.0, 4.0, 6.0])
    with pytest.raises(fd.errors.TapeError):
        tape.run(np.array([3.0, 2.0, 1.0]))


@pytest.mark.parametrize(
    "arguments",
    [
        (np.zeros(4),),
        (np.zeros((3, 1)),),
        (),
        (np.zeros(3), np.zeros(3)),
        ((np.zeros(3),),),
        (np.zeros(3, dtype=np.float32),),
    ],
)
def test_arguments_must_fit(arguments):
    tape = fd.trace(np.exp)(X)
    with pytest.raises(fd.errors.FuncdiffError):
        tape.run(*arguments)


def test_stats_count_records():
    stats = fd.trace(lambda x: np.sin(np.exp(x)))(X).stats()
    assert "2" in str(stats)


def test_control_flow_is_unrolled():
    def f(x):
        y = x * 2
        while np.linalg.norm(y) < 100:
            y = y * 2
        return y

    tape = fd.trace(f)(X)
    assert_array_equal(tape.run(X), f(X))


def test_integer_inputs_may_be_traced():
    tape = fd.trace(lambda n, x: n * x)(np.arange(3), X)
    assert_allclose(tape.run(np.arange(3) + 1, X), (np.arange(3) + 1) * X)


@pytest.mark.parametrize("shape", [(1, 5), (3, 2), (4,), (100, 2)])
@pytest.mark.parametrize("index", [[0, -1, 0, 0, 0], [0, 0], [[0, 1], [1, 0]], [[0, 0], [0, 0]], [[-1, 0]]])
def test_a_recorded_gradient_adds_up_what_rows_read_twice_contribute(shape, index):
    index = np.array(index) % shape[0]
    x = np.linspace(0.1, 0.5, int(np.prod(shape))).reshape(shape)
    gradient = fd.grad(
        lambda x: np.sum(np.sin(x[index]) * np.arange(1.0, 1 + np.size(x[index])).reshape(x[index].shape))
    )
    tape = fd.trace(gradient)(x)
    assert_allclose(tape.run(x), gradient(x), rtol=1e-14)
    assert_allclose(
        fd.hessian(lambda x: np.sum(x[index] ** 3) + np.sum(x**2))(x).sum(),
        6 * x[index].sum() + 2 * x.size,
        rtol=1e-12,
    )


def test_what_tapes_are_made_of_is_frozen():
    record = fd.trace(lambda x: 2.0 * x)(X).records[0]
    for part, name in ((record, "line"), (record.inputs[0], "value"), (record.outputs[0], "number")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(part, name, 0)
    changed = dataclasses.replace(record, params={"lead": 1})
    assert (changed.params, changed.inputs, changed.line) == ({"lead": 1}, record.inputs, record.line)


def test_records_quote_the_lines_of_code_that_is_gone():
    """New code may come to lie where other code of the same program lay before."""

    def f(x):
        for n in range(50):
            names = {"x": x}
            exec(compile("\n" * n + "x = x * 2.0", f"<step {n}>", "exec"), names)
            x = names["x"]
        return x

    assert [r.line for r in fd.trace(f)(X).records] == [f"<step {n}>:{n + 1}" for n in range(50)]


@pytest.mark.parametrize("x", [np.float64(1.5), X])
def test_steps_on_what_is_computed_later_and_on_what_is_not(x):
    """A loop's result is a stand-in until Python's control flow asks for it; what is beside it is computed at once."""

    def f(x):
        y, _ = fd.scan(lambda c, _: (c * 0.5 + x, None), x, length=3)
        z, w = np.sin(x) * 2.0, y + x
        if np.sum(y) > 0.0:  # computes y and w in earnest
            z = z + w * 2.0
        return z * y - w

    tape = fd.trace(f)(x)
    for point in (x, 1.25 * x):
        assert_array_equal(tape.run(point), f(point))


def test_operands_of_any_type_beside_traced_ones():
    """Numbers and small arrays of every type are recorded as they are, and constants as they were."""
    others = [True, 2, 2.0, 2j, np.float32(2), np.int8(2), np.uint64(2), np.complex64(2j), np.bool_(True)]
    others += [np.ones(3, d) for d in ("f4", "i2", "c16", "?")]
    for x in (np.float64(0.5), np.float32(0.5), np.complex64(0.5j), np.int32(3), X, X.astype("f4")):
        for other in others:
            for f in (
                lambda x, c=other: x * c,
                lambda x, c=other: c - x,
                lambda x, c=other: (c == x) | (x != c),
            ):
                tape = fd.trace(f)(x)
                assert tape.outputs[0].type == fd.core.array_type.type_of(f(x)), (x, other)
                assert_array_equal(tape.run(x), f(x))
    changing = np.ones(3)

    def written(x):
        y = x * changing
        changing[:] = 5.0
        return y + changing

    assert_array_equal(fd.trace(written)(X).run(X), X + 5.0)


def test_numbers_of_a_program_are_taken_for_one_type_only_where_they_are():
    """Numbers that an array is taken apart into, integers among them, and arrays without axes."""

    def f(x):
        a, b = x[0], x[1]
        i, z = np.floor(a).astype(int), np.reshape(b, ())
        s = np.float32(2.0) * a.astype(np.float32)
        return np.sum(a * b + a * i + z * b + s * a + x * s)

    for transform in (
        fd.grad,
        fd.hessian,
        fd.jacfwd,
        lambda f: fd.grad(lambda x: np.sum(fd.grad(f)(x) ** 2)),
    ):
        g = transform(f)
        assert_allclose(fd.trace(g)(X).run(Y), g(Y), rtol=1e-14)
