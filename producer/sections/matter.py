"""Front and back matter: what of a book is no part of its text, and how it is recognised.

By what the markup says (EPUB 3 Structural Semantics Vocabulary), then by the title, then by the text itself.
"""

import re
from collections.abc import Iterable

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
        r"(foot|end|rear)?notes|notes de (bas de page|fin)|anmerkungen|fu(ß|ss)noten|endnoten|notas|note|"
        r"примечания|注釈|注释"
    ),
    "promotion": (
        r"(also|((other|more) )?(books|titles|works)) by .{1,60}|by the same author|advertisements?|"
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
_LINKS_LIMIT = 30_000
"""Characters; what is longer is no table of contents, but text that someone forgot to end a link before."""
_PER_MENTION = 1000
"""Most characters of Project Gutenberg's licence from one mention of the name to the next, on average."""


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


def of_text(text: str, linked: int) -> str:
    """Return the kind of matter that a text is by itself; empty for the book's own.

    Args:
        text: the whole of it.
        linked: how many of its characters are links.
    """
    size = len(text)
    if 40 <= size <= _LINKS_LIMIT and linked > 0.6 * size:
        return "contents"
    if _GUTENBERG.search(text[:600]) and size <= max(BY_TEXT_LIMIT, _PER_MENTION * len(_MENTION.findall(text))):
        return LICENCE
    if size <= BY_TEXT_LIMIT and sum(pattern.search(text) is not None for pattern in _BY_WORDS) >= 2:
        return "copyright"
    return ""
