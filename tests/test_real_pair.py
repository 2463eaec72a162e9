"""The real pair (one object on MR and CT) goes through the benchmark and the command line."""

import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd

from mr2ct.ladder import LADDER
from mr2ct.prepare import mutual_information
from mr2ct.volumes import read_case, resample, to_array

MR2CT = Path(sys.executable).parent / "mr2ct"


def mr2ct(*words: object) -> str:
    done = subprocess.run([MR2CT, *map(str, words)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_benchmark_and_synthesis_of_the_real_pair(data_dir: Path, tmp_path: Path):
    data, out = data_dir / "mri_dir_porcine" / "registered", tmp_path / "study"
    said = mr2ct(
        "bench", "--data", data, "--profile", "smoke", "--out", out, "--accelerator", "cpu"
    )
    for sentence in ("one object", "gap"):
        assert sentence in said.lower() and sentence in (out / "report.html").read_text().lower()
    scores = pd.read_csv(out / "cases.csv")
    assert set(scores.method) == set(LADDER) and scores.mae.between(20, 600).all()

    mr_file, sct_file = data / "porcine" / "mr_t2.nii.gz", tmp_path / "sct.nii.gz"
    mr2ct("synthesize", "--run", out / "runs" / "unet-seed0", mr_file, sct_file)
    mr, sct = nib.load(mr_file), nib.load(sct_file)
    assert sct.shape == mr.shape and sct.get_data_dtype() == np.int16
    assert np.array_equal(sct.affine, mr.affine) and sct.header.get_zooms() == mr.header.get_zooms()
    assert np.asarray(sct.dataobj).min() >= -1024 and np.asarray(sct.dataobj).max() <= 3000
    assert not list(data.glob(".mr2ct*"))  # nothing is written beside the user's data


def test_the_real_pair_from_dicom_is_registered_as_well_as_by_hand(data_dir: Path, tmp_path: Path):
    zips, by_hand = (
        data_dir / "mri_dir_porcine",
        data_dir / "mri_dir_porcine" / "registered" / "porcine",
    )
    script = Path(__file__).parents[1] / "data_scripts" / "mri_dir_porcine.py"
    words = (script, tmp_path / "ours", "--mr", zips / "MR.zip", "--ct", zips / "CT.zip")
    subprocess.run([sys.executable, *map(str, words)], check=True, timeout=180)

    ours, theirs = (read_case(p, extras=()) for p in (tmp_path / "ours" / "porcine", by_hand))
    ct = to_array(resample(ours.ct, like=theirs.ct, fill=-1024))
    seen = to_array(resample(ours.mask, like=theirs.ct, interpolation="nearest", fill=0)) > 0
    both, mr = seen & theirs.body(), to_array(theirs.mr["t2"])
    assert both.sum() > 0.95 * theirs.body().sum()
    assert mutual_information(mr, ct, mask=both) >= 0.98 * mutual_information(
        mr, to_array(theirs.ct), mask=both
    )
    # Information alone is not enough: a wrong orientation of this pair has reached 1.14 times as much.
    meat = [np.clip(v[both], -200, 300) for v in (ct, to_array(theirs.ct))]
    assert np.corrcoef(*meat)[0, 1] > 0.6
    words = ("--profile", "smoke", "--methods", "bulk_3,unet", "--out", tmp_path / "study")
    mr2ct("bench", "--data", tmp_path / "ours", *words)
