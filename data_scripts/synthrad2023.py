"""SynthRAD2023, pelvis, MR to CT: `python data_scripts/synthrad2023.py OUT [--zip Task1.zip] [--crop 320x192]`."""

import re
import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import pooch
import typer
from common import download, finish, information, is_written, run, write
from pooch.downloaders import ZenodoRepository

from mr2ct.case_files import check_case
from mr2ct.downloads import home, is_offline
from mr2ct.errors import BadInput
from mr2ct.prepare import rank_cases
from mr2ct.volumes import Case, crop_or_pad, load, read_case, shape_of

LICENCE = (
    "CC BY-NC 4.0, not for commercial use. SynthRAD2023, doi 10.5281/zenodo.7260705; "
    "cite Thummerer et al. 2023, Med Phys 50:4664."
)
DOI, RECORD, FILE = "10.5281/zenodo.7260705", "7260705", "Task1.zip"
KEPT = f"synthrad2023_{FILE}"
# A case is named 1 (the task), P (pelvis), the centre, a number.
MEMBER = re.compile(r"(?:.*/)?(1P[A-Z]\w+)/(mr|ct|mask)\.nii\.gz")


def address(url: str) -> tuple[str, str]:
    """Where Zenodo keeps the archive, and its checksum as the record has it."""
    if is_offline():
        raise BadInput(f"--zip: expected {FILE} of doi {DOI}, got none, and MR2CT_OFFLINE is set")
    record = ZenodoRepository(DOI, RECORD, timeout=30)
    record.base_api_url = url
    registry = pooch.create(path="", base_url="")
    try:
        record.populate_registry(registry)
        return record.download_url(FILE), registry.registry[FILE]
    except (OSError, ValueError, KeyError) as why:  # requests' errors are OSErrors
        raise BadInput(f"{url}/{RECORD}: expected a record with {FILE}, got: {why}") from None


def patients(archive: zipfile.ZipFile) -> dict[str, dict[str, str]]:
    """{id: {"mr": member, "ct": …, "mask": …}} of the pelvis cases, in order."""
    found: dict[str, dict[str, str]] = {}
    for name in sorted(archive.namelist()):
        if match := MEMBER.fullmatch(name):
            found.setdefault(match[1], {})[match[2]] = name
    if not found:
        raise BadInput(
            f"{archive.filename}: expected folders 1PA001, 1PC000, … with mr.nii.gz, found none"
        )
    return found


def read(archive: zipfile.ZipFile, name: str, members: dict[str, str]) -> Case:
    """One case, unpacked for a moment; the names on disk are ours, whatever the archive calls its members."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / name).mkdir()
        try:
            for part, member in members.items():
                with (
                    archive.open(member) as source,
                    (Path(folder) / name / f"{part}.nii.gz").open("wb") as target,
                ):
                    shutil.copyfileobj(source, target)
            case = read_case(Path(folder) / name)
            check_case(case, Path(folder) / name)
            return case
        except (BadInput, zipfile.BadZipFile) as error:
            raise BadInput(str(error).replace(folder, str(archive.filename))) from None


def size_of(crop: str) -> tuple[int, int] | None:
    """(rows, columns) of an option COLUMNSxROWS; None for none."""
    if not crop:
        return None
    if not re.fullmatch(r"[1-9]\d*x[1-9]\d*", crop):
        raise BadInput(f"--crop: expected COLUMNSxROWS such as 320x192, got {crop!r}")
    columns, rows = map(int, crop.split("x"))
    return rows, columns


def cropped(case: Case, size: tuple[int, int]) -> Case:
    """The case cut to (rows, columns) about the body."""
    body = case.body()
    parts = {n: crop_or_pad(v, (None, *size), mask=body) for n, v in case.named().items()}
    return Case(case.id, {"mr": parts["mr"]}, parts["ct"], parts.get("mask"))


def divide(
    ids: list[str], told: dict[str, float], test: float, clean: float, seed: int
) -> pd.DataFrame:
    """The split: a share of each centre is tested, and the best aligned of the rest validate and are marked clean."""
    table = pd.DataFrame({"id": ids, "split": "train", "centre": [i[2] for i in ids]})
    table["mutual_information"] = table["id"].map(told)
    rng = np.random.default_rng(seed)
    for _, rows in table.groupby("centre"):
        drawn = rng.permutation(rows.index)[: round(test * len(rows))]
        table.loc[drawn, "split"] = "test"
    left = table.loc[table["split"] == "train", "id"]
    ranked = rank_cases({name: told[name] for name in left}, clean)
    table["clean"] = table["id"].isin(ranked.loc[ranked["clean"], "id"])
    table.loc[table["clean"], "split"] = "val"
    return table


def synthrad2023(
    out: Annotated[Path, typer.Argument(help="Folder to write the cases to.")],
    zip_file: Annotated[
        Path | None, typer.Option("--zip", help="Task1.zip, if it is at hand.")
    ] = None,
    crop: Annotated[str, typer.Option(help="COLUMNSxROWS about the body, such as 320x192.")] = "",
    test: Annotated[
        float, typer.Option(min=0, max=0.9, help="Share of each centre to test on.")
    ] = 0.2,
    clean: Annotated[
        float, typer.Option(min=0.001, max=1, help="Share of the rest to mark clean.")
    ] = 0.11,
    seed: Annotated[int, typer.Option(min=0, help="Of the draw of test patients.")] = 0,
    url: Annotated[str, typer.Option(hidden=True)] = "https://zenodo.org/api/records",
) -> None:
    """Pelvis pairs of MR and CT from several centres, already registered rigidly, with a mask.

    Test patients are drawn per centre; of the rest the 11 % with the highest mutual information of MR and CT are marked
    `clean` in cases.csv and validate. Task1.zip is large, it holds the brain cases too.
    """
    size = size_of(crop)
    path = zip_file or home() / "downloads" / KEPT
    if zip_file is None and not path.is_file():  # one that is there was checked when it came
        link, checksum = address(url)
        download(link, KEPT, checksum)
    try:
        with zipfile.ZipFile(path) as archive:
            found = patients(archive)
            for name, members in found.items():
                if not is_written(out, name):
                    case = read(archive, name, members)
                    write(cropped(case, size) if size else case, out, f"centre {name[2]}")
    except zipfile.BadZipFile as why:
        raise BadInput(f"{path}: expected a whole zip file, got: {why}") from None
    for name in found if size else ():
        there = shape_of(load(out / name / "mr.nii.gz"))[1:]
        if there != size:  # of an earlier run with another --crop
            raise BadInput(
                f"{out / name}: expected rows and columns {size}, got {there}; take a new OUT"
            )
    told = {name: information(out / name) for name in found}
    finish(out, divide(list(found), told, test, clean, seed))


if __name__ == "__main__":
    run(synthrad2023, LICENCE)
