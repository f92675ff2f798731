"""A plan counts the data exactly, grows with what is asked for, and says what would leave."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from dataedge.cli.plan import TRAINING, Plan, plan
from dataedge.errors import AuditError
from dataedge.models import precision, speed
from dataedge.pilot.amount import SHARE_OF_TIME
from dataedge.pilot.recipe import Recipe
from dataedge.work import SCAFFOLD_TOKENS

if TYPE_CHECKING:
    from pathlib import Path

REMOTE = {"model": "openai/some", "base_url": "http://models.example.org/v1"}


@pytest.fixture
def rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    lines = [f"sentence number {i} about cards and fees,{'abc'[i % 3]}" for i in range(300)]
    file = tmp_path / "rows.csv"
    file.write_text("text,label\n" + "\n".join([*lines, lines[0]]) + "\n")
    return file


def made(file: Path, **options: Any) -> Plan:
    return plan(str(file), {"model": "openai/some", "base_url": "http://localhost:9/v1", **options})


def test_rows_and_items_are_counted_exactly(rows: Path) -> None:
    found = made(rows)
    assert (found.rows, found.unique, found.task) == (301, 300, "classify")
    assert found.held_out == 120  # at most 40 % of the items
    assert made(rows, probe_items=40).held_out == 40
    assert made(rows, limit=100).unique == 100
    assert not list(rows.parent.glob("audits"))


def test_more_items_and_exposure_cost_more(rows: Path) -> None:
    few, many = made(rows, probe_items=40), made(rows, probe_items=120)
    assert few.passes < many.passes
    assert few.tokens < many.tokens
    tested = made(rows, probe_items=40, exposure=True)
    assert tested.passes > few.passes
    assert tested.tokens > few.tokens


def test_what_a_server_elsewhere_would_be_sent_is_refused_until_named(rows: Path) -> None:
    found = plan(str(rows), REMOTE)
    assert found.sent is not None
    assert (found.sent.host, found.sent.loopback, found.sent.consented) == (
        "models.example.org", False, False,
    )  # fmt: skip
    text = "\n".join(found.lines())
    assert "refused until --send-to models.example.org is given" in text
    named = plan(str(rows), {**REMOTE, "send_to": "models.example.org"})
    assert named.sent is not None
    assert named.sent.consented
    assert "refused" not in "\n".join(named.lines())


def test_cost_follows_the_prices(rows: Path) -> None:
    sent = made(rows, price_in=2.0, price_out=10.0).sent
    assert sent is not None
    assert sent.cost == pytest.approx((2 * sent.tokens_in + 10 * sent.tokens_out) / 1e6)
    assert "no prices given" in "\n".join(made(rows).lines())


def test_a_plan_refuses_what_the_audit_would_refuse(rows: Path) -> None:
    with pytest.raises(AuditError, match="--probe-items"):
        made(rows, probe_items=3)
    with pytest.raises(AuditError, match="no column 'nowhere'"):
        made(rows, label_column="nowhere")


def test_a_filled_context_is_counted_and_not_sent_to_a_server(rows: Path) -> None:
    """The curve over demonstrations asks about held-out items with as many as fit 4,096 tokens."""
    here = plan(str(rows), {})
    assert 0 < here.filled <= here.held_out
    assert f"{here.filled:,} of them with a context filled" in "\n".join(here.lines())
    assert made(rows).filled == 0


@pytest.fixture
def known_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that runs a model of 100 million weights at 500 tokens a second, in bfloat16 twice as fast."""
    monkeypatch.setattr(precision, "native_precision", lambda: "bfloat16")
    monkeypatch.setattr(
        speed,
        "tokens_per_second",
        lambda weights, how: 5e10 / weights * (2 if how == "bfloat16" else 1),
    )


def test_the_time_is_that_of_the_named_model(rows: Path, tmp_path: Path, known_speed: None) -> None:
    """A GGUF file is as large as it is, whatever the embedded model needs."""
    file = tmp_path / "a.Q4_0.gguf"
    file.write_bytes(b"GGUF" + bytes(56_250_000 - 4))  # 100 million weights of 4.5 bits
    model = {"model": f"gguf/{file}"}
    whole, quick = plan(str(rows), {**model, "dtype": "float32"}), plan(str(rows), model)
    assert whole.seconds is not None
    assert quick.seconds is not None
    assert whole.seconds - quick.seconds == pytest.approx(whole.tokens / 500 - whole.tokens / 1000)
    assert "on this machine" in "\n".join(quick.lines())


def test_where_bfloat16_is_not_native_it_takes_as_long_as_float32(
    rows: Path, known_speed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "native_precision", lambda: "float32")
    times = {plan(str(rows), {"dtype": dtype}).seconds for dtype in ("float32", "bfloat16", "auto")}
    assert len(times) == 1


def test_no_time_is_told_of_weights_that_are_elsewhere(
    rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    copy = tmp_path / "hub" / "models--someone--something"
    (copy / "refs").mkdir(parents=True)
    (copy / "refs" / "main").write_text("abc")
    found = plan(str(rows), {"model": "hf/someone/something", "pilot": 10.0})
    assert found.seconds is None
    assert "weights are not on this machine" in "\n".join(found.lines())
    assert found.pilot is not None
    assert found.pilot.line == "pilot           fine-tune on 180 train items; 10 minutes at most"


def test_a_pilot_is_timed_as_it_trains(rows: Path, known_speed: None) -> None:
    """In float32, two and a half times as long as asking; what the budget cannot hold is not counted."""
    model = {"dtype": "float32", "pilot": 600.0}
    found = plan(str(rows), model).pilot
    assert found is not None
    assert found.seconds is not None
    weights = speed.multiplied("embedded")
    assert weights is not None
    item = plan(str(rows), model).data_tokens / 300 + SCAFFOLD_TOKENS
    trained = 180 * item * Recipe().passes(180)
    assert found.seconds == pytest.approx(
        trained / (5e10 / weights / TRAINING) / SHARE_OF_TIME, rel=0.01
    )
    short = plan(str(rows), {**model, "pilot": 0.01}).pilot
    assert short is not None
    assert short.seconds == pytest.approx(0.6)
