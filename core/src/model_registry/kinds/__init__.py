"""What a file or folder is, by its content: magic bytes and structure, never its name.

Nothing is executed or unpickled, no framework imported, and at most 1 MiB of a file read. Kinds are also known that no
installed plugin handles, so that an error can name them.
"""

from __future__ import annotations

import io
from pathlib import Path

from model_registry.kinds.bounded import Bounded
from model_registry.kinds.files import content_of_file
from model_registry.kinds.folders import content_of_folder
from model_registry.kinds.kind import Content as Content
from model_registry.kinds.kind import Kind as Kind
from model_registry.kinds.suffixes import kinds_named as kinds_named


def content_of(source: Path | bytes) -> Content:
    """The kind of a file, of a folder, or of bytes that a file might have, and what is wrong with it.

    :raises OSError: if it cannot be read.
    """
    if isinstance(source, bytes):
        return content_of_file(Bounded(io.BytesIO(source), len(source)))
    if source.is_dir():
        return content_of_folder(source)
    with source.open("rb", buffering=0) as file:
        return content_of_file(Bounded(file, source.stat().st_size))
