"""Bad input at every door: exit 2 and one line that says what was expected and what came, soon and in little memory."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from bad_files import NO_JSON, TABLES, runs, volumes
from faulty import Said, call, data_set, files_of, refused


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small data set and a run that has seen four samples of it."""
    folder = tmp_path_factory.mktemp("world")
    data_set(folder / "data")
    words = ("--method", "unet", "--profile", "smoke", "--samples", 4, "--accelerator", "cpu")
    said = call("train", "--data", folder / "data", "--out", folder / "run", *words)
    assert said.code == 0, said.err
    return folder


def tell(faults: dict[str, str]) -> str:
    return "\n".join(f"{name}: {what}" for name, what in faults.items() if what)


def test_volumes_for_prepare(tmp_path: Path, fault: Callable[..., None]):
    """Each patient's oddity is its own row; that there are two is said, too."""
    faults = {}
    for number, (name, make) in enumerate(volumes().items()):
        raw = tmp_path / f"raw{number}"
        (raw / "p0").mkdir(parents=True)
        make(raw / "p0")
        said = call("prepare", raw, tmp_path / f"out{number}", "--workers", 1)
        faults[name] = refused(said)
        if not (tmp_path / f"out{number}").is_dir():
            continue
        made = [p for p in files_of(tmp_path / f"out{number}") if not p.startswith(".prepared/")]
        faults[name] = faults[name] or " ".join(made)
    assert not tell(faults), tell(faults)
    assert not Path(tempfile.gettempdir(), "mr2ct-escaped.dcm").exists()
    assert not list(tmp_path.parent.rglob("escaped.dcm"))
    assert len(faults) >= 80
    fault("bad volumes and folders, prepare", len(faults), "exit 2, one line, nothing made")


@pytest.mark.parametrize("verb", ["synthesize", "score", "score, as truth", "score, as mask"])
def test_volumes_for_the_other_readers(
    verb: str, world: Path, tmp_path: Path, fault: Callable[..., None]
):
    good, faults = world / "data" / "pelvis_0000", {}
    for number, (name, make) in enumerate(volumes().items()):
        (folder := tmp_path / str(number)).mkdir()
        bad, out = make(folder), folder / "out.nii.gz"
        said = {
            "synthesize": lambda: call("synthesize", "--run", world / "run", bad, good / "mr_op.nii.gz", out),
            "score": lambda: call("score", bad, good / "ct.nii.gz"),
            "score, as truth": lambda: call("score", good / "ct.nii.gz", bad),
            "score, as mask": lambda: call("score", good / "ct.nii.gz", good / "ct.nii.gz", "--mask", bad),
        }[verb]()  # fmt: skip
        faults[name] = refused(said) or ("something was written" if out.exists() else "")
    assert not tell(faults), tell(faults)
    fault(f"bad volumes and folders, {verb}", len(faults), "exit 2, one line, nothing written")


@pytest.mark.parametrize("verb", ["train", "bench"])
def test_tables(verb: str, world: Path, tmp_path: Path, fault: Callable[..., None]):
    faults, data = {}, tmp_path / "data"
    shutil.copytree(world / "data", data)
    tables = dict(TABLES)
    if verb == "bench":
        del tables["nothing to train on"]  # a method without training needs nothing
    for name, table in tables.items():
        (data / "cases.csv").write_bytes(table)
        method = ("--method", "regression") if verb == "train" else ("--methods", "bulk_3")
        words = (*method, "--profile", "smoke", "--accelerator", "cpu")
        said = call(verb, "--data", data, "--out", tmp_path / "out", *words)
        faults[name] = refused(said) or (
            "weights were written" if (tmp_path / "out" / "weights.safetensors").exists() else ""
        )
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
    assert not tell(faults), tell(faults)
    fault(f"tables of cases, {verb}", len(faults), "exit 2, one line, nothing trained")


def test_run_folders(world: Path, tmp_path: Path, fault: Callable[..., None]):
    weights, faults = (world / "run" / "weights.safetensors").read_bytes(), {}
    good = world / "data" / "pelvis_0000"
    mr = (good / "mr_ip.nii.gz", good / "mr_op.nii.gz")
    for name, spoil in runs(weights):
        run = tmp_path / "run"
        shutil.rmtree(run, ignore_errors=True)
        shutil.copytree(world / "run", run)
        spoil(run)
        said: Said = call("synthesize", "--run", run, *mr, tmp_path / "sct.nii.gz")
        faults[name] = refused(said)
    assert not tell(faults), tell(faults)
    assert not (tmp_path / "sct.nii.gz").exists() and not Path("executed").exists()
    fault("spoilt run folders, synthesize", len(faults), "exit 2, one line, nothing executed")


def test_configs_that_are_none_stop_a_training_and_stay(
    world: Path, tmp_path: Path, fault: Callable[..., None]
):
    faults, run = {}, tmp_path / "run"
    shutil.copytree(world / "run", run)
    words = ("--method", "unet", "--profile", "smoke", "--samples", 4, "--accelerator", "cpu")
    for name, content in NO_JSON.items():
        (run / "config.json").write_bytes(content)
        said = call("train", "--data", world / "data", "--out", run, *words)
        kept = (run / "config.json").read_bytes() == content
        faults[name] = refused(said) or ("" if kept else "overwritten")
    assert not tell(faults), tell(faults)
    fault("configs that are no JSON, train", len(faults), "exit 2, one line, nothing overwritten")
