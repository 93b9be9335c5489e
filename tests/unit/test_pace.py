"""What is measured of a voice, and how long a sentence of it may last."""

import unicodedata
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

from e2a.errors import Poison, Retryable
from e2a.plan import Speech, take_seed
from synth_consumer.engines import Take, TooLong
from synth_consumer.pace import TEXTS, Pace, guess, measure, spoken_length
from synth_consumer.sound import trim
from tests.takes import hum
from tests.unit.builders import a_speech

RATE = 24000
XTTS_LANGUAGES = frozenset("en es fr de it pt pl tr ru nl cs ar zh hu ko ja hi".split())
LATE = "The carrier had not yet come back from the mill."


def paced(per_letter: float = 0.06, speech: Speech | None = None) -> Pace:
    """Return the pace of a humming voice."""
    return measure(lambda text, _seed: Take(hum(text, per_letter=per_letter)), RATE, speech or a_speech(), "w")


def test_finds_what_a_voice_was_made_with() -> None:
    """Time a letter, pause and ending come out as they went in, and the spread of a voice without one is small."""
    pace = paced()
    assert pace.calibrated
    assert pace.per_letter == pytest.approx(0.06, rel=0.03)
    assert pace.offset < 0.1
    assert pace.spread < 0.03
    assert pace.pause == pytest.approx(0.3, abs=0.03)
    assert pace.ending < -60
    assert pace.weights == "w"


@pytest.mark.parametrize("per_letter", [0.03, 0.06, 0.12])
def test_bounds_lie_around_what_the_voice_takes(per_letter: float) -> None:
    """A sentence that is not in the fixed text fits, and neither half of it nor twice it."""
    low, high = paced(per_letter).bounds(LATE)
    seconds = per_letter * (38 + 10)
    assert 0.6 * seconds < low < seconds < high < 1.7 * seconds


def test_one_bad_take_changes_little() -> None:
    """A take that ran on, one that was cut, one that is silent and one of NaN leave the bounds where they were."""
    good = paced()
    for bad in (hum(LATE * 6), hum("No"), np.zeros(RATE, np.float32), np.full(RATE, np.nan, np.float32)):
        takes = iter([Take(bad)])
        pace = measure(lambda text, _seed, takes=takes: next(takes, Take(hum(text))), RATE, a_speech(), "w")
        assert pace.calibrated
        assert pace.bounds(LATE) == pytest.approx(good.bounds(LATE), rel=0.05)


def test_takes_that_were_stopped_do_not_count() -> None:
    """A voice that never comes to an end cannot be measured."""
    pace = measure(lambda text, _seed: Take(hum(text), stopped=False), RATE, a_speech(), "w")
    assert pace == guess(a_speech(), "w")
    assert not pace.calibrated


def test_a_voice_that_ends_abruptly_once_may_do_so_again() -> None:
    """The ending is the loudest that was heard."""
    takes = iter([Take(trim(hum(LATE), RATE)[: -RATE // 10])])
    pace = measure(lambda text, _seed: next(takes, Take(hum(text))), RATE, a_speech(), "")
    assert pace.ending > -10


def test_a_text_that_is_too_long_is_passed_over() -> None:
    """A model that takes little at once is measured on the shorter texts; one that takes next to nothing is guessed."""

    def short(most: int) -> Pace:
        def say(text: str, _seed: int) -> Take:
            if len(text) > most:
                raise TooLong(text)
            return Take(hum(text))

        return measure(say, RATE, a_speech(), "w")

    assert short(130).bounds(LATE) == pytest.approx(paced().bounds(LATE), rel=0.05)
    assert short(10) == guess(a_speech(), "w")


def test_without_a_text_only_the_level_is_measured() -> None:
    """A language without a fixed text gets a guess, and the gains that the voice needs in English."""
    speech, said = a_speech(language="ka"), list[str]()
    pace = measure(lambda text, _seed: said.append(text) or Take(hum(text)), RATE, speech, "", takes=1)
    assert pace == guess(speech, "").model_copy(update={"gains": paced().gains})
    assert said == list(TEXTS["en"])
    assert not pace.calibrated


def test_a_voice_that_reads_no_english_keeps_its_level() -> None:
    """A model that cannot say the English text is guessed in all; what is wrong only now is passed on."""

    def refuse(error: Exception) -> Callable[[str, int], Take]:
        def say(_text: str, _seed: int) -> Take:
            raise error

        return say

    speech = a_speech(language="ka")
    assert measure(refuse(Poison("no such letter")), RATE, speech, "") == guess(speech, "")
    with pytest.raises(Retryable):
        measure(refuse(Retryable("out of memory")), RATE, speech, "")
    with pytest.raises(Poison):
        measure(refuse(Poison("no such voice")), RATE, a_speech(), "")


def test_the_gain_is_of_what_is_heard() -> None:
    """Takes that cannot be used and the silence around the others do not count: a voice half as loud gets 6 dB more."""
    quiet = measure(lambda text, _seed: Take(hum(text) / 2), RATE, a_speech(), "")
    takes = iter([Take(hum(LATE) * 8, stopped=False), Take(np.zeros(RATE, np.float32))])
    padding = np.zeros(5 * RATE, np.float32)
    padded = measure(lambda text, _seed: next(takes, Take(np.concatenate([padding, hum(text)]))), RATE, a_speech(), "")
    for loudness, db in paced().gains.items():
        assert quiet.gains[loudness] == pytest.approx(db + 6, abs=0.3)
        assert padded.gains[loudness] == pytest.approx(db, abs=0.3)


def test_a_region_speaks_the_text_of_its_language() -> None:
    """`pt-BR` is measured on the text of `pt`, with the seeds that any worker would take."""
    said: Counter[tuple[str, int]] = Counter()
    measure(lambda text, seed: said.update([(text, seed)]) or Take(hum(text)), RATE, a_speech(language="pt-BR"), "")
    assert said == Counter((text, take_seed(text, attempt)) for text in TEXTS["pt"] for attempt in range(2))


def test_a_guess_follows_rate_and_speed() -> None:
    """It is wide, lies around the rate of speech of the language, and halves at twice the speed."""
    low, high = guess(a_speech(), "").bounds(LATE)
    assert low < len(LATE) / 18 / 2
    assert high > 2 * len(LATE) / 18
    fast = guess(a_speech(speed=2.0), "")
    assert fast.per_letter == guess(a_speech(), "").per_letter / 2
    assert guess(a_speech(speed=0.5), "").slack == 2 * fast.slack
    assert guess(a_speech(engine="xtts", language="zh"), "").per_letter == pytest.approx(1 / 4.5)


def test_survives_storage() -> None:
    """A pace is the same after JSON, and fields of a newer version are ignored."""
    pace = paced()
    assert Pace.model_validate_json(pace.model_dump_json()) == pace
    newer = pace.model_dump_json().replace("{", '{"newer": 1, ', 1)
    assert Pace.model_validate_json(newer) == pace


def test_a_voice_whose_takes_vary_gets_wider_bounds() -> None:
    """The spread is measured, so a lively reader is not taken for a bad one."""
    chance = np.random.default_rng(3)
    lively = measure(
        lambda text, _seed: Take(hum(text, per_letter=0.06 * chance.uniform(0.75, 1.3))), RATE, a_speech(), ""
    )
    assert lively.spread > 0.1
    low, high = lively.bounds(LATE)
    assert low < paced().bounds(LATE)[0]
    assert high > paced().bounds(LATE)[1]


def test_japanese_ideographs_take_the_time_that_they_take() -> None:
    """A voice that reads each ideograph as two kana is measured as such."""

    def say(text: str, _seed: int) -> Take:
        return Take(hum("".join(each * 2 if "\u4e00" <= each <= "\u9fff" else each for each in text)))

    pace = measure(say, RATE, a_speech(language="ja"), "")
    assert pace.ideograph == 2.0
    assert pace.spread < 0.06
    kana, kanji = pace.bounds("やま"), pace.bounds("山")
    assert kana == pytest.approx(kanji, rel=0.01)


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [
        ("No.", 3, 3),
        ("Well, no", 8, 12),
        ("In 1984", 8, 32),
        ("NATO met", 9, 25),
        ("50 %", 3, 27),
        ("他有27本书", 6, 10),
        ("다섯", 2, 2),
        ("…", 0, 4),
        ("", 0, 0),
    ],
)
def test_counts_letters_as_they_are_spoken(text: str, least: float, most: float) -> None:
    """Words have joints, pauses draw out, and digits, symbols and capitals may be spelt."""
    assert spoken_length(text) == (least, most)


def test_every_language_of_xtts_has_a_text() -> None:
    """It has sentences of different length, without digits, and is in the script of its language."""
    assert TEXTS.keys() == XTTS_LANGUAGES
    for language, texts in TEXTS.items():
        lengths = sorted(map(len, texts))
        assert 4 <= len(texts) <= 6
        assert lengths[-1] >= 4 * lengths[0] or language in {"en", "ja"}
        assert lengths[-1] <= 160
        assert not any(map(str.isdigit, "".join(texts)))
        assert len(set(texts)) == len(texts)
        assert all(unicodedata.is_normalized("NFC", text) for text in texts), language
