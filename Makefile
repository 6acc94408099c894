# Two commands matter: `make run` and `make test`. `make help` lists the rest.
# Each step leaves a stamp in .venv, so a command that has nothing to do is quick.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/stamps
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --require-hashes
LOCK = $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-annotate --no-header
AS_ROOT := $(shell [ "$$(id -u)" = 0 ] && command -v apt-get)

# Compiled modules make a start twice as quick, wherever this is run.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run test install check bench openapi lock chromium check-format check-lint check-rooms check-types check-house

help: ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

run: $(STAMPS)/schema $(STAMPS)/static ## start Counterfoil with demo data at http://127.0.0.1:8000; Ctrl-C ends it, the data stays
	@COUNTERFOIL_DEMO=1 exec $(BIN)/counterfoil up

test: $(STAMPS)/schema $(STAMPS)/test chromium ## run every test; TESTS=path runs some, PYTEST=… adds options
	$(BIN)/python -m pytest -n 2 $(PYTEST) $(TESTS)

install: $(STAMPS)/schema $(STAMPS)/static ## make .venv with what the product needs

check: $(STAMPS)/schema $(STAMPS)/test $(STAMPS)/check ## format, lint, types, rooms, migrations, house rules
	@$(MAKE) --no-print-directory --keep-going check-format check-lint check-rooms check-types check-house

check-format:
	$(BIN)/ruff format --check --quiet src tests bench
check-lint:
	$(BIN)/ruff check --quiet --output-format concise src tests bench
check-rooms:
	$(BIN)/lint-imports --no-logo
check-types:
	$(BIN)/mypy
check-house:
	$(BIN)/python -m pytest -q tests/house

bench: $(STAMPS)/schema $(STAMPS)/static $(STAMPS)/test ## measure; ONLY=P3 measures one row of the table
	$(BIN)/python bench/run.py $(if $(ONLY),--only $(ONLY))

openapi: $(STAMPS)/schema ## renew docs/openapi.json, which a test compares with the API
	@DJANGO_SETTINGS_MODULE=counterfoil.app.settings $(BIN)/python -m django openapi > docs/openapi.json

lock: $(STAMPS)/check ## renew requirements/*.txt from pyproject.toml
	$(LOCK) pyproject.toml --group build -o requirements/run.txt
	$(LOCK) --group test -c requirements/run.txt -o requirements/test.txt
	$(LOCK) --group check -c requirements/run.txt -c requirements/test.txt -o requirements/check.txt

$(BIN)/python:
	@[ -n "$(PYTHON)" ] && $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Counterfoil needs Python 3.11 or newer. Name one: make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { [ -n "$(AS_ROOT)" ] && $(call apt,python3-venv); } || \
		{ echo "Python cannot make virtual environments. On Debian or Ubuntu: sudo apt install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(STAMPS)/run: requirements/run.txt pyproject.toml | $(BIN)/python
	@echo "Installing what Counterfoil needs (once, about a minute)"
	@$(PIP) -r requirements/run.txt
	@$(BIN)/python -m pip --disable-pip-version-check install --quiet --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m compileall -q src
	@mkdir -p $(STAMPS) && touch $@

# A first start lays its tables from this instead of running every migration; see src/counterfoil/app/fresh.py.
$(STAMPS)/schema: $(wildcard src/counterfoil/*/migrations/*.py) $(STAMPS)/run
	@$(BIN)/python -m counterfoil.app.fresh || [ -n "$$DATABASE_URL" ]
	@touch $@

# … and copies its compressed scripts and styles from this; see src/counterfoil/app/collecting.py.
$(STAMPS)/static: $(wildcard src/counterfoil/*/static/*/*) $(STAMPS)/run
	@$(BIN)/python -m counterfoil.app.collecting
	@touch $@

$(STAMPS)/test: requirements/test.txt $(STAMPS)/run
	@echo "Installing what the tests need"
	@$(PIP) -r requirements/test.txt
	@touch $@

$(STAMPS)/check: requirements/check.txt $(STAMPS)/run
	@echo "Installing what the checks need"
	@$(PIP) -r requirements/check.txt
	@touch $@

apt = { echo "Installing $(1) with apt-get"; DEBIAN_FRONTEND=noninteractive \
	sh -c 'apt-get update -qq && apt-get install -y -qq $(1)' >/dev/null; }

chromium:
	@command -v chromium >/dev/null || { [ -n "$(AS_ROOT)" ] && $(call apt,chromium); } || \
		{ echo "The browser tests need Chromium. On Debian or Ubuntu: sudo apt install chromium"; exit 1; }
