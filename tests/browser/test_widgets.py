"""Gate 6: a reader opens a chapter in a browser, runs it, and works every control: pictures change, nothing comes from outside."""

import re

import pytest
from book import ROOT, Chapter, chapters

pytestmark = pytest.mark.browser

# What shows a widget: a control of ipywidgets, or a call of a function that makes one.
SHOWS = r"\b(?:W|widgets)\.\w+|\w+_explorer\(|slice_browser\(|overlay_slider\(|static_slider\("


def has_widget(chapter: Chapter) -> bool:
    own = [
        c
        for c in chapter.cells
        if c.kind == "code" and not c.exported and "test" not in c.directives
    ]
    return any(re.search(SHOWS, cell.code) for cell in own)


def worked() -> list[str]:
    """Every chapter with a widget, live or still."""
    top = [c for c in chapters(ROOT) if c.path.parent == ROOT / "nbs"]
    return [c.path.name for c in top if has_widget(c)]


@pytest.mark.parametrize("name", worked(), ids=lambda name: name[:-6])
def test_widgets_work(open_notebook, name):
    notebook = open_notebook(name)
    live, still = notebook.widgets(), notebook.stills()
    assert live or still, f"{name} names a widget, but no cell shows one"
    faults = [fault for widget in live for fault in widget.faults()]
    faults += [
        f"still slider {k}: {fault}" for k, slider in enumerate(still) for fault in slider.faults()
    ]
    assert not faults, "\n".join(faults)
    assert notebook.outside == [], f"requests left this machine: {notebook.outside}"
