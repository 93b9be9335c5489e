"""Assembly with the real ffmpeg: marks, cover, report, and what happens to damaged parts."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from e2a.plan import BITRATE, Accounting, Plan, Retake, letters
from e2a.storage import keys
from e2a.testing import MemoryStore
from merger.assembly import assemble
from merger.faults import CorruptParts, TextLost
from tests.recordings import COVER, RATE, TITLES, record, recorded_plan

pytestmark = pytest.mark.usefixtures("programs")


@pytest.fixture
def plan(store: MemoryStore) -> Plan:
    return recorded_plan(store)


def probe(store: MemoryStore, key: str, folder: Path) -> dict[str, Any]:
    """Return what ffprobe says of a stored book."""
    path = folder / "book.m4b"
    path.write_bytes(store.get(key))
    shown = ["-show_chapters", "-show_format", "-show_streams"]
    result = subprocess.run(["ffprobe", "-v", "error", "-of", "json", *shown, path], capture_output=True, check=True)
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def samples(plan: Plan, store: MemoryStore) -> list[int]:
    """Return the samples of each part."""
    return [json.loads(store.get(keys.part_sidecar(part.digest)))["samples"] for part in plan.parts]


def test_a_book_is_as_long_as_its_parts(plan: Plan, store: MemoryStore, tmp_path: Path) -> None:
    """The book holds exactly the samples of its parts, and says so."""
    report = assemble(plan, store)
    total = sum(samples(plan, store))
    found = probe(store, report.output, tmp_path)
    assert found["streams"][0]["duration_ts"] == total
    assert report.audio_seconds == total / RATE
    assert report.audio_bytes == store.size(report.output)


def test_marks_and_titles_are_exact(plan: Plan, store: MemoryStore, tmp_path: Path) -> None:
    """Each chapter begins where its first part begins, to the millisecond, under its own title."""
    key = assemble(plan, store).output
    chapters = probe(store, key, tmp_path)["chapters"]
    first, second, third = samples(plan, store)
    assert [chapter["tags"]["title"] for chapter in chapters] == [TITLES[0], "Zwei Zeilen"]
    expected = [0, (first + second) / RATE, (first + second + third) / RATE]
    starts = [float(chapter["start_time"]) for chapter in chapters] + [float(chapters[-1]["end_time"])]
    assert starts == pytest.approx(expected, abs=0.001)


def test_the_report_tells_the_same(plan: Plan, store: MemoryStore, tmp_path: Path) -> None:
    """The report has the chapters that players show, and what had to be said again where it is heard."""
    again = Retake(sentence=0, start=0.085, text="This is part 0.", takes=2, flaws=("too-short",), doubtful=("cut",))
    record(store, plan.parts[0], retakes=(again,))
    report = assemble(plan, store)
    chapters = probe(store, report.output, tmp_path)["chapters"]
    starts = [float(chapter["start_time"]) for chapter in chapters]
    assert [chapter.start for chapter in report.chapters] == pytest.approx(starts, abs=0.001)
    (first,) = report.retakes
    assert (first.chapter, first.part, first.text, first.takes) == (1, 0, "This is part 0.", 2)
    assert (first.flaws, first.doubtful) == (("too-short",), ("cut",))
    (sentence,) = json.loads(store.get(keys.part_sidecar(plan.parts[0].digest)))["sentences"]
    assert first.start == pytest.approx(sentence[0] / RATE, abs=0.001)


def test_the_cover_is_attached(plan: Plan, store: MemoryStore, tmp_path: Path) -> None:
    """A book with a cover carries it as an attached picture."""
    store.put(keys.book(plan.book_id, "cover.png"), COVER)
    key = assemble(plan.model_copy(update={"cover": "cover.png"}), store).output
    pictures = [each for each in probe(store, key, tmp_path)["streams"] if each["disposition"]["attached_pic"]]
    assert [picture["codec_type"] for picture in pictures] == ["video"]


def test_a_cover_that_is_lost_is_left_out(plan: Plan, store: MemoryStore) -> None:
    """A book whose cover has left storage is assembled without one."""
    report = assemble(plan.model_copy(update={"cover": "cover.jpg"}), store)
    assert store.size(report.output)
    assert report.problems == ("the cover cover.jpg was left out: it is not in storage",)


@pytest.mark.parametrize("cover", [b"", b"<html>not an image</html>", COVER[:8], COVER[: len(COVER) // 2]])
def test_a_cover_that_is_damaged_costs_no_book(plan: Plan, store: MemoryStore, tmp_path: Path, cover: bytes) -> None:
    """A book whose cover no player could show is whole all the same, and says why it has none."""
    store.put(keys.book(plan.book_id, "cover.png"), cover)
    report = assemble(plan.model_copy(update={"cover": "cover.png"}), store)
    found = probe(store, report.output, tmp_path)["streams"]
    assert found[0]["duration_ts"] == sum(samples(plan, store))
    assert not [stream for stream in found if stream["disposition"]["attached_pic"]]
    assert report.problems == ("the cover cover.png was left out: it is no picture, or a damaged one",)


def accounting_of(plan: Plan) -> Accounting:
    """Return an accounting that is true of a plan, with ten characters that are not read."""
    spoken = sum(len(letters(sentence.text)) for part in plan.parts for sentence in part.sentences)
    return Accounting(characters=spoken + 10, spoken=spoken, skipped={"footnote": 10})


def test_a_book_that_adds_up(plan: Plan, store: MemoryStore) -> None:
    """A plan that speaks what its accounting of the book says is assembled."""
    key = assemble(plan.model_copy(update={"accounting": accounting_of(plan)}), store).output
    assert store.size(key)


@pytest.mark.parametrize("change", [{"characters": 999}, {"spoken": 1}, {"skipped": {}}])
def test_a_book_that_does_not_add_up(plan: Plan, store: MemoryStore, change: dict[str, object]) -> None:
    """A plan that lost some of the book on its way is never assembled."""
    accounting = accounting_of(plan).model_copy(update=change)
    with pytest.raises(TextLost, match="does not add up"):
        assemble(plan.model_copy(update={"accounting": accounting}), store)


def test_a_plan_that_lost_a_sentence(plan: Plan, store: MemoryStore) -> None:
    """An accounting that adds up by itself is compared with what the plan speaks."""
    accounting = accounting_of(plan)
    shorter = accounting.model_copy(update={"spoken": accounting.spoken - 1, "characters": accounting.characters - 1})
    assert shorter.adds_up
    with pytest.raises(TextLost, match="does not add up"):
        assemble(plan.model_copy(update={"accounting": shorter}), store)


def damage(store: MemoryStore, key: str, how: str) -> None:
    """Take an object away, cut it short, or change one bit of it."""
    if how == "missing":
        store.delete(key)
    elif how == "cut off":
        store.put(key, store.get(key)[:-10])
    else:
        data = bytearray(store.get(key))
        data[len(data) // 2] ^= 1
        store.put(key, bytes(data))


@pytest.mark.parametrize("how", ["missing", "cut off", "one bit"])
@pytest.mark.parametrize("form", ["m4b", "flac"])
def test_a_damaged_part_is_named(store: MemoryStore, form: str, how: str) -> None:
    """A part whose audio is not what its sidecar says stops the assembly, and no file is stored."""
    plan = recorded_plan(store, form)
    victim = plan.parts[1]
    key = keys.part_audio(victim.digest, BITRATE) if form == "m4b" else keys.part_master(victim.digest)
    damage(store, key, how)
    with pytest.raises(CorruptParts, match="part 1 of chapter 1 is missing or damaged") as caught:
        assemble(plan, store)
    assert caught.value.parts == (victim,)
    assert not [key for key in store.objects if "output" in key]


@pytest.mark.parametrize("said", [{"sentences": ()}, {"samples": 1024}, {"sample_rate": 22_050}])
def test_a_sidecar_that_does_not_fit(plan: Plan, store: MemoryStore, said: dict[str, object]) -> None:
    """A part that lost a sentence, or has another length or sample rate than its book, is damaged too."""
    plan = recorded_plan(store, "flac")
    record(store, plan.parts[2], **said)
    with pytest.raises(CorruptParts, match="part 2 of chapter 2") as caught:
        assemble(plan, store)
    assert caught.value.parts == (plan.parts[2],)


def test_all_damaged_parts_are_found_at_once(store: MemoryStore) -> None:
    """Whatever is wrong with the parts of a book, one pass finds it all, in reading order."""
    plan = recorded_plan(store, "m4b", "mp3")
    damage(store, keys.part_master(plan.parts[2].digest), "one bit")
    damage(store, keys.part_audio(plan.parts[0].digest, BITRATE), "one bit")
    damage(store, keys.part_sidecar(plan.parts[1].digest), "missing")
    with pytest.raises(CorruptParts, match=r"part 0 of chapter 1 \(and 2 others\)") as caught:
        assemble(plan, store)
    assert caught.value.parts == plan.parts


def test_the_sample_rate_of_most_parts_counts(plan: Plan, store: MemoryStore) -> None:
    """Of parts of two sample rates the fewer are the wrong ones, also when they come first."""
    record(store, plan.parts[0], sample_rate=22_050)
    with pytest.raises(CorruptParts) as caught:
        assemble(plan, store)
    assert caught.value.parts == (plan.parts[0],)
