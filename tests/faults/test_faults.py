"""Every gate is seen to fail: a small book of two chapters passes, then one fault at a time is planted in a copy of it.

Gate 6 has its own planted faults in tests/browser/test_browser_faults.py.
"""

import base64
import io
import shutil
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
from book import ROOT, read
from check_docs import problems as gaps
from check_sizes import NOT_YET
from execute import kept
from export_tests import test_file as exported_tests
from matplotlib import colormaps
from pictures import small_png, steady_svg
from PIL import Image
from rules import late_imports, machine_words, many_by_position, undocumented
from run_notebook import run

PROSE = (
    "Plain words that say what the next cell does and what the reader will see when it has run. "
)
ALPHA = [
    "#| default_exp alpha",
    "#| export\nimport numpy as np",
    "import math",
    '#| export\ndef double(x: float) -> float:\n    """Twice x."""\n    return 2 * np.asarray(x)',
    "double(math.pi)",
    "#| test\nfrom mr2ct.alpha import double\n\n\ndef test_double():\n    assert double(2) == 4",
]
BETA = [
    "#| default_exp beta",
    "#| export\nfrom mr2ct.alpha import double",
    '#| export\ndef quadruple(x: float) -> float:\n    """Four times x."""\n    return double(double(x))',
    "1 + 1",
]


def write_chapter(path: Path, code: list[str]) -> None:
    """A clean notebook with `code` and enough prose for the sizes gate."""
    cells = [nbformat.v4.new_markdown_cell(f"# {path.stem}\n\n> A chapter of the small book")]
    cells += [nbformat.v4.new_markdown_cell(PROSE * 3) for _ in range(20)]
    cells += [nbformat.v4.new_code_cell(source) for source in code]
    for cell in cells[-len(code) :]:
        if cell.source.startswith("#| test"):
            cell.metadata["jupyter"] = {"source_hidden": True}
    for i, cell in enumerate(cells):
        cell["id"] = f"cell{i:02d}"
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata["kernelspec"] = {
        "name": "python3",
        "display_name": "python3",
        "language": "python",
    }
    nbformat.write(notebook, path)


def tool(name: str, root: Path, *options: str) -> tuple[int, str]:
    """Exit code and text of one tool, run as `make` runs it."""
    command = [sys.executable, str(ROOT / "tools" / name), str(root), *options]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def clean_book(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("small") / "book"
    (root / "nbs").mkdir(parents=True)
    for name in ("settings.ini", "pyproject.toml"):
        shutil.copy(ROOT / name, root)
    write_chapter(root / "nbs" / "01_alpha.ipynb", ALPHA)
    write_chapter(root / "nbs" / "02_beta.ipynb", BETA)
    code, said = tool("export.py", root)
    assert code == 0, said
    return root


@pytest.fixture
def book(clean_book, tmp_path, monkeypatch) -> Path:
    """A copy of the small book, to plant a fault in; processes that are started see its library, not the installed one."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "book"))
    return Path(shutil.copytree(clean_book, tmp_path / "book"))


def expect(name: str, root: Path, *words: str) -> None:
    """The gate fails, and one line of what it says holds all the words."""
    code, said = tool(name, root)
    assert code == 1, f"{name} passed although a fault was planted:\n{said}"
    assert any(all(word in line for word in words) for line in said.splitlines()), said


def edit(root: Path, stem: str, change) -> None:
    """Change one notebook as an editor would: `change` gets the list of its cells."""
    path = root / "nbs" / f"{stem}.ipynb"
    notebook = nbformat.read(path, 4)
    change(notebook.cells)
    nbformat.write(notebook, path)


# --- without a fault ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["check_sync.py", "check_lint.py", "check_sizes.py"])
def test_the_small_book_passes(clean_book, name):
    code, said = tool(name, clean_book)
    assert code == 0, said


def test_export_changes_nothing_the_second_time(book):
    code, said = tool("export.py", book)
    assert code == 0 and said.strip().endswith("0 changed"), said


# --- gate 1: sync ------------------------------------------------------------------------------------------------


def test_a_stale_module_is_seen_and_removed(book):
    edit(book, "02_beta", lambda cells: cells[21].update(source="#| default_exp gamma"))
    assert tool("export.py", book)[0] == 0
    (book / "mr2ct" / "beta.py").write_text((book / "mr2ct" / "gamma.py").read_text())
    expect("check_sync.py", book, "mr2ct/beta.py", "stale", "make export")
    assert tool("export.py", book)[0] == 0
    assert not (book / "mr2ct" / "beta.py").exists()
    assert tool("check_sync.py", book)[0] == 0


def test_a_hand_edited_module_is_seen(book):
    path = book / "mr2ct" / "alpha.py"
    path.write_text(path.read_text().replace("2 *", "3 *"))
    expect("check_sync.py", book, "mr2ct/alpha.py", "differs", "make export")


def test_a_module_written_by_hand_is_seen(book):
    (book / "mr2ct" / "extra.py").write_text("x = 1\n")
    expect("check_sync.py", book, "mr2ct/extra.py", "by hand")


def test_a_missing_module_and_a_changed_test_are_seen(book):
    (book / "mr2ct" / "beta.py").unlink()
    (book / "tests" / "notebooks" / "test_alpha.py").write_text("def test_double(): pass\n")
    expect("check_sync.py", book, "mr2ct/beta.py", "missing")
    expect("check_sync.py", book, "tests/notebooks/test_alpha.py", "differs")


def test_an_uncleaned_notebook_is_seen(book):
    edit(book, "01_alpha", lambda cells: cells[-2].update(execution_count=7))
    expect("check_sync.py", book, "nbs/01_alpha.ipynb", "not clean", "make export")


def test_two_chapters_with_one_module_are_seen(book):
    edit(book, "02_beta", lambda cells: cells[21].update(source="#| default_exp alpha"))
    expect("check_sync.py", book, "nbs/02_beta.ipynb", "alpha", "taken by")


# --- gate 2: lint ------------------------------------------------------------------------------------------------


def test_a_name_missing_in_the_library_is_seen(book):
    edit(book, "01_alpha", lambda cells: cells[22].update(source="import numpy as np"))
    assert tool("export.py", book)[0] == 0
    assert run(book / "nbs" / "01_alpha.ipynb").passed, "the notebook itself does not notice"
    expect("check_lint.py", book, "mr2ct/alpha.py", "Undefined name", "`np`", "exported cell")


def test_an_unformatted_notebook_is_seen(book):
    edit(book, "02_beta", lambda cells: cells[-1].update(source="x=1"))
    expect("check_lint.py", book, "nbs/02_beta.ipynb", "not formatted", "make export")


# --- gate 3: sizes -----------------------------------------------------------------------------------------------


def test_an_oversized_notebook_is_seen(book):
    text = nbformat.v4.new_output("stream", text="x" * 610_000)
    edit(book, "01_alpha", lambda cells: cells[-2].update(outputs=[text]))
    expect("check_sizes.py", book, "01_alpha.ipynb", "KB, at most 600")


def test_a_notebook_may_hold_many_figures(book):
    edit(book, "01_alpha", lambda cells: cells[-2].update(outputs=[shown(ramp())] * 9))
    assert tool("check_sizes.py", book)[0] == 0


def test_a_note_to_a_gate_in_prose_is_seen(book):
    edit(book, "01_alpha", lambda cells: cells[2].update(source="figures: 4 because I must"))
    expect("check_sizes.py", book, "01_alpha.ipynb, cell 2", "a note to a gate")


def test_too_little_prose_too_few_cells_and_a_long_cell_are_seen(book):
    edit(book, "01_alpha", lambda cells: cells.__delitem__(slice(1, 12)))
    long = "#| export\n" + "\n".join(f"x{i} = {i}" for i in range(41))
    edit(book, "02_beta", lambda cells: cells[-1].update(source=long))
    expect("check_sizes.py", book, "01_alpha.ipynb", "words of prose, expected 900 to 2200")
    expect("check_sizes.py", book, "01_alpha.ipynb", "16 cells, expected 25 to 70")
    expect("check_sizes.py", book, "02_beta.ipynb, cell 24", "41 lines of exported code")


def code(lines: int) -> nbformat.NotebookNode:
    """A cell with so many lines of code, and a comment and a blank line, which do not count."""
    return nbformat.v4.new_code_cell("# why\n\n" + "\n".join(f"x{i} = {i}" for i in range(lines)))


def divider(kind: str) -> nbformat.NotebookNode:
    """What stands between two cells of code."""
    new = nbformat.v4
    if kind == "picture":
        return new.new_code_cell("#| figure\ndraw()", outputs=[shown(ramp())])
    if kind == "test":
        return new.new_code_cell("#| test\ndef test_nothing():\n    assert True")
    sentence = "Now the second half, with the same names as in the first."
    return new.new_markdown_cell(f"## {sentence}" if kind == "heading" else sentence)


@pytest.mark.parametrize(
    "between, seen", [("heading", 1), ("test", 1), ("sentence", 0), ("picture", 0)]
)
def test_a_long_run_of_code_without_a_sentence_is_seen(book, between, seen):
    """40 and 21 lines are one too many, unless a sentence or a picture stands between them."""
    edit(book, "02_beta", lambda cells: cells.extend([code(40), divider(between), code(21)]))
    status, said = tool("check_sizes.py", book)
    assert status == seen, said
    assert not seen or "lines of code without a sentence" in said


def test_the_list_of_unfinished_lectures_can_only_shrink(book):
    (book / "tools").mkdir()
    listed = book / NOT_YET
    edit(book, "02_beta", lambda cells: cells.extend([code(40), code(40)]))
    listed.write_text("# why\n02_beta: run\n")
    assert tool("check_sizes.py", book)[0] == 0, "excused"
    listed.write_text("# why\n01_alpha: words\n02_beta: run words\n03_gamma: run\n")
    expect("check_sizes.py", book, "01_alpha.ipynb", "'words'", "take it off")
    expect("check_sizes.py", book, "02_beta.ipynb", "'words'", "take it off")
    expect("check_sizes.py", book, "03_gamma", "no chapter")
    assert tool("check_sizes.py", book, "--shrink")[0] == 0
    assert listed.read_text() == "# why\n02_beta: run\n"


def ramp() -> Image.Image:
    """A smooth grey ramp beside a smooth ramp of colours, as a figure shows a CT beside a map."""
    grey = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 60, 0).repeat(3, 2)
    colour = colormaps["turbo"](np.arange(256) / 255)[:, :3]
    colours = np.repeat((255 * colour).astype(np.uint8)[None], 60, 0)
    return Image.fromarray(np.concatenate([grey, colours, np.flip(colours, 1) // 2 + 90]))


def png(picture: Image.Image, dpi: int = 100) -> str:
    out = io.BytesIO()
    picture.save(out, "PNG", dpi=(dpi, dpi))
    return base64.b64encode(out.getvalue()).decode()


def shown(picture: Image.Image, dpi: int = 100) -> nbformat.NotebookNode:
    return nbformat.v4.new_output("display_data", data={"image/png": png(picture, dpi)})


def test_tinted_greys_and_coarse_pictures_are_seen(book):
    """The palette that once turned grey tiles green is found, and so are 72 dots an inch."""
    spoilt = ramp().quantize(64, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    edit(book, "01_alpha", lambda cells: cells[-2].update(outputs=[shown(spoilt)]))
    expect("check_sizes.py", book, "01_alpha.ipynb", "a palette has spoilt it")
    edit(book, "01_alpha", lambda cells: cells[-2].update(outputs=[shown(ramp(), 72)]))
    expect("check_sizes.py", book, "01_alpha.ipynb", "72 dpi, at least 100")
    edit(book, "01_alpha", lambda cells: cells[-2].update(outputs=[shown(ramp())]))
    assert tool("check_sizes.py", book)[0] == 0
    low = "#| figure\nplt.figure(dpi=72)"
    edit(book, "01_alpha", lambda cells: cells[-2].update(source=low))
    expect("check_sizes.py", book, "01_alpha.ipynb", "dpi=72, at least 100")


def test_a_stored_picture_keeps_its_greys_and_has_no_bands():
    """Every grey stays within 2 of itself, a ramp of 256 greys keeps a step at least every second one."""
    source = np.asarray(ramp()).astype(int)
    stored = Image.open(io.BytesIO(base64.b64decode(small_png(png(ramp())))))
    pixels = np.asarray(stored.convert("RGB")).astype(int)
    assert np.abs(pixels[:60] - source[:60]).max() <= 2, "greys"
    assert np.ptp(pixels[:60], axis=2).max() == 0, "no tint"
    assert len(np.unique(pixels[0, :, 0])) >= 128 and np.diff(pixels[0, :, 0]).max() <= 2, "bands"
    for rows in (
        slice(60, 120),
        slice(120, 180),
    ):  # colours are dithered: each column keeps its mean
        assert np.abs(pixels[rows].mean(0) - source[rows].mean(0)).mean() <= 2, "colours"
    assert stored.info.keys() <= {"dpi"}, "nothing but the resolution is written beside it"
    whole = Image.open(io.BytesIO(base64.b64decode(small_png(png(ramp()), exact=True))))
    assert np.array_equal(np.asarray(whole.convert("RGB")), source), "with room, nothing changes"
    alone = ramp().crop((0, 0, 256, 60))
    grey = Image.open(io.BytesIO(base64.b64decode(small_png(png(alone)))))
    assert grey.mode == "L" and np.array_equal(np.asarray(grey), np.asarray(alone)[..., 0])


def test_what_a_figure_cell_stores():
    """A figure cell keeps PNG, SVG and sliders, other cells keep none; drawings are equal in every run."""

    def drawn() -> str:
        figure, axes = plt.subplots(figsize=(3, 2))
        axes.imshow(np.eye(4))
        axes.plot([0, 3], "o")
        axes.set_title("a bed & a ball")
        out = io.StringIO()
        figure.savefig(out, format="svg")
        plt.close(figure)
        return out.getvalue()

    first, second = drawn(), drawn()
    assert first != second and steady_svg(first) == steady_svg(second)
    ElementTree.fromstring(steady_svg(first))
    output = shown(ramp())
    output.data["text/plain"] = "<Figure size 1x1>"
    assert kept(output, figure=False) is None
    assert set(kept(output, figure=True)["data"]) == {"image/png", "text/plain"}
    output.data["image/svg+xml"] = first
    assert kept(output, figure=True)["data"]["image/svg+xml"] == steady_svg(first)
    assert "image/png" not in kept(output, figure=True)["data"]
    page = nbformat.v4.new_output(
        "display_data", data={"text/html": f'<img src="data:image/png;base64,{png(ramp())}">'}
    )
    assert kept(page, figure=False) is None
    slider = kept(page, figure=True)["data"]["text/html"]
    assert slider == f'<img src="data:image/png;base64,{small_png(png(ramp()))}">'
    assert len(slider) <= len(page.data["text/html"])


def test_a_large_file_is_seen_but_not_an_ignored_one(book):
    subprocess.run(["git", "init", "-q"], cwd=book, check=True)
    (book / ".gitignore").write_text("ignored/\n")
    for folder in ("ignored", "kept"):
        (book / folder).mkdir()
        (book / folder / "scan.nii.gz").write_bytes(bytes(1_100_000))
    expect("check_sizes.py", book, "kept/scan.nii.gz", "1100 KB")
    assert "ignored/" not in tool("check_sizes.py", book)[1]


# --- gate 4: exported tests --------------------------------------------------------------------------------------


def test_a_failing_test_cell_fails_in_pytest(book):
    """The test file runs against the book's own library, and a wrong result or a name of the notebook alone fails it."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/notebooks"]

    def pytest_says() -> tuple[int, str]:
        done = subprocess.run(command, cwd=book, capture_output=True, text=True)
        return done.returncode, done.stdout

    code, said = pytest_says()
    assert code == 0 and "1 passed" in said, said
    edit(
        book,
        "01_alpha",
        lambda cells: cells[-1].update(source=ALPHA[-1].replace("== 4", "== math.pi")),
    )
    assert tool("export.py", book)[0] == 0
    code, said = pytest_says()
    assert code == 1 and "name 'math' is not defined" in said, said


def test_test_files_carry_the_cells_and_nothing_else(book):
    name, text = exported_tests(read(book / "nbs" / "01_alpha.ipynb"))
    assert name == "test_alpha.py"
    assert "def test_double" in text and "#|" not in text and "default_exp" not in text
    assert exported_tests(read(book / "nbs" / "02_beta.ipynb")) is None


# --- gate 5: notebooks -------------------------------------------------------------------------------------------


def test_a_hanging_notebook_is_stopped_with_all_its_processes(book):
    mark = book / "child.txt"
    child = f"import os, time; open({str(mark)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    hang = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {child!r}])"
    edit(book, "02_beta", lambda cells: cells[-1].update(source=hang))
    start = time.monotonic()
    outcome = run(book / "nbs" / "02_beta.ipynb", limit_s=6)
    assert not outcome.passed and time.monotonic() - start < 20
    assert (
        "02_beta.ipynb, cell 24 (import subprocess, sys): still running after 6 s"
        in outcome.message
    )
    time.sleep(0.2)
    state = Path("/proc", mark.read_text(), "status")
    assert not state.exists() or "zombie" in state.read_text(), "the process it started lives on"


def test_a_failing_cell_is_named(book):
    edit(book, "02_beta", lambda cells: cells[-1].update(source="quantity = 0\n1 / quantity"))
    outcome = run(book / "nbs" / "02_beta.ipynb")
    assert "02_beta.ipynb, cell 24 (quantity = 0): ZeroDivisionError" in outcome.message
    assert "1 / quantity" in outcome.message


def test_a_dying_process_is_named(book):
    edit(book, "02_beta", lambda cells: cells[-1].update(source="import os\nos._exit(3)"))
    assert (
        "cell 24 (import os): the process ended with code 3"
        in run(book / "nbs" / "02_beta.ipynb").message
    )


def test_flagged_cells_are_left_out(book):
    flags = ["eval: false", "slow", "gpu", "data"]
    edit(
        book,
        "02_beta",
        lambda cells: cells.extend(nbformat.v4.new_code_cell(f"#| {f}\n1 / 0") for f in flags),
    )
    assert run(book / "nbs" / "02_beta.ipynb").passed


# --- the house rules ---------------------------------------------------------------------------------------------


def test_an_import_from_a_later_chapter_is_seen(book):
    assert late_imports(book) == []
    edit(
        book, "01_alpha", lambda cells: cells[23].update(source="from mr2ct.beta import quadruple")
    )
    (found,) = late_imports(book)
    assert "01_alpha.ipynb, cell 23: imports mr2ct.beta of chapter 02" in found


def test_a_function_without_docstring_or_hints_is_seen(book):
    assert undocumented(book / "mr2ct" / "alpha.py") == []
    edit(
        book,
        "01_alpha",
        lambda cells: cells[24].update(source="#| export\ndef double(x):\n    return 2 * x"),
    )
    assert tool("export.py", book)[0] == 0
    found = undocumented(book / "mr2ct" / "alpha.py")
    assert [line.split("double: ")[1] for line in found] == [
        "no docstring",
        "no type hint for x, the result",
    ]


def test_a_long_list_of_arguments_by_position_is_seen(book):
    path = book / "mr2ct" / "alpha.py"
    head = "def f(a: int, b: int, c: np.ndarray, {star}d: int = 0) -> int: ...\n"
    path.write_text(head.format(star=""))
    assert many_by_position(path) == ["alpha.py: f: put * before d"]
    path.write_text(head.format(star="*, "))
    assert many_by_position(path) == []


def test_a_path_of_one_machine_is_seen(book):
    assert machine_words(book) == []
    folder = "/" + "root/data"
    edit(book, "02_beta", lambda cells: cells[-1].update(source=f'open("{folder}/mr.nii.gz")'))
    (found,) = machine_words(book)
    assert found.startswith("nbs/02_beta.ipynb: ") and found.endswith("/" + "root")


# --- gate 8: what help() says ------------------------------------------------------------------------------------

GAPS = """
class Base:
    \"\"\"A base.\"\"\"

    def hook(self, a: int, b: int) -> int:
        \"\"\"Adds.

        Args:
            a: one, b: the other
        \"\"\"
        return a + b


class Child(Base):
    \"\"\"A child: its hook is described in the base.\"\"\"

    def __init__(self, size: int, depth: int):
        self.size, self.depth = size, depth

    def hook(self, a: int, b: int) -> int:
        return a - b

    def check(self, a: int) -> int:
        \"\"\"Refuses.\"\"\"
        if a < 0:
            raise ValueError(a)
        return a


def add(a: int, b: int) -> int:
    \"\"\"Adds.\"\"\"
    return a + b
"""


def test_arguments_and_errors_that_nobody_describes_are_seen(book):
    assert gaps(book) == []
    edit(book, "01_alpha", lambda cells: cells[24].update(source=f"#| export\n{GAPS}"))
    assert tool("export.py", book)[0] == 0
    assert gaps(book) == [
        "alpha.Child: no Args: (size, depth)",
        "alpha.Child.check: no Raises: (ValueError)",
        "alpha.add: no Args: (a, b)",
    ]


def test_import_shows_modules_and_costs_nothing(book):
    """The front door of the small book: its modules, in `dir` and by name, loaded when they are first used."""
    asks = (
        "import sys, mr2ct; print(dir(mr2ct), 'mr2ct.alpha' in sys.modules, 'numpy' in sys.modules);"
        "print(mr2ct.alpha.double(3), hasattr(mr2ct, 'gamma'))"
    )
    done = subprocess.run([sys.executable, "-c", asks], cwd=book, capture_output=True, text=True)
    first, second = done.stdout.splitlines()
    assert first == "['__version__', 'alpha', 'beta'] False False"
    assert second == "6 False"


def test_test_cells_are_folded(book):
    cell = read(book / "nbs" / "01_alpha.ipynb").cells[-1]
    assert cell.metadata == {"jupyter": {"source_hidden": True}}
    edit(book, "01_alpha", lambda cells: cells[-1].update(metadata={"scrolled": True}))
    expect("check_sync.py", book, "nbs/01_alpha.ipynb", "not clean", "make export")
    assert tool("export.py", book)[0] == 0
    assert (
        read(book / "nbs" / "01_alpha.ipynb").cells[-1].metadata["jupyter"]["source_hidden"] is True
    )
