"""What the fault tests share: small data sets, DICOM series, a command run in this process or one of its own, the table."""

import contextlib
import io
import os
import resource
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pydicom
import torch
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from mr2ct.cli import main
from mr2ct.datasets import write_cases
from mr2ct.phantom import make_case
from mr2ct.volumes import Case, load, reorient, save, to_array, write_case

SHAPE = (12, 40, 40)
MR2CT = Path(sys.executable).parent / "mr2ct"


class Said(NamedTuple):
    """What a command did: its exit code, its two streams, the processor's seconds and the memory it took."""

    code: int
    out: str
    err: str
    seconds: float
    grown_mb: float

    @property
    def lines(self) -> list[str]:
        """Lines on stderr that are no notes and no progress bars."""
        lines = [line.rsplit("\r", 1)[-1] for line in self.err.splitlines()]
        bars = ("it/s", "s/it", "?it")
        return [
            x for x in lines if x.strip() and ": note: " not in x and not any(b in x for b in bars)
        ]


def peak_mb() -> float:
    """The most memory that this process has ever used."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def call(*words: object) -> Said:
    """A command of `mr2ct` in this process, as the entry point runs it; an exception that it lets out is let out."""
    out, err = io.StringIO(), io.StringIO()
    began, before, argv, code = time.process_time(), peak_mb(), sys.argv, 0
    sys.argv = ["mr2ct", *map(str, words)]
    # what a command sets for its own process must not last in this one
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        warnings.catch_warnings(),
    ):
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
        finally:
            sys.argv = argv
    return Said(
        code, out.getvalue(), err.getvalue(), time.process_time() - began, peak_mb() - before
    )


def start(*words: object, **options: object) -> subprocess.Popen:
    """A command of `mr2ct` in a process and a group of its own, on one thread."""
    env = {**os.environ, "OMP_NUM_THREADS": "1"} | options.pop("env", {})
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | options
    return subprocess.Popen([MR2CT, *map(str, words)], start_new_session=True, env=env, **pipes)


def run(*words: object, **options: object) -> Said:
    """A command of `mr2ct` in a process of its own, to its end."""
    began = time.perf_counter()
    out, err = (process := start(*words, **options)).communicate(timeout=300)
    return Said(process.returncode, out, err, time.perf_counter() - began, 0.0)


def data_set(folder: Path, splits: Sequence[str] = ("train", "train", "val", "test")) -> Path:
    """A folder of small phantoms with a table."""
    cases = [make_case(seed, SHAPE) for seed in range(len(splits))]
    for case in cases:
        write_case(Case(case.id, case.mr, case.ct, case.mask), folder)
    write_cases(pd.DataFrame({"id": [c.id for c in cases], "split": list(splits)}), folder)
    return folder


SECRETS = {
    "PatientName": "Winter^Eva",
    "PatientID": "H-471100",
    "PatientBirthDate": "19610203",
    "StudyDate": "20240501",
    "AccessionNumber": "A-9912",
    "ReferringPhysicianName": "Sommer^Tom",
    "StudyDescription": "Prostate Winter",
    "InstitutionName": "Klinik am Hang",
}


def dicom_series(
    folder: Path,
    image: object,
    modality: str = "MR",
    edit: Callable[[pydicom.Dataset, int], None] = lambda tags, number: None,
) -> Path:
    """A volume as a DICOM series of one file a slice, of a patient whose name nobody should see."""
    folder.mkdir(parents=True)
    image = reorient(image)  # patient axes LPS: rows run to the left, columns to the back
    spacing = np.linalg.norm(image.affine[:3, :3], axis=0)
    corner = np.diag([-1, -1, 1]) @ image.affine[:3, 3]  # nibabel is RAS, DICOM is LPS
    voxels = np.rint(to_array(image)).astype(np.int16)
    uids = {
        n: generate_uid() for n in ("SeriesInstanceUID", "StudyInstanceUID", "FrameOfReferenceUID")
    }
    for d, pixels in enumerate(voxels):
        tags = pydicom.Dataset()
        tags.SOPClassUID = "1.2.840.10008.5.1.4.1.1." + {"MR": "4", "CT": "2"}[modality]
        tags.SOPInstanceUID, tags.Modality, tags.InstanceNumber = generate_uid(), modality, d + 1
        for name, value in (uids | SECRETS).items():
            setattr(tags, name, value)
        tags.Rows, tags.Columns = pixels.shape
        tags.PixelSpacing, tags.SliceThickness = [float(f"{s:.6f}") for s in spacing[[1, 0]]], 3.0
        tags.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        place = corner + d * spacing[2] * np.array([0, 0, 1])
        tags.ImagePositionPatient = [float(f"{p:.6f}") for p in place]
        tags.SamplesPerPixel, tags.PhotometricInterpretation = 1, "MONOCHROME2"
        tags.BitsAllocated = tags.BitsStored = 16
        tags.HighBit, tags.PixelRepresentation = 15, 1
        if modality == "CT":
            tags.RescaleSlope, tags.RescaleIntercept = 1, 0
        tags.add_new("PixelData", "OW", pixels.tobytes())
        tags.file_meta = pydicom.dataset.FileMetaDataset()
        tags.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        tags.file_meta.MediaStorageSOPClassUID = tags.SOPClassUID
        tags.file_meta.MediaStorageSOPInstanceUID = tags.SOPInstanceUID
        edit(tags, d)
        tags.save_as(folder / f"IM{d:04d}.dcm", enforce_file_format=True)
    return folder


def refused(said: Said, *, seconds: float = 10.0, mb: float = 2000.0) -> str:
    """ "" where a command refused an input as it should: exit 2, one line that is no traceback, soon, in little memory."""
    if said.code != 2:
        return f"exit code {said.code}: {said.err[-300:]}"
    if len(said.lines) != 1 or "Traceback" in said.err:
        return f"{len(said.lines)} lines: {said.err[-300:]}"
    if "expected" not in said.err and "usage" not in said.err.lower() and "--help" not in said.err:
        return f"does not say what was expected: {said.lines[0]}"
    if said.seconds > seconds or said.grown_mb > mb:
        return f"took {said.seconds:.1f} s and {said.grown_mb:.0f} MB"
    return ""


def files_of(folder: Path) -> dict[str, bytes]:
    """Every file below a folder with what is in it."""
    return {
        str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()
    }


__all__ = [
    "SECRETS",
    "SHAPE",
    "Said",
    "call",
    "data_set",
    "dicom_series",
    "files_of",
    "load",
    "peak_mb",
    "refused",
]
__all__ += ["run", "save", "start", "torch"]
