"""Run notebooks in place and keep what a reader on a web page needs: `python tools/execute.py nbs/05_view.ipynb ...`

Text results stay. A picture, or a slider over ready pictures, stays only under a cell that carries `#| figure`: a PNG is
recoded so that it is small and its greys stay grey, a drawing in SVG is kept as it is but for what changes from run to run.
With `--store` first, nothing is run: the pictures that are there are stored anew, after a change of these rules.
Progress bars, widget state and everything written to stderr are dropped.
"""

import copy
import os
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from pictures import small_page, small_png, steady_svg

TIMEOUT_S = 600
EXACT_KB = 400  # up to this size of a notebook every pixel is stored as it was; above, a palette makes pictures smaller
PNG, SVG = "image/png", "image/svg+xml"


def kept(output: dict, figure: bool, exact: bool = False) -> dict | None:
    """The part of one cell output that is stored, or None; `exact`: pictures keep every pixel."""
    if output["output_type"] == "error":
        return None  # from a callback of a widget; an error of the cell itself has stopped the run
    if output["output_type"] == "stream":
        return output if output["name"] == "stdout" else None
    data = output["data"]
    if "application/vnd.jupyter.widget-view+json" in data:
        return None
    page = "".join(data.get("text/html", ""))
    if "data:image/" in page:
        return (
            output | {"data": dict(data) | {"text/html": small_page(page, exact)}}
            if figure
            else None
        )
    kinds = [kind for kind in data if kind.startswith("image/")]
    if not kinds:
        return output
    if not figure:
        return None
    if SVG in data:  # lines rather than dots, where the cell asked for them
        drawn = {SVG: steady_svg("".join(data[SVG]))}
    elif PNG in data:
        drawn = {PNG: small_png(data[PNG], exact)}
    else:
        drawn = {kinds[0]: data[kinds[0]]}
    return output | {"data": drawn | {"text/plain": "<Figure>"}, "metadata": {}}


def thinned(notebook: nbformat.NotebookNode, exact: bool = False) -> nbformat.NotebookNode:
    """A copy of a notebook that was run, with the outputs that are kept."""
    found = copy.deepcopy(notebook)
    for cell in found.cells:
        if cell.cell_type == "code":
            figure = "#| figure" in cell.source
            outputs = [kept(output, figure, exact) for output in cell.outputs]
            cell.outputs = [nbformat.from_dict(x) for x in outputs if x is not None]
    return found


def store(notebook: nbformat.NotebookNode, path: Path) -> None:
    """Write a notebook with what is kept of its outputs: every pixel as it was where there is room."""
    exact = thinned(notebook, exact=True)
    fits = len(nbformat.writes(exact)) <= 1000 * EXACT_KB
    whole = path.with_name(f".{path.name}.part")  # a kill leaves the old notebook or the new one
    nbformat.write(exact if fits else thinned(notebook), whole)
    os.replace(whole, path)


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
    store(notebook, path)
    return time.perf_counter() - start


if __name__ == "__main__":
    os.environ.setdefault("MR2CT_OFFLINE", "1")
    for name in sys.argv[1:]:
        if name == "--store":
            continue
        if "--store" in sys.argv:
            store(nbformat.read(Path(name), 4), Path(name))
        else:
            print(f"{name}: {execute(Path(name)):.0f} s", flush=True)
