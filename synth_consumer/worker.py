"""The handler: a chapter job becomes a PartDone."""

import threading
import time

from e2a import log, metrics
from e2a.checkpoint import LeaseKeeper
from e2a.errors import Poison, Retryable
from e2a.messages import ChapterJob, PartDone
from e2a.plan import Sidecar
from e2a.storage import ObjectStore, read_sidecar
from synth_consumer import part
from synth_consumer.engines import Engine
from synth_consumer.gate import Gate
from synth_consumer.speaker import POLL, Speaker, Spoken, Voice
from synth_consumer.status import Status
from synth_consumer.voices import Voices

MAX_ATTEMPTS = 3
"""How often a part may kill its worker before it is dead-lettered."""

logger = log.get(__name__)


class Worker:
    """Makes parts. `handle` may be called from several threads: while one part is encoded and stored the next is
    spoken, and an engine that says several sentences at once takes them from several parts.

    A part whose last holder died is made alone: if it kills its worker again, no other part is blamed.

    Args:
        name: of this worker.
        engine: loaded.
        speaker: of that engine.
        store: where parts live.
        leases: keeps two workers off the same part.
        status: shown by the monitor.
    """

    def __init__(
        self,
        *,
        name: str,
        engine: Engine,
        speaker: Speaker,
        store: ObjectStore,
        leases: LeaseKeeper,
        status: Status,
    ) -> None:
        self._name = name
        self._engine = engine
        self._speaker = speaker
        self._voices = Voices(engine, speaker, store, leases)
        self._store = store
        self._leases = leases
        self._status = status
        self._gate = Gate(POLL)

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
            suspect = self._leases.deaths(lease) > 0
            with self._gate.entered(alone=suspect, abandoned=abandoned) as entered:
                if entered and (attempt := self._leases.claim(lease)):
                    return self._under_lease(lease, job, attempt, abandoned)
            if sidecar := read_sidecar(self._store, job.part.digest, job.bitrate):
                return self._done(job, sidecar, 0.0)
            abandoned.wait(POLL)  # whoever holds the lease finishes or dies
        return None

    def _under_lease(self, lease: str, job: ChapterJob, attempt: int, abandoned: threading.Event) -> PartDone | None:
        """Make the part unless it is there. A bug ends the process and leaves the lease to run out: it counts."""
        try:
            sidecar = read_sidecar(self._store, job.part.digest, job.bitrate)
            if sidecar is None and attempt > MAX_ATTEMPTS:
                raise Poison(f"the part killed its worker {MAX_ATTEMPTS} times")
            event = self._done(job, sidecar, 0.0) if sidecar else self._make(job, abandoned)
        except (Poison, Retryable):
            self._leases.release(lease)
            raise
        self._leases.release(lease)
        return event

    def _make(self, job: ChapterJob, abandoned: threading.Event) -> PartDone | None:
        """Make the part of its master if there is one, else speak it; None when the job was abandoned before."""
        if sidecar := part.encode_again(self._store, job.part.digest, job.bitrate):
            return self._done(job, sidecar, 0.0)
        started = time.monotonic()
        said = self._speak(job, abandoned)
        if said is None:
            return None
        voice, spoken = said
        engine = self._engine
        origin = part.Origin(engine.name, engine.sample_rate, voice.gain, self._name, started)
        sidecar = part.finish(self._store, job.part, spoken, origin, job.bitrate)
        return self._done(job, sidecar, time.monotonic() - started)

    def _check_engine(self, job: ChapterJob) -> None:
        wanted, here = job.speech, self._engine
        if wanted.engine != here.name:
            raise Poison(
                f"the book wants engine {wanted.engine!r}, this worker has {here.name!r}: "
                f"start workers with E2A_ENGINE={wanted.engine}"
            )
        if wanted.model != here.model:
            raise Poison(
                f"the book wants model {wanted.model!r} of engine {here.name!r}, this worker has {here.model!r}: "
                f"give workers and e2a-produce the same E2A_MODEL"
            )

    def _speak(self, job: ChapterJob, abandoned: threading.Event) -> tuple[Voice, list[Spoken]] | None:
        """Return the sound of each sentence and whose it is, or None when the job was abandoned before the last."""
        texts = [sentence.say for sentence in job.part.sentences]
        self._status.started(job)
        try:
            voice = self._voices.of(job.speech, abandoned)
            if voice is None:
                return None
            spoken = self._speaker.speak(texts, voice, abandoned, lambda: self._status.spoke(job))
            return None if spoken is None else (voice, spoken)
        finally:
            self._status.left(job)

    def _done(self, job: ChapterJob, sidecar: Sidecar, work_seconds: float) -> PartDone:
        if work_seconds:
            self._status.finished(sidecar, self._speaker.busy_seconds)
            metrics.PART_SECONDS.observe(work_seconds)
        metrics.PARTS.labels("done").inc()
        logger.info("part.done", book=job.book_id, part=job.part.index, work_seconds=round(work_seconds, 2))
        return PartDone(
            book_id=job.book_id,
            part=job.part.index,
            digest=job.part.digest,
            worker=self._name,
            audio_seconds=sidecar.seconds,
            audio_bytes=sidecar.aac[job.bitrate].size,
            work_seconds=round(work_seconds, 3),
            retakes=sidecar.retakes,
        )
