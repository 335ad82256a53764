"""How the collector runs."""

from typing import Annotated

from pydantic import Field

from pulse.config.fields import Port, Positive, Section, Text
from pulse.config.webhooks import Webhooks


class Collector(Section):
    """How `pulse collect` runs: events in over HTTP."""

    host: Text = "127.0.0.1"
    """0.0.0.0 to be reached from other machines; TLS is a proxy's."""
    port: Port = 8080
    """Where product apps send their events."""
    metrics_port: Port = 9466
    """Where Prometheus finds the collector's metrics."""
    metrics_host: Text = "127.0.0.1"
    """0.0.0.0 to be reached from other machines."""
    max_body_bytes: Annotated[int, Field(ge=1024, le=64 << 20)] = 4 << 20
    """A request's body, after it is decompressed too."""
    body_timeout_s: Positive = 20.0
    """A body must have come in within this time."""
    events_per_second: Positive = 10_000
    """Of a source, on average; ten times as many may come at once."""
    buffer_bytes: Annotated[int, Field(ge=1 << 20)] = 64 << 20
    """What may wait for Kafka; beyond it clients are told to come again (503)."""
    ack_timeout_s: Positive = 10.0
    """For how long Kafka's word is waited for before a client is told to come again."""
    webhooks: Webhooks = Webhooks()
    """The billing and support services that may send webhooks."""
    posthog_group: Text = "company"
    """The type of PostHog's groups that are accounts."""
