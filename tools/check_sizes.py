"""Gate 3: nothing outgrows its reader: notebooks, stored figures, chapters, exported cells, files.

python tools/check_sizes.py [ROOT]
"""

import ast
import io
import re
import subprocess
import sys
import tokenize
from pathlib import Path

from book import ROOT, Cell, Chapter, chapters

NOTEBOOK_KB = 600
NBS_KB = 20_000
FILE_KB = 1_000
FIGURES = 3
CELLS = (25, 70)
WORDS = (500, 2200)
CELL_LINES = 40
NO_LOWER_BOUND = ("index", "00_tour", "90_command_line")  # a map and two short visits
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


def stored_figures(chapter: Chapter) -> int:
    kinds = [kind for c in chapter.cells for o in c.outputs for kind in o.get("data", {})]
    return sum(kind.startswith("image/") for kind in kinds)


def allowed_figures(chapter: Chapter) -> int:
    """Three, or the number in a line `figures: N because …` of a markdown cell."""
    text = "\n".join(c.source for c in chapter.cells if c.kind == "markdown")
    stated = re.search(r"^\W*figures: (\d+) because \S+", text, re.MULTILINE)
    return int(stated[1]) if stated else FIGURES


def out_of_range(value: int, bounds: tuple[int, int], stem: str) -> bool:
    low = 0 if stem in NO_LOWER_BOUND else bounds[0]
    return not low <= value <= bounds[1]


def chapter_problems(chapter: Chapter, root: Path) -> list[str]:
    name, stem = chapter.path.relative_to(root), chapter.path.stem
    found = []
    size = chapter.path.stat().st_size / 1000
    if size > NOTEBOOK_KB:
        found.append(
            f"{name}: {size:.0f} KB, at most {NOTEBOOK_KB}; store fewer or smaller pictures "
            "(only cells with `#| figure` keep theirs: `make notebooks`)"
        )
    figures, allowed = stored_figures(chapter), allowed_figures(chapter)
    if figures > allowed:
        found.append(
            f"{name}: {figures} stored figures, at most {allowed}; take `#| figure` off some, or say why "
            f"in a markdown line `figures: {figures} because …`"
        )
    if any(o.get("output_type") == "error" for c in chapter.cells for o in c.outputs):
        found.append(f"{name}: stores the traceback of an error; run it again: `make notebooks`")
    if not chapter.workshop and out_of_range(len(chapter.cells), CELLS, stem):
        found.append(f"{name}: {len(chapter.cells)} cells, expected {CELLS[0]} to {CELLS[1]}")
    prose = sum(words(c) for c in chapter.cells if c.kind == "markdown")
    if not chapter.workshop and out_of_range(prose, WORDS, stem):
        found.append(f"{name}: {prose} words of prose, expected {WORDS[0]} to {WORDS[1]}")
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
    found = [line for chapter in chapters(root) for line in chapter_problems(chapter, root)]
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


def main(root: Path) -> int:
    found = problems(root)
    print(*found, sep="\n", end="\n" if found else "")
    print(f"sizes: {len(found)} faults" if found else "sizes: within bounds")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT))
