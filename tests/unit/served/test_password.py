"""Logging in with a password: sessions, their end, and those who guess."""

from typing import Any

import pytest
from itsdangerous import TimestampSigner
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from e2a.testing import Clock
from monitor.gate import Gate
from monitor.password import (
    COOKIE,
    FORGOTTEN_AFTER,
    FREE_TRIES,
    LONGEST_WAIT,
    MOST_CLIENTS,
    SESSION,
    Password,
    Throttle,
)

SECRET = "pass wörd!"
FORM = {"password": SECRET}


async def page(request: Request) -> PlainTextResponse:
    return PlainTextResponse("page")


def browser(clock: Clock, password: str = SECRET, salt: str = "", address: str = "198.51.100.7") -> TestClient:
    """Return a browser that has not logged in, in front of a page with a password."""
    keeper = Password(password, salt, Throttle(clock))
    app = Starlette(routes=[*keeper.routes, Route("/", page)], middleware=[Middleware(Gate, keeper=keeper)])
    client = TestClient(app, "http://books.example", follow_redirects=False, client=(address, 1234))
    client.headers["Accept"] = "text/html"
    return client


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(autouse=True)
def cheap_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make keys of passwords fast."""
    monkeypatch.setattr("monitor.password.COST", 2)


def test_the_password_opens(clock: Clock) -> None:
    """Before the login there is the form, after it the page that was asked for, for a week, also without scripts."""
    client = browser(clock)
    assert client.get("/").headers["location"] == "/login?next=/"
    assert 'type="password"' in client.get("/login").text
    answer = client.post("/login?next=/workers", data=FORM)
    assert (answer.status_code, answer.headers["location"]) == (303, "/workers")
    cookie = answer.headers["set-cookie"]
    assert f"Max-Age={7 * 24 * 3600}" in cookie
    for attribute in ("HttpOnly", "SameSite=lax", "Path=/"):
        assert attribute in cookie
    assert client.get("/").text == "page"
    assert client.get("/login?next=/x").headers["location"] == "/x"


def test_a_proxy_that_speaks_tls(clock: Clock) -> None:
    """The cookie is only sent back over TLS if the browser spoke it, which no proxy can pretend."""
    plain = browser(clock).post("/login", data=FORM, headers={"X-Forwarded-Proto": "https"})
    assert "Secure" not in plain.headers["set-cookie"]
    sealed = browser(clock).post("/login", data=FORM, headers={"Origin": "https://books.example"})
    assert "Secure" in sealed.headers["set-cookie"]


@pytest.mark.parametrize("given", ["", SECRET + " ", SECRET[:-1], SECRET.upper(), "\udcff"])
def test_another_password_does_not(clock: Clock, given: str) -> None:
    """A wrong password gives no session and asks again."""
    body = b"password=%FF" if given == "\udcff" else None
    answer = browser(clock).post("/login", content=body, data=None if body else {"password": given})
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers
    assert 'type="password"' in answer.text


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 403),
        (b"password", 403),
        (b"x=1", 403),
        (b"\xff\xfe", 403),
        (b"&" * 4000, 403),
        (b"password=" + b"a" * 5000, 413),
    ],
)
def test_what_is_no_form(clock: Clock, body: bytes, status: int) -> None:
    """Whatever else is sent is refused, and what is too long for a password is not read to its end."""
    assert browser(clock).post("/login", content=body).status_code == status


def test_a_page_of_another_host_cannot_log_in(clock: Clock) -> None:
    """The form is only taken from the page itself, and another site can log nobody out."""
    client = browser(clock)
    assert client.post("/login", data=FORM, headers={"Origin": "http://evil.example"}).status_code == 403
    client.post("/login", data=FORM)
    assert client.get("/logout", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert client.get("/").text == "page"


def test_logging_out(clock: Clock) -> None:
    """After logging out the browser has no session."""
    client = browser(clock)
    client.post("/login", data=FORM)
    assert client.get("/logout", headers={"Sec-Fetch-Site": "same-origin"}).headers["location"] == "/login"
    assert client.get("/").status_code == 303


def test_logging_out_without_a_session(clock: Clock) -> None:
    """Who logs out after the session has ended is asked for the password, and logged in by it, not out again."""
    client = browser(clock)
    form = client.get("/logout", headers={"Sec-Fetch-Site": "same-origin"}).headers["location"]
    assert client.post(form, data=FORM).headers["location"] == "/"


@pytest.mark.parametrize("value", ["", "x", "x.y.z", "." * 100, "a" * 5000])
def test_wrong_cookies(clock: Clock, value: str) -> None:
    """What was not signed is no session."""
    assert browser(clock).get("/", headers={"Cookie": f"{COOKIE}={value}"}).status_code == 303


def a_session(clock: Clock, **given: Any) -> str:
    """Return the cookie of somebody who has just logged in."""
    client = browser(clock, **given)
    client.post("/login", data={"password": given.get("password", SECRET)})
    return str(client.cookies[COOKIE])


def test_sessions_outlive_a_restart_but_not_a_password(clock: Clock) -> None:
    """Another process with the same password and salt knows a session; with another of either it does not."""
    headers = {"Cookie": f"{COOKIE}={a_session(clock, salt='s3')}"}
    assert browser(clock, salt="s3").get("/", headers=headers).text == "page"
    assert browser(clock, salt="s4").get("/", headers=headers).status_code == 303
    assert browser(clock, "another password", salt="s3").get("/", headers=headers).status_code == 303


@pytest.mark.parametrize(("age", "status"), [(SESSION - 60, 200), (SESSION + 60, 303)])
def test_sessions_end(clock: Clock, monkeypatch: pytest.MonkeyPatch, age: int, status: int) -> None:
    """A session is good for a week, whatever the browser keeps."""
    now = TimestampSigner("key").get_timestamp()
    with monkeypatch.context() as then:
        then.setattr(TimestampSigner, "get_timestamp", lambda _: now - age)
        session = a_session(clock)
    assert browser(clock).get("/", headers={"Cookie": f"{COOKIE}={session}"}).status_code == status


def test_those_who_guess_wait(clock: Clock) -> None:
    """After a few wrong passwords even the right one is not looked at: twice as long each time, at most a minute."""
    client = browser(clock)
    for _ in range(FREE_TRIES):
        assert client.post("/login", data={"password": "wrong"}).status_code == 403
    waits = []
    for _ in range(8):
        answer = client.post("/login", data=FORM)
        assert answer.status_code == 429
        waits.append(int(answer.headers["retry-after"]))
        clock.now += waits[-1]
        assert client.post("/login", data={"password": "wrong"}).status_code == 403
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]
    clock.now += LONGEST_WAIT
    assert client.post("/login", data=FORM).status_code == 303
    client.cookies.clear()
    assert client.post("/login", data={"password": "wrong"}).status_code == 403
    assert client.post("/login", data=FORM).status_code == 303


def test_others_do_not_wait(clock: Clock) -> None:
    """Who guesses holds up only their own address; a network of IPv6, where addresses are free, counts as one."""
    throttle = Throttle(clock)
    for number in range(FREE_TRIES):
        throttle.failed("198.51.100.7")
        throttle.failed(f"2001:db8::{number}")
    assert throttle.wait("198.51.100.7") > 0
    assert throttle.wait("198.51.100.8") == 0
    assert throttle.wait("2001:db8::ffff") > 0
    assert throttle.wait("2001:db8:0:1::1") == 0
    assert throttle.wait("::ffff:198.51.100.7") > 0  # as a socket of both families names it
    assert throttle.wait("::ffff:198.51.100.8") == 0
    assert throttle.wait("") == 0


def test_wrong_passwords_are_forgotten(clock: Clock) -> None:
    """Wrong passwords of long ago do not count, and a flood of addresses does not fill the memory."""
    throttle = Throttle(clock)
    for _ in range(FREE_TRIES):
        throttle.failed("198.51.100.7")
    clock.now += FORGOTTEN_AFTER
    assert throttle.failed("198.51.100.7") == 1
    for number in range(MOST_CLIENTS):
        throttle.failed(f"client {number}")
    assert throttle.failed("198.51.100.7") == 1
