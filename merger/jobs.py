"""Jobs that the merger publishes: of parts that are made anew, tried again, or fell between, and of those given up."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import groupby
from typing import Literal

from e2a import log, metrics
from e2a.bus import Publisher
from e2a.checkpoint import Checkpoint, PartRecord, part_lease
from e2a.errors import Unavailable
from e2a.messages import PAYLOAD_CHARACTERS, DeadLetter, chapter_job, encode
from e2a.placement import Layout, avoiding, dispatch, layouts
from e2a.plan import Part, Plan
from e2a.storage import ObjectStore, read_plan
from e2a.topics import CHAPTERS, DEAD_LETTERS, EXPRESS, QUEUES
from merger.books import Books
from merger.fold import found, published

Reason = Literal["damaged", "retried", "fallen", "wanted", "urgent"]

logger = log.get(__name__)


class Jobs:
    """Publishes jobs. Thread-safe; every method raises `Unavailable` when a server is away, and may be called again.

    Args:
        store: where plans and parts live.
        checkpoint: how far every book has got, what waits and who works.
        books: its records.
        publisher: where jobs and dead letters go.
        partitions: asks how many partitions each topic has.
        clock: Unix time in seconds.
    """

    def __init__(
        self,
        *,
        store: ObjectStore,
        checkpoint: Checkpoint,
        books: Books,
        publisher: Publisher,
        partitions: Callable[[], Mapping[str, int]],
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._checkpoint = checkpoint
        self._books = books
        self._publisher = publisher
        self._partitions = partitions
        self._clock = clock

    def publish(self, plan: Plan, parts: Sequence[Part], reason: Reason) -> None:
        """Publish jobs of a book again; each says which attempt it is."""
        records = self._checkpoint.parts(plan.book_id)
        book = self._checkpoint.book(plan.book_id)
        self._dispatch(plan, parts, records, reason, urgent=bool(book and book.urgent))

    def hasten(self, book_id: str) -> None:
        """Publish by express what is to be made of a book and nobody is at; its jobs wait behind those of others."""
        plan = read_plan(self._store, book_id)
        if plan is None:
            return
        ready = [plan.parts[index] for index in self._checkpoint.ready(book_id) if index < len(plan.parts)]
        held = self._checkpoint.held([part_lease(part.digest) for part in ready])
        if waiting := [part for part in ready if part_lease(part.digest) not in held]:
            self._dispatch(plan, waiting, self._checkpoint.parts(book_id), "urgent", urgent=True)

    def retry(self, book_id: str) -> None:
        """Publish those parts of a book whose time to be tried again has come, not to whom they failed with."""
        due = [index for index, at in self._checkpoint.retries(book_id).items() if at <= self._clock()]
        plan = read_plan(self._store, book_id) if due else None
        if plan is None:
            return
        records = self._checkpoint.parts(book_id)
        waiting = sorted((index for index in due if index in records), key=lambda index: (records[index].worker, index))
        for worker, indices in groupby(waiting, key=lambda index: records[index].worker):
            parts = [plan.parts[index] for index in indices]
            self._dispatch(plan, parts, records, "retried", urgent=True, avoid=worker)
            for part in parts:
                self._checkpoint.update_part(book_id, part.index, partial(published, seen=records[part.index]))

    def recover(self, plan: Plan, indices: Sequence[int]) -> None:
        """Look up parts that nobody is at: storage has one, or it is published again."""
        missing = []
        for part in (plan.parts[index] for index in indices):
            made = self._books.as_stored(part, plan.output.bitrate)
            if made.state == "done":
                self._checkpoint.update_part(plan.book_id, part.index, partial(found, made=made))
            else:
                missing.append(part)
        logger.info("merge.fallen", book=plan.book_id, made=len(indices) - len(missing), published=len(missing))
        if missing:
            self.publish(plan, missing, "fallen")

    def give_up(self, book_id: str, index: int, record: PartRecord) -> None:
        """Send the job of a part that failed too often to the dead letters."""
        plan = read_plan(self._store, book_id)
        job = encode(chapter_job(plan, plan.parts[index], record.attempts)).decode() if plan else ""
        letter = DeadLetter(
            book_id=book_id,
            part=index,
            attempts=record.attempts,
            reason=record.reason,
            source="merger",
            payload=job[:PAYLOAD_CHARACTERS],
        )
        self._publisher.send(DEAD_LETTERS, [letter])
        metrics.DEAD_LETTERS.labels("job").inc()
        logger.warning("merge.part_given_up", book=book_id, part=index, attempts=record.attempts, reason=record.reason)

    def _dispatch(
        self,
        plan: Plan,
        parts: Sequence[Part],
        records: Mapping[int, PartRecord],
        reason: Reason,
        *,
        urgent: bool,
        avoid: str = "",
    ) -> None:
        attempts = {index: record.attempts + 1 for index, record in records.items() if record.state == "pending"}
        jobs = [chapter_job(plan, part, attempts.get(part.index, 1)) for part in parts]
        dispatch(jobs, self._publisher, self._layouts(avoid), urgent=urgent, first=int(plan.book_id, 16))
        metrics.JOBS_AGAIN.labels(reason).inc(len(jobs))

    def _layouts(self, avoid: str) -> Mapping[str, Layout]:
        partitions = self._partitions()
        if missing := sorted(set(QUEUES) - set(partitions)):
            raise Unavailable(f"Kafka: no topic {', '.join(missing)}")
        workers = self._checkpoint.workers()
        found = layouts(partitions, workers, self._checkpoint.queue(), self._clock())
        for worker in workers:
            if worker.worker == avoid:
                found[CHAPTERS] = avoiding(found[CHAPTERS], worker.partitions)
                found[EXPRESS] = avoiding(found[EXPRESS], worker.express)
        return found
