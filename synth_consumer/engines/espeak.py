"""espeak-ng: a small formant synthesiser that speaks a hundred languages on any CPU. The only home of its program."""

import io
import re
import shutil
import subprocess
import wave
from functools import cache

import numpy as np

from e2a.errors import ExitCode, Poison, Retryable, UserError
from e2a.settings import SynthSettings
from synth_consumer.engines import Engine, Pcm, Take, Utterance

PROGRAM = "espeak-ng"
WORDS_PER_MINUTE = 175
_FIXED = {"en": "en-us"}
"""Voices for languages whose own tag names another accent than most readers expect."""


class EspeakEngine(Engine):
    """`Engine` that runs `espeak-ng` once a sentence. The same sentence always gives the same samples."""

    name = "espeak"
    sample_rate = 22050
    licence = "GPL-3.0-or-later (program); what it speaks is yours"

    def __init__(self, _settings: SynthSettings) -> None:
        self._voices: dict[str, tuple[str, ...]] = {}

    def load(self) -> None:
        if shutil.which(PROGRAM) is None:
            raise UserError(f"{PROGRAM} is not on PATH; install it: apt-get install {PROGRAM}", ExitCode.UNAVAILABLE)
        self._voices = _list_voices()

    def voices(self, language: str) -> tuple[str, ...]:
        tag = language.lower()
        base = tag.split("-")[0]
        wanted = [_FIXED.get(tag, tag), _FIXED.get(base, base)]
        related = [voice for voice, others in self._voices.items() if voice.split("-")[0] == base or base in others]
        return tuple(dict.fromkeys([voice for voice in wanted if voice in self._voices] + related))

    def say(self, utterance: Utterance) -> Take:
        speech = utterance.speech
        voices = self.voices(speech.language)
        if not voices:
            raise Poison(f"espeak-ng speaks no {speech.language!r}; choose a language it speaks with --language")
        voice = speech.voice or voices[0]
        base, _plus, variant = voice.partition("+")
        is_known = not variant or variant.isdigit() or variant in _list_variants()
        if base.lower() not in self._voices or not is_known:
            raise Poison(f"espeak-ng has no voice {voice!r}; for {speech.language!r}: {', '.join(voices)}")
        return Take(_say(utterance.text, voice, round(WORDS_PER_MINUTE * speech.speed)))


def _say(sentence: str, voice: str, rate: int) -> Pcm:
    command = [PROGRAM, "-v", voice, "-s", str(rate), "-b", "1", "--stdin", "--stdout"]
    text = re.sub(r"\[(?=\[)", "[ ", sentence)  # two brackets would begin phonemes
    text = re.sub(r"!(?=[-–—])", "! ", text)  # noqa: RUF001 - "!—" is said as "exclamation"
    try:
        # in a process group of its own: Ctrl-C stops the worker, which finishes its sentence
        result = subprocess.run(command, input=text.encode(), capture_output=True, check=False, process_group=0)
    except OSError as error:
        raise Retryable(f"espeak-ng: {error.strerror}") from error
    if result.returncode or not result.stdout:
        raise Retryable(f"espeak-ng: exit {result.returncode}: {result.stderr.decode(errors='replace').strip()}")
    return _samples(result.stdout)


def _samples(riff: bytes) -> Pcm:
    """Read the 16-bit mono WAV that espeak-ng streams; its header claims a length it does not have."""
    with wave.open(io.BytesIO(riff)) as reader:
        pcm = reader.readframes(len(riff) // 2)
    return np.frombuffer(pcm, dtype="<i2").astype(np.float32) / np.float32(32768)


@cache
def _list_variants() -> frozenset[str]:
    """Return what may stand behind a voice and a plus sign, beside a number: espeak-ng ignores all else."""
    return frozenset(re.findall(r"!v/(.*?)\s*$", _listing("--voices=variant"), flags=re.MULTILINE))


@cache
def _list_voices() -> dict[str, tuple[str, ...]]:
    """Return the voices in lower case, and for each the other languages that it is for."""
    lines = re.findall(r"^\s*\d+\s+(\S+)(.*)$", _listing("--voices").lower(), flags=re.MULTILINE)
    return {voice: tuple(re.findall(r"\((\S+) \d+\)", rest)) for voice, rest in lines}


def _listing(option: str) -> str:
    return subprocess.run([PROGRAM, option], capture_output=True, check=True, text=True).stdout
