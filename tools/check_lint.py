"""Gate 2: notebooks and hand-written files are formatted, and every name is defined where it is used, and used.

    python tools/check_lint.py [ROOT]

An import that stands only in an un-exported cell passes every notebook and fails every user of the library.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

from book import LIBRARY, ROOT

GENERATED = (
    "F,E9"  # undefined names, redefinitions, imports and variables that nothing uses, syntax errors
)
BY_HAND = "F,E9,E731"  # and functions that hide in a lambda with a name
HANDWRITTEN = ("tools", "tests", "site", "data_scripts")
HINTS = {
    "F821": "import or define it in an exported cell (`#| export`) of that module's notebook",
    "F811": "defined twice; let only one of the two cells carry `#| export`",
    "F401": "take the import out, or move it to the cell that uses it",
}


def ruff(*arguments: str, root: Path) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "ruff", *arguments]
    return subprocess.run(command, cwd=root, capture_output=True, text=True)


def unformatted(root: Path, folders: list[str]) -> list[str]:
    """Files that the formatter would change; generated ones follow their notebooks and do not count."""
    form = ruff("format", "--check", *folders, root=root)
    if form.returncode == 0:
        return []
    said = form.stdout + form.stderr
    names = sorted(set(re.findall(r"\S+?\.(?:ipynb|py)(?=[:\s]|$)", said, re.MULTILINE)))
    names = [name for name in names if (root / name).is_file()]
    found = [f"{name}: not formatted; run `make export`" for name in names]
    return found or said.strip().splitlines()[-3:]


def lint(root: Path, rules: str, *places: str) -> list[str]:
    done = ruff("check", *places, "--select", rules, "--output-format", "json", root=root)
    if done.returncode not in (0, 1):
        return done.stderr.strip().splitlines()
    found = []
    for fault in json.loads(done.stdout or "[]"):
        place = f"{Path(fault['filename']).relative_to(root)}:{fault['location']['row']}"
        code = fault["code"] or "syntax"
        hint = HINTS.get(code, "mend it in the notebook" if rules == GENERATED else "mend it")
        found.append(f"{place}: {fault['message']} ({code}); {hint}")
    return found


def problems(root: Path) -> list[str]:
    """One line for each fault, empty when all is well."""
    by_hand = [name for name in HANDWRITTEN if (root / name).is_dir()]
    generated = [name for name in (LIBRARY, "tests/notebooks") if (root / name).is_dir()]
    found = unformatted(root, ["nbs", *by_hand])
    found += lint(root, GENERATED, *generated)
    return found + lint(root, BY_HAND, "--exclude", "tests/notebooks", *by_hand) * bool(by_hand)


def main(root: Path) -> int:
    found = problems(root)
    print(*found, sep="\n", end="\n" if found else "")
    print(
        f"lint: {len(found)} faults"
        if found
        else "lint: all formatted, every name defined and used"
    )
    return bool(found)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT))
