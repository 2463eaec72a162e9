"""One object on MR and CT, registered: `python data_scripts/mri_dir_porcine.py OUT [--mr MR.zip --ct CT.zip]`."""

from pathlib import Path
from typing import Annotated

import typer
from common import TCIA, dicom, finish, is_written, register, run, write

from mr2ct.volumes import load

LICENCE = (
    "CC BY 4.0. The Cancer Imaging Archive, collection MRI-DIR, doi 10.7937/K9/TCIA.2018.3f08iejt; "
    "cite Ger et al. 2018, Med Phys 45:4315."
)
MR = "1.3.6.1.4.1.14519.5.2.1.1706.4996.123065603063404191260103927213"
CT = "1.3.6.1.4.1.14519.5.2.1.1706.4996.115936088547498980797393821518"
SOURCE = "DICOM folder or zip at hand, or a SeriesInstanceUID to download."


def mri_dir_porcine(
    out: Annotated[Path, typer.Argument(help="Folder to write the case to.")],
    mr: Annotated[str, typer.Option(help=SOURCE)] = MR,
    ct: Annotated[str, typer.Option(help=SOURCE)] = CT,
    spacing: Annotated[
        tuple[float, float, float], typer.Option(help="Voxels (z, y, x) of the case, mm.")
    ] = (2.5, 1.0, 1.0),
    url: Annotated[str, typer.Option(hidden=True)] = TCIA,
) -> None:
    """Porcine phantom, T2 MR and CT: DICOM, rigid registration by mutual information, one case.

    The two series lie in different frames; the CT is read once, on the MR's grid. The meat is soft: 1 to 3 mm of
    misalignment remain, as in a patient. About 100 MB from the archive; then well under a minute.
    """
    if not is_written(out, "porcine"):
        sources = [dicom(source, url) for source in (mr, ct)]
        case = register("porcine", "t2", *map(load, sources), spacing)
        write(case, out)
    finish(out)


if __name__ == "__main__":
    run(mri_dir_porcine, LICENCE)
