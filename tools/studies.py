"""The recorded studies: what a chapter reads from results/. `python tools/studies.py NAME [--profile P]`.

    channels         one MR channel against two and four            (chapter 23)
    losses_by_shift  ten losses at 0, 2, 4 and 8 mm misalignment  (chapter 21)
    views            three views alone and fused                    (chapter 23)
    pelvis_unpaired  CycleGAN on real patients who never met        (chapter 32)
    meta_rivals      weights for pixels against simpler ways        (chapter 36)
    meta_levers      one change at a time of the raw weights       (chapter 36)
    meta_maps        where maps of trust are right; maps to see    (chapter 36)
    meta_contest     the paper's four networks, by bone as well    (chapter 36)

Work lies in runs/NAME and goes on where it was interrupted; what is small is copied to results/NAME at the end.
"""

import argparse
import json
import shutil
from dataclasses import asdict, replace
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from study_maps import judge_maps
from study_worlds import four_channel_phantoms, misaligned_phantoms, shrink

from mr2ct.benchmark import bench
from mr2ct.cyclegan import CycleGAN, cyclegan_for
from mr2ct.datasets import home, list_cases
from mr2ct.features import load_lpips
from mr2ct.ladder import find_entry, load_run, make_phantoms, train
from mr2ct.metrics import SYNTHRAD2023, score
from mr2ct.prepare import mutual_information
from mr2ct.training import (
    PROFILES,
    Profile,
    environment,
    fit,
    synthesize,
    write_text,
)
from mr2ct.trust import LEVERS
from mr2ct.errors import BadInput
from mr2ct.volumes import Case, read_case, spacing_mm, to_array

ROOT = Path(__file__).resolve().parents[1]
SEEDS = (0, 1, 2)
SHIFTS_MM = (0, 2, 4, 8)
CHANNELS = ("unet_ip", "unet_op", "unet_ip_op", "unet_four")
LOSSES = tuple(f"{pool}{name}" for pool in ("", "pool_") for name in ("l2", "l1", "huber", "hinge"))
LOSSES += ("twin_l1", "twin_hinge")
RIVALS = ("rival_plain", "rival_plus", "rival_clean", "rival_trimmed", "rival_oracle")
RIVALS += ("meta_raw", "meta_even_no_lead", "meta_no_lead", "meta_even", "meta_truth", "meta")
CONTEST = ("pgan", "reg_pgan", "ctx_pgan", "meta_pgan")
FUSIONS = ("axial", "coronal", "sagittal", "mean", "median", "learned_1", "learned_3")


def channels(profile: Profile, work: Path) -> pd.DataFrame:
    """U-Nets on one, two and four channels of the same phantoms, with as many samples each."""
    four_channel_phantoms(work / "data", profile)
    bench(profile, work / "bench", data=work / "data", methods=CHANNELS, seeds=SEEDS)
    return pd.read_csv(work / "bench" / "cases.csv")


def losses_by_shift(profile: Profile, work: Path) -> pd.DataFrame:
    """Every loss on training CTs moved as a whole by 0 to 8 mm (root mean square), scored on the true CT."""
    profile = replace(profile, name=f"{profile.name}, a quarter", samples=profile.samples // 4)
    tables = []
    for mm in SHIFTS_MM:
        out = work / f"{mm}mm"
        bench(profile, out, data=None, methods=LOSSES, seeds=SEEDS, rigid_mm=float(mm))
        tables.append(pd.read_csv(out / "cases.csv").assign(shift_mm=mm))
    return pd.concat(tables)


def views(profile: Profile, work: Path) -> pd.DataFrame:
    """Each view with the whole budget; one training a seed, scored with every fusion."""
    make_phantoms(work / "data", profile.cases, shape=profile.shape)
    table, rows = list_cases(work / "data"), []
    for seed in SEEDS:
        kept = work / f"seed{seed}.csv"
        if not kept.exists():
            run, scores = work / f"run{seed}", []
            method = train(
                "three_views_full", table, profile=profile, run_dir=run, seed=seed, cache=work
            )
            for row in table[table.split == "test"].itertuples():
                case = read_case(row.folder, extras=("ct_true",))
                truth, said = (
                    to_array(case.truth),
                    method.views(Case(case.id, case.mr, None, case.mask)),
                )
                for method.fusion in FUSIONS:
                    values = score(method.fuse(said).round(), truth, mask=case.body())
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
            mi = mutual_information(seen, sct, mask=case.body())
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
            fit(method, batches, steps=small.steps, run_dir=run, resume=False, watch=watch)
            write_text(
                kept, pd.DataFrame(rows).assign(gradient=gradient, seed=seed).to_csv(index=False)
            )
        tables.append(pd.read_csv(kept))
    return pd.concat(tables)


def meta_rivals(profile: Profile, work: Path) -> pd.DataFrame:
    """Learned weights and what they must beat, on misaligned training pairs; two budgets."""
    misaligned_phantoms(work / "data", profile)
    tables = []
    for times in (1, 2):
        samples = times * profile.samples
        budget = replace(
            shrink(profile), name=f"{profile.name}, {samples} samples", samples=samples
        )
        bench(budget, work / f"times{times}", data=work / "data", methods=RIVALS, seeds=SEEDS)
        tables.append(pd.read_csv(work / f"times{times}" / "cases.csv").assign(samples=samples))
    return pd.concat(tables)


def meta_levers(profile: Profile, work: Path) -> pd.DataFrame:
    """The raw weights and each lever, in the world of `meta_rivals` at its smaller budget."""
    misaligned_phantoms(work / "data", profile)
    methods = ("meta_raw", *(f"lever_{name}" for name in LEVERS))
    bench(shrink(profile), work / "bench", data=work / "data", methods=methods, seeds=SEEDS)
    return pd.read_csv(work / "bench" / "cases.csv")


def meta_maps(profile: Profile, work: Path) -> pd.DataFrame:
    """Where maps of trust are right, and maps to see."""
    return judge_maps(profile, work, SEEDS)


def meta_contest(profile: Profile, work: Path) -> pd.DataFrame:
    """The networks that Kim et al. compare: on misaligned phantoms, and on the porcine pair where it is there.

    LPIPS where its weights are (`home()/weights`), else empty. One phantom is kept as every network saw it.
    """
    misaligned_phantoms(work / "data", profile)
    parts = {"misaligned phantoms, true CT": (profile, work / "data")}
    porcine = home() / "mri_dir_porcine" / "registered"
    if porcine.is_dir():
        quarter = replace(profile, name=f"{profile.name}, a quarter", samples=profile.samples // 4)
        parts["porcine pair, its CT"] = (quarter, porcine)
    try:
        perceptual = load_lpips("squeeze", download=False)
    except BadInput:
        perceptual = None
    preset, tables = replace(SYNTHRAD2023, scores=(*SYNTHRAD2023.scores, "bone", "lpips")), []
    for number, (data, (budget, folder)) in enumerate(parts.items()):
        out = work / f"bench{number}"
        bench(budget, out, data=folder, methods=CONTEST, seeds=SEEDS)
        cases = list_cases(folder)
        test = cases[cases.split == "test"]
        for name, seed in product(CONTEST, SEEDS):
            method, _ = load_run(out / "runs" / f"{name}-seed{seed}")
            for row in test.itertuples():
                case, use = read_case(row.folder, extras=("ct_true",)), slice(row.start, row.stop)
                sct = to_array(synthesize(method, case))
                truth, body = to_array(case.truth)[use], case.body()[use]
                values = score(
                    sct[use],
                    truth,
                    mask=body,
                    preset=preset,
                    spacing_mm=spacing_mm(case.ct),
                    perceptual=perceptual,
                )
                tables.append({"data": data, "method": name, "seed": seed, "case": row.id} | values)
    keep_volumes(work)
    return pd.DataFrame(tables)


def keep_volumes(work: Path) -> None:
    """The first test phantom and what each network of seed 0 makes of it: `keep/volumes.npz`, small.

    The slice with most bone in steps of 16 HU from -1024; the whole volume in steps of 10 HU, but only from 100 to 300,
    for surfaces at 200.
    """
    cases = list_cases(work / "data")
    case = read_case(cases[cases.split == "test"]["folder"].iloc[0], extras=("ct_true",))
    volumes = {"true CT": to_array(case.truth)}
    for name in CONTEST:
        method, _ = load_run(work / "bench0" / "runs" / f"{name}-seed0")
        volumes[name] = to_array(synthesize(method, case))
    z = int((volumes["true CT"] > 200).sum((1, 2)).argmax())
    steps = lambda v, low, size, top: ((v - low) / size).round().clip(0, top).astype(np.uint8)
    (work / "keep").mkdir(exist_ok=True)
    np.savez_compressed(
        work / "keep" / "volumes.npz",
        names=np.array(list(volumes)),
        mr=(127.5 * (1 + case.unit_mr()[0, z])).astype(np.uint8),
        slices=np.stack([steps(v[z], -1024, 16, 255) for v in volumes.values()]),
        bone=np.stack([steps(v, 100, 10, 20) for v in volumes.values()]),
        spacing_mm=np.array(spacing_mm(case.ct)),
    )


STUDIES = {
    f.__name__: f
    for f in (channels, losses_by_shift, views, pelvis_unpaired)
    + (meta_rivals, meta_levers, meta_maps, meta_contest)
}


def record(name: str, profile: Profile, work: Path, results: Path) -> Path:
    """Run a study and keep its small text; returns the folder that holds it."""
    table, folder = STUDIES[name](profile, work / name), results / name
    folder.mkdir(parents=True, exist_ok=True)
    table.to_csv(folder / "cases.csv", index=False, float_format="%.6g", lineterminator="\n")
    config = {"study": name, "profile": asdict(profile), "seeds": SEEDS}
    for file in (work / name / "keep").glob("*"):
        shutil.copy(file, folder)
    for file, text in (("config.json", config), ("environment.json", environment())):
        write_text(folder / file, json.dumps(text, indent=2) + "\n")
    return folder


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=STUDIES)
    parser.add_argument("--profile", choices=PROFILES, default="laptop")
    given = parser.parse_args()
    print(record(given.name, PROFILES[given.profile], ROOT / "runs", ROOT / "results"))
