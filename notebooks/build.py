"""Run the notebooks and store them with their outputs: `python notebooks/build.py [names]`.

The `.py` files (jupytext's percent format) are the source; each `.ipynb` is made from its twin.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).parent
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # threads only wait for each other on arrays this small


def sources() -> list[Path]:
    """Every notebook's `.py` file, in reading order."""
    return sorted(HERE.glob("[0-9][0-9]_*.py"))


def executed(source: Path) -> nbformat.NotebookNode:
    """The notebook of a `.py` file, run in a fresh kernel in its own folder."""
    notebook = jupytext.read(source)
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number:02}"  # jupytext draws ids at random; these keep diffs small
    notebook.metadata.pop("jupytext", None)
    NotebookClient(
        notebook,
        timeout=600,
        kernel_name="python3",
        record_timing=False,
        resources={"metadata": {"path": str(source.parent)}},
    ).execute()
    return notebook


def build(source: Path) -> None:
    """Write the executed notebook beside its source."""
    nbformat.write(executed(source), source.with_suffix(".ipynb"))


if __name__ == "__main__":
    wanted = sys.argv[1:]
    for path in sources():
        if not wanted or any(name in path.name for name in wanted):
            print(path.name, flush=True)
            build(path)
