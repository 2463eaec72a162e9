"""The recorded studies run from nothing, go on where they were, and leave the tables that chapters read."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mr2ct.datasets import list_cases, write_cases
from mr2ct.phantom import make_case
from mr2ct.training import PROFILES
from mr2ct.volumes import write_case

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))
import studies

TINY = replace(PROFILES["smoke"], cases=(2, 1, 2), shape=(8, 48, 48), samples=24, crop=32, width=4)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(studies, "SEEDS", (0,))
    monkeypatch.setattr(studies, "SHIFTS_MM", (0, 8))
    monkeypatch.setattr(studies, "LOSSES", ("l1", "pool_hinge", "twin_hinge"))


STUDIES = [
    ("channels", 4),
    ("losses_by_shift", 3),
    ("views", 7),
    ("meta_rivals", 11),
    ("meta_levers", 12),
]


@pytest.mark.parametrize("name, methods", STUDIES)
def test_a_study_leaves_its_table(name, methods, tmp_path: Path):
    folder = studies.record(name, TINY, tmp_path / "runs", tmp_path / "results")
    table = pd.read_csv(folder / "cases.csv")
    once = ["method", "seed", "case"] + [c for c in ("shift_mm", "samples") if c in table]
    assert table.method.nunique() == methods and table.case.nunique() == 2
    assert not table.duplicated(once).any() and table.mae.between(1, 5000).all()
    assert json.loads((folder / "config.json").read_text())["study"] == name
    before = (folder / "cases.csv").read_bytes()
    studies.record(name, TINY, tmp_path / "runs", tmp_path / "results")  # nothing is done twice
    assert (folder / "cases.csv").read_bytes() == before


def test_water_and_fat_of_the_study_add_up(tmp_path: Path):
    from mr2ct.volumes import read_case, to_array

    studies.four_channel_phantoms(tmp_path, TINY)
    case = read_case(tmp_path / "pelvis_0000")
    ip, water, fat = (to_array(case.mr[n])[case.body()] for n in ("ip", "water", "fat"))
    assert abs(water + fat - ip).mean() < 0.05 * ip.mean()
    assert 0.2 < (fat > water).mean() < 0.8


def test_moved_training_cts_are_scored_on_the_true_one(tmp_path: Path):
    studies.record("losses_by_shift", TINY, tmp_path / "runs", tmp_path / "results")
    data = {
        mm: tmp_path / "runs" / "losses_by_shift" / f"{mm}mm" / "data" / "pelvis_0000"
        for mm in (0, 8)
    }
    assert (data[0] / "ct.nii.gz").read_bytes() != (data[8] / "ct.nii.gz").read_bytes()
    assert (data[0] / "ct_true.nii.gz").read_bytes() == (data[8] / "ct_true.nii.gz").read_bytes()


def test_patients_who_never_met(monkeypatch, tmp_path: Path):
    monkeypatch.setenv("MR2CT_HOME", str(tmp_path))
    for seed in range(3):  # two MR, one CT
        case = make_case(seed, (8, 48, 48), channels=("ip",))
        lone = {"mr": {}} if seed == 2 else {"ct": None}
        write_case(replace(case, extras={}, **lone), tmp_path / "pelvis_unpaired")
    table = list_cases(tmp_path / "pelvis_unpaired", needs="unpaired").assign(split="train")
    write_cases(table, tmp_path / "pelvis_unpaired")
    folder = studies.record("pelvis_unpaired", TINY, tmp_path / "runs", tmp_path / "results")
    table = pd.read_csv(folder / "cases.csv")
    assert len(table) == 4 and set(table.gradient) == {0.0, 0.3}
    assert table.case.nunique() == 2 and table.mutual_information.between(0, 5).all()


def test_maps_are_judged_and_some_are_kept(tmp_path: Path):
    four = replace(TINY, cases=(5, 1, 1), samples=160)  # two slices of three cases that do not fit
    folder = studies.record("meta_maps", four, tmp_path / "runs", tmp_path / "results")
    table = pd.read_csv(folder / "cases.csv")
    assert table.auroc.between(0, 1).all() and set(table.path) == {"rival_plain", "meta"}
    assert set(table.over) == {"one moment", "all", "second half"}
    assert (table.source == "residual").sum() == 2 and table.source.nunique() == 5
    once = ["path", "seed", "step", "source", "treatment", "over"]
    assert not table.duplicated(once).any()
    kept = np.load(folder / "maps.npz")
    methods, moments, slices = kept["weights"].shape[:3]
    assert methods == 2 and kept["steps"].shape == (2, moments) and slices == 6 == len(kept["case"])
    assert len(set(kept["case"])) == 3 and kept["weights"].max() > 200
    assert (
        kept["moved"].max() > 0
        and kept["wrong"].any()
        and (folder / "maps.npz").stat().st_size < 200_000
    )


def test_the_contest_scores_bone_and_keeps_what_was_seen(monkeypatch, tmp_path: Path):
    monkeypatch.setenv("MR2CT_HOME", str(tmp_path))  # no weights of LPIPS, no porcine pair
    monkeypatch.setattr(studies, "CONTEST", ("unet", "meta_pgan"))
    folder = studies.record("meta_contest", TINY, tmp_path / "runs", tmp_path / "results")
    table = pd.read_csv(folder / "cases.csv")
    assert len(table) == 4 and table.dice_bone.between(0, 1).all() and table.lpips.isna().all()
    kept = np.load(folder / "volumes.npz")
    assert kept["names"].tolist() == ["true CT", "unet", "meta_pgan"]
    assert kept["slices"].shape == (3, 48, 48) and kept["bone"].shape == (3, 8, 48, 48)
    assert kept["bone"][0].max() == 20 and kept["mr"].std() > 10
