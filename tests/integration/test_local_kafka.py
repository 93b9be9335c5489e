"""deploy/local/kafka keeps its data where it is told to, whatever the path holds."""

from pathlib import Path

import pytest

from tests.servers import kafka_server


def test_a_path_may_hold_anything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker starts, and starts again with what it has, in a folder with é, &, | and comma; a locale knows no é."""
    monkeypatch.setenv("LC_ALL", "C")
    data = tmp_path / "R&D, livres | été \\1"
    broker = kafka_server(data)
    for _ in range(2):
        with broker:
            assert (data / "kafka/log/meta.properties").exists()
    assert list(tmp_path.iterdir()) == [data]
