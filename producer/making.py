"""Books into audiobooks: each is submitted in turn, then all are followed, and each is delivered when it is done."""

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import NamedTuple, Protocol

from rich.table import Column

from e2a import traits
from e2a.bus import Admin, KafkaPublisher, KafkaServer
from e2a.checkpoint import BookRecord, RedisCheckpoint, open_checkpoint
from e2a.errors import ExitCode, Refused, Retryable, UserError
from e2a.placement import Placed, layouts
from e2a.plan import Part, Plan
from e2a.report import Report
from e2a.settings import ProducerSettings, SpeechSettings, SynthSettings, load
from e2a.shelf import change_order
from e2a.storage import ObjectStore, open_store, read_master, read_order, read_report
from e2a.topics import topics
from producer import delivery, follow, ingest, terminal, voices
from producer.terminal import console, note, say

PROGRAM = "e2a-produce"


class Places:
    """Where audiobooks go: no two of one command to the same place.

    Args:
        folder: of all of them; None puts each beside its book.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder.expanduser() if folder else None
        self._taken: dict[str, Path] = {}

    def base(self, path: Path) -> Path:
        """Return the folder that the audiobook of an EPUB goes to, and its name without a suffix."""
        return (self._folder or path.parent) / path.stem

    def take(self, path: Path, names: Iterable[str]) -> Path:
        """Keep the place of a book for it, and return its `base`; `names` of its files come after that.

        Raises:
            UserError: another book goes there, or the files cannot be written there (exit code CANNOT_WRITE).
        """
        base = self.base(path)
        other = self._taken.get(os.path.abspath(base))
        if other is not None:
            raise UserError(f"{path}: would be put where {other} is, as {base}", ExitCode.CANNOT_WRITE)
        delivery.check(base, names)
        self._taken[os.path.abspath(base)] = path
        return base


class Wish(NamedTuple):
    """What is to be done with every book."""

    settings: ProducerSettings
    options: ingest.Options
    places: Places
    """Where audiobooks go."""
    detach: bool = False
    """Whether nobody waits for the books."""
    sequential: bool = False
    """Whether they are made in this process."""
    urgent: bool = False
    """Whether they go before others."""


class Submitted(NamedTuple):
    """A book that somebody else makes."""

    path: Path
    plan: "Summary"
    before: BookRecord | None
    """Its record before it was announced."""


class Summary(NamedTuple):
    """What has to be remembered of a plan: many books are made at once."""

    book_id: str
    title: str
    chapters: int
    problems: tuple[str, ...]
    """What was told already."""

    @classmethod
    def of(cls, plan: Plan) -> "Summary":
        """Return it of a plan."""
        return cls(plan.book_id, plan.title, len(plan.chapters), plan.problems)


class Outcome(NamedTuple):
    """What became of a book, as it is shown at the end."""

    book: str
    result: str
    chapters: str = ""
    length: str = ""
    where: str = ""
    """Where its files are, or why there are none."""


class Maker(Protocol):
    """Makes books in this process: `producer.sequential.Maker`."""

    def make(self, plan: Plan, parts: Sequence[Part], store: ObjectStore, show: follow.Show) -> BookRecord: ...


class Servers(NamedTuple):
    """Kafka and Redis."""

    admin: Admin
    publisher: KafkaPublisher
    checkpoint: RedisCheckpoint


class Cluster:
    """Kafka and Redis, looked for when a book first needs them.

    What one book did not find no other waits for again.
    """

    def __init__(self, settings: ProducerSettings) -> None:
        self._settings = settings
        self._found: Servers | UserError | None = None
        self._placed: list[tuple[float, Placed]] = []
        """What was published when: nobody may have looked at what waits since."""

    def servers(self) -> Servers:
        """Return the servers, once all of them answer and the topics are there.

        Raises:
            UserError: one does not answer (exit code UNAVAILABLE).
        """
        if self._found is None:
            self._found = self._look()
        if isinstance(self._found, UserError):
            raise self._found
        return self._found

    def announce(self, plan: Plan, missing: Sequence[Part], *, urgent: bool) -> BookRecord | None:
        """Announce a book and publish its missing parts; return its record as it was before."""
        admin, publisher, checkpoint = self.servers()
        before = checkpoint.book(plan.book_id)
        now, queue = time.time(), checkpoint.queue()
        where = layouts(admin.partitions(), checkpoint.workers(), queue, now)
        for at, placed in self._placed:
            where = where if queue and at < queue.taken else placed.loaded(where)
        self._placed.append((now, ingest.publish(plan, missing, publisher, where, urgent=urgent)))
        return before

    def _look(self) -> Servers | UserError:
        server, patience = KafkaServer.of(self._settings), self._settings.patience
        admin, checkpoint = Admin(server, patience), open_checkpoint(self._settings)
        try:
            require(admin.partitions, checkpoint.check)
            require(lambda: admin.ensure_topics(topics(self._settings.partitions)))
        except UserError as error:
            return error
        return Servers(admin, KafkaPublisher(server, patience), checkpoint)


class Making:
    """Makes books, one or many. Of many an odd one stops no other: it is told, and counts for the exit code.

    Args:
        wish: what is to be done with every book.
        paths: of the EPUBs.
    """

    def __init__(self, wish: Wish, paths: Sequence[Path]) -> None:
        self._wish = wish
        self._paths = paths
        self._several = len(paths) > 1
        self._cluster = Cluster(wish.settings)
        self._opened: ObjectStore | None = None
        self._maker: Maker | None = None
        self._titles: dict[Path, str] = {}
        self._outcomes: dict[Path, Outcome] = {}
        self._codes: list[ExitCode] = []

    def run(self) -> int:
        """Make all books; return the exit code.

        Raises:
            UserError: of one book, why it could not be made.
            Retryable: likewise.
        """
        followed = []
        for path in self._paths:
            with self._each(path):
                if book := self._submit(path):
                    followed.append(book)
        if followed:
            self._follow(followed)
        if not self._several:
            return ExitCode.OK
        numbers = [Column(name, justify="right") for name in ("chapters", "length")]
        columns = [terminal.title_column("book"), Column("outcome"), *numbers, Column()]
        terminal.show_table(columns, [self._outcomes[path] for path in self._paths])
        return terminal.code_of(self._codes)

    @contextmanager
    def _each(self, path: Path, chapters: str = "") -> Iterator[None]:
        """Note what a book came to when it fails; of a single one that is for others to tell."""
        try:
            yield
        except (UserError, Retryable) as error:
            if not self._several:
                raise
            title = self._titles.get(path, path.name)
            terminal.complain(PROGRAM, error, title, [str(path)])
            self._codes.append(terminal.code_for(error))
            reason = " ".join(str(error).split())
            self._outcomes[path] = Outcome(title, "failed", chapters, "", reason)

    def _submit(self, path: Path) -> Submitted | None:
        """Submit a book; None when there is nothing to follow: it is made here, finished, or nobody waits for it."""
        submission = ingest.prepare(path, self._wish.options)
        plan = submission.plan
        self._titles[path] = plan.title
        heading = plan.title if self._several else ""
        check_licence(plan, self._wish.settings)
        if not self._wish.detach:
            self._wish.places.take(path, delivery.expected(plan.output))
        store = self._store()
        finished = read_report(store, plan.book_id) is not None
        if not finished:
            plan = ingest.store_book(submission, store)
        note(plan.problems, heading)
        if submission.unread:
            left_out = f"not read: {', '.join(submission.unread)}; --list-chapters shows why, --matter keep reads it"
            note([left_out], heading)
        kept = Summary.of(plan)
        if not finished:
            if not self._wish.sequential:
                self._cluster.servers()
            missing = _missing_parts(plan, store, heading)
            change_order(store, plan.book_id, state="wanted", **({"urgent": True} if self._wish.urgent else {}))
            if self._wish.sequential:
                self._end(path, kept, self._sequentially(plan, missing, store))
                return None
            urgent = read_order(store, plan.book_id).urgent
            before = self._cluster.announce(plan, missing, urgent=urgent)
            if not self._wish.detach:
                return Submitted(path, kept, before)
        if self._wish.detach:
            self._leave(path, kept, finished=finished)
        else:
            self._end(path, kept)
        return None

    def _sequentially(self, plan: Plan, parts: Sequence[Part], store: ObjectStore) -> str:
        """Make a book in this process; return why it is not whole, or an empty string."""
        if self._maker is None:
            asked = self._wish.settings.model_dump(include=set(SpeechSettings.model_fields))
            self._maker = sequential_mode().Maker(load(SynthSettings).model_copy(update=asked))
        maker: Maker = self._maker
        with follow.display(console, [plan.title]) as (show,):
            return maker.make(plan, parts, store, show).reason

    def _store(self) -> ObjectStore:
        if self._opened is None:
            self._opened = open_checked_store(self._wish.settings)
        return self._opened

    def _follow(self, books: Sequence[Submitted]) -> None:
        """Follow books until all have ended; deliver each as soon as it has."""
        checkpoint, store = self._cluster.servers().checkpoint, self._store()
        followers = [follow.Follower(checkpoint, store, book.plan.book_id, before=book.before) for book in books]
        with follow.display(console, [book.plan.title for book in books]) as shows:
            for number, look in follow.follow(zip(followers, shows, strict=True)):
                path, plan, _ = books[number]
                if self._several:
                    with self._each(path, f"{look.numbers.chapters_done}/{plan.chapters}"):
                        self._end(path, plan, look.reason)
                    shows[number](look.numbers, self._outcomes[path].result)
        if not self._several:  # what is said of a single book comes after its bar
            self._end(path, plan, look.reason)

    def _leave(self, path: Path, plan: Summary, *, finished: bool) -> None:
        """Say what becomes of a book that nobody waits for."""
        said = "is submitted: run the same command without --detach to follow and fetch it"
        if finished:
            said = "is finished: run the same command without --detach to fetch it"
        say(f"{plan.title!r} {said}")
        self._outcomes[path] = Outcome(plan.title, "finished" if finished else "submitted", str(plan.chapters))

    def _end(self, path: Path, plan: Summary, reason: str = "") -> None:
        """Deliver a book that has ended, unless there is a reason why it is not whole."""
        if reason:
            raise UserError(f"{plan.title!r} is not whole: {reason}", ExitCode.BOOK_FAILED)
        base = self._wish.places.base(path)
        report = deliver(plan, self._store(), base, plan.title if self._several else "")
        length, where = delivery.duration(report.audio_seconds), str(delivery.main_file(report, base))
        self._outcomes[path] = Outcome(plan.title, "done", str(plan.chapters), length, where)


def check_licence(plan: Plan, settings: ProducerSettings) -> None:
    """Raise `UserError` unless what the licence of a model asks for is accepted (exit code CONFIG)."""
    if traits.under_cpml(plan.speech.engine, plan.speech.model) and not settings.accept_cpml:
        raise UserError(voices.CPML, ExitCode.CONFIG)


def open_checked_store(settings: ProducerSettings) -> ObjectStore:
    """Return the store that the settings name. Raises `UserError` when it cannot be written."""
    store = open_store(settings)
    require(store.check)
    return store


def require(*checks: Callable[[], object]) -> None:
    """Raise one `UserError` that names every server that does not answer, or does not let us in (exit code CONFIG)."""
    problems = list[Retryable]()
    for check in checks:
        try:
            check()
        except Retryable as error:
            problems.append(error)
    if problems:
        refused = any(isinstance(each, Refused) for each in problems)
        reason = "; ".join(map(str, problems))
        raise UserError(f"not reachable: {reason}", ExitCode.CONFIG if refused else ExitCode.UNAVAILABLE)


def sequential_mode() -> ModuleType:
    """Return what makes books in this process. Raises `UserError` where its packages are missing."""
    try:
        from producer import sequential  # noqa: PLC0415 - needs the packages of all services, the cluster does not
    except ImportError as error:
        raise UserError(f"--sequential needs the extras synth and merger: {error}", ExitCode.UNAVAILABLE) from error
    return sequential


def deliver(plan: Summary, store: ObjectStore, base: Path, heading: str = "") -> Report:
    """Fetch the files of a finished book, say which, and return its report.

    Args:
        plan: of the book.
        store: where the files are.
        base: the folder that they go to, and the book's own name.
        heading: name of the book where there are several.

    Raises:
        UserError: they cannot be written.
        Retryable: storage cannot be reached, or the book is no longer there.
    """
    done = read_report(store, plan.book_id)
    if done is None:
        raise Retryable(f"the finished {plan.title!r} has left storage; run the same command again")
    note((problem for problem in done.problems if problem not in plan.problems), heading)
    for line in delivery.deliver(done, store, base):
        say(line)
    if done.retakes:
        doubtful = sum(bool(retake.doubtful) for retake in done.retakes)
        report = delivery.place(base, delivery.REPORT)
        say(f"{len(done.retakes)} sentences had a bad take, {doubtful} are kept doubtful: see {report}", heading)
    return done


def _missing_parts(plan: Plan, store: ObjectStore, heading: str) -> list[Part]:
    """Return the parts that are to be made, and tell how many are to be spoken: of an edited book, those that changed.

    The others of them were spoken for a book of another bit rate, and are only to be encoded.
    """
    missing = ingest.missing_parts(plan, store)
    unspoken = sum(read_master(store, part.digest) is None for part in missing)
    said = f"{unspoken} of {len(plan.parts)} parts to speak, {len(plan.parts) - unspoken} are there already"
    say(said, heading)
    return missing
