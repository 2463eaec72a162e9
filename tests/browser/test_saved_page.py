"""A slider over ready pictures works on a saved page: without Python, without a server, without a network."""

import numpy as np
import pytest
from labpage import FLAGS, SIZES

from mr2ct.view import static_slider

pytestmark = pytest.mark.browser


def test_the_slider_of_a_saved_page_changes_the_picture(chromium, tmp_path):
    from playwright.sync_api import sync_playwright

    frames = [np.full((40, 60, 3), shade, np.uint8) for shade in (0, 120, 240)]
    slider_page = static_slider(frames, "step", labels=[0, 400, 800]).data
    wide = static_slider([np.zeros((10, 1400, 3), np.uint8)] * 2, "wide").data
    page_file = tmp_path / "page.html"
    page_file.write_text(f"<!doctype html><body>{slider_page}{wide}</body>")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        page, asked = browser.new_page(), []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(page_file.as_uri())

        def seen() -> list[str]:
            images = page.locator(".stills").first.locator("img").all()
            return [i.get_attribute("alt") for i in images if i.is_visible()]

        assert seen() == ["step 0, 1 of 3"]
        slider = page.get_by_label("step")
        for key, wanted in (("End", "step 800, 3 of 3"), ("ArrowLeft", "step 400, 2 of 3")):
            slider.press(key)
            assert seen() == [wanted]
            assert page.get_by_text(wanted, exact=True).is_visible(), "the line above the picture"
        assert page.get_by_text("wide 1 of 2", exact=True).is_visible(), "the other slider stays"
        sizes = page.locator("img:visible").evaluate_all(f"images => images.map({SIZES})")
        assert sizes[0] == [60, 40, 60, 40] and sizes[1][0] <= 1000
        browser.close()
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
