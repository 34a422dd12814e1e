"""Random numbers: the stream of PyTorch's CPU generator, which is a Mersenne Twister.

The same seed gives PyTorch's numbers for `rand`, `randn`, `randint`, `randperm` and what is made of them
(to the last bits of `log`, `cos` and `sin` for `randn`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from funcdiff.compat.torch._apply import method
from funcdiff.compat.torch._dtypes import FROM_NUMPY, INT64, Default, as_numpy, float64
from funcdiff.compat.torch._not_covered import refuse
from funcdiff.compat.torch._state import STATE
from funcdiff.compat.torch._tensor import Tensor, plain, wrap
from funcdiff.compat.torch._views import write
from funcdiff.compat.torch.ops.creation import _like, made
from funcdiff.compat.torch.ops.generator import Generator
from funcdiff.compat.torch.ops.shapes import sizes
from funcdiff.core.recording import box
from funcdiff.primitives.indexing import is_mapped

default_generator = Generator()
default_generator.seed()


def manual_seed(seed: int) -> Generator:
    """As `torch.manual_seed`."""
    return default_generator.manual_seed(seed)


def seed() -> int:
    """As `torch.seed`."""
    return default_generator.seed()


def initial_seed() -> int:
    """As `torch.initial_seed`."""
    return default_generator.initial_seed()


def get_rng_state() -> Any:
    """As `torch.get_rng_state`."""
    return default_generator.get_state()


def set_rng_state(new_state: Any) -> None:
    """As `torch.set_rng_state`."""
    default_generator.set_state(new_state)


def _generator(generator: Any) -> Generator:
    return default_generator if generator is None else generator


def for_examples(shape: tuple[int, ...], draw: Callable[[tuple[int, ...]], Any], written: Any = None) -> Any:
    """Draw an array, or one for each example of the `torch.func.vmap` that are running, if they ask for that.

    `written` is what the numbers will be written into, if it is there already.
    """
    maps = STATE.maps
    if not maps:
        return draw(shape)
    if any(how == "error" for _, _, how in maps):
        raise RuntimeError(
            "vmap: called random operation while in randomness error mode. Please either use the 'same' or 'different' "
            "randomness flags on vmap or perform the randomness operation out of vmap"
        )
    differing = [(recorder, size) for recorder, size, how in maps if how == "different"]
    if differing and written is not None and not is_mapped(written):
        raise RuntimeError(
            "vmap: Cannot ask for different inplace randomness on an unbatched tensor. This will appear like same randomness. If "
            "this is necessary for your usage, please file an issue with functorch."
        )
    x = draw((*[size for _, size in differing], *shape))
    for recorder, _ in differing:
        x = box(x, recorder, True)
    return x


def _drawn(draw: str, shape: tuple[int, ...], dtype: Any, generator: Any) -> Any:
    kind = Default.real if dtype is None else as_numpy(dtype)
    if kind.kind not in "fc":
        what = "check_uniform_bounds" if draw == "uniform" else "normal_kernel_cpu"
        raise NotImplementedError(f"\"{what}\" not implemented for '{FROM_NUMPY[kind].type_name}'")
    return for_examples(shape, lambda full: _array(draw, full, kind, _generator(generator)))


def _array(draw: str, shape: tuple[int, ...], kind: Any, source: Generator) -> Any:
    n = math.prod(shape)
    if kind.kind == "c":
        real = np.empty(0, kind).real.dtype
        parts = getattr(source, draw)(2 * n, real)
        scale = math.sqrt(0.5) if draw == "normal" else 1.0
        return (parts * real.type(scale)).view(kind).reshape(shape)
    return getattr(source, draw)(n, kind).reshape(shape)


def _drawing(draw: str) -> Any:
    numbers = getattr(Generator, draw)

    def of_size(
        *size: Any, dtype: Any = None, requires_grad: bool = False, generator: Any = None, **kwargs: Any
    ) -> Any:
        if len(size) == 1 and type(size[0]) is int and dtype is None and not STATE.maps:  # without detour
            source = default_generator if generator is None else generator
            x = numbers(source, size[0], Default.real)
        else:
            x = _drawn(draw, sizes(size or (kwargs.pop("size", ()),)), dtype, generator)
        return made(x, requires_grad, **kwargs) if requires_grad or kwargs else wrap(x)

    return of_size


def _named(op: Any, name: str) -> Any:
    op.__name__ = op.__qualname__ = name
    op.__doc__ = f"As `torch.{name}`."
    return op


rand = _named(_drawing("uniform"), "rand")
randn = _named(_drawing("normal"), "randn")


def randint(
    low: int,
    high: Any = None,
    size: Any = None,
    *,
    dtype: Any = None,
    requires_grad: bool = False,
    generator: Any = None,
    **kwargs: Any,
) -> Any:
    """As `torch.randint`."""
    if size is None:
        low, high, size = 0, low, high
    elif high is None:
        low, high = 0, low
    if low >= high:
        raise RuntimeError(f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}")
    shape = sizes((size,))
    kind = INT64 if dtype is None else as_numpy(dtype)
    source = default_generator if generator is None else generator

    def draw(full: tuple[int, ...]) -> Any:
        x = source.integers(math.prod(full), low, high)
        return (x if kind is INT64 else x.astype(kind)).reshape(full)

    x = for_examples(shape, draw) if STATE.maps else draw(shape)
    return made(x, requires_grad, **kwargs) if requires_grad or kwargs else wrap(x)


def randperm(n: int, *, dtype: Any = None, generator: Any = None, **kwargs: Any) -> Any:
    """As `torch.randperm`."""
    source = _generator(generator)
    kind = INT64 if dtype is None else as_numpy(dtype)

    def draw(full: tuple[int, ...]) -> Any:
        rows = [_permutation(n, source) for _ in range(math.prod(full[:-1]))]
        return np.array(rows).astype(kind).reshape(full)

    return made(for_examples((n,), draw), **kwargs)


def _permutation(n: int, source: Generator) -> Any:
    order = np.arange(n)
    if n > 1:
        steps = source.words(n - 1) % np.arange(n, 1, -1)
        for k, z in enumerate(steps.tolist()):
            order[k], order[k + z] = order[k + z], order[k]
    return order


rand_like = _like(rand, "rand_like")
randn_like = _like(randn, "randn_like")


def randint_like(input: Tensor, low: int, high: int | None = None, **kwargs: Any) -> Any:
    """As `torch.randint_like`."""
    if high is None:
        low, high = 0, low
    return randint(low, high, input.shape, dtype=input.dtype, **kwargs)


def bernoulli(input: Tensor, p: float | None = None, *, generator: Any = None) -> Any:
    """As `torch.bernoulli`; its own stream."""
    u = wrap(_drawn("uniform", input.value.shape, float64, generator))
    return (u < (input.detach() if p is None else p)).to(input.dtype)


def normal(mean: Any, std: Any = 1.0, size: Any = None, *, generator: Any = None, **kwargs: Any) -> Any:
    """As `torch.normal`."""
    if size is not None:
        return randn(*sizes((size,)), generator=generator, **kwargs) * std + mean
    like = mean if isinstance(mean, Tensor) else std
    return randn(*like.shape, generator=generator, dtype=like.dtype) * std + mean


def multinomial(input: Tensor, num_samples: int, replacement: bool = False, *, generator: Any = None) -> Any:
    """As `torch.multinomial`; its own stream."""
    weights = np.atleast_2d(plain(input)).astype(np.float64)
    if not replacement and num_samples > weights.shape[-1]:
        raise RuntimeError("cannot sample n_sample > prob_dist.size(-1) samples without replacement")
    source = _generator(generator)
    rows = []
    for w in weights:
        if replacement:
            u = source.uniform(num_samples, np.dtype(np.float64))
            rows.append(np.searchsorted(np.cumsum(w) / w.sum(), u, side="right"))
        else:  # the exponential race: the k smallest arrival times
            with np.errstate(divide="ignore"):
                times = -np.log1p(-source.uniform(w.size, np.dtype(np.float64))) / w
            rows.append(np.argsort(times, kind="stable")[:num_samples])
    found = np.stack(rows)
    return wrap(found if input.ndim == 2 else found[0])


def poisson(input: Tensor, generator: Any = None) -> Any:
    """As `torch.poisson`; its own stream."""
    seed_word = int(_generator(generator).words(1)[0])
    x = plain(input)
    return wrap(np.random.default_rng(seed_word).poisson(x).astype(x.dtype))


# --- in place ----------------------------------------------------------------------------------------------


def _overwrite(name: str, draw: Any) -> Any:
    def fill(input: Tensor, *args: Any, generator: Any = None, **kwargs: Any) -> Any:
        def drawn(x: Tensor) -> Any:
            dtype = x.value.dtype

            def into(full: tuple[int, ...]) -> Any:
                like = np.broadcast_to(np.zeros((), dtype), full)
                return draw(like, _generator(generator), *args, **kwargs).astype(dtype)

            return wrap(for_examples(x.value.shape, into, x.value))

        return write(input, drawn, (), {})

    fill.__name__ = fill.__qualname__ = name
    fill.__doc__ = f"As `Tensor.{name}`."
    return method(fill)


def _uniform(x: Any, source: Generator, a: float = 0.0, b: float = 1.0) -> Any:
    u = source.uniform(x.size, x.dtype).reshape(x.shape)
    return u * x.dtype.type(b - a) + x.dtype.type(a)


def _normal(x: Any, source: Generator, mean: float = 0.0, std: float = 1.0) -> Any:
    return source.normal(x.size, x.dtype).reshape(x.shape) * x.dtype.type(std) + x.dtype.type(mean)


def _bernoulli(x: Any, source: Generator, p: Any = 0.5) -> Any:
    at = plain(p) if isinstance(p, Tensor) else p
    return source.uniform(x.size, np.dtype(np.float64)).reshape(x.shape) < at


def _exponential(x: Any, source: Generator, lambd: float = 1.0) -> Any:
    return -np.log1p(-source.uniform(x.size, np.dtype(np.float64)).reshape(x.shape)) / lambd


def _random(x: Any, source: Generator, low: Any = 0, high: Any = None) -> Any:
    if high is None:
        low, high = (0, low) if low else (0, _largest(x.dtype))
    if x.dtype == np.int64 and high == _largest(x.dtype) and low == 0:
        return (source.double_words(x.size) & np.uint64((1 << 63) - 1)).astype(np.int64).reshape(x.shape)
    return source.integers(x.size, low, high).reshape(x.shape)


def _largest(dtype: Any) -> int:
    if dtype.kind == "f":
        return 1 << (np.finfo(dtype).nmant + 1)
    return int(np.iinfo(dtype).max)


uniform_ = _overwrite("uniform_", _uniform)
normal_ = _overwrite("normal_", _normal)
bernoulli_ = _overwrite("bernoulli_", _bernoulli)
exponential_ = _overwrite("exponential_", _exponential)
random_ = _overwrite("random_", _random)
method(lambda self, *args, **kwargs: bernoulli(self, *args, **kwargs), "bernoulli")
method(lambda self, *args, **kwargs: multinomial(self, *args, **kwargs), "multinomial")


class fork_rng:
    """As `torch.random.fork_rng`: the stream is put back at the end."""

    def __init__(self, devices: Any = None, enabled: bool = True) -> None:
        self.state: Any = None

    def __enter__(self) -> None:
        self.state = get_rng_state()

    def __exit__(self, *_: object) -> None:
        set_rng_state(self.state)


def __getattr__(name: str) -> Any:
    return refuse("random", name)
