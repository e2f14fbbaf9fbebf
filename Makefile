# The two commands a newcomer needs are `make demo` and `make test`; both work with Python 3.11, pip and make alone.
PYTHON ?= python3.11
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: demo test test-slow test-evals check fix bench-build bench-rebuild clean

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

# The frameworks bring a hundred packages of their own, so they have an environment of their own.
.venv-evals/.ready: pyproject.toml
	$(PYTHON) -m venv .venv-evals
	.venv-evals/bin/pip install --quiet --disable-pip-version-check -e '.[dev,evals]'
	touch $@

test-evals: .venv-evals/.ready
	.venv-evals/bin/python -m pytest -m evals tests/evaluate

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
	rm -rf $(VENV) .venv-evals builds demo .pytest_cache .mypy_cache .ruff_cache
