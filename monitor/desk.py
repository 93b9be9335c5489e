"""What viewers may do, by the same functions as `e2a-books`. The page asks; this does it, or refuses."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from e2a import deadletters, log
from e2a.bus import KafkaPublisher, KafkaServer, Publisher
from e2a.checkpoint import Checkpoint, Wish, open_checkpoint
from e2a.deadletters import Entry, Retried
from e2a.errors import ExitCode, UserError
from e2a.settings import MonitorSettings
from e2a.shelf import Removal, Shelf
from e2a.storage import ObjectStore, open_store
from monitor.once import once
from monitor.uploads import UploadOptions, Uploads

LETTING_GO = 5.0
"""Seconds that merger and workers have to let go of a book that is removed."""
logger = log.get(__name__)


class Servers(NamedTuple):
    """What is changed when viewers ask for it."""

    store: ObjectStore
    checkpoint: Checkpoint
    publisher: Publisher


@once
def servers(settings: MonitorSettings) -> Servers:
    """Return what this process changes. Raises `UserError` when settings cannot be used together."""
    publisher = KafkaPublisher(KafkaServer.of(settings), settings.patience)
    return Servers(open_store(settings), open_checkpoint(settings), publisher)


class Desk:
    """Changes books, parts and workers for one viewer. Every change is logged.

    Methods raise `Unavailable` when a server is away that is needed, and `UserError` when the page may not change
    anything (exit code USAGE), or where `Shelf` does.

    Args:
        store: where books live.
        checkpoint: how far they have got, and what is wanted of workers.
        publisher: how the merger hears of a change.
        uploads: of books that viewers send.
        changed: called when storage was changed so that the page shows it before its next look.
        may_change: False where viewers may only look.
        viewer: who they are; empty where nobody knows.
    """

    def __init__(
        self,
        store: ObjectStore,
        checkpoint: Checkpoint,
        publisher: Publisher,
        uploads: Uploads,
        changed: Callable[[], None],
        *,
        may_change: bool,
        viewer: str = "",
    ) -> None:
        self._store = store
        self._checkpoint = checkpoint
        self._publisher = publisher
        self._uploads = uploads
        self._changed = changed
        self.viewer = viewer
        self.may_change = may_change

    def pause(self, book_id: str) -> None:
        """Have nobody begin another part of a book until it is resumed."""
        self._shelf("pause", book_id).pause(book_id)

    def resume(self, book_id: str) -> None:
        """Go on with a book that was paused or cancelled."""
        self._shelf("resume", book_id).resume(book_id)

    def cancel(self, book_id: str) -> None:
        """Give a book up; what is spoken of it stays."""
        self._shelf("cancel", book_id).cancel(book_id)

    def set_urgent(self, book_id: str, urgent: bool) -> None:
        """Have a book made before the others, or when its turn comes."""
        self._shelf("urgent" if urgent else "not_urgent", book_id).set_urgent(book_id, urgent)

    def retry(self, book_id: str, parts: Sequence[int] = ()) -> None:
        """Have parts of a book that have failed tried again: all when none is named."""
        self._shelf("retry", book_id).retry(book_id, parts)

    def remove(self, book_id: str) -> Removal:
        """Remove a book and the parts that no other book has."""
        removal = self._shelf("remove", book_id).remove(book_id, LETTING_GO)
        self._changed()
        return removal

    def redrive(self, entries: Iterable[Entry]) -> Retried:
        """Have the parts of dead letters tried again, but for those that are done."""
        chosen = list(entries)
        return deadletters.retry(chosen, self._shelf("redrive", ",".join(str(each.letter.number) for each in chosen)))

    def wish(self, worker: str, wish: Wish) -> None:
        """Say what is wanted of a worker."""
        self._allow(wish, worker)
        self._checkpoint.set_wish(worker, wish)

    def preview(self, name: str, data: bytes, options: UploadOptions) -> str:
        """Return a table of what would be read of an EPUB; raises `UserError` when it cannot be."""
        self._allow("preview", name)
        return self._uploads.chapters(name, data, options)

    def send(self, name: str, data: bytes, options: UploadOptions) -> None:
        """Have an EPUB made; what becomes of it is listed among the uploads."""
        self._allow("upload", name)
        self._uploads.begin(name, data, options)

    def _shelf(self, deed: str, target: str) -> Shelf:
        """Return the books; a shelf that found the checkpoint away does not ask it again, so each deed has its own."""
        self._allow(deed, target)
        return Shelf(self._store, self._checkpoint, self._publisher)

    def _allow(self, deed: str, target: str) -> None:
        if not self.may_change:
            raise UserError("this page only shows: E2A_MONITOR_READ_ONLY is set", ExitCode.USAGE)
        logger.info("monitor.changed", deed=deed, target=target, viewer=self.viewer)
