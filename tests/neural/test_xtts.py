"""The engine `xtts`: what coqui's own inference says, for many threads at once."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch

from e2a.errors import ExitCode, Poison, Retryable, UserError
from e2a.plan import Speech, clip_voice, take_seed
from e2a.settings import SynthSettings
from synth_consumer import engines
from synth_consumer.engines import Take, TooLong, Utterance
from synth_consumer.engines.coqui import models, reference
from synth_consumer.engines.coqui.transformer import Transformer
from synth_consumer.engines.coqui.xtts import MODEL, XttsEngine
from synth_consumer.pace import measure
from synth_consumer.speaker import Speaker, Voice
from tests.neural.tiny import LANGUAGES, VOICE, hum, tiny_xtts

SENTENCES = [
    "Yes!",
    "The quick brown fox jumps over the lazy dog, again and again.",
    "It was a dark night.",
    "She said nothing; he, on the other hand, would not stop talking about the weather in the north of the country.",
    "In 1984 the Dr. paid 12.50 for it.",
]


def speech(**fields: Any) -> Speech:
    return Speech(engine="xtts", **({"language": "en"} | fields))


def utterance(text: str = SENTENCES[2], *, seed: int = 7, variety: float = 1.0, **fields: Any) -> Utterance:
    return Utterance(text, speech(**fields), seed, variety)


def settings(folder: Path, **fields: Any) -> SynthSettings:
    return SynthSettings(engine="xtts", model=str(folder), **({"device": "cpu", "accept_cpml": True} | fields))


def loaded(folder: Path, **fields: Any) -> XttsEngine:
    engine = engines.create(settings(folder, **fields))
    assert isinstance(engine, XttsEngine)
    engine.load()
    return engine


def same(one: Take, other: Take) -> bool:
    """Whether two takes have the same tokens and, but for rounding, the same samples."""
    return one.codes == other.codes and np.allclose(one.pcm, other.pcm, rtol=0, atol=1e-5)


@pytest.fixture(scope="module")
def engine(xtts_folder: Path) -> XttsEngine:
    return loaded(xtts_folder, batch=4)


@pytest.fixture
def likeliest(engine: XttsEngine, monkeypatch: pytest.MonkeyPatch) -> XttsEngine:
    """Return an engine without chance."""
    monkeypatch.setitem(engine._xtts.config, "temperature", 0.0)
    return engine


@pytest.mark.parametrize("speed", [1.0, 1.25, 0.8])
@pytest.mark.parametrize("text", SENTENCES)
def test_says_what_coqui_says(likeliest: XttsEngine, text: str, speed: float) -> None:
    """Without chance, the samples are those of coqui's own inference, at any speed."""
    model = likeliest._xtts
    voice = model.speaker_manager.speakers[VOICE].values()
    theirs = model.inference(
        text, "en", *voice, do_sample=False, repetition_penalty=model.config.repetition_penalty, speed=speed
    )
    ours = likeliest.say(utterance(text, speed=speed))
    assert ours.pcm.dtype == np.float32
    assert ours.pcm.shape == theirs["wav"].shape
    assert np.abs(ours.pcm - theirs["wav"]).max() <= 1e-5
    assert np.abs(ours.pcm).max() > 0.01
    assert ours.stopped


@pytest.mark.parametrize("tokens", [1, 14, 15, 30, 100])
def test_the_vocoder_is_coquis(engine: XttsEngine, xtts_folder: Path, tokens: int) -> None:
    """From the same latents come the samples of a model that coqui loaded, to the end, at any length."""
    untouched = models.load(models.find(str(xtts_folder), accept_cpml=True), torch.device("cpu")).tts_model
    latents, embedding = torch.randn(tokens, untouched.gpt.model_dim), engine._voices[VOICE].embedding
    with torch.inference_mode():
        theirs = untouched.hifigan_decoder(latents[None], g=embedding).squeeze().numpy()
    ours = engine._vocode(latents, embedding, 1.0)
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() <= 1e-6


def test_the_vocoder_runs_at_few_lengths(engine: XttsEngine) -> None:
    """Sentences of like length are one length to the libraries that plan for each."""
    generator = engine._xtts.hifigan_decoder.waveform_decoder
    lengths: set[int] = set()
    embedding = engine._voices[VOICE].embedding
    with generator.conv_pre.register_forward_pre_hook(lambda _module, args: lengths.add(args[0].shape[-1])):
        for tokens in range(30, 60):
            engine._vocode(torch.randn(tokens, engine._xtts.gpt.model_dim), embedding, 1.0)
    assert lengths == {192, 256}


def test_says_the_same_in_any_company(engine: XttsEngine) -> None:
    """Sampled takes from many threads are those that each sentence has alone; every seed has its own."""
    utterances = [utterance(text, seed=take_seed(text, attempt)) for text in SENTENCES for attempt in range(4)]
    alone = [engine.say(each) for each in utterances]
    with ThreadPoolExecutor(engine.at_once) as threads:
        together = list(threads.map(engine.say, utterances))
    assert all(same(ours, theirs) for ours, theirs in zip(together, alone, strict=True))
    assert len({take.codes for take in alone}) == len(alone)


def test_variety_is_a_factor_on_the_temperature(engine: XttsEngine) -> None:
    """Next to no variety is the likeliest take whatever the seed."""
    greedy = {engine.say(utterance(seed=seed, variety=1e-4)).codes for seed in range(3)}
    assert len(greedy) == 1
    assert len({engine.say(utterance(seed=seed, variety=0.5)).codes for seed in range(3)}) == 3


def test_says_what_it_is(engine: XttsEngine, xtts_folder: Path) -> None:
    """After loading it knows its model, licence, voices, device and how many may call it at once."""
    assert (engine.name, engine.model, engine.device, engine.gpu) == ("xtts", xtts_folder.name, "cpu", "")
    assert engine.sample_rate == 24000
    assert engine.varies
    assert engine.at_once == 8
    assert engine.memory() == 0
    assert "non-commercial" in engine.licence or "no commercial" in engine.licence
    assert len(engine.weights) == 64
    assert engine.voices("en-GB") == engine.voices("de") == engine.voices("zh-Hans") == (VOICE,)
    assert engine.voices("sw") == ()


def test_asks_for_the_licence_first(xtts_folder: Path) -> None:
    """Without the consent of its user nothing is loaded."""
    with pytest.raises(UserError, match="E2A_ACCEPT_CPML") as caught:
        loaded(xtts_folder, accept_cpml=False)
    assert caught.value.code == ExitCode.CONFIG


def test_means_xtts_v2_when_no_model_is_named() -> None:
    """Books that name no model and workers that name none mean the same."""
    engine = XttsEngine(SynthSettings(engine="xtts", device="cpu"))
    assert engine.model == ""
    with (
        mock.patch.object(models, "find", side_effect=UserError("asked", ExitCode.CONFIG)) as find,
        pytest.raises(UserError, match="asked"),
    ):
        engine.load()
    assert find.call_args.args == (MODEL,)


def test_takes_no_other_kind_of_model(vits_folder: Path) -> None:
    """A model that is no XTTS is refused with the name of the engine that takes it."""
    with pytest.raises(UserError, match="is a vits; engine coqui speaks with it") as caught:
        loaded(vits_folder)
    assert caught.value.code == ExitCode.CONFIG


def test_takes_no_xtts_of_the_first_version(tmp_path: Path) -> None:
    """XTTS without a resampler gives voices of another shape."""
    folder = tiny_xtts(tmp_path, gpt_use_perceiver_resampler=False)
    with pytest.raises(UserError, match="version 1"):
        loaded(folder)


def test_names_what_it_does_not_know(engine: XttsEngine) -> None:
    """An unknown language or voice can never be said, and the message has those that can."""
    with pytest.raises(Poison, match=f"speaks no 'sw', but {', '.join(LANGUAGES)}"):
        engine.say(utterance(language="sw"))
    with pytest.raises(Poison, match=f"no voice 'Nobody'; it has: {VOICE}"):
        engine.say(utterance(voice="Nobody"))


def test_wants_a_recording_when_it_has_no_voice(tmp_path: Path) -> None:
    """A model without built-in voices loads, and says that it needs a recording."""
    folder = tiny_xtts(tmp_path)
    (folder / "speakers_xtts.pth").unlink()
    engine = loaded(folder)
    assert engine.voices("en") == ()
    with pytest.raises(Poison, match="give it a recording"):
        engine.say(utterance())
    assert len(engine.say(utterance()._replace(clip=hum())).pcm)


def test_speaks_with_the_voice_of_a_recording(likeliest: XttsEngine) -> None:
    """It is what coqui says with the latents of that recording."""
    clip = hum()
    latents = reference.latents(likeliest._xtts, clip)
    config = likeliest._xtts.config
    theirs = likeliest._xtts.inference(
        SENTENCES[1], "en", *latents, do_sample=False, repetition_penalty=config.repetition_penalty
    )
    ours = likeliest.say(utterance(SENTENCES[1], voice=clip_voice(clip))._replace(clip=clip))
    assert np.abs(ours.pcm - theirs["wav"]).max() <= 1e-5
    assert not np.array_equal(ours.pcm, likeliest.say(utterance(SENTENCES[1])).pcm)


def test_a_text_that_is_too_long_is_named_so(engine: XttsEngine) -> None:
    """What the model has no positions for is to be said in pieces."""
    with pytest.raises(TooLong, match="tokens; an XTTS takes fewer than 402"):
        engine.say(utterance("hedgehog " * 60))


@pytest.mark.parametrize(("language", "text"), [("en", "9" * 400), ("es", f"Hay {10**30} mares.")])
def test_numbers_that_it_cannot_write_out_are_no_crash(engine: XttsEngine, language: str, text: str) -> None:
    """The tokenizer knows no number as large."""
    with pytest.raises(TooLong, match=f"XTTS cannot read '{text[:9]}.*' in '{language}': .*Error"):
        engine._tokens(text, language)


@pytest.mark.parametrize("text", ["7 8", "७ ८"])
def test_hindi_is_said_digit_by_digit(engine: XttsEngine, text: str) -> None:
    """The tokenizer knows no Hindi number, and must not meet one."""
    assert engine._tokens(text, "hi") == engine._tokens("सात आठ", "hi")


def test_a_number_too_large_to_write_out_is_said_in_pieces(engine: XttsEngine) -> None:
    """Nothing of it is lost."""
    voice = Voice(speech(language="es"), measure(lambda _text, _seed: Take(np.zeros(9)), 24000, speech(), "", 1))
    spoken = Speaker(engine).speak([f"Hay {10**30} mares."], voice, threading.Event(), lambda: None)
    assert spoken
    assert len(spoken[0].pcm) > 24000


def test_marks_alone_are_a_short_silence(engine: XttsEngine) -> None:
    """A model would make up words for a line of asterisks."""
    take = engine.say(utterance("* * *"))
    assert len(take.pcm) == engine.sample_rate / 4
    assert not take.pcm.any()


def test_letters_that_the_model_does_not_know_are_not_passed_over(engine: XttsEngine) -> None:
    """A script that the vocabulary lacks would be lost without a word."""
    with pytest.raises(Poison, match="knows no letter of 'ЖЖЖ'"):
        engine.say(utterance("ЖЖЖ"))


def test_says_which_package_is_missing(engine: XttsEngine) -> None:
    """Some scripts are romanised by packages that coqui-tts does not insist on."""
    with (
        mock.patch.object(engine._xtts.tokenizer, "encode", side_effect=ImportError("Chinese requires: pypinyin")),
        pytest.raises(Poison, match="cannot read 'zh' here: Chinese requires: pypinyin"),
    ):
        engine.say(utterance(language="zh-CN"))


def test_cuts_a_take_that_runs_away(tmp_path: Path) -> None:
    """A take that does not end is cut after a few times its length, and says that it did not stop."""
    engine = loaded(tiny_xtts(tmp_path, tokens_per_character=0, max_audio_tokens=605), batch=2)
    engine._xtts.gpt.mel_head.bias.data[engine._xtts.gpt.stop_audio_token] = -1e9
    short, long = engine.say(utterance("Yes!")), engine.say(utterance("A sentence of thirty characters."))
    assert not short.stopped
    assert not long.stopped
    assert 3.0 < len(short.pcm) / 24000 < 4.0
    assert len(short.codes) < len(long.codes) < 200


@pytest.mark.parametrize("speed", [0.5, 1.0, 2.0])
def test_a_take_of_one_token_has_a_sound_at_any_speed(engine: XttsEngine, speed: float) -> None:
    """A model that stops at once gives a bad take, which is said again, and not a crash."""
    gpt = engine._xtts.gpt
    stop = 1000 * torch.eye(gpt.num_audio_tokens)[gpt.stop_audio_token]
    with mock.patch.object(gpt.mel_head, "forward", lambda hidden: stop.expand(len(hidden), -1)):
        take = engine.say(utterance(speed=speed))
    assert len(take.codes) == 1
    assert len(take.pcm)


def test_memory_of_the_vocoder_may_run_out(engine: XttsEngine) -> None:
    """Then it may work later, and does."""
    with (
        mock.patch.object(engine._xtts.hifigan_decoder, "forward", side_effect=torch.OutOfMemoryError("full")),
        pytest.raises(Retryable, match="vocoder: full"),
    ):
        engine.say(utterance())
    assert engine.say(utterance()).stopped


def test_does_not_start_where_nothing_fits(xtts_folder: Path) -> None:
    """A GPU too small for one sentence is found out before the first job."""
    with (
        mock.patch.object(Transformer, "prefill", side_effect=torch.OutOfMemoryError("full")),
        pytest.raises(UserError, match="no memory to decode one sentence") as caught,
    ):
        loaded(xtts_folder)
    assert caught.value.code == ExitCode.UNAVAILABLE


@pytest.mark.parametrize("precision", ["float16", "bfloat16"])
def test_speaks_with_16_bits(xtts_folder: Path, precision: str) -> None:
    """Half precision gives sound of about the same length, and voices of recordings as well."""
    engine = loaded(xtts_folder, precision=precision)
    for each in (utterance(SENTENCES[3]), utterance(SENTENCES[3])._replace(clip=hum())):
        take = engine.say(each)
        assert take.stopped
        assert np.isfinite(take.pcm).all()
        assert len(take.pcm) > 24000


def test_one_thread_tokenizes_at_once(engine: XttsEngine) -> None:
    """The tokenizer's helpers keep notes between calls."""
    tokenizer = engine._xtts.tokenizer
    held: list[bool] = []

    def encode(*args: Any, real: Any = tokenizer.encode, **options: Any) -> Any:
        held.append(engine._tokenizing.locked())
        return real(*args, **options)

    with mock.patch.object(tokenizer, "encode", encode):
        engine.say(utterance())
    assert held == [True]


def test_one_thread_vocodes_for_all(engine: XttsEngine) -> None:
    """The vocoder's memory is reckoned for one sentence, and every thread that calls torch costs some more."""
    vocoder = engine._xtts.hifigan_decoder
    callers: set[int] = set()

    def forward(*args: Any, real: Any = vocoder.forward, **options: Any) -> Any:
        callers.add(threading.get_ident())
        return real(*args, **options)

    with mock.patch.object(vocoder, "forward", forward), ThreadPoolExecutor(4) as threads:
        barrier = threading.Barrier(4)
        list(threads.map(lambda text: (barrier.wait(), engine.say(utterance(text))), SENTENCES[:4]))
    assert len(callers) == 1
