# The two commands a newcomer needs are `make demo` and `make test`; both work with Python 3.11, pip and make alone.
PYTHON ?= python3.11
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: demo test test-slow check fix bench-build bench-rebuild clean

$(BIN)/.base: pyproject.toml requirements.lock
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c requirements.lock -e .
	touch $@

$(BIN)/.dev: $(BIN)/.base
	$(BIN)/pip install --quiet --disable-pip-version-check -c requirements.lock -e '.[dev]'
	touch $@

demo: $(BIN)/.base
	$(BIN)/corpusforge init .
	$(BIN)/corpusforge build recipes/demo.yaml

test: $(BIN)/.dev
	$(BIN)/python -m pytest -m "not slow" -n auto --maxprocesses=4 --dist loadfile

test-slow: $(BIN)/.dev
	$(BIN)/python -m pytest -m slow
	HYPOTHESIS_PROFILE=explore $(BIN)/python -m pytest -m "not slow" tests/mix tests/curate tests/generate tests/ingest

check: $(BIN)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests/test_house.py

fix: $(BIN)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench-%: $(BIN)/.dev
	$(BIN)/python benchmarks/$(subst -,_,$*).py

clean:
	rm -rf $(VENV) builds demo .pytest_cache .mypy_cache .ruff_cache
