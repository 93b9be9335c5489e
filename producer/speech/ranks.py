"""Rules for figures that rank or date: ordinals, days, years. Used by `spoken`."""

import re
from functools import partial

from producer.speech import wording
from producer.speech.abbreviations import after, before
from producer.speech.counting import LEFT, RIGHT, Match, Rule, ask, ordinal
from producer.speech.numerals import FRENCH_ENDING, french_ordinal
from producer.speech.wording import Wording

_DATING = frozenset("AD A.D. in In since Since until Until by By from From year circa".split())
_COUNTED = frozenset("feet men people percent children women sheep cattle foot head odd pound horse acre more".split())
_NOT_PLURAL = frozenset(
    "across always as does has his is its perhaps this thus towards us was yes besides sometimes".split()
)


def ordinals(words: Wording) -> list[Rule]:
    """Return the rules for ordinals in figures."""

    def plain(match: Match) -> str:
        return ordinal(int(re.sub(r"\D", "", match[1])), words, feminine=match[0][-1] == "ª") or match[0]

    base = words.code[:2]
    months = words.months.replace(" ", "|")
    if base == "en":
        whole = r"(\d{1,3}(?:,\d{3}){1,4}|\d{1,12})"
        return [
            Rule(re.compile(rf"{LEFT}{whole}(?:st|nd|rd|th)\b"), plain),
            Rule(re.compile(rf"{LEFT}(?P<day>[12]?\d|3[01]) (?P<month>{months})\b"), partial(_english_day, words)),
            Rule(re.compile(rf"\b(?P<month>{months}) (?P<day>[12]?\d|3[01]){RIGHT}"), partial(_english_day, words)),
        ]
    if base == "fr":
        shape = rf"{LEFT}(\d{{1,6}})(?P<ending>{FRENCH_ENDING})(?!\w)"
        return [Rule(re.compile(shape), partial(french_ordinal, words))]
    if base == "de":
        nouns = "|".join([months, *" ".join(wording.RANKED.values()).split()])
        shape = rf"{LEFT}(\d{{1,3}})\.(?= (?P<noun>{nouns})s?\b)"
        return [Rule(re.compile(shape), partial(_german_ordinal, words))]
    if base == "es":

        def short(match: Match) -> str:
            return ordinal(int(match[1]), words).removesuffix("o") or match[0]

        shape = rf"{LEFT}(\d{{1,3}})\.?"
        return [Rule(re.compile(rf"{shape}[ºª](?!\w)"), plain), Rule(re.compile(rf"{shape}er(?!\w)"), short)]
    return [Rule(re.compile(rf"{LEFT}(\d{{1,3}})(?:[ºª](?!\w)|(?<=1)(?<!\d\d)°(?= [a-z]))"), plain)]


def _english_day(words: Wording, match: Match) -> str:
    month, day = match["month"], int(match["day"])
    if not day or _is_count(after(match)):
        return match[0]
    said = ordinal(day, words)
    if match[0].startswith(month):
        return f"{month} {said}"
    return f"{'' if re.search(r'[Tt]he $', before(match)) else 'the '}{said} of {month}"


def _german_ordinal(words: Wording, match: Match) -> str:
    stem = ordinal(int(match[1]), words)
    noun, near = match["noun"], [word.lower() for word in before(match).split()[-2:]]
    article = near[-1] if near else ""
    gender = next((gender for gender, nouns in wording.RANKED.items() if noun in nouns.split()), "der")
    if article in wording.DATIVE or (article == "der" and gender == "die"):
        return stem + "n"
    return stem + ("" if article in {"der", "die", "das"} else {"der": "r", "die": "", "das": "s"}[gender])


def years(words: Wording) -> list[Rule]:
    """Return the rules for years and decades, where a language says them unlike other numbers."""
    if words.code == "en":
        return [
            Rule(re.compile(r"(?<![\w'\u2019])['\u2019]([2-9]0)['\u2019]?s\b"), _decade),
            Rule(re.compile(rf"{LEFT}([1-9]\d{{2}}0)['\u2019]?s\b"), _decade),
            Rule(re.compile(rf"{LEFT}(1\d{{3}}|20\d\d)(?!['\u2019]\d){RIGHT}"), _english_year),
        ]
    if words.code == "de":
        return [Rule(re.compile(rf"{LEFT}(1[1-9]\d\d)(?!['\u2019]\d){RIGHT}"), partial(_german_year, words))]
    return []  # elsewhere a year is a number like any other


def _decade(match: Match) -> str:
    said = ask(int(match[1]), "en", "year" if len(match[1]) == 4 else "cardinal")
    return said.removesuffix("y") + "ies" if said.endswith("y") else said + "s"


def _english_year(match: Match) -> str:
    near = before(match).split()
    is_dated = bool(near) and near[-1] in _DATING
    if is_dated or (int(match[1]) >= 1100 and not _is_count(after(match))):
        return ask(int(match[1]), "en", "year")
    return match[0]


def _german_year(words: Wording, match: Match) -> str:
    near = before(match).split()
    is_dated = bool(near) and (near[-1] in {"Jahr", "Jahre", "seit", "Seit"} or near[-1] in words.months.split())
    is_count = re.match(r" [^\W\d_]", after(match)) and after(match)[1].isupper()
    return ask(int(match[1]), "de", "year") if is_dated or not is_count else match[0]


def _is_count(rest: str) -> bool:
    """Say whether English text after a number names what it counts."""
    noun = re.match(r"[ -]([a-z]+)", rest)
    if noun is None:
        return False
    return noun[1] in _COUNTED or (noun[1].endswith("s") and not noun[1].endswith("ss") and noun[1] not in _NOT_PLURAL)
