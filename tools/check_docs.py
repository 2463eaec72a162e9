"""Gate 8: what `help()` says of the library: arguments, errors, examples.

    python tools/check_docs.py [ROOT] [MODULE ...] [--run]

Prints one line for each public function that takes two arguments or more and does not describe them, or raises an error
and does not say so. --run also runs the examples (`>>>`). `tests/test_repo.py` and `tests/test_examples.py` hold both.
"""

import ast
import doctest
import importlib
import sys
from dataclasses import dataclass
from pathlib import Path

from book import LIBRARY, ROOT

EXAMPLES = 40  # functions and classes with a `>>>` example, at least
CANNOT_BE_A_READERS_FAULT = {"NotImplementedError", "StopIteration", "KeyboardInterrupt"}
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Class:
    """A class of the library: where it stands and what it is made from."""

    node: ast.ClassDef
    bases: list[str]


def modules(root: Path) -> dict[str, ast.Module]:
    """The syntax tree of each module of the library, by name."""
    paths = sorted((root / LIBRARY).glob("*.py"))
    return {p.stem: ast.parse(p.read_text()) for p in paths if not p.name.startswith("_")}


def classes(trees: dict[str, ast.Module]) -> dict[str, Class]:
    found = {}
    for tree in trees.values():
        for node in tree.body:
            if isinstance(node, ast.ClassDef):
                bases = [ast.unparse(base).split(".")[-1].split("[")[0] for base in node.bases]
                found[node.name] = Class(node, bases)
    return found


def inherited(name: str, owner: str, known: dict[str, Class]) -> str:
    """The docstring of the method in the nearest base class that has one, as `help` shows it."""
    for base in known[owner].bases if owner in known else []:
        if base in known:
            for node in known[base].node.body:
                if isinstance(node, FUNCTIONS) and node.name == name and ast.get_docstring(node):
                    return ast.get_docstring(node)
            if found := inherited(name, base, known):
                return found
    return ""


def parameters(function: ast.FunctionDef) -> list[str]:
    given = function.args
    names = [a.arg for a in given.posonlyargs + given.args + given.kwonlyargs]
    return [name for name in names if name not in ("self", "cls")]


def raised(function: ast.FunctionDef) -> list[str]:
    """Names of the errors that the body raises itself; functions inside it and plain `raise` do not count."""
    found, todo = [], list(function.body)
    while todo:
        node = todo.pop()
        if isinstance(node, FUNCTIONS | ast.ClassDef | ast.Lambda):
            continue
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call | ast.Name):
            called = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            found.append(ast.unparse(called).split(".")[-1])
        todo += list(ast.iter_child_nodes(node))
    return sorted(set(found) - CANNOT_BE_A_READERS_FAULT)


def is_command(function: ast.FunctionDef) -> bool:
    """A command of the command line: its `--help` is made from the options, not from the docstring."""
    return any(".command" in ast.unparse(mark) for mark in function.decorator_list)


def gaps(place: str, function: ast.FunctionDef, text: str) -> list[str]:
    found = []
    names = parameters(function)
    if len(names) > 1 and "Args:" not in text:
        found.append(f"{place}: no Args: ({', '.join(names)})")
    if (errors := raised(function)) and "Raises:" not in text:
        found.append(f"{place}: no Raises: ({', '.join(errors)})")
    return found


def class_gaps(place: str, node: ast.ClassDef, known: dict[str, Class]) -> list[str]:
    """A class describes its constructor; its methods describe themselves, or inherit what describes them."""
    found, own = [], ast.get_docstring(node) or ""
    for item in node.body:
        if not isinstance(item, FUNCTIONS):
            continue
        if item.name in ("__init__", "__post_init__"):
            described = own.replace("Attributes:", "Args:")
            found += gaps(place, item, described + (ast.get_docstring(item) or ""))
        elif not item.name.startswith("_"):
            # An override says what differs; the arguments may be described in the class that it comes from.
            text = (ast.get_docstring(item) or "") + inherited(item.name, node.name, known)
            found += gaps(f"{place}.{item.name}", item, text)
    return found


def problems(root: Path, only: list[str] | None = None) -> list[str]:
    """One line for each gap, in the whole library or in some of its modules."""
    trees = modules(root)
    known, found = classes(trees), []
    for module, tree in trees.items():
        if only and module not in only:
            continue
        for node in tree.body:
            if getattr(node, "name", "_").startswith("_"):
                continue
            place = f"{module}.{node.name}"
            if isinstance(node, ast.ClassDef):
                found += class_gaps(place, node, known)
            elif isinstance(node, FUNCTIONS) and not is_command(node):
                found += gaps(place, node, ast.get_docstring(node) or "")
    return found


def examples(root: Path) -> dict[str, list[str]]:
    """Names of what has a `>>>` example, by module: functions, classes and methods."""
    found = {}
    for module, tree in modules(root).items():
        for node in ast.walk(tree):
            if isinstance(node, FUNCTIONS | ast.ClassDef) and ">>>" in (
                ast.get_docstring(node) or ""
            ):
                found.setdefault(module, []).append(node.name)
    return found


def run_examples(module: str) -> tuple[int, str]:
    """Run the examples of one module, each in a fresh copy of its names: how many, and what failed."""
    loaded = importlib.import_module(f"{LIBRARY}.{module}")
    said: list[str] = []
    runner, count = doctest.DocTestRunner(optionflags=OPTIONS), 0
    for test in doctest.DocTestFinder(exclude_empty=True).find(loaded):
        if test.examples:
            count += 1
            runner.run(test, out=said.append)
    return count, "".join(said)


def main(arguments: list[str]) -> int:
    words = [word for word in arguments if not word.startswith("-")]
    root = Path(words.pop(0)).resolve() if words and "/" in words[0] else ROOT
    found, shown = problems(root, words), examples(root)
    print(*found, sep="\n", end="\n" if found else "")
    failed = False
    for module in sorted(set(words or shown) & set(shown)) if "--run" in arguments else []:
        count, said = run_examples(module)
        failed |= bool(said)
        print(said or f"{module}: {count} examples run")
    names = sum(len(x) for x in shown.values())
    print(
        f"docs: {len(found)} gaps; {names} functions and classes with an example, {EXAMPLES} wanted"
    )
    return bool(found) or failed or names < EXAMPLES


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
