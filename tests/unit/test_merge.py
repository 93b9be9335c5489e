"""The merger: events to records, and books to their end, once."""

import contextlib
import threading

import pytest
from structlog.testing import capture_logs

from e2a.checkpoint import PartRecord
from e2a.errors import Retryable
from e2a.messages import BookDone, BookFailed, BookPlanned, PartsWanted, encode
from e2a.plan import BITRATE, Plan, Retake
from e2a.report import Report
from e2a.storage import ObjectStore, keys, read_report
from merger import merge
from merger.faults import AssemblyFailed, Cancelled, TextLost
from tests.unit.builders import (
    BOOK,
    a_book_record,
    a_part_done,
    a_part_record,
    a_sidecar,
    put_part,
    put_plan,
)
from tests.unit.mergers import DONE, LEASE, OUTPUT, PLAN, REPORT, Scene


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    return Scene(monkeypatch)


def test_planned_book(scene: Scene) -> None:
    """A new book is recorded as storage shows it: what is there is done, the rest pending."""
    assert not scene.planned(1)
    assert scene.stage == "synthesising"
    assert scene.checkpoint.parts(BOOK) == {
        0: PartRecord(chapter=0, estimate=10.0),
        1: PartRecord(chapter=0, estimate=10.0, state="done", audio_seconds=1.0, audio_bytes=15),
        2: PartRecord(chapter=1, estimate=10.0),
    }


def test_planned_book_knows_what_was_said_again(scene: Scene) -> None:
    """The retakes of a part that is in storage are in its record, as they are after its event."""
    retake = Retake(sentence=0, start=0.2, text="This is part 1.", takes=2, flaws=("too-short",))
    put_part(scene.store, PLAN.parts[1])
    sidecar = a_sidecar(PLAN.parts[1], retakes=(retake,))
    scene.store.put(keys.part_sidecar(sidecar.digest), sidecar.model_dump_json().encode())
    scene.planned()
    assert [record.retakes for record in scene.checkpoint.parts(BOOK).values()] == [(), (retake,), ()]


def test_planned_book_that_is_all_there(scene: Scene) -> None:
    """A book whose parts all exist is ready to be concluded when it is announced."""
    assert scene.planned(0, 1, 2)


def test_audio_without_its_length_is_pending(scene: Scene) -> None:
    """A part whose audio is shorter than its sidecar says is not done."""
    put_part(scene.store, PLAN.parts[0])
    scene.store.put(keys.part_audio(PLAN.parts[0].digest, BITRATE), b"short")
    scene.planned()
    assert scene.states == ["pending"] * 3


def test_planned_again_keeps_its_start(scene: Scene) -> None:
    """A book that is announced again was first submitted when it was."""
    scene.checkpoint.seed(a_book_record(start_time=1000.0, stage="failed", reason="no voice"), {})
    scene.planned()
    book = scene.checkpoint.book(BOOK)
    assert book is not None
    assert (book.start_time, book.stage, book.reason) == (1000.0, "synthesising", "")
    assert book.last_update > 1000.0


def test_planned_again_counts_from_now(scene: Scene) -> None:
    """What was in storage when a book was announced again is not counted as made since."""
    scene.checkpoint.seed(a_book_record(start_time=1000.0, resumed_at=1000.0), {})
    scene.planned(0, 2)
    book = scene.checkpoint.book(BOOK)
    assert book is not None
    assert book.resumed_seconds == 2.0
    assert book.resumed_at > 1000.0


def test_last_part(scene: Scene) -> None:
    """Only the event that leaves nothing pending makes a book ready to be concluded."""
    scene.planned()
    assert [scene.make(index) for index in (2, 0, 1)] == [False, False, True]
    assert scene.states == ["done"] * 3


def test_every_event_is_news(scene: Scene) -> None:
    """An event moves the time of the book's last update."""
    scene.planned()
    scene.checkpoint.update_book(BOOK, lambda book: book.model_copy(update={"last_update": 0.0}))
    scene.make(0)
    book = scene.checkpoint.book(BOOK)
    assert book is not None
    assert book.last_update > 0.0


@pytest.mark.parametrize("event", [DONE, BookFailed(book_id=BOOK, reason="no voice")])
def test_own_events_change_nothing(scene: Scene, event: BookDone | BookFailed) -> None:
    """What the merger has published itself comes back to it and changes nothing."""
    scene.planned(0, 1, 2)
    assert not scene.merger.on_event(event)
    assert scene.stage == "synthesising"


def test_unknown_book_is_rebuilt(scene: Scene) -> None:
    """When the checkpoint was lost, the first event of a book brings all of it back from storage."""
    put_plan(scene.store, PLAN)
    put_part(scene.store, PLAN.parts[1])
    assert not scene.make(0)
    assert scene.states == ["done", "done", "pending"]
    assert scene.make(2)


def test_unknown_part(scene: Scene) -> None:
    """An event of a part that the plan does not have is logged and changes nothing."""
    scene.planned()
    with capture_logs() as logs:
        assert not scene.merger.on_event(a_part_done(part=99))
    assert logs == [{"event": "merge.unknown_part", "log_level": "warning", "book": BOOK, "part": 99}]
    assert scene.states == ["pending"] * 3


def test_no_plan(scene: Scene) -> None:
    """Each event of a book that storage does not know, which comes late when one is removed, is one quiet line."""
    for event in (BookPlanned(book_id=BOOK), a_part_done(), PartsWanted(book_id=BOOK)):
        with capture_logs() as logs:
            assert scene.merger.on_event(event) is None
        assert logs == [{"event": "merge.no_plan", "log_level": "info", "book": BOOK}]
    scene.merger.conclude(BOOK)
    assert scene.checkpoint.books() == []
    assert scene.published == []


def test_unreadable_plan(scene: Scene) -> None:
    """A plan that cannot be read is the same as none."""
    scene.store.put(keys.book(BOOK, keys.PLAN), b"{")
    with capture_logs() as logs:
        scene.merger.on_event(BookPlanned(book_id=BOOK))
    assert [entry["event"] for entry in logs] == ["merge.no_plan"]


def test_done_book(scene: Scene) -> None:
    """A finished book is assembled, reported in storage, announced and recorded."""
    scene.planned(0, 1, 2)
    scene.merger.conclude(BOOK)
    assert scene.assembled == [BOOK]
    assert read_report(scene.store, BOOK) == REPORT
    assert scene.published == [DONE]
    book = scene.checkpoint.book(BOOK)
    assert book is not None
    assert (book.stage, book.output, book.audio_seconds, book.audio_bytes) == ("done", OUTPUT, 3.0, 3000)


def test_put_then_publish(scene: Scene) -> None:
    """A book is announced when its report is in storage, not before."""
    scene.planned(0, 1, 2)
    scene.merger.conclude(BOOK)
    assert keys.report(BOOK) in scene.broker.stored


def test_concluded_again(scene: Scene) -> None:
    """Concluding a finished book again does nothing, also when its last event comes twice."""
    scene.planned(0, 1)
    scene.make(2)
    scene.merger.conclude(BOOK)
    scene.make(2)
    scene.merger.conclude(BOOK)
    assert scene.assembled == [BOOK]
    assert scene.published == [DONE]
    assert scene.stage == "done"


def test_concluded_too_early(scene: Scene) -> None:
    """A book with a pending part is not concluded, even if another part has failed."""
    scene.planned(0)
    scene.fail(1)
    scene.merger.conclude(BOOK)
    assert (scene.stage, scene.published) == ("synthesising", [])


def test_failed_book(scene: Scene) -> None:
    """A book with a failed part is failed, once, and the reason names the chapter."""
    scene.planned(0, 1)
    assert scene.fail(2)
    scene.merger.conclude(BOOK)
    scene.merger.conclude(BOOK)
    reason = "1 parts missing, in chapters 2: no such voice"
    assert scene.published == [BookFailed(book_id=BOOK, reason=reason)]
    book = scene.checkpoint.book(BOOK)
    assert book is not None
    assert (book.stage, book.reason) == ("failed", reason)
    assert scene.assembled == []


def test_failed_book_planned_again(scene: Scene) -> None:
    """After a failure the same command again makes the missing part pending, and the book can be finished."""
    scene.planned(0, 1)
    scene.fail(2)
    scene.merger.conclude(BOOK)
    assert not scene.planned()
    assert (scene.stage, scene.states) == ("synthesising", ["done", "done", "pending"])
    assert scene.make(2)
    scene.merger.conclude(BOOK)
    assert scene.stage == "done"


def test_late_part_saves_a_failed_book(scene: Scene) -> None:
    """A part that is done after its book has failed finishes the book."""
    scene.planned(0, 1)
    scene.fail(2)
    scene.merger.conclude(BOOK)
    assert scene.make(2)
    scene.merger.conclude(BOOK)
    assert scene.published[-1] == DONE
    assert scene.stage == "done"


def test_cancelled(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """A merger that ends tells its assemblies; nothing is announced, and the sweep of the next one finds the book."""

    def assemble(_plan: Plan, _store: ObjectStore, *, cancelled: threading.Event, fence: object) -> Report:
        assert cancelled.is_set()
        raise Cancelled("the merger is ending")

    monkeypatch.setattr(merge, "assemble", assemble)
    scene.planned(0, 1, 2)
    scene.merger.cancel()
    with pytest.raises(Retryable):
        scene.merger.conclude(BOOK)
    scene.clock.now += merge.REST
    assert (scene.left, scene.published) == ([BOOK], [])


def test_plan_lost_before_assembly(scene: Scene) -> None:
    """A book whose plan has vanished is failed, and the reason names the object."""
    scene.planned(0, 1, 2)
    scene.store.delete(keys.book(BOOK, keys.PLAN))
    scene.merger.conclude(BOOK)
    (event,) = scene.published
    assert isinstance(event, BookFailed)
    assert keys.book(BOOK, keys.PLAN) in event.reason


def test_another_merger_is_at_it(scene: Scene) -> None:
    """A book whose lease another merger holds is left alone."""
    scene.planned(0, 1, 2)
    scene.checkpoint.claim(LEASE, "merger-2", ttl=6.0)
    scene.merger.conclude(BOOK)
    assert scene.assembled == []
    assert scene.published == []
    assert scene.stage == "synthesising"


@pytest.mark.parametrize("failure", [None, Retryable("storage is away"), ZeroDivisionError()])
def test_lease_is_given_back(scene: Scene, failure: Exception | None) -> None:
    """However an assembly ends, another merger may try next, and no attempt is counted against the book."""
    scene.planned(0, 1, 2)
    scene.failure = failure
    with contextlib.nullcontext() if failure is None else pytest.raises(type(failure)):
        scene.merger.conclude(BOOK)
    assert scene.checkpoint.claim(LEASE, "merger-2", ttl=6.0) == 1


def test_interrupted_assembly(scene: Scene) -> None:
    """An assembly that was cut short announces nothing, is found by the sweep after a rest, and succeeds later."""
    scene.planned(0, 1, 2)
    scene.failure = Retryable("storage is away")
    with pytest.raises(Retryable):
        scene.merger.conclude(BOOK)
    assert (scene.stage, scene.published, scene.left) == ("assembling", [], [])
    scene.clock.now += merge.REST
    assert scene.left == [BOOK]
    scene.failure = None
    scene.merger.conclude(BOOK)
    assert scene.published == [DONE]
    assert scene.left == []


def test_unconcluded(scene: Scene) -> None:
    """The sweep finds books with nothing pending that have not ended, the first submitted first."""
    books = {
        "working": ("synthesising", "pending"),
        "assembling": ("assembling", "done"),
        "done": ("done", "done"),
        "failed": ("failed", "failed"),
        "forgotten": ("synthesising", "failed"),
    }
    for start, (book_id, (stage, state)) in enumerate(books.items()):
        book = a_book_record(book_id, stage=stage, start_time=float(-start))
        scene.checkpoint.seed(book, {0: a_part_record("done"), 1: a_part_record(state)})
    assert scene.left == ["forgotten", "assembling"]


def test_a_finished_book_announced_again(scene: Scene) -> None:
    """A finished book is not assembled or announced again, neither on a second submission nor from an empty Redis."""
    scene.planned(0, 1, 2)
    scene.merger.conclude(BOOK)
    for happen in (lambda: None, scene.checkpoint.lose):
        happen()
        assert scene.planned()
        scene.merger.conclude(BOOK)
        book = scene.checkpoint.book(BOOK)
        assert book is not None
        assert (book.stage, book.output, book.audio_seconds) == ("done", OUTPUT, 3.0)
    assert scene.published == [DONE]


def test_a_book_that_was_finished_before_there_were_reports(scene: Scene) -> None:
    """A book that an earlier version finished is not assembled again."""
    scene.store.put(OUTPUT, bytes(3000))
    scene.store.put(keys.report(BOOK), encode(DONE))
    assert scene.planned(0, 1, 2)
    scene.merger.conclude(BOOK)
    book = scene.checkpoint.book(BOOK)
    assert book is not None
    assert (book.stage, book.output, book.audio_seconds, book.audio_bytes) == ("done", OUTPUT, 3.0, 3000)
    assert scene.assembled == []


def test_checkpoint_emptied_during_assembly(scene: Scene) -> None:
    """A Redis that forgets everything while a book is assembled is filled again: the book is done."""
    scene.meanwhile = scene.checkpoint.lose
    scene.planned(0, 1, 2)
    scene.merger.conclude(BOOK)
    assert scene.stage == "done"
    assert scene.published == [DONE]


def test_checkpoint_emptied_after_the_last_part(scene: Scene) -> None:
    """A Redis that forgets everything just before the assembly is filled again, and the sweep finds the book."""
    scene.planned(0, 1, 2)
    scene.checkpoint.lose()
    scene.merger.conclude(BOOK)
    assert scene.left == [BOOK]
    scene.merger.conclude(BOOK)
    assert scene.stage == "done"


def test_checkpoint_emptied_between_two_looks(scene: Scene) -> None:
    """A Redis that forgets everything after it was asked for a book, and before it is for its parts, is filled."""
    scene.planned(0, 1, 2)
    scene.books.enter(BOOK, "assembling")
    scene.lose_after("book")
    scene.merger.conclude(BOOK)
    assert (scene.stage, scene.states, scene.published) == ("synthesising", ["done"] * 3, [])


def test_planned_again_just_before_it_is_done(scene: Scene) -> None:
    """A book that is finished while it is read for another announcement is done, and announced once."""
    scene.planned(0, 1, 2)
    scene.during_the_reading(lambda: scene.merger.conclude(BOOK))
    work = scene.merger.on_event(BookPlanned(book_id=BOOK))
    assert work is not None
    work.run()
    assert (scene.stage, scene.published, len(scene.assembled)) == ("done", [DONE], 1)


def test_checkpoint_emptied_before_a_failure(scene: Scene) -> None:
    """A failure that meets an empty Redis is recorded when the book is known again."""
    scene.planned(0, 1)
    scene.checkpoint.lose()
    assert scene.fail(2)
    assert scene.states == ["done", "done", "failed"]


def test_an_assembly_that_worked_in_the_end_is_forgiven(scene: Scene) -> None:
    """Failures of an assembly that then worked do not count when the book is assembled again."""
    scene.planned(0, 1, 2)
    for _ in range(2):
        for _ in range(merge.ASSEMBLY_ATTEMPTS - 1):
            scene.failure = AssemblyFailed("ffmpeg: exit 1: no")
            with pytest.raises(AssemblyFailed):
                scene.merger.conclude(BOOK)
        scene.failure = None
        scene.merger.conclude(BOOK)
        assert scene.stage == "done"
        scene.store.delete(keys.report(BOOK))
        scene.planned()


def test_a_plan_that_lost_text_fails_at_once(scene: Scene) -> None:
    """A plan that does not speak what its book has is not tried again: it would not help."""
    scene.failure = TextLost("the plan speaks 3 characters and does not add up")
    scene.planned(0, 1, 2)
    scene.merger.conclude(BOOK)
    assert scene.stage == "failed"
    assert scene.published == [BookFailed(book_id=BOOK, reason="the plan speaks 3 characters and does not add up")]


def test_an_assembly_that_never_works_ends(scene: Scene) -> None:
    """ffmpeg may fail for a while, as on a full disk; a book that it fails on again and again ends failed."""
    scene.failure = AssemblyFailed("ffmpeg: exit 1: no")
    scene.planned(0, 1, 2)
    for _ in range(merge.ASSEMBLY_ATTEMPTS - 1):
        with pytest.raises(AssemblyFailed):
            scene.merger.conclude(BOOK)
        scene.clock.now += merge.REST
        assert scene.left == [BOOK]
    scene.merger.conclude(BOOK)
    assert scene.stage == "failed"
    assert scene.published == [BookFailed(book_id=BOOK, reason="ffmpeg: exit 1: no")]
