# Two commands: `make book` builds the book, `make test` runs every test. Both set up what they need in
# .venv from requirements.lock (hashes checked); nothing outside the checkout is touched.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# TensorFlow has wheels for these; name another with `make PYTHON=...`.
SUITABLE := import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 14))
PYTHON ?= $(shell for name in python3.13 python3.12 python3.11 python3 python; do \
	$$name -c '$(SUITABLE)' 2>/dev/null && { echo $$name; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
# Named after the checkout's place: a copy of the checkout must not go on using the first one's code.
SETUP := $(VENV)/set-up-$(shell pwd | cksum | cut -d ' ' -f 1)
PROFILE ?= published

.PHONY: help book test lint format notebooks sweep bench audit lock clean setup

help: ## list what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "%-12s%s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(SETUP) ## set up .venv only

# The stamp is written last, so that an interrupted set-up is done again.
$(SETUP): requirements.lock pyproject.toml
	@$(or $(PYTHON),false) -c '$(SUITABLE)' 2>/dev/null || { echo "make: Python 3.11, 3.12 or 3.13 with \
	venv is needed, and $(if $(PYTHON),$(PYTHON) is not that,none was found): install it, or name it with \
	make PYTHON=/path/to/python." \
	>&2; exit 2; }
	@echo "Setting up $(VENV) with $(PYTHON): about 3 GB, some minutes, once."
	rm -rf $(VENV)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes \
		--requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps \
		--no-build-isolation --editable .
	touch $(SETUP)

book: $(SETUP) ## build the book from the published results: _build/html/index.html
	$(BIN)/python -m repro.book.build build --profile $(PROFILE)

# Two processes side by side, a file in one of them (tests/conftest.py).
test: $(SETUP) ## run every test
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --durations 25 --nbval --nbval-sanitize-with tests/nbval_sanitize.cfg tests book

lint: $(SETUP) ## check style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(SETUP) ## mend style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

notebooks: $(SETUP) ## execute the committed notebooks again, from their paired text
	$(BIN)/python -m repro.book.build notebooks --profile $(PROFILE)

sweep: $(SETUP) ## train what the book still lacks (days on a laptop; stop and repeat at will)
	$(BIN)/repro sweep --plan sweeps/paper.yml

bench: $(SETUP) ## measure the engine beside others (half an hour, with nothing else running)
	$(BIN)/repro bench --output results/benchmark-mnist.json
	$(BIN)/repro bench --dataset hasyv2 --widths 512 --output results/benchmark-hasyv2.json \
		--engines repro-tensorflow,repro-jax

audit: ## hold the lock against the known vulnerabilities (needs a network and pip-audit)
	pip-audit --requirement requirements.lock --require-hashes --disable-pip --strict

lock: ## resolve the dependencies again (needs uv)
	printf 'hatchling\npip\n' | uv pip compile --universal --fork-strategy fewest \
		--generate-hashes --no-emit-index-url --no-annotate --no-header --quiet --upgrade \
		--python-version 3.11 --extra train --extra jax --extra cluster --extra book --extra test \
		--output-file requirements.lock pyproject.toml -
	printf 'hatchling\nipykernel\njupytext\n' | uv pip compile --universal --python-version 3.12 \
		--no-emit-index-url --no-annotate --no-header --quiet --constraint requirements.lock \
		--output-file .binder/requirements.txt pyproject.toml -

clean: ## remove the built book and .venv (results and stores stay)
	rm -rf _build $(VENV)
