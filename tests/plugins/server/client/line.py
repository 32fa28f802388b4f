"""A line between clients and a server, on which bytes are counted, and which may be cut."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress


class Line:
    """Forwards connections to a port of this machine. ``with Line(port) as line:`` and clients call ``line.url``."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.sent = self.received = 0
        self.spoil_next = False  #: flip a bit of the next large piece that is received
        self._alarms: list[tuple[str, int, Callable[[], object]]] = []
        self._changing = threading.RLock()
        self._threads: list[threading.Thread] = []
        self._open: set[socket.socket] = set()
        self._silent: set[socket.socket] = set()
        self._source: socket.socket
        self._over = threading.Event()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    def __enter__(self) -> Line:
        self._begin(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._over.set()
        self.cut()
        for thread in self._threads:
            thread.join()

    def when(self, way: str, count: int, action: Callable[[], object]) -> None:
        """Do something once, before more than so many bytes have gone one way: ``"sent"`` or ``"received"``."""
        self._alarms.append((way, getattr(self, way) + count, action))

    def cut(self) -> None:
        """Break all connections."""
        for each in list(self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def fall_silent(self) -> None:
        """Take nothing more from the connection of which bytes have just come, without breaking it."""
        self._silent.add(self._source)

    def _begin(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self.port))
            except OSError:
                client.close()
                continue
            self._open |= {client, server}
            self._begin(self._serve, client, server)

    def _serve(self, client: socket.socket, server: socket.socket) -> None:
        back = threading.Thread(target=self._forward, args=(server, client, "received"))
        back.start()
        self._forward(client, server, "sent")
        back.join()
        for each in (client, server):
            self._open.discard(each)
            each.close()

    def _forward(self, source: socket.socket, target: socket.socket, way: str) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                with self._changing:
                    self._source = source
                    setattr(self, way, getattr(self, way) + len(data))
                    for alarm in [each for each in self._alarms if each[0] == way and getattr(self, way) >= each[1]]:
                        self._alarms.remove(alarm)
                        alarm[2]()
                if source in self._silent:
                    self._over.wait()
                if self.spoil_next and way == "received" and len(data) > 10_000:
                    self.spoil_next = False
                    data = data[:-1] + bytes([data[-1] ^ 1])
                target.sendall(data)
        for each in (source, target):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
