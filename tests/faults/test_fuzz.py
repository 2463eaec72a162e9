"""Fuzzing: whatever bytes, tables and configs hypothesis makes, there is a result or `BadInput`, and nothing else."""

import json
import warnings
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from faulty import SHAPE, data_set, dicom_series
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from mr2ct.datasets import list_cases
from mr2ct.errors import BadInput
from mr2ct.folders import read_raw
from mr2ct.metrics import score
from mr2ct.phantom import make_case
from mr2ct.prepare import Recipe, prepare_case
from mr2ct.run_folder import begin_run
from mr2ct.volumes import Case, load, make_image, save

EXAMPLES = [200, pytest.param(2000, marks=pytest.mark.long)]
QUIET = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]


def ours(work: Callable[[], object], seen: list) -> None:
    """Do something that may be refused, in one line; any other exception is a fault."""
    with warnings.catch_warnings(action="ignore"), np.errstate(all="ignore"):
        try:
            work()
            seen.append("read")
        except (BadInput, OSError) as error:
            assert "\n" not in str(error), str(error)
            seen.append("refused")


def quick(examples: int) -> settings:
    return settings(
        max_examples=examples, deadline=None, suppress_health_check=QUIET, derandomize=True
    )


def told(seen: list) -> str:
    return f"{seen.count('refused')} refused in a line, {seen.count('read')} read, nothing else"


edits = some.lists(some.tuples(some.floats(0, 1), some.binary(min_size=1, max_size=8)), max_size=4)


def edited(whole: bytes, changes: list, cut: float, head: int) -> bytes:
    """Bytes put into the first `head` of a file, which may then be cut."""
    found = bytearray(whole)
    for place, content in changes:
        k = int(place * min(head, len(whole) - 1))
        found[k : k + len(content)] = content
    return bytes(found[: int(cut * len(found)) if cut < 0.8 else len(found)])


@pytest.mark.parametrize("examples", EXAMPLES)
@pytest.mark.parametrize("ending", [".nii", ".nii.gz", ".mha", ".nrrd", "DICOM"])
def test_readers(ending: str, examples: int, tmp_path: Path, fault: Callable[..., None]):
    values = np.indices((5, 8, 9)).sum(0).astype(np.int16)
    image, seen = make_image(values, (3.0, 2.0, 2.0)), []
    if ending == "DICOM":
        path = dicom_series(tmp_path / "mr", image) / "IM0002.dcm"
    else:
        path = tmp_path / f"mr{ending}"
        save(image, path)
    whole, target = path.read_bytes(), path.parent if ending == "DICOM" else path
    head = {".nii": 352, ".nii.gz": 60, "DICOM": 900}.get(ending, 300)

    @quick(examples)
    @given(edits, some.floats(0, 1), some.sampled_from([head, len(whole)]))
    def check(changes: list, cut: float, reach: int) -> None:
        path.write_bytes(edited(whole, changes, cut, reach))
        ours(lambda: load(target), seen)

    check()
    fault(f"fuzzed files, {ending}", examples, told(seen))


@pytest.mark.parametrize("examples", EXAMPLES)
def test_tables(examples: int, tmp_path: Path, fault: Callable[..., None]):
    data, seen = data_set(tmp_path / "data", ("train", "test")), []
    names = ["pelvis_0000", "pelvis_0001", "..", "", "a,b", "pelvis_0000/../pelvis_0001"]
    cells = some.one_of(
        some.sampled_from([*names, "train", "val", "test", "nan", "-1", "0", "1e400", "3.5"]),
        some.text(max_size=6),
    )
    heads = some.lists(
        some.sampled_from(["id", "split", "group", "start", "stop", "id", "x"]), max_size=6
    )
    rows = some.lists(some.lists(cells, max_size=6), max_size=4)

    @quick(examples)
    @given(heads, rows, some.sampled_from(["utf-8", "utf-16", "latin-1"]))
    def check(head: list, body: list, code: str) -> None:
        text = "\n".join(",".join(row) for row in [head, *body])
        (data / "cases.csv").write_bytes(text.encode(code, "replace"))
        ours(lambda: list_cases(data), seen)

    check()
    fault("fuzzed cases.csv", examples, told(seen))


plain = some.recursive(
    some.none() | some.booleans() | some.floats() | some.integers() | some.text(max_size=5),
    lambda inner: (
        some.lists(inner, max_size=3) | some.dictionaries(some.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)


@pytest.mark.parametrize("examples", EXAMPLES)
def test_configs(examples: int, tmp_path: Path, fault: Callable[..., None]):
    seen: list = []

    @quick(examples)
    @given(some.one_of(plain, some.binary(max_size=60)), plain)
    def check(there: object, asked: object) -> None:
        content = there if isinstance(there, bytes) else json.dumps(there).encode()
        (tmp_path / "config.json").write_bytes(content)
        ours(
            lambda: begin_run(tmp_path, {"method": "unet", "settings": asked, "steps": 1}, True),
            seen,
        )
        if seen[-1] == "refused":
            assert (tmp_path / "config.json").read_bytes() == content, "overwritten"

    check()
    fault("fuzzed config.json", examples, told(seen))


numbers = some.sampled_from(
    [0.0, -1000.0, 40.0, 3000.0, 1e30, -1e30, float("nan"), float("inf"), 1e-30]
)


@pytest.mark.parametrize("examples", EXAMPLES)
def test_scores(examples: int, fault: Callable[..., None]):
    seen: list = []
    sides = some.tuples(*[some.integers(1, 12)] * 3)

    @quick(examples)
    @given(
        sides,
        sides,
        some.lists(numbers, min_size=3, max_size=3),
        some.booleans(),
        some.integers(0, 9),
    )
    def check(shape: tuple, other: tuple, values: list, alike: bool, seed: int) -> None:
        rng = np.random.default_rng(seed)
        ct = rng.choice(values, shape)
        sct = rng.choice(values, shape if alike else other)
        ours(lambda: score(sct, ct, mask=rng.random(shape) > 0.5), seen)

    check()
    fault("fuzzed volumes for score", examples, told(seen))


@pytest.mark.parametrize("examples", [20, pytest.param(2000, marks=pytest.mark.long)])
def test_preparing(examples: int, tmp_path: Path, fault: Callable[..., None]):
    """Volumes of odd sizes, affines and numbers; without N4 and registration, which are slow and tried elsewhere."""
    case, seen = make_case(0, SHAPE), []
    mr, ct = (np.asarray(i.dataobj, np.float32) for i in (case.mr["ip"], case.ct))

    @quick(examples)
    @given(
        some.lists(
            some.tuples(some.integers(0, 2), some.integers(0, 2), some.floats(-9, 9)), max_size=3
        ),
        some.lists(numbers, max_size=3),
        some.floats(0.01, 1),
    )
    def check(skew: list, odd: list, share: float) -> None:
        affine, values = case.ct.affine.copy(), ct.copy()
        for i, k, mm in skew:
            affine[i, k] += mm
        rng = np.random.default_rng(len(odd))
        for number in odd:
            values[rng.random(values.shape) < share / 20] = number
        moving = nib.Nifti1Image(values, affine)

        def work() -> object:
            pair = Case("p", {"ip": nib.Nifti1Image(mr, case.ct.affine)}, moving)
            return prepare_case(pair, Recipe(bias=False, register="none"))

        ours(work, seen)
        (tmp_path / "mr.nii").write_bytes(moving.to_bytes())
        ours(lambda: read_raw(tmp_path), seen)

    check()
    fault("fuzzed pairs for prepare", examples, told(seen))
