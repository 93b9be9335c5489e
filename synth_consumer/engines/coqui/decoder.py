"""Continuous batching: one thread decodes for all callers, and a sentence that ends makes room for the next at once."""

import sys
import threading
from collections import deque
from concurrent.futures import Future
from typing import Any

import torch

from e2a import log
from e2a.errors import Retryable
from synth_consumer.engines.coqui.batch import Batch, Decoded, Request, Row
from synth_consumer.engines.coqui.sampling import Sampling

PROBATION = 8
"""Rows for each slot that have to finish after memory ran out, before twice as many slots are tried again."""

logger = log.get(__name__)


class Decoder:
    """Decodes sentences side by side in a thread of its own. Thread-safe.

    When the GPU's memory runs out, the rows on their way begin anew in half as many slots, with the same tokens, since
    those follow from the seed. The slots come back when enough rows have finished without trouble.

    Args:
        gpt: coqui's `GPT`, in evaluation mode and on its device; nobody else may run it.
        sampling: of all requests.
        dtype: of linear layers and cache: float32, float16 or bfloat16.
        slots: most sentences at once.
    """

    def __init__(self, gpt: Any, sampling: Sampling, *, dtype: Any, slots: int) -> None:
        self._gpt = gpt
        self._sampling = sampling
        self._dtype = dtype
        self._most_slots = self._slots = slots
        self._finished = 0
        """Rows since memory ran out."""
        self._batch: Batch | None = None
        self._queue: deque[Row] = deque()
        self._submitted = 0
        self._end: BaseException | None = None
        self._closing = False
        self._wake = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="xtts-decoder", daemon=True)
        self._thread.start()

    @property
    def slots(self) -> int:
        """How many sentences are decoded at once at most."""
        return self._slots

    def submit(self, request: Request) -> "Future[Decoded]":
        """Queue a sentence. The future raises `Retryable` when not even one sentence fits into the GPU's memory.

        Raises:
            ValueError: the request does not fit the model.
            Exception: whatever ended the thread; it raises from futures that were waiting, too.
        """
        self._check(request)
        with self._wake:
            if self._end:
                raise self._end
            row = Row(self._submitted, request)
            row.future.set_running_or_notify_cancel()  # from here on nobody can cancel it
            self._submitted += 1
            self._queue.append(row)
            self._wake.notify()
        return row.future

    def close(self) -> None:
        """End the thread. Futures that still wait raise."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join()

    def _check(self, request: Request) -> None:
        if len(request.text) > self._gpt.max_text_tokens - 2:
            raise ValueError(f"{len(request.text)} text tokens")
        if not 1 <= request.most <= self._gpt.max_gen_mel_tokens:
            raise ValueError(f"{request.most} audio tokens")

    def _run(self) -> None:
        device = self._gpt.mel_head.weight.device
        stream = torch.cuda.Stream(device) if device.type == "cuda" else None  # on the default one nothing is recorded
        try:
            with torch.inference_mode(), torch.cuda.stream(stream):
                while self._wait():
                    self._turn()
        finally:
            self._fail(sys.exception() or RuntimeError("the decoder is closed"))

    def _wait(self) -> bool:
        """Wait for something to do; False when there will be nothing more."""
        with self._wake:
            self._wake.wait_for(lambda: self._closing or self._queue or self._rows())
            return not self._closing

    def _rows(self) -> list[Row]:
        return self._batch.rows if self._batch else []

    def _turn(self) -> None:
        """Let rows join, or else give each its next token; then answer those that have ended."""
        try:
            ended = self._advance(self._sized_batch())
        except torch.OutOfMemoryError as error:
            message = str(error)
        else:
            self._answer(ended)
            return
        # the error is gone, and with it every frame that held a tensor
        self._shrink(message)

    def _sized_batch(self) -> Batch:
        """Return the batch; one with more slots once they are allowed again and it is empty."""
        if self._batch is None or (self._batch.size < self._slots and not self._batch.rows):
            self._batch = None  # its memory goes first
            self._batch = Batch(self._gpt, self._sampling, dtype=self._dtype, slots=self._slots)
        return self._batch

    def _advance(self, batch: Batch) -> list[tuple[Row, Decoded]]:
        joining = self._next(batch.free) if batch.size == self._slots else []
        if joining:
            batch.join(joining)
        else:
            batch.step()
        return batch.leave() if batch.due else []

    def _next(self, most: int) -> list[Row]:
        with self._wake:
            return [self._queue.popleft() for _ in range(min(most, len(self._queue)))]

    def _answer(self, ended: list[tuple[Row, Decoded]]) -> None:
        for row, decoded in ended:
            row.future.set_result(decoded)
        self._finished += len(ended)
        if self._slots < self._most_slots and self._finished >= PROBATION * self._slots:
            self._slots, self._finished = min(2 * self._slots, self._most_slots), 0
            logger.info("decoder.grows", slots=self._slots)

    def _shrink(self, message: str) -> None:
        """Begin all rows anew in half the slots; with one slot, give up the row that did not fit."""
        rows = self._rows()
        self._batch = None
        torch.cuda.empty_cache()
        self._finished = 0
        logger.warning("decoder.out_of_memory", slots=self._slots, rows=len(rows), error=message)
        if self._slots == 1:
            (row,) = rows or self._next(1)
            row.future.set_exception(Retryable(f"no memory to decode one sentence: {message}"))
            return
        self._slots //= 2
        with self._wake:
            self._queue.extendleft(reversed(rows))

    def _fail(self, error: BaseException) -> None:
        with self._wake:
            self._end = error
            waiting = [*self._rows(), *self._queue]
            self._queue.clear()
        self._batch = None
        for row in waiting:
            row.future.set_exception(error)
