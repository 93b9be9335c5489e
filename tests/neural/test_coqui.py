"""The engine of any coqui-tts model: VITS with one voice and several, Glow-TTS with and without a vocoder, and XTTS."""

import importlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import synth_consumer.engines.coqui
from e2a.errors import ExitCode, Poison, Retryable, UserError
from e2a.plan import Speech, clip_voice, take_seed
from e2a.settings import SynthSettings
from synth_consumer.engines import Engine, TooLong, Utterance, create
from synth_consumer.engines.coqui.asking import LISTED, SILENCE
from synth_consumer.engines.coqui.engine import BRIEF, CoquiEngine
from tests.neural.tiny import VOICE, hum, tiny_glow, tiny_vits, tiny_xtts

TEXT = "She counted two hundred and fourteen umbrellas."
OTHER = "Then it began to rain."


def utterance(
    text: str = TEXT, *, attempt: int = 0, variety: float = 1.0, clip: bytes = b"", **speech: Any
) -> Utterance:
    given = {"engine": "coqui", "language": "en", "voice": clip_voice(clip) if clip else ""}
    return Utterance(text, Speech(**(given | speech)), take_seed(text, attempt), variety, clip)


def load(folder: Path) -> CoquiEngine:
    engine = CoquiEngine(SynthSettings(engine="coqui", model=str(folder), device="cpu", accept_cpml=True))
    engine.load()
    return engine


@pytest.fixture(scope="module")
def vits(vits_folder: Path) -> CoquiEngine:
    return load(vits_folder)


@pytest.fixture(scope="module")
def xtts(xtts_folder: Path) -> CoquiEngine:
    return load(xtts_folder)


@pytest.fixture(scope="module")
def polyglot(tmp_path_factory: pytest.TempPathFactory) -> CoquiEngine:
    """Return a VITS of one voice and three languages."""
    return load(tiny_vits(tmp_path_factory.mktemp("models") / "polyglot", languages=("en", "fr-fr", "pt-br")))


@pytest.fixture(scope="module")
def glow(tmp_path_factory: pytest.TempPathFactory) -> CoquiEngine:
    return load(tiny_glow(tmp_path_factory.mktemp("models") / "glow"))


@pytest.fixture(scope="module")
def griffin_lim(tmp_path_factory: pytest.TempPathFactory) -> CoquiEngine:
    return load(tiny_glow(tmp_path_factory.mktemp("models") / "griffin-lim", vocoder=False))


ALL = pytest.mark.parametrize("model", ["vits", "xtts", "polyglot", "glow", "griffin_lim"])
SAMPLING = pytest.mark.parametrize("model", ["vits", "xtts", "griffin_lim"])


@pytest.fixture
def engine(model: str, request: pytest.FixtureRequest) -> CoquiEngine:
    found: CoquiEngine = request.getfixturevalue(model)
    return found


@ALL
def test_speaks(engine: Engine) -> None:
    """Every kind of model gives mono float32 in range that is audible, and the longer text is the longer sound."""
    short, long = engine.say(utterance("No.")), engine.say(utterance())
    for take in (short, long):
        assert take.pcm.dtype == np.float32
        assert take.pcm.ndim == 1
        assert take.stopped
        assert 0.01 < np.abs(take.pcm).max() <= 1
    assert len(short.pcm) < len(long.pcm) < 30 * engine.sample_rate


@ALL
def test_says_the_same_whatever_was_said_before(engine: Engine) -> None:
    """The same utterance is the same samples at once, after others, and after chance was used elsewhere."""
    first = engine.say(utterance()).pcm
    assert np.array_equal(engine.say(utterance()).pcm, first)
    engine.say(utterance(OTHER))
    engine.say(utterance(OTHER, speed=1.5))
    torch.rand(3)
    np.random.rand(3)
    assert np.array_equal(engine.say(utterance()).pcm, first)


@pytest.mark.parametrize("folder", ["vits_folder", "xtts_folder"])
def test_says_the_same_in_every_process(folder: str, request: pytest.FixtureRequest) -> None:
    """Two workers with the same model say the same, the first sentence of one being the second of the other."""
    one, other = (load(request.getfixturevalue(folder)) for _ in range(2))
    one.say(utterance(OTHER))
    assert np.array_equal(one.say(utterance()).pcm, other.say(utterance()).pcm)
    assert one.weights == other.weights


@SAMPLING
def test_another_seed_is_another_take(engine: Engine) -> None:
    """A retake is not the same again."""
    assert engine.varies
    first, second = engine.say(utterance()).pcm, engine.say(utterance(attempt=1)).pcm
    assert len(first) != len(second) or not np.array_equal(first, second)


@ALL
def test_speed_changes_the_length(engine: Engine) -> None:
    """Twice the speed is about half the length; the next sentence is at its own speed."""
    normal = len(engine.say(utterance()).pcm)
    assert len(engine.say(utterance(speed=2.0)).pcm) < 0.8 * normal
    assert len(engine.say(utterance(speed=0.5)).pcm) > 1.4 * normal
    assert len(engine.say(utterance()).pcm) == normal


def test_a_model_of_one_speed_says_so(glow: CoquiEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model without a length scale speaks at its own speed, and at no other."""
    monkeypatch.delattr(glow._model, "length_scale")
    with pytest.raises(Poison, match="'glow' has one speed; leave --speed away"):
        glow.say(utterance(speed=1.2))


def test_voices_are_different(vits: CoquiEngine) -> None:
    """A model of several speakers speaks as the one that is asked for; the default is the first."""
    assert vits.voices("en-GB") == ("ann", "bob")
    ann, bob = (vits.say(utterance(voice=voice)).pcm for voice in ("ann", "bob"))
    assert np.array_equal(vits.say(utterance()).pcm, ann)
    assert len(ann) != len(bob) or not np.array_equal(ann, bob)


def test_voices_of_xtts_and_of_models_of_one_speaker(
    xtts: CoquiEngine, glow: CoquiEngine, polyglot: CoquiEngine
) -> None:
    """XTTS has those of its file; a voice without a name is the default; a language that is not spoken has none."""
    assert xtts.voices("zh-CN") == (VOICE,)
    assert glow.voices("en") == polyglot.voices("fr-CA") == ("default",)
    assert xtts.voices("xx") == polyglot.voices("de") == ()
    assert np.array_equal(glow.say(utterance(voice="default")).pcm, glow.say(utterance()).pcm)


def test_voices_may_be_written_with_a_line_break(tmp_path: Path) -> None:
    """YourTTS writes its speakers so; nobody could ask for them."""
    engine = load(tiny_vits(tmp_path / "lines", speakers=("ann\n", "bob\n")))
    assert engine.voices("en") == ("ann", "bob")
    assert len(engine.say(utterance(voice="bob")).pcm)


def test_an_error_lists_some_voices(tmp_path: Path) -> None:
    """A model of a hundred speakers does not fill the log."""
    engine = load(tiny_vits(tmp_path / "crowd", speakers=[f"p{number}" for number in range(LISTED + 5)]))
    with pytest.raises(Poison, match=rf"it has: p0, .*, p{LISTED - 1}, \.\.\.$"):
        engine.say(utterance(voice="nobody"))


def test_languages_are_different(polyglot: CoquiEngine) -> None:
    """A model of several languages is told which, in its own spelling."""
    english, french = (polyglot.say(utterance(language=tag)).pcm for tag in ("en-GB", "fr"))
    assert len(english) != len(french) or not np.array_equal(english, french)
    assert np.array_equal(polyglot.say(utterance(language="fr-FR")).pcm, french)


def test_a_model_that_names_no_language_takes_any(glow: CoquiEngine) -> None:
    """Nobody knows what it speaks but the user."""
    assert glow.voices("de") == ("default",)
    assert len(glow.say(utterance("Es regnete.", language="de")).pcm)


@pytest.mark.parametrize(
    ("model", "speech", "reason"),
    [
        ("vits", {"language": "de"}, "speaks no 'de', but en"),
        ("polyglot", {"language": "de"}, "speaks no 'de', but en, fr-fr, pt-br"),
        ("xtts", {"language": "xx"}, "speaks no 'xx', but en, es, fr"),
        ("vits", {"voice": "carl"}, "has no voice 'carl'; it has: ann, bob"),
        ("xtts", {"voice": "carl"}, f"has no voice 'carl'; it has: {VOICE}"),
        ("glow", {"voice": "carl"}, "has no voice 'carl'; it has: default"),
        ("vits", {"clip": hum()}, "takes no voice from a recording; it has: ann, bob"),
        ("xtts", {"clip": b"no recording"}, "the reference recording is no use"),
        ("xtts", {"voice": clip_voice(hum())}, "has no voice 'clip:"),
        ("vits", {"text": "Тишина."}, "knows no letter of 'Тишина.'"),
        ("xtts", {"text": "Тишина."}, "knows no letter of 'Тишина.'"),
    ],
)
def test_refuses_what_it_cannot_say(engine: Engine, speech: dict[str, Any], reason: str) -> None:
    """What can never be said is poison, and the reason names what there is."""
    with pytest.raises(Poison, match=reason):
        engine.say(utterance(**speech))


@ALL
@pytest.mark.parametrize("text", ["* * *", "…", "♪ ♪"])
def test_a_text_without_words_is_a_short_silence(engine: Engine, text: str) -> None:
    """A line of ornaments does not stop a book, and no model babbles over it."""
    pcm = engine.say(utterance(text)).pcm
    assert len(pcm) == round(SILENCE * engine.sample_rate)
    assert not pcm.any()


def test_speaks_as_a_recording(xtts: CoquiEngine) -> None:
    """XTTS takes its voice from a recording, and another recording is another voice."""
    low, high = (xtts.say(utterance(clip=hum(pitch=pitch))).pcm for pitch in (110, 220))
    own = xtts.say(utterance()).pcm
    assert not any(np.array_equal(low, other) for other in (high, own))
    assert np.array_equal(xtts.say(utterance(clip=hum(pitch=110))).pcm, low)


def test_xtts_without_voices_wants_a_recording(tmp_path: Path) -> None:
    """A model that was tuned without voices of its own starts, says what it wants, and speaks with it."""
    folder = tiny_xtts(tmp_path / "tuned")
    (folder / "speakers_xtts.pth").unlink()
    engine = load(folder)
    assert engine.voices("en") == ()
    with pytest.raises(Poison, match="it has: none of its own, so give it a recording"):
        engine.say(utterance())
    assert len(engine.say(utterance(clip=hum())).pcm)


def test_variety_is_a_factor_on_the_temperature(xtts: CoquiEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hotter take is what the model says at a higher temperature."""
    calm, hot = (xtts.say(utterance(variety=variety)).pcm for variety in (0.5, 2.0))
    assert len(calm) != len(hot) or not np.array_equal(calm, hot)
    monkeypatch.setitem(xtts._model.config, "temperature", 2 * xtts._model.config.temperature)
    assert np.array_equal(xtts.say(utterance()).pcm, hot)


def test_xtts_that_never_stops_is_cut(tmp_path: Path) -> None:
    """What came to the model's limit did not stop by itself, at any speed."""
    engine = load(tiny_xtts(tmp_path / "endless", tokens_per_character=0, max_audio_tokens=40))
    for speed in (0.7, 1, 1.3):
        assert not engine.say(utterance(speed=speed)).stopped


def test_a_text_too_long_for_xtts_is_to_be_split(xtts: CoquiEngine) -> None:
    """More tokens than it takes is said in pieces."""
    with pytest.raises(TooLong, match="tokens; an XTTS takes fewer than 402"):
        xtts.say(utterance("over and over " * 40))


def test_a_number_that_cannot_be_written_out_is_to_be_split(xtts: CoquiEngine) -> None:
    """What the tokenizer gives up on is no crash."""
    with pytest.raises(TooLong, match="model 'tiny-xtts' cannot read '999.*' in 'en': OverflowError"):
        xtts.say(utterance("9" * 400))


def test_a_text_too_brief_for_a_model_is_poison(glow: CoquiEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some models fail when they get a few letters; the worker goes on, and the book's report has the reason."""
    durations = glow._model.encoder.duration_predictor
    monkeypatch.setattr(durations, "forward", lambda letters, _mask: -20 + 0 * letters[:, :1])
    with pytest.raises(Poison, match="'glow' cannot say 'I', which may be too short.*input size"):
        glow.say(utterance("I"))
    assert len(glow.say(utterance("Two.")).pcm)


def test_only_a_brief_text_may_be_too_brief(glow: CoquiEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that fails on a longer one is broken, and the worker with it."""

    def fail(*_args: object, **_options: object) -> None:
        raise RuntimeError("sizes do not match")

    monkeypatch.setattr(glow._model, "inference", fail)
    with pytest.raises(Poison, match="sizes do not match"):
        glow.say(utterance("I" * BRIEF))
    with pytest.raises(RuntimeError, match="sizes do not match"):
        glow.say(utterance("I" * (BRIEF + 1)))


@pytest.mark.parametrize("error", [torch.AcceleratorError("CUDA error"), RuntimeError("cuDNN error: NOT_SUPPORTED")])
def test_a_gpu_that_fails_is_no_fault_of_the_text(
    glow: CoquiEngine, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """A worker whose GPU is broken ends, and does not call one text after the other unspeakable."""

    def fail(*_args: object, **_options: object) -> None:
        raise error

    monkeypatch.setattr(glow._model, "inference", fail)
    with pytest.raises(type(error), match=str(error)):
        glow.say(utterance("No."))


def test_warms_up_with_more_than_a_few_letters(vits_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that is not made for brief texts starts."""
    said: list[str] = []
    monkeypatch.setattr(CoquiEngine, "say", lambda _engine, utterance: said.append(utterance.text))
    load(vits_folder)
    assert len(said[0]) > BRIEF


def test_memory_that_is_full_may_be_free_later(vits: CoquiEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sentence that did not fit is tried again, and what torch keeps in reserve is given back first."""
    freed: list[bool] = []
    monkeypatch.setattr("torch.cuda.empty_cache", lambda: freed.append(True))

    def full(*_args: object, **_options: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    with monkeypatch.context() as patch:
        patch.setattr(vits._model, "inference", full)
        with pytest.raises(Retryable, match="memory is full: CUDA out of memory"):
            vits.say(utterance())
    assert freed == [True]
    assert vits.say(utterance()).stopped


def test_does_not_start_where_nothing_fits(vits_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU too small for one word is found out before the first job."""

    def full(*_args: object, **_options: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("TTS.tts.models.vits.Vits.inference", full)
    with pytest.raises(UserError, match="'tiny-vits': the GPU's memory is full") as caught:
        load(vits_folder)
    assert caught.value.code == ExitCode.UNAVAILABLE


def test_a_missing_romanisation_is_named(xtts: CoquiEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some scripts are romanised by packages that coqui-tts does not insist on."""

    def encode(*_args: object, **_options: object) -> None:
        raise ImportError("Chinese requires: pypinyin")

    monkeypatch.setattr(xtts._model.tokenizer, "encode", encode)
    with pytest.raises(Poison, match="cannot read 'zh-cn' here: Chinese requires: pypinyin"):
        xtts.say(utterance(language="zh-CN"))


def test_says_what_it_is(vits: CoquiEngine, vits_folder: Path) -> None:
    """After loading, name, device, rate, weights and licence are known, and the model is called by its folder."""
    assert (vits.name, vits.model, vits.device, vits.sample_rate) == ("coqui", "tiny-vits", "cpu", 22050)
    assert vits.licence == "see the model's own licence"
    assert len(vits.weights) == 64
    assert (vits.at_once, vits.memory()) == (1, 0)


def test_a_model_has_to_be_named() -> None:
    """There is no default among so many, and the message says how to choose."""
    engine = create(SynthSettings(engine="coqui", device="cpu"))
    with pytest.raises(UserError, match="set E2A_MODEL or --model") as caught:
        engine.load()
    assert caught.value.code == ExitCode.CONFIG


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without coqui-tts the engine says which extra has it."""
    monkeypatch.setitem(sys.modules, "TTS", None)
    with pytest.raises(ImportError, match=r"no TTS here; .*pip install '\.\[synth,coqui\]'"):
        importlib.reload(synth_consumer.engines.coqui)
