"""What the base model makes of each response: both its losses; short ones it also has to say."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dataedge.figures import Figure
from dataedge.prompt.closed_book import (
    CONTEXTS,
    ITEMS,
    MOST_TOKENS,
    RETRIEVED_TOKENS,
    SHOTS,
    Speaker,
    exact_match,
    knowledge,
    unasked,
)
from dataedge.prompt.scores import Likelihood, Tokens, ask_likelihood, ask_tokens
from dataedge.prompt.templates import Strategy, random_shots
from dataedge.verdict.result import scatter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from dataedge.ladder.generate import GenerateClimb
    from dataedge.prompt.workspace import Setting

PROMPTED = ("zero_shot", "few_shot", "without_data", "retrieved")
NAMES = ("exact_match_zero_shot", "exact_match", "knowledge")


FEWEST_RETRIEVED = 16


@dataclass(frozen=True)
class Spoken:
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


def spoken(setting: Setting, chosen: Mapping[str, Strategy]) -> Spoken:
    """What the base model says, on a sample of evaluation items.

    Args:
        setting: the audit's materials.
        chosen: rung → strategy: `zero_shot`, `without_data`, and the other rungs that prompt.
    """
    zero = chosen["zero_shot"]
    items = setting.dataset.items
    reason = unasked([items[i].target for i in setting.evaluation], setting.facts)
    if reason:
        return Spoken({name: Figure.missing(reason, "share") for name in NAMES})
    rows, longest = _sample(setting)
    targets = [items[i].target for i in rows]
    one_line = not any("\n" in t.strip() for t in targets)
    speaker = Speaker(setting.engine, setting.handle, longest + 2, one_line=one_line)
    rungs = {
        rung: _match(setting, speaker, strategy, rows)
        for rung, strategy in chosen.items()
        if rung in PROMPTED
    }
    found = dict(zip(NAMES, (rungs["zero_shot"], rungs["without_data"]), strict=False))
    if setting.facts.remote:
        reason = "drawn answers are asked of a model on this machine alone, not of a server"
        return Spoken({**found, "knowledge": Figure.missing(reason, "share")}, rungs)
    few = rows[:ITEMS]
    answers = [_answer(setting, zero, targets[i]) for i in range(len(few))]
    contexts = [_prompts(setting, zero, few, turn) for turn in range(CONTEXTS)]
    found["knowledge"], told = knowledge(
        speaker, contexts, answers, setting.clusters[few], seed=setting.seed
    )
    return Spoken(found, rungs, dict(zip(few.tolist(), told, strict=False)))


def _match(
    setting: Setting, speaker: Speaker, strategy: Strategy, rows: NDArray[np.int64]
) -> Figure:
    """Exact match of a way to prompt, on as many of the items as can be afforded."""
    if strategy.shots == "retrieved":
        length = setting.prompt_tokens(strategy)
        rows = rows[: int(RETRIEVED_TOKENS // max(length, 1.0))]
        if len(rows) < FEWEST_RETRIEVED:
            reason = f"prompts of {length:,.0f} tokens are too long to have answers said"
            return Figure.missing(reason, "share")
    return exact_match(
        speaker,
        [prompt + _lead(strategy) for prompt in setting.prompts(strategy, rows)],
        [_answer(setting, strategy, setting.dataset.items[i].target) for i in rows],
        setting.clusters[rows],
        seed=setting.seed,
        strategy=strategy.name,
    )


def _lead(strategy: Strategy) -> str:
    """What a template puts before the response, a line break say; a last space is the model's."""
    return strategy.template.answer.partition("{response}")[0].rstrip(" ")


def _answer(setting: Setting, strategy: Strategy, target: str) -> str:
    """What is to be said after a prompt and its lead."""
    return setting.prompter.answer(strategy, target).removeprefix(_lead(strategy))


def _plain(figure: Figure) -> dict[str, Any]:
    return {k: v for k, v in asdict(figure).items() if k != "detail"}


def both_losses(setting: Setting, climbed: GenerateClimb) -> dict[str, NDArray[np.float64]]:
    """Both zero-shot losses of each evaluated response in bits, and what follows from them.

    Returns:
        Columns over all items, shape (n,), NaN where not measured: `loss_given` = L(y|x);
        `loss_alone` = L(y), the same template asked of an empty prompt;
        `pvi_bits` = L(y) − L(y|x) = log2 p(y|x) − log2 p(y) (pointwise V-information, Ethayarajh
        et al. 2022, whose models are tuned, which this one is not);
        `ifd_loss_ratio` = L(y|x) / L(y) (instruction-following difficulty, Li et al. 2023; their
        code divides perplexities).
    """
    climb, strategy = climbed.climb, climbed.chosen["zero_shot"]
    given = climb.outcomes["zero_shot"].bits
    items = [setting.dataset.items[i] for i in climb.index]
    prompts = [setting.prompter.prompt(strategy, [""] * len(i.texts)) for i in items]
    targets = [setting.prompter.answer(strategy, i.target) for i in items]
    answers = ask_likelihood(setting.engine, Likelihood(setting.handle), prompts, targets)
    alone = np.array([np.nan if a is None else a.bits for a in answers], np.float64)
    ratio = np.divide(given, alone, out=np.full(len(given), np.nan), where=alone > 0)
    found = {
        "loss_given": given,
        "loss_alone": alone,
        "pvi_bits": alone - given,
        "ifd_loss_ratio": ratio,
    }
    n = len(setting.dataset.items)
    return {name: scatter(n, climb.index, values) for name, values in found.items()}


def _sample(setting: Setting) -> tuple[NDArray[np.int64], int]:
    """Evaluation items whose answer is short enough, as many as the probe says, and the longest."""
    rng = np.random.default_rng(setting.seed)
    rows = rng.permutation(np.sort(setting.evaluation))[: 2 * setting.probe.items]
    texts = [setting.dataset.items[i].target for i in rows]
    sizes = np.array(
        [len(t) for t in ask_tokens(setting.engine, Tokens(setting.handle), texts)], np.int64
    )
    fits = np.flatnonzero(sizes <= MOST_TOKENS)[: setting.probe.items]
    return rows[fits], int(sizes[fits].max(initial=0))


def _prompts(setting: Setting, strategy: Strategy, rows: NDArray[np.int64], turn: int) -> list[str]:
    """Prompts under one draw of four demonstrations, other than those of the ladder."""
    items, train = setting.dataset.items, np.sort(setting.splits.train)
    shots = random_shots(items, train, SHOTS, setting.seed + 1 + turn)
    shown = Strategy(strategy.template, strategy.form, "random", SHOTS)
    written = [setting.prompter.prompt(shown, items[i].texts, shots) for i in rows]
    return [prompt + _lead(strategy) for prompt in written]
