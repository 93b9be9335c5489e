"""The layout of a part in samples, and strict ADTS read back frame by frame."""

import io

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synth_consumer.audio import EDGE, FRAME, encode_adts, lay_out
from synth_consumer.engines import Pcm

RATE = 24000


def tone(samples: int) -> Pcm:
    """Return a tone without silence in it."""
    return (0.5 * np.sin(np.arange(samples) / 20)).astype(np.float32)


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
    pcm = lay_out([tone(length)], [0], rate).pcm
    assert len(frame_lengths(encode_adts(pcm, rate, 64000))) * FRAME == len(pcm)


def test_a_length_of_odd_samples_is_a_bug() -> None:
    """Audio that is no whole number of frames is refused, since players would drift."""
    with pytest.raises(RuntimeError, match="frames of 5000 samples"):
        encode_adts(tone(5000), RATE, 64000)


def test_the_same_samples_give_the_same_bytes() -> None:
    """Encoding has no clock and no chance in it."""
    pcm = lay_out([tone(20000)], [0], RATE).pcm
    assert encode_adts(pcm, RATE, 64000) == encode_adts(pcm, RATE, 64000)


def test_parts_join_by_their_bytes() -> None:
    """Two parts, one after the other, decode to the sum of their lengths, and the second lies on its sample."""
    first, second = lay_out([tone(30000)], [0], RATE), lay_out([tone(12345)], [0], RATE)
    joined = decode(encode_adts(first.pcm, RATE, 64000) + encode_adts(second.pcm, RATE, 64000))
    assert len(joined) == len(first.pcm) + len(second.pcm)
    start, end = (len(first.pcm) + edge for edge in second.sentences[0])
    assert np.corrcoef(joined[start:end], tone(12345))[0, 1] > 0.99


def test_a_higher_bit_rate_takes_more_bytes() -> None:
    """The bit rate is heeded."""
    noise = np.random.default_rng(1).normal(0, 0.1, 48000).astype(np.float32)
    pcm = lay_out([noise], [0], RATE).pcm
    assert len(encode_adts(pcm, RATE, 96000)) > 1.3 * len(encode_adts(pcm, RATE, 48000))
