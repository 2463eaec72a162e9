"""Read the notebooks of the book: what the gates and the exporters need to know about a chapter, without running it."""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIBRARY = "mr2ct"
WORKSHOP = "workshop"  # the folder of nbs/ that holds plumbing

DIRECTIVE = re.compile(r"^\s*#\s*\|\s*([\w-]+):?\s*(.*)$")
SKIPPED_FLAGS = ("slow", "gpu", "data")  # cells that no test runs, as `tst_flags` in settings.ini


@dataclass(frozen=True)
class Cell:
    """One cell: its kind ("code" or "markdown"), its text, and the `#|` lines that open it."""

    kind: str
    source: str
    outputs: list = field(default_factory=list)
    directives: dict = field(default_factory=dict)
    metadata: dict = field(default_factory=dict)

    @property
    def exported(self) -> bool:
        return any(name in self.directives for name in ("export", "exports", "exporti"))

    @property
    def skipped(self) -> bool:
        """Whether the tests leave this cell out."""
        off = self.directives.get("eval", "").lower() == "false"
        return off or any(flag in self.directives for flag in SKIPPED_FLAGS)

    @property
    def code(self) -> str:
        """The source without its `#|` lines."""
        lines = self.source.splitlines()
        while lines and (not lines[0].strip() or DIRECTIVE.match(lines[0])):
            lines.pop(0)
        return "\n".join(lines)


@dataclass(frozen=True)
class Chapter:
    """One notebook. `number` is None for index.ipynb, `module` is None where nothing is exported."""

    path: Path
    cells: list[Cell]

    @property
    def number(self) -> int | None:
        found = re.match(r"(\d\d)_", self.path.name)
        return int(found[1]) if found else None

    @property
    def workshop(self) -> bool:
        """Whether it is a workshop notebook: plumbing, on no reader's path."""
        return self.path.parent.name == WORKSHOP

    @property
    def place(self) -> tuple[int, bool]:
        """The order of dependence: by number; the workshops of a number come before its lecture."""
        return (-1 if self.number is None else self.number), not self.workshop

    @property
    def module(self) -> str | None:
        names = [c.directives["default_exp"] for c in self.cells if "default_exp" in c.directives]
        return names[0] if names else None


def directives(source: str) -> dict[str, str]:
    """The `#| name value` lines at the top of a cell."""
    found = {}
    for line in source.splitlines():
        if match := DIRECTIVE.match(line):
            found[match[1]] = match[2].strip()
        elif line.strip():
            break
    return found


def without_magics(source: str) -> str:
    """The same lines; % and ! commands are replaced, so that Python can read the rest."""
    return "\n".join(
        "pass" if line.lstrip()[:1] in ("%", "!") else line for line in source.splitlines()
    )


def read(path: Path) -> Chapter:
    """One notebook from disk."""
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise SystemExit(f"{path}: expected a notebook (JSON), got: {error}") from None
    cells = []
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        known = directives(source) if cell["cell_type"] == "code" else {}
        rest = cell.get("outputs", []), known, cell.get("metadata", {})
        cells.append(Cell(cell["cell_type"], source, *rest))
    return Chapter(path, cells)


def notebooks(root: Path = ROOT) -> list[Path]:
    """Every notebook of the book, in reading order; hidden ones and those that start with _ are not part of it."""
    found = (root / "nbs").rglob("*.ipynb")
    inside = [p for p in found if not any(x[0] in "._" for x in p.relative_to(root / "nbs").parts)]
    # index first, then by number; the workshops of a number come before its lecture
    return sorted(
        inside,
        key=lambda p: (p.name != "index.ipynb", p.name[:2], p.parent.name != WORKSHOP, p.name),
    )


def chapters(root: Path = ROOT) -> list[Chapter]:
    return [read(path) for path in notebooks(root)]
