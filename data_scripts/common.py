"""What the scripts of this folder share: the licence first, sources, one line a case, `cases.csv` at the end."""

import csv
import functools
import hashlib
import inspect
import shutil
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import pandas as pd
import typer

from mr2ct.datasets import list_cases, write_cases
from mr2ct.downloads import fetch, home
from mr2ct.errors import BadInput
from mr2ct.files import check_folder
from mr2ct.information import mutual_information
from mr2ct.prepare import Recipe, prepare_case
from mr2ct.volumes import Case, read_case, to_array, write_case

TCIA = "https://services.cancerimagingarchive.net/nbia-api/services/v1/getImageWithMD5Hash"


def run(command: Callable[..., None], licence: str) -> None:
    """Run a script: its docstring and the licence are the help, the licence is printed before anything is done.

    Exit codes as `mr2ct` has them: 0 done; 2 bad input, or a file that cannot be read or written; 130 stopped by hand.
    """

    @functools.wraps(command)
    def with_licence(**options: object) -> None:
        print(f"Licence: {licence}", flush=True)
        check_folder(options["out"])
        command(**options)

    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    app.command(help=f"{inspect.getdoc(command)}\n\nLicence: {licence}")(with_licence)
    script = Path(sys.argv[0]).stem
    try:
        code, text = app(standalone_mode=False) or 0, ""  # Typer turns Ctrl-C into the number 130
    except BadInput as error:
        code, text = 2, str(error)
    except OSError as error:
        why = error.strerror or error
        code, text = 2, f"{error.filename or script}: expected to read or write it, got: {why}"
    except Exception as error:
        if not hasattr(error, "format_message"):
            raise
        code, text = 2, f"{error.format_message()} (`--help` lists what it takes)"
    if code == 130:
        text = "stopped; what is written stays, and the same command goes on from here"
    if text:
        print(f"{script}: {' '.join(text.split())}", file=sys.stderr)
    sys.exit(code)


def download(url: str, name: str, checksum: str | None = None) -> Path:
    """A file in the folder of downloads, which a second run finds there."""
    path = home() / "downloads" / name
    print(f"{name}: {'at hand' if path.is_file() else f'from {url}'}", flush=True)
    return fetch(url, path, checksum=checksum)


def dicom(source: str, url: str = TCIA) -> Path:
    """A DICOM folder or zip at hand, or the SeriesInstanceUID of a series in The Cancer Imaging Archive.

    The archive packs a series anew for each request, so there is no sum for the whole; it encloses the MD5 sum of
    each file, and those are compared.
    """
    if source.replace(".", "").isdigit() and not Path(source).exists():
        path = download(f"{url}?SeriesInstanceUID={source}", f"{source}.zip")
        try:
            _check_sums(path)
        except BadInput:
            path.unlink()
            raise
        return path
    if not Path(source).exists():
        raise BadInput(
            f"{source}: expected a DICOM folder, a zip or a SeriesInstanceUID, found nothing"
        )
    return Path(source)


def _check_sums(path: Path) -> None:
    """Raise BadInput unless an archive is whole and its files have the MD5 sums of the list in it, if it has one."""
    try:
        with zipfile.ZipFile(path) as archive:
            broken, names = archive.testzip(), archive.namelist()
            listed = [n for n in names if Path(n).name == "md5hashes.csv"]
            rows = (
                csv.reader(archive.read(listed[0]).decode("utf-8-sig").splitlines())
                if listed
                else ()
            )
            for name, wanted in (row[:2] for row in list(rows)[1:]):
                found = (
                    hashlib.md5(archive.read(name)).hexdigest() if name in names else "no such file"
                )
                if found != wanted.strip().lower():
                    raise BadInput(
                        f"{path}: expected MD5 {wanted} for {name}, got {found}; removed"
                    )
    except zipfile.BadZipFile as why:
        raise BadInput(f"{path}: expected a zip of DICOM files, got: {why}; removed") from None
    if broken or not any(n.endswith(".dcm") for n in names):
        raise BadInput(f"{path}: expected whole DICOM files, got {broken or names}; removed")


def is_written(out: Path, name: str) -> bool:
    """True, and a line that says so, for a case of an earlier run; a case appears whole or not at all."""
    there = (out / name).is_dir()
    if there:
        print(f"{name}: already there", flush=True)
    return there


def write(case: Case, out: Path, note: str = "") -> None:
    """Write a case, and its line."""
    write_case(case, out)
    print(f"{case.id}: written{note and f', {note}'}", flush=True)


def register(
    name: str,
    channel: str,
    mr: nib.Nifti1Image,
    ct: nib.Nifti1Image,
    spacing_mm: tuple[float, float, float],
) -> Case:
    """A case from two series in different frames: the CT is carried rigidly to the MR's grid, and read there once.

    Args:
        name, channel: of the case, and of its MR.
        mr, ct: as loaded; the CT in HU.
        spacing_mm: voxels (z, y, x) of the case.

    Returns:
        MR as it was scanned (no bias correction) and CT, cut to the body where both were seen.
    """
    recipe = Recipe(spacing_mm=spacing_mm, bias=False, margin_mm=15.0)
    case, row = prepare_case(Case(name, {channel: mr}, ct), recipe)
    told = f"turned {row['turn_deg']:.1f}°, shifted {row['shift_mm']:.1f} mm"
    print(f"{name}: CT axes {row['orientation']}, {told}", flush=True)
    return case


def information(folder: Path) -> float:
    """Mutual information of MR (first channel) and CT of a written case, inside its mask, in nats."""
    case = read_case(folder, extras=())
    mr = to_array(next(iter(case.mr.values())))
    return round(mutual_information(mr, to_array(case.ct), mask=case.body()), 4)


def finish(out: Path, table: pd.DataFrame | None = None, needs: str = "paired") -> None:
    """Add the mutual information of each pair, write `cases.csv`, and say what the split is."""
    table = list_cases(out, check=True, needs=needs) if table is None else table
    if "mutual_information" not in table and needs == "paired":
        told = {name: information(out / name) for name in dict.fromkeys(table["id"])}
        table = table.assign(mutual_information=table["id"].map(told))
    path = write_cases(table, out)
    for name in table["id"]:  # what a killed run left of a case
        for left in out.glob(f".{name}-*"):
            shutil.rmtree(left)
    print(f"{path}: {list_cases(out, needs=needs).attrs['note']}", flush=True)
