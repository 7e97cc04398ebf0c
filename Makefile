# Everything a newcomer types. Both targets do all their own set-up; see README.md.
PYTHON ?= python3
VENV ?= .venv
# Windows keeps a venv's programs in Scripts.
BIN := $(if $(filter Windows_NT,$(OS)),$(VENV)/Scripts,$(VENV)/bin)

.PHONY: demo test campaign setup clean format

setup: $(VENV)/installed

$(VENV)/installed: requirements.lock pyproject.toml tools/setup.py
	$(PYTHON) tools/setup.py $(VENV)

demo: setup
	$(BIN)/python tools/demo.py

test: setup
	$(BIN)/python tools/test.py

# One seed of the restore campaign; the last line tells what was lost or doubled.
SEED ?= 1
campaign: setup
	$(BIN)/python -m tests.restore_campaign $(SEED)

format: setup
	$(BIN)/python -m ruff check --fix .
	$(BIN)/python -m ruff format .

clean:
	rm -rf $(VENV) .demo artifacts dist build
