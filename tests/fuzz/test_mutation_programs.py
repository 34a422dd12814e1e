"""Random mutation programs: plain NumPy running the same program is the only authority.

A program binds views, views of views, transposes and reshapes of its arrays, writes through all of
them (slices, fancy indices, masks, `+=`, `*=`, `out=`), and reads in between.  Its value must be
NumPy's; its derivatives, by every route, must be those of the complex step of NumPy's run.

`python -m tests.fuzz.test_mutation_programs 3000` runs that many more seeds than the tests do.
"""

from __future__ import annotations

import os
import sys
from random import Random
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

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

UNARY = ("np.sin", "np.tanh", "np.cos", "np.arctan", "0.5 *", "-", "0.7 + ")
INPLACE = ("+=", "-=", "*=", "+=", "*=")
LENGTH = 24


# A derivative taken inside the program: buffers of the inner level are written with values of the
# outer one and the other way round, through views.  `other` is the outer level's.
def inner_loss(point: Any, other: Any) -> Any:
    mixed = np.zeros_like(point)
    mixed[...] = point * other
    mixed[0] = other[0]
    tail = mixed[1:]
    tail *= point[1:]
    from_outer = other.copy()
    from_outer[-1] = point[-1] * other[-1]
    return (mixed**3).sum() + np.sin(from_outer).sum()


def inner_gradient_by_hand(point: Any, other: Any) -> Any:
    """The gradient of `inner_loss` at `point`, for plain NumPy, complex step included."""
    result = 6 * (other * point**2) ** 2 * other * point
    result[0] = 0.0
    result[-1] += np.cos(point[-1] * other[-1]) * other[-1]
    return result


def inner_slope_by_hand(point: Any, other: Any) -> Any:
    return inner_gradient_by_hand(point, other).sum()


def inner_gradient(point: Any, other: Any) -> Any:
    return fd.grad(inner_loss)(point, other)


def inner_slope(point: Any, other: Any) -> Any:
    """The sum of the gradient by forward mode: a forward level between the reverse ones."""
    return fd.jvp(lambda p: inner_loss(p, other), point, np.ones(point.shape))[1]


BY_HAND = {"inner_gradient": inner_gradient_by_hand, "inner_slope": inner_slope_by_hand}
BY_FUNCDIFF = {"inner_gradient": inner_gradient, "inner_slope": inner_slope}


class MutationBuilder(Builder):
    """Candidate lines for mutation programs; each method adds at most one."""

    def step(self) -> None:
        self.rnd.choice(
            (
                self.new_array,
                self.new_array,
                self.view,
                self.view,
                self.view,
                self.element,
                self.write,
                self.write,
                self.write,
                self.write_inplace,
                self.write_inplace,
                self.inplace,
                self.inplace,
                self.fancy_write,
                self.mask_write,
                self.out_write,
                self.write_by_function,
                self.exchange,
                self.loop,
                self.read,
                self.read,
                self.derivative,
            )
        )()

    def array(self, ndim: int = 1) -> str:
        """Later arrays twice as likely: chains of views get long that way."""
        names = self.arrays(lambda value: np.ndim(value) >= ndim)
        return self.rnd.choice(names + names[len(names) // 2 :])

    def new_array(self) -> None:
        old, new = self.array(0), self.name()
        shape = self.shape(old)
        other = self.value_for(shape)
        size = int(np.prod(shape))
        self.add(
            self.rnd.choice(
                (
                    f"{new} = {old}.copy()",
                    f"{new} = np.copy({old})",
                    f"{new} = {self.rnd.choice(UNARY)}({old})",
                    f"{new} = {old} * {other}",
                    f"{new} = {old} + {other}",
                    f"{new} = np.zeros_like({old})",
                    f"{new} = np.ones({shape}, dtype=x.dtype, like=x)",
                    f"{new} = np.zeros({size}, dtype=x.dtype, like=x).reshape({shape})",
                    f"{new} = np.concatenate([{old}.ravel(), {self.array()}.ravel()])",
                    f"{new} = {old}",  # a second name for the same object
                )
            ),
            new,
        )

    def view(self) -> None:
        old, new = self.array(), self.name()
        shape = self.shape(old)
        size = int(np.prod(shape))
        shapes = [(rows, size // rows) for rows in (1, 2, 3, 4) if size % rows == 0 and size > 1] + [
            (size,),
            (-1,),
        ]
        self.add(
            self.rnd.choice(
                (
                    f"{new} = {old}[{random_key(self.rnd, shape, integers=0.2)}]",
                    f"{new} = {old}[{random_key(self.rnd, shape, integers=0.2)}]",
                    f"{new} = {old}[{random_key(self.rnd, shape, integers=0.2)}]",
                    f"{new} = {old}.T",
                    f"{new} = {old}[::-1]",
                    f"{new} = {old}.reshape({self.rnd.choice(shapes)})",
                    f"{new} = {old}.ravel()",
                    f"{new} = {old}.swapaxes(0, -1)",
                    f"{new} = np.moveaxis({old}, -1, 0)",
                    f"{new} = np.squeeze({old})",
                    f"{new} = np.flip({old}, 0)",
                    f"{new} = np.expand_dims({old}, -1)",
                    f"{new} = np.split({old}, [1])[-1]",
                    f"{new} = {old}[None]",
                )
            ),
            new,
        )

    def element(self) -> None:
        old, new = self.array(), self.name()
        key = ", ".join(str(self.rnd.randrange(length)) for length in self.shape(old))
        self.add(self.rnd.choice((f"{new} = {old}[{key}]", f"{new} = {old}.sum()")), new)

    def read(self) -> None:
        function = self.rnd.choice(("np.sin", "np.square", "np.cos"))
        new = self.name()
        self.add(f"{new} = weigh({function}({self.array(0)}), {len(self.lines)})", new)

    def value_for(self, shape: tuple[int, ...]) -> str:
        """An expression that broadcasts to `shape` in an assignment."""
        rnd = self.rnd

        def broadcasts(value: Any) -> bool:
            try:
                return np.broadcast_shapes(np.shape(value), shape) == shape
            except ValueError:
                return False

        choices = [str(scalar(rnd)), f"{self.array()}.sum()"]
        fitting = self.arrays(broadcasts)
        for _ in range(3 if fitting else 0):
            a, b = rnd.choice(fitting), rnd.choice(fitting)
            choices += [a, f"{rnd.choice(UNARY)}({a})", f"({a} * {b})", f"({a} - 0.5 * {b})"]
        if shape and rnd.random() < 0.3:
            values = [scalar(rnd) for _ in range(shape[-1])]
            choices += [literal(values), f"({literal(values)} * {self.array()}.sum())"]
        return rnd.choice(choices)

    def write(self) -> None:
        name = self.array()
        key = random_key(self.rnd, self.shape(name))
        target = self.value(name)[eval(f"np.s_[{key}]")]
        self.add(f"{name}[{key}] = {self.value_for(np.shape(target))}")

    def write_inplace(self) -> None:
        name = self.array()
        key = random_key(self.rnd, self.shape(name))
        target = self.value(name)[eval(f"np.s_[{key}]")]
        operator = self.rnd.choice(INPLACE)
        self.add(f"{name}[{key}] {operator} {self.value_for(np.shape(target))}")

    def inplace(self) -> None:
        """`a += b`, for arrays (everyone sees it) and for scalars (only the name does)."""
        name = self.array(0)
        if name != "x" or self.rnd.random() < 0.3:
            operator = self.rnd.choice((*INPLACE, "/=", "**="))
            value = {"/=": "1.5", "**=": "2"}.get(operator) or self.value_for(self.shape(name))
            self.add(f"{name} {operator} {value}")

    def fancy_write(self) -> None:
        rnd, name = self.rnd, self.array()
        length = self.shape(name)[0]
        index = [rnd.randrange(-length, length) for _ in range(rnd.randint(1, 3))]
        value = self.value_for((len(index), *self.shape(name)[1:]))
        if rnd.random() < 0.3:
            self.add(f"np.add.at({name}, {index}, {value})")
        elif rnd.random() < 0.3:  # += on repeated indices: NumPy reads once, the last one wins
            self.add(f"{name}[{index}] {rnd.choice(INPLACE)} {value}")
        else:
            self.add(f"{name}[{index}] = {value}")

    def mask_write(self) -> None:
        rnd, name = self.rnd, self.array()
        mask = [rnd.random() < 0.5 for _ in range(self.value(name).size)]
        shape = self.shape(name)
        constant = literal(np.array(mask).reshape(shape))
        rows = literal(mask[: shape[0]])
        chosen = (int(np.sum(mask)),)
        if any(mask):
            self.add(
                rnd.choice(
                    (
                        f"{name}[{constant}] = {scalar(rnd)}",
                        f"{name}[{constant}] = {self.value_for(chosen)}",
                        f"{name}[{constant}] {rnd.choice(INPLACE)} {self.value_for(chosen)}",
                        f"{name}[{rows}] {rnd.choice(INPLACE)} {self.value_for(shape[1:])}",
                    )
                )
            )

    def out_write(self) -> None:
        name = self.array()
        value, other = self.value_for(self.shape(name)), self.value_for(self.shape(name))
        function = self.rnd.choice(("np.add", "np.multiply", "np.subtract"))
        self.add(f"{function}({value}, {other}, out={name})")

    def write_by_function(self) -> None:
        name = self.array()
        number, size = scalar(self.rnd), self.value(name).size
        places = [self.rnd.randrange(size) for _ in range(2)]
        self.add(
            self.rnd.choice(
                (
                    f"{name}.fill({number})",
                    f"{name}.fill({self.array()}.sum())",
                    f"np.copyto({name}, {self.value_for(self.shape(name))})",
                    f"np.put({name}, {places}, {self.value_for((2,))})",
                    f"{name}.flat[{places[0]}] = {self.array()}.sum()",
                )
            )
        )

    def exchange(self) -> None:
        """Tuple assignment: the right side is read, as views, before either write."""
        name = self.array()
        first, second = (self.rnd.randrange(self.shape(name)[0]) for _ in range(2))
        copy = ".copy()" if self.rnd.random() < 0.7 else ""
        self.add(f"{name}[{first}], {name}[{second}] = {name}[{second}]{copy}, {name}[{first}]{copy}")

    def loop(self) -> None:
        name, other = self.array(), self.array()
        length = self.shape(name)[0]
        if length > 1:
            self.add(
                self.rnd.choice(
                    (
                        f"for i in range(1, {length}): {name}[i] = 0.5 * {name}[i - 1] - {name}[i]",
                        f"for i in range({length}): {name}[i] *= np.cos({other}.sum() + i)",
                        f"for row in {name}[1:]: row += 0.3 * {name}[0]",
                        f"for i in range(1, {length}): {name}[i:] += np.sin({name}[i - 1])",
                        f"for row, from_row in zip({name}, {other}): row -= 0.5 * from_row",
                    )
                )
            )

    def derivative(self) -> None:
        """An inner gradient or directional derivative of arrays as they stand now."""
        name, new = self.pick(lambda value: np.ndim(value) == 1 and len(value) > 1), self.name()
        if name is not None:
            function = self.rnd.choice(tuple(BY_HAND))
            self.add(f"{new} = {function}(np.sin({name}), np.cos({name}))", new)


class MaskedByValueBuilder(MutationBuilder):
    """With masks that depend on values too, which `vmap` cannot select by."""

    def mask_write(self) -> None:
        rnd, name, held = self.rnd, self.array(), self.name()
        condition = f"{name} > {scalar(rnd)}"
        if self.add(f"{held} = {condition}", same=held):
            mask = rnd.choice((held, condition))
            self.add(
                rnd.choice(
                    (
                        f"{name}[{mask}] = {scalar(rnd)}",
                        f"{name}[{mask}] *= 0.5",
                        f"{name}[{mask}] = np.sin({name}[{mask}])",
                    )
                )
            )


def random_program(rnd: Random, builder: type[MutationBuilder]) -> Program:
    """A program from some shape to all of its arrays."""
    while True:
        shape = rnd.choice(((3,), (4,), (5,), (6,), (2, 3), (3, 2), (2, 1, 2)))
        x = np.array([coordinate(rnd) for _ in range(int(np.prod(shape)))]).reshape(shape)
        build = builder(rnd, nearby(rnd, x, 0.01, 2), BY_HAND)
        for _ in range(LENGTH):
            build.step()
        program = build.finish()
        # powers of powers would drown the differences
        if np.abs(complex_step(loss(program), x)).max() < 300.0:
            return program


def loss(program: Program) -> Any:
    """Every array the program made counts, whether or not something wrote to it later."""

    def total(x: Any) -> Any:
        return sum(weigh(np.sin(array), salt) for salt, array in enumerate(program(x)))

    return total


def complex_step(f: Any, x: np.ndarray) -> np.ndarray:
    """The gradient of NumPy's run, exact to rounding."""
    steps = 1e-30j * np.eye(x.size).reshape(x.size, *x.shape)
    return np.array([f(x + step).imag for step in steps]).reshape(x.shape) / 1e-30


def close(actual: Any, expected: Any, tolerance: float, label: str) -> None:
    scale = 1.0 + np.max(np.abs(expected))
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance * scale, err_msg=label, strict=False)
    assert np.shape(actual) == np.shape(expected), label


def check_value(plain: Program, traced: Program, x: np.ndarray) -> None:
    expected = plain(x.copy())
    outputs, _ = fd.pullback(traced, x)
    for place, (actual, wanted) in enumerate(zip(outputs, expected, strict=True)):
        close(actual, wanted, 1e-13, f"value of array {place}")


def check_first_order(f: Any, gradient: np.ndarray, x: np.ndarray, v: np.ndarray) -> None:
    close(fd.grad(f)(x), gradient, 1e-9, "grad")
    close(fd.jvp(f, x, v)[1], np.sum(gradient * v), 1e-9, "jvp")


def check_second_order(f: Any, product: np.ndarray | None, x: np.ndarray, v: np.ndarray) -> None:
    routes = {
        "reverse over reverse": fd.grad(lambda t: (fd.grad(f)(t) * v).sum())(x),
        "forward over reverse": fd.jvp(fd.grad(f), x, v)[1],
        "reverse over forward": fd.grad(lambda t: fd.jvp(f, t, v)[1])(x),
        "hvp": fd.hvp(f, x, v)[1],
        "Hessian by batched sweeps": np.tensordot(fd.jacrev(fd.grad(f))(x), v, x.ndim),
    }
    for route, actual in routes.items():
        if product is not None:
            close(actual, product, 1e-6, route)
        close(actual, routes["hvp"], 1e-10, f"{route} against hvp")


def check_vmap(f: Any, x: np.ndarray) -> None:
    batch = np.stack([x, x + 1e-4, x - 1e-4])
    looped = np.stack([fd.grad(f)(row) for row in batch])
    close(fd.vmap(fd.grad(f))(batch), looped, 1e-11, "vmap of grad")
    close(fd.grad(lambda rows: fd.vmap(f)(rows).sum())(batch), looped, 1e-11, "grad of vmap")
    products = [fd.hvp(f, row, row)[1] for row in batch]
    close(fd.vmap(lambda row: fd.hvp(f, row, row)[1])(batch), np.stack(products), 1e-9, "vmap of hvp")


def check_without_vmap(plain: Program) -> None:
    traced, x = plain.within(**BY_FUNCDIFF), plain.x.copy()
    numpy_loss, traced_loss = loss(plain), loss(traced)
    v = np.cos(np.arange(x.size)).reshape(x.shape)
    gradient = complex_step(numpy_loss, x)
    product = differences(lambda t: complex_step(numpy_loss, t), x, v)
    for writeable in (False, True):
        x.flags.writeable = writeable
        check_value(plain, traced, x)
        check_first_order(traced_loss, gradient, x, v)
    check_second_order(traced_loss, product, x, v)
    assert np.array_equal(x, plain.x), "the caller's array was written to"


def check(plain: Program) -> None:
    check_without_vmap(plain)
    check_vmap(loss(plain.within(**BY_FUNCDIFF)), plain.x)


FUZZ = settings(
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "150")),
    deadline=None,
    print_blob=True,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # a seed does not shrink; its program does
)
SEEDS = st.integers(0, 2**32 - 1)


@FUZZ
@given(SEEDS)
def test_mutation_programs(seed: int) -> None:
    check_and_shrink(check, random_program(Random(seed), MutationBuilder))


@FUZZ
@given(SEEDS)
def test_mutation_programs_with_masks_from_values(seed: int) -> None:
    check_and_shrink(check_without_vmap, random_program(Random(seed), MaskedByValueBuilder))


if __name__ == "__main__":
    for number in range(int(sys.argv[1]) if len(sys.argv) > 1 else 1000):
        check_and_shrink(check, random_program(Random(number), MutationBuilder))
        check_and_shrink(check_without_vmap, random_program(Random(number), MaskedByValueBuilder))
