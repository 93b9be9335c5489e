"""`make audiobook` as users run it: a book in the end, and nothing that keeps running."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from deploy.local import audiobook
from e2a.errors import ExitCode
from e2a.report import Report
from tests.processes import commanded, running_in
from tests.servers import ROOT, require, wait_until

COMMAND = ["make", "--no-print-directory", "audiobook"]


def arguments(folder: Path, *options: str) -> list[str]:
    """Return what makes the sample book in a folder of its own."""
    return [f"OUTPUT={folder}", f"OPTIONS={' '.join(['--data', str(folder / 'data'), *options])}"]


def test_the_sample_book_is_whole(tmp_path: Path) -> None:
    """Chapters, tags and cover are those of the EPUB, captions and report lie beside it, and nothing keeps running."""
    require("ffprobe")
    result = subprocess.run(
        [*COMMAND, *arguments(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False, timeout=300
    )
    assert result.returncode == 0, result.stdout + result.stderr
    shown = ["-show_chapters", "-show_format", "-show_streams"]
    command = ["ffprobe", "-v", "error", "-of", "json", *shown, tmp_path / "sample.m4b"]
    probe = subprocess.run(command, capture_output=True, check=True)
    found = json.loads(probe.stdout)
    assert len(found["chapters"]) == 5
    assert found["format"]["tags"]["artist"] == "The e2a project"
    pictures = [stream["codec_name"] for stream in found["streams"] if stream["disposition"]["attached_pic"]]
    assert pictures == ["mjpeg"]
    assert float(found["chapters"][-1]["end_time"]) == pytest.approx(float(found["format"]["duration"]), abs=0.001)
    assert {path.name for path in tmp_path.glob("sample*")} == {"sample.m4b", "sample.vtt", "sample.report.json"}
    report = Report.model_validate_json((tmp_path / "sample.report.json").read_bytes())
    assert (report.version, [file.name for file in report.files]) == (3, [".m4b", ".vtt"])
    assert report.problems == ()
    cues = (tmp_path / "sample.vtt").read_text()
    assert cues.startswith("WEBVTT")
    assert cues.count(" --> ") > 100
    assert running_in(tmp_path / "data") == []


class Terminal:
    """A command on a terminal of its own: what it writes, and Ctrl-C."""

    def __init__(self, command: list[str], **settings: str) -> None:
        self._master, slave = pty.openpty()
        env = os.environ | {f"E2A_{name}": value for name, value in settings.items()}
        streams = {"stdin": slave, "stdout": slave, "stderr": slave}
        self.process = subprocess.Popen(["setsid", "--ctty", *command], cwd=ROOT, env=env, **streams)  # type: ignore[call-overload]
        os.close(slave)
        self.text = ""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with suppress(OSError):  # the other side is closed
            while data := os.read(self._master, 4096):
                self.text += data.decode(errors="replace")

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        os.write(self._master, b"\x03")

    def wait(self) -> int:
        """Wait for the end of the command and of its output."""
        code = self.process.wait(120)
        self._reader.join(60)
        return int(code)

    def close(self) -> None:
        """Stop the command if it still runs."""
        if self.process.poll() is None:
            self.interrupt()
            self.wait()
        os.close(self._master)


@pytest.fixture
def busy(tmp_path: Path) -> Iterator[Terminal]:
    """Return a run that is in the middle of a book that takes minutes."""
    options = arguments(tmp_path, "--engine simulated")
    terminal = Terminal([*COMMAND, *options], SIMULATED_RTF="1")
    try:
        wait_until(lambda: "0/5 chapters" in terminal.text or terminal.process.poll() is not None, timeout=180)
        assert "0/5 chapters" in terminal.text, terminal.text
        yield terminal
    finally:
        terminal.close()


def test_ctrl_c_stops_everything(busy: Terminal, tmp_path: Path) -> None:
    """Ctrl-C in the middle of a book: nothing keeps running, the cursor is back, and the reader is told what to do."""
    busy.interrupt()
    assert busy.wait() != 0
    assert "the same command again goes on" in busy.text
    assert busy.text.count("\x1b[?25l") == busy.text.count("\x1b[?25h")
    assert running_in(tmp_path / "data") == []
    assert list(tmp_path.glob("*.m4b")) == []


def test_a_run_that_is_killed_leaves_nothing_running(busy: Terminal, tmp_path: Path) -> None:
    """kill -9 of the run itself: servers and services end, and the data directory is free again."""
    (run,) = commanded("python", "deploy.local.audiobook", str(tmp_path / "data"))
    os.kill(run, signal.SIGKILL)
    assert busy.wait() != 0
    wait_until(lambda: running_in(tmp_path / "data") == [])


def test_a_service_that_cannot_start_is_named(tmp_path: Path) -> None:
    """When a worker ends at its start the run ends with its name and its last words, and all others are stopped."""
    env = os.environ | {"E2A_SESSION_TIMEOUT": "none"}
    result = subprocess.run(
        [*COMMAND, *arguments(tmp_path)], cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=300
    )
    assert result.returncode != 0
    assert re.search(r"synth-\d has ended \(exit status 78\); its last lines of ", result.stderr), result.stderr
    assert "e2a-synth: setting E2A_SESSION_TIMEOUT = 'none'" in result.stderr
    assert running_in(tmp_path / "data") == []


def test_a_folder_of_books(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder is passed on as it is; what is not there is told before anything is started."""
    (tmp_path / "book.epub").touch()
    monkeypatch.setattr(sys, "argv", ["audiobook", str(tmp_path), "--speed", "1.2"])
    _parser, known, given = audiobook.arguments()
    assert (known.book, given) == (tmp_path, [str(tmp_path), "--output-dir", "audiobooks", "--speed", "1.2"])
    monkeypatch.setattr(sys, "argv", ["audiobook", str(tmp_path / "none")])
    with pytest.raises(SystemExit) as end:
        audiobook.arguments()
    assert end.value.code == ExitCode.NO_INPUT
