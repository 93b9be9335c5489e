"""The finished chapters of a book that is still being made, for whoever asks."""

import pytest
from structlog.testing import capture_logs

from e2a.messages import PartialWanted
from e2a.report import Report
from e2a.storage import keys, read_report
from merger import excerpt
from tests.unit.builders import BOOK
from tests.unit.mergers import OUTPUT, REPORT, Scene


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    return Scene(monkeypatch)


def excerpt_of(scene: Scene) -> Report | None:
    """Ask for what is finished of the book, and return what there is then."""
    work = scene.merger.on_event(PartialWanted(book_id=BOOK))
    assert work is not None
    work.run()
    return read_report(scene.store, BOOK, keys.partial_report)


def test_excerpt(scene: Scene) -> None:
    """Whoever asks has the finished chapters from the first on, the report after the file, and the book goes on."""
    scene.planned(0, 1)
    assert excerpt_of(scene) == REPORT
    assert scene.assembled == ["partial: Emma (chapter 1 of 2)"]
    assert (scene.stage, scene.published) == ("synthesising", [])
    scene.make(2)
    assert excerpt_of(scene) == REPORT
    assert scene.assembled[-1] == "partial: Emma"


@pytest.mark.parametrize("made", [(), (0,), (2,)])
def test_excerpt_of_nothing(scene: Scene, made: tuple[int, ...]) -> None:
    """While the first chapter is not finished the report says that there is nothing to hear."""
    scene.planned(*made)
    report = excerpt_of(scene)
    assert report is not None
    assert (report.files, report.chapters, report.output, report.title) == ((), (), "", "Emma")
    assert scene.assembled == []


def test_excerpt_of_damaged_parts(scene: Scene) -> None:
    """What is found damaged is left out, and not made anew for an excerpt."""
    scene.planned(0, 1, 2)
    scene.damage(2)
    assemble = scene.assemble

    def once(*arguments: object, **options: object) -> Report:
        try:
            return assemble(*arguments, **options)  # type: ignore[arg-type]
        finally:
            scene.failure = None

    excerpt.assemble = once  # type: ignore[assignment]
    assert excerpt_of(scene) == REPORT
    assert scene.assembled == ["partial: Emma", "partial: Emma (chapter 1 of 2)"]
    assert scene.jobs_sent() == []


def test_excerpt_without_a_plan(scene: Scene) -> None:
    """A book that storage does not know has no excerpt, and nothing else happens."""
    with capture_logs() as logs:
        assert excerpt_of(scene) is None
    assert [entry["event"] for entry in logs] == ["merge.no_plan"]


def test_one_excerpt_at_a_time(scene: Scene) -> None:
    """While another merger makes an excerpt of a book none is made here."""
    scene.planned(0, 1)
    scene.checkpoint.claim(f"excerpt/{BOOK}", "merger-2", ttl=6.0)
    assert excerpt_of(scene) is None


def test_what_was_finished_goes_with_the_whole(scene: Scene) -> None:
    """When the book is done nobody needs what was finished before: storage is rid of it."""
    scene.planned(0, 1, 2)
    excerpt_of(scene)
    key = keys.output(BOOK, "partial.m4b")
    scene.store.put(key, b"partial")
    scene.merger.conclude(BOOK)
    assert scene.stage == "done"
    assert not {key, keys.partial_report(BOOK)} & set(scene.store.objects)


def test_a_book_that_was_done_is_not_assembled_again(scene: Scene) -> None:
    """A merger that died between a book's report and its record left nothing to do but to say so."""
    scene.planned(0, 1, 2)
    scene.store.put(OUTPUT, bytes(3000))
    scene.store.put(keys.report(BOOK), REPORT.model_dump_json().encode())
    scene.merger.conclude(BOOK)
    assert (scene.stage, scene.assembled) == ("done", [])
