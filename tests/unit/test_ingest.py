"""A book into the pipeline: what is planned, what is stored, in which order, and when it is finished."""

import io
from pathlib import Path

import pytest
from PIL import Image

from e2a.errors import ExitCode, UserError
from e2a.plan import BITRATE, Output, Plan, Reading, clip_voice
from e2a.report import Report
from e2a.storage import keys, read_plan, read_report
from e2a.testing import MemoryStore
from producer import ingest
from producer.edition import NoEdition, edition
from producer.ingest import Options, Submission, output_of
from tests.unit.books import METADATA, Item, epub_file, page, small_book, small_epub, small_plan
from tests.unit.builders import BOOK, put_plan

PNG = b"\x89PNG\r\n png"
OPTIONS = Options(engine="simulated")


class Store(MemoryStore):
    """A store that remembers the order of what was put."""

    def __init__(self) -> None:
        super().__init__()
        self.order: list[str] = []

    def put(self, key: str, data: bytes) -> None:
        self.order.append(key)
        super().put(key, data)


@pytest.fixture
def book(tmp_path: Path) -> Path:
    return small_epub(tmp_path / "book.epub")


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def plan() -> Plan:
    return small_plan("<p>One.</p>")


def test_prepare(book: Path) -> None:
    """A submission holds the EPUB as it is and the plan that follows from it and the options."""
    submission = ingest.prepare(book, Options(engine="simulated", voice="tone", speed=1.5))
    speech = submission.plan.speech
    assert submission.source == book.read_bytes()
    assert (speech.engine, speech.language, speech.voice, speech.speed) == ("simulated", "en-GB", "tone", 1.5)
    assert [chapter.title for chapter in submission.plan.chapters] == ["One", "Two"]


def test_language_that_is_asked_for(book: Path) -> None:
    """A language that is asked for counts more than what the book says."""
    assert ingest.prepare(book, Options(engine="simulated", language="fr")).plan.speech.language == "fr"


@pytest.mark.parametrize(
    ("written", "standard"),
    [("eng", "en"), ("fre", "fr"), ("en_us", "en-US"), ("iw", "he"), ("DE", "de"), ("zh-CN", "zh-CN")],
)
def test_language_as_epubs_write_it(tmp_path: Path, written: str, standard: str) -> None:
    """A language is named as BCP 47 names it, however the book or the user wrote it."""
    metadata = f"<dc:title>Emma</dc:title><dc:language>{written}</dc:language>"
    book = epub_file(tmp_path / "book.epub", [Item("c.xhtml", page("<p>One.</p>"))], metadata=metadata)
    assert ingest.prepare(book, OPTIONS).plan.speech.language == standard
    assert ingest.prepare(book, Options(engine="simulated", language=written)).plan.speech.language == standard


@pytest.mark.parametrize(
    ("written", "standard"),
    [("en-GB, fr", "en-GB"), ("en_US.UTF-8", "en-US"), ("und", "en"), ("mul", "en"), ("zxx", "en")],
)
def test_language_as_it_should_not_be_written(tmp_path: Path, written: str, standard: str) -> None:
    """Of several languages the first counts; one that is said to be none is English, as one that is not said."""
    metadata = f"<dc:title>Emma</dc:title><dc:language>{written}</dc:language>"
    book = epub_file(tmp_path / "book.epub", [Item("c.xhtml", page("<p>One.</p>"))], metadata=metadata)
    assert ingest.prepare(book, OPTIONS).plan.speech.language == standard


@pytest.mark.parametrize("written", ["", "<dc:language> </dc:language>", "<dc:language>und-Latn</dc:language>"])
def test_no_language(tmp_path: Path, written: str) -> None:
    """That a book without a language is read as English is said, unless the user names one."""
    items = [Item("c.xhtml", page("<p>One.</p>"))]
    book = epub_file(tmp_path / "book.epub", items, metadata=f"<dc:title>Emma</dc:title>{written}")
    plan = ingest.prepare(book, OPTIONS).plan
    assert plan.speech.language == "en"
    assert plan.problems == ("the book names no language: read as English; --language says another",)
    assert ingest.prepare(book, Options(engine="simulated", language="fr")).plan.problems == ()


def test_name_of_a_voice_that_is_a_file(tmp_path: Path, book: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a voice may be no recording, a file that is called so is not looked at."""
    monkeypatch.chdir(tmp_path)
    for voice in (book.name, "anna.wav", str(book)):
        submission = ingest.prepare(book, Options(engine="xtts", voice=voice, recording=False))
        assert (submission.clip, submission.plan.speech.voice) == (b"", voice)


def test_same_chapters_are_the_same_book(book: Path) -> None:
    """However the numbers of chapters are written, the same choice is the same book."""
    ids = set()
    for reading in (
        {"chapters": "1-2"},
        {"chapters": "1,2"},
        {"chapters": "2,1-1"},
        {"chapters": "1-2", "matter": "keep"},
    ):
        ids.add(ingest.prepare(book, Options(engine="simulated", reading=Reading(**reading))).plan.book_id)
    assert len(ids) == 1


def test_unread_matter_is_named(tmp_path: Path) -> None:
    """What is left out because of its kind is named, unless the user chose."""
    book = small_epub(tmp_path / "book.epub", "<h1>Contents</h1><p>One.</p>", "<h1>I</h1><p>It begins.</p>")
    assert ingest.prepare(book, OPTIONS).unread == ("Contents",)
    chosen = Options(engine="simulated", reading=Reading(chapters="2"))
    assert ingest.prepare(book, chosen).unread == ()


def test_language_that_is_none(tmp_path: Path) -> None:
    """A language that cannot be understood is told with what to do, and is no matter when another is asked for."""
    metadata = "<dc:title>Emma</dc:title><dc:language>English (UK)</dc:language>"
    book = epub_file(tmp_path / "book.epub", [Item("c.xhtml", page("<p>One.</p>"))], metadata=metadata)
    with pytest.raises(UserError, match=r"its language is 'English \(UK\)'; name it with --language") as caught:
        ingest.prepare(book, OPTIONS)
    assert caught.value.code == ExitCode.BAD_INPUT
    assert ingest.prepare(book, Options(engine="simulated", language="en")).plan.speech.language == "en"
    with pytest.raises(UserError, match="--language 'english': not a language tag") as caught:
        ingest.prepare(book, Options(engine="simulated", language="english"))
    assert caught.value.code == ExitCode.USAGE


def test_language_that_the_engine_does_not_speak(tmp_path: Path) -> None:
    """A language that the engine surely does not speak is refused, whoever names it; one in another script is not."""
    metadata = "<dc:title>Emma</dc:title><dc:language>nb-NO</dc:language>"
    book = epub_file(tmp_path / "book.epub", [Item("c.xhtml", page("<p>One.</p>"))], metadata=metadata)
    for options in (Options(engine="xtts"), Options(engine="xtts", language="no")):
        with pytest.raises(UserError, match="engine xtts does not speak 'n[bo]") as caught:
            ingest.draft(book, options)
        assert caught.value.code == ExitCode.USAGE
    chinese = Options(engine="xtts", language="zh-Hant")
    assert ingest.prepare(book, chinese).plan.speech.language == "zh-Hant"


def test_recording_is_the_voice(book: Path, tmp_path: Path) -> None:
    """A recording is named by its content, wherever it lies, and travels with the book."""
    (tmp_path / "anna.wav").write_bytes(b"speech")
    submission = ingest.prepare(book, Options(engine="xtts", voice=str(tmp_path / "anna.wav")))
    assert submission.clip == b"speech"
    assert submission.plan.speech.voice == clip_voice(b"speech")
    named = ingest.prepare(book, Options(engine="xtts", voice="Claribel Dervla"))
    assert (named.clip, named.plan.speech.voice) == (b"", "Claribel Dervla")


def test_model_is_named_where_there_are_several(book: Path) -> None:
    """A folder's own name stands for a model, wherever it lies; an engine that is one model has none."""
    for engine in ("coqui", "xtts"):
        assert ingest.draft(book, Options(engine=engine, model="/models/anna/")).speech.model == "anna"
    one = ingest.prepare(book, Options(engine="espeak", model="/models/anna"))
    assert one.plan == ingest.prepare(book, Options(engine="espeak")).plan


def test_same_book_is_the_same(book: Path) -> None:
    """The same file with the same options has the same plan, under whatever name."""
    other = book.rename(book.with_name("other.epub"))
    first, second = ingest.prepare(other, OPTIONS), ingest.prepare(small_epub(book), OPTIONS)
    assert first.plan == second.plan


@pytest.mark.parametrize(
    "option",
    [
        {"voice": "fr+f2"},
        {"speed": 1.5},
        {"language": "fr"},
        {"model": "vits"},
        {"loudness": "acx"},
        {"output": output_of(["mp3"])},
        {"output": output_of(["m4b"], split=True)},
        {"output": output_of(["m4b"], bitrate=96_000)},
    ],
    ids=str,
)
def test_other_options_are_another_book(book: Path, option: dict[str, object]) -> None:
    """Any other option makes another book, which is stored beside the first."""
    coqui, espeak = Options(engine="coqui"), Options(engine="espeak")
    other = ingest.prepare(book, coqui.model_copy(update=option))
    assert len({each.plan.book_id for each in (other, ingest.prepare(book, coqui), ingest.prepare(book, espeak))}) == 3


def test_language_of_the_book_is_the_default(book: Path) -> None:
    """Asking for what the book says anyway is the same book."""
    asked = Options(engine="simulated", language="en-GB")
    assert ingest.prepare(book, asked).plan == ingest.prepare(book, OPTIONS).plan


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (output_of(["mp3", "m4b", "mp3"]), output_of(["m4b", "mp3"])),
        (output_of(["wav", "acx", "flac"], bitrate=96_000), output_of(["flac", "wav", "acx"])),
        (output_of(["acx"], split=True), output_of(["acx"])),
    ],
    ids=["order", "bitrate", "split"],
)
def test_what_makes_the_same_files_is_the_same_book(one: Output, other: Output) -> None:
    """Formats in any order and twice, and what no format heeds, make no other book."""
    assert one == other


def test_output_that_is_asked_for() -> None:
    """What is heeded is kept: formats in their usual order, a bitrate where one of them loses something."""
    assert output_of(["epub", "flac", "m4b"], split=True, bitrate=96_000) == Output(
        formats=("m4b", "flac", "epub"), split=True, bitrate=96_000
    )
    assert output_of(["flac"], split=True) == Output(formats=("flac",), split=True, bitrate=BITRATE)


def test_store_book(tmp_path: Path, store: Store) -> None:
    """Source and cover are put first, the plan last: a book whose plan is there is there as a whole."""
    picture = io.BytesIO()
    Image.new("RGB", (30, 40)).save(picture, "PNG")
    items = [Item("c.xhtml", page("<p>One.</p>")), Item("front.png", picture.getvalue(), "image/png", "cover-image")]
    submission = ingest.prepare(epub_file(tmp_path / "book.epub", items, metadata=METADATA), OPTIONS)
    ingest.store_book(submission, store)
    book_id = submission.plan.book_id
    assert store.order == [keys.book(book_id, name) for name in ("source.epub", "cover.jpg", "plan.json")]
    stored = Image.open(io.BytesIO(store.get(keys.book(book_id, submission.plan.cover))))
    assert (stored.format, stored.size) == ("JPEG", (30, 40))
    assert Plan.model_validate_json(store.get(keys.book(book_id, keys.PLAN))) == submission.plan


def test_book_without_cover(book: Path, store: Store) -> None:
    """A book without a cover gets one, and nothing is said of it."""
    plan = ingest.store_book(ingest.prepare(book, OPTIONS), store)
    stored = Image.open(io.BytesIO(store.get(keys.book(plan.book_id, "cover.jpg"))))
    assert (stored.format, stored.width == stored.height) == ("JPEG", True)
    assert plan.problems == ()


def test_cover_that_cannot_be_used(tmp_path: Path, store: Store) -> None:
    """A damaged cover is no reason to fail; the plan says what happened."""
    items = [Item("c.xhtml", page("<p>One.</p>")), Item("front.png", PNG, "image/png", "cover-image")]
    submission = ingest.prepare(epub_file(tmp_path / "book.epub", items, metadata=METADATA), OPTIONS)
    plan = ingest.store_book(submission, store)
    assert read_plan(store, plan.book_id) == plan
    assert plan.problems == (
        "OEBPS/front.png: the cover, but empty, or no picture that can be read: one with the title is drawn",
    )


READ_ALONG = Options(engine="simulated", output=output_of(["m4b", "epub"]))


def test_edition(book: Path, store: Store) -> None:
    """The pages that are read along in are stored before the plan, and only when they are wanted."""
    plan = ingest.store_book(ingest.prepare(book, READ_ALONG), store)
    assert [key.rpartition("/")[2] for key in store.order] == ["source.epub", "cover.jpg", "edition.epub", "plan.json"]
    assert store.get(keys.book(plan.book_id, keys.EDITION)) == edition(book, plan)
    assert (plan.edition, plan.problems) == (keys.EDITION, ())
    assert not ingest.store_book(ingest.prepare(book, OPTIONS), store).edition
    assert [key.rpartition("/")[2] for key in store.order[4:]] == ["source.epub", "cover.jpg", "plan.json"]


@pytest.mark.parametrize("error", [NoEdition("c1.xhtml: cannot\nbe mended"), UserError("gone", ExitCode.NO_INPUT)])
def test_edition_that_cannot_be_made(
    book: Path, store: Store, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """A book whose pages cannot be mended is an audiobook without them, and its plan says why in one line."""

    def refuse(*_arguments: object) -> bytes:
        raise error

    monkeypatch.setattr(ingest, "edition", refuse)
    plan = ingest.store_book(ingest.prepare(book, READ_ALONG), store)
    assert (plan.edition, plan.problems) == ("", (" ".join(str(error).split()),))
    assert store.size(keys.book(plan.book_id, keys.EDITION)) is None


def test_stored_plan_is_never_rewritten(plan: Plan, store: Store) -> None:
    """What is stored of a book stays as it is, also when a later version would plan it otherwise."""
    put_plan(store, plan)
    stored = dict(store.objects)
    counts = ingest.store_book(
        Submission(plan.model_copy(update={"title": "Other"}), Path("book.epub"), b"source", small_book()), store
    )
    assert counts == plan
    assert store.objects == stored


def test_recording_is_stored_once(plan: Plan, store: Store) -> None:
    """A recording is there before the plan that needs it, also when only it has left storage, and is put once."""
    voice = clip_voice(b"speech")
    spoken = plan.model_copy(update={"speech": plan.speech.model_copy(update={"voice": voice})})
    submission = Submission(spoken, Path("book.epub"), b"source", small_book(), clip=b"speech")
    ingest.store_book(submission, store)
    assert store.order[0] == keys.clip(voice)
    assert store.get(keys.clip(voice)) == b"speech"
    store.delete(keys.clip(voice))
    assert ingest.store_book(submission, store) == spoken
    ingest.store_book(submission, store)
    assert store.order[4:] == [keys.clip(voice)]


def test_report_of_a_finished_book(store: Store) -> None:
    """A book is finished when its report is there, and the file that it names, whole."""
    done = Report(book_id=BOOK, output=keys.output(BOOK, "m4b"), audio_seconds=1.0, audio_bytes=4)
    assert read_report(store, BOOK) is None
    store.put(keys.report(BOOK), done.model_dump_json().encode())
    assert read_report(store, BOOK) is None
    store.put(done.output, b"book")
    assert read_report(store, BOOK) == done
    store.put(done.output, b"boo")
    assert read_report(store, BOOK) is None


def test_report_that_cannot_be_read(store: Store) -> None:
    """A damaged report is none: the book is assembled again."""
    store.put(keys.report(BOOK), b"{")
    assert read_report(store, BOOK) is None
