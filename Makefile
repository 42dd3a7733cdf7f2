# `make demo` and `make test` need nothing but Python 3.11 and make: both build the environment first.
PYTHON ?= python3.11
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: demo test lint environment clean

demo: environment
	$(BIN)/python -m recipes.sfew_resnet

test: environment
	$(BIN)/python -m pytest --numprocesses 2 --dist worksteal --quiet --durations 25 --durations-min 10

lint: environment
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

environment: $(VENV)/installed

# requirements.txt pins everything, so pip need not solve; the project itself is installed in place.
$(VENV)/installed: requirements.txt setup.cfg
	@echo "Building the environment in $(VENV) (a few minutes, once) ..."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

clean:
	rm -rf $(VENV) build *.egg-info .pytest_cache .ruff_cache
