"""What a user sees of the package's names: a small namespace, and help that teaches with an example."""

from __future__ import annotations

import doctest
import inspect

import pytest

import funcdiff as fd

TAPE = [f"Tape.{name}" for name, _ in inspect.getmembers(fd.Tape, callable) if not name.startswith("_")]
NAMES = [name for name in fd.__all__ if not inspect.ismodule(getattr(fd, name))] + TAPE


def public(name):
    found = fd
    for part in name.split("."):
        found = getattr(found, part)
    return found


def test_tab_shows_what_is_public():
    assert sorted(name for name in dir(fd) if not name.startswith("_")) == sorted(fd.__all__)


@pytest.mark.parametrize("name", NAMES)
def test_help_has_an_example_that_runs(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = inspect.getdoc(public(name)) or ""
    example = doctest.DocTestParser().get_doctest(text, {}, name, None, 0)
    assert example.examples
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    assert doctest.DocTestRunner(optionflags=flags).run(example).failed == 0
