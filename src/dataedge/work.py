"""What an audit asks the base model, counted before anything runs: prompts and tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from dataedge import exposure
from dataedge.check.texts import BYTES_PER_TOKEN
from dataedge.items import LABELLED, Task
from dataedge.ladder import prompt_curve
from dataedge.ladder.label_prompts import CONTENT_FREE
from dataedge.ladder.prompt_information import CONTEXTS as FIXED_CONTEXTS
from dataedge.ladder.prompt_information import PROMPTS, items_asked
from dataedge.ladder.response_refits import DRAWS
from dataedge.models.base import MAX_CONTEXT
from dataedge.prompt import panel
from dataedge.prompt.answer_match import are_short
from dataedge.prompt.closed_book import CONTEXTS, ITEMS, RETRIEVED_TOKENS, SAMPLES
from dataedge.prompt.demonstrations import DEMONSTRATION_TOKENS
from dataedge.prompt.latency import REQUESTS, SENT
from dataedge.prompt.mixture import MOST
from dataedge.prompt.number_pool import CANDIDATES
from dataedge.prompt.search import calibrated_on, schedule
from dataedge.prompt.templates import label_names

if TYPE_CHECKING:
    from dataedge.config import AuditConfig
    from dataedge.items import Dataset
    from dataedge.prompt.probe import Probe

SCAFFOLD_TOKENS = 8
"""Of a template around an item."""
LINE_TOKENS = 3
"""Beside a label's name, where it is said whether it applies: a line's end, a colon, yes or no."""


class Work(NamedTuple):
    """What the base model is asked. Estimates.

    Attributes:
        prompts: questions.
        tokens: to run.
        data_tokens: of all distinct items.
        filled: questions with as many demonstrations as fit the context.
        repeated: tokens more where prompts do not share their beginnings.
    """

    prompts: int
    tokens: int
    data_tokens: int
    filled: int
    repeated: int


def work(
    dataset: Dataset, config: AuditConfig, probe: Probe, held: int, *, remote: bool = False
) -> Work:
    """What an audit asks: of held-out items, and, where that is wanted, whether the model has seen the data.

    Args:
        dataset: the items.
        config: of the audit.
        probe: the task's.
        held: held-out items.
        remote: a server is asked.
    """
    asked = asking(dataset, probe, held, remote=remote)
    if not (config.exposure or config.control):
        return asked
    size = asked.data_tokens / len(dataset.items)
    prompts, tokens = exposure.work(len(dataset.items), size, control=config.control is not None)
    return asked._replace(prompts=asked.prompts + prompts, tokens=asked.tokens + tokens)


def asking(dataset: Dataset, probe: Probe, held: int, *, remote: bool = False) -> Work:
    """Prompts, tokens to run, and tokens of the data."""
    size = [len(i.text.encode()) + len(i.target.encode()) for i in dataset.items]
    item = sum(size) / len(size) / BYTES_PER_TOKEN
    development, evaluation = held // 4, held - held // 4
    labels = dataset.labels
    forms = 2 if label_names(labels, "humanised") != labels else 1
    continuation = _continuation(dataset)
    if dataset.task is Task.MULTILABEL:  # a line for each label, in demonstrations too
        item += continuation
    bare = item + SCAFFOLD_TOKENS + continuation

    def fitting(shots: str) -> list[int]:
        limit = DEMONSTRATION_TOKENS[shots]
        fits = [k for k in getattr(probe.demonstrations, shots) if k * item <= limit]
        return fits or [max(1, int(limit // item))]

    retrieved = fitting("retrieved")
    longest = max(retrieved) * item + bare
    templates, shown = len(probe.templates), len(fitting("random"))
    candidates = {"zero_shot": templates, "few_shot": 2 * shown, "retrieved": len(retrieved)}
    if dataset.task in LABELLED:
        candidates = panel.sizes(templates, forms, shown, len(retrieved))
    zero, few, near = (  # the finalists are pooled
        schedule(candidates[rung], development, finalists) + finalists * evaluation
        for rung, finalists in panel.FINALISTS.items()
    )
    passes, tokens = zero + few + near, (zero + few) * bare + near * longest
    if dataset.task in (Task.GENERATE, Task.CORPUS):  # finalists with other demonstrations
        redrawn = DRAWS[remote] * panel.FINALISTS["few_shot"] * evaluation
        passes, tokens = passes + redrawn, tokens + redrawn * bare
    if dataset.task in LABELLED:
        passes, tokens = passes + evaluation, tokens + evaluation * item
        if "contextual" in probe.calibration and dataset.task is not Task.MULTILABEL:
            # prompts about no text at all
            empty = len(CONTENT_FREE) * (candidates["zero_shot"] + candidates["few_shot"])
            passes, tokens = passes + empty, tokens + empty * (bare - item)
    elif dataset.task is Task.GENERATE:
        answer = sum(len(i.target.encode()) for i in dataset.items) / len(size) / BYTES_PER_TOKEN
        # behind other items' questions: a mixture's prompts, and one that shows retrieved items,
        # in each of its contexts
        behind = PROMPTS * items_asked(evaluation) * (MOST + FIXED_CONTEXTS)
        passes += evaluation + behind  # and behind an empty prompt
        tokens += evaluation * bare  # the beginnings of other items' prompts are run once
        tokens += behind * answer + PROMPTS * (MOST * bare + FIXED_CONTEXTS * longest)
        if are_short([i.target for i in dataset.items]):  # answers are said as well
            said, drawn = min(evaluation, probe.items), min(evaluation, ITEMS)
            passes += 3 * said + (CONTEXTS + SAMPLES) * drawn
            tokens += (2 * said + (CONTEXTS + SAMPLES) * drawn) * (bare + item)
            tokens += min(said * longest, RETRIEVED_TOKENS)
    calibrated = 0
    if dataset.task in LABELLED:
        items = prompt_curve.number_of_items(evaluation, bare, remote=remote)
        calibrated = min(development, calibrated_on(items, remote=remote))
    curve = prompt_curve.work(
        evaluation,
        calibrated,
        item,
        bare,
        MAX_CONTEXT,
        len(dataset.items) - held,
        usual=fitting("random"),
        remote=remote,
    )
    passes += curve.prompts + SENT
    tokens += curve.tokens + REQUESTS * (longest + bare)
    return Work(
        passes,
        int(tokens),
        int(sum(size) / BYTES_PER_TOKEN),
        curve.filled,
        int(curve.sent - curve.tokens),
    )


def _continuation(dataset: Dataset) -> float:
    """Tokens that are scored or written after a question with a label."""
    if dataset.task is Task.CLASSIFY:
        labels = dataset.labels
        return sum(map(len, labels)) / BYTES_PER_TOKEN if len(labels) > 2 else 2.0
    if dataset.task is Task.MULTILABEL:
        return sum(len(name) / BYTES_PER_TOKEN + LINE_TOKENS for name in dataset.labels)
    if dataset.task is Task.NUMBER:  # digits are tokens, and the end of the line is one
        written = sum(len(i.target) + 1 for i in dataset.items) / len(dataset.items)
        return CANDIDATES[False] * written
    return 0.0
