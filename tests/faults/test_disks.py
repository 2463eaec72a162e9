"""Full, read-only and vanished places, and two processes in one: one line, and the last good state stays."""

import resource
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from faulty import call, data_set, dicom_series, files_of, refused

from mr2ct.benchmark import bench
from mr2ct.errors import BadInput
from mr2ct.ladder import build
from mr2ct.phantom import make_case
from mr2ct.run_folder import load_checkpoint, locked
from mr2ct.training import Method, Profile, fit, start_fabric
from mr2ct.volumes import Case, save
from mr2ct.worlds import write_phantoms

TINY = Profile("tiny", (2, 1, 1), (8, 40, 40), samples=24, batch_size=2, crop=32, width=4)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("disks")
    data_set(folder / "data")
    words = ("--method", "unet", "--profile", "smoke", "--samples", 4, "--accelerator", "cpu")
    assert call("train", "--data", folder / "data", "--out", folder / "run", *words).code == 0
    case = make_case(1, (10, 40, 40))
    dicom_series(folder / "raw" / "p0" / "mr", case.mr["ip"])
    save(case.ct, folder / "raw" / "p0" / "ct.mha")
    return folder


@contextmanager
def full_disk(room: int) -> Iterator[None]:
    """No file can grow beyond `room` bytes, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def commands(world: Path, out: Path) -> dict[str, tuple]:
    """Every command that writes, with a target."""
    good = world / "data" / "pelvis_0000"
    fast = ("--profile", "smoke", "--accelerator", "cpu")
    train = ("--data", world / "data", "--method", "unet", "--samples", 4, *fast)
    return {
        "phantom": ("phantom", out, "--cases", 1, "--shape", 12, 40, 40),
        "prepare": ("prepare", world / "raw", out, "--workers", 1, "--starts", "frame"),
        "train": ("train", "--out", out, *train),
        "synthesize": ("synthesize", "--run", world / "run", good, out.with_name("o.nii.gz")),
        "synthesize, .mha": ("synthesize", "--run", world / "run", good, out.with_name("o.mha")),
        "score": ("score", good / "ct.nii.gz", good / "ct.nii.gz", "--out", out.with_name("o.csv")),
        "bench": ("bench", "--data", world / "data", "--out", out, "--methods", "bulk_3", *fast),
    }


def test_a_full_disk(world: Path, tmp_path: Path, fault: Callable[..., None]):
    faults = {}
    for number, verb in enumerate(commands(world, tmp_path)):
        (folder := tmp_path / str(number)).mkdir()
        with full_disk(0 if verb == "score" else 300):
            said = call(*commands(world, folder / "out")[verb])
        faults[verb] = refused(said, seconds=60)
        left = [n for n in files_of(folder) if n.endswith((".nii.gz", ".mha", ".safetensors"))]
        faults[verb] += f" left behind: {left}" if left else ""
    assert not any(faults.values()), "\n".join(f"{k}: {v}" for k, v in faults.items() if v)
    fault(
        "full disk, every command that writes",
        len(faults),
        "exit 2, one line, nothing half written",
    )


def test_a_place_that_takes_no_files(world: Path, tmp_path: Path, fault: Callable[..., None]):
    faults = {}
    for verb, words in commands(world, Path("/proc/nothing/out")).items():
        faults[verb] = refused(call(*words))
    (tmp_path / "file").write_text("a file")
    for verb, words in commands(world, tmp_path / "file" / "out").items():
        faults[f"{verb}, below a file"] = refused(call(*words))
    assert not any(faults.values()), "\n".join(f"{k}: {v}" for k, v in faults.items() if v)
    fault("read-only file system, a path through a file", len(faults), "exit 2, one line, at once")


def test_a_full_disk_under_way_leaves_the_last_checkpoint(
    world: Path, tmp_path: Path, fault: Callable[..., None]
):
    from mr2ct.datasets import list_cases

    def batches(method: Method) -> object:
        return method.batches(list_cases(world / "data"), TINY, 0, tmp_path / "cache")

    options = {"fabric": start_fabric("cpu"), "save_every": 4, "progress": False}

    def run(steps: int, **more: object) -> Method:
        method = build("unet", 2, profile=TINY)
        return fit(method, batches(method), steps=steps, run_dir=tmp_path / "run", **options | more)

    run(4)
    with full_disk(2000), pytest.raises(OSError) as error:
        run(8)
    assert str(tmp_path / "run") in str(error.value)
    assert load_checkpoint(tmp_path / "run")["step"] == 4
    run(8)
    straight = build("unet", 2, profile=TINY)
    fit(straight, batches(straight), steps=8, run_dir=tmp_path / "straight", **options)
    name = "weights.safetensors"
    assert (tmp_path / "run" / name).read_bytes() == (tmp_path / "straight" / name).read_bytes()
    fault("disk full in the middle of a training", 1, "last checkpoint sound; gone on, same bits")


def test_a_folder_that_is_removed_under_way(
    world: Path, tmp_path: Path, fault: Callable[..., None]
):
    """Whatever goes is missed in one line; nothing ends as if it were whole."""
    from mr2ct.datasets import list_cases

    cache, run, made = (tmp_path / name for name in ("cache", "run", "made"))

    def training(gone: Path) -> None:
        method = build("unet", 2, profile=TINY)
        batches = method.batches(list_cases(world / "data"), TINY, 0, cache)

        def look(step: int, method: Method) -> None:
            shutil.rmtree(gone, ignore_errors=True)

        options = {"fabric": start_fabric("cpu"), "save_every": 4, "progress": False}
        fit(method, batches, steps=12, run_dir=run, watch=look, **options)

    def phantoms(gone: Path) -> None:
        def make(seed: int, split: str) -> Case:
            if seed == 1:
                shutil.rmtree(gone, ignore_errors=True)
            return make_case(seed, (4, 16, 16))

        write_phantoms(made, (2, 1, 1), make=make, options={}, progress=False)

    faults = {}
    for name, work in {
        "run": lambda: training(run),
        "cache": lambda: training(cache),
        "phantoms": lambda: phantoms(made),
        "a phantom": lambda: phantoms(made / "pelvis_0000"),
    }.items():
        shutil.rmtree(run, ignore_errors=True)
        shutil.rmtree(made, ignore_errors=True)
        try:
            work()
            faults[name] = "ended as if nothing had happened"
        except (BadInput, OSError) as error:
            faults[name] = "" if str(tmp_path) in str(error) and "\n" not in str(error) else error
    assert not any(faults.values()), faults
    assert not (made / "cases.csv").exists()
    training(run / "checkpoint")  # the only one that does no harm: the next is whole again
    assert load_checkpoint(run)["step"] == 12 and (run / "weights.safetensors").is_file()
    fault("a folder removed under way", len(faults), "one line that names it")


def test_two_in_one_folder(world: Path, tmp_path: Path, fault: Callable[..., None]):
    """The second is refused by the number of the first, and leaves everything as it was."""
    out, faults = tmp_path / "out", {}
    words = commands(world, out)
    for verb, place in {"train": out, "prepare": out / ".prepared", "bench": out}.items():
        shutil.rmtree(out, ignore_errors=True)
        with locked(place):
            before = files_of(place)
            said = call(*words[verb])
            faults[verb] = refused(said) or (
                "" if "another is at work (process " in said.err else said.err
            )
            faults[verb] += "" if files_of(place).items() >= before.items() else " changed"
    assert not any(faults.values()), "\n".join(f"{k}: {v}" for k, v in faults.items() if v)
    study = tmp_path / "study"
    with locked(study), pytest.raises(BadInput, match="another is at work"):
        bench(TINY, study, methods=["bulk_water"], fabric=start_fabric("cpu"), progress=False)
    fault(
        "two processes in one folder", len(faults) + 1, "the second refused by the first's number"
    )
