"""The Celery app and its only task: a chapter, sentence by sentence, into the shared volume.

How Celery is set, and why:

- One chapter a task, acknowledged after it (`acks_late`), and a worker holds no other (`prefetch 1`).
- `prefork` with one child: the model is loaded once, in the child, and the parent stays free to answer Redis while the
  child speaks. A child that is killed alone comes back at once, and so does its chapter (`reject_on_worker_lost`).
- A chapter whose whole worker was killed comes back only after the visibility timeout, which is the same for all tasks
  of a queue. It has to be longer than the longest chapter: every chapter that takes longer is made twice. The benchmark
  sets it from the plan, as nobody can for books that are not yet known; Celery's own is an hour.
- Redis is swept for such chapters every second; Celery's own is every hundred.
- SIGTERM is the soft shutdown of Celery 5.5: the chapter in hand has as long as e2a's part (`E2A_GRACE`), then it goes
  back into the queue.
- A chapter that begins again goes on after the last part that is in the volume. A part is encoded while the next one of
  its chapter is spoken; the last of a chapter before the next chapter begins, which e2a does not wait for.
"""

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

from celery import Celery
from celery.signals import worker_process_init
from redis import Redis
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as RedisAway
from redis.exceptions import TimeoutError as RedisSilent
from redis.retry import Retry

from e2a.checkpoint import LeaseKeeper
from e2a.errors import Retryable
from e2a.plan import Plan
from e2a.settings import SynthSettings, load
from e2a.storage import open_store, read_plan, read_sidecar
from e2a.testing import MemoryCheckpoint
from synth_consumer import engines, part
from synth_consumer.speaker import Speaker
from synth_consumer.voices import Voices

VISIBILITY = "E2A_BENCH_VISIBILITY"
"""Environment variable: seconds after which a chapter whose worker was killed is given to another."""
PATIENCE = 30
"""How often a command to Redis is tried again, after at most two seconds each."""

app = Celery("chapters", broker=load(SynthSettings, []).redis_url)
app.conf.update(
    task_default_queue="chapters",
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_ignore_result=True,
    worker_prefetch_multiplier=1,
    worker_concurrency=1,
    worker_soft_shutdown_timeout=load(SynthSettings, []).grace,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    broker_transport_options={
        "visibility_timeout": float(os.environ.get(VISIBILITY, "3600")),
        "unacked_restore_interval": 1,
        "unacked_restore_throttle": 1,
    },
)


def checkpoint(url: str) -> "Redis":
    """Return a client that outlives a restart of Redis."""
    retry = Retry(ExponentialBackoff(cap=2.0, base=0.1), PATIENCE)
    return Redis.from_url(url, retry=retry, retry_on_error=[RedisAway, RedisSilent], decode_responses=True)


def done_key(book_id: str) -> str:
    """Return the key of the checkpoint: a hash that has a field for each chapter that is done."""
    return f"chapters-done:{book_id}"


class Narrator:
    """Makes chapters in one process: engine and volume, each opened once."""

    def __init__(self, settings: SynthSettings) -> None:
        self._name = settings.worker_id
        self._engine = engines.create(settings)
        self._engine.load()
        self._store = open_store(settings)
        self._redis_url = settings.redis_url
        self._speaker = Speaker(self._engine)
        leases = LeaseKeeper(MemoryCheckpoint(time.monotonic), self._name)
        self._voices = Voices(self._engine, self._speaker, leases)

    def make(self, plan: Plan, index: int) -> None:
        """Make what is missing of a chapter, and say that it is done."""
        never = threading.Event()
        bitrate, engine = plan.output.bitrate, self._engine
        with ThreadPoolExecutor(max_workers=1) as encoder:
            encoding = []
            for each in plan.chapters[index].parts:
                if read_sidecar(self._store, each.digest, bitrate):
                    continue
                voice, started = self._voices.of(plan.speech, self._store, never), time.monotonic()
                assert voice, "nobody abandons it"
                spoken = self._speaker.speak([sentence.say for sentence in each.sentences], voice, never, _nothing)
                assert spoken, "nobody abandons it"
                origin = part.Origin(engine.name, engine.sample_rate, voice.gain, self._name, started)
                encoding.append(encoder.submit(part.finish, self._store, each, spoken, origin, bitrate))
            for future in encoding:
                future.result()
        with checkpoint(self._redis_url) as redis:
            redis.hset(done_key(plan.book_id), str(index), self._name)


@lru_cache(1)
def _narrator() -> Narrator:
    return Narrator(load(SynthSettings, []))


@lru_cache(8)
def _plan(book_id: str) -> Plan:
    plan = read_plan(open_store(load(SynthSettings, [])), book_id)
    assert plan, "the coordinator stores the plan before it sends the tasks"
    return plan


@worker_process_init.connect
def _load(**_: object) -> None:
    """Load the model when the process starts, not when its first chapter comes."""
    _narrator()


@app.task(autoretry_for=(Retryable,), retry_backoff=1, retry_backoff_max=60, retry_jitter=True, max_retries=5)
def chapter(book_id: str, index: int) -> None:
    """Make a chapter; harmless when it is there."""
    _narrator().make(_plan(book_id), index)


def _nothing() -> None:
    return
