"""Gate 6: a reader opens a chapter in a browser, works its widgets, and sees the picture change; nothing is fetched from outside."""

import pytest

pytestmark = pytest.mark.browser
CHAPTER = "05_view.ipynb"


def test_widgets_of_the_view_chapter(lab, open_notebook):
    if not (lab.folder / CHAPTER).exists():
        pytest.fail(f"nbs/{CHAPTER} is missing")
    notebook = open_notebook(CHAPTER)

    browser = notebook.widget("slice_browser")
    for label in ("slice", "window", "level"):
        assert browser.slide(label), (
            f"slice_browser: the {label} slider leaves the picture as it was"
        )
    for label in ("view", "volume"):
        assert browser.choose_another(label), (
            f"slice_browser: another {label} shows the same picture"
        )

    overlay = notebook.widget("overlay_slider")
    for label in ("slice", "opacity"):
        assert overlay.slide(label), (
            f"overlay_slider: the {label} slider leaves the picture as it was"
        )

    assert notebook.outside == [], f"requests left this machine: {notebook.outside}"
