"""Reasons 1 and 2: would more demonstrations help, and would they fit?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from dataedge.verdict.advice import signed
from dataedge.verdict.edge_rule import surely_above, surely_below
from dataedge.verdict.grounds import Answer, Grounds, Reason

if TYPE_CHECKING:
    from dataedge.ladder.prompt_curve import Point, PromptCurve

COMFORTABLE = 0.5
"""Share of the context up to which demonstrations fit it comfortably."""
_MOST_DOUBLINGS = 30.0
"""Beyond that no number of demonstrations is named."""


def prompting_ceiling(g: Grounds) -> Reason:
    """Has the curve over the number of demonstrations flattened below what is learned?"""
    curve, last = g.curve, g.curve.last
    evidence = {
        "curve_over_k": [_point(p) for p in curve.points],
        "strategy": curve.strategy,
        "gain_per_doubling": {**curve.slope.brief, "since_k": curve.since, "n": curve.slope.n},
        "learned_over_the_last": None if last is None else last.behind.brief,
        "tuning_gain": g.counted.brief,
        "tried": [
            {name: t[name] for name in ("rung", "strategy", "development", "n") if name in t}
            for t in g.tried
        ],
    }

    def answered(answer: Answer, why: str) -> Reason:
        return Reason("prompting_ceiling", answer, why, evidence)

    if surely_below(g.counted, g.delta):
        return answered(
            "not_supported", "Learning from the data does not reach beyond the best prompting."
        )
    if last is None or curve.slope.low is None:
        return answered("unknown", f"No curve over demonstrations: {_no_curve(curve)}.")
    rise = signed(curve.slope, curve.slope.unit)
    steps = f"from {curve.since} to {last.k} demonstrations {rise} per doubling"
    if surely_above(curve.slope, g.delta):
        return answered("not_supported", f"More demonstrations still help: {steps}.")
    if not surely_below(curve.slope, g.delta):
        return answered(
            "unknown", f"Whether more demonstrations help is within its error: {steps}."
        )
    if surely_above(g.counted, g.delta) and surely_above(last.behind, g.delta):
        why = (
            f"More demonstrations no longer help ({steps}), and learning reaches "
            f"{signed(last.behind, last.behind.unit)} further."
        )
        return answered("supported", why)
    why = (
        f"More demonstrations no longer help ({steps}); whether learning does is within its error."
    )
    return answered("unknown", why)


class Needed(NamedTuple):
    """Demonstrations with which prompting comes within δ of what is learned.

    Attributes:
        about: by the values, on the curve or beyond it; None where it does not rise.
        at_least: by the ends of the intervals that make it fewest; None where even these do not rise.
    """

    about: float | None
    at_least: float | None


def demonstrations_needed(curve: PromptCurve, delta: float) -> Needed:
    """Where the curve comes within δ of `learned`: between its points, else beyond the last.

    Beyond it the last slope is taken to go on, which is generous: curves level off. In 1 + k the
    last point lies (gap − δ) / slope doublings short.

    Args:
        curve: with at least one point.
        delta: smallest gain worth having.
    """
    points, last = curve.points, curve.points[-1]
    gaps = [p.behind.value if p.behind.value is not None else float("inf") for p in points]
    for before, now in zip((None, *range(len(points))), range(len(points)), strict=False):
        if gaps[now] > delta:
            continue
        if before is None:
            return Needed(float(points[now].k), 0.0)
        share = (gaps[before] - delta) / (gaps[before] - gaps[now])
        low, high = points[before].k, points[now].k
        about = (1 + low) * ((1 + high) / (1 + low)) ** share - 1
        return Needed(about, float(low))
    if not last.k:
        return Needed(1.0, 1.0)  # not one fits, and at least one would be needed
    slope, behind = curve.slope, last.behind

    def beyond(gap: float | None, rise: float | None) -> float | None:
        if gap is None or rise is None or rise <= 0 or (gap - delta) / rise > _MOST_DOUBLINGS:
            return None
        return float((1 + last.k) * 2 ** max(0.0, (gap - delta) / rise) - 1)

    return Needed(beyond(behind.value, slope.value), beyond(behind.low, slope.high))


def prompting_impractical(g: Grounds) -> Reason:
    """Does what must be in the prompt fit it?"""
    curve, last = g.curve, g.curve.last
    evidence: dict[str, Any] = {
        "context_tokens": g.context,
        "own_context_tokens": g.own_context or None,
        "train_tokens": curve.train_tokens if curve.points else None,
        "data_tokens": g.data_tokens,
        "answer_among_nearest": g.covered,
        "learned_over_best_prompt": g.counted.brief,
    }

    def answered(answer: Answer, why: str) -> Reason:
        return Reason("prompting_impractical", answer, why, evidence)

    if last is None or last.behind.low is None:
        return answered("unknown", f"No context was filled: {_no_curve(curve)}.")
    bare = curve.points[0].tokens
    needed = demonstrations_needed(curve, g.delta)
    size = {
        k: None if n is None else bare + n * curve.shown_tokens for k, n in needed._asdict().items()
    }
    evidence |= {
        "filled": {**_point(last), "learned_over_it": last.behind.brief, "n": last.behind.n},
        "demonstrations_needed": needed.about,
        "demonstrations_needed_at_least": needed.at_least,
        "learned_over_a_full_context": None if curve.when_full is None else curve.when_full.brief,
        "tokens_needed": size["about"],
    }
    if surely_below(g.counted, g.delta):
        why = "Prompts that fit reach what learning does"
        tokens = g.request.prompt_tokens
        return answered(
            "not_supported", f"{why}{'' if tokens is None else f', in {tokens:,.0f} tokens'}."
        )
    filled = f"{last.k:,} demonstrations fill {last.tokens:,.0f} of {g.context:,} tokens"
    if surely_below(last.behind, g.delta):
        share = (size["about"] or last.tokens) / g.context
        why = f"About {needed.about or last.k:,.0f} demonstrations reach what learning does"
        if share <= COMFORTABLE:
            return answered("not_supported", f"{why}, in {share:.0%} of the context.")
        return answered("unknown", f"{why}; they fit, and take {share:.0%} of the context.")
    if not (surely_above(last.behind, g.delta) and surely_above(g.counted, g.delta)):
        return answered(
            "unknown", f"{filled}; what they lose against learning is within its error."
        )
    if last.k and curve.shows_all:
        why = f"All {last.k:,} train items fit the prompt: room is not what it lacks."
        return answered("not_supported", why)
    ahead = signed(last.behind, last.behind.unit)
    short = f"{filled}, and learning is {ahead} ahead"
    if not last.k:
        short = f"Not one demonstration fits {g.context:,} tokens, and learning is {ahead} ahead"
    return answered(*_beyond_the_context(g, short, size["about"], size["at_least"]))


def _beyond_the_context(
    g: Grounds, short: str, about: float | None, at_least: float | None
) -> tuple[Answer, str]:
    """Whether what is needed exceeds what the model itself takes, and not just what was filled.

    Args:
        g: the figures.
        short: what was found of the filled context.
        about: tokens needed; None where no number of demonstrations is enough.
        at_least: the same by the ends of the intervals.
    """
    everything = g.curve.points[0].tokens + g.curve.train_tokens
    if about is None:
        told = f"{short}; on this curve no number of demonstrations comes near it."
    elif about > everything:  # the slope that went on would need items that nobody has
        told = (
            f"{short}; more of them would be needed than the {g.curve.train_items:,} train items."
        )
    else:
        told = f"{short}; about {about:,.0f} tokens of them would be needed."
    own = g.own_context
    if g.curve.unfilled:
        return "unknown", f"{short}; no context was filled: {g.curve.unfilled}."
    if not own and at_least is not None:
        return "unknown", f"{told} How many tokens the server's model takes is not known."
    left = g.curve.when_full
    if own and g.curve.points[-1].k and (left is None or not surely_above(left, g.delta)):
        return "unknown", f"{told} The model takes {own:,}."
    if own and everything <= own:
        why = f"{short}; all {g.curve.train_items:,} train items would fit the {own:,} that the model takes."
        return "unknown", why
    return "supported", told


def _point(point: Point) -> dict[str, Any]:
    figure = point.reached
    return {
        "k": point.k,
        "prompt_tokens": point.tokens,
        "value": figure.value,
        "low": figure.low,
        "high": figure.high,
    }


def _no_curve(curve: PromptCurve) -> str:
    """Why there is no curve, or none that rises or falls."""
    last = curve.last
    return (
        curve.missing
        or curve.slope.reason
        or (last.behind.reason if last is not None else "")
        or "no demonstrations were asked with"
    )
