"""How much a pilot trains on: worked out before anything is tuned, by train items and by time."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from dataedge.learning_curve.fine_tune_curve import FEWER
from dataedge.pilot.recipe import Recipe

SHARE_OF_TIME = 0.85
"""Of the minutes given, for training; the rest is for asking the tuned model."""
NEARLY_ALL = 0.8
"""Share of the train rows from which a pilot counts as a fine-tune on all of them."""
FEWEST_ROWS = 8
"""Of the second one: with fewer no curve is told from it."""

SHORT = 2.0
"""Minutes that a fine-tune may take which nobody asked for."""
PASSES = 2
"""Over its train items at least."""
SHORT_ROWS = (512, 256, 128, 64, 32)
"""Train items of such a one: as many as fit with two passes."""


class Plan(NamedTuple):
    """What a pilot would train on.

    Attributes:
        rows: train items.
        tokens: of all passes.
        fewer: train items of the second one; 0 where there is none.
        more_tokens: of its passes.
    """

    rows: int
    tokens: int
    fewer: int = 0
    more_tokens: int = 0


def plan(train: int, item_tokens: float, short: Recipe | None = None) -> Plan:
    """What a pilot on so many train items of so many tokens trains on, if time allows.

    Args:
        train: items there are.
        item_tokens: mean tokens of one.
        short: of the one that is run unasked; the usual one, and the second beside it, if None.
    """
    recipe = short or Recipe()
    rows = min(train, recipe.rows)
    tokens = int(rows * item_tokens * recipe.passes(rows))
    second = None if short else second_recipe(train, recipe)
    if second is None:
        return Plan(rows, tokens)
    more = int(second.rows * item_tokens * second.passes(second.rows))
    return Plan(rows, tokens, second.rows, more)


def second_recipe(train: int, recipe: Recipe) -> Recipe | None:
    """The same on fewer rows, to tell what the rows that a pilot is not tuned on would add.

    Returns:
        None where it is tuned on nearly all, or on too few to tell anything.

    Example:
        >>> second_recipe(2_000, Recipe()).rows
        128
        >>> second_recipe(600, Recipe()) is None
        True
    """
    rows = min(train, recipe.rows) // FEWER
    if recipe.rows >= NEARLY_ALL * train or rows < FEWEST_ROWS:
        return None
    return replace(recipe, rows=rows)


def short_of(train: int, item_tokens: float, speed: float) -> Recipe | None:
    """The largest short fine-tune that fits.

    Args:
        train: train items there are.
        item_tokens: mean tokens of one.
        speed: tokens a second in training.

    Example:
        >>> [short_of(1_000, 100.0, speed).rows for speed in (200.0, 600.0, 5_000.0)]
        [64, 256, 512]
        >>> short_of(1_000, 1_000.0, 100.0) is None
        True
    """
    for size in SHORT_ROWS:
        rows = min(size, train)
        passes = int(60.0 * SHORT * speed / (rows * item_tokens))
        if passes >= PASSES:
            usual = Recipe()
            return replace(
                usual, rows=rows, epochs=PASSES, most=max(PASSES, min(passes, usual.most))
            )
    return None
