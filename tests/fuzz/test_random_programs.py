"""Random programs of some 30 operations against SciPy's numerics and against each other.

Elementwise functions kept inside their domains, broadcasting, indexing, reductions, shape
operations, products, small linear algebra, in-place updates, branches and loops on values.
"""

from __future__ import annotations

import os
from random import Random
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from scipy import differentiate, optimize

import funcdiff as fd

from .programs import (
    Builder,
    Program,
    check_and_shrink,
    coordinate,
    differences,
    literal,
    nearby,
    random_key,
    scalar,
    weigh,
)

LENGTH = 30
RADIUS = 0.05  # branches don't change within it, and finite differences stay inside
SHAPES = ((2,), (3,), (4,), (1, 3), (2, 2), (3, 1), ())

# {0} stands for a name; the kind of value it must be fits any array, and domains are safe
UNARY = (
    "np.sin({0})",
    "np.cos({0})",
    "np.tanh({0})",
    "np.arctan({0})",
    "np.arcsinh({0})",
    "np.exp(0.2 * {0})",
    "np.expm1(0.3 * np.sin({0}))",
    "np.log(1.5 + {0} * {0})",
    "np.log1p({0} ** 2)",
    "np.sqrt(1.2 + np.square({0}))",
    "np.cbrt(2.0 + np.sin({0}))",
    "1.0 / (1.5 + {0} ** 2)",
    "{0} ** 3 / 30.0",
    "-{0}",
    "2.0 - {0}",
    "np.arcsin(0.9 * np.tanh({0}))",
    "np.arccosh(2.0 + {0} ** 2)",
    "np.sinh(0.3 * {0})",
    "np.tan(0.4 * np.sin({0}))",
    "np.logaddexp({0}, 0.5)",
    "np.reciprocal(3.0 + np.cos({0}))",
    "np.float_power(1.5 + np.sin({0}), 2.5)",
    "np.sinc(0.3 * {0})",
    "special.expit({0})",
    "special.erf({0})",
    "special.gammaln(2.5 + {0} ** 2)",
    "special.xlogy(1.5 + np.sin({0}), 2.0 + np.cos({0}))",
)
# with what must not change near the point: signs, orders, choices
UNARY_WITH_KINKS = (
    ("np.abs({0})", "np.sign({0})"),
    ("np.maximum({0}, 0.1)", "{0} > 0.1"),
    ("np.clip({0}, -0.5, 0.8)", "({0} > -0.5) * 1 + ({0} > 0.8)"),
    ("np.where({0} > 0.2, np.sin({0}), 2.0 * {0})", "{0} > 0.2"),
    ("np.where({0} > 0, {0} * np.log({0}), 0.3 * {0})", "{0} > 0"),  # log of negative numbers
    ("np.sort({0}, axis=None)", "np.argsort({0}, axis=None)"),
    ("np.max({0})", "np.argmax({0})"),
    ("{0}.min()", "np.argmin({0})"),
    ("np.floor(3 * {0}) * np.sin({0})", "np.floor(3 * {0})"),
    ("np.linalg.norm({0}.ravel(), 1)", "np.sign({0})"),
    ("np.median({0})", "np.argsort({0}, axis=None)"),
    ("np.ptp({0})", "(np.argmax({0}), np.argmin({0}))"),
    ("{0}.ravel()[np.argmax({0})]", "np.argmax({0})"),
    ("np.take_along_axis({0}, np.argsort({0}, axis=-1), -1)", "np.argsort({0}, axis=-1)"),
)
BINARY = (
    "{0} + {1}",
    "{0} - {1}",
    "{0} * {1}",
    "np.multiply({0}, {1}) * 0.5",
    "{0} / (2.0 + np.cos({1}))",
    "np.hypot({0}, 1.5 + np.sin({1}))",
    "np.arctan2({0}, 1.5 + {1} ** 2)",
    "np.logaddexp({0}, {1})",
    "(1.5 + np.sin({0})) ** np.cos({1})",
    "np.add({0}, {1})",
)
BINARY_WITH_KINKS = (
    ("np.maximum({0}, {1})", "{0} > {1}"),
    ("np.minimum({0}, {1})", "{0} > {1}"),
    ("np.fmax({0}, {1})", "{0} > {1}"),
    ("np.where({0} > {1}, {0} * {1}, {1})", "{0} > {1}"),
    ("np.copysign({0}, {1})", "np.sign({0}) + 3 * np.sign({1})"),
)
REDUCTIONS = (
    "{0}.sum(axis={axis})",
    "np.sum({0}, axis={axis}, keepdims=True)",
    "np.mean({0}, axis={axis})",
    "{0}.mean({axis})",
    "np.prod(0.5 + 0.3 * {0}, axis={axis})",
    "np.cumsum({0}, axis={axis})",
    "np.cumprod(1.0 + 0.2 * np.sin({0}), axis={axis})",
    "np.var({0}, axis={axis})",
    "np.logaddexp.reduce({0}, axis={axis})",
    "np.sqrt(0.5 + np.sum({0} ** 2, axis={axis}))",
    "np.diff({0}, axis={axis})",
    "np.average({0}, axis={axis})",
    "np.linalg.norm(0.3 + {0} ** 2, axis={axis})",
)
SHAPING = (
    "{0}.T",
    "{0}.reshape(-1)",
    "np.ravel({0})",
    "np.flip({0}, {axis})",
    "np.roll({0}, 1, axis={axis})",
    "np.repeat({0}, 2, axis={axis})",
    "np.expand_dims({0}, {axis})",
    "np.concatenate([{0}, np.sin({0})], axis={axis})",
    "np.stack([{0}, np.cos({0})], axis={axis})",
    "np.moveaxis({0}, {axis}, 0)",
    "np.squeeze({0})",
    "np.tile({0}, 2)",
    "np.broadcast_to({0}, (2, *{0}.shape))",
    "{0}[..., None] * {0}[..., None, :]",
    "np.take({0}, [0, -1, 0], axis={axis})",
    "{0}[[-1, 0, 0]]",
    "np.pad({0}, 1)",
    "np.hstack([{0}, {0}])",
    "np.split({0}, [1])[0]",
    "np.array([{0}.sum(), {0}.ravel()[0]]) * {0}.mean()",  # an object array at first
)
PRODUCTS = (
    "{0} @ {matrix}",
    "np.dot({0}, {matrix})",
    "np.tensordot({0}, {matrix}, axes=([-1], [0]))",
    "np.einsum('...i,ij->...j', {0}, {matrix})",
    "np.einsum('...i,...i->...', {0}, {0})",
    "np.inner({0}, {0})",
    "np.outer({0}, {0}[..., 0])",
    "np.kron({0}, {matrix}[0])",
    "np.vdot({0}, np.sin({0}))",
    "np.convolve({0}.ravel(), [0.5, -1.0])",
    "np.matmul({matrix}.T, {0}[..., None])",
)
SQUARE = (  # for matrices (n, n), made well-conditioned first
    "np.linalg.inv(4.0 * np.eye({n}) + np.sin({0}))",
    "np.linalg.det(2.0 * np.eye({n}) + np.sin({0})) * 0.1",
    "np.linalg.slogdet(3.0 * np.eye({n}) + np.sin({0}))[1]",
    "np.linalg.solve(4.0 * np.eye({n}) + np.sin({0}), {0})",
    "np.linalg.cholesky(np.eye({n}) + np.sin({0}) @ np.sin({0}).T)",
    "np.linalg.norm(np.eye({n}) + {0})",
    "np.trace({0})",
    "np.tril({0})",
    "np.diagonal({0})",
    "np.linalg.eigvalsh(np.diag(3.0 * np.arange({n})) + 0.3 * (np.sin({0}) + np.sin({0}).T))",
    "np.linalg.eigh(np.diag(3.0 * np.arange({n})) + 0.3 * (np.sin({0}) + np.sin({0}).T))[1] ** 2",
    "np.linalg.svd(np.diag(2.0 + 3.0 * np.arange({n})) + 0.3 * np.sin({0}), compute_uv=False)",
    "np.linalg.qr(3.0 * np.eye({n}) + np.sin({0}))[1]",
    "np.linalg.pinv(3.0 * np.eye({n}) + np.sin({0}))",
    "np.linalg.lstsq(3.0 * np.eye({n}) + np.sin({0}), {0}, rcond=None)[0]",
    "np.linalg.matrix_power(0.5 * {0}, 3)",
    "np.linalg.multi_dot([{0}, np.cos({0}), {0}]) * 0.1",
)


class ProgramBuilder(Builder):
    """Candidate lines over the vocabulary above."""

    def step(self) -> None:
        self.rnd.choice(
            (
                self.unary,
                self.unary,
                self.unary,
                self.unary_with_kinks,
                self.binary,
                self.binary,
                self.binary,
                self.binary_with_kinks,
                self.reduction,
                self.shaping,
                self.shaping,
                self.product,
                self.square,
                self.index,
                self.inplace,
                self.inplace,
                self.branch,
                self.loop,
            )
        )()

    def recent(self, ndim: int = 0) -> str:
        """A name, later ones more likely: programs get deep rather than wide."""
        names = self.arrays(lambda value: np.ndim(value) >= ndim) or ["x"]
        return self.rnd.choice(names + names[-4:] * 2)

    def bind(self, expression: str, same: str | None = None) -> None:
        new = self.name()
        self.add(f"{new} = {expression}", new, same)

    def axis(self, name: str) -> int:
        ndim = len(self.shape(name))
        return self.rnd.randrange(-ndim, ndim) if ndim else 0

    def unary(self) -> None:
        self.bind(self.rnd.choice(UNARY).format(self.recent()))

    def unary_with_kinks(self) -> None:
        expression, same = self.rnd.choice(UNARY_WITH_KINKS)
        name = self.recent(1)
        self.bind(expression.format(name), same.format(name))

    def pair(self) -> tuple[str, str]:
        """Two names that broadcast together, of different shapes where there are such."""
        first = self.recent()
        shape = self.shape(first)

        def fits(value: Any) -> bool:
            try:
                np.broadcast_shapes(np.shape(value), shape)
            except ValueError:
                return False
            return True

        others = self.arrays(fits)
        different = [name for name in others if self.shape(name) != shape]
        second = self.rnd.choice(different if different and self.rnd.random() < 0.6 else others)
        return (first, second) if self.rnd.random() < 0.5 else (second, first)

    def binary(self) -> None:
        if self.rnd.random() < 0.15:
            name = self.recent()
            constant = literal([scalar(self.rnd) for _ in self.shape(name)[-1:] * 3][:1])
            self.bind(self.rnd.choice(BINARY).format(name, constant))
        else:
            self.bind(self.rnd.choice(BINARY).format(*self.pair()))

    def binary_with_kinks(self) -> None:
        expression, same = self.rnd.choice(BINARY_WITH_KINKS)
        pair = self.pair()
        self.bind(expression.format(*pair), same.format(*pair))

    def reduction(self) -> None:
        name = self.recent(1)
        axis = self.rnd.choice((self.axis(name), self.axis(name), None))
        self.bind(self.rnd.choice(REDUCTIONS).format(name, axis=axis))

    def shaping(self) -> None:
        name = self.recent(1)
        self.bind(self.rnd.choice(SHAPING).format(name, axis=self.axis(name)))

    def product(self) -> None:
        name = self.recent(1)
        if self.shape(name):
            rows, columns = self.shape(name)[-1], self.rnd.randint(1, 3)
            matrix = literal([[scalar(self.rnd) for _ in range(columns)] for _ in range(rows)])
            self.bind("0.5 * " + self.rnd.choice(PRODUCTS).format(name, matrix=matrix))

    def square(self) -> None:
        name = self.pick(lambda value: np.ndim(value) == 2 and value.shape[0] == value.shape[1] in (2, 3))
        if name is not None:
            self.bind(self.rnd.choice(SQUARE).format(name, n=self.shape(name)[0]))

    def index(self) -> None:
        name = self.recent(1)
        if self.shape(name):
            self.bind(f"{name}[{random_key(self.rnd, self.shape(name))}]")

    def inplace(self) -> None:
        """Copy, then update the copy: elements, slices, views, accumulation."""
        rnd, old, new = self.rnd, self.recent(1), self.name()
        if not self.shape(old):
            return
        if self.add(f"{new} = {old}.copy()", new):
            for _ in range(rnd.randint(1, 3)):
                key = random_key(rnd, self.shape(new))
                self.add(
                    rnd.choice(
                        (
                            f"{new}[{key}] *= {scalar(rnd)}",
                            f"{new}[{key}] += np.sin({old}).sum()",
                            f"{new}[{key}] = np.cos({old}[{key}])",
                            f"{new}[::-1][0] -= {old}.mean()",
                            f"{new} += {old}",
                            f"{new} *= np.sin({old})",
                            f"np.add.at({new}, [0, 0, -1], {old}.sum())",
                        )
                    )
                )

    def branch(self) -> None:
        name, other = self.recent(), self.recent()
        condition = f"np.sum({name}) > {scalar(self.rnd)}"
        self.bind(f"np.sin({name}) if {condition} else np.cos({other}) * 0.5", condition)

    def loop(self) -> None:
        name, new, count = self.recent(), self.name(), self.name()
        setup = f"{new}, {count} = 1.0 * {name}, 0"
        body = self.rnd.choice(
            (
                f"while np.sum({new} ** 2) > 0.8: {new}, {count} = 0.7 * {new}, {count} + 1",
                (
                    f"while np.abs({new}).sum() < 2: "
                    f"{new}, {count} = 1.5 * {new} + 0.3 * np.cos({name}), {count} + 1"
                ),
                f"for i in range(3): {new} = 0.5 * np.tanh({new}) + {name} / (i + 1.5)",
            )
        )
        if self.add(setup, new):
            self.add(body, same=count)


def distinct_coordinates(rnd: Random, count: int) -> list[float]:
    """Coordinates no two of which are equal: at a tie, max and sort have no derivative to compare with."""
    found: list[float] = []
    while len(found) < count:
        new = coordinate(rnd)
        if all(abs(abs(new) - abs(old)) > 2 * RADIUS for old in found):
            found.append(new)
    return found


def random_program(seed: int) -> Program:
    """A program from some shape to a vector."""
    rnd = Random(seed)
    shape = rnd.choice(SHAPES)
    x = np.array(distinct_coordinates(rnd, int(np.prod(shape)))).reshape(shape)
    build = ProgramBuilder(rnd, nearby(rnd, x, RADIUS, 4))
    for _ in range(LENGTH):
        build.step()
    return build.finish()


def outputs(program: Program) -> Any:
    """The last arrays, weighed to one number each, and the sum of all of them."""

    def vector(x: Any) -> Any:
        weighed = [weigh(array, salt) for salt, array in enumerate(program(x))]
        return np.stack([*weighed[-5:], sum(weighed)])

    return vector


def total(program: Program) -> Any:
    return lambda x: outputs(program)(x)[-1]


def along_last_axes(f: Any, shape: tuple[int, ...]) -> Any:
    """`f` of one flat point as SciPy wants it: over points along the trailing axes."""
    return lambda points: np.apply_along_axis(lambda point: f(point.reshape(shape)), 0, points)


def close(actual: Any, expected: Any, tolerance: float, label: str) -> None:
    scale = 1.0 + np.max(np.abs(expected), initial=0.0)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance * scale, err_msg=label)


FUZZ = settings(
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "60")),
    deadline=None,
    print_blob=True,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # a seed does not shrink; its program does
)
SEEDS = st.integers(0, 2**32 - 1)


@FUZZ
@given(SEEDS)
def test_first_order(seed: int) -> None:
    check_and_shrink(check_first_order, random_program(seed))


@FUZZ
@given(SEEDS)
def test_check_grad(seed: int) -> None:
    check_and_shrink(check_by_check_grad, random_program(seed))


@settings(FUZZ, max_examples=25)
@given(SEEDS)
def test_second_order(seed: int) -> None:
    check_and_shrink(check_second_order, random_program(seed))


@settings(FUZZ, max_examples=50)
@given(SEEDS)
def test_vmap(seed: int) -> None:
    """Where the program takes no decision on values, over a batch too."""
    program = random_program(seed)
    if not any(word in program.source for word in (" if ", "while ", "[np.argmax")):
        check_and_shrink(check_vmap, program)


def check_first_order(program: Program) -> None:
    f, x = outputs(program), program.x
    expected = differentiate.jacobian(along_last_axes(f, x.shape), x.ravel(), initial_step=RADIUS / 4).df
    values, pull = fd.pullback(f, x)
    close(values, f(x.copy()), 1e-14, "value")
    forward, reverse = fd.jacfwd(f)(x), fd.jacrev(f)(x)
    assert forward.shape == reverse.shape == (len(values), *x.shape)
    close(forward.reshape(expected.shape), expected, 1e-6, "forward against SciPy")
    close(forward, reverse, 1e-11, "forward against reverse")
    cotangent = np.cos(np.arange(len(values)))
    close(pull(cotangent)[0], np.tensordot(cotangent, reverse, 1), 1e-11, "pullback")
    tangent = np.sin(1.0 + np.arange(x.size)).reshape(x.shape)
    slope = np.tensordot(forward, tangent, x.ndim)
    close(fd.jvp(f, x, tangent)[1], slope, 1e-11, "jvp")
    line = np.vectorize(lambda t: f(x + t * tangent)[-1])
    along = differentiate.derivative(line, 0.0, initial_step=RADIUS / 8).df
    close(slope[-1], along, 1e-6, "jvp against SciPy's derivative along the line")


def check_by_check_grad(program: Program) -> None:
    def f(flat: Any) -> Any:
        return total(program)(flat.reshape(program.x.shape))

    x = program.x.ravel()
    value, gradient = fd.value_and_grad(f)(x)
    close(value, f(x.copy()), 1e-14, "value")
    error = optimize.check_grad(f, fd.grad(f), x)
    assert error <= 2e-5 * (1.0 + np.abs(gradient).max()), error


def check_second_order(program: Program) -> None:
    f, x = total(program), program.x
    modes = [f"{a}-over-{b}" for a in ("forward", "reverse") for b in ("forward", "reverse")]
    hessians = {mode: fd.hessian(f, mode=mode)(x) for mode in modes}
    reference = hessians["forward-over-reverse"].reshape(x.size, x.size)
    v = np.cos(np.arange(x.size))
    product = differences(fd.grad(f), x, v.reshape(x.shape))
    if product is not None:
        close(reference @ v, np.ravel(product), 1e-6, "Hessian against differences of the gradient")
    for mode, hessian in hessians.items():
        assert hessian.shape == x.shape + x.shape, mode
        close(hessian.reshape(reference.shape), reference, 1e-10, mode)
    if x.size <= 2:  # SciPy's own second differences; each costs thousands of evaluations
        scipys = differentiate.hessian(along_last_axes(f, x.shape), x.ravel(), initial_step=RADIUS / 8).ddf
        close(reference, scipys, 1e-4, "Hessian against SciPy")


def check_vmap(program: Program) -> None:
    f, batch = total(program), np.stack([program.x, program.x + 0.01, program.x - 0.02])
    vector = outputs(program)
    looped = np.stack([vector(row) for row in batch.copy()])
    close(fd.vmap(vector)(batch), looped, 1e-12, "vmap")
    gradients = np.stack([fd.grad(f)(row) for row in batch])
    close(fd.vmap(fd.grad(f))(batch), gradients, 1e-11, "vmap of grad")
    close(fd.grad(lambda rows: fd.vmap(f)(rows).sum())(batch), gradients, 1e-11, "grad of vmap")
