"""``python -m funcdiff``: output, exit codes, and errors that help."""

from __future__ import annotations

import io
import os
import subprocess
import sys

import numpy as np
import pytest

from funcdiff.__main__ import main


def demo(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["demo", *arguments]) == 0
    return capsys.readouterr().out


def test_demo_checks_hold(capsys: pytest.CaptureFixture[str]) -> None:
    out = demo(capsys)
    assert "✗" not in out
    assert out.count("✓") == 6
    assert "\x1b" not in out
    assert max(map(len, out.splitlines())) <= 100


@pytest.mark.parametrize(
    "arguments",
    [
        ("--n", "1"),
        ("--n", "8", "--seed", "3"),
        ("--x", "-1,2", "--y", "4,-5.5"),
        ("--x", "300,-300", "--y", "300,-300"),
        ("--x", "0", "--y=-0.6666666666666666"),  # exp_adder is zero
    ],
)
def test_demo_inputs(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]) -> None:
    out = demo(capsys, *arguments)
    assert "✗" not in out
    assert max(map(len, out.splitlines())) <= 100


def test_demo_shows_the_given_inputs(capsys: pytest.CaptureFixture[str]) -> None:
    out = demo(capsys, "--x", "1,2,3", "--y", "4,5,6")
    assert "x = [1, 2, 3]" in out
    assert "40.171" in out  # 2 exp(3)


def test_seed_repeats(capsys: pytest.CaptureFixture[str]) -> None:
    inputs = [demo(capsys, "--seed", seed).split("x = ")[1].splitlines()[0] for seed in "112"]
    assert inputs[0] == inputs[1] != inputs[2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--x", "1,2", "--y", "1,2,3"), "--x has 2 numbers and --y has 3"),
        (("--x", "1,2", "--n", "3"), "--n 3 does not fit"),
        (("--n", "0"), "1 to 30 numbers"),
        (("--n", "1000"), "1 to 30 numbers"),
        (("--x", "nan"), "finite"),
        (("--x", "1000"), "between -300 and 300"),
        (("--seed", "-1"), "--seed"),
    ],
)
def test_unusable_inputs(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    assert main(["demo", *arguments]) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert not captured.out


@pytest.mark.parametrize("arguments", [("demo", "--x", "1,two"), ("demo", "--n", "three"), ("dance",)])
def test_unreadable_arguments(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert "error:" in capsys.readouterr().err


def test_a_failed_check_is_an_exit_code(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from funcdiff import _demo

    monkeypatch.setattr(_demo, "TOLERANCE", -np.inf)
    assert main(["demo", "--n", "1"]) == 1
    assert "✗" in capsys.readouterr().out


def test_no_command_shows_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "demo" in capsys.readouterr().err


def test_colours_only_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    from funcdiff._demo import Page

    class Terminal(io.StringIO):
        encoding = "utf-8"

        def isatty(self) -> bool:
            return True

    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert Page(Terminal()).colours
    assert not Page(io.StringIO()).colours
    monkeypatch.setenv("NO_COLOR", "1")
    assert not Page(Terminal()).colours


def test_a_terminal_without_unicode() -> None:
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run(
        [sys.executable, "-m", "funcdiff", "demo", "--n", "1"],
        env=environment,
        capture_output=True,
        check=True,
    )
    assert done.stdout.isascii()
