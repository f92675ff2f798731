"""Has the base model seen this dataset? A p-value for the whole, never a verdict on a row.

Three tests, in order of preference; each says what it rests on, what it could have found, and
refuses where its null hypothesis fails for reasons other than exposure:

- `random_field`: do values drawn independently of their rows fit them better than other rows'
  values do? Needs a field like a ticket number, and nothing from the user.
- `order`: is the published order of rows likelier than shuffles? Needs rows in that order.
- `control_set`: are the rows more familiar than a control set? Needs one, vouched for.

Known is another question (`measure/novelty.py`): a model can know abilities from elsewhere and have
seen none of these rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataedge.exposure.control_test import ARM_ROWS, control_test
from dataedge.exposure.field_test import BLOCK, FIELD_ROWS, random_field_test
from dataedge.exposure.order_test import SHARD_ROWS, SHARD_TOKENS, SHARDS, SHUFFLES, order_test
from dataedge.figures import Figure

if TYPE_CHECKING:
    from dataedge.engine.local import Engine
    from dataedge.items import Dataset
    from dataedge.models.lazy import LazyModel, ModelAbilities


def exposure(
    engine: Engine,
    lazy_model: LazyModel,
    abilities: ModelAbilities,
    dataset: Dataset,
    control: Dataset | None = None,
    *,
    seed: int,
) -> dict[str, Figure]:
    """The three tests by name; `value` is a p-value, `detail.power` what could have been found.

    Args:
        engine: asks the model; what is stored is not asked again.
        lazy_model: the base model.
        abilities: what it can do.
        dataset: the suspect rows.
        control: rows of the same source that the model cannot have seen, if there are any.
        seed: of samples, shuffles and permutations, all fixed before a score is seen.
    """
    if abilities.no_bits:
        names = ("random_field", "order", "control_set")
        return {name: Figure.missing(abilities.no_bits, "p-value") for name in names}
    return {
        "random_field": random_field_test(engine, lazy_model, dataset, seed=seed),
        "order": order_test(engine, lazy_model, abilities, dataset, seed=seed),
        "control_set": control_test(engine, lazy_model, abilities, dataset, control, seed=seed),
    }


def work(rows: int, row_tokens: float, *, control: bool) -> tuple[int, int]:
    """What the tests ask at most: (prompts, tokens).

    Args:
        rows: of the dataset.
        row_tokens: mean tokens of one.
        control: a control set was named.

    Example:
        >>> work(400, 30.0, control=False)
        (400, 146000)
    """
    fields, value = min(rows, FIELD_ROWS), 5
    shards = min(SHARDS, rows // SHARD_ROWS) * (1 + SHUFFLES)
    arms = 2 * min(rows, ARM_ROWS) if control else 0
    tokens = fields * (row_tokens + BLOCK * value) + arms * row_tokens
    tokens += shards * min(SHARD_TOKENS, SHARD_ROWS * row_tokens)
    return fields + shards + arms, int(tokens)
