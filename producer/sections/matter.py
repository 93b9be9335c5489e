"""Front and back matter: what of a book is no part of its text, and how it is recognised.

By what the markup says (EPUB 3 Structural Semantics Vocabulary), then by the title, then by the text itself.
"""

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from statistics import median
from typing import NamedTuple

LICENCE = "licence"
_TERMS = {
    "cover": "cover",
    "titlepage": "title page",
    "halftitlepage": "title page",
    "halftitle": "title page",
    "fulltitle": "title page",
    "copyright-page": "copyright",
    "imprint": "copyright",
    "imprimatur": "copyright",
    "colophon": "copyright",
    "toc": "contents",
    "toc-brief": "contents",
    "loi": "contents",
    "lot": "contents",
    "loa": "contents",
    "lov": "contents",
    "landmarks": "contents",
    "page-list": "contents",
    "index": "index",
    "bibliography": "bibliography",
    "footnotes": "notes",
    "endnotes": "notes",
    "rearnotes": "notes",
}
_TEXT_TERMS = frozenset(
    (
        "abstract acknowledgments afterword appendix bodymatter chapter conclusion dedication division epigraph "
        "epilogue foreword glossary introduction part preamble preface prologue subchapter volume"
    ).split()
)
_TITLES = {
    "cover": r"(front |book )?cover( page| image)?|couverture|(titel)?umschlag|cubierta|copertina|表紙|обложка",
    "title page": r"(half[- ]?)?title( page)?|page de titre|titel(blatt|seite)|portada|frontespizio|扉",
    "copyright": (
        r"copyrights?( page| notice| information)?|imprint|colophon|legal( notice)?|mentions légales|impressum|"
        r"achevé d.imprimer|derechos de autor|créditos|colofón|выходные данные|奥付|"
        r"זכויות יוצרים|حقوق (النشر|الطبع)|版权(页|信息)?"
    ),
    "contents": (
        r"(table of )?contents|toc|list of (illustrations|figures|tables|maps|plates)|illustrations|"
        r"table des (matières|illustrations)|sommaire|inhalt(sverzeichnis)?|abbildungsverzeichnis|"
        r"(tabla de )?contenidos?|índice( general)?|indice|sommario|содержание|оглавление|目次|目录|目錄|차례|"
        r"المحتويات|תוכן( העניינים)?"
    ),
    "index": r"index(es)?|(sach|namens|personen)?register|index des noms|índice (analítico|onomástico)|索引",
    "bibliography": r"bibliograph(y|ie)|works cited|references|literatur(verzeichnis)?|bibliografía|bibliografia",
    "notes": (
        r"(foot|end|rear)?notes|notes de (bas de page|fin)|anmerkungen|fu(ß|ss)noten|endnoten|notas|"
        r"примечания|注釈|注释"
    ),
    "promotion": (
        r"(also|((other|more) )?(books|titles|works)) by .{1,60}|by the same author|"
        r"(du|de la) même auteur(e)?|about the publisher|newsletter.{0,40}|publicité"
    ),
    LICENCE: (
        r"(the )?(full )?project gutenberg.{0,40}licen[cs]e|licen[cs]e|"
        r"(original )?(transcriber|producer)\W?s?\W? notes?|about this (e-?book|edition)|この文書について|"
        r"(anmerkungen|notiz) (zur|der) transkription|note(s)? (du|de) transcri(pteur|ption)"
    ),
}
_BY_TITLE = [(kind, re.compile(pattern, re.IGNORECASE)) for kind, pattern in _TITLES.items()]
_COPYRIGHT = {
    "rights": r"all rights reserved|tous droits réservés|alle rechte vorbehalten|todos los derechos|tutti i diritti",
    "number": r"\bISBN\b\D{0,20}\d[\dX \u2010-\u2013-]{8}",
    "owner": (
        r"(©|\(c\))[^.;\n]{0,60}\b(1[5-9]|20)\d\d\b|\b(1[5-9]|20)\d\d\s*©|"
        r"\bcopyright,?\s+((1[5-9]|20)\d\d\b|by\b)"
    ),
    "copying": r"no part of this (book|publication|work)|may not be reproduced|printed (and bound )?in the u(nited|\.)",
    "catalogue": r"library of congress|cataloguing|cataloging|dépôt légal|bibliothek verzeichnet",
}
"""What is said on copyright pages, each in no other way than there."""
_BY_WORDS = [re.compile(pattern, re.IGNORECASE) for pattern in _COPYRIGHT.values()]
_GUTENBERG = re.compile(
    r"(START|END) OF (THE|THIS) PROJECT GUTENBERG|project gutenberg e-?(book|text) of|"
    r"project gutenberg.{0,3} licen[cs]e",
    re.IGNORECASE,
)
_MENTION = re.compile("project gutenberg", re.IGNORECASE)
BY_TEXT_LIMIT = 3000
"""Characters; what is longer is no copyright page, whatever it mentions."""
_LIMITS = {"cover": 400, "title page": 1000, "copyright": 5000, "promotion": 3000, "contents": 30_000}
"""Most characters of matter that a title or a landmark gives away; a quarter of the book for other kinds."""
_DOUBTED_LIMIT = 1000
"""Most characters of matter whose title might be that of a chapter."""
_GAP = 1000
"""Most characters of a copyright page from one thing that is said only there to the next."""
_LICENCE_LIMIT = 30_000
_LINKS = 4
"""Fewest lines of a table of contents that only its links give away."""
_LINK_LIMIT = 120
"""Most characters of such a line, at the median: more is text that somebody forgot to end a link before."""
_SENTENCE = re.compile(r"(\S+\s+){7,}\S*[.!?]")
"""As in a book whose reader chooses how it goes on."""
_YEAR = re.compile(r"\b(1[5-9]|20)\d\d\b")
_PER_YEAR = 300
"""Most characters of a bibliography, or of notes that name books, from one year to the next, on average."""
_LEGAL = re.compile("licen[cs]e|copyright|redistribut|warrant", re.IGNORECASE)
_DOUBTED = re.compile("illustrations|newsletter.*|imprint", re.IGNORECASE)
_ENTRIES = {
    "notes": re.compile(
        r"\W?[\d\xb2\xb3\xb9\u2070-\u2079*†‡§]|[\[({]\w{1,4}[\])}]|(pp?|page|s|seite|note)\b\W*\d", re.IGNORECASE
    ),
    "index": re.compile(r".*\d\.?$|.{1,80}(?<![.!?…。\uff01\uff1f\"\u2019”»」』])$"),
}
"""Lines by which such matter is told from prose: numbered notes; names, short or with numbers of pages behind them."""
_BOOKS_BY = re.compile("(also|((other|more) )?(books|titles|works)) by (?P<name>.*)", re.IGNORECASE)
_DEDICATION = re.compile(
    r"(for|to|in (loving )?memory|dedicated|pour|à|für|para|a la)\s(?!.*(information|permission|www\.|http|copies))|"
    r"[“\"\u2018«„—]",
    re.IGNORECASE,
)
_PER_MENTION = 1000
"""Most characters of Project Gutenberg's licence from one mention of the name to the next, on average."""


class Line(NamedTuple):
    """A block of text, by what tells matter."""

    text: str
    linked: int = 0
    """How many of its characters are links."""
    is_heading: bool = False
    is_item: bool = False
    """Whether it stands in a list or a table."""


class Page(NamedTuple):
    """A text that may be matter."""

    lines: tuple[Line, ...]
    authors: tuple[str, ...] = ()
    """Of the book."""
    language: str = ""
    """Of the book."""

    @property
    def text(self) -> str:
        """The whole of it."""
        return " ".join(line.text for line in self.lines)


def of_element(words: Iterable[str], classes: str, outer: str) -> str:
    """Return the kind of matter that an element is, empty for text.

    Args:
        words: what it says it is.
        classes: names of its styles.
        outer: kind of the element around it. Title pages hold epigraphs and dedications; other matter is so throughout.
    """
    if outer not in {"", "cover", "title page"}:
        return outer
    if "pg-boilerplate" in classes.split():
        return LICENCE
    known = (_TERMS.get(word, "") for word in words if word in _TERMS or word in _TEXT_TERMS)
    return next(known, outer)


def of_term(word: str) -> str:
    """Return the kind of matter that a structural semantics word names; empty for text."""
    return _TERMS.get(word, "")


def of_title(title: str) -> str:
    """Return the kind of matter that has such a title; empty for a chapter's."""
    words = title.strip(" .:*")
    return next((kind for kind, pattern in _BY_TITLE if pattern.fullmatch(words)), "")


def named(title: str, page: Page) -> str:
    """Return the kind of matter that a text is by its title, when it is as long as such matter can be."""
    kind = of_title(title)
    return kind if kind and _fits(kind, page) and _holds(title.strip(" .:*"), page) else ""


def marked(kind: str, page: Page) -> str:
    """Return the kind of matter that a landmark calls a text, when it is as long as such matter can be."""
    is_list = kind != "contents" or len(page.text) <= BY_TEXT_LIMIT or is_list_of_links(page.lines)
    return kind if kind and is_list and _fits(kind, page) else ""


def limit_of(kind: str) -> float:
    """Return the most characters of a kind of matter that has a title or a landmark."""
    return _LIMITS.get(kind, float("inf"))


def _fits(kind: str, page: Page) -> bool:
    return len(page.text) <= limit_of(kind)


def _holds(title: str, page: Page) -> bool:
    """Say whether a text is what its title says, where that might be the title of a chapter."""
    size = len(page.text)
    if match := _BOOKS_BY.fullmatch(title):
        return size <= _DOUBTED_LIMIT or _is_author(match["name"], page.authors)
    if re.fullmatch("licen[cs]e", title, re.IGNORECASE):
        return size <= _LICENCE_LIMIT and bool(_LEGAL.search(" ".join(line.text for line in page.lines[1:])))
    if title.casefold() == "register" and not page.language.casefold().startswith("de"):
        return False
    return size <= _DOUBTED_LIMIT or _looks_so(title, page)


def _looks_so(title: str, page: Page) -> bool:
    """Say whether a text that is not short looks as its title says."""
    if title.casefold() == "legal":
        return copyright_span(page.lines) != (0, 0)
    entry = _ENTRIES.get(of_title(title))
    if entry or title.casefold() == "references":
        is_cited = len(page.text) <= _PER_YEAR * len(_YEAR.findall(page.text))
        return is_cited or bool(entry and _is_list(page.lines, entry))
    return not _DOUBTED.fullmatch(title)


def _is_list(lines: Iterable[Line], entry: re.Pattern[str]) -> bool:
    """Say whether a third of the lines are entries: by their words, a link, or the markup; headings do not count."""
    counted = [line for line in lines if not line.is_heading]
    return 3 * sum(bool(line.linked or line.is_item or entry.match(line.text)) for line in counted) >= len(counted)


def _is_author(name: str, authors: Iterable[str]) -> bool:
    """Say whether a name shares a word with one of the authors."""
    words = set(re.findall(r"\w{3,}", name.casefold()))
    return any(words.intersection(re.findall(r"\w{3,}", author.casefold())) for author in authors)


def of_text(page: Page, *, is_chapter: bool = False) -> str:
    """Return the kind of matter that a text is by itself; empty for the book's own.

    Args:
        page: the whole of it.
        is_chapter: whether the table of contents names it, and not as matter.
    """
    text = page.text
    size = len(text)
    if not is_chapter and is_list_of_links(page.lines):
        return "contents"
    if _GUTENBERG.search(text[:600]) and size <= max(BY_TEXT_LIMIT, _PER_MENTION * len(_MENTION.findall(text))):
        return LICENCE
    if not is_chapter and size <= BY_TEXT_LIMIT:
        start, end = copyright_span(page.lines)
        if 2 * sum(len(line.text) for line in page.lines[start:end]) > sum(len(line.text) for line in page.lines):
            return "copyright"
    return ""


def is_list_of_links(lines: Iterable[Line]) -> bool:
    """Say whether lines are mostly links, as in a table of contents: several short ones, not counting headings."""
    counted = [line for line in lines if not line.is_heading]
    sizes = [len(line.text) for line in counted if line.linked > 0.6 * len(line.text)]
    size = sum(len(line.text) for line in counted)
    if len(sizes) < _LINKS or size > _LIMITS["contents"]:
        return False
    if 2 * sum(bool(_SENTENCE.fullmatch(line.text)) for line in counted if line.linked) > len(sizes):
        return False
    return median(sizes) <= _LINK_LIMIT and sum(line.linked for line in counted) > 0.6 * size


def copyright_span(lines: Sequence[Line]) -> tuple[int, int]:
    """Return the first line that says what only copyright pages say, and the one behind the last; 0, 0 for none."""
    said = [{number for number, each in enumerate(_BY_WORDS) if each.search(line.text)} for line in lines]
    if len(set().union(*said)) < 2:
        return 0, 0
    places = [place for place, each in enumerate(said) if each]
    between = (lines[place + 1 : after] for place, after in pairwise(places))
    if any(sum(len(line.text) for line in each) > _GAP for each in between):
        return 0, 0
    return places[0], places[-1] + 1


def around_copyright(lines: Sequence[Line]) -> list[int]:
    """Return where to part a dedication or an epigraph from the copyright notice above or below it."""
    start, end = copyright_span(lines)
    parts = [(start, lines[:start]), (end, lines[end:])] if end else []
    return [place for place, rest in parts if any(_DEDICATION.match(line.text) for line in rest)]
