"""The programs of the autograd tutorials, as functions: what they print is what comes out here."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import funcdiff as fd

# --- the paraboloid 0.2 x1² + 0.2 x2² - 5 ------------------------------------------------------------------


def paraboloid(x1, x2):
    x3 = x1.square()
    x5 = x3 * 0.2
    x4 = x2.square()
    x6 = x4 * 0.2
    return x5 + x6 - 5


def test_paraboloid_gradient():
    value, (by_x1, by_x2) = fd.value_and_grad(paraboloid, argnums=(0, 1))(2.0, 2.0)
    assert_allclose(value, -3.4, rtol=1e-14)
    assert_allclose([by_x1, by_x2], [0.8, 0.8], rtol=1e-14)


def test_paraboloid_of_one_element_arrays():
    by_x1, by_x2 = fd.grad(paraboloid, argnums=(0, 1))(np.array([2.0]), np.array([2.0]))
    assert_allclose(by_x1, [0.8], rtol=1e-14)
    assert_allclose(by_x2, [0.8], rtol=1e-14)


def test_paraboloid_intermediate_derivatives():
    """What the tutorial reads from `retain_grad`: the derivative by each inner node."""
    assert_allclose(fd.grad(lambda x3: x3 * 0.2 + 0.8 - 5)(4.0), 0.2)
    assert_allclose(fd.grad(lambda x5: x5 + 0.8 - 5)(0.8), 1.0)
    assert_allclose(fd.grad(lambda x1: x1.square())(2.0), 4.0)
    chained = 1.0 * 0.2 * 4.0
    assert_allclose(fd.grad(lambda x1: 0.2 * x1.square() + 0.8 - 5)(2.0), chained, rtol=1e-14)


def test_paraboloid_hessian():
    (h11, h12), (h21, h22) = fd.hessian(paraboloid, (np.float64(2.0), np.float64(3.0)))
    assert_allclose([[h11, h12], [h21, h22]], [[0.4, 0.0], [0.0, 0.4]], rtol=1e-14)


def test_gradient_descent_on_the_paraboloid():
    """``x ← x - lr 0.4 x`` shrinks the point by the same factor in each step."""
    x = np.array([6.0, -3.0])
    slope = fd.grad(lambda x: 0.2 * x[0] ** 2 + 0.2 * x[1] ** 2 - 5)
    for _ in range(50):
        x = x - 0.5 * slope(x)
    assert_allclose(x, np.array([6.0, -3.0]) * 0.8**50, rtol=1e-12)
    assert np.linalg.norm(x) < 1e-3


def test_gradient_descent_on_a_tuple_of_parameters():
    parameters = (np.float64(2.0), np.float64(-4.0))
    slope = fd.grad(lambda p: 0.2 * p[0] ** 2 + 0.2 * p[1] ** 2 - 5)
    for _ in range(20):
        parameters = tuple(p - g for p, g in zip(parameters, slope(parameters), strict=True))
    assert_allclose(parameters, [2.0 * 0.6**20, -4.0 * 0.6**20], rtol=1e-12)


# --- sin, then 2 b + 1, then sum ---------------------------------------------------------------------------


def sine_program(a):
    b = np.sin(a)
    c = 2 * b
    d = c + 1
    return d.sum()


def test_sine_program():
    a = np.linspace(0.0, 2.0 * np.pi, 25)
    value, gradient = fd.value_and_grad(sine_program)(a)
    assert_allclose(value, 25.0, rtol=1e-14)
    assert_allclose(gradient, 2 * np.cos(a), rtol=1e-14, atol=1e-15)


def test_sine_program_with_methods():
    a = np.linspace(0.0, 2.0 * np.pi, 25)
    assert_allclose(fd.grad(lambda a: (2 * a.sin() + 1).sum())(a), 2 * np.cos(a), atol=1e-15)


def test_sine_program_tape_names_its_operations_in_order():
    text = str(fd.trace(sine_program)(np.linspace(0.0, 1.0, 5)))
    places = [text.find(name) for name in ("sin", "mul", "add", "sum")]
    assert min(places) >= 0
    assert places == sorted(places)


def test_sine_in_place_is_allowed_on_a_copy():
    """PyTorch refuses `sin_` on a leaf; here the same program on a copy has its derivative."""

    def f(a):
        y = a.copy()
        np.sin(y, out=y)
        return y.sum()

    a = np.linspace(0.0, 2.0 * np.pi, 25)
    before = a.copy()
    assert_allclose(fd.grad(f)(a), np.cos(a), rtol=1e-14, atol=1e-15)
    assert_array_equal(a, before)


# --- the tiny model and one step of training ---------------------------------------------------------------


def tiny_model(parameters, x):
    (w1, b1), (w2, b2) = parameters
    hidden = np.maximum(x @ w1.T + b1, 0.0)
    return hidden @ w2.T + b2


def model_loss(parameters, x, ideal_output):
    return (ideal_output - tiny_model(parameters, x)).pow(2).sum()


@pytest.fixture
def model():
    rng = np.random.default_rng(0)
    parameters = [
        (rng.normal(size=(10, 20)) / 5, rng.normal(size=10) / 5),
        (rng.normal(size=(4, 10)) / 5, rng.normal(size=4) / 5),
    ]
    return parameters, rng.normal(size=(16, 20)), rng.normal(size=(16, 4))


def hand_written_gradient(parameters, x, ideal_output):
    (w1, b1), (w2, b2) = parameters
    pre = x @ w1.T + b1
    hidden = np.maximum(pre, 0.0)
    residual = 2 * (hidden @ w2.T + b2 - ideal_output)
    back = (residual @ w2) * (pre > 0)
    return [(back.T @ x, back.sum(0)), (residual.T @ hidden, residual.sum(0))]


def test_model_gradient_is_the_hand_written_one(model):
    parameters, x, ideal_output = model
    gradient = fd.grad(model_loss)(parameters, x, ideal_output)
    expected = hand_written_gradient(parameters, x, ideal_output)
    for (w, b), (w_expected, b_expected) in zip(gradient, expected, strict=True):
        assert_allclose(w, w_expected, rtol=1e-12, atol=1e-12)
        assert_allclose(b, b_expected, rtol=1e-12, atol=1e-12)


def test_gradients_do_not_accumulate_between_calls(model):
    """There is no `zero_grad` to forget: each call gives the gradient of its own point."""
    parameters, x, ideal_output = model
    slope = fd.grad(model_loss)
    first = slope(parameters, x, ideal_output)
    for _ in range(5):
        last = slope(parameters, x, ideal_output)
    assert_array_equal(first[0][0], last[0][0])


def test_training_step_lowers_the_loss(model):
    parameters, x, ideal_output = model
    step = fd.value_and_grad(model_loss)
    losses = []
    for _ in range(20):
        loss, gradient = step(parameters, x, ideal_output)
        losses.append(loss)
        parameters = [
            (w - 0.001 * dw, b - 0.001 * db) for (w, b), (dw, db) in zip(parameters, gradient, strict=True)
        ]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.7 * losses[0]


# --- repeated doubling, jacobians, and products ------------------------------------------------------------


def do_some_doubling(x):
    y = x * 2
    while y.norm() < 1000:
        y = y * 2
    return y


def test_do_some_doubling_vjp():
    inputs = np.array([0.2925, 0.4154, -1.0576])
    my_gradients = np.array([0.1, 1.0, 0.0001])
    outputs, result = fd.vjp(do_some_doubling, inputs, v=my_gradients)
    assert_allclose(result, [1.0240e02, 1.0240e03, 1.0240e-01], rtol=1e-14)
    assert_allclose(outputs, 1024 * inputs, rtol=1e-14)


def test_do_some_doubling_other_products():
    inputs = np.array([0.2925, 0.4154, -1.0576])
    v = np.array([0.1, 1.0, 0.0001])
    assert_allclose(fd.jvp(do_some_doubling, inputs, v)[1], 1024 * v, rtol=1e-14)
    assert_allclose(fd.jacobian(do_some_doubling, inputs), 1024 * np.eye(3), rtol=1e-14)


def test_doubling_needs_a_vector_for_a_non_scalar_output():
    with pytest.raises(fd.errors.VectorError):
        fd.vjp(do_some_doubling, np.array([0.2925, 0.4154, -1.0576]))
    with pytest.raises(fd.errors.OutputError):
        fd.grad(do_some_doubling)(np.array([0.2925, 0.4154, -1.0576]))


def test_doubling_asks_for_the_norm_of_a_detached_value():
    def f(x):
        y = x * 2
        while np.linalg.norm(y.detach()) < 1000:
            y = y * 2
        return y

    inputs = np.array([0.2925, 0.4154, -1.0576])
    assert_allclose(fd.jacobian(f, inputs), 1024 * np.eye(3), rtol=1e-14)


def exp_adder(x, y):
    return 2 * x.exp() + 3 * y


def test_exp_adder_of_one_element():
    by_x, by_y = fd.jacobian(exp_adder, (np.array([0.7212]), np.array([0.2079])))
    assert_allclose(by_x, [[4.1137]], rtol=1e-4)  # as printed: inputs and result have four decimals
    assert_allclose(by_y, [[3.0]])


def test_exp_adder_of_three_elements():
    inputs = (np.array([0.2080, 0.2604, 0.4415]), np.array([0.5220, 0.9867, 0.4288]))
    by_x, by_y = fd.jacobian(exp_adder, inputs)
    assert_allclose(by_x, np.diag([2.4623, 2.5950, 3.1102]), rtol=2e-4)  # as printed
    assert_allclose(by_x, np.diag(2 * np.exp(inputs[0])), rtol=1e-14)
    assert_array_equal(by_y, 3 * np.eye(3))


def test_exp_adder_in_plain_numpy():
    x, y = np.array([0.2080, 0.2604, 0.4415]), np.array([0.5220, 0.9867, 0.4288])
    by_x, by_y = fd.jacobian(lambda x, y: 2 * np.exp(x) + 3 * y, (x, y))
    assert_allclose(by_x, np.diag(2 * np.exp(x)), rtol=1e-14)
    assert_array_equal(by_y, 3 * np.eye(3))


def test_exp_reducer():
    inputs = np.random.default_rng(0).random((2, 2))
    result = fd.jacobian(lambda x: x.exp().sum(axis=1), inputs)
    expected = np.zeros((2, 2, 2))
    for i in range(2):
        expected[i, i] = np.exp(inputs[i])
    assert_allclose(result, expected, rtol=1e-14)
    assert_allclose(fd.jacobian(lambda x: x.exp().sum(1), inputs), expected, rtol=1e-14)


def test_exp_reducer_vjp_and_jvp():
    inputs = np.random.default_rng(0).random((4, 4))
    outputs, result = fd.vjp(lambda x: x.exp().sum(1), inputs, np.ones(4))
    assert_allclose(outputs, np.exp(inputs).sum(1), rtol=1e-14)
    assert_allclose(result, np.exp(inputs), rtol=1e-14)
    _, result = fd.jvp(lambda x: x.exp().sum(1), inputs, np.ones((4, 4)))
    assert_allclose(result, np.exp(inputs).sum(1), rtol=1e-14)


def test_hessian_of_pow_reducers():
    def pow_reducer(x):
        return x.pow(3).sum()

    inputs = np.array([[0.3, -0.5], [1.2, 0.8]])
    result = fd.hessian(pow_reducer, inputs)
    assert_allclose(result.reshape(4, 4), np.diag(6 * inputs.ravel()), rtol=1e-14)

    def pow_adder_reducer(x, y):
        return (2 * x.pow(2) + 3 * y.pow(2)).sum()

    (xx, xy), (yx, yy) = fd.hessian(pow_adder_reducer, (np.ones(2), np.ones(2)))
    assert_allclose(xx, 4 * np.eye(2))
    assert_array_equal(xy, np.zeros((2, 2)))
    assert_array_equal(yx, np.zeros((2, 2)))
    assert_allclose(yy, 6 * np.eye(2))


@pytest.mark.parametrize("product", [fd.hvp, fd.vhp])
def test_products_of_pow_reducers_with_the_hessian(product):
    inputs = np.array([[0.3, -0.5], [1.2, 0.8]])
    output, result = product(lambda x: x.pow(3).sum(), inputs, np.ones((2, 2)))
    assert_allclose(output, np.sum(inputs**3), rtol=1e-14)
    assert_allclose(result, 6 * inputs, rtol=1e-14)
    v = (np.zeros(2), np.ones(2))
    _, result = product(lambda x, y: (2 * x.pow(2) + 3 * y.pow(2)).sum(), (np.ones(2), np.ones(2)), v)
    assert_array_equal(result[0], np.zeros(2))
    assert_allclose(result[1], np.full(2, 6.0))


def test_profiled_program():
    """``z = (z / x) y``, a thousand times."""
    rng = np.random.default_rng(0)
    x, y = rng.random((2, 3)) + 1, rng.random((2, 3)) + 1

    def f(x, y):
        z = np.ones((2, 3))
        for _ in range(1000):
            z = (z / x) * y
        return np.sum(np.log(z))  # 1000 (log y - log x)

    by_x, by_y = fd.grad(f, argnums=(0, 1))(x, y)
    assert_allclose(by_x, -1000 / x, rtol=1e-11)
    assert_allclose(by_y, 1000 / y, rtol=1e-11)


# --- y = 2 x·x and friends ---------------------------------------------------------------------------------

ARANGE = np.arange(4.0)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: 2 * np.dot(x, x),
        lambda x: 2 * x.dot(x),
        lambda x: 2 * (x @ x),
        lambda x: 2 * (x * x).sum(),
        lambda x: 2 * x.norm() ** 2,
    ],
)
def test_twice_the_square(f):
    value, gradient = fd.value_and_grad(f)(ARANGE)
    assert_allclose(value, 28.0, rtol=1e-14)
    assert_allclose(gradient, [0.0, 4.0, 8.0, 12.0], rtol=1e-14)


def test_twice_the_square_at_second_order():
    assert_allclose(fd.hessian(lambda x: 2 * x.dot(x), ARANGE), 4 * np.eye(4))


def test_sum():
    value, gradient = fd.value_and_grad(lambda x: x.sum())(ARANGE)
    assert value == 6.0
    assert_array_equal(gradient, np.ones(4))


def test_non_scalar_output_with_a_vector_of_ones():
    outputs, result = fd.vjp(lambda x: x * x, ARANGE, np.ones(len(ARANGE)))
    assert_array_equal(outputs, [0.0, 1.0, 4.0, 9.0])
    assert_array_equal(result, [0.0, 2.0, 4.0, 6.0])
    assert_array_equal(fd.grad(lambda x: (x * x).sum())(ARANGE), [0.0, 2.0, 4.0, 6.0])
    assert_array_equal(fd.jacobian(lambda x: x * x, ARANGE), np.diag(2 * ARANGE))


def test_vector_of_an_implicit_loss():
    """``y.backward(g)`` is the gradient of ``sum(y g)``."""
    g = np.array([1.0, -2.0, 0.5, 3.0])
    _, result = fd.vjp(lambda x: x * x, ARANGE, g)
    assert_allclose(result, fd.grad(lambda x: np.sum(x * x * g))(ARANGE))


# --- detaching ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("detach", [fd.stop_gradient, lambda y: y.detach()])
def test_detached_factor(detach):
    def f(x):
        y = x * x
        u = detach(y)
        z = u * x
        return z.sum(), (y, u)

    gradient, (y, u) = fd.grad(f, has_aux=True)(ARANGE)
    assert_array_equal(gradient, u)
    assert_array_equal(y, u)


def test_undetached_branch_keeps_its_own_derivative():
    def f(x):
        y = x * x
        y.detach()
        return y.sum()

    assert_array_equal(fd.grad(f)(ARANGE), 2 * ARANGE)


def test_constants_switch_differentiation_off():
    """`no_grad` around ``a + b`` is an argument that is not differentiated."""
    a, b = np.full((2, 3), 2.0), np.full((2, 3), 3.0)

    def c(a, b):
        return np.sum(fd.stop_gradient(a + b) * (a * b))

    by_a, by_b = fd.grad(c, argnums=(0, 1))(a, b)
    assert_array_equal(by_a, 5.0 * b)
    assert_array_equal(by_b, 5.0 * a)


# --- control flow ------------------------------------------------------------------------------------------


def f(a):
    b = a * 2
    while b.norm() < 1000:
        b = b * 2
    if b.sum() > 0:
        c = b
    else:
        c = 100 * b
    return c


@pytest.mark.parametrize("a", [-0.06573323160409927, 0.5, 1.9, -300.0, 1e-3])
def test_control_flow_is_piecewise_linear(a):
    value, gradient = fd.value_and_grad(f)(a)
    assert_allclose(gradient, value / a, rtol=1e-14)


def test_control_flow_as_printed():
    value, gradient = fd.value_and_grad(f)(-0.06573323160409927)
    assert_allclose(gradient, 1638400.0, rtol=1e-14)
    assert_allclose(value, -107697.328125, rtol=1e-6)  # printed in single precision


def test_control_flow_of_a_vector():
    a = np.array([0.3, -0.2, 0.9])
    output, result = fd.vjp(f, a, np.ones(3))
    assert_allclose(result, output / a, rtol=1e-14)
    a = -np.abs(a)
    output, result = fd.vjp(f, a, np.ones(3))
    assert_allclose(result, output / a, rtol=1e-14)


def test_control_flow_has_no_second_derivative():
    assert_array_equal(fd.grad(fd.grad(f))(0.5), 0.0)


# --- the logistic map --------------------------------------------------------------------------------------


def logistic_map(n):
    def l_n(x):
        value = x
        for _ in range(n - 1):
            value = 4 * value * (1 - value)
        return value

    return l_n


def logistic_derivative(n, x):
    """``l_n = sin²(2^(n-1) θ)`` with ``θ = arcsin √x``."""
    theta = np.arcsin(np.sqrt(x))
    factor = 2.0 ** (n - 1)
    return factor * np.sin(2 * factor * theta) / (2 * np.sqrt(x * (1 - x)))


@pytest.mark.parametrize("n", range(1, 11))
@pytest.mark.parametrize("x", [0.1, 0.37, 0.8])
def test_logistic_map(n, x):
    # the map doubles a relative error in each step: 2^10 eps is 2e-13, over a derivative near zero
    assert_allclose(fd.grad(logistic_map(n))(x), logistic_derivative(n, x), rtol=1e-10, atol=1e-10)
    assert_allclose(fd.jvp(logistic_map(n), x)[1], logistic_derivative(n, x), rtol=1e-10, atol=1e-10)


def test_logistic_map_polynomials():
    """The expanded expressions of the tutorial's table."""
    x = 0.3
    l2, l3 = 4 * (1 - 2 * x), 16 * (1 - x) * (1 - 2 * x) ** 2
    l3 += -16 * x * (1 - 2 * x) ** 2 - 64 * x * (1 - x) * (1 - 2 * x)
    assert_allclose(fd.grad(logistic_map(2))(x), l2, rtol=1e-14)
    assert_allclose(fd.grad(logistic_map(3))(x), l3, rtol=1e-13)


# --- computational graphs ----------------------------------------------------------------------------------


def test_graph_of_e():
    """``e = (a + b)(b + 1)`` at a = 2, b = 1: ∂e/∂a = 2, ∂e/∂b = 5."""

    def e(a, b):
        c = a + b
        d = b + 1
        return c * d

    value, (by_a, by_b) = fd.value_and_grad(e, argnums=(0, 1))(2.0, 1.0)
    assert value == 6.0
    assert (by_a, by_b) == (2.0, 5.0)
    assert fd.jvp(e, (2.0, 1.0), (0.0, 1.0))[1] == 5.0
    assert fd.jvp(e, (2.0, 1.0), (1.0, 0.0))[1] == 2.0
    by_c, by_d = fd.grad(lambda c, d: c * d, argnums=(0, 1))(3.0, 2.0)
    assert (by_c, by_d) == (2.0, 3.0)


def test_forward_mode_gives_the_derivative_of_every_node_by_one_input():
    def nodes(a, b):
        c = a + b
        d = b + 1
        return {"a": a, "b": b, "c": c, "d": d, "e": c * d}

    _, by_b = fd.jvp(nodes, (2.0, 1.0), (0.0, 1.0))
    assert by_b == {"a": 0.0, "b": 1.0, "c": 1.0, "d": 1.0, "e": 5.0}


def test_log_of_a_product():
    x, y = 0.7, 2.5
    by_x, by_y = fd.grad(lambda x, y: np.log(x * y), argnums=(0, 1))(x, y)
    assert_allclose([by_x, by_y], [1 / x, 1 / y], rtol=1e-14)
    (xx, xy), (yx, yy) = fd.hessian(lambda x, y: np.log(x * y), (x, y))
    assert_allclose([[xx, xy], [yx, yy]], np.diag([-1 / x**2, -1 / y**2]), rtol=1e-13, atol=1e-15)


def test_chain_rule_is_a_product_of_two_jacobians():
    def f(x):
        return np.stack([np.sin(x), x**2])

    def g(y):
        return np.stack([y[0] * y[1], np.exp(y[0]) + y[1]])

    x = 0.9
    product = fd.jacobian(g)(f(x)) @ fd.jacobian(f)(x)
    assert_allclose(fd.jacobian(lambda x: g(f(x)))(x), product, rtol=1e-13)
    expected = [
        np.cos(x) * x**2 + 2 * x * np.sin(x),
        np.exp(np.sin(x)) * np.cos(x) + 2 * x,
    ]
    assert_allclose(product, expected, rtol=1e-13)


def test_vector_times_jacobian_is_the_gradient_of_the_composition():
    """``vᵀJ`` with ``v = ∂l/∂y`` is ``∂l/∂x``."""

    def model(x):
        return np.tanh(np.array([[1.0, -2.0], [0.5, 0.3], [2.0, 1.0]]) @ x)

    def loss(y):
        return np.sum(y**3)

    x = np.array([0.4, -0.3])
    v = fd.grad(loss)(model(x))
    assert_allclose(fd.vjp(model, x, v)[1], fd.grad(lambda x: loss(model(x)))(x), rtol=1e-13)
    assert_allclose(v @ fd.jacobian(model, x), fd.grad(lambda x: loss(model(x)))(x), rtol=1e-13)


def test_finite_differences_depend_on_their_step_and_the_derivative_does_not():
    """The forward difference of the tutorial is off by O(h); grad is exact."""
    x = np.array([0.3, 0.8])
    gradient = fd.grad(lambda x: np.sum(np.exp(x)))(x)
    assert_allclose(gradient, np.exp(x), rtol=1e-15)
    for h in (1e-2, 1e-4, 1e-6):
        difference = (np.exp(x + h) - np.exp(x)) / h
        assert_allclose(difference, gradient, rtol=h)
        assert not np.allclose(difference, gradient, rtol=1e-3 * h, atol=0)


def test_sum_of_example_losses():
    """``Q(w) = Σ_i Q_i(w)``: the gradient is the sum of per-example gradients, found by `vmap`."""
    rng = np.random.default_rng(1)
    inputs, targets, w = rng.normal(size=(8, 3)), rng.normal(size=8), rng.normal(size=3)

    def example_loss(w, x, t):
        return (w.dot(x) - t) ** 2

    per_example = fd.vmap(fd.grad(example_loss), in_axes=(None, 0, 0))(w, inputs, targets)
    whole = fd.grad(lambda w: np.sum((inputs @ w - targets) ** 2))(w)
    assert_allclose(per_example.sum(0), whole, rtol=1e-12)
