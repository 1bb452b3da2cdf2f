# Every target sets up what it needs from nothing but Python 3.11 to 3.13 and a package index.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
# Modules are compiled when they are first imported: compiling all of torch would take longer than the quickstart.
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet
INSTALL := $(PIP) install --no-compile -c constraints.txt
# ... and then kept: where the environment forbids it, each of many processes would compile numba and torch anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: quickstart test test-all lint bench clean
.DEFAULT_GOAL := quickstart

$(VENV)/pyvenv.cfg:
	$(PYTHON) -m venv $(VENV)

# torch comes from the constraints file, so that the machines of this project get one and the same CPU build.
$(VENV)/.train: $(VENV)/pyvenv.cfg pyproject.toml constraints.txt
	$(INSTALL) -e '.[train]'
	touch $@

$(VENV)/.dev: $(VENV)/.train
	$(INSTALL) -e '.[train,remote,semantic,dev]'
	touch $@

quickstart: $(VENV)/.train  ## real files in, a trained model out: recipes/quickstart.toml
	$(BIN)/dataengine run recipes/quickstart.toml

test: $(VENV)/.dev  ## the quick suite
	$(BIN)/ruff check .
	$(BIN)/pytest -n auto --dist loadfile --no-loadscope-reorder

test-all: $(VENV)/.dev  ## the quick suite and the long one
	$(BIN)/ruff check .
	$(BIN)/pytest -n auto --dist loadfile --no-loadscope-reorder -m 'slow or not slow'

lint: $(VENV)/.dev
	$(BIN)/ruff check .

bench: $(VENV)/.dev  ## every benchmark, small; see benchmarks/README.md
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) runs .pytest_cache .ruff_cache .hypothesis
