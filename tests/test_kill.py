"""A benchmark killed half way and started again ends with the same results, byte for byte."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

MR2CT = Path(sys.executable).parent / "mr2ct"
METHODS = "bulk_3,regression,analogy,unet,vnet,three_views"  # of every kind: none, collects, trains, calibrates
WORDS = ["bench", "--profile", "smoke", "--accelerator", "cpu", "--methods", METHODS, "--out"]


def run(out: Path) -> str:
    done = subprocess.run([MR2CT, *WORDS, out], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def kill_when(out: Path, sign: Path) -> None:
    """Start the benchmark and kill it, with no chance to tidy up, as soon as `sign` exists."""
    process = subprocess.Popen(
        [MR2CT, *WORDS, out],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    for _ in range(6000):
        if sign.exists():
            break
        assert process.poll() is None, f"the run ended before {sign.name} was there"
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def test_killed_and_started_again_gives_the_same_bytes(tmp_path: Path):
    said = run(tmp_path / "whole")
    assert Path(said.strip().splitlines()[-1]).name == "report.html"
    broken = tmp_path / "broken"
    kill_when(broken, broken / "data" / "pelvis_0003")  # while phantoms are made
    assert not (broken / "cases.csv").exists()
    kill_when(broken, broken / "runs" / "unet-seed0" / "config.json")  # while the network trains
    assert not (broken / "runs" / "unet-seed0" / "weights.safetensors").exists()
    run(broken)
    for name in ("cases.csv", "leaderboard.csv"):
        assert (broken / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    again = (broken / "cases.csv").stat().st_mtime_ns
    run(broken)  # a finished study computes nothing again
    assert (broken / "cases.csv").stat().st_mtime_ns == again
