"""The phantom as a data set: `python data_scripts/make_phantom.py OUT --cases 20`; options as in `mr2ct phantom --help`."""

import sys

from mr2ct.cli import main

sys.argv.insert(1, "phantom")
main()
