"""Hostile text, the network, and the patient's name: shown escaped, not asked, written nowhere unless asked for."""

import gzip
import socket
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from faulty import SECRETS, call, data_set, dicom_series

from mr2ct.datasets import write_cases
from mr2ct.dicom_out import save_dicom
from mr2ct.errors import BadInput
from mr2ct.ladder import build
from mr2ct.phantom import make_case
from mr2ct.training import PROFILES, synthesize
from mr2ct.volumes import Case, load, write_case

SHAPE = (12, 40, 40)


def everything(folder: Path) -> bytes:
    """All bytes below a folder and all names, packed files unpacked."""
    found = b""
    for path in sorted(folder.rglob("*")):
        found += path.name.encode() + b"\n"
        if path.is_file():
            whole = path.read_bytes()
            found += gzip.decompress(whole) if whole[:2] == b"\x1f\x8b" else whole
    return found


def test_nothing_of_the_patient_is_written(tmp_path: Path, fault: Callable[..., None]):
    """DICOM in, everything that can be made of it out; then a search for each secret, in both of DICOM's spellings."""
    uids: list[str] = []

    def note(tags, number) -> None:
        uids.extend(str(tags[n].value) for n in ("SeriesInstanceUID", "SOPInstanceUID"))

    (raw := tmp_path / "raw").mkdir()
    for number in range(2):
        case = make_case(number, SHAPE)
        dicom_series(raw / f"p{number}" / "mr", case.mr["ip"], edit=note)
        dicom_series(raw / f"p{number}" / "ct", case.ct, "CT", edit=note)
    out = tmp_path / "out"
    assert call("prepare", raw, out / "data", "--workers", 1, "--starts", "frame").code == 0
    table = pd.read_csv(out / "data" / "cases.csv")[["id"]]
    write_cases(table.assign(split=["train", "test"]), out / "data")
    fast = ("--profile", "smoke", "--accelerator", "cpu")
    words = ("--method", "unet", "--samples", 4, *fast)
    assert call("train", "--data", out / "data", "--out", out / "run", *words).code == 0
    mr = raw / "p0" / "mr"
    for name in ("a.nii.gz", "a.mha", "a.nrrd"):
        assert call("synthesize", "--run", out / "run", mr, out / name).code == 0
    run = ("--run", out / "run", mr)
    assert call("synthesize", *run, out / "dicom", "--dicom", mr).code == 0
    ct = out / "data" / "p0" / "ct.nii.gz"
    assert call("score", ct, ct, "--out", out / "scores.csv").code == 0
    words = ("--methods", "bulk_3", *fast)
    assert call("bench", "--data", out / "data", "--out", out / "bench", *words).code == 0
    written = everything(out)
    for secret in [*SECRETS.values(), "Winter", "Sommer", *uids]:
        assert secret.encode() not in written, f"{secret!r} is in what was written"
    kept = out.with_name("kept")
    assert call("synthesize", *run, kept, "--dicom", mr, "--keep-identifiers").code == 0
    assert b"Winter^Eva" in everything(kept), "the search finds what is there"
    count = len(SECRETS) + 2 + len(uids)
    fault(
        "privacy: DICOM in, anything out",
        count,
        "no secret found in any file; found where asked for",
    )


EVIL = "<script>alert(1)</script>"


def test_hostile_names(tmp_path: Path, fault: Callable[..., None]):
    """A report shows a patient's name as text; a path in a table leads nowhere; a formula stays in its quotes."""
    names = ["<b onload=x>", "=cmd|' calc'!A1", "a&b;c", "ä ö\u202e"]
    for number, name in enumerate(names):
        case = make_case(number, SHAPE)
        write_case(Case(name, case.mr, case.ct, case.mask), tmp_path / "data")
    splits = ["train", "train", "val", "test"]
    write_cases(pd.DataFrame({"id": names, "split": splits}), tmp_path / "data")
    words = ("--methods", "bulk_3", "--profile", "smoke", "--accelerator", "cpu")
    said = call("bench", "--data", tmp_path / "data", "--out", tmp_path / "out", *words)
    assert said.code == 0, said.err[-400:]
    page = (tmp_path / "out" / "report.html").read_text()
    assert "<b onload" not in page and EVIL not in page
    for bad in ("../evil", "/evil", "a/b"):
        with pytest.raises(BadInput) as error:
            write_case(Case(bad, case.mr, case.ct), tmp_path / "data")
        assert "\n" not in str(error.value)
    assert not (tmp_path / "evil").exists()
    fault(
        "hostile names of patients",
        len(names) + 3,
        "escaped in the report, no path left the folder",
    )


def test_no_request_is_made_offline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Callable[..., None]
):
    """Every command with a socket that counts: none is opened to anywhere."""
    asked: list = []

    def refuse(self, address) -> None:
        if self.family != socket.AF_UNIX:
            asked.append(address)
        raise OSError("no network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setenv("MR2CT_OFFLINE", "1")
    monkeypatch.setenv("MR2CT_HOME", str(tmp_path / "home"))
    data = data_set(tmp_path / "data")
    good, fast = data / "pelvis_0000", ("--profile", "smoke", "--accelerator", "cpu")
    commands = {
        "train": ("train", "--data", data, "--out", tmp_path / "r", "--method", "unet", "--samples", 4, *fast),
        "synthesize": ("synthesize", "--run", tmp_path / "r", good, tmp_path / "o.nii.gz"),
        "score": ("score", good / "ct.nii.gz", good / "ct.nii.gz"),
        "score, LPIPS": ("score", good / "ct.nii.gz", good / "ct.nii.gz", "--lpips", "vgg"),
        "methods": ("methods",),
        "bench": ("bench", "--data", data, "--out", tmp_path / "b", "--methods", "bulk_3", *fast),
    }  # fmt: skip
    for name, words in commands.items():
        said = call(*words)
        assert said.code == (2 if "LPIPS" in name else 0), (name, said.err[-300:])
    assert asked == []
    fault(
        "MR2CT_OFFLINE=1, every command, weights missing", len(commands), "no connection is tried"
    )


def test_a_ct_made_of_an_mr_stays_on_it(tmp_path: Path, fault: Callable[..., None]):
    """An MR series, and our own DICOM series of a synthetic CT as its CT: `prepare` moves it by 0.0 mm."""
    moved = []
    for number, shape in enumerate([(12, 64, 64), (16, 96, 96)]):
        raw, case = tmp_path / f"raw{number}", make_case(3, shape)
        like = load(dicom_series(raw / "p" / "mr", case.mr["ip"]))
        sct = synthesize(build("bulk_3", 1, profile=PROFILES["smoke"]), Case("p", {"ip": like}))
        save_dicom(sct, raw / "p" / "ct", like=raw / "p" / "mr")
        for bias in ("--bias", "--no-bias"):
            out = tmp_path / f"out{number}{bias}"
            said = call("prepare", raw, out, "--workers", 1, "--starts", "frame", bias)
            assert said.code == 0 and "moved 0.0 mm, turned 0.0°" in said.out, said.out
            moved.append(said)
    fault("prepare of an MR and our DICOM CT of it, slices of 15 and 20 mm", len(moved), "0.0 mm")
