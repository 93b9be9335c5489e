"""How busy a worker keeps a GPU: parts through the whole handler, from job to stored part, as a worker's threads do it.

Engine xtts with RANDOM WEIGHTS in the dimensions of XTTSv2 (see bench.speech): they cost what trained ones cost. A
part has 5,000 characters. Checks of takes, levelling, FLAC, AAC and storage, a directory, are in the time. What such
weights say is noise, which the checks reject: their verdict is passed over, or everything would be said four times.
Kafka and Redis are the in-memory ones.

Beside it the engine alone says the same sentences, in the same run: the share of its rate that a worker reaches. The
first and the last sentences, when slots are free, are in the time of both.
"""

import argparse
import itertools
import json
import platform
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import torch

from bench.speech import REAL, TINY, loaded, make_model, make_texts, seconds_said, timed
from e2a import log
from e2a.checkpoint import LeaseKeeper
from e2a.messages import ChapterJob, PartDone
from e2a.plan import Part, Sentence, Speech, part_digest, speech_digest
from e2a.storage import keys
from e2a.testing import MemoryCheckpoint
from synth_consumer import quality, speaker
from synth_consumer.engines.coqui.xtts import XttsEngine
from synth_consumer.speaker import Speaker
from synth_consumer.status import Status
from synth_consumer.worker import Worker
from tests.stores import directory_store
from tests.unit.puppet import a_pace

CHARACTERS = 5000
"""Of a part."""
RATE = "characters_a_second"
SPEECH = Speech(engine="xtts", language="en")


def make_jobs(texts: Sequence[str], model: str) -> list[ChapterJob]:
    """Return the jobs of a book that has these sentences."""
    speech = SPEECH.model_copy(update={"model": model})
    jobs, run = [], []
    for text in texts:
        run.append(Sentence(text=text, pause_ms=250))
        if sum(len(each.text) for each in run) >= CHARACTERS or text is texts[-1]:
            digest = part_digest(tuple(run), speech)
            part = Part(index=len(jobs), chapter=0, digest=digest, estimate=300.0, sentences=tuple(run))
            jobs.append(ChapterJob(book_id="b" * 16, part=part, speech=speech))
            run = []
    return jobs


def work(engine: XttsEngine, folder: Path, texts: Sequence[str]) -> float:
    """Make all parts and return the seconds of audio."""
    jobs = make_jobs(texts, engine.model)
    store = directory_store(folder, patience=1)
    pace = a_pace().model_copy(update={"weights": engine.weights})
    store.put(keys.pace(speech_digest(jobs[0].speech)), pace.model_dump_json().encode())
    status = Status("bench", engine)
    leases = LeaseKeeper(MemoryCheckpoint(time.monotonic), "bench")
    worker = Worker(name="bench", engine=engine, speaker=Speaker(engine), store=store, leases=leases, status=status)
    with mock.patch.object(speaker, "flaws", passed_over), ThreadPoolExecutor(worker.hands) as threads:
        events = list(threads.map(worker.handle, jobs, itertools.repeat(threading.Event())))
    done = [event for event in events if isinstance(event, PartDone)]
    assert len(done) == len(jobs)
    return sum(event.audio_seconds for event in done)


def passed_over(*take: Any) -> tuple[str, ...]:
    """Judge a take, and find nothing wrong with it."""
    quality.flaws(*take)
    return ()


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure how busy a worker keeps a GPU, with random weights.")
    parser.add_argument("--parts", type=int, default=24)
    parser.add_argument("--batch", type=int, nargs="+", default=[64])
    options = parser.parse_args()
    log.configure("error")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    size, batches = (REAL, options.batch) if device == "cuda" else (TINY, [8])
    hardware = torch.cuda.get_device_name() if device == "cuda" else "NO GPU: a tiny model"
    print(f"$ {' '.join(['python -m bench.worker', *sys.argv[1:]])}")
    print(
        json.dumps({"hardware": hardware, "models": "RANDOM WEIGHTS", "python": platform.python_version()}), flush=True
    )
    texts = make_texts(options.parts * CHARACTERS // 75)
    with tempfile.TemporaryDirectory(prefix="e2a-bench-") as name:
        folder = make_model(Path(name, "model"), size)
        for batch in batches:
            with loaded(folder, size, device, batch=batch, precision="float32") as engine:
                seconds_said(engine, texts[:2])
                alone = timed(device, partial(seconds_said, engine), texts)
                print(json.dumps({"by": "the engine alone", "slots": batch} | alone), flush=True)
                whole = timed(device, partial(work, engine, Path(name, f"storage{batch}")), texts)
                whole["share_of_the_engine"] = round(whole[RATE] / alone[RATE], 3)
                print(json.dumps({"by": "the worker", "slots": batch} | whole), flush=True)


if __name__ == "__main__":
    main()
