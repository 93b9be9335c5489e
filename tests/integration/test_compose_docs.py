"""What docs/ says to do with the compose files, done with them."""

import re
import subprocess

import pytest

from tests import compose
from tests.compose import ROOT, dotenv

PAGES = sorted((ROOT / "docs").glob("*.md"))
DOCKER, SERVERS = ((ROOT / "docs" / page).read_text() for page in ("docker.md", "servers.md"))
FIRST, OTHER = dotenv("servers.md", "The first machine"), dotenv("servers.md", "A machine with GPUs")
(WITH_GPUS,) = re.findall(r"`(docker-compose[\w.:-]+gpu[\w.:-]+servers\.yml)`", SERVERS)
CATALOGUE = {"E2A_ENGINE": "coqui", "E2A_MODEL": "tts_models/en/vctk/vits"}
SIMPLEST = "docker compose -f docker-compose.kafka.yml up "
PASSED = {
    "synth_consumer": {"E2A_BATCH": "32", "E2A_PRECISION": "float16", "E2A_LOG_LEVEL": "debug"},
    "merger": {"E2A_LOG_LEVEL": "debug"},
    "monitor": {
        "E2A_MONITOR_READ_ONLY": "true",
        "E2A_MONITOR_REFRESH": "5",
        "E2A_MONITOR_UPLOAD_MB": "20",
        "E2A_LOG_LEVEL": "debug",
    },
}


def speech(service):
    """Return the engine that a service knows, its model and its licence."""
    return tuple(service["environment"][f"E2A_{name}"] for name in ("ENGINE", "MODEL", "ACCEPT_CPML"))


def example(page):
    """Return the file of Compose that a page shows."""
    (file,) = re.findall(r"^```yaml\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    return file


@pytest.mark.parametrize("files", [FIRST["COMPOSE_FILE"], WITH_GPUS], ids=["no GPU", "GPUs"])
@pytest.mark.parametrize(
    ("choice", "expected"),
    [({}, ("xtts", None, "1")), (CATALOGUE, (*CATALOGUE.values(), "1"))],
    ids=["xtts", "another model"],
)
def test_all_machines_speak_alike(files, choice, expected):
    """What docs/servers.md writes into .env gives books and all workers one engine, one model and the licence."""
    first = compose.stack(**FIRST | {"COMPOSE_FILE": files} | choice)
    other = compose.stack(**OTHER | choice)
    services = [*(first[name] for name in ("produce", "monitor", "synth_consumer")), other["synth_consumer"]]
    assert {speech(service) for service in services} == {expected}


def test_a_machine_without_gpus_has_no_worker():
    """Its image has no XTTS, so a worker there could not speak as the others do."""
    assert compose.stack(**FIRST)["synth_consumer"]["scale"] == 0


def test_gpus_speak_with_xtts():
    """What docs/docker.md says of GPUs gives books and workers XTTS, its licence accepted."""
    services = compose.stack(**dotenv("docker.md", "GPUs"))
    assert services["synth_consumer"]["scale"] == 4
    assert {speech(services[name]) for name in ("synth_consumer", "produce", "monitor")} == {("xtts", None, "1")}


def test_the_first_step_says_what_the_stack_is():
    """Who starts on one machine has in .env what every later command needs, and so has who adds Prometheus."""
    first = dotenv("docker.md", "One machine")
    services = compose.stack(**first | dotenv("docker.md", "Prometheus and Grafana"))
    assert services["synth_consumer"]["scale"] == 4
    assert speech(services["monitor"])[0] == speech(services["synth_consumer"])[0] == "espeak"
    assert "prometheus" in services


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_no_command_makes_another_stack(path):
    """But for the simplest start no command names files: with fewer than the stack has, it would lose GPUs or TLS."""
    told = re.findall(r"docker\s+compose\s+-f[^`\n]*", path.read_text())
    assert all(command.startswith(SIMPLEST) for command in told)
    assert len(told) == (path.name == "docker.md")


@pytest.mark.parametrize("file", ["docker-compose.host.yml", "mine.yml"])
def test_a_file_is_added_to_those_of_the_stack(file, tmp_path):
    """What docs/docker.md does to .env lets the stack keep its GPUs, and lays the new file over all others."""
    (command,) = re.findall(rf"^    (sed .*{file}.*)$", DOCKER, re.MULTILINE)
    (tmp_path / ".env").write_text(f"COMPOSE_FILE={dotenv('docker.md', 'GPUs')['COMPOSE_FILE']}\n")
    subprocess.run(["bash", "-c", command], check=True, cwd=tmp_path)
    (tmp_path / "mine.yml").write_text(example(DOCKER))
    files = (tmp_path / ".env").read_text().strip().removeprefix("COMPOSE_FILE=")
    services = compose.stack(COMPOSE_FILE=files.replace("mine.yml", str(tmp_path / "mine.yml")))
    worker = services["synth_consumer"]["environment"]
    assert worker["E2A_GPU_LEASE"] == "true"
    assert services["kafka"].get("ports") if "host" in file else worker["E2A_GRACE"] == "60"


def test_metrics_of_another_machine_can_be_published(tmp_path):
    """The file of docs/servers.md gives each worker a port of its own, at one address; without it none is published."""
    (tmp_path / "mine.yml").write_text(example(SERVERS))
    published = compose.stack(**OTHER | {"COMPOSE_FILE": f"docker-compose.worker.yml:{tmp_path}/mine.yml"})
    (port,) = published["synth_consumer"]["ports"]
    assert (port["host_ip"], port["published"], port["target"]) == ("192.0.2.20", "9100-9103", 9100)


def test_a_backup_is_made_by_an_image_that_is_there():
    """docs/operations.md names the image that the stack has."""
    images = set(re.findall(r"redis:\S+", (ROOT / "docs/operations.md").read_text()))
    assert images == {compose.model()["services"]["redis"]["image"]}


@pytest.mark.parametrize("name", PASSED)
def test_what_is_in_dotenv_reaches_its_service(name):
    """What docs/ says to set in .env is set; what is not there is not, so that the service's own default holds."""
    given = compose.stack(COMPOSE_FILE=compose.FILE, **PASSED[name])[name]["environment"]
    assert PASSED[name].items() <= given.items()
    assert {compose.stack(COMPOSE_FILE=compose.FILE)[name]["environment"][each] for each in PASSED[name]} == {None}
