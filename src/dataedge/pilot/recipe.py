"""How a pilot fine-tunes: the same for every dataset."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """A fine-tune by low-rank adapters (LoRA, Hu et al. 2021) on all linear layers but the head.

    The loss is that of the answer's tokens alone. The learning rate rises over the first tenth of the steps
    and falls to 0 in a straight line. After every pass development items are asked, and the adapters of
    the best pass are kept; the base model itself is pass 0.

    Attributes:
        rank: of the adapters.
        alpha: they count alpha / rank times.
        learning_rate: the largest, of AdamW.
        epochs: passes over the train rows at most,
        steps: or as many as make so many steps, where rows are few,
        most: but never more than so many.
        batch: rows of a step.
        development: development items that are asked after each pass at most.
        rows: train rows at most.
    """

    rank: int = 16
    alpha: int = 32
    learning_rate: float = 5e-4
    epochs: int = 4
    steps: int = 100
    most: int = 12
    batch: int = 8
    development: int = 64
    rows: int = 512

    def passes(self, rows: int) -> int:
        """Passes over so many train rows at most.

        Example:
            >>> Recipe().passes(512), Recipe().passes(96), Recipe().passes(48)
            (4, 9, 12)
        """
        each = -(-rows // self.batch)
        return max(self.epochs, min(-(-self.steps // max(each, 1)), self.most))


WARMUP = 0.1
"""Share of the steps in which the learning rate rises."""
