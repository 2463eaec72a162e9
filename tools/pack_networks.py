"""Put the networks of a recorded study into the package: `python tools/pack_networks.py WORK [STUDY]`.

WORK is the folder of runs that `mr2ct study` worked in (runs/); a network is taken of each method with weights, of seed 0,
and of `unet` of every seed. Its scores are the means of the recorded rows.
"""

import sys
from pathlib import Path

import pandas as pd
from book import ROOT

from mr2ct.datasets import list_cases
from mr2ct.ladder import find_entry
from mr2ct.networks import pack_network
from mr2ct.studies import find_study_by_name

TRAINED = ROOT / "mr2ct" / "trained"
MANY_SEEDS = "unet"
SEQUENCE = "spoiled gradient echo, in phase and opposed phase"
SCORES = ("mae", "mae_bone", "dice_bone")


def packed(work: Path, study: str) -> list[Path]:
    """Write the networks; returns their files."""
    rows, runs = (pd.read_csv(work / study / name) for name in ("cases.csv", "runs.csv"))
    table, found = list_cases(work / study / "data"), []
    kept = ROOT / "results" / find_study_by_name(study).name / "runs.csv"
    recorded = set(pd.read_csv(kept)["run"]) if kept.is_file() else set()
    for run in runs.itertuples():
        folder = work / study / "runs" / run.run
        if find_entry(run.method).needs == "nothing" or not folder.is_dir():
            continue
        if run.seed and run.method != MANY_SEEDS:
            continue
        unrecorded = "" if run.run in recorded else "; its rows are not among results/ yet"
        own = rows[(rows.method == run.method) & (rows.seed == run.seed)]
        says = {
            "patients": f"phantoms of version {run.phantom}, pelvis, {len(table[table.split == 'train'])} of them",
            "sequence": SEQUENCE,
            "study": f"{study}, run {run.run}, commit {str(run.commit)[:7]}{unrecorded}",
            "scores": {name: round(float(own[name].mean()), 3) for name in SCORES},
        }
        name = run.method if not run.seed else f"{run.method}_{run.seed}"
        found.append(pack_network(folder, TRAINED / f"{name}.safetensors", table=table, says=says))
    return found


if __name__ == "__main__":
    TRAINED.mkdir(exist_ok=True)
    for file in packed(Path(sys.argv[1]), *(sys.argv[2:3] or ["ladder_laptop"])):
        print(f"{file.relative_to(ROOT)}: {file.stat().st_size / 1000:.0f} kB")
