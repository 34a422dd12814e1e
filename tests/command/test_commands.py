"""``python -m funcdiff`` on a function: what it prints, writes and answers."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from funcdiff.__main__ import main
from funcdiff.command.inputs import InputError, load_function, read_argument, read_arguments

MODEL = """\
import numpy as np
import funcdiff as fd


def f(a, b):
    c = a + b
    d = b + 1
    return c * d


def loss(w, x):
    return np.mean(np.tanh(x @ w) ** 2)


def nested(p):
    return p["w"].sum() * p["b"]


@fd.custom_vjp
def wrong(x):
    return x**2


wrong.defvjp(lambda x: (x**2, x), lambda x, g: (g * x,))


def broken(x):
    raise KeyError("broken")


def casts(x):
    return float(x) * x


number = 3
"""


@pytest.fixture
def model(tmp_path, monkeypatch):
    """A file with functions, in the folder where the commands run."""
    (tmp_path / "cl_model.py").write_text(MODEL)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "cl_model", raising=False)
    yield "cl_model.py"
    sys.modules.pop("cl_model", None)


def run(capsys, *arguments):
    """Exit code, output and errors of a command."""
    try:
        code = main(list(arguments))
    except SystemExit as stop:  # of argparse
        code = stop.code
    out, err = capsys.readouterr()
    return code, out, err


def test_check(model, capsys):
    code, out, _ = run(capsys, "check", "cl_model.py:loss", "--args", "[[1, 2], [3, 4]]", "[[1, 0.5]]")
    assert (code, out[0]) == (0, "✓")
    code, out, _ = run(capsys, "check", "cl_model:wrong", "--args", "1.5", "--order", "1")
    assert code == 1
    assert out.startswith("✗ ")


def test_tape_and_source(model, capsys):
    code, out, _ = run(capsys, "tape", "cl_model.py:f", "--args", "2", "1")
    assert code == 0
    assert "x2: float64[] = add(a, b)" in out
    assert "3 records" in out
    code, out, _ = run(
        capsys, "source", "cl_model.py:f", "--args", "2", "1", "--of", "grad", "--name", "slope"
    )
    assert code == 0
    scope = {}
    exec(out, scope)
    assert scope["slope"](2.0, 1.0) == (2.0, 5.0)


@pytest.mark.parametrize("of", ["value", "grad", "jacobian", "hessian"])
def test_of(model, capsys, of):
    code, out, _ = run(capsys, "tape", "cl_model.py:loss", "--args", "[[1], [2]]", "[[1, 2]]", "--of", of)
    assert code == 0
    assert out.startswith("tape ")


def test_draw(model, capsys, tmp_path):
    pytest.importorskip("grandalf")
    code, out, _ = run(capsys, "draw", "cl_model.py:f", "--args", "2", "1", "--derivatives", "--values")
    assert (code, out) == (0, "tape.svg: 3 steps\n")
    assert "∂e" not in (tmp_path / "tape.svg").read_text(encoding="utf-8")
    assert "= 6" in (tmp_path / "tape.svg").read_text(encoding="utf-8")
    code, _, _ = run(capsys, "draw", "cl_model.py:f", "--args", "2", "1", "--steps", "reverse", "-o", "s.svg")
    assert code == 0
    code, _, err = run(capsys, "draw", "cl_model.py:f", "--args", "2", "1", "-o", "s.jpeg")
    assert code == 1
    assert "s.jpeg" in err


def test_profile(model, capsys, tmp_path):
    arguments = ["profile", "cl_model.py:loss", "--args", "[[1], [2]]", "[[1, 2]]", "--repeat", "3"]
    code, out, _ = run(capsys, *arguments, "--group-by", "line", "--flame", "f.svg", "--trace", "t.json")
    assert code == 0
    assert "np.tanh(x @ w)" in out
    assert (tmp_path / "f.svg").read_text().startswith("<svg")
    assert json.loads((tmp_path / "t.json").read_text())["traceEvents"]
    code, _, err = run(capsys, *arguments, "--sort-by", "size")
    assert code == 1
    assert "'self_time'" in err


def test_jacobian(model, capsys, tmp_path):
    code, out, _ = run(capsys, "jacobian", "numpy:sinh", "--args", "[0, 1]")
    assert code == 0
    assert "1.54308063" in out
    code, out, _ = run(capsys, "jacobian", "cl_model.py:f", "--args", "2", "1")
    assert out.splitlines()[1::2] == ["2.0", "5.0"]
    code, out, _ = run(capsys, "jacobian", "numpy:square", "--args", "[1, 2]", "-o", "j.npy")
    assert_array_equal(np.load(tmp_path / "j.npy"), np.diag([2.0, 4.0]))
    assert run(capsys, "jacobian", "cl_model.py:f", "--args", "2", "1", "-o", "j.npy")[0] == 2


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["check", "cl_model.py"], "names no function"),
        (["check", "cl_model.py:los"], "did you mean loss?"),
        (["check", "cl_model.py:number"], "is int, not a function"),
        (["check", "no_such_module:f"], "no module 'no_such_module'"),
        (["check", "none.py:f"], "no file none.py"),
        (["check", "cl_model.py:f", "--args", "1"], "missing a required argument: 'b'"),
        (["check", "cl_model.py:f", "--args", "[1"], "neither JSON"),
        (["check", "cl_model.py:f", "--args", "x.npy", "1"], "no file x.npy"),
        (["check", "numpy:sin", "--args", "1", "--order", "0"], "at least 1"),
        (["fly", "numpy:sin"], "invalid choice"),
    ],
)
def test_wrong_command_lines(model, capsys, arguments, says):
    code, _, err = run(capsys, *arguments)
    assert code == 2
    assert says in err
    assert "Traceback" not in err


def test_functions_that_fail(model, capsys):
    code, _, err = run(capsys, "tape", "cl_model.py:casts", "--args", "2")
    assert code == 1
    assert "float" in err
    with pytest.raises(KeyError):
        main(["tape", "cl_model.py:broken", "--args", "2"])
    (model_file := "cl_broken.py")
    with open(model_file, "w") as file:
        file.write("import numpy as np\n1 / 0\n")
    code, _, err = run(capsys, "tape", "cl_broken.py:f")
    assert code == 1
    assert "could not be imported" in err


@pytest.mark.parametrize("command", ["check", "tape", "source", "draw", "profile", "jacobian"])
def test_help_has_examples(capsys, command):
    code, out, _ = run(capsys, command, "--help")
    assert code == 0
    assert "examples:" in out
    assert "exit codes:" in out


def test_as_a_process(model):
    command = [sys.executable, "-m", "funcdiff", "jacobian", "cl_model.py:f", "--args", "2", "-1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "0.0" in done.stdout


# --- arguments ------------------------------------------------------------------------------------------


def test_arguments_as_json(tmp_path):
    assert read_argument("2") == 2.0
    assert isinstance(read_argument("2"), float)
    assert_array_equal(read_argument("[[1, 2], [3, 4]]"), [[1.0, 2.0], [3.0, 4.0]])
    found = read_argument('{"w": [1, 2], "b": 3}')
    assert_array_equal(found["w"], [1.0, 2.0])
    (tmp_path / "a.json").write_text("[1.5]")
    assert_array_equal(read_argument(str(tmp_path / "a.json")), [1.5])


def test_arguments_from_files(tmp_path):
    np.save(tmp_path / "a.npy", np.arange(3))
    np.savez(tmp_path / "b.npz", u=np.ones(2), v=np.float32(0.5) * np.ones(2, np.float32))
    (tmp_path / "c.csv").write_text("time, value\n0, 1.5\n1, 2.5\n")
    (tmp_path / "d.csv").write_text("# one column\n1\n2\n\n3\n")
    a, u, v, c, d = read_arguments([str(tmp_path / n) for n in ("a.npy", "b.npz", "c.csv", "d.csv")])
    assert a.dtype == np.float64
    assert_array_equal(u, [1, 1])
    assert v.dtype == np.float32
    assert_array_equal(c, [[0, 1.5], [1, 2.5]])
    assert_array_equal(d, [1, 2, 3])
    assert_array_equal(read_argument(f"{tmp_path / 'b.npz'}:v"), v)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.csv", "1,2\n3\n", "equally many"),
        ("a.csv", "1,2\n3,x\n", "'x' in row 2"),
        ("a.csv", "", "equally many"),
        ("a.npy", "hello", "cannot be read"),
        ("a.json", '"word"', "arguments are numbers"),
        ("a.json", "[[1, 2], [3]]", "different lengths"),
    ],
)
def test_files_that_are_refused(tmp_path, name, content, says):
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=says):
        read_argument(str(tmp_path / name))


def test_pickles_are_not_read(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match="cannot be read"):
        read_argument(str(tmp_path / "a.npy"))
    np.savez(tmp_path / "b.npz", u=np.ones(2))
    with pytest.raises(InputError, match="it has u"):
        read_argument(f"{tmp_path / 'b.npz'}:w")


def test_functions_in_packages():
    assert load_function("numpy:linalg.norm") is np.linalg.norm
