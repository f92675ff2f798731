from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.words import PLACES, THINGS

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
# seconds of each audit of texts; what is tested of a short fine-tune, and the samples, take it away
os.environ["DATAEDGE_PILOT"] = "0"
# a third of a second for each dataset that is read; tests/load/test_reading_process.py takes it away
os.environ["DATAEDGE_APART"] = "0"

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared" / "data"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The module that takes longest comes first, so that no worker begins it when the others are done."""
    items.sort(key=lambda item: item.path.name != "test_outfits.py")


@pytest.fixture(scope="session")
def shared() -> Path:
    if not SHARED.is_dir():
        pytest.skip(f"the public datasets are not here ({SHARED})")
    return SHARED


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Llama of 30,000 weights that has learned a few sentences by heart; passes the capability tests."""
    from tests.models import tiny

    return tiny.taught(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(scope="session")
def small_dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """120 rows whose label follows from a word of theirs."""
    import random

    rng = random.Random(0)
    rows = ["text,label"]
    for i in range(120):
        thing, place = rng.choice(THINGS), rng.choice(PLACES)
        label = "cold" if place in PLACES[:5] else "warm"
        rows.append(
            f"the {thing} number {i} from {place} came in the morning of day {i % 29},{label}"
        )
    path = tmp_path_factory.mktemp("data") / "small.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.fixture(scope="session")
def small_audit(
    tiny_model: str, small_dataset: Path, tmp_path_factory: pytest.TempPathFactory
) -> Any:
    import dataedge

    out = tmp_path_factory.mktemp("audits") / "small"
    return dataedge.audit(small_dataset, out=str(out), model=tiny_model, probe_items=40)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A real one; tests that need it are skipped where there is none."""
    found = shutil.which("chromium")
    if found is None:
        pytest.skip("no chromium on this machine")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield opened
        opened.close()
