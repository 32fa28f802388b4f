"""A proxy between clients and a server, which may answer in the server's place."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from http.client import HTTPConnection, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

#: A status, headers, and a body; pieces of one are sent as chunks, and the connection is broken after the last.
Answer = tuple[int, dict[str, str], bytes | Iterable[bytes]]


class Asked(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    server: Any
    body: bytes | None = None

    def ask(self) -> HTTPConnection:
        """Pass it on, without waiting for an answer."""
        if self.body is None:
            self.body = self.rfile.read(int(self.headers.get("content-length", 0)))
        connection = HTTPConnection("127.0.0.1", self.server.proxy.port)
        self.server.proxy.connections.append(connection)
        connection.request(self.command, self.path, self.body, dict(self.headers))
        return connection

    def _serve(self) -> None:
        proxy, self.body = self.server.proxy, None
        answer = proxy.instead(self) or self._passed_on()
        proxy.seen.append((self.command, self.path.partition("?")[0], answer[0]))
        proxy.after(self, answer[0])
        self.close_connection |= self.body is None  # nobody read what was sent
        self._send(*answer)

    def _passed_on(self) -> Answer:
        response: HTTPResponse = self.ask().getresponse()
        kept = {name: value for name, value in response.getheaders() if name.lower() not in ("date", "content-length")}
        return response.status, kept, response.read()

    def _send(self, status: int, headers: dict[str, str], body: bytes | Iterable[bytes]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if isinstance(body, bytes):
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            return
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.close_connection = True
        try:
            for piece in body:
                self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        except OSError:  # the client has enough
            return

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815 - the names of http.server

    def log_message(self, *_: object) -> None: ...


class Proxy:
    """``with Proxy(port) as proxy:`` and clients call ``proxy.url``.

    :ivar instead: May answer a request; None passes it on.
    :ivar after: Is told what is answered to each, before it is sent.
    :ivar seen: Method, path and status of each, in their order.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.instead: Callable[[Asked], Answer | None] = lambda asked: None
        self.after: Callable[[Asked, int], object] = lambda asked, status: None
        self.seen: list[tuple[str, str, int]] = []
        self.connections: list[HTTPConnection] = []
        self._server: Any = ThreadingHTTPServer(("127.0.0.1", 0), Asked)
        self._server.proxy = self
        self._thread = Thread(target=self._server.serve_forever)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Proxy:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.daemon_threads = True
        for connection in self.connections:
            connection.close()
        self._server.server_close()

    def answers(self, method: str, end: str) -> list[int]:
        """What was answered to requests of a method whose path ends, or goes on, so."""
        return [status for asked, path, status in self.seen if asked == method and end in path]
