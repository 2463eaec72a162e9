"""JupyterLab in Chromium, as a test sees it: open a notebook, run it, work the controls of a widget.

`Lab` serves a folder on 127.0.0.1, `Notebook` is one of its notebooks after "Run All Cells",
`Widget` is one cell of it that shows an ipywidgets image beside sliders and menus.
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
# Tracebacks in the page. JupyterLab marks them as it marks everything written to stderr.
ERRORS = """() => [...document.querySelectorAll('[data-mime-type="application/vnd.jupyter.stderr"]')]
  .map(e => e.textContent).filter(t => t.includes('Traceback (most recent call last)'))"""
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
        while not all(re.fullmatch(r"\[\d+\]:", prompt) for prompt in self.page.evaluate(PROMPTS)):
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
                place = self.page.locator(".jp-Notebook .jp-Cell").nth(index)
                if (
                    place.locator("img.widget-image").count()
                    and place.locator(".noUi-handle").count()
                ):
                    return Widget(self.page, place)
        raise AssertionError(f"no cell that calls {call}(...) shows a widget image with a slider")


class Widget:
    """A cell's picture and its controls. Every method that works a control says whether the picture changed."""

    def __init__(self, page, cell):
        self.page, self.cell = page, cell
        self.image = cell.locator("img.widget-image").first
        self.image.scroll_into_view_if_needed()

    def pixels(self) -> str:
        end = time.monotonic() + REDRAW_S
        while time.monotonic() < end:
            if found := self.image.evaluate(PIXELS):
                return found
            time.sleep(0.05)
        raise AssertionError("the widget shows no picture")

    def _changed(self, before: str, seconds: float) -> bool:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.pixels() != before:
                return True
            time.sleep(0.05)
        return False

    def labels(self) -> list[str]:
        return [
            text.strip()
            for text in self.cell.locator(".widget-label").all_inner_texts()
            if text.strip()
        ]

    def control(self, label: str):
        """The control whose label holds `label`, in any case."""
        boxes = self.cell.locator(".widget-slider, .widget-dropdown, .widget-toggle-buttons")
        found = boxes.filter(
            has=self.page.locator(".widget-label", has_text=re.compile(label, re.IGNORECASE))
        )
        if not found.count():
            raise AssertionError(f"the widget has no control {label!r}; it has {self.labels()}")
        return found.first

    def slide(self, label: str, wait_s: float = REDRAW_S / 2) -> bool:
        """Push a slider some steps right, and left if that did nothing (it may stand at its end)."""
        knob = self.control(label).locator(".noUi-handle").first
        for key in ("ArrowRight", "ArrowLeft"):
            before = self.pixels()
            knob.focus()
            for _ in range(3):
                self.page.keyboard.press(key)
            if self._changed(before, wait_s):
                return True
        return False

    def choose_another(self, label: str) -> bool:
        """Pick another entry of a menu or of a row of buttons."""
        control, before = self.control(label), self.pixels()
        menu = control.locator("select")
        if menu.count():
            index = menu.evaluate("menu => (menu.selectedIndex + 1) % menu.options.length")
            menu.select_option(index=index)
        else:
            control.locator("button:not(.mod-active)").first.click()
        return self._changed(before, REDRAW_S)
