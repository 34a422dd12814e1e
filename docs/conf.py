import funcdiff

project = "funcdiff"
author = "the funcdiff developers"
project_copyright = "2026, the funcdiff developers"
version = release = funcdiff.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
exclude_patterns = ["_build", "jupyter_execute"]

# The tests execute the pages' snippets and the notebooks; the build shows them as they are.
nb_execution_mode = "off"
myst_enable_extensions = ["dollarmath", "deflist"]
myst_heading_anchors = 3

# `name` in a docstring is code, in Markdown's way.
default_role = "code"
autosummary_generate = True
autodoc_typehints = "none"  # signatures are long enough; the text says what goes in
autodoc_member_order = "bysource"
napoleon_google_docstring = False
napoleon_numpy_docstring = True
add_module_names = False

html_theme = "pydata_sphinx_theme"
html_title = "funcdiff"
html_show_sourcelink = False
html_sidebars: dict[str, list[str]] = {"**": []}  # the pages have no sections below them
html_theme_options = {
    "show_prev_next": True,
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
}
