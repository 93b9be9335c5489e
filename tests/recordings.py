"""Parts with real sound in a store, as workers put them: what the merger's tests assemble."""

from functools import cache
from typing import Any, NamedTuple

import numpy as np

from e2a.plan import BITRATE, Chapter, Output, Part, Plan, Sidecar
from e2a.settings import SynthSettings
from e2a.storage import ObjectStore, keys
from synth_consumer import audio
from synth_consumer.engines import Pcm, Utterance
from synth_consumer.engines.simulated import SimulatedEngine
from tests.servers import ROOT
from tests.unit.builders import a_blob, a_part, a_plan, a_sidecar, a_speech

RATE = 24_000
SPEECH = a_speech(engine="simulated")
COVER = next((ROOT / "samples").rglob("cover.png")).read_bytes()
TITLES = ("I: The = sign; and #1", "Zwei\nZeilen")


class Recording(NamedTuple):
    """What a worker makes of a part."""

    master: bytes
    aac: bytes
    lengths: dict[str, Any]
    """What the sidecar says of them."""


def record(
    store: ObjectStore, part: Part, *, sample_rate: int = RATE, pcm: Pcm | None = None, **said: object
) -> Sidecar:
    """Put a part that the simulated engine says, or other sound; `said` is what its sidecar says beside that."""
    master, aac, lengths = encoded(part, sample_rate) if pcm is None else encode(part, [pcm], sample_rate)
    blobs = {"master": a_blob(master), "aac": {BITRATE: a_blob(aac)}}
    sidecar = a_sidecar(part, **(lengths | blobs | said))
    store.put(keys.part_master(part.digest), master)
    store.put(keys.part_audio(part.digest, BITRATE), aac)
    store.put(keys.part_sidecar(part.digest), sidecar.model_dump_json().encode())
    return sidecar


@cache
def encoded(part: Part, sample_rate: int) -> Recording:
    """Return what the simulated engine says of a part, taken for sound of any sample rate."""
    engine = SimulatedEngine(SynthSettings())
    takes = [engine.say(Utterance(each.text, SPEECH, seed=part.index)).pcm for each in part.sentences]
    return encode(part, takes, sample_rate)


def encode(part: Part, takes: list[Pcm], sample_rate: int) -> Recording:
    """Return the takes of a part's sentences as they are stored."""
    layout = audio.lay_out(takes, [each.pause_ms for each in part.sentences], sample_rate)
    samples = audio.quantise(layout.pcm)
    lengths = {"sample_rate": sample_rate, "samples": len(samples), "sentences": layout.sentences}
    master, aac = audio.encode_master(samples, sample_rate), audio.encode_adts(samples, sample_rate, BITRATE)
    return Recording(master, aac, lengths)


def recorded_plan(store: ObjectStore, *formats: str, split: bool = False, **changes: object) -> Plan:
    """Return a plan of three parts in two chapters, all of them in storage."""
    made = [a_part(0, 0), a_part(1, 0), a_part(2, 1)]
    for part in made:
        record(store, part)
    chapters = (
        Chapter(index=0, title=TITLES[0], parts=tuple(made[:2])),
        Chapter(index=1, title=TITLES[1], parts=tuple(made[2:])),
    )
    output = Output(formats=formats or ("m4b",), split=split)
    given = {"title": "A = B; C", "authors": ("Anna A.", "Bert B."), "speech": SPEECH, "chapters": chapters}
    return a_plan(**(given | {"output": output} | changes))


def silence(seconds: float) -> Pcm:
    """Return nothing to be heard."""
    return np.zeros(round(seconds * RATE), np.float32)


def noise(seconds: float) -> Pcm:
    """Return what no encoder can make small."""
    return np.random.default_rng(0).normal(0, 0.1, round(seconds * RATE)).astype(np.float32)
