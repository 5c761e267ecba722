# `make demo` and `make test` do all the set-up themselves; `make setup` leaves the command at .venv/bin/hwconv.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
STAMP := $(VENV)/.stamp
BIN := $(VENV)/bin
JOBS ?= 2
# Not training: nothing but hwconv.demo.training needs it, and it is large.
EXTRAS := dev oracles quantise

.PHONY: help setup demo test lint eda slow proofs bench faults coverage gallery format lock clean

help:
	@echo "make setup   the command at $(BIN)/hwconv, with pinned dependencies"
	@echo "make demo    a photograph through a filter bank, routed; digits through whole networks"
	@echo "make test    lint, types and the fast tests; at its end the slowest of them"
	@echo "make slow    the long tests      make eda   the tests that synthesise, place and route"
	@echo "make proofs  the formal proofs of the generated blocks, see docs/proofs.md"
	@echo "make bench   the table of benchmarks/"
	@echo "make faults  changes engines in many ways, and says which changes the tests notice"
	@echo "make coverage  what the random tests that ran have covered; fails where a cell is empty"
	@echo "make gallery  writes docs/gallery.md with its pictures and docs/attributes.md anew"
	@echo "make format  rewrites the code   make lock  pins the dependencies anew"

setup: $(STAMP)
	@tools/system-packages

# The environment is made anew in place whenever a pin changes; nothing is resolved, everything has its hash.
$(STAMP): requirements.lock pyproject.toml
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "hwconv needs Python 3.11 or newer: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@"$(PYTHON)" -m venv "$(VENV)" || \
		{ echo "install the venv module of $(PYTHON) (Debian: apt-get install python3-venv)" >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: setup
	$(BIN)/hwconv demo

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: lint
	$(BIN)/pytest -n $(JOBS) --durations=15

slow: setup
	$(BIN)/pytest -n $(JOBS) -m "slow and not eda"

eda: setup
	$(BIN)/pytest -n $(JOBS) -m eda

proofs: setup
	$(BIN)/pytest -n $(JOBS) tests/proofs -m "proof or not proof"

bench: setup
	$(BIN)/hwconv bench

faults: setup
	PYTHONPATH=tests $(BIN)/python -m faults --jobs $(JOBS)

coverage: setup
	PYTHONPATH=tests $(BIN)/python -m functional_coverage

gallery: setup
	$(BIN)/python -m hwconv.gallery

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: setup
	CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/pip-compile --quiet $(EXTRAS:%=--extra %) --generate-hashes --allow-unsafe --strip-extras \
		--no-emit-index-url --no-emit-find-links --no-emit-trusted-host --output-file requirements.lock pyproject.toml

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
