"""The fold: any event may come twice, late, or in another order."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2a.checkpoint import PartRecord
from e2a.messages import PartDone, PartFailed
from e2a.plan import Retake
from merger import fold as folding
from merger.fold import MAX_ATTEMPTS, again, backoff, found, is_spent, lost, missing, published, verdict, wanted
from tests.unit.builders import a_part, a_part_done, a_part_failed, a_part_record

PARTS = 3
PartEvent = PartDone | PartFailed
DUE = backoff(1000.0, first=8.0, jitter=0.5)
OUTCOMES = ["done", "poison", 1, 2, MAX_ATTEMPTS]
"""What happens to parts: a number is that of an attempt that may be repeated."""


def one_event(part: int, outcome: str | int, worker: str) -> PartEvent:
    """Return what a worker says of a part."""
    if outcome == "done":
        return a_part_done(a_part(part), worker=worker)
    if outcome == "poison":
        return a_part_failed(a_part(part), worker=worker)
    return a_part_failed(a_part(part), worker=worker, retryable=True, attempt=outcome)


def fold(record: PartRecord, event: PartEvent) -> PartRecord:
    """Fold at 1,000 s, where the first wait is 6 s."""
    return folding.fold(record, event, DUE)


EVENTS = st.lists(
    st.builds(one_event, st.integers(0, PARTS - 1), st.sampled_from(OUTCOMES), st.sampled_from(["gpu-0", "gpu-1"])),
    max_size=12,
)
HISTORIES = EVENTS.flatmap(
    lambda events: st.tuples(
        st.just(events),
        (st.lists(st.sampled_from(events)) if events else st.just([])).flatmap(
            lambda again: st.permutations(events + again)
        ),
    )
)


def folded(events: Iterable[PartEvent]) -> list[PartRecord]:
    """Return the records of a book after its events."""
    records = [a_part_record(chapter=index) for index in range(PARTS)]
    for event in events:
        records[event.part] = fold(records[event.part], event)
    return records


def test_done() -> None:
    """A done part has its length, its size and its worker; chapter and estimate stay."""
    record = fold(a_part_record(chapter=2, estimate=9.0), a_part_done(audio_seconds=8.5, audio_bytes=700, worker="w"))
    assert record == PartRecord(
        chapter=2, estimate=9.0, state="done", audio_seconds=8.5, audio_bytes=700, worker="w", reason=""
    )


def test_retakes_are_kept() -> None:
    """What had to be said again in a part is in its record."""
    retake = Retake(sentence=0, start=0.2, text="This is part 0.", takes=2, flaws=("too-short",))
    assert fold(a_part_record(), a_part_done(retakes=(retake,))).retakes == (retake,)


def test_failed() -> None:
    """A part that no engine can say has its reason and its worker, and waits for nothing."""
    record = fold(a_part_record(attempts=1, retry_at=1006.0), a_part_failed(reason="no voice", worker="w"))
    assert record == a_part_record("failed", reason="no voice", worker="w", attempts=1)


def test_failed_for_now() -> None:
    """A failure that may pass leaves a part pending, with its reason, and each time it waits twice as long."""
    first = fold(a_part_record(), a_part_failed(reason="no memory", worker="w", retryable=True, attempt=1))
    assert first == a_part_record(reason="no memory", worker="w", attempts=1, retry_at=1006.0)
    second = fold(first, a_part_failed(retryable=True, attempt=2))
    assert (second.state, second.attempts, second.retry_at) == ("pending", 2, 1012.0)


def test_failed_for_the_last_time() -> None:
    """A part that has failed three times is failed for good, for the last reason."""
    record = a_part_record(attempts=2, reason="no memory", retry_at=1012.0)
    spent = fold(record, a_part_failed(reason="no disk", worker="w", retryable=True, attempt=3))
    assert spent == a_part_record("failed", attempts=3, reason="no disk", worker="w")


def test_an_attempt_counts_once() -> None:
    """The same failure heard of again, or one of an earlier attempt, changes nothing."""
    record = a_part_record(attempts=2, reason="no memory", retry_at=5.0)
    for attempt in (1, 2):
        assert fold(record, a_part_failed(retryable=True, attempt=attempt)) == record


def test_poison_is_not_tried_again() -> None:
    """A part that cannot be made waits for nothing, whatever an earlier attempt still says."""
    record = fold(a_part_record(), a_part_failed())
    assert fold(record, a_part_failed(retryable=True, attempt=1)) == record


def test_workers_of_version_1_do_not_count() -> None:
    """A failure of which nobody says which attempt it was is one more."""
    record = a_part_record()
    for attempts in (1, 2, 3):
        record = fold(record, a_part_failed(retryable=True))
        assert record.attempts == attempts
    assert record.state == "failed"


def test_jitter() -> None:
    """What failed together comes again at times between half of the wait and all of it."""
    assert [backoff(0.0, first=8.0, jitter=jitter)(2) for jitter in (0.0, 0.5, 1.0)] == [8.0, 12.0, 16.0]


def test_spent() -> None:
    """The failure that leaves no attempt is known again whenever it is heard of; no other is taken for it."""
    last, earlier = (a_part_failed(retryable=True, attempt=attempt) for attempt in (3, 2))
    record = fold(a_part_record(attempts=2), last)
    assert is_spent(record, last)
    assert is_spent(fold(record, last), last)
    assert not is_spent(record, earlier)
    assert not is_spent(record, a_part_done())
    assert not is_spent(fold(a_part_record(), a_part_failed()), a_part_failed())
    assert not is_spent(fold(a_part_record(), earlier), earlier)
    assert not is_spent(fold(fold(a_part_record(), earlier), a_part_failed()), earlier)


def test_published() -> None:
    """A part whose retry was published waits for a worker only; one that has failed again meanwhile goes on waiting."""
    seen = a_part_record(attempts=1, retry_at=5.0)
    assert published(seen, seen) == a_part_record(attempts=1)
    newer = a_part_record(attempts=2, retry_at=9.0)
    assert published(newer, seen) == newer


def test_found() -> None:
    """A part that storage has is done, and how often it was made anew is kept; one that is known to be done stays."""
    made = a_part_record("done", audio_seconds=1.0)
    assert found(a_part_record(remade=2, attempts=1), made) == a_part_record("done", audio_seconds=1.0, remade=2)
    done = a_part_record("done", audio_seconds=1.0, worker="w")
    assert found(done, made) == done


def test_wanted() -> None:
    """A part that somebody wants after all is pending as if it never had been."""
    record = a_part_record("failed", chapter=2, estimate=9.0, attempts=3, remade=3, reason="no disk", worker="w")
    assert wanted(record) == a_part_record(chapter=2, estimate=9.0)


def test_done_after_failed() -> None:
    """A failure is forgotten when the part is done later, also one that was to be tried again."""
    for retryable in (False, True):
        failed = fold(a_part_record(), a_part_failed(reason="no voice", retryable=retryable, attempt=1))
        record = fold(failed, a_part_done())
        assert (record.state, record.reason, record.retry_at) == ("done", "", 0.0)


def test_made_again() -> None:
    """A part that is made anew is pending as if it had never been, and keeps count of it whatever happens to it."""
    record = again(again(a_part_record("done", chapter=2, estimate=9.0, audio_seconds=8.0, worker="w", audio_bytes=7)))
    assert record == a_part_record(chapter=2, estimate=9.0, remade=2)
    assert fold(record, a_part_done()).remade == fold(record, a_part_failed()).remade == 2


def test_lost() -> None:
    """A part that is given up is failed for a reason, and nothing is left of its audio."""
    record = lost(a_part_record("done", audio_seconds=8.0, audio_bytes=7, remade=3), "damaged")
    assert record == a_part_record("failed", reason="damaged", remade=3)


def test_last_failure_counts() -> None:
    """A part that failed twice shows the last reason."""
    record = fold(fold(a_part_record(), a_part_failed(reason="first")), a_part_failed(reason="second"))
    assert record.reason == "second"


@given(st.booleans(), EVENTS)
def test_done_stays_done(worked: bool, events: list[PartEvent]) -> None:
    """Once a part is done no event changes anything of its record."""
    record = done = fold(a_part_record(), a_part_done(work_seconds=float(worked)))
    for event in events:
        record = fold(record, event)
    assert record == done


@given(EVENTS, st.sampled_from(OUTCOMES))
def test_fold_is_idempotent(events: list[PartEvent], outcome: str | int) -> None:
    """The same event twice in a row is the same as once, after any history."""
    event = one_event(0, outcome, "gpu-2")
    record = fold(folded(events)[0], event)
    assert fold(record, event) == record


@given(HISTORIES)
def test_order_and_repetition_do_not_matter(histories: tuple[list[PartEvent], list[PartEvent]]) -> None:
    """The same events in any order, and any of them repeated, leave every part and the book in the same state."""
    once, shuffled = (folded(events) for events in histories)
    assert [record.state for record in shuffled] == [record.state for record in once]
    assert verdict(shuffled) == verdict(once)


@given(EVENTS)
def test_state_says_what_happened(events: list[PartEvent]) -> None:
    """A part is done when any worker has made it, failed when it cannot be made or too often was not, else pending."""
    for index, record in enumerate(folded(events)):
        mine = [event for event in events if event.part == index]
        done = any(isinstance(event, PartDone) for event in mine)
        failed = any(
            isinstance(event, PartFailed) and (not event.retryable or event.attempt == MAX_ATTEMPTS) for event in mine
        )
        assert record.state == ("done" if done else "failed" if failed else "pending")


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ((), "open"),
        (("pending",), "open"),
        (("done", "pending"), "open"),
        (("failed", "pending"), "open"),
        (("done", "done"), "complete"),
        (("done", "failed"), "incomplete"),
        (("failed",), "incomplete"),
    ],
)
def test_verdict(states: tuple[str, ...], expected: str) -> None:
    """A book is open while a part is pending, also when another has failed; then it has all its parts or not."""
    assert verdict(a_part_record(state) for state in states) == expected


def test_missing() -> None:
    """One line says how many parts are missing, in which chapters as readers count, and one reason."""
    parts = [
        a_part_record("failed", chapter=9, reason="no voice"),
        a_part_record("done", chapter=3),
        a_part_record("failed", chapter=1, reason="out of memory"),
        a_part_record("failed", chapter=1, reason="no voice"),
    ]
    assert missing(parts) == "3 parts missing, in chapters 2, 10: no voice (and 1 other reasons)"
    assert missing(parts[:2]) == "1 parts missing, in chapters 10: no voice"
