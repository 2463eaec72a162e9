"""Phantoms with a known truth as a data set: `python data_scripts/make_phantom.py OUT --cases 20`; `mr2ct phantom` is the same."""

from common import run

from mr2ct.cli import phantom

if __name__ == "__main__":
    run(phantom, "none needed; the numbers are made here")
