# Everything runs in .venv, which is made from requirements.lock and made again only when that changes.
PYTHON ?= python3
STUDY ?= demo
OUT ?= out/$(notdir $(basename $(STUDY)))
RUN := .venv/bin/python -m
# Git keeps of a notebook what tools/keep.py leaves of it; without .venv it keeps notebooks as they are.
KEEP := if [ -x .venv/bin/python ]; then .venv/bin/python tools/keep.py %f; else cat; fi
# How long a text waited does not decide into how many pieces it is kept.
ONE_STREAM := --NotebookExporter.preprocessors=nbconvert.preprocessors.CoalesceStreamsPreprocessor

PYTEST := OMP_NUM_THREADS=1 $(RUN) pytest -n logical --maxprocesses 4

.PHONY: help reproduce test test-slow browser notebooks strip lab clean distclean
.DEFAULT_GOAL := help

help:  ## list these targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

reproduce: .venv/ready  ## every notebook, figure and table; STUDY=demo|open|paper|FILE.toml DATA=folder OUT=folder
ifeq ($(STUDY),demo)
	$(RUN) ppglib reproduce --results data/results/open --out "$(OUT)/open"
endif
	$(RUN) ppglib reproduce --study "$(STUDY)" --out "$(OUT)" $(if $(JOBS),--jobs $(JOBS)) $(if $(DATA),--data "$(DATA)")

test: .venv/ready  ## pytest and nbval
	$(PYTEST) --dist loadfile -m "not slow" --nbval-lax --nbval-sanitize-with tests/nbval_sanitize.cfg tests notebooks

test-slow: .venv/ready  ## what takes minutes: intervals at every number of people, many small studies
	$(PYTEST) -m slow tests

browser: .venv/ready  ## pages and notebooks in Chromium (Debian: apt install chromium); screenshots in out/browser
	$(RUN) pip install --quiet --disable-pip-version-check --constraint requirements.lock --editable '.[browser]'
	OMP_NUM_THREADS=1 $(RUN) pytest -rs tests/browser.py

notebooks: .venv/ready  ## run the notebooks where they are, and keep the tables and figures that are tagged
	rm -rf out/smoke out/notebooks-default out/shown
	sockets=$$(mktemp -d /tmp/ppg-XXXXXX) && trap 'rm -rf "$$sockets"' EXIT && \
	$(RUN) nbconvert --log-level WARN --to notebook --execute --inplace notebooks/*.ipynb $(ONE_STREAM) \
		--KernelManager.transport=ipc --KernelManager.ip="$$sockets/kernel"
	.venv/bin/python tools/keep.py --write notebooks/*.ipynb

strip: .venv/ready  ## take out of notebooks what running and saving them leaves (git does so by itself)
	.venv/bin/python tools/keep.py --write notebooks/*.ipynb

lab: .venv/ready  ## open the notebooks in JupyterLab; as root: make lab ROOT=yes
	$(RUN) jupyterlab --config tools/jupyter_lab_config.py $(if $(ROOT),--allow-root)

# What took long stays: runs, students, teachers, results, windows; so does whatever else is not named here.
clean:  ## remove pages, figures, simulated recordings and builds; keep what was trained, and .venv
	@for name in notebooks figures tables recordings index.html explore.html report.json; do \
		find out -mindepth 2 -name "$$name" -prune -exec rm -rf {} + 2>/dev/null; done; true
	rm -rf build *.egg-info out/notebooks-default out/shown

distclean:  ## remove .venv and all of out, after saying how many hours were trained: CONFIRM=yes
ifeq ($(CONFIRM),yes)
	rm -rf .venv out build *.egg-info
	@git config --remove-section filter.notebooks 2>/dev/null || true
else
	@echo "make distclean deletes .venv, build and out, and with it"
	@$(PYTHON) -m ppglib.study.status out
	@echo "Nothing is deleted yet: make distclean CONFIRM=yes"; exit 1
endif

.venv/ready: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv .venv
	$(RUN) pip install --quiet --disable-pip-version-check -r requirements.lock
	$(RUN) pip install --quiet --disable-pip-version-check --no-deps --editable '.[dev]'
	if git rev-parse --git-dir >/dev/null 2>&1; then git config filter.notebooks.clean '$(KEEP)'; fi
	touch $@
