"""The random-field test: values that were drawn, and the rows they were drawn for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dataedge.exposure import blind_classifier, power
from dataedge.exposure.fields import FEWEST_ROWS, Field, random_field
from dataedge.exposure.permutation import matching_test
from dataedge.exposure.rows import row_texts, sample
from dataedge.figures import Figure
from dataedge.prompt.scores import Choices, Likelihood, ask_choices, ask_likelihood

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dataedge.engine.local import Engine
    from dataedge.items import Dataset
    from dataedge.models.lazy import LazyModel

    Floats = NDArray[np.float64]

BLOCK = 20
"""Rows whose values are each other's decoys."""
FIELD_ROWS = 200
ROW_EFFECT = 0.60
"""Item AUROC that the test is asked to find."""


def random_field_test(
    engine: Engine, lazy_model: LazyModel, dataset: Dataset, *, seed: int
) -> Figure:
    """Do the values of a random field fit their own rows best?

    Values are scored given the text before them: one pass per row over that text and the values
    of its block, at most 200 rows. Where that text does not tell rows apart (a number that begins
    its row), what follows is scored given each value: 20 passes per row, at most 100 rows.
    """
    field = random_field(row_texts(dataset))
    if isinstance(field, str):
        return Figure.missing(field, "p")
    places = np.array([dataset.items[i].row for i in field.rows])
    keep = sample(len(field.rows), FIELD_ROWS if field.forward else FIELD_ROWS // 2, seed)
    told_by, values = [field.contexts()[i] for i in keep], [field.values[i].strip() for i in keep]
    gate = blind_classifier.field_gate(told_by, values, places[keep], seed=seed)
    if reason := blind_classifier.reason_to_refuse(gate):
        sentence = f"{field.shape} can be guessed without having seen the data: {reason}"
        return Figure(None, n=len(keep), unit="p", status="refused", reason=sentence, detail=gate)
    return score_field(engine, lazy_model, field, keep, seed=seed)


def score_field(
    engine: Engine, lazy_model: LazyModel, field: Field, keep: NDArray[np.int64], *, seed: int
) -> Figure:
    """Ask the model for each row's value among those of its block, and test."""
    order = np.random.default_rng(seed).permutation(keep)
    blocks, used = [], 0
    for part in np.array_split(order, max(1, len(order) // BLOCK)):
        table = (_values_after if field.forward else _texts_after)(engine, lazy_model, field, part)
        good = np.isfinite(table).all(axis=1)
        blocks.append(table[np.ix_(good, good)])
        used += int(good.sum())
    if used < FEWEST_ROWS:
        return Figure.missing("the model failed on too many rows", "p", "failed")
    p, rank = matching_test(blocks, seed=seed)
    example = field.values[int(order[0])].strip()
    return power.concluded(
        p,
        used,
        power.among_decoys(used, BLOCK - 1, ROW_EFFECT),
        at=ROW_EFFECT,
        found=f"the model ties values like {example} to their rows: it has met these rows, or "
        "the same pairs elsewhere (if the values were drawn independently of the rows)",
        field=field.shape,
        example=example,
        mean_rank=rank,
    )


def _values_after(
    engine: Engine, lazy_model: LazyModel, field: Field, part: NDArray[np.int64]
) -> Floats:
    """The scores log p(value j | text before field i): shape (m, m)."""
    values = [field.values[i] for i in part]
    choices = list(dict.fromkeys(values))
    scores, _ = ask_choices(engine, Choices(lazy_model, choices), [field.before[i] for i in part])
    return scores[:, [choices.index(v) for v in values]]


def _texts_after(
    engine: Engine, lazy_model: LazyModel, field: Field, part: NDArray[np.int64]
) -> Floats:
    """The scores log p(text after field i | text before it, value j): shape (m, m)."""
    prefixes = [field.before[i] + field.values[j] for i in part for j in part]
    follow = [field.after[i] for i in part for _ in part]
    answers = ask_likelihood(engine, Likelihood(lazy_model), prefixes, follow)
    found = [np.nan if a is None else float(a.logprobs.sum()) for a in answers]
    return np.array(found).reshape(len(part), len(part))
