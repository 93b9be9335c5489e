"""Abbreviations written out, where what stands beside them says that they are some. Used by `spoken`."""

import re
from collections.abc import Iterator, Mapping
from functools import partial

from producer.speech.wording import Wording

NEAR = 40
"""Characters looked at on either side; it keeps the work linear."""
_KINDS = ("name", "number", "division", "place", "any", "last")
_NUMBER = re.compile(r" ?(?:\d|(?:[IVXLC]{2,}|[ivxlc]{2,})\b)")
PRONOUN = re.compile(
    r" (?!(?:of|and|to|in|is|has|he|she|we|they|begins|closes|concerns|concludes|considers|consists|contains|continues"
    r"|covers|deals|describes|discusses|ends|examines|explains|explores|follows|gives|illustrates|includes|introduces"
    r"|opens|presents|relates|represents|shows|starts|tells|traces|treats)\b)[a-z]|['\u2019](?!s\b)"
)
"""What follows an English "I" that may be the pronoun, after a word that a numeral follows."""
_LONE = re.compile(r" (?:I\b(?!" + PRONOUN.pattern + r")|[VX]\b)(?!\.\w)")
_PLACE = re.compile(r"(?:^|\s)[^\W\d_][\w'\u2019-]+ $")
_END = re.compile(r"[\"'\u2019\u201d»)\]]*$")
_SENTENCE = re.compile(r"[\"'\u2019\u201d»)\]]* [\"'\u2018\u201c«(¿¡]*[^\W\d_]")
_STARTERS = frozenset("A And At But He I In It On She The Then There They This We When".split())
"""Words that begin a sentence after "Main St." and are no saints."""


def before(match: re.Match[str]) -> str:
    """Return what stands before a match, at most `NEAR` characters."""
    return match.string[max(0, match.start() - NEAR) : match.start()]


def after(match: re.Match[str]) -> str:
    """Return what stands after a match, at most `NEAR` characters."""
    return match.string[match.end() : match.end() + NEAR]


def rule(words: Wording) -> tuple[re.Pattern[str], partial[str]]:
    """Return the pattern of a language's abbreviations and what replaces a match."""
    table: dict[str, dict[str, tuple[str, bool]]] = {}
    shapes = set()
    for kind, short, form in _entries(words):
        table.setdefault(_key(short), {})[kind] = (form, short.endswith("."))
        shapes.add(re.escape(short.removesuffix(".")).replace(r"\ ", " ?"))
    either = "|".join(sorted(shapes, key=lambda shape: (-len(shape), shape)))
    pattern = re.compile(rf"(?<![\w.])(?P<short>{either})(?!\w)(?P<point>\.?)")
    return pattern, partial(_write_out, table, words.code)


def _entries(words: Wording) -> Iterator[tuple[str, str, str]]:
    """Yield (kind, abbreviation, form), for those of any place also as they begin a sentence."""
    for kind, forms in words.abbreviations.items():
        for short, form in forms.items():
            yield kind, short, form
            if kind == "any" and short[0].islower():
                yield kind, short[0].upper() + short[1:], form[0].upper() + form[1:]


def _key(short: str) -> str:
    return short.replace(" ", "").removesuffix(".")


def _write_out(table: Mapping[str, Mapping[str, tuple[str, bool]]], language: str, match: re.Match[str]) -> str:
    forms = table[_key(match["short"])]
    for kind in _KINDS:
        form, pointed = forms.get(kind, ("", False))
        if form and (match["point"] or not pointed) and _fits(kind, match):
            return form + ("." if match["point"] and _ends(kind, language, after(match)) else "")
    return match[0]


def _fits(kind: str, match: re.Match[str]) -> bool:
    """Say whether what stands beside an abbreviation is what its kind asks for."""
    rest = after(match)
    if kind == "number":
        return bool(_NUMBER.match(rest))
    if kind == "division":
        return bool(_NUMBER.match(rest) or _LONE.match(rest))
    preceding = before(match)
    is_place = bool(_PLACE.search(preceding)) and preceding.split()[-1][0].isupper()
    if kind == "place":
        return is_place and not rest[1:2].isdigit()
    if kind == "name":
        is_name = rest[:1] == " " and rest[1:2].isupper() and not (len(match["short"]) == 1 and rest[2:3] == ".")
        return is_name and not (is_place and rest.split()[0] in _STARTERS)
    return True


def _ends(kind: str, language: str, rest: str) -> bool:
    """Say whether the point of an abbreviation is also that of the sentence."""
    if _END.match(rest):
        return kind in {"any", "last", "place"}
    if kind not in {"last", "place"} or language.startswith("de"):  # German nouns are capitalised anyway
        return False
    return (found := _SENTENCE.match(rest)) is not None and found[0][-1].isupper()
