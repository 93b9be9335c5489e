"""Samples to what is stored of a part, FLAC and strict ADTS, and how loud they are. The only home of PyAV.

Recordings that a voice is taken from are decoded here too.

Strict means: the length is a multiple of 1,024 samples, there are at least 2,048 silent samples at both ends,
and the encoder's priming packet is dropped, so frames are exactly samples / 1,024, parts join by putting their bytes
one after the other, and a book's chapter marks stay on the sample (docs/adr/0004).
"""

import io
from collections.abc import Iterator, Sequence
from contextlib import suppress
from fractions import Fraction
from typing import NamedTuple

import av
import av.filter
import numpy as np
from numpy.typing import NDArray

from synth_consumer.engines import Pcm

Samples = NDArray[np.int16]
"""Mono, of shape (samples,): what a master holds."""
FRAME = 1024
"""Samples in an AAC frame (ISO/IEC 14496-3)."""
EDGE = 2 * FRAME
"""Silent samples at both ends of a part."""
FULL_SCALE = 32768
DECODED = 60
"""Seconds of a recording that are decoded, however long it is."""
ENCODER = f"flac and aac of libavcodec {'.'.join(str(part) for part in av.library_versions['libavcodec'])}"
_BIT_EXACT = {"fflags": "+bitexact"}
_TOO_SOFT = -70.0
"""LUFS below which EBU R 128 counts nothing."""
_GLANCE = 0.1
"""Seconds of sound after which its loudness is known anew."""


class Layout(NamedTuple):
    """A part's samples and where its sentences lie in them."""

    pcm: Pcm
    sentences: tuple[tuple[int, int], ...]
    """Start and end sample of each sentence."""


def lay_out(spoken: Sequence[Pcm], pauses_ms: Sequence[int], sample_rate: int) -> Layout:
    """Join sentences with their pauses and pad the whole to whole frames.

    Args:
        spoken: one mono float32 array a sentence.
        pauses_ms: silence after each sentence, in milliseconds.
        sample_rate: in hertz.
    """
    pieces: list[Pcm] = [np.zeros(EDGE, np.float32)]
    spans: list[tuple[int, int]] = []
    position = EDGE
    for samples, pause_ms in zip(spoken, pauses_ms, strict=True):
        pause = round(pause_ms * sample_rate / 1000)
        spans.append((position, position + len(samples)))
        pieces += [samples, np.zeros(pause, np.float32)]
        position += len(samples) + pause
    pieces.append(np.zeros(EDGE + -position % FRAME, np.float32))
    return Layout(np.concatenate(pieces), tuple(spans))


def quantise(pcm: Pcm) -> Samples:
    """Round float32 samples in [-1, 1] to 16 bits; done once, before anything is encoded."""
    return np.clip(np.rint(pcm * FULL_SCALE), -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)


def encode_master(samples: Samples, sample_rate: int) -> bytes:
    """Return FLAC that holds exactly these samples.

    Args:
        samples: mono.
        sample_rate: in hertz.

    Raises:
        RuntimeError: it decodes to something else; a bug, since all other audio is made of it.
    """
    target = io.BytesIO()
    with av.open(target, "w", format="flac", options=_BIT_EXACT) as container:
        stream = container.add_stream("flac", rate=sample_rate, layout="mono")
        stream.format = av.AudioFormat("s16")
        for packet in _packets(stream, samples, sample_rate):
            container.mux(packet)
    master = target.getvalue()
    if not np.array_equal(read_master(master)[0], samples):
        raise RuntimeError(f"{ENCODER}: the FLAC of {len(samples)} samples does not hold them")
    return master


def read_master(master: bytes) -> tuple[Samples, int]:
    """Return the samples that `encode_master` was given, and their rate in hertz.

    Raises:
        ValueError: it is no such FLAC, or damaged.
    """
    try:
        with av.open(io.BytesIO(master), "r", format="flac") as container:
            frames = list(container.decode(audio=0))
            rate, length = container.streams.audio[0].rate, container.streams.audio[0].duration
    except av.FFmpegError as error:
        raise ValueError(f"the master cannot be read as FLAC: {error.strerror}") from error
    if any((frame.format.name, frame.layout.nb_channels) != ("s16", 1) for frame in frames):
        raise ValueError("the master is FLAC, but not mono of 16 bits")
    samples = np.concatenate([np.zeros(0, np.int16), *(frame.to_ndarray()[0] for frame in frames)])
    if len(samples) != length:
        raise ValueError(f"the master is damaged: it holds {len(samples)} of {length} samples")
    return samples, rate


def encode_adts(samples: Samples, sample_rate: int, bitrate: int) -> bytes:
    """Return AAC-LC in ADTS of exactly `len(samples) / 1024` frames; the same for samples that come from a master.

    Args:
        samples: mono, a multiple of 1,024 samples with silent edges, as `lay_out` makes.
        sample_rate: in hertz.
        bitrate: in bits a second; what AAC cannot have at this rate of samples becomes the nearest that it can.

    Raises:
        RuntimeError: the encoder made another number of frames; a bug, since players would drift.
    """
    target = io.BytesIO()
    with av.open(target, "w", format="adts", options=_BIT_EXACT) as container:
        stream = container.add_stream("aac", rate=sample_rate, layout="mono", options={"aac_coder": "fast"})
        stream.bit_rate = bitrate
        kept = 0
        for packet in _packets(stream, samples.astype(np.float32) / np.float32(FULL_SCALE), sample_rate):
            if packet.pts is None or not 0 <= packet.pts < len(samples):
                continue
            packet.pts = packet.dts = kept * FRAME
            container.mux(packet)
            kept += 1
    if kept * FRAME != len(samples):
        raise RuntimeError(f"{ENCODER} made {kept} frames of {len(samples)} samples")
    return target.getvalue()


def peak(samples: Samples) -> float:
    """Return the largest absolute sample, full scale being 1."""
    return max(-int(samples.min()), int(samples.max())) / FULL_SCALE


def loudness(samples: Pcm | Samples, sample_rate: int) -> float | None:
    """Return the integrated loudness in LUFS (EBU R 128); None for what is shorter than 0.4 s or hardly to be heard.

    Args:
        samples: mono.
        sample_rate: in hertz.
    """
    graph = av.filter.Graph()
    source = graph.add_abuffer(
        sample_rate=sample_rate, format=_kind(samples), layout="mono", time_base=Fraction(1, sample_rate)
    )
    meter, sink = graph.add("ebur128", "metadata=1"), graph.add("abuffersink")
    source.link_to(meter)
    meter.link_to(sink)
    graph.configure()
    measured = _TOO_SOFT
    for frame in (*_frames(samples, sample_rate, round(_GLANCE * sample_rate)), None):
        source.push(frame)
        with suppress(av.BlockingIOError, av.EOFError):
            while True:
                measured = float(sink.pull().metadata.get("lavfi.r128.I", measured))
    return measured if measured > _TOO_SOFT else None


def decode(recording: bytes) -> tuple[Pcm, int]:
    """Return the first `DECODED` seconds of a recording, mixed down to the mean of its channels, and its sample rate.

    Args:
        recording: a file in any container and codec that FFmpeg reads.

    Returns:
        Mono float32 samples of shape (samples,), full scale being 1, and the sample rate in hertz.

    Raises:
        ValueError: it holds no audio, or damaged audio; the message says which.
    """
    try:
        with av.open(io.BytesIO(recording), "r", metadata_errors="replace") as container:
            stream = next((stream for stream in container.streams.audio if stream.codec_context), None)
            if stream is None:
                raise ValueError("there is no audio in it, or none that FFmpeg can decode")
            pieces = list(_decoded(container, stream))
            rate = stream.rate
    except av.FFmpegError as error:
        raise ValueError(f"it cannot be read as audio: {error.strerror}") from error
    return np.concatenate([np.zeros(0, np.float32), *pieces]), rate


def _decoded(container: "av.container.InputContainer", stream: av.AudioStream) -> Iterator[Pcm]:
    """Yield the samples of a stream, at most `DECODED` seconds of them."""
    interleaved = av.AudioResampler(format="flt")  # of more than eight planes PyAV reads what is not there
    wanted = DECODED * stream.rate
    for frame in container.decode(stream):
        for converted in interleaved.resample(frame):
            channels = converted.to_ndarray().reshape(-1, converted.layout.nb_channels)
            if not np.isfinite(channels).all():
                raise ValueError("some of its samples are not numbers")
            piece = channels[:wanted].mean(axis=1, dtype=np.float32)
            wanted -= len(piece)
            yield piece
        if not wanted:
            return


def _packets(stream: av.AudioStream, samples: Pcm | Samples, sample_rate: int) -> Iterator["av.Packet[av.AudioStream]"]:
    for frame in _frames(samples, sample_rate, FRAME):
        yield from stream.encode(frame)
    yield from stream.encode(None)


def _frames(samples: Pcm | Samples, sample_rate: int, length: int) -> Iterator[av.AudioFrame]:
    """Yield mono samples as frames of that many, the last one shorter."""
    for start in range(0, len(samples), length):
        frame = av.AudioFrame.from_ndarray(samples[None, start : start + length], format=_kind(samples), layout="mono")
        frame.sample_rate = sample_rate
        frame.pts = start
        yield frame


def _kind(samples: Pcm | Samples) -> str:
    """Return how FFmpeg calls the format of samples."""
    return "s16" if samples.dtype == np.int16 else "fltp"
