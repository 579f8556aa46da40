# Every target makes .venv first if it is absent or older than its two sources.
#   make demo SMOKE=1         the demo in its small size
#   make test PYTHON=python3.12 TESTS="tests/envs -k drift"

PYTHON ?= python3
SMOKE ?= 0
TESTS ?=
WORKERS ?= 2

BIN := .venv/bin
STAMP := .venv/.installed
NG_BIN := .venv-recsim-ng/bin
NG_STAMP := .venv-recsim-ng/.installed
DOCS_OUT := docs/_build/html

# The work is many small arrays: more threads a process only make it slower.
ONE_THREAD := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 POLARS_MAX_THREADS=1

.DELETE_ON_ERROR:
.PHONY: help demo test test-recsim-ng bench lint docs clean

help:
	@echo "make demo [SMOKE=1] | test [TESTS=...] | test-recsim-ng | bench | lint | docs | clean"

# The stamp is touched last, so an installation that was cut off is made again
# from nothing; a changed pyproject.toml or constraints.txt only updates it.
$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "driftrec needs Python 3.11 or newer, and '$(PYTHON)' is not:" \
	    "choose another with make PYTHON=python3.12 ..." >&2; exit 1; }
	test -f $(STAMP) || $(PYTHON) -m venv --clear .venv
	$(BIN)/pip install -q -c constraints.txt -e ".[dev]"
	@touch $(STAMP)

demo: $(STAMP)
	$(BIN)/python scripts/demo.py $(if $(filter 1,$(SMOKE)),--smoke)

test: $(STAMP)
	$(ONE_THREAD) $(BIN)/python -m pytest -n $(WORKERS) $(TESTS)

# The back end has an environment of its own, as TensorFlow is large and nothing else needs it. The
# last line is without dependencies: recsim-ng names many that it does not import.
$(NG_STAMP): pyproject.toml constraints.txt constraints-recsim-ng.txt
	test -f $(NG_STAMP) || $(PYTHON) -m venv --clear .venv-recsim-ng
	$(NG_BIN)/pip install -q -c constraints.txt -c constraints-recsim-ng.txt -e ".[learn]" \
	  pytest tensorflow-cpu tensorflow-probability gin-config
	$(NG_BIN)/pip install -q -c constraints-recsim-ng.txt --no-deps tf-keras edward2 recsim-ng
	@touch $(NG_STAMP)

# One process, in which the tests share what they compile.
test-recsim-ng: $(NG_STAMP)
	$(ONE_THREAD) $(NG_BIN)/python -m pytest -k "recsim_ng or RecSimNG" \
	  tests/recsim_ng tests/envs/test_env.py

bench: $(STAMP)
	$(ONE_THREAD) $(BIN)/python scripts/bench_speed.py

lint: $(STAMP)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

# Pages made from docstrings are written anew, so that none outlives its module.
docs: $(STAMP)
	rm -rf docs/api/generated docs/environments/generated
	$(BIN)/sphinx-build -q -E -W --keep-going -n -b html docs $(DOCS_OUT)
	@echo "The site is at $(DOCS_OUT)/index.html"

clean:
	rm -rf build dist *.egg-info docs/_build docs/api/generated docs/environments/generated
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks .import_linter_cache
