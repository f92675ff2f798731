"""Planted defects are found (recall ≥ .95 each), and clean answers are left alone (≤ 2 %)."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from dataedge.measure.responses import (
    KINDS,
    Finding,
    Losses,
    check_responses,
    response_defects,
)
from dataedge.measure.responses.language import check_language
from dataedge.measure.responses.personal import check_personal, luhn
from dataedge.measure.responses.text import (
    check_boilerplate,
    check_copied,
    check_empty,
    check_refusal,
)
from dataedge.measure.responses.truncated import check_truncated

if TYPE_CHECKING:
    from dataedge.measure.responses.check import Check

GSM8K = Path(__file__).parents[3] / "shared" / "data" / "gsm8k" / "train.jsonl"

TOPICS = re.findall(
    r"\w+",
    "invoice parcel warranty password subscription refund keyboard battery mattress bicycle "
    "dishwasher passport curtain telescope guitar tractor greenhouse wallpaper aquarium printer",
)
ACTS = re.findall(r"\w+", "return replace repair register cancel move clean insure rent lend")
WHEN = ("on a Sunday", "before winter", "from abroad", "after a flood", "without a receipt")
STEPS = (
    "open the {t} page and look for the line that mentions {a}ing it {w}",
    "write down when the {t} was bought and who is going to {a} it {w}",
    "send a photograph of the {t} if you want to {a} it {w}",
    "the {t} team answers questions about how to {a} it {w} within two days",
    "keep the box of the {t}, since nobody can {a} it {w} otherwise",
    "most people who {a} a {t} {w} pay nothing for the first month",
)
FOREIGN = {
    "de": "Bitte öffnen Sie zuerst die Seite und folgen Sie dann den Anweisungen auf dem Bildschirm.",
    "fr": "Ouvrez d'abord la page, puis suivez les instructions qui apparaissent à l'écran.",
    "es": "Abra primero la página y siga después las instrucciones que aparecen en la pantalla.",
    "it": "Aprite prima la pagina e seguite poi le istruzioni che compaiono sullo schermo.",
    "pl": "Najpierw proszę otworzyć stronę, a potem postępować zgodnie z instrukcjami na ekranie.",
    "ru": "Сначала откройте страницу, а затем следуйте указаниям на экране.",
    "zh": "请先打开页面，然后按照屏幕上的说明进行操作。",
}
REFUSALS = (
    "I'm sorry, but I can't help with that request.",
    "I cannot provide information about this topic.",
    "As an AI language model, I do not have opinions on such matters.",
    "Unfortunately, I am unable to assist you with this question.",
    "I’m not able to answer that. Please ask something else.",
    "Sorry, I won't be able to generate that content.",
    "I apologize, but I cannot fulfill this request as it goes against my guidelines.",
    "I must decline to answer this question.",
    "Lo siento, pero no puedo ayudarte con eso.",
)
PERSONAL = (
    "Write to jane.doe@corp-mail.de about it.",
    "You can reach Tom at +49 30 1234 5678 until five.",
    "Her mobile: 0171 2345678, ask for her.",
    "Call (212) 555-0182 and mention the order.",
    "Call 212-555-0182 and mention the order.",
    "It was paid with 4539 1488 0343 6467 last week.",
    "The card 4111111111111111 was charged twice.",
    "Paid by 3782-822463-10005, as always.",
)


def every_finding(prompts: list[str], responses: list[str]) -> list[Finding]:
    found = [f for c in check_responses(prompts, responses).values() for f in c.findings]
    return sorted(found, key=lambda f: (f.index, KINDS.index(f.kind)))


def corpus(n: int = 400, seed: int = 0) -> tuple[list[str], list[str]]:
    """Prompts and prose answers, all different, nothing wrong with any of them."""
    rng = np.random.default_rng(seed)
    prompts, responses = [], []
    for i in range(n):
        t, a, w = TOPICS[i % 20], ACTS[i // 20 % 10], WHEN[i // 200 % 5]
        prompts.append(
            f"What do I have to do in order to {a} my {t} {w}, and how long does it take?"
        )
        steps = rng.permutation(len(STEPS))[: rng.integers(2, 5)]
        said = [STEPS[s].format(t=t, a=a, w=w) for s in steps]
        responses.append(" ".join(s[0].upper() + s[1:] + "." for s in said))
    return prompts, responses


def planted(kind: str, n: int = 20, seed: int = 1) -> tuple[list[str], list[str], np.ndarray]:
    """The corpus with a defect in n rows, and which."""
    prompts, responses = corpus()
    return plant(kind, prompts, responses, n, seed)


def plant(
    kind: str, prompts: list[str], responses: list[str], n: int, seed: int
) -> tuple[list[str], list[str], np.ndarray]:
    rng = np.random.default_rng(seed)
    rows = rng.choice(len(prompts), n, replace=False)
    out = list(responses)
    for j, i in enumerate(rows):
        r = responses[i]
        if kind == "empty":
            out[i] = ("", "  \n", "N/A", "null", "-", "TODO", "...")[j % 7]
        elif kind == "truncated":
            out[i] = r[: int(len(r) * rng.uniform(0.3, 0.8))].rstrip(" .\n")
        elif kind == "refusal":
            out[i] = REFUSALS[j % len(REFUSALS)]
        elif kind == "boilerplate":
            said = "Thank you for contacting the customer service team of our company."
            out[i] = f"{said} {r}" if j % 2 else f"{r} {said}"
        elif kind == "copied":
            out[i] = (prompts[i], f"{prompts[i]}\n{r}", f"You ask: {prompts[i].lower()} {r}")[j % 3]
        elif kind == "language":
            out[i] = list(FOREIGN.values())[j % len(FOREIGN)]
        elif kind == "personal_data":
            out[i] = f"{r} {PERSONAL[j % len(PERSONAL)]}"
    return prompts, out, rows


def check_one(kind: str, prompts: list[str], responses: list[str]) -> Check:
    alone = {
        "empty": check_empty,
        "truncated": check_truncated,
        "refusal": check_refusal,
        "boilerplate": check_boilerplate,
    }
    if kind in alone:
        return alone[kind](responses)
    paired = {"copied": check_copied, "language": check_language, "personal_data": check_personal}
    return paired[kind](prompts, responses)


TEXT_KINDS = tuple(k for k in KINDS if k not in ("unrelated", "ifd"))


@pytest.mark.parametrize("kind", TEXT_KINDS)
def test_planted_defects_are_found_and_nothing_else(kind: str) -> None:
    prompts, responses, rows = planted(kind)
    found = check_one(kind, prompts, responses).findings
    flagged = {f.index for f in found}
    assert len(flagged & set(rows)) >= 0.95 * len(rows)
    assert len(flagged - set(rows)) <= 0.02 * len(prompts)
    assert all(f.reason and 0 < f.score <= 1 for f in found)


def test_clean_rows_are_left_alone() -> None:
    assert every_finding(*corpus()) == []


def test_unrelated_answers_stand_out_by_their_vectors() -> None:
    rng = np.random.default_rng(3)
    topic = rng.normal(size=(400, 64))
    prompt, response = (topic + rng.normal(size=(400, 64)) for _ in range(2))
    rows = rng.choice(400, 20, replace=False)
    response[rows] = rng.normal(size=(20, 64))
    unit = [v / np.linalg.norm(v, axis=1, keepdims=True) for v in (prompt, response)]
    texts = corpus()
    check = check_responses(*texts, vectors_prompt=unit[0], vectors_response=unit[1])["unrelated"]
    flagged = {f.index for f in check.findings}
    assert len(flagged & set(rows)) >= 0.95 * len(rows)
    assert len(flagged - set(rows)) <= 0.02 * 400
    # where no response follows from its prompt, no single row is to blame
    noise = rng.normal(size=(400, 64))
    check = check_responses(*texts, vectors_prompt=unit[0], vectors_response=noise)["unrelated"]
    assert not check.findings
    assert "says nothing about a single row" in check.skipped


def test_outlying_loss_ratios_are_found_on_both_sides() -> None:
    rng = np.random.default_rng(4)
    alone = rng.lognormal(0, 0.3, 400)
    given = alone * rng.lognormal(-0.4, 0.1, 400)
    rows = rng.choice(400, 20, replace=False)
    given[rows[:10]] *= 2.5
    given[rows[10:]] /= 2.5
    given[7] = np.nan
    check = check_responses(*corpus(), losses=Losses(given, alone))["ifd"]
    flagged = {f.index for f in check.findings}
    assert len(flagged & set(rows) - {7}) >= 0.95 * len(set(rows) - {7})
    assert len(flagged - set(rows)) <= 4
    assert check.n == 399


def test_personal_values_are_never_repeated() -> None:
    prompts, responses, _ = planted("personal_data")
    found = every_finding(prompts, responses)
    shown = json.dumps([f.reason for f in found if f.kind == "personal_data"])
    assert not any(c.isdigit() for c in shown)
    assert not any("@" in f.reason or "6467" in f.reason for f in found)
    assert "card number in the response" in shown


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("The order has the number 4539 1488 0343 6468.", ""),  # fails its checksum
        ("The total is 12,345,678,901,234 in 2023-01-15 units.", ""),
        ("Multiply 5 * 400000000000 to get 2000000000000.", ""),
        ("See section 2.10.555.0182 of version 1.2.3.4567.", ""),
        ("user@localhost and @decorator and a@b", ""),
        ("Use admin@example.com in the test.", "e-mail address (reserved domain) in the response"),
    ],
)
def test_numbers_that_only_look_personal(text: str, kind: str) -> None:
    found = every_finding(["What is it?"], [text])
    assert [f.reason for f in found if f.kind == "personal_data"] == ([kind] if kind else [])


def test_luhn_catches_every_single_digit_error() -> None:
    good = "4539148803436467"
    assert luhn(good)
    for place in range(16):
        for digit in "0123456789":
            changed = good[:place] + digit + good[place + 1 :]
            assert luhn(changed) == (changed == good)


def test_a_translation_dataset_is_no_defect() -> None:
    prompts = [f"How do I open page number {i} of the manual, please tell me?" for i in range(60)]
    responses = [FOREIGN["de"] for _ in range(57)] + [FOREIGN["fr"]] * 3
    check = check_responses(prompts, responses)["language"]
    assert {f.index for f in check.findings} == {57, 58, 59}


def test_endings_are_judged_by_the_dataset_own_habit() -> None:
    prompts = [f"Name animal number {i}" for i in range(100)]
    titles = [f"the quick brown fox number {i} of the northern forest" for i in range(100)]
    assert not check_responses(prompts, titles)["truncated"].findings
    code = ["Use this:\n```python\nprint(1)\n```"] * 99 + ["Use this:\n```python\nprint("]
    assert [f.index for f in check_responses(prompts, code)["truncated"].findings] == [99]


def test_the_share_names_every_kind_or_the_reason_why_not() -> None:
    prompts, responses, _ = planted("empty")
    figure = response_defects(check_responses(prompts, responses), len(responses))
    assert {*figure.detail["kinds"], *figure.detail["skipped"]} == set(KINDS)
    assert figure.detail["kinds"]["empty"] == 20
    assert set(figure.detail["skipped"]) == {"ifd", "unrelated"}
    assert "losses" in figure.detail["skipped"]["ifd"]
    assert figure.value == figure.detail["items"] / 400
    assert figure.low is not None
    assert figure.high is not None
    assert 0.03 < figure.low < 0.05 <= figure.value < figure.high < 0.1
    assert response_defects({}, 0).status == "skipped"


@pytest.mark.skipif(not GSM8K.exists(), reason="../shared/data/gsm8k is absent")
def test_gsm8k_is_mostly_clean_and_planted_defects_show() -> None:
    rows = [json.loads(line) for line in GSM8K.read_text(encoding="utf-8").splitlines()]
    prompts, responses = [r["question"] for r in rows], [r["answer"] for r in rows]
    share = response_defects(check_responses(prompts, responses), len(responses))
    assert share.value is not None
    assert share.value <= 0.02
    prompts, responses = prompts[:1000], responses[:1000]
    for kind in TEXT_KINDS:
        p, r, planted_rows = plant(kind, prompts, responses, 60, 5)
        flagged = {f.index for f in check_one(kind, p, r).findings}
        assert len(flagged & set(planted_rows)) >= 0.95 * 60, kind
        assert len(flagged - set(planted_rows)) <= 0.02 * len(p), kind


@pytest.mark.skipif(not GSM8K.exists(), reason="../shared/data/gsm8k is absent")
@pytest.mark.long
def test_gsm8k_answers_are_close_to_their_questions_and_swapped_ones_are_not() -> None:
    from dataedge.models.embedder import open_embedder

    lines = GSM8K.read_text(encoding="utf-8").splitlines()[:250]
    rows = [json.loads(line) for line in lines]
    texts = [[r[key] for r in rows] for key in ("question", "answer")]
    encode = open_embedder("embedded").encode
    prompt, response = (
        np.asarray(encode(t, batch_size=64, normalize_embeddings=True, show_progress_bar=False))
        for t in texts
    )
    checks = check_responses(*texts, vectors_prompt=prompt, vectors_response=response)
    assert not checks["unrelated"].skipped
    assert len({f.index for c in checks.values() for f in c.findings}) <= 0.02 * 250
    swapped = np.random.default_rng(0).choice(250, 20, replace=False)
    response[swapped] = response[np.roll(swapped, 1)]
    checks = check_responses(*texts, vectors_prompt=prompt, vectors_response=response)
    flagged = {f.index for f in checks["unrelated"].findings}
    assert len(flagged & set(swapped)) >= 0.95 * 20
    assert len(flagged - set(swapped)) <= 0.02 * 250
