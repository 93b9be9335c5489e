"""Rules for figures that rank or date: ordinals, days, years. Used by `spoken`."""

import re
from collections.abc import Mapping
from functools import partial

from producer.speech import genders, wording
from producer.speech.abbreviations import after, before
from producer.speech.counting import LEFT, RIGHT, Match, Rule, ask, ordinal
from producer.speech.full_stops import LANGUAGES
from producer.speech.numerals import FRENCH_ENDING, french_ordinal
from producer.speech.wording import Wording

_DATING = frozenset("AD A.D. in In since Since until Until by By from From year circa".split())
_COUNTED = frozenset("feet men people percent children women sheep cattle foot head odd pound horse acre more".split())
_NOT_PLURAL = frozenset(
    "across always as does has his is its perhaps this thus towards us was yes besides sometimes".split()
)
_OPENING = "\"'\u201e\u201a\u201c\u2018\u00bb\u00ab\u203a([{"
_BEFORE_ORDINALS = wording.DATIVE | wording.NOMINATIVE | wording.OPEN
_COUNTED_ALONG = re.compile(r"(?:\d{1,3}\.,? ?(?:(?:und|oder|bis|beziehungsweise) )?)+$")
_NOUN = re.compile(r"(?:, \d{1,3}\.)*(?: (?:[^\W\dA-ZÄÖÜ_][^\W\d_]*|\d{1,3}\.))* ([A-ZÄÖÜ][^\W\d_]+)")
_FEMININE = re.compile(r"(?:anz|e|ei|enz|heit|ik|in|ion|keit|schaft|tät|ung|ur)$")
"""How German nouns end that may be feminine."""
_OF_DEGREES = (
    "ad al all au celsius centigrad[io] centígrados? d[aeiu] de[ils] della? est este et fahrenheit lati?tud(?:e|ine)? "
    "longitud(?:e|ine)? nord norte oeste ou ouest ovest sud sur"
).split()
"""What follows degrees of heat or of an angle."""


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
        shape = rf"{LEFT}(\d{{1,3}})\.(?=(?:, \d{{1,3}}\.){{0,4}} (?P<next>[^\W\d_]+))"
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
    near = [word.lstrip(_OPENING) for word in _COUNTED_ALONG.sub("", before(match)).split()[-2:]]
    article = near[-1].lower() if near else ""
    is_ranked = bool(_gender(match["next"], genders.RANKED, words))
    if match["next"] in LANGUAGES["de"].starters or not (is_ranked or article in _BEFORE_ORDINALS):
        return match[0]
    found = _NOUN.match(after(match))
    noun = found[1] if found else ""
    gender = _gender(noun, genders.RANKED, words) or _gender(noun, genders.OTHERS, words)
    ending: str | None
    if article in wording.DATIVE:
        ending = "n"
    elif article in wording.NOMINATIVE:
        is_plural = article.endswith("e") and match["next"].endswith("en") and not gender
        ending = "n" if is_plural else ""
    elif article in {"der", "dieser", "jeder"}:
        ending = _after_der(noun, gender, near[0] if len(near) > 1 else "")
    else:
        ending = {"der": "r", "die": "", "das": "s"}.get(gender)
    return match[0] if ending is None else ordinal(int(match[1]), words) + ending


def _gender(noun: str, table: Mapping[str, str], words: Wording) -> str:
    """Return the article of a German noun in a table, empty when it has none."""
    if noun in words.months.split():
        return "der"
    forms = {noun, noun.removesuffix("s"), noun.removesuffix("es")}
    return next((article for article, nouns in table.items() if not forms.isdisjoint(nouns.split())), "")


def _after_der(noun: str, gender: str, previous: str) -> str | None:
    """Return the ending of an ordinal after "der"; None where that may be a genitive or a dative."""
    if gender == "die" or previous.lower() in wording.DATIVE_BEFORE:
        return "n"
    if gender:
        return ""
    is_subject = not previous or previous.islower() or previous.endswith((",", ":", ";"))
    return "" if is_subject and not _FEMININE.search(noun) else None


def degree_signs(words: Wording) -> list[Rule]:
    """Return the rule for degree signs that ordinals have after an article in the singular ("il 2\u00b0 piano")."""
    articles = genders.ARTICLES.get(words.code[:2])
    if not articles:
        return []
    spaced = "|".join(word if word.endswith("'") else f"{word} " for word in articles)
    article = f"(?:{spaced})".replace("'", "['\u2019]")
    figure = "[1-9][0-9]{0,2}\u00b0"
    more = rf"(?:(?:,? (?:e|et|o|ou|u|y))?(?: {article}| ){figure})?"
    date, other = rf"d[ei] (?:{words.months.replace(' ', '|')})\b", rf"(?!(?:{'|'.join(_OF_DEGREES)})\b)"
    follows = rf"(?= (?:{date}|{other}(?P<noun>[^\W\d_]{{2,}})))"
    shape = re.compile(rf"(?<![\w'\u2019])(?P<article>{article}){figure}{more}{follows}", re.IGNORECASE)
    return [Rule(shape, partial(_rank_signs, articles, words))]


def _rank_signs(articles: Mapping[str, bool], words: Wording, match: Match) -> str:
    article, noun = match["article"].strip().lower().replace("\u2019", "'"), match["noun"] or ""
    if article.endswith("'") and not noun.endswith("o"):
        return match[0]
    is_feminine = articles[article]
    if words.code[:2] == "fr":
        first = "1re" if is_feminine else "1er"
        return re.sub(r"(\d+)\u00b0", lambda found: first if found[1] == "1" else f"{found[1]}e", match[0])
    said = match[0].replace("\u00b0", "\u00aa" if is_feminine else "\u00ba")
    is_short = words.code == "es" and noun and not is_feminine
    return re.sub("(?<!11)(?<=[13])\u00ba$", "er", said) if is_short else said


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
