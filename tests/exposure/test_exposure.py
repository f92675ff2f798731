from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from dataedge.engine.local import Engine
from dataedge.errors import AuditError
from dataedge.exposure import blind_classifier, dataset_inference, exposure, power
from dataedge.exposure.control_test import control_test
from dataedge.exposure.field_test import random_field_test
from dataedge.exposure.fields import Field, random_field
from dataedge.exposure.order_test import order_ranks, order_test
from dataedge.exposure.permutation import (
    arms_test,
    auroc,
    auroc_interval,
    matching_test,
    rank_sum_test,
)
from dataedge.exposure.rows import load_control
from dataedge.items import Dataset, Item, Task
from dataedge.models.base import Moments
from dataedge.models.lazy import LazyModel, ModelAbilities
from dataedge.progress import Progress
from dataedge.store import Store
from tests.models import tiny

if TYPE_CHECKING:
    from pathlib import Path

NULLS = 400
BOUND = 0.05 + 2 * np.sqrt(0.05 * 0.95 / NULLS)
NAMES = ["Ada", "Ben", "Cleo", "Dan", "Eve", "Finn", "Gus", "Hal", "Ivy", "Jo", "Kim", "Leo"]
THINGS = ["card", "loan", "fee", "account", "transfer", "cheque", "note", "branch", "till", "desk"]


def tickets(n: int, seed: int = 0) -> list[str]:
    rng = random.Random(seed)
    return [
        f"{rng.choice(NAMES)} and {rng.choice(NAMES)} asked about the {rng.choice(THINGS)} and the "
        f"{rng.choice(THINGS)}, reference {rng.randrange(100_000):05d}, and left"
        for _ in range(n)
    ]


def corpus(texts: list[str], rows: list[int] | None = None) -> Dataset:
    places = rows or list(range(1, len(texts) + 1))
    items = tuple(Item((t[:9],), t[9:], r) for t, r in zip(texts, places))
    return Dataset("rows", Task.CORPUS, items, len(items), {"text": "text"})


# -- p-values hold under the null, and find what is there ------------------------------------


def normal_blocks(rng: np.random.Generator, d: float, blocks: int = 5, m: int = 20) -> list[Any]:
    """Scores with easy and hard rows, liked and disliked values, and own values d above."""
    rows, values = rng.normal(0, 3, (blocks, m, 1)), rng.normal(0, 3, (blocks, 1, m))
    return list(rng.normal(size=(blocks, m, m)) + rows + values + d * np.eye(m))


def test_false_positives_of_the_field_test_stay_within_its_level() -> None:
    rng = np.random.default_rng(1)
    found = [matching_test(normal_blocks(rng, 0), seed=i, draws=999)[0] for i in range(NULLS)]
    assert np.mean(np.array(found) <= 0.05) <= BOUND


def test_the_field_test_has_the_power_it_states() -> None:
    rng = np.random.default_rng(2)
    for effect, blocks in ((0.6, 5), (0.7, 2), (0.6, 2)):
        runs = [
            matching_test(normal_blocks(rng, power.shift(effect), blocks), seed=i, draws=999)
            for i in range(200)
        ]
        stated = power.among_decoys(20 * blocks, 19, effect)
        assert abs(np.mean([p <= 0.01 for p, _ in runs]) - stated) < 0.1
        assert abs(np.mean([rank for _, rank in runs]) - effect) < 0.03


def test_a_value_that_the_model_likes_everywhere_is_no_evidence() -> None:
    liked = np.tile(np.linspace(0, 50, 20), (20, 1))
    assert matching_test([liked] * 5, seed=0, draws=999)[0] > 0.9


def test_false_positives_of_the_order_test_stay_within_its_level() -> None:
    rng = np.random.default_rng(3)
    found = [rank_sum_test(order_ranks(rng.normal(size=(10, 10)), seed=i), 9) for i in range(NULLS)]
    assert np.mean(np.array(found) <= 0.05) <= BOUND
    tied = [rank_sum_test(order_ranks(np.zeros((10, 10)), seed=i), 9) for i in range(NULLS)]
    assert np.mean(np.array(tied) <= 0.05) <= BOUND


def test_the_order_test_has_the_power_it_states() -> None:
    rng = np.random.default_rng(4)
    scores = rng.normal(size=(NULLS, 12, 10))
    scores[:, :, 0] += power.shift(0.8)
    found = [rank_sum_test(order_ranks(s, seed=i), 9) <= 0.01 for i, s in enumerate(scores)]
    assert abs(np.mean(found) - power.among_decoys(12, 9, 0.8)) < 0.1


def test_false_positives_of_dataset_inference_stay_within_its_level() -> None:
    rng = np.random.default_rng(5)
    mixing = rng.normal(size=(4, 4))
    found = [
        dataset_inference.infer(
            rng.normal(size=(60, 4)) @ mixing, rng.normal(size=(60, 4)) @ mixing, seed=i
        )[0]
        for i in range(100)
    ]
    assert np.mean(np.array(found) <= 0.05) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 100)


def test_the_test_of_two_arms_has_the_power_it_states() -> None:
    rng = np.random.default_rng(6)
    for n, effect in ((157, 0.60), (40, 0.70), (60, 0.60)):
        runs = [
            arms_test(rng.normal(power.shift(effect), 1, n), rng.normal(size=n), seed=i, draws=999)
            for i in range(200)
        ]
        assert abs(np.mean(np.array(runs) <= 0.01) - power.two_arms(n, effect)) < 0.1


def test_rows_that_are_stranger_than_the_control_are_no_finding() -> None:
    rng = np.random.default_rng(7)
    suspect, control = rng.normal(-1, 1, (200, 4)), rng.normal(0, 1, (200, 4))
    assert dataset_inference.infer(suspect, control, seed=0)[0] > 0.5
    p, n, areas = dataset_inference.infer(control, suspect, seed=0)
    assert p < 0.001
    assert n == 100
    assert areas["fitted"] > 0.7


def test_silence_is_underpowered_unless_an_effect_would_have_shown() -> None:
    said = power.concluded(0.4, 30, power.two_arms(30, 0.6), at=0.6, found="found")
    assert (said.status, said.value) == ("underpowered", 0.4)
    said = power.concluded(0.4, 400, power.two_arms(400, 0.6), at=0.6, found="found")
    assert said.status == "ok"
    assert "no sign" in said.reason
    assert power.concluded(0.001, 30, 0.1, at=0.6, found="found").reason == "found"


# -- gates ------------------------------------------------------------------------------------


def test_the_arms_gate_passes_arms_of_one_source_and_stops_two() -> None:
    texts = tickets(240)
    lows = [
        blind_classifier.arms_gate(texts[k::4][:60], texts[k + 1 :: 4][:60], seed=k)[1]
        for k in range(3)
    ]
    assert sum(low > 0.5 for low in lows) <= 1
    other = [t.replace("asked about", "wanted to know of") for t in texts[120:]]
    assert blind_classifier.arms_gate(texts[:120], other, seed=0)[1] > 0.9
    longer = [t + " " + t for t in texts[120:]]
    assert blind_classifier.arms_gate(texts[:120], longer, seed=0)[1] > 0.9


def test_auroc_interval_covers() -> None:
    rng = np.random.default_rng(8)
    drawn = [auroc_interval(rng.normal(0.5, 1, 60), rng.normal(size=60)) for _ in range(300)]
    truth = auroc(rng.normal(0.5, 1, 4000), rng.normal(size=4000))
    assert np.mean([low <= truth <= high for _, low, high in drawn]) > 0.9


@pytest.mark.parametrize(
    ("arrange", "why"),
    [
        (sorted, "sorted by alphabet"),
        (lambda texts: sorted(texts, key=len), "sorted by length"),
        (lambda texts: [f"row {i}: {t}" for i, t in enumerate(texts)], "sorted by a number"),
        (lambda texts: sorted(texts, key=lambda t: t.split("about")[1]), "neighbours are alike"),
    ],
)
def test_an_order_that_tells_itself_is_refused(arrange: Any, why: str) -> None:
    texts = arrange(tickets(120))
    assert why in blind_classifier.reason_to_refuse(
        blind_classifier.order_gate(texts, [""] * 120, seed=0)
    )


def test_rows_sorted_by_label_are_refused_and_rows_in_any_order_are_not() -> None:
    texts = tickets(120)
    labels = [str(i // 40) for i in range(120)]
    assert "sorted by label" in blind_classifier.reason_to_refuse(
        blind_classifier.order_gate(texts, labels, seed=0)
    )
    mixed = random.Random(0).sample(labels, 120)
    assert (
        blind_classifier.reason_to_refuse(blind_classifier.order_gate(texts, mixed, seed=0)) == ""
    )


def test_a_field_that_the_row_tells_is_refused() -> None:
    rng = random.Random(0)
    rows = np.arange(100)
    free = [f"{rng.randrange(100_000):05d}" for _ in rows]
    contexts = [t.partition(",")[0] for t in tickets(100)]
    assert (
        blind_classifier.reason_to_refuse(blind_classifier.field_gate(contexts, free, rows, seed=0))
        == ""
    )
    rising = [f"{40_000 + 37 * i:05d}" for i in rows]
    assert "row order" in blind_classifier.reason_to_refuse(
        blind_classifier.field_gate(contexts, rising, rows, seed=0)
    )
    copied = [f"{c} (his {v})" for c, v in zip(contexts, free)]
    assert "holds it already" in blind_classifier.reason_to_refuse(
        blind_classifier.field_gate(copied, free, rows, seed=0)
    )
    branches = [f"{NAMES.index(c.split()[0]):02d}{v[:3]}" for c, v in zip(contexts, free)]
    assert "like rows" in blind_classifier.reason_to_refuse(
        blind_classifier.field_gate(contexts, branches, rows, seed=0)
    )


# -- fields -----------------------------------------------------------------------------------


def test_a_random_field_is_found_with_what_stands_before_it() -> None:
    field = random_field(tickets(50))
    assert isinstance(field, Field)
    assert field.shape == "99999"
    assert field.values[0].startswith(" ")
    assert field.before[0].endswith("reference")
    codes = [t.replace("reference ", "ref #TK-") for t in tickets(50)]
    field = random_field(codes)
    assert isinstance(field, Field)
    assert (field.shape, field.before[0][-1]) == ("AA-99999", "#")


def test_a_field_that_begins_its_row_is_judged_by_what_follows(
    tmp_path: Path, lazy_model: LazyModel
) -> None:
    turned = []
    for text in tickets(40):
        head, _, tail = text.partition(", reference ")
        turned.append(f"{tail[:5]}: {head}")
    field = random_field(turned)
    assert isinstance(field, Field)
    assert (field.forward, field.before[0]) == (False, "")
    assert field.after[0].startswith(": ")
    with Store(tmp_path) as store:
        figure = random_field_test(
            Engine(store, Progress(quiet=True)), lazy_model, corpus(turned), seed=0
        )
    assert figure.n == 40
    assert figure.value is not None
    assert figure.value > 0.001


@pytest.mark.parametrize(
    "value",
    [
        lambda r: f"{r.randrange(1900, 2025)}",
        lambda r: f"{r.randrange(1990, 2025)}-{r.randrange(1, 13):02d}-{r.randrange(1, 29):02d}",
        lambda r: f"{r.randrange(24):02d}:{r.randrange(60):02d}",
        lambda r: f"{r.randrange(100)}",
        lambda r: f"{r.randrange(100_000)}.50",
        lambda r: f"{r.choice(range(5)):05d}",
    ],
    ids=["year", "date", "time", "small", "amount", "repeated"],
)
def test_dates_amounts_and_small_numbers_are_no_random_fields(value: Any) -> None:
    rng = random.Random(0)
    texts = [t.partition(" reference")[0] + f" at {value(rng)} today" for t in tickets(80)]
    assert isinstance(random_field(texts), str)


# -- features and the model -------------------------------------------------------------------


def test_moments_are_those_of_the_whole_vocabulary() -> None:
    import torch

    model = tiny.model(context=64)
    texts = ["Where is my card?", "fee", "", "The river rises in the north " * 6]
    found = model.moments(texts)
    assert len(found[2].logprobs) == 0
    for text, got in zip(texts[:2], found):
        ids = torch.tensor(
            [[*model.tokens.prompts([""])[0], *model.tokens.continuations([text])[0]]]
        )
        with torch.inference_mode():
            logp = model.forward.net(input_ids=ids).logits[0, :-1].double().log_softmax(-1)
        mean = (logp.exp() * logp).sum(-1)
        std = ((logp.exp() * logp**2).sum(-1) - mean**2).sqrt()
        np.testing.assert_allclose(got.logprobs, logp.gather(1, ids[0, 1:, None])[:, 0], atol=1e-4)
        np.testing.assert_allclose(got.mean, mean, atol=1e-4)
        np.testing.assert_allclose(got.std, std, atol=1e-4)
    scored = model.score([""] * 4, texts)
    for one, other in zip(scored, found):
        np.testing.assert_allclose(one.logprobs, other.logprobs, atol=1e-4)
    model.forward.plain = True
    np.testing.assert_allclose(model.moments(texts[:1])[0].std, found[0].std, atol=1e-4)


def test_features_of_a_row() -> None:
    logprobs = np.array([-1.0, -2.0, -3.0, -4.0, -5.0])
    reading = Moments(logprobs, np.full(5, -2.0), np.full(5, 2.0))
    total, per_byte, low, plus = dataset_inference.features("abc", reading)
    assert (total, low, plus) == (-15.0, -5.0, -1.5)
    assert per_byte == pytest.approx(-15 / 11)
    one = dataset_inference.features("a", Moments(np.array([-3.0]), np.zeros(0), np.zeros(0)))
    assert one[2] == one[3] == -3.0


# -- in an audit ------------------------------------------------------------------------------


@pytest.fixture
def lazy_model() -> LazyModel:
    return LazyModel("tiny", "0", lambda _: tiny.model(context=1024))


def test_all_three_tests_run_and_a_rerun_asks_nothing(
    tmp_path: Path, lazy_model: LazyModel
) -> None:
    texts = tickets(240)
    data, control = corpus(texts[:120]), corpus(texts[120:])
    with Store(tmp_path) as store:
        found = exposure(
            Engine(store, Progress(quiet=True)),
            lazy_model,
            lazy_model.abilities(),
            data,
            control,
            seed=0,
        )
        engine = Engine(store, Progress(quiet=True))
        again = exposure(engine, lazy_model, lazy_model.abilities(), data, control, seed=0)
    assert list(found) == ["random_field", "order", "control_set"]
    assert found == again
    assert sum(r.done for r in engine.records.values()) == 0
    for figure in found.values():
        assert figure.value is not None
        assert figure.value > 0.001
        assert figure.unit == "p"
        assert figure.detail["power"] <= 1
    assert found["control_set"].status == "underpowered"
    assert found["order"].detail["rows_per_shard"] >= 5


def test_a_model_that_learned_the_values_by_heart_is_found_out(tmp_path: Path) -> None:
    """A stand-in that gives every row's own value a little more than the others."""
    texts = tickets(100)

    class Learned:
        def score_choices(self, prompts: list[str], choices: list[str]) -> Any:
            rng = np.random.default_rng(len(prompts))
            scores = rng.normal(-11, 1, (len(prompts), len(choices)))
            for i, prompt in enumerate(prompts):
                for j, choice in enumerate(choices):
                    scores[i, j] += 1.0 * any(t.startswith(prompt + choice) for t in texts)
            return scores

        def cut(self, prompts: list[str], behind: Any) -> list[bool | None]:
            return [None] * len(prompts)

    learned = LazyModel("learned", "0", lambda _: Learned())  # type: ignore[arg-type,return-value]
    learned.proven = ModelAbilities(True, True, True, False, 512, ())
    with Store(tmp_path) as store:
        figure = random_field_test(
            Engine(store, Progress(quiet=True)), learned, corpus(texts), seed=0
        )
    assert figure.status == "ok"
    assert figure.value is not None
    assert figure.value < 0.01
    assert "met these rows" in figure.reason


def test_what_cannot_be_tested_is_skipped_or_refused(tmp_path: Path, lazy_model: LazyModel) -> None:
    texts = tickets(80)
    with Store(tmp_path) as store:
        engine, abilities = Engine(store, Progress(quiet=True)), lazy_model.abilities()
        lost = order_test(
            engine, lazy_model, abilities, corpus(texts, [3 * i + 1 for i in range(80)]), seed=0
        )
        assert (lost.status, lost.value) == ("skipped", None)
        assert "order is lost" in lost.reason
        in_order = order_test(engine, lazy_model, abilities, corpus(sorted(texts)), seed=0)
        assert in_order.status == "refused"
        few = order_test(engine, lazy_model, abilities, corpus(texts[:5]), seed=0)
        assert few.status == "skipped"
        alone = control_test(engine, lazy_model, abilities, corpus(texts), None, seed=0)
        assert "--control" in alone.reason
        same = control_test(engine, lazy_model, abilities, corpus(texts), corpus(texts), seed=0)
        assert same.status == "skipped"
        other = corpus([t.replace("asked about", "wanted to know of") for t in tickets(80, 1)])
        trap = control_test(engine, lazy_model, abilities, corpus(texts), other, seed=0)
        assert (trap.status, trap.value) == ("refused", None)
        rising = corpus([t[:-20] + f"ref {30_000 + 41 * i} and left" for i, t in enumerate(texts)])
        assert random_field_test(engine, lazy_model, rising, seed=0).status in (
            "refused",
            "skipped",
        )


def test_an_audit_reports_exposure_only_when_asked(
    small_audit: Any, tiny_model: str, small_dataset: Path, tmp_path: Path
) -> None:
    import io

    import dataedge
    from dataedge.report.model import Report
    from dataedge.report.terminal import show, show_details

    assert small_audit.report.exposure == []
    old = small_audit.report.model_dump(exclude={"exposure"})
    assert Report.model_validate(old).exposure == []
    done = dataedge.audit(
        small_dataset,
        out=str(tmp_path / "a"),
        model=tiny_model,
        probe_items=40,
        control=str(small_dataset),
    )
    assert [e.test for e in done.report.exposure] == ["random_field", "order", "control_set"]
    assert done.report.exposure[2].status == "skipped"  # the control is the data itself
    text = io.StringIO()
    show(done.report, [], text)
    assert "in the model's training?" in text.getvalue()
    show_details(done.report, [], text)
    assert "Seen before?" in text.getvalue()


def test_a_control_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(AuditError, match="--control"):
        load_control(str(tmp_path / "nothing.csv"), corpus(tickets(20)))
