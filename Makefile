# Every command of the project. `make help` lists them.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
CORES ?= all
STUDY ?= config/study.yaml
TARGET ?= report
KILLS ?= 20
# Options after the target: --configfile takes every word that follows.
OPTIONS = --cores $(CORES) --configfile $(STUDY)
export OMP_NUM_THREADS ?= 1

.DEFAULT_GOAL := help
.PHONY: help demo demo-models run resume why test test-crash test-cluster test-environments bench lint lock document \
	estimate layers clean-results

help: ## List the commands.
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

# The environment is made anew whenever the lock file changes. uv installs in seconds what pip installs in minutes; pip
# is the way out where uv does not reach the package index. Modules are compiled once, here: where Python may not write
# what it has compiled (PYTHONDONTWRITEBYTECODE), every job would compile torch again, for more than it costs to import.
$(VENV)/installed: requirements.lock
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet "$$(grep -m1 '^uv==' requirements.lock | cut -d' ' -f1)"
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes \
		-r requirements.lock \
		|| $(BIN)/pip install --quiet --require-hashes -r requirements.lock
	touch $@

demo: $(VENV)/installed ## Run the demo study and say where its report is.
	@PYTHONPATH=workflow/scripts $(BIN)/python -m intermodel.study $(STUDY)
	$(BIN)/snakemake report $(OPTIONS)
	@$(BIN)/python workflow/scripts/show_timings.py $(STUDY)

run: demo ## The same with STUDY=path/to/study.yaml.

resume: $(VENV)/installed ## Go on with STUDY after a crash or a power cut: unlock, remake what was left half done.
	@PYTHONPATH=workflow/scripts $(BIN)/python -m intermodel.engine.running
	$(BIN)/snakemake --unlock $(OPTIONS)
	$(BIN)/snakemake $(TARGET) --rerun-incomplete $(OPTIONS)

demo-models: $(VENV)/installed ## Train the demo's own weights anew (some 50 CPU minutes) and print their digests.
	$(BIN)/snakemake training --cores $(CORES) --configfile config/demo_models.yaml
	sha256sum results/demo_models/training/*.safetensors

test: $(VENV)/installed ## Run the whole test suite.
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

bench: $(VENV)/installed ## Compare with bare limits and independent baselines; FULL=1 for the published sizes.
	$(BIN)/python benchmarks/run.py $(if $(FULL),--full)
	$(BIN)/python benchmarks/storage.py $(if $(FULL),--full)
	$(BIN)/python benchmarks/growth.py $(if $(FULL),--full --figure docs/images/growth.svg)

test-crash: $(VENV)/installed ## Kill a study at KILLS random moments, fill its disk; compare with an undisturbed one.
	INTERMODEL_KILLS=$(KILLS) $(BIN)/pytest tests/crash --slow -n 0 -s

test-cluster: $(VENV)/installed ## Run a study on the SLURM that the commands in the folder INTERMODEL_SLURM start.
	$(BIN)/pytest tests/cluster -n 0

test-environments: $(VENV)/installed ## Run every rule in its own environment, made by the conda in INTERMODEL_CONDALIKE.
	$(BIN)/pytest tests/workflow/test_rule_environments.py -n 0

lint: $(VENV)/installed ## Check style, types, layers and rules.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/mypy
	PYTHONPATH=workflow/scripts $(BIN)/lint-imports
	$(BIN)/snakemake --lint --configfile $(STUDY)

lock: $(VENV)/installed ## Compile requirements.lock and envs/*.yaml anew from pyproject.toml.
	$(BIN)/uv pip compile pyproject.toml --all-extras --universal --generate-hashes --python-version 3.11 \
		--no-emit-index-url --no-header --quiet -o requirements.lock
	$(BIN)/python envs/compile.py

document: $(VENV)/installed ## Write config/schema.json and the tables of config/README.md anew.
	PYTHONPATH=workflow/scripts $(BIN)/python -m intermodel.study.document

estimate: $(VENV)/installed ## Tell what STUDY will still cost: images, jobs, work, disk.
	@$(BIN)/python workflow/scripts/estimate_study.py $(STUDY)

why: $(VENV)/installed ## Tell which jobs of STUDY would run, and why.
	@$(BIN)/python workflow/scripts/explain_run.py $(STUDY)

layers: $(VENV)/installed ## List the layers of MODEL, a model of STUDY or an architecture.
	@$(BIN)/python workflow/scripts/list_layers.py $(STUDY) $(MODEL)

clean-results: $(VENV)/installed ## List results that STUDY no longer asks for; with REMOVE=1 remove them.
	@$(BIN)/python workflow/scripts/clean_results.py $(STUDY) $(if $(REMOVE),--remove)
