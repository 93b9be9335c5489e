"""What a book is made as: every format read back by ffprobe and mutagen, with whatever its tags have to hold."""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import mutagen
import numpy as np
import pytest

from e2a.plan import BITRATE, Format, Metadata, Output, Plan
from e2a.report import Report, ReportedFile
from e2a.storage import keys
from e2a.testing import MemoryStore
from merger import assembly, tags
from merger.assembly import assemble
from merger.tags import Mark
from tests.recordings import COVER, RATE, TITLES, record, recorded_plan, silence

LOSSLESS = ("m4b", "m4a", "flac", "wav")
WHOLE = (*LOSSLESS, "mp3", "opus")
HOSTILE = "a = b; #1 \\ c\n🎧 שלום \u202eabc " + "x" * 10_000
LINE = " ".join(HOSTILE.split())
FREE = "----:com.apple.iTunes:"


pytestmark = pytest.mark.usefixtures("programs")


class Made(NamedTuple):
    """A book that was assembled."""

    plan: Plan
    store: MemoryStore
    report: Report

    def file(self, form: str, folder: Path, number: int = 0) -> Path:
        """Return a file of the book: the only one of its format, or a chapter's."""
        files = [file for file in self.report.files if file.format == form]
        return fetched(self.store, files[number], folder)


def make(*formats: str, **changes: Any) -> Made:
    """Assemble a book with a cover."""
    store = MemoryStore()
    plan = recorded_plan(store, *formats, cover="cover.png", **changes)
    store.put(keys.book(plan.book_id, "cover.png"), COVER)
    return Made(plan, store, assemble(plan, store))


@pytest.fixture(scope="module")
def book() -> Made:
    """Return a book as every format."""
    return make(*WHOLE, "m4b", "acx")


@pytest.fixture(scope="module")
def hostile() -> Made:
    """Return a book as every format, whose texts are as bad as texts can be."""
    return make(*WHOLE, metadata=about(HOSTILE), title=HOSTILE, authors=(HOSTILE,))


@pytest.fixture(scope="module")
def tracks() -> Made:
    """Return a book as every format, a chapter a file."""
    return make(*WHOLE, split=True, title="Emma")


def about(text: str) -> Metadata:
    """Return what an EPUB may say of itself."""
    return Metadata(
        description=text, publisher=text, date="1815-12-23", isbn="9780141439587", series=text, series_index="4"
    )


def fetched(store: MemoryStore, file: ReportedFile, folder: Path) -> Path:
    """Return a file of a finished book."""
    path = folder / file.key.replace("/", "-")
    path.write_bytes(store.get(file.key))
    return path


def probe(path: Path) -> dict[str, Any]:
    """Return what ffprobe says of a file; its tags are in one place, by their names in small letters."""
    shown = ["-show_chapters", "-show_format", "-show_streams"]
    result = subprocess.run(["ffprobe", "-v", "error", "-of", "json", *shown, path], capture_output=True, check=True)
    found: dict[str, Any] = json.loads(result.stdout)
    told = found["format"].get("tags", {}) | found["streams"][0].get("tags", {})
    return found | {"tags": {name.lower(): value for name, value in told.items()}}


def decoded(path: Path, sample_rate: int) -> "np.ndarray[Any, np.dtype[np.int16]]":
    """Return the samples of a file."""
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-ar", str(sample_rate), "-ac", "1", "-f", "s16le", "-"]
    return np.frombuffer(subprocess.run(command, capture_output=True, check=True).stdout, np.int16)


def samples(plan: Plan, store: MemoryStore) -> list[int]:
    """Return the samples of each part."""
    return [json.loads(store.get(keys.part_sidecar(part.digest)))["samples"] for part in plan.parts]


def masters(plan: Plan, store: MemoryStore, folder: Path) -> "np.ndarray[Any, np.dtype[np.int16]]":
    """Return the samples of all masters of a book."""
    path = folder / "master.flac"
    pieces = []
    for part in plan.parts:
        path.write_bytes(store.get(keys.part_master(part.digest)))
        pieces.append(decoded(path, RATE))
    return np.concatenate(pieces)


def test_all_at_once(book: Made) -> None:
    """A book is made as everything that was asked for, the first first; a format that is named twice is made once."""
    report = book.report
    assert [(file.format, file.name) for file in report.files] == [
        *((form, f".{form}") for form in WHOLE),
        ("acx", " (ACX)/01 I - The = sign; and #1.mp3"),
        ("acx", " (ACX)/02 Zwei Zeilen.mp3"),
        ("vtt", ".vtt"),
    ]
    assert all(book.store.size(file.key) == file.size for file in report.files)
    assert (report.output, report.audio_bytes) == (report.files[0].key, report.files[0].size)
    assert report.problems == ()


@pytest.mark.parametrize("form", WHOLE)
def test_length_marks_and_titles(book: Made, tmp_path: Path, form: str) -> None:
    """Every format holds all samples of the masters, and its chapters, in order, begin where they begin."""
    path = book.file(form, tmp_path)
    first, second, third = samples(book.plan, book.store)
    chapters = probe(path)["chapters"]
    assert [chapter["tags"]["title"] for chapter in chapters] == [TITLES[0], "Zwei Zeilen"]
    starts = [float(chapter["start_time"]) for chapter in chapters]
    assert starts == pytest.approx([0, (first + second) / RATE], abs=0.001)
    heard = decoded(path, RATE)
    if form in LOSSLESS:
        assert len(heard) == first + second + third
    else:
        assert abs(len(heard) - (first + second + third)) < RATE // 10


@pytest.mark.parametrize("form", ["flac", "wav"])
def test_lossless_means_that(book: Made, tmp_path: Path, form: str) -> None:
    """FLAC and WAV hold the samples of the masters, bit by bit."""
    assert np.array_equal(decoded(book.file(form, tmp_path), RATE), masters(book.plan, book.store, tmp_path))


@pytest.mark.parametrize(("form", "lag"), [("mp3", 64), ("opus", 64), ("m4b", 0)])
def test_lossy_is_in_time(book: Made, tmp_path: Path, form: str, lag: int) -> None:
    """What a lossy format sounds like is what the masters sound like, at the same time to a few samples."""
    heard = decoded(book.file(form, tmp_path), RATE).astype(float)
    meant = masters(book.plan, book.store, tmp_path).astype(float)
    size = min(len(heard), len(meant))
    match = np.fft.irfft(np.fft.rfft(meant[:size]).conj() * np.fft.rfft(heard[:size]))
    assert min(match.argmax(), size - match.argmax()) <= lag
    assert match.max() > 0.9 * (meant**2).sum()


def test_the_same_parts_make_the_same_bytes(book: Made) -> None:
    """Assembling again gives the same files: no clock, no version, no chance in them."""
    once = dict(book.store.objects)
    assert assemble(book.plan, book.store) == book.report
    assert book.store.objects == once


@pytest.mark.parametrize("form", ["mp3", "opus"])
@pytest.mark.parametrize("bitrate", [48_000, 128_000, 320_000])
def test_bitrates(store: MemoryStore, tmp_path: Path, form: str, bitrate: int) -> None:
    """A lossy format has the bits that were asked for, or as many as it can have."""
    plan = recorded_plan(store, output=Output(formats=(form,), bitrate=bitrate))
    for part in plan.parts:
        aac = json.loads(store.get(keys.part_sidecar(part.digest)))["aac"][str(BITRATE)]
        record(store, part, aac={BITRATE: aac, bitrate: aac})
        store.put(keys.part_audio(part.digest, bitrate), store.get(keys.part_audio(part.digest, BITRATE)))
    report = assemble(plan, store)
    if form == "mp3":
        stream = probe(fetched(store, report.files[0], tmp_path))["streams"][0]
        assert int(stream["bit_rate"]) == min(bitrate, 160_000)  # as many as MPEG-2 has, which is what 24 kHz is
    else:
        assert report.audio_bytes == pytest.approx(report.audio_seconds * min(bitrate, 256_000) / 8, rel=0.3)


@pytest.mark.parametrize("form", WHOLE)
def test_tags_by_ffprobe(hostile: Made, tmp_path: Path, form: str) -> None:
    """Audiobookshelf, which asks ffprobe, finds every field under one of the names that it looks for."""
    found = probe(hostile.file(form, tmp_path))
    told = found["tags"]
    for name in ("title", "album", "artist", "album_artist", "publisher", "series"):
        assert told[name] == LINE, name
    assert told["grouping"] == f"{LINE} #4"
    assert told["comment"] == told.get("description", HOSTILE) == HOSTILE
    assert told["composer"] == told["narrator"] == "simulated (simulated: no speech)"
    texts = {"genre": "Audiobook", "date": "1815", "isbn": "9780141439587", "series-part": "4"}
    assert {name: told[name] for name in texts} == texts
    assert told["language"] in {"en", "eng"}
    assert [stream["disposition"]["attached_pic"] for stream in found["streams"] if stream.get("width")] == [1]
    assert [chapter["tags"]["title"] for chapter in found["chapters"]] == [TITLES[0], "Zwei Zeilen"]


@pytest.mark.parametrize("form", ["m4b", "m4a"])
def test_atoms(hostile: Made, tmp_path: Path, form: str) -> None:
    """Apple's players find every field in its atom; only an m4b is said to be an audiobook."""
    path = hostile.file(form, tmp_path)
    atoms = mutagen.File(path)
    for name in ("\xa9nam", "\xa9alb", "\xa9ART", "aART", "\xa9mvn", "\xa9pub", "tvsh"):
        assert atoms[name] == [LINE], name
    assert atoms["desc"] == atoms["ldes"] == atoms["\xa9cmt"] == [HOSTILE]
    assert atoms["\xa9wrt"] == atoms["\xa9nrt"] == ["simulated (simulated: no speech)"]
    assert (atoms["\xa9gen"], atoms["\xa9day"], atoms["\xa9mvi"], atoms["shwm"]) == (["Audiobook"], ["1815"], [4], [1])
    free = {"SERIES": LINE, "SERIES-PART": "4", "PUBLISHER": LINE, "ISBN": "9780141439587", "LANGUAGE": "en"}
    assert {name: bytes(atoms[FREE + name][0]).decode() for name in free} == free
    assert bytes(atoms["covr"][0]) == COVER
    assert atoms.get("stik") == ([2] if form == "m4b" else None)
    assert probe(path)["streams"][0]["tags"]["language"] == "eng"
    assert [chapter.title for chapter in atoms.chapters] == [TITLES[0], "Zwei Zeilen"]  # Nero's


@pytest.mark.parametrize("form", ["mp3", "wav"])
def test_id3(hostile: Made, tmp_path: Path, form: str) -> None:
    """Readers of ID3 find every field in its frame, and a table of contents of all chapters."""
    read = mutagen.File(hostile.file(form, tmp_path)).tags
    assert read.version == (2, 3, 0)
    for name in ("TIT2", "TALB", "TPE1", "TPE2", "TPUB", "MVNM", "TXXX:SERIES"):
        assert read[name].text == [LINE], name
    assert read["COMM::eng"].text == [HOSTILE]
    assert read["TCOM"].text == read["TXXX:NARRATOR"].text == ["simulated (simulated: no speech)"]
    texts = {"TCON": "Audiobook", "TLAN": "eng", "MVIN": "4", "TXXX:SERIES-PART": "4", "TXXX:ISBN": "9780141439587"}
    assert {name: read[name].text[0] for name in texts} == texts
    assert str(read["TDRC"].text[0]) == "1815"  # mutagen's name for it, also of a TYER
    assert b"TYER" in hostile.file(form, tmp_path).read_bytes()
    assert read["APIC:"].data == COVER
    listed = read["CTOC:toc"].child_element_ids
    assert [read[f"CHAP:{name}"].sub_frames["TIT2"].text for name in listed] == [[TITLES[0]], ["Zwei Zeilen"]]


@pytest.mark.parametrize("form", ["opus", "flac"])
def test_comments(hostile: Made, tmp_path: Path, form: str) -> None:
    """Readers of Vorbis comments find every field under its name, and the chapters."""
    file = mutagen.File(hostile.file(form, tmp_path))
    for name in ("title", "album", "artist", "albumartist", "publisher", "series"):
        assert file[name] == [LINE], name
    assert file["description"] == [HOSTILE]
    assert file["composer"] == file["narrator"] == ["simulated (simulated: no speech)"]
    texts = {"genre": "Audiobook", "date": "1815", "language": "en", "series-part": "4", "isbn": "9780141439587"}
    assert {name: file[name] for name in texts} == {name: [text] for name, text in texts.items()}
    assert (file["chapter001name"], file["chapter002name"]) == ([TITLES[0]], ["Zwei Zeilen"])
    assert file["chapter001"] == ["00:00:00.000"]


@pytest.mark.parametrize("form", ["mp3", "wav", "opus", "flac"])
def test_many_chapters(book: Made, tmp_path: Path, form: str) -> None:
    """More chapters than a byte can count are all there, in order, whatever their titles are like."""
    path = tmp_path / f"book.{form}"
    sound = ["-f", "lavfi", "-i", "sine=d=1", "-id3v2_version", "0", "-fflags", "+bitexact"]
    subprocess.run(["ffmpeg", "-v", "error", *sound, path], check=True)
    marks = [Mark("x" * (number % 7), number, number + 1) for number in range(300)]
    tags.write(path, form, tags.about_book(book.plan), marks, b"")
    chapters = probe(path)["chapters"]
    assert [float(chapter["start_time"]) for chapter in chapters] == [mark.start for mark in marks]
    titles = [chapter.get("tags", {}).get("title", "") for chapter in chapters]
    assert all(title == mark.title for title, mark in zip(titles, marks, strict=True) if mark.title)


@pytest.mark.parametrize("form", ["opus", "flac"])
def test_chapters_that_cannot_be_written(book: Made, tmp_path: Path, form: Format) -> None:
    """Comments hold 999 chapters that begin before 100 hours; the others are left out, and no title is another's."""
    path = tmp_path / f"book.{form}"
    subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "sine=d=1", path], check=True)
    marks = [Mark(f"Chapter {number}", number, number + 1) for number in range(1200)]
    late = [Mark("Early", 359_999.5, 360_000.0), Mark("Late", 360_000.0, 360_001.0)]
    assert (tags.left_out(form, marks), tags.left_out(form, late), tags.left_out("m4b", marks)) == (201, 1, 0)
    tags.write(path, form, tags.about_book(book.plan), marks, b"")
    titles = [chapter["tags"]["title"] for chapter in probe(path)["chapters"]]
    assert titles == [mark.title for mark in marks[:999]]


def test_chapters_that_were_left_out_are_told(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """The report says how many marks a file lacks, and of which format."""
    monkeypatch.setattr(tags, "left_out", lambda form, _marks: int(form == "flac"))
    report = assemble(recorded_plan(store, "m4b", "flac"), store)
    assert report.problems == ("flac: 1 of 2 chapters have no mark: there is no way to write it",)


@pytest.mark.parametrize("form", ["m4b", "m4a"])
@pytest.mark.parametrize("letter", ["ж", "語", "🎧"])
def test_long_titles(store: MemoryStore, tmp_path: Path, form: str, letter: str) -> None:
    """A title of more bytes than a Nero chapter holds is cut between two characters."""
    plan = recorded_plan(store, form)
    titles = [letter * 200, "x" + letter * 200]
    named = zip(plan.chapters, titles, strict=True)
    plan = plan.model_copy(
        update={"chapters": tuple(each.model_copy(update={"title": title}) for each, title in named)}
    )
    made = Made(plan, store, assemble(plan, store))
    found = [chapter["tags"]["title"] for chapter in probe(made.file(form, tmp_path))["chapters"]]
    assert all(title.startswith(cut) and len(cut.encode()) > 251 for title, cut in zip(titles, found, strict=True))


@pytest.mark.parametrize("form", WHOLE)
def test_split(tracks: Made, tmp_path: Path, form: str) -> None:
    """A chapter a file: named and numbered, tagged as a track of the book, as long as its parts."""
    files = [file for file in tracks.report.files if file.format == form]
    folder = f" ({form.upper()})"
    names = [f"{folder}/01 I - The = sign; and #1.{form}", f"{folder}/02 Zwei Zeilen.{form}"]
    assert [file.name for file in files] == names
    assert [file.key for file in files] == [
        keys.output(tracks.plan.book_id, f"{form}/{number:03}.{form}") for number in (1, 2)
    ]
    first, second, third = samples(tracks.plan, tracks.store)
    for index, (title, length) in enumerate(((TITLES[0], first + second), ("Zwei Zeilen", third))):
        path = tracks.file(form, tmp_path, index)
        told = probe(path)["tags"]
        assert (told["title"], told["album"], told["track"].split("/")[0]) == (title, "Emma", str(index + 1))
        assert told.get("tracktotal", told["track"].split("/")[-1]) == "2"
        assert abs(len(decoded(path, RATE)) - length) <= (0 if form in LOSSLESS else RATE // 10)


def test_split_has_no_captions(tracks: Made) -> None:
    """Captions belong to a file that is the whole book, and there is none."""
    assert {file.format for file in tracks.report.files} == set(WHOLE)


def dbfs(sound: Sequence[float] | Any) -> float:
    """Return the RMS of samples."""
    return float(10 * np.log10(np.mean(np.asarray(sound, float) ** 2) / 2**30))


def test_acx(book: Made, tmp_path: Path) -> None:
    """A file a chapter as ACX wants it: format, bits, room tone at both ends, and its noise below -60 dB everywhere."""
    path = book.file("acx", tmp_path)
    stream = probe(path)["streams"][0]
    assert (stream["codec_name"], stream["sample_rate"], stream["channels"], stream["bit_rate"]) == (
        "mp3",
        "44100",
        1,
        "192000",
    )
    heard = decoded(path, 44_100)
    first, second, _third = samples(book.plan, book.store)
    assert len(heard) / 44_100 == pytest.approx((first + second) / RATE + 0.75 + 2.0, abs=0.1)
    assert -90 < dbfs(heard[2205 : int(0.74 * 44_100)]) < -65
    assert -90 < dbfs(heard[-int(1.95 * 44_100) : -2205]) < -65
    assert all(heard[start : start + 4410].any() for start in range(0, len(heard) - 4410, 4410))
    assert np.abs(heard).max() < 32768 * 10 ** (-3 / 20)


def test_what_acx_would_refuse(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A chapter that is too long or too soft for ACX is made all the same, and the report says so."""
    plan = recorded_plan(store, "acx")
    record(store, plan.parts[2], pcm=silence(1.0))
    monkeypatch.setattr("merger.acx.LONGEST", 5)
    problems = assemble(plan, store).problems
    assert [problem.split(",")[0] for problem in problems] == ["ACX", "ACX"]
    assert "01 I - The = sign; and #1: 0 minutes long, and ACX takes no more than 0" in problems[0]
    assert "02 Zwei Zeilen: -7" in problems[1]


def test_captions(book: Made) -> None:
    """Beside an unsplit file lie captions, in which every sentence is where its sidecar says."""
    file = book.report.files[-1]
    assert (file.format, file.key) == ("vtt", keys.output(book.plan.book_id, "book.vtt"))
    text = book.store.get(file.key).decode()
    (span,) = json.loads(book.store.get(keys.part_sidecar(book.plan.parts[2].digest)))["sentences"]
    start = (sum(samples(book.plan, book.store)[:2]) + span[0]) / RATE
    assert f"e2a-2-0\n00:00:{start:06.3f} --> " in text


def read_along(_plan: Plan, sidecars: Sequence[Any], edition: Path, recordings: Sequence[Path], target: Path) -> None:
    """Stand for the real one: list what it is given."""
    lengths = [len(decoded(recording, RATE)) for recording in recordings]
    target.write_text(json.dumps([edition.read_text(), len(sidecars), lengths]))


def test_read_along(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A read-along edition is made of the book's pages and a recording a chapter."""
    monkeypatch.setattr(assembly, "read_along", read_along)
    plan = recorded_plan(store, "epub", edition=keys.EDITION)
    store.put(keys.book(plan.book_id, keys.EDITION), b"pages")
    (file,) = assemble(plan, store).files
    assert (file.format, file.name, file.key) == ("epub", ".read-along.epub", keys.output(plan.book_id, "book.epub"))
    first, second, third = samples(plan, store)
    assert json.loads(store.get(file.key)) == ["pages", 3, [first + second, third]]


def test_read_along_of_a_damaged_edition(store: MemoryStore) -> None:
    """Pages that cannot be read cost the read-along edition, and nothing else."""
    plan = recorded_plan(store, "epub", "m4b", edition=keys.EDITION)
    store.put(keys.book(plan.book_id, keys.EDITION), b"no zip")
    report = assemble(plan, store)
    assert [file.format for file in report.files] == ["m4b", "vtt"]
    assert report.problems == ("no read-along edition was made: edition.epub: File is not a zip file",)


def test_read_along_without_pages(store: MemoryStore) -> None:
    """A book whose pages are not in storage is made as everything else, and the report says what is missing."""
    plan = recorded_plan(store, "epub", "m4b", edition=keys.EDITION)
    report = assemble(plan, store)
    assert [file.format for file in report.files] == ["m4b", "vtt"]
    assert report.problems == (
        f"no read-along edition was made: storage holds no {keys.book(plan.book_id, 'edition.epub')}",
    )


def test_read_along_that_could_not_be_made(store: MemoryStore) -> None:
    """Why a book has no pages to read along in is said once, by its plan."""
    plan = recorded_plan(store, "epub", "m4b", problems=("no read-along edition: too deep",))
    report = assemble(plan, store)
    assert [file.format for file in report.files] == ["m4b", "vtt"]
    assert report.problems == ("no read-along edition: too deep",)


def test_a_format_that_is_split_alone(store: MemoryStore) -> None:
    """Chapters of one format lie in a folder of the book's name; of several, in one each, or players show all twice."""
    files = assemble(recorded_plan(store, "acx", "flac", split=True), store).files
    assert [file.name.rpartition("/")[0] for file in files] == [" (ACX)", " (ACX)", "", ""]


def test_a_wav_over_4_gib(store: MemoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A WAV that is too long for ID3 says in its header what can be said there."""
    monkeypatch.setattr(tags, "RIFF", 1)
    path = fetched(store, assemble(recorded_plan(store, "wav"), store).files[0], tmp_path)
    told = probe(path)["tags"]
    assert (told["title"], told["artist"], told["genre"]) == ("A = B; C", "Anna A., Bert B.", "Audiobook")
    assert mutagen.File(path).tags is None
