"""Logging in with an OpenID Connect provider, through the real server and Streamlit's own way."""

import html
import re
from collections.abc import Iterator

import httpx2
import pytest
from itsdangerous import URLSafeTimedSerializer
from joserfc.jwk import RSAKey
from websockets.exceptions import InvalidStatus

from deploy.local.kept import free_ports
from tests.integration.test_monitor_server import PAGE
from tests.monitor import Monitor, running
from tests.provider import CLIENT_ID, CLIENT_SECRET, Provider, provider

JANE = {"email": "jane@books.example", "email_verified": True, "name": "Jane"}


@pytest.fixture(scope="module")
def served() -> Iterator[Provider]:
    with provider() as server:
        yield server


@pytest.fixture
def idp(served: Provider) -> Provider:
    """Return a provider that knows Jane and is honest."""
    served.claims, served.denies, served.signing_key = dict(JANE), False, served.key
    return served


@pytest.fixture(scope="module")
def monitor(served: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Monitor]:
    """Return a monitor that only Jane and her sister may see."""
    folder = tmp_path_factory.mktemp("oidc")
    page = folder / "page.py"
    page.write_text(PAGE)
    (port,) = free_ports(1)
    settings = {
        "MONITOR_OIDC_METADATA_URL": f"{served.issuer}/.well-known/openid-configuration",
        "MONITOR_OIDC_CLIENT_ID": CLIENT_ID,
        "MONITOR_OIDC_CLIENT_SECRET": CLIENT_SECRET,
        "MONITOR_OIDC_REDIRECT_URI": f"http://127.0.0.1:{port}/oauth2callback",
        "MONITOR_USERS": "Jane@Books.example, cassandra@books.example",
    }
    with running(folder, "--monitor-port", str(port), page=page, **settings) as process:
        yield process


def log_in(browser: httpx2.Client) -> httpx2.Response:
    """Follow the page to the provider and back; return where one ends."""
    asked = browser.get("/", follow_redirects=True)
    assert asked.url.path == "/login"
    (url,) = re.findall(r'href="(/auth/login[^"]+)"', asked.text)
    return browser.get(html.unescape(url), follow_redirects=True)


def test_an_invited_person_sees_the_page(monitor: Monitor, idp: Provider) -> None:
    """Who is on the list comes through the provider to the page, which knows who they are."""
    browser = monitor.browser()
    answer = log_in(browser)
    assert (answer.status_code, answer.url.path) == (200, "/")
    assert "<title>Streamlit</title>" in answer.text
    said = monitor.said(browser)
    assert "viewer=[jane@books.example] change=True" in said
    assert "out=[/auth/logout]" in said
    assert browser.get("/login", follow_redirects=False).headers["location"] == "/"


def test_logging_out(monitor: Monitor, idp: Provider) -> None:
    """After logging out one is asked again."""
    browser = monitor.browser()
    log_in(browser)
    browser.get("/auth/logout")
    assert browser.get("/").headers["location"].startswith("/login")
    with pytest.raises(InvalidStatus, match="403"):
        monitor.said(browser)


@pytest.mark.parametrize(
    "claims",
    [{"email": "mary@books.example"}, {"email": "jane@books.example", "email_verified": False}, {"email": ""}],
)
def test_a_stranger_does_not(monitor: Monitor, idp: Provider, claims: dict[str, object]) -> None:
    """Who is not on the list, or whose address the provider doubts, is told so and gets nothing."""
    idp.claims = claims
    browser = monitor.browser()
    answer = log_in(browser)
    assert answer.status_code == 403
    assert 'href="/auth/logout"' in answer.text
    with pytest.raises(InvalidStatus, match="403"):
        monitor.said(browser)
    assert browser.get(monitor.links["cover"], headers={"Accept": "*/*"}).status_code == 401


def test_nobody_gets_in_without(monitor: Monitor) -> None:
    """Without having logged in there is nothing but the way in."""
    browser = monitor.browser()
    for path in ("/", "/oauth2callback?code=1&state=2", "/auth/login?provider=x", "/auth/logout"):
        answer = browser.get(path, follow_redirects=True)
        assert (answer.url.path, "/auth/login?provider=" in answer.text) == ("/login", True)
    browser.headers["Accept"] = "*/*"
    for path in ("/", "/_stcore/host-config", "/_stcore/metrics", monitor.links["cover"]):
        assert browser.get(path).status_code == 401
    assert browser.put("/_stcore/upload_file/1/2", content=b"x").status_code == 401
    with pytest.raises(InvalidStatus, match="403"):
        monitor.said(browser)


@pytest.mark.parametrize("fault", ["signature", "nonce", "audience", "expired", "denied"])
def test_a_token_that_is_not_good(monitor: Monitor, idp: Provider, fault: str) -> None:
    """A token that is forged, old, or for somebody else logs nobody in, and neither does a refusal."""
    match fault:
        case "signature":
            idp.signing_key = RSAKey.generate_key(2048, {"kid": "1"})
        case "denied":
            idp.denies = True
        case _:
            idp.claims |= {"nonce": {"nonce": "another"}, "audience": {"aud": "another"}, "expired": {"exp": 1}}[fault]
    browser = monitor.browser()
    assert log_in(browser).url.path == "/login"
    assert browser.get("/").status_code == 303


def test_a_forged_cookie(monitor: Monitor) -> None:
    """A cookie that somebody else signed, or none that can be read, is no session."""
    forged = URLSafeTimedSerializer("another secret", salt="_streamlit_user").dumps('{"is_logged_in": true}')
    for value in (forged, "x", ""):
        assert monitor.browser(Cookie=f"_streamlit_user={value}").get("/").status_code == 303


def test_a_login_is_for_one_origin(monitor: Monitor, idp: Provider) -> None:
    """Under another name than that of the redirect URI the page asks to log in again and shows nothing."""
    browser = monitor.browser()
    log_in(browser)
    monitor.url = monitor.url.replace("127.0.0.1", "localhost")
    try:
        assert "viewer" not in monitor.said(browser)
    finally:
        monitor.url = monitor.url.replace("localhost", "127.0.0.1")
