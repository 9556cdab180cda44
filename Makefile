# TradSys. A fresh machine needs python3 (3.11 or newer, with venv), gcc and make; `make` does the rest.
#
#   make run     build, start the venue with a demo market and a recorder, show it live; ARGS="--headless" for scripts
#   make test    build both editions (release, debug with checks) and run the tests on both
#
PYTHON3 ?= python3
VENV ?= .venv
PYTHON ?= $(VENV)/bin/python
BIN = $(abspath $(dir $(PYTHON)))
TRADSYS_MARCH ?= native
JOBS ?= 3
ARGS ?=
export TRADSYS_MARCH

PYTEST = $(PYTHON) -m pytest -q -n $(JOBS)
RELEASE = PYTHONPATH=src
DEBUG = PYTHONPATH=build/debug
# Python over doors that both builds are tested at: the debug build has its turn in make test-all
PYTHON_ROOMS = tests/app tests/tools tests/process/test_up.py tests/process/test_fix_market_data.py
# tests/risk has nothing of ours compiled below it: one build is enough
ONE_BUILD = --ignore=tests/risk $(addprefix --ignore=,$(PYTHON_ROOMS))

.PHONY: help env build debug test test-release test-debug test-heavy test-asan test-all interop oracles run bench sim lint fmt clean

help:
	@sed -n 's/^#  *make/make/p' Makefile
	@echo "also: build test-asan test-all interop oracles bench sim lint fmt clean"

ifeq ($(PYTHON),$(VENV)/bin/python)
env: $(VENV)/ready
$(VENV)/ready: pyproject.toml
	$(PYTHON3) -m venv $(VENV)
	$(PYTHON) tools/install.py
	touch $@
else
env:
endif

build: env
	$(PYTHON) setup.py --quiet build_ext --inplace

debug: env
	TRADSYS_BUILD=debug $(PYTHON) setup.py --quiet build --build-lib build/debug

test-release: build
	$(RELEASE) $(PYTEST) -m "not heavy" $(ARGS)

test-debug: debug
	$(DEBUG) $(PYTEST) -m "not heavy" $(ONE_BUILD) $(ARGS)

test: build debug
	$(RELEASE) $(PYTEST) -m "not heavy" $(ARGS)
	$(DEBUG) $(PYTEST) -m "not heavy" $(ONE_BUILD) $(ARGS)

# The heavy ones drive real processes and whole days, on the release build; test_both_builds crosses over to the other.
test-heavy: build debug
	$(RELEASE) $(PYTEST) -m heavy $(ARGS)
	$(DEBUG) $(PYTEST) -m "not heavy" $(PYTHON_ROOMS)

# the FIX codec under address and undefined-behaviour sanitizers: its tests and a seeded fuzz loop
test-asan: build
	$(PYTHON) tools/asan.py $(ARGS)

test-all: test test-heavy
	$(PYTHON) tools/asan.py

# What the tests with real FIX clients of others need (tests/interop skips without); compiles QuickFIX once, bounded.
interop: env
	timeout 1200 $(PYTHON) tools/install.py interop

# What the figures of risk are held against, and workers of tradsys risk batch (tests/risk, tests/app skip without); bounded.
oracles: env
	timeout 900 $(PYTHON) tools/install.py test oracles dask || \
		{ echo "make oracles: the extras oracles and dask were not installed (no end in 900 s: status 124)"; exit 1; }

run: build
	$(RELEASE) $(PYTHON) -m tradsys up $(ARGS)

bench: build
	$(RELEASE) $(PYTHON) -m tradsys bench $(ARGS)

sim: build
	$(RELEASE) $(PYTHON) tools/simulate.py $(ARGS)

lint: build
	$(PYTHON) tools/gen_wire.py --check
	$(PYTHON) tools/gen_fix_spec.py --check
	$(PYTHON) tools/tidy.py
	$(BIN)/ruff check .
	PATH="$(BIN):$$PATH" cython-lint cython
	$(BIN)/mypy

fmt: env
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

clean:
	rm -rf build .mypy_cache .ruff_cache .pytest_cache .hypothesis .benchmarks src/*.egg-info
	find src -name '*.so' -delete
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
