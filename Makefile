# All targets use one virtual environment, .venv, with the pinned versions of constraints.txt, and make it on first use.

VENV := .venv
PYTHON ?= python3
BIN := $(VENV)/bin
EXTRAS := train,study,cluster,verify,cross,tracker,test,lint,docs,bench
# More arguments for pip, e.g. PIP_ARGS='--extra-index-url https://download.pytorch.org/whl/cpu' for torch without CUDA.
PIP_ARGS ?=
# The threads of torch sleep while they wait: spinning threads slow one another down where there are more than cores.
export OMP_WAIT_POLICY := PASSIVE

.DEFAULT_GOAL := help
.PHONY: help setup demo demo-quick examples check lint format types law test-fast test test-sweep board-tools hooks docs tree bench arm-emulator arm-board \
    llvm-tools ssh-server browser fashion-mnist larq larq-oracle surveys timm fuzz screenshots wheel runtime-wheel pythons clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.installed ## make .venv with the pinned dependencies and this package, editable

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed, this is " + sys.version)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet $(PIP_ARGS) --constraint constraints.txt --editable '.[$(EXTRAS)]'
	touch $@

demo: setup ## run the whole loop on a small data set into build/demo (about 5 to 12 minutes on two cores; resumes)
	$(BIN)/b2nn-search --model cresnet20 --data digits --float-epochs 12 --epochs 3 --compare 5 --also arm -o build/demo

demo-quick: setup ## the same with a smaller network, few epochs and nothing to compare with (about 35 seconds on two cores)
	$(BIN)/b2nn-search --model examples/own_network.py:Net --data digits --float-epochs 2 --epochs 2 --compare 0 --masks 0 --precision 5% -o build/demo-quick

examples: setup ## run every example as a new user does, and say how long each took (three minutes)
	$(BIN)/python .ci/time_examples.py

# The parts of the check run side by side; the type checker and the tests come first, as each keeps a core busy longest.
check: setup tree ## check what every change must pass: style, format, types, import law, fast tests (a minute)
	@$(MAKE) --no-print-directory --output-sync=target --jobs 2 types test-fast lint law

lint: setup ## check style, obvious mistakes and the format of files
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check --quiet .

format: setup ## format every file, and mend the mistakes that ruff can mend by itself
	$(BIN)/python -m ruff check --fix --quiet . || true
	$(BIN)/python -m ruff format .

types: setup tree ## run the type checker over the package
	$(BIN)/python -m mypy

law: setup tree ## check the import law, which says which part of the package may import which
	cd build/tree && ../../$(BIN)/lint-imports ../../pyproject.toml

# tests/conftest.py marks the tests in this list as fast. Pytest gets the list as paths, too: otherwise it would import
# all other test files only to leave them out, which takes fifteen seconds.
FAST_TESTS = $(shell sed 's/\#.*//' tests/fast_tests.txt)

test-fast: setup ## run the tests that need no compiler run and no training
	$(BIN)/python -m pytest -q -m "fast and not sweep" $(FAST_TESTS)

# The programs that some tests need. Where a program cannot be installed, its tests are skipped and say why.
board-tools: setup
	$(MAKE) arm-board || echo 'no ARM emulator or no system for it: their tests will be skipped'
	$(MAKE) llvm-tools || echo 'no llvm-mca 19: the tests that estimate cycles will be skipped'
	$(MAKE) ssh-server || echo 'no ssh server: its tests will be skipped'
	$(MAKE) browser || echo 'no Chromium: the tests that open reports will be skipped'
	$(MAKE) fashion-mnist || echo 'no Fashion-MNIST: the test that reads it will be skipped'
	$(MAKE) larq-oracle || echo 'no Larq Compute Engine: the test that asks it will be skipped'

# `make test COVERAGE=1` measures coverage as well, and fails below the floor of pyproject.toml; the sweep adds what it covers.
COVERAGE ?=
COVER := $(if $(COVERAGE),--cov --cov-report=,)

# Files of tests are shared out to processes: what several tests of a file need is made once. One process more than two
# cores have works while another one waits for a board.
SIDE_BY_SIDE := -n 3 --dist loadfile --no-loadscope-reorder
# Pytest gets these as paths, too, so that it does not import the others.
SWEEP_TESTS = $(shell grep -rlE --include='test_*.py' 'mark\.(sweep|in_turn)|support\.sweep' tests)

test: board-tools ## run the tests (10 minutes on two cores); ARM tests only where there is an emulator
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) -m "not sweep" $(COVER)

test-sweep: board-tools ## run the longest tests, and those of `make test` on more shapes, networks and boards (35 minutes on two cores)
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) -m sweep $(COVER) $(if $(COVERAGE),--cov-append,) $(SWEEP_TESTS)

hooks: setup ## let git run the quick checks before each commit
	$(BIN)/pre-commit install

tree: $(VENV)/.installed ## link build/tree, the package as it is installed, for tools that follow imports by folder
	@$(BIN)/python -m tests.support.link_tree >/dev/null

docs: setup tree ## build the site of the documentation into build/site; any warning is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

# The networks that the surveys try need timm, which is no part of .venv: this environment adds it to what .venv has.
TIMM := .venv-timm

$(TIMM)/.installed: $(VENV)/.installed constraints-timm.txt
	$(BIN)/python -m venv --clear $(TIMM)
	$(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' >"$$($(TIMM)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/base.pth"
	$(TIMM)/bin/python -m pip install --quiet --constraint constraints.txt --constraint constraints-timm.txt timm torchvision
	touch $@

timm: $(TIMM)/.installed ## get timm, whose networks are surveyed, into .venv-timm (90 MB)

surveys: timm ## complete the tables of docs/surveys and the page about them (resumes; hours from the start)
	$(BIN)/python -m tests.surveys

# Other seeds than those of the tables in docs/surveys: make fuzz GRAPHS=2000 FILES=0 FROM=10000
fuzz: setup ## compile random networks and damaged files until one fails to be right or refused (resumes; 10 minutes)
	$(BIN)/python -m tests.fuzz --graphs $(or $(GRAPHS),100) --files $(or $(FILES),200) --first $(or $(FROM),10000)

bench: setup ## time layers, networks and threads beside other engines, into build/benchmarks (idle machine, 12 minutes)
	mkdir -p build/benchmarks
	$(BIN)/python benchmarks/conv.py --cases all --json build/benchmarks/conv.json --markdown build/benchmarks/conv.md
	$(BIN)/python benchmarks/network.py --json build/benchmarks/network.json --markdown build/benchmarks/network.md
	$(BIN)/python benchmarks/threads.py --json build/benchmarks/threads.json --markdown build/benchmarks/threads.md

arm-emulator: setup ## get the emulated ARM board of the tests, into build/arm-emulator (no root, Debian's packages)
	$(BIN)/python -m tests.support.boards.setup_emulator

arm-board: arm-emulator ## get Python and TVM's runtime for the emulated board, into build/arm-board (150 MB)
	$(BIN)/python -m tests.support.boards.setup_board

llvm-tools: setup ## get llvm-mca, which estimates cycles, into build/llvm-tools (no root, Debian's packages)
	$(BIN)/python -m tests.support.boards.setup_llvm_tools

ssh-server: setup ## get an ssh server for tests, into build/ssh-server (no root, Debian's packages)
	$(BIN)/python -m tests.support.boards.setup_ssh_server

browser: setup ## get a headless Chromium, in which tests open reports, into build/browser (no root, Debian's packages)
	$(BIN)/python -m tests.support.browser.setup_browser

fashion-mnist: setup ## get Fashion-MNIST, which a test reads, into build/fashion-mnist (no root, Debian's package)
	$(BIN)/python -m tests.support.data.setup_fashion_mnist

screenshots: browser ## take the screenshots of a report for the documentation, into docs/images
	$(BIN)/python -m tests.support.browser.take_screenshots

# Larq Compute Engine was built for numpy 1, so it has an environment of its own.
LARQ := .venv-larq
LARQ_PIP = $(LARQ)/bin/python -m pip install --quiet --constraint constraints-larq.txt

larq-oracle: $(LARQ)/.oracle ## get Larq Compute Engine's interpreter, which a test asks, into .venv-larq (80 MB)

larq: $(LARQ)/.converter ## get Larq's converter, too, for make bench (TensorFlow, 400 MB, for Python up to 3.11)

$(LARQ)/.oracle: constraints-larq.txt
	$(PYTHON) -m venv --clear $(LARQ)
	$(LARQ_PIP) --no-deps larq-compute-engine flatbuffers numpy
	touch $@

$(LARQ)/.converter: $(LARQ)/.oracle
	$(LARQ_PIP) larq-compute-engine tensorflow-cpu
	touch $@

# The same commit gives the same bytes, whatever the checkout is like.
wheel: setup ## build the wheel and the sdist, into dist
	$(BIN)/python .ci/build_dist.py . dist

runtime-wheel: setup ## build those of b2nn-runtime, which runs networks on boards from Python, into dist
	$(BIN)/python .ci/build_dist.py runtime dist

# One word for each environment, as .ci/pythons.py takes them, such as newest:python3.13.
PYTHONS ?= oldest:python3.11

pythons: wheel runtime-wheel ## try both wheels under the Pythons of PYTHONS, with the oldest or newest packages allowed
	$(BIN)/python .ci/pythons.py dist build/pythons $(PYTHONS)

clean: ## remove the results of the other targets, but not .venv
	rm -rf build dist *.egg-info
