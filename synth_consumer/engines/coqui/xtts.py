"""XTTSv2 with many sentences decoded side by side. Threads call it; their sentences meet in one `Decoder`."""

import math
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import torch
from torch.nn import functional

from e2a import traits
from e2a.errors import ExitCode, Poison, Retryable, UserError
from e2a.plan import model_name
from e2a.settings import SynthSettings
from synth_consumer.engines import Engine, Pcm, Take, Utterance
from synth_consumer.engines.coqui import asking, models, reference, vocoder
from synth_consumer.engines.coqui.batch import CONDITIONING, Request, slots_that_fit
from synth_consumer.engines.coqui.decoder import Decoder
from synth_consumer.engines.coqui.sampling import Sampling

MODEL = "tts_models/multilingual/multi-dataset/xtts_v2"
"""What an empty setting means."""
SLACK, PATIENCE = 2.2, 3.0
"""A sentence is cut after so many times the seconds that it should take, and so many seconds more: short ones are slow,
and what runs away is neither worth its time nor a good take."""


class Voice(NamedTuple):
    """How someone speaks, on the CPU: every thread brings it to the GPU for itself."""

    conditioning: Any
    """For the decoder: float32 of shape (1, 32, dim)."""
    embedding: Any
    """For the vocoder: float32 of shape (1, 512, 1)."""


class XttsEngine(Engine):
    """`Engine` of XTTSv2 and of models made from it, with built-in voices and voices of recordings.

    The sound is that of `Xtts.inference` with the sampling of the model's config, but for the random numbers, which
    follow from the seed of the utterance alone, and for the end of a take that runs away. The vocoder runs while the
    decoder goes on, one sentence at a time: in a padded batch the ends of sentences would come out differently.
    """

    name = "xtts"
    licence = models.CPML
    sample_rate = 24000
    varies = True

    def __init__(self, settings: SynthSettings) -> None:
        self.model = model_name(settings.model)
        self._settings = settings
        self._where: Any = torch.device("cpu")
        self._xtts: Any = None
        self._decoder: Decoder | None = None
        self._stream: Any = None
        self._languages: tuple[str, ...] = ()
        self._voices: dict[str, Voice] = {}
        self._tokenizing = threading.Lock()
        """num2words, which the tokenizer uses, keeps notes between calls."""
        self._vocoder = ThreadPoolExecutor(1, thread_name_prefix="xtts-vocoder")
        """Every thread that calls torch would have libraries and threads of its own, on a GPU in its memory."""

    def load(self) -> None:
        self._where = models.device(self._settings)
        files = models.find(self._settings.model or MODEL, accept_cpml=self._settings.accept_cpml)
        if files.kind != "xtts":
            reason = f"engine xtts: model {files.name!r} is a {files.kind}; engine coqui speaks with it"
            raise UserError(reason, ExitCode.CONFIG)
        self._xtts = models.load(files, self._where).tts_model
        if not self._xtts.args.gpt_use_perceiver_resampler:
            raise UserError(f"engine xtts: model {files.name!r} is an XTTS of version 1", ExitCode.CONFIG)
        self.device, self.gpu = models.describe(self._where), models.uuid(self._where)
        self.weights = models.weights_digest(files)
        self.sample_rate = self._xtts.args.output_sample_rate
        self._languages = tuple(self._xtts.config.languages)
        self._voices = _built_in(self._xtts)
        vocoder.prepare(self._xtts.hifigan_decoder.waveform_decoder)
        self._start()

    def _start(self) -> None:
        dtype = getattr(torch, self._settings.precision)
        if self._where.type == "cuda":
            self._stream = torch.cuda.Stream(self._where)
            torch.cuda.synchronize(self._where)
        slots = self._settings.batch or slots_that_fit(self._xtts.gpt, dtype)
        config = self._xtts.config
        sampling = Sampling(config.top_k, config.top_p, config.repetition_penalty)
        self._decoder = Decoder(self._xtts.gpt, sampling, dtype=dtype, slots=slots)
        self.at_once = 2 * slots  # those that wait keep the slots busy while others are vocoded
        self._warm_up()

    def _warm_up(self) -> None:
        """Say nothing in particular, so that what is only loaded or compiled at the first sentence is there."""
        silence = Voice(
            torch.zeros(1, CONDITIONING, self._xtts.gpt.model_dim), torch.zeros(1, self._xtts.args.d_vector_dim, 1)
        )
        try:
            self._say(Request((), silence.conditioning, seed=0, temperature=1.0, most=8), silence.embedding, speed=1.0)
        except Retryable as error:
            raise UserError(f"engine xtts: {error}", ExitCode.UNAVAILABLE) from error

    def voices(self, language: str) -> tuple[str, ...]:
        return () if models.spoken(language, self._languages) is None else tuple(self._voices)

    def say(self, utterance: Utterance) -> Take:
        """Say a sentence; a text without letters and digits, such as `* * *`, is a short silence.

        Raises:
            Poison: an unknown language or voice, a recording that is no use, or a script that the model does not read.
            TooLong: more tokens than the model takes, or a number that its tokenizer cannot write out.
            Retryable: the GPU's memory was full.
        """
        speech = utterance.speech
        language = self._language(speech.language)
        voice = self._voice(utterance)
        text = self._tokens(utterance.text, language)
        if not text:
            return asking.silence(self.sample_rate)
        temperature = self._xtts.config.temperature * utterance.variety
        most = self._most_tokens(utterance.text, language)
        return self._say(
            Request(text, voice.conditioning, utterance.seed, temperature, most), voice.embedding, speed=speech.speed
        )

    def memory(self) -> int:
        return models.memory(self._where)

    def _say(self, request: Request, embedding: Any, *, speed: float) -> Take:
        assert self._decoder, "load comes first"
        decoded = self._decoder.submit(request).result()
        pcm = models.within_memory(
            lambda: self._vocoder.submit(self._vocode, decoded.latents, embedding, speed).result(),
            lacking="no memory for the vocoder",
        )
        return Take(pcm, decoded.stopped, decoded.codes)

    def _vocode(self, latents: Any, embedding: Any, speed: float) -> Pcm:
        with torch.inference_mode(), torch.cuda.stream(self._stream):
            columns = latents.to(self._where)[None]
            if speed != 1 and len(latents) >= speed:  # of a take of next to nothing, nothing at all would be left
                longer = functional.interpolate(columns.transpose(1, 2), scale_factor=1 / speed, mode="linear")
                columns = longer.transpose(1, 2)
            wave = self._xtts.hifigan_decoder(columns, g=embedding.to(self._where))
            pcm: Pcm = wave.reshape(-1).cpu().numpy()
            return pcm

    def _language(self, tag: str) -> str:
        """Return the language as the tokenizer spells it.

        Raises:
            Poison: the model does not speak it.
        """
        language = models.spoken(tag, self._languages)
        if language is None:
            raise Poison(f"XTTS speaks no {tag!r}, but {', '.join(self._languages)}")
        return language.split("-")[0]

    def _voice(self, utterance: Utterance) -> Voice:
        if utterance.clip:
            return Voice(*reference.latents(self._xtts, utterance.clip))
        name = utterance.speech.voice or next(iter(self._voices), "")
        if name not in self._voices:
            raise Poison(f"XTTS has no voice {name!r}; it has: {asking.listed(self._voices)}")
        return self._voices[name]

    def _tokens(self, text: str, language: str) -> tuple[int, ...]:
        """Return the tokens of a text; none for a text without letters and digits.

        Raises:
            Poison, TooLong: as `say` does.
        """
        with self._tokenizing, asking.tokenizing("XTTS", text, language):
            tokens = asking.xtts_tokens(self._xtts, text, language)
        words = map(self._xtts.tokenizer.tokenizer.id_to_token, tokens)
        return tokens if asking.has_words("XTTS", text, words) else ()

    def _most_tokens(self, text: str, language: str) -> int:
        """Return the audio tokens after which a take of a text has run away."""
        seconds = SLACK * len(text) / traits.rate(self.name, language) + PATIENCE
        tokens: int = math.ceil(seconds * self._xtts.args.input_sample_rate / self._xtts.gpt.code_stride_len)
        return min(tokens, int(self._xtts.gpt.max_gen_mel_tokens))


def _built_in(model: Any) -> dict[str, Voice]:
    """Return a model's own voices by their names, of which some end with a line break."""
    speakers = model.speaker_manager.speakers if model.speaker_manager else {}
    return {
        name.strip(): Voice(voice["gpt_cond_latent"].float().cpu(), voice["speaker_embedding"].float().cpu())
        for name, voice in speakers.items()
    }
