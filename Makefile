# `make demo` and `make test` are the two commands of the README; both build .venv from requirements.lock.

PYTHON ?= python3
BIN := .venv/bin
SOURCES := runtime codegen examples tests

.PHONY: help demo test nightly pythons check bench-generator format golden lock clean

help:
	@echo "make demo    see the bus at work: three services, a crash, the gates"
	@echo "make test    run the tests against a real nats-server"
	@echo "make pythons run the generator's tests under every Python 3.11 to 3.14 found"
	@echo "make nightly look for new failures with thousands of drawn schemas and types"
	@echo "make bench-generator  measure the generator, and write docs/benchmarks.md"
	@echo "make check   format, lint, types, import rules and drift, as CI does"
	@echo "make format  format the code"
	@echo "make golden  write the generator's golden folders anew"
	@echo "make lock    pin the newest development versions in requirements.lock"

.venv/ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0] + "; use: make PYTHON=python3.12") if sys.version_info < (3, 11) else None'
	@echo "building .venv from requirements.lock ..."
	@rm -rf .venv
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: .venv/ready
	@$(BIN)/python examples/demo.py

test: .venv/ready
	$(BIN)/python -m pytest

pythons:
	@$(PYTHON) tests/pythons.py $(PYTHONS)

nightly: .venv/ready
	$(BIN)/python -m pytest --hypothesis-profile nightly --timeout 3600 tests/codegen tests/schema

bench-generator: .venv/ready
	$(BIN)/python -m tests.bench.generator

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

lock:
	@rm -rf .venv-lock
	@$(PYTHON) -m venv .venv-lock
	@.venv-lock/bin/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	@.venv-lock/bin/python -m pip install --quiet hatchling editables '.[gen,server,dev]' --group dev
	@{ echo "# Versions the project is developed with; made by: make lock"; \
	   .venv-lock/bin/python -m pip freeze | grep -v '^lightbus-nats'; } > requirements.lock
	@rm -rf .venv-lock

clean:
	rm -rf .venv .venv-pythons .lightbus .mypy_cache .ruff_cache .pytest_cache .hypothesis dist
