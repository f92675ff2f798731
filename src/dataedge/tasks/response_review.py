"""Defective responses of a `generate` dataset: a measure, a view, and a table of findings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from dataedge.engine import Step
from dataedge.measure.responses import (
    KINDS,
    Check,
    Finding,
    check_responses,
    response_defects,
)
from dataedge.positions import Positions, positions
from dataedge.verdict.result import RESPONSE_SCHEMA, VIEW_SIZE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dataedge.figures import Figure
    from dataedge.measure.responses import Losses
    from dataedge.prompt.workspace import Workspace

RESPONSES = Step("responses", 1, (Check, Finding))


class ResponseReview(NamedTuple):
    """What the checks found.

    Attributes:
        defects: the measure `response_defects`.
        view: positions of items with defects, most telling first.
        columns: `defects` and `reason` of each item, None where nothing was found.
        table: one row per item and kind, see `RESPONSE_SCHEMA`.
    """

    defects: Figure
    view: Positions
    columns: dict[str, Sequence[Any]]
    table: pa.Table


def review_responses(workspace: Workspace, losses: Losses | None = None) -> ResponseReview:
    """Check every response of a dataset.

    Args:
        workspace: prompts and responses, with vectors of both; its engine keeps what is found.
        losses: of each response; they tell outlying difficulty.
    """
    items = workspace.dataset.items
    inputs: dict[str, Any] = {
        "prompts": [i.text for i in items],
        "responses": [i.target for i in items],
        "vectors_prompt": workspace.vectors,
        "vectors_response": workspace.responses,
        "losses": losses,
    }
    checks = workspace.engine.once(RESPONSES, inputs, lambda _: check_responses(**inputs))
    by_item = _by_item(checks)
    rows = [f for i in sorted(by_item) for f in by_item[i]]
    found: dict[str, list[Any]] = {
        "item": [items[f.index].id for f in rows],
        "kind": [f.kind for f in rows],
        "reason": [f.reason for f in rows],
        "score": [float(f.score) for f in rows],
    }
    return ResponseReview(
        response_defects(checks, len(items)),
        ranked(by_item),
        _columns(by_item, len(items)),
        pa.table(found, schema=RESPONSE_SCHEMA),
    )


def ranked(by_item: dict[int, Sequence[Finding]]) -> Positions:
    """Positions of a view: each kind's plainest item in turn, so that no kind crowds out the rest.

    Args:
        by_item: findings of each item that has any.
    """
    queues = {
        kind: sorted(
            (i for i, found in by_item.items() if any(f.kind == kind for f in found)),
            key=lambda i: (-max(f.score for f in by_item[i] if f.kind == kind), i),
        )
        for kind in KINDS
    }
    longest = max(map(len, queues.values()), default=0)
    turns = [q[turn] for turn in range(longest) for q in queues.values() if turn < len(q)]
    return positions(list(dict.fromkeys(turns))[:VIEW_SIZE])


def _by_item(checks: dict[str, Check]) -> dict[int, Sequence[Finding]]:
    out: dict[int, list[Finding]] = {}
    for check in checks.values():
        for finding in check.findings:
            out.setdefault(finding.index, []).append(finding)
    return dict(out)


def _columns(by_item: dict[int, Sequence[Finding]], n: int) -> dict[str, Sequence[Any]]:
    """Kinds and reasons of each item as text; None where nothing was found."""
    kinds: list[str | None] = [None] * n
    reasons: list[str | None] = [None] * n
    for i, found in by_item.items():
        kinds[i] = ", ".join(f.kind for f in found)
        reasons[i] = "; ".join(f"{f.kind}: {f.reason}" for f in found)
    return {"defects": kinds, "reason": reasons}
