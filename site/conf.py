"""Sphinx settings of the web book. `site/build.py` gathers the pages and calls Sphinx with them."""

import re
from importlib.util import find_spec
from pathlib import Path

import mr2ct

project, author = "mr2ct", "The mr2ct authors"
version = release = mr2ct.__version__
project_copyright = f"2026 onwards, {author}"

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
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
napoleon_custom_sections = ["Source", "Sources"]
add_module_names = False
default_role = "code"  # docstrings are written for help(): `x` is code, |x| is a size

# Formulas: MathJax from a Python package, one file beside the pages. The SVG form needs no font files.
extensions.append("sphinx.ext.mathjax")
mathjax = Path(find_spec("sphinx-mathjax-offline").origin).parent / "static/mathjax/tex-svg-full.js"
mathjax_path = mathjax.name

html_theme = "sphinx_book_theme"
html_title = f"mr2ct {version}"
html_static_path = [str(mathjax)]
html_copy_source = False
html_show_sphinx = False
html_theme_options = {
    "use_download_button": False,  # the chapters to run are those in nbs/, with their `#|` lines
    "show_toc_level": 2,
}


def plain_bars(app, what, name, obj, options, lines: list[str]) -> None:
    """Let a docstring say |x| outside of `code`, which reST would read as a substitution."""
    for i, line in enumerate(lines):
        pieces = line.split("`")
        pieces[::2] = [re.sub(r"(?<!\\)\|(?=\S)", r"\\|", piece) for piece in pieces[::2]]
        lines[i] = "`".join(pieces)


def told_already(app, what, name, obj, skip: bool, options) -> bool | None:
    """Leave out a class's plain values: its signature and the Attributes of its docstring name them."""
    return True if what == "class" and not callable(obj) and not isinstance(obj, property) else None


def setup(app) -> None:
    app.connect("autodoc-process-docstring", plain_bars)
    app.connect("autodoc-skip-member", told_already)
