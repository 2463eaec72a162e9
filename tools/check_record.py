"""Gate: every recorded number can be traced: rows to runs, runs to a commit that holds the study at that size.

python tools/check_record.py [ROOT]

What needs no git is checked by `mr2ct.record.check_record`: versions, fingerprints, profiles, clean trees. Here each commit
that results/ names is asked, by its own `mr2ct.studies.study_facts`, which methods its studies had and at which size they
trained. Folders of the first format have nothing to be asked about; they stand by name in `mr2ct.record.INCOMPLETE`.
"""

import importlib
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from book import LIBRARY, ROOT

sys.path.insert(0, str(ROOT))

from mr2ct.record import INCOMPLETE, check_record, read_config, read_csv


def ask(folder: str) -> dict:
    """What the library in `folder` says of its studies; for a process of its own, which then ends."""
    os.environ["MR2CT_OFFLINE"] = "1"
    for name in [name for name in sys.modules if name.split(".")[0] == LIBRARY]:
        del sys.modules[name]
    sys.path.insert(0, folder)
    return json.loads(json.dumps(importlib.import_module(f"{LIBRARY}.studies").study_facts()))


def git(root: Path, *words: str) -> subprocess.CompletedProcess:
    return subprocess.run(["git", "-C", str(root), *words], capture_output=True, check=False)


def facts_at(root: Path, commit: str) -> dict:
    """What the studies of a commit were; raises ValueError with a reason where it cannot say."""
    if git(root, "cat-file", "-e", f"{commit}^{{commit}}").returncode:
        raise ValueError("is not in the history of this repository")
    with tempfile.TemporaryDirectory() as folder:
        packed = git(root, "archive", "--format=tar", commit, LIBRARY)
        if packed.returncode:
            raise ValueError(f"has no folder {LIBRARY}")
        (Path(folder) / "tree.tar").write_bytes(packed.stdout)
        with tarfile.open(Path(folder) / "tree.tar") as tar:
            tar.extractall(folder, filter="data")
        # PyTorch and the rest take seconds to read, so they are read once, here, and each commit is asked in a fork
        importlib.import_module("mr2ct.studies")
        with ProcessPoolExecutor(1, mp_context=get_context("fork")) as pool:
            try:
                return pool.submit(ask, folder).result()
            except Exception as error:
                last = f"{type(error).__name__}: {error}"
                raise ValueError(f"has no studies that can be asked ({last})") from error


def in_words(run: dict, sizes: dict) -> str:
    """What varied in a run, as `study_facts` writes it."""
    for words in sizes:
        pairs = [part.split("=", 1) for part in words.split(", ") if part]
        if all(run.get(name) == value for name, value in pairs):
            return words
    return "?"


def check_against(name: str, run: dict, base: str, facts: dict) -> str | None:
    """What of a run does not agree with its commit."""
    commit = run["commit"][:8]
    if name not in facts:
        return f"commit {commit} has no study {name!r}"
    if run["method"] not in facts[name]["methods"]:
        return f"commit {commit} has no method {run['method']!r} in that study"
    sizes = facts[name]["sizes"].get(base, {})
    wanted, got = sizes.get(in_words(run, sizes)), json.loads(run["profile"])
    if wanted != got:
        keys = [k for k in got if (wanted or {}).get(k) != got[k]]
        return f"commit {commit} trains at another size than run {run['run']}: {', '.join(keys) or 'no such profile'}"
    return None


def folder_faults(root: Path, folder: Path, asked: dict) -> list[str]:
    """The faults of one folder; `asked` keeps what each commit said."""
    name = folder.name
    if name in INCOMPLETE:
        complete = (folder / "runs.csv").exists()
        return (
            [f"results/{name}: is complete; take it from INCOMPLETE in record"] if complete else []
        )
    if faults := check_record(folder):
        return [str(fault).replace(f"{root}/", "") for fault in faults]
    base, found = read_config(folder)["profile"]["name"], {}
    for run in read_csv(folder / "runs.csv"):
        commit = run["commit"]
        if not commit:
            found["no commit: recorded from an installed library, not from a checkout"] = None
            continue
        if commit not in asked:
            try:
                asked[commit] = facts_at(root, commit)
            except ValueError as error:
                asked[commit] = str(error)
        facts = asked[commit]
        said = (
            f"commit {commit[:8]} {facts}"
            if isinstance(facts, str)
            else check_against(name, run, base, facts)
        )
        if said:
            found[said] = None
    return [f"results/{name}: expected a commit that can make it, got: {said}" for said in found]


def main(root: Path) -> int:
    results = root / "results"
    if git(root, "rev-parse", "--git-dir").returncode:
        print("record: no git here, so no commit can be asked; left out")
        return 0
    faults, asked = [], {}
    folders = sorted(p for p in results.iterdir() if p.is_dir()) if results.is_dir() else []
    for folder in folders:
        faults += folder_faults(root, folder, asked)
    there = {folder.name for folder in folders}
    if root == ROOT:
        faults += [
            f"results/{n}: is not there; take it from INCOMPLETE"
            for n in INCOMPLETE
            if n not in there
        ]
    print(*faults, sep="\n", file=sys.stderr, end="\n" if faults else "")
    old = len(there & set(INCOMPLETE))
    print(
        f"record: {len(folders) - old} folders traced to {len(asked)} commits, {old} of incomplete origin, {len(faults)} faults"
    )
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT))
