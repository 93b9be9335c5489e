"""What an EPUB says of itself: title, authors, and the rest that players show."""

import html
import re
from collections.abc import Iterable

from e2a.plan import Metadata
from producer.epub.package import Source, Value
from producer.markup import collapse

_AUTHOR = {"aut", "author", ""}
"""Roles of who wrote the book (MARC relators); most say none."""
_BLOCK_TAG = re.compile(r"</?(?:p|div|br|li|ul|ol|h[1-6]|tr|blockquote)\b[^<>]*>", re.IGNORECASE)
_TAG = re.compile(r"<[/!?]?[A-Za-z][^<>]*>|<!--[^<>]*-->")
_ISBN_NAME = re.compile(r"(?:urn:)?isbn(?:-1[03])?[:\s]*", re.IGNORECASE)


def title(source: Source) -> str:
    """Return the main title, else the first; empty when there is none."""
    kinds = {"main": 0, "": 1}
    titles = sorted(source.values("title"), key=lambda title: kinds.get(title.trait("title-type"), 2))
    return titles[0].text if titles else ""


def authors(source: Source) -> Iterable[str]:
    """Return who wrote the book, each once and in order; all creators when none is said to be an author."""
    creators = sorted(source.values("creator"), key=lambda creator: _number(creator.trait("display-seq")))
    authors = [each for each in creators if _AUTHOR.intersection(map(str.lower, each.traits.get("role", [""])))]
    return dict.fromkeys(each.text for each in authors or creators)


def metadata(source: Source) -> Metadata:
    """Return the rest that the package says of the book."""
    dates = sorted(source.values("date"), key=lambda date: "publication" not in date.trait("event").lower())
    series, index = _series(source)
    return Metadata(
        description=next((_plain(value.text) for value in source.values("description")), ""),
        publisher=next((value.text for value in source.values("publisher")), ""),
        date=next((date.text for date in dates), ""),
        isbn=next(filter(None, map(_isbn, source.values("identifier"))), ""),
        subjects=tuple(dict.fromkeys(value.text for value in source.values("subject"))),
        series=series,
        series_index=index,
    )


def _number(text: str) -> float:
    """Return what a number in metadata sorts by; what is none comes last."""
    return float(text) if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text) else float("inf")


def _plain(markup_text: str) -> str:
    return collapse(html.unescape(_TAG.sub("", _BLOCK_TAG.sub(" ", markup_text))))


def _isbn(identifier: Value) -> str:
    """Return the ISBN that an identifier is; empty when it is none."""
    number = _ISBN_NAME.sub("", identifier.text, count=1)
    digits = re.sub(r"[\s\u2010-\u2015-]", "", number).upper()
    named = number != identifier.text or "isbn" in identifier.trait("scheme").lower()
    if re.fullmatch(r"97[89][0-9]{10}", digits):
        valid = sum(int(digit) * (1, 3)[place % 2] for place, digit in enumerate(digits)) % 10 == 0
    elif re.fullmatch(r"[0-9]{9}[0-9X]", digits):
        valid = sum((10 if digit == "X" else int(digit)) * (10 - place) for place, digit in enumerate(digits)) % 11 == 0
    else:
        return ""
    return digits if valid or named else ""


def _series(source: Source) -> tuple[str, str]:
    """Return name and position of the series that a book is part of, as EPUB 3 has it or else as calibre does."""
    for name, attributes in source.metas():
        if attributes.get("property") == "belongs-to-collection" and name and "refines" not in attributes:
            collection = Value(name, source.traits(attributes))
            if collection.trait("collection-type") in {"series", ""}:
                return name, collection.trait("group-position")
    named = {attributes.get("name"): collapse(attributes.get("content", "")) for _value, attributes in source.metas()}
    return named.get("calibre:series", ""), named.get("calibre:series_index", "") if "calibre:series" in named else ""
