"""The handler: a chapter job becomes a PartDone."""

import threading
import time

from e2a import log, metrics
from e2a.checkpoint import LeaseKeeper
from e2a.errors import Poison, Retryable
from e2a.messages import ChapterJob, PartDone
from e2a.plan import Sidecar, part_seed
from e2a.storage import ObjectStore, read_sidecar
from synth_consumer import part
from synth_consumer.engines import Engine, Pcm
from synth_consumer.status import Status

MAX_ATTEMPTS = 3
"""How often a part may kill its worker before it is dead-lettered."""
POLL = 0.25
"""Seconds between looks, while waiting for another worker's part or for the engine, whether the job is still ours."""

logger = log.get(__name__)


class Worker:
    """Makes parts. `handle` may be called from several threads: one part is spoken at a time, while the one
    before it is encoded and stored.

    Args:
        name: of this worker.
        engine: loaded.
        store: where parts live.
        leases: keeps two workers off the same part.
        status: shown by the monitor.
    """

    def __init__(
        self,
        *,
        name: str,
        engine: Engine,
        store: ObjectStore,
        leases: LeaseKeeper,
        status: Status,
    ) -> None:
        self._name = name
        self._engine = engine
        self._store = store
        self._leases = leases
        self._status = status
        self._mouth = threading.Lock()

    def handle(self, job: ChapterJob, abandoned: threading.Event) -> PartDone | None:
        """Make a part unless it is there, and say so; None when `abandoned` was set before it was done.

        Raises:
            Poison: this job can never be done by this engine, or killed its worker too often.
            Retryable: storage or the engine failed for now.
        """
        try:
            return self._handle(job, abandoned)
        except (Poison, Retryable):
            self._status.failed()
            metrics.PARTS.labels("failed").inc()
            raise

    def _handle(self, job: ChapterJob, abandoned: threading.Event) -> PartDone | None:
        self._check_engine(job)
        lease = f"part/{job.part.digest}"
        while not abandoned.is_set():
            if attempt := self._leases.claim(lease):
                return self._under_lease(lease, job, attempt, abandoned)
            if sidecar := read_sidecar(self._store, job.part.digest):
                return self._done(job, sidecar, 0.0)
            abandoned.wait(POLL)  # whoever holds the lease finishes or dies
        return None

    def _under_lease(self, lease: str, job: ChapterJob, attempt: int, abandoned: threading.Event) -> PartDone | None:
        """Make the part unless it is there. A bug ends the process and leaves the lease to run out: it counts."""
        try:
            sidecar = read_sidecar(self._store, job.part.digest)
            if sidecar is None and attempt > MAX_ATTEMPTS:
                raise Poison(f"the part killed its worker {MAX_ATTEMPTS} times")
            event = self._done(job, sidecar, 0.0) if sidecar else self._make(job, abandoned)
        except (Poison, Retryable):
            self._leases.release(lease)
            raise
        self._leases.release(lease)
        return event

    def _make(self, job: ChapterJob, abandoned: threading.Event) -> PartDone | None:
        if not self._take_the_engine(abandoned):
            return None
        try:
            started = time.monotonic()
            spoken = self._speak(job, abandoned)
        finally:
            self._mouth.release()
        if spoken is None:
            return None
        sidecar = part.finish(
            self._store, job.part, spoken, sample_rate=self._engine.sample_rate, engine=self._engine.name
        )
        return self._done(job, sidecar, time.monotonic() - started)

    def _take_the_engine(self, abandoned: threading.Event) -> bool:
        """Wait until the other thread has spoken; False, without the engine, as soon as the job is abandoned."""
        while not abandoned.is_set():
            if self._mouth.acquire(timeout=POLL):
                return True
        return False

    def _check_engine(self, job: ChapterJob) -> None:
        wanted = job.speech.engine
        if wanted != self._engine.name:
            raise Poison(
                f"the book wants engine {wanted!r}, this worker has {self._engine.name!r}: "
                f"start workers with E2A_ENGINE={wanted}"
            )

    def _speak(self, job: ChapterJob, abandoned: threading.Event) -> list[Pcm] | None:
        """Return the sound of each sentence, or None when the job was abandoned before the last."""
        texts = [sentence.text for sentence in job.part.sentences]
        spoken: list[Pcm] = []
        self._status.started(job)
        try:
            with metrics.BUSY_SECONDS.time():
                for samples in self._engine.speak(texts, job.speech, part_seed(job.part.digest)):
                    spoken.append(samples)
                    self._status.spoke(len(spoken))
                    if abandoned.is_set():
                        break
        finally:
            self._status.idle()
        if len(spoken) == len(texts):
            return spoken
        if abandoned.is_set():
            return None
        raise RuntimeError(f"engine {self._engine.name} spoke {len(spoken)} of {len(texts)} sentences")

    def _done(self, job: ChapterJob, sidecar: Sidecar, work_seconds: float) -> PartDone:
        if work_seconds:
            self._status.finished(sidecar.seconds, work_seconds)
            metrics.AUDIO_SECONDS.inc(sidecar.seconds)
            metrics.PART_SECONDS.observe(work_seconds)
        metrics.PARTS.labels("done").inc()
        logger.info("part.done", book=job.book_id, part=job.part.index, work_seconds=round(work_seconds, 2))
        return PartDone(
            book_id=job.book_id,
            part=job.part.index,
            digest=job.part.digest,
            worker=self._name,
            audio_seconds=sidecar.seconds,
            audio_bytes=sidecar.audio_bytes,
            work_seconds=round(work_seconds, 3),
        )
