"""`grad` and `value_and_grad`: values, call forms, containers, auxiliary output, complex numbers."""

from __future__ import annotations

import dataclasses
import functools
from typing import NamedTuple

import numpy as np
import pytest
import scipy.special
from numpy.testing import assert_allclose, assert_array_equal

import funcdiff as fd

X = np.array([0.3, -1.2, 2.5])
Y = np.array([1.5, 0.7, -0.4])


def complex_step(f, x, h=1e-30):
    """Gradient of an analytic scalar function, exact to rounding: no difference is taken."""
    x = np.asarray(x, dtype=float)
    gradient = np.empty_like(x)
    for index in np.ndindex(x.shape):
        z = x.astype(complex)
        z[index] += 1j * h
        gradient[index] = f(z).imag / h
    return gradient


SCALAR_FUNCTIONS = {
    "exp": lambda x: np.sum(np.exp(x)),
    "product_of_sin": lambda x: np.prod(np.sin(x)),
    "quadratic": lambda x: x @ np.array([[2.0, 1.0, 0.0], [0.5, 3.0, 1.0], [0.0, 0.0, 1.0]]) @ x,
    "rational": lambda x: np.sum(x / (1.0 + x**2)),
    "mixed": lambda x: np.tanh(x[0] * x[1]) + np.exp(-x[2]) * np.cos(x[0]),
    "log_sum_exp": lambda x: np.log(np.sum(np.exp(x))),
    "norm": lambda x: np.sqrt(np.sum(x * x)),
    "cumulative": lambda x: np.sum(np.cumsum(x) ** 3),
    "outer": lambda x: np.sum(np.sin(np.outer(x, x))),
    "determinant": lambda x: np.linalg.det(np.outer(x, x) + np.diag(x) + np.eye(3)),
    "solve": lambda x: np.sum(np.linalg.solve(np.eye(3) + np.outer(x, x), x**2)),
    "loop": lambda x: functools.reduce(lambda s, i: np.sin(s) + x[i] * s, range(3), x[0]),
}


@pytest.mark.parametrize("name", SCALAR_FUNCTIONS)
def test_gradient_is_the_complex_step(name):
    f = SCALAR_FUNCTIONS[name]
    assert_allclose(fd.grad(f)(X), complex_step(f, X), rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("name", SCALAR_FUNCTIONS)
def test_value_and_grad_gives_both(name):
    f = SCALAR_FUNCTIONS[name]
    value, gradient = fd.value_and_grad(f)(X)
    assert_allclose(value, f(X), rtol=1e-14)
    assert_allclose(gradient, complex_step(f, X), rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("point", [0.7, np.float64(0.7), np.array(0.7)])
def test_scalar_argument_in_every_guise(point):
    slope = fd.grad(lambda x: np.exp(x) * x)(point)
    assert np.shape(slope) == ()
    assert_allclose(slope, np.exp(0.7) * 1.7, rtol=1e-14)


@pytest.mark.parametrize("shape", [(1,), (1, 1), ()])
def test_any_output_of_one_element_will_do(shape):
    gradient = fd.grad(lambda x: np.reshape(np.sum(x**2), shape))(X)
    assert_allclose(gradient, 2 * X, rtol=1e-14)


def test_gradient_has_the_arguments_shape():
    x = np.arange(24.0).reshape(2, 3, 4)
    gradient = fd.grad(lambda x: np.sum(x * x))(x)
    assert gradient.shape == x.shape
    assert_allclose(gradient, 2 * x, rtol=1e-14)


def test_independent_output_has_zero_gradient():
    assert_array_equal(fd.grad(lambda x: 3.0)(X), np.zeros(3))
    assert_array_equal(fd.grad(lambda x: np.float64(3.0))(X), np.zeros(3))
    assert_array_equal(fd.grad(lambda x: np.floor(x).sum())(X), np.zeros(3))


def test_unused_argument_has_zero_gradient():
    used, unused = fd.grad(lambda x, y: np.sum(x * x), argnums=(0, 1))(X, np.ones((2, 2)))
    assert_allclose(used, 2 * X, rtol=1e-14)
    assert_array_equal(unused, np.zeros((2, 2)))


def test_input_returned_unchanged():
    assert_array_equal(fd.grad(lambda x: x)(2.0), 1.0)


def test_value_used_many_times_accumulates():
    def f(x):
        total = 0.0
        for k in range(1, 6):
            total = total + k * x
        return np.sum(total * total)

    assert_allclose(fd.grad(f)(X), 2 * 15.0**2 * X, rtol=1e-14)


# --- argnums -----------------------------------------------------------------------------------


def scaled(x, y, z):
    return np.sum(x * y**2) + np.sum(np.sin(z))


def test_argnums_integer():
    assert_allclose(fd.grad(scaled)(X, Y, X), Y**2, rtol=1e-14)
    assert_allclose(fd.grad(scaled, 1)(X, Y, X), 2 * X * Y, rtol=1e-14)
    assert_allclose(fd.grad(scaled, argnums=2)(X, Y, X), np.cos(X), rtol=1e-14)


def test_argnums_negative_counts_from_the_end():
    assert_allclose(fd.grad(scaled, argnums=-1)(X, Y, X), np.cos(X), rtol=1e-14)


def test_argnums_tuple_gives_a_tuple_in_its_order():
    gradients = fd.grad(scaled, argnums=(2, 0))(X, Y, X)
    assert isinstance(gradients, tuple)
    assert len(gradients) == 2
    assert_allclose(gradients[0], np.cos(X), rtol=1e-14)
    assert_allclose(gradients[1], Y**2, rtol=1e-14)


def test_argnums_tuple_of_one_gives_a_tuple_of_one():
    gradients = fd.grad(scaled, argnums=(1,))(X, Y, X)
    assert isinstance(gradients, tuple)
    assert len(gradients) == 1
    assert_allclose(gradients[0], 2 * X * Y, rtol=1e-14)


def test_same_array_in_two_places_is_two_arguments():
    first, second = fd.grad(lambda a, b: np.sum(a * a * b), argnums=(0, 1))(X, X)
    assert_allclose(first, 2 * X * X, rtol=1e-14)
    assert_allclose(second, X * X, rtol=1e-14)


def test_other_arguments_may_be_anything():
    def f(x, power, name, options):
        assert name == "name"
        assert options is None
        return np.sum(x**power)

    assert_allclose(fd.grad(f)(X, 3, "name", None), 3 * X**2, rtol=1e-14)


def test_keyword_arguments_pass_through_undifferentiated():
    def f(x, *, power, flag=False):
        assert isinstance(power, int)
        assert flag is True
        return np.sum(x**power)

    assert_allclose(fd.grad(f)(X, power=3, flag=True), 3 * X**2, rtol=1e-14)
    value, gradient = fd.value_and_grad(f)(X, power=2, flag=True)
    assert_allclose(value, np.sum(X**2), rtol=1e-14)
    assert_allclose(gradient, 2 * X, rtol=1e-14)


def test_callables_of_every_sort():
    class Model:
        scale = 3.0

        def __call__(self, x):
            return self.scale * np.sum(x)

        def loss(self, x):
            return self.scale * np.sum(x * x)

    model = Model()
    assert_allclose(fd.grad(model)(X), np.full(3, 3.0))
    assert_allclose(fd.grad(model.loss)(X), 6.0 * X, rtol=1e-14)
    assert_allclose(fd.grad(functools.partial(scaled, X, Y))(Y), np.cos(Y), rtol=1e-14)
    assert_allclose(fd.grad(np.sum)(X), np.ones(3))
    assert_allclose(fd.grad(np.exp)(0.5), np.exp(0.5), rtol=1e-14)
    assert_allclose(fd.grad(scipy.special.gammaln)(2.5), scipy.special.digamma(2.5), rtol=1e-13)


def test_as_a_decorator():
    @fd.grad
    def slope(x):
        return np.sum(x**3)

    assert_allclose(slope(X), 3 * X**2, rtol=1e-14)


# --- auxiliary output ----------------------------------------------------------------------------


def with_auxiliary(x):
    y = np.exp(x)
    return np.sum(y), {"y": y, "name": "exp", "pair": (x, 3)}


def test_has_aux():
    gradient, aux = fd.grad(with_auxiliary, has_aux=True)(X)
    assert_allclose(gradient, np.exp(X), rtol=1e-14)
    assert type(aux["y"]) is np.ndarray
    assert_allclose(aux["y"], np.exp(X), rtol=1e-14)
    assert aux["name"] == "exp"
    assert type(aux["pair"][0]) is np.ndarray
    assert aux["pair"][1] == 3


def test_value_and_grad_has_aux():
    (value, aux), gradient = fd.value_and_grad(with_auxiliary, has_aux=True)(X)
    assert_allclose(value, np.sum(np.exp(X)), rtol=1e-14)
    assert_allclose(gradient, np.exp(X), rtol=1e-14)
    assert type(aux["y"]) is np.ndarray


def test_has_aux_with_argnums_tuple():
    def f(x, y):
        return np.sum(x * y), x + y

    gradients, aux = fd.grad(f, argnums=(0, 1), has_aux=True)(X, Y)
    assert_allclose(gradients[0], Y)
    assert_allclose(gradients[1], X)
    assert_allclose(aux, X + Y)
    assert type(aux) is np.ndarray


def test_auxiliary_output_is_traced_by_the_outer_transform():
    def f(x):
        slope, aux = fd.grad(lambda u: (u**3, u**2), has_aux=True)(x)
        return slope * aux  # 3 x^4

    assert_allclose(fd.grad(f)(1.5), 12 * 1.5**3, rtol=1e-13)


# --- containers ----------------------------------------------------------------------------------


class Weights(NamedTuple):
    matrix: np.ndarray
    bias: np.ndarray


@dataclasses.dataclass
class Layer:
    matrix: np.ndarray
    bias: np.ndarray


class Registered:
    def __init__(self, data, label):
        self.data = data
        self.label = label


fd.register_pytree_node(
    Registered,
    lambda node: ((node.data,), node.label),
    lambda label, children: Registered(children[0], label),
)


def test_tuple_argument():
    gradient = fd.grad(lambda p: np.sum(p[0] * p[1]))((X, Y))
    assert type(gradient) is tuple
    assert_allclose(gradient[0], Y)
    assert_allclose(gradient[1], X)


def test_list_argument():
    gradient = fd.grad(lambda p: np.sum(p[0] * p[1]))([X, Y])
    assert type(gradient) is list
    assert_allclose(gradient[0], Y)
    assert_allclose(gradient[1], X)


def test_dict_argument_keeps_its_keys():
    gradient = fd.grad(lambda p: np.sum(p["w"] * p["a"]) + p["b"])({"w": X, "b": 1.0, "a": Y})
    assert set(gradient) == {"w", "b", "a"}
    assert_allclose(gradient["w"], Y)
    assert_allclose(gradient["a"], X)
    assert_allclose(gradient["b"], 1.0)


def test_named_tuple_argument():
    weights = Weights(np.arange(6.0).reshape(2, 3), np.ones(2))
    gradient = fd.grad(lambda w: np.sum((w.matrix @ X + w.bias) ** 2))(weights)
    residual = 2 * (weights.matrix @ X + weights.bias)
    assert type(gradient) is Weights
    assert_allclose(gradient.matrix, np.outer(residual, X), rtol=1e-13)
    assert_allclose(gradient.bias, residual, rtol=1e-13)


def test_dataclass_argument():
    layer = Layer(np.arange(6.0).reshape(2, 3), np.ones(2))
    gradient = fd.grad(lambda w: np.sum((w.matrix @ X + w.bias) ** 2))(layer)
    residual = 2 * (layer.matrix @ X + layer.bias)
    assert type(gradient) is Layer
    assert_allclose(gradient.matrix, np.outer(residual, X), rtol=1e-13)
    assert_allclose(gradient.bias, residual, rtol=1e-13)


def test_registered_class_argument():
    gradient = fd.grad(lambda node: np.sum(node.data**2))(Registered(X, "label"))
    assert type(gradient) is Registered
    assert gradient.label == "label"
    assert_allclose(gradient.data, 2 * X, rtol=1e-14)


def test_deep_nesting_and_empty_containers():
    parameters = {"layers": [(X, {"b": Y}), ()], "none": None, "scale": 2.0}
    gradient = fd.grad(lambda p: p["scale"] * np.sum(p["layers"][0][0] * p["layers"][0][1]["b"]))(parameters)
    assert_allclose(gradient["layers"][0][0], 2.0 * Y)
    assert_allclose(gradient["layers"][0][1]["b"], 2.0 * X)
    assert gradient["layers"][1] == ()
    assert gradient["none"] is None
    assert_allclose(gradient["scale"], np.sum(X * Y))


def test_containers_are_not_changed():
    parameters = {"w": X.copy(), "b": [Y.copy()]}
    before = {"w": X.copy(), "b": [Y.copy()]}
    fd.grad(lambda p: np.sum(p["w"] * p["b"][0]))(parameters)
    assert_array_equal(parameters["w"], before["w"])
    assert_array_equal(parameters["b"][0], before["b"][0])
    assert type(parameters["w"]) is np.ndarray


# --- complex numbers -------------------------------------------------------------------------------

Z = np.array([0.3 + 0.8j, -1.1 + 0.2j])


def test_complex_input_real_output_is_the_conjugate_of_steepest_ascent():
    assert_allclose(fd.grad(lambda z: np.sum(np.abs(z) ** 2))(Z), 2 * Z.conj(), rtol=1e-13)
    assert_allclose(fd.grad(lambda z: np.sum(z.real))(Z), np.ones(2))
    assert_allclose(fd.grad(lambda z: np.sum(z.imag))(Z), np.full(2, -1j))


def test_holomorphic_gives_the_complex_derivative():
    gradient = fd.grad(lambda z: np.sum(np.exp(z) * z), holomorphic=True)(Z)
    assert_allclose(gradient, np.exp(Z) * (1 + Z), rtol=1e-13)
    value, gradient = fd.value_and_grad(lambda z: np.sum(np.sin(z)), holomorphic=True)(Z)
    assert_allclose(value, np.sum(np.sin(Z)), rtol=1e-14)
    assert_allclose(gradient, np.cos(Z), rtol=1e-13)


def test_real_function_through_complex_intermediates():
    def f(x):
        return np.abs(np.sum(np.exp(1j * x))) ** 2

    def closed_form(x):
        return 2 * np.real(np.conj(np.sum(np.exp(1j * x))) * 1j * np.exp(1j * x))

    gradient = fd.grad(f)(X)
    assert gradient.dtype == np.float64
    assert_allclose(gradient, closed_form(X), rtol=1e-12)


def test_real_gradient_of_a_spectrum():
    signal = np.arange(6.0)
    transform = np.exp(-2j * np.pi * np.outer(np.arange(6), np.arange(6)) / 6)
    gradient = fd.grad(lambda x: np.sum(np.abs(transform @ x) ** 2))(signal)
    assert gradient.dtype == np.float64
    assert_allclose(gradient, 2 * 6 * signal, rtol=1e-12, atol=1e-12)  # Parseval
