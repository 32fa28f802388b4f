"""Forms with files: read as other programs write them, in whatever pieces they come, and refused if malformed."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import random
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model_registry_server.transfer.errors import DigestMismatchError, InvalidBodyError, TooLargeError, TooSlowError
from model_registry_server.transfer.multipart import Form, FormLimits, read_form
from model_registry_server.transfer.pace import Pace

Serve = Callable[[Any], str]

_TYPE = "multipart/form-data; boundary=b"


async def _stream(pieces: Iterable[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


def _read(pieces: Iterable[bytes], folder: Path, kind: str = _TYPE, limits: FormLimits | None = None) -> Form:
    return asyncio.run(read_form(_stream(pieces), kind, folder, limits))


def _part(head: str, data: bytes) -> bytes:
    return b"--b\r\n" + head.encode() + b"\r\n\r\n" + data + b"\r\n"


def _field(name: str, data: bytes) -> bytes:
    return _part(f'Content-Disposition: form-data; name="{name}"', data)


def _file(name: str, filename: str, data: bytes) -> bytes:
    head = f'Content-Disposition: form-data; name="{name}"; filename="{filename}"'
    return _part(f"{head}\r\nContent-Type: application/octet-stream", data)


_END = b"--b--\r\n"


def test_a_form_of_another_program_is_read_by_a_server(tmp_path: Path, serve: Serve) -> None:
    app = FastAPI()

    @app.post("/")
    async def post(request: Request) -> dict[str, Any]:
        form = await read_form(request.stream(), request.headers["content-type"], tmp_path)
        files = [[file.field, file.filename, file.path.name, file.size, file.sha256] for file in form.files]
        return {"fields": form.fields, "files": files}

    large = random.Random(3).randbytes(3_000_000)
    files = [
        ("file", ("../../etc/passwd", large, "application/octet-stream")),
        ("file", ("模型/weights.bin", b"", "text/plain")),
    ]
    response = httpx.post(serve(app), data={"name": "m", "größe": "ä\r\n--b"}, files=files)
    assert response.json() == {
        "fields": {"name": "m", "größe": "ä\r\n--b"},
        "files": [
            ["file", "../../etc/passwd", "0", len(large), hashlib.sha256(large).hexdigest()],
            ["file", "模型/weights.bin", "1", 0, hashlib.sha256().hexdigest()],
        ],
    }
    assert sorted(os.listdir(tmp_path)) == ["0", "1"]
    assert (tmp_path / "0").read_bytes() == large


_TRICKY = st.lists(
    st.sampled_from([b"\r\n", b"--b", b"\r\n--", b"\r\n--c", b"-", b"\r", b"\n", b"b", b"\0"]), max_size=8
).map(b"".join).filter(lambda data: b"\r\n--b" not in b"\r\n" + data)  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_TRICKY, max_size=3), st.lists(_TRICKY, max_size=3), st.integers(1, 40))
def test_in_whatever_pieces_it_comes_a_form_is_the_same(
    tmp_path: Path, fields: list[bytes], files: list[bytes], size: int
) -> None:
    for path in tmp_path.iterdir():
        path.unlink()
    body = b"".join([*(_field(f"f{n}", data) for n, data in enumerate(fields))])
    body += b"".join([*(_file("file", f"n{n}", data) for n, data in enumerate(files))]) + _END
    form = _read([body[start : start + size] for start in range(0, len(body), size)], tmp_path)
    assert form.fields == {f"f{n}": data.decode() for n, data in enumerate(fields)}
    assert [file.path.read_bytes() for file in form.files] == files
    assert [file.sha256 for file in form.files] == [hashlib.sha256(data).hexdigest() for data in files]


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_form_that_was_damaged_is_read_or_refused_and_nothing_else(tmp_path: Path, data: st.DataObject) -> None:
    for path in tmp_path.iterdir():
        path.unlink()
    body = bytearray(_field("a", b"1") + _file("f", "n", b"22") + _END)
    place = data.draw(st.integers(0, len(body) - 1))
    body[place : place + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=4))
    with suppress(InvalidBodyError):
        _read([bytes(body)], tmp_path)


def test_a_file_that_nobody_chose_is_none(tmp_path: Path) -> None:
    assert _read([_file("file", "", b"") + _END], tmp_path) == Form({}, [])


@pytest.mark.parametrize(
    "kind",
    [
        "",
        "text/plain",
        "multipart/form-data",
        "multipart/mixed; boundary=b",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=" + "b" * 71,
    ],
)
def test_a_body_of_another_type_or_without_a_boundary_is_refused(tmp_path: Path, kind: str) -> None:
    with pytest.raises(InvalidBodyError, match="is not a multipart/form-data with a boundary"):
        _read([_END], tmp_path, kind)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "ends before its last boundary"),
        (_file("f", "n", b"abc"), "ends before its last boundary"),
        (_file("f", "n", b"abc") + b"--b-", "ends before its last boundary"),
        (b"something else", "malformed"),
        (_part("Content-Disposition: form-data", b"") + _END, "no Content-Disposition: form-data; name"),
        (_part('Content-Disposition: attachment; name="a"', b"") + _END, "no Content-Disposition"),
        (_part("Content-Type: text/plain", b"") + _END, "no Content-Disposition"),
        (_part("no header", b"") + _END, "malformed"),
        (_part('Content-Disposition: form-data; name="a"\r\n' * 2 + "X: y", b"") + _END, "comes twice in one part"),
        (_part("\r\n".join(f"X{n}: y" for n in range(30)), b"") + _END, "malformed: Maximum header count"),
        (_part("X: " + "y" * 9000, b"") + _END, "malformed: Maximum header size"),
        (_part('Content-Disposition: form-data; name="a"\r\nContent-Transfer-Encoding: base64', b"") + _END, "base64"),
        (_field("a", b"\xff") + _END, "field 'a' is not UTF-8"),
        (_field("a", b"1") + _field("a", b"2") + _END, "field 'a' comes twice"),
        (_file("f", "", b"abc") + _END, "the file of field 'f' has no file name"),
    ],
)
def test_a_malformed_form_is_refused_in_one_clear_line(tmp_path: Path, body: bytes, message: str) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(InvalidBodyError, match=message) as caught:
        _read([body], tmp_path)
    assert caught.value.status == 400
    assert "\n" not in str(caught.value)
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize(
    ("limits", "body", "message"),
    [
        (FormLimits(field=3), _field("a", b"1234"), "field 'a' has more than 3 bytes"),
        (FormLimits(fields=1), _field("a", b"") + _field("b", b""), "more than 1 fields"),
        (FormLimits(files=1), _file("a", "n", b"") * 2, "more than 1 files"),
        (FormLimits(rest=20), _field("a", b"") + _file("f", "n", bytes(30)), "more than 20 bytes beside its files"),
        (FormLimits(), b"".join(_field(str(n), bytes(1 << 20)) for n in range(9)), "field '8' has more than 0 bytes"),
    ],
)
def test_a_form_has_limits(tmp_path: Path, limits: FormLimits, body: bytes, message: str) -> None:
    with pytest.raises(TooLargeError, match=message):
        _read([body + _END], tmp_path, limits=limits)
    assert _read([_field("a", b"") + _END], tmp_path).fields == {"a": ""}


def _digest(data: bytes) -> str:
    return f"sha-256=:{base64.b64encode(hashlib.sha256(data).digest()).decode()}:"


@pytest.mark.parametrize("name", ["Content-Digest", "repr-digest"])
@pytest.mark.parametrize(
    ("head", "data", "found"),
    [
        ('name="f"; filename="n"', b"abc", ({}, ["n"])),
        ('name="a"', b"1", ({"a": "1"}, [])),
        ('name="f"; filename=""', b"", ({}, [])),
    ],
    ids=["a file", "a field", "no file"],
)
def test_a_part_has_the_digest_that_its_head_tells(
    tmp_path: Path, head: str, data: bytes, found: tuple[dict[str, str], list[str]], name: str
) -> None:
    def part(digest: str) -> bytes:
        return _part(f"Content-Disposition: form-data; {head}\r\n{name}: {digest}", data) + _END

    with pytest.raises(DigestMismatchError, match=f"SHA-256 {hashlib.sha256(data).hexdigest()} instead of"):
        _read([part(_digest(b"other"))], tmp_path)
    (tmp_path / "0").unlink(missing_ok=True)
    with pytest.raises(InvalidBodyError, match="no SHA-256 that can be checked"):
        _read([part("sha-512=:AAAA:")], tmp_path)
    form = _read([part(_digest(data))], tmp_path)
    assert (form.fields, [file.filename for file in form.files]) == found


def test_a_form_has_the_digest_that_was_told(tmp_path: Path) -> None:
    body = _field("a", b"1") + _file("f", "n", b"abc") + _END
    digest = hashlib.sha256(body).hexdigest()
    pieces = [body[start : start + 7] for start in range(0, len(body), 7)]
    assert asyncio.run(read_form(_stream(pieces), _TYPE, tmp_path, digest=digest)).fields == {"a": "1"}
    (tmp_path / "0").unlink()
    with pytest.raises(DigestMismatchError, match=f"the form' has the SHA-256 {digest} instead of 00"):
        asyncio.run(read_form(_stream(pieces), _TYPE, tmp_path, digest="0" * 64))


def test_bytes_of_files_are_kept_only_if_they_may_be_and_others_do_not_count(tmp_path: Path) -> None:
    asked: list[int] = []

    async def take(count: int) -> None:
        asked.append(count)
        if sum(asked) > 5:
            raise TooLargeError("too much", limit=5)

    body = _field("a", b"12345678") + _file("f", "n", b"abc") + _file("f", "m", b"def") + _END
    with pytest.raises(TooLargeError, match="too much"):
        asyncio.run(read_form(_stream([body]), _TYPE, tmp_path, take=take))
    assert asked == [3, 3]
    assert (tmp_path / "0").read_bytes() == b"abc"
    assert (tmp_path / "1").read_bytes() == b""


def test_a_form_that_stops_coming_is_given_up(tmp_path: Path) -> None:
    async def stopping() -> AsyncIterator[bytes]:
        yield _file("f", "n", b"abc")[:-2]
        await asyncio.sleep(60)

    with pytest.raises(TooSlowError):
        asyncio.run(read_form(stopping(), _TYPE, tmp_path, FormLimits(pace=Pace(0.1))))
    assert (tmp_path / "0").read_bytes() == b"abc"
