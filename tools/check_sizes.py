"""Gate 3: nothing outgrows its reader: notebooks, chapters, code without a word, exported cells, files; pictures are whole.

    python tools/check_sizes.py [ROOT] [--runs] [--shrink]

--runs prints a table of the longest run of code of each lecture; --shrink takes from tools/not_yet.txt what is not needed.
"""

import ast
import io
import re
import subprocess
import sys
import tokenize
from pathlib import Path

from book import ROOT, Cell, Chapter, chapters, without_magics
from pictures import MIN_DPI, picture_faults

NOTEBOOK_KB = 600
NBS_KB = 20_000
FILE_KB = 1_000
CELLS = (25, 70)
WORDS = (900, 2200)
CELL_LINES = 40
RUN_LINES = 60
SENTENCE = 5  # words that a markdown cell needs to count as one that speaks
NO_LOWER_BOUND = ("index", "00_tour", "90_command_line")  # a map and two short visits
# Lectures that do not have their form yet, and what they lack: words, run, pictures. The list may only shrink: an entry
# that is no longer needed is a fault, and `--shrink` takes it away.
NOT_YET = Path("tools") / "not_yet.txt"
NOT_CODE = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}


def words(cell: Cell) -> int:
    """Words of prose in a markdown cell: code blocks, formulas, addresses and HTML tags do not count."""
    text = re.sub(r"```.*?```", " ", cell.source, flags=re.DOTALL)
    text = re.sub(r"\$\$.*?\$\$", " ", text, flags=re.DOTALL)
    text = re.sub(r"\$[^$\n]*\$", " ", text)
    text = re.sub(r"\]\([^)]*\)|https?://\S+|<[^>\n]+>", " ", text)
    return sum(any(letter.isalpha() for letter in word) for word in text.split())


def code_lines(source: str) -> int:
    """Lines that hold code; blank lines, comments and docstrings do not count."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return len([line for line in source.splitlines() if line.strip()])
    lines = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in NOT_CODE:
            lines |= set(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(tree):
        holds_docstring = isinstance(
            node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
        )
        if holds_docstring and ast.get_docstring(node, clean=False) is not None:
            lines -= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    return len(lines)


def speaks(cell: Cell) -> bool:
    """Whether a markdown cell says something: a heading or a formula alone does not."""
    prose = "\n".join(line for line in cell.source.splitlines() if not line.startswith("#"))
    return cell.kind == "markdown" and words(Cell("markdown", prose)) >= SENTENCE


def shows(cell: Cell) -> bool:
    """Whether a reader who runs nothing sees a picture here, or a slider over pictures."""
    data = [output.get("data", {}) for output in cell.outputs]
    pictures = any(kind.startswith("image/") for kinds in data for kind in kinds)
    return pictures or any("data:image/" in "".join(d.get("text/html", "")) for d in data)


def longest_run(chapter: Chapter) -> tuple[int, int, int]:
    """Most lines of code without a sentence or a picture, and the cells in which they begin and end.

    Test cells do not count: they are folded away.
    """
    longest, lines, first = (0, 0, 0), 0, 0
    for i, cell in enumerate(chapter.cells):
        if speaks(cell):
            lines = 0
        elif cell.kind == "code" and "test" not in cell.directives:
            first = first if lines else i
            lines += code_lines(without_magics(cell.code))
            longest = max(longest, (lines, first, i), key=lambda run: run[0])
            lines = 0 if shows(cell) else lines
    return longest


def pictures(chapter: Chapter) -> list[str]:
    """What a reader would see wrong in the stored pictures."""
    found = []
    for i, cell in enumerate(chapter.cells):
        asked = re.findall(r"\bdpi=(\d+)", cell.source) if "figure" in cell.directives else []
        found += [f"cell {i}: dpi={x}, at least {MIN_DPI}" for x in asked if int(x) < MIN_DPI]
        for output in cell.outputs:
            data = output.get("data", {})
            stored = [data["image/png"]] if "image/png" in data else []
            stored += re.findall(
                r"data:image/png;base64,([A-Za-z0-9+/=]+)", "".join(data.get("text/html", ""))
            )
            found += [f"cell {i}: a picture: {said}" for x in stored for said in picture_faults(x)]
    return list(dict.fromkeys(found))


def out_of_range(value: int, bounds: tuple[int, int], stem: str) -> bool:
    low = 0 if stem in NO_LOWER_BOUND else bounds[0]
    return not low <= value <= bounds[1]


def form_faults(chapter: Chapter) -> dict[str, list[str]]:
    """What a lecture lacks of its form (CONTRIBUTING, "Sizes, and why"), by the kinds that the list NOT_YET names."""
    prose = sum(words(c) for c in chapter.cells if c.kind == "markdown")
    found = {"words": [], "run": [], "pictures": pictures(chapter)}
    if out_of_range(prose, WORDS, chapter.path.stem):
        found["words"] = [f"{prose} words of prose, expected {WORDS[0]} to {WORDS[1]}"]
    lines, first, last = longest_run(chapter)
    if lines > RUN_LINES:
        found["run"] = [
            f"cells {first} to {last}: {lines} lines of code without a sentence or a stored picture, "
            f"at most {RUN_LINES}; say what they do, show it, or move plumbing to nbs/workshop"
        ]
    return found


def not_yet(root: Path) -> dict[str, list[str]]:
    """The kinds of faults that each lecture on the list may still have."""
    path = root / NOT_YET
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    pairs = [line.split(":") for line in lines if line.strip() and not line.startswith("#")]
    return {stem.strip(): kinds.split() for stem, kinds in pairs}


def shrink(root: Path) -> None:
    """Take from the list what is no longer needed; nothing is ever added."""
    book = {chapter.path.stem: chapter for chapter in chapters(root)}
    lines = []
    for stem, kinds in not_yet(root).items():
        faults = form_faults(book[stem]) if stem in book else {}
        if kept := [kind for kind in kinds if faults.get(kind)]:
            lines.append(f"{stem}: {' '.join(kept)}")
    comments = [line for line in (root / NOT_YET).read_text().splitlines() if line[:1] == "#"]
    (root / NOT_YET).write_text("\n".join([*comments, *lines]) + "\n", encoding="utf-8")


def unless_excused(faults: dict[str, list[str]], excused: list[str]) -> list[str]:
    """The faults that are not excused, and each excuse that is no longer needed."""
    found = [line for kind, lines in faults.items() if kind not in excused for line in lines]
    return found + [
        f"meets the bound '{kind}', or no such bound is known: take it off {NOT_YET} "
        "(python tools/check_sizes.py --shrink)"
        for kind in excused
        if not faults.get(kind)
    ]


def chapter_problems(chapter: Chapter, root: Path, excused: list[str]) -> list[str]:
    name, stem = chapter.path.relative_to(root), chapter.path.stem
    found = []
    size = chapter.path.stat().st_size / 1000
    if size > NOTEBOOK_KB:
        found.append(
            f"{name}: {size:.0f} KB, at most {NOTEBOOK_KB}; store fewer or smaller pictures "
            "(only cells with `#| figure` keep theirs: `make notebooks`)"
        )
    if any(o.get("output_type") == "error" for c in chapter.cells for o in c.outputs):
        found.append(f"{name}: stores the traceback of an error; run it again: `make notebooks`")
    for i, cell in enumerate(chapter.cells):
        if cell.kind == "markdown" and re.search(r"^\W*figures: \d+ because", cell.source, re.M):
            found.append(
                f"{name}, cell {i}: a note to a gate in the reader's text (figures: …); take it out"
            )
    if not chapter.workshop and out_of_range(len(chapter.cells), CELLS, stem):
        found.append(f"{name}: {len(chapter.cells)} cells, expected {CELLS[0]} to {CELLS[1]}")
    if not chapter.workshop:
        found += [f"{name}: {said}" for said in unless_excused(form_faults(chapter), excused)]
    for i, cell in enumerate(chapter.cells):
        lines = code_lines(cell.code) if cell.exported else 0
        if lines > CELL_LINES:
            found.append(
                f"{name}, cell {i}: {lines} lines of exported code, at most {CELL_LINES} "
                "(docstrings and comments not counted); split it"
            )
    return found


def files(root: Path) -> list[Path]:
    """What a commit would hold: tracked files and new ones that git does not ignore; outside git, all that is not hidden."""
    if (root / ".git").exists():
        command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(
            command, cwd=root, capture_output=True, text=True, check=True
        ).stdout
        found = [root / name for name in listed.split("\0") if name]
    else:
        found = [
            p for p in root.rglob("*") if not any(x[0] == "." for x in p.relative_to(root).parts)
        ]
    return sorted({p for p in found if p.is_file()})


def problems(root: Path) -> list[str]:
    """One line for each fault, empty when all is well."""
    excused, book = not_yet(root), chapters(root)
    found = []
    for chapter in book:
        found += chapter_problems(chapter, root, excused.pop(chapter.path.stem, []))
    found += [f"{NOT_YET}: names {stem}, which is no chapter" for stem in excused]
    total = sum(p.stat().st_size for p in (root / "nbs").rglob("*.ipynb")) / 1000
    if total > NBS_KB:
        found.append(f"nbs/: {total:.0f} KB of notebooks, at most {NBS_KB}")
    for path in files(root):
        size = path.stat().st_size / 1000
        if size > FILE_KB:
            found.append(
                f"{path.relative_to(root)}: {size:.0f} KB, at most {FILE_KB}; keep large files out of git"
            )
    return found


def runs(root: Path) -> str:
    """A table: the longest run of code of each lecture, its words and cells."""
    lines = [f"{'chapter':24}{'run':>5}  {'cells':9}{'words':>6}{'cells':>6}{'KB':>6}"]
    for chapter in chapters(root):
        if not chapter.workshop:
            run, first, last = longest_run(chapter)
            prose = sum(words(c) for c in chapter.cells if c.kind == "markdown")
            size = chapter.path.stat().st_size / 1000
            lines.append(
                f"{chapter.path.stem:24}{run:5}  {f'{first}-{last}':9}{prose:6}{len(chapter.cells):6}{size:6.0f}"
            )
    return "\n".join(lines)


def main(root: Path) -> int:
    if "--runs" in sys.argv:
        print(runs(root))
        return 0
    if "--shrink" in sys.argv:
        shrink(root)
    found = problems(root)
    print(*found, sep="\n", end="\n" if found else "")
    print(f"sizes: {len(found)} faults" if found else "sizes: within bounds")
    return bool(found)


if __name__ == "__main__":
    given = [word for word in sys.argv[1:] if not word.startswith("-")]
    sys.exit(main(Path(given[0]).resolve() if given else ROOT))
