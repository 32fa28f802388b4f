"""A request's body into a file."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

from attrs import frozen

from model_registry import StorageError
from model_registry_server.transfer.hashing import RunningHash, hash_of_file
from model_registry_server.transfer.incoming import Incoming, Take
from model_registry_server.transfer.pace import USUAL, Pace
from model_registry_server.transfer.threads import in_thread
from model_registry_server.transfer.writing import Writer, check_offset


@frozen
class Received:
    """What was received.

    :param size: Bytes that the file has now.
    :param count: Bytes that came this time.
    :param running: The hash of the whole file, which may go on.
    """

    size: int
    count: int
    running: RunningHash

    @property
    def sha256(self) -> str:
        """The digest of the whole file, in hex."""
        return self.running.hexdigest()


async def receive(
    stream: AsyncIterator[bytes],
    target: Path,
    *,
    offset: int = 0,
    hasher: RunningHash | None = None,
    part: RunningHash | None = None,
    limit: int | None = None,
    take: Take | None = None,
    pace: Pace = USUAL,
) -> Received:
    """Append a body to a file, hash it on the way, and return when it is on the disk.

    If that fails, whatever arrived is in the file, for another part to go on with, and ``hasher`` has seen just that.

    :param offset: The size that the file must have now.
    :param hasher: Of the bytes before ``offset``; otherwise the file is read for it.
    :param part: Is given this body alone, as well.
    :param limit: The most bytes that may come; None for any number.
    :param take: Asked before bytes are kept.
    :param pace: How slowly they may come.
    :raises OffsetError: The file has another size.
    :raises ConflictError: Somebody else is writing it.
    :raises TooLargeError: More came than may; those before are kept.
    :raises TooSlowError: Too little came in time; that is kept.
    :raises StorageError: The disk refused. After a failed sync the file is empty.
    """
    if hasher is None:
        hasher = await in_thread(hash_to_go_on, target, offset)
    with Incoming(stream, limit, pace) as body:
        async with Writer(target, hasher, part) as writer:
            while data := await body.read():
                if take is not None:
                    await take(len(data))
                await writer.write(data)
            await writer.sync()
        return Received(hasher.size, body.size, hasher)


def hash_to_go_on(path: Path, offset: int) -> RunningHash:
    """The hash of what a file has, if that is ``offset`` bytes.

    :raises OffsetError: It has another number of bytes.
    :raises StorageError: It cannot be read.
    """
    check_offset(offset, size_of(path))
    return hash_of_file(path, offset)


def size_of(path: Path) -> int:
    """Bytes of a file; none if it does not exist.

    :raises StorageError: The disk does not tell.
    """
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise StorageError(f"{path}: {error.strerror}", path=str(path)) from error
