"""The ladder of short responses where no probabilities are told: which answers are right.

For a server that generates text and nothing else. What retrieval and learning add is seen from
whether the answer that is written matches the response, after the normalisation of
`prompt/answer_match`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dataedge.errors import AuditError, ExitCode
from dataedge.ladder.outcome import Outcome, choose
from dataedge.ladder.prompted import run_prompted
from dataedge.ladder.rungs import Rungs
from dataedge.positions import Positions, positions
from dataedge.prepare.neighbours import nearest
from dataedge.prompt.answer_match import SHORT_WORDS, normalised_match
from dataedge.prompt.scores import Generate, ask_text, cut_share
from dataedge.prompt.search import Trial

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from dataedge.prompt.templates import Strategy
    from dataedge.prompt.workspace import Workspace

EXACT_MATCH = "exact match"
ANSWER_TOKENS = 32


class ExactMatchLadder:
    """Climbs the ladder of prompts and short responses in exact match.

    Args:
        workspace: the data, its sides and vectors, and the base model.

    Raises:
        AuditError: the responses are too long for answers to match them.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.s = workspace
        words = [len(item.target.split()) for item in workspace.dataset.items]
        if np.median(words) > SHORT_WORDS:
            raise AuditError(
                f"responses of {np.median(words):.0f} words (median) are judged in bits per byte, "
                f"and {workspace.abilities.no_bits}: {' '.join(workspace.abilities.notes)}",
                hint="Ask a model on this machine (--model embedded, hf/<path>, gguf/<path>), or a "
                "server that scores given text",
                code=ExitCode.NO_CONCLUSION,
            )

    def hits(
        self, strategy: Strategy, indices: Positions
    ) -> tuple[NDArray[np.float64], float | None]:
        """Where what the model writes matches the item's response, and the share of cut prompts.

        Returns:
            1 for a match, shape (m,); and the share, None where that is not known.
        """
        stage = Generate(self.s.lazy_model, ANSWER_TOKENS)
        said, cut = ask_text(self.s.engine, stage, self.s.prompts(strategy, indices))
        between = strategy.template.between
        first = [text.strip().split(between or "\n\n")[0] for text in said]
        return self.right(first, indices), cut_share(cut)

    def right(self, said: Sequence[str], indices: Positions) -> NDArray[np.float64]:
        """1 where an answer matches the item's response, shape (m,)."""
        items = self.s.dataset.items
        pairs = zip(said, indices, strict=True)
        return np.array([float(normalised_match(a, items[i].target)) for a, i in pairs])

    def attempt(self, strategy: Strategy, m: int) -> Trial[Strategy]:
        """Answers that are right among the first m development items."""
        return _trial(strategy, self.hits(strategy, positions(self.s.development[:m]))[0])

    def prompting(self, strategy: Strategy) -> Outcome:
        """Report a chosen strategy on the evaluation items."""
        hits, cut = self.hits(strategy, self.s.evaluation)
        outcome = _outcome(
            strategy.name,
            self.hits(strategy, self.s.development)[0],
            hits,
            self.s.prompt_tokens(strategy),
            cut_share=cut,
        )
        return replace(outcome, strategy=strategy)

    def on(self, strategy: Strategy, indices: Positions) -> Outcome:
        """What a strategy reaches on some evaluation items."""
        return _outcome(strategy.name, None, self.hits(strategy, indices)[0])

    def run(self) -> tuple[Rungs, list[dict[str, Any]]]:
        """All rungs, and the trials of every strategy."""
        s = self.s
        majority = Counter(s.dataset.items[i].target for i in s.splits.train).most_common(1)[0][0]
        outcomes = {
            "chance": _outcome(
                f"always {majority[:40]!r}, the most frequent response",
                None,
                self.right([majority] * len(s.evaluation), s.evaluation),
            )
        }
        prompted = run_prompted(s, self.attempt, self.prompting)
        outcomes |= prompted.outcomes
        choose(outcomes, "without_data", ("zero_shot", "few_shot"))
        choose(outcomes, "prompted", ("zero_shot", "few_shot", "retrieved"))
        outcomes["learned"] = _outcome(
            f"the response of the most similar of {len(s.splits.train)} train items",
            self._copied(s.development),
            self._copied(s.evaluation),
        )
        choose(outcomes, "with_data", ("retrieved", "learned"))
        rungs = Rungs(
            EXACT_MATCH,
            s.evaluation,
            np.ones(len(s.evaluation)),
            s.clusters[s.evaluation],
            outcomes,
            prompted.missing,
            s.seed,
            no_bits=s.abilities.no_bits,
        )
        return rungs, prompted.trials

    def _copied(self, indices: Positions) -> NDArray[np.float64]:
        """1 where the response of the most similar train item is right, shape (m,)."""
        s = self.s
        near = nearest(s.vectors[indices], s.vectors[s.splits.train], 1)[:, 0]
        return self.right([s.dataset.items[s.splits.train[j]].target for j in near], indices)


def _trial(strategy: Strategy | None, hits: NDArray[np.float64]) -> Trial[Any]:
    return Trial(strategy, len(hits), hits, 1.0 - hits, np.ones(len(hits)))


def _outcome(
    how: str,
    development: NDArray[np.float64] | None,
    evaluation: NDArray[np.float64],
    prompt_tokens: float | None = None,
    **detail: Any,
) -> Outcome:
    trial = None if development is None else _trial(None, development)
    return Outcome(how, trial, evaluation, np.zeros(len(evaluation)), prompt_tokens, detail)
