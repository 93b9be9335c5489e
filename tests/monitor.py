"""e2a-monitor as a process of its own for tests, and its page as a browser's websocket sees it.

Run as a program it is that process: it writes links into a file first, which only the process that serves them can
sign, and may serve a page of the test's own.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import httpx2
from websockets.sync.client import connect

from tests.servers import ROOT, wait_until

LINKS = "links.json"
LOG = "monitor.log"


class Monitor:
    """A running monitor.

    Args:
        process: that serves.
        folder: of its log and links.
        url: where it serves, without a slash at the end.
    """

    def __init__(self, process: "subprocess.Popen[bytes]", folder: Path, url: str) -> None:
        self.process = process
        self.url = url
        self._folder = folder
        self._browsers = ExitStack()
        self.links: dict[str, str] = json.loads((folder / LINKS).read_text())
        """URLs, by what they lead to."""

    @property
    def port(self) -> int:
        """Where it serves."""
        return int(self.url.rpartition(":")[2])

    def browser(self, **headers: str) -> httpx2.Client:
        """Return a client that keeps cookies and asks for pages, as a browser does; it ends with the monitor."""
        accepted = {"Accept": "text/html,*/*", "Origin": self.url, **headers}
        client = httpx2.Client(base_url=self.url, headers=accepted, trust_env=False, timeout=30)
        return self._browsers.enter_context(client)

    def said(self, browser: httpx2.Client, origin: str = "") -> str:
        """Return all Markdown that the page shows when it is run once; raises what `connect` does if it is refused."""
        from streamlit.proto.BackMsg_pb2 import BackMsg  # noqa: PLC0415 - half a second
        from streamlit.proto.ForwardMsg_pb2 import ForwardMsg  # noqa: PLC0415

        browser.get("/_stcore/health")  # gives the token against forged requests
        cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in browser.cookies.jar)
        token = browser.cookies.get("_streamlit_xsrf", "")
        said: list[str] = []
        with connect(
            f"{self.url.replace('http', 'ws', 1)}/_stcore/stream",
            origin=origin or self.url,
            additional_headers={"Cookie": cookies},
            subprotocols=["streamlit", token],
            proxy=None,
            max_size=None,
        ) as websocket:
            message = BackMsg()
            message.rerun_script.query_string = ""
            websocket.send(message.SerializeToString())
            while True:
                answer = ForwardMsg()
                answer.ParseFromString(websocket.recv(60))
                said.append(answer.delta.new_element.markdown.body)
                if answer.WhichOneof("type") == "script_finished":
                    return "\n".join(filter(None, said))

    def log(self) -> list[dict[str, Any]]:
        """Return what it has logged."""
        lines = (self._folder / LOG).read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def close(self) -> None:
        """Close all browsers."""
        self._browsers.close()

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal, wait for the end and return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(60)


def command(folder: Path, *options: str, page: Path | None = None) -> list[str]:
    """Return the command that starts a monitor on a free port."""
    arguments = [str(folder / LINKS), str(page or ""), "--monitor-port", "0", "--log-format", "json", *options]
    return [sys.executable, "-m", "tests.monitor", *arguments]


@contextmanager
def running(folder: Path, *options: str, page: Path | None = None, **settings: object) -> Iterator[Monitor]:
    """Run a monitor until the block ends.

    Args:
        folder: for its storage, links and log.
        options: of its command line.
        page: script to serve instead of its own.
        settings: E2A_ variables without the prefix.
    """
    clean = {name: value for name, value in os.environ.items() if not name.startswith("E2A_")}
    values = {"STORAGE": folder / "storage", "REDIS_URL": "redis://127.0.0.1:1", "KAFKA_BOOTSTRAP": "127.0.0.1:1"}
    env = clean | {f"E2A_{name}": str(value) for name, value in (values | settings).items()} | {"NO_PROXY": "*"}
    log = folder / LOG
    with log.open("wb") as file:
        process = subprocess.Popen(command(folder, *options, page=page), env=env, cwd=ROOT, stdout=file, stderr=file)
    try:
        wait_until(lambda: '"monitor.serving"' in log.read_text() or process.poll() is not None)
        assert process.poll() is None, log.read_text()
        serving = next(json.loads(line) for line in log.read_text().splitlines() if '"monitor.serving"' in line)
        with closing(Monitor(process, folder, f"http://127.0.0.1:{serving['port']}")) as monitor:
            monitor.browser().get("/_stcore/health").raise_for_status()  # the socket listens already
            yield monitor
    finally:
        process.kill()
        process.wait()


def main() -> None:
    """Write links to `BOOK` of the tests, then serve."""
    from monitor import __main__, server  # noqa: PLC0415
    from monitor.links import shared  # noqa: PLC0415
    from tests.unit.builders import BOOK  # noqa: PLC0415

    links = shared()
    made = {
        "cover": links.cover(BOOK),
        "part": links.part(BOOK, 0),
        "chapter": links.chapter(BOOK, 1),
        "file": links.file(BOOK, 0),
        "download": links.file(BOOK, 0, download=True),
    }
    Path(sys.argv.pop(1)).write_text(json.dumps(made))
    if page := sys.argv.pop(1):
        server.PAGE = Path(page)
    __main__.main()


if __name__ == "__main__":
    main()
