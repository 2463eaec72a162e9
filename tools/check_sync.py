"""Gate 1: the library and its tests are what the notebooks export, and the notebooks are clean.

    python tools/check_sync.py [ROOT]

Compares both ways: a file that no notebook writes any more is as wrong as one that differs.
"""

import sys
import tempfile
from pathlib import Path

import registry
from book import LIBRARY, ROOT, notebooks
from export import MARK, clean_and_export, faults_before_export, generated


def problems(root: Path) -> list[str]:
    """One line for each fault, empty when all is well."""
    if not notebooks(root):
        return ["nbs/: expected notebooks, found none"]
    if faults := faults_before_export(root):
        return faults
    found = []
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        clean_and_export(root, out)
        have, want = generated(root), generated(out)
        for path in sorted(have - want):
            found.append(
                f"{path}: stale, no notebook exports it; run `make export` (it is then removed)"
            )
        for path in sorted(want - have):
            if (root / path).exists():
                found.append(
                    f"{path}: written by hand (the line '{MARK}' is missing); run `make export`"
                )
            else:
                found.append(f"{path}: missing; run `make export`")
        for path in sorted(have & want):
            if (root / path).read_bytes() != (out / path).read_bytes():
                found.append(
                    f"{path}: differs from what its notebook exports; put the change into the notebook, "
                    "then run `make export`"
                )
        for path in notebooks(root):
            name = path.relative_to(root)
            if path.read_bytes() != (out / name).read_bytes():
                found.append(
                    f"{name}: not clean (execution counts or editor metadata); run `make export`"
                )
    if (root / registry.PLAN).exists():
        found += registry.problems(root)
    by_hand = {
        p.relative_to(root) for p in (root / LIBRARY).rglob("*.py") if "__pycache__" not in p.parts
    }
    for path in sorted(by_hand - have - want):
        found.append(f"{path}: written by hand; library code lives in nbs/ only")
    return found


def main(root: Path) -> int:
    found = problems(root)
    print(*found, sep="\n", end="\n" if found else "")
    print(f"sync: {len(found)} faults" if found else "sync: library, tests and notebooks agree")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT))
