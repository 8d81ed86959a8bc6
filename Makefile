# What there is to do. `make` alone prints this list.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: help demo run test check coverage messages lock fuzz bench bench-scale drills drills-table clean
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.venv/ready: pyproject.toml requirements.lock package-lock.json hatch_build.py
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --require-hashes --requirement requirements.lock
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

demo: .venv/ready ## set up all, make demo data, serve; prints the address and the password
	$(BIN)/billing demo

run: .venv/ready ## serve without demo data
	$(BIN)/billing serve

test: .venv/ready check ## set up all, pass the checks and every test
	$(BIN)/pytest -x -q

# What templates name counts as used: the names within their braces, as a module that vulture reads.
check: .venv/ready ## ruff, vulture, mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@grep -ohrE '\{[{%].*[%}]\}' billing/web/templates | grep -oE '[A-Za-z_]+' | sort -u \
	  | sed 's/.*/getattr(_, "&")/' > $(BIN)/../template_names.py
	$(BIN)/vulture billing $(BIN)/../template_names.py
	$(BIN)/mypy

coverage: .venv/ready ## every test but those in a browser, with the lines they reach; fails below the floor
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -q -m 'not browser'
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

lock: ## resolve all dependencies anew into requirements.lock, with their hashes
	$(PYTHON) -m venv .venv/lock
	.venv/lock/bin/pip install --quiet 'uv>=0.9,<1'
	.venv/lock/bin/uv pip compile --quiet --no-config --universal --python-version 3.11 --upgrade \
	  --extra test --group build --generate-hashes --no-emit-index-url --no-emit-find-links \
	  --custom-compile-command 'make lock' --output-file requirements.lock pyproject.toml

messages: .venv/ready ## bring the message catalogue up to date with the code
	$(BIN)/pybabel --quiet extract -F babel.cfg -k Refused -k __init__ -k N_ --no-location --sort-output \
	  --project Contarifa --version 1 -o .venv/contarifa.pot billing
	$(BIN)/pybabel --quiet update -l es --no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date \
	  -D contarifa -i .venv/contarifa.pot -d billing/web/translations

fuzz: .venv/ready ## give every parser hostile bodies (FUZZ says how many each); what fails goes into the corpus
	$(BIN)/python -m tests.fuzz

bench: .venv/ready ## measure: raw PostgreSQL, ingestion, projection, end to end
	$(BIN)/python -m tests.bench

bench-scale: .venv/ready ## measure pages with 10,000,000 calls (BENCH_CALLS says how many)
	$(BIN)/python -m tests.bench.scale

drills: .venv/ready ## break everything and count what is lost (DRILLS=1000 says how many kills; docs/drills.md)
	$(BIN)/pytest -q -n 0 -m drill
	$(BIN)/python -m tests.drills

drills-table: .venv/ready ## the sum of all drills done in DRILLS_FOLDER
	$(BIN)/python -m tests.drills table

clean: ## remove what was installed and made; data/ stays
	rm -rf .venv billing/web/vendor .mypy_cache .ruff_cache .pytest_cache
