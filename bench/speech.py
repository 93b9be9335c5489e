"""What decoding side by side is worth: speech of engine `xtts` with 1, 2, 4 ... slots, beside coqui-tts one by one.

The models are RANDOM WEIGHTS in the shapes of an XTTS: they say nothing that could be judged, but they cost what
trained ones of their size cost, and they are wired to stop after as many tokens as speech would take. On a GPU it is
the size of XTTSv2 with its vocoder, timed by the clock on the wall; on a CPU two smaller ones with a vocoder so small
that it hardly counts, timed by the CPU seconds of one thread, which depend little on what else the machine does.

All runs of a model have the same sampling settings and the same texts. On a GPU few slots, and coqui-tts, get fewer
of them, drawn evenly by length. The first and the last sentences of a run are in its time, when slots are free.

At the end, on a CPU, the share of slots that are busy: with refill, and when a batch waits for its last sentence.
"""

import argparse
import contextlib
import gc
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

from e2a.errors import Retryable, UserError
from e2a.plan import Speech, take_seed
from e2a.settings import SynthSettings
from synth_consumer.engines import Take, Utterance
from synth_consumer.engines.coqui import models
from synth_consumer.engines.coqui.batch import MOST_SLOTS, Batch
from synth_consumer.engines.coqui.xtts import XttsEngine
from tests.neural import tiny

WORDS = "the sea and wind of a dark night they spoke nothing but old letters which nobody had ever read again".split()
TOKENS_PER_CHARACTER = 22050 / 1024 / 15
"""Audio tokens a second over characters a second of a narrator. Here a character is a token of the text too; the real
tokenizer needs fewer, so prefill is overstated."""
ROUNDS = 6
"""Sentences for each slot of a GPU, at least: the first and the last leave some of them free."""
SAMPLE_EVERY = 200
"""Milliseconds between looks at how busy the GPU is."""


Figures = dict[str, Any]


class Size(NamedTuple):
    """Dimensions of a model."""

    layers: int
    width: int
    heads: int
    whole: bool
    """With the vocoder and speaker encoder of XTTSv2, which no setting makes smaller."""


class Run(NamedTuple):
    """What the engine is to say."""

    batch: int
    precision: str
    texts: Sequence[str]
    minutes: float = 0
    """Not these texts, but as many as could be said in so many minutes, by the rate of the run before."""


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


def some_of(texts: Sequence[str], count: int) -> list[str]:
    """Return so many texts at least, as many short and long ones among them as among all."""
    by_length = sorted(texts, key=len)[:: max(1, len(texts) // count)]
    random.Random(0).shuffle(by_length)
    return by_length


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


def resize(engine: XttsEngine, *, batch: int, precision: str) -> None:
    """Give a loaded engine other slots, or numbers of other bits; there is no way back to more of them."""
    assert engine._decoder
    engine._decoder.close()
    engine._decoder = None
    free()
    engine._settings = engine._settings.model_copy(update={"batch": batch, "precision": precision})
    engine._start()


def free() -> None:
    """Give back the memory of the GPU that nothing uses."""
    gc.collect()
    torch.cuda.empty_cache()


def say(engine: XttsEngine, texts: Sequence[str]) -> Iterator[Take]:
    """Say all texts from as many threads as the engine takes."""
    speech = Speech(engine="xtts", language="en")
    utterances = [Utterance(text, speech, take_seed(text, number)) for number, text in enumerate(texts)]
    with ThreadPoolExecutor(engine.at_once) as threads:
        yield from threads.map(engine.say, utterances)


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
    """Collect how busy the GPU is, in percent, while the block runs; nothing where nvidia-smi cannot tell."""
    busy: list[int] = []
    if not shutil.which("nvidia-smi"):
        yield busy
        return
    gpu = f"--id=GPU-{torch.cuda.get_device_properties(0).uuid}"
    command = ["nvidia-smi", gpu, "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"]
    with subprocess.Popen([*command, f"--loop-ms={SAMPLE_EVERY}"], stdout=subprocess.PIPE, text=True) as process:
        try:
            yield busy
        finally:
            process.terminate()
            output, _ = process.communicate()
    busy += [int(line) for line in output.split() if line.isdigit()]


def timed(device: str, speak: Callable[[Sequence[str]], float], texts: Sequence[str]) -> Figures:
    """Return the figures of saying all texts by a function that returns the seconds of audio."""
    on_gpu = device == "cuda"
    clock = time.monotonic if on_gpu else time.process_time
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
    with watch_gpu() if on_gpu else contextlib.nullcontext([]) as busy:
        started = clock()
        audio = speak(texts)
        seconds = clock() - started
    figures: Figures = {
        "sentences": len(texts),
        "audio_s": round(audio, 1),
        "wall_s" if on_gpu else "cpu_s": round(seconds, 2),
        "audio_s_a_second": round(audio / seconds, 2),
        "characters_a_second": round(sum(map(len, texts)) / seconds, 1),
        "sentences_a_second": round(len(texts) / seconds, 2),
    }
    if on_gpu:
        figures["peak_gib"] = round(torch.cuda.max_memory_reserved() / 2**30, 2)
    if busy:
        figures["gpu_busy_percent"] = round(statistics.mean(busy))
    return figures


def run_coqui(folder: Path, size: Size, device: str, texts: Sequence[str]) -> Figures:
    """Return the figures of coqui-tts as it is, one sentence after the other."""
    with contextlib.nullcontext() if size.whole else tiny.small_parts():
        model = models.load(models.find(str(folder), accept_cpml=True), torch.device(device)).tts_model
    seconds_said_by_coqui(model, texts[:1])
    return timed(device, partial(seconds_said_by_coqui, model), texts)


def run_engine(engine: XttsEngine, device: str, texts: Sequence[str], *, batch: int, precision: str) -> Figures:
    """Return the figures of engine xtts."""
    resize(engine, batch=batch, precision=precision)
    seconds_said(engine, texts[:2])
    figures = timed(device, partial(seconds_said, engine), texts)
    assert engine._decoder
    left = engine._decoder.slots
    return figures if left == batch else figures | {"slots_after_out_of_memory": left}


def attempt(run: Callable[[], Figures]) -> Figures:
    """Return the figures of a run, or why there are none; what it had on the GPU is free afterwards."""
    try:
        return run()
    except (Retryable, UserError, torch.OutOfMemoryError) as error:
        return {"failed": f"{type(error).__name__}: {error}".split("\n")[0][:200]}
    finally:
        free()


def measure(size: Size, device: str, runs: Sequence[Run]) -> None:
    """Print the figures of one model: coqui-tts one by one, then each run of the engine."""
    rate = "characters_a_second"
    with tempfile.TemporaryDirectory(prefix="e2a-bench-") as name:
        folder = make_model(Path(name), size)
        what = {
            "model": f"RANDOM WEIGHTS, {size.layers} x {size.width}",
            "device": "GPU" if device == "cuda" else "CPU",
        }
        single = attempt(partial(run_coqui, folder, size, device, runs[0].texts))
        print(json.dumps(what | {"by": "coqui-tts, one by one", "precision": "float32"} | single), flush=True)
        with loaded(folder, size, device, batch=1, precision="float32") as engine:
            figures: Figures = {}
            for batch, precision, chosen, minutes in runs:
                many = round(60 * minutes * figures.get("sentences_a_second", 0))
                texts = make_texts(many) if many else chosen
                figures = attempt(partial(run_engine, engine, device, texts, batch=batch, precision=precision))
                if rate in figures and rate in single:
                    figures["times_one_by_one"] = round(figures[rate] / single[rate], 1)
                shown = {"by": "engine xtts", "slots": batch, "precision": precision}
                print(json.dumps(what | shown | figures), flush=True)


def gpu_runs(count: int, minutes: float) -> list[Run]:
    """Return the runs of a GPU: few slots, and coqui-tts, get fewer sentences.

    Args:
        count: sentences of a run, at least.
        minutes: of one more run with the most slots; 0 for none.
    """
    texts = make_texts(ROUNDS * MOST_SLOTS)

    def run(batch: int, precision: str = "float32") -> Run:
        return Run(batch, precision, some_of(texts, max(count, ROUNDS * batch)))

    long = [run(MOST_SLOTS)._replace(minutes=minutes)] if minutes else []
    return [*map(run, (1, 4, 16, MOST_SLOTS)), *long, run(MOST_SLOTS, "float16"), run(MOST_SLOTS, "bfloat16")]


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
            seconds_said(engine, group)
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
                shown = {"model": "RANDOM WEIGHTS, 2 x 64", "device": "CPU", "slots": slots, "sentences": count}
                print(json.dumps(shown | {"way": way, "share_of_slots_busy": round(share, 3)}), flush=True)


def processor() -> str:
    """Return what the CPU is called."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the speech of engine xtts with random weights.")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--sentences", type=int, default=16, help="of each run, more on a GPU with many slots")
    parser.add_argument("--minutes", type=float, default=0, help="of one more run on a GPU, with the most slots")
    options = parser.parse_args()
    on_gpu = options.device == "cuda"
    print(f"$ {' '.join(['python -m bench.speech', *sys.argv[1:]])}")
    print(
        json.dumps(
            {
                "hardware": torch.cuda.get_device_name() if on_gpu else f"NO GPU: 1 thread of {processor()}",
                "seconds": "on the wall" if on_gpu else "of the CPU: cpu_s, and each rate is a CPU second",
                "models": "RANDOM WEIGHTS, layers x width; XTTSv2 is 30 x 1024",
                "python": platform.python_version(),
                "torch": torch.__version__,
            }
        ),
        flush=True,
    )
    if on_gpu:
        measure(REAL, "cuda", gpu_runs(options.sentences, options.minutes))
    else:
        torch.set_num_threads(1)
        torch.backends.mkldnn.set_flags(False)  # it compiles for each length of a sentence: the first run would pay
        few, many = make_texts(options.sentences), make_texts(2 * options.sentences)
        measure(MIDDLE, "cpu", [Run(batch, "float32", few) for batch in (1, 4, 8, 16)])
        measure(TINY, "cpu", [Run(batch, "float32", many) for batch in (1, 8, 32)])
        measure_refill(16, 20 * options.sentences)


if __name__ == "__main__":
    main()
