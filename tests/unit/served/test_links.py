"""Links: signed, the same for an hour, good for half a day."""

import html
from urllib.parse import quote

import pytest

from e2a.testing import Clock
from monitor.links import HOUR, ROOT, Links, shared

BOOK = "b0123456789abcde"


@pytest.fixture
def clock() -> Clock:
    clock = Clock()
    clock.now = 1_000_000.0 // HOUR * HOUR
    return clock


@pytest.fixture
def links(clock: Clock) -> Links:
    return Links(bytes(32), clock)


def taken_apart(url: str) -> tuple[str, str]:
    """Return seal and path of a link."""
    seal, _, path = url.removeprefix(ROOT + "/").partition("/")
    return seal, path


def test_a_link_leads_where_it_says(links: Links) -> None:
    """Each kind of link names its book and what of it is meant, and is known again."""
    made = {
        links.cover(BOOK): f"{BOOK}/cover",
        links.part(BOOK, 0): f"{BOOK}/parts/0",
        links.chapter(BOOK, 3): f"{BOOK}/chapters/3",
        links.file(BOOK, 1): f"{BOOK}/outputs/1",
        links.file(BOOK, 1, download=True): f"{BOOK}/downloads/1",
    }
    for url, path in made.items():
        seal, found = taken_apart(url)
        assert found == path
        assert links.admits(seal, path)


def test_a_link_needs_no_escaping(links: Links) -> None:
    """Neither HTML nor URLs need another spelling of a link."""
    url = links.file(BOOK, 1)
    assert html.escape(url) == url
    assert quote(url) == url


def test_a_link_is_the_same_for_an_hour(links: Links, clock: Clock) -> None:
    """A page that is drawn again within the hour shows the same link; after it another one."""
    before = links.part(BOOK, 0)
    clock.now += HOUR - 1
    assert links.part(BOOK, 0) == before
    clock.now += 1
    assert links.part(BOOK, 0) != before


@pytest.mark.parametrize("age", [0, HOUR - 1], ids=["first of its hour", "last of its hour"])
def test_a_link_is_good_for_half_a_day(links: Links, clock: Clock, age: int) -> None:
    """Whoever got a link may use it for twelve hours, and nobody for more than thirteen."""
    clock.now += age
    seal, path = taken_apart(links.part(BOOK, 0))
    clock.now += 12 * HOUR
    assert links.admits(seal, path)
    clock.now += HOUR
    assert not links.admits(seal, path)


def test_a_seal_is_for_one_thing(links: Links) -> None:
    """What was signed for one part opens no other, nor does it last longer when its time is changed."""
    seal, path = taken_apart(links.part(BOOK, 0))
    until, _, signature = seal.partition(".")
    assert not links.admits(seal, f"{BOOK}/parts/1")
    assert not links.admits(f"{int(until) + HOUR}.{signature}", path)


@pytest.mark.parametrize("seal", ["", ".", "1", "9999999999.", f"9999999999.{'A' * 43}", "9" * 30, "٣.abc", "a b"])
def test_what_is_no_seal(links: Links, seal: str) -> None:
    """Whatever else stands where the seal should be is refused."""
    assert not links.admits(seal, f"{BOOK}/cover")


def test_another_key_knows_nothing(links: Links, clock: Clock) -> None:
    """Links of another process are refused; those of one process are one."""
    seal, path = taken_apart(links.cover(BOOK))
    assert not Links(b"1" * 32, clock).admits(seal, path)
    assert shared() is shared()
