"""The reader's desk: JupyterLab on a copy of the book, so that reading and trying leaves the repository clean.

    python tools/desk.py [--copy-only] [options of jupyter lab]

The copy is the folder desk/. A chapter in which the reader has changed nothing, or has only run it, follows the book. One
whose text or code was changed stays as it is, and when the book has a newer version of it, that is laid beside it under
another name. Nothing that a reader wrote is ever lost.
The folder stands as deep as nbs/, so that ../results means the same in both.
"""

import hashlib
import json
import os
import shutil
import sys
from pathlib import Path

from book import ROOT, notebooks

DESK = "desk"
RECORD = ".copied.json"  # of each chapter: the version that was laid there, its wording, the newest that was offered
SETTINGS = Path(__file__).with_name("jupyter")  # JupyterLab's settings for the book: no news


def version(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def wording(path: Path) -> str:
    """What somebody wrote in a notebook, as a hash: its cells without their results; of a broken file, all of it."""
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        written = [[cell["cell_type"], "".join(cell["source"])] for cell in cells]
    except (ValueError, KeyError, TypeError):
        return version(path)
    return hashlib.sha256(json.dumps(written).encode()).hexdigest()


def lay(source: Path, target: Path) -> None:
    """Copy a notebook and mark it as trusted, so that its stored sliders move before any cell has run."""
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f".{target.name}.part")
    shutil.copyfile(source, beside)
    os.replace(beside, target)
    trust(target)


def trust(path: Path) -> None:
    import nbformat
    from nbformat.sign import NotebookNotary

    try:
        NotebookNotary().sign(nbformat.read(path, as_version=4))
    except (
        Exception
    ) as error:  # a home folder that cannot be written to: pictures stand, sliders wait for a run
        print(f"{path.name}: not marked as trusted ({error})", file=sys.stderr)


def newer_name(path: Path) -> Path:
    """A free name for the book's newer version of a chapter that the reader has changed."""
    names = (path.with_name(f"{path.stem}_new{n or ''}.ipynb") for n in [0, *range(2, 1000)])
    return next(name for name in names if not name.exists())


def read_record(desk: Path) -> dict[str, dict[str, str]]:
    path = desk / RECORD
    try:
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    except ValueError:
        return {}  # then every chapter that differs counts as changed by the reader, and is kept


def write_record(desk: Path, record: dict[str, dict[str, str]]) -> None:
    beside = desk / f"{RECORD}.part"
    beside.write_text(json.dumps(record, indent=1, sort_keys=True), encoding="utf-8")
    os.replace(beside, desk / RECORD)


def refresh_one(source: Path, target: Path, known: dict[str, str]) -> tuple[dict[str, str], str]:
    """Bring one chapter up to date. Returns what to remember of it, and a line to say, or an empty one."""
    new = version(source)
    fresh = {"laid": new, "wording": wording(source), "offered": new}
    if not target.exists():
        lay(source, target)
        return fresh, ""
    if version(target) == new:
        return fresh, ""
    if new in (known.get("laid"), known.get("offered")):  # the book has nothing newer
        return known, ""
    if wording(target) == known.get("wording"):  # the reader has run it at most
        lay(source, target)
        return fresh, f"{target.name}: brought up to date"
    offer = newer_name(target)
    lay(source, offer)
    said = f"{target.name}: yours is kept; the book's newer version is {offer.name}"
    return known | {"offered": new}, said


def refresh(root: Path = ROOT) -> list[str]:
    """Bring the desk up to date with the book; returns one line for each thing that a reader should know."""
    desk = root / DESK
    desk.mkdir(exist_ok=True)
    record, said = read_record(desk), []
    names = {str(p.relative_to(root / "nbs")): p for p in notebooks(root)}
    for name, source in names.items():
        record[name], line = refresh_one(source, desk / name, record.get(name, {}))
        said += [line] if line else []
    for name in sorted(set(record) - set(names)):  # chapters that the book no longer has
        old, known = desk / name, record.pop(name)
        if old.exists() and wording(old) == known.get("wording"):
            old.unlink()
            said.append(f"{old.name}: no longer in the book, removed")
    write_record(desk, record)
    return said


def lab_command(desk: Path, options: list[str]) -> list[str]:
    """JupyterLab on the desk, opened at the map. As root (in a container) it has to be told that this is meant."""
    command = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={desk}"]
    command += ["--LabApp.default_url=/lab/tree/index.ipynb", "--LabApp.news_url="]
    command += ["--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")
    return command + options


def main(options: list[str], root: Path = ROOT) -> None:
    said = refresh(root)
    print(*said, sep="\n", end="\n" if said else "")
    print(
        f"The book lies in {DESK}/, a copy: change what you like, nbs/ stays as it is.", flush=True
    )
    if "--copy-only" in options:
        return
    places = [str(SETTINGS), os.environ.get("JUPYTER_CONFIG_PATH", "")]
    os.environ["JUPYTER_CONFIG_PATH"] = os.pathsep.join(filter(None, places))
    # Threads that wait must sleep: awake, they slow a kernel twentyfold as soon as a browser or a second chapter needs a core.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    command = lab_command(root / DESK, options)
    os.execv(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
