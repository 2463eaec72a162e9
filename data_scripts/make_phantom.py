"""Phantoms with a known truth as a data set: `python data_scripts/make_phantom.py OUT --cases 20`."""

from pathlib import Path
from typing import Annotated

import typer
from common import run

from mr2ct.benchmark import make_phantoms
from mr2ct.datasets import list_cases


def make_phantom(
    out: Annotated[Path, typer.Argument(help="Folder to write the cases to.")],
    cases: Annotated[int, typer.Option(min=2, help="How many subjects.")] = 20,
    seed: Annotated[int, typer.Option(help="Seed of the first subject.")] = 0,
    shape: Annotated[tuple[int, int, int], typer.Option(help="Slices, rows, columns.")] = (
        32,
        128,
        128,
    ),
    rigid_mm: Annotated[float, typer.Option(min=0, help="Rigid misalignment of the CT, mm.")] = 0.0,
    deform_mm: Annotated[float, typer.Option(min=0, help="Deformation of the CT, mm.")] = 0.0,
) -> None:
    """Pelvis phantoms with in-phase and opposed-phase MR, CT and the true CT. Computed, nothing is downloaded."""
    test, val = max(1, cases // 4), cases // 10
    make_phantoms(out, (cases - test - val, val, test), shape, seed, rigid_mm, deform_mm)
    print(f"{out / 'cases.csv'}: {list_cases(out).attrs['note']}")


if __name__ == "__main__":
    run(make_phantom, "none needed; the numbers are made here")
