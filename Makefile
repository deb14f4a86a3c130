# Every target sets itself up: scripts/setup.sh does nothing, quickly, when nothing is left to do.
.DEFAULT_GOAL := help
.PHONY: help run test faults proofs fuzz bench setup lint format proto failures breaking lock clean

BIN := .venv/bin
CODE := domain adapters service tests
export MAILPORT_DATA_DIR ?= .mailport
# The walk is what a newcomer wants to read; its log lines only get in the way.
run: export MAILPORT_LOG_LEVEL ?= warning
# Tests start some hundred processes, and each would compile all modules anew.
test faults proofs: export PYTHONDONTWRITEBYTECODE :=

help: ## Show this list
	@awk 'BEGIN { FS = ":.*## " } /^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

run: setup ## Serve with the sandbox, walk through the journey once, stop with Ctrl-C; data in MAILPORT_DATA_DIR (.mailport)
	@exec $(BIN)/mailport serve --sandbox --walk $(ARGS)

test: setup ## Run the whole suite; ARGS="tests/unit -k retry" for a part of it, WORKERS=4 in so many processes
	@$(BIN)/pytest $(if $(WORKERS),-n $(WORKERS)) $(ARGS)

# The suite runs the same tests in their quick form.
faults: setup ## Refresh tokens under kills, outages and races in the full form, up to 20 minutes; ARGS as for test
	@MAILPORT_TESTS_FAULTS=full $(BIN)/pytest tests/faults $(ARGS)

proofs: setup ## Deliver mail under kills, outages and races in the full form, up to 75 minutes; ARGS as for test
	@MAILPORT_TESTS_PROOFS=full $(BIN)/pytest tests/proofs $(ARGS)

fuzz: setup ## Read 200,000 broken messages made up at random, up to 60 minutes; ARGS as for test
	@MAILPORT_TESTS_READING=full $(BIN)/pytest tests/unit/domain/reading/test_fuzz.py $(ARGS)

bench: setup ## Measure against Postfix and others into docs/bench.md; BENCH="send --rounds 1 --messages 500" for a part
	@$(BIN)/python -m tests.bench $(BENCH)

setup: ## Make .venv from requirements.lock; the other targets do it themselves
	@sh scripts/setup.sh

lint: setup ## Check style, types, import contracts, proto and the freshness of generated code
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy $(CODE)
	$(BIN)/lint-imports --no-logo
	$(BIN)/buf lint
	$(BIN)/buf format --diff --exit-code
	sh scripts/stubs.sh --check
	$(BIN)/python scripts/failures_page.py --check

format: setup ## Write Python and proto files in the style that lint asks for
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	$(BIN)/buf format --write

proto: setup ## Generate the Python code in proto/ from the .proto files
	sh scripts/stubs.sh

failures: setup ## Write docs/failures.md from the failure catalogue
	$(BIN)/python scripts/failures_page.py

breaking: setup ## Check that the API still serves the callers of what came before; AGAINST=REVISION chooses
	@sh scripts/breaking.sh $(AGAINST)

lock: setup ## Write requirements.lock again after a change of pyproject.toml; ARGS=--upgrade for newer versions
	UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/uv pip compile --quiet --universal --generate-hashes \
	    pyproject.toml --group dev --output-file requirements.lock $(ARGS)

clean: ## Remove the environment and every cache; the data in .mailport stays
	rm -rf .venv .make build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .grimp_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
