"""Sentences decoded side by side: each enters a free slot at any time and leaves it when it has stopped."""

from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch.nn.utils.rnn import pad_sequence

from synth_consumer.engines.coqui.graphs import Graphs
from synth_consumer.engines.coqui.sampling import Sampling, penalise, pick
from synth_consumer.engines.coqui.transformer import Transformer

MOST_SLOTS = 64
CPU_SLOTS = 8
"""16 would say a quarter more in the same time (bench/results/speech.txt), with 4 GB for the cache instead of 2."""
RESERVE = 2 * 2**30
"""Bytes of GPU memory that are left to the vocoder and to the activations of `PREFILL` positions."""
PREFILL = 4096
"""Most positions that are prefilled at once."""
CHECK_EVERY = {"cpu": 1, "cuda": 8}
"""Steps between looks at which rows have stopped, by device: on a GPU each look waits until it has caught up."""
COARSE = {"cpu": False, "cuda": True}
"""Whether the shapes of steps are rounded up, by device: each of them is a graph."""
WINDOW = 64
"""Rounded up, a step looks at a multiple of so many positions."""
CONDITIONING = 32
"""Positions that the latents of a voice take."""


class Request(NamedTuple):
    """A sentence to decode."""

    text: tuple[int, ...]
    """Text tokens, without those that start and end a text."""
    conditioning: Any
    """What the voice tells the GPT: float32 of shape (1, 32, dim), on any device."""
    seed: int
    """63 bits."""
    temperature: float
    """0 always takes the likeliest token."""
    most: int
    """Audio tokens after which it is cut, at least 1 and at most the model's own limit."""


class Decoded(NamedTuple):
    """Audio tokens of a sentence."""

    codes: tuple[int, ...]
    """The last of them is the stop token, unless it was cut."""
    latents: Any
    """For the vocoder: the normed hidden state that each token was read from; float32, (codes, dim), on the CPU."""
    stopped: bool
    """False when it was cut."""


@dataclass(eq=False)
class Row:
    """A request on its way."""

    number: int
    """Of its arrival."""
    request: Request
    future: "Future[Decoded]" = field(default_factory=Future)
    prefix: int = 0
    """Positions before its first audio token."""
    steps: int = 0
    """Audio tokens that it has."""

    @property
    def length(self) -> int:
        """Positions that its next step looks at."""
        return self.prefix + self.steps


class _State(NamedTuple):
    """What the device knows of each slot."""

    tokens: Any
    latents: Any
    seen: Any
    """Tokens that the repetition penalty counts."""
    ended: Any
    steps: Any
    prefix: Any
    temperature: Any
    seeds: Any


class Batch:
    """Slots of one model. Not thread-safe.

    Args:
        gpt: coqui's `GPT`, in evaluation mode and on its device; see `Transformer` for what `dtype` does to it.
        sampling: of all rows.
        dtype: of the linear layers and of the key-value cache.
        slots: most rows at once.
    """

    def __init__(self, gpt: Any, sampling: Sampling, *, dtype: Any, slots: int) -> None:
        self._gpt = gpt
        self._sampling = sampling
        self._device = gpt.mel_head.weight.device
        self._check_every = CHECK_EVERY[self._device.type]
        self._coarse = COARSE[self._device.type]
        self._unchecked = 0
        self._slots: list[Row | None] = [None] * slots
        self._transformer = Transformer(gpt.gpt, dtype=dtype, length=_longest(gpt), slots=slots)
        self._state = self._empty_state(slots)
        self._yes = torch.ones((), dtype=torch.bool, device=self._device)
        """Brought there once: a bare `True` would be copied in every step, and waited for."""
        self._graphs = Graphs(self._device)

    def _empty_state(self, slots: int) -> _State:
        def zeros(*shape: int, dtype: Any = torch.int64) -> Any:
            return torch.zeros((slots, *shape), dtype=dtype, device=self._device)

        most = self._gpt.max_gen_mel_tokens
        return _State(
            tokens=zeros(most),
            latents=zeros(most, self._gpt.model_dim, dtype=torch.float32),
            seen=zeros(self._gpt.num_audio_tokens, dtype=torch.bool),
            ended=zeros(dtype=torch.bool),
            steps=zeros(),
            prefix=zeros(),
            temperature=zeros(dtype=torch.float32),
            seeds=zeros(),
        )

    @property
    def rows(self) -> list[Row]:
        """The rows on their way, the oldest first."""
        return sorted((row for row in self._slots if row), key=lambda row: row.number)

    @property
    def size(self) -> int:
        """How many slots there are."""
        return len(self._slots)

    @property
    def free(self) -> int:
        """How many rows can join."""
        return self._slots.count(None)

    def join(self, rows: list[Row]) -> None:
        """Give rows a slot and their first token.

        Args:
            rows: no more than are `free`.
        """
        empty = [slot for slot, row in enumerate(self._slots) if row is None]
        slots = empty[: len(rows)]
        for slot, row in zip(slots, rows, strict=True):
            self._slots[slot] = row
        inputs = [self._embed(row.request) for row in rows]
        for row, each in zip(rows, inputs, strict=True):
            row.prefix, row.steps = len(each), 0
        together = max(1, PREFILL // max(row.prefix for row in rows))
        for start in range(0, len(rows), together):
            part = slice(start, start + together)
            self._prefill(slots[part], rows[part], inputs[part])

    def step(self) -> None:
        """Give each row its next token."""
        self._close_ranks()
        rows = self.rows
        self._graphs.run(self._advance, *self._shape(len(rows), max(row.length for row in rows)))
        self._unchecked += 1
        for row in rows:
            row.steps += 1

    def _shape(self, rows: int, longest: int) -> tuple[int, int]:
        """Return how many slots take a step and how many positions they look at: at least as many as are needed."""
        if not self._coarse:
            return rows, longest
        return min(self.size, 1 << (rows - 1).bit_length()), -(-longest // WINDOW) * WINDOW

    def _advance(self, rows: int, longest: int) -> None:
        """Give the first slots their next token. One without a row goes along, and what it computes counts nothing."""
        slots = torch.arange(rows, device=self._device)
        steps = self._state.steps[:rows]
        last = self._state.tokens[slots, steps - 1]
        inputs = self._gpt.mel_embedding(last) + self._gpt.mel_pos_embedding.emb(steps)
        positions = self._state.prefix[:rows] + steps - 1
        hidden = self._transformer.step(inputs[:, None], positions, longest)
        self._emit(slots, hidden[:, 0])

    @property
    def due(self) -> bool:
        """Whether it is time to see which rows have ended."""
        return self._unchecked >= self._check_every or any(row.steps >= row.request.most for row in self.rows)

    def leave(self) -> list[tuple[Row, Decoded]]:
        """Return the rows that have ended and free their slots."""
        self._unchecked = 0
        ended = self._state.ended.tolist()
        left = {
            slot: (row, self._decoded(slot, row))
            for slot, row in enumerate(self._slots)
            if row and (ended[slot] or row.steps >= row.request.most)
        }
        for slot in left:
            self._slots[slot] = None
        return list(left.values())

    def _embed(self, request: Request) -> Any:
        """Return what stands before the first audio token, of shape (positions, dim): voice, text, start of audio."""
        gpt = self._gpt
        text = torch.tensor([[gpt.start_text_token, *request.text, gpt.stop_text_token]], device=self._device)
        audio = torch.tensor([[gpt.start_audio_token]], device=self._device)
        parts = [
            request.conditioning.to(self._device),
            gpt.text_embedding(text) + gpt.text_pos_embedding(text),
            gpt.mel_embedding(audio) + gpt.mel_pos_embedding(audio),
        ]
        return torch.cat(parts, dim=1)[0]

    def _prefill(self, slots: list[int], rows: list[Row], inputs: list[Any]) -> None:
        # each of these waits for the GPU, so they come before there is something to wait for
        index = torch.tensor(slots, device=self._device)
        lengths = torch.tensor([row.prefix for row in rows], device=self._device)
        temperature = torch.tensor([row.request.temperature for row in rows], device=self._device)
        seeds = torch.tensor([row.request.seed for row in rows], device=self._device)
        self._transformer.clear(index)
        hidden = self._transformer.prefill(pad_sequence(inputs, batch_first=True), index)
        state = self._state
        state.seen[index] = False
        # transformers sees 1 where the prefix stands, and the start of the audio, and counts both as repeated
        state.seen[index, 1] = state.seen[index, self._gpt.start_audio_token] = True
        state.ended[index] = False
        state.steps[index] = 0
        state.prefix[index] = lengths
        state.temperature[index] = temperature
        state.seeds[index] = seeds
        self._emit(index, hidden[torch.arange(len(rows), device=self._device), lengths - 1])
        for row in rows:
            row.steps = 1

    def _emit(self, slots: Any, hidden: Any) -> None:
        """Read a token from the hidden state of each slot, of shape (slots, dim), and write it down."""
        state = self._state
        steps = state.steps[slots]
        latents = self._gpt.final_norm(hidden)
        scores = penalise(self._gpt.mel_head(latents), state.seen[slots], self._sampling.repetition_penalty)
        tokens = pick(scores, state.temperature[slots], state.seeds[slots], steps, self._sampling)
        state.latents[slots, steps] = latents
        state.tokens[slots, steps] = tokens
        state.seen.index_put_((slots, tokens), self._yes)
        state.ended[slots] |= tokens == self._gpt.stop_audio_token
        # a slot without a row may go along for ever
        state.steps[slots] = (steps + 1).clamp(max=self._gpt.max_gen_mel_tokens - 1)

    def _decoded(self, slot: int, row: Row) -> Decoded:
        codes = self._state.tokens[slot, : row.steps].tolist()
        stop = self._gpt.stop_audio_token
        stopped = stop in codes
        if stopped:
            del codes[codes.index(stop) + 1 :]  # steps between its end and the look at it
        latents = self._state.latents[slot, : len(codes)].to("cpu", copy=True)
        return Decoded(tuple(codes), latents, stopped)

    def _close_ranks(self) -> None:
        """Move the last rows into free slots before them, so that a step runs on the first slots alone."""
        live = self.size - self.free
        holes = [slot for slot in range(live) if self._slots[slot] is None]
        beyond = [slot for slot in range(live, self.size) if self._slots[slot]]
        for hole, slot in zip(holes, beyond, strict=True):
            self._transformer.move(slot, hole)
            for tensor in self._state:
                tensor[hole] = tensor[slot]
            self._slots[hole], self._slots[slot] = self._slots[slot], None


def slots_that_fit(gpt: Any, dtype: Any) -> int:
    """Return how many slots the free memory of the model's device takes, at least 1."""
    device = gpt.mel_head.weight.device
    if device.type != "cuda":
        return CPU_SLOTS
    free, _ = torch.cuda.mem_get_info(device)
    latents = 4 * gpt.max_gen_mel_tokens * gpt.model_dim
    fit = int(free - RESERVE) // int(Transformer.bytes_per_slot(gpt.gpt, dtype, _longest(gpt)) + latents)
    return max(1, min(MOST_SLOTS, fit))


def _longest(gpt: Any) -> int:
    """Return the positions of the longest row: voice, text with its start and end, audio."""
    return int(CONDITIONING + gpt.max_text_tokens + gpt.max_gen_mel_tokens)
