"""`pulse check FILE`: every mistake in a configuration file, or what the file says in words."""

from pathlib import Path
from typing import Annotated

import typer

from pulse.config import Config, ConfigError, ScoreRule, SecretError, duration_text
from pulse.config.signals import endless_facts


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
    for note in (*missing_secrets(config), *endless_facts(config.facts)):
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
    found = []
    for look in (
        security.password,
        security.key_password,
        config.redis.address,
        *(receiver.address for receiver in config.receivers),
        *(receiver.secrets for receiver in config.receivers),
        *(service.secret for service in config.collector.webhooks.all()),
        config.collector.user_key,
        config.web.link_secrets,
    ):
        try:
            look()
        except SecretError as error:
            found.append(error.message)
    return found


def _weights(rules: tuple[ScoreRule, ...]) -> str:
    total = sum(rule.weight for rule in rules)
    return ", ".join(f"{rule.called} {100 * rule.weight / total:.0f} %" for rule in rules)


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
