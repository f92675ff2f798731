"""What the base model makes of each response: both its losses; short ones it also has to say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dataedge.edge.findings import scatter
from dataedge.figures import Figure
from dataedge.probe.knowledge import (
    CONTEXTS,
    ITEMS,
    MOST_TOKENS,
    SHOTS,
    Speaker,
    exact_match,
    knowledge,
    unasked,
)
from dataedge.probe.prompting import Strategy, random_shots
from dataedge.probe.scoring import Likelihood, Tokens, ask_likelihood, ask_tokens

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dataedge.edge.generate import GenerateClimb
    from dataedge.edge.setting import Setting

NAMES = ("exact_match_zero_shot", "exact_match", "knowledge")


def spoken(setting: Setting, zero: Strategy, without: Strategy) -> dict[str, Figure]:
    """What the base model says, on a sample of evaluation items.

    Args:
        setting: the audit's materials.
        zero: the strategy of `zero_shot`.
        without: that of `without_data`.

    Returns:
        `exact_match_zero_shot`, `exact_match` (of `without`) and `knowledge`, each with its reason
        where it could not be measured.
    """
    items = setting.dataset.items
    reason = unasked([items[i].target for i in setting.evaluation], setting.facts)
    if reason:
        return {name: Figure.missing(reason, "share") for name in NAMES}
    rows, longest = _sample(setting)
    targets = [items[i].target for i in rows]
    one_line = not any("\n" in t.strip() for t in targets)
    speaker = Speaker(setting.engine, setting.handle, longest + 2, one_line=one_line)
    found = {
        name: exact_match(
            speaker,
            setting.prompts(strategy, rows),
            [setting.prompter.answer(strategy, t) for t in targets],
            setting.clusters[rows],
            seed=setting.seed,
            strategy=strategy.name,
        )
        for name, strategy in zip(NAMES, (zero, without), strict=False)
    }
    if setting.facts.remote:
        reason = "drawn answers are asked of a model on this machine alone, not of a server"
        return {**found, "knowledge": Figure.missing(reason, "share")}
    few = rows[:ITEMS]
    answers = [setting.prompter.answer(zero, t) for t in targets[:ITEMS]]
    contexts = [_prompts(setting, zero, few, turn) for turn in range(CONTEXTS)]
    found["knowledge"] = knowledge(
        speaker, contexts, answers, setting.clusters[few], seed=setting.seed
    )
    return found


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
    return [setting.prompter.prompt(shown, items[i].texts, shots) for i in rows]
