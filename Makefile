# Each recipe is a line that a person could type. `make` alone lists them.
PYTHON ?= python3
PY := .venv/bin/python
LIMIT ?= 50
PORT ?= 8790

.DEFAULT_GOAL := help
.PHONY: help setup demo test check bench torture serve status report audit backup clean-batches clean lock

help: ## list what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' Makefile

setup: .venv/installed ## make .venv from the pinned lock; does nothing when nothing changed

.venv/installed: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "error: Python 3.11 or newer is needed; type: make setup PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

demo: setup ## run the whole study on the local batch service, no key needed
	$(PY) -m tools.demo

test: setup ## run the tests
	$(PY) -m pytest

check: setup ## lint, unused code, and that the rooms import one way only
	$(PY) -m ruff check . && $(PY) -m pyflakes *.py common tools tests bench

bench: setup ## measure speed and memory (make bench PEERS=1 adds other clients)
	$(PY) -m bench $(if $(PEERS),--peers)

torture: setup ## kill, cut and lie everywhere, and count what was lost (minutes)
	$(PY) -m tests.torture

serve: setup ## run the local batch service alone (make serve PORT=8790)
	$(PY) -m tools.batch_server --port $(PORT) --state results/local_service

status: setup ## where a batch or run stands (make status ID=batch_abc123)
	$(PY) -m tools.status $(ID)

report: setup ## all runs of this results folder in one table
	$(PY) -m tools.report

audit: setup ## verify every run on disk against journal and checksums
	$(PY) -m tools.audit

backup: setup ## pack journal, raw files and runs into results/backups
	$(PY) -m tools.backup

clean-batches: setup ## back up and delete old batches at the provider (make clean-batches LIMIT=50)
	$(PY) tools/openai/batch_cleanup.py --all --limit $(LIMIT) $(CLEAN)

clean: ## remove caches and the virtual environment; results stay
	rm -rf .venv .pytest_cache .ruff_cache .hypothesis && find . -name __pycache__ -prune -exec rm -rf {} +

lock: setup ## pin the newest versions that pyproject.toml allows
	$(PY) -m pip install --quiet uv && $(PY) -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --group dev pyproject.toml -o requirements.lock
