"""The README and the documentation pages say what is true: every Python block runs and shows its results.

The blocks of one document run in order, in one namespace and in an interpreter of its own (a page may register
a primitive). To run one by hand: ``python tests/test_readme.py README.md``.
"""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

FENCE = re.compile(r"^```python[ \t]*\n(.*?)^```[ \t]*$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^<!-- ([a-z]+-command) -->\n```sh\n(.*)\n```$", re.MULTILINE)


def python_blocks(path: Path) -> list[tuple[int, str]]:
    """Each block marked python, with the number of lines before it."""
    text = path.read_text(encoding="utf-8")
    return [(text.count("\n", 0, match.start(1)), match.group(1)) for match in FENCE.finditer(text)]


def run_document(path: Path) -> int:
    """Run the blocks of a document and return how many examples failed; an error in plain code is raised."""
    namespace: dict[str, object] = {"__name__": "__main__"}
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    runner = doctest.DocTestRunner(optionflags=flags)
    for line, source in python_blocks(path):
        if ">>>" in source:
            test = doctest.DocTestParser().get_doctest(source, namespace, path.name, str(path), line)
            test.globs = namespace  # get_doctest copies; the next block must see these names
            runner.run(test, clear_globs=False)
        else:
            exec(compile("\n" * line + source, str(path), "exec"), namespace)
    return runner.summarize(verbose=False).failed


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_python_blocks_run(path: Path, tmp_path: Path) -> None:
    if not python_blocks(path):
        return
    environment = os.environ | {"MPLBACKEND": "agg", "PYTHONUTF8": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "error", __file__, str(path)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{path.name}:\n{done.stdout}\n{done.stderr}"


def test_readme_has_its_two_commands() -> None:
    commands = dict(COMMAND.findall((ROOT / "README.md").read_text(encoding="utf-8")))
    assert list(commands) == ["demo-command", "test-command"]
    assert commands["demo-command"].endswith("-m funcdiff demo")
    assert "-m pytest" in commands["test-command"]


def test_names_in_the_documentation_exist() -> None:
    import funcdiff as fd

    for path in DOCUMENTS:
        for name in set(re.findall(r"`fd\.(\w+)", path.read_text(encoding="utf-8"))):
            assert hasattr(fd, name), f"{path.name} speaks of fd.{name}, which does not exist"


def test_reference_lists_the_public_names() -> None:
    import funcdiff as fd

    text = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    names = re.findall(r"^\.\. auto\w+:: funcdiff\.(\w+)", text, re.MULTILINE)
    assert sorted(names) == sorted(set(names)), "a name is listed twice"
    public = {name for name in fd.__all__ if not name.startswith("__")}
    assert set(names) == public


if __name__ == "__main__":
    sys.path[0] = str(ROOT)  # and not this folder, where tests/numpy lies
    document = Path(sys.argv[1]).resolve()
    sys.exit(1 if run_document(document) else 0)


def anchors(text: str) -> set[str]:
    """The names under which a page's headings can be linked to."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    named = re.findall(r"^\(([\w-]+)\)=$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).strip().replace(" ", "-") for h in headings} | set(named)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_between_pages_lead_somewhere(path: Path) -> None:
    text = re.sub(r"```.*?```|`[^`]*`", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith(("https:", "http:")):
            continue
        page, _, anchor = target.partition("#")
        found = (path.parent / page) if page else path
        assert found.exists(), target
        if anchor and found.suffix == ".md":
            assert anchor in anchors(found.read_text(encoding="utf-8")), target
