"""The GradBench tool: the specification's worked examples, the protocol, and small workloads of every eval."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.gradbench import driver, workloads
from tests.gradbench.bars import MEASURED, bar
from tests.gradbench.tool import EVALS, Tool

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def session():
    return driver.Session(Tool().answer)


GMM = {
    "d": 2, "k": 2, "n": 3, "x": [[0.5, -1], [1.5, 0.25], [-0.75, 2]], "m": 1, "gamma": 2, "alpha": [0.1, -0.3],
    "mu": [[0.2, 0.4], [0.6, -0.8]], "q": [[0.3, -0.2], [-0.1, 0.5]], "l": [[0.7], [-0.4]],
}  # fmt: skip
BA = {
    "n": 2, "m": 3, "p": 17, "cam": [-0.75, -1.1, -0.85, 34.5, 39.7, 53.9, 419.2, 5.9, -8.5, 0.09, 0.003],
    "x": [7.2, 0.001, 3], "w": 0.4, "feat": [271.8, 834.2],
}  # fmt: skip
LSTM = {
    "main_params": [[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8], [-0.15, -0.1, -0.05, 0, 0.05, 0.1, 0.15, 0.2]],
    "extra_params": [[0.5, -0.5], [1, 2], [0.1, 0.2]],
    "state": [[0.3, -0.1], [0.2, 0.4]],
    "sequence": [[1, 0], [0, 1], [1, 1]],
}
KMEANS = {"points": [[0, 0], [1, 0.5], [4, 4], [5, 3], [0.5, -1]], "centroids": [[0.5, 0.5], [4, 3]]}
EXAMPLES = [
    ("gmm", "objective", GMM, -16.51154776364659),
    ("lstm", "objective", LSTM, 0.900828932425240),
    ("kmeans", "cost", KMEANS, 5.0),
    ("kmeans", "dir", KMEANS, [[0, 2 / 3], [-0.5, -0.5]]),
    ("lse", "primal", {"x": [0.1, 0.7, -0.4]}, 1.332166440230396),
    ("lse", "gradient", {"x": [0.1, 0.7, -0.4]}, [0.291660028718689, 0.531439221650759, 0.176900749630552]),
    ("llsq", "primal", {"x": [0.3, -0.2, 0.5], "n": 5}, 3.515625),
    ("llsq", "gradient", {"x": [0.3, -0.2, 0.5], "n": 5}, [2.75, -3.5, 1.8125]),
    ("ode", "primal", {"x": [0.5, 0.25, 0.75], "s": 2}, [1, 0.25, 0.125]),
    ("ode", "gradient", {"x": [0.5, 0.25, 0.75], "s": 2}, [0.25, 0.5, 1 / 6]),
    ("det", "primal", {"A": [2, 1, 3, 0, 4, 1, 5, 2, 6], "ell": 3}, -11),
    ("det", "gradient", {"A": [2, 1, 3, 0, 4, 1, 5, 2, 6], "ell": 3}, [22, 5, -20, 0, -3, 1, -11, -2, 8]),
]


@pytest.mark.parametrize(("module", "function", "given", "expected"), EXAMPLES)
def test_worked_examples(session, module, function, given, expected):
    np.testing.assert_allclose(session.value(module, function, given), expected, rtol=1e-12, atol=1e-14)


def test_worked_gradients(session):
    gradient = session.value("gmm", "jacobian", GMM)
    np.testing.assert_allclose(gradient["alpha"], [-0.005786740316493, 0.005786740316493], rtol=1e-10)
    np.testing.assert_allclose(gradient["q"][1], [-1.479397503508164, -10.185222604500506])
    np.testing.assert_allclose(gradient["l"], [[-2.464502318752111], [0.821132405219127]])
    gradient = session.value("lstm", "jacobian", LSTM)
    assert len(gradient) == 22
    np.testing.assert_allclose(gradient[:3], [-4.6117964e-05, 0.00231423008, -0.00059541529], rtol=1e-7)
    np.testing.assert_allclose(gradient[-1], -0.258383951, rtol=1e-8)


def test_worked_bundle_adjustment(session):
    out = session.value("ba", "objective", BA)
    np.testing.assert_allclose(out["reproj_error"]["elements"], [-1.042274418428610, -8.688949673084426])
    assert out["reproj_error"]["repeated"] == out["w_err"]["repeated"] == 17
    np.testing.assert_allclose(out["w_err"]["element"], 0.84)
    jacobian = session.value("ba", "jacobian", BA)
    assert jacobian["rows"] == [*range(0, 450, 15), 527]
    block = [*range(11), 22, 23, 24, 31]
    assert jacobian["cols"] == [*block, *block, 47]
    np.testing.assert_allclose(jacobian["vals"][:3], [-431.859655741191, 171.722878409531, -19.493533656226])
    np.testing.assert_allclose(jacobian["vals"][29:], [-21.722374182711, -0.8])


def hand(us, correspondences):
    bones = np.arange(22)

    def frames(a):
        found = np.tile(np.eye(4), (22, 1, 1))
        found[:, 0, 3], found[:, 1, 3], found[:, 2, 3] = a * (bones + 1), -a * bones, a / 2
        return found.tolist()

    model = {
        "bone_count": 22,
        "parents": workloads.PARENTS,
        "base_relatives": frames(0.1),
        "inverse_base_absolutes": frames(-0.05),
        "base_positions": [[0.1 * v, 0.2 * v - 0.3, 0.3, 1] for v in range(4)],
        "weights": [[1 / 22 if (i + v) % 2 == 0 else 0.5 / 22 for i in range(22)] for v in range(4)],
        "triangles": [[0, 1, 2], [1, 2, 3]],
        "is_mirrored": False,
    }
    theta = [0.05 * (i + 1) * (-1) ** i for i in range(26)]
    points = [[0.1, 0.2, 0.3], [1, 1.5, 2]]
    return {
        "theta": theta,
        "us": us,
        "data": {"model": model, "correspondences": correspondences, "points": points},
    }


def test_worked_hand(session):
    simple = hand([], [1, 3])
    out = session.value("ht", "objective", simple)
    np.testing.assert_allclose(out[:3], [-1.124898375887553, 1.224612275855137, 0.538295726181734])
    row = session.value("ht", "jacobian", simple)[0]
    assert len(row) == 26
    np.testing.assert_allclose(row[:3], [-0.069698437161, -0.090039138105, -1.270269372992], rtol=1e-9)
    np.testing.assert_allclose([row[6], row[-1]], [-0.000273898554, 0.018512077202], rtol=1e-8)
    given = hand([[0.2, 0.3], [0.5, 0.1]], [0, 1])
    out = session.value("ht", "objective", given)
    np.testing.assert_allclose(out[-3:], [-0.311681402583172, 2.480485730095931, 2.171421146681810])
    row = session.value("ht", "jacobian", given)[-1]
    assert len(row) == 28
    np.testing.assert_allclose(row[:3], [0.154278153517, 0.102644972585, 1.335620531959], rtol=1e-9)
    np.testing.assert_allclose(row[-1], -0.003068584037, rtol=1e-8)


def small(rng):
    return {
        "gmm": [workloads.gmm(rng, 3, 4, 20), workloads.gmm(rng, 2, 5, 10)],
        "ba": [workloads.ba(3, 4, 20), workloads.ba(1, 1, 1) | {"cam": [0.0] * 3 + workloads.BA["cam"][3:]}],
        "lstm": [workloads.lstm(rng, 2, 6, 5), workloads.lstm(rng, 4, 3, 3)],
        "ht": [workloads.ht(rng, 4, 30), workloads.ht(rng, 3, 20, complicated=False)],
        "kmeans": [workloads.kmeans(rng, 4, 50, 3)],
        "lse": [workloads.lse(rng, 7)],
        "llsq": [workloads.llsq(rng, 10, 6), workloads.llsq(rng, 3, 2)],
        "ode": [workloads.ode(rng, 3, 4)],
        "det": [workloads.det(rng, 4), workloads.det(rng, 8)],
    }


@pytest.mark.parametrize("module", [m for m in EVALS if m not in driver.KNOWN])
def test_small_workloads(session, module):
    rng = np.random.default_rng(1)
    for given in small(rng)[module]:
        times, valid = driver.replay(session, module, "", given, rng)
        assert valid
        assert all(min(t) > 0 for t in times.values())


def test_times_of_a_message():
    runs = [("prepare", 500), ("evaluate", 100), ("evaluate", 300), ("evaluate", 200), ("evaluate", 100)]
    answer = {"timings": [{"name": name, "nanoseconds": ms * 1e6} for name, ms in runs]}
    assert driver.times_of(answer, 1.0) == (1100 / 4, 500, 175, 100)  # the time is over after the fourth
    assert driver.times_of(answer, 0.0) == (500, 500, 175, 100)
    assert bar("ode", "1000_1", "gradient") == 4 * 0.00189  # there is a closed form
    assert bar("ba", "49_7776_31843", "jacobian") == 4 * 0.792
    assert bar("lse", "2500", "gradient") == 0.012
    assert bar("particle", "0", "ff") == 1.64
    assert bar("gmm", "64_100", "jacobian") is None


@pytest.mark.parametrize("module", list(driver.KNOWN))
def test_descents_in_every_mode(session, module):
    pytest.importorskip("llvmlite")  # else they take seconds
    given = {"particle": {"w": 0.0}, "saddle": {"start": [1.0, 1.0]}}[module]
    _, valid = driver.replay(session, module, "", given, np.random.default_rng(1))
    assert valid


def test_every_eval_has_its_default_workloads():
    found = workloads.full(np.random.default_rng(0))
    assert set(found) == set(EVALS)
    described = {(module, description) for module in found for description, _ in found[module]}
    assert set(MEASURED) <= described
    counts = {
        "gmm": 25,
        "ba": 14,
        "lstm": 9,
        "ht": 11,
        "kmeans": 12,
        "lse": 10,
        "llsq": 11,
        "ode": 9,
        "det": 7,
    }
    assert counts == {module: len(found[module]) for module in counts}


def test_the_protocol():
    messages = [
        {"id": 0, "kind": "start", "eval": "hello"},
        {"id": 1, "kind": "define", "module": "hello"},
        {"id": 2, "kind": "evaluate", "module": "hello", "function": "square", "input": 3.0},
        {"id": 3, "kind": "analysis", "of": 2, "valid": True},
        {"id": 4, "kind": "evaluate", "module": "hello", "function": "double", "input": 9.0},
        {"id": 5, "kind": "define", "module": "nothing"},
        {"id": 6, "kind": "evaluate", "module": "lse", "function": "primal", "input": {"x": "?", "min_runs": 1, "min_seconds": 0}},
        {"id": 7, "kind": "unheard of"},
        {"id": 8, "kind": "evaluate", "module": "lse", "function": "primal", "input": {"x": [1.0], "min_runs": 3, "min_seconds": 0}},
    ]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "tests.gradbench.tool"],
        input="".join(json.dumps(m) + "\n" for m in messages),
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [a["id"] for a in answers] == list(range(9))
    assert answers[0]["tool"] == "funcdiff"
    assert answers[1]["success"]
    assert answers[2]["output"] == 9.0
    assert answers[4]["output"] == 18.0
    assert answers[3] == {"id": 3}
    assert answers[7] == {"id": 7}
    assert not answers[5]["success"]
    assert "error" in answers[6]
    assert not answers[6]["success"]
    assert answers[8]["output"] == 1.0
    assert [t["name"] for t in answers[8]["timings"]] == ["prepare", *["evaluate"] * 3]


def test_descents_agree_in_every_mode_on_less_than_a_descent(session):
    """Nested derivatives through a descent of a few steps."""
    import funcdiff as fd
    from tests.gradbench import programs as p

    def bowl(start, outer, inner):
        def f(x, y):
            return np.sum((y - np.sin(x)) ** 2) + np.sum(x * x)

        def lowest(x):
            y = p.argmin(lambda y: f(x, y), inner(lambda y: f(x, y)), start)
            return f(x, y)

        return outer(lowest)(start)

    start = np.array([0.3, -0.2]) * 1e-4
    found = [
        fd.jit(lambda x, o=o, i=i: bowl(x, p.GRADIENTS[o], p.GRADIENTS[i]))(start) for o, i in driver.MODES
    ]
    for other in found[1:]:
        np.testing.assert_allclose(other, found[0], rtol=1e-9)
