"""Covers, audio and files over HTTP, as RFC 9110 has it."""

import asyncio
from typing import Any

import pytest

from e2a.storage import keys
from monitor import media
from monitor.media import Unsatisfiable, disposition, wanted
from tests.unit.builders import BOOK, some_audio
from tests.unit.served.shelf import JPEG, Shelf

DATA = bytes(range(256)) * 4


@pytest.fixture
def url(shelf: Shelf) -> str:
    """Return the link to a file of 1,024 bytes."""
    shelf.finish((".m4b", DATA))
    return shelf.links.file(BOOK, 0)


def test_the_whole(shelf: Shelf, url: str) -> None:
    """Without a range all of it is sent, with its type, its length, and that ranges can be had."""
    answer = shelf.client.get(url)
    assert (answer.status_code, answer.content) == (200, DATA)
    assert answer.headers["content-type"] == "audio/mp4"
    assert answer.headers["content-length"] == "1024"
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["etag"].startswith('"')
    assert "content-disposition" not in answer.headers


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-", 0, 1024),
        ("bytes=0-0", 0, 1),
        ("bytes=1000-2000", 1000, 1024),
        ("bytes=-24", 1000, 1024),
        ("bytes=-2000", 0, 1024),
        ("bytes=1023-99999999999999999999999", 1023, 1024),
        (" Bytes=10-19 ", 10, 20),
    ],
)
def test_a_range(shelf: Shelf, url: str, asked: str, start: int, end: int) -> None:
    """A range is sent as such, and says where it lies."""
    answer = shelf.client.get(url, headers={"Range": asked})
    assert (answer.status_code, answer.content) == (206, DATA[start:end])
    assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/1024"
    assert answer.headers["content-length"] == str(end - start)


@pytest.mark.parametrize("asked", ["bytes=1024-", "bytes=5000-6000", "bytes=-0", "bytes=99999999999999999999-"])
def test_a_range_that_is_not_there(shelf: Shelf, url: str, asked: str) -> None:
    """A range behind the end is refused, with the length that there is."""
    answer = shelf.client.get(url, headers={"Range": asked})
    assert answer.status_code == 416
    assert answer.headers["content-range"] == "bytes */1024"


@pytest.mark.parametrize(
    "asked",
    [
        "bytes=5-2",
        "bytes=a-b",
        "bytes=--1",
        "bytes=-",
        "bytes=",
        "lines=0-1",
        "bytes=0-1,5-6",
        "bytes=" + ",".join(f"{n}-{n}" for n in range(1000)),
        "bytes=0-" + "9" * 5000,
        "bytes=٣-٤",
    ],
)
def test_a_range_that_is_none(asked: str) -> None:
    """What is no single range of bytes is passed over, as the RFC allows."""
    assert wanted(asked, 1024) is None


def test_nothing_has_no_range() -> None:
    """Of an empty object no range can be had."""
    with pytest.raises(Unsatisfiable):
        wanted("bytes=0-", 0)


@pytest.mark.parametrize(("ours", "status"), [(True, 206), (False, 200)])
def test_a_range_of_what_was_seen_before(shelf: Shelf, url: str, ours: bool, status: int) -> None:
    """If-Range gives the range when the bytes are still the same, and else the whole; a date never does."""
    etag = shelf.client.head(url).headers["etag"]
    for seen in [etag] if ours else ['"other"', f"W/{etag}", "Thu, 26 Nov 2026 12:00:00 GMT"]:
        assert shelf.client.get(url, headers={"Range": "bytes=0-0", "If-Range": seen}).status_code == status


def test_what_is_known_is_not_sent_again(shelf: Shelf, url: str) -> None:
    """A browser that has it already is told so."""
    etag = shelf.client.head(url).headers["etag"]
    answer = shelf.client.get(url, headers={"If-None-Match": f'"x", {etag}'})
    assert (answer.status_code, answer.content) == (304, b"")
    assert shelf.client.get(url, headers={"If-None-Match": "*"}).status_code == 304


def test_head(shelf: Shelf, url: str) -> None:
    """HEAD says what GET would, and heeds no range."""
    answer = shelf.client.head(url, headers={"Range": "bytes=0-0"})
    assert (answer.status_code, answer.content, answer.headers["content-length"]) == (200, b"", "1024")


def test_other_methods(shelf: Shelf, url: str) -> None:
    """Nothing can be put there."""
    assert {shelf.client.request(method, url).status_code for method in ("POST", "PUT", "DELETE")} == {405}


def test_a_chapter_is_one(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    """A chapter is sent as one object, in pieces of a few bytes, and a range reaches over its parts."""
    monkeypatch.setattr(media, "PIECE", 5)
    shelf.speak(0, 1)
    sound = b"".join(some_audio(part) for part in shelf.plan.parts[:2])
    url = shelf.links.chapter(BOOK, 1)
    assert shelf.client.get(url).content == sound
    answer = shelf.client.get(url, headers={"Range": "bytes=10-25"})
    assert answer.content == sound[10:26]
    assert answer.headers["content-type"] == "audio/aac"


def test_a_cover(shelf: Shelf) -> None:
    """A cover is sent as the picture that it is."""
    shelf.store.put(keys.book(BOOK, "cover.jpg"), JPEG)
    answer = shelf.client.get(shelf.links.cover(BOOK))
    assert (answer.content, answer.headers["content-type"]) == (JPEG, "image/jpeg")


def test_a_file_to_keep(shelf: Shelf) -> None:
    """A download says what the file is called, on one line, whatever its title is."""
    shelf.finish((".m4b", DATA), title='Ém"ma\r\nSet-Cookie: a=b; 本')
    header = shelf.client.get(shelf.links.file(BOOK, 0, download=True)).headers["content-disposition"]
    plain = 'attachment; filename="Em ma Set-Cookie a=b; .m4b"'
    assert header == plain + "; filename*=UTF-8''%C3%89m%20ma%20Set-Cookie%20a%3Db%3B%20%E6%9C%AC.m4b"


@pytest.mark.parametrize(("name", "plain"), [("本.m4b", "audiobook.m4b"), ('a"\\%b.m4b', "ab.m4b"), ("é.mp3", "e.mp3")])
def test_names_for_old_browsers(name: str, plain: str) -> None:
    """The name in ASCII has nothing that ends it early, and is never only a suffix."""
    assert disposition(name).startswith(f'attachment; filename="{plain}"; ')


def test_no_link_no_file(shelf: Shelf, url: str) -> None:
    """A link that is altered, too old or for something else is refused."""
    shelf.finish((".m4b", DATA), (".vtt", b"WEBVTT"))
    assert shelf.client.get(url).status_code == 200
    seal = url.split("/")[2]
    for other in (url[:-1] + "1", url.replace(seal, "x"), url.replace(seal, f"0.{'A' * 43}")):
        assert shelf.client.get(other).status_code == 403
    shelf.clock.now += 14 * 3600
    assert shelf.client.get(url).status_code == 403


def test_what_is_not_there(shelf: Shelf) -> None:
    """A good link to what is not there says so."""
    assert shelf.client.get(shelf.links.part(BOOK, 0)).status_code == 404
    assert shelf.client.get(shelf.links.cover("../../secrets")).status_code in {403, 404}


def test_storage_away(shelf: Shelf, url: str) -> None:
    """While storage is away it is said that it is, before anything else is."""
    shelf.store.pieces = 0
    answer = shelf.client.get(url)
    assert answer.status_code == 503
    assert answer.headers["retry-after"]


def test_what_was_cut_meanwhile(shelf: Shelf, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An object that has become shorter since it was looked at is not sent as if it were whole."""
    monkeypatch.setattr(shelf.store, "read", lambda *_: DATA[:100])
    assert shelf.client.get(url).status_code == 404


def test_every_answer_is_inert(shelf: Shelf, url: str) -> None:
    """Whatever is answered, browsers may not guess another type, nor run anything in it."""
    shelf.store.put(keys.book(BOOK, "cover.jpg"), JPEG)
    answers = [
        shelf.client.get(url),
        shelf.client.head(url),
        shelf.client.get(url, headers={"Range": "bytes=1-2"}),
        shelf.client.get(url, headers={"Range": "bytes=9999-"}),
        shelf.client.get(url + "0"),
        shelf.client.get(shelf.links.part(BOOK, 9)),
        shelf.client.get(shelf.links.cover(BOOK)),
    ]
    assert {answer.status_code for answer in answers} == {200, 206, 403, 404, 416}
    for answer in answers:
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")


def test_storage_goes_away_under_way(shelf: Shelf, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that cannot be ended is not ended: what came of it is not taken for the whole."""
    monkeypatch.setattr(media, "PIECE", 100)
    shelf.store.pieces = 3
    sent: list[dict[str, Any]] = []
    waiting = asyncio.Event()

    async def receive() -> dict[str, Any]:
        await waiting.wait()
        return {}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": url, "headers": [], "query_string": b""}
    asyncio.run(shelf.app(scope, receive, send))
    assert b"".join(message.get("body", b"") for message in sent) == DATA[:300]
    assert sent[0]["status"] == 200
    assert sent[-1]["more_body"]
