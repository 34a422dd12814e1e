"""Random numbers: the stream of PyTorch's CPU generator, which is a Mersenne Twister.

The same seed gives PyTorch's numbers for `rand`, `randn`, `randint`, `randperm` and what is made of them
(to the last bits of `log`, `cos` and `sin` for `randn`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from math import cos, log1p, pi, sin, sqrt
from typing import Any

import numpy as np

from funcdiff.compat.torch._apply import method
from funcdiff.compat.torch._dtypes import FROM_NUMPY, INT64, Default, as_numpy, float64
from funcdiff.compat.torch._not_covered import refuse
from funcdiff.compat.torch._state import STATE
from funcdiff.compat.torch._tensor import Tensor, plain, wrap
from funcdiff.compat.torch._views import write
from funcdiff.compat.torch.ops.creation import _like, made
from funcdiff.compat.torch.ops.shapes import sizes
from funcdiff.core.recording import box
from funcdiff.primitives.indexing import is_mapped

_BITS = {"d": 53, "f": 24, "e": 11}
"""How many random bits a number gets: as many as are exact in its type."""
_MASKS = {bits: np.uint64((1 << bits) - 1) for bits in (11, 24, 53)}


class Generator:
    """A stream of random numbers."""

    def __init__(self, device: Any = "cpu") -> None:
        self.device = device
        self.manual_seed(67280421310721)

    def __repr__(self) -> str:
        return f"<torch._C.Generator object at {hex(id(self))}>"

    def manual_seed(self, seed: int) -> Generator:
        """Begin the stream of a seed."""
        self._seed = int(seed) & 0xFFFF_FFFF_FFFF_FFFF
        self._twister: Any = np.random.RandomState(self._seed & 0xFFFF_FFFF)._bit_generator
        self._next_normal: float | None = None
        return self

    def seed(self) -> int:
        """Begin a stream that nobody can know beforehand."""
        seed = time.time_ns() & 0xFFFF_FFFF
        self.manual_seed(seed)
        return seed

    def initial_seed(self) -> int:
        """Return the seed of the stream."""
        return self._seed

    def get_state(self) -> Any:
        """Return where the stream stands."""
        return {"twister": self._twister.state, "normal": self._next_normal, "seed": self._seed}

    def set_state(self, state: Any) -> Generator:
        """Put the stream where it stood."""
        self._twister.state = state["twister"]
        self._next_normal, self._seed = state["normal"], state["seed"]
        return self

    def words(self, n: int) -> Any:
        """Return n words of 32 bits."""
        return self._twister.random_raw(n)

    def double_words(self, n: int) -> Any:
        """Return n words of 64 bits."""
        w = self.words(2 * n)
        return (w[0::2] << np.uint64(32)) | w[1::2]

    def uniform(self, n: int, dtype: Any) -> Any:
        """Return n numbers in [0, 1)."""
        bits = _BITS[dtype.char]
        words = self.double_words(n) if bits == 53 else self.words(n)
        return (words & _MASKS[bits]).astype(dtype) * 2.0**-bits

    def _few_normal(self, n: int) -> list[float]:
        """Return some normal numbers, two from each pair; the last may be left for the next time."""
        found: list[float] = []
        if n and self._next_normal is not None:
            found.append(self._next_normal)
            self._next_normal = None
        missing = n - len(found)
        uniform = iter(self.uniform(missing + missing % 2, np.dtype(np.float64)).tolist())
        for u, v in zip(uniform, uniform, strict=True):
            radius = sqrt(-2.0 * log1p(-v))
            angle = 2 * pi * u
            found += (radius * cos(angle), radius * sin(angle))
        if missing % 2:
            self._next_normal = found.pop()
        return found

    def normal(self, n: int, dtype: Any) -> Any:
        """Return n standard normal numbers, by Box and Muller's method."""
        if n < 16:
            return np.array(self._few_normal(n), dtype)
        u = self.uniform(n, dtype)
        whole = n - n % 16
        out = np.empty(n, dtype)
        out[:whole] = _pairs(u[:whole])
        if whole != n:  # the last sixteen are drawn again
            out[n - 16 :] = _pairs(self.uniform(16, dtype))
        return out


def _pairs(u: Any) -> Any:
    rows = u.reshape(-1, 2, 8)
    one = u.dtype.type(1)
    radius = np.sqrt(-2 * np.log(one - rows[:, 0]))
    angle = u.dtype.type(2 * math.pi) * rows[:, 1]
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1).reshape(-1)


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


def rand(
    *size: Any, dtype: Any = None, requires_grad: bool = False, generator: Any = None, **kwargs: Any
) -> Any:
    """As `torch.rand`."""
    shape = sizes(size or (kwargs.pop("size", ()),))
    if dtype is None and len(shape) == 1 and not STATE.maps:  # the same, without detour
        source = default_generator if generator is None else generator
        return made(source.uniform(shape[0], Default.real), requires_grad, **kwargs)
    return made(_drawn("uniform", shape, dtype, generator), requires_grad, **kwargs)


def randn(
    *size: Any, dtype: Any = None, requires_grad: bool = False, generator: Any = None, **kwargs: Any
) -> Any:
    """As `torch.randn`."""
    shape = sizes(size or (kwargs.pop("size", ()),))
    return made(_drawn("normal", shape, dtype, generator), requires_grad, **kwargs)


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
    source = _generator(generator)

    def draw(full: tuple[int, ...]) -> Any:
        return _integers(math.prod(full), low, high, source).astype(kind).reshape(full)

    return made(for_examples(shape, draw), requires_grad, **kwargs)


def _integers(n: int, low: int, high: int, source: Generator) -> Any:
    span = high - low
    words = source.double_words(n) if span >= 1 << 28 else source.words(n)
    found = (words % np.uint64(span)).astype(np.int64)
    return found + low if low else found


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
        steps = source.words(n - 1) % np.arange(n, 1, -1, dtype=np.uint64)
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
    return _integers(x.size, low, high, source).reshape(x.shape)


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
