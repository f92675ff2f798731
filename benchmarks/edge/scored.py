"""How good the predictions were, and whether that is enough."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import spearmanr
from table import enough, entry, lines, luck

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

DELTA = 0.02
FEWEST = {"classify": 40, "generate": 12}
CORRELATION, RIGHT, COVERED = 0.95, 0.90, (0.85, 0.95)
ERROR = {"classify": 0.035, "generate": 0.03}
BIAS = {"classify": 1.0, "generate": 0.01}
RESAMPLES = 2000


@dataclass
class Scores:
    """Figures of one task's arms.

    Attributes:
        task: classify or generate.
        figures: name → value, with intervals over sources where there is one.
        short: what fell short, in words.
    """

    task: str
    figures: dict[str, Any]
    short: list[str] = field(default_factory=list)

    @property
    def table(self) -> str:
        """One line per figure."""
        lines = [f"-- {self.task}"]
        for name, value in self.figures.items():
            shown = f"{value:.3f}" if isinstance(value, float) else value
            if isinstance(value, list):
                shown = f"{value[0]:.3f} [{value[1]:.3f}, {value[2]:.3f}]"
            lines.append(f"   {name:36} {shown}")
        return "\n".join(lines)


def score(task: str, rows: Sequence[dict[str, Any]]) -> Scores:
    """All figures of one task's arms."""
    foretold = np.array([r["predicted"] for r in rows])
    realised = np.array([r["realised"] for r in rows])
    sources = np.array([r["source"] for r in rows])
    figures: dict[str, Any] = {"arms": len(rows), "sources": len(set(sources))}
    figures["Spearman"] = over_sources(
        lambda w: rank_correlation(foretold[w], realised[w]), sources
    )
    alone = np.array([r["tuned_gain"] for r in rows])
    figures["Spearman, the fine-tune by itself"] = over_sources(
        lambda w: rank_correlation(foretold[w], alone[w]), sources
    )
    for name, values in others(task, rows).items():
        figures[f"Spearman of {name}"] = rank_correlation(values, realised)
    apart = realised - foretold
    figures["mean absolute error"] = over_sources(lambda w: float(np.abs(apart[w]).mean()), sources)
    figures["mean error (realised - foretold)"] = over_sources(
        lambda w: float(apart[w].mean()), sources
    )
    if task == "generate":
        off = realised - np.array([r["short"] for r in rows])
        figures["mean absolute error of a short fine-tune"] = float(np.abs(off).mean())
        figures["mean error of it (realised - measured)"] = float(off.mean())
    figures["covered by the measurement, 95 %"] = float(
        np.mean([r["predicted_low"] <= r["realised"] <= r["predicted_high"] for r in rows])
    )
    covered = left_out(rows)
    if covered is not None:
        figures["covered by the interval of a fine-tune, 90 %, source left out"] = covered
    judged = [
        r
        for r in rows
        if r["realised_edge"] is not None
        and abs(r["realised_edge"] - DELTA) > r["realised_edge_error"]
    ]
    verdicts = {r["arm"]: verdict_of(rows, r) for r in rows}
    said = [r for r in judged if verdicts[r["arm"]] != "inconclusive"]
    right = [(verdicts[r["arm"]] == "edge") == (r["realised_edge"] > DELTA) for r in said]
    counted = Counter(verdicts.values())
    figures["verdicts, source left out"] = ", ".join(
        f"{n} {label.replace('_', ' ')}" for label, n in counted.most_common()
    )
    figures["judged"] = len(judged)
    figures["of them said edge or no edge"] = len(said)
    figures["of these right"] = float(np.mean(right)) if right else None
    shuffled = [r["arm"] for r in rows if r["variant"] == "shuffled"]
    misled = [arm for arm in shuffled if verdicts[arm] == "edge"]
    figures["shuffled and called edge"] = ", ".join(misled) or "none"
    return Scores(task, figures, shortfalls(task, figures))


def others(task: str, rows: Sequence[dict[str, Any]]) -> dict[str, Floats]:
    """What an arm's gain would be foretold from without this audit: name → values, shape (arms,)."""

    def column(name: str) -> Floats:
        return np.array([np.nan if r.get(name) is None else r[name] for r in rows], float)

    sign = -1.0 if task == "generate" else 1.0
    found = {
        "row count": column("train_items"),
        "1 - zero-shot": 1 - column("zero_shot") if task == "classify" else column("zero_shot"),
        "learned - zero-shot": sign * (column("learned") - column("zero_shot")),
        "surprisal": column("surprisal"),
        "LogME": column("logme"),
        "COSMOS's linear proxy - zero-shot": column("linear_proxy") - column("zero_shot"),
    }
    return {name: values for name, values in found.items() if np.isfinite(values).all()}


def shortfalls(task: str, figures: dict[str, Any]) -> list[str]:
    """What is less than wanted."""
    best = max(v for k, v in figures.items() if k.startswith("Spearman of"))
    rank, wrong = figures["Spearman"][0], figures["mean absolute error"][0]
    bias = figures["mean error (realised - foretold)"][0]
    covered = figures.get("covered by the interval of a fine-tune, 90 %, source left out")
    right, said = figures["of these right"], figures["of them said edge or no edge"]
    tests = [
        (figures["arms"] >= FEWEST[task], f"{figures['arms']} arms (≥ {FEWEST[task]})"),
        (task == "generate" or rank >= CORRELATION, f"Spearman {rank:.2f} (≥ {CORRELATION})"),
        (rank > best, f"Spearman {rank:.2f}, a baseline has {best:.2f}"),
        (wrong <= ERROR[task], f"mean absolute error {wrong:.3f} (≤ {ERROR[task]})"),
        (abs(bias) <= BIAS[task], f"mean error {bias:+.3f} (± {BIAS[task]})"),
        (
            covered is not None and COVERED[0] <= covered <= COVERED[1],
            "no 90 % interval of a fine-tune can be made"
            if covered is None
            else f"90 % intervals cover {covered:.2f} (.85 to .95)",
        ),
        (
            right is not None and right * said >= RIGHT * figures["judged"],
            f"verdict right in {round((right or 0) * said)} of {figures['judged']} arms, open ones counted "
            "as not (≥ 90 %)",
        ),
        (figures["shuffled and called edge"] == "none", "a shuffled arm was called an edge"),
    ]
    return [f"{task}: {words}" for passed, words in tests if not passed]


def rank_correlation(a: Floats, b: Floats) -> float:
    """Spearman's, 0 where one does not vary."""
    if len(set(a.tolist())) < 2 or len(set(b.tolist())) < 2:
        return 0.0
    return float(spearmanr(a, b)[0])


def over_sources(statistic: Any, sources: NDArray[Any]) -> list[float]:
    """Value and 95 % interval, whole sources resampled: arms of one are not independent."""
    names = np.unique(sources)
    members = [np.flatnonzero(sources == name) for name in names]
    rng = np.random.default_rng(0)
    draws = [
        statistic(np.concatenate([members[i] for i in rng.integers(len(names), size=len(names))]))
        for _ in range(RESAMPLES)
    ]
    low, high = np.percentile(draws, [2.5, 97.5])
    return [statistic(np.arange(len(sources))), float(low), float(high)]


def line_without(
    rows: Sequence[dict[str, Any]], row: dict[str, Any], column: str, level: float
) -> dict[str, Any] | None:
    """The table's line for an arm, made without any arm of its source."""
    others = lines([r for r in rows if r["source"] != row["source"]], column)
    for situation in ("nothing", "learned") if row["nothing_learned"] else ("learned",):
        part = others[situation]
        if enough(part):
            return entry(part, column, level)
    return None


def left_out(rows: Sequence[dict[str, Any]]) -> float | None:
    """Share of residuals inside 90 % intervals that were made without any arm of their source.

    Of arms in which something was learned: the others would flatter. The items are the same on both sides,
    so that their luck with the difference is all that is added.
    """
    inside = []
    for r in rows:
        line = None if r["nothing_learned"] else line_without(rows, r, "residual", 0.90)
        if line is not None:
            reach = 1.645 * luck(r, "residual")
            low, high = (
                -np.hypot(min(line["low"], 0.0), reach),
                np.hypot(max(line["high"], 0.0), reach),
            )
            inside.append(bool(low <= r["residual"] <= high))
    return float(np.mean(inside)) if inside else None


def verdict_of(rows: Sequence[dict[str, Any]], row: dict[str, Any]) -> str:
    """What an audit would say of an arm with the table as it is without the arm's source.

    The whole interval of the measurement is added, which is wider than the items' part that audits add.
    Where no line can be made, it is what the audit said.
    """
    line = line_without(rows, row, "residual_edge", 0.95)
    if row["edge"] is None or line is None:
        return str(row["verdict"])
    below, above = row["edge"] - row["edge_low"], row["edge_high"] - row["edge"]
    if row["edge"] - np.hypot(below, min(line["low"], 0.0)) > DELTA:
        return "edge"
    return (
        "no_edge"
        if row["edge"] + np.hypot(above, max(line["high"], 0.0)) < DELTA
        else "inconclusive"
    )
