# Everything here can be repeated, and is quick when nothing changed. `make help` lists it.

# The interpreter that makes .venv; Python 3.11 or later.
PYTHON ?= python3
VENV := .venv/bin
STACK := $(PYTHON) -m tools.stack

# A real cluster only when it is named on the command line: a KUBECONFIG that happens to be in
# the environment is never used.
ifeq ($(origin KUBECONFIG),command line)
REAL_CLUSTER := --kubeconfig "$(KUBECONFIG)"
endif

# Test files run side by side: they wait for servers most of the time. Each worker has its own.
WORKERS ?= 2

.DEFAULT_GOAL := help
.PHONY: help setup run up down status test soak lint format protos protos-check bench check

help: ## Show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Make .venv, the servers' environments and the control plane (the first time: 15 minutes)
	@$(STACK) setup

run: setup ## Run everything until Ctrl-C; KUBECONFIG=/path for a real cluster
	@$(STACK) run $(REAL_CLUSTER)

up: setup ## Run everything in the background
	@$(STACK) up $(REAL_CLUSTER)

down: ## Stop everything that run or up started
	@$(STACK) down

status: ## Show where everything is
	@$(STACK) status

test: setup ## Run all tests (ARGS="-k pods" for some, WORKERS=0 one after the other)
	@$(VENV)/pytest --numprocesses $(WORKERS) --dist loadfile $(ARGS)

soak: setup ## Run 100 rounds of watches and log tails under faults (ROUNDS=10 for fewer, SEED=7 for one again)
	@SOAK_ROUNDS=$(or $(ROUNDS),100) $(VENV)/pytest --quiet --capture=no tests/soak $(ARGS)

lint: setup ## Check style, types, imports between parts, protos, CloudFormation templates
	$(VENV)/ruff check .
	$(VENV)/ruff format --check .
	$(VENV)/mypy
	$(VENV)/lint-imports --no-logo
	$(VENV)/python -m tools.protos lint
	$(if $(wildcard deploy/cloudformation/*.yaml),$(VENV)/cfn-lint deploy/cloudformation/*.yaml)

format: setup ## Format the Python code
	$(VENV)/ruff format .

protos: setup ## Generate the stubs from protos/
	@$(VENV)/python -m tools.protos generate

protos-check: setup ## Check that the generated stubs are up to date
	@$(VENV)/python -m tools.protos check

bench: setup ## Measure; writes docs/performance.md and bench/results.json
	@$(VENV)/python -m bench

check: lint protos-check test ## All that CI checks
