"""Paragraphs to the pieces an engine is given: sentences, cut where too long, joined where too short.

The only home of sentencex. It proposes; what is known here of abbreviations, quotations and scripts disposes.
"""

# ruff: noqa: RUF001 - the marks of other scripts and Russian letters look like ASCII

import re
import unicodedata
from collections.abc import Collection, Iterator
from itertools import zip_longest
from typing import NamedTuple

import sentencex

from e2a.traits import primary_subtag
from producer.speech.abbreviations import PRONOUN
from producer.speech.full_stops import LANGUAGES, NONE, Kind, Language

Span = tuple[int, int]
"""Where a piece begins and ends in its paragraph, in characters."""

_WINDOW = 2000  # sentencex takes quadratic time over marks outside ASCII: it never sees more than this at once
_TAIL = 24  # no abbreviation is longer
_WIDE_WEIGHT = 3  # a Chinese character takes about as long to say as three Latin letters

_HAN_KANA = "\u2e80-\u2fff\u3005-\u3007\u3021-\u3029\u3031-\u30ff\u3100-\u31ff\u3400-\u9fff\uf900-\ufaff\uff66-\uff9f"
_WIDE = _HAN_KANA + "\uac00-\ud7af\U00020000-\U0003ffff"
_UNSPACED = _HAN_KANA + "\U00020000-\U0003ffff\u3000-\u3004\u3008-\u301f\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
_FULL = "。｡！？﹖﹗؟۔܀।॥։።፧።។៕᠃᠉᱾᱿꓿꘎꘏꣎꣏꧈꧉꩝꩞꩟꯫"
_CLOSING = r"\"'”’»›)\]}」』）】》〉〕］｝"
_UNOPENED = _CLOSING + _FULL + ".,!?;:…、，：；・ーぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮヵヶ々ゝゞヽヾะาำๆฯະາຳໆ"
_UNCLOSED = "«‹¿¡“‘「『（【《〈〔［｛([{เแโใไເແໂໃໄ"

_CLOSE = rf"(?: [{_CLOSING}] | [«‹“‘](?!\w) | \s[»›”](?=[\s.,;:!?…—»”]|$) )"
# No text makes any of these quadratic. Groups are not possessive: Python 3.11 before 3.11.5 matches such wrongly
_END = rf"""
    (?P<full> (?: (?: [{_FULL}] | ．(?!\d) ) [.!?…]*+ )+ )  (?P<full_close> [{_CLOSING}]*+ )
  | (?P<side> [」』]++ ) (?=\s?[「『])
  | (?<![.!?…]) (?P<mark> [.!?…‽‼⁇⁈⁉%s]++ (?: \s [.!?…]++ ){{0,8}} )
    (?P<close> {_CLOSE}* ) (?! {_CLOSE} ) (?: \[\d{{1,3}}\] | (?! \[\d{{1,3}}\] ) )
    (?= \s | [—―] | [“„«‘"](?=\w) | [{_WIDE}「『（] )
"""
_ENDS = {base: re.compile(_END % more, re.VERBOSE) for base, more in (("", ""), ("el", ";\u037e"), ("hy", ":"))}
_NEXT = re.compile(r"\s*+([,;:，、]?)[\W_]{0,16}+([^\W_]{0,24}+)(\.?)")
_SPEAKER = re.compile(r"\s(?:[A-Z][\w.’'-]{0,24}\s){1,3}(\w{1,24})")
_QUOTATIVE = re.compile(r"\s?(?:と(?!にかく|ころ|ても|もかく|うとう|きどき)|って|だけ|など|なんて)")
_MARKER = re.compile(r"(?:\d{1,3}|[IVXLC]{1,7}|[A-Za-z])(?:\.\w{1,2}){0,3}")
_ROMAN = re.compile(r"[IVXLC]{2,7}|[VX]")
_DOTTED = re.compile(r"[^\W\d_]{1,2}(?:\.-?[^\W\d_]{1,2})+")
# sentencex keeps quoted text in one piece, so it is shown the text without quotes
_UNQUOTED = str.maketrans(dict.fromkeys("\"'`“”„‟‘’‚‛«»‹›「」『』\t\n\v\f\r\x1c\x1d\x1e\x85\u2028\u2029", " "))

_CUTS = (
    rf"(?: [.!?…]++[{_CLOSING}]*+(?=\s) | [{_FULL}]++[{_CLOSING}]*+ | (?<!\s)[“\"](?=\s) | [”»](?=\s) | [」』] )",
    r"(?: [;:؛፤·](?=\s) | [；：] )",
    rf"(?: [,،፣][{_CLOSING}]*+(?=\s) | [，、] | [—―]++(?=\w) | (?=\s[–—―-]\s) )",
    r"(?=\s) (?! (?<=\d)\s\d{3}(?!\d) | \s[?!:;…»›](?!\w) )",
    rf"(?: (?<=[{_UNSPACED}])(?=\S) | (?<=\S)(?=[{_UNSPACED}]) ) (?! (?<=\d)\d )",
)
"""Where a piece that is too long is cut, best first."""
_BESIDE = rf"(?<! [{re.escape(_UNCLOSED)}] ) (?! [{_UNOPENED}] | (?<=\d[，、：])\d )"
_RANKS = [re.compile(cut + _BESIDE, re.VERBOSE) for cut in _CUTS]
_WHITE = re.compile(r"(?=\s)")
_EXTENDING = re.compile("[\u200c\u200d\u0e33\u0eb3\u1160-\u11ff\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]")
_FLAG = re.compile("[\U0001f1e6-\U0001f1ff]{2}")
_WIDE_CHARACTER = re.compile(f"[{_WIDE}]")
_SPOKEN = re.compile(r"[^\W_]")


class _Paragraph(NamedTuple):
    text: str
    unquoted: str
    """The text with a space for each quotation mark."""
    words: Language


def split(paragraph: str, language: str, *, limit: int, shortest: int = 20) -> list[str]:
    """Split a paragraph into the pieces an engine is given; nothing but white space between them is dropped.

    Args:
        paragraph: white space collapsed to single spaces, stripped.
        language: BCP 47 tag, in any case; may be unknown or empty.
        limit: most characters of a piece, 10 or more; only a word that is longer is cut.
        shortest: pieces of fewer characters are joined to a neighbour where there is room; a Chinese, Japanese or
            Korean character counts as three. 0 for bare sentences; pieces without letter or digit are joined always.
    """
    assert limit > 0
    ends, held = _ends(paragraph, primary_subtag(language))
    spans = [piece for sentence in _spans(paragraph, ends) for piece in _cut(paragraph, sentence, limit, held)]
    return [paragraph[start:end] for start, end in _join(paragraph, spans, limit, shortest)]


def _ends(text: str, base: str) -> tuple[list[int], set[int]]:
    """Return where sentences end, and where a full stop does not end one."""
    paragraph = _Paragraph(text, text.translate(_UNQUOTED), LANGUAGES.get(base, NONE))
    matches = list(_ENDS.get(base, _ENDS[""]).finditer(text))
    verdicts = [_verdict(paragraph, match) for match in matches]
    proposed = _proposed(paragraph.unquoted, base) if None in verdicts else set()
    ends, held = [], set()
    for match, verdict in zip(matches, verdicts, strict=True):
        if verdict or (verdict is None and not proposed.isdisjoint(range(*match.span()))):
            ends.append(match.end())
        elif match["mark"] == ".":
            held.add(match.end())
    return ends, held


def _proposed(unquoted: str, base: str) -> set[int]:
    """Return the places of the characters with which sentences end according to sentencex."""
    found: set[int] = set()
    start = 0
    while start < len(unquoted):
        stop = start + _WINDOW
        at = begun = start
        for sentence in sentencex.segment(base, unquoted[start:stop]):
            begun, at = at, at + len(sentence)
            found.add(begun + len(sentence.rstrip()) - 1)
        if stop < len(unquoted):
            # what the window cut is looked at again from its beginning, unless it fills the window
            found.discard(begun + len(unquoted[begun:stop].rstrip()) - 1)
            stop = begun if begun > start else stop
        start = stop
    return found


def _verdict(paragraph: _Paragraph, match: re.Match[str]) -> bool | None:
    """Say whether a sentence ends here; None is for sentencex to decide."""
    full, full_close, side, mark, close = match.groups()
    following = _NEXT.match(paragraph.text, match.end())
    assert following is not None
    comma, word, _ = following.groups()
    quoted = full_close or side or close or (full and full[-1] in "！？")
    if comma or (quoted and _QUOTATIVE.match(paragraph.text, match.end())):
        return False
    if full or side:
        return True
    if word[:1].title() != word[:1]:  # not islower: Georgian has small letters only
        return False
    if word and close.rstrip(")]}"):
        return mark == "." or not _names_speaker(paragraph, match.end(), word)
    if word and mark == ".":
        return _by_word(_kind(paragraph, match.start("mark"), following), word, paragraph.words)
    return None


def _names_speaker(paragraph: _Paragraph, end: int, word: str) -> bool:
    """Say whether what follows a quotation is who said it ("Mr. Utterson asked"), of which it is a part."""
    if word in paragraph.words.starters and word != "I":
        return False
    found = _SPEAKER.match(paragraph.text, end)
    return found is not None and found[1] in paragraph.words.says


def _by_word(kind: Kind | None, word: str, words: Language) -> bool | None:
    """Say whether a full stop after a word of this kind ends the sentence when this word follows."""
    if kind is Kind.NUMBERED:
        return not (word[0].isdigit() or _ROMAN.fullmatch(word))
    if kind is Kind.ENDING:
        return not word[0].isdigit()
    if kind is Kind.EITHER:
        return word in words.starters
    return None if kind is None else False


def _kind(paragraph: _Paragraph, stop: int, following: re.Match[str]) -> Kind | None:
    """Return what the word before a full stop is, from the tables or from its looks."""
    tail = paragraph.unquoted[max(0, stop - _TAIL) : stop].split()
    if not tail:
        return None
    word = tail[-1].rpartition("—")[2].lstrip("([{")
    if following.start(2) == stop + 2 and _goes_on(paragraph, word, following):
        return Kind.JOINED
    if len(tail) > 1 and tail[-2].endswith(".") and len(tail[-2]) < 6:  # "z. B." is looked up as "z.B"
        spaced = paragraph.words.kinds.get(tail[-2].lstrip("([{") + word)
        if spaced:
            return spaced
    known = paragraph.words.kinds.get(word)
    if known is Kind.BETWEEN:
        is_named = len(tail) > 1 and tail[-2].lstrip("([{")[:1].isupper()
        known = Kind.EITHER if is_named else Kind.NUMBERED
    if known:
        return known
    if stop < 10 and len(tail) == 1 and _MARKER.fullmatch(word):
        return Kind.JOINED
    return _guess(word, following, paragraph.words)


def _goes_on(paragraph: _Paragraph, word: str, following: re.Match[str]) -> bool:
    """Say whether the next word, a space after the full stop, belongs to this one: "a. C.", "Vol. I"."""
    if following[3] and f"{word}.{following[2]}" in paragraph.words.kinds:
        return True
    is_numeral = following[2] == "I" and not PRONOUN.match(paragraph.text, following.end(2))
    return is_numeral and word in paragraph.words.divisions


def _guess(word: str, following: re.Match[str], words: Language) -> Kind | None:
    """Return what a word that no table has looks like: an initial, letters with full stops, an ordinal."""
    if len(word) == 1 and word.isupper():
        if len(following[2]) == 1 and following[2].isupper() and following[3]:
            return Kind.JOINED
        return None if word == "I" and word in words.starters else Kind.EITHER
    if _DOTTED.fullmatch(word):
        return Kind.EITHER
    if words.ordinals and ((word.isdigit() and len(word) < 4) or _ROMAN.fullmatch(word)):
        return Kind.EITHER
    return Kind.ENDING if following[2] in words.starters else None


def _spans(text: str, ends: list[int]) -> Iterator[Span]:
    """Yield the text between these places, without the white space around it."""
    start = 0
    for end in (*ends, len(text)):
        if piece := text[start:end].strip():
            first = text.index(piece[0], start)
            yield first, first + len(piece)
        start = end


def _cut(text: str, sentence: Span, limit: int, held: Collection[int]) -> Iterator[Span]:
    """Yield a sentence in pieces of at most `limit` characters and about the same length."""
    start, end = sentence
    while end - start > limit:
        cut = _best_cut(text, start, end, limit, held)
        yield start, start + len(text[start:cut].rstrip())
        start = cut
        while text[start].isspace():
            start += 1
    yield start, end


def _best_cut(text: str, start: int, end: int, limit: int, held: Collection[int]) -> int:
    """Return where to cut: at the best mark near the end of a fair share, else at any space, else within a word."""
    share = -(-(end - start) // -(-(end - start) // limit))
    low, high = start + max(1, share // 2), start + min(limit, share + share // 2)
    for ranks, first, last in ((_RANKS, low, high), ((_RANKS[3], _WHITE), start + 1, start + limit)):
        for rank in ranks:
            # a few characters more than may be taken: the marks are recognised by what follows them
            marks = rank.finditer(text, first, min(end, last + 8))
            places = [mark.end() for mark in marks if first <= mark.end() <= last and mark.end() not in held]
            if seams := [place for place in places if _is_seam(text, place)]:
                return min(seams, key=lambda place: abs(place - start - share))
    nearest = sorted(range(start + 1, start + limit + 1), key=lambda place: abs(place - start - share))
    return next((place for place in nearest if _is_seam(text, place)), start + limit)


def _is_seam(text: str, place: int) -> bool:
    """Say whether no grapheme is cut here: marks, joiners, skin tones, flags and conjuncts stay together."""
    before, after = text[place - 1], text[place]
    if before < "\u0300" and after < "\u0300":
        return True
    if _EXTENDING.match(after) or unicodedata.category(after)[0] == "M":
        return False
    return not (before == "\u200d" or unicodedata.combining(before) == 9 or _FLAG.match(before + after))


def _join(text: str, pieces: list[Span], limit: int, shortest: int) -> list[Span]:
    """Join what is too short to the shorter neighbour that has room, from left to right."""
    joined: list[Span] = []
    start: int | None = None
    weight = 0
    for (begin, end), after in zip_longest(pieces, pieces[1:]):
        start = begin if start is None else start
        weight += _weight(text, (begin, end), shortest)
        unions: list[Span] = []
        if weight < max(shortest, 1):
            unions += [(joined[-1][0], end)] if joined else []
            unions += [(start, after[1])] if after else []
        best = min((union for union in unions if union[1] - union[0] <= limit), key=_length, default=(start, end))
        if best[1] > end:  # waits for what follows
            continue
        if best[0] < start:
            joined.pop()
        joined.append(best)
        start, weight = None, 0
    return joined


def _length(span: Span) -> int:
    return span[1] - span[0]


def _weight(text: str, piece: Span, enough: int) -> int:
    """Return how long a piece takes to say, in letters and roughly: 0 without letter or digit, exact below `enough`."""
    if not _SPOKEN.search(text, *piece):
        return 0
    length = _length(piece)
    return length if length >= enough else length + (_WIDE_WEIGHT - 1) * len(_WIDE_CHARACTER.findall(text, *piece))
