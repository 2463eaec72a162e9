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


EXPLORERS = [  # chapter, call, sliders, menus
    ("03_prepare.ipynb", "registration_explorer", ("to the left", "turn", "slice"), ()),
    ("09_water_fat.ipynb", "dixon_explorer", ("slice", "fat above"), ("sign from",)),
    ("10_baselines.ipynb", "weight_explorer", ("atlas", "slice"), ()),
    ("21_losses.ipynb", "loss_explorer", ("shift, mm",), ("distance", "cell, px")),
    ("23_three_views.ipynb", "fusion_explorer", ("axial weight", "sagittal slice"), ("fusion",)),
    ("31_pgan.ipynb", "connect", ("weight", "slice"), ()),
    ("32_cyclegan.ipynb", "cycle_explorer", ("slice",), ("trained", "way")),
    ("33_contextual.ipynb", "match_explorer", ("shift, mm",), ("prediction", "bandwidth")),
    ("34_reggan.ipynb", "flow_explorer", ("slice", "of the flow"), ("patient",)),
    ("36_trust.ipynb", "trust_explorer", ("case", "slice", "moment", "colour"), ("method",)),
]


@pytest.mark.parametrize(
    "chapter, call, sliders, menus", EXPLORERS, ids=[e[0][:-6] for e in EXPLORERS]
)
def test_an_explorer_follows_its_controls(open_notebook, chapter, call, sliders, menus):
    notebook = open_notebook(chapter)
    explorer = notebook.widget(call)
    for label in sliders:
        assert explorer.slide(label), f"{call}: the {label} slider leaves the picture as it was"
    for label in menus:
        assert explorer.choose_another(label), f"{call}: another {label} shows the same picture"
    assert notebook.outside == [], f"requests left this machine: {notebook.outside}"
