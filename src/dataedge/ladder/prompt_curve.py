"""What prompting reaches with more and more demonstrations, up to a context that is full.

All numbers of demonstrations are asked about the same items, under one template and one draw, the
smaller sets part of the larger ones. Nothing is chosen on this curve.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dataedge.figures import Figure
from dataedge.ladder.outcome import keep
from dataedge.positions import positions
from dataedge.prompt.scores import Tokens, ask_tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from dataedge.items import Item
    from dataedge.ladder.outcome import Outcome
    from dataedge.ladder.rungs import Rungs
    from dataedge.positions import Positions
    from dataedge.prompt.templates import Strategy
    from dataedge.prompt.workspace import Workspace

    Ask = Callable[[Strategy, Positions], Outcome]
    """What a strategy reaches on evaluation items, NaN where the model failed."""

OWN_TOKENS = 4_000
"""Tokens of questions and all their answers at one point of the curve, demonstrations aside."""
ITEMS = {False: (30, 100_000), True: (24, 40)}
"""Evaluation items that are asked about, at least and at most; few where every question has its
price, since nothing is shared between them there."""
UNFILLED = "a server would be sent all demonstrations with every question"
"""Why no context is filled where prompts share nothing; what fits is not known there either."""
SLACK = 48
"""Tokens left free in a full context: joints between texts, and an answer that is written."""
FAR = 4
"""Between the last number of demonstrations that is usual and as many as fit, times which another
number is tried."""


@dataclass(frozen=True)
class Point:
    """Prompting with so many demonstrations.

    Attributes:
        k: demonstrations.
        tokens: mean tokens of a prompt.
        reached: in the task's unit.
        behind: `learned` less this, on the same items.
    """

    k: int
    tokens: float
    reached: Figure
    behind: Figure


@dataclass(frozen=True)
class PromptCurve:
    """The curve over the number of demonstrations.

    Attributes:
        points: by k; the last one fills the context, or shows all train items if they fit.
        slope: gain per doubling of 1 + k over the last step of at least one doubling.
        since: k at which that step begins.
        when_full: what `learned` would still be ahead by if the last slope went on to as many
            demonstrations as the model's own context takes, or as there are; None where that is not
            known. Of the same items: paired with `learned` and with both ends of the slope.
        strategy: template, label form and draw, by the name at the last point.
        shown_tokens: mean tokens of a demonstration.
        train_items: that could be shown.
        missing: why there is no curve; empty where there is one.
        unfilled: why the context could not be filled; empty where it was.
    """

    points: tuple[Point, ...] = ()
    slope: Figure = field(default_factory=lambda: Figure.missing("nothing was asked"))
    since: int = 0
    strategy: str = ""
    shown_tokens: float = 0.0
    train_items: int = 0
    missing: str = ""
    unfilled: str = ""
    when_full: Figure | None = None

    @property
    def last(self) -> Point | None:
        """The fullest prompt."""
        return self.points[-1] if self.points else None

    @property
    def shows_all(self) -> bool:
        """Whether all that could be shown is shown at the last point."""
        return bool(self.points) and self.points[-1].k >= self.train_items

    @property
    def train_tokens(self) -> float:
        """Tokens of all train items as demonstrations."""
        return self.shown_tokens * self.train_items


class Work(NamedTuple):
    """What the curve asks. Estimates.

    Attributes:
        prompts: questions.
        tokens: that are run where prompts share their beginnings.
        sent: that are sent where they do not.
        filled: questions with as many demonstrations as fit.
    """

    prompts: int
    tokens: float
    sent: float
    filled: int


def prompt_curve(workspace: Workspace, rungs: Rungs, ask: Ask) -> PromptCurve:
    """Ask with no, some, and as many demonstrations as fit, about the same items.

    Args:
        workspace: the data, its sides and vectors, and the base model.
        rungs: the ladder; its chosen prompt with random demonstrations is asked, and compared with
            `learned`.
        ask: what a strategy reaches on evaluation items.
    """
    base = rungs.shown_prompt
    if base is None or "learned" not in rungs.outcomes:
        return PromptCurve(missing="the base model was not asked with demonstrations")
    bare = replace(base, shots="none", k=0, draw=0)
    answers = sum(map(len, workspace.dataset.labels)) / 4 or workspace.item_tokens / 2
    own = workspace.prompt_tokens(bare) + answers
    remote = workspace.abilities.remote
    rows = asked_rows(rungs, own, remote=remote, seed=workspace.seed)
    asked = positions(list(dict.fromkeys(rungs.index[rows].tolist())))
    usual = workspace.shot_counts("random")
    steps = ladder_of_k(usual, max(usual, default=0) if remote else fill(workspace, base, asked))
    strategies = {k: replace(base, shots="random", k=k) if k else bare for k in steps}
    found = {k: ask(strategy, asked) for k, strategy in strategies.items()}
    good = np.all([np.isfinite(o.gain) for o in found.values()], axis=0)
    if not good.any():
        return PromptCurve(missing="the model failed on a prompt of every item")
    shown = demonstration_tokens(workspace, replace(base, shots="random", k=max(1, steps[-1])))
    curve = curve_of(
        rungs.on(rows[good], {f"k {k}": _kept(o, good) for k, o in found.items()}),
        steps,
        bare=workspace.prompt_tokens(bare),
        shown=shown,
        train_items=len(workspace.splits.train),
        own_context=workspace.abilities.own_context,
    )
    unfilled = UNFILLED if remote else ""
    return replace(curve, strategy=strategies[steps[-1]].name, unfilled=unfilled)


def curve_of(
    on: Rungs,
    steps: Sequence[int],
    *,
    bare: float,
    shown: float,
    train_items: int,
    own_context: int,
) -> PromptCurve:
    """The curve of rungs that were asked about the same items.

    Args:
        on: `learned`, and the rungs `k 0`, `k 8` and so on.
        steps: these numbers of demonstrations, ascending.
        bare: tokens of a prompt without demonstrations.
        shown: tokens of a demonstration.
        train_items: that could be shown.
        own_context: tokens that the model itself takes; 0 where nobody tells.
    """
    points = tuple(
        Point(k, bare + k * shown, on.figure(f"k {k}"), on.difference("learned", f"k {k}"))
        for k in steps
    )
    last = steps[-1]
    since = max((k for k in steps if 1 + k <= (1 + last) / 2), default=0)
    slope, when_full = Figure.missing("not one demonstration fits the context", on.unit), None
    if last > 0:
        doublings = float(np.log2(1 + last) - np.log2(1 + since))
        slope = divided(on.difference(f"k {last}", f"k {since}"), doublings)
        room = min(train_items, int((own_context - bare) / max(shown, 1.0)))
        more = max(0.0, float(np.log2((1 + max(room, 0)) / (1 + last)))) / doublings
        when_full = on.extrapolated("learned", f"k {last}", f"k {since}", more)
    return PromptCurve(
        points,
        slope,
        since,
        shown_tokens=shown,
        train_items=train_items,
        when_full=when_full if own_context else None,
    )


def asked_rows(rungs: Rungs, own: float, *, remote: bool, seed: int) -> NDArray[np.int64]:
    """Rows of the ladder that are asked about, shape (m,): as many items as `OWN_TOKENS` come to.

    An item with several labels has a row for each.

    Args:
        rungs: the ladder.
        own: tokens of a question with its answer.
        remote: every question has its price.
        seed: of the draw.
    """
    _, first = np.unique(rungs.index, return_index=True)
    first.sort()
    n = number_of_items(len(first), own, remote=remote)
    chosen = np.random.default_rng(seed).permutation(len(first))[:n]
    return np.flatnonzero(np.isin(rungs.index, rungs.index[first[chosen]]))


def number_of_items(evaluation: int, own: float, *, remote: bool) -> int:
    """How many items the curve is asked about.

    Example:
        >>> number_of_items(300, 20.0, remote=False), number_of_items(300, 100.0, remote=False)
        (200, 40)
    """
    least, most = ITEMS[remote]
    return min(evaluation, most, max(least, int(OWN_TOKENS / max(own, 1.0))))


def fill(workspace: Workspace, base: Strategy, indices: Positions) -> int:
    """Demonstrations that fit the context beside the longest of some questions with its answer."""
    s, items = workspace, workspace.dataset.items
    most = len(s.splits.train)
    bare = s.prompts(replace(base, shots="none", k=0, draw=0), indices)
    answers = [s.prompter.answer(base, items[i].target) for i in indices]
    longest = max(_lengths(s, [p + a for p, a in zip(bare, answers, strict=True)]))
    room = s.abilities.context - longest - SLACK
    by_mean = room / max(s.item_tokens, 1.0)
    if room < 1:
        return 0
    high = min(most, int(2 * by_mean) + 1)
    shown = _shown(s, base, high)
    size = dict(
        zip(
            [item.id for item in shown],
            _lengths(s, [s.prompter.demonstrations(base, [item]) for item in shown]),
            strict=True,
        )
    )
    low = 0
    while low < high:  # smaller draws are part of larger ones
        k = (low + high + 1) // 2
        fits = sum(size[item.id] for item in _shown(s, base, k)) <= room
        low, high = (k, high) if fits else (low, k - 1)
    while low and low * demonstration_tokens(s, replace(base, shots="random", k=low)) > room:
        low -= 1 + low // 20
    return max(low, 0)


def demonstration_tokens(workspace: Workspace, strategy: Strategy) -> float:
    """Mean tokens of a demonstration that a strategy with random ones shows; 0 where it shows none."""
    if not strategy.k:
        return 0.0
    shown = _shown(workspace, strategy, strategy.k)
    return _lengths(workspace, [workspace.prompter.demonstrations(strategy, shown)])[0] / strategy.k


def ladder_of_k(usual: list[int], filled: int) -> list[int]:
    """Numbers of demonstrations: none, the usual ones from 8 on, and as many as fit.

    Where these lie far apart, one between them as well.

    Args:
        usual: that are tried on the ladder.
        filled: that fit the context.

    Example:
        >>> ladder_of_k([4, 8, 16], 180), ladder_of_k([4, 8, 16], 20), ladder_of_k([], 1)
        ([0, 8, 16, 53, 180], [0, 8, 16, 20], [0, 1])
    """
    steps = {0, filled} | {k for k in usual[-2:] if k < filled}
    below = max((k for k in steps if k < filled), default=0)
    if below and filled > FAR * below:
        steps.add(int(np.sqrt(below * filled)))
    return sorted(steps)


def divided(figure: Figure, by: float) -> Figure:
    """A figure per unit of something: value and interval over `by`."""
    if figure.value is None or figure.low is None or figure.high is None:
        return figure
    return replace(figure, value=figure.value / by, low=figure.low / by, high=figure.high / by)


def work(
    evaluation: int,
    development: int,
    item: float,
    bare: float,
    context: int,
    train: int,
    *,
    usual: list[int],
    remote: bool,
) -> Work:
    """What the curve costs, for `plan`.

    Args:
        evaluation: items to report on.
        development: items that a calibration is fitted to; 0 where there is none.
        item: tokens of an item with its answer.
        bare: tokens of a question with its answers.
        context: tokens that fit.
        train: items that can be shown.
        usual: numbers of demonstrations that are tried on the ladder.
        remote: every question has its price.
    """
    filled = min(train, max(0, int((context - bare - SLACK) / max(item, 1.0))))
    if remote:
        filled = max(usual, default=0)
    steps = ladder_of_k(usual, filled)
    items = development + number_of_items(evaluation, bare, remote=remote)
    shown = sum(steps) * item
    asked = items * len(steps)
    return Work(asked, asked * bare + shown, asked * bare + items * shown, 0 if remote else items)


def _shown(workspace: Workspace, base: Strategy, k: int) -> list[Item]:
    """The random demonstrations of a strategy's draw."""
    return workspace.shots(
        replace(base, shots="random", k=k), positions(workspace.splits.train[:1])
    )[0]


def _lengths(workspace: Workspace, texts: list[str]) -> list[int]:
    found = ask_tokens(workspace.engine, Tokens(workspace.lazy_model), texts)
    return [len(ids) for ids in found]


def _kept(outcome: Outcome, mask: NDArray[np.bool_]) -> Outcome:
    return keep({"": outcome}, mask)[""]
