"""What every rung of the ladder promises: shapes, an evaluation that changes nothing, an exact resume, and one line where
an input cannot be used. A new rung is tested by being on the ladder."""

import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
import torch
from lightning_fabric import Fabric

from mr2ct.datasets import list_cases, write_cases
from mr2ct.errors import BadInput
from mr2ct.ladder import LADDER, build, load_run, split_cases, train
from mr2ct.phantom import make_case
from mr2ct.training import Method, Profile, fit, start_fabric, synthesize
from mr2ct.volumes import HU_MAX, HU_MIN, Case, same_grid, to_array, write_case

TINY = Profile("tiny", (3, 1, 1), (6, 40, 40), samples=12, batch_size=2, crop=32, width=4)
TRAINED = [name for name, entry in LADDER.items() if entry.needs != "nothing"]


class World(NamedTuple):
    """Five phantoms, a device and a place for runs."""

    table: pd.DataFrame
    case: Case
    fabric: Fabric
    folder: Path

    def batches(self, method: Method, profile: Profile = TINY) -> object:
        return method.batches(self.table, profile, 0, self.folder / "cache")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("contract")
    splits = ["train"] * 3 + ["val", "test"]
    cases = [make_case(seed, TINY.shape) for seed in range(len(splits))]
    for case in cases:
        write_case(case, folder / "data")
    write_cases(pd.DataFrame({"id": [case.id for case in cases], "split": splits}), folder / "data")
    table = list_cases(folder / "data")
    return World(table, next(split_cases(table, "test")), start_fabric("cpu"), folder)


@pytest.fixture(scope="module")
def trained(world: World) -> Callable[[str], Method]:
    """A method after its few steps, or after it has collected its training cases; made once."""
    made: dict[str, Method] = {}

    def method(name: str) -> Method:
        if name not in made:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "Random weights")
                made[name] = train(
                    name,
                    world.table,
                    profile=TINY,
                    run_dir=world.folder / name,
                    fabric=world.fabric,
                    progress=False,
                    cache=world.folder / "cache",
                )
        return made[name]

    return method


def state(method: Method) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in method.state_dict().items()}


@pytest.mark.parametrize("name", LADDER)
def test_a_case_becomes_a_ct_on_its_grid_and_nothing_changes(
    name: str, world: World, trained: Callable[[str], Method]
):
    method, case = trained(name), world.case
    before, seeds = state(method), torch.get_rng_state()
    first, second = (synthesize(method, case) for _ in range(2))
    assert same_grid(first, case.mr["ip"]) and first.get_data_dtype() == np.int16
    hu = to_array(first)
    assert hu.shape == TINY.shape and HU_MIN <= hu.min() <= hu.max() <= HU_MAX
    assert np.array_equal(hu, to_array(second)), "the second synthesis is another one"
    after = state(method)
    assert after.keys() == before.keys() and not method.training
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert torch.equal(seeds, torch.get_rng_state()), "synthesis draws from torch's own generator"


@pytest.mark.parametrize("name", LADDER)
def test_slices_become_slices(name: str, trained: Callable[[str], Method]):
    method, size = trained(name), (40, 36)
    mr = torch.rand(2, 2, *size, generator=torch.Generator().manual_seed(0)) * 2 - 1
    try:
        with torch.inference_mode():
            sct = method.translate(mr)
    except NotImplementedError:
        assert type(method).volume is not Method.volume, "it translates neither slices nor volumes"
    else:
        assert sct.shape == (2, 1, *size) and sct.abs().max() <= 1


@pytest.mark.parametrize("name", LADDER)
def test_its_run_folder_gives_it_back(name: str, world: World, trained: Callable[[str], Method]):
    method, (again, config) = trained(name), load_run(world.folder / name)
    assert config["method"] == name
    wanted, found = (
        to_array(synthesize(method, world.case)),
        to_array(synthesize(again, world.case)),
    )
    assert np.array_equal(wanted, found)


@pytest.mark.parametrize("name", TRAINED)
def test_a_stopped_training_ends_with_the_same_bits(name: str, world: World):
    weights = {}
    for kind, parts in (("whole", (3,)), ("stopped", (1, 3))):
        for steps in parts:  # a fresh method each time, as after a kill
            method = build(name, 2, profile=TINY)
            run = world.folder / f"{name}-{kind}"
            fit(
                method,
                world.batches(method),
                steps=steps,
                run_dir=run,
                fabric=world.fabric,
                progress=False,
            )
        weights[kind] = (run / "weights.safetensors").read_bytes()
        log = (run / "log.csv").read_text().splitlines()
        assert log[0].startswith("step,loss")
    assert weights["whole"] == weights["stopped"]


@pytest.mark.parametrize("name", TRAINED)
def test_the_smallest_crop_trains_and_a_smaller_one_is_refused(name: str, world: World):
    def method(crop: int) -> tuple[Method, Profile]:
        profile = replace(TINY, crop=crop, samples=2)
        return build(name, 2, profile=profile), profile

    # the smallest side may depend on the crop, since small profiles trim their networks
    crop = next(side for side in range(1, TINY.crop + 1) if method(side)[0].smallest <= side)
    small, profile = method(crop)
    run = world.folder / f"{name}-small"
    fit(
        small,
        world.batches(small, profile),
        steps=1,
        run_dir=run,
        fabric=world.fabric,
        progress=False,
    )
    with pytest.raises(BadInput, match="crop|patch") as error:
        smaller, profile = method(crop - 1)
        world.batches(smaller, profile)
    assert "expected" in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("name", LADDER)
def test_a_channel_too_few_is_refused(name: str, world: World, trained: Callable[[str], Method]):
    case = world.case
    one = Case(case.id, {"ip": case.mr["ip"]}, mask=case.mask)
    with pytest.raises(BadInput, match="expected .*channels") as error:
        synthesize(trained(name), one)
    assert "\n" not in str(error.value)
