"""Run notebooks in place and keep what a reader on a web page needs: `python tools/execute.py nbs/05_view.ipynb ...`

Text results stay. A picture, or a slider over ready pictures, stays only under a cell that carries `#| figure`; a PNG is
recoded with a palette so that it is small.
Progress bars, widget state and everything written to stderr are dropped.
"""

import base64
import io
import os
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from PIL import Image

TIMEOUT_S = 600


def small_png(encoded: str) -> str:
    """The same picture with at most 128 colours: about a third of the bytes of matplotlib's PNG."""
    picture = Image.open(io.BytesIO(base64.b64decode(encoded))).convert("RGB")
    picture = picture.quantize(128, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    out = io.BytesIO()
    picture.save(out, "PNG", optimize=True)
    return base64.b64encode(out.getvalue()).decode()


def kept(output: dict, figure: bool) -> dict | None:
    """The part of one cell output that is stored, or None."""
    if output["output_type"] == "error":
        return None  # from a callback of a widget; an error of the cell itself has stopped the run
    if output["output_type"] == "stream":
        return output if output["name"] == "stdout" else None
    data = output["data"]
    if "application/vnd.jupyter.widget-view+json" in data:
        return None
    if "data:image/" in "".join(data.get("text/html", "")):
        return output if figure else None
    if "image/png" in data:
        if not figure:
            return None
        return output | {
            "data": {"image/png": small_png(data["image/png"]), "text/plain": "<Figure>"},
            "metadata": {},
        }
    return output


def execute(path: Path) -> float:
    """Run one notebook, write it back with the outputs that are kept; returns the seconds it took."""
    notebook = nbformat.read(path, 4)
    start = time.perf_counter()
    client = NotebookClient(
        notebook,
        timeout=TIMEOUT_S,
        store_widget_state=False,
        resources={"metadata": {"path": str(path.parent)}},
    )
    client.execute()
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [
                nbformat.from_dict(small)
                for output in cell.outputs
                if (small := kept(output, "#| figure" in cell.source)) is not None
            ]
    nbformat.write(notebook, path)
    return time.perf_counter() - start


if __name__ == "__main__":
    os.environ.setdefault("MR2CT_OFFLINE", "1")
    for name in sys.argv[1:]:
        print(f"{name}: {execute(Path(name)):.0f} s", flush=True)
