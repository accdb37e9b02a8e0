# Two commands are enough: `make serve` and `make test`.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CLIENTS := .clients
KEYSTONE := .keystone
TEMPEST := .tempest
LISTEN ?= 127.0.0.1:8080

.PHONY: help serve test check quick format bench bench-check system clean

help:
	@echo "make serve    serve all installed services on http://$(LISTEN)"
	@echo "make test     install everything needed, then lint, types and the whole suite"
	@echo "make check    the same without installing"
	@echo "make quick    lint, types and the tests that start no process"
	@echo "make format   put the code in its form"
	@echo "make bench    measure a request's cost beside peers, growth and storage; the tables are in bench/results"
	@echo "make bench-check  fail where a request costs 15 % more than when that was measured last"

$(BIN)/.serve: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "apifold needs Python 3.11 or newer; say make PYTHON=python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --editable '.[all]'
	@touch $@

$(BIN)/.test: $(BIN)/.serve pyproject.toml
	$(BIN)/pip install --quiet --editable '.[test,check]' --editable examples/plugin
	@touch $@

# Clients of upstreams bring libraries of their own, so they have an environment of their own.
$(CLIENTS)/.test: tests/clients.txt
	$(PYTHON) -m venv $(CLIENTS)
	$(CLIENTS)/bin/pip install --quiet --requirement $<
	@touch $@

$(KEYSTONE)/.test: tests/keystone.txt
	$(PYTHON) -m venv $(KEYSTONE)
	$(KEYSTONE)/bin/pip install --quiet --requirement $<
	@touch $@

$(TEMPEST)/.test: tests/tempest.txt
	$(PYTHON) -m venv $(TEMPEST)
	$(TEMPEST)/bin/pip install --quiet --requirement $<
	@touch $@

serve: $(BIN)/.serve
	$(BIN)/apifold serve --listen $(LISTEN) --config examples/apifold.yaml

test: system $(BIN)/.test $(CLIENTS)/.test $(KEYSTONE)/.test $(TEMPEST)/.test check

# Half of the tests wait for processes of their own, so two files are run at a time.
check:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest -n 2 --dist loadfile

quick:
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest -m "not process and not browser and not postgres"

format:
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: system $(BIN)/.test
	$(BIN)/python bench/compare.py --write
	$(BIN)/python bench/growth.py --write
	$(BIN)/python bench/storage.py --write

bench-check: system $(BIN)/.test
	$(BIN)/python bench/check.py

system:
	@tools/system_packages

clean:
	rm -rf $(VENV) $(CLIENTS) $(KEYSTONE) $(TEMPEST) .apifold site build dist
