"""Write docs/coverage_scipy.md from what is registered: ``python docs/make_coverage_scipy.py``."""

import importlib
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
HEAD = """# What of SciPy is covered

This page is written by `docs/make_coverage_scipy.py` from the functions that are registered, and a test compares them.
"""
SECTIONS = ("scipy_special", "scipy_modules")
"""Files beside this one, each with a function `section` that returns its text."""


def page() -> str:
    """The text of the page."""
    sys.path.insert(0, str(Path(__file__).parent))
    try:
        texts = [importlib.import_module(name).section() for name in SECTIONS]
    finally:
        sys.path.pop(0)
    return "\n".join([HEAD, *texts])


if __name__ == "__main__":
    (ROOT / "docs" / "coverage_scipy.md").write_text(page(), encoding="utf-8")
