"""One `pulse.yaml`: its models, its defaults, and every mistake in it with line and column.

`Config.load(path)` is the way in. Each setting is documented where it is declared (the comments in
`deploy/pulse.yaml` and the JSON Schema say the same). Secrets are named here and kept elsewhere.
It is read by what runs pulse (`cli`, `stream`, `notifier`, `web`, `readmodel`); the pure rooms and
the engine never import it: they get what they need handed over.
"""

from pulse.config.collector import Collector
from pulse.config.connections import (
    Kafka,
    KafkaSecurity,
    Notifier,
    Redis,
    Retention,
    Topics,
    Worker,
)
from pulse.config.fields import duration_text
from pulse.config.line import LineChange, LineSettings, Segment
from pulse.config.mistakes import ConfigError, Mistake
from pulse.config.plays import Plays
from pulse.config.receivers import Receiver, Retry, WebhookReceiver
from pulse.config.root import Config, Lifecycle
from pulse.config.scoring import (
    Active,
    IgnoreRule,
    Minimum,
    OfBaseline,
    PerSeat,
    ScoreRule,
    Usage,
    WeightRule,
)
from pulse.config.secret import Secret, SecretError, find_secret
from pulse.config.signals import Signals, Silence
from pulse.config.web import HoldoutRule, Web

__all__ = [
    "Active",
    "Collector",
    "Config",
    "ConfigError",
    "HoldoutRule",
    "IgnoreRule",
    "Kafka",
    "KafkaSecurity",
    "Lifecycle",
    "LineChange",
    "LineSettings",
    "Minimum",
    "Mistake",
    "Notifier",
    "OfBaseline",
    "PerSeat",
    "Plays",
    "Receiver",
    "Redis",
    "Retention",
    "Retry",
    "ScoreRule",
    "Secret",
    "SecretError",
    "Segment",
    "Signals",
    "Silence",
    "Topics",
    "Usage",
    "Web",
    "WebhookReceiver",
    "WeightRule",
    "Worker",
    "duration_text",
    "find_secret",
]
