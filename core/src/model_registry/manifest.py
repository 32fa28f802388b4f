"""The immutable record of a version: an OCI image manifest of a CNCF ModelPack artifact.

The manifest's bytes are canonical, its SHA-256 is the version's digest, and everything it needs it names by digest:
one raw layer per file, the ModelPack config, and one JSON layer with our own metadata. Time and machine are no part of
it (see :mod:`model_registry.provenance`), so the same model with the same metadata, written by the same version of a
plugin, has the same digest everywhere.

Formats: the OCI image specification 1.1 and the CNCF ModelPack specification (``docs/spec.md``, ``docs/config.md``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any

from attrs import frozen

from model_registry import canonical_json
from model_registry.digests import is_sha256, sha256_of_bytes
from model_registry.errors import UnsafeModelError
from model_registry.names import check_member_path, check_member_paths
from model_registry.records import FileRecord, ModelMetadata

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
ARTIFACT_TYPE = "application/vnd.cncf.model.manifest.v1+json"
CONFIG_TYPE = "application/vnd.cncf.model.config.v1+json"
METADATA_TYPE = "application/vnd.model-registry.version.v1+json"
#: How every manifest begins, as its keys are sorted.
START = b'{"artifactType":"%s"' % ARTIFACT_TYPE.encode()
TITLE = "org.opencontainers.image.title"
FILEPATH = "org.cncf.model.filepath"

#: Sizes are signed 64-bit integers, in OCI and on every file system.
_SIZE_LIMIT = 1 << 63

_MEDIA_TYPES = {
    "weight": "application/vnd.cncf.model.weight.v1.raw",
    "config": "application/vnd.cncf.model.weight.config.v1.raw",
    "doc": "application/vnd.cncf.model.doc.v1.raw",
    "code": "application/vnd.cncf.model.code.v1.raw",
    "dataset": "application/vnd.cncf.model.dataset.v1.raw",
}
_KINDS_BY_SUFFIX = {
    ".json": "config",
    ".yaml": "config",
    ".toml": "config",
    ".txt": "config",
    ".md": "doc",
    ".py": "code",
}


def media_type(path: str, kind: str = "") -> str:
    """The ModelPack media type of a member, by what it is or, failing that, by its suffix.

    :raises KeyError: for a kind that is none.
    """
    return _MEDIA_TYPES[kind or _KINDS_BY_SUFFIX.get(PurePosixPath(path).suffix.lower(), "weight")]


@frozen
class Manifest:
    """A manifest that was read.

    :param files: The version's files, sorted by path.
    :param metadata: Descriptor digest and size of the metadata document; likewise ``config``.
    """

    files: tuple[FileRecord, ...]
    metadata: tuple[str, int]
    config: tuple[str, int]

    def blobs(self) -> tuple[tuple[str, int], ...]:
        """(sha256, size) of everything the manifest names."""
        return (*((file.sha256, file.size) for file in self.files), self.metadata, self.config)


def write(files: Iterable[FileRecord], metadata: bytes, config: bytes) -> bytes:
    """The manifest's canonical bytes."""
    layers = [_file_layer(file) for file in sorted(files, key=lambda file: file.path)]
    return canonical_json.dump(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "artifactType": ARTIFACT_TYPE,
            "config": descriptor(CONFIG_TYPE, sha256_of_bytes(config), len(config)),
            "layers": [*layers, descriptor(METADATA_TYPE, sha256_of_bytes(metadata), len(metadata))],
        }
    )


def write_config(metadata: ModelMetadata, files: Iterable[FileRecord], metadata_document: bytes) -> bytes:
    """The ModelPack config: what other tools read of a model."""
    ordered = sorted(files, key=lambda file: file.path)
    about = {
        "name": metadata.name,
        "version": metadata.version,
        "description": metadata.description,
        "authors": metadata.author and [metadata.author],
        "licenses": metadata.license and [metadata.license],
        "sourceURL": metadata.repository_url,
    }
    technical = {"format": str(metadata.format), "paramSize": parameter_size(metadata.parameters_count)}
    digests = [file.sha256 for file in ordered] + [sha256_of_bytes(metadata_document)]
    return canonical_json.dump(
        {
            "descriptor": {key: value for key, value in about.items() if value},
            "config": {key: value for key, value in technical.items() if value},
            "modelfs": {"type": "layers", "diffIds": [f"sha256:{digest}" for digest in digests]},
        }
    )


def parameter_size(count: int | None) -> str | None:
    """A parameter count as ModelPack writes it: a number with at most one decimal and a scale letter, ``6.7B``."""
    if count is None:
        return None
    for scale, letter in ((1e15, "Q"), (1e12, "T"), (1e9, "B"), (1e6, "M")):
        if count >= scale:
            return f"{count / scale:.1f}".removesuffix(".0") + letter
    return f"{count / 1e3:.1f}".removesuffix(".0") + "K"


def read(data: bytes, *, what: str) -> Manifest:
    """Parse a manifest that nobody vouches for.

    :param what: Names the version in errors.
    :raises UnsafeModelError: if it is not a manifest as :func:`write` makes it.
    """
    document = canonical_json.load(data, what=f"manifest of {what}")
    try:
        if document["artifactType"] != ARTIFACT_TYPE:
            raise ValueError(f"artifactType is {document['artifactType']!r}")
        *layers, metadata = document["layers"]
        if metadata["mediaType"] != METADATA_TYPE:
            raise ValueError(f"the last layer is {metadata['mediaType']!r}, not our metadata")
        files = tuple(_read_file(layer) for layer in layers)
        check_member_paths([file.path for file in files])
        return Manifest(files, read_descriptor(metadata), read_descriptor(document["config"]))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        reason = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
        raise UnsafeModelError(f"manifest of {what} is malformed: {reason:.200}", path=what) from error


def with_digests(data: bytes, found: Mapping[str, str]) -> bytes:
    """The manifest as it would be if blobs had other digests: what the files on disk say now."""
    document = canonical_json.load(data, what="manifest")
    for entry in (document["config"], *document["layers"]):
        sha256 = entry["digest"].removeprefix("sha256:")
        entry["digest"] = f"sha256:{found.get(sha256, sha256)}"
    return canonical_json.dump(document)


def descriptor(media_type: str, sha256: str, size: int) -> dict[str, Any]:
    """An OCI content descriptor."""
    return {"mediaType": media_type, "digest": f"sha256:{sha256}", "size": size}


def _file_layer(file: FileRecord) -> dict[str, Any]:
    annotations = {TITLE: PurePosixPath(file.path).name, FILEPATH: file.path}
    return {**descriptor(file.media_type, file.sha256, file.size), "annotations": annotations}


def _read_file(layer: Mapping[str, Any]) -> FileRecord:
    path = check_member_path(layer["annotations"][FILEPATH])
    sha256, size = read_descriptor(layer)
    return FileRecord(path, size, sha256, str(layer["mediaType"]))


def read_descriptor(entry: Mapping[str, Any]) -> tuple[str, int]:
    """Digest and size of an OCI content descriptor.

    :raises ValueError: if they are none; KeyError, TypeError or AttributeError if it is no descriptor at all.
    """
    algorithm, _, sha256 = entry["digest"].partition(":")
    size = entry["size"]
    if algorithm != "sha256" or not is_sha256(sha256):
        raise ValueError(f"{entry['digest']!r} is no SHA-256 digest")
    if type(size) is not int or not 0 <= size < _SIZE_LIMIT:
        raise ValueError(f"{size!r} is no size")
    return sha256, size
