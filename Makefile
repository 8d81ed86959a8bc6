# What there is to do. `make` alone prints this list.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: help demo run test check messages bench bench-scale clean
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.venv/ready: pyproject.toml package-lock.json hatch_build.py
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --editable '.[test]'
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

messages: .venv/ready ## bring the message catalogue up to date with the code
	$(BIN)/pybabel --quiet extract -F babel.cfg -k Refused -k __init__ -k N_ --no-location --sort-output \
	  --project Contarifa --version 1 -o .venv/contarifa.pot billing
	$(BIN)/pybabel --quiet update -l es --no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date \
	  -D contarifa -i .venv/contarifa.pot -d billing/web/translations

bench: .venv/ready ## measure: raw PostgreSQL, ingestion, projection, end to end
	$(BIN)/python -m tests.bench

bench-scale: .venv/ready ## measure pages with 10,000,000 calls (BENCH_CALLS says how many)
	$(BIN)/python -m tests.bench.scale

clean: ## remove what was installed and made; data/ stays
	rm -rf .venv billing/web/vendor .mypy_cache .ruff_cache .pytest_cache
