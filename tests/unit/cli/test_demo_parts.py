from __future__ import annotations

from typing import TYPE_CHECKING

from pulse.cli.demo_parts import (
    LINK_VARIABLE,
    SECRET_VARIABLE,
    Example,
    Metrics,
    Ports,
    new_secret,
    write_config,
)
from pulse.config import Config
from pulse.embedded import Broker, Valkey
from pulse.notifier.receivers.signature import decode_secret

if TYPE_CHECKING:
    from pathlib import Path


def test_the_demos_configuration_is_the_examples_with_the_demos_own_places(tmp_path: Path) -> None:
    example = Example.find()
    ports = Ports(worker=9464, notifier=9465, web=8081, web_metrics=9467, webhooks=8099)
    broker, valkey = Broker(tmp_path, port=9092), Valkey(tmp_path, port=6379)
    write_config(example, broker, valkey, ports, tmp_path / "pulse.yaml")

    theirs, ours = Config.load(example.config), Config.load(tmp_path / "pulse.yaml")
    assert ours.version == theirs.version  # the same alerts as `pulse replay` finds
    assert ours.clock == "events"
    assert ours.kafka.brokers == ("127.0.0.1:9092",)
    assert not ours.kafka.idempotence
    assert ours.redis.url == valkey.url
    assert (ours.worker.metrics_port, ours.notifier.metrics_port) == (9464, 9465)
    assert (ours.web.host, ours.web.port, ours.web.metrics_port) == ("127.0.0.1", 8081, 9467)
    assert ours.web.public_url == "http://127.0.0.1:8081"
    assert ours.web.link_secret_env == LINK_VARIABLE
    assert ours.history.file == str(tmp_path / "history.sqlite3")
    (receiver,) = ours.receivers
    assert receiver.url == "http://127.0.0.1:8099/hooks/pulse"
    assert receiver.secret_env == SECRET_VARIABLE


def test_every_demo_has_a_secret_of_its_own() -> None:
    one, other = new_secret(), new_secret()
    assert one != other
    assert len(decode_secret(one)) == 32


def test_metrics_are_summed_over_the_labels_that_are_not_asked_for() -> None:
    seen = Metrics.parse(
        "# TYPE pulse_crossings_total counter\n"
        'pulse_crossings_total{reason="danger",status="firing"} 3\n'
        'pulse_crossings_total{reason="danger",status="resolved"} 2\n'
        'pulse_crossings_total{reason="silence",status="firing"} 4\n'
        'pulse_crossings_total{reason="other",status="firing"} 0\n'
    )
    assert seen.total("pulse_crossings_total") == 9
    assert seen.total("pulse_nothing_total") == 0
    fired = seen.by("reason", "pulse_crossings_total", status="firing")
    assert fired == {"danger": 3, "silence": 4}
