# One virtual environment, .venv, with the pinned versions of constraints.txt; every target makes it on first use.

VENV := .venv
PYTHON ?= python3
BIN := $(VENV)/bin
EXTRAS := train,study,verify,cross,tracker,test,lint,docs,bench
# More arguments for pip, e.g. PIP_ARGS='--extra-index-url https://download.pytorch.org/whl/cpu' for torch without CUDA.
PIP_ARGS ?=
# Threads of torch that spin while they wait slow one another down where there are more of them than cores.
export OMP_WAIT_POLICY := PASSIVE

.DEFAULT_GOAL := help
.PHONY: help setup demo check lint format types law test-fast test board-tools hooks docs tree bench arm-emulator arm-board llvm-tools \
    ssh-server larq larq-oracle wheel clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.installed ## make .venv with the pinned dependencies and this package, editable

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed, this is " + sys.version)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet $(PIP_ARGS) --constraint constraints.txt --editable '.[$(EXTRAS)]'
	touch $@

demo: setup ## the whole loop on a small data set on this machine, into build/demo (about 5 to 12 minutes on two cores; resumes)
	$(BIN)/b2nn-search --model cresnet20 --data digits --float-epochs 12 --epochs 3 --compare 5 --also arm -o build/demo

# The parts of the check run side by side: the type checker keeps one core busy, the tests the other.
check: setup tree ## what every change must pass, in about a minute: style, format, types, import law, the fast tests
	@$(MAKE) --no-print-directory --output-sync=target --jobs 2 types lint law test-fast

lint: setup ## style and obvious mistakes, and whether files are formatted
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check --quiet .

format: setup ## format every file, and mend what can be mended without thinking
	$(BIN)/python -m ruff check --fix --quiet . || true
	$(BIN)/python -m ruff format .

types: setup tree ## the type checker, over the package
	$(BIN)/python -m mypy

law: setup tree ## who may import whom
	cd build/tree && ../../$(BIN)/lint-imports ../../pyproject.toml

# tests/conftest.py marks what stands in this list as fast. It is given as paths, too: pytest would import all other test
# files only to leave them out, which takes fifteen seconds.
FAST_TESTS = $(shell sed 's/\#.*//' tests/fast_tests.txt)

test-fast: setup ## the tests that need no compiler run and no training
	$(BIN)/python -m pytest -q -m fast $(FAST_TESTS)

# The libraries and emulators that some tests need; where one cannot be had, its tests are skipped and say why.
board-tools: setup
	$(MAKE) arm-board || echo 'no ARM emulator or no system for it: their tests will be skipped'
	$(MAKE) llvm-tools || echo 'no llvm-mca 19: the tests that estimate cycles will be skipped'
	$(MAKE) ssh-server || echo 'no ssh server: its tests will be skipped'
	$(MAKE) larq-oracle || echo 'no Larq Compute Engine: the test that asks it will be skipped'

# `make test COVERAGE=1` measures coverage as well, and fails below the floor of pyproject.toml.
COVERAGE ?=
COVER := $(if $(COVERAGE),--cov --cov-report=,)

test: board-tools ## all tests; the timing ones run last and alone, the ARM ones where the emulator can be had
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not timing" $(COVER)
	$(BIN)/python -m pytest -m timing $(if $(COVERAGE),--cov --cov-append,)

hooks: setup ## let git run the quick checks before each commit
	$(BIN)/pre-commit install

tree: $(VENV)/.installed ## build/tree, the package as it is installed, for tools that follow imports by folder
	@$(BIN)/python -m tests.support.link_tree >/dev/null

docs: setup tree ## the documentation as a site, into build/site; any warning fails
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

bench: setup ## layers, networks and threads beside other engines, into build/benchmarks; wants an idle machine, 12 minutes
	mkdir -p build/benchmarks
	$(BIN)/python benchmarks/conv.py --cases all --json build/benchmarks/conv.json --markdown build/benchmarks/conv.md
	$(BIN)/python benchmarks/network.py --json build/benchmarks/network.json --markdown build/benchmarks/network.md
	$(BIN)/python benchmarks/threads.py --json build/benchmarks/threads.json --markdown build/benchmarks/threads.md

arm-emulator: setup ## the emulated ARM board that tests run on, into build/arm-emulator (no root, Debian's packages)
	$(BIN)/python -m tests.support.boards.setup_emulator

arm-board: arm-emulator ## Python and TVM's runtime for the emulated board, into build/arm-board (150 MB of packages and wheels)
	$(BIN)/python -m tests.support.boards.setup_board

llvm-tools: setup ## llvm-mca, which estimates the cycles of ARM kernels, into build/llvm-tools (no root, Debian's packages)
	$(BIN)/python -m tests.support.boards.setup_llvm_tools

ssh-server: setup ## an ssh server for tests, into build/ssh-server (no root, Debian's packages)
	$(BIN)/python -m tests.support.boards.setup_ssh_server

# Larq Compute Engine was built for numpy 1, so it has an environment of its own.
LARQ := .venv-larq
LARQ_PIP = $(LARQ)/bin/python -m pip install --quiet --constraint constraints-larq.txt

larq-oracle: $(LARQ)/.oracle ## Larq Compute Engine's interpreter, which a test asks for its opinion, into .venv-larq (80 MB)

larq: $(LARQ)/.converter ## its converter as well, which make bench uses; that is TensorFlow, 400 MB, for Python up to 3.11

$(LARQ)/.oracle: constraints-larq.txt
	$(PYTHON) -m venv --clear $(LARQ)
	$(LARQ_PIP) --no-deps larq-compute-engine flatbuffers numpy
	touch $@

$(LARQ)/.converter: $(LARQ)/.oracle
	$(LARQ_PIP) larq-compute-engine tensorflow-cpu
	touch $@

wheel: setup ## the wheel, into dist
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .

clean: ## remove what the other targets made, but not .venv
	rm -rf build dist *.egg-info
