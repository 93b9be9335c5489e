"""Parts that are found missing or damaged when a book is assembled are made anew, whatever happens meanwhile."""

from collections.abc import Iterable

import pytest

from e2a.messages import BookFailed, ChapterJob, Message
from e2a.plan import BITRATE, Output
from e2a.storage import keys, read_master, read_sidecar
from e2a.topics import EXPRESS
from merger.merge import REMAKES
from tests.unit.builders import BOOK, a_blob, a_part_done, a_sidecar, put_plan
from tests.unit.mergers import DONE, PLAN, Scene


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    return Scene(monkeypatch)


def test_damaged_parts_are_made_anew(scene: Scene) -> None:
    """All damaged parts count as missing, are published again and are waited for; then the book is done."""
    plan = PLAN.model_copy(update={"output": Output(bitrate=BITRATE, formats=("m4b", "flac"))})
    scene.planned(0, 1, 2)
    put_plan(scene.store, plan)
    scene.damage(0, 2)
    scene.merger.conclude(BOOK)
    assert (scene.stage, scene.states) == ("synthesising", ["pending", "done", "pending"])
    assert [record.remade for record in scene.checkpoint.parts(BOOK).values()] == [1, 0, 1]
    assert [read_sidecar(scene.store, part.digest, BITRATE) is not None for part in PLAN.parts] == [False, True, False]
    assert scene.broker.messages(EXPRESS) == [
        ChapterJob(book_id=BOOK, part=part.for_engine(), speech=plan.speech, bitrate=BITRATE)
        for part in (PLAN.parts[0], PLAN.parts[2])
    ]
    assert [len(jobs) for jobs in scene.broker.logs[EXPRESS]] == [1, 1]
    scene.failure = None
    assert [scene.make(0), scene.make(2)] == [False, True]
    scene.merger.conclude(BOOK)
    assert scene.stage == "done"
    assert scene.published == [DONE]


def test_a_master_is_kept_once(scene: Scene) -> None:
    """At first a damaged part is only to be encoded again, by whoever finds its master intact; then it is forgotten."""
    scene.planned(0, 1, 2)
    part = PLAN.parts[1]
    both = a_sidecar(part, aac=a_sidecar(part).aac | {96_000: a_blob(b"better")})
    scene.store.put(keys.part_sidecar(part.digest), both.model_dump_json().encode())
    scene.damage(1)
    scene.merger.conclude(BOOK)
    left = read_master(scene.store, part.digest)
    assert left is not None
    assert set(left.aac) == {96_000}
    scene.make(1)
    scene.damage(1)
    scene.merger.conclude(BOOK)
    assert read_master(scene.store, part.digest) is None


def test_jobs_of_another_bitrate(scene: Scene) -> None:
    """A part that is made anew is made at the bitrate that its book has."""
    plan = PLAN.model_copy(update={"output": Output(bitrate=96_000)})
    scene.planned()
    put_plan(scene.store, plan)
    for part in PLAN.parts:
        scene.merger.on_event(a_part_done(part))
    scene.damage(1)
    scene.merger.conclude(BOOK)
    (job,) = scene.broker.messages(EXPRESS)
    assert isinstance(job, ChapterJob)
    assert job.bitrate == 96_000


def test_a_part_that_stays_damaged(scene: Scene) -> None:
    """A part that is damaged again and again fails its book, which says which part; made anew by the next command."""
    scene.planned(0, 1, 2)
    for _ in range(REMAKES):
        scene.damage(1)
        scene.merger.conclude(BOOK)
        assert scene.stage == "synthesising"
        scene.make(1)
    scene.damage(1, 2)
    scene.merger.conclude(BOOK)
    (event,) = scene.published
    assert isinstance(event, BookFailed)
    assert event.reason.startswith("part 1 of chapter 1 is missing or damaged in storage, although made anew 3 times; ")
    assert (scene.stage, scene.states) == ("failed", ["done", "failed", "failed"])
    assert len(scene.broker.messages(EXPRESS)) == REMAKES
    assert not scene.planned()
    assert scene.states == ["done", "pending", "pending"]
    assert [record.remade for record in scene.checkpoint.parts(BOOK).values()] == [0, 0, 0]


def work_at_once(scene: Scene) -> None:
    """Let a worker make the second part as soon as there is a job, and the merger hear of it at once."""
    send = scene.broker.send

    def work(topic: str, messages: Iterable[Message], partitions: Iterable[int] | None = None) -> None:
        send(topic, messages, partitions)
        if topic == EXPRESS:
            scene.make(1)

    scene.broker.send = work  # type: ignore[method-assign]


def test_a_worker_that_is_quicker_than_the_records(scene: Scene) -> None:
    """A part that is done before its record says that it is not is found in storage, and its book is not stranded."""
    scene.planned(0, 1, 2)
    scene.damage(1)
    work_at_once(scene)
    scene.merger.conclude(BOOK)
    assert scene.checkpoint.parts(BOOK)[1].remade == 1
    assert scene.states == ["done"] * 3
    assert scene.left == [BOOK]
    scene.failure = None
    scene.merger.conclude(BOOK)
    assert scene.stage == "done"


@pytest.mark.parametrize("step", ["put", "send", "update_part"])
def test_a_merger_that_dies_while_it_has_parts_made_anew(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Wherever it dies, the sweep of the next one finds the book, and has the parts made after all."""
    scene.planned(0, 1, 2)
    scene.damage(0, 2)

    class Killed(BaseException):
        pass

    def die(*_: object, **__: object) -> None:
        raise Killed

    owner = {"put": scene.store, "send": scene.broker, "update_part": scene.checkpoint}[step]
    with monkeypatch.context() as patch:
        patch.setattr(owner, step, die)
        with pytest.raises(Killed):
            scene.merger.conclude(BOOK)
    assert scene.left == [BOOK]
    scene.merger.conclude(BOOK)
    assert scene.states == ["pending", "done", "pending"]
    assert {job.part.index for job in scene.broker.messages(EXPRESS) if isinstance(job, ChapterJob)} == {0, 2}


def test_a_merger_that_dies_before_it_sees_that_a_worker_was_quicker(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part that was made before its record said that it is not is found by the next sweep all the same."""
    scene.planned(0, 1, 2)
    scene.damage(1)
    work_at_once(scene)

    class Killed(BaseException):
        pass

    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(scene.merger, "_await", die)
        with pytest.raises(Killed):
            scene.merger.conclude(BOOK)
    assert (scene.states, scene.left) == (["done", "pending", "done"], [BOOK])
    scene.failure = None
    scene.merger.conclude(BOOK)
    assert (scene.states, scene.left) == (["done"] * 3, [BOOK])
    scene.merger.conclude(BOOK)
    assert scene.published == [DONE]


def test_a_remade_part_that_fails(scene: Scene) -> None:
    """A part that cannot be made again fails its book like any other."""
    scene.planned(0, 1, 2)
    scene.damage(1)
    scene.merger.conclude(BOOK)
    assert scene.fail(1)
    scene.merger.conclude(BOOK)
    assert scene.published == [BookFailed(book_id=BOOK, reason="1 parts missing, in chapters 1: no such voice")]
