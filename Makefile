# Every target can be run again at any point. `make` alone lists them.
PYTHON ?= python3
VENV := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help up down status demo soak test test-unit lint format generate install lock bench clean

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.venv/stamp: pyproject.toml
	@$(PYTHON) hack/test.py --keep venv
	@touch .venv/stamp

venv: .venv/stamp ## the Python environment with everything for development, in .venv
.PHONY: venv

demo: ## the whole loop on real data, on kind, the local cluster (CLUSTER=local) or FAIRLEAD_KUBECONFIG's; DEMO=--fresh plays it anew
	@$(PYTHON) hack/preflight.py demo
	@$(MAKE) --no-print-directory venv
	@$(VENV)/python -m hack.demo $(DEMO)

soak: export CLUSTER ?= local
soak: ## what takes hours: readers on 10,000 random tables a writer, every seed and every kill, crash storms, the demo and an hour of it (SOAK="--minutes 10")
	@$(PYTHON) hack/preflight.py demo
	@$(MAKE) --no-print-directory venv
	@FAIRLEAD_SOAK=1 $(VENV)/python -m pytest -q -n auto --timeout 7200 tests/unit/worker/formats
	@FAIRLEAD_SOAK=1 $(VENV)/python -m pytest -q -n auto --timeout 7200 tests/sim tests/unit/plan tests/unit/experiment
	@$(VENV)/python -m hack.demo $(DEMO)
	@$(VENV)/python -m pytest -q tests/cluster -m soak
	@$(VENV)/python -m hack.soak $(SOAK)

up: ## start (or repair) the local cluster
	@$(PYTHON) hack/preflight.py
	@$(PYTHON) hack/cluster up

down: ## stop the local cluster and delete its state; builds and caches stay
	@$(PYTHON) hack/cluster down

status: ## what of the local cluster runs
	@$(PYTHON) hack/cluster status

install: .venv/stamp ## build Fairlead's images and install the chart on the same cluster
	@$(VENV)/python -m hack.install

test: ## all tests, from the pure ones to the demo on the real cluster (KEEP=1 leaves the cluster running)
	@$(PYTHON) hack/test.py

test-unit: .venv/stamp ## pure tests, without a cluster, in four or five minutes on two cores
	@$(VENV)/python -m pytest -q -n auto --maxprocesses 4 tests/unit

lint: .venv/stamp ## ruff, mypy, import-linter, and whether generated files are up to date
	@$(PYTHON) hack/test.py --keep lint

format: .venv/stamp ## format the code and repair what ruff can
	@$(VENV)/ruff check --fix . && $(VENV)/ruff format .

generate: .venv/stamp ## CRDs, reference, rights and the chart's copies, from the models
	@$(VENV)/python -m hack.gen

lock: .venv/stamp ## versions and digests of what the images install, anew from pyproject.toml (LOCK=--upgrade for the newest)
	@$(VENV)/python -m hack.lock $(LOCK)

bench: .venv/stamp ## a benchmark: make bench ONLY=calls|each|experiments|first|fleet|gitops|hostile|joins|monitors|pipelines|readers|recorder|rollback|scale|step|stores|trips|verdicts|world
	@$(VENV)/python -m hack.bench $(ONLY)

clean: down ## also delete the Python environment and all caches of the local cluster
	@$(PYTHON) hack/cluster down --all
	@rm -rf .venv
