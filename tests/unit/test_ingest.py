"""A book into the pipeline: what is stored, what is published, in which order, and how it comes out again."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from e2a.errors import ExitCode, UserError
from e2a.messages import BookPlanned, ChapterJob, Message
from e2a.plan import Plan, Reading, clip_voice
from e2a.report import Report
from e2a.storage import DirectoryStore, ObjectStore, keys, read_report
from e2a.testing import MemoryBroker, MemoryStore
from e2a.topics import CHAPTERS, EVENTS
from producer import ingest
from producer.ingest import Options, Submission
from tests.unit.books import METADATA, Item, epub_file, page, small_epub, small_plan
from tests.unit.builders import BOOK, put_part, put_plan

PNG = b"\x89PNG\r\n png"
OPTIONS = Options(engine="simulated")
CHAPTERS_OF_TEXT = [f"<p>{'word ' * size}.</p>" for size in (400, 100, 200, 100, 200)]


class Store(MemoryStore):
    """A store that remembers the order of what was put."""

    def __init__(self) -> None:
        super().__init__()
        self.order: list[str] = []

    def put(self, key: str, data: bytes) -> None:
        self.order.append(key)
        super().put(key, data)


class Broker(MemoryBroker):
    """A broker that remembers the order of the topics written to."""

    def __init__(self, partitions: int) -> None:
        super().__init__(partitions)
        self.order: list[str] = []

    def send(self, topic: str, messages: Iterable[Message], partitions: Iterable[int] | None = None) -> None:
        self.order.append(topic)
        super().send(topic, messages, partitions)

    @property
    def jobs(self) -> list[ChapterJob]:
        return [message for message in self.messages(CHAPTERS) if isinstance(message, ChapterJob)]


@pytest.fixture
def book(tmp_path: Path) -> Path:
    return small_epub(tmp_path / "book.epub")


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def plan() -> Plan:
    return small_plan(*CHAPTERS_OF_TEXT)


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
    "option", [{"voice": "fr+f2"}, {"speed": 1.5}, {"language": "fr"}, {"model": "vits"}, {"output_format": "mp3"}]
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


def test_store_book(tmp_path: Path, store: Store) -> None:
    """Source and cover are put first, the plan last: a book whose plan is there is there as a whole."""
    items = [Item("c.xhtml", page("<p>One.</p>")), Item("front.png", PNG, "image/png", "cover-image")]
    submission = ingest.prepare(epub_file(tmp_path / "book.epub", items, metadata=METADATA), OPTIONS)
    ingest.store_book(submission, store)
    book_id = submission.plan.book_id
    assert store.order == [keys.book(book_id, name) for name in ("source.epub", "cover.png", "plan.json")]
    assert store.get(keys.book(book_id, "cover.png")) == PNG
    assert Plan.model_validate_json(store.get(keys.book(book_id, keys.PLAN))) == submission.plan


def test_store_book_without_cover(book: Path, store: Store) -> None:
    """A book without a cover is its source and its plan."""
    ingest.store_book(ingest.prepare(book, OPTIONS), store)
    assert [key.rpartition("/")[2] for key in store.order] == ["source.epub", "plan.json"]


def test_stored_plan_is_never_rewritten(plan: Plan, store: Store) -> None:
    """What is stored of a book stays as it is, also when a later version would plan it otherwise."""
    put_plan(store, plan)
    stored = dict(store.objects)
    counts = ingest.store_book(Submission(plan.model_copy(update={"title": "Other"}), b"source", None), store)
    assert counts == plan
    assert store.objects == stored


def test_recording_is_stored_once(plan: Plan, store: Store) -> None:
    """A recording is there before the plan that needs it, also when only it has left storage, and is put once."""
    voice = clip_voice(b"speech")
    spoken = plan.model_copy(update={"speech": plan.speech.model_copy(update={"voice": voice})})
    submission = Submission(spoken, b"source", None, clip=b"speech")
    ingest.store_book(submission, store)
    assert store.order[0] == keys.clip(voice)
    assert store.get(keys.clip(voice)) == b"speech"
    store.delete(keys.clip(voice))
    assert ingest.store_book(submission, store) == spoken
    ingest.store_book(submission, store)
    assert store.order[3:] == [keys.clip(voice)]


def test_publish(plan: Plan, store: Store) -> None:
    """The book is announced before its jobs, which carry its parts and how they are spoken, in reading order."""
    broker = Broker(partitions=1)
    ingest.publish(plan, store, broker, speeds=[1.0])
    assert broker.order == [EVENTS, CHAPTERS]
    assert broker.messages(EVENTS) == [BookPlanned(book_id=plan.book_id)]
    assert broker.jobs == [
        ChapterJob(book_id=plan.book_id, part=part.for_engine(), speech=plan.speech) for part in plan.parts
    ]


def test_publish_over_partitions(plan: Plan, store: Store) -> None:
    """Jobs go where the least work is: the long chapter has a partition for itself."""
    broker = Broker(partitions=3)
    ingest.publish(plan, store, broker, speeds=[1.0] * 3)
    assert sorted(len(log) for log in broker.logs[CHAPTERS]) == [1, 2, 2]


def test_only_missing_parts_are_published(plan: Plan, store: Store) -> None:
    """Parts whose audio is in storage are not made again, but the merger hears of the book again."""
    put_part(store, plan.parts[1])
    put_part(store, plan.parts[3])
    broker = Broker(partitions=1)
    ingest.publish(plan, store, broker, speeds=[1.0])
    assert [job.part.index for job in broker.jobs] == [0, 2, 4]
    for part in plan.parts:
        put_part(store, part)
    ingest.publish(plan, store, broker, speeds=[1.0])
    assert len(broker.jobs) == 3
    assert len(broker.messages(EVENTS)) == 2


@pytest.mark.parametrize("key", [keys.part_audio, keys.part_sidecar])
@pytest.mark.parametrize("left", [None, b"{}"], ids=["gone", "damaged"])
def test_half_a_part_is_missing(plan: Plan, store: Store, key: object, left: bytes | None) -> None:
    """A part without its audio, without its sidecar, or with damage to either, is to be made."""
    put_part(store, plan.parts[0])
    assert plan.parts[0] not in ingest.missing_parts(plan, store)
    name = key(plan.parts[0].digest)  # type: ignore[operator]
    store.delete(name)
    if left is not None:
        store.put(name, left)
    assert plan.parts[0] in ingest.missing_parts(plan, store)


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


@pytest.fixture(params=["memory", "directory"])
def any_store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    store = MemoryStore() if request.param == "memory" else DirectoryStore(tmp_path / "storage", patience=0.01)
    store.put("books/b/output/book.m4b", b"book")
    return store


def test_fetch(any_store: ObjectStore, tmp_path: Path) -> None:
    """A book is fetched into a folder made for it, in place of an older one, and nothing else is left there."""
    target = tmp_path / "audio books/emma/book.m4b"
    target.parent.mkdir(parents=True)
    target.write_bytes(b"older")
    ingest.fetch(any_store, "books/b/output/book.m4b", target)
    assert target.read_bytes() == b"book"
    assert list(target.parent.iterdir()) == [target]


def test_fetch_that_fails(any_store: ObjectStore, tmp_path: Path) -> None:
    """A fetch that fails leaves what was there as it was."""
    target = tmp_path / "out/book.m4b"
    target.parent.mkdir()
    target.write_bytes(b"older")
    with pytest.raises(KeyError):
        ingest.fetch(any_store, "books/none", target)
    assert target.read_bytes() == b"older"
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize("target", ["file/book.m4b", "file/folder/book.m4b", "folder"])
def test_target_that_cannot_be_written(any_store: ObjectStore, tmp_path: Path, target: str) -> None:
    """A target that cannot be written is named, whichever store the book comes from."""
    (tmp_path / "file").write_text("a file where a folder should be")
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match=f"^{tmp_path / target}: ") as caught:
        ingest.fetch(any_store, "books/b/output/book.m4b", tmp_path / target)
    assert caught.value.code == ExitCode.CANNOT_WRITE
    assert {path.name for path in tmp_path.iterdir()} <= {"file", "folder", "storage"}
