"""The scripts of `data_scripts/` against a local server that cuts the line, lies, and serves zips that want out."""

import gzip
import hashlib
import io
import json
import re
import runpy
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pandas as pd
import pydicom
import pytest
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from mr2ct.datasets import list_cases
from mr2ct.volumes import make_image, read_case, save, shape_of, spacing_mm, to_array

SCRIPTS = Path(__file__).resolve().parents[1] / "data_scripts"
NAMES = sorted(p.stem for p in SCRIPTS.glob("*.py") if p.stem != "common")
LICENCES = {
    "dixon_cptac": "CC BY 3.0",
    "make_phantom": "none needed",
    "mri_dir_porcine": "CC BY 4.0",
    "pelvis_unpaired": "CC BY-SA 4.0",
    "seg3d_head": "MIT",
    "synthrad2023": "CC BY-NC 4.0",
}


class Handler(BaseHTTPRequestHandler):
    """Serves `server.files`; the first answer for a path in `server.cut` ends half way, in `server.hang` it stops there."""

    def do_GET(self) -> None:
        server, start = self.server, 0
        server.asked.append((self.path, self.headers.get("Range")))
        if self.path not in server.files:
            return self.send_error(404)
        body, asked = server.files[self.path], self.headers.get("Range")
        if asked:
            start = int(asked.removeprefix("bytes=").rstrip("-"))
        self.send_response(206 if asked else 200)
        if asked:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        if self.path not in server.cut | server.hang:
            return self.wfile.write(body[start:]) and None
        self.wfile.write(body[start : len(body) // 2])
        self.wfile.flush()
        if self.path in server.hang:
            server.hang.discard(self.path)
            server.waiting.set()
            server.go_on.wait(20)
        server.cut.discard(self.path)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def server(monkeypatch, tmp_path) -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.files, server.cut, server.hang, server.asked = {}, set(), set(), []
    server.waiting, server.go_on = threading.Event(), threading.Event()
    server.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("MR2CT_OFFLINE", "0")
    monkeypatch.setenv("MR2CT_HOME", str(tmp_path / "home"))
    yield server
    server.go_on.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def call(monkeypatch, capsys) -> Callable[..., tuple[int, str, str]]:
    """(exit code, stdout, stderr) of a script, run in this process: a new one would import torch each time."""

    def run(name: str, *words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", [str(SCRIPTS / f"{name}.py"), *map(str, words)])
        monkeypatch.syspath_prepend(str(SCRIPTS))
        capsys.readouterr()
        with pytest.raises(SystemExit) as done:
            runpy.run_path(sys.argv[0], run_name="__main__")
        said = capsys.readouterr()
        return done.value.code or 0, said.out, said.err

    return run


def start(name: str, *words: object) -> subprocess.Popen:
    command = [sys.executable, SCRIPTS / f"{name}.py", *words]
    return subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True)


def object_hu(shape: tuple[int, int, int], seed: int = 0) -> np.ndarray:
    """HU of a lopsided piece of meat with a bone, a fat layer and a hole: (D, H, W) on a cube of side 1."""
    z, y, x = (np.linspace(-1, 1, n) for n in shape)
    z, y, x = np.meshgrid(z, y, x, indexing="ij")
    shift = np.random.default_rng(seed).uniform(-0.05, 0.05)
    hu = np.full(shape, -1000.0)
    body = (z / 0.8) ** 2 + ((y + 0.1 * z) / 0.75) ** 2 + (
        (x - 0.15 * y) / (0.6 - 0.15 * z)
    ) ** 2 < 1
    hu[body] = 40
    hu[body & (y > 0.35 + shift)] = -100
    hu[body & ((x - 0.2 - 0.2 * z) ** 2 + (y + 0.2) ** 2 < 0.03)] = 900
    hu[body & ((x + 0.3) ** 2 + (y - 0.1 + shift) ** 2 + (z - 0.2) ** 2 < 0.02)] = -900
    return hu


def object_mr(hu: np.ndarray, seed: int = 0) -> np.ndarray:
    """MR of the same: fat bright, meat grey, bone and air dark, and noise."""
    mr = np.select([hu < -500, hu < 0, hu < 500], [10.0, 900.0, 500.0], 60.0)
    return mr + np.random.default_rng(seed).normal(0, 15, hu.shape).clip(-10)


def packed(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


# --- command lines


@pytest.mark.parametrize("name", NAMES)
def test_help_states_the_licence(name, call):
    code, out, _ = call(name, "--help")
    assert code == 0 and LICENCES[name] in " ".join(out.split()) and "OUT" in out.upper()


def test_readme_lists_every_script():
    text = (SCRIPTS / "README.md").read_text()
    assert [n for n in NAMES if f"`{n}.py`" not in text or LICENCES[n] not in text] == []


def test_phantoms(call, tmp_path):
    words = (tmp_path / "out", "--cases", 3, "--shape", 8, 32, 32)
    assert call("make_phantom", *words)[0] == 0
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "out").glob("*/*.nii.gz")}
    code, out, _ = call("make_phantom", *words)
    assert code == 0 and out.startswith("Licence: none needed") and "2 train, 0 val, 1 test" in out
    assert before == {p: p.stat().st_mtime_ns for p in (tmp_path / "out").glob("*/*.nii.gz")}


# --- SynthRAD2023: one large zip with a checksum


def synthrad_zip(patients: int = 5, shape: tuple[int, int, int] = (6, 40, 48)) -> bytes:
    """Task1.zip in small: pelvis of two centres, one brain, overviews; CTs shifted more and more, by 9 columns at most."""
    files = {
        "Task1/pelvis/overview/1_pelvis_train.xlsx": b"table",
        "Task1/brain/1BA001/mr.nii.gz": b"x",
    }
    names = [f"1P{centre}{i + 1:03d}" for centre in "AC" for i in range(patients)]
    for i, name in enumerate(names):
        hu = object_hu(shape, i)
        mask = make_image((hu > -950).astype(np.uint8), (2.5, 1, 1))
        shift = i * 9 // (2 * patients - 1)  # further off, a mask holds more air than body
        ct = make_image(np.roll(hu, shift, 2).astype(np.int16), (2.5, 1, 1))
        mr = make_image(object_mr(hu, i).astype(np.float32), (2.5, 1, 1))
        for part, image in (("mr", mr), ("ct", ct), ("mask", mask)):
            files[f"Task1/pelvis/{name}/{part}.nii.gz"] = gzip.compress(image.to_bytes(), 1)
    return packed(files)


def offer(server: ThreadingHTTPServer, content: bytes, checksum: str | None = None) -> None:
    """A Zenodo record with Task1.zip, as its interface answers."""
    link = f"{server.url}/files/Task1.zip"
    checksum = checksum or f"md5:{hashlib.md5(content).hexdigest()}"
    record = {"files": [{"key": "Task1.zip", "checksum": checksum, "links": {"self": link}}]}
    server.files |= {"/records/7260705": json.dumps(record).encode(), "/files/Task1.zip": content}


def test_synthrad_from_a_zip(call, tmp_path):
    (tmp_path / "Task1.zip").write_bytes(synthrad_zip())
    out = tmp_path / "out"
    words = (out, "--zip", tmp_path / "Task1.zip", "--crop", "32x24", "--clean", 0.25)
    code, said, _ = call("synthrad2023", *words)
    assert code == 0 and said.startswith("Licence: CC BY-NC 4.0") and said.count("written") == 10
    table = list_cases(out, check=True)
    assert (
        sorted(table["centre"]) == ["A"] * 5 + ["C"] * 5
        and (table["id"].str[2] == table["centre"]).all()
    )
    tested = table[table["split"] == "test"]
    assert sorted(tested["centre"]) == ["A", "C"]  # a fifth of each
    rest = table[table["split"] != "test"].sort_values("mutual_information", ascending=False)
    assert rest["split"].tolist() == ["val"] * 2 + ["train"] * 6
    assert rest["clean"].tolist() == [True] * 2 + [False] * 6 and not tested["clean"].any()
    assert (
        table.set_index("id")["mutual_information"].idxmax() == "1PA001"
    )  # the one without a shift
    assert (table[["height", "width"]] == [24, 32]).all(axis=None) and (
        table["channels"] == "mr"
    ).all()
    whole = tmp_path / "whole"
    assert call("synthrad2023", whole, "--zip", tmp_path / "Task1.zip")[0] == 0
    full, part = (read_case(folder / "1PC003") for folder in (whole, out))
    assert shape_of(full.ct) == (6, 40, 48) and full.ct.get_data_dtype() == np.int16
    at = np.linalg.inv(full.ct.affine) @ part.ct.affine @ [0, 0, 0, 1]
    x, y = (int(round(v)) for v in at[:2])
    assert np.array_equal(to_array(part.ct), to_array(full.ct)[:, y : y + 24, x : x + 32])
    again = pd.read_csv(out / "cases.csv")
    assert call("synthrad2023", *words, "--seed", 0)[0] == 0
    pd.testing.assert_frame_equal(pd.read_csv(out / "cases.csv"), again)
    for size, message in (("16x16", "take a new OUT"), ("16", "expected COLUMNSxROWS")):
        code, _, error = call("synthrad2023", out, "--zip", tmp_path / "Task1.zip", "--crop", size)
        assert code == 2 and message in error


def test_a_cut_line_and_a_second_run(call, server, tmp_path):
    content = synthrad_zip(3)
    offer(server, content)
    server.cut.add("/files/Task1.zip")
    words = (tmp_path / "out", "--url", f"{server.url}/records")
    code, said, _ = call("synthrad2023", *words)
    assert code == 0 and said.count("written") == 6
    ranges = [r for path, r in server.asked if path.endswith(".zip")]
    assert ranges == [None, f"bytes={len(content) // 2}-"]
    server.asked.clear()
    code, said, _ = call("synthrad2023", *words)
    assert code == 0 and said.count("already there") == 6 and not server.asked


def test_a_wrong_checksum_leaves_nothing(call, server, tmp_path):
    offer(server, synthrad_zip(1), "md5:" + "0" * 32)
    code, said, error = call("synthrad2023", tmp_path / "out", "--url", f"{server.url}/records")
    assert code == 2 and said.startswith("Licence")
    assert error.count("\n") == 1 and "expected checksum md5:000" in error
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]


def test_a_killed_download_and_a_killed_run_go_on(call, server, tmp_path):
    content = synthrad_zip(8, (10, 64, 72))
    offer(server, content)
    server.hang.add("/files/Task1.zip")
    out, words = tmp_path / "out", ("--url", f"{server.url}/records")
    first = start("synthrad2023", out, *words)
    assert server.waiting.wait(20)
    part = tmp_path / "home" / "downloads" / "synthrad2023_Task1.zip.part"
    while not part.exists() or part.stat().st_size < len(content) // 4:
        time.sleep(0.02)
    first.kill()
    first.wait()
    had = part.stat().st_size
    second = start("synthrad2023", out, *words)
    for line in second.stdout:
        if "written" in line:
            break
    second.kill()
    second.wait()
    assert ("/files/Task1.zip", f"bytes={had}-") in server.asked
    kept = {p: p.stat().st_mtime_ns for p in out.glob("1P*/*.nii.gz")}
    assert kept and not (out / "cases.csv").exists()
    written = len(kept) // 3
    code, said, _ = call("synthrad2023", out, *words)
    assert code == 0 and (said.count("already there"), said.count("written")) == (
        written,
        16 - written,
    )
    assert len(list_cases(out)) == 16 and {p: p.stat().st_mtime_ns for p in kept} == kept
    assert not list(out.glob(".*"))


@pytest.mark.parametrize(
    "files, message",
    [
        ({"a.txt": b"x"}, "expected folders 1PA001"),
        (
            {"Task1/pelvis/1PA001/mr.nii.gz": b"no NIfTI"},
            r"1PA001/mr.nii.gz: expected a whole NIfTI",
        ),
        ({"Task1/pelvis/1PA001/mr.nii.gz": None}, r"1PA001/ct.nii.gz: expected a CT beside the MR"),
        (None, "expected a whole zip file"),
    ],
)
def test_synthrad_refuses_what_it_cannot_use(call, tmp_path, files, message):
    path, ramp = (
        tmp_path / "Task1.zip",
        make_image(np.float32(np.arange(64)).reshape(4, 4, 4), (1, 1, 1)),
    )
    mr = gzip.compress(ramp.to_bytes())
    files = {name: content or mr for name, content in files.items()} if files else None
    path.write_bytes(packed(files) if files else b"PK no zip")
    code, _, error = call("synthrad2023", tmp_path / "out", "--zip", path)
    assert code == 2 and re.search(message, error) and error.count("\n") == 1
    assert not list(tmp_path.rglob("*.nii.gz"))


def test_synthrad_asks_for_nothing_when_offline(call, server, tmp_path, monkeypatch):
    monkeypatch.setenv("MR2CT_OFFLINE", "1")
    code, _, error = call("synthrad2023", tmp_path / "out", "--url", f"{server.url}/records")
    assert code == 2 and "MR2CT_OFFLINE" in error and not server.asked


# --- DICOM from The Cancer Imaging Archive


def dicom_zip(
    values: np.ndarray, spacing: tuple[float, float, float], modality: str, sums: bool = True
) -> bytes:
    """A series as the archive packs it, with the list of MD5 sums; (D, H, W) values, voxels (z, y, x) mm."""
    files, series = {}, generate_uid()
    for d, slice_ in enumerate(values):
        tags = pydicom.Dataset()
        tags.SOPClassUID, tags.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", generate_uid()
        tags.Modality, tags.SeriesInstanceUID = modality, series
        tags.Rows, tags.Columns = slice_.shape
        tags.PixelSpacing, tags.SliceThickness = [spacing[1], spacing[2]], spacing[0]
        tags.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        tags.ImagePositionPatient = [-30.0, -20.0, 5.0 + spacing[0] * d]
        tags.SamplesPerPixel, tags.PhotometricInterpretation = 1, "MONOCHROME2"
        tags.BitsAllocated = tags.BitsStored = 16
        tags.HighBit, tags.PixelRepresentation = 15, 1
        tags.RescaleSlope, tags.RescaleIntercept = 1, 0
        tags.PixelData = np.asarray(slice_, np.int16).tobytes()
        tags.file_meta = pydicom.dataset.FileMetaDataset()
        tags.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        tags.file_meta.MediaStorageSOPClassUID = tags.SOPClassUID
        tags.file_meta.MediaStorageSOPInstanceUID = tags.SOPInstanceUID
        buffer = io.BytesIO()
        tags.save_as(buffer, enforce_file_format=True)
        files[f"{len(values) - d:08d}.dcm"] = buffer.getvalue()
    if sums:
        rows = [f"{n},{hashlib.md5(c).hexdigest()}" for n, c in files.items()]
        files["md5hashes.csv"] = "\n".join(["Filename,MD5Hash", *rows]).encode()
    return packed(files | {"LICENSE": b"CC BY"})


SHAPE, SPACING = (24, 60, 64), (3.0, 1.5, 1.5)


@pytest.fixture(scope="module")
def pair() -> dict[str, bytes]:
    """The object on MR, and on a CT that lies turned by half a circle about the y axis, as feet first does."""
    hu = object_hu(SHAPE)
    return {
        "mr": dicom_zip(object_mr(hu), SPACING, "MR"),
        "ct": dicom_zip(hu[::-1, :, ::-1], SPACING, "CT"),
    }


def test_porcine_is_registered_from_dicom(call, server, pair, tmp_path):
    server.files |= {f"/series?SeriesInstanceUID=1.2.{i}": z for i, z in enumerate(pair.values())}
    server.cut |= set(server.files)
    out = tmp_path / "out"
    words = (out, "--mr", "1.2.0", "--ct", "1.2.1", "--url", f"{server.url}/series")
    code, said, error = call("mri_dir_porcine", *words, "--spacing", 3, 1.5, 1.5)
    assert code == 0, error
    assert said.startswith("Licence: CC BY 4.0") and "One object only" in said
    case = read_case(out / "porcine")
    assert list(case.mr) == ["t2"] and np.allclose(spacing_mm(case.ct), SPACING, atol=1e-3)
    mr, ct, body = to_array(case.mr["t2"]), to_array(case.ct), case.body()
    # The truth on the case's grid: what the MR shows there.
    meat, fat = body & (abs(mr - 500) < 60), body & (abs(mr - 900) < 60)
    assert abs(np.median(ct[meat]) - 40) < 20 and abs(np.median(ct[fat]) + 100) < 20
    assert np.mean(abs(ct[meat] - 40) < 100) > 0.9 and np.mean(ct[~body] < -500) > 0.9
    table = list_cases(out, check=True)
    assert table["mutual_information"].iloc[0] > 0.3
    stamp = (out / "porcine" / "ct.nii.gz").stat().st_mtime_ns
    assert "porcine: already there" in call("mri_dir_porcine", *words)[1]
    assert (out / "porcine" / "ct.nii.gz").stat().st_mtime_ns == stamp


@pytest.mark.parametrize(
    "name, message",
    [("sums", "expected MD5"), ("cut", "expected a zip"), ("empty", "expected whole DICOM")],
)
def test_a_series_that_is_not_what_its_sums_say(call, server, pair, tmp_path, name, message):
    with zipfile.ZipFile(io.BytesIO(pair["mr"])) as archive:
        files = {n: archive.read(n) for n in archive.namelist()}
    files["00000003.dcm"] = files["00000003.dcm"][:-2] + b"xx"
    served = {"sums": packed(files), "cut": pair["mr"][:-300], "empty": packed({"LICENSE": b"x"})}
    server.files["/series?SeriesInstanceUID=1.2.0"] = served[name]
    words = ("--mr", "1.2.0", "--ct", "1.2.0", "--url", f"{server.url}/series")
    code, _, error = call("mri_dir_porcine", tmp_path / "out", *words)
    assert code == 2 and message in error and error.count("\n") == 1
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]


def test_a_zip_that_wants_out(call, server, pair, tmp_path):
    with zipfile.ZipFile(io.BytesIO(pair["mr"])) as archive:
        files = {n: archive.read(n) for n in archive.namelist()}
    server.files["/series?SeriesInstanceUID=1.2.0"] = packed(files | {"../evil": b"x"})
    words = ("--mr", "1.2.0", "--ct", "1.2.0", "--url", f"{server.url}/series")
    code, _, error = call("mri_dir_porcine", tmp_path / "out", *words)
    assert code == 2 and "'../evil'" in error and "stay inside" in error and error.count("\n") == 1
    assert not list(tmp_path.rglob("evil")) and not (tmp_path / "out" / "porcine").exists()
    code, _, error = call("mri_dir_porcine", tmp_path / "out", "--mr", tmp_path / "no.zip")
    assert code == 2 and "no.zip: expected a DICOM folder" in error


def test_dixon_makes_water_and_fat(call, tmp_path):
    rng, z = np.random.default_rng(0), np.zeros((6, 40, 44))
    z[:, 8:32, 8:36] = 1
    water, fat = 400 * z + rng.integers(0, 9, z.shape), 90 * z
    images = {"ip": water + fat, "op": water - fat}
    for name, values in images.items():
        save(make_image(values.astype(np.int16), (5, 1, 1)), tmp_path / f"{name}.nii.gz")
    out, ip, op = tmp_path / "out", tmp_path / "ip.nii.gz", tmp_path / "op.nii.gz"
    code, said, _ = call("dixon_cptac", out, "--in-phase", ip, "--opposed-phase", op)
    assert code == 0 and said.startswith("Licence: CC BY 3.0") and "no CT" in said
    case = read_case(out / "abdomen")
    assert list(case.mr) == ["fat", "ip", "op", "water"] and case.ct is None
    assert np.array_equal(to_array(case.mr["fat"]), fat) and np.array_equal(
        to_array(case.mr["water"]), water
    )
    assert pd.read_csv(out / "cases.csv")[["id", "split"]].values.tolist() == [["abdomen", "test"]]
    code, _, error = call("dixon_cptac", tmp_path / "b", "--in-phase", op, "--opposed-phase", ip)
    assert code == 2 and "swapped?" in error
    code, _, error = call("dixon_cptac", tmp_path / "b")
    assert code == 2 and "cptac-ccrcc" in error


# --- the head pair: two files, one with a checksum


def test_head_is_registered_from_two_files(call, server, tmp_path):
    hu = object_hu(SHAPE)
    mr = make_image(object_mr(hu).astype(np.float32), SPACING, (400, 0, -100))
    ct = make_image(
        (hu[::-1, ::-1] + 1024).astype(np.int16), SPACING
    )  # no sign, and turned about x
    save(mr, tmp_path / "mr.nii.gz")
    save(ct, tmp_path / "ct.nrrd")
    words = ("--spacing", 3, 1.5, 1.5, "--url", server.url)
    code, _, error = call("seg3d_head", tmp_path / "out", *words)
    assert code == 2 and "HTTP Error 404" in error
    address = server.asked[0][0]
    assert re.search(r"/[0-9a-f]{40}/seg3D/MR\.nii\.gz$", address)
    server.files[address] = (tmp_path / "mr.nii.gz").read_bytes()
    code, _, error = call("seg3d_head", tmp_path / "out", *words)
    assert code == 2 and "expected checksum 56ac7822" in error  # it is not the head
    server.asked.clear()
    code, _, error = call("seg3d_head", tmp_path / "out", "--mr", tmp_path / "mr.nii.gz", *words)
    server.files[server.asked[0][0]] = (tmp_path / "ct.nrrd").read_bytes()
    server.cut.add(server.asked[0][0])
    code, said, error = call("seg3d_head", tmp_path / "out", "--mr", tmp_path / "mr.nii.gz", *words)
    assert code == 0, error
    assert said.startswith("Licence: MIT") and "taken as HU + 1024" in said
    case = read_case(tmp_path / "out" / "head")
    mr, ct, body = to_array(case.mr["t1"]), to_array(case.ct), case.body()
    meat = body & (abs(mr - 500) < 60)
    assert np.mean(abs(ct[meat] - 40) < 100) > 0.9


# --- an MR and a CT of different people


def test_unpaired_pelvis_keeps_the_gaps_of_its_ct(call, server, tmp_path):
    hu = object_hu((20, 110, 120))
    with zipfile.ZipFile(io.BytesIO(dicom_zip(hu, (2.5, 1, 1), "CT", sums=False))) as archive:
        files = {f"repo/ct/{n}": archive.read(n) for n in archive.namelist() if n != "LICENSE"}
    gone = sorted(files)[8:10]  # named from the top: slices 11 and 10 of 20
    files = {n: content for n, content in files.items() if n not in gone} | {"repo/x.txt": b"x"}
    save(make_image(object_mr(object_hu(SHAPE)).astype(np.float32), SPACING), tmp_path / "a.nii.gz")
    words = (tmp_path / "out", "--mr", tmp_path / "a.nii.gz", "--ct-mm", 14, 46)
    words += ("--ct-url", server.url)
    code, said, error = call("pelvis_unpaired", *words)
    assert code == 2 and "HTTP Error 404" in error and "mr_a: written, no CT" in said
    server.files[server.asked[-1][0]] = packed(files)
    code, said, error = call("pelvis_unpaired", *words)
    assert code == 0 and "mr_a: already there" in said and "2 train" in said, error

    table = list_cases(tmp_path / "out", check=True, needs="unpaired")
    assert dict(zip(table["id"], table["holds"], strict=True)) == {"ct": "ct", "mr_a": "mr"}
    ct = read_case(tmp_path / "out" / "ct", require=("ct",))
    values, body = to_array(ct.ct), ct.body()
    assert values.shape == (13, 128, 128) and spacing_mm(ct.ct) == (2.5, 1.5, 1.5)
    lost = np.flatnonzero(~body.any((1, 2)))  # slice k lies at 5 + 2.5·k mm; the first in use is 4
    assert list(lost) == [6, 7] and (values[lost] == -1024).all()
    at = (values[2] > 600).sum() * 1.5**2  # the bone's area, against that of the object itself
    assert abs(at / (hu[6] > 600).sum() - 1) < 0.1
    mr = read_case(tmp_path / "out" / "mr_a")
    assert shape_of(mr.mr["t2"]) == (24, 128, 128) and mr.ct is None

    code, _, error = call("pelvis_unpaired", tmp_path / "b", *words[1:3], "--ct-mm", 500, 600)
    assert code == 2 and "expected slices between 500 and 600 mm" in error
    code, _, error = call("pelvis_unpaired", tmp_path / "c")
    assert code == 2 and "prostatex" in error and error.count("\n") == 1
