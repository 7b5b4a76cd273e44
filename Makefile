# `make demo` and `make test` are the commands in the README; both build .venv from requirements.lock.

PYTHON ?= python3
BIN := .venv/bin
SOURCES := runtime codegen examples tests

# the newest Python that Lightbus 1.x works with; without it, `make bench` says so and leaves Lightbus 1.x out
LIGHTBUS1_PYTHON ?= python3.9

# how long `make torture` and `make fuzz` run; SEED=n repeats an earlier torture
SECONDS ?= 60

.PHONY: help demo test faults torture nightly flood fuzz pythons check format golden bench bench-quick bench-generator lock clean

help:
	@echo "make demo    show three services, a crash, and mistakes being caught"
	@echo "make test    run the tests against a real nats-server"
	@echo "make faults  run the long fault tests: many kills, full buffers, long timeouts"
	@echo "make torture  cause random faults for SECONDS=60, by SEED, and audit the outcome of every event"
	@echo "make pythons run the generator's tests under every installed Python 3.11 to 3.14"
	@echo "make nightly look for new failures with thousands of drawn schemas and types"
	@echo "make bench-generator  measure the generator and update docs/benchmarks.md"
	@echo "make flood   send a listener 100,000 malformed messages"
	@echo "make fuzz    look for input that breaks reading events, for SECONDS=60, with atheris"
	@echo "make check   check format, lint, types, imports and drift, as CI does"
	@echo "make format  format the code"
	@echo "make golden  rewrite the generator's golden folders"
	@echo "make bench   compare the bus with its peers, in 15 minutes (bench-quick: in 2)"
	@echo "make lock    pin the newest development versions, with the hashes of their files, in requirements*.lock"

# Only files that a lock has the hash of are installed, and nothing but the project itself is built from here.
INSTALL := -m pip install --quiet --disable-pip-version-check --require-hashes
INSTALL_PROJECT := -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .

.venv/ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0] + "; use: make PYTHON=python3.12") if sys.version_info < (3, 11) else None'
	@echo "building .venv from requirements.lock ..."
	@rm -rf .venv
	@$(PYTHON) -m venv .venv
	@$(BIN)/python $(INSTALL) --requirement requirements.lock
	@$(BIN)/python $(INSTALL_PROJECT)
	@touch $@

demo: .venv/ready
	@$(BIN)/python examples/demo.py

test: .venv/ready
	$(BIN)/python -m pytest

faults: .venv/ready
	$(BIN)/python -m pytest -m long tests/faults

torture: .venv/ready
	@$(BIN)/python -m tests.faults.torture --seconds $(SECONDS) $(if $(SEED),--seed $(SEED))

pythons:
	@$(PYTHON) tests/pythons.py $(PYTHONS)

nightly: .venv/ready
	$(BIN)/python -m pytest --hypothesis-profile nightly --timeout 7200 tests/codegen tests/compat tests/schema \
	    tests/event/test_network_input.py tests/jetstream/connection/test_wire.py

FLOOD ?= 100000
flood: .venv/ready
	$(BIN)/python -m pytest -n0 --flood $(FLOOD) tests/listening/test_flood.py

.venv-fuzz/ready: requirements.lock requirements-fuzz.lock pyproject.toml
	@echo "building .venv-fuzz ..."
	@rm -rf .venv-fuzz
	@$(PYTHON) -m venv .venv-fuzz
	@.venv-fuzz/bin/python $(INSTALL) --requirement requirements.lock --requirement requirements-fuzz.lock
	@.venv-fuzz/bin/python $(INSTALL_PROJECT)
	@touch $@

fuzz: .venv-fuzz/ready
	@mkdir -p .fuzz/corpus
	.venv-fuzz/bin/python -m tests.fuzz.events -max_total_time=$(SECONDS) -max_len=4096 -artifact_prefix=.fuzz/ .fuzz/corpus

check: .venv/ready
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/lightbus-gen --check

format: .venv/ready
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

golden: .venv/ready
	$(BIN)/python tests/codegen/update_golden.py

.venv-bench/ready: requirements-bench.lock pyproject.toml
	@echo "building .venv-bench from requirements-bench.lock ..."
	@rm -rf .venv-bench
	@$(PYTHON) -m venv .venv-bench
	@.venv-bench/bin/python $(INSTALL) --requirement requirements-bench.lock
	@.venv-bench/bin/python $(INSTALL_PROJECT)
	@touch $@

.venv-lightbus1/ready: requirements-lightbus1.lock
	@rm -rf .venv-lightbus1
	@mkdir .venv-lightbus1
	@{ $(LIGHTBUS1_PYTHON) -m venv .venv-lightbus1 \
	    && .venv-lightbus1/bin/python $(INSTALL) --requirement requirements-lightbus1.lock; } 2> /dev/null \
	    || { rm -rf .venv-lightbus1/bin; echo "Lightbus 1.x is left out: no LIGHTBUS1_PYTHON=$(LIGHTBUS1_PYTHON)"; }
	@touch $@

bench: .venv-bench/ready .venv-lightbus1/ready
	@.venv-bench/bin/python -m tests.bench.bus

bench-quick: .venv-bench/ready .venv-lightbus1/ready
	@.venv-bench/bin/python -m tests.bench.bus --quick

bench-generator: .venv/ready
	@$(BIN)/python -m tests.bench.generator

# The newest versions, and the hashes of all their files: for every system, and every Python that the project supports.
# uv asks PyPI, or the index that UV_DEFAULT_INDEX names. Newer ones of atheris have no wheel for Python 3.11.
COMPILE = .venv-lock/bin/uv pip compile --quiet --no-config --universal --upgrade --generate-hashes --no-annotate \
    --custom-compile-command "make lock"

lock:
	@rm -rf .venv-lock
	@$(PYTHON) -m venv .venv-lock
	@.venv-lock/bin/python -m pip install --quiet --disable-pip-version-check uv
	@printf '%s\n' hatchling editables | $(COMPILE) pyproject.toml - --extra gen --extra server --extra dev --group dev \
	    --output-file requirements.lock > /dev/null
	@printf '%s\n' hatchling editables | $(COMPILE) pyproject.toml - --extra gen --extra server --group bench \
	    --output-file requirements-bench.lock > /dev/null
	@echo 'atheris<3.1' | $(COMPILE) - --python-version 3.11 --output-file requirements-fuzz.lock > /dev/null
	@printf '%s\n' lightbus==1.1.2 aioredis==1.3.1 | $(COMPILE) - --python-version 3.9 \
	    --output-file requirements-lightbus1.lock > /dev/null
	@rm -rf .venv-lock

clean:
	rm -rf .venv .venv-bench .venv-fuzz .fuzz .venv-lightbus1 .venv-pythons .bench .lightbus .mypy_cache .ruff_cache .pytest_cache .hypothesis dist
