# Everything runs in .venv, which is made from requirements.lock and made again only when that changes.
PYTHON ?= python3
STUDY ?= demo
OUT ?= out/$(notdir $(basename $(STUDY)))
RUN := .venv/bin/python -m

.PHONY: help reproduce test lab clean
.DEFAULT_GOAL := help

help:  ## list these targets
	@awk -F':.*## ' '/^[a-z]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

reproduce: .venv/ready  ## every notebook, figure and table; STUDY=demo|open|paper|FILE.toml DATA=folder OUT=folder
ifeq ($(STUDY),demo)
	$(RUN) ppglib reproduce --results data/results/open --out "$(OUT)/open"
endif
	$(RUN) ppglib reproduce --study "$(STUDY)" --out "$(OUT)" $(if $(JOBS),--jobs $(JOBS)) $(if $(DATA),--data "$(DATA)")

test: .venv/ready  ## pytest and nbval
	$(RUN) pytest
	$(RUN) pytest --nbval-lax --nbval-sanitize-with tests/nbval_sanitize.cfg notebooks

lab: .venv/ready  ## open the notebooks in JupyterLab
	$(RUN) jupyterlab notebooks

clean:  ## remove what was built (not data/raw)
	rm -rf .venv out build *.egg-info

.venv/ready: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv .venv
	$(RUN) pip install --quiet --disable-pip-version-check -r requirements.lock
	$(RUN) pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@
