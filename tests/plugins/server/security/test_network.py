"""Calls to other machines go to hosts of the list, at public addresses, and to those addresses that were checked."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from model_registry import StorageError
from model_registry_server.security.addresses import is_public
from model_registry_server.security.network import pinned_async_transport, pinned_transport, resolve

ALLOWED = ("models.test", "*.hub.test")


class Names:
    """A resolver whose answers change: each question gets the next, and the last stays."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def __call__(self, host: str, port: int, **_: object) -> list[tuple[Any, ...]]:
        self.asked.append(host)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in answer]


class Handler(BaseHTTPRequestHandler):
    """Tells who it was taken for; ``/away`` leads to another host, and ``/here`` back."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = self.headers["Host"].encode()
        port = self.server.server_address[1]
        self.send_response(200 if self.path == "/" else 302)
        if self.path != "/":
            self.send_header("Location", f"http://{'other' if self.path == '/away' else 'models'}.test:{port}/")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing on stderr."""


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """A real server at 127.0.0.1."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


PRIVATE = [
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "127.0.0.1",
    "127.255.255.254",
    "0.0.0.0",
    "0.1.2.3",
    "169.254.169.254",
    "100.64.0.1",
    "192.0.2.1",
    "198.18.0.1",
    "203.0.113.9",
    "224.0.0.1",
    "239.1.1.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "fd12::1",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
    "2001:db8::1",
    "3fff::1",
    "100::1",
    "5f00::1",
    "::ffff:10.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::10.0.0.1",
    "::8.8.8.8",
    "64:ff9b::10.0.0.1",
    "64:ff9b::127.0.0.1",
    "64:ff9b:1::1",
    "64:ff9b:1::808:808",
    "2002:a00:1::",
    "2002:7f00:1::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
]
PUBLIC = [
    "8.8.8.8",
    "1.1.1.1",
    "2606:4700::1111",
    "2a00:1450:4001::1",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
    "2002:808:808::1",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_that_only_some_can_reach_is_not_public(address: str) -> None:
    assert not is_public(address)
    with pytest.raises(StorageError, match=r"has the address .* — only public addresses are called"):
        resolve("models.test", 443, ALLOWED, resolver=Names([address]))


@pytest.mark.parametrize("address", PUBLIC)
def test_an_address_that_everybody_can_reach_is_public(address: str) -> None:
    assert resolve("models.test", 443, ALLOWED, resolver=Names([address])) == [address]


@given(st.integers(0, 2**32 - 1))
@example(0x0A000001)
@example(0x08080808)
def test_an_address_within_another_is_judged_by_itself(number: int) -> None:
    inner = IPv4Address(number)
    verdict = is_public(str(inner))
    assert is_public(str(IPv6Address((0xFFFF << 32) | number))) is verdict
    assert is_public(str(IPv6Address((0x64FF9B << 96) | number))) is verdict
    assert is_public(str(IPv6Address((0x2002 << 112) | (number << 80) | 1))) is verdict


@given(st.integers(0, 2**128 - 1))
def test_no_address_of_ipv6_that_python_calls_private_is_public(number: int) -> None:
    address = IPv6Address(number)
    if address.is_private and address.ipv4_mapped is None:
        assert not is_public(str(address))


def test_one_private_address_among_public_ones_is_enough_to_refuse() -> None:
    with pytest.raises(StorageError, match=r"the host 'models.test' has the address 10\.0\.0\.1"):
        resolve("models.test", 443, ALLOWED, resolver=Names(["8.8.8.8", "10.0.0.1"]))


@pytest.mark.parametrize("host", ["models.test", "MODELS.test", "models.test.", "a.hub.test", "a.b.HUB.test"])
def test_a_host_of_the_list_is_resolved_once(host: str) -> None:
    names = Names(["8.8.8.8", "8.8.4.4", "8.8.8.8"])
    assert resolve(host, 443, ALLOWED, resolver=names) == ["8.8.8.8", "8.8.4.4"]
    assert names.asked == [host]


@pytest.mark.parametrize(
    "host",
    ["evil.test", "hub.test", ".hub.test", "evilhub.test", "models.test.evil.test", "8.8.8.8", "", "mºdels.test"],
)
def test_another_host_is_refused_before_it_is_resolved(host: str) -> None:
    names = Names(["8.8.8.8"])
    with pytest.raises(StorageError, match=r"may not be called — .* add it to webhook_hosts of \[plugins.server\]"):
        resolve(host, 443, ALLOWED, option="webhook_hosts", resolver=names)
    assert names.asked == []


def test_a_name_that_cannot_be_resolved_is_told() -> None:
    def fail(*_: object, **__: object) -> list[tuple[Any, ...]]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with pytest.raises(StorageError, match=r"the host 'models\.test' has no address: .*not known — check the name"):
        resolve("models.test", 443, ALLOWED, resolver=fail)
    with pytest.raises(StorageError, match="has no address"):
        resolve("models.test", 443, ALLOWED, resolver=Names([]))


def get(url: str, names: Names, *, allow_private: bool = True, follow: bool = False) -> httpx.Response:
    transport = pinned_transport(ALLOWED, allow_private=allow_private, resolver=names)
    with httpx.Client(transport=transport, follow_redirects=follow) as client:
        return client.get(url)


def get_async(url: str, names: Names, *, allow_private: bool = True) -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = pinned_async_transport(ALLOWED, allow_private=allow_private, resolver=names)
        async with httpx.AsyncClient(transport=transport) as client:
            return await client.get(url)

    return asyncio.run(ask())


each_kind = pytest.mark.parametrize("call", [get, get_async])


@each_kind
def test_the_server_sees_the_hosts_name_and_not_the_address(call: Any, port: int) -> None:
    names = Names(["127.0.0.1"])
    assert call(f"http://models.test:{port}/", names).text == f"models.test:{port}"
    assert names.asked == ["models.test"]


@each_kind
def test_a_private_address_is_not_connected_to(call: Any, port: int) -> None:
    with pytest.raises(StorageError, match=r"has the address 127\.0\.0\.1"):
        call(f"http://models.test:{port}/", Names(["127.0.0.1"]), allow_private=False)


@each_kind
def test_the_next_address_is_tried_where_one_does_not_answer(call: Any, port: int) -> None:
    assert call(f"http://models.test:{port}/", Names(["127.0.0.2", "127.0.0.1"])).status_code == 200


@each_kind
def test_where_no_address_answers_the_error_is_the_clients_own(call: Any) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        closed = taken.getsockname()[1]
    with pytest.raises(httpx.ConnectError):
        call(f"http://models.test:{closed}/", Names(["127.0.0.1", "127.0.0.2"]))


@each_kind
def test_proxies_of_the_environment_are_not_asked(call: Any, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert call(f"http://models.test:{port}/", Names(["127.0.0.1"])).status_code == 200


def test_a_second_answer_cannot_move_a_connection_that_was_checked(port: int) -> None:
    # A client that asked again, after the check, would be sent to an address where nobody is.
    names = Names(["127.0.0.1"], ["127.0.0.9"])
    assert get(f"http://models.test:{port}/", names).status_code == 200
    assert names.asked == ["models.test"]


def test_a_second_connection_is_checked_anew(port: int) -> None:
    names = Names(["127.0.0.1"], [])
    transport = pinned_transport(ALLOWED, allow_private=True, resolver=names)
    with httpx.Client(transport=transport, headers={"Connection": "close"}) as client:
        assert client.get(f"http://models.test:{port}/").status_code == 200
        with pytest.raises(StorageError, match="has no address"):
            client.get(f"http://models.test:{port}/")
    assert names.asked == ["models.test"] * 2


def test_a_redirect_is_not_followed_unless_asked_and_never_to_another_host(port: int) -> None:
    names = Names(["127.0.0.1"])
    assert get(f"http://models.test:{port}/away", names).status_code == 302
    assert get(f"http://models.test:{port}/here", names, follow=True).status_code == 200
    with pytest.raises(StorageError, match=r"the host 'other\.test' may not be called"):
        get(f"http://models.test:{port}/away", names, follow=True)


@each_kind
def test_the_name_in_tls_is_the_hosts(call: Any) -> None:
    hello = bytearray()

    def listen(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection:
            hello.extend(connection.recv(4096))

    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        thread = threading.Thread(target=listen, args=(server,))
        thread.start()
        with pytest.raises(httpx.TransportError):
            call(f"https://a.hub.test:{server.getsockname()[1]}/", Names(["127.0.0.1"]))
        thread.join()
    assert b"a.hub.test" in hello


def test_certificates_are_checked_unless_a_context_says_otherwise() -> None:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    for verify, expected in ((True, ssl.CERT_REQUIRED), (context, ssl.CERT_NONE)):
        with pinned_transport(ALLOWED, verify=verify) as transport:
            found = transport._pool._ssl_context
            assert found is not None
            assert found.verify_mode == expected
