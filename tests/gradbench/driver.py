"""Replays GradBench's protocol and checks every answer against an independent evaluation.

``python -m tests.gradbench.driver [eval …] [--seconds S] [--largest] [--cpu]`` starts the tool, sends it the default workloads, prints what each function takes,
and checks derivatives by differences of the tool's own values along a random direction. Milliseconds of a run, by the wall or, with ``--cpu``, of the processor: the mean of all there are
in the time, the first with its compiling among them, which is what GradBench's scores are made of; the first alone; the mean of the later ones; the least.
Then what C++ takes (`bars.py`), and the first and the last over that.
"""

import argparse
import copy
import json
import subprocess
import sys
from typing import NamedTuple

import numpy as np

from tests.gradbench import workloads
from tests.gradbench.bars import bar

TOLERANCE = 1e-4
PRIMAL = {"gmm": "objective", "lstm": "objective", "ba": "objective", "ht": "objective", "kmeans": "cost"}
DERIVATIVE = {"gmm": "jacobian", "lstm": "jacobian", "ba": "jacobian", "ht": "jacobian", "kmeans": "dir"}
MODES = ("ff", "fr", "rf", "rr")
VARIABLES = {
    "gmm": ("alpha", "mu", "q", "l"),
    "lstm": ("main_params", "extra_params"),
    "lse": ("x",),
    "llsq": ("x",),
    "ode": ("x",),
    "det": ("A",),
}
KNOWN = {"particle": 0.2071918746486116, "saddle": [8.246324826140356e-06] * 4}


def functions(module):
    """Return the functions of an eval, in the order in which they are asked for."""
    if module in KNOWN:
        return MODES
    return PRIMAL.get(module, "primal"), DERIVATIVE.get(module, "gradient")


def close(a, b):
    """Tell whether numbers agree as the drivers ask for."""
    a, b = np.asarray(a, float), np.asarray(b, float)
    return a.shape == b.shape and bool(
        np.all(np.abs(a - b) <= TOLERANCE * np.maximum(1, np.abs(a) + np.abs(b)))
    )


class Session:
    """A conversation with a tool, by what answers one message."""

    def __init__(self, answer, seconds=0.0):
        self.answer = answer
        self.seconds = seconds
        self.number = 0

    def send(self, **message):
        message["id"] = self.number
        self.number += 1
        answer = self.answer(message)
        assert answer["id"] == message["id"]
        return answer

    def start(self, module):
        assert "tool" in self.send(kind="start", eval=module)
        assert self.send(kind="define", module=module)["success"]

    def evaluate(self, module, function, given, description="", seconds=None):
        runs = {"min_runs": 1, "min_seconds": self.seconds if seconds is None else seconds}
        given = given if module == "hello" else given | runs
        answer = self.send(
            kind="evaluate", module=module, function=function, input=given, description=description
        )
        assert answer["success"], answer.get("error")
        self.send(kind="analysis", of=answer["id"], valid=True)
        return answer

    def value(self, module, function, given):
        """Return the output alone, of a single run."""
        return self.evaluate(module, function, given, seconds=0)["output"]


class Times(NamedTuple):
    """Milliseconds of a run: the mean with the first one, the first, the mean of the later ones, the least."""

    mean: float
    first: float
    later: float
    least: float


def times_of(answer, seconds):
    """Return the times of a message; what is prepared is a first run, and counts as one."""
    runs = [t["nanoseconds"] / 1e6 for t in answer["timings"]]
    later = [t["nanoseconds"] / 1e6 for t in answer["timings"] if t["name"] == "evaluate"]
    within = 1 + int(np.searchsorted(np.cumsum(runs), 1e3 * seconds))
    return Times(float(np.mean(runs[:within])), runs[0], float(np.mean(later)), min(later))


def is_valid(session, module, given, derivative, rng):
    """Check a derivative by differences of values."""
    check = {"ba": _check_ba, "ht": _check_ht, "kmeans": _check_kmeans}.get(module, _check_gradient)
    return check(session, module, given, derivative, rng)


def _moved(given, name, step):
    moved = copy.copy(given)
    moved[name] = (np.array(given[name], float) + step).tolist()
    return moved


def _difference(session, module, given, directions, h):
    found = []
    for sign in (1, -1):
        moved = given
        for name, v in directions.items():
            moved = _moved(moved, name, sign * h * v)
        out = session.value(module, PRIMAL.get(module, "primal"), moved)
        found.append(np.array(out["reproj_error"]["elements"] if module == "ba" else out, float))
    return (found[0] - found[1]) / (2 * h)


def _check_gradient(session, module, given, gradient, rng):
    directions = {name: rng.standard_normal(np.shape(given[name])) for name in VARIABLES[module]}
    if module == "gmm":
        expected = sum(np.sum(np.array(gradient[name]) * v) for name, v in directions.items())
    else:
        expected = np.dot(gradient, np.concatenate([v.ravel() for v in directions.values()]))
    size = np.sqrt(sum(np.sum(v**2) for v in directions.values()))
    found = _difference(session, module, given, directions, 1e-5 / max(1.0, size / 10))
    return close(found[-1] if module == "ode" else found, expected)


def _check_ba(session, module, given, jacobian, rng):
    row = {n: [] for n in range(2)}
    for name, count in (("cam", 11), ("x", 3)):
        for n in range(count):
            column = _difference(session, module, given, {name: np.eye(count)[n]}, 1e-6)
            for k in range(2):
                row[k].append(column[k])
    column = _difference(session, module, given, {"w": 1.0}, 1e-6)
    expected = [*row[0], column[0], *row[1], column[1]]
    n, m, p = given["n"], given["m"], given["p"]
    return (
        close(jacobian["vals"][:30], expected)
        and close(jacobian["vals"][30], -2 * given["w"])
        and jacobian["rows"][-1] == 31 * p
        and jacobian["cols"][-1] == 11 * n + 3 * m + p - 1
    )


def _check_ht(session, module, given, jacobian, rng):
    v = rng.standard_normal(26)
    jacobian = np.array(jacobian)
    found = _difference(session, module, given, {"theta": v}, 1e-6)
    valid = close(found, jacobian[:, -26:] @ v)
    if given["us"]:
        v = rng.standard_normal((len(given["us"]), 2))
        found = _difference(session, module, given, {"us": v}, 1e-6)
        valid = valid and close(found, np.sum(jacobian[:, :2] * np.repeat(v, 3, 0), 1))
    return valid


def _check_kmeans(session, module, given, direction, rng):
    points, centroids = np.array(given["points"]), np.array(given["centroids"])
    owner = (
        np.argmin(((points[:, None] - centroids) ** 2).sum(-1), 1)
        if len(points) <= 1000
        else _owners(points, centroids)
    )
    expected = [centroids[k] - points[owner == k].mean(0) for k in range(len(centroids))]
    value = session.value(module, "cost", given)
    return close(direction, expected) and close(value, np.sum((points - centroids[owner]) ** 2))


def _owners(points, centroids):
    return np.concatenate(
        [np.argmin(((part[:, None] - centroids) ** 2).sum(-1), 1) for part in np.array_split(points, 100)]
    )


def replay(session, module, description, given, rng, check=True):
    """Send one workload; return the times of its functions, and whether they are valid."""
    answers = {}
    for function in functions(module):
        answers[function] = session.evaluate(module, function, given, description)
    times = {function: times_of(a, session.seconds) for function, a in answers.items()}
    outputs = [a["output"] for a in answers.values()]
    if not check:
        return times, None
    if module in KNOWN:
        return times, all(close(o, KNOWN[module]) for o in outputs)
    return times, is_valid(session, module, given, outputs[1], rng)


class Process:
    """A tool in a process of its own, one line of JSON per message."""

    def __init__(self, command):
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )

    def __call__(self, message):
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        return self.process.wait()


COLUMNS = ("mean", "first", "later", "least", "C++", "mean/C++", "least/C++")


def line(module, description, function, times, valid):
    """Return a row of the table."""
    of = bar(module, description, function)
    ratios = ("-",) * 3 if of is None else (f"{of:.4g}", f"{times.mean / of:.2f}", f"{times.least / of:.2f}")
    shown = [*(f"{t:.4g}" for t in times), *ratios]
    name = f"{module} {description} {function}"
    return f"{name:36}" + "".join(f"{x:>11}" for x in shown) + ("  valid" if valid else "  INVALID")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("evals", nargs="*")
    parser.add_argument("--seconds", type=float, default=1.0, help="time for each function")
    parser.add_argument("--largest", action="store_true", help="only the largest workload of each eval")
    parser.add_argument("--cpu", action="store_true", help="time of the processor instead of the wall's")
    parser.add_argument("--smallest", type=int, default=None, help="only the first so many workloads")
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    everything = workloads.full(rng)
    print(f"{'ms':36}" + "".join(f"{c:>11}" for c in COLUMNS), flush=True)
    for module in options.evals or everything:
        process = Process([sys.executable, "-m", "tests.gradbench.tool", *(["--cpu"] if options.cpu else [])])
        session = Session(process, options.seconds)
        session.start(module)
        chosen = everything[module][-1:] if options.largest else everything[module][: options.smallest]
        for description, make in chosen:
            times, valid = replay(session, module, description, make(), rng)
            for function, of in times.items():
                print(line(module, description, function, of, valid), flush=True)
        process.close()


if __name__ == "__main__":
    main()
