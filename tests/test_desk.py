"""The reader's desk: a copy of the book that follows it, and never loses what a reader wrote."""

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import desk
import nbformat
import pytest
from book import ROOT


def write(path: Path, *cells: str, output: str = "") -> Path:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(x) for x in cells])
    for i, cell in enumerate(notebook.cells):
        cell["id"] = f"cell{i}"
    if output:
        notebook.cells[0].outputs = [nbformat.v4.new_output("stream", text=output)]
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    return path


def code(path: Path) -> list[str]:
    return [cell.source for cell in nbformat.read(path, 4).cells]


@pytest.fixture
def book(tmp_path, monkeypatch) -> Path:
    """A book of three notebooks, its desk laid once; trust is written to a home of its own."""
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "home"))
    for name in ("index", "01_alpha", "workshop/01_parts"):
        write(tmp_path / "nbs" / f"{name}.ipynb", f"'{name}'")
    assert desk.refresh(tmp_path) == []
    return tmp_path


def test_the_copy_is_whole_and_as_deep_as_the_book(book):
    for path in (book / "nbs").rglob("*.ipynb"):
        copy = book / "desk" / path.relative_to(book / "nbs")
        assert copy.read_bytes() == path.read_bytes()
        assert len(copy.relative_to(book).parts) == len(path.relative_to(book).parts)
    assert desk.refresh(book) == [], "the second time there is nothing to do"


def test_an_untouched_and_a_run_chapter_follow_the_book(book):
    write(book / "nbs/index.ipynb", "'newer'")
    write(book / "nbs/01_alpha.ipynb", "'newer'")
    write(book / "desk/01_alpha.ipynb", "'01_alpha'", output="the reader ran it")
    said = desk.refresh(book)
    assert said == ["index.ipynb: brought up to date", "01_alpha.ipynb: brought up to date"]
    assert code(book / "desk/index.ipynb") == code(book / "desk/01_alpha.ipynb") == ["'newer'"]


def test_a_run_chapter_keeps_its_results_while_the_book_stands_still(book):
    ran = write(book / "desk/01_alpha.ipynb", "'01_alpha'", output="mine").read_bytes()
    assert desk.refresh(book) == []
    assert (book / "desk/01_alpha.ipynb").read_bytes() == ran


def test_a_changed_chapter_is_kept_and_the_new_one_laid_beside_it(book):
    mine = write(book / "desk/01_alpha.ipynb", "'my answer'").read_bytes()
    assert desk.refresh(book) == [], "while the book has nothing new, nothing is said"
    write(book / "nbs/01_alpha.ipynb", "'second edition'")
    (said,) = desk.refresh(book)
    assert "yours is kept" in said and "01_alpha_new.ipynb" in said
    assert (book / "desk/01_alpha.ipynb").read_bytes() == mine
    assert code(book / "desk/01_alpha_new.ipynb") == ["'second edition'"]
    assert desk.refresh(book) == [], "offered once"
    second = write(book / "desk/01_alpha_new.ipynb", "'my second answer'").read_bytes()
    write(book / "nbs/01_alpha.ipynb", "'third edition'")
    (said,) = desk.refresh(book)
    assert "01_alpha_new2.ipynb" in said
    assert (book / "desk/01_alpha.ipynb").read_bytes() == mine
    assert (book / "desk/01_alpha_new.ipynb").read_bytes() == second


@pytest.mark.parametrize("record", [None, "{broken"])
def test_without_a_record_what_differs_counts_as_the_readers(book, record):
    path = book / "desk" / desk.RECORD
    path.unlink() if record is None else path.write_text(record)
    mine = write(book / "desk/01_alpha.ipynb", "'my answer'").read_bytes()
    (said,) = desk.refresh(book)
    assert "01_alpha_new.ipynb" in said and (book / "desk/01_alpha.ipynb").read_bytes() == mine


def test_a_chapter_that_left_the_book_leaves_the_desk_unless_changed(book):
    mine = write(book / "desk/01_alpha.ipynb", "'my answer'")
    shutil.rmtree(book / "nbs/workshop")
    (book / "nbs/01_alpha.ipynb").unlink()
    own = write(book / "desk/my_notes.ipynb", "'notes'")
    assert desk.refresh(book) == ["01_parts.ipynb: no longer in the book, removed"]
    assert mine.exists() and own.exists() and not (book / "desk/workshop/01_parts.ipynb").exists()


def test_a_broken_copy_is_kept(book):
    (book / "desk/01_alpha.ipynb").write_text("half a file")
    write(book / "nbs/01_alpha.ipynb", "'second edition'")
    (said,) = desk.refresh(book)
    assert "yours is kept" in said and (book / "desk/01_alpha.ipynb").read_text() == "half a file"


def test_root_is_told_to_jupyter_only_when_it_is_root(monkeypatch):
    for user, expected in ((0, True), (1000, False)):
        monkeypatch.setattr(os, "geteuid", lambda user=user: user)
        assert ("--allow-root" in desk.lab_command(Path("desk"), [])) is expected


def test_git_ignores_the_desk():
    done = subprocess.run(["git", "check-ignore", "-q", "desk/index.ipynb"], cwd=ROOT)
    assert done.returncode in (0, 128), "desk/ is not in .gitignore"  # 128: not a git checkout


def test_lab_opens_the_map_without_news(tmp_path):
    """The server itself, started as `make lab` starts it but for the browser."""
    shutil.copytree(ROOT / "tools", tmp_path / "tools")
    write(tmp_path / "nbs/index.ipynb", "'the map'")
    own = {f"JUPYTER_{x}_DIR": str(tmp_path / x) for x in ("DATA", "CONFIG", "RUNTIME")}
    port = "--ServerApp.port=0"
    log = tmp_path / "log.txt"
    command = [sys.executable, tmp_path / "tools/desk.py", "--no-browser", port]
    with log.open("w") as sink:
        server = subprocess.Popen(
            command + ["--IdentityProvider.token="], stdout=sink, stderr=sink, env=os.environ | own
        )
    try:
        state, deadline = None, time.monotonic() + 90
        while state is None and time.monotonic() < deadline and server.poll() is None:
            time.sleep(0.5)
            found = list((tmp_path / "RUNTIME").glob("jpserver-*.json"))
            state = json.loads(found[0].read_text()) if found and found[0].stat().st_size else None
        assert state, log.read_text()
        address = state["url"]
        with urllib.request.urlopen(address) as page:
            assert page.geturl().endswith("/lab/tree/index.ipynb")
        name = "@jupyterlab/apputils-extension:notification"
        with urllib.request.urlopen(f"{address}lab/api/settings/{name}") as answer:
            defaults = json.load(answer)["schema"]["properties"]
        assert defaults["fetchNews"]["default"] == "false"
        assert defaults["checkForUpdates"]["default"] is False
    finally:
        server.terminate()
        server.wait(20)
