"""Recordings of every kind become samples, and what is no recording is refused with a reason."""

import io
import wave

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth_consumer import audio
from synth_consumer.audio import decode
from synth_consumer.engines import Pcm

RATE = 24000
TITLE = "a title of its own"


def tone(seconds: float = 0.5, channels: int = 1) -> Pcm:
    """Return a tone of shape (channels, samples), each channel half as loud as the one before."""
    wave = 0.5 * np.sin(np.arange(round(seconds * RATE)) / 20)
    return np.stack([wave / 2**channel for channel in range(channels)]).astype(np.float32)


def recording(pcm: Pcm, container: str = "wav", codec: str = "pcm_f32le", form: str = "flt") -> bytes:
    """Return samples of shape (channels, samples) as a file."""
    target = io.BytesIO()
    with av.open(target, "w", format=container) as file:
        file.metadata["title"] = TITLE
        layout = "mono" if len(pcm) == 1 else "stereo"
        stream = file.add_stream(codec, rate=RATE, layout=layout)
        stream.format = form
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(pcm), format="fltp", layout=layout)
        frame.sample_rate = RATE
        resampler = av.AudioResampler(format=form, frame_size=1024)
        for piece in resampler.resample(frame) + resampler.resample(None):
            file.mux(stream.encode(piece))
        file.mux(stream.encode(None))
    return target.getvalue()


def picture() -> bytes:
    """Return a file that FFmpeg reads and that holds no audio."""
    target = io.BytesIO()
    with av.open(target, "w", format="matroska") as file:
        stream = file.add_stream("mpeg4", rate=25)
        stream.width = stream.height = 16
        stream.pix_fmt = "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), format="rgb24")
        file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return target.getvalue()


def test_samples_come_back_as_they_were() -> None:
    """A recording without loss gives its own samples and its own rate."""
    pcm, rate = decode(recording(tone()))
    assert (pcm.dtype, pcm.shape, rate) == (np.float32, (RATE // 2,), RATE)
    assert np.array_equal(pcm, tone()[0])


def test_channels_are_mixed_to_their_mean() -> None:
    """Two channels become one that is no louder."""
    pcm, _rate = decode(recording(tone(channels=2)))
    assert np.allclose(pcm, tone(channels=2).mean(axis=0), atol=1e-7)


def test_a_header_that_claims_many_channels_ends_no_worker() -> None:
    """Forty-four channels, as a damaged header may claim, are mixed like two."""
    samples, target = np.tile(np.arange(44, dtype="<i2") * 100, 4000), io.BytesIO()
    with wave.open(target, "wb") as file:
        file.setparams((44, 2, RATE, 0, "NONE", ""))
        file.writeframes(samples.tobytes())
    pcm, _rate = decode(target.getvalue())
    assert pcm.shape == (4000,)
    assert np.allclose(pcm, 2150 / 32768, atol=1e-6)


@pytest.mark.parametrize(
    ("container", "codec", "form", "error"),
    [
        ("wav", "pcm_s16le", "s16", 1e-4),
        ("wav", "pcm_u8", "u8", 1e-2),
        ("flac", "flac", "s16", 1e-4),
        ("adts", "aac", "fltp", None),
        ("matroska", "aac", "fltp", None),
    ],
)
def test_reads_what_people_record_with(container: str, codec: str, form: str, error: float | None) -> None:
    """Integers become numbers up to 1, and codecs with loss come about as long and as loud as they were."""
    pcm, rate = decode(recording(tone(), container, codec, form))
    assert rate == RATE
    if error:
        assert np.allclose(pcm, tone()[0], atol=error)
    assert abs(len(pcm) - RATE // 2) < 3 * 1024
    assert 0.3 < pcm.std() < 0.4


def test_a_title_in_an_old_encoding_does_no_harm() -> None:
    """What a recording says of itself need not be UTF-8."""
    content = recording(tone())
    assert TITLE.encode() in content
    pcm, _rate = decode(content.replace(TITLE.encode(), TITLE.encode().replace(b"i", b"\xef")))
    assert np.array_equal(pcm, tone()[0])


def test_hours_are_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a long recording the beginning is taken, to the sample."""
    monkeypatch.setattr(audio, "DECODED", 2)
    pcm, _rate = decode(recording(tone(5)))
    assert np.array_equal(pcm, tone(2)[0])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "cannot be read as audio: Invalid data"),
        (b"<html>not found</html>" * 100, "cannot be read as audio: Invalid data"),
        (recording(tone())[:30], "cannot be read as audio: Invalid data"),
        (picture(), "there is no audio in it"),
        (recording(tone())[:20] + b"\x77\x77" + recording(tone())[22:], "none that FFmpeg can decode"),
        (recording(np.full((1, RATE), np.nan, np.float32)), "some of its samples are not numbers"),
        (recording(np.full((1, RATE), 0x7FA00000, np.uint32).view(np.float32)), "some of its samples are not numbers"),
    ],
    ids=["empty", "page", "header", "picture", "codec", "nan", "signalling nan"],
)
def test_what_is_no_recording_is_refused(content: bytes, reason: str) -> None:
    """The reason says what is wrong with it."""
    with pytest.raises(ValueError, match=reason):
        decode(content)


FLAC = recording(tone(), "flac", "flac", "s16")
MATROSKA = recording(tone(), "matroska", "aac", "fltp")


@given(
    whole=st.sampled_from([FLAC, MATROSKA, recording(tone())]),
    damage=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=30),
    head=st.booleans(),
)
def test_a_damaged_recording_is_read_or_refused(whole: bytes, damage: list[tuple[float, int]], head: bool) -> None:
    """Whatever is wrong in a file, what comes of it is samples or a `ValueError`."""
    content = bytearray(whole)
    for place, byte in damage:
        content[int(place * (300 if head else len(content)))] = byte
    try:
        pcm, _rate = decode(bytes(content))
    except ValueError:
        return
    assert pcm.dtype == np.float32
    assert pcm.ndim == 1
