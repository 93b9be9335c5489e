"""The page that asks who one is: its language, where it leads, and that nothing can be put into it."""

import pytest
from starlette.requests import Request

from monitor import login


def request(target: str = "/login", language: str = "") -> Request:
    """Return a request for the page."""
    path, _, query = target.partition("?")
    headers = [(b"accept-language", language.encode()), (b"host", b"books.example")]
    return Request({"type": "http", "path": path, "query_string": query.encode(), "headers": headers})


@pytest.mark.parametrize(
    ("accepted", "expected"),
    [
        ("", "en"),
        ("fr", "fr"),
        ("fr-CA,fr;q=0.9,en;q=0.8", "fr"),
        ("en;q=0.1, fr;q=0.9", "fr"),
        ("de, fr;q=0.3, en;q=0.2", "fr"),
        ("fr;q=0, en", "en"),
        ("fr;q=0", "en"),
        ("de", "en"),
        ("*", "en"),
        ("fr;q=nonsense", "fr"),
        (",;,=;q", "en"),
    ],
)
def test_language(accepted: str, expected: str) -> None:
    """The page speaks the language of ours that is liked best, and English to all others."""
    assert login.language(accepted) == expected


@pytest.mark.parametrize("language", ["en", "fr"])
def test_every_word_is_there(language: str) -> None:
    """Both languages say the same things."""
    asked = request(language=language)
    for problem in ("", "wrong", "later"):
        page = bytes(login.form(asked, problem=problem, seconds=7).body).decode()
        assert f'<html lang="{language}">' in page
        assert ("7 s" in page) == (problem == "later")
    assert b'href="/x"' in login.link(asked, "/x").body
    assert login.stranger(asked, "/x").status_code == 403


@pytest.mark.parametrize(
    ("wanted", "path"),
    [
        ("/", "/"),
        ("/workers%3Fa%3D1%26b", "/workers?a=1&b"),
        ("", "/"),
        ("http://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("/%5Cevil.example/", "/"),
        ("%5C%5Cevil.example/", "/"),
        ("/%09/evil.example/", "/"),
        ("/%0d%0aSet-Cookie:a=b", "/"),
        ("/a%20b", "/"),
        ("javascript:alert(1)", "/"),
    ],
)
def test_landing(wanted: str, path: str) -> None:
    """After the login one comes to the page that was asked for, and to nowhere else than a page of ours."""
    assert login.landing(request(f"/login?next={wanted}")) == path


def test_nothing_gets_into_the_page() -> None:
    """What stands in the address is text in the page."""
    page = bytes(login.form(request('/login?next="><script>alert(1)</script>')).body).decode()
    assert "<script>" not in page
    assert page.count("<form") == 1


def test_the_page_needs_nothing_from_elsewhere() -> None:
    """The page has no script and no address of anything, and its policy allows only its own style."""
    answer = login.form(request())
    page = bytes(answer.body).decode()
    assert "src=" not in page
    assert "url(" not in page
    assert "//" not in page
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
