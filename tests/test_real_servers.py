"""Servers that are not ours, with the same weights: `make test-endpoint` starts them.

llama-cpp-python returns log-probabilities of the prompt that are finite, plausible and wrong;
`transformers serve` returns none. Neither may lead to a wrong number.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import dataedge
from dataedge.models import embedded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dataedge.api import Audit

pytestmark = pytest.mark.servers
ROOT = Path(__file__).parents[1]
START_SECONDS = 180
SIZE = {"probe_items": 60}


def started(command: list[str], port: int, log: Path) -> subprocess.Popen[bytes]:
    """A server once it answers, whatever it answers."""
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
    for _ in range(START_SECONDS):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/models", timeout=5):
                return process
        except urllib.error.HTTPError:
            return process
        except OSError:
            if process.poll() is not None:
                break
            time.sleep(1)
    process.kill()
    pytest.fail(f"the server did not start: {log.read_text()[-2000:]}")


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Audit:
    out = tmp_path_factory.mktemp("audits") / "local"
    return dataedge.audit(ROOT / "data" / "outfits", out=str(out), **SIZE)


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if find_spec("llama_cpp") is None:
        pytest.skip("llama-cpp-python is not installed: make test-endpoint")
    file, port = embedded.base_gguf(), free_port()
    assert file is not None
    command = [sys.executable, "-m", "llama_cpp.server", "--model", str(file)]
    command += ["--logits_all", "true", "--port", str(port), "--n_ctx", "4096"]
    process = started(command, port, tmp_path_factory.mktemp("log") / "llama.log")
    yield f"http://127.0.0.1:{port}/v1"
    process.kill()
    process.wait()


@pytest.fixture(scope="module")
def transformers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    if find_spec("fastapi") is None or find_spec("uvicorn") is None:
        pytest.skip("transformers serve needs fastapi and uvicorn: make test-endpoint")
    from dataedge.models.gguf import converted

    file, port = embedded.base_gguf(), free_port()
    assert file is not None
    folder = str(converted(file, "embedded"))
    command = [str(Path(sys.executable).with_name("transformers")), "serve", folder]
    command += ["--port", str(port), "--device", "cpu", "--dtype", "bfloat16"]
    process = started(command, port, tmp_path_factory.mktemp("log") / "transformers.log")
    yield f"http://127.0.0.1:{port}/v1", folder
    process.kill()
    process.wait()


def agrees(there: Audit, here: Audit, rung: str) -> bool:
    """Whether a rung's value stands within the other's interval."""
    value, low, high = (
        there.ladder.loc[rung, "value"],
        here.ladder.loc[rung, "low"],
        here.ladder.loc[rung, "high"],
    )
    return bool(low <= value <= high)


def test_llama_cpp_s_shifted_array_is_noticed_and_never_used(
    llama: str, local: Audit, tmp_path: Path
) -> None:
    options = {"model": "openai/smollm2", "base_url": llama, "out": str(tmp_path / "a")}
    done = dataedge.audit(ROOT / "data" / "outfits", timeout=300.0, **options, **SIZE)
    facts = done.report.model.capabilities
    assert facts["token_logprobs"] is False
    assert facts["choices"] == "likeliest"
    assert any("echo are not used" in note for note in facts["notes"])
    assert "likelihood" not in [stage.name for stage in done.report.stages]
    assert done.measures["surprisal_bits_per_byte"].value is None
    assert agrees(done, local, "with_data")
    assert agrees(done, local, "without_data")


def test_transformers_serve_writes_only_and_still_gets_a_verdict(
    transformers: tuple[str, str], tmp_path: Path
) -> None:
    url, folder = transformers
    options = {"model": f"openai/{folder}", "base_url": url, "out": str(tmp_path / "a")}
    done = dataedge.audit(ROOT / "data" / "outfits", timeout=300.0, **options, **SIZE)
    facts = done.report.model.capabilities
    assert facts["choices"] == "text"
    assert any("no likeliest next tokens" in note for note in facts["notes"])
    assert done.verdict.label in ("edge", "no_edge", "inconclusive")
    assert done.report.ladder[0].unit == "accuracy"
    assert done.measures["known_share"].value is None
