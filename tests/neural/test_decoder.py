"""Decoding side by side gives what decoding one by one gives, whatever happens meanwhile."""

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
import torch

from e2a.errors import Retryable
from synth_consumer.engines.coqui import batch, models
from synth_consumer.engines.coqui.batch import Batch, Decoded, Request
from synth_consumer.engines.coqui.decoder import PROBATION, Decoder
from synth_consumer.engines.coqui.sampling import Sampling
from synth_consumer.engines.coqui.transformer import Transformer
from tests.neural.tiny import VOICE, tiny_xtts

GREEDY, SAMPLED = 0.0, 0.75
LOST = 60
"""Seconds after which a sentence must have been forgotten: a test fails then, instead of hanging."""
SAMPLING = Sampling(top_k=50, top_p=0.85, repetition_penalty=5.0)
SENTENCES = [
    "Yes!",
    "The quick brown fox jumps over the lazy dog, again and again.",
    "It was a dark night.",
    "She said nothing; he, on the other hand, would not stop talking about the weather in the north of the country.",
    "In the beginning there was only the sea and the wind, and nobody to hear either of them.",
    "Why?",
]
TEXTS = [f"{sentence} {number * 'so '}".strip() for number in range(4) for sentence in SENTENCES]

Codes = list[tuple[int, ...]]


def load(folder: Path) -> Any:
    return models.load(models.find(str(folder), accept_cpml=True), torch.device("cpu")).tts_model


def make_requests(model: Any, temperature: float) -> list[Request]:
    """Return a request for each text, with a seed of its own."""
    voice = model.speaker_manager.speakers[VOICE]["gpt_cond_latent"]
    most = model.gpt.max_gen_mel_tokens
    return [
        Request(tuple(model.tokenizer.encode(text.lower(), "en")), voice, seed, temperature, most)
        for seed, text in enumerate(TEXTS)
    ]


@contextmanager
def decoder(model: Any, *, slots: int, dtype: Any = torch.float32) -> Iterator[Decoder]:
    running = Decoder(model.gpt, SAMPLING, dtype=dtype, slots=slots)
    try:
        yield running
    finally:
        running.close()


def submit(running: Decoder, requests: Sequence[Request]) -> list["Future[Decoded]"]:
    """Submit all before the first is taken."""
    with running._wake:
        return [running.submit(request) for request in requests]


def results(running: Decoder, requests: Sequence[Request]) -> list[Decoded]:
    return [future.result(LOST) for future in submit(running, requests)]


def codes(running: Decoder, requests: Sequence[Request]) -> Codes:
    return [decoded.codes for decoded in results(running, requests)]


@contextmanager
def memory_for(rows: int) -> Iterator[None]:
    """Let memory run out when more rows than these begin or continue together."""

    def limited(method: Any) -> Any:
        def call(self: Transformer, inputs: Any, *args: Any) -> Any:
            if len(inputs) > rows:
                raise torch.OutOfMemoryError(f"no room for {len(inputs)} rows")
            return method(self, inputs, *args)

        return call

    with (
        mock.patch.object(Transformer, "prefill", limited(Transformer.prefill)),
        mock.patch.object(Transformer, "step", limited(Transformer.step)),
    ):
        yield


@pytest.fixture
def busy(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the rows of every step, as they come."""
    counts: list[int] = []
    real = Batch.step

    def step(self: Batch) -> None:
        counts.append(len(self.rows))
        real(self)

    monkeypatch.setattr(Batch, "step", step)
    return counts


@pytest.fixture(scope="module")
def model(xtts_folder: Path) -> Any:
    return load(xtts_folder)


@pytest.fixture(scope="module")
def requests(model: Any) -> list[Request]:
    return make_requests(model, SAMPLED)


@pytest.fixture(scope="module")
def expected(model: Any, requests: list[Request]) -> Codes:
    """Return what the requests give one by one."""
    with decoder(model, slots=1) as running:
        return codes(running, requests)


@pytest.mark.parametrize("number", range(len(SENTENCES)))
def test_decodes_what_coqui_decodes(model: Any, number: int) -> None:
    """Likeliest tokens and latents are those of coqui's unmodified code, whose second pass over them is not needed."""
    text, request = TEXTS[number], make_requests(model, GREEDY)[number]
    with decoder(model, slots=4) as running:
        ours = running.submit(request).result(LOST)
    options: dict[str, Any] = {"do_sample": False, "num_beams": 1, "repetition_penalty": SAMPLING.repetition_penalty}
    with torch.inference_mode():
        theirs = model.gpt.generate(request.conditioning, torch.tensor([request.text]), **options)
    spoken = model.inference(text, "en", *model.speaker_manager.speakers[VOICE].values(), **options)
    assert ours.codes == tuple(theirs[0].tolist())
    assert ours.stopped
    assert torch.allclose(ours.latents, torch.from_numpy(spoken["gpt_latents"][0]), rtol=0, atol=1e-5)


@pytest.mark.parametrize("slots", [3, 16])
@pytest.mark.parametrize("temperature", [GREEDY, SAMPLED])
def test_rows_do_not_disturb_each_other(model: Any, temperature: float, slots: int) -> None:
    """Tokens are the same one by one and side by side, where slots are refilled as they fall free."""
    requests = make_requests(model, temperature)
    with decoder(model, slots=1) as running:
        alone = results(running, requests)
    with decoder(model, slots=slots) as running:
        together = results(running, requests)
    assert [each.codes for each in together] == [each.codes for each in alone]
    for ours, theirs in zip(together, alone, strict=True):
        assert torch.allclose(ours.latents, theirs.latents, rtol=0, atol=1e-5)
    assert len({len(each.codes) for each in alone}) > len(SENTENCES)  # they end at different times


def test_a_free_slot_is_refilled_at_once(model: Any, requests: list[Request], busy: list[int]) -> None:
    """No step runs with a free slot while a sentence waits, and none with a slot that nobody needs."""
    with decoder(model, slots=4) as running:
        made = codes(running, requests)
    assert sorted(busy, reverse=True) == busy  # never less than before while there is more
    assert busy.count(4) > len(busy) / 2
    assert sum(busy) == sum(len(each) - 1 for each in made)  # the first token of each comes with its prefill


def test_late_sentences_join_those_on_their_way(model: Any, requests: list[Request], expected: Codes) -> None:
    """Sentences that are submitted while others are being decoded give the same tokens."""
    late: list[Future[Decoded]] = [Future() for _ in range(3)]
    with decoder(model, slots=3) as running:

        def follow(request: Request, promise: "Future[Decoded]") -> None:
            running.submit(request).add_done_callback(lambda done: promise.set_result(done.result()))

        early = submit(running, requests[:3])
        for future, *late_one in zip(early, requests[3:6], late, strict=True):
            future.add_done_callback(lambda _, late_one=late_one: follow(*late_one))  # type: ignore[misc]
        assert [future.result(LOST).codes for future in early + late] == expected[:6]


def test_the_seed_decides(model: Any, requests: list[Request], expected: Codes) -> None:
    """Another seed gives other tokens."""
    with decoder(model, slots=16) as running:
        others = codes(running, [request._replace(seed=request.seed + 1000) for request in requests])
    assert all(ours != theirs for ours, theirs in zip(others, expected, strict=True))


@pytest.mark.parametrize("coarse", [False, True])
def test_looks_at_a_gpu_now_and_then(
    model: Any, requests: list[Request], expected: Codes, monkeypatch: pytest.MonkeyPatch, coarse: bool
) -> None:
    """Steps that a row takes between its end and the next look at it leave no trace, nor do those of a free slot."""
    monkeypatch.setitem(batch.CHECK_EVERY, "cpu", 8)
    monkeypatch.setitem(batch.COARSE, "cpu", coarse)
    with decoder(model, slots=3) as running:
        assert codes(running, requests) == expected


def test_begins_many_sentences_in_groups(
    model: Any, requests: list[Request], expected: Codes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More positions than fit into one prefill are prefilled in several."""
    monkeypatch.setattr(batch, "PREFILL", 500)
    with (
        decoder(model, slots=16) as running,
        mock.patch.object(Transformer, "prefill", autospec=True, side_effect=Transformer.prefill) as prefill,
    ):
        assert codes(running, requests) == expected
    assert max(call.args[1].shape[0] * call.args[1].shape[1] for call in prefill.call_args_list) <= 500


def test_steps_of_a_gpu_have_few_shapes(
    model: Any, requests: list[Request], expected: Codes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each shape is a graph: its rows are a power of two or all slots, and its positions a multiple of `WINDOW`."""
    monkeypatch.setitem(batch.COARSE, "cpu", True)
    shapes: set[tuple[int, int]] = set()
    advance = Batch._advance

    def noted(self: Batch, rows: int, longest: int) -> None:
        shapes.add((rows, longest))
        advance(self, rows, longest)

    monkeypatch.setattr(Batch, "_advance", noted)
    with decoder(model, slots=6) as running:
        assert codes(running, requests) == expected
    assert {rows for rows, _ in shapes} == {1, 2, 4, 6}
    assert not any(longest % batch.WINDOW for _, longest in shapes)


@pytest.mark.parametrize("most", [1, 2, 9])
def test_cuts_what_does_not_end(model: Any, requests: list[Request], expected: Codes, most: int) -> None:
    """A sentence that has not stopped at its limit is cut there, and says so."""
    with decoder(model, slots=4) as running:
        cut = results(running, [request._replace(most=most) for request in requests[:8]])
    for decoded, whole in zip(cut, expected, strict=False):
        assert decoded.codes == whole[:most]
        assert decoded.stopped == (len(whole) <= most)
        assert len(decoded.latents) == len(decoded.codes)


def test_ends_at_the_limit_of_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that never stops gives as many tokens as it can, and a free slot beside them can go along for ever."""
    monkeypatch.setitem(batch.COARSE, "cpu", True)
    endless = load(tiny_xtts(tmp_path, tokens_per_character=0, max_audio_tokens=40))
    endless.gpt.mel_head.bias.data[endless.gpt.stop_audio_token] = -1e9
    requests = make_requests(endless, SAMPLED)[:3]
    with decoder(endless, slots=4) as running:
        for decoded in results(running, requests) + results(running, requests):
            assert len(decoded.codes) == endless.gpt.max_gen_mel_tokens
            assert not decoded.stopped


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_decodes_with_16_bits(xtts_folder: Path, expected: Codes, dtype: Any) -> None:
    """Half precision gives latents in float32, and mostly the same first tokens."""
    half = load(xtts_folder)
    with decoder(half, slots=4, dtype=dtype) as running:
        made = results(running, make_requests(half, SAMPLED))
    assert all(each.stopped for each in made)
    assert all(each.latents.dtype == torch.float32 and each.latents.isfinite().all() for each in made)
    assert sum(ours.codes[:5] == theirs[:5] for ours, theirs in zip(made, expected, strict=True)) > len(made) / 2


def test_a_broken_row_harms_nobody(model: Any, requests: list[Request], expected: Codes) -> None:
    """A row that computes NaN comes to an end, and neither those beside it nor those after it in its slot notice."""
    nan = torch.full_like(requests[0].conditioning, math.nan)
    broken = requests[0]._replace(conditioning=nan, most=150)
    with decoder(model, slots=3) as running:
        futures = submit(running, [broken, *requests, broken, *requests])
        made = [future.result(LOST) for future in futures]
    assert made[0].latents.isnan().all()
    assert [each.codes for each in made[1 : len(requests) + 1]] == expected
    assert [each.codes for each in made[-len(requests) :]] == expected


@pytest.mark.parametrize("room", [1, 3, 5])
def test_goes_on_when_memory_runs_out(
    model: Any, requests: list[Request], expected: Codes, busy: list[int], room: int
) -> None:
    """Half as many slots are tried until the rows fit; every sentence is answered once, with the same tokens."""
    with decoder(model, slots=16) as running, memory_for(room):
        assert codes(running, requests) == expected
        assert running.slots <= 2 * room  # twice as many may just have been allowed again
    assert max(busy) <= room


def test_recovers_when_there_is_memory_again(model: Any, requests: list[Request], expected: Codes) -> None:
    """After enough sentences without trouble it decodes as many at once as at first."""
    with decoder(model, slots=4) as running:
        with memory_for(1):
            codes(running, requests[:2])
        assert running.slots == 1
        enough = (1 + 2) * PROBATION
        for start in range(0, enough, len(requests)):
            assert codes(running, requests) == expected, start
        assert running.slots == 4
        assert codes(running, requests) == expected


def test_memory_may_run_out_anywhere(model: Any, requests: list[Request], expected: Codes) -> None:
    """Out of memory now and then, in prefill or step, loses no sentence and answers none twice."""
    calls = iter(range(10**6))

    def now_and_then(method: Any) -> Any:
        def call(self: Transformer, *args: Any) -> Any:
            if next(calls) % 61 == 60:
                raise torch.OutOfMemoryError("fragmented")
            return method(self, *args)

        return call

    with (
        mock.patch.object(Transformer, "prefill", now_and_then(Transformer.prefill)),
        mock.patch.object(Transformer, "step", now_and_then(Transformer.step)),
        decoder(model, slots=64) as running,
    ):
        assert codes(running, requests[:12]) == expected[:12]


def test_shrinks_a_cache_that_does_not_fit(model: Any, requests: list[Request], expected: Codes) -> None:
    """When the cache itself is too large, it is made smaller."""
    real = Transformer.__init__

    def limited(self: Transformer, *args: Any, slots: int, **options: Any) -> None:
        if slots > 2:
            raise torch.OutOfMemoryError(f"no room for {slots} slots")
        real(self, *args, slots=slots, **options)

    with mock.patch.object(Transformer, "__init__", limited), decoder(model, slots=9) as running:
        assert codes(running, requests[:6]) == expected[:6]
        assert running.slots == 2


@pytest.mark.parametrize("method", ["__init__", "prefill", "step"])
def test_says_when_not_one_sentence_fits(model: Any, requests: list[Request], expected: Codes, method: str) -> None:
    """Each sentence is told that it may work later, and later it does."""
    with decoder(model, slots=2) as running:
        with mock.patch.object(Transformer, method, side_effect=torch.OutOfMemoryError("no room")):
            futures = submit(running, requests[:2])
            for future in futures:
                assert isinstance(future.exception(LOST), Retryable)
        assert codes(running, requests[:2]) == expected[:2]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_bug_reaches_every_caller(model: Any, requests: list[Request]) -> None:
    """When the thread fails, those that wait and those that come later get its error: nobody waits for ever."""
    with decoder(model, slots=2) as running:
        with mock.patch.object(Transformer, "step", side_effect=ZeroDivisionError("a bug")):
            futures = submit(running, requests)
            assert {str(future.exception(LOST)) for future in futures} == {"a bug"}
        with pytest.raises(ZeroDivisionError, match="a bug"):
            running.submit(requests[0])


def test_closing_ends_the_waiting(model: Any, requests: list[Request]) -> None:
    """Sentences on their way and in the queue are told, and later ones are not taken."""
    with decoder(model, slots=2) as running:
        with running._wake:
            futures = submit(running, requests)
            running._closing = True
        running.close()
        assert {str(future.exception(LOST)) for future in futures} == {"the decoder is closed"}
        with pytest.raises(RuntimeError, match="closed"):
            running.submit(requests[0])


def test_refuses_what_would_break_the_batch(model: Any, requests: list[Request]) -> None:
    """A request that the model has no positions for is refused before it can harm others."""
    with decoder(model, slots=2) as running:
        with pytest.raises(ValueError, match="403 text tokens"):
            running.submit(requests[0]._replace(text=(5,) * 403))
        for most in (0, model.gpt.max_gen_mel_tokens + 1):
            with pytest.raises(ValueError, match="audio tokens"):
                running.submit(requests[0]._replace(most=most))
        longest = running.submit(requests[0]._replace(text=(5,) * 402)).result(LOST)
    assert not longest.stopped


def test_takes_as_many_slots_as_fit(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as fit into the free memory of the GPU: at least one, twice as many at half size, and not without end."""
    real = model.gpt
    gpu = SimpleNamespace(
        gpt=real.gpt,
        mel_head=SimpleNamespace(weight=SimpleNamespace(device=torch.device("cuda:0"))),
        max_gen_mel_tokens=real.max_gen_mel_tokens,
        max_text_tokens=real.max_text_tokens,
        model_dim=real.model_dim,
    )
    free = batch.RESERVE
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free, 2 * free))
    assert batch.slots_that_fit(gpu, torch.float32) == 1
    made = Batch(real, SAMPLING, dtype=torch.float32, slots=1)
    slot = sum(tensor.nbytes for tensor in (*made._transformer._cache, made._state.latents))
    free += 10 * slot
    assert batch.slots_that_fit(gpu, torch.float32) == 10
    assert 15 < batch.slots_that_fit(gpu, torch.float16) < 20
    free += 2**34
    assert batch.slots_that_fit(gpu, torch.float32) == batch.MOST_SLOTS
