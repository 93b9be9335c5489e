"""Following a book: what is shown, and when it ends."""

import io
import re
from collections.abc import Callable

import pytest
from rich.console import Console

from e2a.checkpoint import BookRecord, PartRecord, Progress, progress
from e2a.errors import ExitCode, Retryable, UserError
from e2a.messages import BookDone, encode
from e2a.report import Report
from e2a.storage import keys
from e2a.testing import MemoryCheckpoint, MemoryStore
from producer import follow
from tests.unit.builders import BOOK, a_book_record, a_part_record, a_worker_record

HALF = progress([a_part_record("done", estimate=100.0, audio_seconds=100.0), a_part_record(chapter=1, estimate=100.0)])
WHOLE = progress([a_part_record("done", audio_seconds=100.0)])
NOTHING = progress(())


class Time:
    """Stands for the module `time`: sleeping moves the clock and does what the test has planned next."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.plan: list[Callable[[], object]] = []

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        assert self.plan, "nothing more will happen, but the book is still followed"
        self.plan.pop(0)()


class Checkpoint(MemoryCheckpoint):
    """A checkpoint that is away when told to be."""

    away = False

    def book(self, book_id: str) -> BookRecord | None:
        if self.away:
            raise Retryable("Redis 127.0.0.1:1/0: gone")
        return super().book(book_id)


class Scene:
    """A book that is followed: what was shown of it, and what follows came to."""

    def __init__(self, time: Time) -> None:
        self.time = time
        self.checkpoint = Checkpoint(time.monotonic)
        self.store = MemoryStore()
        self.store.put(keys.book(BOOK, keys.PLAN), b"{}")
        self.shown: list[tuple[Progress, str]] = []

    def seed(self, *parts: PartRecord, stage: str = "synthesising", reason: str = "") -> None:
        book = a_book_record(stage=stage, reason=reason, resumed_at=self.time.now)
        self.checkpoint.seed(book, dict(enumerate(parts)))

    def remove(self) -> None:
        self.store.delete(keys.book(BOOK, keys.PLAN))

    def late_news(self) -> None:
        """Something happens to the record that was there."""
        self.checkpoint.update_book(BOOK, lambda book: book.model_copy(update={"last_update": self.time.now}))

    def report(self) -> None:
        done = BookDone(book_id=BOOK, output="book.m4b", audio_seconds=1.0, audio_bytes=4)
        self.store.put(done.output, b"book")
        self.store.put(keys.report(BOOK), encode(done))

    def follow(self, *then: Callable[[], object], before: BookRecord | None = None) -> str:
        """Follow the book while, between two looks at it, this happens; return why it is not whole."""
        self.time.plan = list(then)
        follower = follow.Follower(self.checkpoint, self.store, BOOK, before=before)
        ((number, look),) = follow.follow([(follower, self.show)])
        assert number == 0
        return look.reason

    def show(self, numbers: Progress, note: str) -> None:
        self.shown.append((numbers, note))

    @property
    def notes(self) -> list[str]:
        return [note for _numbers, note in self.shown]

    def wait(self) -> None:
        """Nothing happens for longer than anybody's patience."""
        self.time.now += follow.PATIENCE


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    time = Time()
    monkeypatch.setattr(follow, "time", time)
    return time


@pytest.fixture
def scene(time: Time) -> Scene:
    return Scene(time)


def test_until_done(scene: Scene) -> None:
    """A book is followed until it is done, and every look at it is shown."""
    part, done = a_part_record(), a_part_record("done", audio_seconds=12.0)
    scene.seed(part, part)
    assert scene.follow(lambda: scene.seed(done, part), lambda: scene.seed(done, done, stage="done")) == ""
    assert [numbers for numbers, _note in scene.shown] == [
        progress(parts) for parts in ([part, part], [done, part], [done, done])
    ]


def test_until_failed(scene: Scene) -> None:
    """A book that failed ends with the reason."""
    scene.seed(a_part_record())
    failed = a_part_record("failed", reason="no such voice")
    assert scene.follow(lambda: scene.seed(failed, stage="failed", reason="1 part missing")) == "1 part missing"


def test_assembling_is_not_the_end(scene: Scene) -> None:
    """While the book is assembled that is said."""
    scene.seed(a_part_record("done"), stage="assembling")
    assert scene.follow(lambda: scene.seed(a_part_record("done"), stage="done")) == ""
    assert scene.notes == ["assembling", ""]


def test_report_in_storage_is_the_end(scene: Scene) -> None:
    """A book that the checkpoint has forgotten is done when storage says so."""
    assert scene.follow(lambda: None, scene.report) == ""


def test_record_of_an_earlier_time_counts_for_nothing(scene: Scene) -> None:
    """A book that failed before is not judged by that, nor are its old numbers shown, until the merger answers."""
    scene.seed(a_part_record("failed"), stage="failed", reason="old")
    before = scene.checkpoint.book(BOOK)
    answer = scene.follow(
        scene.late_news, lambda: scene.seed(a_part_record("done"), stage="done", reason=""), before=before
    )
    assert answer == ""
    assert scene.shown[0] == (NOTHING, "")


def test_server_that_goes_away(scene: Scene) -> None:
    """While Redis is away the book is waited for, and that is said."""
    scene.seed(a_part_record())
    scene.checkpoint.away = True
    scene.follow(lambda: setattr(scene.checkpoint, "away", False), lambda: scene.seed(stage="done"))
    assert scene.shown[0] == (NOTHING, "waiting: Redis 127.0.0.1:1/0: gone")
    assert scene.notes[1:] == ["", ""]


def test_missing_merger(scene: Scene) -> None:
    """When nobody takes note of the book for a while, the reader is asked about the merger."""
    scene.follow(scene.wait, scene.report)
    assert scene.notes == ["", *["waiting for the merger: is e2a-merge running?"] * 2]


def test_missing_worker(scene: Scene) -> None:
    """When nothing is done for a while and no worker is heard of, the reader is asked; a done part ends the wait."""
    part, done = a_part_record(), a_part_record("done")
    scene.seed(part, part)
    scene.follow(
        scene.wait,
        lambda: scene.checkpoint.heartbeat(a_worker_record(last_seen=scene.time.now)),
        scene.wait,
        lambda: scene.seed(done, part),
        scene.wait,
        lambda: scene.seed(done, done, stage="done"),
    )
    asked = "waiting for a worker: is e2a-synth running?"
    assert scene.notes == ["", asked, "", asked, "", asked, ""]


def test_drained_workers(scene: Scene) -> None:
    """When every worker has been told to take nothing the reader hears of that, until one works again."""
    scene.seed(a_part_record())

    def beat(state: str) -> Callable[[], object]:
        def heard() -> None:
            scene.wait()
            for worker in ("gpu-0", "gpu-1"):
                state_of = state if worker == "gpu-0" else "drained"
                scene.checkpoint.heartbeat(a_worker_record(worker, state=state_of, last_seen=scene.time.now))

        return heard

    scene.follow(beat("drained"), beat("working"), lambda: scene.seed(a_part_record("done"), stage="done"))
    assert scene.notes == ["", "waiting for a worker: all of them are drained", "", ""]


def test_workers_at_another_book(scene: Scene) -> None:
    """When the workers are at another book the reader is told which, and no longer once one is at this book."""
    part = a_part_record()
    scene.seed(part)
    scene.checkpoint.seed(a_book_record("other", title="Persuasion"), {})

    def work(worker: str, book_id: str) -> Callable[[], object]:
        def beat() -> None:
            scene.wait()
            scene.checkpoint.heartbeat(a_worker_record(worker, book_id=book_id, last_seen=scene.time.now))

        return beat

    scene.follow(
        work("gpu-0", "other"),
        work("gpu-0", ""),
        work("gpu-0", "unknown"),
        work("gpu-1", BOOK),
        lambda: scene.seed(a_part_record("done"), stage="done"),
    )
    at = "waiting: the workers are at "
    assert scene.notes == ["", f"{at}'Persuasion'", "", f"{at}'unknown'", "", ""]


def test_paused_book_is_followed_until_it_goes_on(scene: Scene) -> None:
    """A paused book is not at its end; how it goes on is said."""
    scene.seed(a_part_record(), stage="paused")
    assert scene.follow(lambda: scene.seed(a_part_record("done"), stage="done")) == ""
    assert scene.notes == [f"paused: e2a-books resume {BOOK}", ""]


def test_paused_book_that_is_finished_is_at_its_end(scene: Scene) -> None:
    """A book that storage has whole is done, also when it was paused too late."""
    scene.seed(a_part_record("done"), stage="paused")
    assert scene.follow(scene.report) == ""


def test_cancelled_book_is_at_its_end(scene: Scene) -> None:
    """A book that was cancelled is not waited for, and what to do is said."""
    scene.seed(a_part_record())
    answer = scene.follow(lambda: scene.seed(a_part_record(), stage="cancelled"))
    assert answer == "it was cancelled; the same command again goes on"


def test_removed_book_is_at_its_end(scene: Scene) -> None:
    """A book that was removed is not waited for; one that the checkpoint has lost is, while its plan is there."""
    scene.seed(a_part_record())
    assert scene.follow(scene.checkpoint.lose, scene.remove) == "it was removed"
    assert len(scene.shown) == 3


def test_book_that_was_removed_before_the_merger_knew_it(scene: Scene) -> None:
    """A book that nobody ever took note of is at its end too when it was removed, whatever is asked of it."""
    assert scene.follow(scene.remove) == "it was removed"
    with pytest.raises(UserError, match="was removed") as failure:
        follow.follow_partial(scene.store, BOOK, ask=lambda: None, show=scene.show)
    assert failure.value.code == ExitCode.NO_INPUT


def test_parts_that_wait_to_be_tried_again(scene: Scene) -> None:
    """That parts wait to be tried again is said when nothing else is left to do, or nothing happens for a while."""
    part, due = a_part_record(), a_part_record(attempts=1, retry_at=2000.0)
    scene.seed(part, due)
    scene.follow(
        lambda: scene.seed(due, due),
        lambda: scene.seed(part, due),
        scene.wait,
        lambda: scene.seed(a_part_record("done"), stage="done"),
    )
    assert scene.notes == ["", "2 parts wait to be tried again", "", "1 part waits to be tried again", ""]


def test_worker_that_waits_for_a_server(scene: Scene) -> None:
    """When nothing happens for a while and a worker has told why, that is said."""
    scene.seed(a_part_record())
    waits = a_worker_record("w1", book_id=BOOK, last_seen=1010.0, problem="storage: gone")
    scene.checkpoint.heartbeat(waits)
    scene.follow(scene.wait, lambda: scene.seed(a_part_record("done"), stage="done"))
    assert scene.notes == ["", "w1 waits: storage: gone", ""]


def test_several_books_end_each_in_its_time(scene: Scene) -> None:
    """Of books that are followed together each is told as soon as it ends, and is not looked at any longer."""
    scene.seed(a_part_record())
    scene.checkpoint.seed(a_book_record("other", stage="failed", reason="no such voice"), {})
    followers = [follow.Follower(scene.checkpoint, scene.store, each, before=None) for each in (BOOK, "other")]
    others: list[str] = []
    scene.time.plan = [lambda: None, lambda: scene.seed(a_part_record("done"), stage="done")]
    ended = []
    for number, look in follow.follow(
        [(followers[0], scene.show), (followers[1], lambda _, note: others.append(note))]
    ):
        ended.append((number, look.reason, scene.time.now))
    assert ended == [(1, "no such voice", 1000.0), (0, "", 1001.0)]
    assert (len(scene.shown), len(others)) == (3, 1)


def partial_report(scene: Scene) -> None:
    """The merger has put what is finished into storage."""
    report = Report(book_id=BOOK, output="partial.m4b", audio_seconds=1.0, audio_bytes=4)
    scene.store.put(report.output, b"some")
    scene.store.put(keys.partial_report(BOOK), report.model_dump_json().encode())


def test_waiting_for_what_is_finished(scene: Scene) -> None:
    """What is finished is waited for; after a while the merger is asked again, and the reader about it."""
    asked: list[int] = []
    scene.time.plan = [scene.wait, lambda: None, lambda: partial_report(scene)]
    report = follow.follow_partial(scene.store, BOOK, ask=lambda: asked.append(len(scene.notes)), show=scene.show)
    assert report.output == "partial.m4b"
    assert asked == [0, 1]
    assert scene.notes == ["assembling", *["waiting for the merger: is e2a-merge running?"] * 2]


def test_waiting_while_storage_is_away(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """While storage is away what is finished is waited for, and that is said."""

    def away(_key: str) -> bytes:
        raise Retryable("storage: gone")

    monkeypatch.setattr(scene.store, "get", away)
    partial_report(scene)
    scene.time.plan = [monkeypatch.undo]
    monkeypatch.setattr(follow, "time", scene.time)
    report = follow.follow_partial(scene.store, BOOK, ask=lambda: None, show=scene.show)
    assert (report.audio_bytes, scene.notes) == (4, ["waiting: storage: gone"])


@pytest.mark.parametrize(
    ("elapsed", "at_start", "expected"),
    [
        (50.0, 0.0, (2.0, 50.0)),
        (50.0, 50.0, (1.0, 100.0)),
        (50.0, 100.0, (0.0, None)),
        (0.0, 0.0, (0.0, None)),
    ],
    ids=["from the start", "resumed", "nothing yet", "no time"],
)
def test_remaining(elapsed: float, at_start: float, expected: tuple[float, float | None]) -> None:
    """The speed is what was made since following began; without any, the time left is not known."""
    assert follow.remaining(HALF, elapsed, at_start) == expected


def test_nothing_remains() -> None:
    """Of a book that is whole nothing is left."""
    assert follow.remaining(WHOLE, 10.0, 0.0) == (10.0, 0.0)


def test_describe() -> None:
    """One line: chapters, percent of the audio, speed and time left, or dashes where that is not known."""
    assert follow.describe(HALF, 34.25, 3723.4) == "1/2 chapters   50.0%   34.2x real time  1:02:03 left"
    assert follow.describe(WHOLE, 0.0, None) == "1/1 chapters  100.0%      -x real time  -:--:-- left"


def lines(time: Time, *shown: tuple[float, Progress, str]) -> list[str]:
    """Return what is written to a file when this is shown after so many seconds each."""
    output = io.StringIO()
    with follow.display(Console(file=output, width=20), ["Emma [draft]"]) as (show,):
        for seconds, numbers, note in shown:
            time.now += seconds
            show(numbers, note)
    return output.getvalue().splitlines()


def test_lines(time: Time) -> None:
    """Where there is no terminal, lines come every few seconds, are never wrapped, and hold no escape codes."""
    assert lines(time, (0, NOTHING, ""), (1, NOTHING, ""), (4, HALF, ""), (4.5, HALF, ""), (0.5, WHOLE, "")) == [
        "starting",
        "1/2 chapters   50.0%      -x real time  -:--:-- left",
        "1/1 chapters  100.0%      -x real time  -:--:-- left",
    ]


def test_speed_is_since_following_began(time: Time) -> None:
    """What was done before the first numbers, and the wait for them, do not count; nor does a book run backwards."""
    numbers = [HALF.model_copy(update={"seconds_done": seconds}) for seconds in (100.0, 150.0, 0.0)]
    shown = lines(time, (5, numbers[0], ""), (5, numbers[1], ""), (5, numbers[2], ""))
    assert [re.findall(r"(\S+)x", line)[0] for line in shown] == ["-", "10.0", "-"]


def test_a_note_is_a_line_at_once_but_only_once(time: Time) -> None:
    """News does not wait for its turn, and is not repeated at every look, also when all parts are done."""
    for numbers in (NOTHING, WHOLE):
        shown = [(0.5, numbers, note) for note in ("", "assembling", "assembling", "assembling", "waiting")]
        assert lines(time, *shown)[1:] == ["assembling", "waiting"]


def test_a_note_is_repeated_after_a_while(time: Time) -> None:
    """Whoever waits long sees that it goes on."""
    assert lines(time, *[(follow.LINE_EVERY, NOTHING, "assembling")] * 3) == ["assembling"] * 3


def terminal(title: str, *shown: tuple[Progress, str], width: int = 80) -> list[str]:
    """Return the lines left on a terminal when this has been shown; without colours only the full bar is drawn."""
    output = io.StringIO()
    with follow.display(a_terminal(output, width), [title]) as (show,):
        for numbers, note in shown:
            show(numbers, note)
    return left_on_screen(output)


def a_terminal(output: io.StringIO, width: int = 80) -> Console:
    """Return a terminal without colours."""
    return Console(file=output, width=width, force_terminal=True, color_system=None)


def left_on_screen(output: io.StringIO) -> list[str]:
    """Return the lines that are to be seen in the end."""
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", output.getvalue()).rstrip("\n")
    return [line.rpartition("\r")[2].rstrip() for line in plain.split("\n")]


def test_bar(time: Time) -> None:
    """On a terminal a bar grows under the title of the book."""
    bars = [terminal("Emma", (numbers, "")) for numbers in (NOTHING, HALF, WHOLE)]
    lengths = [lines[1].count("━") for lines in bars]
    assert [lines[0] for lines in bars] == ["Emma"] * 3
    assert lengths[0] == 0
    assert lengths[2] == 2 * lengths[1] > 0
    assert bars[0][1].endswith("starting")
    assert bars[1][1].endswith("1/2 chapters   50.0%      -x real time  -:--:-- left")
    assert "100.0%" in bars[2][1]


def test_bar_with_a_note(time: Time) -> None:
    """A note stands beside the bar in place of the numbers, all of it, however long."""
    assert terminal("Emma", (HALF, ""), (HALF, "assembling"))[1].endswith("assembling")
    note = "waiting: Redis 127.0.0.1:6379/0: Error 111 connecting to 127.0.0.1:6379. Connection refused."
    shown = " ".join(terminal("Emma", (HALF, note))).replace("━", "")
    assert " ".join(shown.split()) == f"Emma {note}"


@pytest.mark.parametrize("title", ["Emma [illustrated]", "Emma [/i]"])
def test_bar_with_brackets(time: Time, title: str) -> None:
    """A title is shown as it is."""
    assert terminal(title, (HALF, ""))[0] == title


def test_lines_of_several_books(time: Time) -> None:
    """Lines of several books are headed by their titles, and come less often."""
    output = io.StringIO()
    with follow.display(Console(file=output, width=20), ["Emma", "Persuasion"]) as (emma, persuasion):
        for _ in range(3):
            emma(HALF, "")
            persuasion(NOTHING, "assembling")
            time.now += follow.LINE_EVERY
    assert (
        output.getvalue().splitlines()
        == [
            "Emma: 1/2 chapters   50.0%      -x real time  -:--:-- left",
            "Persuasion: assembling",
        ]
        * 2
    )


def test_bars_of_several_books() -> None:
    """Several books have a bar each beside their titles, of which long ones are cut, in 80 columns."""
    output = io.StringIO()
    with follow.display(a_terminal(output), ["Emma [1]", "The Life and Opinions of Tristram Shandy"]) as shows:
        for show in shows:
            show(HALF, "")
    drawn = output.getvalue().rpartition("\x1b[2K")[2]
    first, second = (line.rstrip() for line in drawn.splitlines()[:2])
    assert first.startswith("Emma [1] ")
    assert second.startswith("The Life and Op\u2026 ")
    assert all(line.endswith("1/2 chapters   50.0%      -x real time  -:--:-- left") for line in (first, second))
