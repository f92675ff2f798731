"""What a comparison says, as data: built once, printed or written as JSON."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class SideModel(_Part):
    """One of the two audits."""

    audit: str
    """Its directory."""
    dataset: str
    rows: int
    base_model: str
    verdict: str
    advice: str
    items: int
    """Held-out items."""


class DifferenceModel(_Part):
    """One figure of both audits, and what the second has more."""

    name: str
    unit: str
    first: float | None
    """Of all items of the first audit, as its report has it."""
    second: float | None
    first_shared: float | None = None
    """Of the items that both held out, where the difference rests on those."""
    second_shared: float | None = None
    value: float | None
    """Second − first as a gain: more is better, also for bits per byte; of measures as they are. Of two
    models crossed, what the tuned one has more."""
    low: float | None
    """Lower end of the 95 % interval; null of counts and of ranges."""
    high: float | None
    n: int
    """Items that the difference rests on; 0 where it is one of two independent figures."""
    basis: Literal["paired", "independent", "none"]
    """On the held-out items that both have, as of two independent audits, or not comparable."""
    reason: str = ""
    """Why there is none."""

    @property
    def sides(self) -> tuple[float | None, float | None]:
        """The two figures that the difference is of."""
        if self.first_shared is None or self.second_shared is None:
            return self.first, self.second
        return self.first_shared, self.second_shared

    @property
    def sure(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


class Comparison(_Part):
    """Two audits compared."""

    first: SideModel
    second: SideModel
    shared: int
    """Held-out items that both have."""
    notes: list[str]
    """What the differences can mean, and what they cannot."""
    edge: list[DifferenceModel]
    """Edge and tuning gain."""
    ladder: list[DifferenceModel]
    measures: list[DifferenceModel]
    across: list[DifferenceModel]
    """Between two base models: what one learns from the data against what the other is prompted to."""
