"""Can the base model say it by heart? Greedy continuation against the true one, and a control."""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import TYPE_CHECKING

import numpy as np

from dataedge.figures import Figure, mean_figure
from dataedge.prompt.scores import Generate, ask_text, cut_share
from dataedge.prompt.templates import Strategy

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from dataedge.engine.local import Engine
    from dataedge.models.lazy import LazyModel
    from dataedge.prompt.probe import Probe

WORDS = 12


def words_in_common(said: str, true: str, limit: int = WORDS) -> float:
    """Share of the true text's first words that what was said begins with.

    Example:
        >>> words_in_common("We the People of a new", "We the people, of the United States", 4)
        1.0
        >>> words_in_common("Once upon", "We the people")
        0.0
    """
    given, wanted = _words(said), _words(true)[:limit]
    run = 0
    for a, b in zip(given, wanted, strict=False):
        if a != b:
            break
        run += 1
    return run / len(wanted) if wanted else 0.0


def longest_run(said: str, true: str) -> int:
    """Words of the longest passage that both have word for word, wherever it stands.

    Example:
        >>> longest_run("he met us at the old mill", "down at the old mill, by the stream")
        4
    """
    given, wanted = ([w for w in _words(text) if w] for text in (said, true))
    match = SequenceMatcher(None, given, wanted, autojunk=False)
    return match.find_longest_match().size


def others(clusters: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each item the position of another one, of another cluster where there is one.

    Example:
        >>> others(np.array([5, 5, 7, 8])).tolist()
        [2, 2, 3, 0]
    """
    n = len(clusters)
    out = (np.arange(n) + 1) % n
    for i in range(n):
        away = ((i + step) % n for step in range(1, n))
        out[i] = next((j for j in away if clusters[j] != clusters[i]), out[i])
    return out


def recall(
    engine: Engine,
    lazy_model: LazyModel,
    probe: Probe,
    write: Callable[[Strategy, int], str],
    targets: list[str],
    clusters: NDArray[np.int64],
    *,
    seed: int,
) -> Figure:
    """Mean share of the first words that greedy generation reproduces, over that of a control.

    Args:
        engine: runs the generation.
        lazy_model: the base model.
        probe: gives template, number of items and tokens.
        write: the prompt of the i-th target under a strategy.
        targets: responses, or rests of passages.
        clusters: shape (n,), of the items.
        seed: of the bootstrap.

    Returns:
        The mean, with `detail.control`: the same against another item's text, which shows how
        much two texts of this kind begin alike anyway. `detail.longest_run` is the mean number of
        words of the longest run in common with the item's own text, wherever it stands there,
        `longest_run_control` with another item's, `longest_run_most` the longest of all, and
        `longest_run_over_control` the difference with its 95 % interval. The other item is of
        another near-duplicate cluster where there is one.
    """
    n = min(probe.items, len(targets))
    if not n:
        return Figure.missing("no items to generate for", "share")
    strategy = Strategy(probe.templates[0])
    said, cut = ask_text(
        engine, Generate(lazy_model, probe.max_tokens), [write(strategy, i) for i in range(n)]
    )
    own = np.array([words_in_common(s, t) for s, t in zip(said, targets[:n], strict=True)])
    other = others(clusters[:n])
    control = np.array([words_in_common(s, targets[j]) for s, j in zip(said, other, strict=True)])
    runs = [longest_run(s, t) for s, t in zip(said, targets[:n], strict=True)]
    control_runs = [longest_run(s, targets[j]) for s, j in zip(said, other, strict=True)]
    over = mean_figure(
        np.subtract(runs, control_runs).astype(np.float64), clusters[:n], unit="words", seed=seed
    )
    return mean_figure(
        own,
        clusters[:n],
        unit="share",
        seed=seed,
        control=float(control.mean()),
        words=WORDS,
        longest_run=float(np.mean(runs)),
        longest_run_control=float(np.mean(control_runs)),
        longest_run_over_control=[over.value, over.low, over.high],
        longest_run_most=max(runs),
        cut_share=cut_share(cut),
    )


def _words(text: str) -> list[str]:
    return ["".join(c for c in w if c.isalnum()) for w in text.casefold().split()]
