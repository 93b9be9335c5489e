"""The layout of a part in samples, its master and its strict ADTS read back, and how loud samples are."""

import hashlib
import io

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synth_consumer.audio import (
    EDGE,
    FRAME,
    Samples,
    encode_adts,
    encode_master,
    lay_out,
    loudness,
    peak,
    quantise,
    read_master,
)
from synth_consumer.engines import Pcm

RATE = 24000


def tone(samples: int) -> Pcm:
    """Return a tone without silence in it."""
    return (0.5 * np.sin(np.arange(samples) / 20)).astype(np.float32)


def part(samples: int, rate: int = RATE) -> Samples:
    """Return a part that says a tone of so many samples."""
    return quantise(lay_out([tone(samples)], [0], rate).pcm)


def noise(samples: int, level: float = 0.1) -> Pcm:
    """Return the same noise for the same length."""
    return np.random.default_rng(samples).normal(0, level, samples).astype(np.float32)


def frame_lengths(adts: bytes) -> list[int]:
    """Return the length in bytes of each ADTS frame (ISO/IEC 13818-7, 6.2): sync word, then 13 bits of length."""
    lengths, position = [], 0
    while position < len(adts):
        header = adts[position : position + 7]
        assert header[0] == 0xFF
        assert header[1] & 0xF0 == 0xF0
        lengths.append((header[3] & 3) << 11 | header[4] << 3 | header[5] >> 5)
        position += lengths[-1]
    return lengths


def decode(adts: bytes) -> Pcm:
    """Return the samples that a decoder makes of it."""
    with av.open(io.BytesIO(adts), format="aac") as container:
        return np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])


def test_sentences_and_pauses_lie_where_they_are_planned() -> None:
    """Sentences come in order, each followed by exactly its pause, between silent edges."""
    spoken = [np.full(3000, 0.1, np.float32), np.full(500, 0.2, np.float32)]
    layout = lay_out(spoken, [250, 1000], RATE)
    first, second = layout.sentences
    assert first == (EDGE, EDGE + 3000)
    assert second == (EDGE + 3000 + 6000, EDGE + 3000 + 6000 + 500)
    for (start, end), samples in zip(layout.sentences, spoken, strict=True):
        assert np.array_equal(layout.pcm[start:end], samples)
    silent = np.ones(len(layout.pcm), bool)
    for start, end in layout.sentences:
        silent[start:end] = False
    assert not layout.pcm[silent].any()


@given(
    lengths=st.lists(st.integers(0, 5000), max_size=5),
    pause=st.integers(0, 2000),
    rate=st.sampled_from([16000, 22050, 24000, 44100]),
)
def test_every_part_is_whole_frames_with_silent_edges(lengths: list[int], pause: int, rate: int) -> None:
    """Whatever is spoken, the part is a multiple of 1,024 samples, silent for 2,048 at both ends, nothing lost."""
    layout = lay_out([tone(length) for length in lengths], [pause] * len(lengths), rate)
    assert len(layout.pcm) % FRAME == 0
    assert not layout.pcm[:EDGE].any()
    assert not layout.pcm[-EDGE:].any()
    assert [end - start for start, end in layout.sentences] == lengths
    spoken = sum(lengths) + len(lengths) * round(pause * rate / 1000)
    assert 0 <= len(layout.pcm) - spoken - 2 * EDGE < FRAME


@settings(max_examples=10)
@given(length=st.integers(0, 30000), rate=st.sampled_from([22050, 24000]))
def test_there_are_exactly_as_many_frames_as_samples(length: int, rate: int) -> None:
    """The encoder's priming is dropped and nothing is appended: frames are samples / 1,024."""
    samples = part(length, rate)
    assert len(frame_lengths(encode_adts(samples, rate, 64000))) * FRAME == len(samples)


def test_a_length_of_odd_samples_is_a_bug() -> None:
    """Audio that is no whole number of frames is refused, since players would drift."""
    with pytest.raises(RuntimeError, match="frames of 5000 samples"):
        encode_adts(quantise(tone(5000)), RATE, 64000)


def test_the_same_samples_give_the_same_bytes() -> None:
    """Encoding has no clock and no chance in it."""
    samples = part(20000)
    assert encode_adts(samples, RATE, 64000) == encode_adts(samples.copy(), RATE, 64000)
    assert encode_master(samples, RATE) == encode_master(samples.copy(), RATE)


def test_parts_join_by_their_bytes() -> None:
    """Two parts, one after the other, decode to the sum of their lengths, and the second lies on its sample."""
    first, second = lay_out([tone(30000)], [0], RATE), lay_out([tone(12345)], [0], RATE)
    encoded = [encode_adts(quantise(each.pcm), RATE, 64000) for each in (first, second)]
    joined = decode(b"".join(encoded))
    assert len(joined) == len(first.pcm) + len(second.pcm)
    start, end = (len(first.pcm) + edge for edge in second.sentences[0])
    assert np.corrcoef(joined[start:end], tone(12345))[0, 1] > 0.99


@pytest.mark.parametrize("bitrate", [16_000, 32_000, 64_000, 128_000, 320_000])
def test_any_bit_rate_has_the_frames(bitrate: int) -> None:
    """A bit rate that AAC cannot have at this rate of samples does no harm."""
    samples = quantise(lay_out([noise(20000)], [0], RATE).pcm)
    assert len(frame_lengths(encode_adts(samples, RATE, bitrate))) * FRAME == len(samples)


def test_a_higher_bit_rate_takes_more_bytes() -> None:
    """The bit rate is heeded."""
    samples = quantise(lay_out([noise(48000)], [0], RATE).pcm)
    assert len(encode_adts(samples, RATE, 96000)) > 1.3 * len(encode_adts(samples, RATE, 48000))


@settings(max_examples=20)
@given(
    length=st.integers(1, 30000),
    level=st.sampled_from([0.0, 0.001, 0.1, 10.0]),
    rate=st.sampled_from([8000, 16000, 22050, 24000, 44100, 48000]),
)
def test_a_master_holds_the_very_samples(length: int, level: float, rate: int) -> None:
    """Whatever the samples are, silent or clipped, the FLAC gives them back to the last bit, with their rate."""
    samples = quantise(noise(length, level))
    master = encode_master(samples, rate)
    back, back_rate = read_master(master)
    assert back.dtype == np.int16
    assert np.array_equal(back, samples)
    assert back_rate == rate


def test_a_master_says_what_it_holds() -> None:
    """Its header has the rate, the channels, the bits, the number of samples and their MD5 (RFC 9639, 8.2)."""
    samples = part(20000)
    info = encode_master(samples, RATE)[8:42]
    packed = int.from_bytes(info[10:18], "big")
    assert (packed >> 44, packed >> 41 & 7, packed >> 36 & 31) == (RATE, 0, 15)
    assert packed & (1 << 36) - 1 == len(samples)
    assert info[18:] == hashlib.md5(samples.tobytes()).digest()


def test_aac_of_a_master_is_the_aac_of_the_sound() -> None:
    """AAC that is made later, of what is stored, has the same bytes as AAC that was made at once."""
    samples = quantise(lay_out([noise(30000)], [250], RATE).pcm)
    later, rate = read_master(encode_master(samples, RATE))
    for bitrate in (48_000, 64_000):
        assert encode_adts(later, rate, bitrate) == encode_adts(samples, RATE, bitrate)


def test_a_master_that_cannot_be_read_is_named() -> None:
    """What is empty, no FLAC, cut off, or FLAC of another kind is a ValueError and not silence."""
    whole = encode_master(part(50000), RATE)
    stereo = io.BytesIO()
    with av.open(stereo, "w", format="flac") as container:
        stream = container.add_stream("flac", rate=RATE, layout="stereo")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 2 * 4608), np.int16), format="s16", layout="stereo")
        frame.sample_rate = RATE
        container.mux([*stream.encode(frame), *stream.encode(None)])
    for damaged in (b"", b"not a master", whole[:5000], stereo.getvalue()):
        with pytest.raises(ValueError, match="the master "):
            read_master(damaged)


def test_pauses_are_exact_in_the_master() -> None:
    """Between two sentences there are exactly as many zeros as were planned, also read back from storage."""
    ones = np.full(4000, 0.25, np.float32)
    layout = lay_out([ones, ones, ones], [400, 750, 1], RATE)
    samples, _rate = read_master(encode_master(quantise(layout.pcm), RATE))
    loud = np.flatnonzero(samples)
    gaps = np.diff(loud)
    assert (gaps[gaps > 1] - 1).tolist() == [9600, 18000]
    assert (int(loud[0]), len(samples) - 1 - int(loud[-1])) == (EDGE, 24 + EDGE + -(EDGE + 39624) % FRAME)


def test_samples_become_16_bits() -> None:
    """They are rounded to the nearest, what is louder than full scale is clipped, and what 16 bits hold stays."""
    exact = np.array([-32768, -1, 0, 1, 32767], np.int16)
    assert np.array_equal(quantise(exact.astype(np.float32) / np.float32(32768)), exact)
    assert quantise(np.array([0.6, -0.4, 40000, -40000], np.float32) / 32768).tolist() == [1, 0, 32767, -32768]


def test_the_peak_is_of_either_sign() -> None:
    """The largest sample counts, also the one that has no positive counterpart."""
    assert peak(np.array([100, -32768], np.int16)) == 1.0
    assert peak(np.array([16384, -100], np.int16)) == 0.5


@pytest.mark.parametrize("rate", [8000, 22050, 24000, 44100])
def test_loudness_of_a_sine(rate: int) -> None:
    """997 Hz at full scale is -3.01 LUFS (ITU-R BS.1770-4), so a tenth of it is -23.01, in either kind of samples."""
    sine = (0.1 * np.sin(2 * np.pi * 997 * np.arange(3 * rate) / rate)).astype(np.float32)
    assert loudness(sine, rate) == pytest.approx(-23.01, abs=0.05)
    assert loudness(quantise(sine), rate) == pytest.approx(-23.01, abs=0.05)


def test_silence_does_not_count_for_loudness() -> None:
    """A pause after speech leaves it as loud as it was, and a part of pauses has no loudness; nor has a click."""
    speech = noise(3 * RATE)
    heard = loudness(speech, RATE)
    assert loudness(np.concatenate([speech, np.zeros(10 * RATE, np.float32)]), RATE) == pytest.approx(heard, abs=0.3)
    assert loudness(np.zeros(RATE, np.float32), RATE) is None
    assert loudness(noise(RATE // 3), RATE) is None
    assert loudness(noise(0), RATE) is None
