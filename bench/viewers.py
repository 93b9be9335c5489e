"""What 1, and what 20 viewers cost: sessions of the real `e2a-monitor`, on a cluster of 50 books and 64 workers.

Books, workers and events are made up as in `bench.monitor`, and a part is done every second; Redis, Kafka and the
server are real. A viewer is a websocket that speaks Streamlit's protocol as a browser does: it opens a page and runs
its live parts again as often as the page says, every two seconds. `refresh_ms` is the time from when one is due until
its last message has come. `share` is of one core, and `resident_mb` the memory, of the server; `commands` are those
that Redis gets in a second, the maker of parts included: one feed serves all, so viewers should not change them.
"""

import argparse
import asyncio
import itertools
import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect

from bench.monitor import Size, churning, fill
from deploy.local.kept import BIN, free_ports
from e2a.settings import MonitorSettings
from tests import servers
from tests.servers import listens, wait_until

PAGES = (("", ""), ("book", f"book={0:016x}"), ("timeline", ""), ("workers", ""), ("queue", ""))
"""Name in the address, and query."""
APART = 0.1
"""Seconds between the openings of two viewers."""
TICKS = os.sysconf("SC_CLK_TCK")


class Viewer:
    """A session.

    Args:
        socket: to the server.
        page: name of the page.
        query: of its address.
    """

    def __init__(self, socket: ClientConnection, page: str, query: str) -> None:
        self._socket = socket
        self._page = page
        self._query = query
        self._hash = ""
        self._due: dict[str, float] = {}
        self._every: dict[str, float] = {}
        self._left = False
        self.opened = 0.0
        """Seconds until the whole page had come."""
        self.taken: list[float] = []
        """Seconds that refreshes took."""

    async def look(self) -> None:
        """Open the page and refresh it until `leave`."""
        began = time.perf_counter()
        await self._run()
        async for raw in self._socket:
            message = ForwardMsg()
            message.ParseFromString(raw if isinstance(raw, bytes) else raw.encode())
            kind = message.WhichOneof("type")
            if kind == "new_session":
                self._hash = message.new_session.page_script_hash
            elif kind == "auto_rerun" and message.auto_rerun.fragment_id not in self._every:
                self._every[message.auto_rerun.fragment_id] = message.auto_rerun.interval
            elif kind == "script_finished":
                now = time.perf_counter()
                if not self.opened:
                    self.opened = now - began
                    for fragment in self._every:
                        asyncio.get_running_loop().call_later(self._every[fragment], self._refresh, fragment)
                elif self._due:
                    self.taken.append(now - min(self._due.values()))
                    self._due.clear()

    async def leave(self) -> None:
        """Close the page."""
        self._left = True
        await self._socket.close()

    def _refresh(self, fragment: str) -> None:
        if self._left:
            return
        self._due.setdefault(fragment, time.perf_counter())
        loop = asyncio.get_running_loop()
        loop.call_later(self._every[fragment], self._refresh, fragment)
        self._sent = loop.create_task(self._run(fragment))

    async def _run(self, fragment: str = "") -> None:
        message = BackMsg()
        wish = message.rerun_script
        wish.query_string, wish.page_name, wish.page_script_hash = self._query, self._page, self._hash
        wish.fragment_id, wish.is_auto_rerun = fragment, bool(fragment)
        await self._socket.send(message.SerializeToString())


async def watch(url: str, count: int, seconds: float) -> list[Viewer]:
    """Have so many viewers look for so long; return them."""
    viewers: list[Viewer] = []
    tasks = []
    for page, query in itertools.islice(itertools.cycle(PAGES), count):
        socket = await connect(f"{url}/_stcore/stream", subprotocols=["streamlit"], max_size=None, proxy=None)
        viewers.append(Viewer(socket, page, query))
        tasks.append(asyncio.create_task(viewers[-1].look()))
        await asyncio.sleep(APART)
    await asyncio.sleep(seconds)
    for viewer in viewers:
        await viewer.leave()
    await asyncio.gather(*tasks)
    return viewers


@contextmanager
def monitor(settings: MonitorSettings, folder: Path) -> Iterator[tuple[int, str]]:
    """Serve the page until the block ends; yield its process and where it listens."""
    (port,) = free_ports(1)
    own = {
        "E2A_KAFKA_BOOTSTRAP": settings.kafka_bootstrap,
        "E2A_REDIS_URL": settings.redis_url,
        "E2A_STORAGE": settings.storage,
        "E2A_MONITOR_PORT": str(port),
    }
    with (folder / "monitor.log").open("wb") as log:
        process = subprocess.Popen([BIN / "e2a-monitor"], env=os.environ | own, stdout=log, stderr=log)
    try:
        wait_until(lambda: listens(port))
        yield process.pid, f"ws://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def cpu(process: int) -> float:
    """Return the seconds of the processor that a process has taken."""
    user, system = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / TICKS


def resident(process: int) -> int:
    """Return the megabytes of memory that a process has."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 1_000_000


def commands(redis_url: str) -> int:
    """Return how many commands a Redis has got."""
    said = subprocess.run(["redis-cli", "-u", redis_url, "info", "stats"], capture_output=True, check=True, text=True)
    (count,) = (line.partition(":")[2] for line in said.stdout.splitlines() if line.startswith("total_commands_proc"))
    return int(count)


def measure(process: int, url: str, redis_url: str, count: int, seconds: float) -> dict[str, object]:
    """Return what so many viewers cost."""
    began, used, asked = time.perf_counter(), cpu(process), commands(redis_url)
    viewers = asyncio.run(watch(url, count, seconds))
    wall = time.perf_counter() - began
    taken = sorted(1000 * each for viewer in viewers for each in viewer.taken)
    return {
        "viewers": count,
        "opened_s": [round(viewer.opened, 2) for viewer in viewers],
        "refreshes": len(taken),
        "refreshes_a_viewer_and_second": round(len(taken) / count / wall, 2),
        "refresh_ms": {
            "p50": round(statistics.median(taken)),
            "p95": round(taken[int(0.95 * len(taken))]),
            "most": round(taken[-1]),
        },
        "share": round((cpu(process) - used) / wall, 2),
        "resident_mb": resident(process),
        "commands": round((commands(redis_url) - asked) / wall),
        "load": round(os.getloadavg()[0], 1),
    }


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--viewers", type=int, nargs="+", default=[1, 20])
    parser.add_argument("--chapters", type=int, default=1200)
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    size = Size(books=50, chapters=options.chapters, per_chapter=1, workers=64, events=60_000)
    print(json.dumps({"cpus": os.cpu_count()} | size._asdict()), flush=True)
    folder = Path(tempfile.mkdtemp(prefix="e2a-bench-"))
    with servers.kafka(folder / "kafka") as kafka, servers.redis(folder / "redis") as redis:
        settings = MonitorSettings(kafka_bootstrap=str(kafka), redis_url=redis, storage=str(folder / "storage"))
        fill(size, settings)
        with monitor(settings, folder) as (process, url), churning(1, 1, settings):
            asyncio.run(watch(url, 1, 30))  # what is imported once, and the history
            for count in options.viewers:
                print(json.dumps(measure(process, url, redis, count, options.seconds)), flush=True)


if __name__ == "__main__":
    main()
