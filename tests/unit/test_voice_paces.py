"""A voice is measured once, by whoever meets it first, and every worker goes by that."""

import json
import threading

import pytest

from e2a.checkpoint import LeaseKeeper
from e2a.errors import Poison, Retryable
from e2a.plan import Speech, clip_voice, speech_digest
from e2a.storage import keys
from e2a.testing import Clock, MemoryCheckpoint, MemoryStore
from synth_consumer.pace import Pace, guess
from synth_consumer.speaker import Speaker
from synth_consumer.voices import KEPT, Voices
from tests.unit.builders import a_speech
from tests.unit.puppet import Puppet, a_pace

WANTED = threading.Event()


class Place:
    """Storage and checkpoint that workers share."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.clock = Clock()
        self.checkpoint = MemoryCheckpoint(self.clock)

    def worker(self, name: str = "w0", weights: str = "") -> tuple[Puppet, Voices]:
        engine = Puppet()
        engine.weights = weights
        return engine, Voices(engine, Speaker(engine), LeaseKeeper(self.checkpoint, name))


@pytest.fixture
def place() -> Place:
    return Place()


def test_the_first_measures_and_the_second_reads(place: Place) -> None:
    """The pace is the same for both, and the second says nothing for it."""
    first, voices = place.worker("w0")
    measured = voices.of(a_speech(), place.store, WANTED)
    second, others = place.worker("w1")
    assert measured is not None
    assert others.of(a_speech(), place.store, WANTED) == measured
    assert measured.pace == a_pace()
    assert first.spoken
    assert second.spoken == []


def test_a_voice_is_looked_up_once(place: Place) -> None:
    """The next part of the same book costs no look into storage."""
    _engine, voices = place.worker()
    voice = voices.of(a_speech(), place.store, WANTED)
    place.store.objects.clear()
    assert voices.of(a_speech(), place.store, WANTED) is voice


def test_few_voices_are_remembered(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The voices that were met last are remembered, the others read again: memory does not grow with books."""
    _engine, voices = place.worker()
    speeches = [a_speech(speed=1 + number / 10) for number in range(KEPT + 1)]
    for speech in speeches:
        place.store.put(keys.pace(speech_digest(speech)), a_pace().model_dump_json().encode())
        assert voices.of(speech, place.store, WANTED)
    read: list[str] = []
    monkeypatch.setattr(place.store, "get", lambda key: read.append(key) or place.store.objects[key])
    for speech in reversed(speeches):
        assert voices.of(speech, place.store, WANTED)
    assert read == [keys.pace(speech_digest(speeches[0]))]


def test_each_way_of_speaking_has_its_own_pace(place: Place) -> None:
    """Another speed is another pace."""
    _engine, voices = place.worker()
    normal, fast = voices.of(a_speech(), place.store, WANTED), voices.of(a_speech(speed=2.0), place.store, WANTED)
    assert normal is not None
    assert fast is not None
    assert fast.pace != normal.pace


def test_the_recording_reaches_the_engine(place: Place) -> None:
    """A voice that is a recording is read from storage, once, and given with the calibration text too."""
    speech = a_speech(voice=clip_voice(b"la la"))
    place.store.put(keys.clip(speech.voice), b"la la")
    engine, voices = place.worker()
    voice = voices.of(speech, place.store, WANTED)
    assert voice is not None
    assert voice.clip == b"la la"
    assert {utterance.clip for utterance in engine.utterances} == {b"la la"}


def test_a_recording_that_is_not_there_is_poison(place: Place) -> None:
    """The reason names the object and what to do."""
    _engine, voices = place.worker()
    with pytest.raises(Poison, match=r"no recording voices/.*\.clip; run e2a-produce again"):
        voices.of(a_speech(voice=clip_voice(b"la la")), place.store, WANTED)


def test_other_weights_under_the_same_name_are_poison(place: Place) -> None:
    """A worker whose model is not the one that the voice was measured with does not mix two narrators in a book."""
    speech = a_speech(model="alto")
    _engine, voices = place.worker("w0", weights="a")
    assert voices.of(speech, place.store, WANTED)
    _engine, voices = place.worker("w1", weights="b")
    with pytest.raises(Poison, match="other weights of model 'alto'"):
        voices.of(speech, place.store, WANTED)


def test_a_pace_that_cannot_be_read_is_measured_again(place: Place) -> None:
    """What an older version wrote is as good as nothing."""
    place.store.put(keys.pace(speech_digest(a_speech())), b"{}")
    engine, voices = place.worker()
    assert voices.of(a_speech(), place.store, WANTED)
    assert engine.spoken


def test_a_voice_whose_level_was_not_measured_is_measured_again(place: Place) -> None:
    """An older version measured how fast a voice is and not how loud."""
    key = keys.pace(speech_digest(a_speech()))
    older = json.loads(a_pace().model_dump_json())
    del older["gains"]
    place.store.put(key, json.dumps(older).encode())
    engine, voices = place.worker()
    voice = voices.of(a_speech(), place.store, WANTED)
    assert engine.spoken
    assert voice is not None
    assert voice.gain == a_pace().gains["r128"]
    assert Pace.model_validate_json(place.store.get(key)) == a_pace()


def test_a_voice_is_measured_once_for_all_loudnesses(place: Place) -> None:
    """The same voice for ACX has its own gain, of the same measurement; a voice of unknown level has none."""
    engine, voices = place.worker()
    plain, louder = voices.of(a_speech(), place.store, WANTED), voices.of(a_speech(loudness="acx"), place.store, WANTED)
    assert plain is not None
    assert louder is not None
    assert len(engine.spoken) == len(set(engine.utterances))
    assert (plain.gain, louder.gain) == (a_pace().gains["r128"], a_pace().gains["acx"])
    assert plain.gain != louder.gain
    assert plain._replace(pace=guess(a_speech(), "")).gain == 0


def test_other_weights_are_poison_also_in_what_another_version_measured(place: Place) -> None:
    """Measuring again would let two narrators into one book; with the same weights it does not."""
    speech = a_speech(model="alto")
    place.store.put(keys.pace(speech_digest(speech)), b'{"weights": "a"}')
    _engine, voices = place.worker("w1", weights="b")
    with pytest.raises(Poison, match="other weights of model 'alto'"):
        voices.of(speech, place.store, WANTED)
    engine, others = place.worker("w0", weights="a")
    assert others.of(speech, place.store, WANTED)
    assert engine.spoken


def test_the_first_measurement_counts(place: Place) -> None:
    """What another worker has stored meanwhile, as when Redis was away, stays and is gone by."""
    engine, voices = place.worker()
    key, theirs = keys.pace(speech_digest(a_speech())), a_pace().model_copy(update={"offset": 0.25})
    engine.before = lambda _text: place.store.put(key, theirs.model_dump_json().encode())
    voice = voices.of(a_speech(), place.store, WANTED)
    assert voice is not None
    assert voice.pace == theirs


def test_a_measurement_whose_lease_is_lost_is_not_stored(place: Place) -> None:
    """A worker that was stopped while it measured goes by what the other measures, who has the lease by now."""
    lease, key = f"voice/{speech_digest(a_speech())}", keys.pace(speech_digest(a_speech()))
    theirs = a_pace().model_copy(update={"offset": 0.25}).model_dump_json().encode()
    engine, voices = place.worker()

    def lose(_text: str) -> None:
        place.clock.now += 7
        place.checkpoint.claim(lease, "other", 60)

    class Meanwhile(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            assert place.store.objects == {}
            place.store.put(key, theirs)
            return False

    engine.before = lose
    assert voices.of(a_speech(), place.store, Meanwhile())
    assert place.store.get(key) == theirs


def test_waits_while_another_measures(place: Place) -> None:
    """A voice that somebody else is measuring is not measured twice."""
    lease = f"voice/{speech_digest(a_speech())}"
    place.checkpoint.claim(lease, "other", 6)
    engine, voices = place.worker()

    class Meanwhile(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            place.store.put(keys.pace(speech_digest(a_speech())), a_pace().model_dump_json().encode())
            return False

    assert voices.of(a_speech(), place.store, Meanwhile())
    assert engine.spoken == []


def test_a_part_that_is_not_wanted_is_not_measured_for(place: Place) -> None:
    """A job that is abandoned in the middle of the calibration text leaves it, and the lease is free."""
    engine, voices = place.worker()
    abandoned = threading.Event()
    engine.before = lambda _text: abandoned.set()
    assert voices.of(a_speech(), place.store, abandoned) is None
    assert len(engine.spoken) == 1
    assert place.store.objects == {}
    assert place.checkpoint.claim(f"voice/{speech_digest(a_speech())}", "other", 6) == 1


@pytest.mark.parametrize("error", [Poison("no such voice"), Retryable("out of memory")])
def test_a_voice_that_the_engine_refuses_is_not_stored(place: Place, error: Exception) -> None:
    """A refusal leaves as it is, with the lease free and nothing in storage."""
    engine, voices = place.worker()

    def refuse(_text: str) -> None:
        raise error

    engine.before = refuse
    with pytest.raises(type(error), match=str(error)):
        voices.of(Speech(engine="espeak", language="en"), place.store, WANTED)
    assert place.store.objects == {}
    assert place.checkpoint.claim(f"voice/{speech_digest(a_speech())}", "other", 6) == 1
