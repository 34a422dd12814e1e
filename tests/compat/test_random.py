"""The generator draws by blocks: what is drawn does not show where they end, nor the state of the stream."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import funcdiff.compat.torch as torch

DRAWS: dict[str, Any] = {
    "rand": lambda n: torch.rand(n),
    "rand of doubles": lambda n: torch.rand(n, dtype=torch.float64),
    "randn": lambda n: torch.randn(n),
    "randn of doubles": lambda n: torch.randn(n, dtype=torch.float64),
    "randint": lambda n: torch.randint(-3, 1000, (n,)),
    "randint of many": lambda n: torch.randint(1 << 40, (n,)),
}


@pytest.mark.parametrize("name", [name for name in DRAWS if "randn" not in name])
@pytest.mark.parametrize("piece", [1, 7, 100, 623, 624, 625, 1300])
def test_pieces_are_the_whole(name, piece):
    draw = DRAWS[name]
    torch.manual_seed(5)
    pieces = [draw(min(piece, 3000 - at)).numpy() for at in range(0, 3000, piece)]
    torch.manual_seed(5)
    np.testing.assert_array_equal(np.concatenate(pieces), draw(3000).numpy())


@pytest.mark.parametrize("name", ["randn", "randn of doubles"])
def test_pieces_of_normal_numbers(name):
    draw = DRAWS[name]
    torch.manual_seed(5)
    by_two = np.concatenate([draw(2).numpy() for _ in range(400)])
    torch.manual_seed(5)
    odd = np.concatenate([draw(1 + n % 3).numpy() for n in range(398)])
    np.testing.assert_array_equal(odd, by_two[: odd.size])


@pytest.mark.parametrize("name", DRAWS)
def test_state(name):
    draw = DRAWS[name]
    torch.manual_seed(7)
    for before in (0, 1, 3, 11, 300, 1000, 624, 5):
        draw(before)
        state = torch.get_rng_state()
        first = [draw(n).numpy() for n in (3, 2, 40, 700, 1)]
        torch.set_rng_state(state)
        again = [draw(n).numpy() for n in (3, 2, 40, 700, 1)]
        for a, b in zip(first, again, strict=True):
            np.testing.assert_array_equal(a, b)


def test_what_is_drawn_is_ones_own():
    torch.manual_seed(3)
    x = torch.rand(4)
    x.zero_()
    torch.randn(4).zero_()
    torch.manual_seed(3)
    assert (torch.rand(4) > 0).all()
