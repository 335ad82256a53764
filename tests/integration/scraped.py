"""A small pulse through which weeks of usage go, and a real Prometheus that scrapes all of it."""

from __future__ import annotations

import shutil
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

from pulse.testing.paced import RULES, PacedInput, Player
from pulse.testing.prometheus import PrometheusServer
from pulse.testing.webhooks import Answer, ReceiverThread, WebhookReceiver
from tests.integration.collecting import Collecting, wait_for
from tests.integration.web.process import Webbing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pulse.testing.valkey import ValkeyServer
    from pulse.testing.webhooks import ReceivedRequest

DEPLOY = Path(__file__).parents[2] / "deploy" / "prometheus"
SECRET_VARIABLE = "PULSE_TEST_SECRET"
PLAYED_S = 12


def config(ports: Mapping[str, int], folder: Path) -> dict[str, Any]:
    """`prometheus.yml` as it is shipped, but for where the processes are, and how often it asks."""
    found: dict[str, Any] = YAML(typ="safe").load(DEPLOY / "prometheus.yml")
    shutil.copytree(DEPLOY / "rules", folder / "rules")
    found["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    del found["alerting"]
    for job in found["scrape_configs"]:
        del job["dns_sd_configs"]
        job["static_configs"] = [{"targets": [f"127.0.0.1:{ports[job['job_name']]}"]}]
    return found


class Scraped:
    """What runs, and how long Prometheus has been looking."""

    def __init__(self, prometheus: PrometheusServer) -> None:
        self.prometheus = prometheus
        self._since_s = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since Prometheus began."""
        return time.monotonic() - self._since_s


@contextmanager
def scraped(bootstrap: str, valkey: ValkeyServer, folder: Path, prefix: str) -> Iterator[Scraped]:
    """All of it, when everything that was played has arrived, and some alerts were closed.

    One receiver takes all but a few requests, one nothing.
    """
    with ExitStack() as stack:
        takes = stack.enter_context(ReceiverThread(WebhookReceiver(behaviour=_now_and_then())))
        refuses = stack.enter_context(
            ReceiverThread(WebhookReceiver(behaviour=lambda _: Answer(500)))
        )
        webbing = Webbing(bootstrap, valkey, folder, prefix, **_settings(takes, refuses))
        system = webbing.system
        stack.callback(system.stop)
        collecting = Collecting(system)
        notifier = system.process("notify").start()
        worker = system.process("work").start()
        webbing.pulse(
            "silence", "add", "--reason", "silence", "--for", "2d", "--because", "a sale",
            "--author", "kim",
        )  # fmt: skip
        for process in (collecting.process, notifier, worker, webbing.process):
            stack.callback(process.kill)  # nothing of it is looked at afterwards
        ports = {
            "pulse-worker": worker.port,
            "pulse-notifier": notifier.port,
            "pulse-collector": collecting.process.port,
            "pulse-web": webbing.process.port,
        }
        prometheus = PrometheusServer(folder / "prometheus", config(ports, _made(folder)))
        stack.enter_context(prometheus)
        found = Scraped(prometheus)
        prometheus.wait_until_up(ports)
        _send(collecting)
        player = Player(system, PacedInput(seed=7, partitions=2), PLAYED_S)
        player.start()
        player.finish()
        player.close_days()
        system.wait_until_applied()
        _send(collecting)
        _judge(webbing)
        wait_for(lambda: _has_failed(notifier.metrics()))
        for _ in range(2):  # of what is there for the first time there is a rate by the second look
            prometheus.wait_until_seen(ports)
        yield found


def _has_failed(metrics: str) -> bool:
    """Whether some notification was tried for the last time."""
    lines = (line for line in metrics.splitlines() if line.startswith("pulse_deliveries_total{"))
    return any('outcome="failed"' in line and float(line.rsplit(" ", 1)[1]) for line in lines)


def _settings(takes: WebhookReceiver, refuses: WebhookReceiver) -> dict[str, Any]:
    receivers = [
        {
            "name": name,
            "kind": "webhook",
            "url": receiver.url,
            "secret_env": SECRET_VARIABLE,
            "allow_private": True,
            "retry": {"schedule_s": schedule_s},
        }
        # Who refuses is asked seldom soon: of one attempt it is sure that it is the last.
        for name, receiver, schedule_s in (("cs", takes, [0, 0.1, 0.2]), ("crm", refuses, [0]))
    ]
    return RULES | {
        "receivers": receivers,
        "route": {"receivers": ["cs", "crm"], "group_wait": "0s"},
        "budget": {"weekly": 5},
        "worker": {"flush_interval_s": 0.5, "reread_s": 0},
    }


def _now_and_then() -> Any:
    turns = iter(range(10**9))

    def answer(_: ReceivedRequest) -> Answer:
        return Answer(503 if next(turns) % 10 == 3 else 204)

    return answer


def _send(collecting: Collecting) -> None:
    """Some of each kind: taken, no event, of nobody knows which account, with an unknown key."""
    event = {"id": f"h-{time.time_ns()}", "account_id": "over-http", "event": "used"}
    event["ts"] = "2024-03-02T10:00:00Z"
    for body in ([event], [{**event, "ts": "yesterday"}]):
        collecting.http.post("/v1/events", json=body)
    of_nobody = {"event": "used", "userId": "nobody", "messageId": event["id"]}
    collecting.http.post("/v1/track", json=of_nobody)
    collecting.http.post("/v1/events", json=[event], headers={"Authorization": "Bearer wrong"})


def _judge(webbing: Webbing) -> None:
    """Close some alerts, not all as right; ask for something with a token that nobody has."""
    for number in range(12):
        profile = {"name": f"judged-{number}", "owner": "kim", "mrr": 100}
        alert = webbing.raises(profile["name"], reason="usage_drop", profile=profile)
        outcome = "false_alarm" if number % 4 else "saved"
        answer = webbing.http.post(
            "/api/v1/outcomes", json={"alert_id": alert.id, "outcome": outcome}
        )
        assert answer.status_code == 201, answer.text
    webbing.http.get("/api/v1/alerts", headers={"Authorization": "Bearer wrong"})
    wait_for(lambda: webbing.process.metric("pulse_alert_outcomes") >= 12)


def _made(folder: Path) -> Path:
    made = folder / "prometheus"
    made.mkdir()
    return made
