"""Do texts say their own label, far more often than they say the others?

A label that was written into the text (a file name, a tag, a column pasted in) is learned at once and
tells nothing about the task. Words of a label also occur by themselves, so that own labels are compared
with the other labels in the same texts, and with labels dealt out anew. And texts name what they are
about, but not all of it alike: many a `barbell` exercise says so, none says `body only`. A label that was
written into texts is found under every label, or always in the same place.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dataedge.figures import Reported
from dataedge.intervals import paired_proportions
from dataedge.prompt.templates import humanise

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Ints = NDArray[np.integer[Any]]

SHUFFLES = 999
LARGEST_P = 0.01
SMALLEST_EXCESS = 0.02
"""Share of texts that say their own label, beyond what they say of others, from which on it is told."""
SMALLEST_RATIO = 1.25
"""How much more often their own label stands in texts than another, from which on it is told."""
SMALLEST_FLOOR = 0.03
"""The same share among the half of the rows whose labels are said least."""
SAME_PLACE = 0.8
"""Share of the commonest place from which on a program is held to have written the labels."""
_FEWEST_PLACES = 10
_HALVINGS = 5
ITEMS = 20_000
"""Items that are read at most, drawn at random."""
_SHOWN = 5
_TOKEN = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True)
class Leak(Reported):
    """The measure `label_leak`.

    Attributes:
        examples: positions in the texts given, at most five, of texts that say their own label.
    """

    examples: tuple[int, ...] = ()


def label_leak(
    texts: Sequence[str], y: Ints, labels: Sequence[str], clusters: Ints, *, seed: int
) -> Leak:
    """Share of texts that say their own label, beyond how often other texts say it.

    A label is said where its words stand in a row, whatever their case, as given or as one would
    say it (`card_arrival`, `card arrival`); of labels within one another the longest counts. The
    p-value is that of a permutation test (Phipson & Smyth 2010: (b + 1) / (m + 1) of m shuffles in
    which as many texts say the label dealt to them): one item of each near-duplicate cluster, labels
    dealt out anew over all.

    Args:
        texts: of n items.
        y: shape (n,), codes of their labels, 0 … K − 1.
        labels: the K labels as given.
        clusters: shape (n,), number of each item's near-duplicate cluster.
        seed: of the shuffles, and of the items read where there are more than 20 000.

    Returns:
        own − other as a share, with its interval over clusters. The detail has `count` and `share` of
        texts with their own label; `other`, how often the same labels stand in texts of other labels;
        `p`; `same_place`, the share of those texts in
        which it is the first or the last word, or follows the commonest word before it; `floor`, the
        value among the labels that are said least, at most half the items, chosen on one half of the
        clusters and measured on the other. It is reported with p ≤ .01, a value of 2 %, 1.25 times as
        many as `other`, and a floor of 3 % or a `same_place` of 80 %.

    Example:
        >>> y = np.arange(100) % 2
        >>> texts = [f"word {i} ({'ham' if c == 0 else 'spam'})" for i, c in enumerate(y)]
        >>> found = label_leak(texts, y, ["ham", "spam"], np.arange(100), seed=0)
        >>> found.value, found.detail["p"], found.reported
        (1.0, 0.001, True)
    """
    rng, every = np.random.default_rng(seed), np.arange(len(texts))
    if len(every) > ITEMS:
        every = np.sort(rng.choice(every, ITEMS, replace=False))
    y, n, K = np.asarray(y)[every], len(every), len(labels)
    present = np.bincount(y, minlength=K)
    if np.count_nonzero(present) < 2:
        return Leak.missing("items of two labels are needed", "share")
    said, places = _said([texts[int(i)] for i in every], labels)
    own = said[np.arange(n), y]
    theirs = np.bincount(y, own, K)
    other = ((said.sum(0) - theirs) / np.maximum(n - present, 1))[y]
    _, single, numbers = np.unique(
        np.asarray(clusters)[every], return_index=True, return_inverse=True
    )
    speaks = single[said[single].any(1)]
    dealt, mentions = y[single], said[speaks]
    seen, rows = int(own[single].sum()), np.arange(len(speaks))
    as_many = 0
    for _ in range(SHUFFLES if len(speaks) else 0):
        by_chance = mentions[rows, rng.permutation(dealt)[: len(speaks)]].sum()
        as_many += int(by_chance >= seen)
    p = (as_many + 1) / (SHUFFLES + 1) if len(speaks) else 1.0
    found = np.flatnonzero(own)
    share, elsewhere = float(own.mean()), float(other.mean())
    excess = share - elsewhere
    floor = _floor(own - other, y, numbers, rng)
    place = _same_place([places[i][y[i]] for i in found])
    beyond = p <= LARGEST_P and excess >= SMALLEST_EXCESS and share >= SMALLEST_RATIO * elsewhere
    written = floor >= SMALLEST_FLOOR or (
        len(found) >= _FEWEST_PLACES and place is not None and place >= SAME_PLACE
    )
    shown = {
        "count": len(found),
        "share": share,
        "other": elsewhere,
        "p": p,
        "shuffles": SHUFFLES,
        "floor": floor,
        "same_place": place,
    }
    apart = paired_proportions(own - other, numbers, unit="share")
    why = "some labels are named by their texts, others are not" if beyond and not written else ""
    return Leak(
        excess,
        apart.low,
        apart.high,
        apart.n,
        apart.unit,
        reason=why,
        detail=shown,
        reported=bool(beyond and written),
        examples=tuple(every[found[:_SHOWN]].tolist()),
    )


def sentence(found: Leak) -> str:
    """What the user is told of a leak; empty where there is none to report.

    Example:
        >>> sentence(Leak.missing("items of two labels are needed", "share"))
        ''
    """
    if not found.reported:
        return ""
    d = found.detail
    return (
        f"{d['count']:,} of {found.n:,} texts ({d['share']:.0%}) say their own label, {d['other']:.1%} "
        f"of others say it too (p = {d['p']:.2g}): if it was written into them, take it out and audit again, "
        "since a learner reads it off"
    )


def _said(
    texts: Sequence[str], labels: Sequence[str]
) -> tuple[NDArray[np.bool_], list[dict[int, str]]]:
    """Which labels each text says, shape (n, K), and where: the word before, or which end."""
    forms: dict[str, dict[tuple[str, ...], int]] = {}
    for code, label in enumerate(labels):
        for form in (label, humanise(label)):
            words = tuple(_TOKEN.findall(form.casefold()))
            if words:
                forms.setdefault(words[0], {}).setdefault(words, code)
    ordered = {
        first: sorted(found.items(), key=lambda f: -len(f[0])) for first, found in forms.items()
    }
    said, places = np.zeros((len(texts), len(labels)), bool), []
    for i, text in enumerate(texts):
        tokens, at, where = _TOKEN.findall(text.casefold()), 0, dict[int, str]()
        while at < len(tokens):
            step = 1
            for words, code in ordered.get(tokens[at], ()):
                if tuple(tokens[at : at + len(words)]) == words:
                    said[i, code], step = True, len(words)
                    last = at + step == len(tokens)
                    before = "first" if at == 0 else "last" if last else tokens[at - 1]
                    where.setdefault(code, before)
                    break
            at += step
        places.append(where)
    return said, places


def _floor(apart: NDArray[np.float64], y: Ints, clusters: Ints, rng: np.random.Generator) -> float:
    """Mean of own − other over items of the labels that are said least: at most half the items.

    The labels are chosen on one half of the clusters and measured on the other, so that luck does
    not choose them; mean of five halvings, both ways.
    """
    K, sums = int(y.max()) + 1, np.zeros(2)
    for _ in range(_HALVINGS):
        first = rng.permutation(int(clusters.max()) + 1)[clusters] % 2 == 0
        for half in (first, ~first):
            size = np.bincount(y[half], minlength=K)
            rate = np.bincount(y[half], apart[half], K) / np.maximum(size, 1)
            known = np.flatnonzero(size)
            if not len(known):
                continue
            order = known[np.argsort(rate[known], kind="stable")]
            few = int((np.cumsum(size[order]) <= size.sum() / 2).sum())
            least = order[: max(few, 1)]
            judged = ~half & np.isin(y, least)
            sums += apart[judged].sum(), judged.sum()
    return float(sums[0] / sums[1]) if sums[1] else 0.0


def _same_place(places: Sequence[str]) -> float | None:
    """Share of the commonest place; None without any."""
    return Counter(places).most_common(1)[0][1] / len(places) if places else None
