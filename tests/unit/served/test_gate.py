"""The gate: who has not logged in gets nothing, and what changes something comes from the page."""

from collections.abc import Collection

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from e2a import metrics
from monitor.gate import Gate

HTML = {"Accept": "text/html,application/xhtml+xml"}


def viewers() -> float:
    return metrics.MONITOR.get_sample_value("e2a_viewers") or 0.0


class Doorman:
    """Admits who says please."""

    free = ("/login",)

    def admits(self, connection: HTTPConnection) -> bool:
        return connection.headers.get("please") == "yes"


async def page(request: Request) -> PlainTextResponse:
    return PlainTextResponse("page")


async def own(request: Request) -> PlainTextResponse:
    return PlainTextResponse("page", headers={"Content-Security-Policy": "own"})


async def stream(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text(f"hello, {viewers():.0f}")
    await websocket.close()


def client(keeper: Doorman | None, hosts: Collection[str] = ()) -> TestClient:
    """Return a browser in front of a gate, behind which are a page and a websocket."""
    methods = ["GET", "POST", "PUT"]
    routes = [
        WebSocketRoute("/stream", stream),
        Route("/own", own),
        Route("/{path:path}", page, methods=methods),
    ]
    app = Starlette(routes=routes, middleware=[Middleware(Gate, keeper=keeper, hosts=hosts)])
    return TestClient(app, base_url="http://books.example", follow_redirects=False)


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/", "/login?next=/"),
        ("/workers?book=1&x=2", "/login?next=/workers%3Fbook%3D1%26x%3D2"),
        ("/%0d%0aX: y", "/login?next=/%0D%0AX%3A%20y"),
        ("//evil.example", "/login?next=//evil.example"),
    ],
)
def test_pages_lead_to_the_login(path: str, target: str) -> None:
    """Who asks for a page without having logged in is led to where one does, and from there to the page."""
    answer = client(Doorman()).get(f"http://books.example{path}", headers=HTML)
    assert (answer.status_code, answer.headers["location"]) == (303, target)


@pytest.mark.parametrize(("method", "headers"), [("GET", {}), ("POST", HTML), ("PUT", {})])
def test_other_requests_are_refused(method: str, headers: dict[str, str]) -> None:
    """What is no page is refused."""
    answer = client(Doorman()).request(method, "/_stcore/upload_file/1/2", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"]


def test_websockets_are_closed() -> None:
    """A websocket is not opened for who has not logged in, nor for a page of another host, logged in or not."""
    with pytest.raises(WebSocketDisconnect), client(Doorman()).websocket_connect("/stream"):
        pass
    headers = {"please": "yes", "host": "books.example", "origin": "http://evil.example"}
    with pytest.raises(WebSocketDisconnect), client(Doorman()).websocket_connect("/stream", headers=headers):
        pass
    headers["origin"] = "http://books.example"
    with client(Doorman()).websocket_connect("/stream", headers=headers) as websocket:
        assert websocket.receive_text() == "hello, 1"
    assert viewers() == 0


def test_who_has_logged_in_passes() -> None:
    """Who was admitted gets everything."""
    browser = client(Doorman())
    browser.headers["please"] = "yes"
    assert {browser.get(path, headers=HTML).status_code for path in ("/", "/media/1")} == {200}


@pytest.mark.parametrize("path", ["/login", "/_stcore/health"])
def test_the_way_in_is_free(path: str) -> None:
    """The way in, and what watches the server, need no login; nothing below or beside them is free."""
    browser = client(Doorman())
    assert browser.get(path).status_code == 200
    assert {browser.get(other).status_code for other in (f"{path}/x", f"{path}x", f"/x{path}", f"{path}/")} == {401}


@pytest.mark.parametrize("keeper", [None, Doorman()])
@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (None, 200),
        ("http://books.example", 200),
        ("https://books.example", 200),  # a proxy speaks TLS
        ("http://evil.example", 403),
        ("http://books.example.evil.example", 403),
        ("http://books.example:81", 403),
        ("null", 403),
        ("", 403),
        ("http://[", 403),
    ],
)
def test_changes_come_from_the_page(keeper: Doorman | None, origin: str | None, status: int) -> None:
    """What a browser sends from a page of another host is refused, whoever has logged in."""
    headers = {"please": "yes"} | ({} if origin is None else {"Origin": origin})
    assert client(keeper).post("/x", headers=headers).status_code == status
    assert client(keeper).get("/x", headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [("localhost:8501", 200), ("127.0.0.1", 200), ("[::1]:8501", 200), ("evil.example", 421), ("[", 421), ("", 421)],
)
def test_an_open_page_has_known_names(host: str, status: int) -> None:
    """A page that is open to this machine is not to be had by a name that somebody else made lead here."""
    browser = client(None, {"localhost", "127.0.0.1", "::1"})
    assert browser.get("/", headers={"Host": host}).status_code == status


def test_answers_are_hardened() -> None:
    """Every answer says that nothing comes from elsewhere and who may frame it, unless it says so itself."""
    browser = client(Doorman())
    for answer in (browser.get("/"), browser.get("/", headers={"please": "yes"})):
        assert "default-src 'self'" in answer.headers["content-security-policy"]
        assert "frame-ancestors 'self'" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert browser.get("/own", headers={"please": "yes"}).headers["content-security-policy"] == "own"
