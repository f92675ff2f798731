"""Texts of any task: copies, lengths, personal data; responses that are none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dataedge.measure.responses.personal import check_personal
from dataedge.measure.responses.text import check_empty, check_refusal
from dataedge.measure.responses.truncated import check_truncated

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dataedge.check.found import Collected

BYTES_PER_TOKEN: Final = 3.6
"""Of English under a vocabulary of about 50,000; code and numbers take more tokens."""


def tokens(text: str) -> int:
    """About how many tokens a text is."""
    return round(len(text.encode("utf-8", "replace")) / BYTES_PER_TOKEN)


def check_texts(
    inputs: Sequence[str | None],
    targets: Sequence[str | None],
    splits: Sequence[str | None],
    most_tokens: int,
    into: Collected,
) -> dict[str, int]:
    """Check the texts of rows.

    Args:
        inputs: text of each row; None where the row cannot be used.
        targets: its label or response.
        splits: side of each row as the data names it; None without.
        most_tokens: what a row may be long.
        into: takes what is found.

    Returns:
        What was counted: about how many tokens, and how many of them are learned.
    """
    first: dict[tuple[str, str | None], int] = {}
    read = learned = 0
    for row, (text, target) in enumerate(zip(inputs, targets, strict=True)):
        if text is None:
            continue
        size, answer = tokens(text), tokens(target or "")
        read, learned = read + size + answer, learned + answer
        if size + answer > most_tokens:
            what = f"about {size + answer:,} tokens, more than {most_tokens:,}"
            into.add("too_many_tokens", "warning", row, what)
        at = first.setdefault((text, target), row)
        if at == row:
            continue
        if splits[at] != splits[row]:
            what = f"the row is in {splits[at] or 'no split'} as well"
            into.add("copy_across_splits", "error", row, what)
        else:
            into.add("duplicate_row", "warning", row, "the same row as an earlier one")
    there = [row for row, text in enumerate(inputs) if text is not None]
    found = check_personal([inputs[r] or "" for r in there], [targets[r] or "" for r in there])
    for finding in found.findings:
        into.add("personal_data", "warning", there[finding.index], finding.reason)
    return {"tokens": read, "tokens_learned": learned}


def check_responses(responses: Sequence[str | None], into: Collected) -> None:
    """Check responses: empty ones, refusals, those that break off.

    Args:
        responses: of each row; None where the row cannot be used.
        into: takes what is found.
    """
    there = [row for row, text in enumerate(responses) if text is not None]
    texts = [responses[row] or "" for row in there]
    for name, level, check in (
        ("empty_response", "error", check_empty),
        ("refused_response", "warning", check_refusal),
        ("truncated_response", "warning", check_truncated),
    ):
        for finding in check(texts).findings:
            into.add(
                name,
                "error" if level == "error" else "warning",
                there[finding.index],
                finding.reason,
            )
