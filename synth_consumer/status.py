"""What this worker does now, for its heartbeat."""

import threading
import time

from e2a.checkpoint import WorkerRecord
from e2a.messages import ChapterJob


class Status:
    """The worker's own record, changed by its threads and sent by its heartbeat. Thread-safe."""

    def __init__(self, worker: str, engine: str) -> None:
        now = time.time()
        self._lock = threading.Lock()
        self._record = WorkerRecord(worker=worker, engine=engine, started=now, last_seen=now)

    def snapshot(self, partitions: tuple[int, ...]) -> WorkerRecord:
        """Return the record as of now."""
        with self._lock:
            return self._record.model_copy(update={"last_seen": time.time(), "partitions": partitions})

    def started(self, job: ChapterJob) -> None:
        """A part is being spoken."""
        self._change(
            book_id=job.book_id,
            chapter=job.part.chapter,
            part=job.part.index,
            sentence=0,
            sentences=len(job.part.sentences),
        )

    def spoke(self, sentence: int) -> None:
        """That many sentences of the part are spoken."""
        self._change(sentence=sentence)

    def idle(self) -> None:
        """Nothing is being spoken."""
        self._change(book_id="", sentence=0, sentences=0)

    def finished(self, audio_seconds: float, work_seconds: float) -> None:
        """A part is in storage."""
        with self._lock:
            record = self._record
            self._record = record.model_copy(
                update={
                    "done": record.done + 1,
                    "audio_seconds": record.audio_seconds + audio_seconds,
                    "work_seconds": record.work_seconds + work_seconds,
                }
            )

    def failed(self) -> None:
        """A part could not be made."""
        with self._lock:
            self._record = self._record.model_copy(update={"failed": self._record.failed + 1})

    def _change(self, **values: object) -> None:
        with self._lock:
            self._record = self._record.model_copy(update=values)
