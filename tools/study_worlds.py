"""The phantoms of the recorded studies, written where they are not there yet."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from mr2ct.datasets import list_cases, write_cases
from mr2ct.phantom import make_case
from mr2ct.training import Profile
from mr2ct.volumes import Case, to_image, write_case
from mr2ct.water_fat import fat_by_phase, scan_dixon, separate


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
        wins = fat_by_phase(scan.ip, scan.op, mask=scan.mask, spacing_mm=scan.spacing_mm)
        water, fat = separate(scan.ip, np.abs(scan.op), wins)
        named = {"ip": scan.ip, "op": np.abs(scan.op), "water": water, "fat": fat}
        mr = {n: to_image(a.clip(0).astype(np.float32), case.ct) for n, a in named.items()}
        return replace(case, mr=mr)

    write_phantoms(folder, profile, make)


def misaligned_phantoms(folder: Path, profile: Profile) -> pd.DataFrame:
    """Phantoms of which three in four training pairs do not fit: 4 mm rigid and 4 mm of bending. Returns their table."""

    def make(seed: int, split: str) -> Case:
        off = 0.0 if split != "train" or seed % 4 == 0 else 4.0
        return make_case(seed, profile.shape, rigid_mm=off, deform_mm=off)

    write_phantoms(folder, profile, make)
    return list_cases(folder)


def shrink(profile: Profile) -> Profile:
    """Smaller slices and network, so that more steps fit: L1 learns bone late."""
    return replace(profile, crop=3 * profile.crop // 4, width=3 * profile.width // 4)
