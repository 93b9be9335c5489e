"""The metrics as docs/metrics.md lists them, and as alerts and dashboard use them."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.unit.metric_list import Listed, of_merger, of_monitor, of_worker, table

ROOT = Path(__file__).parents[2]
MONITORING = ROOT / "deploy/monitoring"
PAGE = (ROOT / "docs/metrics.md").read_text(encoding="utf-8")
ALERTS = (MONITORING / "alerts.yml").read_text(encoding="utf-8")
DASHBOARD = json.loads((MONITORING / "grafana.json").read_text(encoding="utf-8"))
PROMETHEUS = (MONITORING / "prometheus.yml").read_text(encoding="utf-8")
PANELS: list[dict[str, Any]] = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
QUERIES = "\n".join(target["expr"] for panel in PANELS for target in panel["targets"])
EVERYWHERE = {"job", "instance"}
"""Labels that Prometheus adds."""


def listed() -> dict[str, Listed]:
    """Return each metric of any service by what its time series are called."""
    return {name: metric for metric in of_worker() + of_merger() + of_monitor() for name in metric.names}


@pytest.mark.parametrize(
    ("service", "metrics"),
    [("e2a-synth", of_worker()), ("e2a-merge", of_merger()), ("e2a-monitor", of_monitor())],
)
def test_page_lists_what_a_service_shows(service: str, metrics: list[Listed]) -> None:
    """The table of docs/metrics.md is this one: name, type, labels and meaning of every metric, and no other."""
    section = PAGE.partition(f"## {service}\n\n")[2].partition("\n## ")[0]
    assert section.partition("\n\n")[0].strip() == table(metrics)


def test_no_label_is_of_a_book() -> None:
    """Labels have few values: Prometheus keeps a time series for each, for weeks."""
    labels = {label for metric in of_worker() + of_merger() + of_monitor() for label in metric.labels}
    few = {"outcome", "reason", "kind", "type", "stage", "state", "topic", "partition"}
    assert labels == few | {"gpu", "worker", "engine", "model", "device"}  # a process has one of each of these


@pytest.mark.parametrize("text", [ALERTS, (MONITORING / "alerts.test.yml").read_text(), QUERIES])
def test_alerts_and_dashboard_use_what_there_is(text: str) -> None:
    """Every metric that is named exists, and has the labels that are asked for."""
    known = listed()
    names = set(re.findall(r"\be2a_\w+", text))
    assert names
    assert names <= known.keys()
    for name, selector in re.findall(r"\b(e2a_\w+)\{([^}]*)\}", text):
        assert set(re.findall(r"(\w+)=", selector)) <= set(known[name].labels) | EVERYWHERE


@pytest.mark.parametrize("text", [ALERTS, QUERIES])
def test_jobs_are_those_that_are_scraped(text: str) -> None:
    """Alerts and dashboard go by the names of jobs, which are those of the services of the compose file."""
    jobs = set(re.findall(r"job_name: (\w+)", PROMETHEUS))
    named = {name for each in re.findall(r'job=~?"([^"]+)"', text) for name in each.split("|")}
    assert named == jobs
    compose = (ROOT / "docker-compose.kafka.yml").read_text(encoding="utf-8")
    assert all(f"\n  {job}:" in compose for job in jobs)
    (port,) = re.findall(r"E2A_METRICS_PORT: (\d+)\n", compose.partition("services:")[0])
    assert re.findall(r"names: \[(\w+)\], type: A, port: (\d+)", PROMETHEUS) == [
        (job, port) for job in re.findall(r"job_name: (\w+)", PROMETHEUS)
    ]


def test_every_alert_is_explained_and_tested_both_ways() -> None:
    """Each is in the table of docs/metrics.md; alerts.test.yml has a time when it fires and one when it does not."""
    alerts = re.findall(r"- alert: (\w+)", ALERTS)
    assert re.findall(r"^\| `(E2a\w+)` \|", PAGE, re.MULTILINE) == alerts
    cases = (MONITORING / "alerts.test.yml").read_text(encoding="utf-8")
    assert set(re.findall(r"alertname: (\w+), exp_alerts: \[\]", cases)) == set(alerts)
    assert set(re.findall(r"alertname: (\w+)\n +exp_alerts:\n +- exp_labels", cases)) == set(alerts)


def test_the_dashboard_can_be_imported() -> None:
    """Panels have numbers of their own, do not overlap, and ask the data source that is chosen at the import."""
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    taken: set[tuple[int, int]] = set()
    for place in (panel["gridPos"] for panel in DASHBOARD["panels"]):
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert max(x for x, _ in cells) < 24
        assert not cells & taken
        taken |= cells
    (variable,) = DASHBOARD["templating"]["list"]
    assert (variable["type"], variable["query"]) == ("datasource", "prometheus")
    assert {panel["datasource"]["uid"] for panel in PANELS} == {f"${{{variable['name']}}}"}
    assert all(target["expr"] for panel in PANELS for target in panel["targets"])
