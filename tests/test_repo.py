"""The house rules that no single chapter can hold: imports point down, versions agree, the library speaks for itself."""

import configparser
import json
import re
import subprocess
import sys
import tomllib

import pytest
from book import LIBRARY, ROOT, chapters, notebooks
from check_docs import problems as gaps
from export import FRONT_DOOR
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from rules import imported, late_imports, machine_words, many_by_position, undocumented

import mr2ct

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
MODULES = sorted(p for p in (ROOT / LIBRARY).glob("*.py") if not p.name.startswith("_"))
NOT_IN_LIBRARY = {  # and why
    "torchvision": "has no CPU build that matches a CPU torch, and its import then fails",
    "lpips": "needs torchvision",
    "fastcore": "belongs to nbdev, which readers of the library do not install",
    "nbdev": "belongs to the workshop, not to the library",
}


def test_each_module_has_one_notebook():
    assert [p.stem for p in MODULES] == sorted(c.module for c in chapters() if c.module)


def test_a_chapter_imports_only_from_earlier_chapters():
    assert late_imports(ROOT) == []


@pytest.mark.parametrize("path", notebooks(), ids=lambda p: p.stem)
def test_a_notebook_names_its_kernel(path):
    kernel = json.loads(path.read_text())["metadata"].get("kernelspec", {}).get("name")
    assert kernel == "python3", f"{path.name}: JupyterLab would ask the reader for a kernel"


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


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.stem)
def test_public_functions_have_docstrings_and_type_hints(path):
    assert undocumented(path) == []


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.stem)
def test_what_a_reader_cannot_guess_goes_by_name(path):
    assert many_by_position(path) == []


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.stem)
def test_public_functions_describe_their_arguments_and_errors(path):
    assert gaps(ROOT, [path.stem]) == []


def test_import_shows_the_modules_and_the_names_that_are_wanted_most():
    assert set(dir(mr2ct)) == {"__version__", *FRONT_DOOR, *(p.stem for p in MODULES)}
    assert mr2ct.BadInput is mr2ct.errors.BadInput
    with pytest.raises(AttributeError, match="no attribute 'jugde'"):
        mr2ct.jugde


def loaded_by(statement: str) -> set[str]:
    """Top names of the modules that a fresh Python has loaded after a statement."""
    asks = f"import sys; {statement}; print(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", asks], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_an_import_costs_what_is_used():
    heavy = {"torch", "numpy", "nibabel", "SimpleITK", "pydicom", "skimage", "ipywidgets"}
    heavy |= {"IPython", "matplotlib", "pandas", "scipy", "sklearn", "numba"}
    assert heavy & loaded_by("import mr2ct; dir(mr2ct); mr2ct.BadInput") == set()
    beyond = loaded_by("import mr2ct.losses") - loaded_by("import torch")
    assert heavy & beyond == set(), "mr2ct.losses costs torch and nothing else"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.stem)
def test_library_does_not_import(path):
    tops = {name.split(".")[0] for name in imported(path.read_text())}
    assert {name: NOT_IN_LIBRARY[name] for name in tops & set(NOT_IN_LIBRARY)} == {}


def test_no_file_names_a_machine_or_a_secret():
    assert machine_words(ROOT) == []


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


def test_setup_alone_installs():
    """No other command asks the network: the rule that fills .venv is the only one with pip."""
    rules = re.split(
        r"^(?=[$\w][^\n:=]*:(?!=))", (ROOT / "Makefile").read_text(), flags=re.MULTILINE
    )
    assert [rule.split(":")[0] for rule in rules if "pip" in rule] == ["$(INSTALLED)"]
    makefile, extras = (ROOT / "Makefile").read_text(), dict(PROJECT["optional-dependencies"])
    alone = {Requirement(line).name for line in extras.pop("oracle")}
    assert alone == set(re.search(r"--no-deps (.+)", makefile)[1].split()), "oracles, by themselves"
    whole = re.search(r"-e '\.\[(.+)\]'", makefile)[1].split(",")
    assert set(whole) == set(extras), "setup installs every extra"


@pytest.mark.parametrize(
    "given, profile, folder",
    [([], "laptop", "workbook"), (["PROFILE=smoke"], "smoke", "workbook-smoke")],
)
def test_the_workbook_takes_a_profile(given, profile, folder):
    run = ["make", "-n", "workbook", *given, "INSTALLED="]
    said = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert f"mr2ct bench --profile {profile} --out {folder}\n" in said


def test_the_front_page_has_its_picture():
    picture = ROOT / "site" / "front.png"
    assert picture.stat().st_size < 150_000
    assert f"]({picture.relative_to(ROOT)})" in (ROOT / "README.md").read_text()
