"""A GradBench tool: answers the protocol's messages on standard input with funcdiff's values and derivatives.

``python -m tests.gradbench.tool`` reads one JSON object per line and writes one per line. Decoding, compiling and encoding stand
outside the clock; compiling is reported as ``"prepare"``. With ``--cpu`` times are of the processor: on a machine that others use too, those of the wall
say little.
"""

import json
import sys
import time
import traceback

import numpy as np

import funcdiff as fd
from tests.gradbench import programs as p

BACKEND = "auto"
clock = time.process_time_ns if sys.argv[1:] == ["--cpu"] else time.perf_counter_ns


def jit(f, **options):
    return fd.jit(f, backend=BACKEND, **options)


def scalar(x):
    return float(x)


def nested(x):
    return np.asarray(x).tolist()


def flat(parts):
    return np.concatenate([np.ravel(x) for x in parts]).tolist()


def _gmm():
    def arrays(f):
        compiled = {}

        def prepare(given):
            m, gamma = given["m"], given["gamma"]
            if (m, gamma) not in compiled:
                compiled[m, gamma] = jit(f(lambda *a: p.gmm(*a, m, gamma)))
            return compiled[m, gamma], p.gmm_arguments(given)[:5]

        return prepare

    def encode(out):
        return dict(zip(("alpha", "mu", "q", "l"), map(nested, out), strict=True))

    return {
        "objective": (arrays(lambda f: f), scalar),
        "jacobian": (arrays(lambda f: fd.grad(f, (0, 1, 2, 3))), encode),
    }


def _ba():
    objective, jacobian = jit(p.ba), jit(p.ba_jacobian)
    return {
        "objective": (lambda given: (objective, p.ba_arguments(given)), p.ba_encode),
        "jacobian": (lambda given: (jacobian, p.ba_arguments(given)), p.ba_encode_jacobian),
    }


def _ht():
    def of(f):
        compiled = {}

        def prepare(given):
            theta, us, model, corners, points = p.ht_arguments(given)
            static = {name: model.pop(name) for name in ("parents", "is_mirrored")}
            key = (static["parents"], static["is_mirrored"], us is None)
            if key not in compiled:
                compiled[key] = jit(lambda theta, us, arrays, *rest: f(theta, us, arrays | static, *rest))
            return compiled[key], (theta, us, model, corners, points)

        return prepare

    return {"objective": (of(p.ht), nested), "jacobian": (of(p.ht_jacobian), nested)}


def _simple(primal, gradient, arguments, encode=scalar, encode_gradient=nested, names=("primal", "gradient")):
    primal, gradient = jit(primal), jit(gradient)
    return {
        names[0]: (lambda given: (primal, arguments(given)), encode),
        names[1]: (lambda given: (gradient, arguments(given)), encode_gradient),
    }


def _llsq():
    primal, gradient = jit(p.llsq), jit(fd.grad(p.llsq))

    def arguments(given):
        return np.array(given["x"], float), given["n"]

    return {
        "primal": (lambda given: (p.llsq_on_grid(primal), arguments(given)), scalar),
        "gradient": (lambda given: (p.llsq_on_grid(gradient), arguments(given)), nested),
    }


def _ode():
    primal = jit(p.ode, static_argnums=1)
    gradient = jit(fd.grad(lambda x, s: p.ode(x, s)[-1]), static_argnums=1)

    def arguments(given):
        return np.array(given["x"], float), given["s"]

    return {
        "primal": (lambda given: (primal, arguments(given)), nested),
        "gradient": (lambda given: (gradient, arguments(given)), nested),
    }


def _det():
    def matrix(given):
        return (np.array(given["A"], float).reshape(given["ell"], given["ell"]),)

    return _simple(p.det, fd.grad(p.det), matrix, encode_gradient=lambda g: np.ravel(g).tolist())


def _descents(program, start, encode):
    functions = {}
    for outer, inner in ("ff", "fr", "rf", "rr"):
        run = jit(lambda x, o=outer, i=inner: program(x, p.GRADIENTS[o], p.GRADIENTS[i]))
        functions[outer + inner] = (lambda given, run=run: (run, (start(given),)), encode)
    return functions


EVALS = {
    "gmm": _gmm,
    "ba": _ba,
    "lstm": lambda: _simple(
        p.lstm,
        fd.grad(p.lstm, (0, 1)),
        p.lstm_arguments,
        encode_gradient=flat,
        names=("objective", "jacobian"),
    ),
    "ht": _ht,
    "kmeans": lambda: _simple(p.kmeans, p.kmeans_direction, p.kmeans_arguments, names=("cost", "dir")),
    "lse": lambda: _simple(p.lse, fd.grad(p.lse), lambda given: (np.array(given["x"], float),)),
    "llsq": _llsq,
    "ode": _ode,
    "det": _det,
    "particle": lambda: _descents(p.particle, lambda given: np.array([float(given["w"])]), scalar),
    "saddle": lambda: _descents(p.saddle, lambda given: np.array(given["start"], float), nested),
}


def hello(function, x):
    """Answer hello, whose input is a bare number."""
    f = {"square": p.square, "double": fd.grad(p.square)}[function]
    start = clock()
    out = f(float(x))
    return {"output": float(out), "timings": [timing("evaluate", start)]}


def timing(name, start):
    return {"name": name, "nanoseconds": clock() - start}


def evaluate(entry, given):
    """Run a function as often and as long as is asked for."""
    prepare, encode = entry
    function, arguments = prepare(given)
    start = clock()
    function(*arguments)  # records and compiles what has not been
    timings = [timing("prepare", start)]
    elapsed = runs = 0
    while runs < given["min_runs"] or elapsed < given["min_seconds"] * 1e9:
        start = clock()
        out = function(*arguments)
        timings.append(timing("evaluate", start))
        elapsed += timings[-1]["nanoseconds"]
        runs += 1
    return {"output": encode(out), "timings": timings}


class Tool:
    """Answers messages."""

    def __init__(self):
        self.functions = {}

    def answer(self, message):
        answer = {"id": message["id"]}
        match message["kind"]:
            case "start":
                answer["tool"] = "funcdiff"
            case "define":
                module = message["module"]
                answer["success"] = module == "hello" or module in EVALS
                if module in EVALS:
                    self.functions[module] = EVALS[module]()
                    jit(lambda x: x + x)(1.0)  # starts the compiler, a quarter of a second once in a process
                elif module != "hello":
                    answer["error"] = f"{module} is not implemented"
            case "evaluate":
                try:
                    answer |= self.evaluate(message["module"], message["function"], message["input"])
                    answer["success"] = True
                except Exception:  # noqa: BLE001  # an answer says what went wrong
                    answer |= {"success": False, "error": traceback.format_exc()}
        return answer

    def evaluate(self, module, function, given):
        if module == "hello":
            return hello(function, given)
        if module not in self.functions:
            self.functions[module] = EVALS[module]()
        return evaluate(self.functions[module][function], given)


def main():
    tool = Tool()
    for line in sys.stdin:
        print(json.dumps(tool.answer(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
