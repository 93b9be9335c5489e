"""Which take of a sentence is kept, and what is tried before."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from e2a.errors import Poison, Retryable
from e2a.plan import take_seed
from synth_consumer.engines import Take, TooLong, Utterance
from synth_consumer.recognition import Recogniser
from synth_consumer.speaker import SHORTEST, VARIETIES, Speaker, Spoken, Voice, in_two
from tests.unit.builders import a_speech
from tests.unit.puppet import Puppet, a_pace, cut

LONG = "She opened the door; nobody was there."
WANTED = threading.Event()


@pytest.fixture
def engine() -> Puppet:
    return Puppet()


@pytest.fixture
def voice() -> Voice:
    return Voice(a_speech(), a_pace())


def speak(engine: Puppet, voice: Voice, *texts: str) -> list[Spoken]:
    spoken = Speaker(engine).speak(texts, voice, WANTED, lambda: None)
    assert spoken is not None
    return spoken


def test_keeps_a_good_take(engine: Puppet, voice: Voice) -> None:
    """One take is enough when nothing is wrong with it, and its seed follows from the text alone."""
    (spoken,) = speak(engine, voice, LONG)
    assert (spoken.takes, spoken.flaws, spoken.doubtful) == (1, (), ())
    (utterance,) = engine.utterances
    assert utterance == Utterance(LONG, voice.speech, take_seed(LONG, 0), 1.0, b"")


def test_says_a_bad_one_again(engine: Puppet, voice: Voice) -> None:
    """A bad take is followed by one with another seed, then one with another temperature; the first good one stays."""
    engine.change = lambda take, _utterance: cut(take) if len(engine.utterances) < 3 else take
    (spoken,) = speak(engine, voice, LONG)
    assert (spoken.takes, spoken.flaws, spoken.doubtful) == (3, ("no-stop",), ())
    assert [utterance.seed for utterance in engine.utterances] == [take_seed(LONG, attempt) for attempt in range(3)]
    assert [utterance.variety for utterance in engine.utterances] == list(VARIETIES)


def test_says_it_in_two_at_last(engine: Puppet, voice: Voice) -> None:
    """When all takes are bad the sentence is cut in two, and both halves are in what is kept."""
    engine.change = lambda take, utterance: cut(take) if utterance.text == LONG else take
    (spoken,) = speak(engine, voice, LONG)
    assert engine.spoken == [*[LONG] * 3, "She opened the door;", "nobody was there."]
    assert (spoken.takes, spoken.flaws, spoken.doubtful) == (5, ("no-stop",), ())
    whole = engine.change(Puppet().say(engine.utterances[0]), engine.utterances[0])
    assert len(spoken.pcm) == pytest.approx(len(whole.pcm), rel=0.1)


def test_keeps_the_best_of_bad_ones(engine: Puppet, voice: Voice) -> None:
    """When nothing helps the least bad take is kept, and what it has is told."""

    def change(take: Take, utterance: Utterance) -> Take:
        if utterance.seed == take_seed(LONG, 1):
            return Take(np.concatenate([take.pcm, np.zeros(4 * engine.sample_rate, np.float32), take.pcm]))
        return Take(np.full(10, np.nan, np.float32), stopped=False)

    engine.change = change
    (spoken,) = speak(engine, voice, LONG)
    assert spoken.takes == 5
    assert "long-pause" in spoken.doubtful
    assert "nan" in spoken.flaws
    assert len(spoken.pcm) > engine.sample_rate


def test_what_is_kept_can_be_encoded(engine: Puppet, voice: Voice) -> None:
    """Also the best of takes that are no sound at all holds nothing but numbers in range."""
    engine.change = lambda _take, _utterance: Take(np.array([np.nan, np.inf, -7, 0.5], np.float32))
    (spoken,) = speak(engine, voice, LONG)
    assert spoken.doubtful
    assert np.abs(spoken.pcm).max() <= 1


def test_an_engine_without_variety_is_not_asked_twice_for_the_same(engine: Puppet, voice: Voice) -> None:
    """Where another seed gives the same take, the sentence is cut in two at once."""
    engine.varies = False
    engine.change = lambda take, utterance: cut(take) if utterance.text == LONG else take
    speak(engine, voice, LONG)
    assert engine.spoken == [LONG, "She opened the door;", "nobody was there."]


def test_short_sentences_are_not_cut(engine: Puppet, voice: Voice) -> None:
    """Half of a short sentence would come out worse than the whole."""
    short = "x" * (SHORTEST - 1)
    engine.change = lambda take, _utterance: cut(take)
    (spoken,) = speak(engine, voice, short)
    assert engine.spoken == [short] * 3
    assert spoken.doubtful == ("no-stop",)


def test_a_text_that_is_too_long_is_cut_until_it_is_not(engine: Puppet, voice: Voice) -> None:
    """What the model refuses as too long is said in pieces, each checked as a sentence is; no word is lost."""

    def refuse(text: str) -> None:
        if len(text) > 12:
            raise TooLong("too many tokens")

    engine.before = refuse
    (spoken,) = speak(engine, voice, LONG)
    assert " ".join(engine.spoken) == LONG
    assert (spoken.takes, spoken.flaws) == (len(engine.spoken), ())


def test_a_single_character_that_is_too_long_is_poison(engine: Puppet, voice: Voice) -> None:
    """What cannot be cut any more is refused with the engine's own words, and does not go round for ever."""

    def refuse(_text: str) -> None:
        raise TooLong("too many tokens")

    engine.before = refuse
    with pytest.raises(Poison, match="too many tokens"):
        speak(engine, voice, LONG)


def test_a_half_that_cannot_be_said_is_no_reason_to_fail(engine: Puppet, voice: Voice) -> None:
    """A part of which every sentence was said is made, also when the last resort meets a half that is poison."""

    def refuse(text: str) -> None:
        if text == "nobody was there.":
            raise Poison("the model knows none of its letters")

    engine.before = refuse
    engine.change = lambda take, utterance: cut(take) if utterance.text == LONG else take
    (spoken,) = speak(engine, voice, LONG)
    assert (spoken.takes, spoken.doubtful) == (3, ("no-stop",))


@pytest.mark.parametrize("error", [Poison("no such voice"), Retryable("out of memory")])
def test_passes_on_what_the_engine_says(engine: Puppet, voice: Voice, error: Exception) -> None:
    """A refusal ends the part at once: what is not begun by then never is."""
    speaker, ended = Speaker(engine), threading.Event()

    def refuse(text: str) -> None:
        if text == "One.":
            raise error
        assert ended.wait(30)

    engine.before = refuse
    with pytest.raises(type(error), match=str(error)):
        speaker.speak(["One.", "Two.", "Three."], voice, WANTED, lambda: None)
    ended.set()
    assert speaker.speak(["Last."], voice, WANTED, lambda: None)
    assert set(engine.spoken) <= {"Two.", "Last."}


def test_the_recording_reaches_the_engine(engine: Puppet, voice: Voice) -> None:
    """A voice that is a recording is given with every take."""
    engine.change = lambda take, utterance: cut(take) if utterance.text == LONG else take
    speak(engine, voice._replace(clip=b"la la"), LONG)
    assert [utterance.clip for utterance in engine.utterances] == [b"la la"] * 5


def test_silence_around_the_words_is_cut_off(engine: Puppet, voice: Voice) -> None:
    """However long it is, it is no reason to say the sentence again."""
    (plain,) = speak(engine, voice, LONG)
    silence = np.zeros(3 * engine.sample_rate, np.float32)
    engine.change = lambda take, _utterance: take._replace(pcm=np.concatenate([silence, take.pcm, silence]))
    (spoken,) = speak(engine, voice, LONG)
    assert (spoken.takes, spoken.flaws) == (1, ())
    assert len(spoken.pcm) == pytest.approx(len(plain.pcm), abs=0.11 * engine.sample_rate)


def test_a_part_that_has_failed_is_not_said_again(voice: Voice) -> None:
    """What is being said when another sentence fails is not tried again when it comes out bad."""
    engine, failed = Puppet(at_once=2), threading.Event()
    speaker = Speaker(engine)

    def before(text: str) -> None:
        if text == "One.":
            raise Retryable("out of memory")
        assert failed.wait(30)

    engine.before = before
    engine.change = lambda take, _utterance: cut(take)
    with pytest.raises(Retryable):
        speaker.speak([LONG, "One."], voice, WANTED, lambda: None)
    failed.set()
    speaker._threads.shutdown()
    assert engine.spoken == [LONG]


def test_sentences_stay_in_order(voice: Voice) -> None:
    """Whatever is finished first, the sounds come in the order of the sentences."""
    engine, second_done = Puppet(at_once=2), threading.Event()
    texts = ("This one is the longer of both.", "Short.")

    def first_waits(text: str) -> None:
        if text == texts[0]:
            assert second_done.wait(30)

    engine.before = first_waits
    counted: list[None] = []
    speaker = Speaker(engine, took=second_done.set)
    spoken = speaker.speak(texts, voice, WANTED, lambda: counted.append(None))
    assert spoken is not None
    assert len(spoken[0].pcm) > len(spoken[1].pcm)
    assert len(counted) == 2


def test_counts_the_seconds_in_which_it_speaks(engine: Puppet, voice: Voice, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two sentences at once count once, and waiting does not count."""
    now = iter([10.0, 11.0, 14.0, 20.0, 30.0, 31.0])
    monkeypatch.setattr("synth_consumer.speaker.time.monotonic", lambda: next(now))
    busy = Speaker(engine)._busy
    with busy.inside(), busy.inside():
        pass
    assert busy.seconds == 10
    with busy.inside():
        pass
    assert busy.seconds == 11


def test_silent_is_who_has_been_inside_for_longest(
    engine: Puppet, voice: Voice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sentence that hangs is noticed beside others that come and go."""
    now = [10.0]
    monkeypatch.setattr("synth_consumer.speaker.time.monotonic", lambda: now[0])
    busy = Speaker(engine)._busy
    with busy.inside():
        now[0] = 14.0
        with busy.inside():
            now[0] = 15.0
        assert busy.silent == 5.0
    assert busy.silent == 0.0


def test_a_voice_that_waits_for_the_engine_can_be_abandoned(engine: Puppet, voice: Voice) -> None:
    """While the engine says another part, a measurement that is no longer wanted is given up at once, unbegun."""
    speaker, abandoned = Speaker(engine), threading.Event()
    speaking, enough = threading.Event(), threading.Event()
    engine.before = lambda _text: (speaking.set(), enough.wait(30))
    abandoned.set()
    with ThreadPoolExecutor(1) as threads:
        other = threads.submit(speaker.speak, [LONG], voice, WANTED, lambda: None)
        assert speaking.wait(30)
        assert speaker.pace(voice.speech, b"", abandoned) is None
        assert not other.done()
        enough.set()
    assert engine.spoken == [LONG]


def test_a_voice_is_measured_without_a_break(engine: Puppet, voice: Voice) -> None:
    """Sentences that come meanwhile wait: takes that each stood behind a whole part would need the time of many."""
    speaker, queued = Speaker(engine), threading.Event()

    def texts() -> Iterator[str]:
        yield from (LONG, LONG)
        queued.set()

    def before(_text: str) -> None:
        if not engine.spoken:
            threads.submit(speaker.speak, texts(), voice, WANTED, lambda: None)
            assert queued.wait(30)

    engine.before = before
    with ThreadPoolExecutor(1) as threads:
        assert speaker.pace(voice.speech, b"", WANTED) == voice.pace
    assert engine.spoken.index(LONG) == len(engine.spoken) - 2
    assert len(set(engine.spoken[:-2])) > 5


class Deaf(Recogniser):
    """Hears something else the first time, and then what was said."""

    def __init__(self, truth: str) -> None:
        self.words = iter(["a sheep unlocked the floor, no bodies were bare"])
        self.truth = truth

    def load(self) -> None:
        return

    def hear(self, pcm: object, sample_rate: int, language: str) -> str:
        return next(self.words, self.truth)


def test_a_recogniser_has_a_say(engine: Puppet, voice: Voice) -> None:
    """A take that looks good but is heard as other words is said again."""
    spoken = Speaker(engine, Deaf(LONG)).speak([LONG], voice, WANTED, lambda: None)
    assert spoken is not None
    assert (spoken[0].takes, spoken[0].flaws, spoken[0].doubtful) == (2, ("misheard",), ())


@pytest.mark.parametrize(
    ("text", "halves"),
    [
        ("She opened the door; nobody was there.", ("She opened the door;", "nobody was there.")),
        ("One two three, four five six seven", ("One two three,", "four five six seven")),
        ("no stops at all in here", ("no stops at", "all in here")),
        ("他打开门，没有人在那里。", ("他打开门，", "没有人在那里。")),  # noqa: RUF001
        ("a; very long one without any other stop", ("a; very long one", "without any other stop")),
        ("abcdefgh", ("abcd", "efgh")),
        ("It was 3.14159 metres or so wide", ("It was 3.14159", "metres or so wide")),
        ("At 10:30 she left for good", ("At 10:30 she", "left for good")),
        ("It cost 1,000,000 dollars", ("It cost", "1,000,000 dollars")),
        ("He said “Go home.” Then he went", ("He said “Go home.”", "Then he went")),
    ],
)
def test_cuts_at_the_best_place_near_the_middle(text: str, halves: tuple[str, str]) -> None:
    """Ends of clauses go before other stops, those before spaces; what has none is cut in the middle."""
    assert in_two(text) == halves
