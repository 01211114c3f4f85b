# Every target makes the environment it needs; nothing has to be activated.

SHELL := bash
BIN := .venv/bin
STAMP := .venv/.installed
TESTS = test
MUTANTS =
# A process for each core, up to four; the tests of a file stay together.
PYTEST = $(BIN)/python -m pytest --numprocesses logical --maxprocesses 4 --dist loadfile
TRANSFORM = $(patsubst %,tests/test_%.py,apply apply_order apply_refuses augment coverage draws fills keys masks \
	operations_laws patches ranks shares spec_sub spec_swap splice_out filter_augment strength transform \
	transform_copies warp)
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null \
	&& echo $$p && break; done)

# The fused pass is compiled once for all, and not in the first seconds of the first run.
define WARM
import torch
from specaug import LD, SpecAugment
SpecAugment(LD)(torch.zeros(1, 400, 80))
endef
export WARM

.PHONY: help setup demo test slow plain gpu corpus check format lint types imports fix mutants tables tables-check

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

setup: $(STAMP)  ## make .venv with everything in it, at the versions of constraints.txt

# A half-made environment has no pip, and is made again.
$(STAMP): pyproject.toml constraints.txt
	@test -x $(BIN)/pip || test -n "$(PYTHON)" || { echo >&2 \
	"Makefile: no Python 3.11, 3.12 or 3.13 with venv; expected one (Debian: apt-get install python3-venv)"; exit 2; }
	test -x $(BIN)/pip || $(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[lab,fast,tts,convert,cluster,dash,dev]'
	$(BIN)/python -c "$$WARM"
	touch $@

demo: $(STAMP)  ## a small ablation from end to end, on a laptop
	$(BIN)/specaug ablate experiments/demo.yaml

test: $(STAMP)  ## the fast tests, four to five minutes on two cores
	$(PYTEST) -m 'not slow and not gpu'

# Three at a time, whatever the cores: many wait for servers, ranks and jobs.
slow: $(STAMP)  ## the tests over 5 s
	$(PYTEST) --numprocesses 3 -m 'slow and not gpu'

plain: $(STAMP)  ## the tests of the transform in plain torch, as where numba is not installed
	SPECAUG_ENGINE=plain $(PYTEST) -m 'not slow and not gpu' $(TRANSFORM)

gpu: $(STAMP)  ## the tests that need CUDA
	$(BIN)/python -m pytest -m gpu

corpus: $(STAMP)  ## the tests on real recordings, which lie in SPECAUG_DATA or data/
	$(BIN)/python -m pytest -m 'corpus and not gpu' -rs

check: format lint types imports tables-check $(TESTS)  ## everything that CI asks for

format: $(STAMP)
	$(BIN)/ruff format --check .

lint: $(STAMP)
	$(BIN)/ruff check .

types: $(STAMP)
	$(BIN)/mypy

imports: $(STAMP)
	$(BIN)/lint-imports

fix: $(STAMP)  ## format, and mend what ruff can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

mutants: $(STAMP)  ## small wrong edits that a test must notice; MUTANTS=specaug/speech for some
	$(BIN)/python tests/mutants.py $(MUTANTS)

tables: $(STAMP)  ## write docs/results.md again from the committed results
	$(BIN)/specaug tables docs/results.md

tables-check: $(STAMP)
	$(BIN)/specaug tables docs/results.md --check
