# `make` lists what can be done. Only Python and make are needed to begin.

SHELL := /bin/sh
.SHELLFLAGS := -eu -c
.DEFAULT_GOAL := help

# In many containers Python is told to write no bytecode, and each process compiles all it imports.
export PYTHONDONTWRITEBYTECODE :=

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.stamp
# What the benchmark compares pulse with lives apart.
BENCH_VENV := .venv-bench
BENCH_STAMP := $(BENCH_VENV)/.stamp
# The extras and the group that `requirements.lock` holds.
LOCKED := --all-extras --group dev
# Tests of a file are run by the same worker, which has a Kafka of its own, and share what the file
# sets up; files come in the order of tests/conftest.py.
BY_FILE := --dist loadfile --no-loadscope-reorder
# Without the compiler: what depends on it, and of a recount of the real input one time zone.
PURE := tests/unit/engine tests/unit/engagement tests/property \
	--ignore=tests/property/test_pipeline.py --ignore=tests/property/test_pipeline_as_before.py \
	-k 'not naive_recount or Kiritimati'
MINUTES := 60

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# --- two commands -----------------------------------------------------------

.PHONY: demo
demo: setup ## See pulse work: a broker, a worker, a fleet of accounts and a page
	@$(BIN)/pulse demo

.PHONY: test
test: setup ## Run everything: lint, types, imports, then all tests on a real Kafka
	@sh deploy/doctor.sh tests
	@$(MAKE) --no-print-directory lint types
	@$(BIN)/python -m pulse.testing.kafka
	@$(BIN)/python tests/clients/fetch.py
	PULSE_PURE=1 $(BIN)/pytest $(PURE) -n 2 --dist worksteal
	$(BIN)/pytest -n 4 $(BY_FILE)

.PHONY: soak
soak: setup ## Many odd requests, all seeds of every fault, then an hour-long run (MINUTES=60): what grows meanwhile
	@sh deploy/doctor.sh tests
	@$(BIN)/python -m pulse.testing.kafka
	PULSE_EXAMPLES=300 $(BIN)/pytest tests/integration/collector/test_schema.py
	PULSE_SEEDS=all $(BIN)/pytest tests/faults -n 3
	$(BIN)/python -m pulse.testing.soak $(MINUTES)

# --- setting up -------------------------------------------------------------

.PHONY: setup
setup: $(STAMP) ## Make .venv with exactly what the lock says, and compile the engine
	@$(BIN)/python deploy/compile.py

.PHONY: compile
compile: setup ## Compile the engine again where its sources have changed

.PHONY: pure
pure: $(STAMP) ## Remove what was compiled: Python runs the sources, a fifth as fast
	@$(BIN)/python deploy/compile.py --remove

$(STAMP): requirements.lock requirements-bootstrap.lock pyproject.toml
	@sh deploy/setup.sh $(VENV)
	@touch $@

.PHONY: doctor
doctor: ## Say what this machine has, what it lacks and what to do about it
	@sh deploy/doctor.sh

.PHONY: lock
lock: ## Make the lock again from pyproject.toml (UPGRADE=1 takes newer versions)
	@sh deploy/lock.sh $(VENV) $(if $(UPGRADE),--upgrade) $(LOCKED)

# --- checks -----------------------------------------------------------------

.PHONY: check
check: setup ## Lint, types, imports, unit and property tests: two minutes or so
	@$(MAKE) --no-print-directory lint types
	$(BIN)/pytest src tests/unit tests/property -m 'not long' -q -n 2 $(BY_FILE)

.PHONY: bench
bench: setup $(BENCH_STAMP) ## Measure (QUICK=1: in minutes; ROWS=pulse,hand; ACCOUNTS=100000)
	@sh deploy/doctor.sh tests
	@$(BIN)/python -m pulse.testing.kafka
	@$(BIN)/python -m benchmarks $(if $(QUICK),--quick) $(if $(ROWS),--rows $(ROWS)) \
		$(if $(ACCOUNTS),--accounts $(ACCOUNTS)) $(if $(ROUNDS),--rounds $(ROUNDS)) \
		$(if $(PART),--part $(PART))

.PHONY: bench-table
bench-table: setup ## Put what `make bench` measured into docs/performance.md, what follows into docs/sizing.md
	@$(BIN)/python -m benchmarks.table docs/performance.md
	@$(BIN)/python -m benchmarks.sizing docs/performance.md docs/sizing.md

.PHONY: bench-profile
bench-profile: setup $(BENCH_STAMP) ## Say where pulse work spends its time on the job
	@$(BIN)/python -m benchmarks.profile

$(BENCH_STAMP): requirements-bench.lock | $(STAMP)
	@sh deploy/setup-bench.sh $(VENV) $(BENCH_VENV)
	@touch $@

.PHONY: lint
lint: setup ## Style, formatting and the one-way imports
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports

.PHONY: format
format: setup ## Put the code into its form
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

.PHONY: types
types: setup ## mypy, strict
	$(BIN)/mypy

.PHONY: leaving
leaving: setup ## Who leaves, on two real histories: the line beside the rules people use
	$(BIN)/python -m benchmarks.leaving

.PHONY: schemas
schemas: setup ## Write schemas/ again from the models
	$(BIN)/python -m pulse.schemas write

.PHONY: dashboards
dashboards: setup ## Write deploy/grafana/dashboards/ again from their Python
	@$(BIN)/python -m deploy.dashboards

.PHONY: pictures
pictures: setup ## Take the pictures of the documentation again (needs Chromium)
	@$(BIN)/python -m tests.integration.web.pictures

.PHONY: reference
reference: setup ## Write docs/reference/ again from the code
	@$(BIN)/python -m deploy.reference write

.PHONY: clean
clean: ## Remove what tools left behind; .venv and .cache stay
	rm -rf build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find src tests benchmarks -type d -name __pycache__ -prune -exec rm -rf {} +
