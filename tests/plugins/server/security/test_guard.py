"""A process that is guarded calls nobody else, whichever way it tries. Each is a new process: a guard is for good."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from textwrap import dedent

import pytest

HEAD = """
import os, socket, sys, tempfile
from model_registry import StorageError
from model_registry_server.security.network import guard_process

port = int(sys.argv[1])
asked = []
real = socket.getaddrinfo
def names(host, port, *rest, **more):
    "A name server of our own."
    asked.append(host)
    where = {"models.test": "127.0.0.1", "moved.test": "127.0.0.1", "v6.test": "::1"}.get(host, host)
    return real(where, port, *rest, **more)
socket.getaddrinfo = names

def refusal(call, *arguments):
    try:
        call(*arguments)
    except StorageError as error:
        return str(error)
    raise AssertionError("nothing was refused")
"""


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """A server at 127.0.0.1 that says hello until the tests end."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:

        def greet() -> None:
            while True:
                connection, _ = server.accept()
                with connection:
                    if connection.recv(3) == b"end":
                        return
                    connection.sendall(b"hello")

        thread = threading.Thread(target=greet)
        thread.start()
        yield server.getsockname()[1]
        with closing(socket.create_connection(server.getsockname())) as last:
            last.sendall(b"end")
        thread.join()


def guarded(port: int, code: str) -> list[str]:
    """What a process prints."""
    command = [sys.executable, "-W", "error", "-c", HEAD + dedent(code), str(port)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_host_of_the_list_is_called(port: int) -> None:
    code = """
        guard_process(["models.test"], allow_private=True)
        with socket.create_connection(("models.test", port)) as called:
            called.sendall(b"hi!")
            print(called.recv(5).decode())
        address = socket.getaddrinfo("models.test", port)[0][4]
        with socket.create_connection(address) as called:  # a client that resolved by itself
            called.sendall(b"hi!")
            print(called.recv(5).decode())
    """
    assert guarded(port, code) == ["hello", "hello"]


def test_libraries_reach_the_hosts_of_the_list_and_no_other(port: int) -> None:
    code = """
        import asyncio, http.client
        guard_process(["models.test"], allow_private=True)

        async def call(host):
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(b"hi!")
            print((await reader.read(5)).decode())
            writer.close()
            await writer.wait_closed()

        asyncio.run(call("models.test"))
        print(refusal(asyncio.run, call("localhost")))
        print(refusal(http.client.HTTPConnection("evil.test", port).connect))
    """
    first, second, third = guarded(port, code)
    assert first == "hello"
    assert "the host 'localhost' may not be called" in second
    assert "the host 'evil.test' may not be called" in third


def test_another_host_is_not_even_resolved(port: int) -> None:
    code = """
        guard_process(["models.test"], allow_private=True)
        print(refusal(socket.getaddrinfo, "evil.test", port))
        print(refusal(socket.create_connection, ("evil.test", port)))
        print(refusal(socket.getaddrinfo, b"evil.test", port))
        print(asked)
    """
    *refusals, asked = guarded(port, code)
    for refusal in refusals:
        assert "the host 'evil.test' may not be called" in refusal
        assert "add it to hub_hosts of [plugins.server]" in refusal
    assert asked == "[]"


def test_a_host_of_the_list_with_a_private_address_is_refused(port: int) -> None:
    code = """
        guard_process(["models.test"])
        print(refusal(socket.create_connection, ("models.test", port)))
        with socket.socket() as tcp:
            print(refusal(tcp.connect, ("127.0.0.1", port)))
    """
    resolved, connected = guarded(port, code)
    assert "the host 'models.test' has the address 127.0.0.1" in resolved
    assert "a connection to '127.0.0.1' was refused" in connected


@pytest.mark.parametrize(
    "call",
    [
        "tcp.connect(('127.0.0.1', port))",
        "tcp.connect_ex(('127.0.0.1', port))",
        "tcp.connect(('localhost', port))",
        "tcp6.connect(('::1', port))",
        "tcp6.connect(('::ffff:127.0.0.1', port, 0, 0))",
        "udp.sendto(b'x', ('127.0.0.1', port))",
        "udp.sendmsg([b'x'], [], 0, ('127.0.0.1', port))",
        "udp.connect(('127.0.0.1', port))",
        "below.connect(('127.0.0.1', port))",
    ],
)
def test_no_kind_of_socket_goes_anywhere_else(port: int, call: str) -> None:
    code = f"""
        import _socket
        guard_process(["models.test"], allow_private=True)
        with (
            socket.socket() as tcp,
            socket.socket(socket.AF_INET6) as tcp6,
            socket.socket(type=socket.SOCK_DGRAM) as udp,
        ):
            below = _socket.socket()
            print(refusal(lambda: {call}))
            below.close()
    """
    (refusal,) = guarded(port, code)
    assert refusal.startswith("a connection to ")
    assert "only hosts in hub_hosts of [plugins.server] in registry.toml may be called, by name" in refusal


def test_unix_sockets_and_pairs_work_as_before(port: int) -> None:
    code = """
        guard_process([])
        a, b = socket.socketpair()
        with a, b:
            a.sendall(b"pair")
            print(b.recv(4).decode())
        with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as server:
            server.bind(os.path.join(folder, "s"))
            server.listen()
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(os.path.join(folder, "s"))
                print("connected")
    """
    assert guarded(port, code) == ["pair", "connected"]


def test_a_second_guard_forbids_more_and_permits_nothing(port: int) -> None:
    code = """
        guard_process(["models.test"], allow_private=True)
        guard_process(["models.test", "moved.test"], allow_private=True, option="webhook_hosts")
        print(refusal(socket.getaddrinfo, "moved.test", port))
        socket.create_connection(("models.test", port)).close()
    """
    (refusal,) = guarded(port, code)
    assert "the host 'moved.test' may not be called" in refusal


def test_downloads_that_would_go_past_it_are_switched_off(port: int) -> None:
    assert guarded(port, "guard_process([])\nprint(os.environ['HF_HUB_DISABLE_XET'])") == ["1"]
