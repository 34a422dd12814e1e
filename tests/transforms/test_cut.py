"""Which values of a loop's body are saved: the cheapest, found in a few sweeps whatever its length."""

import itertools
import random

import numpy as np
import pytest

import funcdiff as fd
from funcdiff.transforms.loops import cut


def separates(kept, users, sources, wanted):
    """Tell whether no way leads from a source to what is wanted past what is kept."""
    seen, waiting = set(), [n for n in sources if n not in kept]
    while waiting:
        n = waiting.pop()
        if n not in seen:
            seen.add(n)
            waiting += [m for m in users.get(n, ()) if m not in kept]
    return not seen & wanted


@pytest.mark.parametrize("seed", range(30))
def test_of_all_sets_the_cheapest_is_saved(seed):
    r = random.Random(seed)
    size = {n: r.choice([1, 1, 2, 5]) for n in range(9)}
    users = {n: [m for m in range(n + 1, 9) if r.random() < 0.4] for n in range(9)}
    sources, wanted = {0, 1, r.randrange(9)}, {7, 8, r.randrange(9)}
    found = cut._Network(size, users, sources, wanted).cut()
    assert separates(found, users, sources, wanted)
    subsets = itertools.chain.from_iterable(itertools.combinations(size, k) for k in range(10))
    least = min(sum(size[n] for n in s) for s in subsets if separates(set(s), users, sources, wanted))
    assert sum(size[n] for n in found) == least


def test_sweeps_do_not_grow_with_the_body(monkeypatch):
    counts = []
    levels = cut._Network._levels

    def counted(self):
        counts.append(1)
        return levels(self)

    monkeypatch.setattr(cut._Network, "_levels", counted)

    def sweeps(steps):
        def step(c, _):
            for k in range(steps):
                c = np.sin(c) * c + 0.1 * k * c
            return c, None

        counts.clear()
        fd.trace(fd.grad(lambda x: fd.scan(step, x, None, length=5)[0]))(0.3)
        return len(counts)

    assert sweeps(60) == sweeps(10) > 0
