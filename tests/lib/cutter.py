"""A proxy before PostgreSQL or Vault that knows their messages, and breaks the connection at one of them.

Messages are counted over all connections, in each direction: cutting at the n-th that the client sends
loses that message; cutting at the n-th that the server sends loses that answer.
"""
from __future__ import annotations

import socket
import struct
import threading
from typing import Dict, Iterator, List, Optional, Tuple

from tests.lib.scripted import RawServer

UP, DOWN = "up", "down"
SSL_REQUEST, GSS_REQUEST, CANCEL_REQUEST = 80877103, 80877104, 80877102
CONNECT_SECONDS = 10


class _Gone(Exception):
    """One side has closed."""


class _Connection:
    """What the two directions of one connection know of each other."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.client, self.server = client, server
        self.single_bytes = 0  # answers of one byte that are due: those to SSLRequest and its like

    def close(self) -> None:
        """Break both halves at once."""
        for half in (self.client, self.server):
            try:
                half.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # the peer was quicker

    def from_client(self) -> Iterator[bytes]:
        """The client's messages; the first ones have no type."""
        started = False
        while True:
            head = b"" if not started else _exactly(self.client, 1)
            length = _exactly(self.client, 4)
            rest = _exactly(self.client, struct.unpack("!i", length)[0] - 4)
            code = struct.unpack("!i", rest[:4])[0] if not started else 0
            if code in (SSL_REQUEST, GSS_REQUEST):
                self.single_bytes += 1
            elif not started:
                started = code != CANCEL_REQUEST
            yield head + length + rest

    def from_server(self) -> Iterator[bytes]:
        """The server's messages."""
        while True:
            head = _exactly(self.server, 1)
            if self.single_bytes > 0:
                self.single_bytes -= 1
                yield head
                continue
            length = _exactly(self.server, 4)
            yield head + length + _exactly(self.server, struct.unpack("!i", length)[0] - 4)


class _HttpConnection(_Connection):
    """The same of HTTP/1.1: a message is a request, or an answer, whole."""

    def from_client(self) -> Iterator[bytes]:
        while True:
            yield _http_message(self.client)

    def from_server(self) -> Iterator[bytes]:
        while True:
            yield _http_message(self.server)


def _http_message(half: socket.socket) -> bytes:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += _exactly(half, 1)
    lines = head.lower().split(b"\r\n")
    for line in lines:
        if line.startswith(b"content-length:"):
            return head + _exactly(half, int(line.split(b":")[1]))
    if b"transfer-encoding: chunked" not in lines:
        return head
    body = b""
    while not body.endswith(b"0\r\n\r\n"):
        body += _exactly(half, 1)
    return head + body


def _exactly(half: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        try:
            more = half.recv(count - len(data))
        except OSError:
            raise _Gone from None
        if not more:
            raise _Gone
        data += more
    return data


class Cutter:
    """Stands before a server of the loopback on `port`. `cut_at`: (UP or DOWN, n), once; None: never."""

    def __init__(self, target_port: int, http: bool = False) -> None:
        self._target, self._kind = target_port, _HttpConnection if http else _Connection
        self._lock = threading.Lock()
        self.counts: Dict[str, int] = {UP: 0, DOWN: 0}
        self.first_bytes: List[Tuple[str, bytes]] = []
        self.cut_at: Optional[Tuple[str, int]] = None
        self._server = RawServer(self._talk)
        self.port = self._server.port

    def stop(self) -> None:
        """Listen no more."""
        self._server.stop()

    def begin(self, cut_at: Optional[Tuple[str, int]]) -> None:
        """Count from zero, and cut there."""
        with self._lock:
            self.counts = {UP: 0, DOWN: 0}
            self.first_bytes = []
            self.cut_at = cut_at

    def _is_end(self, direction: str, message: bytes) -> bool:
        with self._lock:
            self.counts[direction] += 1
            self.first_bytes.append((direction, message[:1]))
            return self.cut_at == (direction, self.counts[direction])

    def _talk(self, client: socket.socket) -> None:
        server = socket.create_connection(("127.0.0.1", self._target), CONNECT_SECONDS)
        server.settimeout(None)
        client.settimeout(None)
        connection = self._kind(client, server)
        other = threading.Thread(target=self._pass_on, args=(
            connection, connection.from_server(), client, DOWN), daemon=True)
        other.start()
        self._pass_on(connection, connection.from_client(), server, UP)
        other.join()
        server.close()

    def _pass_on(self, connection: _Connection, messages: Iterator[bytes], to: socket.socket,
                 direction: str) -> None:
        try:
            for message in messages:
                if self._is_end(direction, message):
                    break
                to.sendall(message)
        except (_Gone, OSError):
            pass  # the end of the one side is told to the other
        connection.close()
