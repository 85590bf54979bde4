# What a person does with this repository. Everything is installed into .venv; nothing outside of it is touched,
# but for Debian's python3-venv, python3-dev, locales, libfaketime and chromium, if they are missing and you are root.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.PHONY: help setup up down ui can-build-ui test check bench chaos lock without-ctp without-ui

PYTHON ?= python3
UV_VERSION := 0.13.9
BIN := .venv/bin
INSTALLED := .venv/.installed
# CTP: its Python wrappers are compiled here, and so are the libraries of the simulated counter.
CXX := $(shell command -v c++ || command -v g++ || command -v clang++)
CTP := $(if $(CXX),.venv/.installed-ctp,without-ctp)
CTP_SOURCES := $(wildcard ctpsim/src/ctpsim/native/*) $(addprefix ctpsim/src/ctpsim/,headers.py records.py glue.py building.py)
# The console is built where there is a Node that can, and only when something of it has changed.
NODE := $(shell node -e 'const [a, b] = process.versions.node.split("."); process.exit(+a > 20 || (+a == 20 && +b >= 9) ? 0 : 1)' 2> /dev/null && command -v npm)
SITE := services/src/aegis/management/site/index.html
UI_SOURCES := $(shell find ui/src ui/public -type f 2> /dev/null) $(wildcard ui/*.json ui/*.ts ui/*.mjs)
# The machine's own certificate authorities count, as they do for pip.
export UV_SYSTEM_CERTS ?= true
# Bytecode is kept, whatever the environment says: else each process of a desk or of a test compiles all that it reads.
export PYTHONDONTWRITEBYTECODE :=

help: ## show this
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1\t\2/p' Makefile | expand -t 14

setup: $(INSTALLED) $(CTP) ## install everything, nothing else; CTP where there is a C++ compiler

up: setup ui ## run the desk on this machine
	@$(BIN)/aegis up

ui: $(if $(NODE),$(SITE),without-ui) ## build the web console, where there is Node 20.9 or later

can-build-ui:
	@[ -n "$(NODE)" ]

down: setup ## stop what `up` started
	@$(BIN)/aegis down

# Two at a time, the longest files first: most tests wait, for a process or a timer. All workers need the same seed. One
# that hangs ends its worker, which says where.
test: check ## the static checks, then all tests
	CHAOS_SEED=$(or $(SEED),$(shell date +%s)) $(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder -o faulthandler_exit_on_timeout=true --max-worker-restart 1
	$(if $(NODE),$(MAKE) -s ui && cd ui && npm run -s e2e)

check: setup ## the static checks
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(if $(NODE),$(MAKE) -s ui/node_modules/.installed && cd ui && npm run -s check)

bench: setup ## measure Aegis against plain NATS
	$(BIN)/aegis bench rpc
	$(BIN)/aegis bench events
	$(BIN)/aegis bench ticks
	$(BIN)/aegis bench active
	$(BIN)/aegis bench orders
	$(BIN)/aegis bench failover
	$(BIN)/aegis bench record
	$(if $(CXX),$(BIN)/aegis bench feed)
	$(if $(CXX),$(BIN)/aegis bench restart)

chaos: setup ## harm a cluster, then trading on one, at random; ROUNDS=20 SEED=7
	CHAOS_ROUNDS=$(or $(ROUNDS),20) CHAOS_SEED=$(SEED) $(BIN)/pytest sdk/tests/chaos
	AEGIS_TRADING_ROUNDS=$(or $(ROUNDS),20) CHAOS_SEED=$(SEED) $(BIN)/pytest services/tests/integration/test_trading_rounds.py

lock: setup ## resolve all dependencies anew, to their newest versions
	$(BIN)/uv lock --upgrade
	$(BIN)/uv export --frozen --all-packages --all-groups --no-emit-workspace --no-header -q -o requirements.lock
	$(BIN)/python -c 'import tomllib; print(*tomllib.load(open("services/pyproject.toml", "rb"))["project"]["optional-dependencies"]["ctp"], sep="\n")' | \
	  $(BIN)/uv pip compile - --universal --python-version 3.11 --generate-hashes --constraints requirements.lock --no-header --no-emit-index-url --no-emit-find-links -q -o requirements-ctp.lock

# Done again whenever one of these changes. A .venv that is broken is made anew.
$(INSTALLED): requirements.lock pyproject.toml sdk/pyproject.toml services/pyproject.toml ctpsim/pyproject.toml Makefile
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Aegis needs Python 3.11 or later as $(PYTHON); name another one: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2> /dev/null || \
	  { [ "$$(id -u)" = 0 ] && apt-get update -q && apt-get install -qy python3-venv; } || \
	  { echo "$(PYTHON) has no venv module: sudo apt-get install python3-venv" >&2; exit 1; }
	@echo 'Installing into .venv; the first time takes ten seconds to a minute.'
	@$(BIN)/python -c 'import pip' 2> /dev/null || { rm -rf .venv; $(PYTHON) -m venv .venv; }
	@$(BIN)/uv --version 2> /dev/null | grep -qF 'uv $(UV_VERSION)' || \
	  $(BIN)/python -m pip install -q --disable-pip-version-check 'uv==$(UV_VERSION)'
	@$(BIN)/uv pip install -q --python $(BIN)/python --require-hashes -r requirements.lock
	@$(BIN)/uv pip install -q --python $(BIN)/python --no-deps -e sdk -e services -e ctpsim
	@ls /usr/lib/*/faketime/libfaketimeMT.so.1 > /dev/null 2>&1 || \
	  { [ "$$(id -u)" = 0 ] && apt-get update && apt-get install -y libfaketime; } > /dev/null 2>&1 || \
	  echo 'Tests of wall clocks that jump will be skipped: they need libfaketime (sudo apt-get install libfaketime)'
	@[ -z "$(NODE)" ] || [ -e /usr/bin/chromium ] || \
	  { [ "$$(id -u)" = 0 ] && apt-get update && apt-get install -y --no-install-recommends chromium fonts-wqy-microhei; } > /dev/null 2>&1 || \
	  echo 'Tests of the console need a browser: sudo apt-get install chromium fonts-wqy-microhei'
	@touch $@

.venv/.installed-ctp: $(INSTALLED) requirements-ctp.lock $(CTP_SOURCES)
	@apt() { [ "$$(id -u)" = 0 ] && apt-get update -q && apt-get install -qy "$$1"; }; \
	lacks() { echo "There is no CTP here, real or simulated; it needs $$1: sudo apt-get install $$2"; exit 0; }; \
	python_headers='import os, sysconfig; os.stat(sysconfig.get_path("include") + "/Python.h")'; \
	$(BIN)/python -c "$$python_headers" 2> /dev/null || apt python3-dev || lacks "Python's headers" python3-dev; \
	[ -e /usr/share/i18n/locales/zh_CN ] || apt locales || lacks 'what locales are made of' locales; \
	echo 'Building CTP; the first time takes a minute or two.'; \
	$(BIN)/uv pip install -q --python $(BIN)/python --no-deps --require-hashes -r requirements-ctp.lock; \
	$(BIN)/ctpsim build; \
	touch $@

without-ctp: $(INSTALLED)
	@echo 'There is no CTP here, real or simulated; it needs a C++ compiler: sudo apt-get install g++'

# Half a gigabyte, so only when the lock says something else; Git dates it anew at each change of the branch.
ui/node_modules/.installed: ui/package-lock.json
	@cmp -s $< $@ || { cd ui && npm ci --no-audit --no-fund --loglevel=error; }
	@cp $< $@

$(SITE): ui/node_modules/.installed $(UI_SOURCES)
	@echo 'Building the console; it takes half a minute.'
	@cd ui && NEXT_TELEMETRY_DISABLED=1 npm run -s build > .build.log 2>&1 || { cat .build.log >&2; exit 1; }
	@rm -rf $(@D) && cp -r ui/out $(@D)
	@find $(@D) -type f \( -name '*.html' -o -name '*.js' -o -name '*.css' -o -name '*.txt' -o -name '*.svg' \) -exec gzip -9kn {} +

without-ui:
	@[ -e $(SITE) ] || echo 'There is no web console here; it needs Node 20.9 or later'
