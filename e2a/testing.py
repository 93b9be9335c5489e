"""In-memory kernel: a bus, a store, a checkpoint and a clock that pass the tests of the real ones.

Unit tests and sequential mode run on it.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Generic, TypeVar

from e2a.bus import Dated, Handler, Lag, Letter, process
from e2a.bus.tail import BATCH, Record, read_dated_letter, read_event
from e2a.checkpoint import BookRecord, NotRecorded, PartRecord, QueueRecord, Stage, Wish, WorkerRecord
from e2a.errors import Poison
from e2a.messages import ChapterJob, Message, decode, encode
from e2a.storage.directory import renamed
from e2a.topics import DEAD_LETTERS, EVENTS, QUEUES

Item = TypeVar("Item")


class Clock:
    """A clock that moves when it is told to; call it for the time in seconds."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class MemoryBroker:
    """`Publisher` and `Backlog` whose topics are lists; a partition of the topics of jobs has one committed offset.

    Args:
        partitions: of each topic.
        clock: Unix time in seconds, for when a message is published.
    """

    def __init__(self, partitions: int = 1, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._times: dict[tuple[str, int, int], float] = {}
        self.logs: dict[str, list[list[bytes]]] = defaultdict(lambda: [[] for _ in range(partitions)])
        self.committed = {topic: [0] * partitions for topic in QUEUES}
        self._taken: dict[tuple[str, int], int] = defaultdict(int)

    def send(self, topic: str, messages: Iterable[Message], partitions: Iterable[int] | None = None) -> None:
        batch = list(messages)
        targets = [0] * len(batch) if partitions is None else list(partitions)
        for message, partition in zip(batch, targets, strict=True):
            self.send_raw(topic, encode(message), partition)

    def send_raw(self, topic: str, raw: bytes, partition: int = 0) -> None:
        """Append bytes as they are, readable or not."""
        self._times[topic, partition, len(self.logs[topic][partition])] = self._clock()
        self.logs[topic][partition].append(raw)

    def messages(self, topic: str) -> list[Message]:
        """Return all messages of a topic, partition by partition."""
        return [decode(raw) for partition in self.logs[topic] for raw in partition]

    def take(self, topic: str) -> list[Message]:
        """Return the messages of a topic that were not taken before, partition by partition."""
        fresh = []
        for partition, records in enumerate(self.logs[topic]):
            fresh += [decode(raw) for raw in records[self._taken[topic, partition] :]]
            self._taken[topic, partition] = len(records)
        return fresh

    def event_tail(self) -> "MemoryTail[Dated]":
        """Return what `e2a.bus.event_tail` does of a cluster."""
        return MemoryTail(self, EVENTS, read_event)

    def letter_tail(self) -> "MemoryTail[Letter]":
        """Return what `e2a.bus.letter_tail` does of a cluster."""
        return MemoryTail(self, DEAD_LETTERS, read_dated_letter)

    def records(self, topic: str, partition: int, first: int) -> list[Record]:
        """Return the records of a partition from an offset on."""
        found = enumerate(self.logs[topic][partition][first:], first)
        return [Record(offset, self._times[topic, partition, offset], raw) for offset, raw in found]

    def step(self, handle: Handler, worker: str) -> bool:
        """Process the next job as `JobConsumer` does; False when none is left or the job was handed back."""
        for topic, partition, offset, raw in self._waiting():
            source = f"{topic}/{partition}/{offset}"
            outcome = process(raw, source=source, worker=worker, handle=handle, abandoned=threading.Event())
            if outcome.handed_back:
                return False
            if outcome.dead_letter is not None:
                self.send(DEAD_LETTERS, [outcome.dead_letter])
            if outcome.event is not None:
                self.send(EVENTS, [outcome.event])
            self.committed[topic][partition] = offset + 1
            return True
        return False

    def refresh(self) -> None:
        return

    def queued(self) -> set[tuple[str, int]]:
        return {(job.book_id, job.part.index) for _where, job in self._jobs()}

    def lags(self) -> list[Lag]:
        seconds: dict[tuple[str, int], float] = defaultdict(float)
        for where, job in self._jobs():
            seconds[where] += job.part.estimate
        return [
            Lag(topic, partition, committed, len(self.logs[topic][partition]), seconds[topic, partition])
            for topic, offsets in self.committed.items()
            for partition, committed in enumerate(offsets)
        ]

    def _jobs(self) -> Iterator[tuple[tuple[str, int], ChapterJob]]:
        """Yield topic, partition and job of what can be read of `_waiting`."""
        for topic, partition, _offset, raw in self._waiting():
            with suppress(Poison):
                job = decode(raw)
                if isinstance(job, ChapterJob):
                    yield (topic, partition), job

    def _waiting(self) -> Iterator[tuple[str, int, int, bytes]]:
        """Yield what is not committed, the express topic first: topic, partition, offset, message."""
        for topic, offsets in self.committed.items():
            for partition, committed in enumerate(offsets):
                for offset, raw in enumerate(self.logs[topic][partition][committed:], committed):
                    yield topic, partition, offset, raw


class MemoryTail(Generic[Item]):
    """`Tail` of a topic of a `MemoryBroker`; a topic whose lists were removed is made anew.

    Args:
        broker: that has the topic.
        topic: its name.
        read: a record as what it says, or None for one that is passed over.
    """

    def __init__(self, broker: MemoryBroker, topic: str, read: Callable[[Record], Item | None]) -> None:
        self._broker = broker
        self._topic = topic
        self._read = read
        self._generation = 0
        self._log = broker.logs[topic]
        self._positions: dict[int, int] | None = None

    def poll(self) -> list[Item]:
        log = self._broker.logs[self._topic]
        if log is not self._log:
            self._log, self._positions = log, None
            self._generation += 1
        self._positions = self._positions or dict.fromkeys(range(len(log)), 0)
        found: list[Item] = []
        for partition, position in self._positions.items():
            records = self._broker.records(self._topic, partition, position)[: BATCH - len(found)]
            self._positions[partition] += len(records)
            found += [item for item in map(self._read, records) if item is not None]
        return found

    def behind(self) -> int | None:
        if self._positions is None:
            return None
        return sum(len(records) - self._positions[number] for number, records in enumerate(self._log))

    def generation(self) -> int:
        return self._generation


class MemoryStore:
    """`ObjectStore` in a dictionary."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def check(self) -> None:
        return

    def put(self, key: str, data: bytes) -> None:
        self.objects[key] = data

    def put_file(self, key: str, path: Path) -> None:
        self.objects[key] = path.read_bytes()

    def get(self, key: str) -> bytes:
        return self.objects[key]

    def read(self, key: str, offset: int, length: int) -> bytes:
        return self.objects[key][offset : offset + length]

    def get_file(self, key: str, path: Path) -> None:
        data = self.objects[key]
        with renamed(path) as temporary:
            temporary.write_bytes(data)

    def size(self, key: str) -> int | None:
        data = self.objects.get(key)
        return None if data is None else len(data)

    def delete(self, key: str) -> None:
        self.objects.pop(key, None)

    def list(self, prefix: str) -> Iterator[str]:
        names = (key.removeprefix(prefix).partition("/") for key in self.objects if key.startswith(prefix))
        return iter(sorted({f"{prefix}{name}{slash}" for name, slash, _ in names}))


class MemoryCheckpoint:
    """`Checkpoint` in dictionaries. Thread-safe."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._books: dict[str, BookRecord] = {}
        self._parts: dict[str, dict[int, PartRecord]] = {}
        self._leases: dict[str, tuple[str, float]] = {}
        self._attempts: dict[str, int] = defaultdict(int)
        self._workers: dict[str, WorkerRecord] = {}
        self._wishes: dict[str, Wish] = {}
        self._whole = False
        self._queue: QueueRecord | None = None

    def lose(self) -> None:
        """Lose everything, as a Redis without its data does."""
        with self._lock:
            for memory in (self._books, self._parts, self._leases, self._attempts, self._workers, self._wishes):
                memory.clear()
            self._whole = False
            self._queue = None

    def check(self) -> None:
        return

    def is_whole(self) -> bool:
        return self._whole

    def declare_whole(self) -> None:
        self._whole = True

    def seed(self, book: BookRecord, parts: Mapping[int, PartRecord]) -> None:
        with self._lock:
            self._books[book.book_id] = book
            self._parts[book.book_id] = dict(sorted(parts.items()))

    def forget(self, book_id: str) -> None:
        with self._lock:
            self._books.pop(book_id, None)
            self._parts.pop(book_id, None)

    def books(self) -> list[str]:
        return sorted(self._books, key=lambda book_id: self._books[book_id].start_time)

    def stages(self) -> dict[str, Stage]:
        in_order = sorted(self.books(), key=lambda book_id: not self._books[book_id].urgent)
        return {book_id: self._books[book_id].stage for book_id in in_order}

    def stage(self, book_id: str) -> Stage | None:
        book = self._books.get(book_id)
        return None if book is None else book.stage

    def book(self, book_id: str) -> BookRecord | None:
        return self._books.get(book_id)

    def parts(self, book_id: str) -> dict[int, PartRecord]:
        return dict(self._parts.get(book_id, {}))

    def part(self, book_id: str, index: int) -> PartRecord | None:
        return self._parts.get(book_id, {}).get(index)

    def pending(self, book_id: str) -> int:
        return sum(record.state == "pending" for record in self.parts(book_id).values())

    def ready(self, book_id: str) -> list[int]:
        parts = self.parts(book_id)
        return [index for index, each in parts.items() if each.state == "pending" and not each.retry_at]

    def retries(self, book_id: str) -> dict[int, float]:
        return {index: record.retry_at for index, record in self.parts(book_id).items() if record.retry_at}

    def update_book(self, book_id: str, change: Callable[[BookRecord], BookRecord]) -> BookRecord:
        with self._lock:
            if book_id not in self._books:
                raise NotRecorded(book_id)
            self._books[book_id] = change(self._books[book_id])
            return self._books[book_id]

    def update_part(self, book_id: str, index: int, change: Callable[[PartRecord], PartRecord]) -> PartRecord:
        with self._lock:
            parts = self._parts.get(book_id, {})
            if index not in parts:
                raise NotRecorded(f"{book_id}/{index}")
            parts[index] = change(parts[index])
            return parts[index]

    def claim(self, name: str, holder: str, ttl: float) -> int:
        with self._lock:
            if self._owner(name) not in {holder, ""}:
                return 0
            self._attempts[name] += 1
            self._leases[name] = (holder, self._clock() + ttl)
            return self._attempts[name]

    def deaths(self, name: str, holder: str) -> int:
        with self._lock:
            return self._attempts.get(name, 0) if self._owner(name) in {holder, ""} else 0

    def survive(self, name: str) -> None:
        with self._lock:
            if self._attempts.get(name, 0) > 1:
                self._attempts[name] -= 1

    def dead(self) -> dict[str, int]:
        with self._lock:
            return {name: count for name, count in self._attempts.items() if count and not self._owner(name)}

    def renew(self, name: str, holder: str, ttl: float) -> bool:
        with self._lock:
            if self._owner(name) not in {holder, ""}:
                return False
            self._leases[name] = (holder, self._clock() + ttl)
            return True

    def held(self, names: Sequence[str]) -> set[str]:
        return {name for name in names if self._owner(name)}

    def release(self, name: str, holder: str) -> None:
        with self._lock:
            if self._owner(name) == holder:
                del self._leases[name]
                self._attempts.pop(name, None)

    def heartbeat(self, worker: WorkerRecord) -> None:
        self._workers[worker.worker] = worker

    def sign_off(self, worker: str) -> None:
        self._workers.pop(worker, None)

    def workers(self) -> list[WorkerRecord]:
        return [self._workers[name] for name in sorted(self._workers)]

    def wish(self, worker: str) -> Wish:
        return self._wishes.get(worker, "work")

    def set_wish(self, worker: str, wish: Wish) -> None:
        self._wishes[worker] = wish

    def queue(self) -> QueueRecord | None:
        return self._queue

    def set_queue(self, queue: QueueRecord) -> None:
        self._queue = queue

    def _owner(self, name: str) -> str:
        holder, until = self._leases.get(name, ("", 0.0))
        return holder if until > self._clock() else ""
