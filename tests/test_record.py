"""The gate of the record: it passes here, and fails on a wrong commit, a wrong profile and a row made by hand."""

import csv
import json
import os
import subprocess
import textwrap
from pathlib import Path

import check_record as gate
import pytest
from book import ROOT

from mr2ct.record import INCOMPLETE, Record

# Recorded before each row named its run. Names may leave this list, when a study is recorded anew; none may enter it.
FIRST_FORMAT = {
    "channels",
    "ladder_laptop",
    "losses_by_shift",
    "meta_contest",
    "meta_levers",
    "meta_maps",
    "meta_rivals",
    "pelvis_unpaired",
    "views",
}
SIZE = {"name": "tiny", "crop": 48, "samples": 8}
STUDIES = """
    def study_facts():
        size = {"name": "tiny", "crop": CROP, "samples": 8}
        return {"s": {"methods": METHODS, "sizes": {"tiny": {"shift_mm=0": size, "shift_mm=4": size}}}}
"""


def git(root: Path, *words: str) -> str:
    who = {
        f"GIT_{part}_{what}": "x@y"
        for part in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    }
    done = subprocess.run(
        ["git", "-C", root, *words],
        check=True,
        capture_output=True,
        text=True,
        env=os.environ | who,
    )
    return done.stdout.strip()


def commit(root: Path, crop: int, methods: list[str]) -> str:
    """A commit of a library whose study trains at this crop with these methods."""
    (root / "mr2ct").mkdir(exist_ok=True)
    (root / "mr2ct" / "__init__.py").touch()
    text = textwrap.dedent(STUDIES).replace("CROP", str(crop)).replace("METHODS", repr(methods))
    (root / "mr2ct" / "studies.py").write_text(text)
    git(root, "add", "-A")
    git(root, "commit", "-q", "--allow-empty", "-m", "x")
    return git(root, "rev-parse", "HEAD")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with one recorded study that holds."""
    git(tmp_path, "init", "-q")
    made = {"commit": commit(tmp_path, 48, ["unet", "vnet"]), "dirty": False}, {"python": "3"}
    config = {
        "study": "s",
        "asks": "?",
        "profile": SIZE,
        "profiles": {f"shift_mm={mm}": SIZE for mm in (0, 4)},
    }
    record = Record.open(tmp_path / "results" / "s", config)
    for name, mm in (("unet", 0), ("unet", 4), ("vnet", 4)):
        row = {"method": name, "seed": 0, "shift_mm": mm, "case": "p0", "mae": 50.5}
        facts = {"method": name, "seed": 0, "shift_mm": mm, "profile": json.dumps(SIZE)}
        record.add(f"{name}-seed0-shift_mm{mm}", [row], made=made, **facts)
    record.write()
    return tmp_path


def faults(root: Path, capsys) -> str:
    """What the gate says of a repository; it must fail."""
    assert gate.main(root) == 1
    return capsys.readouterr().err


def change(root: Path, name: str, old: str, new: str) -> None:
    path = root / "results" / "s" / name
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def test_the_record_of_this_repository_holds(capsys):
    assert gate.main(ROOT) == 0, capsys.readouterr().err


def test_no_folder_enters_the_list_of_incomplete_origin():
    assert set(INCOMPLETE) <= FIRST_FORMAT


def test_a_record_that_holds_passes(root: Path, capsys):
    assert gate.main(root) == 0, capsys.readouterr().err
    assert "1 folders traced to 1 commits" in capsys.readouterr().out


def test_a_commit_without_the_method_is_found(root: Path, capsys):
    """As in the ladder of November 2026: rows of methods that the commit did not have."""
    then = git(root, "rev-parse", "HEAD")
    change(root, "runs.csv", then, commit(root, 48, ["unet"]))
    assert "has no method 'vnet' in that study" in faults(root, capsys)


def test_a_commit_that_is_not_there_or_has_no_studies_is_found(root: Path, capsys):
    then = git(root, "rev-parse", "HEAD")
    change(root, "runs.csv", then, "f" * 40)
    assert "is not in the history of this repository" in faults(root, capsys)
    (root / "mr2ct" / "studies.py").write_text("x = 1\n")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "none")
    change(root, "runs.csv", "f" * 40, git(root, "rev-parse", "HEAD"))
    assert "has no studies that can be asked" in faults(root, capsys)


def test_another_profile_than_the_commit_trains_is_found(root: Path, capsys):
    """As in the studies of chapter 36: crop 64 was written, 48 was trained."""
    then = git(root, "rev-parse", "HEAD")
    change(root, "runs.csv", then, commit(root, 64, ["unet", "vnet"]))
    assert "trains at another size than run unet-seed0-shift_mm0: crop" in faults(root, capsys)


def test_a_profile_that_the_config_does_not_name_is_found(root: Path, capsys):
    change(root, "runs.csv", '""crop"": 48', '""crop"": 64')
    assert "results/s/runs.csv: expected a profile that config.json names" in faults(root, capsys)


def test_a_row_made_by_hand_is_found(root: Path, capsys):
    path = root / "results" / "s" / "cases.csv"
    rows = list(csv.DictReader(path.open()))
    with path.open("a") as file:  # a method renamed, as `meta` once became `meta_no_lead`
        csv.DictWriter(file, rows[0]).writerow(rows[-1] | {"method": "best", "run": "best-seed0"})
    assert "expected rows of a run in runs.csv, got 1 of 'best-seed0'" in faults(root, capsys)


def test_a_number_changed_by_hand_and_a_dirty_tree_are_found(root: Path, capsys):
    change(
        root,
        "cases.csv",
        "unet-seed0-shift_mm4,unet,0,4,p0,50.5",
        "unet-seed0-shift_mm4,unet,0,4,p0,40.5",
    )
    change(root, "runs.csv", "False", "True")
    said = faults(root, capsys)
    assert (
        "expected the 1 rows that run unet-seed0-shift_mm4 wrote" in said
        and "expected a clean tree" in said
    )


def test_a_folder_without_runs_is_found(root: Path, capsys):
    (root / "results" / "new").mkdir()
    (root / "results" / "new" / "cases.csv").write_text("method,seed,case,mae\nm,0,p0,1\n")
    assert "results/new/config.json: expected the config of a study" in faults(root, capsys)
