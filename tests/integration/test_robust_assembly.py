"""Assembly when something is in its way: programs, disks, storage, and the end of the process."""

import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from e2a.errors import ExitCode, Retryable, UserError
from e2a.plan import Plan
from e2a.storage import S3Store, keys
from e2a.testing import MemoryStore
from merger import ffmpeg
from merger.assembly import assemble
from merger.faults import AssemblyFailed, Cancelled
from tests.recordings import RATE, noise, record, recorded_plan, silence
from tests.servers import MINIO_KEYS

REAL = shutil.which("ffmpeg")


pytestmark = pytest.mark.usefixtures("programs")


@pytest.fixture(params=["m4b", "mp3"])
def plan(store: MemoryStore, request: pytest.FixtureRequest) -> Plan:
    """Return a book whose audio is copied, and one whose audio is encoded."""
    return recorded_plan(store, request.param)


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Let all scratch lie in a folder that is empty again after the test."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    yield folder
    assert list(folder.iterdir()) == []


def stored(store: MemoryStore) -> list[str]:
    """Return the keys of the files of books."""
    return [key for key in store.objects if key.startswith("books/")]


def replace_program(name: str, script: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a shell script before a program on PATH."""
    fake = folder / name
    fake.write_text(f"#!/bin/sh\n{script}\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def test_the_programs_here_are_good_enough() -> None:
    """What Debian has can all that a book may need."""
    ffmpeg.check()


@pytest.mark.parametrize("program", ["ffmpeg", "ffprobe"])
def test_a_missing_program_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, program: str) -> None:
    """Without a program on PATH the merger says how to get it."""
    for other in {"ffmpeg", "ffprobe"} - {program}:
        (tmp_path / other).symlink_to(str(shutil.which(other)))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match=f"{program} is not on PATH; install it: apt-get install ffmpeg") as caught:
        ffmpeg.check()
    assert caught.value.code == ExitCode.UNAVAILABLE


@pytest.mark.parametrize("version", ["4.4.2-0ubuntu0.22.04.1", "n5.0", "3.4"])
def test_an_old_program_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, version: str) -> None:
    """An ffmpeg that is too old is named with the version that it has, where it is, and the one that is needed."""
    replace_program("ffmpeg", f"echo ffmpeg version {version} Copyright", tmp_path, monkeypatch)
    with pytest.raises(UserError, match=rf"ffmpeg {version} \({tmp_path}/ffmpeg\) is too old; install 5.1") as caught:
        ffmpeg.check()
    assert caught.value.code == ExitCode.UNAVAILABLE


@pytest.mark.parametrize("version", ["5.1", "n7.1.1", "10.0-static", "N-109468-gd39b34123d"])
def test_a_new_program_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, version: str) -> None:
    """Later versions are good, and so is one that somebody has built from a working tree."""
    script = f'[ "$1" = -version ] && exec echo ffmpeg version {version} x\nexec {REAL} "$@"'
    replace_program("ffmpeg", script, tmp_path, monkeypatch)
    ffmpeg.check()
    assert ffmpeg.version("ffmpeg") == version


def test_what_a_program_lacks_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An ffmpeg that was built without an encoder is refused at the start, not at the end of a book."""
    replace_program("ffmpeg", f'{REAL} "$@" | grep -v -e libmp3lame -e libopus', tmp_path, monkeypatch)
    with pytest.raises(UserError, match="is built without encoders libmp3lame, libopus; install one") as caught:
        ffmpeg.check()
    assert caught.value.code == ExitCode.UNAVAILABLE


@pytest.mark.parametrize(
    ("program", "script", "reason"),
    [
        ("ffmpeg", "echo No space left on device >&2; exit 228", "ffmpeg: exit 228: No space left on device"),
        ("ffmpeg", "printf '\\377' >&2; exit 1", "ffmpeg: exit 1: "),
        ("ffmpeg", "kill -9 $$", "ffmpeg: exit -9: "),
        ("ffmpeg", "cat > /dev/null", "holds 0 samples, its parts"),
        ("ffprobe", "kill -9 $$", "ffprobe: killed by signal 9"),
        ("ffprobe", "echo '{\"streams\": [{}]}'", "holds 0 samples, its parts"),
    ],
)
def test_a_failing_program_may_work_later(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, program: str, script: str, reason: str
) -> None:
    """A program that fails, or makes no whole book, is a Retryable with the reason, and no book is stored."""
    plan = recorded_plan(store)
    replace_program(program, script, tmp_path, monkeypatch)
    with pytest.raises(AssemblyFailed, match=reason):
        assemble(plan, store)
    assert stored(store) == []


def test_a_decoder_that_fails(store: MemoryStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A master that ffmpeg cannot read now is no damaged part, for its bytes are what they should be."""
    plan = recorded_plan(store, "wav")
    script = f'case "$*" in *"-f flac"*) kill -9 $$;; esac\nexec {REAL} "$@"'
    replace_program("ffmpeg", script, tmp_path, monkeypatch)
    with pytest.raises(AssemblyFailed, match="ffmpeg: exit -9"):
        assemble(plan, store)


def test_a_scratch_directory_that_cannot_be_written_is_named(
    plan: Plan, store: MemoryStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """No room to work is a Retryable that names the place, and not the end of the merger."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "none"))
    with pytest.raises(AssemblyFailed, match=f"{tmp_path}/none.*: No such file or directory"):
        assemble(plan, store)


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[None]:
    """Mount a disk of so many bytes; only root may."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting a disk needs root")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("form", ["m4b", "mp3", "flac", "wav", "opus"])
def test_a_full_disk(store: MemoryStore, scratch: Path, form: str) -> None:
    """A scratch disk that is too small fails the assembly, which says so, and nothing is stored or left behind."""
    plan = recorded_plan(store, form)
    record(store, plan.parts[0], pcm=noise(60))
    with small_disk(scratch, 12 * 4096):
        with pytest.raises(AssemblyFailed, match="No space left on device|holds .* samples"):
            assemble(plan, store)
        assert list(scratch.iterdir()) == []
    assert stored(store) == []


class CutOff(MemoryStore):
    """A store that goes away while it is given its second file."""

    uploads = 0

    def put_file(self, key: str, path: Path) -> None:
        self.uploads += 1
        if self.uploads == 2:
            path.read_bytes()[: path.stat().st_size // 2]
            raise Retryable("storage is away")
        super().put_file(key, path)


def test_storage_that_goes_away_during_an_upload() -> None:
    """An upload that was cut off leaves no report and no scratch, and the next attempt makes everything."""
    store = CutOff()
    plan = recorded_plan(store, "flac", "m4b")
    with pytest.raises(Retryable, match="storage is away"):
        assemble(plan, store)
    assert stored(store) == [keys.output(plan.book_id, "book.flac")]
    report = assemble(plan, store)
    assert [store.size(file.key) for file in report.files] == [file.size for file in report.files]


class Cancelling(MemoryStore):
    """A store that ends the merger when it is asked for the audio of the third part."""

    def __init__(self) -> None:
        super().__init__()
        self.cancelled = threading.Event()
        self.last = ""

    def get(self, key: str) -> bytes:
        if self.last and self.last in key and not key.endswith(".json"):
            self.cancelled.set()
        return super().get(key)


@pytest.mark.parametrize("form", ["m4b", "opus"])
def test_cancelled_while_it_reads(form: str) -> None:
    """A merger that ends in the middle of an assembly stores nothing and leaves nothing behind."""
    store = Cancelling()
    plan = recorded_plan(store, form)
    store.last = plan.parts[2].digest
    with pytest.raises(Cancelled):
        assemble(plan, store, cancelled=store.cancelled)
    assert stored(store) == []


def test_cancelled_while_it_waits(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A merger that ends while ffmpeg is at work does not wait for it."""
    store = Cancelling()
    plan = recorded_plan(store)
    script = f'case "$*" in *ipod*) ;; *) exec {REAL} "$@";; esac\ncat > /dev/null; exec sleep 600'
    replace_program("ffmpeg", script, tmp_path, monkeypatch)
    threading.Timer(0.5, store.cancelled.set).start()
    with pytest.raises(Cancelled):
        assemble(plan, store, cancelled=store.cancelled)


class Proxy:
    """Passes connections on to a server, and cuts the first that sends more than so many bytes."""

    def __init__(self, target: str, limit: int) -> None:
        host, port = target.split(":")
        self._target = host, int(port)
        self._limit = limit
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.cuts = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            client, _address = self._listener.accept()
            server = socket.create_connection(self._target)
            threading.Thread(target=self._pass, args=(client, server, True), daemon=True).start()
            threading.Thread(target=self._pass, args=(server, client, False), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, is_upload: bool) -> None:
        sent = 0
        try:
            while data := source.recv(1 << 16):
                sent += len(data)
                if is_upload and not self.cuts and sent > self._limit:
                    self.cuts += 1
                    break
                target.sendall(data)
        except OSError:  # the other direction was cut
            pass
        for end in (source, target):
            end.close()


@pytest.mark.parametrize(("patience", "works"), [(30.0, True), (0.001, False)])
def test_minio_that_is_cut_off_during_an_upload(minio: str, patience: float, works: bool) -> None:
    """A connection that breaks in the middle of a book is tried again; without patience there is no half of a book."""
    parts = MemoryStore()
    plan = recorded_plan(parts, "wav")
    record(parts, plan.parts[0], pcm=silence(60))
    proxy = Proxy(minio, limit=1_000_000)
    store = S3Store(
        bucket="cut-off" if works else "cut-off-for-good",
        endpoint=proxy.address,
        access_key=MINIO_KEYS["E2A_S3_ACCESS_KEY"],
        secret_key=MINIO_KEYS["E2A_S3_SECRET_KEY"],
        secure=False,
        patience=patience,
    )
    store.check()
    for key, data in parts.objects.items():
        store.put(key, data)
    if works:
        (file, _captions) = assemble(plan, store).files
        assert store.size(file.key) == file.size > 60 * 2 * RATE
    else:
        with pytest.raises(Retryable, match="cut-off-for-good"):
            assemble(plan, store)
        assert store.size(keys.output(plan.book_id, "book.wav")) is None
    assert proxy.cuts == 1
