"""How frequent each label is among the items that a model will be asked about.

The train side tells it, unless its rows were picked: an owner who took as many rows of every label has a
train side that says nothing of how frequent they are. Development items are held out as those that count
are, so they say how far the train side is to be believed.

Source: prior probability shift, Saerens, Latinne & Decaestecker 2002; the Dirichlet-multinomial
likelihood of counts, Minka 2000.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

AS_DRAWN = 0.9
"""Probability, before anything is seen, that train rows came as the held-out ones did."""
SIZES = 5
"""How many sizes of the train side's word are tried, from one row per label to all rows."""


def count_labels(labels: Ints, n_classes: int, weights: Floats | None = None) -> Floats:
    """How many items have each label, shape (K,).

    Args:
        labels: shape (n,), label numbers.
        n_classes: K.
        weights: shape (n,), how much each item counts; 1 if None.
    """
    return np.bincount(labels, weights, minlength=n_classes).astype(np.float64)


@dataclass(frozen=True)
class LabelPrior:
    """What tells how frequent labels are: train rows, and items whose label is known.

    Attributes:
        train: shape (K,), train items of each label.
        independent: what one known item counts for: clusters per item, as items of one cluster (near
            duplicates, rows of one customer) have their labels from one draw.
    """

    train: Floats
    independent: float = 1.0

    @classmethod
    def of(cls, train: Ints, n_classes: int, known_clusters: Ints | None = None) -> LabelPrior:
        """The prior of some train labels.

        Args:
            train: shape (n,), label numbers.
            n_classes: K.
            known_clusters: shape (m,), clusters of the items whose label is known; each its own if None.
        """
        share = 1.0
        if known_clusters is not None and len(known_clusters):
            share = len(np.unique(known_clusters)) / len(known_clusters)
        return cls(count_labels(train, n_classes), share)

    def knowing(self, labels: Ints, weights: Floats | None = None) -> Floats:
        """Logarithm of how frequent each label is, shape (K,), once some labels are known.

        Args:
            labels: shape (n,), of held-out items.
            weights: shape (n,), how much each counts; 1 if None.
        """
        known = count_labels(labels, len(self.train), weights)
        return log_label_prior(self.train, self.independent * known)


def log_label_prior(train: Floats, known: Floats | None = None) -> Floats:
    """Logarithm of how frequent each label is among held-out items, shape (K,).

    Frequencies of held-out items are drawn from a Dirichlet distribution around those of the train side. Its
    concentration is all train rows, or fewer where these were picked. How many is not known: the mean over
    five is told, each counted by how likely it makes the known items' labels.

    Args:
        train: shape (K,), items of each label on the train side.
        known: shape (K,), of the development items; the train side alone is asked if None.

    Example:
        >>> as_drawn = log_label_prior(np.array([20.0, 20.0]), np.array([11.0, 9.0]))
        >>> np.exp(as_drawn).round(2).tolist()
        [0.52, 0.48]
        >>> picked = log_label_prior(np.array([20.0, 20.0]), np.array([19.0, 1.0]))
        >>> np.exp(picked).round(2).tolist()
        [0.86, 0.14]
    """
    rows = train.sum() + len(train)
    frequency = (train + 1.0) / rows
    if known is None:
        return np.asarray(np.log(frequency))
    sizes = np.geomspace(len(train), rows, SIZES)
    told = np.array([_log_likelihood(known, size * frequency) for size in sizes])
    told[-1] += np.log(AS_DRAWN / (1.0 - AS_DRAWN) * (SIZES - 1))
    weight = np.exp(told - told.max())
    expected = (np.outer(sizes, frequency) + known) / (sizes + known.sum())[:, None]
    return np.asarray(np.log(weight @ expected / weight.sum()))


def _log_likelihood(counts: Floats, concentration: Floats) -> float:
    """Of counts (K,) under a Dirichlet-multinomial, less what does not depend on the concentration."""
    from scipy.special import gammaln  # slow to import

    whole, seen = concentration.sum(), counts.sum()
    of_labels = gammaln(concentration + counts) - gammaln(concentration)
    return float(gammaln(whole) - gammaln(whole + seen) + of_labels.sum())
