"""`deploy/kubernetes/`: each manifest is one of Kubernetes', and what it names is there."""

from __future__ import annotations

import re
from ipaddress import ip_network
from typing import Any

import kubernetes_validate
import pytest

from pulse.config import Config
from pulse.web.people.proxy import counts_all_as_one
from tests.deploy.reading import (
    DEPLOY,
    ROOT,
    WORKS_IN,
    config_option,
    documents,
    parsed,
    ports,
    variables,
    yaml,
)

VERSION = "1.37"
FOLDER = DEPLOY / "kubernetes"
DOCS = ROOT / "docs"
KUSTOMIZATION = yaml(FOLDER / "kustomization.yaml")
CONFIG = Config.load(FOLDER / "pulse.yaml")
MANIFESTS: list[dict[str, Any]] = [
    each for name in KUSTOMIZATION["resources"] for each in documents(FOLDER / name)
]
OLDEST = "1.34"
"""The first one in which all that they ask for is there without asking."""
PODS = ("Deployment", "StatefulSet", "Job")
RUNS = {"collector": "collect", "worker": "work", "notifier": "notify", "web": "web"}


def called(kind: str, name: str) -> dict[str, Any]:
    """The manifest of a kind and a name."""
    found = [e for e in MANIFESTS if (e["kind"], e["metadata"]["name"]) == (kind, name)]
    assert len(found) == 1, f"{kind} {name}"
    return found[0]


def pods() -> list[tuple[str, dict[str, Any]]]:
    """The name and the pod of all that runs."""
    return [
        (each["metadata"]["name"], each["spec"]["template"])
        for each in MANIFESTS
        if each["kind"] in PODS
    ]


@pytest.mark.parametrize("version", [OLDEST, VERSION])
@pytest.mark.parametrize(
    "manifest", MANIFESTS, ids=[f"{e['kind']}-{e['metadata']['name']}" for e in MANIFESTS]
)
def test_it_is_one_of_kubernetes(manifest: dict[str, Any], version: str) -> None:
    kubernetes_validate.validate(manifest, version, strict=True)


def test_a_mistake_in_one_would_be_found() -> None:
    wrong = called("StatefulSet", "worker")
    wrong = wrong | {"spec": wrong["spec"] | {"podManagmentPolicy": "Parallel"}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSION, strict=True)


def test_every_file_is_part_of_it() -> None:
    beside = {each.name for each in FOLDER.glob("*.yaml")} - {"kustomization.yaml", "pulse.yaml"}
    assert set(KUSTOMIZATION["resources"]) == beside
    generated = KUSTOMIZATION["configMapGenerator"]
    assert generated == [{"name": "pulse", "files": ["pulse.yaml"]}]
    names = [(each["kind"], each["metadata"]["name"]) for each in MANIFESTS]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(("name", "pod"), pods())
def test_commands_read_the_configuration_that_is_mounted(name: str, pod: dict[str, Any]) -> None:
    (container,) = pod["spec"]["containers"]
    assert parsed(container["args"]) == RUNS.get(name, name)
    mounts = {each["name"]: each["mountPath"] for each in container["volumeMounts"]}
    assert config_option(container["args"]) == f"{mounts['config']}/pulse.yaml"
    volumes = {each["name"]: each for each in pod["spec"]["volumes"]}
    assert set(mounts) == set(volumes) | ({"history"} if name == "web" else set())
    assert volumes["config"]["configMap"]["name"] == KUSTOMIZATION["configMapGenerator"][0]["name"]
    assert container["image"] in {each["name"] for each in KUSTOMIZATION["images"]}


@pytest.mark.parametrize(("name", "pod"), pods())
def test_no_pod_may_more_than_it_must(name: str, pod: dict[str, Any]) -> None:
    spec = pod["spec"]
    (container,) = spec["containers"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] == 10_001
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    may = container["securityContext"]
    assert may["allowPrivilegeEscalation"] is False
    assert may["readOnlyRootFilesystem"] is True
    assert may["capabilities"] == {"drop": ["ALL"]}
    assert set(container["resources"]["requests"]) == {"cpu", "memory"}
    assert "memory" in container["resources"]["limits"]


@pytest.mark.parametrize("name", sorted(RUNS))
def test_ports_and_probes_are_where_the_process_listens(name: str) -> None:
    pod = dict(pods())[name]
    (container,) = pod["spec"]["containers"]
    listening = ports(CONFIG)[RUNS[name]]
    named = {each["name"]: each["containerPort"] for each in container["ports"]}
    assert tuple(named.values()) == listening
    assert named["metrics"] == listening[-1]
    for probe, path in (
        ("startup", "/healthz"),
        ("liveness", "/healthz"),
        ("readiness", "/readyz"),
    ):
        assert container[f"{probe}Probe"]["httpGet"] == {"path": path, "port": "metrics"}
    for service in (each for each in MANIFESTS if each["kind"] == "Service"):
        if service["spec"]["selector"] == pod["metadata"]["labels"]:
            for port in service["spec"]["ports"]:
                assert named[port["targetPort"]] == port["port"]


def test_prometheus_finds_each_replica_of_each() -> None:
    for name, command in RUNS.items():
        labels = dict(pods())[name]["metadata"]["labels"]
        found = [
            each["spec"]
            for each in MANIFESTS
            if each["kind"] == "Service"
            and each["spec"]["selector"] == labels
            and each["spec"].get("clusterIP") == "None"
        ]
        (spec,) = found
        assert [each["port"] for each in spec["ports"]] == [ports(CONFIG)[command][-1]]


@pytest.mark.parametrize("name", sorted(RUNS))
def test_what_is_disrupted_is_disrupted_one_at_a_time(name: str) -> None:
    budget = called("PodDisruptionBudget", name)["spec"]
    assert budget["maxUnavailable"] == 1
    assert budget["selector"]["matchLabels"] == dict(pods())[name]["metadata"]["labels"]


def test_a_worker_has_a_name_of_its_own_and_time_to_come_back() -> None:
    worker = called("StatefulSet", "worker")
    (container,) = worker["spec"]["template"]["spec"]["containers"]
    named = {each["name"]: each["valueFrom"]["fieldRef"]["fieldPath"] for each in container["env"]}
    assert CONFIG.worker.instance_env is not None
    assert named == {CONFIG.worker.instance_env: "metadata.name"}
    assert called("Service", worker["spec"]["serviceName"])["spec"]["clusterIP"] == "None"
    assert worker["spec"]["replicas"] <= CONFIG.kafka.partitions
    assert container["resources"]["requests"]["cpu"] == "1"
    assert CONFIG.worker.session_timeout_s > 30, "a pod takes its time to be started again"


def test_a_worker_has_the_memory_that_the_sizing_computes_with() -> None:
    (gb,) = re.findall(r"\| workers of (\d+) GB \|", (DOCS / "sizing.md").read_text())
    (container,) = called("StatefulSet", "worker")["spec"]["template"]["spec"]["containers"]
    assert container["resources"]["limits"]["memory"] == f"{gb}Gi"


def test_a_mistake_does_not_keep_the_job_for_long() -> None:
    spec = called("Job", "topics")["spec"]
    (container,) = spec["template"]["spec"]["containers"]
    # Kubernetes waits 10, 20, 40, … seconds between the attempts.
    assert sum(10 * 2**number for number in range(spec["backoffLimit"])) <= 60
    within_s = int(container["args"][container["args"].index("--timeout") + 1])
    assert within_s < spec["activeDeadlineSeconds"] <= 1_200
    assert "kubectl -n pulse delete job topics" in (DOCS / "deployment.md").read_text()


def test_the_history_is_on_a_disk_of_the_pod() -> None:
    web = called("StatefulSet", "web")
    (container,) = web["spec"]["template"]["spec"]["containers"]
    (disk,) = web["spec"]["volumeClaimTemplates"]
    mounts = {each["mountPath"]: each["name"] for each in container["volumeMounts"]}
    assert mounts[str((WORKS_IN / CONFIG.history.file).parent)] == disk["metadata"]["name"]


def test_variables_that_the_configuration_names_are_given() -> None:
    given = {CONFIG.worker.instance_env, "PULSE_LINK_SECRET"}
    assert variables(CONFIG) == given
    for name in ("notifier", "web"):
        (container,) = dict(pods())[name]["spec"]["containers"]
        secrets = [each["secretRef"] for each in container["envFrom"]]
        assert {"name": "pulse-links"} in secrets, "it cannot run without"


def test_the_page_knows_from_where_the_ingress_comes() -> None:
    (container,) = dict(pods())["web"]["spec"]["containers"]
    said = {each["name"]: each["value"] for each in container["env"]}
    for each in said["FORWARDED_ALLOW_IPS"].split(","):
        assert ip_network(each).prefixlen > 0
    assert not counts_all_as_one(CONFIG.web.host, said)
    assert counts_all_as_one(CONFIG.web.host, {})


def test_the_network_is_closed_but_for_what_is_named() -> None:
    policies = {e["metadata"]["name"]: e["spec"] for e in MANIFESTS if e["kind"] == "NetworkPolicy"}
    assert policies["nobody"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    listening = ports(CONFIG)
    metrics = {port["port"] for port in policies["metrics"]["ingress"][0]["ports"]}
    assert metrics == {each[-1] for each in listening.values()}
    for name in ("collector", "web"):
        (rule,) = policies[f"into-{name}"]["ingress"]
        assert [each["port"] for each in rule["ports"]] == [listening[RUNS[name]][0]]
    stores = {
        (
            rule["to"][0]["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"],
            port["port"],
        )
        for rule in policies["names-and-stores"]["egress"]
        for port in rule["ports"]
    }
    address, _, redis_port = (
        CONFIG.redis.url.removeprefix("redis://").removesuffix("/0").rpartition(":")
    )
    broker, _, broker_port = CONFIG.kafka.brokers[0].rpartition(":")
    assert (address.split(".")[1], int(redis_port)) in stores
    assert (broker.split(".")[1], int(broker_port)) in stores
    for name, spec in policies.items():
        chosen = spec["podSelector"].get("matchLabels", {}).get("app.kubernetes.io/name")
        assert chosen is None or chosen in RUNS, name


def test_the_autoscaler_has_the_collectors_alone() -> None:
    (scaler,) = [each["spec"] for each in MANIFESTS if each["kind"] == "HorizontalPodAutoscaler"]
    target = scaler["scaleTargetRef"]
    assert "replicas" not in called(target["kind"], target["name"])["spec"], "they would disagree"
    assert (target["name"], scaler["minReplicas"]) == ("collector", 2)
    assert CONFIG.collector.spool is None, "each collector needs a folder of its own for it"
