"""The process that serves the page, its files and the way in, as clients and its owner see it."""

import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from websockets.exceptions import InvalidStatus

import monitor.__main__ as command
from e2a import service
from e2a.errors import ExitCode
from e2a.report import Report, ReportedFile
from e2a.storage import DirectoryStore, keys
from tests.monitor import Monitor, running
from tests.servers import listens, wait_until
from tests.stores import directory_store
from tests.unit.builders import BOOK, a_plan, put_part, put_plan, some_audio

PASSWORD = "correct horse"
TITLE = 'Émile\r\nSet-Cookie: a=b; "x"'
SIZE = 20_000_000
JPEG = b"\xff\xd8\xff\xe0" + bytes(100)
PAGE = """
import sys
import streamlit as st
from e2a.settings import MonitorSettings, load
from monitor import access
settings = load(MonitorSettings, sys.argv[1:])
access.require_login(settings)
st.markdown(f"viewer=[{access.viewer(settings)}] change={access.may_change(settings)}")
st.markdown(f"out=[{access.log_out_url(settings)}] redis={settings.redis_url}")
"""


def put_book(store: DirectoryStore) -> bytes:
    """Store a finished book of one chapter with a cover, and return its file."""
    plan = a_plan(parts=(2,), cover="cover.jpg", title=TITLE)
    put_plan(store, plan)
    for part in plan.parts:
        put_part(store, part)
    store.put(keys.book(BOOK, "cover.jpg"), JPEG)
    data = os.urandom(SIZE)
    key = keys.output(BOOK, "book.m4b")
    store.put(key, data)
    file = ReportedFile(format="m4b", key=key, name=".m4b", size=len(data))
    report = Report(book_id=BOOK, title=TITLE, output=key, audio_seconds=1, audio_bytes=len(data), files=(file,))
    store.put(keys.report(BOOK), report.model_dump_json().encode())
    return data


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a page that shows what it knows of its viewer."""
    script = tmp_path_factory.mktemp("page") / "page.py"
    script.write_text(PAGE)
    return script


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("monitor")


@pytest.fixture(scope="module")
def data(folder: Path) -> bytes:
    """Store a book and return its file."""
    return put_book(directory_store(folder / "storage", 1))


@pytest.fixture(scope="module")
def monitor(folder: Path, page: Path) -> Iterator[Monitor]:
    """Return a monitor with a password."""
    options = ("--redis-url", "redis://elsewhere")
    with running(folder, *options, page=page, MONITOR_PASSWORD=PASSWORD, MONITOR_READ_ONLY=True) as process:
        yield process


@pytest.fixture(scope="module")
def inside(monitor: Monitor) -> httpx2.Client:
    """Return a browser that has logged in."""
    client = monitor.browser()
    assert client.post("/login", data={"password": PASSWORD}).status_code == 303
    return client


def test_the_page_is_served_to_who_has_logged_in(monitor: Monitor, inside: httpx2.Client) -> None:
    """The page and its scripts come, and its websocket runs the script with the settings of the process."""
    html = inside.get("/").text
    assert "<title>Streamlit</title>" in html
    said = monitor.said(inside)
    assert "viewer=[] change=False" in said
    assert "out=[/logout] redis=redis://elsewhere" in said


def test_a_page_that_only_shows_takes_no_files(monitor: Monitor, inside: httpx2.Client) -> None:
    """Where nothing may be changed nobody can fill the memory with files either."""
    answer = inside.put("/_stcore/upload_file/1/2", content=b"x")
    assert (answer.status_code, answer.text) == (403, "This page only shows.")


@pytest.mark.parametrize("cookie", ["", "e2a_session=", "e2a_session=x.y.z", "_streamlit_user=x"])
def test_nothing_is_served_to_others(monitor: Monitor, cookie: str) -> None:
    """Without a session the page leads to the login; all else is refused: scripts, uploads, files, the websocket."""
    client = monitor.browser(Cookie=cookie)
    for path in ("/", "/workers", "/index.html", "/static/x", "//", "/login/", "/_stcore/health/../stream"):
        answer = client.get(path)
        assert (answer.status_code, answer.headers["location"].split("?")[0]) == (303, "/login")
    client.headers["Accept"] = "*/*"
    for path in ("/", "/_stcore/stream", "/_stcore/metrics", "/_stcore/host-config", "/media/x", monitor.links["file"]):
        assert client.get(path).status_code == 401
    assert client.put("/_stcore/upload_file/1/2", content=b"x").status_code == 401
    with pytest.raises(InvalidStatus, match="403"):
        monitor.said(monitor.browser())


def test_another_site_gets_nothing(monitor: Monitor, inside: httpx2.Client) -> None:
    """A page of another host cannot use the session of a viewer: no websocket, no login, no upload."""
    with pytest.raises(InvalidStatus, match="403"):
        monitor.said(inside, origin="http://evil.example")
    foreign = {"Origin": "http://evil.example"}
    assert inside.post("/login", data={"password": PASSWORD}, headers=foreign).status_code == 403
    assert inside.put("/_stcore/upload_file/1/2", content=b"x", headers=foreign).status_code == 403


def test_failures_are_slowed_and_logged(monitor: Monitor) -> None:
    """Wrong passwords are told, then slowed, and the log says whose they were, whoever else a header names."""
    client = monitor.browser(**{"X-Forwarded-For": "198.51.100.7"})
    codes = [client.post("/login", data={"password": f"wrong {number}"}).status_code for number in range(6)]
    assert codes == [403] * 5 + [429]
    refused = [entry for entry in monitor.log() if entry["event"] == "monitor.login_refused"]
    assert {entry["client"] for entry in refused} == {"127.0.0.1"}
    assert PASSWORD not in str(monitor.log())


def test_files_are_served_whole_and_in_parts(monitor: Monitor, inside: httpx2.Client, data: bytes) -> None:
    """A file of several pieces comes as it is, and from any place on; nothing is compressed on its way."""
    answer = inside.get(monitor.links["file"])
    assert answer.content == data
    assert answer.headers["content-type"] == "audio/mp4"
    assert "content-encoding" not in answer.headers
    answer = inside.get(monitor.links["file"], headers={"Range": "bytes=1000000-2500000"})
    assert (answer.status_code, answer.content) == (206, data[1_000_000:2_500_001])
    assert inside.get(monitor.links["file"], headers={"Range": f"bytes={SIZE}-"}).status_code == 416
    head = inside.head(monitor.links["file"])
    assert (head.headers["content-length"], head.content) == (str(SIZE), b"")


def test_audio_and_cover_are_served(monitor: Monitor, inside: httpx2.Client, data: bytes) -> None:
    """Part, chapter and cover come as what they are."""
    sound = [some_audio(part) for part in a_plan(parts=(2,)).parts]
    assert inside.get(monitor.links["part"]).content == sound[0]
    assert inside.get(monitor.links["chapter"]).content == b"".join(sound)
    assert inside.get(monitor.links["cover"]).headers["content-type"] == "image/jpeg"


def test_a_title_cannot_split_a_header(monitor: Monitor, inside: httpx2.Client, data: bytes) -> None:
    """A book with line ends and quotes in its title is kept under a name without them."""
    answer = inside.get(monitor.links["download"])
    assert answer.content == data
    assert "set-cookie" not in answer.headers
    assert answer.headers["content-disposition"].endswith("filename*=UTF-8''%C3%89mile%20Set-Cookie%20a%3Db%3B%20x.m4b")


@pytest.mark.parametrize("path", ["plan.json", "%2e%2e/%2e%2e/plan.json", "cover%00", "parts/0%2f..%2f..%2fplan.json"])
def test_no_path_leads_into_storage(monitor: Monitor, inside: httpx2.Client, path: str) -> None:
    """Behind a good seal no other path is served, however it is written."""
    root = monitor.links["cover"].removesuffix("cover")
    assert inside.get(root + path).status_code in {403, 404}


def test_logging_out(monitor: Monitor) -> None:
    """After logging out the page leads to the login again."""
    client = monitor.browser()
    # it may have to wait for the wrong passwords of another test
    wait_until(lambda: client.post("/login", data={"password": PASSWORD}).status_code == 303)
    assert client.get("/").status_code == 200
    client.get("/logout", headers={"Sec-Fetch-Site": "same-origin"})
    assert client.get("/").status_code == 303


def test_it_stops_at_a_signal(folder: Path, page: Path, data: bytes) -> None:
    """SIGTERM ends it with 0 and frees the port, although somebody looks on and somebody fetches a file slowly."""
    with running(folder, page=page) as monitor:
        client = monitor.browser()
        assert "viewer=[] change=True" in monitor.said(client)
        with client.stream("GET", monitor.links["file"]) as slow:
            pieces = slow.iter_raw(1000)  # which closes the connection when it is forgotten
            next(pieces)
            assert monitor.stop() == ExitCode.OK
        assert monitor.log()[-1]["event"] == "monitor.stopped"
        assert not listens(monitor.port)
        assert "Traceback" not in (folder / "monitor.log").read_text()


def test_a_second_signal_ends_it(folder: Path, page: Path, data: bytes) -> None:
    """A second signal ends it at once, whatever is on its way."""
    with running(folder, page=page) as monitor, socket.create_connection(("127.0.0.1", monitor.port)) as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.sendall(f"GET {monitor.links['file']} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert slow.recv(100)
        monitor.process.send_signal(signal.SIGTERM)
        wait_until(lambda: not listens(monitor.port))
        assert monitor.stop() == ExitCode.INTERRUPTED


@pytest.mark.parametrize(
    ("settings", "code", "named"),
    [
        ({"E2A_MONITOR_HOST": "0.0.0.0"}, ExitCode.CONFIG, "E2A_MONITOR_PASSWORD"),
        ({"E2A_MONITOR_PASSWORD": "short"}, ExitCode.CONFIG, "E2A_MONITOR_PASSWORD is shorter"),
        ({"E2A_MONITOR_OIDC_CLIENT_ID": "e2a"}, ExitCode.CONFIG, "E2A_MONITOR_OIDC_METADATA_URL"),
        ({"E2A_MONITOR_HOST": "203.0.113.1", "E2A_MONITOR_OPEN": "true"}, ExitCode.UNAVAILABLE, "203.0.113.1"),
    ],
)
def test_it_does_not_start(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], settings: dict[str, str], code: int, named: str
) -> None:
    """Where others would see the page by oversight, or nobody can, it does not start and says what to set."""
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    assert started(monkeypatch, "--monitor-port", "0") == code
    said = capsys.readouterr().err
    assert named in said
    assert said.count("\n") == 1
    assert "short'" not in said


def test_a_port_that_is_taken(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A port that somebody else serves on ends the command with a line that names it."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        assert started(monkeypatch, "--monitor-port", port) == ExitCode.UNAVAILABLE
    assert f"port {port}" in capsys.readouterr().err


def started(monkeypatch: pytest.MonkeyPatch, *options: str) -> int:
    """Return with what a command ends that cannot begin."""
    monkeypatch.setattr(command.log, "configure", lambda *_: None)
    monkeypatch.setattr(command.server, "serve", lambda *_: pytest.fail("it began"))
    monkeypatch.setattr(sys, "argv", ["e2a-monitor", *options])
    return service.run("e2a-monitor", command.run)


def test_health_and_metrics(tmp_path: Path, page: Path) -> None:
    """The port of the metrics serves them and the health, also for a page with a password."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with (
        running(tmp_path, page=page, METRICS_PORT=port, MONITOR_PASSWORD=PASSWORD),
        httpx2.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
    ):
        assert client.get("/healthz").json()["service"] == "e2a-monitor"
        assert "python_info" in client.get("/metrics").text
