"""What XTTS takes from a recording is what coqui-tts takes from it, and a recording that is no use says why."""

import io
import wave
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from e2a.errors import Poison, Retryable
from synth_consumer.engines.coqui import models, reference
from tests.neural.tiny import hum, wav


@pytest.fixture(scope="module")
def xtts(xtts_folder: Path) -> Any:
    return models.load(models.find(str(xtts_folder), accept_cpml=True), torch.device("cpu")).tts_model


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    """Every test listens anew."""
    reference._latents.cache_clear()
    yield
    reference._latents.cache_clear()


def count_listening(model: Any, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the lengths of what the model listens to, as they come."""
    heard: list[int] = []
    real = model.get_speaker_embedding

    def listen(audio: Any, rate: int) -> Any:
        heard.append(audio.shape[1])
        return real(audio, rate)

    monkeypatch.setattr(model, "get_speaker_embedding", listen)
    return heard


def read_wav(file: Any) -> tuple[Any, int]:
    """Read 16-bit WAV as `torchaudio.load` does, which needs torchcodec and FFmpeg's libraries."""
    with wave.open(str(file) if isinstance(file, Path) else file) as reader:
        frames = np.frombuffer(reader.readframes(reader.getnframes()), "<i2").reshape(-1, reader.getnchannels())
    return torch.from_numpy(frames.T.astype(np.float32) / 32768), reader.getframerate()


@pytest.mark.parametrize("rate", [16000, 22050, 44100, 48000])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"gpt_cond_len": 3, "gpt_cond_chunk_len": 1},
        {"max_ref_len": 2, "sound_norm_refs": True},
        {"gpt_cond_len": 4},
    ],
    ids=["usual", "chunks", "loudness", "one"],
)
def test_is_what_coqui_makes_of_it(
    rate: int, settings: dict[str, int], xtts: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Latents and embedding are bit for bit those of coqui's own `get_conditioning_latents`."""
    for name, value in settings.items():
        monkeypatch.setitem(xtts.config, name, value)
    left, right = (read_wav(io.BytesIO(hum(5.3, pitch=pitch, sample_rate=rate)))[0][0] for pitch in (110, 140))
    clip = wav(np.stack([left, right], axis=1), rate)
    (tmp_path / "clip.wav").write_bytes(clip)
    monkeypatch.setattr("TTS.tts.models.xtts.torchaudio.load", read_wav)
    theirs = xtts.get_conditioning_latents(
        tmp_path / "clip.wav",
        max_ref_length=xtts.config.max_ref_len,
        gpt_cond_len=xtts.config.gpt_cond_len,
        gpt_cond_chunk_len=xtts.config.gpt_cond_chunk_len,
        sound_norm_refs=xtts.config.sound_norm_refs,
    )
    ours = reference.latents(xtts, clip)
    assert ours[0].shape == (1, 32, 64)
    assert ours[1].shape == (1, 512, 1)
    assert all(torch.equal(mine, yours) for mine, yours in zip(ours, theirs, strict=True))


def test_a_recording_is_listened_to_once(xtts: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same content is remembered, by several threads as well; other content and other settings are listened to."""
    heard = count_listening(xtts, monkeypatch)
    with ThreadPoolExecutor(4) as threads:
        first, *others = threads.map(lambda _number: reference.latents(xtts, hum()), range(8))
    assert len(heard) == 1
    assert all(other is first for other in others)
    higher = reference.latents(xtts, hum(pitch=200))
    assert not torch.equal(higher[0], first[0])
    assert not torch.equal(higher[1], first[1])
    monkeypatch.setitem(xtts.config, "max_ref_len", 1)
    reference.latents(xtts, hum())
    assert heard == [4 * reference.RATE, 4 * reference.RATE, reference.RATE]


def test_memory_may_run_out_while_it_listens(xtts: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU that is full now may have room later: nothing is remembered of it."""

    def full(*_args: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with monkeypatch.context() as patch:
        patch.setattr(xtts, "get_speaker_embedding", full)
        with pytest.raises(Retryable, match="no memory to listen to the recording: CUDA out of memory"):
            reference.latents(xtts, hum())
    assert reference.latents(xtts, hum())[1].isfinite().all()


def test_few_voices_are_remembered(xtts: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that meets ever new recordings does not grow without end."""
    for pitch in range(100, 100 + 2 * reference._REMEMBERED):
        reference.latents(xtts, hum(1.0, pitch=pitch))
    heard = count_listening(xtts, monkeypatch)
    reference.latents(xtts, hum(1.0, pitch=pitch))
    assert not heard
    reference.latents(xtts, hum(1.0, pitch=100))
    assert heard


@pytest.mark.parametrize(
    ("clip", "reason"),
    [
        (b"no recording", "is no use: it cannot be read as audio"),
        (hum()[:40], "is no use: it cannot be read as audio"),
        (hum(0.9), "is too short: 0.90 s"),
        (wav(np.zeros(0)), "is too short: 0.00 s"),
        (wav(np.zeros(3 * 22050)), "holds only silence"),
        (wav(np.full(3 * 22050, 5e-4)), "holds only silence"),
        (hum(sample_rate=22051), "has 22051 samples a second"),
    ],
    ids=["text", "header", "short", "empty", "zeros", "faint", "rate"],
)
def test_a_recording_that_is_no_use_is_poison(clip: bytes, reason: str, xtts: Any) -> None:
    """What holds no voice can never be spoken with, and the reason says why."""
    with pytest.raises(Poison, match=f"the reference recording ({reason})"):
        reference.latents(xtts, clip)
