# Everything here runs in .venv, which is made from any Python that is new enough and has pip.
PYTHON ?= $(shell for name in python3.13 python3.12 python3.11 python3.14 python3 python; do \
	$$name -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& { command -v $$name; break; }; done)
PIP := .venv/bin/python -m pip --disable-pip-version-check
SOURCES := pyproject.toml $(shell find labextension \( -name node_modules -o -name lib -o -name __pycache__ \) -prune -o -type f -print)
NODE_MODULES := labextension/node_modules/.package-lock.json

NO_BROWSER = $(if $(shell for name in chromium chromium-browser google-chrome; do command -v $$name && break; done),,--ignore=tests/browser)

# Where the machine has no Node.js, the one from PyPI is in .venv.
export PATH := $(CURDIR)/.venv/bin:$(PATH)

# ipykernel has changed where a front end's messages go while a cell runs: 7.3 and 7.4 each differ from the one before.
KERNELS := 7.0.1 7.3.0 7.4.0
KERNEL_TESTS := 'ipython>=9' 'ipywidgets>=8,<9' 'openai[aiohttp]>=3.5,<4' nbclient nbformat hypothesis psutil pytest pytest-timeout

.PHONY: help demo lab test check kernels faults soak bench format clean
# Two installs into one environment break each other.
.NOTPARALLEL:

help:
	@echo "make demo    run the quickstart notebook, without a key, into build/"
	@echo "make lab     open it in JupyterLab"
	@echo "make test    run the tests, those in a real browser too"
	@echo "make check   run all that CI runs"
	@echo "make kernels run the tests of a real kernel, in the browser too, on ipykernel $(KERNELS)"
	@echo "make faults  run the list of 93 faults and print its table"
	@echo "make soak    kill 1,000 runs, make 10,000 sub-calls, fuzz for an hour: RLM_FUZZ says how hard"
	@echo "make bench   measure against the reference implementation"
	@echo "make format  format and fix the sources"
	@echo "make clean   remove what these commands made"
	@echo "lab, test, kernels, faults and bench pass options on: make test ARGS='-k browser'"

demo: .venv/for-demo
	.venv/bin/python notebooks/run.py notebooks/quickstart.ipynb --out build

lab: .venv/for-demo
	.venv/bin/jupyter lab --MultiKernelManager.default_kernel_name=rlm $(if $(filter 0,$(shell id -u)),--allow-root) $(ARGS) notebooks/quickstart.ipynb

test: .venv/for-test $(NODE_MODULES)
	cd labextension && npm test
	.venv/bin/python -m pytest -n auto --dist loadfile $(NO_BROWSER) $(ARGS)
	$(if $(NO_BROWSER),@echo "The tests in a real browser were left out: they need Chromium (on Debian or Ubuntu: sudo apt-get install chromium).")

check: .venv/for-test $(NODE_MODULES)
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	cd labextension && npm run check
	$(MAKE) test

kernels: .venv/for-test $(KERNELS:%=build/kernels/%/ready)
	for version in $(KERNELS); do echo "ipykernel $$version"; \
		PYTHONPATH=$(CURDIR) build/kernels/$$version/bin/python -m pytest tests/test_kernel.py $(ARGS) || exit 1; \
		RLM_KERNEL_PYTHON=$(CURDIR)/build/kernels/$$version/bin/python \
			.venv/bin/python -m pytest tests/browser/test_live.py tests/browser/test_again.py $(ARGS) || exit 1; done

build/kernels/%/ready: | .venv/bin/python
	.venv/bin/python -m venv build/kernels/$*
	build/kernels/$*/bin/python -m pip --disable-pip-version-check install --quiet 'ipykernel==$*' $(KERNEL_TESTS)
	touch $@

faults: .venv/for-test $(NODE_MODULES)
	.venv/bin/python tests/faults/table.py $(ARGS)

soak: .venv/for-test
	.venv/bin/python tests/soak/calls.py --calls 10000
	.venv/bin/python tests/soak/orphans.py --kills 50
	.venv/bin/python tests/soak/crash.py --kills 1000
	RLM_FUZZ=$${RLM_FUZZ:-20000} .venv/bin/python -m pytest tests/fuzz -o timeout=0 $(ARGS)

bench: .venv/for-bench $(NODE_MODULES)
	.venv/bin/python -m benchmarks $(ARGS)

format: .venv/for-test $(NODE_MODULES)
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .
	cd labextension && npm run format

clean:
	rm -rf .venv build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache
	rm -rf labextension/lib labextension/node_modules labextension/src/generated rlm_kernel/labextension rlm_kernel/viewer

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "No Python 3.11 or newer with venv and pip was found. Install one" \
		"(on Debian or Ubuntu: sudo apt-get install python3-venv), or name it: make PYTHON=/path/to/python" >&2; exit 1; }
	$(PYTHON) -m venv .venv

.venv/for-demo: EXTRA =
.venv/for-test: EXTRA = [test]
.venv/for-bench: EXTRA = [bench]
.venv/for-%: $(SOURCES) | .venv/bin/python
	$(PIP) install --quiet --editable '.$(EXTRA)'
	touch $@

.venv/for-node: | .venv/for-test
	node=$$(.venv/bin/python labextension/hatch_build.py) && { test -z "$$node" || $(PIP) install --quiet "$$node"; }
	touch $@

$(NODE_MODULES): labextension/package-lock.json | .venv/for-node
	cd labextension && npm ci --no-audit --no-fund
