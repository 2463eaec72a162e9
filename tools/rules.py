"""House rules that tests/test_repo.py holds: each function returns one line for each fault."""

import ast
import re
from pathlib import Path

from book import LIBRARY, chapters, without_magics
from check_sizes import files


def imported(source: str) -> set[str]:
    """Dotted names of the modules that a piece of Python imports; relative ones are read as the library's own."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(filter(None, [LIBRARY if node.level else "", node.module or ""]))
            if base == LIBRARY:
                found |= {f"{LIBRARY}.{alias.name}" for alias in node.names}
            else:
                found.add(base)
    return found


# What hands out finished things, trained networks: a cell that is not exported may ask for one to show what will be
# learned, in a chapter that comes before the one that explains how it is packed.
FINISHED = ("networks",)


def late_imports(root: Path) -> list[str]:
    """Imports of a chapter from one that does not come before it."""
    book = chapters(root)
    place = {c.module: c.place for c in book if c.module}
    found = []
    for chapter in book:
        if chapter.module is None or chapter.number is None:
            continue  # the map and the tour export nothing and may show everything
        for i, cell in enumerate(chapter.cells):
            if cell.kind != "code":
                continue
            for name in sorted(imported(without_magics(cell.code))):
                parts = name.split(".")
                if parts[-1] in FINISHED and not cell.source.lstrip().startswith("#| export"):
                    continue
                if (
                    parts[0] != LIBRARY
                    or len(parts) == 1
                    or parts[1] in ("__version__", chapter.module)
                ):
                    continue
                if parts[1] not in place:
                    found.append(
                        f"{chapter.path.name}, cell {i}: imports {name}, which no chapter exports"
                    )
                elif place[parts[1]] > chapter.place or (
                    place[parts[1]] == chapter.place and not chapter.workshop
                ):
                    found.append(
                        f"{chapter.path.name}, cell {i}: imports {name} of chapter {place[parts[1]][0]:02d}; "
                        "a chapter may import only from chapters with a smaller number"
                    )
    return found


def public(nodes: list[ast.stmt]) -> list[ast.stmt]:
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    return [n for n in nodes if isinstance(n, kinds) and not n.name.startswith("_")]


def missing_hints(function: ast.FunctionDef) -> list[str]:
    given = function.args
    names = [
        a for a in given.posonlyargs + given.args + given.kwonlyargs if a.arg not in ("self", "cls")
    ]
    missing = [a.arg for a in names if a.annotation is None]
    return missing + (["the result"] if function.returns is None else [])


def undocumented(path: Path) -> list[str]:
    found = []
    for node in public(ast.parse(path.read_text()).body):
        place = f"{path.name}:{node.lineno}: {node.name}"
        if not ast.get_docstring(node):
            found.append(f"{place}: no docstring")
        functions = public(node.body) if isinstance(node, ast.ClassDef) else [node]
        for function in functions:
            if isinstance(function, ast.ClassDef):
                continue
            name = place if function is node else f"{place}.{function.name}"
            if missing := missing_hints(function):
                found.append(f"{name}: no type hint for {', '.join(missing)}")
    return found


ARRAYS = re.compile(r"\b(Tensor|ndarray|Module|Image|Nifti1Image)\b")


def many_by_position(path: Path) -> list[str]:
    """Functions of four arguments or more that take more than two by position; arrays, tensors and networks may follow.

    Hooks that the trainer calls (`batches`, `get`) keep the form of the class that they belong to.
    """
    found = []
    for node in public(ast.parse(path.read_text()).body):
        inside = node.body if isinstance(node, ast.ClassDef) else [node]
        for function in inside:
            if not isinstance(function, ast.FunctionDef) or function.name in ("batches", "get"):
                continue
            if function.name.startswith("_") and function.name != "__init__":
                continue
            if any(".command" in ast.unparse(mark) for mark in function.decorator_list):
                continue  # a command is called from a shell
            if any("njit" in ast.unparse(mark) for mark in function.decorator_list):
                continue  # a compiled function takes its arguments by position
            given = function.args
            places = [a for a in given.posonlyargs + given.args if a.arg not in ("self", "cls")]
            rest = [a for a in places[2:] if not ARRAYS.search(ast.unparse(a.annotation or a))]
            if len(places) + len(given.kwonlyargs) >= 4 and rest:
                name = node.name if function is node else f"{node.name}.{function.name}"
                names = ", ".join(a.arg for a in rest)
                found.append(f"{path.name}: {name}: put * before {names}")
    return found


def machine_words(root: Path) -> list[str]:
    """Folders of one machine, and secrets, in any file that a commit would hold."""
    # Written in pieces, so that this file does not match itself. What precedes the slash lets web addresses pass.
    folders = "|".join(["work", "root", r"opt/\w+", r"tmp/\w+", r"Users/\w+", r"home/(?!you\b)\w+"])
    secrets = "|".join(
        ["BEGIN [A-Z ]*PRIVATE " + "KEY", "gh[pous]" + r"_\w{30}", "AKIA" + "[0-9A-Z]{16}"]
    )
    wrong = re.compile(rf"(?:^|[^\w.:/+-])/(?:{folders})\b|{secrets}", re.MULTILINE)
    found = []
    for path in files(root):
        text = path.read_bytes().decode("utf-8", errors="ignore")
        found += [f"{path.relative_to(root)}: {match[0].strip()}" for match in wrong.finditer(text)]
    return found
