"""HTML of the pages: whatever is filled in is text."""

from collections.abc import Callable
from html.parser import HTMLParser

import pytest
from markupsafe import Markup

from monitor import markup
from monitor.looks import GREEN, ORANGE, VERMILLION, Look
from monitor.words import words
from tests.unit.pages_feed import HOSTILE

ENGLISH = words("en", None)
PIECES: dict[str, Callable[[str], Markup]] = {
    "pill": lambda text: markup.pill(Look("x", GREEN), text),
    "bar": lambda text: markup.bar(0.5, GREEN, text),
    "cover": lambda text: markup.cover("/files/x/cover", text, ENGLISH),
    "blank cover": lambda text: markup.cover("", text, ENGLISH),
    "figures": lambda text: markup.figures([markup.Figure(text, text, text)]),
    "facts": lambda text: markup.facts([(text, text)]),
    "meters": lambda text: markup.meters([(text, 0.5, text)]),
    "note": markup.note,
    "failure": markup.failure,
    "player": lambda text: markup.player("/files/x", text, name=text, download=text),
    "downloads": lambda text: markup.downloads([("/files/x", text)]),
    "sentences": lambda text: markup.sentences([text]),
    "table": lambda text: markup.table([text], [[text]]),
}
ALLOWED = {"a", "audio", "dd", "div", "dl", "dt", "i", "img", "li", "ol", "p", "small", "span"}
ALLOWED |= {"table", "tbody", "td", "th", "thead", "tr"}


class Reader(HTMLParser):
    """Notes what a browser would find."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(str(html))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag != "img":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("name", PIECES)
@pytest.mark.parametrize(
    "text", [HOSTILE, '" onload="x()', "'><img src=x onerror=x()>", "&lt;b&gt;", "\u05d0\u202e<i>"]
)
def test_pieces_show_text_as_it_is(name: str, text: str) -> None:
    """No text can become an element or an attribute, or end one, in any piece."""
    read = Reader(markup.block(PIECES[name](text)))
    assert {tag for tag, _attributes in read.found} <= ALLOWED
    assert not [key for _tag, attributes in read.found for key in attributes if key.startswith("on")]
    assert read.open == []
    if name in {"pill", "figures", "facts", "meters", "note", "failure", "sentences", "table"}:
        assert text in read.text


def test_remarks_tell_how_grave_they_are() -> None:
    """A failure is announced at once to those who do not see the page, a warning when there is time."""
    assert 'role="alert"' in markup.failure("x")
    assert VERMILLION in markup.failure("x")
    assert 'role="status"' in markup.warning("x")
    assert ORANGE in markup.warning("x")


def test_remark_may_hold_markup() -> None:
    """Our own HTML stays HTML in a remark."""
    assert "<code>e2a-synth</code>" in markup.note(Markup("<code>{}</code>").format("e2a-synth"))


@pytest.mark.parametrize(("fraction", "width"), [(0.425, "42.5"), (-1.0, "0.0"), (7.0, "100.0")])
def test_bar_is_as_wide_as_its_share(fraction: float, width: str) -> None:
    """A bar shows its share to the eye and to a screen reader, and never more than all."""
    ((_tag, attributes), (_inner, style)) = Reader(markup.bar(fraction, GREEN, "done")).found
    assert attributes["aria-valuenow"] == width
    assert attributes["aria-label"] == "done"
    assert style["style"] == f"width:{width}%;--hue:{GREEN}"


def test_player_begins_at_a_place_and_loads_nothing_before() -> None:
    """A player fetches nothing until it is played, begins where it should, and offers the file where it has a name."""
    ((_div, _), (_audio, attributes)) = Reader(markup.player("/files/x", "Play", start=63.5)).found
    assert attributes == {
        "controls": None,
        "preload": "none",
        "src": "/files/x#t=63.500",
        "aria-label": "Play",
    }
    assert 'download="1. A.aac"' in markup.player("/files/x", "Play", name="1. A.aac", download="Download")


def test_missing_cover_is_a_letter() -> None:
    """A book without a cover shows the first letter of its title, and one without a title a question mark."""
    assert Reader(markup.cover("", " Emma", ENGLISH)).text == "E"
    assert Reader(markup.cover("", "", ENGLISH)).text == "?"


def test_empty_facts_are_left_out() -> None:
    """A fact that is not known takes no line."""
    assert Reader(markup.facts([("a", "1"), ("b", "")])).text == "a1"


def test_long_texts_are_cut() -> None:
    """A title of a megabyte does not reach every viewer every two seconds."""
    assert len(markup.short("x" * 1_000_000)) == 301
    assert markup.short("a\nb") == "a b"
