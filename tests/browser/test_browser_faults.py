"""Gate 6 itself: a live widget passes; a dead slider, a request to elsewhere and a failing cell are seen."""

import nbformat
import pytest

pytestmark = pytest.mark.browser

WIDGET = """
import io
import ipywidgets as W
import numpy as np
from PIL import Image


def png(shade):
    file = io.BytesIO()
    Image.fromarray(np.full((40, 40), shade % 256, np.uint8)).save(file, "PNG")
    return file.getvalue()


def widget(draw):
    image, slider = W.Image(value=draw(0, "a")), W.IntSlider(description="Slice", max=20)
    view = W.Dropdown(description="View", options=["a", "b"])
    def redraw(change):
        image.value = draw(slider.value, view.value)
    slider.observe(redraw, "value")
    view.observe(redraw, "value")
    return W.VBox([slider, view, image])


def live():
    return widget(lambda i, view: png(10 * i + 100 * (view == "b")))


def dead():
    return widget(lambda i, view: png(7))


def exact():
    box = live()
    box.children[2].layout.align_self = "flex-start"
    return box


def failing():
    from mr2ct.view import connect, picture_box, to_png

    menu, caption, image = W.Dropdown(description="Rung", options=["a", "b", "c"]), W.HTML(), picture_box()

    def react(_owner):
        if menu.value == "b":
            raise ValueError("b is <broken>")
        image.value = to_png(np.full((40, 40), ord(menu.value), np.uint8))
        caption.value = "<b>rung</b> " + menu.value  # as chapters do: it overwrites the error

    react(None)
    connect(react, caption, [menu])
    return W.VBox([menu, caption, image])
"""
STILL = """
from IPython.display import HTML
import numpy as np
from mr2ct.view import static_slider

page = static_slider([np.full((40, 60, 3), 60 * k, np.uint8) for k in range(4)], "step")
page
"""
WITHOUT = """HTML(page.data.replace('data-lm-suppress-shortcuts="true"', ''))"""
OUTSIDE = "from IPython.display import HTML\nHTML('<img src=\"http://example.invalid/x.png\">')"


def save(folder, name, *cells):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    notebook.metadata["kernelspec"] = {
        "name": "python3",
        "display_name": "python3",
        "language": "python",
    }
    nbformat.write(notebook, folder / name)


def test_a_dead_slider_and_a_request_to_elsewhere_are_seen(lab, open_notebook):
    save(lab.folder, "widgets.ipynb", WIDGET, "live()", "dead()", OUTSIDE)
    notebook = open_notebook("widgets.ipynb")
    live, dead = notebook.widget("live"), notebook.widget("dead")
    assert live.slide("slice") and live.choose_another("view")
    assert not dead.slide("slice", wait_s=2), "a slider that changes nothing passed as live"
    assert [url for url in notebook.outside if "example.invalid" in url]
    with pytest.raises(AssertionError, match="no control 'window'"):
        live.slide("window")


def test_a_stretched_picture_a_dead_control_and_a_failing_entry_are_seen(lab, open_notebook):
    save(lab.folder, "sizes.ipynb", WIDGET, "live()", "exact()", "dead()", "failing()")
    stretched, exact, dead, failing = open_notebook("sizes.ipynb").widgets()
    assert exact.faults() == []
    assert len(found := stretched.faults()) >= 1 and all(
        "is blown up" in f or "pulled" in f for f in found
    )
    dead_ones = [fault for fault in dead.faults() if "leaves the picture as it was" in fault]
    assert len(dead_ones) == 2, "slider and menu"
    (fault,) = failing.faults()
    assert "Rung: shows an error: ValueError: b is <broken>" in fault


def test_a_still_slider_that_the_keys_leave_is_seen(lab, open_notebook):
    save(lab.folder, "still.ipynb", STILL, WITHOUT, "3")
    good, bad = open_notebook("still.ipynb").stills()
    assert good.faults() == []
    assert bad.faults(), "without the attribute JupyterLab takes the arrow keys for itself"


def test_a_failing_cell_is_seen(lab, open_notebook):
    save(lab.folder, "broken.ipynb", "1 / 0", "2")
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        open_notebook("broken.ipynb")
