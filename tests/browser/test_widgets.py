"""Gate 6: a reader opens a chapter in a browser, runs it, and works every control: pictures change, nothing comes from outside."""

import re
import warnings

import pytest
from book import ROOT, Chapter, chapters

pytestmark = pytest.mark.browser

# What shows a widget: a control of ipywidgets, or a call of a function that makes one.
SHOWS = r"\b(?:W|widgets)\.\w+|\w+_explorer\(|slice_browser\(|overlay_slider\(|static_slider\("
# Chapters that show pictures in a plain `W.Image`, which a box stretches; with `mr2ct.view.picture_box` an entry can go.
STRETCHED = """
01_volumes 02_phantom 03_prepare 04_metrics 06_datasets 07_training 08_features 10_baselines 12_image_analogies
19_valid_unet 20_unet 21_losses 22_vnet 23_three_views 30_gan 31_pgan 32_cyclegan 33_contextual 34_reggan 36_trust
""".split()


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
    if name[:-6] not in STRETCHED:
        assert not stretched, "\n".join(stretched)
    elif not stretched:
        warnings.warn(
            f"{name}: no picture is stretched any more; take it off STRETCHED", stacklevel=1
        )
    assert not (rest := [fault for fault in faults if fault not in stretched]), "\n".join(rest)
    assert notebook.outside == [], f"requests left this machine: {notebook.outside}"
