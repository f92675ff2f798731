"""In a notebook: one fragment, well formed, everything from the data escaped, its style its own."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

from dataedge.report.notebook import to_html
from tests.report.made import dataset, report, result, task_result, term

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'&</style></template>"


class Reader(HTMLParser):
    """Tags that are opened, those left open, and the text that is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.attributes: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.open.append(tag)
        self.attributes += [name for name, _ in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1] != "style":
            self.text += data


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    reader.close()
    return reader


def test_it_shows_verdict_terms_and_ladder() -> None:
    made = read(to_html(report()))
    assert made.open == []
    for words in ("edge", "Advice: fine-tune on it.", "new to the model", "partly", "with_data",
                  "0.720 [0.650, 0.790]", "no demonstrations fit", "some.csv"):  # fmt: skip
        assert words in made.text, words
    assert made.tags[:3] == ["div", "template", "style"]
    assert made.tags.count("table") == 2


def test_the_bar_of_the_best_rung_is_the_longest() -> None:
    text = to_html(report())
    assert "width:120px" in text
    assert f"width:{120 * 0.5 / 0.72:.0f}px" in text


def test_nothing_from_the_data_is_obeyed() -> None:
    found = task_result()
    bad = replace(
        found,
        ladder={
            HOSTILE: replace(found.ladder["chance"], unit=HOSTILE, detail={"how": HOSTILE}),
            "few_shot": replace(found.ladder["few_shot"], reason=HOSTILE),
        },
        verdict=replace(found.verdict, why=(HOSTILE,)),
    )
    clean = read(to_html(report()))
    data = replace(result().data, dataset=replace(dataset(), path=HOSTILE))
    terms = (replace(term(), sentence=HOSTILE, of=HOSTILE),)
    made = read(to_html(report(bad, data=data, terms=terms)))
    assert made.open == []
    assert set(made.tags) == set(clean.tags)
    assert set(made.attributes) == set(clean.attributes)
    assert made.text.count(HOSTILE) >= 7
