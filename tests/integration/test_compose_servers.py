"""What must be true of the compose files for several machines, whoever edits them."""

import json
import os
import re
import subprocess

import pytest

from tests import compose

GPU, SERVERS, WORKER = "docker-compose.gpu.yml", "docker-compose.servers.yml", "docker-compose.worker.yml"
USERS = {"produce": "producer", "synth_consumer": "synth", "merger": "merger", "monitor": "monitor"}
ADDRESS = "192.0.2.10"


@pytest.fixture(scope="module")
def first():
    """Return the services of the first machine."""
    found = compose.load(SERVERS, E2A_ADDRESS=ADDRESS)
    assert found.returncode == 0, found.stderr
    return json.loads(found.stdout)["services"]


def worker_file(**variables):
    """Load the compose file of a machine that only has workers."""
    command = [*compose.compose_command(), "--env-file", os.devnull, "-f", WORKER, "config", "--format", "json"]
    env = {name: value for name, value in os.environ.items() if not name.startswith("E2A_")} | variables
    return subprocess.run(command, check=False, env=env, cwd=compose.ROOT, capture_output=True, text=True)


@pytest.fixture(scope="module")
def worker():
    """Return the worker of another machine."""
    found = worker_file(E2A_ADDRESS=ADDRESS)
    assert found.returncode == 0, found.stderr
    return json.loads(found.stdout)["services"]["synth_consumer"]


def secrets(service):
    """Return what a service finds in /run/secrets, and which file it is."""
    return {each["target"].removeprefix("/run/secrets/"): each["source"] for each in service["secrets"]}


def test_only_the_servers_are_reached_from_outside(first):
    """Kafka, Redis and MinIO are published at the address of the machine; the pages at what was said for them."""
    published = {name: [each["host_ip"] for each in service.get("ports", [])] for name, service in first.items()}
    assert {name for name, hosts in published.items() if ADDRESS in hosts} == {"kafka", "redis", "minio"}
    assert {host for hosts in published.values() for host in hosts} == {ADDRESS, "127.0.0.1"}
    assert published["kafka"] == published["redis"] == published["minio"] == [ADDRESS]


def test_kafka_asks_everybody_outside_of_its_container(first):
    """Listeners that take anybody are those of the container itself; the others want TLS and a user."""
    given = first["kafka"]["environment"]
    protocols = dict(each.split(":") for each in given["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"].split(","))
    listeners = dict(each.split("://") for each in given["KAFKA_LISTENERS"].split(","))
    for name, where in listeners.items():
        assert protocols[name] == ("PLAINTEXT" if where.startswith("127.0.0.1:") else "SASL_SSL")
    assert f"OUTSIDE://{ADDRESS}:9095" in given["KAFKA_ADVERTISED_LISTENERS"]


def test_kafka_is_set_as_the_tests_run_it(first):
    """What is said of users, rights and certificates is what deploy/secure/kafka.properties says, which is tested."""
    lines = (compose.ROOT / "deploy/secure/kafka.properties").read_text().splitlines()
    tested = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    given = first["kafka"]["environment"]
    for name in ("authorizer.class.name", "super.users", "sasl.enabled.mechanisms", "ssl.keystore.type"):
        assert given[f"KAFKA_{name.upper().replace('.', '_')}"] == tested[name]
    module = tested["listener.name.outside.scram-sha-512.sasl.jaas.config"]
    for listener in ("INSIDE", "OUTSIDE"):
        assert given[f"KAFKA_LISTENER_NAME_{listener}_SCRAM___SHA___512_SASL_JAAS_CONFIG"] == module


@pytest.mark.parametrize("name", USERS)
def test_a_service_is_a_user_of_its_own(first, name):
    """A service has its own password and no other, and is told of TLS everywhere."""
    service, user = first[name], USERS[name]
    given = service["environment"]
    assert given["E2A_KAFKA_USERNAME"] == given["E2A_S3_ACCESS_KEY"] == user
    assert given["E2A_REDIS_URL"] == f"rediss://{user}@redis:6379/0"
    assert (given["E2A_KAFKA_TLS"], given["E2A_S3_SECURE"]) == ("true", "true")
    password = f"{user}.password"
    wanted = dict.fromkeys(("e2a_kafka_password", "e2a_redis_password", "e2a_s3_secret_key"), password)
    page = {"e2a_monitor_password": "e2a_monitor_password"} if name == "monitor" else {}
    assert secrets(service) == {"ca.pem": "ca.pem"} | wanted | page


def test_only_storage_and_who_makes_users_have_the_root_key(first):
    """The key that may do everything in storage is with MinIO and the one-shot, and no service that stays."""
    having = {
        name for name, service in first.items() if "e2a_s3_secret_key" in secrets({"secrets": [], **service}).values()
    }
    assert having == {"minio", "init"}


def test_a_worker_elsewhere_is_the_worker_here(worker):
    """Another machine's worker is confined, watched and known as one with a GPU of the first is, but for addresses."""
    here = json.loads(compose.load(GPU, SERVERS, E2A_ADDRESS=ADDRESS).stdout)["services"]["synth_consumer"]
    same = (
        "user",
        "read_only",
        "cap_drop",
        "security_opt",
        "stop_grace_period",
        "restart",
        "healthcheck",
        "logging",
        "init",
    )
    assert {key: worker[key] for key in same} == {key: here[key] for key in same}
    assert secrets(worker) == secrets(here)
    ports = {"kafka:9094": f"{ADDRESS}:9095", "redis:6379": f"{ADDRESS}:6379", "minio:9000": f"{ADDRESS}:9000"}
    inside = re.compile("|".join(ports))
    expected = {
        name: value and inside.sub(lambda found: ports[found[0]], value) for name, value in here["environment"].items()
    }
    assert worker["environment"] == expected
    assert not worker.get("ports")


def test_a_worker_needs_the_address_of_the_first_machine():
    """Without it the file says what is missing."""
    found = worker_file()
    assert found.returncode != 0
    assert "address of the first machine" in found.stderr


def test_an_address_may_be_none_of_this_machine():
    """Where others reach it by a name, or by an address that is translated, it listens at another one."""
    found = compose.load(SERVERS, E2A_ADDRESS="first.example", E2A_BIND="0.0.0.0")
    assert found.returncode == 0, found.stderr
    services = json.loads(found.stdout)["services"]
    assert [services[name]["ports"][0]["host_ip"] for name in ("kafka", "redis", "minio")] == ["0.0.0.0"] * 3
    assert "OUTSIDE://first.example:9095" in services["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]


@pytest.mark.parametrize("name", [*USERS, "init"])
def test_storage_can_be_a_folder_that_all_machines_share(name):
    """A folder such as an NFS mount is given to every service, under the name that the setting says."""
    variables = {"E2A_ADDRESS": ADDRESS, "E2A_STORAGE": "/storage", "E2A_STORAGE_FOLDER": "/mnt/e2a"}
    variables |= {"E2A_USER": "1000:1000"}
    first = json.loads(compose.load(SERVERS, **variables).stdout)["services"]
    elsewhere = json.loads(worker_file(**variables).stdout)["services"]
    for service in (first[name], elsewhere["synth_consumer"]):
        assert service["environment"]["E2A_STORAGE"] == "/storage"
        assert service["user"] == "1000:1000"
        assert {"type": "bind", "source": "/mnt/e2a", "target": "/storage"}.items() <= {
            key: value
            for volume in service["volumes"]
            if volume["target"] == "/storage"
            for key, value in volume.items()
        }.items()
