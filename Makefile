# Two commands for a fresh machine with Python 3.11 or later, pip and git:
#
#     make demo      an invented caseload, to look round in
#     make test      every check that a change must pass
#
# README.md spells both out without make, for Windows. Everything lands in .venv; `make clean` takes it away again.

VENV   := .venv
BIN    := $(VENV)/bin
# The first Python that is new enough; `make PYTHON=/path/to/python test` names another.
PYTHON ?=

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1
# Nothing here waits for somebody to type.
PIP := $(BIN)/python -m pip install --quiet --no-input

# Both cores; tests of one file stay together as far as that keeps both busy.
PYTEST := $(BIN)/python -m pytest
WORKERS ?= 2

.DEFAULT_GOAL := help
.PHONY: help demo test lint format bench bench-peers monday soak cases pictures keys wheel-test clean

help:
	@echo "make demo        an invented caseload, an embedded central store and two colleagues"
	@echo "make test        every check: style, types, walls between the rooms, and the tests (about a quarter of an hour on two cores)"
	@echo "make lint        style, types and walls only"
	@echo "make format      put code and imports into the house's form"
	@echo "make bench       measure at the reference load, each figure beside its plain twin"
	@echo "make bench-peers the first sync beside PouchDB with express-pouchdb, in the same run; needs Node"
	@echo "make monday      500 workers on a Monday morning at one central store with PostgreSQL (about three minutes)"
	@echo "make soak        simulated worlds for as long as you like: SEEDS=200:2000, and STEPS for how much happens in each"
	@echo "make cases       requests made from the store's own description, and against it: CASES=10000 of them (a few minutes)"
	@echo "make pictures    draw the pictures of the screens again; look at each before it is committed"
	@echo "make keys        write docs/keys.md again from the table of keys"
	@echo "make wheel-test  run the tests against the built wheel in a clean environment"
	@echo "make clean       take .venv and every cache away"

demo: $(VENV)/ready-to-run
	@$(BIN)/python -m leadworker demo

test: lint
	$(PYTEST) -n $(WORKERS) --dist worksteal $(TESTS)

lint: $(VENV)/ready-to-build
	$(BIN)/ruff check .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: $(VENV)/ready-to-build
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/ready-to-build
	$(BIN)/python -m bench

bench-peers: $(VENV)/ready-to-build
	$(BIN)/python -m bench.peers

monday: $(VENV)/ready-to-build
	$(BIN)/python -m bench.monday

SEEDS ?= 200:2000
STEPS ?= 40
soak: $(VENV)/ready-to-build
	$(BIN)/python -m tests.simulator.soak $(SEEDS) --steps $(STEPS)

CASES ?= 10000
cases: $(VENV)/ready-to-build
	LEADWORKER_CASES=$(CASES) HYPOTHESIS_PROFILE=search $(PYTEST) -q tests/test_hub_description.py

pictures: $(VENV)/ready-to-build
	$(PYTEST) --snapshot-update $$(grep -l snap_compare tests/test_*.py)

keys: $(VENV)/ready-to-build
	$(BIN)/python -c "from pathlib import Path; from screens.keys import keys_markdown; Path('docs/keys.md').write_text(keys_markdown(), 'utf-8')"

wheel-test: $(VENV)/ready-to-build
	.ci/wheel-test $(BIN)/python

clean:
	rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache snapshot_report.html
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Installed once, and again only when pyproject.toml has changed. What `make test` installs holds what the demo needs.
$(VENV)/ready-to-run: pyproject.toml
	@.ci/venv $(VENV) $(PYTHON)
	@echo "Installing what leadworker runs with (a minute or two, once) ..."
	@$(PIP) -e '.[hub]'
	@touch $@

$(VENV)/ready-to-build: pyproject.toml
	@.ci/venv $(VENV) $(PYTHON)
	@echo "Installing what leadworker runs and is tested with (a minute or two, once) ..."
	@$(PIP) -e '.[hub,dev]'
	@touch $(VENV)/ready-to-run $@
