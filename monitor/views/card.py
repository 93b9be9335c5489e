"""A book in short: what it is, how far it is, what can be heard of it."""

from markupsafe import Markup

from e2a.report import ReportedFile
from monitor import looks, markup
from monitor.looks import BOOKS, PARTS
from monitor.records import BookRow
from monitor.views.view import View
from monitor.words import Words

PLAYED = frozenset(["m4b", "m4a", "mp3", "acx", "opus", "flac", "wav"])
"""Formats of audio."""


def card(row: BookRow, view: View) -> Markup:
    """Return a book as HTML."""
    _ = view.words
    look = BOOKS[row.condition]
    cover = markup.cover(view.links.cover(row.book_id) if row.cover else "", row.title, _)
    title = markup.short(row.title) or row.book_id
    heading = Markup(
        '<div class="e2a-head"><div><p class="e2a-title e2a-clip" dir="auto" title="{0}">{0}</p>'
        '<p class="e2a-dim e2a-clip" dir="auto">{1}</p></div>{2}</div>'
    ).format(title, markup.short(row.authors), markup.pill(look, looks.condition(row.condition, _)))
    pieces = [heading]
    if row.chapters:
        share = _("{percent} of its audio is done", percent=_.percent(row.fraction))
        pieces += [markup.bar(row.fraction, look.colour, share), _figures(row, _), _counts(row, _)]
    if row.reason:
        pieces.append(markup.failure(markup.short(row.reason)))
    body = Markup('<div class="e2a-card" role="group" aria-label="{}">{}<div>{}</div></div>')
    return body.format(title, cover, Markup("").join(pieces))


def finished(row: BookRow, view: View) -> Markup:
    """Return the player and the files of a finished book."""
    _ = view.words
    files = list(enumerate(row.files))
    audio = next((index for index, file in files if file.format in PLAYED), None)
    pieces = []
    if audio is not None:
        link = view.player_link(f"{row.book_id}/{audio}", lambda: view.links.file(row.book_id, audio, download=False))
        pieces.append(markup.player(link, _("Play {title}", title=markup.short(row.title))))
    pieces.append(
        markup.downloads(
            (view.links.file(row.book_id, index, download=True), _said(file, view)) for index, file in files
        )
    )
    return markup.block(*pieces)


def _ready(row: BookRow, _: Words) -> str:
    """Return when a book is ready, as far as anybody can say; empty where it is not being made."""
    if row.eta is None:
        return ""
    return _("ready in {time}", time=_.between(*row.eta))


def _figures(row: BookRow, _: Words) -> Markup:
    audio = _("{done} of {total}", done=_.clock(row.audio_seconds), total=_.clock(row.total_seconds))
    said = [Markup("<b>{}</b>").format(_.percent(row.fraction))]
    if row.condition == "done":
        said.append(Markup("<span>{}</span>").format(_.clock(row.audio_seconds)))
    else:
        said += [Markup("<span>{}</span>").format(each) for each in (_ready(row, _), audio) if each]
    if row.speed is not None and row.condition == "synthesising":
        said.append(Markup("<span>{}</span>").format(_("{times} real time", times=_.times(row.speed))))
    if row.urgent:
        said.append(Markup("<b>{}</b>").format(_("urgent")))
    if row.age is not None:
        said.append(Markup('<span class="e2a-dim">{}</span>').format(_("changed {ago}", ago=_.ago(row.age))))
    return Markup('<p class="e2a-row">{}</p>').format(Markup("").join(said))


def _counts(row: BookRow, _: Words) -> Markup:
    """Return how many chapters are in which state."""
    if row.condition == "done":
        counts = [(PARTS["done"], row.chapters, _.plural("{n} chapter", "{n} chapters", row.chapters))]
    else:
        counts = [
            (PARTS["done"], row.chapters_done, _.plural("{n} done", "{n} done", row.chapters_done)),
            (PARTS["running"], row.chapters_running, _.plural("{n} running", "{n} running", row.chapters_running)),
            (PARTS["waiting"], row.chapters_queued, _.plural("{n} queued", "{n} queued", row.chapters_queued)),
            (PARTS["failed"], row.chapters_failed, _.plural("{n} failed", "{n} failed", row.chapters_failed)),
        ]
    counts += [
        (PARTS["retry"], row.retries, _.plural("{n} part again", "{n} parts again", row.retries)),
        (PARTS["retry"], row.doubtful, _.plural("{n} doubtful", "{n} doubtful", row.doubtful)),
    ]
    pieces = [
        Markup('<span><i style="color:{}" aria-hidden="true">{}</i> {}</span>').format(look.colour, look.mark, said)
        for look, count, said in counts
        if count
    ]
    return Markup('<p class="e2a-counts">{}</p>').format(Markup("").join(pieces))


def _said(file: ReportedFile, view: View) -> str:
    """Return what the link to a file says: of one of several the name, else the format."""
    name = file.name.rpartition("/")[2] if "/" in file.name else file.format.upper()
    return f"{name} · {view.words.size(file.size)}"
