"""The handler on the in-memory kernel, with an engine that does as it is told."""

import threading
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest

from e2a.checkpoint import LeaseKeeper
from e2a.errors import Poison, Retryable
from e2a.messages import PartDone
from e2a.plan import Part, Sentence, Speech, part_digest
from e2a.storage import keys, read_sidecar
from e2a.testing import Clock, MemoryCheckpoint, MemoryStore
from synth_consumer.engines import Pcm
from synth_consumer.status import Status
from synth_consumer.worker import Worker
from tests.unit.builders import a_job, a_part, a_speech, put_part

SENTENCES = tuple(Sentence(text=text, pause_ms=100) for text in ("One.", "Two.", "Three."))


class Puppet:
    """`Engine` whose every sentence calls back, and that counts how many speak at once."""

    name = "espeak"
    sample_rate = 24000
    licence = "none"

    def __init__(self) -> None:
        self.spoken: list[str] = []
        self.before: Callable[[str], object] = lambda _sentence: None
        self.at_once = 0
        self.most_at_once = 0

    def load(self) -> None:
        return

    def voices(self, language: str) -> tuple[str, ...]:
        return ()

    def speak(self, sentences: Sequence[str], speech: Speech, seed: int) -> Iterator[Pcm]:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            for sentence in sentences:
                self.before(sentence)
                self.spoken.append(sentence)
                yield np.full(1000, 0.1, np.float32)
        finally:
            self.at_once -= 1


class OrderedStore(MemoryStore):
    """Remembers the order of puts."""

    def __init__(self) -> None:
        super().__init__()
        self.order: list[str] = []

    def put(self, key: str, data: bytes) -> None:
        self.order.append(key)
        super().put(key, data)


class Bench:
    """A worker and all it stands on."""

    def __init__(self) -> None:
        self.engine = Puppet()
        self.store = OrderedStore()
        self.clock = Clock()
        self.checkpoint = MemoryCheckpoint(self.clock)
        self.leases = LeaseKeeper(self.checkpoint, "w0")
        self.status = Status("w0", "espeak")
        self.worker = Worker(
            name="w0",
            engine=self.engine,
            store=self.store,
            leases=self.leases,
            status=self.status,
        )

    def free(self, part: Part) -> bool:
        """Say whether somebody else could take the part's lease."""
        return bool(self.checkpoint.claim(f"part/{part.digest}", "other", 1))


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def part() -> Part:
    return a_part(sentences=SENTENCES, digest=part_digest(SENTENCES, a_speech()))


def test_makes_a_part(bench: Bench, part: Part) -> None:
    """Every sentence is spoken in order, the audio is put before its sidecar, and the event tells its length."""
    event = bench.worker.handle(a_job(part), threading.Event())
    sidecar = read_sidecar(bench.store, part.digest)
    assert bench.engine.spoken == ["One.", "Two.", "Three."]
    assert bench.store.order == [keys.part_audio(part.digest), keys.part_sidecar(part.digest)]
    assert sidecar is not None
    assert isinstance(event, PartDone)
    assert (event.part, event.digest, event.worker) == (part.index, part.digest, "w0")
    assert (event.audio_seconds, event.audio_bytes) == (sidecar.seconds, sidecar.audio_bytes)
    assert event.work_seconds > 0
    assert bench.free(part)


def test_says_what_it_did(bench: Bench, part: Part) -> None:
    """While it speaks, the heartbeat names book, chapter and sentence; afterwards it counts the part."""
    seen = []
    bench.engine.before = lambda _sentence: seen.append(bench.status.snapshot((0,)))
    bench.worker.handle(a_job(part), threading.Event())
    assert [(each.book_id, each.sentence, each.sentences) for each in seen] == [
        (a_job().book_id, spoken, 3) for spoken in range(3)
    ]
    after = bench.status.snapshot((0,))
    assert (after.book_id, after.done, after.failed, after.partitions) == ("", 1, 0, (0,))
    assert after.audio_seconds > 0


def test_does_not_make_what_is_there(bench: Bench, part: Part) -> None:
    """A part that is stored is reported at once, with no work claimed for it."""
    put_part(bench.store, part)
    event = bench.worker.handle(a_job(part), threading.Event())
    assert isinstance(event, PartDone)
    assert event.work_seconds == 0
    assert bench.engine.spoken == []


def test_makes_again_what_is_cut_off(bench: Bench, part: Part) -> None:
    """A part whose audio has not the length its sidecar says is made anew."""
    put_part(bench.store, part)
    bench.store.put(keys.part_audio(part.digest), b"cut")
    bench.worker.handle(a_job(part), threading.Event())
    assert len(bench.engine.spoken) == 3


def test_refuses_a_job_for_another_engine(bench: Bench, part: Part) -> None:
    """A job for an engine that this worker has not is poison, and the reason says what to start."""
    with pytest.raises(Poison, match="E2A_ENGINE=xtts"):
        bench.worker.handle(a_job(part, speech=a_speech(engine="xtts")), threading.Event())
    assert bench.status.snapshot(()).failed == 1


def test_gives_a_part_back_between_sentences(bench: Bench, part: Part) -> None:
    """A part that is abandoned is left after the sentence in hand: nothing stored, the lease free."""
    abandoned = threading.Event()
    bench.engine.before = lambda _sentence: abandoned.set()
    assert bench.worker.handle(a_job(part), abandoned) is None
    assert bench.engine.spoken == ["One."]
    assert bench.store.objects == {}
    assert bench.free(part)
    assert bench.status.snapshot(()).book_id == ""


def test_keeps_a_part_that_is_abandoned_in_its_last_sentence(bench: Bench, part: Part) -> None:
    """What is spoken to the end is stored, although nobody waits for it any more: the next owner finds it done."""
    abandoned = threading.Event()
    bench.engine.before = lambda sentence: sentence == "Three." and abandoned.set()
    assert isinstance(bench.worker.handle(a_job(part), abandoned), PartDone)
    assert read_sidecar(bench.store, part.digest) is not None


def test_does_not_begin_what_is_abandoned(bench: Bench, part: Part) -> None:
    """A job that was abandoned while it waited is given back unspoken."""
    abandoned = threading.Event()
    abandoned.set()
    assert bench.worker.handle(a_job(part), abandoned) is None
    assert bench.engine.spoken == []


class Waiter(threading.Event):
    """An event whose waits end at once and let the test act in between."""

    def __init__(self, act: Callable[[], object]) -> None:
        super().__init__()
        self.act = act

    def wait(self, timeout: float | None = None) -> bool:
        self.act()
        return self.is_set()


def test_waits_for_whoever_has_the_part(bench: Bench, part: Part) -> None:
    """A part that another worker is busy with is reported when the other has stored it."""
    bench.checkpoint.claim(f"part/{part.digest}", "other", 6)
    event = bench.worker.handle(a_job(part), Waiter(lambda: put_part(bench.store, part)))
    assert isinstance(event, PartDone)
    assert bench.engine.spoken == []


def test_takes_over_from_a_dead_worker(bench: Bench, part: Part) -> None:
    """A part whose holder died is made when the lease has run out."""
    bench.checkpoint.claim(f"part/{part.digest}", "dead", 6)

    def pass_time() -> None:
        bench.clock.now += 7

    event = bench.worker.handle(a_job(part), Waiter(pass_time))
    assert isinstance(event, PartDone)
    assert len(bench.engine.spoken) == 3


def test_does_not_free_the_lease_of_its_other_thread(bench: Bench, part: Part) -> None:
    """A job that is abandoned while the worker's other thread makes the same part leaves the lease alone."""
    bench.leases.claim(f"part/{part.digest}")
    abandoned = Waiter(lambda: None)
    abandoned.act = abandoned.set
    assert bench.worker.handle(a_job(part), abandoned) is None
    assert not bench.free(part)


def test_a_part_that_is_there_is_no_poison(bench: Bench, part: Part) -> None:
    """A part that was stored before its holders died is done, however many died."""
    for holder in ("a", "b", "c"):
        assert bench.checkpoint.claim(f"part/{part.digest}", holder, 6)
        bench.clock.now += 7
    put_part(bench.store, part)
    assert isinstance(bench.worker.handle(a_job(part), threading.Event()), PartDone)


def test_a_part_that_killed_its_workers_is_poison(bench: Bench, part: Part) -> None:
    """After three holders that died the fourth does not try, and the book may be tried again later."""
    for holder in ("a", "b", "c"):
        assert bench.checkpoint.claim(f"part/{part.digest}", holder, 6)
        bench.clock.now += 7
    with pytest.raises(Poison, match="killed its worker 3 times"):
        bench.worker.handle(a_job(part), threading.Event())
    assert bench.engine.spoken == []
    assert bench.checkpoint.claim(f"part/{part.digest}", "later", 6) == 1


@pytest.mark.parametrize("error", [Poison("no such voice"), Retryable("out of memory")])
def test_passes_on_what_the_engine_says(bench: Bench, part: Part, error: Exception) -> None:
    """An engine's refusal leaves the handler as it is, is counted, and frees the lease."""

    def refuse(_sentence: str) -> None:
        raise error

    bench.engine.before = refuse
    with pytest.raises(type(error), match=str(error)):
        bench.worker.handle(a_job(part), threading.Event())
    assert bench.status.snapshot(()).failed == 1
    assert bench.free(part)


def test_storage_that_is_away_frees_the_lease(bench: Bench, part: Part, monkeypatch: pytest.MonkeyPatch) -> None:
    """A part that cannot be looked up is not kept from others, nor from a later job of the same worker."""

    def away(_key: str) -> bytes:
        raise Retryable("storage is away")

    monkeypatch.setattr(bench.store, "get", away)
    with pytest.raises(Retryable, match="storage is away"):
        bench.worker.handle(a_job(part), threading.Event())
    monkeypatch.undo()
    assert isinstance(bench.worker.handle(a_job(part), threading.Event()), PartDone)
    assert bench.free(part)


def test_a_bug_counts_as_a_death(bench: Bench, part: Part) -> None:
    """A part that crashes the handler keeps its lease until it runs out, so that the crash is counted."""

    def crash(_sentence: str) -> None:
        raise ZeroDivisionError

    bench.engine.before = crash
    with pytest.raises(ZeroDivisionError):
        bench.worker.handle(a_job(part), threading.Event())
    assert not bench.free(part)
    bench.clock.now += 7
    assert bench.checkpoint.claim(f"part/{part.digest}", "next", 6) == 2
    assert bench.status.snapshot(()).book_id == ""


def test_what_is_waited_for_does_not_hold_the_engine(bench: Bench, part: Part) -> None:
    """While a job waits for another worker's lease, the next job is spoken."""
    bench.checkpoint.claim(f"part/{part.digest}", "other", 6)
    other = a_part(7)
    abandoned = Waiter(lambda: bench.worker.handle(a_job(other), threading.Event()) and abandoned.set())
    bench.worker.handle(a_job(part), abandoned)
    assert read_sidecar(bench.store, other.digest) is not None


class WatchedLock:
    """A lock that says when a second thread waits for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.contended = threading.Event()

    def acquire(self, timeout: float) -> bool:
        if self._lock.acquire(blocking=False):
            return True
        self.contended.set()
        return self._lock.acquire(timeout=timeout)

    def release(self) -> None:
        self._lock.release()


def test_one_part_is_spoken_at_a_time(bench: Bench) -> None:
    """While one job is spoken the other waits for its turn; both are made."""
    lock = WatchedLock()
    bench.worker._mouth = lock  # type: ignore[assignment]
    bench.engine.before = lambda _sentence: lock.contended.wait(30) or pytest.fail("nobody waits")
    events: list[object] = []

    def handle(index: int) -> None:
        events.append(bench.worker.handle(a_job(a_part(index)), threading.Event()))

    threads = [threading.Thread(target=handle, args=(index,)) for index in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [type(event) for event in events] == [PartDone, PartDone]
    assert bench.engine.most_at_once == 1


def test_a_job_that_waits_for_the_engine_can_be_abandoned(bench: Bench, part: Part) -> None:
    """A job whose partition moves away while the other is spoken frees its lease at once, not after the other."""
    abandoned, lock = threading.Event(), WatchedLock()
    bench.worker._mouth = lock  # type: ignore[assignment]
    lock.acquire(timeout=0)
    thread = threading.Thread(target=bench.worker.handle, args=(a_job(part), abandoned))
    thread.start()
    assert lock.contended.wait(30)
    assert not bench.free(part)
    abandoned.set()
    thread.join(30)
    assert not thread.is_alive()
    assert bench.engine.spoken == []
    assert bench.free(part)


def test_an_engine_that_skips_a_sentence_is_a_bug(bench: Bench, part: Part, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sound too few is not a job given back: nothing is stored, and the fault is told."""
    monkeypatch.setattr(bench.engine, "speak", lambda *_arguments: iter([np.zeros(10, np.float32)]))
    with pytest.raises(RuntimeError, match="engine espeak spoke 1 of 3 sentences"):
        bench.worker.handle(a_job(part), threading.Event())
    assert bench.store.objects == {}


def test_the_next_part_is_spoken_while_one_is_stored(bench: Bench) -> None:
    """The engine is free for the next job as soon as a part is spoken, before it is encoded and stored."""
    first, second = a_job(a_part(0)), a_job(a_part(1))
    storing, spoken = threading.Event(), threading.Event()
    put = bench.store.put

    def slow_put(key: str, data: bytes) -> None:
        if key == keys.part_audio(first.part.digest):
            storing.set()
            assert spoken.wait(30)
        put(key, data)

    bench.store.put = slow_put  # type: ignore[method-assign]
    thread = threading.Thread(target=bench.worker.handle, args=(first, threading.Event()))
    thread.start()
    assert storing.wait(30)
    bench.worker.handle(second, threading.Event())
    spoken.set()
    thread.join()
    assert len(bench.engine.spoken) == 2
