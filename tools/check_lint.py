"""Gate 2: notebooks are formatted, and every name in the library is defined there.

    python tools/check_lint.py [ROOT]

An import that stands only in an un-exported cell passes every notebook and fails every user of the library.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

from book import LIBRARY, ROOT

RULES = "F821,F811,E9"  # undefined name, redefinition, syntax error
HINTS = {
    "F821": "import or define it in an exported cell (`#| export`) of that module's notebook",
    "F811": "defined twice; let only one of the two cells carry `#| export`",
}


def ruff(*arguments: str, root: Path) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "ruff", *arguments]
    return subprocess.run(command, cwd=root, capture_output=True, text=True)


def problems(root: Path) -> list[str]:
    """One line for each fault, empty when all is well."""
    found = []
    form = ruff("format", "--check", "nbs", root=root)
    if form.returncode:
        names = sorted(set(re.findall(r"nbs/\S+?\.ipynb", form.stdout + form.stderr)))
        found += [f"{name}: not formatted; run `make export`" for name in names]
        found += [] if names else (form.stdout + form.stderr).strip().splitlines()[-3:]
    lint = ruff("check", LIBRARY, "--select", RULES, "--output-format", "json", root=root)
    if lint.returncode not in (0, 1):
        return found + lint.stderr.strip().splitlines()
    for fault in json.loads(lint.stdout or "[]"):
        place = f"{Path(fault['filename']).relative_to(root)}:{fault['location']['row']}"
        code = fault["code"] or "syntax"
        found.append(
            f"{place}: {fault['message']} ({code}); {HINTS.get(code, 'mend it in the notebook')}"
        )
    return found


def main(root: Path) -> int:
    found = problems(root)
    print(*found, sep="\n", end="\n" if found else "")
    print(
        f"lint: {len(found)} faults" if found else "lint: notebooks formatted, every name defined"
    )
    return bool(found)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT))
