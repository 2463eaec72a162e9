"""The work that the kill tests stop: each a function that a child process of its own does from start to end."""

from pathlib import Path

import torch

from mr2ct.benchmark import bench
from mr2ct.cli import main  # noqa: F401  (the fork server loads all of it once)
from mr2ct.datasets import list_cases
from mr2ct.ladder import build
from mr2ct.prepare import Recipe
from mr2ct.training import Profile, fit, start_fabric
from mr2ct.worlds import make_phantoms
from mr2ct.your_data import prepare_folder, write_table

TINY = Profile("tiny", (2, 1, 1), (8, 40, 40), samples=24, batch_size=2, crop=32, width=4)
STEPS, SAVE_EVERY = 12, 2


def train(name: str, data: Path, run: Path) -> None:
    """One method, with a checkpoint every other step."""
    torch.set_num_threads(1)
    method = build(name, 2, profile=TINY)
    batches = method.batches(list_cases(data), TINY, 0, run.parent / f"{name}-cache")
    options = {"fabric": start_fabric("cpu"), "save_every": SAVE_EVERY, "progress": False}
    fit(method, batches, steps=STEPS, run_dir=run, **options)


def prepare(raw: Path, out: Path) -> None:
    """Raw cases to a data set."""
    torch.set_num_threads(1)
    recipe = Recipe(starts="frame", bias=False)
    write_table(out, prepare_folder(raw, out, recipe=recipe, workers=1, say=lambda line: None))


def study(out: Path) -> None:
    """Phantoms, three methods, and the record of their scores."""
    torch.set_num_threads(1)
    methods = ("bulk_water", "regression", "unet")
    bench(TINY, out, methods=methods, fabric=start_fabric("cpu"), progress=False)


def phantoms(out: Path) -> None:
    """Six phantoms."""
    torch.set_num_threads(1)
    make_phantoms(out, (4, 1, 1), shape=(8, 40, 40), progress=False)
