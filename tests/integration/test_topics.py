"""`pulse topics` on Apache Kafka."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from kafka import KafkaProducer
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from ruamel.yaml import YAML

from pulse import cli
from pulse.config import Config
from pulse.engine import control
from pulse.processes import free_port
from pulse.testing.kafka import KafkaServer
from pulse.topics.broker import Brokers
from pulse.topics.cost import TICK_BYTES
from pulse.topics.wanted import wanted_topics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TLS = Path(__file__).parents[1] / "unit" / "config" / "tls"
ROLES = (
    "events",
    "alerts",
    "deadletter",
    "deliveries",
    "keys",
    "links",
    "changelog",
    "silences",
    "outcomes",
    "notes",
    "tokens",
    "users",
    "audit",
    "history",
)


class Said(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def topics(
    kafka: KafkaServer,
    tmp_path: Path,
    unique: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., Said]:
    """Runs `pulse topics OPTIONS` with these settings of the section kafka."""

    def run(*options: str, **settings: Any) -> Said:
        file = tmp_path / "pulse.yaml"
        names = {role: f"{unique}.{role}" for role in ROLES}
        section = {"brokers": [kafka.bootstrap], "partitions": 3, "topics": names} | settings
        with file.open("w") as out:
            YAML(typ="safe").dump({"kafka": section}, out)
        monkeypatch.setattr(sys, "argv", ["pulse", "topics", "--config", str(file), *options])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        printed = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Said(ended.value.code, printed.out, printed.err)

    return run


ONE = {"silences": 1, "outcomes": 1, "notes": 1, "audit": 1}
"""The topics that have one partition, whatever the others have."""


@pytest.fixture
def admin(kafka: KafkaServer) -> Iterator[KafkaAdminClient]:
    client = KafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    yield client
    client.close()


def there(admin: KafkaAdminClient, unique: str) -> dict[str, int]:
    """The number of partitions of this test's topics that exist, by role."""
    names = [name for name in admin.list_topics() if name.startswith(unique)]
    if not names:
        return {}
    found = admin.describe_topics(names)
    return {topic["name"].rpartition(".")[2]: len(topic["partitions"]) for topic in found}


def setting(admin: KafkaAdminClient, topic: str, name: str) -> str:
    answer = admin.describe_configs(
        [ConfigResource(ConfigResourceType.TOPIC, topic)], config_filter="all"
    )
    return str(answer["topic"][topic][name]["value"])


def set_directly(admin: KafkaAdminClient, topic: str, **settings: str) -> None:
    changes = {name.replace("_", "."): value for name, value in settings.items()}
    admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, changes)])


def wait_for(is_so: Callable[[], bool]) -> None:
    """A broker answers that something is changed a moment before it says so itself."""
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_dry_run_creates_nothing(
    topics: Callable[..., Said], admin: KafkaAdminClient, unique: str
) -> None:
    said = topics("--dry-run")

    assert said.code == 0
    assert said.out.count("to create") == len(ROLES)
    assert there(admin, unique) == {}


def test_topics_are_created_once(
    topics: Callable[..., Said], admin: KafkaAdminClient, unique: str
) -> None:
    first, second = topics(), topics("--yes")

    assert (first.code, second.code) == (0, 0)
    assert first.out.count("created ") == len(ROLES)
    assert second.out.count("right ") == len(ROLES)
    assert "Ticks will take 450.0 MB on disk: 3 partitions" in first.out
    assert there(admin, unique) == dict.fromkeys(ROLES, 3) | ONE
    events, state = f"{unique}.events", f"{unique}.changelog"
    assert setting(admin, events, "message.timestamp.type") == "LogAppendTime"
    assert setting(admin, events, "retention.ms") == str(14 * 86_400_000)
    assert setting(admin, state, "cleanup.policy") == "compact"
    assert setting(admin, state, "max.compaction.lag.ms") == "86400000"


def test_other_settings_are_shown_and_changed_with_yes(
    topics: Callable[..., Said], admin: KafkaAdminClient, unique: str
) -> None:
    topics()
    events = f"{unique}.events"
    set_directly(admin, events, retention_ms="3600000", retention_bytes="123456")
    wait_for(lambda: setting(admin, events, "retention.ms") == "3600000")

    for options in ((), ("--dry-run",)):
        shown = topics(*options)
        (row,) = [line for line in shown.out.splitlines() if " retention.ms " in line]
        assert row.split() == [events, "retention.ms", "3600000", "1209600000", "(14", "days)"]
        assert setting(admin, events, "retention.ms") == "3600000"

    assert ", changed:" in topics("--yes").out
    wait_for(lambda: setting(admin, events, "retention.ms") == "1209600000")
    # What pulse has no opinion on stays.
    assert setting(admin, events, "retention.bytes") == "123456"
    assert "differs" not in topics().out


def test_another_number_of_partitions_is_refused(
    topics: Callable[..., Said], admin: KafkaAdminClient, unique: str
) -> None:
    topics(partitions=2)
    admin.delete_topics([f"{unique}.deadletter"])
    wait_for(lambda: "deadletter" not in there(admin, unique))
    said = topics("--yes", partitions=3)

    assert said.code == 1
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert f"{unique}.events has 2 partitions and the configuration says 3" in said.err
    assert "Set kafka.partitions to 2" in said.err
    # Nothing is done by halves.
    assert there(admin, unique) == (dict.fromkeys(set(ROLES) - {"deadletter"}, 2) | ONE)


def test_too_many_copies_are_refused(
    topics: Callable[..., Said], admin: KafkaAdminClient, unique: str
) -> None:
    said = topics(replication=3)

    assert said.code == 1
    assert f"cannot create {unique}.events: there are fewer than 3 brokers" in said.err
    assert "kafka.replication" in said.err
    assert there(admin, unique) == {}


def test_a_kafka_that_is_away_is_waited_for(topics: Callable[..., Said]) -> None:
    # It is said after two seconds, or a while later where much else runs.
    said = topics("--timeout", "8", brokers=[f"127.0.0.1:{free_port()}"])

    assert said.code == 1
    waiting, gone_on = said.err.splitlines()
    assert waiting.startswith("pulse: no Kafka answers at 127.0.0.1:")
    assert re.search(r" yet; trying for [0-6] s more$", waiting), said.err
    assert "(tried for 8 s): start it, or set kafka.brokers" in gone_on


def test_a_tick_takes_what_is_said(
    topics: Callable[..., Said], kafka: KafkaServer, admin: KafkaAdminClient, unique: str
) -> None:
    topics(partitions=1)
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap)
    for number in range(200):
        headers, tick = control.tick(1_800_000_000_000 + 1000 * number)
        producer.send(f"{unique}.events", tick, partition=0, headers=list(headers)).get(60)
    producer.close()

    (answer,) = admin.describe_log_dirs([f"{unique}.events"])
    (size,) = [
        partition["partition_size"]
        for folder in answer["log_dirs"]
        for topic in folder["topics"]
        for partition in topic["partitions"]
    ]
    assert size / 200 == pytest.approx(TICK_BYTES, rel=0.05)


class LockedKafka(KafkaServer):
    """A Kafka that also listens for those who log in, in the clear and over TLS."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.login_port, self.tls_port = free_port(), free_port()
        extra = f"SASL_PLAINTEXT://127.0.0.1:{self.login_port},SASL_SSL://127.0.0.1:{self.tls_port}"
        both = folder / "broker.pem"
        both.write_text((TLS / "key.pem").read_text() + (TLS / "cert.pem").read_text())
        jaas = (
            "org.apache.kafka.common.security.plain.PlainLoginModule required "
            'username="broker" password="broker" user_broker="broker" user_pulse="hunter2";'
        )
        self._properties |= {
            "listeners": f"{self._properties['listeners']},{extra}",
            "advertised.listeners": f"{self._properties['advertised.listeners']},{extra}",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,"
            "SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL",
            "inter.broker.listener.name": "PLAINTEXT",
            "sasl.enabled.mechanisms": "PLAIN",
            "listener.name.sasl_plaintext.plain.sasl.jaas.config": jaas,
            "listener.name.sasl_ssl.plain.sasl.jaas.config": jaas,
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(both),
        }


@pytest.fixture(scope="module")
def locked(kafka: KafkaServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LockedKafka]:
    """Depends on `kafka` only to be skipped, or to fail, where that is."""
    with LockedKafka(tmp_path_factory.mktemp("locked")) as server:
        yield server


def settings(locked: LockedKafka, protocol: str, unique: str) -> Config:
    port = locked.tls_port if protocol == "SASL_SSL" else locked.login_port
    security = {
        "protocol": protocol,
        "mechanism": "PLAIN",
        "username": "pulse",
        "password_env": "PULSE_TEST_PASSWORD",
        "ca_file": str(TLS / "cert.pem") if protocol == "SASL_SSL" else None,
    }
    return Config.model_validate(
        {
            "kafka": {
                "brokers": [f"127.0.0.1:{port}"],
                "partitions": 1,
                "security": security,
                "topics": {role: f"{unique}.{role}" for role in ROLES},
            }
        }
    )


@pytest.mark.parametrize("protocol", ["SASL_PLAINTEXT", "SASL_SSL"])
def test_who_logs_in_may_create_topics(
    locked: LockedKafka, protocol: str, unique: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULSE_TEST_PASSWORD", "hunter2")
    config = settings(locked, protocol, unique)
    wanted = wanted_topics(config.kafka)

    with Brokers(config.kafka) as brokers:
        brokers.create(wanted)
        assert set(brokers.find([topic.name for topic in wanted])) == {
            topic.name for topic in wanted
        }


@pytest.mark.parametrize(
    ("protocol", "password", "ca", "reason"),
    [
        ("SASL_PLAINTEXT", "wrong", None, "Invalid username or password"),
        ("SASL_SSL", "wrong", "cert.pem", "Invalid username or password"),
        ("SASL_SSL", "hunter2", None, "certificate verify failed"),
    ],
)
def test_a_refused_login_is_said_soon(
    locked: LockedKafka, unique: str, protocol: str, password: str, ca: str | None, reason: str
) -> None:
    # In a process of its own: kafka-python leaves the sockets of failed attempts open.
    config = settings(locked, protocol, unique)
    security = config.kafka.security.model_copy(update={"ca_file": ca and str(TLS / ca)})
    kafka = config.kafka.model_copy(update={"security": security})
    code = (
        "import sys\n"
        "from pulse.config import Kafka\n"
        "from pulse.topics.broker import Brokers, quiet_client_logs\n"
        "quiet_client_logs()\n"
        "Brokers(Kafka.model_validate_json(sys.argv[1]), timeout_s=150)\n"
    )
    started_s = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", code, kafka.model_dump_json()],
        env=os.environ | {"PULSE_TEST_PASSWORD": password},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )

    *_, said = done.stderr.strip().splitlines()
    assert said.startswith("pulse.topics.broker.KafkaRefusesError: Kafka at 127.0.0.1:")
    # A broker may end the connection before it has said why.
    assert reason in said or (
        reason.startswith("Invalid") and "ends the connection at the login" in said
    )
    assert "check protocol, mechanism, username, password and ca_file" in said
    assert time.monotonic() - started_s < 100  # it does not wait for what does not change
