"""Files and folders that nobody can use, each made by one function of a good one: by name, for every command to refuse."""

import gzip
import json
import os
import struct
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import SimpleITK as sitk
from faulty import SHAPE, dicom_series
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless

from mr2ct.volumes import make_image

Make = Callable[[Path], Path]


def _ramp(shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    """Something that is neither constant nor noise."""
    return np.indices(shape).sum(0).astype(np.float32)


def _nifti(values: np.ndarray, affine: np.ndarray = np.diag([5.0, 5.0, 5.0, 1.0])) -> bytes:
    return nib.Nifti1Image(np.moveaxis(values, 0, -1), affine).to_bytes()


def _header(offset: int, kind: str, *numbers: float) -> Callable[[], bytes]:
    """A whole NIfTI file with numbers put into its header."""

    def make() -> bytes:
        whole = bytearray(_nifti(_ramp()))
        struct.pack_into(f"<{len(numbers)}{kind}", whole, offset, *numbers)
        return bytes(whole)

    return make


def _lines(ending: str, old: str, new: str) -> Callable[[], bytes]:
    """An .mha or .nrrd file with a part of its text header replaced."""

    def make() -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"a{ending}"
            sitk.WriteImage(sitk.GetImageFromArray(_ramp()), str(path))
            whole = path.read_bytes()
        assert old.encode() in whole, (ending, old, whole[:400])
        return whole.replace(old.encode(), new.encode(), 1)

    return make


def _itk(ending: str, image: Callable[[], sitk.Image]) -> Make:
    def make(folder: Path) -> Path:
        sitk.WriteImage(image(), str(folder / f"mr{ending}"))
        return folder / f"mr{ending}"

    return make


def _file(name: str, content: Callable[[], bytes]) -> Make:
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(content())
        return folder / name

    return make


def _gz(content: bytes) -> bytes:
    return gzip.compress(content, 1)


NIFTI: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "one byte": lambda: b"\x00",
    "text": lambda: b"this is no picture\n" * 40,
    "a web page": lambda: b"<!doctype html><html><body>404</body></html>" * 30,
    "half a header": lambda: _nifti(_ramp())[:100],
    "a header alone": lambda: _nifti(_ramp())[:352],
    "half of its voxels": lambda: _nifti(_ramp())[:20_000],
    "noise": lambda: np.random.default_rng(0).bytes(30_000),
    "no dimension": _header(40, "h", 0),
    "eight dimensions": _header(40, "h", 8),
    "a side of 0": _header(42, "h", 0),
    "a side below 0": _header(42, "h", -7),
    "sides of 32767": _header(42, "h", 32767, 32767, 32767),
    "type 0": _header(70, "h", 0),
    "type 1, single bits": _header(70, "h", 1),
    "type 1536, 16 bytes": _header(70, "h", 1536),
    "type 128, colours": _header(70, "h", 128),
    "a type nobody knows": _header(70, "h", 4242),
    "spacing 0": _header(80, "f", 0.0, 0.0, 0.0),
    "spacing not a number": _header(80, "f", float("nan"), 1.0, 1.0),
    "spacing infinite": _header(80, "f", float("inf"), 1.0, 1.0),
    "matrix not a number": _header(280, "f", *[float("nan")] * 12),
    "matrix of zeros": _header(280, "f", *[0.0] * 12),
    "two axes along one": _header(280, "f", 5, 0, 0, 0, 5, 0, 0, 0, 0, 0, 5, 0),
    "voxels begin at -5": _header(108, "f", -5.0),
    "voxels begin far behind": _header(108, "f", 1e9),
    "no magic": _header(344, "i", 0),
    "complex numbers": lambda: _nifti(_ramp().astype(np.complex64)),
    "a flat picture": lambda: nib.Nifti1Image(_ramp()[0], np.eye(4)).to_bytes(),
    "two volumes": lambda: nib.Nifti1Image(np.zeros((8, 8, 8, 2), np.float32), np.eye(4)).to_bytes(),
    "five dimensions": lambda: nib.Nifti1Image(np.zeros((4, 4, 4, 2, 3), np.float32), np.eye(4)).to_bytes(),
    "all zeros": lambda: _nifti(np.zeros(SHAPE, np.float32)),
    "all the same": lambda: _nifti(np.full(SHAPE, 7, np.int16)),
    "not a number throughout": lambda: _nifti(np.full(SHAPE, np.nan, np.float32)),
    "one voxel not a number": lambda: _nifti(np.where(_ramp() == 3, np.nan, _ramp())),
    "one voxel infinite": lambda: _nifti(np.where(_ramp() == 3, np.inf, _ramp())),
}  # fmt: skip

TEXT_HEADERS: dict[str, Callable[[], bytes]] = {
    "mr.mha: empty": lambda: b"",
    "mr.mha: text": lambda: b"no header here\n",
    "mr.mha: one side too long": _lines(".mha", "DimSize = 40 40 12", "DimSize = 40 40 99"),
    "mr.mha: sides below 0": _lines(".mha", "DimSize = 40 40 12", "DimSize = 40 40 -2"),
    "mr.mha: a type nobody knows": _lines(".mha", "MET_FLOAT", "MET_FLOOT"),
    "mr.mha: spacing 0": _lines(".mha", "ElementSpacing = 1 1 1", "ElementSpacing = 0 1 1"),
    "mr.mha: a spacing that is a word": _lines(".mha", "ElementSpacing = 1 1 1", "ElementSpacing = a b c"),
    "mr.mha: voxels elsewhere": _lines(".mha", "ElementDataFile = LOCAL", "ElementDataFile = ../gone.raw"),
    "mr.mha: voxels in a system file": _lines(".mha", "ElementDataFile = LOCAL", "ElementDataFile = /etc/passwd"),
    "mr.mhd: no voxels beside it": lambda: b"ObjectType = Image\nNDims = 3\nDimSize = 8 8 8\nElementType = MET_SHORT\nElementDataFile = mr.raw\n",
    "mr.nrrd: empty": lambda: b"",
    "mr.nrrd: no such version": _lines(".nrrd", "NRRD000", "NRRD999"),
    "mr.nrrd: no such type": _lines(".nrrd", "type: float", "type: floot"),
    "mr.nrrd: a side too long": _lines(".nrrd", "sizes: 40 40 12", "sizes: 40 40 4000"),
    "mr.nrrd: no such packing": _lines(".nrrd", "encoding: raw", "encoding: riddle"),
    "mr.nrrd: voxels in a system file": _lines(".nrrd", "encoding: raw", "encoding: raw\ndata file: /etc/passwd"),
    "mr.zip: empty": lambda: b"",
    "mr.zip: text": lambda: b"no archive\n",
    "mr.nii.gz: no gzip": lambda: _nifti(_ramp())[:5000],
    "mr.nii.gz: half": lambda: _gz(_nifti(_ramp()))[:4000],
    "mr.nii.gz: spoilt in the middle": lambda: _spoilt(_gz(_nifti(np.random.default_rng(0).normal(size=SHAPE)))),
    "mr.nii.gz: empty inside": lambda: _gz(b""),
    "mr.nii.gz: far more than it says": lambda: _gz(_nifti(np.zeros((4, 4, 4), np.float32)) + bytes(50_000_000)),
}  # fmt: skip


def _spoilt(whole: bytes) -> bytes:
    middle = len(whole) // 2
    return whole[:middle] + bytes(64) + whole[middle + 64 :]


def _series(edit: Callable[[pydicom.Dataset, int], None]) -> Make:
    def make(folder: Path) -> Path:
        image = make_image(_ramp((6, 12, 10)), (5.0, 2.0, 2.0))
        return dicom_series(folder / "mr", image, edit=edit)

    return make


def _set(**tags: object) -> Make:
    return _series(lambda t, d: [setattr(t, name, value) for name, value in tags.items()])


def _without(name: str) -> Make:
    return _series(lambda t, d: delattr(t, name))


def _at(number: int, change: Callable[[pydicom.Dataset], None]) -> Make:
    return _series(lambda t, d: change(t) if d == number else None)


def _syntax(tags: pydicom.Dataset, number: int) -> None:
    tags.file_meta.TransferSyntaxUID = JPEG2000Lossless
    tags.PixelData = encapsulate([tags.PixelData])


DICOM: dict[str, Make] = {
    "no spacing": _without("PixelSpacing"),
    "no place": _without("ImagePositionPatient"),
    "no direction": _without("ImageOrientationPatient"),
    "no rows": _without("Rows"),
    "no pixels": _without("PixelData"),
    "half of the pixels": _series(lambda t, d: setattr(t, "PixelData", t.PixelData[:100])),
    "spacing 0": _set(PixelSpacing=[0, 0]),
    "one spacing": _set(PixelSpacing=[2.0]),
    "five cosines": _set(ImageOrientationPatient=[1, 0, 0, 0, 1]),
    "a direction of length 0": _set(ImageOrientationPatient=[0] * 6),
    "all in one place": _set(ImagePositionPatient=[0, 0, 0]),
    "a slice that is missing": _at(3, lambda t: setattr(t, "ImagePositionPatient", [0, 0, 900])),
    "a slice of another size": _at(2, lambda t: (setattr(t, "Rows", 6), setattr(t, "PixelData", t.PixelData[:120]))),
    "a slice of another direction": _at(2, lambda t: setattr(t, "ImageOrientationPatient", [0, 1, 0, 1, 0, 0])),
    "a packing that is no packing": _series(_syntax),
    "three colours": _set(SamplesPerPixel=3, PhotometricInterpretation="RGB"),
    "many frames": _set(NumberOfFrames=3),
    "constant": _series(lambda t, d: setattr(t, "PixelData", bytes(len(t.PixelData)))),
}  # fmt: skip


def _folder(*names: str) -> Make:
    def make(folder: Path) -> Path:
        (folder / "mr").mkdir()
        for name in names:
            (folder / "mr" / name).write_text("nothing")
        return folder / "mr"

    return make


def _link(target: str) -> Make:
    def make(folder: Path) -> Path:
        (folder / "mr.nii.gz").symlink_to(target)
        return folder / "mr.nii.gz"

    return make


def _pipe(folder: Path) -> Path:
    os.mkfifo(folder / "mr.nii.gz")
    return folder / "mr.nii.gz"


def _named_folder(folder: Path) -> Path:
    (folder / "mr.nii.gz").mkdir()
    return folder / "mr.nii.gz"


def _zip_slip(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "mr.zip", "w") as archive:
        archive.writestr("../../escaped.dcm", b"x" * 2000)
        archive.writestr(f"{tempfile.gettempdir()}/mr2ct-escaped.dcm", b"x" * 2000)
    return folder / "mr.zip"


PLACES: dict[str, Make] = {
    "nothing there": lambda folder: folder / "mr.nii.gz",
    "an empty folder": _folder(),
    "a folder of texts": _folder("notes.txt", "IM0001.dcm"),
    "a folder called mr.nii.gz": _named_folder,
    "a link to itself": _link("mr.nii.gz"),
    "a link to nothing": _link("gone.nii.gz"),
    "a pipe": _pipe,
    "a device without an end": _link("/dev/zero"),
    "an archive that climbs out": _zip_slip,
    "a file of another kind": _file("mr.png", lambda: b"\x89PNG\r\n\x1a\n" + bytes(100)),
    "an archive in an archive": _file("mr.zip", lambda: _zipped("inner.zip", b"PK")),
    "colours in an .mha": _itk(".mha", lambda: sitk.GetImageFromArray(np.zeros((4, 8, 8, 3), np.uint8), isVector=True)),
    "a flat .nrrd": _itk(".nrrd", lambda: sitk.GetImageFromArray(_ramp()[0])),
    "four dimensions in an .mha": _itk(".mha", lambda: sitk.GetImageFromArray(np.zeros((2, 4, 8, 8), np.float32))),
}  # fmt: skip


def _zipped(name: str, content: bytes) -> bytes:
    import io

    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, content)
    return file.getvalue()


def volumes() -> dict[str, Make]:
    """Everything that is no MR, by what is wrong with it; each makes it in a folder and returns its path."""
    made = {f"mr.nii: {name}": _file("mr.nii", content) for name, content in NIFTI.items()}
    made |= {name: _file(name.split(":")[0], content) for name, content in TEXT_HEADERS.items()}
    made |= {f"DICOM: {name}": make for name, make in DICOM.items()}
    return made | PLACES


# --- tables ------------------------------------------------------------------------------------------------------

GOOD = "id,split\npelvis_0000,train\npelvis_0001,train\npelvis_0002,val\npelvis_0003,test\n"
TABLES: dict[str, bytes] = {
    "empty": b"",
    "a header alone": b"id,split\n",
    "noise": np.random.default_rng(1).bytes(3000),
    "zeros": bytes(500),
    "a picture": b"\x89PNG\r\n\x1a\n" + bytes(range(256)),
    "no column id": GOOD.replace("id,", "name,", 1).encode(),
    "no column split": GOOD.replace("split", "part", 1).encode(),
    "a case that is not there": (GOOD + "pelvis_0099,train\n").encode(),
    "one case twice": (GOOD + "pelvis_0000,test\n").encode(),
    "a split nobody knows": GOOD.replace("val", "holiday").encode(),
    "no split": GOOD.replace(",val", ",").encode(),
    "nothing to train on": GOOD.replace("train", "test").encode(),
    "climbs out": (GOOD + "../pelvis_0000,train\n").encode(),
    "an absolute path": (GOOD + "/etc,train\n").encode(),
    "a dot": (GOOD + ".,train\n").encode(),
    "two dots": (GOOD + "..,train\n").encode(),
    "no name": (GOOD + ",train\n").encode(),
    "quotes that do not close": (GOOD + '"pelvis_0000,train\n').encode(),
    "columns that come and go": (GOOD + "pelvis_0000,train,a,b,c,d\n").encode(),
    "a slice that is a word": GOOD.replace("split", "split,start,stop").replace("n\n", "n,a,b\n").encode(),
    "slices that end before they start": GOOD.replace("split", "split,start,stop").replace("train\n", "train,9,2\n").encode(),
    "slices not a number": GOOD.replace("split", "split,start,stop").replace("train\n", "train,inf,-inf\n").encode(),
    "UTF-16": GOOD.encode("utf-16"),
    "UTF-32": GOOD.encode("utf-32"),
    "letters that are none": GOOD.encode() + b"\xff\xfe\xfa,train\n",
    "a null byte in a name": (GOOD + "pelvis\0_0001,train\n").encode(),
    "a very long name": (GOOD + "x" * 5000 + ",train\n").encode(),
}  # fmt: skip


# --- run folders -------------------------------------------------------------------------------------------------


def _config(change: Callable[[dict], object]) -> Callable[[Path], None]:
    def spoil(run: Path) -> None:
        config = json.loads((run / "config.json").read_text())
        change(config)
        (run / "config.json").write_text(json.dumps(config))

    return spoil


def _within(config: dict, key: str, value: tuple | None) -> None:
    """Put a value into a config under a key such as "profile.width", or take the key out."""
    *outer, last = key.split(".")
    for name in outer:
        config = config[name]
    config.pop(last) if value is None else config.update({last: value[0]})


NO_JSON: dict[str, bytes] = {
    "nested without an end": b"[" * 200_000,
    "nested within an object": b'{"method": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "as deep as a parser lets through": b'{"profile":' * 400 + b"0" + b"}" * 400,
    "a number of 5,000 digits": b'{"seed": ' + b"9" * 5000 + b"}",
    "an infinite number": b'{"seed": 1e999}',
    "-Infinity": b'{"seed": -Infinity}',
    "two objects": b"{}{}",
    "UTF-16": '{"method": "unet"}'.encode("utf-16"),
    "zeros": bytes(2000),
}

KINDS = (None, True, -1, 1.5, "3", "", [], [[]], {}, {"a": 1}, 1e300, 2**80)
WRONG: dict[str, tuple] = {  # of a config, by key: values that no run has
    "method": (*KINDS, "../../etc", "x" * 5000, ["unet"], {"unet": 1}),
    "channels": (*KINDS, "unet", [1, 2], ["ip", "ip"], ["ip", None], ["ip", ""], ["ip", ["op"]], ["only one"],
                 {"ip": 1, "op": 2}, [f"c{i}" for i in range(900)], ["x" * 500, "y"]),
    "seed": KINDS,
    "steps": KINDS,
    "profile": (*KINDS, 7, "smoke", ["smoke"]),
    "profile.name": (None, True, 3, 1.5, [], {}),
    "profile.cases": (*KINDS, 7, [1, 2], [1, 2, 3, 4], [1, 2, -1], [1, 2, "3"], [1.0, 2.0, 3.0]),
    "profile.shape": (*KINDS, 7, [0, 8, 8], [8, 8], "8 8 8"),
    "profile.samples": (*KINDS, 0),
    "profile.batch_size": (*KINDS, 0, [1]),
    "profile.crop": (*KINDS, 0, [8, 0], [8, 8, 8], ["8", 8], 8.0),
    "profile.width": (*KINDS, 0, 8.0, [8], 5000, 10**6, 10**9, 2**39, 2**63),
    "profile.published": (None, 0, 1, "no", [], {}),
}  # fmt: skip


def _text(name: str, content: bytes) -> Callable[[Path], None]:
    return lambda run: (run / name).write_bytes(content)


def runs(weights: bytes) -> Iterator[tuple[str, Callable[[Path], None]]]:
    """What can be wrong with the folder of a finished run, each done to a copy of a good one."""
    for name, content in {
        "empty": b"",
        "text": b"steps: 3",
        "a list": b"[]",
        "a number": b"7",
        "null": b"null",
        "half": b'{"method": "un',
        "noise": np.random.default_rng(2).bytes(400),
        "NaN": b'{"method": NaN}',
    }.items():
        yield f"config.json: {name}", _text("config.json", content)
    for name, content in NO_JSON.items():
        yield f"config.json: {name}", _text("config.json", content)
    for key, values in WRONG.items():
        if key != "profile.published":  # it has a default
            yield f"config.json: no {key}", _config(lambda c, key=key: _within(c, key, None))
        for value in values:
            shown = f"config.json: {key} is {value!r:.60}"
            yield shown, _config(lambda c, k=key, v=value: _within(c, k, (v,)))
    for name, content in {
        "empty": b"",
        "half": weights[: len(weights) // 2],
        "noise": np.random.default_rng(3).bytes(5000),
        "a header of 2**62 bytes": struct.pack("<Q", 2**62) + weights[8:],
        "a pickle": b"\x80\x04cos\nsystem\n(S'touch executed'\ntR.",
        "an archive": _zipped("data.pkl", b"\x80\x04."),
    }.items():
        yield f"weights: {name}", _text("weights.safetensors", content)
    yield "weights: none", lambda run: (run / "weights.safetensors").unlink()
    yield "nothing in the folder", lambda run: [p.unlink() for p in run.iterdir() if p.is_file()]
