"""The handler: a chapter job becomes a PartDone."""

import threading
import time
from collections.abc import Callable, Sequence

from e2a import log, metrics
from e2a.checkpoint import LeaseKeeper, WorkerRecord, part_lease
from e2a.errors import Poison, Retryable, Unavailable
from e2a.messages import ChapterJob, PartDone
from e2a.plan import Sidecar, Speech
from e2a.storage import ObjectStore, has_audio, read_master, read_sidecar
from synth_consumer import part
from synth_consumer.engines import Engine
from synth_consumer.gate import Gate, Turn
from synth_consumer.in_hand import InHand, LetGo, PatientStore, Recent
from synth_consumer.orders import Orders
from synth_consumer.speaker import POLL, Speaker, Spoken, Voice
from synth_consumer.status import Status
from synth_consumer.voices import Voices

MAX_DEATHS = 5
"""How often a part may kill its worker before it is dead-lettered."""
SENTENCES = 20
"""In a part, at least: what a part that is spoken gives an engine that says several at once."""

logger = log.get(__name__)


class Worker:
    """Makes parts. `handle` may be called from several threads: while one part is encoded and stored the next is
    spoken, and an engine that says several sentences at once takes them from several parts.

    A part has its lease from when it gets its turn to be spoken until it is stored; what waits for its turn may be made
    by others. A part whose last holder is known to have died is made alone: if it kills its worker again, no other part
    is blamed.

    Args:
        name: of this worker.
        engine: loaded.
        speaker: of that engine.
        store: where parts live.
        leases: keeps two workers off the same part.
        status: shown by the monitor.
        orders: what is wanted of books; None where all of them are.
        workers: returns those there are.
        patient: whether a part in hand waits for storage that is away, for as long as it takes; otherwise `Unavailable`
            is raised.
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
        orders: Orders | None = None,
        workers: Callable[[], Sequence[WorkerRecord]] = tuple,
        patient: bool = True,
    ) -> None:
        self._name = name
        self._engine = engine
        self._speaker = speaker
        self._voices = Voices(engine, speaker, leases)
        self._store = store
        self._leases = leases
        self._status = status
        self._orders = orders
        self._workers = workers
        self._patient = patient
        self._gate = Gate(turns(engine.at_once), POLL)
        self._in_hand: dict[str, InHand] = {}
        self.recent = Recent()
        """Parts that it is at, or was a moment ago."""

    @property
    def hands(self) -> int:
        """From how many threads `handle` is best called: of one part more than are spoken it encodes and stores."""
        return turns(self._engine.at_once) + 1

    def handle(self, job: ChapterJob, abandoned: threading.Event) -> PartDone | None:
        """Make a part unless it is there, and say so.

        Returns None when `abandoned` was set before it was done, or, with `abandoned` not set, when it is not to be
        made here: somebody else is at it, or nobody wants it.

        Raises:
            Poison: this job can never be done, or killed its worker too often.
            Retryable: the engine failed for now, or is not the one that the book wants and other workers have.
            Unavailable: storage is away, and this worker is not patient.
        """
        try:
            with self.recent.during(job.part.digest):
                return self._handle(job, abandoned)
        except (Poison, Retryable):
            self._status.failed()
            metrics.PARTS.labels("failed").inc()
            raise

    def look_after(self) -> None:
        """Let go of parts in hand that are somebody else's by now, or no longer wanted; to be called now and then."""
        for lease, in_hand in list(self._in_hand.items()):
            stopped = self._orders is not None and self._orders.is_stopped(in_hand.job.book_id)
            if stopped or not self._leases.keeps(lease):
                in_hand.set()

    def _handle(self, job: ChapterJob, abandoned: threading.Event) -> PartDone | None:
        self._check_engine(job)
        lease = part_lease(job.part.digest)
        suspect = self._leases.deaths(lease) > 0
        with self._gate.turn(alone=suspect, abandoned=abandoned) as turn:
            if turn is None or abandoned.is_set():
                return None
            if self._orders is not None and not self._orders.wants(job.book_id, job.part.index):
                self._pass_over(job, "not wanted")
                return None
            if attempt := self._leases.claim(lease):
                event = self._under_lease(lease, InHand(job, abandoned), attempt, turn)
                if event is not None or abandoned.is_set():
                    return event
        return self._elsewhere(job)

    def _under_lease(self, lease: str, in_hand: InHand, attempt: int, turn: Turn) -> PartDone | None:
        """Make the part unless it is there. A bug ends the process and leaves the lease to run out: it counts."""
        self._in_hand[lease] = in_hand
        try:
            event = self._make(lease, in_hand, attempt, turn)
        except (Poison, Retryable):
            self._leases.release(lease)
            raise
        except LetGo:
            event = None
        finally:
            del self._in_hand[lease]
        self._leases.release(lease)
        return event

    def _make(self, lease: str, in_hand: InHand, attempt: int, turn: Turn) -> PartDone:
        """Find the part, encode it again of its master, or speak it."""
        job = in_hand.job
        store = self._store
        if self._patient:
            store = PatientStore(self._store, in_hand, lambda: self._leases.holds(lease), self._status)
        master = read_master(store, job.part.digest)
        if master and has_audio(store, master, job.bitrate):
            return self._done(job, master, 0.0)
        if attempt > MAX_DEATHS:
            raise Poison(f"the part killed its worker {MAX_DEATHS} times")
        if master:
            turn.end()
            if sidecar := part.encode_again(store, master, job.bitrate):
                return self._done(job, sidecar, 0.0)
        started = time.monotonic()
        voice, spoken = self._speak(in_hand, store)
        turn.end()
        if self._orders is not None and self._orders.is_removed(job.book_id):
            raise LetGo
        engine = self._engine
        origin = part.Origin(engine.name, engine.sample_rate, voice.gain, self._name, started)
        sidecar = part.finish(store, job.part, spoken, origin, job.bitrate)
        return self._done(job, sidecar, time.monotonic() - started)

    def _elsewhere(self, job: ChapterJob) -> PartDone | None:
        """Say that a part is there, if it is, which somebody else is at, or which we have let go."""
        try:
            sidecar = read_sidecar(self._store, job.part.digest, job.bitrate)
        except Unavailable:
            sidecar = None
        if sidecar is None:
            self._pass_over(job, "not ours")
            return None
        return self._done(job, sidecar, 0.0)

    def _check_engine(self, job: ChapterJob) -> None:
        wanted = job.speech
        reason = _mismatch(wanted, self._engine)
        if not reason:
            return
        now = time.time()
        others = (each for each in self._workers() if each.worker != self._name and each.takes_parts(now))
        if any((each.engine, each.model) == (wanted.engine, wanted.model) for each in others):
            raise Retryable(reason)  # it is this worker that is wrong, not the book
        raise Poison(reason)

    def _speak(self, in_hand: InHand, store: ObjectStore) -> tuple[Voice, list[Spoken]]:
        """Return the sound of each sentence and whose it is."""
        job = in_hand.job
        texts = [sentence.say for sentence in job.part.sentences]
        self._status.started(job)
        try:
            voice = self._voices.of(job.speech, store, in_hand)
            spoken = voice and self._speaker.speak(texts, voice, in_hand, lambda: self._status.spoke(job))
            if voice is None or spoken is None:
                raise LetGo
            return voice, spoken
        finally:
            self._status.left(job)

    def _done(self, job: ChapterJob, sidecar: Sidecar, work_seconds: float) -> PartDone:
        if work_seconds:
            self._status.finished(job.part, sidecar, self._speaker.busy_seconds)
            metrics.PART_SECONDS.observe(work_seconds)
        metrics.PARTS.labels("done").inc()
        logger.info("part.done", book=job.book_id, part=job.part.index, work_seconds=round(work_seconds, 2))
        return PartDone(
            book_id=job.book_id,
            part=job.part.index,
            digest=job.part.digest,
            worker=self._name if work_seconds else sidecar.worker or self._name,
            audio_seconds=sidecar.seconds,
            audio_bytes=sidecar.aac[job.bitrate].size,
            work_seconds=round(work_seconds, 3),
            retakes=sidecar.retakes,
        )

    def _pass_over(self, job: ChapterJob, reason: str) -> None:
        metrics.PARTS.labels("passed_over").inc()
        logger.info("part.passed_over", book=job.book_id, part=job.part.index, reason=reason)


def _mismatch(wanted: Speech, here: Engine) -> str:
    """Return why an engine is not the one that a book wants; empty when it is."""
    if wanted.engine != here.name:
        return (
            f"the book wants engine {wanted.engine!r}, this worker has {here.name!r}: "
            f"start workers with E2A_ENGINE={wanted.engine}"
        )
    if wanted.model != here.model:
        return (
            f"the book wants model {wanted.model!r} of engine {here.name!r}, this worker has {here.model!r}: "
            f"give workers and e2a-produce the same E2A_MODEL"
        )
    return ""


def turns(at_once: int) -> int:
    """Return how many parts are spoken at the same time, so that an engine that says so many sentences at once has
    enough of them while another part has come to its end."""
    return 1 if at_once == 1 else 2 + (at_once - 1) // SENTENCES
