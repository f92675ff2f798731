"""What an audit would do, before anything runs: rows, tokens, forward passes, time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from dataedge.check.texts import BYTES_PER_TOKEN
from dataedge.items import Task
from dataedge.prompt.demonstrations import DEMONSTRATION_TOKENS
from dataedge.prompt.number_pool import CANDIDATES
from dataedge.work import SCAFFOLD_TOKENS, work

if TYPE_CHECKING:
    from dataedge.config import AuditConfig
    from dataedge.items import Dataset
    from dataedge.models.endpoint import Connection

TRAINING = 2.6
"""Times as long as to ask, in float32, it takes to train on as many tokens."""
TEXTS_PER_SECOND = 200.0
"""That are embedded."""
LEARNING_SECONDS = 75.0, 0.002
"""For all that neither asks nor embeds: of any audit, and for an item more. Two cores with AVX-512."""


@dataclass(frozen=True)
class Sent:
    """What a server would be sent. Estimates.

    Attributes:
        host: its name.
        loopback: it is this machine.
        consented: --send-to names it, or need not.
        requests: questions, each with its whole prompt.
        tokens_in: tokens to read.
        tokens_out: tokens to write.
        cost: at the prices given; None without.
    """

    host: str
    loopback: bool
    consented: bool
    requests: int
    tokens_in: int
    tokens_out: int
    cost: float | None

    def lines(self, model: str) -> list[str]:
        """For the terminal."""
        size = self.tokens_in * BYTES_PER_TOKEN / 1e6
        place = "this machine" if self.loopback else self.host
        agreed = "" if self.consented else f"; refused until --send-to {self.host} is given"
        priced = "no prices given (--price-in, --price-out)"
        if self.cost is not None:
            priced = f"about {self.cost:,.2f} at the prices given"
        return [
            f"base model      {model}",
            f"leaves          about {size:,.1f} MB of text to {place}{agreed}",
            f"requests        {self.requests:,}, about {self.tokens_in:,} tokens in and "
            f"{self.tokens_out:,} out",
            f"cost            {priced}",
        ]


@dataclass(frozen=True)
class PilotWork:
    """A fine-tune within a budget. Estimates.

    Attributes:
        rows: train items that it is tuned on.
        fewer: those of a second one that tells what all would reach; 0 where there is none, or no time.
        seconds: of training and of asking development items; passes that do not fit are left out. None where
            the model's size is not known.
        minutes: it may take.
        asked_for: with --pilot.
    """

    rows: int
    fewer: int
    seconds: float | None
    minutes: float
    asked_for: bool

    @property
    def line(self) -> str:
        """For the terminal."""
        asked = "" if self.asked_for else "; not with --no-pilot"
        second = f" and on {self.fewer:,} of them" if self.fewer else ""
        time = f", about {_time(self.seconds)}" if self.seconds is not None else ""
        return (
            f"pilot           fine-tune on {self.rows:,} train items{second}{time}; "
            f"{self.minutes:g} minutes at most{asked}"
        )


@dataclass(frozen=True)
class Plan:
    """The work ahead. All but the counts of rows are estimates.

    Attributes:
        path: of the data.
        task: what it asks.
        rows: rows read.
        unique: distinct items.
        held_out: development and evaluation items.
        data_tokens: tokens of all distinct items.
        passes: prompts that the base model is asked.
        filled: of these, prompts with as many demonstrations as fit its context.
        tokens: tokens that it runs.
        seconds: how long the audit takes on this machine, without a pilot; None where that is not known.
        pilot: what a fine-tune trains on and how long that takes; None where none was asked for.
        model: which base model.
        out: where results go.
        stored: an earlier run has left answers there.
        sent: what a server is sent; None where nothing leaves this process.
    """

    path: str
    task: str
    rows: int
    unique: int
    held_out: int
    data_tokens: int
    passes: int
    filled: int
    tokens: int
    seconds: float | None
    model: str
    out: str
    stored: bool
    pilot: PilotWork | None
    sent: Sent | None = None

    def lines(self) -> list[str]:
        """The plan as lines for a terminal."""
        reuse = "; answers of an earlier run there are reused" if self.stored else ""
        return [
            f"data            {self.path}: {self.rows:,} rows, {self.unique:,} distinct, task {self.task}",
            f"data tokens     about {self.data_tokens:,}",
            f"held out        {self.held_out:,} items (a quarter to choose prompts on, the rest to report)",
            *(
                self.sent.lines(self.model)
                if self.sent
                else (
                    f"base model      {self.model}, runs on this machine; nothing leaves it",
                    f"forward passes  {self.passes:,} prompts, about {self.tokens:,} tokens; "
                    f"{self.filled:,} of them with a context filled with demonstrations",
                    f"time            {self._time}",
                )
            ),
            *([self.pilot.line] if self.pilot else ()),
            f"results         {self.out}{reuse}",
        ]

    @property
    def _time(self) -> str:
        if self.seconds is None:
            return "not known: the model's weights are not on this machine yet"
        return f"about {_time(self.seconds)} on this machine, if nothing else runs beside it"


class Speeds(NamedTuple):
    """Tokens a second on this machine: asked, and trained on."""

    asking: float
    training: float

    @classmethod
    def here(cls, config: AuditConfig) -> Speeds | None:
        """Of the configuration's base model; None where its weights are not here."""
        from dataedge.models.precision import native_precision
        from dataedge.models.speed import multiplied, tokens_per_second

        weights = multiplied(config.model)
        if weights is None:
            return None
        trained = tokens_per_second(weights, "float32")
        # a processor without bfloat16 multiplies in float32, whatever was asked for
        if config.dtype == "float32" or native_precision() == "float32":
            return cls(trained, trained / TRAINING)
        return cls(tokens_per_second(weights, "bfloat16"), trained / TRAINING)


def plan(source: Any, options: dict[str, Any]) -> Plan:
    """Work out what an audit with these options would do; no model is opened, and nothing is asked.

    Raises:
        AuditError: as for the audit itself.
    """
    from dataedge.api import read, require_own
    from dataedge.config import make_config, name_of
    from dataedge.engine.ray import check_engine
    from dataedge.models import connection, identity
    from dataedge.pilot.run import check_possible
    from dataedge.prompt.library import load_probes, searched_probe
    from dataedge.store import FILE

    path = Path(str(source))
    config, passed = make_config(options, path if path.exists() else None)
    check_engine(config, passed)
    dataset = read(source, config)
    model, _ = identity(config)
    server = connection(config)
    if server and dataset.task is Task.MULTILABEL:
        from dataedge.tasks.multilabel import refused_on_a_server

        raise refused_on_a_server()
    check_possible(config, dataset.task)
    held = min(config.probe_items, int(0.4 * len(dataset.items)))
    probe = searched_probe(dataset.task.value, load_probes(config.probes))
    asked = work(dataset, config, probe, held, remote=server is not None)
    passes, tokens, data_tokens = asked.prompts, asked.tokens, asked.data_tokens
    # responses are embedded as well, to be compared with their prompts
    texts = len(dataset.items) * (2 if dataset.task is Task.GENERATE else 1)
    embedding = texts / TEXTS_PER_SECOND
    speeds = None if server else Speeds.here(config)
    out = config.out or str(Path("audits") / name_of(str(source)))
    if not config.out:
        require_own(Path(out), dataset)
    return Plan(
        path=dataset.path,
        task=dataset.task.value,
        rows=dataset.rows,
        unique=len(dataset.items),
        held_out=held,
        data_tokens=data_tokens,
        passes=passes,
        filled=asked.filled,
        tokens=tokens,
        seconds=_seconds(tokens, embedding, len(dataset.items), speeds) if speeds else None,
        model=model,
        out=out,
        stored=(Path(out) / FILE).is_file(),
        pilot=None if server else _pilot(config, dataset, held, data_tokens, speeds),
        sent=_sent(server, dataset, config, passes, tokens, asked.repeated) if server else None,
    )


def _seconds(tokens: int, embedding: float, items: int, speeds: Speeds) -> float:
    """Of an audit without a pilot: asking, embedding, and what is computed of both."""
    fixed, each = LEARNING_SECONDS
    return tokens / speeds.asking + embedding + fixed + each * items


def _pilot(
    config: AuditConfig, dataset: Dataset, held: int, data_tokens: int, speeds: Speeds | None
) -> PilotWork | None:
    """What a fine-tune would cost; development items come on top."""
    from dataedge.pilot.amount import SHARE_OF_TIME, SHORT, short_of
    from dataedge.pilot.amount import plan as planned

    train, each = len(dataset.items) - held, data_tokens / len(dataset.items) + SCAFFOLD_TOKENS
    minutes, recipe = config.pilot, None
    if minutes is None and dataset.task in (Task.GENERATE, Task.CORPUS):
        recipe = short_of(train, each, speeds.training) if speeds else None
        minutes = 2 * SHORT if recipe else 0.0
    if not minutes:
        return None
    tuned, asked_for = planned(train, each, recipe), config.pilot is not None
    if speeds is None:
        return PilotWork(tuned.rows, tuned.fewer, None, minutes, asked_for)
    tokens = (tuned.tokens, tuned.more_tokens)
    seconds = [n / speeds.training / SHARE_OF_TIME for n in tokens]
    fewer = tuned.fewer if sum(seconds) < 60.0 * minutes else 0
    spent = min(sum(seconds) if fewer else seconds[0], 60.0 * minutes)
    return PilotWork(tuned.rows, fewer, spent, minutes, asked_for)


def _sent(
    server: Connection,
    dataset: Dataset,
    config: AuditConfig,
    passes: int,
    tokens: int,
    repeated: int,
) -> Sent:
    """A server shares no beginnings between prompts: demonstrations are sent with every question.

    Args:
        server: where it is.
        dataset: what is asked about.
        config: prices.
        passes: prompts.
        tokens: that would be run if prompts shared their beginnings.
        repeated: tokens of the curve over demonstrations beyond that.
    """
    from dataedge.ladder.response_prompts import NGRAM_ITEMS
    from dataedge.models.endpoint.asking import CHOICE_TOKENS
    from dataedge.models.endpoint.model import ECHO_AT_MOST

    labels = CANDIDATES[True] if dataset.task is Task.NUMBER else len(dataset.labels)
    each = labels if 0 < labels <= ECHO_AT_MOST else 1
    # train responses, for their tokens
    spelt = 0 if labels else min(NGRAM_ITEMS[True], len(dataset.items))
    requests = passes * each + spelt
    tokens_in = (tokens + repeated) * each + int(passes * each * DEMONSTRATION_TOKENS["retrieved"])
    tokens_out = requests * (CHOICE_TOKENS if labels > ECHO_AT_MOST else 1)
    cost = None
    if config.price_in is not None or config.price_out is not None:
        cost = (tokens_in * (config.price_in or 0) + tokens_out * (config.price_out or 0)) / 1e6
    return Sent(
        server.host, server.loopback, server.consented, requests, tokens_in, tokens_out, cost
    )


def _time(seconds: float) -> str:
    """Seconds in words.

    Example:
        >>> _time(40), _time(700), _time(9000)
        ('40 seconds', '12 minutes', '2.5 hours')
    """
    if seconds < 90:
        return f"{seconds:.0f} seconds"
    if seconds < 5400:
        return f"{seconds / 60:.0f} minutes"
    return f"{seconds / 3600:.1f} hours"
