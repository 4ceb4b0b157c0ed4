# Every verb first makes .venv what constraints.txt says; nothing is installed elsewhere.
SHELL := /bin/bash
PY := .venv/bin/python
STAMP := .venv/.ready

# Tests start many processes: each would compile every module anew.
unexport PYTHONDONTWRITEBYTECODE
export PYTHONPYCACHEPREFIX := $(CURDIR)/.venv/pycache

.PHONY: bench-intelligence bench-anomaly bench-experiments tour bench-respond setup demo check test test-servers test-browser docs bench-store bench-detect bench-edge bench-console trial-short trial-main trial-respond trial-store trial-seeds trial-sigma mutate-sigma
setup: $(STAMP)

.venv/bin/uv:
	python3 -m venv .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt uv

$(STAMP): .venv/bin/uv pyproject.toml constraints.txt
	.venv/bin/uv pip install --quiet --python $(PY) -c constraints.txt -e '.[ml,notify,opensearch,postgres,dev]'
	touch $(STAMP)

demo: setup
	.venv/bin/soc demo

check: setup
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports --no-cache
	$(PY) -m pytest -q -n 2 tests/architecture

# Two workers share two cores: threads of numpy and scikit-learn would only wait for each other.
test test-servers: export OMP_NUM_THREADS := 1
test test-servers: export OPENBLAS_NUM_THREADS := 1

test: setup
	$(PY) -m pytest -q -n 2 --dist worksteal -m 'not trial and not browser and not server'

# Real servers: what a test needs and cannot have is a failure, unless tests/servers lists it.
test-servers: setup
	$(PY) -m tests.servers.gather
	STRICT_SKIPS=1 $(PY) -m pytest -q -n 2 --dist loadgroup -m server tests

test-browser: setup
	$(PY) -m tests.servers.gather axe chromium
	$(PY) -m pytest -q -m browser tests/browser

docs: setup
	$(PY) docs/generate.py

# The pictures of docs/tour.md: plays a demo round, serves its home, and looks: about three minutes.
tour: setup
	$(PY) -m tests.servers.gather chromium
	$(PY) docs/tour.py

# One round, and a few kills of each kind: what every change is held to.
trial-short: setup
	$(PY) -m pytest -q -n 2 -m trial tests/trials

# Sixty kills while demo rounds are played: about twenty minutes.
trial-main: setup
	$(PY) tests/trials/kills.py --kills 60 --gap 8 --rounds

# A thousand kills, freezes and crashes while playbooks run, on SQLite and PostgreSQL: ten minutes.
trial-respond: setup
	$(PY) -m tests.servers.gather
	$(PY) tests/trials/respond.py --disturbances 500 --write

# Three hundred kills of the front door under load: about twenty minutes.
trial-store: setup
	$(PY) tests/trials/store.py --kills 300
	$(PY) -m pytest -q tests/logs/test_damage.py tests/logs/test_disk.py

# The table of docs/benchmarks-respond.md: three minutes, DBOS for comparison among them.
bench-respond: setup
	$(PY) benchmarks/respond.py --dbos --write

# The table of docs/benchmarks.md: about twenty-four minutes, on a machine that does nothing else.
bench-store: setup
	$(PY) benchmarks/store.py --opensearch --large --write

# Five rounds, each graded from outside: about ten minutes.
trial-seeds: setup
	$(PY) tests/trials/rounds.py 1 2 3 4 5

# Public rules on public events, from the folder TEST_DATA, and 20,000 pairs of rules and events.
trial-sigma: setup
	$(PY) -m pytest -q -m 'trial or not trial' tests/watch/test_scan.py tests/watch/test_hunt_anything.py tests/detect/sigma/engine

# The Sigma engine on the same data: about five minutes.
bench-detect: setup
	$(PY) benchmarks/detect.py --write

# Anomaly models beside PyOD, on the sets of ADBench in the folder TEST_DATA: two minutes.
# PyOD brings numba and LLVM, 250 MB that nothing else needs: it is installed for this alone.
bench-anomaly: setup
	.venv/bin/uv pip install --quiet --python $(PY) -c constraints.txt pyod==3.6.7
	PYTHONPATH=. $(PY) benchmarks/anomaly.py --write

# How often experiments are wrong, and what bandits lose: half a minute.
bench-experiments: setup
	PYTHONPATH=. $(PY) benchmarks/experiments.py --write

# Pairs, groups and features of users: about six minutes.
bench-intelligence: setup
	PYTHONPATH=. $(PY) benchmarks/intelligence.py --write

# What the edge costs, and how soon it obeys: about two minutes, on a machine that does nothing else.
bench-edge: setup
	$(PY) benchmarks/edge.py --write

# What pages cost with 100,000 incidents: about two minutes, on a machine that does nothing else.
bench-console: setup
	$(PY) -m benchmarks.console --write

# Faults planted into copies of both evaluators: each must fail a conformance vector. About four minutes.
mutate-sigma: setup
	$(PY) tests/conformance/mutate.py
