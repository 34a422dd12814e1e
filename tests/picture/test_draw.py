"""`Tape.draw`: what stands in the picture, and that nothing overlaps."""

from __future__ import annotations

import re
import sys
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

import funcdiff as fd
from funcdiff.picture.folding import BLOCKS, fold
from tests.fuzz.test_random_programs import random_program

pytest.importorskip("grandalf")

X = np.array([0.3, -1.2, 2.5])
SVG = "{http://www.w3.org/2000/svg}"


def f(a, b):
    c = a + b
    d = b + 1
    e = c * d
    return e  # noqa: RET504  # it is to have a name


AT = (2.0, 1.0)


def tape_of_f():
    return fd.trace(f)(*AT)


def texts(picture):
    """Every text of a picture, in order."""
    root = ElementTree.fromstring(picture.svg)
    return ["".join(node.itertext()) for node in root.iter(f"{SVG}text")]


def boxes(picture):
    """Title and kind of every box."""
    root = ElementTree.fromstring(picture.svg)
    found = []
    for group in root.iter(f"{SVG}g"):
        kind = group.get("class", "")
        if group.find(f"{SVG}rect[@class='fd-box']") is not None:
            found.append((group.find(f"{SVG}text").text, re.search(r"fd-(\w+)", kind)[1]))
    return found


# --- what is in it --------------------------------------------------------------------------------------


def test_boxes_tell_inputs_steps_and_outputs_apart():
    assert boxes(tape_of_f().draw()) == [
        ("a", "input"),
        ("b", "input"),
        ("c = a + b", "operation"),
        ("d = b + 1", "operation"),
        ("e = c * d", "output"),
    ]


def test_constant_arrays_have_boxes_and_numbers_have_none():
    weights = np.array([1.0, 2.0, 3.0])
    found = boxes(fd.trace(lambda x: weights * x + 2)(X).draw())
    assert ("c1", "constant") in found
    assert sum(kind == "constant" for _, kind in found) == 1


def test_shapes():
    shown = texts(fd.trace(lambda x: np.outer(x, x).sum(axis=0).astype(np.float32))(X).draw())
    assert "float64[3,3]" in shown
    assert "float32[3]" in shown


def test_values():
    shown = texts(tape_of_f().draw(at=AT))
    assert [t for t in shown if t.startswith("= ")] == ["= 2", "= 1", "= 3", "= 2", "= 6"]
    assert not any(t.startswith("= ") for t in texts(tape_of_f().draw(at=AT, values=False)))


def test_local_derivatives_as_numbers():
    shown = texts(tape_of_f().draw(at=AT, derivatives=True))
    assert {t for t in shown if t.startswith("∂")} == {
        *("∂c/∂a = 1", "∂c/∂b = 1", "∂d/∂b = 1"),
        *("∂e/∂c = 2", "∂e/∂d = 3"),
    }


def test_local_derivatives_as_formulas():
    def g(x, w):
        s = np.sin(x)
        q = s / w
        p = q**3
        return p @ w

    shown = texts(fd.trace(g)(X, X).draw(derivatives=True))
    assert "∂s/∂x = cos(x)" in shown
    assert "∂q/∂s = 1 / w" in shown
    assert "∂p/∂q = 3 * q²" in shown
    assert "· @ w" in shown


def test_guards_are_marked():
    def g(x):
        return x * 2 if x.sum() > 0 else x

    shown = texts(fd.trace(g)(X).draw())
    assert "decided: True" in shown


def test_several_outputs():
    found = fd.trace(lambda x, y: (x, x + y, 3.0))(1.0, 2.0).draw()
    kinds = dict(boxes(found))
    assert kinds["output 0"] == kinds["output 2 = 3"] == "output"
    assert "output 1" in texts(found)


def test_steps_nobody_needs_are_faded():
    def g(x):
        np.exp(x)
        return x * 2

    assert 'class="fd-operation fd-faded"' in fd.trace(g)(1.0).draw().svg
    assert 'class="fd-operation fd-faded"' not in tape_of_f().draw().svg


# --- step by step ----------------------------------------------------------------------------------------


def marks(picture):
    root = ElementTree.fromstring(picture.svg)
    found = {}
    for group in root.iter(f"{SVG}g"):
        mark = group.find(f"{SVG}text[@class='fd-mark']")
        if mark is not None and mark.text:
            found[group.find(f"{SVG}text").text[0]] = mark.text
    return found


def captions(pictures):
    return [texts(p)[-1] for p in pictures]


def test_reverse_accumulation():
    pictures = tape_of_f().draw(at=AT, steps="reverse")
    assert len(pictures) == 4
    assert marks(pictures[0]) == {"e": "∂e/∂e = 1"}
    assert marks(pictures[1]) == {"e": "∂e/∂e = 1", "c": "∂e/∂c = 2", "d": "∂e/∂d = 3"}
    assert marks(pictures[-1])["a"] == "∂e/∂a = 2"
    assert marks(pictures[-1])["b"] == "∂e/∂b = 5"
    assert captions(pictures)[2] == "∂e/∂b = ∂e/∂d · ∂d/∂b = 3"
    assert captions(pictures)[3].endswith("∂e/∂b += ∂e/∂c · ∂c/∂b = 2, together 5")


def test_forward_accumulation():
    for wrt in (1, "b", -1):
        pictures = tape_of_f().draw(at=AT, steps="forward", wrt=wrt)
        assert len(pictures) == 4
        assert marks(pictures[0]) == {"b": "∂b/∂b = 1"}
        assert marks(pictures[-1]) == {
            "b": "∂b/∂b = 1",
            "c": "∂c/∂b = 1",
            "d": "∂d/∂b = 1",
            "e": "∂e/∂b = 5",
        }
        assert captions(pictures)[-1] == "∂e/∂b = ∂e/∂c · ∂c/∂b + ∂e/∂d · ∂d/∂b = 5"


def test_accumulation_agrees_with_the_gradient():
    def g(x, y):
        u = np.sin(x) * y
        v = u / x + np.exp(-y)
        return v * u

    at = (0.7, 1.3)
    tape = fd.trace(g)(*at)
    expected = fd.grad(g, (0, 1))(*at)
    last = marks(tape.draw(at=at, steps="reverse")[-1])
    for name, value in zip("xy", expected, strict=True):
        assert last[name].endswith(f"/∂{name} = {value:.4g}")
        forward = tape.draw(at=at, steps="forward", wrt=name)
        assert captions(forward)[-1].endswith(f"= {value:.4g}")


def test_boxes_stay_where_they_are_from_picture_to_picture():
    pictures = tape_of_f().draw(at=AT, steps="reverse")
    places = [{n.key: (n.x, n.y, n.width, n.height) for n in p._scene.nodes} for p in pictures]
    assert all(p == places[0] for p in places)


def test_arrays_accumulate_too():
    tape = fd.trace(lambda x: np.sum(np.sin(x) ** 2))(X)
    assert len(tape.draw(at=(X,), steps="forward")) == len(tape.draw(at=(X,), steps="reverse")) == 4


# --- long tapes ---------------------------------------------------------------------------------------------


def test_loops_are_folded():
    def g(x):
        for _ in range(60):
            y = 3.5 * x
            x = y * (1 - x)
        return np.sin(x)

    tape = fd.trace(g)(0.3)
    found = boxes(tape.draw())
    assert found[0] == ("x", "input")
    assert found[1] == ("60 × y = 3.5 * x; …", "block")
    assert len(boxes(tape.draw(fold=False))) == len(tape) + 1
    assert len(found) == 4


@pytest.mark.parametrize("length", [50, 300, 2000])
def test_folded_pictures_stay_small(length):
    def g(x):
        rng = np.random.default_rng(0)
        for _ in range(length):
            match rng.integers(4):
                case 0:
                    x = np.sin(x)
                case 1:
                    x = x * 0.5
                case 2:
                    x = x + 1
                case _:
                    x = np.tanh(x)
        return x

    assert len(boxes(fd.trace(g)(X).draw())) <= BLOCKS + 2


def test_functions_are_folded():
    def first(x):
        x = np.sin(x)
        y = np.cos(x) + x
        return y * 2

    def second(x):
        x = np.exp(-x)
        z = np.tanh(x) / 2
        return z + x

    tape = fd.trace(lambda x: second(first(x)))(X)
    assert [b.title for b in fold(tape, 2)] == ["first()", "second()"]
    assert [len(b) for b in fold(tape, 1)] == [len(tape)]


# --- how it looks -----------------------------------------------------------------------------------------


def overlapping(a, b, slack=0.5):
    return abs(a[0] - b[0]) < (a[2] + b[2]) / 2 - slack and abs(a[1] - b[1]) < (a[3] + b[3]) / 2 - slack


def check_layout(picture):
    scene = picture._scene
    areas = [(n.x, n.y, n.width, n.height) for n in scene.nodes]
    areas += [(*e.label_at, e.label_width, 16) for e in scene.edges if e.label_at is not None]
    for n, a in enumerate(areas):
        assert a[0] - a[2] / 2 >= 0
        assert a[1] - a[3] / 2 >= 0
        assert a[0] + a[2] / 2 <= scene.width
        assert a[1] + a[3] / 2 <= scene.height
        for b in areas[:n]:
            assert not overlapping(a, b)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("direction", ["down", "right"])
def test_nothing_overlaps(seed, direction):
    program = random_program(seed)
    tape = fd.trace(lambda x: program(x))(program.x)
    check_layout(tape.draw(derivatives=True, direction=direction, fold=False))
    check_layout(tape.draw(at=(program.x,), derivatives=True, direction=direction, fold=False))


def test_a_tape_without_steps():
    check_layout(fd.trace(lambda x: x)(1.0).draw())
    check_layout(fd.trace(lambda: 1.0)().draw())


def test_two_arrows_between_the_same_boxes():
    picture = fd.trace(lambda x: x * x)(3.0).draw(at=(3.0,), derivatives=True)
    assert [t for t in texts(picture) if t.startswith("∂")] == ["∂v1/∂x = 3", "∂v1/∂x = 3"]
    check_layout(picture)


def test_text_is_escaped():
    picture = fd.trace(lambda x: np.where(x < 1, x, 2))(X).draw()
    assert any("<" in t for t in texts(picture))


# --- files and notebooks --------------------------------------------------------------------------------------


def test_svg_files(tmp_path):
    picture = tape_of_f().draw(tmp_path / "f.svg")
    assert (tmp_path / "f.svg").read_text(encoding="utf-8") == picture.svg
    tape_of_f().draw(tmp_path / "steps.svg", at=AT, steps="reverse")
    moving = ElementTree.parse(tmp_path / "steps.svg").getroot()
    assert len(moving.findall(f"{SVG}g")) == 4


@pytest.mark.parametrize("ending", ["png", "pdf", "gif"])
def test_other_files(tmp_path, ending):
    pytest.importorskip("matplotlib")
    heads = {"png": b"\x89PNG", "pdf": b"%PDF", "gif": b"GIF8"}
    tape_of_f().draw(tmp_path / f"a.{ending}", at=AT, derivatives=True)
    tape_of_f().draw(tmp_path / f"b.{ending}", at=AT, steps="forward")
    for name in "ab":
        assert (tmp_path / f"{name}.{ending}").read_bytes().startswith(heads[ending])


def test_notebooks_show_tapes_by_themselves():
    assert tape_of_f()._repr_svg_().startswith("<svg")
    assert tape_of_f().draw()._repr_svg_().startswith("<svg")
    assert tape_of_f().draw(at=AT, steps="reverse")._repr_html_().count("<svg") == 4


def test_without_grandalf(monkeypatch):
    monkeypatch.setitem(sys.modules, "grandalf", None)
    monkeypatch.setitem(sys.modules, "grandalf.graphs", None)
    assert tape_of_f()._repr_svg_() is None
    with pytest.raises(fd.errors.MissingExtraError, match=r'pip install "funcdiff\[viz\]"'):
        tape_of_f().draw()


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"values": True}, "needs the arguments"),
        ({"steps": "reverse"}, "needs the arguments"),
        ({"steps": "backward", "at": AT}, '"forward" or "reverse"'),
        ({"direction": "up"}, '"down" or "right"'),
        ({"at": 2.0}, "as a tuple"),
        ({"at": AT, "steps": "forward", "wrt": "z"}, "inputs are a and b"),
        ({"at": AT, "steps": "forward", "wrt": 5}, "2 inputs"),
        ({"at": AT, "steps": "reverse", "output": 3}, "1 outputs"),
        ({"path": "f.jpeg"}, "'f.jpeg'"),
    ],
)
def test_settings_that_are_refused(settings, says):
    with pytest.raises(fd.errors.UnsupportedError, match=says):
        tape_of_f().draw(**settings)


def test_arguments_of_another_shape_are_refused():
    with pytest.raises(fd.errors.TapeError, match="float64"):
        tape_of_f().draw(at=(X, X))


def test_step_by_step_is_for_short_tapes():
    def g(x):
        for _ in range(100):
            x = np.sin(x)
        return x

    with pytest.raises(fd.errors.UnsupportedError, match="60 records"):
        fd.trace(g)(1.0).draw(at=(1.0,), steps="forward")
