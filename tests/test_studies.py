"""Each study of the book runs from nothing, goes on where it was, and leaves the tables that chapters read."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mr2ct.datasets import list_cases, write_cases
from mr2ct.ladder import LADDER
from mr2ct.phantom import make_case
from mr2ct.record import check_record
from mr2ct.studies import STUDIES, run_study
from mr2ct.training import PROFILES
from mr2ct.volumes import write_case

TINY = replace(PROFILES["smoke"], cases=(2, 1, 2), shape=(8, 48, 48), samples=24, crop=32, width=4)
QUIET = {"seeds": 1, "workers": 1, "progress": False}


def some(name: str, *methods: str, **changes):
    """A study of the registry with fewer methods, or fewer values."""
    study = STUDIES[name]
    entries = tuple(e for e in study.entries if not methods or e.name in methods)
    return replace(study, entries=entries, **changes)


def faults(folder: Path) -> list[str]:
    """Of the record, but for the tree, which is dirty while one works on it."""
    return [line for line in check_record(folder) if "clean tree" not in line]


SMALL = {
    "ladder_laptop": (some("ladder_laptop", "bulk_3", "regression", "unet"), 3),
    "channels": (some("channels"), 5),
    "losses_by_shift": (
        some("losses_by_shift", "l1", "pool_hinge", "twin_hinge", varies={"shift_mm": (0, 8)}),
        3,
    ),
    "views": (some("views"), 7),
    "meta_rivals": (some("meta_rivals"), 20),
    "meta_levers": (some("meta_levers", "meta_raw", "lever_memory", "lever_warmup_smooth"), 3),
    "misalignment": (some("misalignment", "bulk_3", "meta", varies={"shift_mm": (0, 8)}), 2),
}


@pytest.mark.parametrize("name", SMALL)
def test_a_study_leaves_its_table(name, tmp_path: Path):
    study, methods = SMALL[name]
    folder = run_study(study, TINY, work=tmp_path, **QUIET)
    table = pd.read_csv(folder / "cases.csv")
    once = ["method", "seed", "case", *study.varies]
    assert table.method.nunique() == methods and table.case.nunique() == 2
    assert not table.duplicated(once).any() and table.mae.between(1, 5000).all()
    assert json.loads((folder / "config.json").read_text())["study"] == name
    assert faults(folder) == [] and study.asks in (folder / "README.md").read_text()
    before = (folder / "cases.csv").read_bytes()
    run_study(replace(study, work=None), TINY, work=tmp_path, **QUIET)  # nothing is done twice
    assert (folder / "cases.csv").read_bytes() == before


def test_the_ladder_keeps_what_chapters_read(tmp_path: Path):
    study = some("ladder_laptop", "bulk_3", "unet")
    kept = run_study(study, TINY, work=tmp_path, **QUIET) / "keep"
    assert list(pd.read_csv(kept / "leaderboard.csv").method)[-1] in ("bulk_3", "unet")
    assert set(pd.read_csv(kept / "cost.csv").method) == {"bulk_3", "unet"}


def test_moved_training_cts_are_scored_on_the_true_one(tmp_path: Path):
    study = some("losses_by_shift", "l1", varies={"shift_mm": (0, 8)})
    folder = run_study(study, TINY, work=tmp_path, **QUIET)
    data = {mm: folder / f"data-{mm}mm" / "pelvis_0000" for mm in (0, 8)}
    assert (data[0] / "ct.nii.gz").read_bytes() != (data[8] / "ct.nii.gz").read_bytes()
    assert (data[0] / "ct_true.nii.gz").read_bytes() == (data[8] / "ct_true.nii.gz").read_bytes()


def test_a_method_whose_settings_changed_is_made_anew_and_no_other(tmp_path: Path):
    study = some("ladder_laptop", "bulk_3", "unet")
    folder = run_study(study, TINY, work=tmp_path, **QUIET)
    before, rows = ((folder / name).read_text() for name in ("runs.csv", "cases.csv"))
    changed = [
        replace(e, build=LADDER["pgan"].build) if e.name == "unet" else e for e in study.entries
    ]
    changed = replace(study, entries=tuple(changed))
    run_study(changed, TINY, work=tmp_path, **QUIET)
    assert (folder / "runs.csv").read_text() == before, "unasked, what is recorded stays"
    run_study(changed, TINY, work=tmp_path, again=["unet"], **QUIET)
    after = (folder / "cases.csv").read_text()
    kept = [line for line in rows.splitlines() if "bulk_3" in line]
    assert kept == [line for line in after.splitlines() if "bulk_3" in line] and after != rows
    assert not faults(folder)


def test_patients_who_never_met(monkeypatch, tmp_path: Path):
    monkeypatch.setenv("MR2CT_HOME", str(tmp_path))
    for seed in range(3):  # two MR, one CT
        case = make_case(seed, (8, 48, 48), channels=("ip",))
        lone = {"mr": {}} if seed == 2 else {"ct": None}
        write_case(replace(case, extras={}, **lone), tmp_path / "pelvis_unpaired")
    table = list_cases(tmp_path / "pelvis_unpaired", needs="unpaired").assign(split="train")
    write_cases(table, tmp_path / "pelvis_unpaired")
    folder = run_study("pelvis_unpaired", TINY, work=tmp_path / "runs", **QUIET)
    table = pd.read_csv(folder / "cases.csv")
    assert len(table) == 4 and set(table.gradient) == {0.0, 0.3} and faults(folder) == []
    assert table.case.nunique() == 2 and table.mutual_information.between(0, 5).all()


def test_maps_are_judged_and_some_are_kept(tmp_path: Path):
    four = replace(TINY, cases=(5, 1, 1), samples=160)  # two slices of three cases that do not fit
    folder = run_study("meta_maps", four, work=tmp_path, **QUIET)
    table = pd.read_csv(folder / "cases.csv")
    assert table.auroc.between(0, 1).all() and set(table.path) == {"rival_plain", "meta"}
    assert set(table.over) == {"one moment", "all", "second half"} and faults(folder) == []
    assert (table.source == "residual").sum() == 2 and table.source.nunique() == 5
    once = ["path", "seed", "step", "source", "treatment", "over"]
    assert not table.duplicated(once).any()
    file = folder / "keep" / "maps.npz"
    kept = np.load(file)
    methods, moments, slices = kept["weights"].shape[:3]
    assert methods == 2 and kept["steps"].shape == (2, moments) and slices == 6 == len(kept["case"])
    assert len(set(kept["case"])) == 3 and kept["weights"].max() > 200
    assert kept["moved"].max() > 0 and kept["wrong"].any() and file.stat().st_size < 200_000


def test_the_contest_scores_bone_and_keeps_what_was_seen(monkeypatch, tmp_path: Path):
    monkeypatch.setenv("MR2CT_HOME", str(tmp_path))  # no weights of LPIPS, no porcine pair
    study = replace(STUDIES["meta_contest"], entries=(LADDER["unet"], LADDER["meta_pgan"]))
    folder = run_study(study, TINY, work=tmp_path, **QUIET)
    table, runs = pd.read_csv(folder / "cases.csv"), pd.read_csv(folder / "runs.csv")
    assert (
        len(table) == 4 and table.dice_bone.between(0, 1).all() and set(table.data) == {"phantoms"}
    )
    assert "lpips" not in table or table.lpips.isna().all()
    assert (
        runs.set_index("method").features["meta_pgan"].endswith("random")
    )  # which features is known
    kept = np.load(folder / "keep" / "volumes.npz")
    assert kept["names"].tolist() == ["true CT", "unet", "meta_pgan"]
    assert kept["slices"].shape == (3, 48, 48) and kept["bone"].shape == (3, 8, 48, 48)
    assert kept["bone"][0].max() == 20 and kept["mr"].std() > 10


def test_the_folder_of_results_says_what_each_study_asks():
    from book import ROOT

    from mr2ct.studies import describe_results

    assert (ROOT / "results" / "README.md").read_text() == describe_results(ROOT / "results")
