"""Pelvis MR and CT of different people: `python data_scripts/pelvis_unpaired.py OUT --mr A --mr B [--ct CT]`."""

import tempfile
from pathlib import Path
from typing import Annotated

import nibabel as nib
import numpy as np
import pydicom
import SimpleITK as sitk
import typer
from common import TCIA, dicom, download, finish, is_written, run, write
from scipy import ndimage

from mr2ct.datasets import list_cases
from mr2ct.dicom import unpack_zip
from mr2ct.errors import BadInput
from mr2ct.prepare import correct_bias
from mr2ct.volumes import (
    Case,
    crop_or_pad,
    load,
    make_image,
    reorient,
    resample,
    spacing_mm,
    to_array,
    to_image,
)

LICENCE = (
    "MR: The Cancer Imaging Archive, collection PROSTATEx, doi 10.7937/K9TCIA.2017.MURS5CL, CC BY 3.0; "
    "CT: CC BY-SA 4.0, Maspero, github.com/matteomaspero/pseudo-CT_generation."
)
# The address names a git commit, so what it stands for cannot change.
CT = "matteomaspero/pseudo-CT_generation/zip/385eeb2c8d8bb8fc4fc2b988f3f616f9afd0e3f1"
IN_PLANE_MM, SIDE = 1.5, 128  # 192 mm, about the field of view of a prostate MR
SOURCE = "NIfTI, DICOM folder or zip at hand, or a SeriesInstanceUID of the archive; repeat it."


def pelvis_unpaired(
    out: Annotated[Path, typer.Argument(help="Folder to write the cases to.")],
    mr: Annotated[list[str] | None, typer.Option(help=SOURCE)] = None,
    ct: Annotated[
        Path | None,
        typer.Option(help="DICOM folder, zip or .npz at hand, in place of the download."),
    ] = None,
    ct_mm: Annotated[
        tuple[float, float], typer.Option(help="The part of the CT that the MRs show, mm along z.")
    ] = (-105.0, -15.0),
    url: Annotated[str, typer.Option(hidden=True)] = TCIA,
    ct_url: Annotated[str, typer.Option(hidden=True)] = "https://codeload.github.com",
) -> None:
    """T2 MR of the prostate and a pelvis CT, of different people and fields of view: cases of one kind each.

    MR: bias corrected. CT: without couch, cut to the MR's field of view as Hiasa et al. 2018 do. All 128 × 128 pixels
    of 1.5 mm. They train methods that need no pairs (`mr2ct train --method cyclegan`), all of them; no score is possible. Choose
    axial T2 series on https://www.cancerimagingarchive.net/collection/prostatex. The CT comes with its whole repository.
    """
    if not mr:
        raise BadInput(
            "--mr: expected an axial T2 series of each person, got none; the collection's page lists them: "
            "https://www.cancerimagingarchive.net/collection/prostatex"
        )
    for source in mr:
        name = Path(source).name.removesuffix(".gz").removesuffix(".nii").removesuffix(".zip")
        if not is_written(out, f"mr_{name}"):
            write(mr_case(f"mr_{name}", load(dicom(source, url))), out, "no CT")
    if not is_written(out, "ct"):
        path = ct or download(f"{ct_url}/{CT}", "pseudo-CT_generation.zip")
        write(ct_case("ct", *read_slices(path), ct_mm), out, "no MR")
    table = list_cases(out, check=True, needs="unpaired")
    finish(out, table.assign(split="train"), needs="unpaired")  # without pairs there is no test


def mr_case(name: str, image: nib.Nifti1Image) -> Case:
    """The middle of an axial MR: bias corrected, its pixels resized, its slices left as they are."""
    image = reorient(image)
    image = resample(image, spacing_mm=(spacing_mm(image)[0], IN_PLANE_MM, IN_PLANE_MM))
    values = to_array(image)
    bright = values > 0.02 * np.percentile(values, 99)
    closed = ndimage.binary_closing(
        np.pad(bright, ((0, 0), (9, 9), (9, 9)), "edge"), np.ones((1, 9, 9))
    )
    body = np.stack([ndimage.binary_fill_holes(s) for s in closed[:, 9:-9, 9:-9]])
    mask = to_image(body.astype(np.uint8), image)
    even, shape = correct_bias(image, body)[0], (None, SIDE, SIDE)
    return Case(name, {"t2": crop_or_pad(even, shape)}, mask=crop_or_pad(mask, shape, fill=0))


def read_slices(path: Path) -> tuple[np.ndarray, np.ndarray, tuple[float, float]]:
    """HU (n, H, W), place z in mm (n,) and pixel size (rows, columns) of CT slices, with gaps between as they are."""
    if path.suffix == ".npz":
        with np.load(path) as file:
            return file["hu"], file["z_mm"], tuple(map(float, file["spacing_xy_mm"][::-1]))
    with tempfile.TemporaryDirectory() as folder:
        folder = path if path.is_dir() else unpack_zip(path, folder)
        files = [p for p in sorted(folder.rglob("*")) if p.is_file() and pydicom.misc.is_dicom(p)]
        tags = [pydicom.dcmread(p, stop_before_pixels=True) for p in files]
        slices = [
            (float(t.ImagePositionPatient[2]), p, t)
            for p, t in zip(files, tags, strict=True)
            if t.Modality == "CT"
        ]
        if not slices:
            raise BadInput(f"{path}: expected a CT as DICOM slices, found none")
        slices.sort(key=lambda item: item[0])
        hu = [sitk.GetArrayFromImage(sitk.ReadImage(str(p)))[0] for _, p, _ in slices]
        spacing = tuple(map(float, slices[0][2].PixelSpacing))
        return np.stack(hu).astype(np.int16), np.array([z for z, _, _ in slices]), spacing


def ct_case(
    name: str,
    hu: np.ndarray,
    z_mm: np.ndarray,
    spacing: tuple[float, float],
    part_mm: tuple[float, float],
) -> Case:
    """Slices of a CT on an even grid, cut about the body; a slice that is missing is air and outside the mask."""
    chosen = (z_mm >= part_mm[0]) & (z_mm <= part_mm[1])
    if chosen.sum() < 2:
        raise BadInput(
            f"--ct-mm: expected slices between {part_mm[0]:g} and {part_mm[1]:g} mm, got {chosen.sum()} of "
            f"{len(z_mm)} from {z_mm.min():g} to {z_mm.max():g} mm"
        )
    step = round(float(np.diff(np.unique(z_mm)).min()), 3)
    row = np.rint((z_mm[chosen] - z_mm[chosen].min()) / step).astype(int)
    even = np.full((row.max() + 1, *hu.shape[1:]), -1024, np.int16)
    even[row] = hu[chosen]
    grid = (step, *spacing)
    body = _body(even)
    even[~body] = -1024
    pixels = {"spacing_mm": (step, IN_PLANE_MM, IN_PLANE_MM)}
    image = resample(make_image(even, grid), fill=-1024, **pixels)
    mask = resample(
        make_image(body.astype(np.uint8), grid), interpolation="nearest", fill=0, **pixels
    )
    about, shape = to_array(mask), (None, SIDE, SIDE)
    return Case(
        name,
        {},
        crop_or_pad(image, shape, mask=about, fill=-1024),
        crop_or_pad(mask, shape, mask=about, fill=0),
    )


def _body(hu: np.ndarray) -> np.ndarray:
    """The largest piece of each slice above -300 HU, opened so that the couch falls off, and filled."""
    found = []
    for values in hu:  # by itself: missing slices part the body
        pieces, _ = ndimage.label(ndimage.binary_opening(values > -300, iterations=3))
        sizes = np.bincount(pieces.ravel(), minlength=2)[1:]
        found.append(ndimage.binary_fill_holes(pieces == sizes.argmax() + 1))
    return np.stack(found)


if __name__ == "__main__":
    run(pelvis_unpaired, LICENCE)
