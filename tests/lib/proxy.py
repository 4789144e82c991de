"""A TCP proxy that delays each direction and counts connections and round trips, exactly.

A round trip is counted as the client has it: it sends something after it was handed something (or for
the first time on the connection). What it sends without waiting belongs to the same trip.
"""
from __future__ import annotations

import asyncio
import threading
from typing import Any, Coroutine, List, Optional, Tuple

from tests.lib.processes import register, unregister

CHUNK_BYTES = 64 * 1024
START_SECONDS = 10


class Traffic:
    """What one connection did."""

    def __init__(self) -> None:
        self.round_trips = 0
        self.sent_bytes = 0
        self.received_bytes = 0
        self.answered = True  # the next bytes of the client begin a round trip
        self.swallow = False  # what the server says next is lost with the connection


class Proxy:
    """Stands before a server of the loopback. `delay_ms` is added in each direction."""

    def __init__(self, target_port: int, delay_ms: float = 0.0,
                 target_host: str = "127.0.0.1") -> None:
        self.target: Tuple[str, int] = (target_host, target_port)
        self.delay_ms = delay_ms
        self.connections: List[Traffic] = []
        self.serves: Optional[int] = None  # so many connections; the others are taken and hear nothing
        self.port = 0
        self._swallow: Optional[bytes] = None
        self._open: List[asyncio.StreamWriter] = []
        self._loop = asyncio.new_event_loop()
        self._server: Optional[asyncio.AbstractServer] = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)
        self._thread.start()
        if not self._ready.wait(START_SECONDS):
            raise RuntimeError("the proxy did not start")
        self._key = register(self.stop)

    # ---- for tests ----------------------------------------------------------------------------

    @property
    def round_trips(self) -> int:
        """Of all connections together."""
        return sum(traffic.round_trips for traffic in self.connections)

    def reset(self) -> None:
        """Count from zero again."""
        self.connections = []

    def swallow_answer_to(self, pattern: bytes) -> None:
        """When a client sends `pattern`: hand it on, then cut the connection without the answer."""
        self._swallow = pattern

    def cut(self) -> None:
        """Close every open connection, at once."""
        self._call(self._cut())

    def stop(self) -> None:
        """Stop listening, close what is open, end the thread."""
        unregister(self._key)
        if not self._thread.is_alive():
            return
        self._call(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(START_SECONDS)

    # ---- the loop's thread --------------------------------------------------------------------

    def _call(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(START_SECONDS)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._listen())
        self._ready.set()
        self._loop.run_forever()
        left = asyncio.all_tasks(self._loop)
        for task in left:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        self._loop.close()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=512)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _cut(self) -> None:
        for writer in list(self._open):
            writer.transport.abort()

    async def _end(self) -> None:
        if self._server is not None:
            self._server.close()
        await self._cut()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        traffic = Traffic()
        self.connections.append(traffic)
        if self.serves is not None and len(self.connections) > self.serves:
            await self._say_nothing(reader, writer)
            return
        try:
            server_reader, server_writer = await asyncio.open_connection(*self.target)
        except OSError:
            writer.transport.abort()
            return
        self._open += [writer, server_writer]
        up: "asyncio.Queue[Tuple[float, bytes]]" = asyncio.Queue()
        down: "asyncio.Queue[Tuple[float, bytes]]" = asyncio.Queue()
        work = [asyncio.ensure_future(each) for each in (
            self._read(reader, up, traffic, True), self._write(up, server_writer, traffic, True),
            self._read(server_reader, down, traffic, False),
            self._write(down, writer, traffic, False))]
        try:
            await asyncio.gather(*work)
        except (OSError, asyncio.CancelledError):
            pass  # the other side is told by closing, as without a proxy
        finally:
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)
            for each in (writer, server_writer):
                self._open.remove(each)
                each.close()

    async def _say_nothing(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.append(writer)
        try:
            while await reader.read(CHUNK_BYTES):
                pass
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._open.remove(writer)
            writer.close()

    async def _read(self, reader: asyncio.StreamReader,
                    line: "asyncio.Queue[Tuple[float, bytes]]", traffic: Traffic,
                    upward: bool) -> None:
        """Read at once and write when the delay is over: a longer line, not a narrower one."""
        data = b"more"
        while data:
            data = await reader.read(CHUNK_BYTES)
            if upward and data:
                traffic.sent_bytes += len(data)
                traffic.round_trips += traffic.answered
                traffic.answered = False
            line.put_nowait((self._loop.time() + self.delay_ms / 1000, data))

    async def _write(self, line: "asyncio.Queue[Tuple[float, bytes]]", writer: asyncio.StreamWriter,
                     traffic: Traffic, upward: bool) -> None:
        while True:
            due, data = await line.get()
            wait = due - self._loop.time()
            if wait > 0:
                await asyncio.sleep(wait)
            if not upward and traffic.swallow:
                writer.transport.abort()
                raise ConnectionAbortedError("the answer is swallowed")
            if not data:
                if writer.can_write_eof():
                    writer.write_eof()
                return
            if upward and self._swallow is not None and self._swallow in data:
                self._swallow, traffic.swallow = None, True
            if not upward:
                traffic.received_bytes += len(data)
                traffic.answered = True
            writer.write(data)
            await writer.drain()
