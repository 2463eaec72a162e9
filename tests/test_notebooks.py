"""Gate 5: every notebook runs to its end in a process of its own, within a time limit, and leaves nothing behind."""

import os
from pathlib import Path

import pytest
from book import ROOT, notebooks
from run_notebook import LIMIT_S, run

LIMIT = float(
    os.environ.get("MR2CT_NOTEBOOK_LIMIT", LIMIT_S)
)  # seconds; raise it on a slow machine


def other_files() -> set[Path]:
    """What lies in nbs/ beside notebooks."""
    found = (ROOT / "nbs").rglob("*")
    hidden = (".ipynb_checkpoints", "__pycache__")
    return {p for p in found if p.suffix != ".ipynb" and not set(hidden) & set(p.parts)}


@pytest.mark.parametrize("path", notebooks(), ids=lambda p: p.stem)
def test_notebook_runs(path):
    before = other_files()
    outcome = run(path, LIMIT)
    if not outcome.passed:
        pytest.fail(outcome.message, pytrace=False)
    left = sorted(p.name for p in other_files() - before)
    assert not left, f"{path.name} leaves {left} in nbs/; write to a temporary folder"
