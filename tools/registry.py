"""The registry of chapters: what each is, how they form parts, and the paths through them.

    python tools/registry.py [ROOT]

Reads the first cell of every notebook and nbs/book.toml, and writes the tables of README.md and nbs/index.ipynb between
the marks `<!-- book: name -->` and `<!-- end -->`. `make export` calls it; `check_sync.py` sees when a table is out of date.
"""

import json
import re
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

from book import ROOT, Chapter, chapters

PLAN = Path("nbs") / "book.toml"
MARKED = re.compile(r"(<!-- book: (\w+) -->\n)(.*?)(\n?<!-- end -->)", re.DOTALL)
WHOLE = "one two three four five six seven eight nine ten".split()
MINUTES = {word: number for number, word in enumerate(WHOLE, 1)}
MINUTES |= {"fifteen": 15, "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "ninety": 90}
HOURS = {
    "a quarter of an hour": 15,
    "half an hour": 30,
    "three quarters of an hour": 45,
    "an hour": 60,
}


@dataclass(frozen=True)
class Entry:
    """One chapter as the registry knows it."""

    chapter: Chapter
    part: str | None

    @property
    def first(self) -> str:
        return self.chapter.cells[0].source

    @property
    def number(self) -> str:
        return f"{self.chapter.number:02d}"

    @property
    def stem(self) -> str:
        return self.chapter.path.stem

    @property
    def title(self) -> str:
        found = re.search(r"^# (.+)$", self.first, re.MULTILINE)
        return found[1].strip() if found else ""

    @property
    def line(self) -> str:
        """The line after `>`, which is also the docstring of the module."""
        found = re.search(r"^> (.+)$", self.first, re.MULTILINE)
        return found[1].strip() if found else ""

    def told(self, what: str) -> str | None:
        """What stands after *Know first:*, *Time:* or *Memory:* in the first cell."""
        marks = r"\*+(?:Know first|Time|Memory|You will be able to)"
        found = re.search(rf"\*+{what}:\*+(.*?)(?={marks}|\n\n|$)", self.first, re.DOTALL)
        return " ".join(found[1].split()) if found else None

    @property
    def know_first(self) -> list[str]:
        """Numbers of the chapters that it asks for; "03 to 05" names three."""
        text = self.told("Know first") or ""
        for low, high in re.findall(r"\b(\d\d) to (\d\d)\b", text):
            text += " " + " ".join(f"{n:02d}" for n in range(int(low), int(high) + 1))
        return sorted(set(re.findall(r"\b\d\d\b", text)))

    @property
    def minutes(self) -> int | None:
        """Minutes to read, as the first cell says in words or digits; None where it does not."""
        text = (self.told("Time") or "").split(" to read")[0].lower()
        for words, minutes in HOURS.items():
            if text.endswith(words):
                return minutes
        found = re.search(r"(\w+) minutes?$", text)
        if found is None:
            return None
        return int(found[1]) if found[1].isdigit() else MINUTES.get(found[1])


@dataclass(frozen=True)
class Way:
    """A way through the book: chapters by number, in sittings."""

    name: str
    says: str
    sittings: list[list[str]]
    after: str | None = None

    @property
    def numbers(self) -> list[str]:
        return [number for sitting in self.sittings for number in sitting]


@dataclass(frozen=True)
class Registry:
    lectures: list[Entry]  # by number
    workshops: list[Entry]
    parts: list[str]
    paths: list[Way]
    looks: list[tuple[str, list[str]]]

    def named(self, number: str) -> Entry | None:
        return next((entry for entry in self.lectures if entry.number == number), None)


def read_registry(root: Path = ROOT) -> Registry:
    plan = tomllib.loads((root / PLAN).read_text(encoding="utf-8"))
    ranges = {part["title"]: part["numbers"] for part in plan["part"]}

    def part(number: int) -> str | None:
        return next((t for t, (low, high) in ranges.items() if low <= number <= high), None)

    numbered = [c for c in chapters(root) if c.number is not None]
    entries = [Entry(c, None if c.workshop else part(c.number)) for c in numbered]
    return Registry(
        [entry for entry in entries if not entry.chapter.workshop],
        [entry for entry in entries if entry.chapter.workshop],
        list(ranges),
        [Way(p["name"], p["says"], p["sittings"], p.get("after")) for p in plan.get("path", [])],
        [(look["what"], look["chapters"]) for look in plan.get("look", [])],
    )


# --- what must hold ----------------------------------------------------------------------------------------------


def chapter_faults(entry: Entry, registry: Registry) -> list[str]:
    name = entry.chapter.path.name
    found = [] if entry.title else [f"{name}: expected a first cell that starts with '# Title'"]
    found += (
        [] if entry.line else [f"{name}: expected a line that starts with '> ' under its title"]
    )
    if entry.chapter.workshop:
        return found
    if entry.part is None:
        found.append(f"{name}: no part of {PLAN} has the number {entry.number}")
    if entry.told("Know first") is None:
        found.append(f"{name}: expected '*Know first:*' in its first cell")
    if entry.minutes is None:
        found.append(
            f"{name}: expected '*Time:* twenty minutes to read, …' in its first cell, got {entry.told('Time')!r}"
        )
    for number in entry.know_first:
        if registry.named(number) is None:
            found.append(f"{name}: asks for chapter {number}, which is not in the book")
        elif number >= entry.number:
            found.append(f"{name}: asks for chapter {number}, which comes later")
    return found


def path_faults(path: Way, registry: Registry) -> list[str]:
    """A path names chapters of the book, and what a chapter asks to know first stands before it."""
    before = next((p.numbers for p in registry.paths if p.name == path.after), [])
    if path.after and not before:
        return [f"{PLAN}: the path '{path.name}' goes on after '{path.after}', which is no path"]
    found, read = [], list(before)
    for number in path.numbers:
        entry = registry.named(number)
        if entry is None:
            found.append(f"{PLAN}: the path '{path.name}' names chapter {number}, which is missing")
            continue
        if missing := [known for known in entry.know_first if known not in read]:
            found.append(
                f"{PLAN}: on the path '{path.name}' chapter {number} asks for {', '.join(missing)}, "
                "which the reader has not met; put it before, or let the chapter ask for less"
            )
        read.append(number)
    return found


def problems(root: Path = ROOT) -> list[str]:
    """One line for each fault of the registry itself and for each table that is out of date."""
    registry = read_registry(root)
    everything = registry.lectures + registry.workshops
    found = [line for entry in everything for line in chapter_faults(entry, registry)]
    found += [line for path in registry.paths for line in path_faults(path, registry)]
    tables = blocks(registry)
    for path, texts in pages(root).items():
        for text in texts:
            for _, name, inside, _ in MARKED.findall(text):
                if name not in tables:
                    found.append(f"{path.relative_to(root)}: <!-- book: {name} --> is not known")
                elif inside.strip() != linked(tables[name], path, root).strip():
                    found.append(
                        f"{path.relative_to(root)}: its table of {name} is out of date; run `make export`"
                    )
    return found


# --- what is written ---------------------------------------------------------------------------------------------


def link(entry: Entry) -> str:
    folder = "workshop/" if entry.chapter.workshop else ""
    return f"[{entry.stem}]({{nbs}}{folder}{entry.stem}.ipynb)"


def short_link(entry: Entry) -> str:
    return f"[{entry.number}]({{nbs}}{entry.stem}.ipynb)"


def chapter_table(registry: Registry) -> str:
    rows = ["| chapter | module | about | minutes |", "|---|---|---|---|"]
    for part in registry.parts:
        inside = [entry for entry in registry.lectures if entry.part == part]
        rows += [f"| **{part}** | | | |"] * bool(inside)
        for entry in inside:
            module = f"`{entry.chapter.module}`" if entry.chapter.module else "–"
            rows.append(f"| {link(entry)} | {module} | {entry.line} | {entry.minutes or ''} |")
    return "\n".join(rows)


def workshop_table(registry: Registry) -> str:
    rows = ["| workshop | module | about |", "|---|---|---|"]
    for entry in registry.workshops:
        rows.append(f"| {link(entry)} | `{entry.chapter.module}` | {entry.line} |")
    return "\n".join(rows)


def path_list(registry: Registry) -> str:
    lines = []
    for path in registry.paths:
        known = [[registry.named(n) for n in sitting] for sitting in path.sittings]
        known = [[entry for entry in sitting if entry] for sitting in known]
        hours = sum(entry.minutes or 0 for sitting in known for entry in sitting) / 60
        steps = " | ".join(", ".join(map(short_link, sitting)) for sitting in known)
        steps = steps.replace(" | ", " → ")
        lines.append(
            f"- **{path.name}:** {path.says}. {steps}. About {hours:.0f} hours of reading."
        )
    return "\n".join(lines)


def look_table(registry: Registry) -> str:
    rows = ["| you look for | chapter |", "|---|---|"]
    for what, numbers in registry.looks:
        found = [short_link(entry) for n in numbers if (entry := registry.named(n))]
        rows.append(f"| {what} | {', '.join(found)} |")
    return "\n".join(rows)


def blocks(registry: Registry) -> dict[str, str]:
    """The pieces of text that a page may ask for, by name."""
    return {
        "chapters": chapter_table(registry),
        "workshops": workshop_table(registry),
        "paths": path_list(registry),
        "look": look_table(registry),
    }


def linked(text: str, page: Path, root: Path) -> str:
    """Links as seen from a page: in nbs/ a chapter lies beside it."""
    return text.replace("{nbs}", "" if page.parent == root / "nbs" else "nbs/")


def pages(root: Path) -> dict[Path, list[str]]:
    """The texts in which a table may stand: README.md, and the markdown cells of the map."""
    index = root / "nbs" / "index.ipynb"
    found = {}
    if (root / "README.md").exists():
        found[root / "README.md"] = [(root / "README.md").read_text(encoding="utf-8")]
    if index.exists():
        cells = json.loads(index.read_text(encoding="utf-8"))["cells"]
        found[index] = ["".join(c["source"]) for c in cells if c["cell_type"] == "markdown"]
    return found


def fill(text: str, tables: dict[str, str], page: Path, root: Path) -> str:
    def piece(match: re.Match) -> str:
        inside = (
            linked(tables[match[2]], page, root) if match[2] in tables else match[3].strip("\n")
        )
        return f"<!-- book: {match[2]} -->\n\n{inside}\n\n<!-- end -->"

    return MARKED.sub(piece, text)


def write(root: Path = ROOT) -> list[str]:
    """Bring the tables of README.md and the map up to date; returns the names of the files that changed."""
    tables, changed = blocks(read_registry(root)), []
    readme, index = root / "README.md", root / "nbs" / "index.ipynb"
    if readme.exists():
        old = readme.read_text(encoding="utf-8")
        if (new := fill(old, tables, readme, root)) != old:
            readme.write_text(new, encoding="utf-8")
            changed.append(readme.name)
    if index.exists():
        notebook = json.loads(index.read_text(encoding="utf-8"))
        before = json.dumps(notebook)
        for cell in notebook["cells"]:
            if cell["cell_type"] == "markdown":
                text = fill("".join(cell["source"]), tables, index, root)
                cell["source"] = text.splitlines(keepends=True)
        if json.dumps(notebook) != before:
            text = json.dumps(notebook, ensure_ascii=False, indent=1) + "\n"
            index.write_text(text, encoding="utf-8")
            changed.append(f"nbs/{index.name}")
    return changed


if __name__ == "__main__":
    root = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT
    for name in write(root):
        print(f"wrote the tables of {name}")
    faults = problems(root)
    print(*faults, sep="\n", end="\n" if faults else "")
    sys.exit(bool(faults))
