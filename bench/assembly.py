"""What it costs to make a book of its parts, beside three ways others do it, and whether its chapter marks hold.

The book is espeak-ng's speech in 17 languages, shuffled: chapters of 20 minutes, none of them a whole number of AAC
frames, each with a chirp planted at its beginning; what is longer than ten hours repeats itself. All ways start from
what their synthesis would have left:

* e2a: the parts in storage, as workers put them; stream copy (`merger.assembly`).
* m4a: an AAC file a chapter; FFmpeg's concat demuxer, stream copy.
* re-encode: a FLAC file a chapter; FFmpeg's concat demuxer, one AAC encoder over the whole.
* pydub: a WAV file a chapter; `AudioSegment` added up, exported as m4b.

What was encoded before is not counted for any of them. Each runs in a process of its own: seconds on the wall, CPU
seconds and the largest process, children included; 1.4 CPU seconds and 92 MB are Python's imports. Then the chirps are
looked for: where the file is decoded from its beginning, and where a player would seek to the mark. An offset is how
many samples the chirp is behind its mark.
"""

import argparse
import json
import os
import platform
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from e2a.plan import BITRATE, Chapter, Part, Plan, Sentence, Speech, part_digest
from e2a.settings import SynthSettings
from e2a.storage import ObjectStore, keys, read_master
from merger.assembly import assemble
from synth_consumer import part as parts
from synth_consumer.audio import EDGE
from synth_consumer.engines import Pcm, Utterance
from synth_consumer.engines.espeak import EspeakEngine
from synth_consumer.pace import TEXTS
from synth_consumer.speaker import Spoken
from tests import chirps
from tests.stores import directory_store

RATE = EspeakEngine.sample_rate
CHAPTER, PART = 1200, 300
"""Seconds."""
DISTINCT = 120
"""Parts after which the book repeats itself."""
NEAR = 8
"""Seconds around a mark in which its chirp is looked for."""
BOOK = "b0123456789abcde"


def voices() -> list[Pcm]:
    """Return espeak-ng's speech of the calibration texts, in all their languages."""
    engine = EspeakEngine(SynthSettings())
    engine.load()
    speeches = {language: Speech(engine="espeak", language=language) for language in TEXTS}
    return [engine.say(Utterance(text, speeches[each], 0)).pcm for each, texts in TEXTS.items() for text in texts]


def make_parts(folder: Path, hours: float, ways: Iterable[str]) -> str:
    """Put the plan and the parts of a book into storage, write what other ways start from, and say what there is."""
    store = directory_store(folder / "storage", 1.0)
    takes, rng = voices(), random.Random(6)
    speech = Speech(engine="espeak", language="en")
    made: list[Part] = []
    per_chapter = CHAPTER // PART
    for index in range(round(hours * 3600 / PART)):
        if index < DISTINCT:
            made.append(_spoken(store, index, takes, rng))
        else:
            made.append(_copied(store, index, made[index % DISTINCT]))
    starts = range(0, len(made), per_chapter)
    chapters = tuple(
        Chapter(index=number, title=f"Chapter {number + 1}", parts=tuple(made[start : start + per_chapter]))
        for number, start in enumerate(starts)
    )
    plan = Plan(book_id=BOOK, title="Bench", authors=("e2a",), speech=speech, chapters=chapters)
    store.put(keys.book(BOOK, keys.PLAN), plan.model_dump_json().encode())
    if set(ways) - {"e2a"}:
        make_chapters(store, plan, folder)
    return json.dumps({"hours": hours, "chapters": len(chapters), "parts": len(plan.parts)})


def _spoken(store: ObjectStore, index: int, takes: list[Pcm], rng: random.Random) -> Part:
    """Put a part of shuffled takes into storage; the first of a chapter begins with a chirp."""
    chosen = [] if index % (CHAPTER // PART) else [chirps.chirp(RATE)]
    while sum(map(len, chosen)) < RATE * (PART - 10):
        chosen.append(rng.choice(takes))
    part = _part(index, len(chosen))
    origin = parts.Origin("espeak", RATE, gain=0.0, worker="bench", started=time.monotonic())
    parts.finish(store, part, [Spoken(take) for take in chosen], origin, BITRATE)
    return part


def _copied(store: ObjectStore, index: int, original: Part) -> Part:
    """Put a part into storage that sounds like another."""
    part = _part(index, len(original.sentences))
    sidecar = read_master(store, original.digest)
    assert sidecar is not None
    store.put(keys.part_master(part.digest), store.get(keys.part_master(original.digest)))
    store.put(keys.part_audio(part.digest, BITRATE), store.get(keys.part_audio(original.digest, BITRATE)))
    copied = sidecar.model_copy(update={"digest": part.digest})
    store.put(keys.part_sidecar(part.digest), copied.model_dump_json().encode())
    return part


def _part(index: int, count: int) -> Part:
    sentences = tuple(Sentence(text=f"{index} {number}", pause_ms=401) for number in range(count))
    digest = part_digest(sentences, Speech(engine="espeak", language="en"))
    return Part(index=index, chapter=index // (CHAPTER // PART), digest=digest, estimate=PART, sentences=sentences)


def make_chapters(store: ObjectStore, plan: Plan, folder: Path) -> None:
    """Write what the other ways start from: a WAV, a FLAC and an M4A file of each chapter, from the parts' masters."""
    for chapter in plan.chapters:
        pieces = [_decoded(store.get(keys.part_master(part.digest))) for part in chapter.parts]
        pcm = b"".join(pieces)[: -2 * (chapter.index + 1)]  # others do not pad to whole frames
        for name in ("wav", "flac", "m4a"):
            command = ["ffmpeg", "-v", "error", "-f", "s16le", "-ar", str(RATE), "-ac", "1", "-i", "pipe:0"]
            coder = ["-c:a", "aac", "-aac_coder", "fast", "-b:a", "64k"] if name == "m4a" else []
            target = folder / f"{chapter.index + 1:03}.{name}"
            subprocess.run([*command, *coder, "-y", str(target)], input=pcm, check=True)


def _decoded(flac: bytes) -> bytes:
    command = ["ffmpeg", "-v", "error", "-f", "flac", "-i", "pipe:0", "-f", "s16le", "pipe:1"]
    return subprocess.run(command, input=flac, capture_output=True, check=True).stdout


def by_e2a(folder: Path) -> Path:
    """Assemble the parts in storage."""
    store = directory_store(folder / "storage", 1.0)
    plan = Plan.model_validate_json(store.get(keys.book(BOOK, keys.PLAN)))
    return folder / "storage" / assemble(plan, store).output


def _by_demuxer(folder: Path, extension: str, coder: list[str]) -> Path:
    files = sorted(folder.glob(f"*.{extension}"))
    listing, target = folder / f"{extension}.txt", folder / f"by-{extension}.m4b"
    listing.write_text("".join(f"file '{file}'\n" for file in files))
    metadata = folder / f"{extension}.ffmetadata"
    metadata.write_text(_ffmetadata(list(_lengths(files))))
    command = ["ffmpeg", "-v", "error", "-y", "-f", "concat", "-safe", "0", "-i", str(listing), "-i", str(metadata)]
    command += ["-map", "0:a", "-map_metadata", "1", "-map_chapters", "1", *coder, "-movflags", "+faststart"]
    subprocess.run([*command, "-f", "ipod", str(target)], check=True)
    return target


def by_m4a(folder: Path) -> Path:
    """Join the chapters' AAC files."""
    return _by_demuxer(folder, "m4a", ["-c", "copy"])


def by_reencoding(folder: Path) -> Path:
    """Encode the chapters' FLAC files as one."""
    return _by_demuxer(folder, "flac", ["-c:a", "aac", "-b:a", "64k"])


def by_pydub(folder: Path) -> Path:
    """Add up the chapters' WAV files and export them; the marks by a second pass, as pydub knows none."""
    from pydub import AudioSegment  # noqa: PLC0415 - of this way alone, whose memory is measured

    segments = [AudioSegment.from_wav(file) for file in sorted(folder.glob("*.wav"))]
    lengths = [len(segment) / 1000 for segment in segments]
    whole = segments[0]
    for segment in segments[1:]:
        whole += segment
    plain, target, metadata = folder / "plain.m4b", folder / "by-pydub.m4b", folder / "pydub.ffmetadata"
    whole.export(plain, format="ipod", codec="aac", bitrate="64k")
    metadata.write_text(_ffmetadata(lengths))
    command = ["ffmpeg", "-v", "error", "-y", "-i", str(plain), "-i", str(metadata), "-map", "0:a"]
    command += ["-map_metadata", "1", "-map_chapters", "1", "-c", "copy", "-f", "ipod", str(target)]
    subprocess.run(command, check=True)
    return target


WAYS: dict[str, Callable[[Path], Path]] = {
    "e2a": by_e2a,
    "m4a": by_m4a,
    "re-encode": by_reencoding,
    "pydub": by_pydub,
}


def _lengths(files: list[Path]) -> Iterator[float]:
    for file in files:
        command = ["ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", str(file)]
        yield float(subprocess.run(command, capture_output=True, check=True, text=True).stdout)


def _ffmetadata(seconds: list[float]) -> str:
    lines, position = [";FFMETADATA1"], 0.0
    for number, length in enumerate(seconds, 1):
        start, position = position, position + length
        lines += ["[CHAPTER]", "TIMEBASE=1/1000", f"START={start * 1000:.0f}", f"END={position * 1000:.0f}"]
        lines.append(f"title=Chapter {number}")
    return "\n".join(lines) + "\n"


def marks(book: Path) -> list[float]:
    """Return where the chapters of a file begin, in seconds."""
    command = ["ffprobe", "-v", "error", "-show_chapters", "-of", "json", str(book)]
    found = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return [float(chapter["start_time"]) for chapter in found["chapters"]]


def played(book: Path, starts: list[float], lead: int) -> list[int]:
    """Return the offset of each chirp where the file is decoded from its beginning, in samples.

    Args:
        book: the file.
        starts: its chapter marks, in seconds.
        lead: samples of a chapter before its chirp.
    """
    command = ["ffmpeg", "-v", "error", "-i", str(book), "-map", "0:a", "-ac", "1", "-ar", str(RATE), "-f", "s16le"]
    offsets: list[int] = []
    window = np.zeros(0, np.float32)
    begin = 0
    with subprocess.Popen([*command, "pipe:1"], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for start in starts:
            wanted = max(0, round(start * RATE) - NEAR * RATE)
            while begin + len(window) < wanted + 2 * NEAR * RATE and (data := process.stdout.read(1 << 20)):
                window = np.concatenate([window, np.frombuffer(data, "<i2").astype(np.float32) / 32768])
                cut = min(max(0, wanted - begin), len(window))
                window, begin = window[cut:], begin + cut
            offsets.append(begin + chirps.find(window[: 2 * NEAR * RATE], RATE) - round(start * RATE) - lead)
        process.kill()
    return offsets


def sought(book: Path, starts: list[float], lead: int) -> list[int]:
    """Return the offset of each chirp where a player seeks to its mark, in samples."""
    offsets = []
    for start in starts:
        begin = max(0.0, start - NEAR)
        command = ["ffmpeg", "-v", "error", "-ss", f"{begin:.6f}", "-i", str(book), "-map", "0:a", "-t", str(2 * NEAR)]
        command += ["-ac", "1", "-ar", str(RATE), "-f", "s16le", "pipe:1"]
        pcm = np.frombuffer(subprocess.run(command, capture_output=True, check=True).stdout, "<i2")
        found = chirps.find(pcm.astype(np.float32) / 32768, RATE)
        offsets.append(round((begin - start) * RATE) + found - lead)
    return offsets


def in_a_process(*arguments: str) -> tuple[str, resource.struct_rusage]:
    """Run this module once more; return its last line and what it took."""
    command = [sys.executable, "-m", "bench.assembly", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        output = child.stdout.read().strip()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = status
    if status:
        raise SystemExit(f"{' '.join(arguments)} failed")
    return output, usage


def measure(way: str, folder: Path, lead: int) -> dict[str, Any]:
    """Run a way in a process of its own and return its figures."""
    started = time.monotonic()
    output, usage = in_a_process("--way", way, str(folder))
    wall = time.monotonic() - started
    book = Path(output)
    starts = marks(book)
    offsets = played(book, starts, lead)
    return {
        "way": way,
        "wall_s": round(wall, 2),
        "cpu_s": round(usage.ru_utime + usage.ru_stime, 2),
        "largest_process_mb": usage.ru_maxrss // 1024,
        "book_mb": round(book.stat().st_size / 1e6, 1),
        "played_last": offsets[-1],
        "played_worst": max(offsets, key=abs),
        "sought_worst": max(sought(book, starts, lead), key=abs),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure assembly beside three ways others do it.")
    parser.add_argument("--hours", type=float, default=10.0)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--make", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("folder", type=Path, nargs="?", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.make:
        print(make_parts(options.folder, options.hours, options.ways))
    elif options.way:
        print(WAYS[options.way](options.folder))
    else:
        compare(options.hours, options.ways)


def compare(hours: float, ways: Sequence[str]) -> None:
    """Measure all ways. This process stays small: a child begins with the high-water mark of its parent."""
    ffmpeg = subprocess.run(["ffmpeg", "-version"], capture_output=True, check=True, text=True).stdout.split()[2]
    print(json.dumps({"cpus": os.cpu_count(), "python": platform.python_version(), "ffmpeg": ffmpeg}))
    with tempfile.TemporaryDirectory(prefix="e2a-bench-") as folder:
        print(in_a_process("--make", "--hours", str(hours), "--ways", *ways, "--", folder)[0], flush=True)
        for way in ways:
            print(json.dumps(measure(way, Path(folder), EDGE)), flush=True)


if __name__ == "__main__":
    main()
