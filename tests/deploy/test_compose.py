"""`deploy/compose/`: the file is one of the specification's, and what it names is there."""

from __future__ import annotations

import json
import re
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pulse.config import Config
from tests.deploy.reading import (
    DEPLOY,
    ROOT,
    WORKS_IN,
    config_option,
    parsed,
    ports,
    pulse_commands,
    variables,
    yaml,
)

FOLDER = DEPLOY / "compose"
COMPOSE = yaml(FOLDER / "compose.yaml")
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
CONFIG = Config.load(FOLDER / "pulse.yaml")
OURS = {name for name, each in SERVICES.items() if each["image"].startswith("pulse:")}
ONCE = {"topics", "history"}
RUN_ON = {"collector": "collect", "worker": "work", "notifier": "notify", "web": "web"}
WRITES_ITSELF = {"kafka"}
"""Its image writes its configuration when it starts."""


def schema() -> Any:
    """The compose specification's; the package that has it with it is not imported."""
    found = find_spec("check_jsonschema")
    assert found is not None
    assert found.submodule_search_locations is not None
    folder = Path(found.submodule_search_locations[0]) / "builtin_schemas" / "vendor"
    return json.loads((folder / "compose-spec.json").read_text())


def test_it_is_a_compose_file() -> None:
    jsonschema.validate(COMPOSE, schema())


def test_a_mistake_in_it_would_be_found() -> None:
    wrong = COMPOSE | {"services": SERVICES | {"web": {"imagee": "x"}}}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, schema())


def test_it_has_all_that_pulse_consists_of() -> None:
    wanted = {"kafka", "valkey", "prometheus", "alertmanager", "grafana", "simulator"}
    assert wanted | ONCE | set(RUN_ON) == set(SERVICES)


@pytest.mark.parametrize("name", sorted(OURS - {"history", "simulator"}))
def test_commands_are_known_and_read_the_configuration(name: str) -> None:
    words = SERVICES[name]["command"]
    assert parsed(words) == RUN_ON.get(name, name)
    assert config_option(words) == "/etc/pulse/pulse.yaml"


@pytest.mark.parametrize("name", ["history", "simulator"])
def test_the_simulator_runs_a_script_that_is_mounted(name: str) -> None:
    shell, script, what = SERVICES[name]["entrypoint"]
    assert shell == "/bin/sh"
    assert mounted(name)[script] == "./simulate.sh"
    assert f"{what})" in (FOLDER / "simulate.sh").read_text()


def test_the_scripts_commands_are_known() -> None:
    subprocess.run(["sh", "-n", FOLDER / "simulate.sh"], check=True)
    commands = pulse_commands((FOLDER / "simulate.sh").read_text())
    assert [words[0] for words in commands] == ["simulate", "emit", "emit"]
    values = {"$accounts": "1000", "$begins": "2026-01-01", "$until": "2026-02-01T00:00:00Z"}
    for words in commands:
        # `$resume` is an option or nothing.
        parsed([values.get(word, word) for word in words if word != "$resume"])


def test_the_scripts_variables_are_given_by_the_file_or_have_a_default() -> None:
    script = (FOLDER / "simulate.sh").read_text()
    with_default = set(re.findall(r"\$\{([A-Z_]+):-", script))
    assert {"ACCOUNTS", "PAST_DAYS"} <= set(SERVICES["history"]["environment"]) & with_default
    assert not set(re.findall(r"\$\{?([A-Z_]+)\}?", script)) - with_default


def mounted(name: str) -> dict[str, str]:
    """What a service has mounted where: a path beside the file, or a volume."""
    return {each.split(":")[1]: each.split(":")[0] for each in SERVICES[name].get("volumes", ())}


def test_what_is_mounted_is_there() -> None:
    for name in SERVICES:
        for place, source in mounted(name).items():
            if source.startswith("."):
                assert (FOLDER / source).exists(), f"{name}: {source}"
                line = next(v for v in SERVICES[name]["volumes"] if f":{place}" in v)
                assert line.endswith(":ro"), f"{name}: {source} is ours and not its to change"
            else:
                assert source in COMPOSE["volumes"], f"{name}: {source}"
    used = {source for name in SERVICES for source in mounted(name).values()}
    assert set(COMPOSE["volumes"]) <= used


def test_every_setting_of_a_path_is_on_a_volume() -> None:
    assert CONFIG.collector.spool is not None
    assert mounted("collector")[str(Path(CONFIG.collector.spool).parent)] == "spool"
    assert mounted("web")[str((WORKS_IN / CONFIG.history.file).parent)] == "web"


def test_ports_are_those_of_the_configuration() -> None:
    listening = ports(CONFIG)
    for name, command in RUN_ON.items():
        published = [int(each.rpartition(":")[2]) for each in SERVICES[name].get("ports", ())]
        assert set(published) <= set(listening[command])
        check = SERVICES[name]["healthcheck"]["test"]
        assert check[:4] == ["CMD", "/opt/pulse/bin/python", "-m", "pulse.health"]
        assert int(check[4]) == listening[command][-1], f"{name}: where its metrics are"
    hosts = (CONFIG.worker, CONFIG.notifier, CONFIG.collector, CONFIG.web)
    assert {each.metrics_host for each in hosts} == {"0.0.0.0"}
    assert (CONFIG.collector.host, CONFIG.web.host) == ("0.0.0.0", "0.0.0.0")


def test_nothing_is_published_beyond_this_machine() -> None:
    for name, each in SERVICES.items():
        for port in each.get("ports", ()):
            assert port.startswith("127.0.0.1:"), f"{name}: {port}"


def test_addresses_in_the_configuration_are_services() -> None:
    said = [*CONFIG.kafka.brokers, CONFIG.redis.url, "http://prometheus:9090"]
    said += [str(getattr(each, "url", "")) for each in CONFIG.receivers]
    for address in said:
        host = re.sub(r"^\w+://", "", address).partition(":")[0]
        assert host in SERVICES, address


def test_variables_are_those_that_the_configuration_names() -> None:
    for name in OURS - {"history", "simulator"}:
        given = set(SERVICES[name].get("environment", {}))
        assert given - {"FORWARDED_ALLOW_IPS"} <= variables(CONFIG), name
    assert set(SERVICES["notifier"]["environment"]) == variables(CONFIG)
    assert set(SERVICES["web"]["environment"]) == variables(CONFIG) | {"FORWARDED_ALLOW_IPS"}


def test_secrets_are_asked_for_and_explained() -> None:
    text = (FOLDER / "compose.yaml").read_text()
    example = (FOLDER / "env.example").read_text()
    asked = set(re.findall(r"\$\{([A-Z_]+)", text))
    explained = dict(re.findall(r"^([A-Z_]+)=(.*)$", example, re.MULTILINE))
    assert asked == set(explained)
    for variable in re.findall(r"\$\{([A-Z_]+):\?", text):
        assert explained[variable] == "", f"{variable} is a secret: there is no default"


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_no_service_may_more_than_it_must(name: str) -> None:
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["read_only"] is (name not in WRITES_ITSELF)
    assert not {"privileged", "cap_add", "network_mode", "pid"} & set(service)


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_images_are_pinned_and_watched(name: str) -> None:
    service = SERVICES[name]
    assert re.fullmatch(r"[\w/.-]+:v?\d+\.\d+\.\d+(-alpine)?", service["image"])
    check = service.get("healthcheck", {})
    assert ("test" in check) is (name not in ONCE | {"simulator"})


def test_each_service_of_ours_is_built_alike() -> None:
    builds = {json.dumps(SERVICES[name]["build"]) for name in OURS}
    (build,) = [json.loads(each) for each in builds]
    context = (FOLDER / build["context"]).resolve()
    assert context == ROOT
    assert (context / build["dockerfile"]).is_file()


def test_kafka_is_the_version_that_the_tests_run_on() -> None:
    pom = (ROOT / "src/pulse/testing/kafka-pom.xml").read_text()
    version = re.search(r"<kafka.version>(.*)</kafka.version>", pom)
    assert version is not None
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{version[1]}"


def test_each_waits_for_what_it_needs() -> None:
    for name, service in SERVICES.items():
        for needed, how in service.get("depends_on", {}).items():
            expected = "completed_successfully" if needed in ONCE else "healthy"
            assert how["condition"] == f"service_{expected}", f"{name} → {needed}"
    assert "history" in SERVICES["worker"]["depends_on"], "a history comes before any tick"


def test_there_are_not_more_workers_than_partitions() -> None:
    assert 2 <= SERVICES["worker"]["scale"] <= CONFIG.kafka.partitions


def test_prometheus_asks_every_process_and_tells_alertmanager() -> None:
    prometheus = yaml(DEPLOY / "prometheus" / "prometheus.yml")
    asked = {
        (name, found["port"])
        for job in prometheus["scrape_configs"]
        for found in job["dns_sd_configs"]
        for name in found["names"]
    }
    assert asked == {(name, ports(CONFIG)[each][-1]) for name, each in RUN_ON.items()}
    (told,) = prometheus["alerting"]["alertmanagers"][0]["dns_sd_configs"]
    assert told["names"] == ["alertmanager"]
    published = SERVICES["alertmanager"]["ports"][0]
    assert published.endswith(f":{told['port']}")
    for name in (*RUN_ON, "prometheus", "alertmanager"):
        assert "inside" in SERVICES[name]["networks"]


def test_grafana_opens_on_the_fleet() -> None:
    given = SERVICES["grafana"]["environment"]
    home = Path(given["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    folder = FOLDER / mounted("grafana")[str(home.parent)]
    assert json.loads((folder / home.name).read_text())["uid"] == "pulse-fleet"
    provisioning = FOLDER / mounted("grafana")["/etc/grafana/provisioning"]
    (provider,) = yaml(provisioning / "dashboards" / "pulse.yaml")["providers"]
    assert provider["options"]["path"] == str(home.parent)
    (source,) = yaml(provisioning / "datasources" / "prometheus.yaml")["datasources"]
    assert source["type"] == "prometheus"
    assert source["url"].removeprefix("$") in given
    assert given["PROMETHEUS_URL"].removeprefix("http://").partition(":")[0] in SERVICES


def test_alertmanager_has_a_receiver_for_its_route() -> None:
    alertmanager = yaml(FOLDER / "alertmanager.yml")
    assert alertmanager["route"]["receiver"] in {e["name"] for e in alertmanager["receivers"]}
