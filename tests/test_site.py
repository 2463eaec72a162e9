"""The web book: it is built without running a notebook, has every chapter, leads nowhere wrong and asks no network."""

import re
import subprocess
import sys
from importlib.util import find_spec

import pytest
from book import ROOT
from registry import read_registry

for package in ("sphinx", "myst_nb", "sphinx_book_theme", "sphinx-mathjax-offline"):
    if find_spec(package) is None:
        reason = f"{package} is not installed: `make setup` installs it"
        pytest.skip(reason, allow_module_level=True)

from make_book import faults  # noqa: E402


def test_the_web_book_is_whole(tmp_path):
    run = [sys.executable, str(ROOT / "site" / "make_book.py"), str(tmp_path)]
    done = subprocess.run(run, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    html = tmp_path / "html"
    assert done.stdout.splitlines()[-1] == str(html / "index.html")

    said = [line for line in done.stderr.splitlines() if "ERROR" in line or "WARNING" in line]
    assert said == [], "docstrings or pages that Sphinx cannot read"

    registry = read_registry()
    index = (html / "index.html").read_text()
    sidebar = index[index.index("bd-links") :]
    shown = re.findall(
        r'class="toctree-l1"><a class="reference internal" href="(\d\d_\w+)\.html"', sidebar
    )
    assert list(dict.fromkeys(shown)) == [entry.stem for entry in registry.lectures]
    captions = re.findall(r'class="caption-text">([^<]+)<', sidebar)
    parts = [p for p in registry.parts if any(entry.part == p for entry in registry.lectures)]
    assert list(dict.fromkeys(captions))[: len(parts) + 2] == [*parts, "Library", "Appendix"]
    for entry in registry.lectures + registry.workshops:
        folder = html / "workshop" if entry.chapter.workshop else html
        page = (folder / f"{entry.stem}.html").read_text()
        assert not re.search(r"<span class=\"c1\">#\s?\|", page), f"{entry.stem} shows `#|` lines"
        tests = sum("test" in cell.directives for cell in entry.chapter.cells)
        assert page.count("Show tests") == tests, f"{entry.stem} does not fold its test cells"
        drawings = sum(
            "image/svg+xml" in o.get("data", {}) for c in entry.chapter.cells for o in c.outputs
        )
        assert len(re.findall(r'<img[^>]+src="[^"]+\.svg"', page)) >= drawings
        if entry.chapter.module:
            assert (html / "api" / f"{entry.chapter.module}.html").exists()


def test_broken_links_and_outside_files_are_found(tmp_path):
    (tmp_path / "b.html").write_text('<h1 id="here">b</h1>')
    assert faults(tmp_path) == []
    good = '<a href="b.html#here">1</a><a href="https://example.org">2</a><a href="#">3</a>'
    (tmp_path / "a.html").write_text(good)
    assert faults(tmp_path) == []
    (tmp_path / "a.html").write_text(
        '<a href="c.html">1</a><a href="b.html#gone">2</a><script src="https://example.org/x.js"></script>'
    )
    (tmp_path / "a.css").write_text("@font-face { src: url(https://example.org/x.woff2) }")
    assert faults(tmp_path) == [
        "a.css: loads https://example.org/x.woff2 from the network",
        "a.html: b.html#gone leads to no anchor",
        "a.html: c.html leads to no file",
        "a.html: loads https://example.org/x.js from the network",
    ]
