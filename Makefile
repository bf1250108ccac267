# Multitude. `make help` lists what can be made; `make run` needs nothing but Python 3.11+, Node 20.19+ and make.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

ROOT := $(CURDIR)
PYTHON ?= python3
BIN := $(ROOT)/.venv/bin
UV := $(ROOT)/var/bootstrap/bin/uv
EXIT ?= 0
LIAR ?= 1
PROFILE ?= local
ONLY ?=
UPGRADE ?= 0

# Nothing is written outside the checkout: caches lie under var/, which `make clean` keeps and `make distclean` removes.
export UV_CACHE_DIR := $(ROOT)/var/cache/uv
export UV_PYTHON_DOWNLOADS := never
export UV_SYSTEM_CERTS := true
export PIP_CACHE_DIR := $(ROOT)/var/cache/pip
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export npm_config_cache := $(ROOT)/var/cache/npm
export npm_config_update_notifier := false
export RUFF_CACHE_DIR := $(ROOT)/var/cache/ruff
export PYTHONDONTWRITEBYTECODE :=
ifdef PIP_INDEX_URL
export UV_DEFAULT_INDEX ?= $(PIP_INDEX_URL)
endif

# An environment's stamp lies inside it, so that removing the environment is enough to have it made again.
BOOTSTRAP := var/bootstrap/.made
PRODUCT := .venv/.made
CONTRACTS := .venv-contracts/.made
NODE := node_modules/.made
SLITHER := var/slither/.made
COMPILED := build/.made
WEB_NODE := web/node_modules/.made
WEB := web/dist/.made
FORGE = $(firstword $(wildcard node_modules/@foundry-rs/forge-*/bin/forge))
COMPILE := $(UV) pip compile --quiet --python-version 3.11 --universal --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links

UPGRADED := $(if $(filter 1,$(UPGRADE)), --upgrade)

.PHONY: help setup environments run lint format test test-python test-web test-contracts test-beside fuzz fuzz-api slither bench chaos screenshots gas lock clean distclean

help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  options: run EXIT=1 (stop after the job) LIAR=0 (nobody lies) PROFILE=testnet; test ONLY='path -k name'"

setup: ## make .venv, .venv-contracts, node_modules, compile the contracts and build the web app (nothing to do when nothing changed)
	@$(MAKE) --silent --jobs 3 $(PRODUCT) $(CONTRACTS) $(NODE) $(COMPILED) $(WEB)

environments:
	@$(MAKE) --silent --jobs 3 $(PRODUCT) $(CONTRACTS) $(NODE) $(WEB_NODE)

run: setup ## start the whole network, run the example job and keep the page up; EXIT=1 stops after the job
	@exec $(BIN)/python -m deploy.local --profile $(PROFILE) --liar $(LIAR) $(if $(filter 1,$(EXIT)),--exit,--no-exit)

lint: environments ## ruff, mypy strict, the import contracts; tsc, eslint and prettier for the web app
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --cache-dir var/cache/import_linter
	npm --prefix web run --silent lint

format: environments ## let ruff and prettier mend what they can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	npm --prefix web run --silent format

test: environments $(COMPILED) $(WEB) ## every test that CI runs; ONLY='tests/market -k bids' runs some Python ones
ifeq ($(ONLY),)
	@$(MAKE) test-beside & beside=$$!; status=0; \
	$(MAKE) test-python || status=$$?; \
	wait $$beside || status=$$?; exit $$status
else
	@$(MAKE) test-python
endif

test-python: environments $(COMPILED) $(WEB) ## the tests of everything but the contracts and the web app's pure parts
	$(BIN)/python -m pytest -n 3 --dist loadscope --no-loadscope-reorder $(or $(ONLY),tests)

test-web: environments $(WEB) ## the tests of the web app's pure parts, by Vitest
	npm --prefix web run --silent test

test-contracts: environments $(COMPILED) ## the contracts' tests by Brownie on anvil, beside them 50,000 random calls by forge
	@mkdir -p var/tests; $(FORGE) test >var/tests/forge.log 2>&1 & forge=$$!; status=0; \
	$(BIN)/python -m deploy.toolchain.brownie test tests/contracts -o addopts= --disable-warnings || status=$$?; \
	wait $$forge || status=$$?; cat var/tests/forge.log; exit $$status

# The Python tests mostly wait for a network's clocks, these compute: they take what the others leave of the processor,
# and their output comes in one piece when they are done.
test-beside:
	@mkdir -p var/tests && echo "meanwhile: make test-web test-contracts, into var/tests/beside.log"
	@status=0; { nice -n 19 $(MAKE) test-web && nice -n 19 $(MAKE) test-contracts; } >var/tests/beside.log 2>&1 || status=$$?; \
	cat var/tests/beside.log; exit $$status

fuzz: environments ## a million random calls against the contracts' invariants (docs/invariants.md); some 20 minutes
	FOUNDRY_INVARIANT_RUNS=4000 $(FORGE) test --match-contract MarketTest

fuzz-api: environments ## 300 examples of schemathesis for every operation of the API, instead of the few in `make test`; some 30 minutes
	HOSTILE_EXAMPLES=300 $(BIN)/python -m pytest tests/hostile/test_schema.py

slither: environments $(SLITHER) ## static analysis of the contracts; fails on what docs/slither.md does not explain
	$(BIN)/python -m deploy.toolchain.slither

bench: setup ## measure the figures of the design that are times and shares; writes var/bench
	@exec $(BIN)/python -m deploy.bench

chaos: setup ## kill every part in every state (docs/chaos.md); SEED=1 PARTS=device,anvil STATES=leased,window WHOLE=0
	@exec $(BIN)/python -m deploy.chaos --seed $(or $(SEED),1) --parts "$(PARTS)" --states "$(STATES)" --whole $(or $(WHOLE),1)

screenshots: setup ## write the README's pictures from the real app (docs/screenshots)
	@exec $(BIN)/python -m deploy.browser

gas: setup ## measure gas for a settled task; writes var/bench
	@exec $(BIN)/python -m deploy.bench gas

lock: $(BOOTSTRAP) ## write the locks from pyproject.toml, requirements/*.in and package.json; UPGRADE=1 takes newer versions
	$(COMPILE) requirements/bootstrap.in -o requirements/bootstrap.txt$(UPGRADED)
	$(COMPILE) requirements/contracts.in -o requirements/contracts.txt$(UPGRADED)
	$(COMPILE) requirements/slither.in -o requirements/slither.txt$(UPGRADED)
	$(COMPILE) pyproject.toml --extra dev -o requirements/dev.txt$(UPGRADED)
	npm install --package-lock-only --ignore-scripts
	cd web && npm install --package-lock-only --ignore-scripts

clean: ## remove what runs and builds left behind
	rm -rf build out cache web/dist web/src/generated var/log var/run var/brownie .pytest_cache .hypothesis
	find . -name __pycache__ -type d -not -path './.venv*' -not -path '*/node_modules/*' -prune -exec rm -rf {} +

distclean: clean ## also remove the environments and caches
	rm -rf .venv .venv-contracts node_modules web/node_modules var

$(BOOTSTRAP): requirements/bootstrap.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Multitude needs Python 3.11 or newer: make PYTHON=...")'
	@echo "setup: uv"
	@$(PYTHON) -m venv --clear var/bootstrap
	@var/bootstrap/bin/python -m pip install --quiet --require-hashes --requirement requirements/bootstrap.txt
	@touch $@

$(PRODUCT): $(BOOTSTRAP) requirements/dev.txt pyproject.toml
	@echo "setup: .venv"
	@test -x $(BIN)/python || $(UV) venv --quiet --python $(PYTHON) .venv
	@$(UV) pip sync --quiet --python $(BIN)/python --require-hashes requirements/dev.txt
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

# Built from source and not compiled: the compiled wheel crashes on a networks section and on live deployments.
$(CONTRACTS): $(BOOTSTRAP) requirements/contracts.txt
	@echo "setup: .venv-contracts"
	@test -x .venv-contracts/bin/python || $(UV) venv --quiet --python $(PYTHON) .venv-contracts
	@BROWNIE_NOCOMPILE=1 $(UV) pip sync --quiet --python .venv-contracts/bin/python --require-hashes --no-binary eth-brownie requirements/contracts.txt
	@touch $@

$(SLITHER): $(BOOTSTRAP) requirements/slither.txt
	@echo "setup: slither"
	@test -x var/slither/bin/python || $(UV) venv --quiet --python $(PYTHON) var/slither
	@$(UV) pip sync --quiet --python var/slither/bin/python --require-hashes requirements/slither.txt
	@touch $@

# Brownie deletes the artefacts that nobody depends on when it next loads: the second pass does that before others read.
$(COMPILED): $(CONTRACTS) $(NODE) brownie-config.yaml $(shell find contracts -name '*.sol')
	@echo "setup: contracts (a minute or two when all are new)"
	@mkdir -p var/log build
	@for pass in compile prune; do $(PYTHON) -m deploy.toolchain.brownie compile >var/log/$$pass.log 2>&1 || { tail -n 40 var/log/$$pass.log; exit 1; }; done
	@touch $@

# The lock holds the Linux x64 binaries as optional packages; npm skips them elsewhere and the second line adds this
# platform's own, outside the lock.
$(NODE): package.json package-lock.json
	@echo "setup: node_modules"
	@node -e 'const [a, b] = process.versions.node.split(".").map(Number); if (a < 20 || (a === 20 && b < 19)) { console.error("Multitude needs Node 20.19 or newer"); process.exit(1); }'
	@npm ci --silent --ignore-scripts --no-audit --no-fund
	@extra=$$(node -p 'const p = process, a = {x64: "amd64"}[p.arch] || p.arch; `$${p.platform}-$${a}` === "linux-amd64" ? "" : ["anvil", "forge"].map((t) => `@foundry-rs/$${t}-$${p.platform}-$${a}@1.7.1`).join(" ")'); \
	if [ -n "$$extra" ]; then npm install --silent --no-save --no-package-lock --ignore-scripts $$extra; fi
	@touch $@

$(WEB_NODE): web/package.json web/package-lock.json
	@echo "setup: web/node_modules"
	@cd web && npm ci --silent --ignore-scripts --no-audit --no-fund
	@touch $@

$(WEB): $(WEB_NODE) market/openapi.json $(wildcard chain/abi/*.json) web/index.html web/vite.config.ts web/generate.mjs $(shell find web/src -type f -not -path 'web/src/generated/*' -not -name '*.test.ts')
	@echo "setup: the web app"
	@mkdir -p var/log
	@npm --prefix web run --silent build >var/log/web.log 2>&1 || { tail -n 40 var/log/web.log; exit 1; }
	@touch $@
