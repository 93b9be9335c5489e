"""From the text of a sentence to its spoken form.

Only numbers that are understood are written out. Left as they are: addresses of the web and of mail, telephone
numbers, ISBNs, versions and dates in figures (1.2.3, 2026-11-24), ratios and scores (16:9, 3-2), figures among letters
(A4, 5km), marks that do not group as the language does (1,1,1), numbers of more than 15 digits. An identifier of eight
digits or more, and what begins with a zero, is read digit by digit.
"""

import re
import unicodedata
from functools import lru_cache, partial

from e2a.traits import primary_subtag
from producer.speech import abbreviations, wording
from producer.speech.counting import (
    APOSTROPHES,
    LEFT,
    LEFT_GLUED,
    RIGHT,
    RIGHT_GLUED,
    Rule,
    decimals,
    number,
    say_number,
)
from producer.speech.figures import fractions, money, signs, times
from producer.speech.lexicon import EMPTY, Lexicon
from producer.speech.numerals import HEADING, NUMERAL, heading_numeral, roman_ordinals, say_numeral
from producer.speech.ranks import degree_signs, ordinals, years
from producer.speech.wording import Wording

_GONE = re.compile(
    r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]"
)
_FORM = re.compile("[\ufb00-\ufb06\ufb13-\ufb17\ufb50-\ufdff\ufe70-\ufefc]")
_ODD = re.compile(rf"[^\S ]|  |{_GONE.pattern}|{_FORM.pattern}")
_NARROW = re.compile(r"[\u00a0\u2009\u202f](?<=\d.)(?=\d{3}(?!\d))")
"""A space that does not break, between thousands: it groups them in any language."""
_FIGURE = re.compile(r"[\d½⅓⅔¼¾]")
_MUTE = re.compile(r"[†‡‖¶|•◦▪▫■□●○◆◇★☆☙❦↩↵^~]+|(?<!\d)\*+|\*+(?!\d)|(?<!\w)_+|_+(?!\w)")
"""Ornaments and marks of notes, which engines call by name or stumble over."""
_KEPT = re.compile(
    r"((?:https?|ftp)://[^\s<>]+|(?<![\w.@-])www\.[^\s<>]+"
    r"|(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64})+"
    r"|\bISBN(?:-1[03])?:? ?\d[\dX -]{8,16}"
    r"|(?<![\w.,+])\+\d[\d ().-]{5,20}\d(?!\w)|\(\d{2,4}\)[ -]?\d[\d -]{4,16}\d(?!\w)"
    r"|(?<![\w.,-])\d{3}[ .-]\d{3}[ .-]\d{4}(?![\w-])|(?<![\w.,-])0\d(?:[ .]\d\d){3,4}(?![\w-]))"
)


def spoken(text: str, language: str, *, spells: frozenset[str], lexicon: Lexicon = EMPTY, heading: bool = False) -> str:
    """Return what an engine is given for a piece of a book's text; the text itself when nothing applies.

    Empty only for a text without letter or digit, or one that the lexicon silences.

    Args:
        text: one sentence, or a heading.
        language: BCP 47 tag; rules of English, French, German, Spanish and Italian, numbers of two dozen others.
        spells: what is written out, some of `e2a.traits.KINDS`.
        lexicon: how the user wants words said; it goes before all rules.
        heading: the text is a heading, so that a numeral alone ("II") is a number.
    """
    words = _wording(language) if spells else None
    if words is not None and spells & {"number", "figure"}:
        text = _NARROW.sub(words.groups[0], text)
    text = lexicon.apply(clean(text))
    if words is None:
        return text
    if heading and "roman" in spells:
        text = HEADING.sub(partial(heading_numeral, words), text)
    if "@" in text or "://" in text or "www." in text or _FIGURE.search(text):
        pieces = _KEPT.split(text)
        pieces[::2] = [_apply(piece, language, spells) for piece in pieces[::2]]
        text = "".join(pieces)
    else:
        text = _apply(text, language, spells)
    return " ".join(_MUTE.sub(" ", text).split())


def clean(text: str) -> str:
    """Return the text in NFC without invisible characters: soft hyphens, zero widths, marks of direction, controls.

    Ligatures become their letters and white space single spaces; joiners, quotes and all scripts stay.
    """
    if _ODD.search(text):
        text = _FORM.sub(lambda match: unicodedata.normalize("NFKC", match[0]), _GONE.sub("", text))
        text = " ".join(text.split())
    return unicodedata.normalize("NFC", text).strip()


@lru_cache(maxsize=256)
def _wording(language: str) -> Wording | None:
    tag = language.replace("_", "-").lower()
    base = primary_subtag(language)
    base = wording.ALIASES.get(base, base)
    found = wording.FULL.get(base) or wording.BASIC.get(base)
    if found is not None and tag in wording.POINTED:
        decimal = {"de": "Punkt"}.get(base, "punto")
        found = found._replace(groups=",'", point=".", decimal=decimal)
    return found._replace(code=wording.REGIONS[tag]) if found and tag in wording.REGIONS else found


def _apply(text: str, language: str, spells: frozenset[str]) -> str:
    everywhere, figures = _rules(language, spells)
    for pattern, replace in everywhere:
        text = pattern.sub(replace, text)
    if _FIGURE.search(text):
        for pattern, replace in figures:
            text = pattern.sub(replace, text)
    return text


@lru_cache(maxsize=256)
def _rules(language: str, spells: frozenset[str]) -> tuple[tuple[Rule, ...], tuple[Rule, ...]]:
    """Return the rules for all text and those for text with figures, each kind's output being safe from the next."""
    words = _wording(language)
    assert words is not None
    everywhere: list[Rule] = []
    if words.full and "abbreviation" in spells:
        everywhere.append(Rule(*abbreviations.rule(words)))
        everywhere += [Rule(re.compile(mark), said) for mark, said in words.marks]
    if words.full and spells & {"roman", "ordinal"}:
        everywhere += roman_ordinals(words)
    if words.heads and "roman" in spells:
        everywhere.append(Rule(NUMERAL, partial(say_numeral, words)))
    figures = degree_signs(words) if spells & {"ordinal", "symbol"} else []
    figures += signs(words, spells)
    builders = {"money": money, "time": times, "ordinal": ordinals, "year": years}
    for kind, build in builders.items():
        if words.full and kind in spells:
            figures += build(words)
    if words.full and spells & {"number", "figure"}:
        figures += fractions(words)
    if "number" in spells:
        left, right = (LEFT_GLUED, RIGHT_GLUED) if words.glued else (LEFT, RIGHT)
        figures.append(Rule(re.compile(f"{left}{number(words)}{right}"), partial(say_number, words)))
    elif "figure" in spells:
        marks = re.sub("[.,]", "", words.groups) + APOSTROPHES
        grouped = rf"{LEFT}\d{{1,3}}(?:[{marks}]\d{{3}}){{1,5}}(?!\d){decimals(words)}{RIGHT}"
        figures.append(Rule(re.compile(grouped), lambda match: re.sub(f"[{marks}]", "", match[0])))
    return tuple(everywhere), tuple(figures)
