"""Any model that coqui-tts loads, by its own inference, one sentence at a time."""

import contextlib
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from e2a.errors import ExitCode, Poison, Retryable, UserError
from e2a.plan import Speech, model_name
from e2a.settings import SynthSettings
from synth_consumer.engines import Engine, Pcm, Take, Utterance
from synth_consumer.engines.coqui import asking, models, reference

ONLY_VOICE = "default"
"""What the voice of a model is called that has one and does not name it."""
BRIEF = 20
"""Characters of a text that may be too few for a model: a convolution can be wider than what there is of the text."""
_GPU = re.compile("cuda|cudnn|cublas", re.IGNORECASE)
"""In errors of libraries that torch has no class for."""


class CoquiEngine(Engine):
    """`Engine` of any text-to-speech model of coqui-tts: with one voice or several, with or without a vocoder.

    XTTS takes a voice from a recording; other models that could are refused a recording.
    """

    name = "coqui"
    licence = models.UNKNOWN_LICENCE
    sample_rate = 22050
    varies = True

    def __init__(self, settings: SynthSettings) -> None:
        self.model = model_name(settings.model)
        self._settings = settings
        self._synthesizer: Any = None
        self._where: Any = torch.device("cpu")
        self._languages: tuple[str, ...] = ()
        self._voices: dict[str, str | None] = {}
        """Names of voices, and what the model calls them."""

    @property
    def _model(self) -> Any:
        return self._synthesizer.tts_model

    @property
    def _is_xtts(self) -> bool:
        return bool(self._model.config.model == "xtts")

    def load(self) -> None:
        if not self._settings.model:
            wanted = "set E2A_MODEL or --model to a name of its catalogue, such as tts_models/en/ljspeech/vits"
            raise UserError(f"engine coqui has many models: {wanted}, or to a folder", ExitCode.CONFIG)
        self._where = models.device(self._settings)
        files = models.find(self._settings.model, accept_cpml=self._settings.accept_cpml)
        self._synthesizer = models.load(files, self._where)
        self.device, self.gpu = models.describe(self._where), models.uuid(self._where)
        self.weights = models.weights_digest(files)
        self.licence = files.licence
        self.sample_rate = self._synthesizer.output_sample_rate
        several = tuple(self._model.language_manager.name_to_id)
        self._languages = several if len(several) > 1 else files.languages
        self._voices = _voices(self._model)
        self._warm_up()

    def voices(self, language: str) -> tuple[str, ...]:
        if self._languages and models.spoken(language, self._languages) is None:
            return ()
        return tuple(self._voices)

    def say(self, utterance: Utterance) -> Take:
        """Say a sentence by the model's own inference.

        A text of which the model reads no letter or digit is a short silence when it has none, such as `* * *`. When
        it has some, in a script that the model does not know, it is `Poison`: they would be lost without a word.

        Raises:
            Poison: an unknown language or voice, a recording that is no use or that the model takes no voice from, a
                speed that it does not have, a script that it does not read, or a text that is too brief for it.
            TooLong: more tokens than an XTTS takes, or a number that the tokenizer cannot write out.
            Retryable: the GPU's memory was full.
        """
        language = self._language(utterance.speech)
        voice = self._voice(utterance)
        if utterance.speech.speed != 1 and not (self._is_xtts or hasattr(self._model, "length_scale")):
            raise Poison(f"model {self.model!r} has one speed; leave --speed away")
        if not self._reads(utterance.text, language):
            return asking.silence(self.sample_rate)
        return models.within_memory(lambda: self._take(utterance, language, voice), lacking="the GPU's memory is full")

    def memory(self) -> int:
        return models.memory(self._where)

    def _warm_up(self) -> None:
        """Say a sentence, so that what is only loaded or compiled at the first sentence is there."""
        speech = Speech(engine=self.name, language=self._languages[0] if self._languages else "en")
        try:
            self.say(Utterance("These are the first words of the model.", speech, seed=0))
        except Poison:
            return  # a model of another script, or without a voice of its own
        except Retryable as error:
            raise UserError(f"model {self.model!r}: {error}", ExitCode.UNAVAILABLE) from error

    def _language(self, speech: Speech) -> str | None:
        """Return the language as the model spells it; None for a model that is told none."""
        language = models.spoken(speech.language, self._languages)
        if self._languages and language is None:
            spoken = ", ".join(self._languages)
            raise Poison(f"model {self.model!r} speaks no {speech.language!r}, but {spoken}, as its config.json says")
        return language if self._is_xtts or self._model.language_manager.num_languages > 1 else None

    def _voice(self, utterance: Utterance) -> Any:
        """Return the latents of an XTTS's voice, or what another model calls a voice."""
        if utterance.clip and not self._is_xtts:
            raise Poison(f"model {self.model!r} takes no voice from a recording; it has: {asking.listed(self._voices)}")
        if utterance.clip:
            return reference.latents(self._model, utterance.clip)
        voice = utterance.speech.voice or next(iter(self._voices), "")
        if voice not in self._voices:
            raise Poison(f"model {self.model!r} has no voice {voice!r}; it has: {asking.listed(self._voices)}")
        if self._is_xtts:
            latents = self._model.speaker_manager.speakers[self._voices[voice]]
            return latents["gpt_cond_latent"], latents["speaker_embedding"]
        return self._voices[voice]

    def _reads(self, text: str, language: str | None) -> bool:
        """Return whether the model reads any letter or digit of a text; False for a text that has none."""
        who = f"model {self.model!r}"
        with asking.tokenizing(who, text, language):
            tokens = _tokens(self._model, text, language)
        return asking.has_words(who, text, tokens)

    def _take(self, utterance: Utterance, language: str | None, voice: Any) -> Take:
        torch.manual_seed(utterance.seed)
        np.random.seed(utterance.seed % 2**32)  # Griffin-Lim, the vocoder of models without one
        with torch.inference_mode():
            if self._is_xtts:
                return self._say_by_xtts(utterance, language, voice)
            with _enough(self.model, utterance.text):
                return Take(self._samples(utterance, language, voice))

    def _say_by_xtts(self, utterance: Utterance, language: str | None, voice: Any) -> Take:
        config = self._model.config
        output = self._model.inference(
            utterance.text,
            language,
            *voice,
            temperature=config.temperature * utterance.variety,
            length_penalty=config.length_penalty,
            repetition_penalty=config.repetition_penalty,
            top_k=config.top_k,
            top_p=config.top_p,
            speed=utterance.speech.speed,
        )
        most = int(self._model.gpt.max_gen_mel_tokens / utterance.speech.speed)
        return Take(_pcm(output["wav"]), stopped=output["gpt_latents"].shape[1] < most)

    def _samples(self, utterance: Utterance, language: str | None, voice: str | None) -> Pcm:
        vocoder = self._synthesizer.vocoder_model
        with _pace(self._model, utterance.speech.speed):
            output = self._model.synthesize(
                text=utterance.text, speaker=voice, language=language, use_griffin_lim=vocoder is None
            )
        if vocoder is None:
            return _pcm(output["wav"])
        return _pcm(self._synthesizer._run_vocoder(output["outputs"]["model_outputs"][0], self._where))


def _voices(model: Any) -> dict[str, str | None]:
    """Return the names of a model's own voices, and what it calls them: some names end with a line break."""
    manager = getattr(model, "speaker_manager", None)
    if manager is not None and manager.speaker_names:
        return {name.strip(): name for name in manager.speaker_names}
    return {} if model.config.model == "xtts" else {ONLY_VOICE: None}


def _tokens(model: Any, text: str, language: str | None) -> list[str]:
    """Return what a model's tokenizer leaves of a text: letters, phonemes, pieces of words or marks."""
    tokenizer: Any = getattr(model, "tokenizer", None)
    if model.config.model == "xtts":
        return [tokenizer.tokenizer.id_to_token(number) for number in asking.xtts_tokens(model, text, language)]
    if not hasattr(tokenizer, "characters"):
        return list(text)  # Bark and Tortoise read any script
    vocabulary = tokenizer.characters.vocab
    numbers = tokenizer.text_to_ids(text, language=language or model.language_manager.language_names[0])
    return [vocabulary[number] for number in numbers if number < len(vocabulary)]


@contextlib.contextmanager
def _pace(model: Any, speed: float) -> Iterator[None]:
    """Let a model speak at another speed until the block ends."""
    usual = getattr(model, "length_scale", None)
    if speed == 1 or usual is None:
        yield
        return
    model.length_scale = usual / speed
    try:
        yield
    finally:
        model.length_scale = usual


@contextlib.contextmanager
def _enough(model: str, text: str) -> Iterator[None]:
    """Tell a text that is too brief for a model's convolutions from a bug and from what befalls a GPU."""
    try:
        yield
    except (IndexError, RuntimeError) as error:
        of_gpu = isinstance(error, torch.OutOfMemoryError | torch.AcceleratorError) or _GPU.search(str(error))
        if len(text) > BRIEF or of_gpu:
            raise
        reason = str(error).split("\n")[0]
        raise Poison(f"model {model!r} cannot say {text!r}, which may be too short for it: {reason}") from error


def _pcm(wav: Any) -> Pcm:
    """Return samples as a model gives them as float32 of shape (samples,), in [-1, 1]."""
    pcm: Pcm = torch.as_tensor(wav).detach().float().cpu().reshape(-1).clamp(-1, 1).numpy()
    return pcm
