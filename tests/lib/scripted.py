"""Servers that do as they are told: one that speaks raw bytes, and one that answers HTTP by script."""
from __future__ import annotations

import socket
import ssl
import threading
from typing import BinaryIO, Callable, Dict, List, Mapping, Optional, Union

from tests.lib.certificates import Certificates
from tests.lib.processes import register, unregister

ACCEPT_SECONDS = 0.1
TALK_SECONDS = 60
HEAD_MAX_BYTES = 1024 * 1024


class RawServer:
    """Each connection is handed to `talk(connection)` in a thread of its own, and closed after it."""

    def __init__(self, talk: Callable[[socket.socket], None],
                 tls: Optional[Certificates] = None) -> None:
        self._talk = talk
        self._context: Optional[ssl.SSLContext] = None
        if tls is not None:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(str(tls.certificate), str(tls.key))
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._socket.settimeout(ACCEPT_SECONDS)
        self.port: int = self._socket.getsockname()[1]
        self.accepted = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._accept, name="scripted", daemon=True)
        self._thread.start()
        self._key = register(self.stop)

    def stop(self) -> None:
        """Listen no more."""
        unregister(self._key)
        self._stopping.set()
        self._thread.join()
        self._socket.close()

    @property
    def stopping(self) -> threading.Event:
        """Set when the server ends: what a talk that says nothing waits for."""
        return self._stopping

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                connection, _ = self._socket.accept()
            except socket.timeout:
                continue
            self.accepted += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(TALK_SECONDS)
        try:
            if self._context is not None:
                connection = self._context.wrap_socket(connection, server_side=True)
            self._talk(connection)
        except OSError:
            pass  # a client that goes away is what many of these tests are about
        finally:
            connection.close()


class Request:
    """What a client asked for."""

    def __init__(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> None:
        self.method, self.path, self.headers, self.body = method, path, headers, body


class Answer:
    """An HTTP answer. `close`: the connection is closed after it."""

    def __init__(self, status: int = 200, body: Union[str, bytes] = b"",
                 headers: Optional[Mapping[str, str]] = None, close: bool = False) -> None:
        self.status, self.close = status, close
        self.body = body.encode() if isinstance(body, str) else body
        self.headers: Dict[str, str] = {"Content-Type": "application/json",
                                        "Content-Length": str(len(self.body)), **(headers or {})}

    def bytes(self) -> bytes:
        """As it goes over the wire."""
        head = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
        return f"HTTP/1.1 {self.status} Scripted\r\n{head}\r\n".encode() + self.body


Script = Callable[[Request], Union[Answer, bytes, None]]


class ScriptedHttp:
    """An HTTP/1.1 server. `script(request)` gives an Answer; bytes are sent as they are and the
    connection is closed; None closes it without a word. What came is in `requests`."""

    def __init__(self, script: Script, tls: Optional[Certificates] = None) -> None:
        self._script = script
        self.requests: List[Request] = []
        self._server = RawServer(self._talk, tls)
        self.port = self._server.port
        self.address = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"

    def stop(self) -> None:
        """Listen no more."""
        self._server.stop()

    @property
    def connections(self) -> int:
        """How many there were."""
        return self._server.accepted

    @property
    def stopping(self) -> threading.Event:
        """Set when the server ends: what a script that never answers waits for."""
        return self._server.stopping

    def _talk(self, connection: socket.socket) -> None:
        stream = connection.makefile("rb")
        while True:
            request = _read_request(stream)
            if request is None:
                return
            self.requests.append(request)
            answer = self._script(request)
            if answer is None:
                return
            if not isinstance(answer, Answer):
                connection.sendall(answer)
                return
            connection.sendall(answer.bytes())
            if answer.close:
                return


def _read_request(stream: BinaryIO) -> Optional[Request]:
    first = stream.readline(HEAD_MAX_BYTES).decode("latin-1").split()
    if len(first) != 3:
        return None
    headers: Dict[str, str] = {}
    while True:
        line = stream.readline(HEAD_MAX_BYTES).decode("latin-1").strip()
        if not line:
            break
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    body = stream.read(int(headers.get("content-length", "0")))
    return Request(first[0], first[1], headers, body)
