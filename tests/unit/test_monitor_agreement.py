"""Whether checkpoint, events and storage say the same of a book."""

import pytest

from e2a.plan import BITRATE
from e2a.storage import keys
from e2a.testing import MemoryStore
from monitor.agreement import agreement
from monitor.archive import Script
from monitor.progress import recorded_row, summary
from monitor.records import Agreement
from tests.unit.builders import BOOK, a_book_record, a_part_record, a_plan, put_part

PLAN = a_plan((2, 2))
SCRIPT = Script(BITRATE, None, (), tuple(part.digest for part in PLAN.parts), ())
DONE, PENDING = a_part_record("done"), a_part_record()


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore()
    for index in (0, 1, 2):
        put_part(store, PLAN.parts[index])
    return store


def compared(store: MemoryStore, done: set[int], told: int = 3) -> Agreement:
    parts = {index: DONE if index in done else PENDING for index in range(4)}
    row = recorded_row(a_book_record(), summary(parts), None, looked=0.0, now=0.0)
    return agreement(row, SCRIPT, parts, told=told, store=store)


def test_all_say_the_same(store: MemoryStore) -> None:
    """Nothing is missing and nothing unrecorded where each says the same."""
    found = compared(store, {0, 1, 2})
    assert found == Agreement(book_id=BOOK, title="Emma", parts=4, recorded=3, told=3, stored=3)


def test_where_they_differ(store: MemoryStore) -> None:
    """Parts are named that are recorded and not stored, and the other way round."""
    found = compared(store, {0, 3}, told=1)
    assert (found.recorded, found.told, found.stored) == (2, 1, 3)
    assert (found.missing, found.unrecorded) == ((3,), (1, 2))


@pytest.mark.parametrize("key", [keys.part_sidecar, lambda digest: keys.part_audio(digest, BITRATE)])
def test_half_a_part_is_none(store: MemoryStore, key: object) -> None:
    """A part without its sidecar, or without its audio, is not stored."""
    store.delete(key(PLAN.parts[1].digest))  # type: ignore[operator]
    assert compared(store, {0, 1, 2}).missing == (1,)
