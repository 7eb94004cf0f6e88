# Every target brings up its own environment in .venv, from requirements.lock; Python 3.11+ and make are all it needs.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo bento test check lint types imports quick audit fuzz simulation kills notebooks bench format clean

PYTHONS ?= python3 python3.13 python3.12 python3.11
BIN := .venv/bin
READY := .venv/.installed
ROOMS := features serving training
# Two workers, as CI has two cores; the tests of one file stay together and share what is slow to build. Files are given
# out in the order of tests/conftest.py, what takes long first.
PYTEST := $(BIN)/python -m pytest --numprocesses=2 --dist=loadfile --no-loadscope-reorder
NOTEBOOKS = $(wildcard notebooks/*.ipynb)
BENCHES = $(patsubst tests/bench/%.py,%,$(wildcard tests/bench/[a-z]*.py))

# What runs here is nobody else's business, finds only what is installed here, and need not compile it at every start.
export DO_NOT_TRACK := 1
export BENTOML_DO_NOT_TRACK := True
export MLFLOW_DISABLE_TELEMETRY := true
unexport PYTHONPATH PYTHONHOME PYTHONDONTWRITEBYTECODE VIRTUAL_ENV

help: ## Say what there is to make
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(READY) ## Train, serve, run a week of real campaigns through a crash, and show what it was worth
	@$(BIN)/precedence demo $(ARGS)

test: $(READY) ## Run every test, doctest and notebook, with the coverage of branches
	@$(PYTEST) --cov --cov-report=term --nbmake --nbmake-timeout=600 tests $(ROOMS) $(NOTEBOOKS)

check: lint types imports quick audit ## Lint, types, import contracts, the quick tests and the audit, in about a minute

lint: $(READY) ## Check style and formatting
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check

types: $(READY) ## Check types
	@$(BIN)/mypy

imports: $(READY) ## Check which room imports which
	@$(BIN)/lint-imports --no-logo

quick: $(READY) ## Run the tests that start no server and train no model
	@$(PYTEST) --quiet -m "not integration" $(wildcard tests/unit tests/property tests/contract)

simulation: $(READY) ## Play a million dispatches through the real scheduler while everything fails, see docs/simulation.md
	@$(BIN)/python -m tests.simulation $(ARGS)

kills: $(READY) ## Kill the scheduler's process a hundred times at its work, and see that nothing is lost or done twice
	@$(BIN)/python -m tests.integration.killing $(ARGS)

audit: $(READY) ## Look the locked packages up among known vulnerabilities, where the network allows
	@$(BIN)/python -m tests.audit

fuzz: $(READY) ## Send both services 10,000 made-up requests, none of which may break a promise of their documents
	@FUZZ_EXAMPLES=700 $(BIN)/python -m pytest --quiet --capture=no tests/integration/test_fuzz.py

notebooks: $(READY) ## Execute the notebooks
	@$(if $(NOTEBOOKS),$(BIN)/python -m pytest --nbmake --nbmake-timeout=600 $(NOTEBOOKS),echo "There are no notebooks yet.")

bench: $(READY) ## Measure against peers: all benchmarks, or the one called NAME; figures land in .bench/
	@set -e; names="$(or $(NAME),$(BENCHES))"; \
	[ -n "$$names" ] || echo "There are no benchmarks yet: they belong in tests/bench/."; \
	for name in $$names; do \
		[ -f "tests/bench/$$name.py" ] || { echo "There is no benchmark '$$name'; there are: $(or $(BENCHES),none)." >&2; exit 2; }; \
		mkdir -p .bench; $(BIN)/python "tests/bench/$$name.py"; \
	done

bento: $(READY) ## Build a Bento of the prediction API with the champion of this home packed into it
	@trap 'rm -rf champion' EXIT; $(BIN)/python -m serving.packing champion && $(BIN)/bentoml build

format: $(READY) ## Format the code and mend what ruff can mend
	@$(BIN)/ruff format
	@$(BIN)/ruff check --fix

clean: ## Remove the environment and what the tools left behind; .precedence/ is yours and stays
	rm -rf .venv .bench .coverage .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache

$(READY): requirements.lock pyproject.toml
	@found=; for python in $(PYTHONS); do \
		if "$$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then found="$$python"; break; fi; \
	done; \
	[ -n "$$found" ] || { echo "Precedence needs Python 3.11, 3.12 or 3.13; none of these is one: $(PYTHONS). Name yours: make PYTHONS=/path/to/python" >&2; exit 1; }; \
	echo "Setting up .venv with $$("$$found" --version), once ..." >&2; \
	"$$found" -m venv .venv || { echo "$$found cannot make virtual environments: install its venv module (python3-venv on Debian)." >&2; exit 1; }
	@sed -n '/^uv==/,/[^\\]$$/p' requirements.lock > .venv/uv.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement .venv/uv.lock
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@
