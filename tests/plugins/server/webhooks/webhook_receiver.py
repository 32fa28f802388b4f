"""A receiver of webhooks: a real HTTP server that remembers what it got, and answers as it is told."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from attrs import define, field, frozen

PATIENCE = 20.0


@frozen
class Got:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@frozen
class Answer:
    status: int = 204
    headers: dict[str, str] = field(factory=dict)
    body: bytes = b""


@define
class Receiver:
    """What came, and what will be answered: the answers that are left, and then 204.

    Requests to ``/slow`` are answered when ``go`` is set.
    """

    port: int = 0
    got: list[Got] = field(factory=list)
    answers: list[Answer] = field(factory=list)
    go: threading.Event = field(factory=threading.Event)
    changed: threading.Condition = field(factory=threading.Condition)

    def url(self, path: str = "/hook") -> str:
        return f"http://localhost:{self.port}{path}"

    def wait(self, count: int) -> list[Got]:
        """The first requests, as soon as there are so many."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.got) >= count, PATIENCE), self.got
            return list(self.got)

    def take(self, got: Got) -> Answer:
        with self.changed:
            self.got.append(got)
            self.changed.notify_all()
            answer = self.answers.pop(0) if self.answers else Answer()
        if got.path == "/slow":
            self.go.wait(PATIENCE)
        return answer


@contextmanager
def receiving() -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            answer = receiver.take(Got(self.path, dict(self.headers.items()), body))
            self.close_connection = True
            try:
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                if "Transfer-Encoding" not in answer.headers:
                    self.send_header("Content-Length", str(len(answer.body)))
                self.send_header("Connection", "close")
                self.end_headers()
                self.wfile.write(answer.body)
            except OSError:
                pass  # the sender had enough

        def do_GET(self) -> None:
            receiver.take(Got(f"GET {self.path}", {}, b""))
            self.send_error(405)

        def log_message(self, *_: object) -> None:
            """Nothing on stderr."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield receiver
        finally:
            receiver.go.set()
            server.shutdown()
            thread.join()


def eventually(look: Callable[[], Any]) -> Any:
    """What a function returns, as soon as that is true."""
    end = time.monotonic() + PATIENCE
    while not (found := look()):
        assert time.monotonic() < end, f"never came true: {found!r}"
        time.sleep(0.02)
    return found
