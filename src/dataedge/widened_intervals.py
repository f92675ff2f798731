"""Intervals that carry more than the luck of the evaluation items: of train side, weights and prompts too."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from scipy.special import ndtri, stdtrit

from dataedge.figures import Figure

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Carried:
    """Which luck an interval carries: shares of its variance, 1 in all.

    Attributes:
        items: which items were evaluated on.
        train_side: which items the learner learned from.
        development: which items weighted the prompts and the learner.
        prompts: which prompts, and which demonstrations in them.
        refits: fits that the last three were told from; 0 where the items alone were looked at.
        fine_tune: how far a fine-tune falls from what is predicted of it.
    """

    items: float = 1.0
    train_side: float = 0.0
    development: float = 0.0
    prompts: float = 0.0
    refits: int = 0
    fine_tune: float = 0.0

    @property
    def held_out(self) -> float:
        """The share that falls with the number of held-out items."""
        return self.items + self.development

    @property
    def sentence(self) -> str:
        """What the interval carries, in words."""
        if not self.refits and not self.fine_tune:
            return "Its interval carries the luck of the evaluation items alone."
        named = {
            "the train side": self.train_side,
            "the development items": self.development,
            "the prompts": self.prompts,
        }
        seen = [f"of {name} ({share:.0%})" for name, share in named.items() if share >= 0.005]
        unseen = [name for name, share in named.items() if share < 0.005 and self.refits]
        items = f"the luck of the evaluation items ({self.items:.0%} of its variance)"
        adds = "adds" if len(unseen) == 1 and unseen[0] == "the train side" else "add"
        rest = f"; {_listed(unseen)} {adds} nothing to it" if unseen else ""
        return f"Its interval carries {_listed([items, *seen])}{self.of_fine_tunes}{rest}."

    @property
    def of_fine_tunes(self) -> str:
        """The last part, in words; empty where it is none."""
        if not self.fine_tune:
            return ""
        return f", beside how far fine-tunes fall from what is predicted ({self.fine_tune:.0%})"

    def beside(self, share: float) -> Self:
        """The same where a fine-tune's own luck is this share of the variance."""
        left = 1.0 - share
        parts = {f.name: left * getattr(self, f.name) for f in fields(self) if f.name != "refits"}
        return replace(self, **{**parts, "fine_tune": share})


def _listed(parts: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(parts[:-1]), *parts[-1:])))


@dataclass(frozen=True)
class Added:
    """Variance that a figure has beside that of its evaluation items, by source.

    Attributes:
        train_side: in squared units of the figure.
        development: the same.
        prompts: the same.
        freedom: degrees of freedom with which the three were estimated.
        refits: fits that they were estimated from.
    """

    train_side: float = 0.0
    development: float = 0.0
    prompts: float = 0.0
    freedom: tuple[float, float, float] = (np.inf, np.inf, np.inf)
    refits: int = 0

    @property
    def parts(self) -> tuple[float, ...]:
        """The three variances."""
        return self.train_side, self.development, self.prompts


@dataclass(frozen=True)
class Measured(Figure):
    """A figure whose interval carries more than the luck of the evaluation items.

    Attributes:
        carried: what it carries.
    """

    carried: Carried = Carried()

    @property
    def described(self) -> dict[str, Any]:
        """The detail, with what the interval carries."""
        return {**self.detail, "interval_carries": vars(self.carried)}


def carried(figure: Figure) -> Carried:
    """What the interval of a figure carries: the evaluation items alone unless it was widened."""
    return figure.carried if isinstance(figure, Measured) else Carried()


def refit_variance(values: Floats, clusters: Ints, classes: Ints | None = None) -> float:
    """Variance over refits of a mean over all items there could be, from means over some of them.

    Refits that are judged on the same n items differ by what they are worth, and by luck with those
    items: Var_b(mean) = σ²_refit + σ²_interaction / n. The second part is in the interval of the items
    already, so it is taken off: two-way analysis of variance without replication (Searle, Casella &
    McCulloch 1992, section 4.3), its interaction summed within clusters. It is taken within classes: a
    refit that says one label more often is right on more items of that label and on fewer of the others,
    which is no luck of single items. What taking off the mean of a class of m clusters leaves is lifted by
    m / (m − 1), class by class, since a cluster may stand in several.

    Args:
        values: shape (R, n), a refit's hit or difference of hits per item; R ≥ 2.
        clusters: shape (n,), near-duplicate cluster of each item.
        classes: shape (n,), label of each item; all of one if None.

    Returns:
        The estimate, without bias: by chance it may lie below 0.

    Example:
        >>> refit_variance(np.array([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]]), np.arange(3))
        0.5
    """
    refits, n = values.shape
    _, inverse = np.unique(clusters, return_inverse=True)
    k = int(inverse.max()) + 1 if n else 0
    codes = np.zeros(n, np.int64) if classes is None else np.asarray(classes)
    groups = [np.flatnonzero(codes == c) for c in np.unique(codes)]
    sizes = [len(np.unique(inverse[rows])) for rows in groups]
    if refits < 2 or max(sizes, default=0) < 2:
        return 0.0
    means = values.mean(axis=1)
    left = values - values.mean(axis=0)
    for rows, size in zip(groups, sizes, strict=True):
        left[:, rows] -= left[:, rows].mean(axis=1, keepdims=True)
        left[:, rows] *= np.sqrt(size / (size - 1)) if size > 1 else 0.0
    sums = np.stack([np.bincount(inverse, row, minlength=k) for row in left])
    interaction = float(np.square(sums).sum()) / (refits - 1) / n**2
    found: float = float(np.square(means - means.mean()).sum()) / (refits - 1) - interaction
    return found


def widened(
    figure: Figure,
    added: Added,
    *,
    bounds: tuple[float, float] = (-1.0, 1.0),
    level: float = 0.95,
) -> Measured:
    """The figure with an interval that carries further, independent sources of luck.

    Each end moves from the value to the root of its squared distance plus z² times the added variance,
    as the method of variance estimates recovery adds independent parts (Zou & Donner 2008). The score
    interval of the items keeps its shape where few items, or none, tell their own variance. Since a dozen
    refits tell a variance roughly, the distance grows by t / z, with the degrees of freedom of the sum by
    Satterthwaite (1946), the items' own taken as many.

    Args:
        figure: with the interval of the evaluation items.
        added: what is added.
        bounds: of the unit.
        level: that the figure's interval has.

    Example:
        >>> plain = Figure(0.1, 0.04, 0.16, 300, "accuracy")
        >>> found = widened(plain, Added(train_side=0.0004))
        >>> round(found.low, 3), round(found.high, 3), round(found.carried.train_side, 2)
        (0.028, 0.172, 0.3)
    """
    shown = {f.name: getattr(figure, f.name) for f in fields(Figure)}
    if figure.value is None or figure.low is None or figure.high is None:
        return Measured(**shown)
    tail = (1.0 + level) / 2
    z2, more = float(ndtri(tail)) ** 2, sum(added.parts)
    below, above = figure.value - figure.low, figure.high - figure.value
    total = max((below**2 + above**2) / 2 / z2 + more, 1e-12)
    error = sum(v**2 / df for v, df in zip(added.parts, added.freedom, strict=True) if v)
    t2 = float(stdtrit(total**2 / error, tail)) ** 2 if error else z2
    low = max(figure.value - float(np.sqrt(t2 * (below**2 / z2 + more))), bounds[0])
    high = min(figure.value + float(np.sqrt(t2 * (above**2 / z2 + more))), bounds[1])
    one, two, three = (v / total for v in added.parts)
    shares = Carried(1.0 - more / total, one, two, three, added.refits)
    ends = {"low": min(low, figure.value), "high": max(high, figure.value)}
    return Measured(**{**shown, **ends}, carried=shares)
