"""JupyterLab in Chromium, as a test sees it: open a notebook, run it, work the controls of a widget.

`Lab` serves a folder on 127.0.0.1, `Notebook` is one of its notebooks after "Run All Cells",
`Widget` is one cell of it that shows ipywidgets images beside sliders and menus, `Still` is a slider over ready pictures.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from book import read

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --disable-dev-shm-usage"
).split()
SETTLED_S = 0.5  # without a change, and a picture counts as drawn
MENU_ENTRIES = 8  # of a menu are tried at most
START_S, RUN_S, REDRAW_S = (
    90,
    240,
    15,
)  # a chapter takes up to a minute alone; tests may share the machine

# The pixels themselves: the address of the picture changes even where the picture does not.
PIXELS = """img => {
  if (!img.complete || !img.naturalWidth) return '';
  const canvas = document.createElement('canvas');
  canvas.width = img.naturalWidth; canvas.height = img.naturalHeight;
  canvas.getContext('2d').drawImage(img, 0, 0);
  return canvas.toDataURL();
}"""
# How large a picture is shown, beside how large it is, in pixels of the page.
SIZES = "img => [img.clientWidth, img.clientHeight, img.naturalWidth, img.naturalHeight]"
WIDEST_PX = 1000
CONTROLS = ".widget-slider, .widget-dropdown, .widget-toggle-buttons, .widget-checkbox"
# Which cell of the notebook has the focus of JupyterLab.
ACTIVE = """() => [...document.querySelectorAll('.jp-Notebook .jp-Cell')]
  .findIndex(cell => cell.classList.contains('jp-mod-active'))"""
# Tracebacks in the page. JupyterLab marks them as it marks everything written to stderr.
ERRORS = """() => [...document.querySelectorAll('[data-mime-type="application/vnd.jupyter.stderr"]')]
  .map(e => e.textContent).filter(t => t.includes('Traceback (most recent call last)'))"""
# A folded cell (the answer to an exercise) has an empty prompt; cells run in order, so those around it tell.
PROMPTS = "() => [...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')].map(p => p.textContent.trim())"
# The notebook says idle before it has a kernel; the line at the bottom says it only with one.
READY = """() => document.querySelector('.jp-Notebook-ExecutionIndicator')?.dataset.status === 'idle'
  && [...document.querySelectorAll('.jp-StatusBar-TextItem')].some(e => / \\| Idle/.test(e.textContent))"""


def find_chromium() -> str | None:
    return next(filter(None, map(shutil.which, CHROMIUM)), None)


class Lab:
    """A JupyterLab server on `folder`, without a token, without news, with settings of its own."""

    def __init__(self, folder: Path, settings: Path):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.folder, self.log = folder, settings / "lab.log"
        tracker = settings / "@jupyterlab" / "notebook-extension"
        tracker.mkdir(parents=True)
        # Otherwise cells that are out of sight are not in the page at all.
        (tracker / "tracker.jupyterlab-settings").write_text(json.dumps({"windowingMode": "none"}))
        quiet = settings / "@jupyterlab" / "apputils-extension"
        quiet.mkdir()
        no_news = {"fetchNews": "false", "checkForUpdates": False}
        (quiet / "notification.jupyterlab-settings").write_text(json.dumps(no_news))
        options = {
            "--ServerApp.ip": "127.0.0.1",
            "--ServerApp.port": self.port,
            "--ServerApp.root_dir": folder,
            "--IdentityProvider.token": "",
            "--ServerApp.disable_check_xsrf": True,  # so that `stop_kernels` may ask for it
            "--LabApp.news_url": None,
            "--LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
        }
        own = {
            "JUPYTERLAB_SETTINGS_DIR": settings,
            "JUPYTER_CONFIG_DIR": settings,
            "IPYTHONDIR": settings,
        }
        own |= {
            "JUPYTERLAB_WORKSPACES_DIR": settings / "workspaces",
            "JUPYTER_RUNTIME_DIR": settings / "run",
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
            + [f"{name}={value}" for name, value in options.items()],
            stdout=self.log.open("w"),
            stderr=subprocess.STDOUT,
            env=dict(os.environ) | {k: str(v) for k, v in own.items()} | {"MR2CT_OFFLINE": "1"},
        )
        self._wait()

    def _wait(self) -> None:
        end = time.monotonic() + START_S
        while time.monotonic() < end and self.process.poll() is None:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api", timeout=2)
                return
            except OSError:
                time.sleep(0.3)
        self.close()
        raise RuntimeError("JupyterLab did not start:\n" + self.log.read_text()[-2000:])

    def stop_kernels(self) -> None:
        """End every notebook's kernel: two dozen of them together would need more memory than a laptop has."""
        address = f"http://127.0.0.1:{self.port}/api/sessions"
        with urllib.request.urlopen(address, timeout=10) as answer:
            sessions = json.load(answer)
        for session in sessions:
            request = urllib.request.Request(f"{address}/{session['id']}", method="DELETE")
            urllib.request.urlopen(request, timeout=30).close()

    def close(self) -> None:
        self.process.terminate()  # it ends its kernels, too
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Notebook:
    """A notebook of `lab`, opened in `context` and run to its end."""

    def __init__(self, context, lab: Lab, name: str):
        self.cells = read(lab.folder / name).cells
        self.outside: list[str] = []
        self.page = context.new_page()
        context.on("request", lambda request: self._note(request.url))
        self.page.on("websocket", lambda websocket: self._note(websocket.url))
        self.page.goto(f"http://127.0.0.1:{lab.port}/lab/tree/{name}?reset")
        self.page.wait_for_function(READY, timeout=START_S * 1000)
        self._run_all(name)

    def _run_all(self, name: str) -> None:
        self.page.locator(".lm-MenuBar-itemLabel", has_text=re.compile("^Run$")).click()
        self.page.locator("li[data-command='runmenu:run-all']").click()
        end = time.monotonic() + RUN_S
        while not all(
            re.fullmatch(r"(\[\d+\]:)?", prompt) for prompt in self.page.evaluate(PROMPTS)
        ):
            self._check_errors(name)
            if time.monotonic() > end:
                dialog = " ".join(self.page.locator(".jp-Dialog").all_inner_texts())
                raise AssertionError(f"{name}: not run to its end after {RUN_S} s. {dialog}")
            time.sleep(0.2)
        self._check_errors(name)

    def _check_errors(self, name: str) -> None:
        if errors := self.page.evaluate(ERRORS):
            raise AssertionError(f"{name}: a cell failed in JupyterLab:\n{errors[0][-1500:]}")

    def _note(self, url: str) -> None:
        local = re.match(r"(blob:)?(http|ws)s?://(127\.0\.0\.1|localhost)[:/]", url)
        if not local and not url.startswith(("data:", "about:", "chrome")):
            self.outside.append(url)

    def widget(self, call: str) -> "Widget":
        """The first cell that calls `call(...)` and shows a picture with controls."""
        for index, cell in enumerate(self.cells):
            shown = cell.kind == "code" and not cell.exported and "test" not in cell.directives
            if shown and re.search(rf"(?<!def )\b{call}\(", cell.code):
                place = self._place(index)
                if place.locator("img.widget-image").count() and place.locator(CONTROLS).count():
                    return Widget(self.page, place)
        raise AssertionError(f"no cell that calls {call}(...) shows a widget image with a slider")

    def _place(self, index: int):
        return self.page.locator(".jp-Notebook .jp-Cell").nth(index)

    def widgets(self) -> list["Widget"]:
        """Every cell that shows a picture with controls."""
        places = [self._place(index) for index in range(len(self.cells))]
        wanted = ("img.widget-image", CONTROLS)
        return [
            Widget(self.page, place, f"cell {index}")
            for index, place in enumerate(places)
            if all(place.locator(kind).count() for kind in wanted)
        ]

    def stills(self) -> list["Still"]:
        """Every slider over ready pictures."""
        found = self.page.locator(".jp-Notebook .stills")
        return [Still(self.page, found.nth(k)) for k in range(found.count())]


class Still:
    """A slider over ready pictures, as `mr2ct.view.static_slider` makes it."""

    def __init__(self, page, place):
        self.page, self.place = page, place
        self.slider = place.locator("input[type=range]")
        self.slider.scroll_into_view_if_needed()

    def line(self) -> str:
        """What stands above the one frame that is shown."""
        shown = [s for s in self.place.locator(".still").all() if s.is_visible()]
        assert len(shown) == 1, f"a still slider shows {len(shown)} frames at once"
        return shown[0].inner_text().strip()

    def faults(self) -> list[str]:
        """What is wrong after a click on the slider and some arrow keys: nothing, one hopes."""
        self.slider.click()
        cell, lines = self.page.evaluate(ACTIVE), []
        for key in ("Home", "ArrowRight", "ArrowUp", "ArrowLeft", "ArrowDown"):
            self.page.keyboard.press(key)
            lines.append(self.line())
        last = int(self.slider.get_attribute("max"))
        found = []
        numbers = [int(re.search(r"(\d+) of \d+$", line)[1]) - 1 for line in lines]
        if numbers != [0, 1, min(2, last), min(2, last) - 1, max(0, min(2, last) - 2)]:
            found.append(f"the keys lead to frames {numbers}")
        if self.page.evaluate(ACTIVE) != cell:
            found.append("the arrow keys move JupyterLab to another cell")
        for image in self.place.locator(".still:not([hidden]) img").all():
            found += size_faults(image.evaluate(SIZES))
        return found


def size_faults(sizes: list[int]) -> list[str]:
    """A picture that is blown up, pulled out of shape, or wider than a page."""
    width, height, own_width, own_height = sizes
    found = []
    if width > own_width + 1 or height > own_height + 1:
        found.append(f"a picture of {own_width}×{own_height} px is blown up to {width}×{height}")
    if abs(width * own_height - height * own_width) > 2 * max(own_width, own_height):
        found.append(f"a picture of {own_width}×{own_height} px is pulled to {width}×{height}")
    if width > WIDEST_PX:
        found.append(f"a picture is {width} px wide, at most {WIDEST_PX}")
    return found


class Widget:
    """A cell's pictures and its controls. Every method that works a control says whether a picture changed."""

    def __init__(self, page, cell, name: str = "widget"):
        self.page, self.cell, self.name = page, cell, name
        self.images = cell.locator("img.widget-image")
        self.images.first.scroll_into_view_if_needed()

    def pixels(self) -> str:
        """All pictures of the widget, as one string."""
        end = time.monotonic() + REDRAW_S
        while time.monotonic() < end:
            found = self.images.evaluate_all(f"images => images.map({PIXELS})")
            if found and all(found):
                return "\n".join(found)
            time.sleep(0.05)
        raise AssertionError("the widget shows no picture")

    def _changed(self, before: str, seconds: float) -> bool:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.pixels() != before:
                self._settle()
                return True
            time.sleep(0.05)
        return False

    def _settle(self) -> None:
        """Wait for what is still being drawn, so that it is not taken for the answer to the next control."""
        end, now, since = time.monotonic() + REDRAW_S, self.pixels(), time.monotonic()
        while time.monotonic() < min(end, since + SETTLED_S):
            time.sleep(0.1)
            if (later := self.pixels()) != now:
                now, since = later, time.monotonic()

    def size_faults(self) -> list[str]:
        return [
            f
            for sizes in self.images.evaluate_all(f"images => images.map({SIZES})")
            for f in size_faults(sizes)
        ]

    def errors(self) -> list[str]:
        """What `connect` writes in bold when drawing has failed, for instance "BadInput: method: expected …"."""
        bold = self.cell.locator(".widget-html b").all_inner_texts()
        return [text for text in bold if re.match(r"\w*(Error|BadInput|Exception)\w*: ", text)]

    def labels(self) -> list[str]:
        return [
            text.strip()
            for text in self.cell.locator(".widget-label").all_inner_texts()
            if text.strip()
        ]

    def control(self, label: str):
        """The control whose label holds `label`, in any case."""
        boxes = self.cell.locator(CONTROLS)
        found = boxes.filter(
            has=self.page.locator(".widget-label", has_text=re.compile(label, re.IGNORECASE))
        )
        if not found.count():
            raise AssertionError(f"the widget has no control {label!r}; it has {self.labels()}")
        return found.first

    def slide(self, label: str, wait_s: float = REDRAW_S / 2) -> bool:
        """Push a slider some steps right, and left if that did nothing (it may stand at its end)."""
        return self._slide(self.control(label), wait_s)

    def _slide(self, control, wait_s: float) -> bool:
        knob = control.locator(".noUi-handle").first
        for key in ("ArrowRight", "ArrowLeft"):
            before = self.pixels()
            knob.focus()
            if not knob.evaluate("knob => document.activeElement === knob"):
                return False  # greyed: the keys would work the notebook, and fold its chapters
            for _ in range(3):
                self.page.keyboard.press(key)
            if self._changed(before, wait_s):
                return True
        return False

    def choose_another(self, label: str) -> bool:
        """Pick another entry of a menu or of a row of buttons."""
        return self._choose(self.control(label), 1)

    def _choose(self, control, step: int, wait_s: float = REDRAW_S) -> bool:
        """Pick the entry that stands `step` after the one that is chosen."""
        before = self.pixels()
        menu = control.locator("select")
        if menu.count():
            count = menu.locator("option").count()
            menu.select_option(index=(menu.evaluate("menu => menu.selectedIndex") + step) % count)
        else:
            buttons = control.locator("button")
            names = buttons.evaluate_all("all => all.map(b => b.classList.contains('mod-active'))")
            now = names.index(True) if True in names else 0
            buttons.nth((now + step) % len(names)).click()
        return self._changed(before, wait_s)

    def faults(self) -> list[str]:
        """Work every control of the widget, every entry of every menu: what changes no picture, and what goes wrong."""
        found = self.size_faults()
        controls = self.cell.locator(CONTROLS)
        for k in range(controls.count()):
            control = controls.nth(k)
            if not control.is_visible():
                continue
            label = (
                " ".join(control.locator(".widget-label").all_inner_texts()).strip()
                or f"control {k}"
            )
            found += [f"{label}: {fault}" for fault in self._work(control)]
        return [f"{self.name}, {fault}" for fault in found]

    def _work(self, control) -> list[str]:
        """Move a slider, tick a box, or go through the entries of a menu."""
        entries = control.locator("option, button").count()
        errors = []
        if control.locator(".noUi-handle").count():
            alive = self._slide(control, REDRAW_S / 2)
        elif control.locator("input[type=checkbox]").count():
            before = self.pixels()
            control.locator("input[type=checkbox]").click()
            alive = self._changed(before, REDRAW_S)
        else:
            alive = entries < 2
            for k in range(min(entries, MENU_ENTRIES)):  # all of them, back to where it stood
                alive |= self._choose(control, 1, 3.0 if k else REDRAW_S / 2)
                errors += self.errors()  # the next entry may overwrite it
        found = [] if alive else ["leaves the picture as it was"]
        errors = dict.fromkeys([*errors, *self.errors()])
        return found + [f"shows an error: {text}" for text in errors]
