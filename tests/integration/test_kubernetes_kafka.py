"""Three brokers of Kafka as the manifests for Kubernetes configure them, on one machine."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

from deploy.local.kept import free_ports
from e2a.bus import KafkaPublisher, KafkaServer, config
from e2a.errors import Unavailable
from e2a.topics import CHAPTERS, topics
from tests.manifests import of_kind, variables
from tests.servers import LOCAL, listens, require, wait_until
from tests.stack import Stack
from tests.unit.builders import a_job

BROKERS = range(3)


class Brokers:
    """The brokers, each a process.

    They read the variables of their pods, by the program that the image of Kafka reads them with; where a pod has a
    name in the network, a port of this machine stands for it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.ports = dict(zip(BROKERS, free_ports(3), strict=True))
        self._controllers = dict(zip(BROKERS, free_ports(3), strict=True))
        libs = subprocess.run([LOCAL / "fetch-kafka"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
        self._java = ["java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{libs}/*"]
        self.processes: dict[int, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        """Write the settings of all brokers, and start them."""
        written = [
            self._run(number, "kafka.docker.KafkaDockerWrapper", "setup", *self._options(number)) for number in BROKERS
        ]
        assert [process.wait(60) for process in written] == [0, 0, 0]
        for number in BROKERS:
            self.processes[number] = self._run(number, "kafka.Kafka", str(self._settings(number) / "server.properties"))

    def _run(self, number: int, program: str, *arguments: str) -> "subprocess.Popen[bytes]":
        with (self._folder / f"{program}-{number}.log").open("wb") as log:
            command = [*self._java, program, *arguments]
            return subprocess.Popen(command, env=os.environ | self._variables(number), stdout=log, stderr=log)

    def _settings(self, number: int) -> Path:
        return self._folder / f"settings-{number}"

    def _options(self, number: int) -> list[str]:
        """Return options of the program: there are no settings but those that it writes."""
        self._settings(number).mkdir()
        folders = {"default": self._folder, "mounted": self._folder, "final": self._settings(number)}
        return [f"--{name}-configs-dir={folder}" for name, folder in folders.items()]

    def kill(self, number: int) -> None:
        """Kill a broker with SIGKILL."""
        self.processes[number].kill()
        self.processes[number].wait()

    def _variables(self, number: int) -> dict[str, str]:
        pod = of_kind("gpu", "StatefulSet")["kafka"]["spec"]["template"]
        found = variables("gpu", pod) | {"KAFKA_NODE_ID": str(number), "POD": f"kafka-{number}"}
        text = "\n".join(f"{name}={value}" for name, value in found.items()).replace("$(POD)", f"kafka-{number}")
        for each in BROKERS:
            text = text.replace(f"kafka-{each}.kafka:9092", f"127.0.0.1:{self.ports[each]}")
            text = text.replace(f"kafka-{each}.kafka:9093", f"127.0.0.1:{self._controllers[each]}")
        text = text.replace("://:9092", f"://127.0.0.1:{self.ports[number]}")
        text = text.replace("://:9093", f"://127.0.0.1:{self._controllers[number]}")
        text = text.replace("/var/lib/kafka/data", str(self._folder / f"data-{number}"))
        return dict(line.split("=", 1) for line in text.split("\n"))


@pytest.fixture
def brokers(tmp_path: Path) -> Iterator[Brokers]:
    require("java")
    require("mvn")
    brokers = Brokers(tmp_path)
    with ExitStack() as stack:
        brokers.start()
        for number in BROKERS:
            stack.callback(brokers.kill, number)
        wait_until(lambda: all(map(listens, brokers.ports.values())))
        yield brokers


def test_a_broker_may_be_away(brokers: Brokers, tmp_path: Path) -> None:
    """Topics that e2a-init makes have a copy on each of three brokers. A job is acknowledged while one is killed, and
    is not while two are: it would be on one disk."""
    server = KafkaServer(",".join(f"127.0.0.1:{port}" for port in brokers.ports.values()))
    made = Stack(tmp_path, server, "redis://127.0.0.1:1/0").start("e2a-init")
    assert made.wait(120) == 0
    client = AdminClient(config.client(server))
    there = client.list_topics(timeout=30).topics
    for topic in topics(12):
        assert {len(partition.replicas) for partition in there[topic.name].partitions.values()} == {3}
    (settings,) = client.describe_configs([ConfigResource(ResourceType.TOPIC, CHAPTERS)]).values()
    assert settings.result(30)["min.insync.replicas"].value == "2"
    brokers.kill(0)
    KafkaPublisher(server, 60).send(CHAPTERS, [a_job()], [0])
    brokers.kill(1)
    with pytest.raises(Unavailable):
        KafkaPublisher(server, 3).send(CHAPTERS, [a_job()], [0])
