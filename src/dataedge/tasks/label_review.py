"""Labels judged: suspects by learner and twins, annotators by each other."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dataedge.engine import Step
from dataedge.learner import item_features
from dataedge.learner.classifier import Learner
from dataedge.measure import annotators, disagreement, label_noise
from dataedge.positions import Positions, per_item, positions
from dataedge.prepare.neighbours import EXACT_ROWS
from dataedge.tasks.input_texts import describe
from dataedge.verdict.result import highest

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from dataedge.figures import Figure
    from dataedge.learner.item_features import Description
    from dataedge.prompt.workspace import Workspace


@dataclass(frozen=True)
class LabelReview:
    """Labels of some items.

    Attributes:
        index: shape (m,), which items.
        quality: suspects, noise, reasons.
        proba: shape (m, K), out-of-sample probabilities of the labels; kept where there are
            annotators, who are judged by them.
    """

    index: Positions
    quality: label_noise.LabelQuality
    proba: NDArray[np.float32] | None


class Suspects(NamedTuple):
    """Labels that are probably wrong.

    Attributes:
        described: what the learner that found them sees of the items.
        judged: all labelled items, by all of them.
        every: shape (n,), items whose label is suspect.
        pruned: train items whose label is suspect as far as the train side alone can tell, so that
            nothing which is learned without them has looked at evaluation labels.
    """

    described: Description
    judged: LabelReview
    every: NDArray[np.bool_]
    pruned: Positions


MOSTLY = 0.8
"""Share of the rows on the train side from which on enough of a row's neighbours are on it."""
FEATURE_CHOICE = Step("feature_choice", 1)
LABEL_QUALITY = Step("label_quality", 1, (LabelReview, label_noise.LabelQuality))
ANNOTATORS = Step("annotators", 1, (annotators.Crowd,))


def suspect_labels(workspace: Workspace) -> Suspects:
    """The labels of a workspace reviewed: all of them, and the train side by itself.

    Of many rows the train side is learned from by the learner of all, without the others' labels: to search
    neighbours among all pairs a second time would take as long as everything else together.
    """
    labelled = {"y": workspace.label_numbers, "n_classes": len(workspace.dataset.labels)}
    described = describe(workspace, FEATURE_CHOICE, item_features.choose, **labelled)
    index = positions(np.flatnonzero(workspace.label_numbers >= 0))
    train = workspace.splits.train
    learner = cache(lambda: _fitted(workspace, described, index))

    def of_train() -> Learner:
        return learner().without(~np.isin(index, train))

    judged = _reviewed(workspace, described, index, learner)
    alone = (
        _reviewed(workspace, described, train, of_train, among=index)
        if len(index) > EXACT_ROWS and len(train) > MOSTLY * len(index)
        else _reviewed(workspace, described, train, lambda: _fitted(workspace, described, train))
    )
    pruned = positions(train[alone.quality.suspect])
    every = np.zeros(len(workspace.dataset.items), bool)
    every[index[judged.quality.suspect]] = True
    return Suspects(described, judged, every, pruned)


def _fitted(workspace: Workspace, described: Description, index: Positions) -> Learner:
    """The learner of some labelled items."""
    return Learner().fit(
        [block[index] for block in described.blocks],
        workspace.label_numbers[index],
        len(workspace.dataset.labels),
        clusters=workspace.clusters[index],
        seed=workspace.seed,
    )


def twins(workspace: Workspace) -> Figure:
    """How often rows with the same input carry different labels."""
    items = [item for item in workspace.dataset.items if not item.label_missing]
    return disagreement.of_twins(
        [i.text for i in items], [i.target for i in items], [i.count for i in items]
    )


def label_views(columns: dict[str, Any], flagged: Positions) -> dict[str, Positions]:
    """Items worth looking at: suspects, and where the data or the model knows better.

    Args:
        columns: of the table `findings`: label_score, edge_bits, p_without, p_with.
        flagged: items with a suspect label.
    """
    order = flagged[np.argsort(columns["label_score"][flagged], kind="stable")]
    return {
        "suspects": positions(order[:50]),
        "edge": highest(columns["edge_bits"], above=0.0),
        "known": highest(columns["p_without"], above=0.5),
        "hard": highest(-np.maximum(columns["p_without"], columns["p_with"]), above=-0.5),
        "overwritten": highest(-columns["edge_bits"], above=0.0),
    }


def _reviewed(
    workspace: Workspace,
    described: Description,
    index: Positions,
    learner: Callable[[], Learner],
    among: Positions | None = None,
) -> LabelReview:
    """The review of some items by a learner, as the store has it or made now.

    Args:
        workspace: the items.
        described: what the learner sees of them.
        index: shape (m,), items that are reviewed.
        learner: makes one that knows them, and each by itself.
        among: items that it knows, these among them; `index` if None.
    """
    inputs: dict[str, Any] = {
        "index": index,
        "y": workspace.label_numbers[index],
        "clusters": workspace.clusters[index],
        "names": workspace.dataset.labels,
        "annotated": bool(workspace.dataset.columns.get("annotator")),
        "seed": workspace.seed,
    }
    more = {} if among is None else {"among": among}
    rows = positions(np.searchsorted(index if among is None else among, index))
    return workspace.engine.once(
        LABEL_QUALITY,
        {**described.inputs, **inputs, **more},
        lambda _: _judged(learner(), rows, **inputs),
    )


def _judged(
    learner: Learner,
    rows: Positions,
    *,
    index: Positions,
    y: NDArray[np.int64],
    clusters: NDArray[np.int64],
    names: tuple[str, ...],
    annotated: bool,
    seed: int,
) -> LabelReview:
    """Label quality of a learner's rows; what teaches it nothing stays so as suspects are left out."""
    mute = ~learner.teaches

    def refit(suspects: NDArray[np.bool_]) -> NDArray[np.floating[Any]]:
        mask = mute.copy()
        mask[rows] |= suspects
        return learner.refit_without(mask)[rows]

    quality = label_noise.label_quality(
        learner.loo_core[rows],
        y,
        clusters=clusters,
        twins=clusters,
        label_names=names,
        neighbour_labels=learner.neighbour_labels[rows],
        refit=refit,
        seed=seed,
    )
    return LabelReview(index, quality, learner.loo_proba[rows] if annotated else None)


@dataclass(frozen=True)
class Annotated:
    """What several annotators' labels add to the findings.

    Attributes:
        agreement: Krippendorff's α; quality per annotator in its detail.
        columns: consensus and consensus_quality of every item.
        disputed: positions of items without unanimity, least settled first.
    """

    agreement: Figure
    columns: dict[str, Any]
    disputed: Positions


def review_annotators(workspace: Workspace, judged: LabelReview) -> Annotated | None:
    """Agreement and consensus; None where there are no columns of annotators."""
    items = workspace.dataset.items
    wanted = workspace.dataset.columns.get("annotator", ())
    names = (wanted,) if isinstance(wanted, str) else tuple(wanted)
    if not names or judged.proba is None:
        return None
    said = [items[i].annotations for i in judged.index]
    extra = {v for row in said for v in row if v is not None} - set(workspace.dataset.labels)
    known = (*workspace.dataset.labels, *sorted(extra))  # labels that no item has as its own
    code = {label: k for k, label in enumerate(known)}
    given = np.array([[-1 if v is None else code[v] for v in row] for row in said], np.int64)
    proba = np.pad(judged.proba.astype(np.float64), ((0, 0), (0, len(extra))))
    inputs: dict[str, Any] = {
        "given": given,
        "proba": proba,
        "names": names,
        "clusters": workspace.clusters[judged.index],
        "seed": workspace.seed,
    }
    found = workspace.engine.once(ANNOTATORS, inputs, lambda _: annotators.crowd(**inputs))
    n = len(items)
    consensus: list[str | None] = [None] * n
    for i, label in zip(judged.index, found.consensus, strict=True):
        consensus[i] = known[label] if label >= 0 else None
    present = np.where(given >= 0, given, given.max(1, keepdims=True))
    split = (present != present[:, :1]).any(1)
    certain = found.quality.astype(np.float64)
    quality = per_item(n, judged.index, certain)
    disputed = per_item(n, positions(judged.index[split]), -certain[split])
    columns = {"consensus": consensus, "consensus_quality": quality}
    return Annotated(found.agreement, columns, highest(disputed))
