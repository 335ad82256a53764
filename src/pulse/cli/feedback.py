"""`pulse feedback`: what became of an alert, and how often each reason was right."""

from pathlib import Path
from typing import Annotated

import typer

from pulse.alerting.alert import SEVERITY
from pulse.alerting.people.outcomes import WORDS, Outcome, event_of
from pulse.alerting.people.precision import Tally, by_reason, proposals
from pulse.calibration.holdout import effect
from pulse.cli.auditing import Author, author_of, by_command
from pulse.cli.feedback_words import effect_in_words, percent
from pulse.cli.outcomes import Horizon, read_outcomes_file
from pulse.cli.saying import ConfigFile, alert_called, at_desk, now
from pulse.cli.words import date
from pulse.cli.writing import CONNECT_S, done
from pulse.config import Config
from pulse.config.kafka_clients import for_aiokafka
from pulse.config.pipeline import holdout
from pulse.desk.books import AlertBook, OutcomeBook
from pulse.errors import PulseError
from pulse.following import Follower
from pulse.playback.outputs import LineFile
from pulse.topics.broker import Brokers

REPORT = "report"
_MOST_ALERTS = 1_000_000


def command(
    alert: Annotated[
        str,
        typer.Argument(
            metavar="ALERT|report", help="The alert's id, as messages have it; or report."
        ),
    ],
    outcome: Annotated[
        str | None,
        typer.Argument(
            metavar="OUTCOME",
            help="saved: it was right, and they stay; false_alarm: it was nothing; churned: it was "
            "right, and they left; ignored: nobody looked into it.",
        ),
    ] = None,
    note: Annotated[str, typer.Option(metavar="TEXT", help="What others should know.")] = "",
    author: Author = None,
    out: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="For report: also write what was said, as events, a line each."
        ),
    ] = None,
    outcomes: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="For report: who left, as for pulse calibrate; compared is who was held out.",
        ),
    ] = None,
    known_until: Annotated[
        int | None,
        typer.Option(metavar="DATE", parser=date, help="When the outcomes were written down."),
    ] = None,
    horizon: Horizon = 90,
    config: ConfigFile = None,
) -> None:
    """Say what became of an alert, or report how often each reason was right.

    Closes the alert: nobody is told of it again. It is written into the events of its account,
    where it is no use of the product, and kept in the topic of outcomes; of one alert the newest
    word counts. The report names reasons that are right too seldom, with what to do about them.

    Example: pulse feedback al_... saved --note "they had a new admin"
    """
    loaded = Config.load(config)
    if alert == REPORT:
        if outcome is not None:
            raise PulseError("report takes no outcome", hint="name the file: --outcomes FILE")
        _report(loaded, out, outcomes, known_until, horizon)
        return
    word = next((each for each in WORDS if each == outcome), None)
    if word is None:
        raise PulseError("say what became of it", hint=f"one of {', '.join(WORDS)}")
    known = alert_called(loaded, alert)
    if known.account_id == "*":
        raise PulseError("it is about no single account", hint="`pulse ack` takes it over")
    said = Outcome(
        alert_id=known.id,
        account_id=known.account_id,
        reason=known.reason,
        outcome=word,
        author=author_of(author),
        at_ms=now(),
        started_ms=known.started_ms,
        segment=known.segment,
        note=note.strip(),
    )
    has_ended = known.status == "resolved"
    at_desk(loaded, lambda desk, _: desk.close(said, by_command(said.author)), has_ended=has_ended)
    print(f"{known.id} of {known.account_id} ({known.reason}) is closed as {word}")


def _report(
    config: Config, out: str | None, left: Path | None, known_until: int | None, horizon: int
) -> None:
    stays = None if left is None else read_outcomes_file(left)
    alerts, book = AlertBook(_MOST_ALERTS), OutcomeBook()
    topics = config.kafka.topics
    with Brokers(config.kafka, timeout_s=CONNECT_S) as brokers:
        brokers.need(topics.outcomes, topics.alerts)
    followers = [(topics.outcomes, book.take)]
    if stays is not None:
        followers.append((topics.alerts, alerts.take))

    async def read() -> None:
        for topic, take in followers:
            follower = Follower(for_aiokafka(config.kafka), topic, take)
            try:
                await follower.start()
            finally:
                await follower.stop()

    done(read())
    said = list(book)
    print("\n".join(report(said)))
    if stays is not None:
        held = holdout(config)
        began = [
            (each.account_id, each.started_ms)
            for each in alerts
            if not each.quiet and SEVERITY.get(each.reason) != "info"
        ]
        until_ms = now() if known_until is None else known_until
        found = effect(began, stays, held.has, horizon, until_ms, held.since_ms)
        print(effect_in_words(found, horizon, held.since_ms))
    if out is not None:
        with LineFile(out) as file:
            for each in said:
                file.write(event_of(each))
            file.commit()


def report(said: list[Outcome]) -> list[str]:
    """How often each reason was right, and what to do about those that are not."""
    if not said:
        return ["nothing was said of any alert yet: `pulse feedback ALERT OUTCOME`, or the page"]
    head = ("reason", "saved", "churned", "false alarm", "ignored", "precision")
    rows = [
        (reason, *map(str, _counts(tally)), percent(tally.precision))
        for reason, tally in by_reason(said).items()
    ]
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = [
        "  ".join(
            cell.ljust(width) if at == 0 else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in (head, *rows)
    ]
    return [*lines, *map(str, proposals(said))]


def _counts(tally: Tally) -> tuple[int, int, int, int]:
    return tally.saved, tally.churned, tally.false_alarm, tally.ignored
