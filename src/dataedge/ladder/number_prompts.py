"""The prompting rungs of `number`: what single prompts expect of an item, and their pool."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dataedge.engine import Step
from dataedge.ladder.number_refits import Expectations
from dataedge.ladder.outcome import Outcome
from dataedge.positions import positions
from dataedge.prompt import panel
from dataedge.prompt.answer_match import last_number
from dataedge.prompt.number_pool import (
    CANDIDATES,
    Grid,
    PooledNumbers,
    candidates,
    expectation,
    pool_numbers,
)
from dataedge.prompt.scores import Choices, Generate, ask_choices, ask_text, cut_share
from dataedge.prompt.search import Trial, calibrated_on

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from dataedge.positions import Positions
    from dataedge.prompt.templates import Strategy
    from dataedge.prompt.workspace import Workspace

    Floats = NDArray[np.float64]

POOL = Step("number_pool", 1, (PooledNumbers,))


class Expected(NamedTuple):
    """What a prompt expects of m items.

    Attributes:
        values: shape (m,), in standard deviations from the train mean; NaN where it gave no number.
        cut: share of prompts whose beginning was cut, None where that is not known.
    """

    values: Floats
    cut: float | None


class AskedNumbers(NamedTuple):
    """What asking the base model reached.

    Attributes:
        outcomes: of zero_shot, few_shot, retrieved, without_data and prompted, as far as reached.
        missing: rung → why it was not reached.
        trials: per prompt: rung, k, shots, R² on development items and their number.
        without: the pool of prompts that were shown nothing or random train items.
        prompted: the pool with retrieved ones too.
        panel: what the pooled prompts expect, one by one.
    """

    outcomes: dict[str, Outcome]
    missing: dict[str, str]
    trials: list[dict[str, Any]]
    without: PooledNumbers
    prompted: PooledNumbers
    panel: Expectations


class NumberPrompts:
    """Asks the base model for numbers.

    A model that tells log-probabilities of given text is asked about candidate numbers; of one that
    does not, the number that it writes is taken.

    Args:
        workspace: the data, its sides and vectors, and the base model.

    Attributes:
        mean: of the train side's numbers.
        scale: their standard deviation.
        z: shape (n,), every item's number in standard deviations from the train mean; NaN for none.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.s = workspace
        train = workspace.numbers[workspace.splits.train]
        self.mean = float(train.mean())
        self.scale = float(train.std()) or 1.0
        self.z: Floats = (workspace.numbers - self.mean) / self.scale

    @cached_property
    def grid(self) -> Grid:
        """Candidates, from the train side."""
        train, items = self.s.splits.train, self.s.dataset.items
        size = CANDIDATES[self.s.abilities.remote]
        return candidates(self.s.numbers[train], [items[i].target for i in train], size)

    def ask(self) -> AskedNumbers:
        """All prompting rungs."""
        chosen = panel.finalists(self.s, self.attempt)
        outcomes = {
            rung: replace(self.pool(members[:1])[0], strategy=members[0])
            for rung, members in chosen.pools.items()
        }
        cheap = chosen.without_data
        outcomes["without_data"], without = self.pool(cheap)
        outcomes["prompted"], prompted = outcomes["without_data"], without
        near = chosen.pools.get("retrieved", [])
        if near:
            outcomes["prompted"], prompted = self.pool([*cheap, *near])
        panel_ = self._panel([*cheap, *near])
        return AskedNumbers(outcomes, chosen.missing, chosen.trials, without, prompted, panel_)

    def _panel(self, members: Sequence[Strategy]) -> Expectations:
        kind = {"none": "zero_shot", "random": "few_shot", "retrieved": "retrieved"}
        values = [self.expected(m, self.held).values for m in members]
        return Expectations(np.stack(values), tuple(kind[m.shots] for m in members))

    @cached_property
    def held(self) -> Positions:
        """Development items, then evaluation items."""
        return positions(np.concatenate([self.s.development, self.s.evaluation]))

    def expected(self, strategy: Strategy, indices: Positions) -> Expected:
        """What a prompt expects of some items, calibrated on all of them."""
        s, prompts = self.s, self.s.prompts(strategy, indices)
        if s.abilities.choices == "logprobs":
            texts = [s.prompter.answer(strategy, text) for text in self.grid.texts]
            stage = Choices(s.lazy_model, texts)
            s.widen(stage, strategy.k if strategy.shots == "random" else 0)
            scores, cut = ask_choices(s.engine, stage, prompts)
            values = (self.grid.values - self.mean) / self.scale
            return Expected(expectation(scores, values), cut_share(cut))
        said, cut = ask_text(s.engine, Generate(s.lazy_model, s.probe.max_tokens), prompts)
        found = [last_number(text.strip().split("\n")[0]) for text in said]
        known = np.array([np.nan if v is None else v for v in found])
        train = s.numbers[s.splits.train]
        return Expected(
            (np.clip(known, train.min(), train.max()) - self.mean) / self.scale, cut_share(cut)
        )

    def attempt(self, strategy: Strategy, m: int) -> Trial[Any]:
        """A prompt on the first m development items, its scale fitted to the other folds."""
        indices = positions(self.s.development[:m])
        found = pool_numbers(self.expected(strategy, indices).values[None], self.z[indices])
        return self.trial(strategy, found.development, indices)

    def trial(self, strategy: Strategy | None, predicted: Floats, indices: Positions) -> Trial[Any]:
        """Squared error that predictions take away from that of the train mean."""
        given = self.z[indices]
        left = np.square(given - predicted)
        whole = np.square(given)
        return Trial(strategy, len(indices), whole - left, left, whole)

    def on(self, strategy: Strategy, indices: Positions) -> Outcome:
        """What a strategy reaches on some evaluation items, calibrated on development items."""
        s = self.s
        most = calibrated_on(len(indices), remote=s.abilities.remote)
        tried = positions(s.development[:most])
        held = positions(np.concatenate([tried, indices]))
        found = pool_numbers(self.expected(strategy, held).values[None], self.z[tried])
        judged = self.trial(None, found.evaluation, indices)
        return Outcome(strategy.name, None, judged.gain, np.zeros(len(indices)))

    def pool(self, members: Sequence[Strategy]) -> tuple[Outcome, PooledNumbers]:
        """One prompt, or several as one, reported on the evaluation items."""
        s = self.s
        asked = [self.expected(strategy, self.held) for strategy in members]
        inputs: dict[str, Any] = {
            "expected": np.stack([a.values for a in asked]),
            "given": self.z[s.development],
        }
        pooled = s.engine.once(POOL, inputs, lambda _: pool_numbers(**inputs))
        used = [m for m, w in zip(members, pooled.weights, strict=True) if w > 0]
        how = members[0].name if len(members) == 1 else f"a pool of {len(members)} prompts"
        cut = [a.cut for a in asked if a.cut is not None]
        detail = {
            "pool": {m.name: float(w) for m, w in zip(members, pooled.weights, strict=True)},
            "answered": float(np.mean([np.isfinite(a.values).mean() for a in asked])),
            "cut_share": float(np.mean(cut)) if cut else None,
        }
        outcome = self.outcome(
            how if used else f"the train mean: {how} is not better",
            pooled.development,
            pooled.evaluation,
            detail,
            sum(map(s.prompt_tokens, used if len(members) > 1 else members)) or None,
        )
        return outcome, pooled

    def outcome(
        self,
        how: str,
        development: Floats | None,
        evaluation: Floats,
        detail: dict[str, Any] | None = None,
        prompt_tokens: float | None = None,
    ) -> Outcome:
        """Predictions in standard deviations from the train mean as a rung."""
        s = self.s
        trial = self.trial(None, evaluation, s.evaluation)
        return Outcome(
            how,
            None if development is None else self.trial(None, development, s.development),
            trial.gain,
            np.zeros(len(s.evaluation)),
            prompt_tokens,
            detail or {},
            predicted=self.mean + self.scale * evaluation,
        )
