# `make run` and `make test` need only Python (>= 3.10), pip, make and git.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: run test lint setup viz mlflow survey pretrain clean

run: setup
	$(BIN)/kedro run --pipeline=mitune
	@echo
	@echo "report:    data/08_reporting/main/report.html"
	@echo "lineage:   make viz     (a static site in build/), or kedro viz run"
	@echo "tracking:  make mlflow  (http://127.0.0.1:5000)"
	@echo "people:    make survey  (http://127.0.0.1:8000: which pictures show the text?)"

test: setup lint
	$(BIN)/pytest -n auto --maxprocesses=4 --dist worksteal

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy

setup: .venv/.installed

.venv/.installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --constraint constraints.txt --editable ".[dev]"
	$(BIN)/python -m compileall -q src
	touch $@

viz: setup
	$(BIN)/kedro viz build --include-previews
	@echo "lineage:   build/ (python3 -m http.server --directory build), or live: kedro viz run"

mlflow: setup
	$(BIN)/mlflow ui --backend-store-uri sqlite:///mlflow.db

survey: setup
	$(BIN)/kedro survey methods main

pretrain: setup
	$(BIN)/kedro run --pipeline=pretrain

clean:
	rm -rf data/02_intermediate data/0[3-5]_* data/07_* data/08_* mlruns mlartifacts mlflow.db
