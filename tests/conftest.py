"""What every test shares: a screen-less, offline setting, the order of the tests, and where real images lie."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from labpage import find_chromium

ROOT = Path(__file__).resolve().parents[1]

# Set before any test imports the library; the notebooks' own processes inherit it.
os.environ["MR2CT_OFFLINE"] = "1"
os.environ["MPLBACKEND"] = "Agg"
# With several workers (make test) each takes its share of the cores.
if workers := int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 0)):
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // workers)))
os.environ.setdefault("MR2CT_TEST_DATA", str(ROOT.parent / "shared" / "data"))

# What fails quickest comes first. A folder that is not named here runs between the two groups.
FIRST = ("test_repo.py", "faults", "notebooks")
LAST = ("test_notebooks.py", "browser")


def place(item: pytest.Item) -> int:
    top = item.path.relative_to(ROOT / "tests").parts[0]
    if top in FIRST:
        return FIRST.index(top)
    return len(FIRST) + 1 + LAST.index(top) if top in LAST else len(FIRST)


def run_in_the_browser(items: list[pytest.Item]) -> set[str]:
    """The chapters that a browser test runs from the first cell to the last, before it works their widgets."""
    here = {i.callspec.id for i in items if getattr(i, "originalname", "") == "test_widgets_work"}
    return here if find_chromium() else set()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    items.sort(key=place)
    twice = run_in_the_browser(items)  # once is enough, and half the time
    again = [
        i
        for i in items
        if getattr(i, "originalname", "") == "test_notebook_runs" and i.callspec.id in twice
    ]
    if again:
        config.hook.pytest_deselected(items=again)
        items[:] = [item for item in items if item not in again]


@pytest.fixture
def fault(record_property) -> Callable[..., None]:
    """Adds a line to the table of faults that the run prints: what was done, how often, what came of it."""

    def note(what: str, tried: int, held: str) -> None:
        record_property("fault", f"{what} | {tried} | {held}")

    return note


def pytest_terminal_summary(terminalreporter) -> None:
    """The table of faults, one line for each kind that was tried in this run and stood."""
    passed = terminalreporter.stats.get("passed", [])
    rows = sorted({v for r in passed for k, v in r.user_properties if k == "fault"})
    if rows:
        terminalreporter.section("faults: what was done | inputs tried | what held")
        for row in rows:
            terminalreporter.write_line(row)


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder with real images: `MR2CT_TEST_DATA`, by default ../shared/data beside the repository."""
    folder = Path(os.environ["MR2CT_TEST_DATA"])
    if not folder.is_dir():
        pytest.skip(f"no real images: MR2CT_TEST_DATA names {folder}, which is not a folder")
    return folder
