"""Assembly with the real ffmpeg: marks, tags, cover, and what happens to damaged parts."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from mutagen.mp4 import MP4

from e2a.errors import ExitCode, UserError
from e2a.plan import Accounting, Chapter, Metadata, Plan, letters
from e2a.settings import SynthSettings
from e2a.storage import keys
from e2a.testing import MemoryStore
from merger.assembly import AssemblyFailed, CorruptPart, TextLost, assemble, check_programs
from synth_consumer import part as parts
from synth_consumer.engines import Utterance
from synth_consumer.engines.simulated import SimulatedEngine
from synth_consumer.speaker import Spoken
from tests.servers import ROOT, require
from tests.unit.builders import a_part, a_plan, a_speech

SAMPLE_RATE = 24000
SPEECH = a_speech(engine="simulated")
COVER = next((ROOT / "samples").rglob("cover.png")).read_bytes()
TITLES = ("I: The = sign; and #1", "Zwei\nZeilen")


@pytest.fixture(scope="module", autouse=True)
def programs() -> None:
    require("ffmpeg")
    require("ffprobe")


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def plan(store: MemoryStore) -> Plan:
    """Return a plan of three parts in two chapters, all in storage."""
    engine = SimulatedEngine(SynthSettings())
    made = [a_part(0, 0), a_part(1, 0), a_part(2, 1)]
    for part in made:
        takes = [engine.say(Utterance(each.text, SPEECH, seed=part.index)) for each in part.sentences]
        spoken = [Spoken(take.pcm) if part.index else Spoken(take.pcm, 2, ("too-short",), ("cut",)) for take in takes]
        parts.finish(store, part, spoken, sample_rate=SAMPLE_RATE, engine="simulated")
    chapters = (
        Chapter(index=0, title=TITLES[0], parts=tuple(made[:2])),
        Chapter(index=1, title=TITLES[1], parts=tuple(made[2:])),
    )
    return a_plan(title="A = B; C", authors=("Anna A.", "Bert B."), speech=SPEECH, chapters=chapters)


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
    assert report.audio_seconds == total / SAMPLE_RATE
    assert report.audio_bytes == store.size(report.output)


def test_marks_and_titles_are_exact(plan: Plan, store: MemoryStore, tmp_path: Path) -> None:
    """Each chapter begins where its first part begins, to the millisecond, under its own title."""
    key = assemble(plan, store).output
    chapters = probe(store, key, tmp_path)["chapters"]
    first, second, third = samples(plan, store)
    assert [chapter["tags"]["title"] for chapter in chapters] == [TITLES[0], "Zwei Zeilen"]
    expected = [0, (first + second) / SAMPLE_RATE, (first + second + third) / SAMPLE_RATE]
    starts = [float(chapter["start_time"]) for chapter in chapters] + [float(chapters[-1]["end_time"])]
    assert starts == pytest.approx(expected, abs=0.001)


def test_the_report_tells_the_same(plan: Plan, store: MemoryStore, tmp_path: Path) -> None:
    """The report has the chapters that players show, and what had to be said again where it is heard."""
    report = assemble(plan, store)
    chapters = probe(store, report.output, tmp_path)["chapters"]
    starts = [float(chapter["start_time"]) for chapter in chapters]
    assert [chapter.start for chapter in report.chapters] == pytest.approx(starts, abs=0.001)
    (first,) = report.retakes
    assert (first.chapter, first.part, first.text, first.takes) == (1, 0, "This is part 0.", 2)
    assert (first.flaws, first.doubtful) == (("too-short",), ("cut",))
    (sentence,) = json.loads(store.get(keys.part_sidecar(plan.parts[0].digest)))["sentences"]
    assert first.start == pytest.approx(sentence[0] / SAMPLE_RATE, abs=0.001)


def test_title_and_authors_are_tagged(plan: Plan, store: MemoryStore, tmp_path: Path) -> None:
    """Players read title, authors and genre; a simulated book says that it is one."""
    key = assemble(plan, store).output
    tags = probe(store, key, tmp_path)["format"]["tags"]
    assert tags["title"] == tags["album"] == "A = B; C"
    assert tags["artist"] == tags["album_artist"] == "Anna A., Bert B."
    assert tags["genre"] == "Audiobook"
    assert "simulated" in tags["composer"]


HOSTILE = "a = b; #1 \\ c\n🎧 שלום " + "x" * 10_000
FREE = "----:com.apple.iTunes:"


@pytest.mark.parametrize("text", ["plain", HOSTILE], ids=["plain", "hostile"])
def test_all_tags_are_read_back(plan: Plan, store: MemoryStore, tmp_path: Path, text: str) -> None:
    """What the book says of itself is found by ffprobe, and by readers of atoms, whatever it says."""
    metadata = Metadata(
        description=text, publisher=text, date="1815-12-23", isbn="9780141439587", series=text, series_index="4"
    )
    key = assemble(plan.model_copy(update={"metadata": metadata, "title": text}), store).output
    line = " ".join(text.split())
    shown = probe(store, key, tmp_path)
    found = {name.lower(): value for name, value in shown["format"]["tags"].items()}
    assert found["title"] == found["description"] == found["show"] == found["series"] == found["publisher"] == line
    assert (found["date"], found["isbn"], found["series-part"], found["language"]) == (
        "1815",
        "9780141439587",
        "4",
        "en",
    )
    assert shown["streams"][0]["tags"]["language"] == "eng"
    atoms = MP4(tmp_path / "book.m4b")
    assert atoms["\xa9nam"] == atoms["desc"] == atoms["\xa9mvn"] == atoms["\xa9pub"] == [line]
    assert (atoms["\xa9mvi"], atoms["stik"], bytes(atoms[FREE + "SERIES-PART"][0])) == ([4], [2], b"4")
    first, second, third = samples(plan, store)
    marks = [float(chapter["start_time"]) for chapter in shown["chapters"]]
    assert marks == pytest.approx([0, (first + second) / SAMPLE_RATE], abs=0.001)
    assert shown["streams"][0]["duration_ts"] == first + second + third


def test_the_cover_is_attached(plan: Plan, store: MemoryStore, tmp_path: Path) -> None:
    """A book with a cover carries it as an attached picture."""
    store.put(keys.book(plan.book_id, "cover.png"), COVER)
    key = assemble(plan.model_copy(update={"cover": "cover.png"}), store).output
    pictures = [each for each in probe(store, key, tmp_path)["streams"] if each["disposition"]["attached_pic"]]
    assert [picture["codec_type"] for picture in pictures] == ["video"]


def test_a_cover_that_is_lost_is_left_out(plan: Plan, store: MemoryStore) -> None:
    """A book whose cover has left storage is assembled without one."""
    key = assemble(plan.model_copy(update={"cover": "cover.jpg"}), store).output
    assert store.size(key)


@pytest.mark.parametrize("cover", [b"", b"<html>not an image</html>", COVER[:8], COVER[: len(COVER) // 2]])
def test_a_cover_that_is_damaged_costs_no_book(plan: Plan, store: MemoryStore, tmp_path: Path, cover: bytes) -> None:
    """A book whose cover no player could show is whole all the same."""
    store.put(keys.book(plan.book_id, "cover.png"), cover)
    key = assemble(plan.model_copy(update={"cover": "cover.png"}), store).output
    assert probe(store, key, tmp_path)["streams"][0]["duration_ts"] == sum(samples(plan, store))


def test_the_same_parts_make_the_same_bytes(plan: Plan, store: MemoryStore) -> None:
    """Assembling again gives the same file: no clock, no version, no chance in it."""
    key = assemble(plan, store).output
    once = store.get(key)
    assemble(plan, store)
    assert store.get(key) == once


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


@pytest.mark.parametrize("damage", ["missing sidecar", "missing sentence", "missing audio", "cut off", "one bit"])
def test_a_damaged_part_is_named(plan: Plan, store: MemoryStore, damage: str) -> None:
    """A part that is not what its sidecar says stops the assembly, and no book is stored."""
    victim = plan.parts[1]
    audio = keys.part_audio(victim.digest)
    if damage == "missing sidecar":
        store.delete(keys.part_sidecar(victim.digest))
    elif damage == "missing sentence":
        sidecar = json.loads(store.get(keys.part_sidecar(victim.digest)))
        store.put(keys.part_sidecar(victim.digest), json.dumps(sidecar | {"sentences": []}).encode())
    elif damage == "missing audio":
        store.delete(audio)
    elif damage == "cut off":
        store.put(audio, store.get(audio)[:-10])
    else:
        data = bytearray(store.get(audio))
        data[len(data) // 2] ^= 1
        store.put(audio, bytes(data))
    with pytest.raises(CorruptPart, match="part 1 of chapter 1 is missing or damaged") as caught:
        assemble(plan, store)
    assert caught.value.part == victim
    assert store.size(keys.output(plan.book_id, "m4b")) is None


def test_a_missing_ffmpeg_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without ffmpeg on PATH the merger says how to get it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="apt-get install ffmpeg") as caught:
        check_programs()
    assert caught.value.code == ExitCode.UNAVAILABLE


def replace_program(name: str, script: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a shell script before a program on PATH."""
    fake = folder / name
    fake.write_text(f"#!/bin/sh\n{script}\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


@pytest.mark.parametrize(
    ("program", "script", "reason"),
    [
        ("ffmpeg", "echo No space left on device >&2; exit 228", "ffmpeg: exit 228: No space left on device"),
        ("ffmpeg", "printf '\\377' >&2; exit 1", "ffmpeg: exit 1: "),
        ("ffmpeg", "cat > /dev/null", "the book holds .* samples"),
        ("ffprobe", "kill -9 $$", "ffprobe: killed by signal 9"),
        ("ffprobe", "echo '{\"streams\": [{}]}'", "the book holds .None. samples"),
    ],
)
def test_a_failing_program_may_work_later(
    plan: Plan,
    store: MemoryStore,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    program: str,
    script: str,
    reason: str,
) -> None:
    """A program that fails, or makes no whole book, is a Retryable with the reason, and no book is stored."""
    replace_program(program, script, tmp_path, monkeypatch)
    with pytest.raises(AssemblyFailed, match=reason):
        assemble(plan, store)
    assert store.size(keys.output(plan.book_id, "m4b")) is None


def test_a_scratch_directory_that_cannot_be_written_is_named(
    plan: Plan, store: MemoryStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """No room to work is a Retryable that names the place, and not the end of the merger."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "none"))
    with pytest.raises(AssemblyFailed, match=f"{tmp_path}/none.*: No such file or directory"):
        assemble(plan, store)
