"""What must be true of the compose file, whoever edits it."""

import json
import re

import pytest

from e2a.settings import MergerSettings, MonitorSettings, ProducerSettings, SynthSettings
from tests import compose

SERVERS = ("kafka", "redis", "minio")
SERVICES = ("synth_consumer", "merger", "monitor")
WATCHERS = ("prometheus", "grafana")
GPU = "docker-compose.gpu.yml"
HOST = "docker-compose.host.yml"
ONE_SHOTS = ("init", "minio_volume", "produce")
VERSION = r":(v?\d+\.\d+\.\d+(-[a-z-]+)?|RELEASE\.[\dTZ-]+)\}?$"


@pytest.fixture
def model():
    return compose.model()


def names(entries):
    """Return the names that a service's volumes or secrets refer to."""
    return {entry["source"] for entry in entries if entry.get("type", "volume") == "volume"}


def test_every_service_is_known(model):
    """A service added to the compose file is added to these tests."""
    assert set(model["services"]) == {*SERVERS, *SERVICES, *WATCHERS, *ONE_SHOTS}


@pytest.mark.parametrize("name", [*SERVERS, *SERVICES, *WATCHERS])
def test_a_service_that_stays_is_watched(model, name):
    """Every long-running service has a health check, a restart policy and a memory limit."""
    service = model["services"][name]
    assert service["healthcheck"]["test"][0] == "CMD"
    assert service["restart"] == "unless-stopped"
    assert service["mem_limit"]


@pytest.mark.parametrize("name", ONE_SHOTS)
def test_a_one_shot_is_not_restarted(model, name):
    """A service that ends is not started again."""
    assert model["services"][name]["restart"] == "no"


@pytest.mark.parametrize("name", [*SERVERS, *SERVICES, *WATCHERS, "init", "produce"])
def test_nothing_runs_as_root(model, name):
    """Every service runs as a user that is not root; the one-shot that gives MinIO its volume is the exception."""
    user = model["services"][name]["user"].removeprefix("${E2A_USER:-").removesuffix("}")
    assert user.split(":")[0] not in {"", "0", "root"}


def test_the_root_one_shot_can_only_change_owners(model):
    """The only service that runs as root holds one capability and no network."""
    service = model["services"]["minio_volume"]
    assert service["cap_add"] == ["CHOWN"]
    assert service["network_mode"] == "none"


@pytest.mark.parametrize("name", [*SERVERS, *SERVICES, *WATCHERS, *ONE_SHOTS])
def test_every_service_is_confined(model, name):
    """Every service drops all capabilities, gains none later, and rotates its log."""
    service = model["services"][name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["logging"]["options"]["max-size"]


@pytest.mark.parametrize("name", [*SERVICES, *WATCHERS, "init", "produce", "redis", "minio"])
def test_the_root_file_system_is_read_only(model, name):
    """Only Kafka, whose image writes its configuration at start, may write outside its volumes."""
    assert model["services"][name]["read_only"] is True


@pytest.mark.parametrize("name", [*SERVICES, "init", "produce"])
def test_python_is_not_the_first_process(model, name):
    """Every Python service runs under an init process: as PID 1 it would ignore SIGTERM."""
    assert model["services"][name]["init"] is True


def test_only_page_and_storage_are_published(model):
    """Nothing else is published, and to this machine alone unless another address is given."""
    ports = {name: service["ports"] for name, service in model["services"].items() if service.get("ports")}
    assert set(ports) == {"minio", "monitor", "grafana"}
    assert all(port.startswith("${E2A_PUBLISH:-127.0.0.1}:") for each in ports.values() for port in each)


def test_who_is_not_published_reaches_nobody_outside(model):
    """Everything else is in a network that has no way out; so are workers, which read what hostile books say."""
    assert model["networks"]["back"]["internal"]
    outside = {name for name, service in model["services"].items() if "front" in (service.get("networks") or {})}
    assert outside == {"minio", "monitor", "grafana"}
    masquerade = model["networks"]["front"]["driver_opts"]["com.docker.network.bridge.enable_ip_masquerade"]
    assert masquerade == "false"


def test_kafka_and_redis_can_be_published_to_this_machine():
    """The file for programs outside of Docker publishes both to this machine, and nothing more."""
    services = compose.model(HOST)["services"]
    for name, port in (("kafka", 29092), ("redis", 6379)):
        (published,) = services[name]["ports"]
        assert (published["host_ip"], published["target"]) == ("127.0.0.1", port)
        assert "front" in services[name]["networks"]
    assert "HOST://127.0.0.1:29092" in services["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]


def test_each_worker_takes_a_gpu_of_its_own():
    """Workers see all GPUs and take one by a lease; models have a volume; books ask for the engine there is."""
    services = compose.model(GPU)["services"]
    worker = services["synth_consumer"]
    (devices,) = worker["deploy"]["resources"]["reservations"]["devices"]
    assert (devices["driver"], devices["count"], devices["capabilities"]) == ("nvidia", "all", ["gpu"])
    assert "E2A_GPU_LEASE=true" in worker["environment"]
    assert names(worker["volumes"]) == {"models"}
    assert worker["build"]["target"] == "synth"
    for name in ("synth_consumer", "produce", "monitor"):
        assert "E2A_ENGINE=${E2A_ENGINE:-xtts}" in services[name]["environment"]


@pytest.mark.parametrize("name", ["synth_consumer", "merger"])
def test_who_waits_for_its_servers_is_not_healthy(model, name):
    """The check asks whether a service takes work, and is patient while it waits for servers or fetches a model."""
    checks = [services[name]["healthcheck"] for services in (model["services"], compose.model(GPU)["services"])]
    patience = [60 * int(check["start_period"].removesuffix("m")) for check in checks]
    assert all("/readyz'" in check["test"][-1] for check in checks)
    assert patience[0] == MergerSettings.model_fields["patience"].default
    assert (patience[1] > patience[0]) == (name == "synth_consumer")


def test_synth_consumers_can_be_scaled(model):
    """A synth_consumer has neither a name nor a published port, which two could not share."""
    service = model["services"]["synth_consumer"]
    assert "container_name" not in service
    assert "ports" not in service


@pytest.mark.parametrize(("variables", "count"), [({"E2A_WORKERS": "4"}, 4), ({"E2A_ENGINE": "espeak"}, 1)])
def test_the_number_of_workers_is_remembered(variables, count):
    """A command without `--scale` has as many workers as `.env` says, so that it takes none away."""
    services = json.loads(compose.load(**variables).stdout)["services"]
    assert services["synth_consumer"]["scale"] == count


def test_a_worker_has_time_to_hand_back(model):
    """Docker waits longer for a synth_consumer than a synth_consumer waits for its part."""
    seconds = int(model["services"]["synth_consumer"]["stop_grace_period"].removesuffix("s"))
    assert seconds > SynthSettings.model_fields["grace"].default


def test_secrets_are_files(model):
    """All secrets are files of one folder, and no service gets one as a variable."""
    for secret in model["secrets"].values():
        assert re.search(r"\$\{E2A_SECRETS:-./secrets\}/\w+$", secret["file"])
    given = [name for service in model["services"].values() for name in service.get("environment", {})]
    assert not [name for name in given if re.search("SECRET|PASSWORD", name) and not name.endswith("_FILE")]


def test_redis_has_a_password(model):
    """Redis reads its password from a file, never from its command line, and all who use it have that file."""
    redis = model["services"]["redis"]
    assert "requirepass $$(cat /run/secrets/e2a_redis_password)" in redis["command"][-1]
    having = {
        name for name, each in model["services"].items() if "e2a_redis_password" in names(each.get("secrets", []))
    }
    assert having == {"redis", *SERVICES, "produce"}


@pytest.mark.parametrize("name", [*SERVICES, "init", "produce", "minio"])
def test_those_who_use_storage_get_the_secret_key(model, name):
    """Every user of object storage, and the server, has the secret mounted."""
    assert "e2a_s3_secret_key" in names(model["services"][name]["secrets"])


def test_the_page_has_a_password(model):
    """The page, and nobody else, has the password mounted that it asks for."""
    having = [
        name for name, each in model["services"].items() if "e2a_monitor_password" in names(each.get("secrets", []))
    ]
    assert having == ["monitor"]
    assert model["services"]["monitor"]["environment"]["TMPDIR"] == "/var/tmp"


def test_references_exist(model):
    """Every service, volume and secret that is named is declared."""
    services = model["services"].values()
    assert {name for service in services for name in service.get("depends_on", {})} <= set(model["services"])
    assert {n for service in services for n in names(service.get("volumes", []))} == set(model["volumes"])
    assert {n for service in services for n in names(service.get("secrets", []))} == set(model["secrets"])


def test_conditions_can_be_met(model):
    """Who waits for health waits for a service that is checked; who waits for an end, for one that ends."""
    for service in model["services"].values():
        for name, need in service.get("depends_on", {}).items():
            expected = "service_completed_successfully" if name in ONE_SHOTS else "service_healthy"
            assert need["condition"] == expected


def test_every_image_is_built_once(model):
    """Services that share an image do not build it twice, and every image of ours is built."""
    built = [service["image"] for service in model["services"].values() if "build" in service]
    ours = {service["image"] for service in model["services"].values() if service["image"].startswith("e2a-")}
    assert sorted(built) == sorted(ours)


def test_versions_are_exact(model):
    """An image of others has a version that no later build replaces."""
    others = {each["image"] for each in model["services"].values() if not each["image"].startswith("e2a-")}
    assert [image for image in others if not re.search(VERSION, image)] == []
    bases = re.findall(r"^FROM (\S+:\S+)", (compose.ROOT / "deploy/docker/Dockerfile").read_text(), re.MULTILINE)
    assert all(re.search(VERSION, base) for base in bases)
    assert bases


def test_variables_are_settings(model):
    """Every E2A_* variable given to a service is a setting of e2a."""
    known = {
        f"E2A_{name.upper()}"
        for settings in (SynthSettings, MergerSettings, MonitorSettings, ProducerSettings)
        for name in settings.model_fields
    }
    given = {name for service in model["services"].values() for name in service.get("environment", {})}
    assert {name for name in given if name.startswith("E2A_")} <= known
