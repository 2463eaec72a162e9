"""In-phase and opposed-phase MR of an abdomen: `python data_scripts/dixon_cptac.py OUT --in-phase A --opposed-phase B`."""

from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer
from common import TCIA, dicom, is_written, run, write

from mr2ct.datasets import write_cases
from mr2ct.errors import BadInput
from mr2ct.volumes import Case, body_mask, check_same_grid, dixon, load, to_array, to_image

LICENCE = (
    "CC BY 3.0. The Cancer Imaging Archive, collection CPTAC-CCRCC, doi 10.7937/K9/TCIA.2018.OBLAMN27; "
    "cite the National Cancer Institute Clinical Proteomic Tumor Analysis Consortium, 2018."
)
SOURCE = "NIfTI, DICOM folder or zip at hand, or a SeriesInstanceUID of the archive."


def dixon_cptac(
    out: Annotated[Path, typer.Argument(help="Folder to write the case to.")],
    in_phase: Annotated[str, typer.Option(help=SOURCE)] = "",
    opposed_phase: Annotated[str, typer.Option(help=SOURCE)] = "",
    name: Annotated[str, typer.Option(help="Name of the case.")] = "abdomen",
    url: Annotated[str, typer.Option(hidden=True)] = TCIA,
) -> None:
    """Abdomen with two echoes, and the water and fat images made of them: MR channels ip, op, water, fat. No CT.

    Choose the two series of one patient on https://www.cancerimagingarchive.net/collection/cptac-ccrcc (1.5 T: in phase
    near TE 4.4 ms, opposed near 2.2 ms), and name their SeriesInstanceUIDs or the downloaded zips. Without a CT the
    case serves chapter 09_water_fat and `mr2ct synthesize`, not training or scores.
    """
    if not (in_phase and opposed_phase):
        raise BadInput(
            "--in-phase, --opposed-phase: expected two series of one patient, got none; the collection's page lists "
            "them: https://www.cancerimagingarchive.net/collection/cptac-ccrcc"
        )
    if not is_written(out, name):
        images = {n: load(dicom(s, url)) for n, s in (("ip", in_phase), ("op", opposed_phase))}
        check_same_grid({in_phase: images["ip"], opposed_phase: images["op"]})
        ip, op = (to_array(image) for image in images.values())
        body = body_mask(ip)
        if ip[body].mean() < op[body].mean():
            raise BadInput(
                f"--in-phase: expected the brighter of the two in the body, got a mean of {ip[body].mean():.0f} beside "
                f"{op[body].mean():.0f} (are they swapped?)"
            )
        parts = zip(("water", "fat"), dixon(ip, op), strict=True)
        mr = images | {n: to_image(v.astype(np.float32), images["ip"]) for n, v in parts}
        write(Case(name, mr, mask=to_image(body.astype(np.uint8), images["ip"])), out, "no CT")
    print(write_cases(pd.DataFrame({"id": [name], "split": ["test"]}), out))


if __name__ == "__main__":
    run(dixon_cptac, LICENCE)
