"""Several files sent as one."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from model_registry_server.transfer.content import Content, Member
from model_registry_server.transfer.tar import tar_content
from model_registry_server.transfer.zips import zip_content


class Archive(str, Enum):
    """The ways, none of which compresses: weights hardly get smaller."""

    TAR = "tar"
    ZIP = "zip"


def archive_content(members: Sequence[Member], stem: str, digest: str, archive: Archive | None) -> Content:
    """The files as one; as a tar if nothing else was asked for, of which parts may be asked for.

    :param stem: The name of the archive, without its suffix.
    :param digest: What tells the content from every other.
    """
    make = zip_content if archive is Archive.ZIP else tar_content
    return make(members, f"{stem}.{(archive or Archive.TAR).value}", digest)
