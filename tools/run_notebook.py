"""Run a notebook in a process of its own, within a time limit, and say which cell failed.

    python tools/run_notebook.py nbs/05_view.ipynb [...] [--limit 120]

No Jupyter kernel is started: an IPython shell runs the cells one after the other, about two seconds quicker each time.
Cells with `#| eval: false`, `#| slow`, `#| gpu` or `#| data` are left out. The notebook file is not changed.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass
from pathlib import Path

from book import read

LIMIT_S = 120
TAIL = 12  # lines of the traceback that are shown


@dataclass(frozen=True)
class Outcome:
    """How a run ended: `message` is empty when every cell ran."""

    message: str
    seconds: float

    @property
    def passed(self) -> bool:
        return not self.message


def describe(path: Path, index: int | None) -> str:
    """`05_view.ipynb, cell 7 (first line of it)`"""
    if index is None:
        return f"{path.name}, before its first cell"
    lines = [line for line in read(path).cells[index].code.splitlines() if line.strip()]
    return f"{path.name}, cell {index} ({lines[0].strip() if lines else ''})"


def run(path: Path, limit_s: float = LIMIT_S) -> Outcome:
    """Run one notebook. When the time is up, its whole process group is ended."""
    environment = dict(os.environ) | {"MR2CT_OFFLINE": "1", "MPLBACKEND": "Agg"}
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        report, printed = Path(folder, "report.json"), Path(folder, "printed.txt")
        environment["IPYTHONDIR"] = folder
        with printed.open("wb") as sink:
            process = subprocess.Popen(
                [sys.executable, __file__, "--inside", str(path), str(report)],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                env=environment,
                start_new_session=True,
            )
            try:
                code = process.wait(limit_s)
            except subprocess.TimeoutExpired:
                code = None
            finally:  # also what a cell left running in the background
                try:
                    os.killpg(process.pid, signal.SIGKILL)
                except (ProcessLookupError, PermissionError):
                    pass
                process.wait()
        seconds = time.perf_counter() - start
        said = json.loads(report.read_text()) if report.exists() else {"cell": None}
        where = describe(path, said["cell"])
        if code is None:
            return Outcome(f"{where}: still running after {limit_s:g} s, stopped", seconds)
        if "error" in said:
            return Outcome(f"{where}: {said['error']}", seconds)
        if code != 0:
            last = printed.read_text(errors="replace").splitlines()[-TAIL:]
            return Outcome(
                f"{where}: the process ended with code {code}\n" + "\n".join(last), seconds
            )
    return Outcome("", seconds)


def inside(path: Path, report: Path) -> int:
    """The child: run the cells in order, keep `report` up to date, stop at the first error."""
    chapter = read(path)
    os.chdir(path.parent)
    sys.path[0] = ""  # as in Jupyter: the notebook's own folder, not tools/
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    shell = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    shell.showtraceback = shell.showsyntaxerror = lambda *a, **k: None  # reported below
    for index, cell in enumerate(chapter.cells):
        if cell.kind != "code" or cell.skipped:
            continue
        write(report, {"cell": index})
        result = shell.run_cell(cell.source)
        error = result.error_before_exec or result.error_in_exec
        if error is not None:
            lines = "".join(traceback.format_exception(error)).rstrip().splitlines()
            headline = traceback.format_exception_only(error)[-1].strip()
            write(report, {"cell": index, "error": "\n".join([headline, *lines[-TAIL:]])})
            return 1
        if "matplotlib.pyplot" in sys.modules:  # as Jupyter's inline backend does after each cell
            sys.modules["matplotlib.pyplot"].close("all")
    sys.stdout.flush()
    return 0


def write(report: Path, content: dict) -> None:
    beside = report.with_suffix(".new")
    beside.write_text(json.dumps(content))
    beside.replace(report)


def main() -> int:
    parser = argparse.ArgumentParser(description="Run notebooks, each in a process of its own.")
    parser.add_argument("paths", nargs="+", type=Path)
    parser.add_argument(
        "--limit", type=float, default=LIMIT_S, help="seconds for each (%(default)s)"
    )
    arguments = parser.parse_args()
    failed = 0
    for path in arguments.paths:
        outcome = run(path.resolve(), arguments.limit)
        failed += not outcome.passed
        print(outcome.message or f"{path.name}: {outcome.seconds:.1f} s", flush=True)
    return bool(failed)


if __name__ == "__main__":
    if len(sys.argv) == 4 and sys.argv[1] == "--inside":
        sys.exit(inside(Path(sys.argv[2]), Path(sys.argv[3])))
    sys.exit(main())
