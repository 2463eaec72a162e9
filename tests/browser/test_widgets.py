"""Gate 6: a reader opens a chapter in a browser, runs it, and works every control: pictures change, nothing comes from outside."""

import re

import pytest
from book import ROOT, Chapter, chapters

pytestmark = pytest.mark.browser

# What shows a widget: a control of ipywidgets, or a call of a function that makes one.
SHOWS = r"\b(?:W|widgets)\.\w+|\w+_explorer\(|slice_browser\(|overlay_slider\(|static_slider\("
# Chapters whose pictures a box still stretches; an entry that is no longer needed is a fault.
STRETCHED: set[str] = set()


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
def test_the_widgets_of_a_chapter_work(open_notebook, name):
    notebook = open_notebook(name)
    live, still = notebook.widgets(), notebook.stills()
    assert live or still, f"{name} names a widget, but no cell shows one"
    faults = [fault for widget in live for fault in widget.faults()]
    faults += [
        f"still slider {k}: {fault}" for k, slider in enumerate(still) for fault in slider.faults()
    ]
    stretched = [fault for fault in faults if "a picture" in fault]
    assert bool(stretched) == (name[:-6] in STRETCHED), (
        "\n".join(stretched) or f"take {name} off STRETCHED"
    )
    assert not (rest := [fault for fault in faults if fault not in stretched]), "\n".join(rest)
    assert notebook.outside == [], f"requests left this machine: {notebook.outside}"
