"""The workloads of GradBench's drivers, as documented, and small ones of the same form."""

import itertools

import numpy as np

PARENTS = [-1, 0, 1, 2, 3, 0, 5, 6, 7, 0, 9, 10, 11, 0, 13, 14, 15, 0, 17, 18, 19, 0]
BA_FILES = [
    (49, 7776, 31843),
    (21, 11315, 36455),
    (161, 48126, 182072),
    (372, 47423, 204472),
    (257, 65132, 225911),
    (539, 65220, 277273),
    (93, 61203, 287451),
    (88, 64298, 383937),
    (810, 88814, 393775),
    (1197, 126327, 563734),
    (1723, 156502, 678718),
    (253, 163691, 899155),
    (245, 198739, 1091386),
    (356, 226730, 1255268),
]
BA = {
    "cam": [
        -0.758453,
        -1.109613,
        -0.845551,
        34.556073,
        39.676747,
        53.881673,
        419.194514,
        5.864426,
        -8.51887,
        0.087812,
        0.002739,
    ],
    "x": [7.203245, 0.001144, 3.023326],
    "w": 0.417022,
    "feat": [271.760969, 834.209256],
}


def gmm(rng, d, k, n=1000):
    lower = d * (d - 1) // 2
    return {
        "d": d,
        "k": k,
        "n": n,
        "x": rng.standard_normal((n, d)).tolist(),
        "m": 0,
        "gamma": 1.0,
        "alpha": rng.standard_normal(k).tolist(),
        "mu": rng.uniform(size=(k, d)).tolist(),
        "q": rng.standard_normal((k, d)).tolist(),
        "l": rng.standard_normal((k, lower)).tolist(),
    }


def ba(n, m, p):
    return {"n": n, "m": m, "p": p, **BA}


def lstm(rng, layers, c, b=14):
    return {
        "main_params": rng.uniform(size=(2 * layers, 4 * b)).tolist(),
        "extra_params": rng.uniform(size=(3, b)).tolist(),
        "state": rng.uniform(size=(2 * layers, b)).tolist(),
        "sequence": rng.integers(0, 2, (c, b)).tolist(),
    }


def ht(rng, n, vertices=10000, complicated=True):
    bones = len(PARENTS)

    def frames():
        found = np.tile(np.eye(4), (bones, 1, 1))
        found[:, :3] += 0.1 * rng.standard_normal((bones, 3, 4))
        return found.tolist()

    weights = rng.uniform(size=(vertices, bones))
    model = {
        "bone_count": bones,
        "bone_names": [f"bone{i}" for i in range(bones)],
        "parents": PARENTS,
        "base_relatives": frames(),
        "inverse_base_absolutes": frames(),
        "base_positions": np.c_[rng.standard_normal((vertices, 3)), np.ones(vertices)].tolist(),
        "weights": (weights / weights.sum(1, keepdims=True)).tolist(),
        "triangles": rng.integers(0, vertices, (2 * vertices, 3)).tolist(),
        "is_mirrored": False,
    }
    data = {
        "model": model,
        "correspondences": rng.integers(0, vertices, n).tolist(),
        "points": rng.standard_normal((n, 3)).tolist(),
    }
    us = rng.uniform(size=(n, 2)).tolist() if complicated else []
    return {"theta": rng.uniform(-0.5, 0.5, 26).tolist(), "us": us, "data": data}


def kmeans(rng, k, n, d):
    points = rng.uniform(size=(n, d))
    return {"points": points.tolist(), "centroids": points[-k:].tolist()}


def lse(rng, n):
    return {"x": rng.uniform(size=n).tolist()}


def llsq(rng, n, m=128):
    return {"x": rng.uniform(size=m).tolist(), "n": n}


def ode(rng, n, s):
    return {"x": rng.uniform(size=n).tolist(), "s": s}


def det(rng, ell):
    return {"A": rng.uniform(size=ell * ell).tolist(), "ell": ell}


def full(rng):
    """Return per eval the default workloads as (description, make)."""

    def of(make, sizes):
        return [("_".join(map(str, size)), lambda size=size: make(rng, *size)) for size in sizes]

    pairs = sorted(itertools.product((2, 10, 20, 32, 64), (5, 10, 25, 50, 100)), key=np.prod)
    texts = sorted(itertools.product((2, 4, 6), (1024, 4096, 8192)), key=np.prod)
    clusters = sorted(itertools.product((10, 100, 1000), (1000, 10000), (8, 16)), key=np.prod)
    systems = sorted(itertools.product((1000, 10000, 100000), (1, 10, 100)), key=np.prod)
    hands = [100, 192, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 51200]
    return {
        "gmm": of(gmm, pairs),
        "ba": [("_".join(map(str, size)), lambda size=size: ba(*size)) for size in BA_FILES],
        "lstm": of(lstm, texts),
        "ht": of(ht, [(n,) for n in hands]),
        "kmeans": of(kmeans, clusters),
        "lse": of(lse, [(2500 * 2**k,) for k in range(10)]),
        "llsq": of(llsq, [(n,) for n in (*(16 * 2**k for k in range(9)), 8196, 16392)]),
        "ode": of(ode, systems),
        "det": of(det, [(n,) for n in range(5, 12)]),
        "particle": [("0", lambda: {"w": 0.0})],
        "saddle": [("1_1", lambda: {"start": [1.0, 1.0]})],
    }
