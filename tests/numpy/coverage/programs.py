"""Programs as lines of text, and the arrays they are run on."""

import ast

import numpy as np

import funcdiff as fd

INPUTS = {
    "x": np.array([0.37, 0.81, 0.55, 0.24]),
    "y": np.array([0.62, 0.28, 0.93, 0.45]),
    "z": np.array([0.3 + 0.7j, -0.6 + 0.2j, 0.5 - 0.4j, 0.8 + 0.1j]),
    "s": 0.7,
    "A": np.array([[2.1, 0.3, 0.5], [0.2, 1.4, 0.7], [0.6, 0.1, 3.2]]),
    "M": np.array([[0.31, -1.24, 0.72, 1.65], [-0.43, 0.58, 0.17, -0.89], [1.12, 0.94, -0.66, 0.25]]),
    "T": np.array(
        [
            [[0.52, -0.31, 1.17, 0.28], [-0.75, 0.64, 0.39, -1.08], [0.83, 1.41, -0.57, 0.12]],
            [[-0.22, 0.97, 0.45, 1.31], [0.68, -0.93, 1.53, 0.34], [1.06, -0.48, 0.79, -0.15]],
        ]
    ),
}


def names_of(line):
    """The inputs that a program reads, in the order of `INPUTS`."""
    tree = ast.parse(line)
    found = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
    inner = {a.arg for n in ast.walk(tree) if isinstance(n, ast.Lambda) for a in n.args.args}
    return [name for name in INPUTS if name in found - inner]


def compiled(line):
    """A program as a function of the inputs it reads, and those inputs."""
    names = names_of(line)
    tree = ast.parse(line)
    last = tree.body.pop()
    assert isinstance(last, ast.Expr)
    body = [*tree.body, ast.Return(last.value)]
    head = ast.parse(f"def program({', '.join(names)}): pass")
    head.body[0].body = body
    scope = {"np": np, "fd": fd}
    exec(compile(ast.fix_missing_locations(head), "<program>", "exec"), scope)
    return scope["program"], tuple(INPUTS[name] for name in names)


def outputs(out):
    """The arrays of a result, which may be nested in lists and tuples."""
    if isinstance(out, (list, tuple)):
        return [leaf for item in out for leaf in outputs(item)]
    return [out]
