"""A network that fails when it is told to: a TCP proxy in front of a server."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Self

CHUNK = 65_536
"""Bytes passed on at once."""


class Proxy:
    """Passes connections on to a server until it is told to cut or delay them; a context manager. Thread-safe.

    Args:
        target: host:port of the server; it need not be there yet.
    """

    def __init__(self, target: str) -> None:
        self._host, _, port = target.rpartition(":")
        self._port = int(port)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"proxy of {target}", daemon=True)
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server
        self._open = asyncio.Event()
        self._refuses = False
        self._delay = 0.0
        self.address = ""
        """host:port at which it listens."""

    def __enter__(self) -> Self:
        self._thread.start()
        self._open.set()
        listening = asyncio.start_server(self._accept, "127.0.0.1", 0)
        self._server = asyncio.run_coroutine_threadsafe(listening, self._loop).result()
        self.address = "127.0.0.1:{1}".format(*self._server.sockets[0].getsockname())
        return self

    def __exit__(self, *_error: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def cut(self) -> None:
        """Close all connections, and new ones as soon as they are made: a server whose port is closed."""
        self._do(self._cut)

    def hold(self) -> None:
        """Pass nothing on in either direction, and close nothing: a network that has lost its way."""
        self._do(self._open.clear)

    def delay(self, seconds: float) -> None:
        """Pass everything on that much later."""
        self._delay = seconds

    def heal(self) -> None:
        """Pass everything on again; what was held is passed on now."""
        self._do(self._heal)

    def _cut(self) -> None:
        self._refuses = True
        self._drop()

    async def _end(self) -> None:
        self._server.close()
        self._drop()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)  # in which aborted transports close their sockets

    def _drop(self) -> None:
        for task in self._tasks:
            task.cancel()

    def _heal(self) -> None:
        self._refuses = False
        self._delay = 0.0
        self._open.set()

    def _do(self, change: Callable[[], object]) -> None:
        """Call a function in the thread of the loop and wait for it."""
        done = threading.Event()

        def call() -> None:
            change()
            done.set()

        self._loop.call_soon_threadsafe(call)
        done.wait()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refuses:
            writer.close()
            return
        task = self._loop.create_task(self._connect(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers = [writer]
        try:
            await self._open.wait()
            there, back = await asyncio.open_connection(self._host, self._port)
            writers.append(back)
            pumps = [self._loop.create_task(self._pump(*pair)) for pair in ((reader, back), (there, writer))]
            try:
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for pump in pumps:
                    pump.cancel()
                await asyncio.gather(*pumps, return_exceptions=True)
        except (OSError, asyncio.CancelledError):
            pass  # whoever is at the other end sees a closed connection
        finally:
            for each in writers:
                each.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(CHUNK):
                await self._open.wait()
                if self._delay:
                    await asyncio.sleep(self._delay)
                writer.write(data)
                await writer.drain()
