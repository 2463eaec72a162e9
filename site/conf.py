"""Sphinx settings of the web book. `site/make_book.py` gathers the pages and calls Sphinx with them."""

import re
from importlib.util import find_spec
from pathlib import Path

import mr2ct

project, author = "mr2ct", "The mr2ct authors"
version = release = mr2ct.__version__
project_copyright = f"2026 onwards, {author}"

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
root_doc = "index"

# Chapters: shown as they were committed, never run.
nb_execution_mode = "off"
nb_merge_streams = True
nb_ipywidgets_js = {}  # a slider without a kernel moves and changes nothing; the still picture tells more
myst_enable_extensions = ["amsmath", "dollarmath"]
myst_heading_anchors = 4

# Library pages.
autodoc_default_options = {"members": True, "undoc-members": True, "member-order": "bysource"}
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 88
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False  # "Returns: (D, H, W): ..." names a shape, not a type
napoleon_custom_sections = ["Source", "Sources"]
add_module_names = False
default_role = "code"  # docstrings are written for help(): `x` is code, |x| is a size

# Formulas: MathJax from a Python package, one file beside the pages. The SVG form needs no font files.
mathjax = Path(find_spec("sphinx-mathjax-offline").origin).parent / "static/mathjax/tex-svg-full.js"
mathjax_path = mathjax.name

html_theme = "sphinx_book_theme"
html_title = f"mr2ct {version}"
html_static_path = [str(mathjax), "book.css"]
html_css_files = ["book.css"]
html_copy_source = False
html_show_sphinx = False
html_context = {"default_mode": "auto"}
html_theme_options = {
    "navbar_persistent": [],  # the sidebar has the search field
    "use_download_button": False,  # the chapters to run are those in nbs/, with their `#|` lines
    "show_toc_level": 2,
}


def as_written(app, what, name, obj, options, lines: list[str]) -> None:
    """Keep two things that a docstring may say and reST reads otherwise: |x|, and a colon in the line of a value."""
    for i, line in enumerate(lines):
        pieces = line.split("`")
        pieces[::2] = [re.sub(r"(?<!\\)\|(?=\S)", r"\\|", piece) for piece in pieces[::2]]
        lines[i] = "`".join(pieces)
    if what in ("attribute", "data", "property"):
        lines[:0] = ["..", ""]  # an empty comment: else napoleon reads "type: text" in line one


def told_already(app, what, name, obj, skip: bool, options) -> bool | None:
    """Leave out a class's plain values: its signature and the Attributes of its docstring name them."""
    plain = what == "class" and not callable(obj) and not isinstance(obj, property)
    return True if plain else None


def setup(app) -> None:
    app.connect("autodoc-process-docstring", as_written, priority=400)  # before napoleon
    app.connect("autodoc-skip-member", told_already)
