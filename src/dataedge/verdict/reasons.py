"""The four reasons to fine-tune, each answered with evidence of its own.

Each asks something that the others do not: whether more demonstrations would help, whether they
would fit, whether the data is worth anything, whether a request would get cheaper.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dataedge.items import Task
from dataedge.verdict.costs import Prices, cost
from dataedge.verdict.edge_rule import SAVED, surely_above, surely_below
from dataedge.verdict.grounds import Answer, Grounds, Reason
from dataedge.verdict.prompting import prompting_ceiling, prompting_impractical

if TYPE_CHECKING:
    from dataedge.config import AuditConfig
    from dataedge.figures import Figure
    from dataedge.ladder.prompt_curve import PromptCurve
    from dataedge.prompt.latency import Request
    from dataedge.prompt.workspace import Workspace
    from dataedge.verdict.decision import Verdict


def four_reasons(
    workspace: Workspace,
    config: AuditConfig,
    verdict: Verdict,
    *,
    edge: Figure,
    tuning: Figure,
    curve: PromptCurve,
    request: Request,
    trials: list[dict[str, Any]],
    tokens: Figure,
    task_gain: Figure | None = None,
) -> list[Reason]:
    """All four, in the order of the report.

    Args:
        workspace: the data, its sides and vectors, and the base model.
        config: prices.
        verdict: on the edge.
        edge: with the data − without it.
        tuning: learned − the best prompting.
        curve: prompting over the number of demonstrations.
        request: tokens and seconds of a request.
        trials: what each strategy reached on development items.
        tokens: of the dataset.
        task_gain: what of the tuning gain is a reason to tune, if not all of it.
    """
    prompted = workspace.dataset.task is not Task.CORPUS
    return reasons_from(
        Grounds(
            verdict,
            edge,
            tuning,
            tuning if task_gain is None else task_gain,
            curve,
            request,
            verdict.delta,
            workspace.abilities.context,
            workspace.abilities.own_context,
            Prices(
                config.price_in,
                config.price_out,
                config.price_tuned_in,
                config.price_tuned_out,
                config.price_tuning,
            ),
            workspace.answer_among_nearest() if prompted else None,
            tokens.value,
            trials,
        )
    )


def reasons_from(g: Grounds) -> list[Reason]:
    """All four from their figures."""
    return [prompting_ceiling(g), prompting_impractical(g), data_edge(g), latency_and_cost(g)]


def data_edge(g: Grounds) -> Reason:
    """The verdict, and the tuning gain beside it."""
    answers: dict[str, Answer] = {
        "edge": "supported",
        "no_edge": "not_supported",
        "inconclusive": "unknown",
    }
    evidence = {"edge": g.edge.brief, "tuning_gain": g.tuning.brief}
    return Reason("data_edge", answers[g.verdict.label], g.verdict.why[0], evidence)


def latency_and_cost(g: Grounds) -> Reason:
    """What a request costs with the best prompt against the bare prompt of a tuned model."""
    r, priced = g.request, cost(g.request, g.prices)
    evidence: dict[str, Any] = {
        "best_prompt": r.prompt or None,
        "best_prompt_tokens": r.prompt_tokens,
        "tuned_prompt_tokens": r.bare_tokens,
        "answer_tokens": r.answer_tokens,
        "ratio_tokens": r.saved,
        "seconds": None if r.seconds is None else _seconds(r),
        "cost_per_1000_requests": None
        if priced is None
        else {"best_prompt": priced.prompt, "tuned": priced.tuned},
        "break_even_requests": None if priced is None else priced.break_even,
        "tuning_gain": g.tuning.brief,
    }

    def answered(answer: Answer, why: str) -> Reason:
        return Reason("latency_and_cost", answer, why, evidence)

    if r.prompt_tokens is None or r.bare_tokens is None or r.saved is None:
        return answered("unknown", "Prompt tokens were not counted.")
    told = f"The best prompt takes {r.prompt_tokens:,.0f} tokens, a tuned "
    told += f"model {r.bare_tokens:,.0f}"
    # what is paid for is what counts, where the user says what that is
    cheaper = r.saved if priced is None else priced.prompt / max(priced.tuned, 1e-12)
    if priced is not None:
        told += f"; {priced.prompt:,.2f} against {priced.tuned:,.2f} for a thousand requests"
    surely_faster = r.slower is not None and r.slower[1] >= SAVED
    if cheaper < SAVED and not surely_faster:
        return answered("not_supported", f"{told}: little to save.")
    if surely_below(g.tuning, -g.delta):
        return answered("not_supported", f"{told}, but learning falls short of that prompt.")
    if not surely_above(g.tuning, -g.delta):
        why = f"{told}; whether tuning keeps the quality is within its error."
        return answered("unknown", why)
    if priced is not None and g.prices.tuning is not None:
        pays = priced.break_even
        told += (
            "; it never pays for the fine-tune"
            if pays is None
            else f"; the fine-tune has paid after {pays:,.0f} requests"
        )
    return answered("supported", f"{told}, and nothing that counts is lost.")


def _seconds(request: Request) -> dict[str, Any]:
    """The measured seconds for the report."""
    assert request.seconds is not None
    sides = {"best_prompt": request.seconds.prompt, "tuned": request.seconds.bare}
    return {
        "to": f"read the prompt and write {request.written} "
        + ("token" if request.written == 1 else "tokens"),
        "requests": len(request.seconds.bare),
        **{
            name: {"median": float(np.median(s)), "low": float(s.min()), "high": float(s.max())}
            for name, s in sides.items()
        },
    }
