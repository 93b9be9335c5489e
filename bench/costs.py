"""What a book of 100, 1,000 and 10,000 parts costs the merger, thing by thing, in seconds and in commands of Redis.

On real Kafka and Redis and a directory, in this process, without workers. *Seed*: the records of a new book. *First
sweep*: the index of what waits in Kafka is read. *Sweep*: everything waits in Kafka, as is usual; the mean of ten.
*Sweep, nothing queued*: no job was sent, so storage and leases are asked for each part. *Event*: the mean of a hundred
parts that are done. *Thief*: one look for a part by an idle worker. `times` is what ten times as many parts cost.
"""

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from redis import Redis

from bench.plans import made_plan, store_plan
from e2a import log
from e2a.bus import Admin, KafkaPublisher, KafkaServer
from e2a.checkpoint import LeaseKeeper, RedisCheckpoint
from e2a.messages import PartDone
from e2a.placement import layouts
from e2a.plan import Plan
from e2a.settings import MergerSettings, SynthSettings
from e2a.storage import open_store
from merger.__main__ import compose
from producer import ingest
from synth_consumer.engines.simulated import SimulatedEngine
from synth_consumer.in_hand import Recent
from synth_consumer.thief import Thief
from tests import servers
from tests.topics import empty_topics

PARTITIONS = 4
Cost = tuple[float, float]
"""Seconds, and commands of Redis."""


class Scales:
    """Measures what a call costs.

    Args:
        redis: URL of the Redis whose commands are counted.
    """

    def __init__(self, redis: str) -> None:
        self._redis = Redis.from_url(redis)

    def cost(self, call: Callable[[], object], times: int = 1) -> Cost:
        """Return the mean cost of a call."""
        commands, began = self._commands(), time.perf_counter()
        for _ in range(times):
            call()
        seconds = time.perf_counter() - began
        return seconds / times, (self._commands() - commands - 1) / times

    def _commands(self) -> int:
        return int(self._redis.info("stats")["total_commands_processed"])


def events(plan: Plan) -> list[PartDone]:
    """Return that the first hundred parts are done."""
    return [
        PartDone(book_id=plan.book_id, part=part.index, digest=part.digest, worker="w0", audio_seconds=1, audio_bytes=1)
        for part in plan.parts[:100]
    ]


def costs(folder: Path, kafka: KafkaServer, redis: str, parts: int) -> dict[str, Cost]:
    """Return what a book of that many parts costs."""
    Redis.from_url(redis).flushall()
    empty_topics(kafka, PARTITIONS)
    settings = MergerSettings(kafka_bootstrap=str(kafka), storage=str(folder / str(parts)), partitions=PARTITIONS)
    store, checkpoint, scales = open_store(settings), RedisCheckpoint(redis), Scales(redis)
    queued, unsent = (made_plan(number, [60] * parts) for number in (1, 2))
    with LeaseKeeper(checkpoint, "merger") as leases:
        merger, sweep = compose(settings, store, checkpoint, KafkaPublisher(kafka, 60), leases)
        checkpoint.declare_whole()
        store_plan(queued, store)
        found = {"seed": scales.cost(lambda: merger.on_event(ingest.BookPlanned(book_id=queued.book_id)))}
        admin = Admin(kafka, 10)
        ingest.publish(queued, queued.parts, KafkaPublisher(kafka, 60), layouts(admin.partitions(), [], None, 0.0))
        found["first sweep"] = scales.cost(sweep.sweep)
        found["sweep"] = scales.cost(sweep.sweep, 10)
        thief = Thief(checkpoint, store, SimulatedEngine(SynthSettings()), Recent())
        thief.find()  # reads the plan
        found["thief"] = scales.cost(thief.find, 10)
        said = iter(events(queued))
        found["event"] = scales.cost(lambda: merger.on_event(next(said)), 100)
        checkpoint.forget(queued.book_id)
        store_plan(unsent, store)
        merger.on_event(ingest.BookPlanned(book_id=unsent.book_id))
        found["sweep, nothing queued"] = scales.cost(sweep.sweep)
    return found


def main() -> None:
    log.configure("error", "console")
    before: dict[str, Cost] = {}
    with tempfile.TemporaryDirectory(prefix="e2a-bench-") as name:
        folder = Path(name)
        with servers.kafka(folder) as kafka, servers.redis(folder) as redis:
            for parts in (100, 1_000, 10_000):
                found = costs(folder, kafka, redis, parts)
                for what, (seconds, commands) in found.items():
                    line = {"parts": parts, "what": what, "ms": round(seconds * 1000, 2), "redis": round(commands, 1)}
                    line |= {"times": round(seconds / before[what][0], 1)} if what in before else {}
                    print(json.dumps(line), flush=True)
                before = found


if __name__ == "__main__":
    main()
