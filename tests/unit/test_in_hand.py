"""A part in hand that is not to be made any more, that is somebody else's by now, or that storage keeps waiting."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from e2a.checkpoint import PartRecord, Stage
from e2a.errors import Unavailable
from e2a.messages import PartDone
from e2a.plan import BITRATE, Part, part_digest, speech_digest
from e2a.storage import keys, read_sidecar
from synth_consumer.in_hand import RECENT, Recent
from synth_consumer.orders import Orders
from tests.unit.builders import (
    BOOK,
    a_book_record,
    a_job,
    a_part,
    a_part_record,
    a_plan,
    a_speech,
    put_part,
    put_plan,
    some_audio,
)
from tests.unit.workbench import SENTENCES, Bench


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def part() -> Part:
    return a_part(sentences=SENTENCES, digest=part_digest(SENTENCES, a_speech()))


def order(bench: Bench, stage: Stage) -> None:
    """Set the stage of the book."""
    bench.checkpoint.update_book(BOOK, lambda book: book.model_copy(update={"stage": stage}))


def stored(bench: Bench) -> list[str]:
    """Return the keys of all parts in storage."""
    return [key for key in bench.store.objects if key.startswith("parts/")]


@pytest.mark.parametrize("stage", ["paused", "cancelled"])
def test_a_book_that_is_stopped_is_passed_over(bench: Bench, part: Part, stage: Stage) -> None:
    """Parts of a paused or cancelled book are left without a word, and made when they come again later."""
    order(bench, stage)
    assert bench.worker.handle(a_job(part), threading.Event()) is None
    assert (bench.engine.spoken, bench.free(part)) == ([], True)
    bench.clock.now += 7
    order(bench, "synthesising")
    assert isinstance(bench.worker.handle(a_job(part), threading.Event()), PartDone)


def test_a_book_that_is_removed_is_passed_over(bench: Bench, part: Part) -> None:
    """A book that neither checkpoint nor storage knows is not made; one that only Redis has forgotten is."""
    bench.checkpoint.forget(BOOK)
    assert bench.worker.handle(a_job(part), threading.Event()) is None
    assert bench.engine.spoken == []
    put_plan(bench.store, a_plan())
    assert isinstance(bench.worker.handle(a_job(part), threading.Event()), PartDone)


class Away:
    """A server that does not answer."""

    def stage(self, book_id: str) -> Stage | None:
        raise Unavailable("Redis: refused")

    def part(self, book_id: str, index: int) -> PartRecord | None:
        raise Unavailable("Redis: refused")

    def size(self, key: str) -> int | None:
        raise Unavailable("storage: refused")


@pytest.mark.parametrize("server", ["checkpoint", "store"])
def test_every_book_is_wanted_when_nobody_can_say(bench: Bench, server: str) -> None:
    """Work goes on when the servers that know better are away."""
    away: Any = Away()
    orders = Orders(away, bench.store) if server == "checkpoint" else Orders(bench.checkpoint, away)
    bench.checkpoint.forget(BOOK)
    assert orders.wants(BOOK, 0)
    assert not orders.is_stopped(BOOK)
    assert not orders.is_removed(BOOK)


def test_a_part_that_was_given_up_is_passed_over(bench: Bench, part: Part) -> None:
    """Another message of a part that has killed three workers kills no more."""
    bench.checkpoint.seed(a_book_record(), {part.index: a_part_record("failed")})
    assert bench.worker.handle(a_job(part), threading.Event()) is None
    assert bench.engine.spoken == []


@pytest.mark.parametrize("stage", ["paused", "cancelled"])
def test_a_book_that_is_stopped_while_it_is_spoken_is_let_go(bench: Bench, part: Part, stage: Stage) -> None:
    """The part in hand ends with its sentence: nothing is stored or said, and the lease is free."""
    bench.engine.before = lambda _text: (order(bench, stage), bench.worker.look_after())
    assert bench.worker.handle(a_job(part), threading.Event()) is None
    assert (bench.engine.spoken, stored(bench)) == (["One."], [])
    assert bench.free(part)


def test_a_book_that_is_removed_while_it_is_spoken_leaves_nothing(bench: Bench, part: Part) -> None:
    """What was spoken of a book that is gone by then is not stored: nobody would ever delete it."""
    bench.engine.before = lambda _text: bench.checkpoint.forget(BOOK)
    assert bench.worker.handle(a_job(part), threading.Event()) is None
    assert stored(bench) == []
    assert bench.free(part)


def steal(bench: Bench, part: Part) -> None:
    """Let the lease run out, another worker take it, and ours find out."""
    bench.clock.now += 7
    assert bench.checkpoint.claim(f"part/{part.digest}", "them", 60)
    bench.leases.renew()
    bench.worker.look_after()


def test_a_part_whose_lease_is_lost_is_let_go(bench: Bench, part: Part) -> None:
    """A worker that was stopped too long leaves its part to whoever has it now, whose lease it is."""
    bench.engine.before = lambda text: text == "One." and steal(bench, part)
    assert bench.worker.handle(a_job(part), threading.Event()) is None
    assert (bench.engine.spoken, stored(bench)) == (["One."], [])
    assert not bench.free(part)


def test_a_part_whose_lease_was_forgotten_is_kept(bench: Bench, part: Part) -> None:
    """Redis that lost everything costs no work: the lease is taken again, and nobody counts as dead."""

    def forget(_text: str) -> None:
        bench.checkpoint.lose()
        bench.leases.renew()
        bench.worker.look_after()

    put_plan(bench.store, a_plan())
    bench.engine.before = forget
    assert isinstance(bench.worker.handle(a_job(part), threading.Event()), PartDone)
    assert bench.checkpoint.claim(f"part/{part.digest}", "later", 6) == 1


@pytest.mark.parametrize("at", ["read", "flac", "aac", "json"])
def test_a_zombie_puts_nothing_over_what_another_puts(bench: Bench, part: Part, at: str) -> None:
    """A worker that is stopped while it stores, and continues when another has the part, puts no more than it was at.

    Whatever object it was about to put when it was stopped, at most that one is its own afterwards.
    """
    ours, put, suffix = bench.checkpoint.renew, bench.store.put, {"read": "flac"}.get(at, at)

    def stopped() -> None:
        bench.store.put = put  # type: ignore[method-assign]
        bench.checkpoint.renew = ours  # type: ignore[method-assign]
        bench.clock.now += 7
        assert bench.checkpoint.claim(f"part/{part.digest}", "them", 60)
        put_part(bench.store, part)

    def late_put(key: str, data: bytes) -> None:
        if key.endswith(suffix):
            stopped()
        put(key, data)

    def late_look(name: str, holder: str, ttl: float) -> bool:
        stopped()
        return ours(name, holder, ttl)

    if at == "read":  # between the look whether it is there and the first put
        bench.checkpoint.renew = late_look  # type: ignore[method-assign]
    else:
        bench.store.put = late_put  # type: ignore[method-assign]
    event = bench.worker.handle(a_job(part), threading.Event())
    changed = [key for key in stored(bench) if not is_theirs(bench, key, part)]
    assert changed == [] if at == "read" else all(key.endswith(at) for key in changed)
    assert isinstance(event, PartDone) is (at in {"read", "json"})
    if at == "read":
        assert isinstance(event, PartDone)
        assert event.audio_bytes == len(some_audio(part))
    assert not bench.free(part)


def is_theirs(bench: Bench, key: str, part: Part) -> bool:
    """Say whether an object is as `put_part` puts it."""
    theirs = Bench().store
    put_part(theirs, part)
    return bench.store.objects[key] == theirs.objects[key]


def test_nothing_is_put_while_another_makes_the_part(bench: Bench, part: Part) -> None:
    """A worker that finds its lease gone when it wants to store passes the part over: the other will say it is done."""
    bench.engine.before = lambda text: text == "Three." and steal(bench, part)
    assert bench.worker.handle(a_job(part), threading.Event()) is None
    assert len(bench.engine.spoken) == 3
    assert stored(bench) == []


class Waiter(threading.Event):
    """An event whose waits end at once and let the test act in between."""

    def __init__(self, act: Callable[[], object]) -> None:
        super().__init__()
        self.act = act

    def wait(self, timeout: float | None = None) -> bool:
        self.act()
        return self.is_set()


def take_away(bench: Bench, method: str, wanted: Callable[[str], bool]) -> Callable[[], None]:
    """Let a method of the store fail for some keys, and return what mends it."""
    whole = getattr(bench.store, method)

    def away(key: str, *data: bytes) -> object:
        if wanted(key):
            raise Unavailable("storage 127.0.0.1: refused")
        return whole(key, *data)

    setattr(bench.store, method, away)
    return lambda: setattr(bench.store, method, whole)


@pytest.mark.parametrize(
    ("method", "suffix"), [("get", "json"), ("put", "flac"), ("put", "aac"), ("put", "json"), ("size", "flac")]
)
def test_waits_for_storage(bench: Bench, part: Part, method: str, suffix: str) -> None:
    """A part in hand waits while storage is away, says so, keeps what is spoken, and is made in the end."""
    if method == "size":
        put_part(bench.store, part)
    mend = take_away(bench, method, lambda key: key.startswith("parts/") and key.endswith(suffix))
    seen: list[str] = []

    def act() -> None:
        seen.append(bench.status.snapshot(()).problem)
        assert not bench.free(part)
        if len(seen) == 7:
            mend()

    with capture_logs() as logs:
        assert isinstance(bench.worker.handle(a_job(part), Waiter(act)), PartDone)
    assert seen == ["storage 127.0.0.1: refused"] * 7
    assert bench.status.snapshot(()).problem == ""
    assert bench.status.snapshot(()).failed == 0
    assert len(bench.engine.spoken) == (0 if method == "size" else 3)
    assert [log["event"] for log in logs if log["event"].startswith("worker.")] == ["worker.waits", "worker.goes_on"]


def test_a_voice_waits_for_storage(bench: Bench, part: Part) -> None:
    """A voice that cannot be read for now is waited for, and not measured again."""
    key = keys.pace(speech_digest(a_speech()))
    mend = take_away(bench, "get", lambda wanted: wanted == key)
    assert isinstance(bench.worker.handle(a_job(part), Waiter(mend)), PartDone)
    assert len(bench.engine.spoken) == 3


@pytest.mark.parametrize("method", ["get", "put"])
def test_a_part_that_waits_for_storage_can_be_abandoned(bench: Bench, part: Part, method: str) -> None:
    """A worker that is to stop while storage is away hands its part back, and says no more that it waits."""
    take_away(bench, method, lambda key: key.startswith("parts/"))
    abandoned = Waiter(lambda: None)
    abandoned.act = abandoned.set
    assert bench.worker.handle(a_job(part), abandoned) is None
    assert bench.status.snapshot(()).problem == ""
    assert bench.free(part)


def test_a_part_that_is_lost_while_it_waits_for_storage_is_not_put(bench: Bench, part: Part) -> None:
    """Before every try the lease is looked at, so a worker that waited for hours puts nothing over what others put."""
    mend = take_away(bench, "put", lambda key: key.startswith("parts/"))

    def act() -> None:
        bench.clock.now += 7
        bench.checkpoint.claim(f"part/{part.digest}", "them", 60)
        mend()

    assert bench.worker.handle(a_job(part), Waiter(act)) is None
    assert stored(bench) == []


def test_what_another_makes_is_passed_over_also_while_storage_is_away(bench: Bench, part: Part) -> None:
    """Nobody waits to hear whether somebody else's part is there."""
    take_away(bench, "get", lambda key: key.startswith("parts/"))
    bench.checkpoint.claim(f"part/{part.digest}", "them", 6)
    assert bench.worker.handle(a_job(part), threading.Event()) is None


def test_recent_parts(bench: Bench) -> None:
    """A part is recent while anybody is at it, and for some seconds after; others are not."""
    recent = Recent(bench.clock)
    with recent.during("d1"), recent.during("d1"):
        bench.clock.now += 2 * RECENT
        assert ("d1" in recent, "d2" in recent) == (True, False)
        recent.touch("d2")
    assert ("d1" in recent, "d2" in recent) == (True, True)
    bench.clock.now += RECENT
    assert ("d1" in recent, "d2" in recent) == (False, False)


def test_a_part_that_is_let_go_twice_over(bench: Bench, part: Part) -> None:
    """A part that is abandoned when it is lost already is handed back: its message stays."""
    abandoned = threading.Event()
    bench.engine.before = lambda _text: (steal(bench, part), abandoned.set())
    assert bench.worker.handle(a_job(part), abandoned) is None
    assert abandoned.is_set()
    assert read_sidecar(bench.store, part.digest, BITRATE) is None
