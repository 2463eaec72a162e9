"""The recorded studies: what a chapter reads from results/. `python tools/studies.py NAME [--profile P]`.

    channels         one MR channel against two and four            (chapter 23)
    losses_by_shift  ten losses at 0, 2, 4 and 8 mm misalignment  (chapter 21)
    views            three views alone and fused                    (chapter 23)
    pelvis_unpaired  CycleGAN on real patients who never met        (chapter 32)
    meta_rivals      weights for pixels against simpler ways        (chapter 35)

Work lies in runs/NAME and goes on where it was interrupted; small text is copied to results/NAME at the end.
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from mr2ct.benchmark import bench
from mr2ct.cyclegan import CycleGAN, cyclegan_for
from mr2ct.datasets import home, list_cases, write_cases
from mr2ct.ladder import make_phantoms, train
from mr2ct.metrics import score
from mr2ct.phantom import make_case
from mr2ct.prepare import mutual_information
from mr2ct.training import PROFILES, Profile, environment, fit, synthesize, write_text
from mr2ct.volumes import Case, read_case, to_array, to_image, write_case
from mr2ct.water_fat import fat_by_phase, scan_dixon, separate

ROOT = Path(__file__).resolve().parents[1]
SEEDS = (0, 1, 2)
SHIFTS_MM = (0, 2, 4, 8)
CHANNELS = ("unet_ip", "unet_op", "unet_ip_op", "unet_four")
LOSSES = tuple(f"{pool}{name}" for pool in ("", "pool_") for name in ("l2", "l1", "huber", "hinge"))
LOSSES += ("twin_l1", "twin_hinge")
RIVALS = ("rival_plain", "rival_plus", "rival_clean", "rival_trimmed", "rival_oracle")
RIVALS += ("meta_raw", "meta_even", "meta")
FUSIONS = ("axial", "coronal", "sagittal", "mean", "median", "learned_1", "learned_3")


def channels(profile: Profile, work: Path) -> pd.DataFrame:
    """U-Nets on one, two and four channels of the same phantoms, with as many samples each."""
    four_channel_phantoms(work / "data", profile)
    bench(profile, work / "bench", work / "data", CHANNELS, SEEDS)
    return pd.read_csv(work / "bench" / "cases.csv")


def write_phantoms(folder: Path, profile: Profile, make: Callable[[int, str], Case]) -> None:
    """The phantoms of a study: make(seed, split) for each that is not there yet, and their `cases.csv`."""
    parts = zip(("train", "val", "test"), profile.cases, strict=True)
    splits = [split for split, count in parts for _ in range(count)]
    ids = [f"pelvis_{seed:04d}" for seed in range(len(splits))]
    for seed, (name, split) in enumerate(zip(ids, splits, strict=True)):
        if not (folder / name).is_dir():
            write_case(make(seed, split), folder)
    write_cases(pd.DataFrame({"id": ids, "split": splits}), folder)


def four_channel_phantoms(folder: Path, profile: Profile) -> None:
    """Phantoms with water and fat as a scanner delivers them: separated with the phase of the second echo."""

    def make(seed: int, _split: str) -> Case:
        case, scan = make_case(seed, profile.shape), scan_dixon(seed, profile.shape)
        wins = fat_by_phase(scan.ip, scan.op, scan.mask, scan.spacing_mm)
        water, fat = separate(scan.ip, np.abs(scan.op), wins)
        named = {"ip": scan.ip, "op": np.abs(scan.op), "water": water, "fat": fat}
        mr = {n: to_image(a.clip(0).astype(np.float32), case.ct) for n, a in named.items()}
        return replace(case, mr=mr)

    write_phantoms(folder, profile, make)


def losses_by_shift(profile: Profile, work: Path) -> pd.DataFrame:
    """Every loss on training CTs moved as a whole by 0 to 8 mm (root mean square), scored on the true CT."""
    profile = replace(profile, name=f"{profile.name}, a quarter", samples=profile.samples // 4)
    tables = []
    for mm in SHIFTS_MM:
        out = work / f"{mm}mm"
        bench(profile, out, None, LOSSES, SEEDS, rigid_mm=float(mm))
        tables.append(pd.read_csv(out / "cases.csv").assign(shift_mm=mm))
    return pd.concat(tables)


def views(profile: Profile, work: Path) -> pd.DataFrame:
    """Each view with the whole budget; one training a seed, scored with every fusion."""
    make_phantoms(work / "data", profile.cases, profile.shape)
    table, rows = list_cases(work / "data"), []
    for seed in SEEDS:
        kept = work / f"seed{seed}.csv"
        if not kept.exists():
            run, scores = work / f"run{seed}", []
            method = train("three_views_full", table, profile, run, seed, cache=work)
            for row in table[table.split == "test"].itertuples():
                case = read_case(row.folder, extras=("ct_true",))
                truth, said = (
                    to_array(case.truth),
                    method.views(Case(case.id, case.mr, None, case.mask)),
                )
                for method.fusion in FUSIONS:
                    values = score(method.fuse(said).round(), truth, case.body())
                    scores.append({"method": method.fusion, "seed": seed, "case": row.id} | values)
            write_text(kept, pd.DataFrame(scores).to_csv(index=False))
        rows.append(pd.read_csv(kept))
    return pd.concat(rows)


def pelvis_unpaired(profile: Profile, work: Path) -> pd.DataFrame:
    """CycleGAN on MR and CT of different people (data_scripts/pelvis_unpaired.py), with and without gradients.

    There is no truth: the mutual information of an MR and its synthetic CT is followed over the training.
    """
    table = list_cases(home() / "pelvis_unpaired", needs="unpaired")
    small = {"samples": profile.samples // 5, "batch_size": 2, "crop": 3 * profile.crop // 2}
    small = replace(profile, name=f"{profile.name}, pelvis", **small)
    cases = [read_case(row.folder) for row in table[table.holds == "mr"].itertuples()]

    def look(step: int, method: CycleGAN, rows: list[dict]) -> None:
        for case in cases if step % 100 == 0 or step == small.steps else ():
            sct, seen = to_array(synthesize(method, case)), case.unit_mr()[0]
            mi = mutual_information(seen, sct, case.body())
            rows.append({"step": step, "case": case.id, "mutual_information": mi})
        method.train()

    tables = []
    for seed, gradient in product(SEEDS, (0.3, 0.0)):
        kept, rows = work / f"gradient{gradient}-seed{seed}.csv", []
        if not kept.exists():
            torch.manual_seed(seed)
            method = cyclegan_for(1, small, gradient=gradient)
            batches = method.batches(table, small, seed, work / "cache")
            run, watch = work / f"run{gradient}-{seed}", partial(look, rows=rows)
            fit(method, batches, small.steps, run, resume=False, watch=watch)
            write_text(
                kept, pd.DataFrame(rows).assign(gradient=gradient, seed=seed).to_csv(index=False)
            )
        tables.append(pd.read_csv(kept))
    return pd.concat(tables)


def meta_rivals(profile: Profile, work: Path) -> pd.DataFrame:
    """Learned weights and what they must beat, on training pairs of which three in four do not fit; two budgets.

    Slices and network are smaller than the profile's, so that more steps fit: L1 learns bone late.
    """

    def make(seed: int, split: str) -> Case:
        off = 0.0 if split != "train" or seed % 4 == 0 else 4.0
        return make_case(seed, profile.shape, rigid_mm=off, deform_mm=off)

    write_phantoms(work / "data", profile, make)
    small = replace(profile, crop=3 * profile.crop // 4, width=3 * profile.width // 4)
    tables = []
    for times in (1, 2):
        samples = times * profile.samples
        budget = replace(small, name=f"{profile.name}, {samples} samples", samples=samples)
        bench(budget, work / f"times{times}", work / "data", RIVALS, SEEDS)
        tables.append(pd.read_csv(work / f"times{times}" / "cases.csv").assign(samples=samples))
    return pd.concat(tables)


STUDIES = {f.__name__: f for f in (channels, losses_by_shift, views, pelvis_unpaired, meta_rivals)}


def record(name: str, profile: Profile, work: Path, results: Path) -> Path:
    """Run a study and keep its small text; returns the folder that holds it."""
    table, folder = STUDIES[name](profile, work / name), results / name
    folder.mkdir(parents=True, exist_ok=True)
    table.to_csv(folder / "cases.csv", index=False, float_format="%.6g", lineterminator="\n")
    config = {"study": name, "profile": asdict(profile), "seeds": SEEDS}
    for file, text in (("config.json", config), ("environment.json", environment())):
        write_text(folder / file, json.dumps(text, indent=2) + "\n")
    return folder


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=STUDIES)
    parser.add_argument("--profile", choices=PROFILES, default="laptop")
    given = parser.parse_args()
    print(record(given.name, PROFILES[given.profile], ROOT / "runs", ROOT / "results"))
