"""What this worker does now, for its heartbeat and its health page."""

import os
import socket
import threading
import time

from e2a import log, metrics
from e2a.checkpoint import WorkerRecord, WorkerState
from e2a.messages import ChapterJob
from e2a.plan import Part, Sidecar
from synth_consumer.engines import Engine
from synth_consumer.vitals import Machine

logger = log.get(__name__)


class Start:
    """What a worker says of itself before it takes parts. Thread-safe.

    Args:
        worker: its name.
    """

    def __init__(self, worker: str) -> None:
        self._worker = worker
        self._problem = ""

    def waits(self, problem: str) -> None:
        """It waits for something, or, where that is empty, for nothing any more; both are logged."""
        if problem:
            logger.info("worker.waits", problem=problem)
        elif self._problem:
            logger.info("worker.goes_on")
        self._problem = problem
        metrics.PROBLEM.set(bool(problem))

    def health(self) -> dict[str, object]:
        """Return what the health page says."""
        return {"service": "e2a-synth", "worker": self._worker, "state": "starting", "problem": self._problem}


class Status:
    """The worker's own record, changed by its threads and sent by its heartbeat. Thread-safe.

    Args:
        worker: its name.
        engine: loaded.
    """

    def __init__(self, worker: str, engine: Engine) -> None:
        self.worker = worker
        now = time.time()
        self._engine = engine
        self._machine = Machine(engine.gpu)
        self._lock = threading.Lock()
        self._at_work: dict[tuple[str, int], tuple[ChapterJob, int]] = {}
        self._problems: dict[object, str] = {}
        self._waiting_since = 0.0
        self._record = WorkerRecord(
            worker=worker,
            engine=engine.name,
            model=engine.model,
            device=engine.device,
            at_once=engine.at_once,
            host=socket.gethostname(),
            process=os.getpid(),
            started=now,
            last_seen=now,
        )
        metrics.ABOUT.info({"worker": worker, "engine": engine.name, "model": engine.model, "device": engine.device})

    def snapshot(
        self, partitions: tuple[int, ...], express: tuple[int, ...] = (), state: WorkerState = "working"
    ) -> WorkerRecord:
        """Return the record as of now; only for the heartbeat's thread.

        Of several parts that are being spoken it names the one begun first.

        Args:
            partitions: that it owns of the chapters topic.
            express: and of the express topic.
            state: whether it takes parts.
        """
        vitals = self._machine.look()
        metrics.PARTITIONS.set(len(partitions))
        update = vitals._asdict() | {"partitions": partitions, "express": express, "state": state}
        with self._lock:
            self._record = self._record.model_copy(update=update)
        return self._now()

    def _now(self) -> WorkerRecord:
        """Return the record as of now; partitions, state and machine are those of the last heartbeat."""
        memory = self._engine.memory()
        metrics.GPU_MEMORY.set(memory)
        with self._lock:
            metrics.SPEAKING.set(len(self._at_work))
            metrics.PROBLEM.set(bool(self._problems))
            update: dict[str, object] = {"last_seen": time.time(), "memory": memory}
            update |= {"problem": next(iter(self._problems.values()), "")}
            if self._at_work:
                job, spoken = next(iter(self._at_work.values()))
                update |= {"book_id": job.book_id, "chapter": job.part.chapter, "part": job.part.index}
                update |= {"sentence": spoken, "sentences": len(job.part.sentences)}
            return self._record.model_copy(update=update)

    def health(self) -> dict[str, object]:
        """Return what the health page says: the engine, where it runs, whether it takes parts, what it waits for, and
        the age of the last take in seconds."""
        record = self._now()
        return {
            "service": "e2a-synth",
            "worker": record.worker,
            "state": record.state,
            "engine": record.engine,
            "model": record.model,
            "device": record.device,
            "memory_bytes": record.memory,
            "gpu": record.gpu.model_dump() if record.gpu else None,
            "partitions": record.partitions,
            "speaking": bool(record.book_id),
            "problem": record.problem,
            "last_take_seconds": round(time.time() - record.last_take, 1) if record.last_take else None,
        }

    def started(self, job: ChapterJob) -> None:
        """A part is being spoken."""
        with self._lock:
            self._at_work[job.book_id, job.part.index] = job, 0

    def spoke(self, job: ChapterJob) -> None:
        """One more sentence of the part is spoken."""
        metrics.SENTENCES.inc()
        key = job.book_id, job.part.index
        with self._lock:
            if at_work := self._at_work.get(key):  # none, if the part was left meanwhile
                self._at_work[key] = job, at_work[1] + 1

    def left(self, job: ChapterJob) -> None:
        """The part is no longer being spoken."""
        with self._lock:
            self._at_work.pop((job.book_id, job.part.index), None)

    def waits(self, who: object, problem: str) -> None:
        """Somebody waits for what is away, until `goes_on` is called; the first that does is logged."""
        with self._lock:
            if not self._problems:
                self._waiting_since = time.monotonic()
                logger.warning("worker.waits", problem=problem)
            self._problems[who] = problem

    def goes_on(self, who: object) -> None:
        """Whoever waited waits no more; when nobody does, that is logged. Nothing happens if it did not wait."""
        with self._lock:
            if self._problems.pop(who, None) is not None and not self._problems:
                logger.info("worker.goes_on", waited_seconds=round(time.monotonic() - self._waiting_since, 1))

    def took(self) -> None:
        """A take was made."""
        metrics.LAST_TAKE.set_to_current_time()
        with self._lock:
            self._record = self._record.model_copy(update={"last_take": time.time()})

    def moved(self) -> None:
        """Its partitions have changed."""
        metrics.REBALANCES.inc()
        with self._lock:
            self._record = self._record.model_copy(update={"rebalances": self._record.rebalances + 1})

    def finished(self, part: Part, sidecar: Sidecar, busy_seconds: float) -> None:
        """A part is in storage, after the engine has been speaking for that many seconds in all."""
        characters = sum(len(sentence.say) for sentence in part.sentences)
        metrics.CHARACTERS.inc(characters)
        metrics.AUDIO_SECONDS.inc(sidecar.seconds)
        for retake in sidecar.retakes:
            metrics.RETAKES.labels("doubtful" if retake.doubtful else "good").inc()
        with self._lock:
            record = self._record
            self._record = record.model_copy(
                update={
                    "done": record.done + 1,
                    "audio_seconds": record.audio_seconds + sidecar.seconds,
                    "characters": record.characters + characters,
                    "work_seconds": busy_seconds,
                    "retaken": record.retaken + sum(retake.takes > 1 for retake in sidecar.retakes),
                    "doubtful": record.doubtful + sum(bool(retake.doubtful) for retake in sidecar.retakes),
                }
            )

    def failed(self) -> None:
        """A part could not be made."""
        with self._lock:
            self._record = self._record.model_copy(update={"failed": self._record.failed + 1})
