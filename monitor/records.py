"""What the pages show, as frozen values. Seconds are of audio unless it is said otherwise; times are Unix times."""

from typing import Literal

from e2a.checkpoint import GpuRecord, Wish
from e2a.deadletters import Entry
from e2a.plan import Accounting, Frozen
from e2a.report import ReportedFile, ReportedRetake
from e2a.shelf import Condition

Source = Literal["redis", "kafka", "storage"]
Outcome = Literal["done", "failed", "running"]
"""Of a part that somebody began."""
PartState = Literal["waiting", "running", "done", "retry", "failed"]
"""What a part is at: `retry` waits to be tried again."""


class Reading(Frozen):
    """When a source was read last, and why it cannot be read now."""

    taken: float | None = None
    """None before it was ever read."""
    problem: str = ""
    """Empty when it can be read."""


class BookRow(Frozen):
    """A book on the shelf."""

    book_id: str
    title: str
    authors: str
    condition: Condition
    reason: str = ""
    urgent: bool = False
    fraction: float = 0.0
    """Share of its audio that is done, 0 to 1."""
    chapters: int = 0
    chapters_done: int = 0
    chapters_running: int = 0
    chapters_failed: int = 0
    parts: int = 0
    parts_done: int = 0
    audio_seconds: float = 0.0
    """That is done."""
    total_seconds: float = 0.0
    """Of the whole book; an estimate until it is done."""
    speed: float | None = None
    """Seconds of audio made in a second of wall time since it was last submitted; None before any was."""
    eta: tuple[float, float] | None = None
    """Seconds of wall time until the last part is done, at the least and at the most; None when nobody can say."""
    age: float | None = None
    """Seconds of wall time since something happened to it; None when only storage knows it."""
    retries: int = 0
    """Parts that wait to be tried again."""
    retaken: int = 0
    """Sentences that were said more than once."""
    doubtful: int = 0
    """Sentences whose best take is not good."""
    cover: bool = False
    files: tuple[ReportedFile, ...] = ()
    """Of a finished book."""

    @property
    def chapters_queued(self) -> int:
        """Chapters that nobody is at yet."""
        return self.chapters - self.chapters_done - self.chapters_running - self.chapters_failed


class Cell(Frozen):
    """A part of a book in the grid."""

    part: int
    """Index in the book, from 0."""
    chapter: int
    """Index, from 0."""
    place: int
    """Index in its chapter, from 0."""
    state: PartState
    seconds: float
    """Of its audio; an estimate until it is done."""
    worker: str = ""
    attempts: int = 0
    """How often it failed for reasons that may pass."""
    reason: str = ""
    """Why it failed, for good or the last time."""
    due: float | None = None
    """When it is to be tried again."""
    retaken: int = 0
    doubtful: int = 0


class ChapterRow(Frozen):
    """A chapter of a book."""

    number: int
    """From 1."""
    title: str
    state: PartState
    """`running` as soon as one of its parts is; `failed` as soon as one is."""
    parts: int
    parts_done: int
    seconds: float
    """That are done."""
    loudness: float | None = None
    """In LUFS; known of finished books."""


class BookPage(Frozen):
    """All there is to show of a book but for its text."""

    row: BookRow
    chapters: tuple[ChapterRow, ...]
    cells: tuple[Cell, ...]
    retakes: tuple[ReportedRetake, ...]
    """Doubtful ones first."""
    accounting: Accounting | None = None
    problems: tuple[str, ...] = ()
    """What the reader had to read around."""


class PartPage(Frozen):
    """A part, its text included."""

    cell: Cell
    digest: str
    bitrate: int
    """Of its AAC, in bits a second."""
    text: tuple[str, ...]
    """Sentences as the book has them."""
    history: tuple["PartEvent", ...]
    """What became of it, oldest first."""


class PartEvent(Frozen):
    """What the event topic says of a part."""

    time: float
    worker: str
    outcome: Literal["done", "failed"]
    work_seconds: float = 0.0
    """Of wall time."""
    reason: str = ""


class Span(Frozen):
    """A part that somebody was at."""

    worker: str
    book_id: str
    title: str
    """Of its book."""
    part: int
    start: float
    end: float
    """Of one that is still being spoken: now."""
    outcome: Outcome
    audio_seconds: float = 0.0


class Usage(Frozen):
    """How busy a worker was in a stretch of time."""

    worker: str
    busy: float
    """Seconds of wall time in which it spoke."""
    wall: float
    """Seconds of what is shown in which it was there; of one that is gone: from its first part to its last."""
    share: float
    """Of the time in which it was there that it spoke, 0 to 1."""
    parts: int


class Throughput(Frozen):
    """How much audio was made around a moment."""

    time: float
    """Beginning of an interval."""
    speed: float
    """Seconds of audio a second of wall time."""


class Bin(Frozen):
    """A bar of a histogram."""

    low: float
    high: float
    count: int


class Timeline(Frozen):
    """Who did what when."""

    start: float
    end: float
    spans: tuple[Span, ...] = ()
    """At most `LIMIT` of `monitor.timeline`, the last ones."""
    left_out: int = 0
    """Spans in the stretch that are not among them; all figures count them."""
    usage: tuple[Usage, ...] = ()
    throughput: tuple[Throughput, ...] = ()
    mean: float | None = None
    """Seconds of wall time that a part took on the average; None when none is done."""
    durations: tuple[Bin, ...] = ()
    """Of parts, in seconds of wall time."""
    factors: tuple[Bin, ...] = ()
    """Real-time factors of parts: seconds of work for a second of audio."""
    speed_up: tuple[tuple[int, float], ...] = ()
    """How many workers were at work, and how much more audio was made a second than one of them makes alone, over the
    intervals in which so many were; the ideal is as many times."""


class WorkerRow(Frozen):
    """A worker."""

    worker: str
    host: str
    state: Literal["speaking", "waiting", "draining", "drained", "silent"]
    engine: str
    model: str
    device: str
    at_once: int
    """Sentences that its engine says at the same time."""
    book_id: str
    """Of the part in hand; empty when it has none."""
    title: str
    chapter: int
    """Number, from 1; 0 when it has no part in hand."""
    sentence: int
    sentences: int
    problem: str
    """What it waits for that is away."""
    partitions: tuple[int, ...]
    express: tuple[int, ...]
    done: int
    failed: int
    retaken: int
    doubtful: int
    real_time_factor: float | None
    """Seconds of work for a second of audio; None before its first audio."""
    characters_per_second: float | None
    """Of work; None before its first part."""
    cpu: float
    """Cores that it keeps busy."""
    resident: int
    """In bytes."""
    memory: int
    """GPU memory of its engine, in bytes."""
    gpu: GpuRecord | None
    uptime: float
    """Seconds of wall time."""
    last_take: float | None
    """Seconds since its last take; None before its first."""
    age: float
    """Seconds since its last heartbeat."""
    wish: Wish = "work"
    """What its owner wants of it."""


class PartitionRow(Frozen):
    """A partition of a topic of jobs."""

    topic: str
    partition: int
    owner: str
    """Worker; empty when nobody has it."""
    parts: int
    seconds: float
    committed: int
    end: int


class RetryRow(Frozen):
    """A part that waits to be tried again."""

    book_id: str
    title: str
    part: int
    attempts: int
    due: float
    worker: str
    """With which it failed."""
    reason: str


class QueuePage(Frozen):
    """What waits, and what is wrong."""

    taken: float | None
    """When the merger looked at Kafka; None when nobody has yet."""
    partitions: tuple[PartitionRow, ...] = ()
    skew: float | None = None
    """Seconds that wait in the fullest partition of the chapters topic over the mean; None when nothing waits."""
    rebalances: int = 0
    """That the listed workers have seen, most of one of them."""
    retries: tuple[RetryRow, ...] = ()
    letters: tuple[Entry, ...] = ()
    """The last dead letter of each part, and all that are of none, newest first; at most `LETTERS` of
    `monitor.history`."""


class Agreement(Frozen):
    """Whether checkpoint, events and storage say the same of a book."""

    book_id: str
    title: str
    parts: int
    recorded: int
    """Parts that the checkpoint says are done."""
    told: int
    """Parts of which an event says so; the topic keeps a week."""
    stored: int
    """Parts whose audio and sidecar are there."""
    missing: tuple[int, ...] = ()
    """Recorded as done and not stored."""
    unrecorded: tuple[int, ...] = ()
    """Stored and not recorded as done."""
