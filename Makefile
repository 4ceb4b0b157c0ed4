# Every verb first makes .venv what constraints.txt says; nothing is installed elsewhere.
SHELL := /bin/bash
PY := .venv/bin/python
STAMP := .venv/.ready

.PHONY: setup demo check test lint
setup: $(STAMP)

.venv/bin/uv:
	python3 -m venv .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt uv

$(STAMP): .venv/bin/uv pyproject.toml constraints.txt
	.venv/bin/uv pip install --quiet --python $(PY) -c constraints.txt -e '.[opensearch,dev]'
	touch $(STAMP)

demo: setup
	.venv/bin/soc demo

check: setup
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports --no-cache
	$(PY) -m pytest -q -n 2 tests/architecture

test: setup
	$(PY) -m pytest -q -n 2 -m 'not trial and not browser'
