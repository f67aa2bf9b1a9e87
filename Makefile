# Every target does its own set-up in .venv, once; a second run needs no network. `make help` explains them.

PYTHON ?= python3.11
ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
# Debian packages that tests need beyond wheels; `make test` installs them where it may: the MariaDB server,
# Prometheus with its Alertmanager and promtool, a browser with a Chinese font.
SYSTEM_PACKAGES := mariadb-server-core prometheus prometheus-alertmanager chromium fonts-wqy-microhei
# Where this is set (many container images do), each process would compile the same thousand modules again: a command
# takes twice as long, and the tests start hundreds of them. Empty means not set.
export PYTHONDONTWRITEBYTECODE :=

PEERS := build/quixstreams/.ready build/pathway/.ready build/bytewax/.ready

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint format catalogue fuzz faults long long-linking capture-envelopes bench bench-febrl bench-peers bench-accuracy bench-growth bench-identity bench-parts bench-freshness clean system-packages

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-17s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo '  Options go into ARGS: make demo ARGS="--people 20000 --rate 200 --for 120"'

setup: $(VENV)/.ready ## Install wheels, jars and start-up caches into .venv: 2 GB on disk, some minutes the first time

demo: $(VENV)/.ready ## Run the whole hub here and watch it; Ctrl-C ends it
	@$(BIN)/renkou demo $(ARGS)

test: ## Run linter, type checker and all tests, the real stack included
	@$(MAKE) --no-print-directory --jobs=2 system-packages lint
	@$(BIN)/python -m pytest -m 'not long' -n 3 --dist loadscope --no-loadscope-reorder $(ARGS)

lint: $(VENV)/.ready ## Run linter, formatter's check and type checker
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: $(VENV)/.ready ## Format the code and mend what the linter can mend
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

catalogue: $(VENV)/.ready ## Write docs/elements.md, the catalogue of the data elements
	@$(BIN)/python -m avro.catalogue docs/elements.md

faults: $(VENV)/.ready ## Kill every process of a loaded hub, seeded, and compare by value: the long version
	@$(BIN)/python -m pytest -m faults tests/faults $(ARGS)

fuzz: $(VENV)/.ready ## Feed a million hostile values to every normalizer, seeded; some minutes
	@$(BIN)/python -m pytest --hypothesis-profile search -m long tests/fuzz $(ARGS)

long: $(VENV)/.ready ## Run the long versions of seeded suites that need no stack: a hundred kills of a writing store
	@$(BIN)/python -m pytest --hypothesis-profile search -m long tests/unit $(ARGS)

long-linking: $(VENV)/.ready ## Shuffle, kill, delete, revoke and explain on simulated registers: half an hour
	@$(BIN)/python -m pytest -s -m long tests/unit/test_linkage_long.py $(ARGS)

capture-envelopes: $(VENV)/.ready ## Capture the envelope suite again from real databases; some minutes
	@$(BIN)/python -m tests.envelope.capture $(ARGS)

bench: $(VENV)/.ready ## Measure rates, latencies and catch-up on this machine into docs/benchmarks.md: ten minutes
	@$(BIN)/renkou bench --report docs/benchmarks.md $(foreach part,$(wildcard build/bench/part-*.json),--with $(part)) $(ARGS)

bench-febrl: $(VENV)/.ready build/splink/.ready ## Link the FEBRL data sets beside ECM and Splink, for the next make bench
	@$(BIN)/python -m tests.bench.febrl --splink build/splink/bin/python --out build/bench/part-febrl.json $(ARGS)

bench-peers: $(VENV)/.ready $(PEERS) ## Run stock faust-streaming, Quix Streams, Pathway, Bytewax and a plain loop beside renkou's transport, for the next make bench
	@$(BIN)/python -m tests.bench.transports --venvs build --out build/bench/part-transports.json $(ARGS)

bench-accuracy: $(VENV)/.ready ## Link held-out registers of both profiles and hold them against their truth, for the next make bench; ARGS="--people N --seed N"
	@$(BIN)/python -m tests.bench.accuracy --profile province --out build/bench/part-accuracy.json $(or $(ARGS),--people 10000 --seed $(shell date +%j))
	@$(BIN)/python -m tests.bench.accuracy --profile hostile --out build/bench/part-accuracy-hostile.json $(or $(ARGS),--people 10000 --seed $(shell date +%j))

bench-identity: $(VENV)/.ready build/splink/.ready ## Link a register as it comes beside Splink in hourly batches, for the next make bench
	@$(BIN)/python -m tests.bench.identity_freshness --splink build/splink/bin/python --out build/bench/part-identity.json $(ARGS)

bench-growth: $(VENV)/.ready ## Measure how each stage's cost grows with the province, for the next make bench; ARGS="--people 1000 10000 100000"
	@$(BIN)/python -m tests.bench.growth --store --out build/bench/part-growth.json $(ARGS)

bench-parts: $(VENV)/.ready ## Measure single parts: codec, normalizers, linker, metrics, queries, reconciliation
	@for part in avro_codec normalize linkage metrics_cost store_queries verify; do echo "== $$part"; $(BIN)/python -m tests.bench.$$part || exit 1; done

bench-freshness: $(VENV)/.ready ## Hold published lags, states and alerts against the truth, real faults and the calendar: twenty minutes
	@$(BIN)/python -m tests.bench.metrics_cost
	@$(BIN)/python -m pytest -v -s tests/unit/test_player.py tests/unit/test_prometheus.py tests/unit/test_freshness.py
	@$(BIN)/python -m pytest -v -s -m long tests/stack/test_lag.py tests/stack/test_watch.py tests/faults/test_states.py

# What a user might pick instead: each in a venv of its own, so that its own versions of everything count.
build/quixstreams/.ready: REQUIREMENT := 'quixstreams>=3,<4'
build/pathway/.ready: REQUIREMENT := 'pathway<1'
build/bytewax/.ready: REQUIREMENT := 'bytewax>=0.21,<0.22'
$(PEERS): build/%/.ready:
	@$(PYTHON) -m venv build/$*
	@build/$*/bin/python -m pip install --quiet --disable-pip-version-check $(REQUIREMENT) confluent-kafka
	@touch $@

build/splink/.ready:
	@$(PYTHON) -m venv build/splink
	@build/splink/bin/python -m pip install --quiet --disable-pip-version-check 'splink>=4,<5' 'pandas<3'
	@touch $@

clean: ## Remove .venv, the data folder and caches
	@if [ -x $(BIN)/renkou ] && [ -d .renkou ]; then $(BIN)/renkou down --data .renkou; fi
	@rm -rf $(VENV) .renkou .mypy_cache .pytest_cache .ruff_cache .hypothesis *.egg-info build dist

# The stamps are newer than what they depend on, so make knows when to do it again.
# The start-up caches depend on how the Java programs are started, and on the linker's compiled code.
STARTS := $(addprefix connectors/stack/,jars.lock aot.py training.py java.py kafka.py registry.py connect.py)
# Beside the downloads: the linker's code is compiled, and the modules that all processes of the first start load.
COMPILE := import streams.demo, streams.stages.link, streams.stages.normalize, streams.stages.store; from linkage.prepare import prepare; prepare()
$(VENV)/.ready: $(VENV)/.wheels $(STARTS) linkage/survivorship.py linkage/kernel.py linkage/native.py
	@$(BIN)/python -c '$(COMPILE)' & compiling=$$!; $(BIN)/python -m connectors.stack.fetch; fetched=$$?; wait $$compiling && exit $$fetched
	@touch $@

$(VENV)/.wheels: setup.cfg pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is missing: install Python 3.11, or name it: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' || { echo "$(PYTHON) is not Python 3.11 or 3.12: name one with make PYTHON=…" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "$(PYTHON) has no venv module: on Debian install the package python3.11-venv" >&2; exit 1; }
	@[ -x $(BIN)/python ] || $(PYTHON) -m venv $(VENV)
	@echo "installing Python packages into $(VENV) (2 GB on disk, some minutes the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --editable '.[local,test]' || { echo "the Python packages could not be installed: the reason is above; with network access run make again" >&2; exit 1; }
	@touch $@

system-packages:
	@missing=; for package in $(SYSTEM_PACKAGES); do dpkg -s $$package >/dev/null 2>&1 || missing="$$missing $$package"; done; \
	if [ -n "$$missing" ]; then \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing; \
		else echo "not installed, tests that need them are skipped:$$missing" >&2; fi; fi
