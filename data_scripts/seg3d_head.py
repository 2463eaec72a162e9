"""A human head on MR and CT, registered: `python data_scripts/seg3d_head.py OUT`."""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from common import download, finish, is_written, register, run, write

from mr2ct.volumes import load, to_array, to_image

LICENCE = (
    "MIT. Scientific Computing and Imaging Institute, University of Utah, data of Seg3D (2015)."
)
# Each address names a git commit, so what it stands for cannot change.
MR = "neurolabusc/VolumeRenderingData/d15be4d1863d1372270e38d8fe95bffaf80cce3a/seg3D/MR.nii.gz"
MR_SHA256 = "56ac78228a4744aff9e3124977e4f35a3813a8ccd8719449321b8d1ef3b7e03a"
CT = "CIBC-Internal/Seg3DData/cbe9eeabbfaeebdd6d05521ff31464e929491966/Brain_DataSet/CTbrain50.nrrd"


def seg3d_head(
    out: Annotated[Path, typer.Argument(help="Folder to write the case to.")],
    mr: Annotated[Path | None, typer.Option(help="MR at hand, in place of the download.")] = None,
    ct: Annotated[Path | None, typer.Option(help="CT at hand, in place of the download.")] = None,
    spacing: Annotated[
        tuple[float, float, float], typer.Option(help="Voxels (z, y, x) of the case, mm.")
    ] = (1.0, 1.0, 1.0),
    url: Annotated[str, typer.Option(hidden=True)] = "https://raw.githubusercontent.com",
) -> None:
    """Head of a person of 15 years, T1 MR before and CT after electrodes were implanted: one case.

    The two lie in different frames and are registered rigidly. Where the skull was lifted and where electrodes lie, MR
    and CT do not show the same. About 9 MB.
    """
    if not is_written(out, "head"):
        mr_image = load(mr or download(f"{url}/{MR}", "seg3d_MR.nii.gz", MR_SHA256))
        ct_image = load(ct or download(f"{url}/{CT}", "seg3d_CTbrain50.nrrd"))
        hu = to_array(ct_image)
        if hu.min() >= 0:  # stored as many scanners do, without a sign
            print("the CT holds no value below 0: taken as HU + 1024", flush=True)
            ct_image = to_image((hu - 1024).astype(np.float32), ct_image)
        write(register("head", "t1", mr_image, ct_image, spacing), out)
    finish(out)


if __name__ == "__main__":
    run(seg3d_head, LICENCE)
