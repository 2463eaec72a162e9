"""Draw the picture at the top of README.md and of the tour: `python tools/front_picture.py [work folder]`

Makes eighteen phantoms, trains a U-Net on sixteen of them (minutes on one core; started again it goes on), and shows a
patient that it has not seen: MR, bulk density, the network, the truth, and how far both are off. Writes site/front.png.
"""

import base64
import io
import sys
from dataclasses import replace
from pathlib import Path

import matplotlib
import torch

matplotlib.use("Agg")

from book import ROOT
from pictures import small_png

from mr2ct.baselines import BulkDensity
from mr2ct.datasets import Batches, SliceStore, list_cases
from mr2ct.metrics import mae
from mr2ct.training import PROFILES, fit, start_fabric, synthesize
from mr2ct.unet import RegressionUNet
from mr2ct.view import panel
from mr2ct.volumes import read_case, spacing_mm, to_array
from mr2ct.worlds import make_phantoms

SAMPLES, SLICE = 6400, 14
BONE = (1600.0, 300.0)  # window and level, HU


def main(work: Path) -> None:
    laptop = PROFILES["laptop"]
    data = make_phantoms(work / "data", (16, 0, 2), shape=laptop.shape)
    table = list_cases(data)
    torch.manual_seed(0)
    profile = replace(laptop, samples=SAMPLES)
    unet = fit(
        RegressionUNet(2, profile.steps, width=profile.width),
        Batches(SliceStore(table, "train"), profile.batch_size, crop=profile.crop, seed=0),
        steps=profile.steps,
        run_dir=work / "unet",
        fabric=start_fabric("cpu"),
    )
    case = read_case(table[table.split == "test"].folder.iloc[0])
    body, truth = case.body(), to_array(case.truth)
    images = {"MR, in phase": to_array(case.mr["ip"]), "true CT": truth}
    made = {"bulk density": BulkDensity(3), "U-Net": unet}
    for name, method in made.items():
        images[name] = to_array(synthesize(method, case))
        print(f"{name}: {mae(images[name], truth, mask=body):.1f} HU inside the body of {case.id}")
    figure = panel(
        images,
        spacing_mm(case.ct),
        index=SLICE,
        windows=dict.fromkeys(["true CT", *made], BONE),
        errors=dict.fromkeys(made, "true CT"),
        limit=500,
        mask=body,
        columns=4,
    )
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=100)
    small = base64.b64decode(small_png(base64.b64encode(drawn.getvalue()).decode()))
    (ROOT / "site" / "front.png").write_bytes(small)
    print(f"site/front.png: {len(small) / 1000:.0f} KB")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "runs" / "front_picture")
