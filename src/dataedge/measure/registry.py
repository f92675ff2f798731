"""The list of measures: name, unit, what each one needs, what it returns.

The report takes its names and their order from here, `docs/measures.md` its table, and
`dataedge measures` what it prints. A measure that is not in the list cannot be in a report.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dataedge.items import LABELLED, Task

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dataedge.figures import Figure

EVERY = (Task.CLASSIFY, Task.MULTILABEL, Task.NUMBER, Task.GENERATE, Task.CORPUS)
TEXT = (Task.GENERATE, Task.CORPUS)


@dataclass(frozen=True)
class Measure:
    """One measure of a dataset.

    Attributes:
        name: its key in the report.
        units: of its value; several where the task decides.
        tasks: for which it is measured; for others it is skipped or absent.
        returns: what the value says, in one sentence.
        needs: what it cannot be measured without, beyond the items themselves.
        module: where it is computed.
    """

    name: str
    units: tuple[str, ...]
    tasks: tuple[Task, ...]
    returns: str
    needs: str
    module: str


MEASURES = (
    Measure(
        "known_share",
        ("share",),
        EVERY,
        "How much of the answer's information (of a number's variance) the base model has before it sees "
        "the data; below 0, "
        "prompting misleads it.",
        "log-probabilities from the base model",
        "measure/novelty.py",
    ),
    Measure(
        "surprisal_bits_per_byte",
        ("bits/byte",),
        EVERY,
        "How surprising the texts are to the base model: the inputs to classify, the responses given "
        "their prompts, or the passages.",
        "log-probabilities from the base model",
        "measure/novelty.py",
    ),
    Measure(
        "verbatim_recall",
        ("share",),
        TEXT,
        "How much of a text's first words the base model writes when it is given what comes before.",
        "generation by the base model",
        "measure/verbatim_recall.py",
    ),
    Measure(
        "exact_match_zero_shot",
        ("share",),
        (Task.GENERATE,),
        "How many responses the base model writes itself, asked without demonstrations; compared as "
        "normalised words or as numbers.",
        "responses of 12 words or fewer (median); generation by the base model",
        "prompt/closed_book.py",
    ),
    Measure(
        "exact_match",
        ("share",),
        (Task.GENERATE,),
        "The same, asked with the best prompt without the data.",
        "responses of 12 words or fewer (median); generation by the base model",
        "prompt/closed_book.py",
    ),
    Measure(
        "knowledge",
        ("share",),
        (Task.GENERATE,),
        "How many responses the base model knows at all; the detail has the shares HighlyKnown, "
        "MaybeKnown, WeaklyKnown and Unknown.",
        "responses of 12 words or fewer (median); a base model on this machine",
        "prompt/closed_book.py",
    ),
    Measure(
        "label_noise",
        ("share",),
        LABELLED,
        "How many labels are wrong, estimated; of numeric labels, how many lie far from what the rest "
        "of the data says.",
        "50 labelled items or more",
        "measure/label_noise.py",
    ),
    Measure(
        "label_conflicts",
        ("share",),
        (Task.CLASSIFY, Task.NUMBER),
        "How many items have a near duplicate with another label; of numbers, with one far off.",
        "labels",
        "measure/label_noise.py",
    ),
    Measure(
        "label_leak",
        ("share",),
        (Task.CLASSIFY,),
        "How many texts say their own label, beyond how often other texts say it; reported as a leak "
        "where neither permuted labels nor topics explain it.",
        "labels that are words or numbers",
        "measure/label_leak.py",
    ),
    Measure(
        "label_shift",
        ("share",),
        (Task.CLASSIFY,),
        "How far label frequencies of train and held-out items lie apart, beyond chance; reported where "
        "a tenth or more of the labels would have to be others.",
        "labels on both sides",
        "measure/label_shift.py",
    ),
    Measure(
        "annotator_agreement",
        ("alpha",),
        (Task.CLASSIFY,),
        "How far annotators agree (Krippendorff's α): 1 in everything, 0 as often as by chance; the "
        "detail has the quality of each annotator.",
        "columns of two annotators or more",
        "measure/annotators.py",
    ),
    Measure(
        "definedness",
        ("bits/item", "R²", "bits/byte"),
        (Task.CLASSIFY, Task.MULTILABEL, Task.NUMBER, Task.GENERATE),
        "How much the input tells about the label, the number or the response; near 0, many answers "
        "are acceptable.",
        "log-probabilities from the base model",
        "measure/definedness.py",
    ),
    Measure(
        "disagreement",
        ("share",),
        EVERY,
        "How often rows with the same input have different labels; of numbers and responses, how far "
        "apart they lie: 0 like copies, 1 like any two.",
        "20 inputs that stand in several rows",
        "measure/disagreement.py",
    ),
    Measure(
        "examples_needed",
        ("items",),
        (Task.CLASSIFY,),
        "How many train items a target accuracy takes: `--target`, or δ above what the base model "
        "reaches without the data, or above chance where that is more.",
        "a learning curve that behaves like one",
        "learning_curve/forecast.py",
    ),
    Measure(
        "edge_unseen_pieces",
        ("accuracy",),
        (Task.CLASSIFY,),
        "The edge over items neither of whose two texts stands in a train item; the interval allows "
        "for texts that items share.",
        "items of two texts",
        "measure/shared_pieces.py",
    ),
    Measure(
        "bits_learned",
        ("bits",),
        (Task.CLASSIFY,),
        "How much the learner takes from the train labels: their code length while they are learned, "
        "minus what stays unexplained.",
        "labels",
        "learning_curve/prequential.py",
    ),
    Measure(
        "response_defects",
        ("share",),
        (Task.GENERATE,),
        "How many responses have a defect: empty, truncated, a refusal, boilerplate, a copied prompt, "
        "another language, unrelated, personal data, outlying difficulty.",
        "responses",
        "measure/responses/",
    ),
    Measure(
        "duplicate_share",
        ("share",),
        EVERY,
        "How many rows repeat another row exactly.",
        "nothing more",
        "measure/redundancy.py",
    ),
    Measure(
        "near_duplicate_share",
        ("share",),
        EVERY,
        "How many rows repeat another row nearly or exactly; low and high are the range over thresholds.",
        "nothing more",
        "measure/redundancy.py",
    ),
    Measure(
        "effective_rows",
        ("rows",),
        EVERY,
        "How many rows are left when near duplicates count once; the detail has distinct meanings and "
        "the Vendi score.",
        "vectors for distinct meanings",
        "measure/redundancy.py",
    ),
    Measure(
        "class_balance",
        ("share",),
        (Task.CLASSIFY,),
        "How evenly the labels are spread: 1 where all classes are equally frequent.",
        "labels",
        "measure/volume.py",
    ),
    Measure(
        "tokens",
        ("tokens",),
        EVERY,
        "How many tokens the distinct items have, counted by the base model's tokenizer.",
        "the base model's tokenizer",
        "measure/volume.py",
    ),
)
BY_NAME = {measure.name: measure for measure in MEASURES}


def in_order(figures: Mapping[str, Figure]) -> dict[str, Figure]:
    """Figures in the order of the list.

    Raises:
        ValueError: one of them is not in the list, or has a unit that the list does not give it.
    """
    for name, figure in figures.items():
        if name not in BY_NAME:
            raise ValueError(f"the measure {name!r} is not in measure/registry.py")
        if figure.unit not in BY_NAME[name].units:
            raise ValueError(f"the measure {name!r} is registered with another unit: {figure.unit}")
    return {name: figures[name] for name in BY_NAME if name in figures}


def lines() -> list[str]:
    """The list as text: a line with name, unit and tasks, and what it says and needs below."""
    found = []
    for m in MEASURES:
        found.append(f"{m.name}  {' or '.join(m.units)}  {', '.join(m.tasks)}")
        found.append(f"  {m.returns}")
        found.append(f"  needs: {m.needs}")
    return found


def page() -> str:
    """`docs/measures.md`: the list as a table in Markdown."""
    head = (
        "# Measures",
        "",
        "This page is printed by `dataedge measures --markdown`. Each measure has a value, a 95 %",
        "interval, the number of items behind it, and a status with its reason where it could not be",
        "measured.",
        "[method.md](method.md) says how each one is obtained.",
        "",
        "| measure | unit | tasks | what it says | needs | computed in |",
        "|---|---|---|---|---|---|",
    )
    rows = (
        f"| `{m.name}` | {' or '.join(m.units)} | {', '.join(m.tasks)} | {m.returns} | {m.needs} | "
        f"`{m.module}` |"
        for m in MEASURES
    )
    return "\n".join([*head, *rows]) + "\n"
