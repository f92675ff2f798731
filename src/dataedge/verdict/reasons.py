"""The four reasons to fine-tune, each answered with evidence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from dataedge.items import Task

if TYPE_CHECKING:
    from dataedge.config import AuditConfig
    from dataedge.figures import Figure
    from dataedge.ladder.rungs import Rungs
    from dataedge.prompt.workspace import Workspace
    from dataedge.verdict.decision import Verdict

Answer = Literal["supported", "not_supported", "unknown"]


@dataclass(frozen=True)
class Reason:
    """One reason, whether the data supports it, and why.

    Attributes:
        id: prompting_ceiling, prompting_impractical, data_edge or latency_and_cost.
        answer: supported, not_supported or unknown.
        why: a sentence.
        evidence: the figures behind it.
    """

    id: str
    answer: Answer
    why: str
    evidence: dict[str, Any]


def four_reasons(
    workspace: Workspace,
    config: AuditConfig,
    rungs: Rungs,
    verdict: Verdict,
    *,
    edge: Figure,
    tuning: Figure,
    trials: list[dict[str, Any]],
    tokens: Figure,
    task_gain: Figure | None = None,
) -> list[Reason]:
    """All four, in the order of the report.

    Args:
        workspace: the data, its sides and vectors, and the base model.
        config: thresholds and prices.
        rungs: the ladder.
        verdict: on the edge.
        edge: with the data − without it.
        tuning: learned − the best prompt.
        trials: what each strategy reached on development items.
        tokens: of the dataset.
        task_gain: what of the tuning gain is a reason to tune, if not all of it.
    """
    counted = tuning if task_gain is None else task_gain
    prompted = workspace.dataset.task is not Task.CORPUS
    covered = workspace.answer_among_nearest() if prompted else None
    return [
        prompting_ceiling(trials, counted, delta=verdict.delta, higher_is_better=rungs.sign > 0),
        prompting_impractical(
            tokens, workspace.abilities.context, counted, covered, delta=verdict.delta
        ),
        data_edge(verdict, edge, tuning),
        latency_and_cost(
            rungs.outcomes[rungs.best_prompting].prompt_tokens,
            workspace.tuned_tokens(),
            counted,
            config.price_in,
        ),
    ]


def prompting_ceiling(
    trials: list[dict[str, Any]],
    learned_over_prompting: Figure,
    *,
    delta: float,
    higher_is_better: bool,
) -> Reason:
    """Has the curve over the number of demonstrations flattened below what is learned?

    Args:
        trials: what each strategy reached on development items.
        learned_over_prompting: tuning gain.
        delta: smallest gain worth having.
        higher_is_better: accuracy, or bits per byte.
    """
    sign = 1 if higher_is_better else -1
    curve: dict[str, dict[int, float]] = {"random": {}, "retrieved": {}}
    for t in trials:
        kinds = ("random", "retrieved") if t["k"] == 0 else (t["shots"],)
        for kind in kinds:
            best = curve[kind].get(t["k"])
            if best is None or sign * t["development"] > sign * best:
                curve[kind][t["k"]] = t["development"]
    evidence = {
        "curve_over_k": {kind: sorted(points.items()) for kind, points in curve.items()},
        "measured_on": "development items",
        "tried": [
            {name: t[name] for name in ("rung", "strategy", "development", "n") if name in t}
            for t in trials
        ],
        "tuning_gain": learned_over_prompting.brief,
    }
    steps = [
        sign * (points[-1][1] - points[-2][1])
        for points in evidence["curve_over_k"].values()  # type: ignore[attr-defined]
        if len(points) > 1
    ]
    if not steps or learned_over_prompting.low is None or learned_over_prompting.high is None:
        return Reason(
            "prompting_ceiling", "unknown", "No curve over demonstrations was measured.", evidence
        )
    flat = max(steps) < delta
    if learned_over_prompting.low > 0 and flat:
        why = "More demonstrations no longer help, and learning from the data reaches further."
        return Reason("prompting_ceiling", "supported", why, evidence)
    if learned_over_prompting.high < delta:
        why = "Learning from the data does not reach beyond the best prompt."
        return Reason("prompting_ceiling", "not_supported", why, evidence)
    why = (
        "Learning reaches further, but more demonstrations still help."
        if not flat
        else "The gain of learning over the best prompt is within its error."
    )
    return Reason("prompting_ceiling", "unknown", why, evidence)


def prompting_impractical(
    data_tokens: Figure,
    context: int,
    with_over_prompt: Figure,
    covered: float | None,
    *,
    delta: float,
) -> Reason:
    """Does what the data teaches fit a prompt?

    Args:
        data_tokens: tokens of the distinct train items.
        context: of the model, in tokens.
        with_over_prompt: learned − the best prompt that fits.
        covered: share of held-out items whose answer stands among the nearest train items.
        delta: smallest gain worth having.
    """
    evidence = {
        "data_tokens": data_tokens.value,
        "context_tokens": context,
        "answer_among_nearest": covered,
        "learned_over_best_prompt": with_over_prompt.brief,
    }
    if data_tokens.value is None:
        return Reason("prompting_impractical", "unknown", "Tokens were not counted.", evidence)
    if data_tokens.value <= context:
        why = f"All {data_tokens.value:,.0f} tokens of the data fit the context of {context:,}."
        return Reason("prompting_impractical", "not_supported", why, evidence)
    times = data_tokens.value / context
    if with_over_prompt.low is not None and with_over_prompt.low > 0:
        why = f"The data is {times:.1f} times the context, and the best prompt that fits stays behind."
        return Reason("prompting_impractical", "supported", why, evidence)
    if with_over_prompt.high is not None and with_over_prompt.high < delta:
        why = f"The data is {times:.1f} times the context, but the best prompt that fits loses nothing."
        return Reason("prompting_impractical", "not_supported", why, evidence)
    why = f"The data is {times:.1f} times the context; what the best prompt loses is within its error."
    return Reason("prompting_impractical", "unknown", why, evidence)


def data_edge(verdict: Verdict, edge: Figure, tuning_gain: Figure) -> Reason:
    """The verdict, and the tuning gain beside it."""
    answers: dict[str, Answer] = {
        "edge": "supported",
        "no_edge": "not_supported",
        "inconclusive": "unknown",
    }
    evidence = {"edge": edge.brief, "tuning_gain": tuning_gain.brief}
    return Reason("data_edge", answers[verdict.label], verdict.why[0], evidence)


def latency_and_cost(
    best_tokens: float | None,
    zero_tokens: float | None,
    tuning_gain: Figure,
    price_in: float | None = None,
) -> Reason:
    """What a request costs with the best prompt against the bare prompt of a tuned model.

    Args:
        best_tokens: mean prompt tokens of the best prompting rung.
        zero_tokens: mean prompt tokens of the shortest prompt without demonstrations.
        tuning_gain: a tuned model must not be worse.
        price_in: of a million tokens read; the price of tuning and of a tuned model is not known.
    """
    evidence: dict[str, Any] = {
        "best_prompt_tokens": best_tokens,
        "tuned_prompt_tokens": zero_tokens,
        "cost": "no prices were given",
    }
    if price_in is not None and best_tokens is not None and zero_tokens is not None:
        evidence["cost"] = {
            "best_prompt_per_1000_requests": best_tokens * price_in / 1e3,
            "tuned_prompt_per_1000_requests": zero_tokens * price_in / 1e3,
        }
    if best_tokens is None or zero_tokens is None:
        return Reason("latency_and_cost", "unknown", "Prompt tokens were not counted.", evidence)
    ratio = best_tokens / max(zero_tokens, 1.0)
    evidence["ratio"] = ratio
    sentence = f"The best prompt takes {best_tokens:.0f} tokens, a tuned model {zero_tokens:.0f}"
    if ratio < 1.5:
        return Reason("latency_and_cost", "not_supported", f"{sentence}: little to save.", evidence)
    if tuning_gain.low is not None and tuning_gain.low > 0:
        return Reason(
            "latency_and_cost",
            "supported",
            f"{sentence} ({ratio:.1f} times less) and is better.",
            evidence,
        )
    why = f"{sentence} ({ratio:.1f} times less); whether tuning keeps the quality is not settled."
    return Reason("latency_and_cost", "unknown", why, evidence)
