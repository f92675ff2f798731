"""Defects of free-text responses, each with the row, the kind, the reason and a score.

The checks judge a row against its own dataset wherever they can: how the responses end, which
languages pair up, what a shuffled response looks like. None of them deletes anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dataedge.figures import Figure
from dataedge.intervals import proportion
from dataedge.measure.responses.check import Check, Finding
from dataedge.measure.responses.language import check_language
from dataedge.measure.responses.personal import check_personal, redact
from dataedge.measure.responses.relation import Losses, check_ifd, check_unrelated
from dataedge.measure.responses.text import (
    check_boilerplate,
    check_copied,
    check_empty,
    check_refusal,
)
from dataedge.measure.responses.truncated import check_truncated

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]

__all__ = [
    "KINDS",
    "Check",
    "Finding",
    "Losses",
    "check_responses",
    "redact",
    "response_defects",
]

KINDS = (
    "empty",
    "truncated",
    "refusal",
    "boilerplate",
    "copied",
    "language",
    "unrelated",
    "personal_data",
    "ifd",
)


def check_responses(
    prompts: Sequence[str],
    responses: Sequence[str],
    *,
    vectors_prompt: Floats | None = None,
    vectors_response: Floats | None = None,
    losses: Losses | None = None,
) -> dict[str, Check]:
    """Run every check that the given data allows.

    Args:
        prompts: the inputs, n of them.
        responses: what is to be learned for each.
        vectors_prompt: shape (n, d), unit length; without it `unrelated` is skipped.
        vectors_response: shape (n, d), of the same embedder.
        losses: of a base model; without them `ifd` is skipped.

    Returns:
        One check per kind, in the order of `KINDS`.
    """
    checks = [
        check_empty(responses),
        check_truncated(responses),
        check_refusal(responses),
        check_boilerplate(responses),
        check_copied(prompts, responses),
        check_language(prompts, responses),
        Check("unrelated", skipped="no vectors of prompts and responses were given")
        if vectors_prompt is None or vectors_response is None
        else check_unrelated(vectors_prompt, vectors_response),
        check_personal(prompts, responses),
        Check("ifd", skipped="no base-model losses were given")
        if losses is None
        else check_ifd(losses),
    ]
    return {check.kind: check for check in checks}


def response_defects(checks: dict[str, Check], n: int) -> Figure:
    """Share of items with at least one finding, with its 95 % Wilson interval.

    Args:
        checks: what `check_responses` returned.
        n: items that were checked.

    Returns:
        Figure whose detail has `kinds`, items found per kind that could be checked, and `skipped`,
        kind → why it could not.

    Example:
        >>> checks = check_responses(["How do I reset it?"] * 2, ["Sorry, I cannot help.", "Hold it."])
        >>> figure = response_defects(checks, 2)
        >>> figure.value, figure.detail["kinds"]["refusal"], figure.detail["skipped"]["ifd"]
        (0.5, 1, 'no base-model losses were given')
    """
    if n == 0:
        return Figure.missing("no responses", "share")
    found = np.zeros(n)
    found[[f.index for check in checks.values() for f in check.findings]] = 1.0
    return proportion(
        found,
        np.arange(n),
        unit="share",
        items=int(found.sum()),
        kinds={k: len(c.findings) for k, c in checks.items() if not c.skipped},
        skipped={k: c.skipped for k, c in checks.items() if c.skipped},
    )
