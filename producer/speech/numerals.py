"""Rules for Roman numerals: of chapters, of centuries, of kings. Used by `spoken`."""

import re
from functools import partial
from typing import NamedTuple

from producer.speech import wording
from producer.speech.abbreviations import PRONOUN, after, before
from producer.speech.counting import Match, Replace, Rule, cardinal, ordinal
from producer.speech.wording import Wording

# each pattern begins with a set of characters, which `re` looks for fast, and looks behind from there
HEADING = re.compile(r"^[IVXLC]{1,12}(?=[.:)]?$|[.:)] | ?[\u2013\u2014-] )")
NUMERAL = re.compile(r"(?P<numeral>[IVXLCivx](?<= .)(?:(?<=[IVXLC])[IVXLC]{0,11}|[ivx]{1,11}))(?!\w)(?P<point>\.?)")
_SPELLING = re.compile(r"C{0,3}(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})")
_WORTHS = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100}
FRENCH_ENDING = r"ers?|res?|ères?|n?des?|nds?|es?|è|i?èmes?|\u1d49"
_CITED = re.compile(r"[)\]]|, (?:chapter|figure|line|number|page|part|section|volume)s?\b")
"""What follows the numeral of a reference: "volume I, page 5"."""
_WORLD_WAR = re.compile(
    r"(?:^|[,;:.!?(\"\u201c\u2014] ?|\b(?:after|and|as|because|before|between|but|by|during|for|from|if|in|like|of|or"
    r"|since|through|throughout|till|to|until|when|while) )World War $",
    re.IGNORECASE,
)
"""The war before its number; before the pronoun it has an article ("During the World War I served")."""
_LITTLE = frozenset("A An And As At But By El For From Het If In La Le Les Of On Or The To With Das Der Die".split())


def value_of(numeral: str) -> int:
    """Return the value of a Roman numeral below 400 in its one right spelling; 0 for all else."""
    if not _SPELLING.fullmatch(numeral.upper()):
        return 0
    worths = [_WORTHS[letter] for letter in numeral.upper()]
    return sum(
        -worth if worth < following else worth for worth, following in zip(worths, [*worths[1:], 0], strict=True)
    )


def heading_numeral(words: Wording, match: Match) -> str:
    """Say a heading that is a numeral, or begins with one; "C" and "L" are letters."""
    value = 0 if match[0] in {"C", "L"} else value_of(match[0])
    return _count(value, words) if value else match[0]


def _count(value: int, words: Wording) -> str:
    return cardinal(value, words) if words.full else str(value)  # in figures, for the rule of numbers


def roman_ordinals(words: Wording) -> list[Rule]:
    """Return the rule for numerals that are ordinals without a name before them."""
    numeral, base = r"([IVX](?<![\w'\u2019.-].)[IVX]{0,6})", words.code[:2]

    def said(match: Match) -> str:
        value = value_of(match[1])
        is_right = value and (base != "en" or match["ending"] == _english_ending(value))
        return ordinal(value, words) if is_right else match[0]

    def figures(match: Match) -> str:
        return f"{value_of(match[1])}." if value_of(match[1]) else match[0]

    rules: dict[str, tuple[str, Replace]] = {
        "en": (rf"{numeral}(?P<ending>th|st|nd|rd)\b", said),
        "fr": (rf"{numeral}(?P<ending>{FRENCH_ENDING})(?!\w)", partial(french_ordinal, words)),
        "de": (rf"{numeral}\.(?= Jahrhundert)", figures),
        "it": (rf"{numeral}(?= secolo\b)", said),
    }
    return [Rule(re.compile(rules[base][0]), rules[base][1])] if base in rules else []


def _english_ending(value: int) -> str:
    return "th" if value % 100 in {11, 12, 13} else {1: "st", 2: "nd", 3: "rd"}.get(value % 10, "th")


def french_ordinal(words: Wording, match: Match) -> str:
    """Say "1er", "2e", "XIXe"; "Vers" and "Ire" are words."""
    is_roman, ending = not match[1].isdigit(), match["ending"]
    value = value_of(match[1]) if is_roman else int(match[1])
    first, second = ending[0] in "r" or ending[:2] in {"er", "èr"}, ending[0] in "nd"
    is_right = value == (1 if first else 2) if first or second else value > is_roman
    near = before(match).split()
    if not is_right or (is_roman and ending[0] == "r" and not (near and near[-1] in wording.MONARCHS)):
        return match[0]
    plural = "s" if ending.endswith("s") else ""
    if second:
        return f"second{'e' if 'e' in ending else ''}{plural}"
    return ordinal(value, words, feminine=ending[0] == "r" or ending[:2] == "èr") + plural


class _Place(NamedTuple):
    """A numeral and what stands around it."""

    numeral: str
    value: int
    word: str
    """Before it, without an opening quote; `previous` before that; both end `preceding`."""
    previous: str
    preceding: str
    point: str
    rest: str


def say_numeral(words: Wording, match: Match) -> str:
    """Say a numeral after a word such as "Chapter", after a monarch's name, or after another capitalised word."""
    near, numeral = before(match).split(), match["numeral"]
    word = near[-1].lstrip("\"'\u2018\u201c\u00ab([\u00a1\u00bf") if near else ""
    previous = near[-2].lower() if len(near) > 1 else ""
    place = _Place(numeral, value_of(numeral), word, previous, before(match), match["point"], after(match))
    if not place.value or not word.isalpha() or re.match(r"['\u2019](?!s\b)|-\w", place.rest):
        return match[0]
    if word.lower() in words.heads.split():
        return _after_head(place, words) + place.point
    if not words.full or numeral.islower() or not word[0].isupper() or not set(numeral) <= set("IVX"):
        return match[0]
    if _monarch(word) and (len(numeral) > 1 or _is_rank(place)):
        return _regnal(place, words)
    is_number = len(numeral) > 1 and place.value < 40 and numeral != "XXX"
    if not is_number or word.capitalize() in _LITTLE or len(word) == 1:
        return match[0]
    return _count(place.value, words) + place.point


def _monarch(word: str) -> str:
    """Return the name of a monarch, a German genitive's too; empty for another word."""
    return next((name for name in (word, word.removesuffix("s")) if name in wording.MONARCHS), "")


def _after_head(place: _Place, words: Wording) -> str:
    numeral = place.numeral
    if numeral in {"C", "L"} or (numeral.islower() and words.code[:2] in {"es", "it"}):
        return numeral  # a letter; an Italian "vi" is a pronoun
    if numeral == "I" and words.code == "en" and _may_be_pronoun(place):
        return numeral
    return ordinal(place.value, words) if place.word.lower() == "secolo" else _count(place.value, words)


def _may_be_pronoun(place: _Place) -> bool:
    """Say whether an English "I" after a word such as "Part" may be a word."""
    if place.word.islower():
        return _CITED.match(place.rest) is None
    return PRONOUN.match(place.rest) is not None and _WORLD_WAR.search(place.preceding) is None


def _is_rank(place: _Place) -> bool:
    """Say whether a single letter after a monarch's name is a numeral: no initial, no pronoun."""
    if re.match(r" [^\W\d_]", place.rest) and place.rest[1].isupper():
        return False
    return place.numeral != "I" or bool(place.point) or re.match(r" (?!(?:of|de|d|von|di)\b)", place.rest) is None


def _regnal(place: _Place, words: Wording) -> str:
    base, value = words.code[:2], place.value
    feminine = _monarch(place.word) in wording.QUEENS
    if base == "de":
        ends = not place.rest.strip("\"'\u2019\u201d\u00bb)")
        return _german_rank(place, ordinal(value, words).capitalize(), feminine) + (place.point if ends else "")
    if base == "en":
        said = "the " + "-".join(part.capitalize() for part in ordinal(value, words).split("-"))
    elif base == "it" or value == 1 or (base == "es" and value <= 10):
        said = ordinal(value, words, feminine=feminine)
    else:
        said = cardinal(value, words)
    return said + place.point


def _german_rank(place: _Place, rank: str, feminine: bool) -> str:
    if place.word not in wording.MONARCHS:
        return f"{'der' if feminine else 'des'} {rank}n"
    if place.previous in wording.DATIVE_BEFORE | wording.DATIVE:
        return f"{'der' if feminine else 'dem'} {rank}n"
    if place.previous in {"durch", "für", "gegen", "ohne", "um"} and not feminine:
        return f"den {rank}n"
    return f"{'die' if feminine else 'der'} {rank}"
