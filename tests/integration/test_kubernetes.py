"""What must be true of the manifests for Kubernetes, whoever edits them."""

import copy
import re
from collections.abc import Callable
from typing import Any

import kubernetes_validate
import pytest
import yaml
from pydantic import SecretStr, ValidationError

from e2a.settings import InitSettings, MergerSettings, MonitorSettings, SynthSettings
from merger import census
from tests import manifests
from tests.manifests import OVERLAYS, VERSIONS, Manifest, container, of_kind, pods, selects, variables
from tests.servers import ROOT

SETTINGS = {"init": InitSettings, "merger": MergerSettings, "monitor": MonitorSettings, "synth-consumer": SynthSettings}
SERVERS = {"kafka", "redis", "minio", "prometheus"}
FROM_OUTSIDE = {("monitor", "page"), ("minio", "s3")}

REFERENCES = {
    r"(?:configMap|configMapRef|configMapKeyRef):\n(?: +key: .*\n)? +name: (\S+)": "ConfigMap",
    r"secret:\n +name: (\S+)": "Secret",
    r"secretName: (\S+)": "Secret",
    r"claimName: (\S+)": "PersistentVolumeClaim",
}

everywhere = pytest.mark.parametrize("overlay", OVERLAYS)


@pytest.mark.parametrize(("overlay", "version"), [("gpu", VERSIONS[0]), ("gpu", VERSIONS[-1]), ("small", VERSIONS[-1])])
def test_kubernetes_knows_every_field(overlay: str, version: str) -> None:
    """Every object has the fields of its kind, of the right types, and no others."""
    for manifest in manifests.manifests(overlay):
        manifests.validate(manifest, version)


def _replicas(manifest: Manifest) -> None:
    manifest["spec"]["replicas"] = "three"


def _probe(manifest: Manifest) -> None:
    container(manifest["spec"]["template"])["readinessProbe"]["period"] = 5


def _trigger(manifest: Manifest) -> None:
    manifest["spec"]["triggers"][0]["metadata"]["threshold"] = 600


def _scaling(manifest: Manifest) -> None:
    manifest["spec"]["maxReplicas"] = 12


@pytest.mark.parametrize(
    ("kind", "name", "fault"),
    [
        ("StatefulSet", "kafka", _replicas),
        ("StatefulSet", "kafka", _probe),
        ("ScaledObject", "synth-consumer", _trigger),
        ("ScaledObject", "synth-consumer", _scaling),
    ],
)
def test_a_fault_is_seen(kind: str, name: str, fault: Callable[[Manifest], None]) -> None:
    """A wrong type and an unknown field, deep inside an object, do not pass the check above."""
    manifest = copy.deepcopy(of_kind("gpu", kind)[name])
    fault(manifest)
    with pytest.raises((kubernetes_validate.ValidationError, ValidationError)):
        manifests.validate(manifest, VERSIONS[-1])


@pytest.mark.parametrize("missing", manifests.SECRETS)
def test_secrets_have_no_default(missing: str) -> None:
    """Without one of the secrets nothing is rendered, and the message names the file."""
    result = manifests.render("gpu", set(manifests.SECRETS) - {missing})
    assert result.returncode != 0
    assert f"secrets/{missing}" in result.stderr


def test_the_overlay_of_the_page() -> None:
    """What docs/kubernetes.md says to write renders: with images of one's own, the licence accepted, and models that
    each worker keeps for itself."""
    page = (ROOT / "docs/kubernetes.md").read_text()
    whole, patches = re.findall(r"^```yaml\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    result = manifests.render("mine", kustomization=whole + patches)
    assert result.returncode == 0, result.stderr
    made = list(yaml.safe_load_all(result.stdout))
    for manifest in made:
        manifests.validate(manifest, VERSIONS[-1])
    assert "PersistentVolumeClaim" not in {manifest["kind"] for manifest in made}
    assert {line.strip() for line in result.stdout.split("\n") if "image: e2a" in line} == set()
    assert 'E2A_ACCEPT_CPML: "true"' in result.stdout
    volumes = [volume for each in made if _is_worker(each) for volume in each["spec"]["template"]["spec"]["volumes"]]
    assert [sorted(volume) for volume in volumes if volume["name"] == "models"] == [["emptyDir", "name"]]


@everywhere
def test_every_workload_is_known(overlay: str) -> None:
    """A workload that is added is added to these tests."""
    assert pods(overlay).keys() == SERVERS | SETTINGS.keys()


@everywhere
def test_every_pod_is_confined(overlay: str) -> None:
    """No pod runs as root, writes outside its volumes, gains rights or is known to the API server: what the namespace
    enforces, and more."""
    (namespace,) = of_kind(overlay, "Namespace").values()
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    for name, pod in pods(overlay).items():
        context = pod["spec"]["securityContext"]
        assert context["runAsNonRoot"], name
        assert context["runAsUser"] > 0, name
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert pod["spec"]["automountServiceAccountToken"] is False, name
        assert pod["spec"]["enableServiceLinks"] is False, name
        assert container(pod)["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }, name


@everywhere
def test_every_pod_is_watched_and_limited(overlay: str) -> None:
    """What stays has both probes, at ports that it has; everything has a limit of memory, which it is sure to get."""
    for name, pod in pods(overlay).items():
        only = container(pod)
        assert only["resources"]["limits"]["memory"], name
        if name != "init":
            ports = {port["name"] for port in only["ports"]}
            for probe in ("readinessProbe", "livenessProbe"):
                check = only[probe].get("httpGet") or only[probe].get("tcpSocket")
                assert "exec" in only[probe] or check["port"] in ports, name


@everywhere
def test_who_waits_for_its_servers_is_not_ready(overlay: str) -> None:
    """A worker or merger gets ready when it takes work, and is started anew only when it does not answer; Prometheus
    sees it all the time."""
    for name in ("synth-consumer", "merger"):
        only = container(pods(overlay)[name])
        paths = [only[probe]["httpGet"]["path"] for probe in ("readinessProbe", "livenessProbe")]
        assert paths == ["/readyz", "/healthz"], name
        assert of_kind(overlay, "Service")[name]["spec"]["publishNotReadyAddresses"], name


@everywhere
def test_python_is_not_the_first_process(overlay: str) -> None:
    """As that it would ignore SIGTERM until it has a handler: a worker that loads its model would be killed."""
    for name in SETTINGS:
        assert pods(overlay)[name]["spec"]["shareProcessNamespace"] is True, name


@everywhere
@pytest.mark.parametrize("name", SETTINGS)
def test_variables_are_settings(overlay: str, name: str) -> None:
    """Every E2A_* variable is a setting of somebody, and all of a service's own make valid settings."""
    given = {key: value for key, value in variables(overlay, pods(overlay)[name]).items() if key.startswith("E2A_")}
    known = {f"E2A_{field.upper()}" for settings in SETTINGS.values() for field in settings.model_fields}
    assert given.keys() <= known
    SETTINGS[name].model_validate({key.removeprefix("E2A_").lower(): value for key, value in given.items()})


@everywhere
@pytest.mark.parametrize("name", SETTINGS)
def test_secrets_are_settings(overlay: str, name: str) -> None:
    """A service finds each secret that it is given under the name of a setting that is secret, and gets no other."""
    mounts = {mount["name"]: mount["mountPath"] for mount in container(pods(overlay)[name])["volumeMounts"]}
    assert mounts["secrets"] == "/run/secrets"
    volumes = {volume["name"]: volume for volume in pods(overlay)[name]["spec"]["volumes"]}
    sources = [source["secret"]["name"] for source in volumes["secrets"]["projected"]["sources"]]
    files = {file for source in sources for file in of_kind(overlay, "Secret")[source]["data"]}
    fields = SETTINGS[name].model_fields
    assert all(fields[file.removeprefix("e2a_")].annotation is SecretStr for file in files), files
    assert ("e2a_monitor_password" in files) == (name == "monitor")


@everywhere
def test_a_worker_has_time_to_hand_back(overlay: str) -> None:
    """Kubernetes waits longer for a worker than a worker waits for its part."""
    pod = pods(overlay)["synth-consumer"]
    grace = variables(overlay, pod).get("E2A_GRACE", SynthSettings.model_fields["grace"].default)
    assert pod["spec"]["terminationGracePeriodSeconds"] > float(grace)


@everywhere
def test_references_exist(overlay: str) -> None:
    """Every ConfigMap, Secret and claim that a pod names is there, and each volume is one that it mounts."""
    for name, pod in pods(overlay).items():
        volumes = pod["spec"].get("volumes", [])
        text = yaml.safe_dump([volumes, container(pod)])
        for reference, kind in REFERENCES.items():
            assert set(re.findall(reference, text)) <= of_kind(overlay, kind).keys(), (name, kind)
        sets = of_kind(overlay, "StatefulSet").get(name, {}).get("spec", {})
        claims = {claim["metadata"]["name"] for claim in sets.get("volumeClaimTemplates", [])}
        mounted = {mount["name"] for mount in container(pod)["volumeMounts"]}
        assert mounted == claims | {volume["name"] for volume in volumes}, name


@everywhere
def test_selectors_select(overlay: str) -> None:
    """Every Service, budget and rule of the network is about pods that are there, and a Service's ports are theirs."""
    labels = {name: pod["metadata"]["labels"] for name, pod in pods(overlay).items()}
    for name, service in of_kind(overlay, "Service").items():
        assert service["spec"].get("type", "ClusterIP") == "ClusterIP", name
        (pod,) = [pod for pod in pods(overlay).values() if service["spec"]["selector"].items() <= _labels(pod).items()]
        ports = {(port["name"], port["containerPort"]) for port in container(pod)["ports"]}
        assert {(port["name"], port["port"]) for port in service["spec"]["ports"]} <= ports, name
    for name, budget in of_kind(overlay, "PodDisruptionBudget").items():
        assert any(selects(budget["spec"]["selector"], each) for each in labels.values()), name
    for name, rule in of_kind(overlay, "NetworkPolicy").items():
        assert _apps(rule["spec"]) <= labels.keys(), name


@everywhere
def test_only_page_and_storage_are_reached_from_outside(overlay: str) -> None:
    """Every pod is closed, and what is opened to everybody are two ports; to KEDA, one more."""
    rules = of_kind(overlay, "NetworkPolicy")
    assert rules["default"]["spec"]["podSelector"] == {}
    assert rules["default"]["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in rules["default"]["spec"]
    opened = set()
    for rule in rules.values():
        for name, pod in pods(overlay).items():
            if selects(rule["spec"]["podSelector"], _labels(pod)):
                opened |= {(name, port) for port in _open_ports(rule["spec"], pod)}
    assert opened == FROM_OUTSIDE | ({("prometheus", "http")} if overlay == "gpu" else set())


@everywhere
def test_every_server_is_reached_by_its_users(overlay: str) -> None:
    """Whom a service's settings name, it may connect to, and metrics are collected."""
    needed = {("kafka", "broker"): SETTINGS.keys(), ("kafka", "controller"): {"kafka"}}
    needed |= {("redis", "redis"): SETTINGS.keys() - {"init"}}
    needed |= {(name, "metrics"): {"prometheus"} for name in SETTINGS.keys() - {"init"}}
    for (server, port), users in needed.items():
        for user in users:
            assert _may_connect(overlay, user, server, port), (user, server, port)


@pytest.mark.parametrize(("overlay", "replicas", "in_sync"), [("gpu", 3, 2), ("small", 1, 1)])
def test_kafka_keeps_as_many_copies_as_it_has_brokers(overlay: str, replicas: int, in_sync: int) -> None:
    """All topics have a copy on each broker, and the brokers start together: none is ready alone."""
    kafka = of_kind(overlay, "StatefulSet")["kafka"]["spec"]
    given = variables(overlay, kafka["template"])
    assert (kafka["replicas"], kafka["podManagementPolicy"]) == (replicas, "Parallel")
    voters = [f"{number}@kafka-{number}.kafka:9093" for number in range(replicas)]
    assert given["KAFKA_CONTROLLER_QUORUM_VOTERS"] == ",".join(voters)
    assert {value for name, value in given.items() if name.endswith("REPLICATION_FACTOR")} == {str(replicas)}
    assert {value for name, value in given.items() if name.endswith(("MIN_ISR", "INSYNC_REPLICAS"))} == {str(in_sync)}


def test_workers_scale_with_the_audio_that_waits() -> None:
    """KEDA asks Prometheus for a metric that mergers show, and makes no more workers than there are partitions."""
    (scaled,) = of_kind("gpu", "ScaledObject").values()
    spec, (trigger,) = scaled["spec"], scaled["spec"]["triggers"]
    given = variables("gpu", pods("gpu")["synth-consumer"])
    assert spec["scaleTargetRef"]["name"] in of_kind("gpu", "Deployment")
    assert "replicas" not in of_kind("gpu", "Deployment")["synth-consumer"]["spec"]
    assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (0, int(given["E2A_PARTITIONS"]))
    assert census.QUEUED_SECONDS[0] in trigger["metadata"]["query"]
    host, _, port = trigger["metadata"]["serverAddress"].removeprefix("http://").partition(":")
    service, _, namespace = host.removesuffix(".svc").partition(".")
    assert namespace == of_kind("gpu", "Service")[service]["metadata"]["namespace"]
    assert int(port) == of_kind("gpu", "Service")[service]["spec"]["ports"][0]["port"]


def test_a_gpu_for_every_worker() -> None:
    """A worker asks for one, and for an engine that speaks on it; the licence is not accepted for anybody."""
    pod = pods("gpu")["synth-consumer"]
    assert container(pod)["resources"]["limits"]["nvidia.com/gpu"] == 1
    given = variables("gpu", pod)
    assert (given["E2A_ENGINE"], given["E2A_ACCEPT_CPML"]) == ("xtts", "false")
    assert "nvidia.com/gpu" not in container(pods("small")["synth-consumer"])["resources"]["limits"]


@everywhere
def test_prometheus_finds_the_services(overlay: str) -> None:
    """Its jobs are those that the alerts go by, and each looks up the pods of a Service."""
    ours = yaml.safe_load(of_kind(overlay, "ConfigMap")[_named(overlay, "prometheus-")]["data"]["prometheus.yml"])
    docker = yaml.safe_load((ROOT / "deploy/monitoring/prometheus.yml").read_text())
    assert [job["job_name"] for job in ours["scrape_configs"]] == [job["job_name"] for job in docker["scrape_configs"]]
    for job in ours["scrape_configs"]:
        (found,) = job["dns_sd_configs"]
        service = of_kind(overlay, "Service")[found["names"][0]]["spec"]
        assert (service["clusterIP"], service["ports"][0]["port"]) == ("None", found["port"])


@everywhere
def test_images_are_those_of_compose(overlay: str) -> None:
    """The same versions run everywhere."""
    text = (ROOT / "docker-compose.kafka.yml").read_text() + (ROOT / "docker-compose.gpu.yml").read_text()
    for name, pod in pods(overlay).items():
        assert container(pod)["image"] in text, name


def _is_worker(manifest: Manifest) -> bool:
    return (manifest["kind"], manifest["metadata"]["name"]) == ("Deployment", "synth-consumer")


def _labels(pod: Manifest) -> dict[str, str]:
    return dict(pod["metadata"]["labels"])


def _named(overlay: str, prefix: str) -> str:
    (name,) = [name for name in of_kind(overlay, "ConfigMap") if name.startswith(prefix)]
    return name


def _apps(rule: Any) -> set[str]:
    """Return the apps that are named anywhere in a rule."""
    if isinstance(rule, list):
        return set().union(*map(_apps, rule))
    if not isinstance(rule, dict):
        return set()
    named = {rule["app"]} if "app" in rule else set()
    named |= set(rule["values"]) if rule.get("key") == "app" else set()
    return named.union(*map(_apps, rule.values()))


def _open_ports(rule: Manifest, pod: Manifest) -> set[str]:
    """Return the ports of a pod that a rule opens to whoever is not in the namespace."""
    ports = {port["name"] for port in container(pod).get("ports", [])}
    opened = set()
    for each in rule.get("ingress", []):
        if any("podSelector" not in peer for peer in each.get("from", [{}])):
            opened |= {port["port"] for port in each["ports"]} & ports
    return opened


def _may_connect(overlay: str, user: str, server: str, port: str) -> bool:
    for rule in of_kind(overlay, "NetworkPolicy").values():
        if selects(rule["spec"]["podSelector"], _labels(pods(overlay)[server])):
            for each in rule["spec"].get("ingress", []):
                peers = [peer["podSelector"] for peer in each.get("from", []) if "podSelector" in peer]
                known = any(selects(peer, _labels(pods(overlay)[user])) for peer in peers)
                if known and port in {opened["port"] for opened in each["ports"]}:
                    return True
    return False
