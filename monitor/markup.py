"""Pieces of the pages as HTML. Whatever is filled in is escaped, so what comes from books is text.

`Markup.format` escapes its arguments but for those that are `Markup` themselves. `dir="auto"` lets a text decide for
itself in which direction it is read.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from markupsafe import Markup

from monitor.looks import GREY, ORANGE, SKY, VERMILLION, Look
from monitor.words import Words, one_line

_TITLE = 300
"""Most characters of a title or a reason that are sent to the browser."""


class Figure(NamedTuple):
    """A number with a name."""

    name: str
    value: str
    more: str = ""
    """Said small behind it."""
    colour: str = ""


def block(*pieces: str) -> Markup:
    """Return pieces as one block of the page."""
    return Markup('<div class="e2a">{}</div>').format(Markup("").join(pieces))


def short(text: str) -> str:
    """Return a text in one line, cut where it is far too long."""
    line = one_line(text)
    return line if len(line) <= _TITLE else f"{line[:_TITLE]}…"


def pill(look: Look, name: str) -> Markup:
    """Return a state with its mark."""
    return Markup('<span class="e2a-pill" style="--hue:{}"><span aria-hidden="true">{}</span>{}</span>').format(
        look.colour, look.mark, name
    )


def bar(fraction: float, colour: str, label: str) -> Markup:
    """Return a bar of which a share is filled; `label` says for those who do not see it what share of what."""
    percent = round(100 * min(1.0, max(0.0, fraction)), 1)
    return Markup(
        '<div class="e2a-bar" role="progressbar" aria-valuemin="0" aria-valuemax="100" aria-valuenow="{0}"'
        ' aria-label="{2}"><i style="width:{0}%;--hue:{1}"></i></div>'
    ).format(percent, colour, label)


def cover(link: str, title: str, _: Words) -> Markup:
    """Return a cover; the first letter of the title where there is none."""
    if link:
        return Markup('<img class="e2a-cover" src="{}" alt="{}" loading="lazy">').format(
            link, _("Cover of {title}", title=short(title))
        )
    return Markup('<div class="e2a-cover e2a-blank" aria-hidden="true">{}</div>').format(one_line(title)[:1] or "?")


def figures(rows: Iterable[Figure]) -> Markup:
    """Return numbers side by side."""
    pieces = [
        Markup('<div{}><dt>{}</dt><dd>{} <small dir="auto">{}</small></dd></div>').format(
            Markup(' style="--hue:{}"').format(row.colour) if row.colour else "", row.name, row.value, row.more
        )
        for row in rows
    ]
    return Markup('<dl class="e2a-figures">{}</dl>').format(Markup("").join(pieces))


def facts(rows: Iterable[tuple[str, str]]) -> Markup:
    """Return names and values below each other; empty values are left out."""
    pieces = [Markup('<dt>{}</dt><dd dir="auto">{}</dd>').format(name, value) for name, value in rows if value]
    return Markup('<dl class="e2a-facts">{}</dl>').format(Markup("").join(pieces))


def meters(rows: Iterable[tuple[str, float, str]]) -> Markup:
    """Return bars below each other: name, share, and what is said behind it."""
    pieces = [
        Markup("<span>{}</span>{}<span>{}</span>").format(name, bar(share, SKY, f"{name}: {said}"), said)
        for name, share, said in rows
    ]
    return Markup('<div class="e2a-meters">{}</div>').format(Markup("").join(pieces))


def note(text: str, colour: str = GREY) -> Markup:
    """Return a remark; `text` may be `Markup`."""
    role = "alert" if colour == VERMILLION else "status"
    return Markup('<div class="e2a-note" style="--hue:{}" role="{}" dir="auto">{}</div>').format(colour, role, text)


def warning(text: str) -> Markup:
    """Return a remark that something is missing or should be done."""
    return note(text, ORANGE)


def failure(text: str) -> Markup:
    """Return a remark that something went wrong."""
    return note(text, VERMILLION)


def player(link: str, label: str, start: float = 0.0, name: str = "", download: str = "") -> Markup:
    """Return an audio player.

    Args:
        link: of the audio.
        label: what can be heard, for those who do not see the page.
        start: where it begins, in seconds.
        name: file name under which it can be kept; empty offers no download.
        download: text of that link.
    """
    place = f"#t={start:.3f}" if start else ""
    audio = Markup('<audio controls preload="none" src="{}" aria-label="{}"></audio>').format(link + place, label)
    keep = Markup('<a href="{}" download="{}">{}</a>').format(link, name, download) if name else ""
    return Markup('<div class="e2a-player">{}{}</div>').format(audio, keep)


def downloads(files: Iterable[tuple[str, str]]) -> Markup:
    """Return links to files that name themselves: link, and what is said."""
    pieces = [Markup('<a href="{}" download>{}</a>').format(link, said) for link, said in files]
    return Markup('<div class="e2a-files">{}</div>').format(Markup("").join(pieces))


def sentences(texts: Iterable[str]) -> Markup:
    """Return sentences as a numbered list."""
    pieces = [Markup('<li dir="auto">{}</li>').format(text) for text in texts]
    return Markup('<ol class="e2a-text">{}</ol>').format(Markup("").join(pieces))


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Markup:
    """Return a small table."""
    heads = Markup("").join(Markup("<th>{}</th>").format(cell) for cell in head)
    body = Markup("").join(
        Markup("<tr>{}</tr>").format(Markup("").join(Markup('<td dir="auto">{}</td>').format(cell) for cell in row))
        for row in rows
    )
    return Markup('<div class="e2a-scroll"><table><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>').format(
        heads, body
    )
