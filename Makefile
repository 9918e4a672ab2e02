# Two commands for a fresh machine: `make demo` and `make test`.
SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= python3
STAMP := $(VENV)/.installed

.PHONY: demo site test test-lowest test-pythons fast one lint types layers tests soak mutants bench lighthouse screenshots clean

demo: $(STAMP)-demo
	$(BIN)/gitml demo gitml-demo

# The demo's dashboard, which follows templates, scripts, styles and Python until Ctrl-C.
site: $(STAMP)-test
	[ -e gitml-demo ] || $(BIN)/gitml demo gitml-demo
	$(BIN)/python -m tests.live_site gitml-demo $(PORT)

test: lint types layers tests

# What to run between two edits: no browser, nothing that takes half a second or more.
fast: lint types $(STAMP)-test
	$(BIN)/python -m pytest -n auto -m 'not (browser or slow or soak)'

# The fast tests with the lowest versions that pyproject.toml allows, and with other Pythons.
test-lowest: $(STAMP)-test
	.ci/fast-tests lowest

test-pythons: $(STAMP)-test
	.ci/fast-tests 3.12
	.ci/fast-tests 3.13

# One file, folder or test: make one T=tests/query/test_gates.py::test_name
one: $(STAMP)-test
	GITML_CHROMIUM="$$(.ci/chromium)" GITML_FIREFOX="$$(.ci/firefox)" $(BIN)/python -m pytest $(T)

lint: $(STAMP)-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)-test
	$(BIN)/mypy

layers: $(STAMP)-test
	$(BIN)/lint-imports --no-cache

tests: $(STAMP)-test
	.ci/signing
	.ci/servers
	GITML_CHROMIUM="$$(.ci/chromium)" GITML_FIREFOX="$$(.ci/firefox)" $(BIN)/python -m pytest -n auto --dist loadfile

soak: $(STAMP)-test
	$(BIN)/python -m pytest -m soak -s --timeout 0

# Changes the pure modules and counts what their tests notice: make mutants M=joins
mutants: $(STAMP)-mutants
	$(BIN)/python -m tests.mutants $(M)

bench: .venv-bench/.installed
	.venv-bench/bin/python -m tests.benchmarks $(OPTIONS)

lighthouse: $(STAMP)-test .lighthouse/.installed
	GITML_CHROMIUM="$$(.ci/chromium)" $(BIN)/python -m tests.benchmarks.lighthouse $(OPTIONS)

screenshots: $(STAMP)-test
	GITML_CHROMIUM="$$(.ci/chromium)" $(BIN)/python -m tests.benchmarks.screenshots $(OPTIONS)

$(VENV)/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "gitml needs Python 3.11 or newer: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)

$(STAMP)-demo: $(VENV)/bin/pip pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[sklearn,plots]'
	@touch $@

# By uv: pip tries hundreds of versions before those of moto and of DVC's S3 agree on one of botocore.
$(STAMP)-test: $(VENV)/bin/pip pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --editable '.[test]'
	@touch $@

$(STAMP)-mutants: $(STAMP)-test pyproject.toml
	$(BIN)/uv pip install --quiet --python $(BIN)/python --editable '.[mutants]'
	@touch $@

# A place of its own: MLflow pins older versions of what we share with it.
.venv-bench/.installed: pyproject.toml
	$(PYTHON) -m venv .venv-bench
	.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check -e '.[bench]'
	@touch $@

# Needs Node; the browser is the one that the tests use.
.lighthouse/.installed: Makefile
	PUPPETEER_SKIP_DOWNLOAD=1 npm install --prefix .lighthouse --no-audit --no-fund --silent lighthouse@12
	@touch $@

clean:
	rm -rf .lighthouse .mutants _screenshots $(VENV) .venv-* dist build _site gitml-demo .mypy_cache .ruff_cache .pytest_cache .hypothesis
