"""Whole numbers and decimals in words, as num2words says them, mended. The only home of num2words.

It is asked for whole numbers below 10**15 of languages whose answers were checked: it drops the decimals of Italian,
knows no negative Polish ones, groups English by commas that would become pauses, and never returns for Amharic.
"""

import re
from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

import num2words

from producer.speech import genders, wording
from producer.speech.abbreviations import after, before
from producer.speech.full_stops import LANGUAGES
from producer.speech.wording import Wording

LEFT, RIGHT = r"(?<![\w.,:/%])(?<!\d-)", r"(?!\w|\.\w|[,:/]\d|-\d)"
LEFT_GLUED, RIGHT_GLUED = r"(?<![A-Za-z\d.,:/%])(?<!\d-)", r"(?![A-Za-z\d]|[.,:/]\d|-\d)"
"""What a number must not touch: letters, and marks that make it part of something else."""
_LONGEST, _IDENTIFIER = 15, 8
"""Digits of the longest number that is said, and of the shortest that is an identifier."""
APOSTROPHES = "'\u2019"
_JOINERS = frozenset(
    """a al antes avanti bis con de después dopo e ed es igual mal menos meno minus más o oder per più plus por u und
    uguale y""".split()
)
"""What follows a "one" that stands for itself."""
_DATIVE_BEFORE = frozenset("ab aus bei binnen in innerhalb mit nach seit von vor während zu".split())
"""German words after which a feminine "one" is "einer"."""

Match = re.Match[str]
Replace = Callable[[Match], str]


class Rule(NamedTuple):
    """What is written out, and how."""

    pattern: re.Pattern[str]
    replace: Replace | str


@lru_cache(maxsize=8192)
def ask(value: int | Decimal, code: str, kind: str = "cardinal") -> str:
    """Ask num2words; empty when it knows no answer."""
    try:
        answer = str(num2words.num2words(value, lang=code, to=kind))
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError):
        return ""
    return _mended(answer, code[:2])


def _mended(answer: str, base: str) -> str:
    if base in {"en", "pt"}:
        return answer.replace(",", "").replace("oh-", "oh ")  # a comma would be a pause
    if base == "es":
        return answer.replace("veintiuno mil", "veintiún mil").replace("y uno mil", "y un mil")
    for of, wrong, right in (("fr", "tsième", "tième"), ("ar", " و ", " و"), ("sv", "etttusen", "ettusen")):
        answer = answer.replace(wrong, right) if base == of else answer
    return re.sub(r"^en (\w*ll\w*?)er\b", r"en \1", answer) if base == "da" else answer


def cardinal(value: int, words: Wording) -> str:
    """Return a whole number in words; in figures where there are none."""
    return ask(value, words.code) or str(value)


def ordinal(value: int, words: Wording, *, feminine: bool = False) -> str:
    """Return an ordinal, masculine unless told; empty when there is none. German ones lack their ending."""
    base = words.code[:2]
    said = wording.SPANISH_TEENS.get(value, "") if base == "es" else ""
    said = said or ask(value, words.code, "ordinal")
    if base == "fr" and value == 1:
        return "première" if feminine else "premier"
    return re.sub(r"o\b", "a", said) if feminine and base in {"es", "it"} else said


def _space(words: Wording) -> str:
    """Return what parts the words of a number."""
    return "" if words.glued and words.code != "ko" else " "


def _digits(figures: str, words: Wording) -> str:
    return _space(words).join(cardinal(int(figure), words) for figure in figures)


def decimals(words: Wording) -> str:
    """Return the expression of a fraction in decimals, which is matched whole or, where there is none, not at all."""
    point = re.escape(words.point)
    return rf"(?:{point}\d++|(?!{point}\d))"


def number(words: Wording) -> str:
    """Return the expression of a number as the language groups it, with decimals."""
    groups = re.escape(words.groups) + APOSTROPHES
    return rf"(?:\d{{1,3}}(?:[{groups}]\d{{3}}){{1,5}}(?!\d)|\d++){decimals(words)}"


def say(number: str, words: Wording) -> str:
    """Return a number in words, empty when it is too long or there are none."""
    whole, _, rest = number.partition(words.point)
    figures = re.sub(r"\D", "", whole)
    if len(figures) > _LONGEST or len(rest) > _LONGEST or not ask(0, words.code):
        return ""
    if rest and not words.decimal:
        return ask(Decimal(f"{int(figures)}.{rest}"), words.code) if len(rest) <= 3 else ""
    is_name = figures == whole and len(figures) >= _IDENTIFIER and not figures.endswith("000")
    is_name |= len(figures) > 1 and figures.startswith("0")
    said = _digits(figures, words) if is_name else cardinal(int(figures), words)
    if not rest:
        return said
    return _space(words).join([said, words.decimal, _say_decimals(rest, words)])


def _say_decimals(figures: str, words: Wording) -> str:
    is_pair = words.pairs and len(figures) <= 2 and not figures.startswith("0")
    return cardinal(int(figures), words) if is_pair else _digits(figures, words)


def say_number(words: Wording, match: Match) -> str:
    """Replace a number by its words; it stays when there are none, or when a full stop makes it an ordinal."""
    said = "" if _is_ordinal(match, words) else say(match[0], words)
    noun = re.match(r" ([^\W\d_]+)", after(match))
    near = before(match).lower().split()
    if not said or noun is None or noun[1] in _JOINERS or (near and near[-1] in words.heads.split()):
        return said or match[0]
    if noun[1] in genders.FEMININE.get(words.code[:2], ()):
        dative = bool(near) and near[-1] in _DATIVE_BEFORE
        return feminine(said, words) + ("r" if dative and said == "eins" else "")
    return said if words.code == "de" and noun[1][0].islower() else before_noun(said, words)


def _is_ordinal(match: Match, words: Wording) -> bool:
    """Say whether a full stop that ends no sentence follows a number of up to three digits."""
    is_short = words.code in wording.STOPPED and len(match[0]) < 4 and match[0].isdigit()
    following = re.match(r"\. ([^\W\d_]+)", after(match)) if is_short else None
    if following is None:
        return False
    if following[1].islower():
        return True
    near = before(match).lower().split()[-1:]
    return words.code == "de" and not wording.OPEN.isdisjoint(near) and following[1] not in LANGUAGES["de"].starters


def feminine(said: str, words: Wording) -> str:
    """Give a number the form it has before a feminine noun, where it has one."""
    base = words.code[:2]
    if base == "es":
        said = re.sub(r"ientos\b(?!.* mill)", "ientas", said)
    if base == "fr" or said == "eins":
        return re.sub(r"(un|ein)s?$", r"\1e", said)
    return re.sub(r"uno$", "una", said) if base == "es" or said == "uno" else said


def before_noun(said: str, words: Wording) -> str:
    """Give "one" at the end of a number the form it has before a noun."""
    for ending, short in words.one.items():
        if said == ending or (words.code == "es" and said.endswith(ending)):
            return said.removesuffix(ending) + short
    return said


def gendered(said: str, one: str, words: Wording) -> str:
    """Give "one" at the end of a number the gender of what is counted."""
    return feminine(said, words) if one.startswith(("une ", "una ")) else before_noun(said, words)
