## make figures     train the runs that .tarm/ lacks, then draw every figure; plain `make` does this too
## make test        run the tests, then every notebook against the outputs it shows
## make site        the notebooks as web pages in site/; with PROFILE=..., as run with that profile
## make bench       measure what training and decoding cost on this machine, at the size of PROFILE
## make lab         open the first notebook
## make export      write the trained runs of PROFILE out of .tarm/
## make clean       remove .venv, site/ and caches, keep the trained runs
## make distclean   remove .tarm/, the trained runs, as well (asks first, unless YES=1)
##
## Variables and their defaults, changed as in `make figures PROFILE=smoke`:
##   PROFILE=cpu      size of the runs: smoke, cpu or paper
##   FRESH=           1: train at PROFILE=paper too (days on a CPU), which else only draws the records of figures/data
##   DEVICE=auto      where they train
##   SEEDS=1          how often each is repeated
##   JOBS=            how many train at a time; empty leaves that to tarm
##   TORCH=           cpu: install PyTorch without CUDA (`make clean` first if .venv is there already)
##   PYTHON=python3   the Python that makes .venv, 3.11 or newer
PROFILE = cpu
FRESH =
DEVICE = auto
SEEDS = 1
JOBS =
TORCH =
PYTHON = python3

# Run inside .venv, made on first use; or inside the conda environment of environment.yml, if it is active.
# (CONDA_DEFAULT_ENV, since CONDA_PREFIX is set in everybody's base as well.)
ENV = .venv/ready
PY = .venv/bin/python
ifeq ($(CONDA_DEFAULT_ENV),tarm)
ENV =
PY = python
endif

# One index more, not another first step: 2.13.0+cpu sorts after PyPI's 2.13.0, so pip takes it wherever it fits,
# and everything else still comes at the versions of constraints.txt, which that index need not have.
CPU_INDEX = --extra-index-url https://download.pytorch.org/whl/cpu
ifneq ($(filter-out cpu,$(TORCH)),)
$(error TORCH=$(TORCH) is unknown: say TORCH=cpu for PyTorch without CUDA, or leave TORCH out)
endif

# Notebooks must run in this environment's kernel, not in one that the user's own Jupyter offers.
unexport JUPYTER_PATH
export JUPYTER_PREFER_ENV_PATH = 1

.PHONY: figures test site bench lab export clean distclean help

figures: $(ENV)
	$(PY) -m tarm figures --profile $(PROFILE) --device $(DEVICE) --seeds $(SEEDS) $(if $(JOBS),--jobs $(JOBS)) $(if $(filter 1,$(FRESH)),--fresh)

test: $(ENV)
	$(PY) -m tarm test

site: $(ENV)
	$(PY) -m tarm site $(if $(filter file,$(origin PROFILE)),,--profile $(PROFILE))

bench: $(ENV)
	$(PY) -m tarm bench --profile $(PROFILE) --device $(DEVICE)

lab: $(ENV)
	$(PY) -m jupyterlab notebooks/00-start.ipynb

export: $(ENV)
	$(PY) -m tarm export --profile $(PROFILE)

.venv/ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { echo >&2 \
	'Install Python 3.11 or newer with venv (Debian: apt install python3-venv), or name one: make PYTHON=python3.12'; exit 1; }
	$(PYTHON) -m venv .venv
	$(PY) -m pip install -c constraints.txt $(if $(TORCH),$(CPU_INDEX)) -e '.[test]'
	touch $@

clean:
	rm -rf .venv site .pytest_cache build dist *.egg-info
	find . \( -name __pycache__ -o -name .ipynb_checkpoints \) -prune -exec rm -rf {} +

distclean:
	@test "$(YES)" = 1 || { printf 'Remove .tarm/ and all its runs? [y/N] '; read -r answer; test "$$answer" = y; }
	rm -rf .tarm
	$(MAKE) clean

help:
	@sed -n 's/^## \{0,1\}//p' Makefile
