"""All metrics that the services show, as docs/metrics.md lists them."""

from collections.abc import Iterable
from typing import NamedTuple

from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase

from e2a import metrics
from e2a.checkpoint import QueuedWork, QueueRecord
from e2a.testing import Clock, MemoryCheckpoint
from e2a.topics import CHAPTERS
from merger.census import Census

SUFFIXES = {
    "counter": ("_total",),
    "gauge": ("",),
    "info": ("_info",),
    "summary": ("_sum", "_count"),
    "histogram": ("_bucket", "_sum", "_count"),
}


class Listed(NamedTuple):
    """A metric."""

    name: str
    """As in a query; that of a summary or histogram has a suffix there."""
    kind: str
    labels: tuple[str, ...]
    meaning: str

    @property
    def names(self) -> set[str]:
        """What its time series are called."""
        return (
            {self.name + suffix for suffix in SUFFIXES[self.kind]}
            if self.kind in {"summary", "histogram"}
            else {self.name}
        )


def of_worker() -> list[Listed]:
    """Return what e2a-synth shows, but for its process."""
    return _counted(metrics.WORKER)


def of_merger() -> list[Listed]:
    """Return what e2a-merge shows, but for its process."""
    checkpoint = MemoryCheckpoint(Clock())
    checkpoint.set_queue(QueueRecord(taken=0.0, work=(QueuedWork(topic=CHAPTERS, partition=0, parts=0, seconds=0.0),)))
    read = [
        Listed(family.name, family.type, tuple(family.samples[0].labels), family.documentation)
        for family in Census(checkpoint).collect()
    ]
    return _counted(metrics.MERGER) + read


def of_monitor() -> list[Listed]:
    """Return what e2a-monitor shows, but for its process."""
    return _counted(metrics.MONITOR)


def table(listed: Iterable[Listed]) -> str:
    """Return the table of some metrics in Markdown."""
    rows = (
        f"| `{each.name}` | {each.kind} | {', '.join(f'`{label}`' for label in each.labels)} | {each.meaning} |"
        for each in listed
    )
    return "\n".join(["| name | type | labels | meaning |", "|---|---|---|---|", *rows])


def _counted(registry: CollectorRegistry) -> list[Listed]:
    found = []
    for metric in registry._collector_to_names:
        if isinstance(metric, MetricWrapperBase):
            (family,) = metric.describe()
            suffix = SUFFIXES[family.type][0] if family.type in {"counter", "info"} else ""
            labels = ("worker", "engine", "model", "device") if family.type == "info" else metric._labelnames
            found.append(Listed(family.name + suffix, family.type, tuple(labels), family.documentation))
    return found
