"""The licence of every package that is installed beside mr2ct, as a table: `python tools/licences.py` (or `make licences`)."""

import re
from importlib.metadata import Distribution, distributions


def licence_of(package: Distribution) -> str:
    """What a package says of its own licence: the expression, else the classifiers, else the first line of the text."""
    told = package.metadata
    if expression := told.get("License-Expression"):
        return expression
    kinds = [
        c.split(" :: ")[-1] for c in told.get_all("Classifier") or [] if c.startswith("License ::")
    ]
    kinds = [kind for kind in kinds if kind != "OSI Approved"]
    text = (told.get("License") or "").strip().splitlines()
    return ", ".join(kinds) or (text[0][:60] if text else "not said")


def licences() -> dict[str, tuple[str, str]]:
    """Version and licence of each package by its name in small letters, sorted."""
    found = {}
    for package in distributions():
        name = re.sub(r"[-_.]+", "-", package.metadata["Name"] or "").lower()
        if name and name != "mr2ct":
            found[name] = package.version, licence_of(package)
    return dict(sorted(found.items()))


if __name__ == "__main__":
    print("| package | version | licence |\n|---|---|---|")
    for name, (version, licence) in licences().items():
        print(f"| {name} | {version} | {licence} |")
