"""Killed at any moment, with no chance to tidy up, and started again: the end is the same, and nothing half written is read."""

import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

import jobs
import nbformat
import pandas as pd
import pytest
from book import ROOT
from faulty import data_set, dicom_series
from safetensors.torch import load_file

from mr2ct.phantom import make_case
from mr2ct.volumes import read_case, save

SERVER = get_context("forkserver")
SERVER.set_forkserver_preload(["jobs"])
SHORT_AND_LONG = [3, pytest.param(20, marks=pytest.mark.long)]


def begin(job: Callable[..., None], *words: object) -> SERVER.Process:
    process = SERVER.Process(target=job, args=words)
    process.start()
    return process


def whole(job: Callable[..., None], *words: object) -> float:
    """The job from start to end, and how long it took."""
    began, process = time.perf_counter(), begin(job, *words)
    process.join()
    assert process.exitcode == 0, f"{job.__name__} failed by itself"
    return time.perf_counter() - began


def kill_often(times: int, seconds: float, check: Callable[[], None], *job: object) -> int:
    """Start a job and kill it, at moments drawn evenly over the time that it takes; how often it was still at work."""
    moments, hit = random.Random(0), 0
    for _ in range(times):
        process = begin(*job)
        process.join(moments.uniform(0.02, 1.0) * seconds)
        hit += process.exitcode is None
        process.kill()
        process.join()
        check()
    return hit


KINDS = [
    ("unet", "one optimiser"),
    pytest.param("pgan", "two", marks=pytest.mark.long),
    pytest.param("cyclegan", "pools", marks=pytest.mark.long),
    pytest.param("meta", "a lead", marks=pytest.mark.long),
]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return data_set(tmp_path_factory.mktemp("kills") / "data")


@pytest.mark.parametrize("times", SHORT_AND_LONG)
@pytest.mark.parametrize("name, kind", KINDS)
def test_a_training(
    name: str, kind: str, times: int, data: Path, tmp_path: Path, fault: Callable[..., None]
):
    jobs_words = (jobs.train, name, data)
    whole(*jobs_words, tmp_path / "warm")  # the slices are in the cache now
    seconds = whole(*jobs_words, tmp_path / "straight")
    run = tmp_path / "broken"

    def check() -> None:
        if (run / "config.json").exists():
            json.loads((run / "config.json").read_text())
        if (run / "weights.safetensors").exists():
            load_file(run / "weights.safetensors")

    hit = kill_often(times, seconds, check, *jobs_words, run)
    whole(*jobs_words, run)
    for file in ("weights.safetensors", "log.csv"):
        assert (run / file).read_bytes() == (tmp_path / "straight" / file).read_bytes(), file
    ours, theirs = (
        json.loads((f / "config.json").read_text()) for f in (run, tmp_path / "straight")
    )
    assert (
        ours == theirs
    )  # in which order its entries stand says how it came about, and nothing else
    left = [p.name for p in run.iterdir() if p.name.startswith(".")]
    fault(
        f"kill -9 while training ({name}: {kind})", hit, f"same bits; {len(left)} hidden leftovers"
    )


@pytest.mark.parametrize("times", SHORT_AND_LONG)
def test_preparing(times: int, tmp_path: Path, fault: Callable[..., None]):
    for seed in range(3):
        case, folder = make_case(seed, (10, 40, 40), rigid_mm=4.0), tmp_path / "raw" / f"p{seed}"
        dicom_series(folder / "mr", case.mr["ip"])
        save(case.ct, folder / "ct.mha")
    words, out = (jobs.prepare, tmp_path / "raw"), tmp_path / "out"
    whole(*words, tmp_path / "warm")
    seconds = whole(*words, tmp_path / "straight")

    def check() -> None:
        for folder in out.glob("p?"):
            assert read_case(folder).ct is not None, "a case that is half there"

    hit = kill_often(times, seconds, check, *words, out)
    whole(*words, out)
    ours, theirs = (cases_of(folder) for folder in (out, tmp_path / "straight"))
    assert ours == theirs
    fault("kill -9 while preparing", hit, "same cases, voxel for voxel; same table but for seconds")


def cases_of(folder: Path) -> dict[str, object]:
    """Voxels of all cases by file, and the rows of the table without clocks."""
    table = pd.read_csv(folder / "cases.csv").drop(columns=["seconds", "kept"], errors="ignore")
    found = {"table": table.to_csv()}
    for path in folder.glob("p?"):
        for name, image in read_case(path).named().items():
            found[f"{path.name}/{name}"] = image.get_fdata().tobytes()
    return found


@pytest.mark.parametrize("times", SHORT_AND_LONG)
@pytest.mark.parametrize("what", ["study", "phantoms"])
def test_recording(what: str, times: int, tmp_path: Path, fault: Callable[..., None]):
    job, out = getattr(jobs, what), tmp_path / "broken"
    seconds = whole(job, tmp_path / "straight")

    def check() -> None:
        for path in out.rglob("config.json"):
            json.loads(path.read_text())

    hit = kill_often(times, seconds, check, job, out)
    whole(job, out)
    names = ("cases.csv", "leaderboard.csv") if what == "study" else ("cases.csv", "phantoms.json")
    for name in names:
        assert (out / name).read_bytes() == (tmp_path / "straight" / name).read_bytes(), name
    fault(f"kill -9 while recording ({what})", hit, "same tables, byte for byte")


@pytest.mark.parametrize("times", [2, pytest.param(20, marks=pytest.mark.long)])
@pytest.mark.parametrize("tool", ["export", "execute"])
def test_the_tools(tool: str, times: int, tmp_path: Path, fault: Callable[..., None]):
    from test_faults import ALPHA, BETA, write_chapter

    book = tmp_path / "book"
    (book / "nbs").mkdir(parents=True)
    for name in ("settings.ini", "pyproject.toml"):
        shutil.copy(ROOT / name, book)
    write_chapter(book / "nbs" / "01_alpha.ipynb", ALPHA)
    write_chapter(book / "nbs" / "02_beta.ipynb", BETA)
    target = book / "nbs" / "01_alpha.ipynb"
    words = [sys.executable, str(ROOT / "tools" / f"{tool}.py")]
    words += [str(book)] if tool == "export" else [str(target)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    env = os.environ | {"PYTHONPATH": str(book)}
    subprocess.run(
        [*words[:1], str(ROOT / "tools" / "export.py"), str(book)], check=True, env=env, **quiet
    )
    began = time.perf_counter()
    subprocess.run(words, check=True, env=env, **quiet)
    seconds, moments, hit = time.perf_counter() - began, random.Random(1), 0
    for _ in range(times):
        process = subprocess.Popen(words, env=env, start_new_session=True, **quiet)
        try:
            process.wait(moments.uniform(0.3, 1.0) * seconds)
        except subprocess.TimeoutExpired:
            hit += 1
        if process.poll() is None:
            os.killpg(process.pid, 9)
            process.wait()
        for path in book.rglob("*.ipynb"):
            nbformat.validate(nbformat.read(path, 4))
    subprocess.run(words, check=True, env=env, **quiet)
    if tool == "execute":  # what it stores is cleaned by the export
        again = [sys.executable, str(ROOT / "tools" / "export.py"), str(book)]
        subprocess.run(again, check=True, env=env, **quiet)
    gate = [sys.executable, str(ROOT / "tools" / "check_sync.py"), str(book)]
    assert subprocess.run(gate, env=env, capture_output=True).returncode == 0
    fault(f"kill -9 in tools/{tool}.py", hit, "notebooks whole, the gate passes after the next run")
