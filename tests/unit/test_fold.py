"""The fold: any event may come twice, late, or in another order."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2a.checkpoint import PartRecord
from e2a.messages import PartDone, PartFailed
from e2a.plan import Retake
from merger.fold import again, fold, lost, missing, verdict
from tests.unit.builders import a_part, a_part_done, a_part_failed, a_part_record

PARTS = 3
PartEvent = PartDone | PartFailed


def one_event(part: int, done: bool, worker: str) -> PartEvent:
    """Return what a worker says of a part."""
    return (a_part_done if done else a_part_failed)(a_part(part), worker=worker)


EVENTS = st.lists(
    st.builds(one_event, st.integers(0, PARTS - 1), st.booleans(), st.sampled_from(["gpu-0", "gpu-1"])), max_size=12
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


@pytest.mark.parametrize("retryable", [False, True])
def test_failed(retryable: bool) -> None:
    """A failed part has its reason and its worker, whether or not it may be tried again."""
    record = fold(a_part_record(), a_part_failed(reason="no voice", worker="w", retryable=retryable))
    assert record == a_part_record("failed", reason="no voice", worker="w")


def test_done_after_failed() -> None:
    """A failure is forgotten when the part is done later."""
    record = fold(fold(a_part_record(), a_part_failed(reason="no voice")), a_part_done())
    assert (record.state, record.reason) == ("done", "")


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


@given(EVENTS, st.booleans())
def test_fold_is_idempotent(events: list[PartEvent], done: bool) -> None:
    """The same event twice in a row is the same as once, after any history."""
    event = one_event(0, done, "gpu-2")
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
    """A part is done when any worker has made it, failed when all who tried failed, and pending when none did."""
    for index, record in enumerate(folded(events)):
        outcomes = {isinstance(event, PartDone) for event in events if event.part == index}
        assert record.state == ("done" if True in outcomes else "failed" if outcomes else "pending")


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
