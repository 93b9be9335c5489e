# Everything starts here; `make help` lists it.
BOOK ?=
WORKERS ?=
STORAGE ?=
OUTPUT ?= audiobooks
OPTIONS ?=
# of tests, each with servers of its own
PROCESSES ?= 2
# the commit whose services `make chaos` replaces by today's: the last one before retries, stealing and the express topic
UPGRADE_FROM ?= 2e7b792
# through the environment, not through the shell's eyes; BOOK also not through make's: its name may hold anything
override BOOK := $(value BOOK)
export BOOK WORKERS STORAGE OUTPUT
WISH = $${WORKERS:+--workers "$$WORKERS"} $${STORAGE:+--storage "$$STORAGE"} $(OPTIONS)

SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c
PYTHON := .venv/bin/python
COMPLETE := .venv/.complete
COQUI := .venv/.coqui
# an environment is none when its Python is gone or another one, as after an upgrade of the system
WORKS := $(shell $(PYTHON) -c 'import supervisor' 2>/dev/null && echo yes)
SAMPLE := .e2a/sample.epub
# of a pipeline that was started before; others have theirs in OPTIONS or the environment
KEPT_ENGINE = $(shell sed -n "s/^export E2A_ENGINE=//p" .e2a/env 2>/dev/null)
ENVIRONMENT = $(COMPLETE) $(if $(filter %coqui %xtts,$(OPTIONS) $(E2A_ENGINE) $(KEPT_ENGINE)),$(COQUI))

.DEFAULT_GOAL := help
.PHONY: help audiobook up status logs down setup coqui test test-fast test-compose audit lint format docs bench chaos screenshots clean

help:  ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

audiobook: programs $(ENVIRONMENT) $(SAMPLE)  ## Make an audiobook: BOOK= WORKERS= STORAGE= OUTPUT= OPTIONS=
	@deploy/local/fetch-kafka >/dev/null
	@$(PYTHON) -m deploy.local.audiobook "$${BOOK:-$(SAMPLE)}" --output-dir "$$OUTPUT" $(WISH)

up: programs $(ENVIRONMENT)  ## Start the whole pipeline in the background and keep it running: WORKERS= STORAGE= OPTIONS=
	@deploy/local/fetch-kafka >/dev/null
	@$(PYTHON) -m deploy.local.lasting up $(WISH)

status: | $(PYTHON)  ## Say what of it runs, how it is, and what it works on
	@$(PYTHON) -m deploy.local.lasting status $(OPTIONS)

logs: | $(PYTHON)  ## Follow its logs
	@$(PYTHON) -m deploy.local.lasting logs $(OPTIONS)

down: | $(PYTHON)  ## Stop it; data are kept
	@$(PYTHON) -m deploy.local.lasting down $(OPTIONS)

setup: $(COMPLETE)  ## Make the environment in .venv

coqui: $(COQUI)  ## Add to it what the engines coqui and xtts need: torch and coqui-tts, 5 GB

test: $(COQUI)  ## Run all tests, against real servers
	@deploy/local/install tests
	@deploy/local/fetch-kafka >/dev/null
	@$(PYTHON) -m pytest -n $(PROCESSES) --dist loadfile

test-fast: $(COMPLETE)  ## Run the tests that need no server
	@$(PYTHON) -m pytest -n auto tests/unit

test-compose: $(COMPLETE)  ## Run the container stack for real and disturb it: with Docker, or as root beside shared/tools
	@$(PYTHON) -m pytest -s tests/containers

audit: $(COMPLETE)  ## Ask whether holes are known in what the images hold; needs the package index
	@.venv/bin/uv tool run --system-certs pip-audit --requirement requirements.txt --requirement requirements-coqui.txt --no-deps --disable-pip

lint: $(COMPLETE)  ## Check style, types and the import rules
	@.venv/bin/ruff check
	@.venv/bin/ruff format --check
	@.venv/bin/mypy
	@.venv/bin/lint-imports

format: $(COMPLETE)  ## Format the code
	@.venv/bin/ruff check --fix
	@.venv/bin/ruff format

docs: $(COMPLETE)  ## Write the generated pages of docs/
	@$(PYTHON) -c 'from e2a.settings import markdown_page; print(markdown_page(), end="")' > docs/settings.md

bench: programs $(COQUI)  ## Measure reading, speech, assembly, and what the pipeline costs beside the work; output in bench/results
	@deploy/local/fetch-kafka >/dev/null
	@mkdir -p bench/results
	@$(PYTHON) -m bench.reading | tee bench/results/reading.txt
	@$(PYTHON) -m bench.fuzz | tee bench/results/fuzz.txt
	@$(PYTHON) -m bench.overhead | tee bench/results/overhead.txt
	@$(PYTHON) -m bench.lookahead | tee bench/results/lookahead.txt
	@$(PYTHON) -m bench.assembly | tee bench/results/assembly.txt
	@$(PYTHON) -m bench.quality | tee bench/results/quality.txt
	@$(PYTHON) -m bench.monitor | tee bench/results/monitor.txt
	@$(PYTHON) -m bench.viewers | tee bench/results/viewers.txt
	@$(PYTHON) -m bench.speech | tee bench/results/speech.txt

chaos: programs $(COMPLETE)  ## Prove the guarantees at length, an hour: faults, recovery, balance, scale; output in bench/results
	@deploy/local/fetch-kafka >/dev/null
	@deploy/local/fetch-minio >/dev/null
	@mkdir -p bench/results
	@$(PYTHON) -m bench.chaos | tee bench/results/chaos.txt
	@$(PYTHON) -m bench.chaos --upgrade $(UPGRADE_FROM) | tee bench/results/upgrade.txt
	@$(PYTHON) -m bench.once | tee bench/results/once.txt
	@$(PYTHON) -m bench.zombie | tee bench/results/zombie.txt
	@$(PYTHON) -m bench.recovery | tee bench/results/recovery.txt
	@$(PYTHON) -m bench.balance | tee bench/results/balance.txt
	@$(PYTHON) -m bench.scale | tee bench/results/scale.txt
	@$(PYTHON) -m bench.costs | tee bench/results/costs.txt

screenshots: $(COMPLETE)  ## Take the pictures of the monitor's pages in docs/img, of a stack that runs
	@deploy/local/install tests
	@deploy/local/fetch-kafka >/dev/null
	@$(PYTHON) -m deploy.local.screenshots

clean:  ## Stop the local pipeline, and remove the environment and what that has stored
	@$(if $(WORKS),[ ! -S .e2a/control ] || $(MAKE) --no-print-directory down)
	@deploy/local/unused
	rm -rf .venv .e2a

.PHONY: programs
programs:
	@deploy/local/install

ifeq ($(WORKS),)
.PHONY: $(PYTHON) $(COMPLETE)
endif

# what runs keeps the environment that it runs in, though requirements have changed
$(PYTHON):
	@deploy/local/unused
	@echo "nothing was started here: there is no .venv" >&2; exit 69

$(COMPLETE): requirements-dev.txt pyproject.toml
	@deploy/local/unused
	@deploy/local/install
	@echo "making .venv"
	@rm -rf .venv
	@python3 -m venv .venv
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check "$$(grep '^uv==' requirements-dev.txt)"
	@.venv/bin/uv pip install --quiet --system-certs --python $(PYTHON) --requirement requirements-dev.txt
	@.venv/bin/uv pip install --quiet --system-certs --python $(PYTHON) --no-deps --no-build-isolation --editable .
	@touch $@

$(COQUI): requirements-coqui.txt $(COMPLETE)
	@echo "adding torch and coqui-tts to .venv"
	@.venv/bin/uv pip install --quiet --system-certs --python $(PYTHON) --no-deps --requirement requirements-coqui.txt
	@touch $@

$(SAMPLE): samples
	@mkdir -p .e2a
	@python3 samples/pack.py $@
