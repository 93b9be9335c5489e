"""What storage says of books beside their audio: what is wanted of them, their covers and their finished files.

Looking takes time where storage is slow, so a thread does it, and no page waits.
"""

from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple

from pydantic import ValidationError

from e2a import log
from e2a.errors import Unavailable
from e2a.plan import BITRATE, Accounting, Digest, Frozen, Order
from e2a.report import ReportedFile
from e2a.storage import ObjectStore, book_ids, keys, read_order, read_report
from monitor.records import Reading

COVER = "cover."
"""What the name of a cover begins with."""
OUTPUT = "output/"
OPENED = 8
"""Most books whose text is remembered."""
ODD = 3
"""Books that cannot be read after which storage itself counts as away."""

logger = log.get(__name__)


class Finished(NamedTuple):
    """What is shown of the report of a finished book."""

    size: int
    """Of the report, in bytes."""
    title: str
    authors: str
    audio_seconds: float
    files: tuple[ReportedFile, ...]
    problems: tuple[str, ...]
    """What the reader had to read around, and what it lacks of what was asked for."""
    loudness: tuple[float | None, ...]
    """Of its chapters, in LUFS."""


class Name(Frozen):
    """How a book is called, as its plan says."""

    title: str
    authors: tuple[str, ...] = ()


class Facts(NamedTuple):
    """What storage says of a book."""

    has_plan: bool
    is_retired: bool
    """Whether its plan was taken away, because it is being removed."""
    order: Order = Order()
    cover: bool = False
    finished: Finished | None = None
    name: Name | None = None
    """None when the checkpoint has it, or when it cannot be read."""


class _Sentence(Frozen):
    text: str


class _Part(Frozen):
    digest: Digest
    sentences: tuple[_Sentence, ...]


class _Chapter(Frozen):
    parts: tuple[_Part, ...]


class _Output(Frozen):
    bitrate: int = BITRATE


class _Draft(Frozen):
    """What is read of a plan: half of the time, and of the memory, that a whole one takes."""

    output: _Output = _Output()
    accounting: Accounting | None = None
    problems: tuple[str, ...] = ()
    chapters: tuple[_Chapter, ...]


class Script(NamedTuple):
    """What is shown of a plan."""

    bitrate: int
    accounting: Accounting | None
    problems: tuple[str, ...]
    digests: tuple[str, ...]
    """Of all parts."""
    texts: tuple[tuple[str, ...], ...]
    """The sentences of each part."""


class Archive:
    """All books of storage. One thread reads it, any number look at it.

    Args:
        store: where books live.
        clock: Unix time in seconds.
    """

    def __init__(self, store: ObjectStore, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock
        self._names: dict[str, Name] = {}
        self._scripts: dict[str, Script] = {}
        self._away = False
        self.facts: Mapping[str, Facts] = {}
        """By the ids of books; replaced, never changed."""
        self.reading = Reading()

    def read(self, recorded: Collection[str]) -> None:
        """Look at all books; the plans of those that are not among `recorded` are read for their names."""
        began, odd = self._clock(), list[Unavailable]()
        try:
            found = {book_id: self._facts(book_id, book_id in recorded, odd) for book_id in book_ids(self._store)}
        except Unavailable as error:
            self._note(error)
            self._away = True
            return
        self.facts = {book_id: facts for book_id, facts in found.items() if facts}
        self._names = {book_id: name for book_id, name in self._names.items() if book_id in found}
        self._away = False
        if odd:
            self._note(odd[0])
        self.reading = Reading(taken=began, problem=self.reading.problem if odd else "")

    def script(self, book_id: str) -> Script | None:
        """Return what is shown of the plan of a book; None when it cannot be read, or while storage is away."""
        known = self._scripts
        if book_id in known or self._away:
            return known.get(book_id)
        try:
            script = self._script(book_id)
        except Unavailable as error:
            self._note(error)
            self._away = True
            return None
        if script is not None:  # a plan never changes
            self._scripts = dict([*known.items(), (book_id, script)][-OPENED:])
        return script

    def _note(self, error: Unavailable) -> None:
        if not self.reading.problem:
            logger.warning("monitor.source_away", reason=str(error))
        self.reading = self.reading.model_copy(update={"problem": str(error)})

    def _facts(self, book_id: str, recorded: bool, odd: list[Unavailable]) -> Facts | None:
        """Return what is there of a book, or what was, where that cannot be read; raise when it is one of too many."""
        try:
            return self._look(book_id, recorded)
        except Unavailable as error:
            odd.append(error)
            if len(odd) >= ODD:
                raise
            return self.facts.get(book_id)

    def _look(self, book_id: str, recorded: bool) -> Facts | None:
        """Return what is there of a book; None where nothing is left but a directory."""
        folder = keys.book(book_id, "")
        names = {key.removeprefix(folder) for key in self._store.list(folder)}
        if not names & {keys.PLAN, keys.REMOVED, keys.SOURCE}:
            return None
        has_plan = keys.PLAN in names
        finished = self._finished(book_id) if has_plan and OUTPUT in names else None
        return Facts(
            has_plan=has_plan,
            is_retired=keys.REMOVED in names,
            order=read_order(self._store, book_id) if keys.ORDER in names else Order(),
            cover=any(name.startswith(COVER) for name in names),
            finished=finished,
            name=None if recorded or finished else self._name(book_id, keys.PLAN if has_plan else keys.REMOVED),
        )

    def _finished(self, book_id: str) -> Finished | None:
        """Return what the report of a book says, which is read once: it never changes, but may be removed."""
        size = self._store.size(keys.report(book_id))
        known = self.facts.get(book_id)
        if size is not None and known and known.finished and known.finished.size == size:
            return known.finished
        report = read_report(self._store, book_id)
        if size is None or report is None:
            return None
        return Finished(
            size=size,
            title=report.title,
            authors=", ".join(report.authors),
            audio_seconds=report.audio_seconds,
            files=report.files,
            problems=report.problems,
            loudness=tuple(chapter.loudness for chapter in report.chapters),
        )

    def _name(self, book_id: str, plan: str) -> Name | None:
        """Return the name that the plan of a book has, which is read once."""
        if book_id not in self._names:
            try:
                self._names[book_id] = Name.model_validate_json(self._store.get(keys.book(book_id, plan)))
            except (KeyError, ValidationError):
                return None
        return self._names[book_id]

    def _script(self, book_id: str) -> Script | None:
        try:
            draft = _Draft.model_validate_json(self._store.get(keys.book(book_id, keys.PLAN)))
        except (KeyError, ValidationError):
            return None
        parts = [part for chapter in draft.chapters for part in chapter.parts]
        return Script(
            bitrate=draft.output.bitrate,
            accounting=draft.accounting,
            problems=draft.problems,
            digests=tuple(part.digest for part in parts),
            texts=tuple(tuple(sentence.text for sentence in part.sentences) for part in parts),
        )
