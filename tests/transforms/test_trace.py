"""`trace`: a tape that prints, replays on new inputs, and is checked."""

from __future__ import annotations

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
