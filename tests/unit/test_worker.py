"""The handler on the in-memory kernel, with an engine that does as it is told."""

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest

from e2a.errors import Poison, Retryable
from e2a.messages import PartDone
from e2a.plan import BITRATE, Part, part_digest
from e2a.storage import keys, read_sidecar
from synth_consumer.worker import MAX_DEATHS
from tests.unit.builders import a_job, a_part, a_speech, a_worker_record, put_part
from tests.unit.workbench import SENTENCES, Bench


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def part() -> Part:
    return a_part(sentences=SENTENCES, digest=part_digest(SENTENCES, a_speech()))


def test_makes_a_part(bench: Bench, part: Part) -> None:
    """Every sentence is spoken in order, master and AAC are put before the sidecar, and the event tells its length."""
    event = bench.worker.handle(a_job(part), threading.Event())
    sidecar = read_sidecar(bench.store, part.digest, BITRATE)
    assert bench.engine.spoken == ["One.", "Two.", "Three."]
    assert bench.store.order == [
        keys.part_master(part.digest),
        keys.part_audio(part.digest, BITRATE),
        keys.part_sidecar(part.digest),
    ]
    assert sidecar is not None
    assert isinstance(event, PartDone)
    assert (event.part, event.digest, event.worker) == (part.index, part.digest, "w0")
    assert (event.audio_seconds, event.audio_bytes) == (sidecar.seconds, sidecar.aac[BITRATE].size)
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
    """A part that is stored is reported at once as its maker's, with no work claimed for it."""
    put_part(bench.store, part, worker="w9")
    event = bench.worker.handle(a_job(part), threading.Event())
    assert isinstance(event, PartDone)
    assert (event.worker, event.work_seconds) == ("w9", 0)
    assert bench.engine.spoken == []


def test_refuses_a_job_for_another_engine(bench: Bench, part: Part) -> None:
    """A job for an engine that this worker has not is poison, and the reason says what to start."""
    with pytest.raises(Poison, match="E2A_ENGINE=xtts"):
        bench.worker.handle(a_job(part, speech=a_speech(engine="xtts")), threading.Event())
    assert bench.status.snapshot(()).failed == 1


@pytest.mark.parametrize(
    ("others", "failure"),
    [
        ({"engine": "xtts"}, Retryable),
        ({"engine": "xtts", "model": "v3"}, Poison),
        ({"engine": "xtts", "last_seen": 0.0}, Poison),
        ({"engine": "xtts", "worker": "w0"}, Poison),
    ],
)
def test_a_worker_that_is_the_wrong_one(
    bench: Bench, part: Part, others: dict[str, Any], failure: type[Exception]
) -> None:
    """When another worker has the engine that a book wants, the job is left to be tried again there."""
    bench.checkpoint.heartbeat(a_worker_record(**({"worker": "w1", "last_seen": time.time()} | others)))
    with pytest.raises(failure, match="E2A_ENGINE=xtts"):
        bench.worker.handle(a_job(part, speech=a_speech(engine="xtts")), threading.Event())


def test_gives_a_part_back_between_sentences(bench: Bench, part: Part) -> None:
    """A part that is abandoned is left after the sentence in hand: nothing stored, the lease free."""
    abandoned = threading.Event()
    bench.engine.before = lambda _sentence: abandoned.set()
    assert bench.worker.handle(a_job(part), abandoned) is None
    assert bench.engine.spoken == ["One."]
    assert read_sidecar(bench.store, part.digest, BITRATE) is None
    assert bench.free(part)
    assert bench.status.snapshot(()).book_id == ""


def test_keeps_a_part_that_is_abandoned_in_its_last_sentence(bench: Bench, part: Part) -> None:
    """What is spoken to the end is stored, although nobody waits for it any more: the next owner finds it done."""
    abandoned = threading.Event()
    bench.engine.before = lambda sentence: sentence == "Three." and abandoned.set()
    assert isinstance(bench.worker.handle(a_job(part), abandoned), PartDone)
    assert read_sidecar(bench.store, part.digest, BITRATE) is not None


def test_does_not_begin_what_is_abandoned(bench: Bench, part: Part) -> None:
    """A job that was abandoned while it waited is given back unspoken."""
    abandoned = threading.Event()
    abandoned.set()
    assert bench.worker.handle(a_job(part), abandoned) is None
    assert bench.engine.spoken == []


def test_passes_over_what_another_makes(bench: Bench, part: Part) -> None:
    """A part that another worker is busy with is not waited for: nothing is said of it, and the lease stays theirs."""
    bench.checkpoint.claim(f"part/{part.digest}", "them", 6)
    abandoned = threading.Event()
    assert bench.worker.handle(a_job(part), abandoned) is None
    assert not abandoned.is_set()
    assert bench.engine.spoken == []
    assert not bench.free(part)


def test_reports_what_another_has_just_made(bench: Bench, part: Part) -> None:
    """A part that is stored is done, also while whoever made it still has the lease."""
    bench.checkpoint.claim(f"part/{part.digest}", "them", 6)
    put_part(bench.store, part)
    assert isinstance(bench.worker.handle(a_job(part), threading.Event()), PartDone)
    assert bench.engine.spoken == []


def test_takes_over_from_a_dead_worker(bench: Bench, part: Part) -> None:
    """A part whose holder died is made when the lease has run out."""
    bench.checkpoint.claim(f"part/{part.digest}", "dead", 6)
    bench.clock.now += 7
    assert isinstance(bench.worker.handle(a_job(part), threading.Event()), PartDone)
    assert len(bench.engine.spoken) == 3


def test_does_not_free_the_lease_of_its_other_thread(bench: Bench, part: Part) -> None:
    """A job for a part that the worker's other thread makes is passed over, and the lease left alone."""
    bench.leases.claim(f"part/{part.digest}")
    assert bench.worker.handle(a_job(part), threading.Event()) is None
    assert not bench.free(part)


def test_a_part_that_is_there_is_no_poison(bench: Bench, part: Part) -> None:
    """A part that was stored before its holders died is done, however many died."""
    for holder in range(MAX_DEATHS):
        assert bench.checkpoint.claim(f"part/{part.digest}", str(holder), 6)
        bench.clock.now += 7
    put_part(bench.store, part)
    assert isinstance(bench.worker.handle(a_job(part), threading.Event()), PartDone)


def test_a_part_whose_holders_died_is_tried_again(bench: Bench, part: Part) -> None:
    """The fifth holder is the last that tries: workers die of other things than parts, too."""
    for holder in range(MAX_DEATHS - 1):
        assert bench.checkpoint.claim(f"part/{part.digest}", str(holder), 6)
        bench.clock.now += 7
    assert isinstance(bench.worker.handle(a_job(part), threading.Event()), PartDone)


def test_a_part_that_killed_its_workers_is_poison(bench: Bench, part: Part) -> None:
    """After five holders that died the sixth does not try, and the book may be tried again later."""
    for holder in range(MAX_DEATHS):
        assert bench.checkpoint.claim(f"part/{part.digest}", str(holder), 6)
        bench.clock.now += 7
    with pytest.raises(Poison, match="killed its worker 5 times"):
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


def test_one_sentence_is_spoken_at_a_time(bench: Bench) -> None:
    """Two jobs that are handled at once do not disturb an engine that says one sentence at a time; both are made."""
    events: list[object] = []

    def handle(index: int) -> None:
        events.append(bench.worker.handle(a_job(a_part(index)), threading.Event()))

    threads = [threading.Thread(target=handle, args=(index,), daemon=True) for index in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [type(event) for event in events] == [PartDone, PartDone]
    assert bench.engine.most_inside == 1


def test_sentences_of_two_parts_are_spoken_together() -> None:
    """An engine that says several at once gets the next part's sentences while it still speaks the one before."""
    bench, company = Bench(at_once=2), threading.Barrier(2)
    bench.engine.before = lambda _text: company.wait(30)
    threads = [
        threading.Thread(target=bench.worker.handle, args=(a_job(a_part(index)), threading.Event()), daemon=True)
        for index in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(bench.engine.spoken) == ["This is part 0.", "This is part 1."]
    assert bench.status.snapshot(()).done == 2


def test_a_job_that_waits_for_the_engine_can_be_made_by_others(bench: Bench, part: Part) -> None:
    """While one part is spoken the next has no lease: another worker takes it, and it can be abandoned at once."""
    speaking, enough = threading.Event(), threading.Event()
    bench.engine.before = lambda _text: (speaking.set(), enough.wait(30))
    first = a_part(7)
    thread = threading.Thread(target=bench.worker.handle, args=(a_job(first), threading.Event()), daemon=True)
    thread.start()
    assert speaking.wait(30)
    assert not bench.free(first)
    free = []
    waits = WhenLookedAt(lambda: free.append(bench.free(part)))
    assert bench.worker.handle(a_job(part), waits) is None
    assert free == [True]
    enough.set()
    thread.join()
    assert bench.engine.spoken == ["This is part 7."]


class WhenLookedAt(threading.Event):
    """An event that acts when it is looked at, and is set."""

    def __init__(self, act: Callable[[], object]) -> None:
        super().__init__()
        self.act = act

    def is_set(self) -> bool:
        self.act()
        return True


def test_a_suspect_is_made_alone(bench: Bench, part: Part) -> None:
    """A part whose holder died waits until no other is in hand, and no other is claimed meanwhile: if it kills again,
    only it is blamed."""
    before, after = a_part(8), a_part(7)
    assert bench.checkpoint.claim(f"part/{part.digest}", "dead", 6)
    bench.clock.now += 7
    speaking, enough, claimed = threading.Event(), threading.Event(), []

    def hold(text: str) -> None:
        if text == "This is part 8.":
            speaking.set()
            assert enough.wait(30)
        elif text == "One.":
            claimed.extend(bool(bench.checkpoint.held([f"part/{each.digest}"])) for each in (before, part, after))

    def start(each: Part) -> threading.Thread:
        thread = threading.Thread(target=bench.worker.handle, args=(a_job(each), threading.Event()), daemon=True)
        thread.start()
        return thread

    bench.engine.before = hold
    threads = [start(before)]
    assert speaking.wait(30)
    threads.append(start(part))
    with bench.worker._gate._changed:
        assert bench.worker._gate._changed.wait_for(lambda: bench.worker._gate._closed, 30)
    threads.append(start(after))
    enough.set()
    for thread in threads:
        thread.join(30)
    assert bench.engine.spoken == ["This is part 8.", "One.", "Two.", "Three.", "This is part 7."]
    assert claimed == [False, True, False]


@pytest.mark.parametrize(("at_once", "turns"), [(1, 1), (2, 2), (21, 3), (64, 5)])
def test_parts_that_are_spoken_at_once(at_once: int, turns: int) -> None:
    """An engine that says one sentence at a time gets one part, others enough for all their sentences; one hand more
    stores."""
    bench = Bench(at_once)
    assert bench.worker.hands == turns + 1
    with ExitStack() as entered:
        for _ in range(turns):
            entered.enter_context(bench.worker._gate.turn(alone=False, abandoned=threading.Event()))
        abandoned = threading.Event()
        abandoned.set()
        with bench.worker._gate.turn(alone=False, abandoned=abandoned) as turn:
            assert turn is None


def test_knows_what_it_is_at(bench: Bench, part: Part) -> None:
    """A part is known to be in hand while it is made, and for a moment after, whatever becomes of it."""
    seen = []
    bench.engine.before = lambda _text: seen.append(part.digest in bench.worker.recent)
    assert part.digest not in bench.worker.recent
    bench.worker.handle(a_job(part), threading.Event())
    assert seen == [True] * 3
    assert part.digest in bench.worker.recent


def test_refuses_a_job_for_another_model(bench: Bench, part: Part) -> None:
    """A job for a model that this worker has not is poison, and the reason says what to do."""
    with pytest.raises(Poison, match="wants model 'alto' of engine 'espeak', this worker has ''.*E2A_MODEL"):
        bench.worker.handle(a_job(part, speech=a_speech(model="alto")), threading.Event())


def test_the_next_part_is_spoken_while_one_is_stored(bench: Bench) -> None:
    """The engine is free for the next job as soon as a part is spoken, before it is encoded and stored."""
    first, second = a_job(a_part(0)), a_job(a_part(1))
    storing, spoken = threading.Event(), threading.Event()
    put = bench.store.put

    def slow_put(key: str, data: bytes) -> None:
        if key == keys.part_master(first.part.digest):
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
