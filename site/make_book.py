"""Build the web book: `python site/make_book.py [folder]`. Runs no notebook and asks the network for nothing.

Gather the pages (chapters from nbs/, one page a module), let Sphinx turn them into HTML, check every link.
The last line names the page to open.
"""

import ast
import importlib
import re
import shutil
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
from sphinx.cmd.build import build_main
from sphinx.pycode import ModuleAnalyzer

SITE = Path(__file__).resolve().parent
sys.path.insert(0, str(SITE.parent / "tools"))

from book import LIBRARY, ROOT, WORKSHOP, Cell, Chapter, chapters, without_magics  # noqa: E402
from registry import Registry, read_registry  # noqa: E402

TAGS = {"hide": "remove-cell"}  # what MyST-NB calls these `#|` lines


def short_title(chapter: Chapter) -> str:
    """What the sidebar shows: the number and the title up to its colon."""
    title = re.search(r"^# (.+)$", chapter.cells[0].source, re.MULTILINE)
    if title is None:
        raise SystemExit(f"{chapter.path}: expected a first cell that starts with '# Title'")
    words = title[1].split(":")[0].strip()
    return words if chapter.number is None else f"{chapter.number:02d} {words}"


def toctree(caption: str, entries: list[str]) -> str:
    lines = "\n".join(entries)
    return f"```{{toctree}}\n:hidden:\n:caption: {caption}\n\n{lines}\n```"


def imports(cell: Cell) -> str:
    """The word imports for a cell of nothing else: a reader comes for the question that follows."""
    body = ast.parse(without_magics(cell.code)).body
    return "imports" * bool(body and all(isinstance(x, ast.Import | ast.ImportFrom) for x in body))


def readable(chapter: Chapter) -> nbformat.NotebookNode:
    """The notebook as a reader wants it: without `#|` lines, tests folded away, its module named."""
    notebook = nbformat.read(chapter.path, as_version=4)
    cells, heading = [], ""
    for cell, known in zip(notebook.cells, chapter.cells, strict=True):
        if known.kind == "markdown":
            heading = (re.findall(r"^#+ (.+)$", known.source, re.MULTILINE) or [heading])[-1]
        else:
            cell.source = known.code.strip("\n")
            cell.metadata["tags"] = [TAGS[name] for name in known.directives if name in TAGS]
            if "figure" in known.directives:  # else a screen reader spells the name of the file
                cell.metadata["mystnb"] = {"image": {"alt": f"Picture for “{heading}”"}}
            if folded := "tests" if "test" in known.directives else imports(known):
                cell.metadata["tags"] = ["hide-input"]
                prompts = {f"code_prompt_{x}": f"{x.title()} {folded}" for x in ("show", "hide")}
                cell.metadata["mystnb"] = prompts
            if not cell.source and not cell.get("outputs"):
                continue
        cells.append(cell)
    if chapter.module:
        kind = "workshop" if chapter.workshop else "chapter"
        name = f"{LIBRARY}.{chapter.module}"
        note = f"*Library:* this {kind} writes the module {{py:mod}}`{name}`."
        cells.insert(1, nbformat.v4.new_markdown_cell(note))
    notebook.cells = cells
    return notebook


def module_page(chapter: Chapter) -> str:
    """One page of the library: what autodoc finds, then the constants without a `#:` line, which it passes over."""
    name = f"{LIBRARY}.{chapter.module}"
    module = importlib.import_module(name)
    found = {constant for _, constant in ModuleAnalyzer.for_module(name).find_attr_docs()}
    lines = [name, "=" * len(name), "", f"Written in :doc:`/{page(chapter)}`.", ""]
    passed_on = {}  # what it hands on from another module is described there, once
    for member in module.__all__:
        home = getattr(getattr(module, member), "__module__", name)
        if home != name and str(home).startswith(f"{LIBRARY}."):
            passed_on.setdefault(home, []).append(member)
    for home, names in passed_on.items():
        lines += [f"Also here, from :py:mod:`{home}`: {', '.join(f'``{n}``' for n in names)}.", ""]
    hidden = ", ".join(n for names in passed_on.values() for n in names)
    lines += [f".. automodule:: {name}"] + [f"   :exclude-members: {hidden}"] * bool(hidden)
    lines += ["", f".. py:currentmodule:: {name}", ""]
    for constant in module.__all__:
        value = getattr(module, constant)
        if not callable(value) and constant not in found:
            lines += [f".. py:data:: {constant}", f"   :type: {type(value).__name__}"]
            lines += [f"   :value: {value!r}"] * (len(repr(value)) < 200) + [""]
    return "\n".join(lines)


def page(chapter: Chapter) -> str:
    """Where the page of a chapter lies in the web book, without its ending."""
    return f"{WORKSHOP}/{chapter.path.stem}" if chapter.workshop else chapter.path.stem


def contents(registry: Registry) -> str:
    """The sidebar: the parts of the book, the modules, and the workshops as an appendix."""
    trees = []
    for part in registry.parts:
        inside = [entry.chapter for entry in registry.lectures if entry.part == part]
        if inside:
            trees.append(toctree(part, [f"{short_title(c)} <{page(c)}>" for c in inside]))
    trees.append(toctree("Library", ["Modules <api/index>"]))
    if registry.workshops:
        trees.append(toctree("Appendix", ["Workshop notebooks <workshop/index>"]))
    return "\n\n".join(trees)


def appendix(registry: Registry) -> str:
    """The first page of the workshops."""
    lines = [f"- {{doc}}`{entry.stem}`: {entry.line}" for entry in registry.workshops]
    entries = [f"{short_title(w.chapter)} <{w.stem}>" for w in registry.workshops]
    text = "Plumbing that the chapters lean on: one job a notebook. No path through the book leads here."
    return "\n\n".join(
        ["# Workshop notebooks", text, "\n".join(lines), toctree("Workshop", entries), ""]
    )


def gather(pages: Path, root: Path = ROOT) -> None:
    """Write the sources that Sphinx reads: index first, then the chapters by number, then the modules."""
    book, registry = chapters(root), read_registry(root)
    if not any(chapter.path.name == "index.ipynb" for chapter in book):
        raise SystemExit(f"{root / 'nbs' / 'index.ipynb'}: expected the first page of the book")
    for folder in ("api", WORKSHOP):
        (pages / folder).mkdir(parents=True)
    modules = [chapter for chapter in book if chapter.module]
    for chapter in book:
        notebook = readable(chapter)
        if chapter.path.name == "index.ipynb":
            notebook.cells.append(nbformat.v4.new_markdown_cell(contents(registry)))
        nbformat.write(notebook, pages / f"{page(chapter)}.ipynb")
    for chapter in modules:
        (pages / "api" / f"{chapter.module}.rst").write_text(module_page(chapter))
    if registry.workshops:
        (pages / WORKSHOP / "index.md").write_text(appendix(registry))
    lines = [f"- {{py:mod}}`{LIBRARY}.{c.module}`: {one_line(c)}" for c in modules]
    tree = toctree("Modules", [c.module for c in modules])
    text = "# Library\n\nOne module a chapter, in the order of the book.\n\n" + "\n".join(lines)
    (pages / "api" / "index.md").write_text(f"{text}\n\n{tree}\n")


def one_line(chapter: Chapter) -> str:
    """The line after `>` under the title, which is also the module's docstring."""
    quote = re.search(r"^> (.+)$", chapter.cells[0].source, re.MULTILINE)
    return quote[1] if quote else ""


class Page(HTMLParser):
    """Where one page links to, what it loads, and the anchors it offers."""

    def __init__(self, path: Path):
        super().__init__()
        self.links, self.loads, self.anchors = [], [], {"", "top"}
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list) -> None:
        values = {name: value for name, value in attrs if value}
        self.anchors |= {values[name] for name in ("id", "name") if name in values}
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        elif tag != "a":
            named = [values[name] for name in ("src", "href", "data", "poster") if name in values]
            self.loads += [x for x in named if not x.startswith("data:")]


def faults(html: Path) -> list[str]:
    """One line for each link to nowhere, and for each thing that a page would load from outside."""
    html = html.resolve()
    written = [p for p in sorted(html.rglob("*.html")) if "_static" not in p.parts]
    pages = {path: Page(path) for path in written}
    found = []
    for path, page in pages.items():
        name = path.relative_to(html)
        for link in page.links + page.loads:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                if link in page.loads:
                    found.append(f"{name}: loads {link} from the network")
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.is_file():
                found.append(f"{name}: {link} leads to no file")
            elif target in pages and unquote(parts.fragment) not in pages[target].anchors:
                found.append(f"{name}: {link} leads to no anchor")
    for path in sorted(html.rglob("*.css")):
        style = path.read_text(encoding="utf-8")
        for link in re.findall(r"(?:url\(|@import\s)\s*['\"]?((?:https?:)?//[^'\")\s]+)", style):
            found.append(f"{path.relative_to(html)}: loads {link} from the network")
    return sorted(set(found))


def build(out: Path, root: Path = ROOT) -> Path:
    """Build the book into `out`/html, afresh. Returns the page to open."""
    pages, html, doctrees = out / "pages", out / "html", out / "doctrees"
    for folder in (pages, html, doctrees):
        shutil.rmtree(folder, ignore_errors=True)
    gather(pages, root)
    options = ["-b", "html", "-q", "-c", SITE, "-d", doctrees, pages, html]
    if code := build_main([str(option) for option in options]):
        raise SystemExit(code)
    if wrong := faults(html):
        raise SystemExit("\n".join([*wrong, f"{len(wrong)} broken links in the web book"]))
    return html / "index.html"


if __name__ == "__main__":
    print(build(Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else SITE / "_build"))
