"""A slider over ready pictures works on a saved page: without Python, without a server, without a network."""

import numpy as np
import pytest
from labpage import FLAGS

from mr2ct.view import static_slider

pytestmark = pytest.mark.browser


def test_the_slider_of_a_saved_page_changes_the_picture(chromium, tmp_path):
    from playwright.sync_api import sync_playwright

    frames = [np.full((40, 60, 3), shade, np.uint8) for shade in (0, 120, 240)]
    page_file = tmp_path / "page.html"
    page_file.write_text(f"<!doctype html><body>{static_slider(frames, 'step').data}</body>")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        page, asked = browser.new_page(), []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(page_file.as_uri())

        def seen() -> list[str]:
            return [i.get_attribute("alt") for i in page.locator("img").all() if i.is_visible()]

        assert seen() == ["step 0 of 2"]
        slider = page.get_by_label("step")
        for key, wanted in (("End", "step 2 of 2"), ("ArrowLeft", "step 1 of 2")):
            slider.press(key)
            assert seen() == [wanted]
        assert page.locator("img").first.evaluate("image => image.naturalWidth") == 60
        browser.close()
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
