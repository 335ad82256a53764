"""`pulse check FILE`: every mistake in a configuration file, or what the file says in words."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from pulse.config import (
    Config,
    ConfigError,
    Mistake,
    Receiver,
    ScoreRule,
    SecretError,
    duration_text,
)
from pulse.config.document import Document, dotted
from pulse.config.receivers.common import TEMPLATES
from pulse.config.signals import endless_facts
from pulse.errors import PulseError


def command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="For example pulse.yaml.")],
) -> None:
    """Find every mistake in a configuration file.

    Prints each mistake with its line and column and ends with exit code 1. A file without
    mistakes is summed up in one line; secrets that are not set here, and alerts that could begin
    and never end, are noted on stderr.
    """
    try:
        config = Config.load(file)
    except ConfigError as error:
        print(error)
        raise typer.Exit(1) from None
    if mistakes := template_mistakes(config, file):
        print(ConfigError(mistakes, str(file)))
        raise typer.Exit(1)
    notes = (*missing_secrets(config), *refused_receivers(config), *endless_facts(config.facts))
    for note in notes:
        typer.echo(f"note: {note}", err=True)
    print(f"{file}: valid. {in_words(config)}")


def in_words(config: Config) -> str:
    """What a configuration says, in one line."""
    line = config.line
    parts = [
        f"{len(config.scorecard)} measures ({_weights(config.scorecard)})",
        f"danger below {line.enter:g} for {duration_text(line.dwell_ms)}, over at {line.exit:g}",
        f"approaching below {line.approach:g}",
    ]
    if line.source == "fleet":
        parts.append(f"moved each day to where {100 * line.quantile:g} % of the fleet are below")
    silence = config.signals.silence
    parts.append(f"silence after {silence.days} days" if silence.enabled else "no silence alerts")
    if config.usage.key_features:
        parts.append(_count(len(config.usage.key_features), "key feature"))
    if config.usage.ignore:
        parts.append(_count(len(config.usage.ignore), "ignore rule"))
    if config.segments:
        parts.append(f"{_count(len(config.segments), 'segment')} ({', '.join(config.segments)})")
    names = ", ".join(receiver.name for receiver in config.receivers)
    parts.append(f"alerts to {names}" if names else "alerts to nobody (no receivers)")
    return f"Version {config.version}: {'; '.join(parts)}."


def missing_secrets(config: Config) -> list[str]:
    """The secrets the configuration names that are not there, on this machine, for this user."""
    security = config.kafka.security
    found = [missing for receiver in config.receivers for missing in receiver.missing_secrets()]
    for look in (
        security.password,
        security.key_password,
        config.redis.address,
        *(service.secret for service in config.collector.webhooks.all()),
        config.collector.user_key,
        config.web.link_secrets,
    ):
        try:
            look()
        except SecretError as error:
            found.append(error.message)
    return found


def template_mistakes(config: Config, file: Path) -> list[Mistake]:
    """The templates of receivers that cannot be used, found by rendering samples with them."""
    found = []
    document = None
    for number, receiver in enumerate(config.receivers):
        for setting, mistake in _templates_of(receiver, config.timezone):
            document = document or Document(file.read_text(encoding="utf-8-sig"))
            place = ("receivers", number, setting)
            line, column = document.position(place, of_key=False)
            found.append(Mistake(line, column, dotted(place), mistake))
    return found


def refused_receivers(config: Config) -> list[str]:
    """What is wrong with the secrets of receivers that are there: an inner address, not a key."""
    if not config.receivers:
        return []
    from pulse.notifier.kinds import settings_of

    found = []
    for receiver in config.receivers:
        if not receiver.missing_secrets():
            try:
                settings_of(receiver, config.timezone)
            except PulseError as error:
                found.append(str(error))
    return found


def _templates_of(receiver: Receiver, timezone: str) -> Iterator[tuple[str, str]]:
    """The settings of a receiver whose template is wrong, and what is wrong with it."""
    named = [(each, getattr(receiver, each, None)) for each in TEMPLATES]
    if not any(file for _, file in named):
        return
    # Only here: what sends is not needed for most files.
    from pulse.notifier.kinds import style_of, template_text
    from pulse.notifier.messages.sample import sample_messages
    from pulse.notifier.messages.templates import TemplateMistake, check

    samples = sample_messages(receiver.timezone or timezone)
    for setting, file in named:
        if file is None:
            continue
        try:
            check(style_of(receiver.kind, setting), template_text(file), samples)
        except TemplateMistake as mistake:
            at = f"{file}:{mistake.line}" if mistake.line else file
            yield setting, f"{at}: {mistake}"


def _weights(rules: tuple[ScoreRule, ...]) -> str:
    total = sum(rule.weight for rule in rules)
    return ", ".join(f"{rule.called} {100 * rule.weight / total:.0f} %" for rule in rules)


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
