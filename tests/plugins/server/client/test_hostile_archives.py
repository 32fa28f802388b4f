"""An archive that no server of ours makes: nothing of it is kept, and nothing is written outside."""

from __future__ import annotations

import io
import tarfile
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from proxy import Answer, Asked, Proxy

from model_registry import StorageError
from model_registry_server.client import Client
from model_registry_server.client.unpacking import unpack

Make = Callable[[tarfile.TarFile], object]


@pytest.fixture
def proxy(server) -> Iterator[Proxy]:
    with Proxy(server.port) as proxy:
        yield proxy


def sending(made: bytes) -> Callable[[Asked], Answer | None]:
    """Answers every export with an archive."""
    return lambda asked: (200, {"ETag": '"x-tar"'}, made) if "/export" in asked.path else None


def archive(make: Make) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
        make(tar)
    return file.getvalue()


def add(tar: tarfile.TarFile, name: str, type: bytes = tarfile.REGTYPE, link: str = "", data: bytes = b"") -> None:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = type, link, len(data)
    tar.addfile(info, io.BytesIO(data))


def twice(tar: tarfile.TarFile) -> None:
    add(tar, "a", data=b"1")
    add(tar, "./a", data=b"2")


def file_and_folder(tar: tarfile.TarFile) -> None:
    add(tar, "a", data=b"1")
    add(tar, "a/b", data=b"2")


def by_a_link(tar: tarfile.TarFile) -> None:
    """A link that leads to where the user keeps other things, and a file written by way of it."""
    add(tar, "way", tarfile.SYMTYPE, "..")
    add(tar, "way/kept", data=b"evil")


def by_a_path_too_long_to_resolve(tar: tarfile.TarFile) -> None:
    """What gets past the filter «data» of a Python that does not have the fix for CVE-2025-4517."""
    folder, path, steps = "d" * 247, Path(), "abcdefghijklmnop"
    for step in steps:
        add(tar, str(path / folder), tarfile.DIRTYPE)
        add(tar, str(path / step), tarfile.SYMTYPE, folder)
        path /= folder
    long = f"{'/'.join(steps)}/{'l' * 254}"
    add(tar, long, tarfile.SYMTYPE, "../" * len(steps))
    add(tar, "escape", tarfile.SYMTYPE, f"{long}/..")
    add(tar, "hole", tarfile.LNKTYPE, "escape/kept")
    add(tar, "hole", data=b"evil")


def sparse(tar: tarfile.TarFile) -> None:
    """A few bytes that say that they are a terabyte."""
    info = tarfile.TarInfo("a")
    info.pax_headers = {"GNU.sparse.map": f"0,1,{1 << 40},0", "GNU.sparse.size": str(1 << 40)}
    info.size = 1
    tar.addfile(info, io.BytesIO(b"1"))


def back(tar: tarfile.TarFile) -> None:
    """What follows a file begins before it, so that reading has no end."""
    info = tarfile.TarInfo("a")
    info.pax_headers = {"size": "-1024"}
    tar.addfile(info)


def long_header(tar: tarfile.TarFile) -> None:
    info = tarfile.TarInfo("a")
    info.pax_headers = {"comment": "x" * (2 << 20)}
    tar.addfile(info)


def holes_without_end(tar: tarfile.TarFile) -> None:
    """A member whose header goes on in blocks, each of which says that there is another one."""
    info = tarfile.TarInfo("a")
    info.type = tarfile.GNUTYPE_SPARSE
    head = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    head[482] = 1
    head[148:156] = b" " * 8
    head[148:156] = b"%06o\0 " % sum(head)
    more = b"0" * 504 + b"\1" + bytes(7)
    tar.fileobj.write(bytes(head) + more * 3000)  # type: ignore[union-attr]


def header_for_all(tar: tarfile.TarFile) -> None:
    """Of these there could be any number, and each would be kept for what follows."""
    tar.pax_headers = {"comment": "x"}
    tar.fileobj.write(tar.tarinfo.create_pax_global_header(tar.pax_headers))  # type: ignore[union-attr]
    add(tar, "a", data=b"1")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (by_a_link, "holds 'way', which is neither a file nor a folder"),
        (by_a_path_too_long_to_resolve, "holds 'd+, which is no name within a folder"),
        (lambda tar: add(tar, "a", tarfile.LNKTYPE, "../kept"), "holds 'a', which is neither"),
        (lambda tar: add(tar, "a", tarfile.FIFOTYPE), "holds 'a', which is neither"),
        (lambda tar: add(tar, "../kept", data=b"evil"), "holds '../kept', which is no name within a folder"),
        (lambda tar: add(tar, "/tmp/kept", data=b"evil"), "holds '/tmp/kept', which is no name"),
        (twice, "holds './a' twice"),
        (file_and_folder, "holds 'a/b' twice, or as a file and as a folder"),
        (sparse, "holds 'a', whose size is not that of its bytes"),
        (back, "holds 'a', whose size is not that of its bytes"),
        (holes_without_end, "cannot be unpacked: the headers of a member are longer than 1 MiB"),
        (header_for_all, "has headers for all that follows"),
        (long_header, "cannot be unpacked: a header is longer than 256 KiB"),
    ],
)
def test_an_archive_leads_nowhere_else(
    connect, client: Client, proxy: Proxy, tmp_path: Path, make: Make, said: str
) -> None:
    client.register_model("hostile", b"x")
    (tmp_path / "kept").write_text("mine")
    (tmp_path / "below").mkdir()
    proxy.instead = sending(archive(make))
    with pytest.raises(StorageError, match=f"the server's archive {said}"):
        connect(url=proxy.url).export_model("hostile", "latest", tmp_path / "below" / "out", "leaves")
    assert (tmp_path / "kept").read_text() == "mine"
    assert list((tmp_path / "below").iterdir()) == []


def test_what_an_archive_says_of_its_members_is_not_kept(tmp_path: Path) -> None:
    def make(tar: tarfile.TarFile) -> None:
        for _ in range(5000):
            add(tar, "again", tarfile.DIRTYPE)

    (tmp_path / "long.tar").write_bytes(archive(make))
    tracemalloc.start()
    try:
        unpack(tmp_path / "long.tar", tmp_path / "out")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["again"]
    assert peak < 2_000_000


def test_files_and_folders_are_taken_as_they_are(connect, client: Client, proxy: Proxy, tmp_path: Path) -> None:
    client.register_model("plain", b"x")

    def make(tar: tarfile.TarFile) -> None:
        add(tar, "empty", tarfile.DIRTYPE)
        add(tar, "below/a.txt", data=b"a" * 3000)
        add(tar, "below", tarfile.DIRTYPE)

    proxy.instead = sending(archive(make))
    out = Path(connect(url=proxy.url).export_model("plain", "latest", tmp_path / "out", "leaves"))
    assert sorted(path.relative_to(out).as_posix() for path in out.rglob("*")) == ["below", "below/a.txt", "empty"]
    assert (out / "below" / "a.txt").read_bytes() == b"a" * 3000
