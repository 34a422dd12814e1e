"""The page on what of SciPy is covered is what is registered."""

import re
from pathlib import Path

import numpy as np
import scipy.special as sp

DOCS = Path(__file__).parents[2] / "docs"


def page():
    path = DOCS / "make_coverage_scipy.py"
    scope = {"__file__": str(path), "__name__": "make_coverage_scipy"}
    exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), scope)
    return scope["page"]()


def test_the_page_in_the_docs_is_what_is_registered():
    def without_arguments(text):  # which SciPy renames from version to version
        return re.sub(r"`\w+` (closed|method|0|—)", r"\1", text)

    written = (DOCS / "coverage_scipy.md").read_text(encoding="utf-8")
    assert without_arguments(written) == without_arguments(page()), "run python docs/make_coverage_scipy.py"


def test_the_page_has_every_public_name_of_scipy_special():
    text = page()
    hidden = {"geterr", "seterr", "errstate", "SpecialFunctionWarning", "SpecialFunctionError"}
    names = {n for n in dir(sp) if isinstance(getattr(sp, n), np.ufunc)} | (set(sp.__all__) - hidden)
    assert [n for n in sorted(names) if f"`{n}`" not in text] == []
