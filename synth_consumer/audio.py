"""PCM to strict ADTS: AAC whose parts join by putting their bytes one after the other. The only home of PyAV.

Recordings that a voice is taken from are decoded here too.

Strict means: the length is a multiple of 1,024 samples, there are at least 2,048 silent samples at both ends,
and the encoder's priming packet is dropped, so frames are exactly samples / 1,024 and a book's chapter marks
stay on the sample (docs/adr/0004).
"""

import io
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import av
import numpy as np

from synth_consumer.engines import Pcm

FRAME = 1024
"""Samples in an AAC frame (ISO/IEC 14496-3)."""
EDGE = 2 * FRAME
"""Silent samples at both ends of a part."""
BITRATE = 64_000
"""Bits a second. It belongs to `e2a.plan.PART_FORMAT`: a part's digest says nothing else of it."""
DECODED = 60
"""Seconds of a recording that are decoded, however long it is."""
ENCODER = f"aac libavcodec {'.'.join(str(part) for part in av.library_versions['libavcodec'])}"


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


def encode_adts(pcm: Pcm, sample_rate: int, bitrate: int) -> bytes:
    """Return AAC-LC in ADTS of exactly `len(pcm) / 1024` frames.

    Args:
        pcm: mono float32, a multiple of 1,024 samples with silent edges, as `lay_out` makes.
        sample_rate: in hertz.
        bitrate: in bits a second.

    Raises:
        RuntimeError: the encoder made another number of frames; a bug, since players would drift.
    """
    target = io.BytesIO()
    with av.open(target, "w", format="adts", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("aac", rate=sample_rate, layout="mono", options={"aac_coder": "fast"})
        stream.bit_rate = bitrate
        kept = 0
        for packet in _packets(stream, pcm, sample_rate):
            if packet.pts is None or not 0 <= packet.pts < len(pcm):
                continue
            packet.pts = packet.dts = kept * FRAME
            container.mux(packet)
            kept += 1
    if kept * FRAME != len(pcm):
        raise RuntimeError(f"{ENCODER} made {kept} frames of {len(pcm)} samples")
    return target.getvalue()


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
    pcm = np.concatenate([np.zeros(0, np.float32), *pieces])
    if not np.isfinite(pcm).all():
        raise ValueError("some of its samples are not numbers")
    return pcm, rate


def _decoded(container: "av.container.InputContainer", stream: av.AudioStream) -> Iterator[Pcm]:
    """Yield the samples of a stream, at most `DECODED` seconds of them."""
    interleaved = av.AudioResampler(format="flt")  # of more than eight planes PyAV reads what is not there
    wanted = DECODED * stream.rate
    for frame in container.decode(stream):
        for converted in interleaved.resample(frame):
            channels = converted.to_ndarray().reshape(-1, converted.layout.nb_channels)
            piece = channels[:wanted].mean(axis=1, dtype=np.float32)
            wanted -= len(piece)
            yield piece
        if not wanted:
            return


def _packets(stream: av.AudioStream, pcm: Pcm, sample_rate: int) -> Iterator["av.Packet[av.AudioStream]"]:
    for start in range(0, len(pcm), FRAME):
        frame = av.AudioFrame.from_ndarray(pcm[None, start : start + FRAME], format="fltp", layout="mono")
        frame.sample_rate = sample_rate
        frame.pts = start
        yield from stream.encode(frame)
    yield from stream.encode(None)
