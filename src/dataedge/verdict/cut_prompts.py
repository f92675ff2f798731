"""What the report says of prompts that did not fit the model's context."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dataedge.figures import Figure

FIRST_TO_GO = {
    "zero_shot": "what stands before the item's text first, then the start of that text",
    "few_shot": "what stands before the demonstrations first, then these, from the first one on",
    "retrieved": "what stands before the demonstrations first, then these, from the least similar on",
}
"""Prompting rung → what is lost of its prompts, in this order; the question stands at their end."""


def cut_notes(ladder: Mapping[str, Figure], context: int) -> list[str]:
    """A sentence for each prompting rung some of whose prompts were cut.

    Args:
        ladder: rung → figure, with `cut_share` in its detail.
        context: tokens that fit.

    Example:
        >>> from dataedge.figures import Figure
        >>> ladder = {"zero_shot": Figure(0.5, detail={"cut_share": 0.125})}
        >>> print(cut_notes(ladder, 2048)[0])
        zero_shot: 12 % of the prompts did not fit the context of 2,048 tokens; their beginnings were
        cut, what stands before the item's text first, then the start of that text.
    """
    return [
        f"{rung}: {_percent(share)} of the prompts did not fit the context of {context:,} tokens; "
        f"their beginnings were cut, {lost}."
        for rung, lost in FIRST_TO_GO.items()
        if rung in ladder and (share := ladder[rung].detail.get("cut_share"))
    ]


def _percent(share: float) -> str:
    """A share above 0 in words.

    Example:
        >>> _percent(0.004), _percent(0.124), _percent(0.998), _percent(1.0)
        ('under 1 %', '12 %', 'over 99 %', '100 %')
    """
    if share < 0.01:
        return "under 1 %"
    return "over 99 %" if 0.99 < share < 1 else f"{share:.0%}".replace("%", " %")
