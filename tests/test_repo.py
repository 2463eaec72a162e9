"""The house rules that no single chapter can hold: imports point down, versions agree, the library speaks for itself."""

import ast
import configparser
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import mr2ct
import pytest
from book import LIBRARY, ROOT, chapters
from check_sizes import files
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
MODULES = sorted(p for p in (ROOT / LIBRARY).glob("*.py") if not p.name.startswith("_"))
NOT_IN_LIBRARY = {  # why: see the design notes in CONTRIBUTING.md
    "torchvision": "has no CPU build that matches a CPU torch, and its import then fails",
    "lpips": "needs torchvision",
    "fastcore": "belongs to nbdev, which readers of the library do not install",
    "nbdev": "belongs to the workshop, not to the library",
}


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


def without_magics(source: str) -> str:
    return "\n".join(
        "pass" if line.lstrip()[:1] in ("%", "!") else line for line in source.splitlines()
    )


def late_imports(root: Path) -> list[str]:
    """Imports of a chapter from one that does not come before it."""
    book = chapters(root)
    number = {c.module: c.number for c in book if c.module}
    found = []
    for chapter in book:
        if chapter.module is None or chapter.number is None:
            continue  # the map and the tour export nothing and may show everything
        for i, cell in enumerate(chapter.cells):
            if cell.kind != "code":
                continue
            for name in sorted(imported(without_magics(cell.code))):
                parts = name.split(".")
                if (
                    parts[0] != LIBRARY
                    or len(parts) == 1
                    or parts[1] in ("__version__", chapter.module)
                ):
                    continue
                if parts[1] not in number:
                    found.append(
                        f"{chapter.path.name}, cell {i}: imports {name}, which no chapter exports"
                    )
                elif number[parts[1]] >= chapter.number:
                    found.append(
                        f"{chapter.path.name}, cell {i}: imports {name} of chapter {number[parts[1]]:02d}; "
                        "a chapter may import only from chapters with a smaller number"
                    )
    return found


def test_a_chapter_imports_only_from_earlier_chapters():
    assert late_imports(ROOT) == []


def test_versions_agree():
    settings = configparser.ConfigParser(interpolation=None)
    settings.read(ROOT / "settings.ini")
    heading = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert settings["DEFAULT"]["version"] == PROJECT["version"], "settings.ini and pyproject.toml"
    assert mr2ct.__version__ == PROJECT["version"], "mr2ct/__init__.py: run `make export`"
    assert heading and heading[1] == PROJECT["version"], "CHANGELOG.md: newest heading"


def test_every_dependency_is_pinned():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if line.strip() and not line.startswith("#"))
    pins = {canonicalize_name(name): version for name, version in pins.items()}
    extras = PROJECT["optional-dependencies"].values()
    for line in PROJECT["dependencies"] + [line for extra in extras for line in extra]:
        wanted = Requirement(line)
        version = pins.get(canonicalize_name(wanted.name))
        assert version, f"constraints.txt: no line {wanted.name}==…"
        assert wanted.specifier.contains(version), (
            f"constraints.txt: {wanted.name}=={version} is not {line}"
        )


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


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.stem)
def test_public_functions_have_docstrings_and_type_hints(path):
    assert undocumented(path) == []


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.stem)
def test_library_does_not_import(path):
    tops = {name.split(".")[0] for name in imported(path.read_text())}
    assert {name: NOT_IN_LIBRARY[name] for name in tops & set(NOT_IN_LIBRARY)} == {}


def test_no_file_names_a_machine_or_a_secret():
    # Written in pieces, so that this file does not match itself. `[^\w.:/]` lets web addresses pass.
    folders = "|".join(["work", "root", "tmp/bash", "opt/wheels", "opt/pypi", r"home/(?!you\b)\w+"])
    secrets = "|".join(
        ["BEGIN [A-Z ]*PRIVATE " + "KEY", "gh[pous]" + r"_\w{30}", "AKIA" + "[0-9A-Z]{16}"]
    )
    wrong = re.compile(rf"(?:^|[^\w.:/+-])/(?:{folders})\b|{secrets}", re.MULTILINE)
    found = []
    for path in files(ROOT):
        text = path.read_bytes().decode("utf-8", errors="ignore")
        found += [f"{path.relative_to(ROOT)}: {match[0].strip()}" for match in wrong.finditer(text)]
    assert found == []


def commands(pattern: str) -> set[tuple[str, str]]:
    """(file, word) for each command that README or CONTRIBUTING writes as code."""
    found = set()
    for name in ("README.md", "CONTRIBUTING.md"):
        text = (ROOT / name).read_text()
        code = re.findall(r"```.*?```|`[^`\n]+`", text, re.DOTALL)
        found |= {
            (name, word) for piece in code for word in re.findall(pattern, piece, re.MULTILINE)
        }
    return found


def test_make_commands_in_the_texts_exist():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    wrong = {pair for pair in commands(r"\bmake (?!-)([a-z]+)") if pair[1] not in targets}
    assert wrong == set()


def test_mr2ct_commands_in_the_texts_exist():
    pytest.importorskip("mr2ct.cli", reason="no command line yet")
    words = commands(r"(?:^|`|\$ |/)mr2ct ([a-z]+)\b")
    run = [sys.executable, "-c", "from mr2ct.cli import main; main()", "--help"]
    shown = subprocess.run(run, capture_output=True, text=True, check=True).stdout
    assert {pair for pair in words if not re.search(rf"\b{pair[1]}\b", shown)} == set()
