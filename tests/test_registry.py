"""One registry of chapters: what it reads from first cells, what it writes, and the faults that it sees."""

import json
from pathlib import Path

import nbformat
import pytest
import registry
from book import ROOT

PLAN = """
[[part]]
title = "Ground"
numbers = [0, 9]

[[part]]
title = "More"
numbers = [10, 19]

[[path]]
name = "A student"
says = "all of it"
sittings = [["01", "02"], ["10"]]
"""
FIRST = "# {title}: and more\n\n> {line}\n\n*Know first:* {know}. *Time:* {time} to read, seconds to run. *Memory:* 1 GB."


def chapter(path: Path, know: str, *, time: str = "half an hour", title: str = "Alpha") -> None:
    text = FIRST.format(title=title, line=f"About {path.stem}", know=know, time=time)
    cells = [
        nbformat.v4.new_markdown_cell(text),
        nbformat.v4.new_code_cell(f"#| default_exp m{path.stem[:2]}"),
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)


@pytest.fixture
def book(tmp_path) -> Path:
    nbs = tmp_path / "nbs"
    chapter(nbs / "01_alpha.ipynb", "nothing")
    chapter(nbs / "02_beta.ipynb", "the axes (chapter 01)", time="40 minutes")
    chapter(nbs / "10_gamma.ipynb", "chapters 01 to 02", time="a quarter of an hour")
    chapter(nbs / "workshop" / "02_parts.ipynb", "nothing")
    marked = "<!-- book: chapters -->\n\n<!-- end -->"
    (tmp_path / "README.md").write_text(f"# Small\n\n{marked}\n\nand after\n")
    cell = nbformat.v4.new_markdown_cell(f"# Map\n\n{marked}\n\n<!-- book: paths -->\n<!-- end -->")
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), nbs / "index.ipynb")
    (nbs / "book.toml").write_text(PLAN)
    assert registry.write(tmp_path) == ["README.md", "nbs/index.ipynb"]
    assert registry.problems(tmp_path) == [] and registry.write(tmp_path) == []
    return tmp_path


def test_the_book_has_no_fault():
    assert registry.problems(ROOT) == []


def test_tables_are_written_where_they_are_asked_for(book):
    text = (book / "README.md").read_text()
    assert "| [02_beta](nbs/02_beta.ipynb) | `m02` | About 02_beta | 40 |" in text
    assert text.index("**Ground**") < text.index("01_alpha") < text.index("**More**")
    assert "parts" not in text and text.startswith("# Small") and text.endswith("and after\n")
    cells = json.loads((book / "nbs/index.ipynb").read_text())["cells"]
    inside = "".join(cells[0]["source"])
    assert "| [02_beta](02_beta.ipynb) |" in inside
    assert "[01](01_alpha.ipynb), [02](02_beta.ipynb) → [10](10_gamma.ipynb)" in inside


@pytest.mark.parametrize(
    "change, said",
    [
        (lambda nbs: chapter(nbs / "02_beta.ipynb", "chapter 10"), "asks for chapter 10, which comes later"),
        (lambda nbs: chapter(nbs / "02_beta.ipynb", "chapter 05"), "asks for chapter 05, which is not in the book"),
        (lambda nbs: chapter(nbs / "02_beta.ipynb", "01", time="a while"), "expected '*Time:* twenty minutes"),
        (lambda nbs: chapter(nbs / "20_delta.ipynb", "01"), "no part of nbs/book.toml has the number 20"),
        (lambda nbs: (nbs / "02_beta.ipynb").unlink(), "names chapter 02, which is missing"),
        (lambda nbs: chapter(nbs / "02_beta.ipynb", "01", time="ten minutes"), "README.md: its table of chapters is out of date"),
        (
            lambda nbs: (nbs / "book.toml").write_text(PLAN.replace('["01", "02"], ["10"]', '["01", "10"]')),
            "on the path 'A student' chapter 10 asks for 02, which the reader has not met",
        ),
    ],
)  # fmt: skip
def test_a_fault_is_seen(book, change, said):
    change(book / "nbs")
    found = registry.problems(book)
    assert any(said in line for line in found), found
