"""What deploy/monitoring gives to Prometheus and Grafana, as Prometheus's own checker sees it."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.servers import ROOT, promtool

MONITORING = ROOT / "deploy/monitoring"


def check(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    """Run promtool in deploy/monitoring."""
    command = [promtool(), *map(str, arguments)]
    return subprocess.run(command, cwd=MONITORING, check=False, capture_output=True, text=True)


@pytest.mark.parametrize(
    "arguments", [("check", "config", "prometheus.yml"), ("check", "rules", "alerts.yml")], ids=" ".join
)
def test_files_are_valid(arguments: tuple[str, ...]) -> None:
    """Prometheus can load the configuration and the rules."""
    result = check(*arguments)
    assert result.returncode == 0, result.stdout + result.stderr


def test_alerts_fire_when_they_should() -> None:
    """Each alert fires in the trouble that it is for, and only then, and says what it should."""
    result = check("test", "rules", "alerts.test.yml")
    assert result.returncode == 0, result.stdout + result.stderr


def test_queries_of_the_dashboard_are_valid(tmp_path: Path) -> None:
    """Each query of each panel is one that Prometheus can read; a rule file of JSON is one of YAML."""
    panels = json.loads((MONITORING / "grafana.json").read_text(encoding="utf-8"))["panels"]
    queries = [target["expr"] for panel in panels if panel["type"] != "row" for target in panel["targets"]]
    rules = [
        {"record": f"panel:query:{number}", "expr": query.replace("$__rate_interval", "5m")}
        for number, query in enumerate(queries)
    ]
    file = tmp_path / "queries.yml"
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}), encoding="utf-8")
    result = check("check", "rules", file)
    assert result.returncode == 0, result.stdout + result.stderr
    assert f"{len(queries)} rules found" in result.stdout
