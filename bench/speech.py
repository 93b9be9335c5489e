"""What decoding side by side is worth: speech of engine `xtts` with 1, 2, 4 ... slots, beside coqui-tts one by one.

The models are RANDOM WEIGHTS in the shapes of an XTTS: they say nothing that could be judged, but they cost what
trained ones of their size cost, and they are wired to stop after as many tokens as speech would take. On a GPU it is
the size of XTTSv2 with its vocoder, timed by the clock on the wall; on a CPU two smaller ones with a vocoder so small
that it hardly counts, timed by the CPU seconds of one thread, which do not depend on what else the machine does.

At the end, the share of slots that are busy: with refill, and when a batch waits for its last sentence.
"""

import argparse
import contextlib
import json
import platform
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
import torch

from e2a.plan import Speech, take_seed
from e2a.settings import SynthSettings
from synth_consumer.engines import Take, Utterance
from synth_consumer.engines.coqui.batch import Batch
from synth_consumer.engines.coqui.xtts import XttsEngine
from tests.neural import tiny

WORDS = "the sea and wind of a dark night they spoke nothing but old letters which nobody had ever read again".split()
TOKENS_PER_CHARACTER = 22050 / 1024 / 15
"""Audio tokens a second over characters a second of a narrator. Here a character is a token of the text too; the real
tokenizer needs fewer, so prefill is overstated."""
SAMPLE_EVERY = 200
"""Milliseconds between looks at how busy the GPU is."""


class Size(NamedTuple):
    """Dimensions of a model."""

    layers: int
    width: int
    heads: int
    whole: bool
    """With the vocoder and speaker encoder of XTTSv2, which no setting makes smaller."""


REAL = Size(30, 1024, 16, whole=True)
MIDDLE = Size(12, 512, 8, whole=False)
TINY = Size(2, 64, 2, whole=False)


def make_model(folder: Path, size: Size) -> Path:
    """Write a random XTTS of these dimensions, and return the folder."""
    shape = {
        "gpt_layers": size.layers,
        "gpt_n_model_channels": size.width,
        "gpt_n_heads": size.heads,
        "decoder_input_dim": size.width,
        "gpt_num_audio_tokens": 1026,
        "gpt_start_audio_token": 1024,
        "gpt_stop_audio_token": 1025,
    }
    parts = mock.patch.object(tiny, "small_parts", contextlib.nullcontext) if size.whole else contextlib.nullcontext()
    with parts:
        return tiny.tiny_xtts(folder, tokens_per_character=TOKENS_PER_CHARACTER, max_audio_tokens=605, **shape)


def make_texts(count: int) -> list[str]:
    """Return sentences whose lengths are spread like those of prose, about 70 characters in the middle."""
    chance = random.Random(0)
    texts = []
    for _ in range(count):
        length = min(200, max(15, chance.lognormvariate(4.2, 0.6)))
        text = chance.choice(WORDS)
        while len(text) < length:
            text += " " + chance.choice(WORDS)
        texts.append(text.capitalize() + ".")
    return texts


@contextlib.contextmanager
def loaded(folder: Path, size: Size, device: str, *, batch: int, precision: str) -> Iterator[XttsEngine]:
    """Load the engine and end its thread at the end."""
    settings = SynthSettings(
        engine="xtts", model=str(folder), device=device, accept_cpml=True, batch=batch, precision=precision
    )
    engine = XttsEngine(settings)
    with contextlib.nullcontext() if size.whole else tiny.small_parts():
        engine.load()
    try:
        yield engine
    finally:
        assert engine._decoder
        engine._decoder.close()


def say(engine: XttsEngine, texts: Sequence[str]) -> list[Take]:
    """Say all texts from as many threads as the engine takes."""
    speech = Speech(engine="xtts", language="en")
    utterances = [Utterance(text, speech, take_seed(text, number)) for number, text in enumerate(texts)]
    with ThreadPoolExecutor(engine.at_once) as threads:
        return list(threads.map(engine.say, utterances))


def seconds_said(engine: XttsEngine, texts: Sequence[str]) -> float:
    """Say all texts, and return the seconds of audio."""
    return sum(len(take.pcm) for take in say(engine, texts)) / engine.sample_rate


def seconds_said_by_coqui(model: Any, texts: Sequence[str]) -> float:
    """Say all texts one after the other by coqui-tts, and return the seconds of audio."""
    voice = model.speaker_manager.speakers[tiny.VOICE].values()
    names = ("temperature", "length_penalty", "repetition_penalty", "top_k", "top_p")
    options = {name: model.config[name] for name in names}
    torch.manual_seed(0)
    return sum(len(model.inference(text, "en", *voice, **options)["wav"]) for text in texts) / 24000


@contextlib.contextmanager
def watch_gpu() -> Iterator[list[int]]:
    """Collect how busy the GPU is, in percent, while the block runs; nothing without nvidia-smi."""
    busy: list[int] = []
    if not shutil.which("nvidia-smi"):
        yield busy
        return
    command = ["nvidia-smi", "--id=0", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"]
    with subprocess.Popen([*command, f"--loop-ms={SAMPLE_EVERY}"], stdout=subprocess.PIPE, text=True) as process:
        yield busy
        process.terminate()
        output, _ = process.communicate()
    busy += [int(line) for line in output.split() if line.isdigit()]


def timed(device: str, speak: Callable[[Sequence[str]], float], texts: Sequence[str]) -> dict[str, object]:
    """Return the figures of saying all texts by a function that returns the seconds of audio."""
    on_gpu = device == "cuda"
    clock = time.monotonic if on_gpu else time.process_time
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
    with watch_gpu() if on_gpu else contextlib.nullcontext([]) as busy:
        started = clock()
        audio = speak(texts)
        seconds = clock() - started
    figures: dict[str, object] = {
        "sentences": len(texts),
        "audio_s": round(audio, 1),
        "wall_s" if on_gpu else "cpu_s": round(seconds, 2),
        "audio_s_a_second": round(audio / seconds, 2),
        "characters_a_second": round(sum(map(len, texts)) / seconds, 1),
    }
    if on_gpu:
        figures["peak_gib"] = round(torch.cuda.max_memory_reserved() / 2**30, 2)
    if busy:
        figures["gpu_busy_percent"] = round(statistics.mean(busy))
    return figures


def measure(size: Size, device: str, batches: Sequence[int], precisions: Sequence[str], count: int) -> None:
    """Print the figures of one model: coqui-tts one by one, then each number of slots."""
    with tempfile.TemporaryDirectory(prefix="e2a-bench-") as name:
        folder = make_model(Path(name), size)
        shape = f"RANDOM WEIGHTS, {size.layers} x {size.width}"
        with loaded(folder, size, device, batch=1, precision="float32") as engine:
            say(engine, make_texts(1))
            figures = timed(device, partial(seconds_said_by_coqui, engine._xtts), make_texts(max(4, count // 4)))
        print(json.dumps({"model": shape, "by": "coqui-tts, one by one"} | figures), flush=True)
        for precision in precisions:
            for batch in batches:
                texts = make_texts(max(count, 6 * batch) if device == "cuda" else count)
                with loaded(folder, size, device, batch=batch, precision=precision) as engine:
                    say(engine, texts[:2])
                    figures = timed(device, partial(seconds_said, engine), texts)
                what = {"model": shape, "by": "engine xtts", "slots": batch, "precision": precision}
                print(json.dumps(what | figures), flush=True)


def busy_share(engine: XttsEngine, slots: int, groups: Sequence[Sequence[str]]) -> float:
    """Return the share of slots that are busy while groups of texts are said one after the other, without the vocoder.

    A model as small as this decodes faster than one CPU vocodes.
    """
    rows: list[int] = []
    step = Batch.step

    def counted(batch: Batch) -> None:
        rows.append(len(batch.rows))
        step(batch)

    silence = np.zeros(0, np.float32)
    with mock.patch.object(Batch, "step", counted), mock.patch.object(engine, "_vocode", return_value=silence):
        for group in groups:
            say(engine, group)
    return sum(rows) / (len(rows) * slots)


def measure_refill(slots: int, count: int) -> None:
    """Print the share of busy slots of a small model on the CPU; it is about lengths alone."""
    texts = make_texts(count)
    by_length = sorted(texts, key=len)
    with tempfile.TemporaryDirectory(prefix="e2a-bench-") as name:
        folder = make_model(Path(name), TINY)
        with loaded(folder, TINY, "cpu", batch=slots, precision="float32") as engine:
            ways = {
                "refill": [texts],
                "batches": [texts[start : start + slots] for start in range(0, count, slots)],
                "batches of like length": [by_length[start : start + slots] for start in range(0, count, slots)],
            }
            for way, groups in ways.items():
                share = busy_share(engine, slots, groups)
                print(json.dumps({"slots": slots, "sentences": count, "way": way, "busy_share": round(share, 3)}))


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the speech of engine xtts with random weights.")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--sentences", type=int, default=12, help="of each run, more on a GPU with many slots")
    options = parser.parse_args()
    hardware = torch.cuda.get_device_name() if options.device == "cuda" else f"1 thread of {platform.machine()}, NO GPU"
    sizes = [REAL] if options.device == "cuda" else [MIDDLE, TINY]
    described = ", ".join(f"{size.layers} x {size.width}" for size in sizes)
    versions = {"python": platform.python_version(), "torch": torch.__version__}
    command = " ".join(["python -m bench.speech", *sys.argv[1:]])
    print(json.dumps({"hardware": hardware, "models": f"RANDOM WEIGHTS, {described}"} | versions))
    print(json.dumps({"command": command}), flush=True)
    if options.device == "cuda":
        measure(REAL, "cuda", [1, 2, 4, 8, 16, 32, 64], ["float32", "float16"], options.sentences)
    else:
        torch.set_num_threads(1)
        measure(MIDDLE, "cpu", [1, 4, 8, 16], ["float32"], options.sentences)
        measure(TINY, "cpu", [1, 4, 8, 16, 32], ["float32"], 4 * options.sentences)
    measure_refill(16, 20 * options.sentences)


if __name__ == "__main__":
    main()
