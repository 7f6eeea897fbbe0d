# Everything runs in .venv, which is made from requirements.lock and made again only when that changes.
PYTHON ?= python3
STUDY ?= demo
OUT ?= out/$(notdir $(basename $(STUDY)))
RUN := .venv/bin/python -m
# Outputs stay in cells tagged keep_output, counts because nbval needs them; times and versions go.
STRIP := nbstripout --keep-count --keep-id --extra-keys "metadata.papermill cell.metadata.papermill metadata.language_info"
# How long a text waited does not decide into how many pieces it is kept.
ONE_STREAM := --NotebookExporter.preprocessors=nbconvert.preprocessors.CoalesceStreamsPreprocessor

PYTEST := OMP_NUM_THREADS=1 $(RUN) pytest -n logical --maxprocesses 4

.PHONY: help reproduce test test-slow notebooks lab clean
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

notebooks: .venv/ready  ## run the notebooks where they are, and keep the tables and figures that are tagged
	rm -rf out/smoke out/notebooks-default
	sockets=$$(mktemp -d /tmp/ppg-XXXXXX) && trap 'rm -rf "$$sockets"' EXIT && \
	$(RUN) nbconvert --log-level WARN --to notebook --execute --inplace notebooks/*.ipynb $(ONE_STREAM) \
		--KernelManager.transport=ipc --KernelManager.ip="$$sockets/kernel"
	$(RUN) $(STRIP) notebooks/*.ipynb

lab: .venv/ready  ## open the notebooks in JupyterLab
	$(RUN) jupyterlab notebooks

clean:  ## remove what was built (not data/raw)
	rm -rf .venv out build *.egg-info

.venv/ready: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv .venv
	$(RUN) pip install --quiet --disable-pip-version-check -r requirements.lock
	$(RUN) pip install --quiet --disable-pip-version-check --no-deps --editable '.[dev]'
	touch $@
