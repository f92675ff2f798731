"""docs/evidence.md and its chart, from the rows of the arms.

python benchmarks/edge/evidence.py            # writes both
python benchmarks/edge/evidence.py --check    # fails where the page is not what the rows say
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

from run import known
from scored import DELTA, score
from table import FEWEST_ARMS, FEWEST_SOURCES, enough, entry, lines

from dataedge.report.charts import THEMES
from dataedge.report.page.runtime import image

if TYPE_CHECKING:
    from collections.abc import Sequence

DOCS = HERE.parents[1] / "docs"
PAGE, CHART = DOCS / "evidence.md", DOCS / "images" / "evidence-{}.svg"
NAMES = {"classify": "Labels", "generate": "Responses"}
UNITS = {"classify": "points of accuracy", "generate": "bits per byte"}
FRACTION = {"classify": "gains as shares of 1", "generate": "gains in bits per byte"}
SHOWN = {
    "plain": "",
    "shuffled": ", answers shuffled",
    "noise20": ", 20 % of labels wrong",
    "noise40": ", 40 % of labels wrong",
    "twice": ", half of the rows twice",
}

INTRODUCTION = """# Evidence: predictions against real fine-tunes

An audit predicts what a fine-tune would gain over good prompting, without running it. This page holds
such predictions against fine-tunes that were really run. It is made from
`benchmarks/results/edge/arms.parquet` by `python benchmarks/edge/evidence.py`, one row of which `make
edge-arm ARM=NAME` runs again.

**How an arm is made.** A public dataset, a number of train rows, and what was done to them: nothing,
answers shuffled, a share of the labels wrong, rows said twice. The audit is run first, and its
prediction kept. Then the same base model ({models}) is fine-tuned on all train rows with LoRA on all
linear layers: one recipe for all arms, at most {passes} passes, the best pass by development items. Both
are judged on the same held-out items, which neither has seen. The recipe was not tuned on any arm.

**What is compared.** *Predicted* is `learned − prompted`, no fine-tune run. *Realised* is what one ends
up with less `prompted`, the best prompting, rows of the data shown to it: the fine-tune where development
items prefer it to that prompting, and the prompting itself (a gain of 0) where they do not. *Tuned* is
the fine-tune by itself, whatever development items say. What one ends up with less `learned` is how far a
fine-tune fell from the proxy learner. Its spread over datasets, luck with the held-out items taken off,
is what a predicted gain is to have in its interval beside its own measurement
(`verdict/fine_tunes.json`, made by `python benchmarks/edge/run.py --fit`).
"""


def page(rows: Sequence[dict[str, Any]]) -> str:
    """The whole page."""
    models = ", ".join(sorted({r["model"] for r in rows}))
    passes = max(r["epochs"] for r in rows)
    parts = [INTRODUCTION.format(models=models, passes=passes)]
    for task, name in NAMES.items():
        some = sorted((r for r in rows if r["task"] == task), key=lambda r: r["arm"])
        if len(some) >= FEWEST_SHOWN:
            parts += [f"## {name}\n", *section(task, some)]
    parts.append(_limits(rows))
    return "\n".join(parts)


def section(task: str, rows: Sequence[dict[str, Any]]) -> list[str]:
    """Chart, figures and table of one task."""
    found, learned = score(task, rows), lines(rows, "residual")["learned"]
    scale, digits = (100, 1) if task == "classify" else (1, 3)

    def shown(value: float | None) -> str:
        return "–" if value is None else f"{scale * value:+.{digits}f}"

    far = max(rows, key=lambda r: abs(r["residual"]))
    said = Counter(r["verdict"] for r in rows)
    sources = len({r["source"] for r in learned})
    sentence = (
        f"{len(rows)} arms; in {len(learned)} of them, from {sources} sources, the proxy learned "
        "something. "
    )
    if enough(learned):
        line = entry(learned, "residual")
        sentence += (
            f"On the mean a fine-tune lies there {shown(line['mean'])} {UNITS[task]} from the prediction; "
            "for a dataset that is not among these, 95 % of fine-tunes are expected within "
            f"{shown(line['low'])} to {shown(line['high'])}. "
        )
    else:
        sentence += (
            f"That is too few: the table's line is made of {FEWEST_ARMS} from {FEWEST_SOURCES} sources at "
            "least, and until then every predicted gain has the interval of its measurement alone. "
        )
    sentence += (
        f"The farthest arm is {named(far)}, {shown(far['residual'])}. The audits said edge of "
        f"{said['edge']}, no edge of {said['no_edge']}, and left {said['inconclusive']} open. Of "
        f"{sum(not r['preferred'] for r in rows)} arms development items refuse the fine-tune. Where the "
        "proxy learned something, the fine-tune by itself lies "
        f"{shown(_short_of(learned))} from it on the mean: one recipe, with one learning rate and few "
        "passes, on few rows."
    )
    out = [
        f"![Predicted and realised gains over the best prompting](images/evidence-{task}.svg)\n",
        sentence + "\n",
        f"| figure ({FRACTION[task]}) | |\n|---|---|",
    ]
    for name, value in found.figures.items():
        out.append(f"| {name} | {_cell(value)} |")
    out += [
        "",
        f"In {UNITS[task]}; *interval* is that of the measurement, before it is widened.\n",
        "| arm | prompted | learned | tuned | predicted gain | interval | realised | verdict |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for r in rows:
        rungs = " | ".join(
            f"{100 * r[k]:.1f}" if task == "classify" else f"{r[k]:.3f}"
            for k in ("prompted", "learned", "tuned")
        )
        out.append(
            f"| {named(r)} | {rungs} | {shown(r['predicted'])} | {shown(r['predicted_low'])} to "
            f"{shown(r['predicted_high'])} | {shown(r['realised'])} | {r['verdict'].replace('_', ' ')} |"
        )
    missed = [f"- {words.partition(': ')[2]}" for words in found.short]
    if missed:
        out += ["", "What was aimed at and is not reached:\n", *missed]
    return [*out, ""]


def _short_of(rows: Sequence[dict[str, Any]]) -> float | None:
    """Mean of tuned − learned, in the direction of a gain."""
    apart = [r["tuned_gain"] - r["predicted"] for r in rows if r["predicted"] is not None]
    return sum(apart) / len(apart) if apart else None


def named(row: dict[str, Any]) -> str:
    """An arm in words."""
    return f"`{row['set']}` with {row['rows']} rows{SHOWN[row['variant']]}"


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return f"{value[0]:.3f} [{value[1]:.3f}, {value[2]:.3f}]"
    if value is None:
        return "–"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


FEWEST_SHOWN = 3
"""Arms that a section is made of."""


def _limits(rows: Sequence[dict[str, Any]]) -> str:
    sizes = sorted({r["rows"] for r in rows})
    texts = [r for r in rows if r["task"] == "generate"]
    few = "" if enough(lines(texts, "residual")["learned"]) else f" of text ({len(texts)} so far),"
    text = (
        f"- Too few arms are there{few} of a number, of several labels per row: their predictions keep the "
        "interval of the measurement."
    )
    dates = {
        task: sorted(r["date"] for r in rows if r["task"] == task)
        for task in ("classify", "generate")
    }
    spans = ", ".join(
        f"of {'labels' if task == 'classify' else 'text'} {found[0]} to {found[-1]}"
        for task, found in dates.items()
        if found
    )
    return f"""## What this does not show

- One base model, of one size, with {sizes[0]} to {sizes[-1]} train rows. For another model, for more
  than four times or less than a quarter as many rows, or for larger gains, an audit takes twice the
  spread: a rule, not a measurement.
- One fine-tune an arm, with one seed: what a fine-tune varies by from seed to seed is within the spread,
  and is not told apart from it.
- Arms of one source share texts; intervals here resample sources, of which there are few.
{text}
- Verdicts and intervals in the table are those of the audits as they were run ({spans}), with the prompts,
  pools and calibrations of then; δ is {DELTA:g}.
"""


def chart(task: str, rows: Sequence[dict[str, Any]]) -> bytes:
    """Predicted against realised, with the interval of the measurement, a line where they are equal."""
    keys = ("arm", "source", "predicted", "predicted_low", "predicted_high", "realised")
    values = [{k: r[k] for k in keys} for r in rows]
    every = [r[k] for r in rows for k in ("predicted_low", "predicted_high", "realised")]
    ends = [min(*every, 0.0), max(*every, 0.0)]
    form = ".0%" if task == "classify" else ".2f"
    x = {
        "field": "predicted",
        "type": "quantitative",
        "title": "predicted gain over the best prompting",
        "scale": {"domain": ends},
        "axis": {"format": form},
    }
    y = {**x, "field": "realised", "title": "realised by a fine-tune"}
    span = {"x": {**x, "field": "predicted_low"}, "x2": {"field": "predicted_high"}, "y": y}
    colour = {"field": "source", "type": "nominal", "title": "source"}
    line = [{"predicted": end, "realised": end} for end in ends]
    spec = {
        "height": 420,
        "layer": [
            {
                "data": {"values": line},
                "mark": {"type": "line", "strokeDash": [4, 4], "color": "#888"},
                "encoding": {"x": x, "y": y},
            },
            {
                "data": {"values": values},
                "mark": {"type": "rule", "opacity": 0.4},
                "encoding": {**span, "color": colour},
            },
            {
                "data": {"values": values},
                "mark": {"type": "point", "filled": True, "size": 70},
                "encoding": {"x": x, "y": y, "color": colour},
            },
        ],
    }
    return image(spec, THEMES["light"], "svg")


def main() -> int:
    rows = known()
    text = page(rows)
    if "--check" in sys.argv:
        same = PAGE.is_file() and PAGE.read_text(encoding="utf-8") == text
        print(
            "evidence: PASS" if same else "evidence: FAIL docs/evidence.md is not what the rows say"
        )
        return 0 if same else 1
    PAGE.write_text(text, encoding="utf-8")
    for task in NAMES:
        some = [r for r in rows if r["task"] == task]
        if len(some) >= FEWEST_SHOWN:
            Path(str(CHART).format(task)).write_bytes(chart(task, some))
    print(f"evidence: PASS {len(rows)} arms")
    return 0


if __name__ == "__main__":
    sys.exit(main())
