"""Books that viewers send: read by e2a-produce in a process of its own, whatever is in them."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from pydantic import SecretStr

from e2a.bus import KafkaServer
from e2a.errors import ExitCode, UserError
from e2a.settings import MonitorSettings, environment_for
from e2a.storage import book_ids, read_order, read_plan
from e2a.testing import Clock
from monitor import uploads as module
from monitor.producing import LARGEST_OUTPUT, LIMITS, LONGEST_LINE, PRODUCE, Limits, Producer, UploadOptions
from monitor.uploads import KEPT, MOST_WAITING, Upload, Uploads
from tests.epubs import made_epub
from tests.monitor import running
from tests.servers import wait_until
from tests.stores import directory_store

PLAIN = UploadOptions()


@pytest.fixture(autouse=True)
def scratch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Return the folder in which uploads make theirs; nothing may stay in it."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return an EPUB of two chapters."""
    return made_epub(tmp_path_factory.mktemp("book") / "Emma.epub", chapters=2, characters=1000).read_bytes()


class Desk:
    """Makes uploads, and closes them at the end."""

    def __init__(self) -> None:
        self.made: list[Uploads] = []

    def __call__(
        self, program: str | Sequence[str] = PRODUCE, limits: Limits = LIMITS, patience: float = 0.1, **settings: object
    ) -> Uploads:
        """Return uploads whose producer is a program, or some lines of Python."""
        command = (sys.executable, "-S", "-c", program) if isinstance(program, str) else program
        environment = environment_for(MonitorSettings(**settings), patience=patience)
        self.made.append(Uploads(Producer(environment, command, limits), Clock()))
        return self.made[-1]


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    yield desk
    for uploads in desk.made:
        uploads.close()


def sent(uploads: Uploads, name: str = "Emma.epub", data: bytes = b"", options: UploadOptions = PLAIN) -> Upload:
    """Send a book and return what became of it."""
    uploads.begin(name, data, options)
    wait_until(lambda: uploads.listed()[0].state not in {"waiting", "running"})
    return uploads.listed()[0]


@pytest.mark.parametrize(
    ("data", "said"),
    [(b"", "is empty"), (b"no zip", "not an EPUB: it is no zip file"), (b"PK\x03\x04" + os.urandom(1000), "cut short")],
)
def test_what_is_no_book(desk: Desk, data: bytes, said: str) -> None:
    """A file that cannot be read is refused in the one line that the producer says, without names of folders."""
    upload = sent(desk(), "Emma.epub", data)
    assert (upload.name, upload.state) == ("Emma.epub", "refused")
    assert said in upload.message
    assert "\n" not in upload.message
    assert "/" not in upload.message


def test_servers_that_are_away(desk: Desk, book: bytes, tmp_path: Path) -> None:
    """A book that cannot be submitted now is refused, and the message names the servers."""
    away = {"redis_url": "redis://127.0.0.1:1", "kafka_bootstrap": "127.0.0.1:1", "storage": str(tmp_path / "s")}
    upload = sent(desk(**away), data=book)
    assert upload.state == "refused"
    assert "Redis 127.0.0.1:1" in upload.message


def test_a_book_that_is_sent_is_on_the_shelf(
    desk: Desk, book: bytes, kafka: KafkaServer, redis: str, tmp_path: Path
) -> None:
    """A book that is sent twice is one book of the servers that the page shows, and may be urgent the second time."""
    storage = tmp_path / "storage"
    uploads = desk(patience=60, kafka_bootstrap=str(kafka), redis_url=redis, storage=str(storage), partitions=1)
    for urgent in (False, True):
        assert sent(uploads, data=book, options=UploadOptions(speed=1.5, urgent=urgent)).state == "submitted"
    store = directory_store(storage, 1)
    (book_id,) = book_ids(store)
    plan = read_plan(store, book_id)
    assert plan is not None
    assert plan.speech.speed == 1.5
    assert read_order(store, book_id).urgent


def test_chapters_before_it_is_sent(desk: Desk, book: bytes) -> None:
    """What would be read is shown without any server, and why a book cannot be read is an error."""
    uploads = desk()
    assert "Chapter" in uploads.chapters("Emma.epub", book, PLAIN)
    with pytest.raises(UserError, match="not an EPUB") as refused:
        uploads.chapters("Emma.epub", b"x", PLAIN)
    assert refused.value.code == ExitCode.BAD_INPUT
    with pytest.raises(UserError, match="voice") as refused:
        uploads.chapters("Emma.epub", b"x", UploadOptions(voice="-x"))
    assert refused.value.code == ExitCode.USAGE
    assert uploads.listed() == ()


def test_a_book_is_no_recording(
    desk: Desk, book: bytes, kafka: KafkaServer, redis: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A voice that is called as the file of the book is a name: nothing of a viewer is decoded as sound."""
    storage = tmp_path / "storage"
    monkeypatch.setenv("E2A_ACCEPT_CPML", "true")
    uploads = desk(patience=60, kafka_bootstrap=str(kafka), redis_url=redis, storage=str(storage), partitions=1)
    assert sent(uploads, data=book, options=UploadOptions(engine="xtts", voice="Emma.epub")).state == "submitted"
    store = directory_store(storage, 1)
    (book_id,) = book_ids(store)
    plan = read_plan(store, book_id)
    assert plan is not None
    assert plan.speech.voice == "Emma.epub"
    assert not list(store.list("voices/"))


SHOW = "import sys, os; sys.stderr.write(' '.join([*sys.argv[1:], os.getcwd(), *os.listdir()])); sys.exit(65)"


def test_how_the_producer_is_called(desk: Desk) -> None:
    """The producer gets the options and the name of the book, in a folder of which it is all."""
    upload = sent(desk(SHOW), "--x.epub", b"", UploadOptions(language="fr", urgent=True))
    *options, folder, name = upload.message.split()
    assert options == ["--detach", "--no-recording", "--language=fr", "--speed=1.0", "--urgent", "--", "x.epub"]
    assert name == "x.epub"
    assert not Path(folder).exists()


def test_bad_options_begin_nothing(desk: Desk) -> None:
    """A book with an option that is none is refused before anything runs."""
    uploads = desk("import sys; sys.exit(0)")
    uploads.begin("Emma.epub", b"", UploadOptions(engine="--help"))
    (upload,) = uploads.listed()
    assert (upload.state, "engine" in upload.message) == ("refused", True)


def test_a_book_that_is_submitted(desk: Desk) -> None:
    """A producer that ends well has submitted the book; duplicates are two lines of the list."""
    uploads = desk("import sys; sys.stderr.write('note: fine')")
    assert sent(uploads) == sent(uploads)
    assert [(each.state, each.message) for each in uploads.listed()] == [("submitted", "")] * 2


def test_no_secret_of_the_page_goes_on(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The producer knows the servers and none of the page's secrets, whether they came as variables or otherwise."""
    monkeypatch.setenv("E2A_MONITOR_PASSWORD", "hush 1 hush")
    monkeypatch.setenv("e2a_monitor_oidc_client_secret", "hush 2 hush")
    monkeypatch.setenv("STREAMLIT_SERVER_COOKIE_SECRET", "hush 3 hush")
    monkeypatch.setenv("E2A_MODEL", "kept")
    show = "import os, sys; sys.stderr.write(repr(sorted(os.environ.items()))[-400000:].replace('hush', 'HUSH'))"
    environment = environment_for(
        MonitorSettings(redis_url="redis://there", s3_secret_key=SecretStr("s3 secret"), monitor_open=True)
    )
    ended = subprocess.run([sys.executable, "-c", show], env=environment, capture_output=True, text=True, check=True)
    assert "HUSH" not in ended.stderr
    assert "MONITOR" not in ended.stderr.upper().replace("TEST_MONITOR", "")
    given = {"E2A_REDIS_URL": "redis://there", "E2A_S3_SECRET_KEY": "s3 secret", "E2A_MODEL": "kept"}
    assert environment.items() >= given.items()


@pytest.mark.parametrize(
    ("program", "limits", "said"),
    [
        ("while True: pass", Limits(cpu=1), "too long"),
        ("import signal; signal.pause()", Limits(wall=0.2), "too long"),
        ("import subprocess as s; s.run(['sleep', '1000'])", Limits(wall=0.2), "too long"),
        ("b = bytes(1 << 30)", Limits(memory=300 << 20), "e2a-produce failed: MemoryError"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", Limits(), "too long, or too much memory"),
        ("raise ValueError('<b>' + 'x' * 1000)", Limits(), "e2a-produce failed: ValueError: <b>xxx"),
        ("import sys; sys.stderr.write('x\\n' * 10**6 + 'e2a-produce: Emma.epub: bad'); sys.exit(65)", Limits(), "bad"),
        ("import sys; sys.exit(3)", Limits(), "status 3"),
    ],
    ids=["loop", "sleep", "child", "memory", "crash", "bug", "flood", "silent"],
)
def test_what_a_hostile_book_may_do(desk: Desk, program: str, limits: Limits, said: str, scratch: Path) -> None:
    """Whatever the process does that reads a book, it ends, and the book is refused with a short reason."""
    upload = sent(desk(program, limits))
    assert upload.state == "refused"
    assert said in upload.message
    assert len(upload.message) <= LONGEST_LINE
    wait_until(lambda: not list(scratch.iterdir()))


def test_a_flood_of_chapters(desk: Desk) -> None:
    """What is shown of a book is bounded."""
    assert len(desk("print('x' * 10**7)").chapters("Emma.epub", b"", PLAIN)) == LARGEST_OUTPUT


def test_a_few_at_a_time(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scratch: Path) -> None:
    """Two books are read at once, some wait, more are refused; closing ends them and leaves nothing behind."""
    uploads = desk("import signal; signal.pause()")
    for number in range(2):
        uploads.begin(f"{number}.epub", b"", PLAIN)
    wait_until(lambda: [each.state for each in uploads.listed()] == ["running"] * 2)
    for number in range(MOST_WAITING + 1):
        uploads.begin(f"w{number}.epub", b"", PLAIN)
    states = [each.state for each in uploads.listed()]
    assert states == ["refused", *["waiting"] * MOST_WAITING, "running", "running"]
    assert "wait already" in uploads.listed()[0].message
    uploads.close()
    assert not list(scratch.iterdir())
    uploads.begin("late.epub", b"", PLAIN)
    assert uploads.listed()[0].state == "refused"


SEND = """
import sys
from pathlib import Path
from e2a.settings import MonitorSettings, load
from monitor import uploads
mine = uploads.shared(load(MonitorSettings, sys.argv[1:]))
mine.begin("Emma.epub", Path({book!r}).read_bytes(), uploads.UploadOptions())
"""


def test_a_page_that_stops_leaves_nothing(tmp_path: Path, book: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """A book that the page's script has sent, and that waits for a server, ends with the process that serves; what one
    that was killed has left is removed at the start."""
    script, file, scratch = tmp_path / "page.py", tmp_path / "book.epub", tmp_path / "scratch"
    file.write_bytes(book)
    script.write_text(SEND.format(book=str(file)))
    left = scratch / "e2a-upload-1-x"
    left.mkdir(parents=True)
    monkeypatch.setenv("TMPDIR", str(scratch))
    with running(tmp_path, page=script) as monitor:
        assert not left.exists()
        monitor.said(monitor.browser())
        assert list(scratch.glob("e2a-upload-*"))
        assert monitor.stop() == ExitCode.OK
    assert not list(scratch.glob("e2a-upload-*"))


def test_closing_ends_what_is_just_beginning(scratch: Path) -> None:
    """A producer that begins while the page is being closed is ended too."""
    producer = Producer({}, (sys.executable, "-S", "-c", "import signal; signal.pause()"))
    producer.close()
    assert producer.run(scratch, "Emma.epub", []).code == -signal.SIGKILL


def test_the_list_is_bounded(desk: Desk) -> None:
    """Only the last uploads are listed, and never one that is still to come is forgotten."""
    uploads = desk("import signal; signal.pause()")
    uploads.begin("first.epub", b"", PLAIN)
    for number in range(KEPT + 10):
        uploads.begin(f"{number}.epub", b"", UploadOptions(speed=9))
    listed = uploads.listed()
    assert len(listed) == KEPT
    assert (listed[0].name, listed[-1].name) == (f"{KEPT + 9}.epub", "first.epub")


def test_no_room(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk is full a book is refused, and a preview is an error."""

    def full(_path: Path, _data: bytes) -> int:
        raise OSError(28, "No space left on device")

    uploads = desk()
    monkeypatch.setattr(Path, "write_bytes", full)
    uploads.begin("Emma.epub", b"x", PLAIN)
    assert "No space left" in uploads.listed()[0].message
    with pytest.raises(UserError, match="No space left") as refused:
        uploads.chapters("Emma.epub", b"x", PLAIN)
    assert refused.value.code == ExitCode.CANNOT_WRITE


def test_uploads_are_those_of_the_process() -> None:
    """All viewers with the same settings share their uploads."""
    one, other = (MonitorSettings(redis_url=url) for url in ("redis://a", "redis://b"))
    assert module.shared(one) is module.shared(one)
    assert module.shared(one) is not module.shared(other)


def test_many_viewers_at_once(desk: Desk) -> None:
    """Books that are sent at the same time by several are all listed."""
    uploads = desk("import sys; sys.exit(0)")
    threads = [threading.Thread(target=uploads.begin, args=(f"{n}.epub", b"", PLAIN)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wait_until(lambda: {each.state for each in uploads.listed()} == {"submitted"})
    assert {each.name for each in uploads.listed()} == {f"{n}.epub" for n in range(8)}
