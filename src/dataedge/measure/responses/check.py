"""What a check of the responses hands back: findings, or the sentence that says why there are none."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Finding:
    """One defect of one row. Its reason never quotes the row, so that no value can leak.

    Attributes:
        index: position of the row in the sequences that were checked.
        kind: one of `responses.KINDS`.
        reason: a sentence.
        score: 0 to 1, how plain the defect is; comparable within a kind only.
    """

    index: int
    kind: str
    reason: str
    score: float


@dataclass(frozen=True)
class Check:
    """All findings of one kind, or why the kind could not be checked.

    Attributes:
        kind: one of `responses.KINDS`.
        findings: at most one per row, by index.
        n: rows that could be judged.
        skipped: a sentence; empty where the check ran.
    """

    kind: str
    findings: Sequence[Finding] = field(default=())
    n: int = 0
    skipped: str = ""
