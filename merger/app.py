"""The Faust application: events in, one call each, ack. The only home of faust; no logic.

An exception in a Faust agent loses its event, so nothing is allowed to leave one: a server that is away is
waited for, an event that cannot be read goes to the dead letters, and a bug ends the process before the ack,
so that the event comes again (docs/adr/0005).
"""

import asyncio
import os
import tempfile
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import faust
import stamina
from aiokafka.errors import IllegalStateError
from faust.exceptions import ConsumerNotStarted

from e2a import log, metrics
from e2a.bus import KafkaServer, Publisher
from e2a.bus.config import MECHANISM
from e2a.bus.identity import TopicIds
from e2a.errors import ExitCode, Poison, Retryable
from e2a.messages import ChapterJob, DeadLetter, dead_letter, decode
from e2a.settings import MergerSettings
from e2a.topics import DEAD_LETTERS, EVENTS, MERGER_GROUP
from merger.merge import Merger, Work
from merger.sweep import Sweep

WORKS = 2
"""Most books that are assembled at once; in threads of their own, so that events are folded meanwhile."""

logger = log.get(__name__)


def build(settings: MergerSettings, merger: Merger, sweep: Sweep, publisher: Publisher) -> Any:
    """Return the application, not yet started."""
    server = KafkaServer.of(settings)
    ids = TopicIds(server, [EVENTS])
    made_anew: set[str] = set()
    app = faust.App(
        MERGER_GROUP,
        broker=f"kafka://{server}",
        broker_credentials=_credentials(server),
        store="memory://",
        datadir=str(Path(tempfile.gettempdir(), "e2a-merger")),
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        processing_guarantee="at_least_once",
        consumer_auto_offset_reset="earliest",
        broker_session_timeout=6.0,
        broker_heartbeat_interval=2.0,
        consumer_metadata_max_age_ms=1000,  # else a topic that was made anew is only read from after five minutes
        broker_commit_every=100,
        stream_wait_empty=False,
    )
    events = app.topic(EVENTS, value_type=bytes, value_serializer="raw", key_serializer="raw")
    threads = ThreadPoolExecutor(WORKS, thread_name_prefix="work")
    working: dict[str, asyncio.Task[None]] = {}

    def begin(work: Work) -> None:
        if work.name not in working:
            task = working[work.name] = asyncio.create_task(_work(work, threads))
            task.add_done_callback(lambda _task: working.pop(work.name))

    @app.agent(events)
    async def fold_events(stream: Any) -> None:
        async for record in stream.noack().events():
            source = f"{EVENTS}/{record.message.partition}/{record.message.offset}"
            work = await _fold(merger, publisher, record.value or b"", source)
            record.ack()
            if work:
                begin(work)

    @app.timer(interval=settings.sweep)  # type: ignore[untyped-decorator]
    async def look_after() -> None:
        for work in await _guarded(sweep.sweep):
            begin(work)
        if changed := ids.changed():
            made_anew.update(changed)
            sweep.compare_soon()
        await _reread(app.consumer, made_anew)

    return app


def _credentials(server: KafkaServer) -> Any:
    """Return what Faust proves itself with, and what it speaks TLS with."""
    if server.username:
        return faust.SASLCredentials(
            username=server.username,
            password=server.password.get_secret_value(),
            mechanism=MECHANISM,
            ssl_context=server.ssl_context,
        )
    return faust.SSLCredentials(server.ssl_context) if server.tls else None


async def _reread(consumer: Any, made_anew: set[str]) -> None:
    """Rewind what is to be read again; topics that were made anew stay so until that has worked."""
    with suppress(ConsumerNotStarted, IllegalStateError):  # in the middle of a rebalance; next time
        if consumer.assignment():
            await _rewind(consumer, everything=bool(made_anew))
            made_anew.clear()


async def _rewind(consumer: Any, *, everything: bool) -> None:
    """Read partitions from their beginning that were made anew, or all of them.

    Faust commits an offset of before when it meets the new topic, and then drops all events below it.
    """
    for partition in consumer.assignment():
        end, position = consumer.highwater(partition), consumer._read_offset[partition]
        if everything or (end is not None and position is not None and position > end):
            logger.warning("merge.rewound", partition=partition.partition, position=position, end=end)
            for memory in ("_gap", "_acked", "_acked_index", "_read_offset", "_committed_offset"):
                getattr(consumer, memory).pop(partition, None)
            await consumer.seek(partition, 0)


async def _fold(merger: Merger, publisher: Publisher, raw: bytes, source: str) -> Work | None:
    """Fold one event; return what is to be done after it."""
    try:
        event = decode(raw)
        if isinstance(event, ChapterJob | DeadLetter):
            raise Poison(f"a {event.type} is not an event")
    except Poison as error:
        logger.warning("merge.dead_letter", source=source, reason=str(error))
        letter = dead_letter(raw, reason=str(error), source=source)
        await _patiently(lambda: publisher.send(DEAD_LETTERS, [letter]))
        metrics.DEAD_LETTERS.labels("event").inc()
        return None
    work: Work | None = await _patiently(lambda: merger.on_event(event))
    return work


async def _work(work: Work, threads: Executor) -> None:
    try:
        await _guarded(work.run, threads)
    except Retryable as error:
        logger.warning("merge.delayed", work=work.name, reason=str(error))


async def _patiently(call: Callable[[], Any]) -> Any:
    """Run a blocking call in a thread, again and again while a server is away."""
    async for attempt in stamina.retry_context(on=Retryable, attempts=None, timeout=None, wait_max=5.0):
        with attempt:
            return await _guarded(call)
    raise AssertionError("unreachable: without limits the retry context returns")


async def _guarded(call: Callable[[], Any], threads: Executor | None = None) -> Any:
    try:
        return await asyncio.get_running_loop().run_in_executor(threads, call)
    except Retryable:
        raise
    except Exception:
        logger.exception("merge.bug")
        os._exit(ExitCode.BUG)
