"""What the base model makes of each response: both its losses; short ones it also has to say."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dataedge.figures import Figure
from dataedge.positions import Positions, per_item, positions
from dataedge.prompt.closed_book import (
    CONTEXTS,
    ITEMS,
    MOST_TOKENS,
    RETRIEVED_TOKENS,
    SHOTS,
    ClosedBook,
    exact_match,
    knowledge,
    unasked,
)
from dataedge.prompt.demonstrations import random_demonstrations
from dataedge.prompt.scores import Likelihood, Tokens, ask_likelihood, ask_tokens
from dataedge.prompt.templates import Strategy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from dataedge.ladder.generate import GenerateRun
    from dataedge.prompt.workspace import Workspace

PROMPTED = ("zero_shot", "few_shot", "without_data", "retrieved")
NAMES = ("exact_match_zero_shot", "exact_match", "knowledge")


FEWEST_RETRIEVED = 16


@dataclass(frozen=True)
class ClosedBookResult:
    """What the base model said.

    Attributes:
        figures: `exact_match_zero_shot`, `exact_match` (of `without_data`) and `knowledge`, each
            with its reason where it could not be measured.
        rungs: prompting rung → its exact match; those that were asked.
        categories: position of an item → its category of knowledge.
    """

    figures: dict[str, Figure]
    rungs: dict[str, Figure] = field(default_factory=dict)
    categories: dict[int, str] = field(default_factory=dict)

    def beside(self, ladder: dict[str, Figure]) -> dict[str, Figure]:
        """The ladder, with the exact match of each rung that was asked in its detail."""
        return {
            rung: replace(figure, detail={**figure.detail, "exact_match": _plain(self.rungs[rung])})
            if rung in self.rungs
            else figure
            for rung, figure in ladder.items()
        }

    def column(self, n: int) -> list[str | None]:
        """The category of each of n items, None where it was not asked."""
        return [self.categories.get(i) for i in range(n)]


def closed_book(workspace: Workspace, chosen: Mapping[str, Strategy]) -> ClosedBookResult:
    """What the base model says, on a sample of evaluation items.

    Args:
        workspace: the data, its sides and vectors, and the base model.
        chosen: rung → strategy: `zero_shot`, `without_data`, and the other rungs that prompt.
    """
    zero = chosen["zero_shot"]
    items = workspace.dataset.items
    reason = unasked([items[i].target for i in workspace.evaluation], workspace.abilities)
    if reason:
        return ClosedBookResult({name: Figure.missing(reason, "share") for name in NAMES})
    rows, longest = _sample(workspace)
    targets = [items[i].target for i in rows]
    one_line = not any("\n" in t.strip() for t in targets)
    speaker = ClosedBook(workspace.engine, workspace.lazy_model, longest + 2, one_line=one_line)
    rungs = {
        rung: _match(workspace, speaker, strategy, rows)
        for rung, strategy in chosen.items()
        if rung in PROMPTED
    }
    found = dict(zip(NAMES, (rungs["zero_shot"], rungs["without_data"]), strict=False))
    if workspace.abilities.remote:
        reason = "answers are drawn from a model on this machine alone, not from a server"
        return ClosedBookResult({**found, "knowledge": Figure.missing(reason, "share")}, rungs)
    few = positions(rows[:ITEMS])
    answers = [_answer(workspace, zero, targets[i]) for i in range(len(few))]
    contexts = [_prompts(workspace, zero, few, turn) for turn in range(CONTEXTS)]
    found["knowledge"], categories = knowledge(
        speaker, contexts, answers, workspace.clusters[few], seed=workspace.seed
    )
    return ClosedBookResult(found, rungs, dict(zip(few.tolist(), categories, strict=False)))


def _match(
    workspace: Workspace, speaker: ClosedBook, strategy: Strategy, rows: Positions
) -> Figure:
    """Exact match of a way to prompt, on as many of the items as can be afforded."""
    if strategy.shots == "retrieved":
        length = workspace.prompt_tokens(strategy)
        rows = positions(rows[: int(RETRIEVED_TOKENS // max(length, 1.0))])
        if len(rows) < FEWEST_RETRIEVED:
            reason = f"prompts of {length:,.0f} tokens are too long to ask for answers"
            return Figure.missing(reason, "share")
    return exact_match(
        speaker,
        [prompt + _lead(strategy) for prompt in workspace.prompts(strategy, rows)],
        [_answer(workspace, strategy, workspace.dataset.items[i].target) for i in rows],
        workspace.clusters[rows],
        seed=workspace.seed,
        strategy=strategy.name,
    )


def _lead(strategy: Strategy) -> str:
    """What a template puts before the response, a line break say; a last space is the model's."""
    return strategy.template.answer.partition("{response}")[0].rstrip(" ")


def _answer(workspace: Workspace, strategy: Strategy, target: str) -> str:
    """What is to be said after a prompt and its lead."""
    return workspace.prompter.answer(strategy, target).removeprefix(_lead(strategy))


def _plain(figure: Figure) -> dict[str, Any]:
    return {k: v for k, v in asdict(figure).items() if k != "detail"}


def both_losses(workspace: Workspace, ladder_run: GenerateRun) -> dict[str, NDArray[np.float64]]:
    """Both zero-shot losses of each evaluated response in bits, and what follows from them.

    Returns:
        Columns over all items, shape (n,), NaN where not measured: `loss_given` = L(y|x);
        `loss_alone` = L(y), the same template asked of an empty prompt;
        `pvi_bits` = L(y) − L(y|x) = log2 p(y|x) − log2 p(y) (pointwise V-information, Ethayarajh
        et al. 2022, whose models are tuned, which this one is not);
        `ifd_loss_ratio` = L(y|x) / L(y) (instruction-following difficulty, Li et al. 2023; their
        code divides perplexities).
    """
    rungs, strategy = ladder_run.rungs, ladder_run.chosen["zero_shot"]
    given = rungs.outcomes["zero_shot"].bits
    items = [workspace.dataset.items[i] for i in rungs.index]
    prompts = [workspace.prompter.prompt(strategy, [""] * len(i.texts)) for i in items]
    targets = [workspace.prompter.answer(strategy, i.target) for i in items]
    answers = ask_likelihood(workspace.engine, Likelihood(workspace.lazy_model), prompts, targets)
    alone = np.array([np.nan if a is None else a.bits for a in answers], np.float64)
    ratio = np.divide(given, alone, out=np.full(len(given), np.nan), where=alone > 0)
    found = {
        "loss_given": given,
        "loss_alone": alone,
        "pvi_bits": alone - given,
        "ifd_loss_ratio": ratio,
    }
    n = len(workspace.dataset.items)
    return {name: per_item(n, rungs.index, values) for name, values in found.items()}


def _sample(workspace: Workspace) -> tuple[Positions, int]:
    """Evaluation items whose answer is short enough, as many as the probe says, and the longest."""
    rng = np.random.default_rng(workspace.seed)
    rows = rng.permutation(workspace.evaluation)[: 2 * workspace.probe.items]
    texts = [workspace.dataset.items[i].target for i in rows]
    sizes = np.array(
        [len(t) for t in ask_tokens(workspace.engine, Tokens(workspace.lazy_model), texts)],
        np.int64,
    )
    fits = np.flatnonzero(sizes <= MOST_TOKENS)[: workspace.probe.items]
    return positions(rows[fits]), int(sizes[fits].max(initial=0))


def _prompts(workspace: Workspace, strategy: Strategy, rows: Positions, turn: int) -> list[str]:
    """Prompts under one draw of four demonstrations, other than those of the ladder."""
    items, train = workspace.dataset.items, workspace.splits.train
    shots = random_demonstrations(items, train, SHOTS, workspace.seed + 1 + turn)
    shown = Strategy(strategy.template, strategy.form, "random", SHOTS)
    written = [workspace.prompter.prompt(shown, items[i].texts, shots) for i in rows]
    return [prompt + _lead(strategy) for prompt in written]
