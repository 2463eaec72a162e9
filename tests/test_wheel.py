"""The wheel holds the trained networks."""

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_wheel_holds_the_trained_networks(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    for name in ("pyproject.toml", "settings.ini", "README.md", "LICENSE", "mr2ct"):
        subprocess.run(["cp", "-r", ROOT / name, source], check=True)
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", tmp_path]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, source], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())
    networks = {f"mr2ct/trained/{p.name}" for p in (ROOT / "mr2ct/trained").glob("*.safetensors")}
    assert networks and networks <= held
