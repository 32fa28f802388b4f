"""When and where a version was registered: an OCI manifest of its own that refers to the version as its subject.

It is kept as a blob beside the version's, so that a catalog rebuilt from the blobs knows it too, and it is not part of
the version's identity. Its only layer, and config, is the environment of the registration
(:mod:`model_registry.environment`) if that was captured.
"""

from __future__ import annotations

import platform
import socket
from collections.abc import Mapping
from datetime import datetime, timezone

from attrs import frozen

from model_registry import actor, canonical_json
from model_registry.digests import sha256_of_bytes
from model_registry.environment import ENVIRONMENT_TYPE
from model_registry.errors import UnsafeModelError
from model_registry.manifest import ARTIFACT_TYPE, MANIFEST_TYPE, descriptor, read_descriptor

PROVENANCE_TYPE = "application/vnd.model-registry.provenance.v1+json"
#: OCI's blob for «nothing here»: the config and only layer of an artifact that is all annotations.
EMPTY_BLOB = b"{}"
EMPTY_TYPE = "application/vnd.oci.empty.v1+json"
CREATED = "org.opencontainers.image.created"
#: Bytes of a record; ours have less than a thousand.
MOST_BYTES = 1 << 16

#: How every record begins, as its keys are sorted.
START = b'{"annotations":{'

_PREFIX = "io.model-registry."


@frozen
class Provenance:
    """A record that was read.

    :param subject: SHA-256 of the manifest that it is about.
    :param facts: Who registered, and where.
    :param content: Digest and size of its only layer.
    :param environment: The same if that is an environment document, None if the environment was not captured.
    """

    subject: str
    registered_at: datetime
    facts: Mapping[str, str]
    content: tuple[str, int]
    environment: tuple[str, int] | None


def write(
    manifest_sha256: str,
    manifest_size: int,
    registered_at: datetime,
    facts: Mapping[str, str],
    environment: bytes | None = None,
) -> bytes:
    """The provenance record's bytes. It needs the blob of the environment, or without one ``EMPTY_BLOB``.

    :param facts: More annotations; their keys get the prefix ``io.model-registry.``.
    """
    annotations = {_PREFIX + key: value for key, value in facts.items()}
    kind, content = (EMPTY_TYPE, EMPTY_BLOB) if environment is None else (ENVIRONMENT_TYPE, environment)
    layer = descriptor(kind, sha256_of_bytes(content), len(content))
    subject = {**descriptor(MANIFEST_TYPE, manifest_sha256, manifest_size), "artifactType": ARTIFACT_TYPE}
    return canonical_json.dump(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "artifactType": PROVENANCE_TYPE,
            "config": layer,
            "layers": [layer],
            "subject": subject,
            "annotations": {CREATED: registered_at.isoformat().replace("+00:00", "Z"), **annotations},
        }
    )


def read(data: bytes, *, what: str) -> Provenance | None:
    """Parse a record that nobody vouches for; None for bytes that are something else.

    :param what: Names the version in errors.
    :raises UnsafeModelError: if it is not a record as :func:`write` makes it.
    """
    if not data.startswith(START):
        return None
    document = canonical_json.load(data, what=f"provenance of {what}")
    if not isinstance(document, dict) or document.get("artifactType") != PROVENANCE_TYPE:
        return None
    try:
        annotations, config = document["annotations"], document["config"]
        content = read_descriptor(config)
        return Provenance(
            subject=read_descriptor(document["subject"])[0],
            registered_at=_moment(annotations[CREATED]),
            facts={key.removeprefix(_PREFIX): str(annotations[key]) for key in annotations if key.startswith(_PREFIX)},
            content=content,
            environment=content if config["mediaType"] == ENVIRONMENT_TYPE else None,
        )
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        reason = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
        raise UnsafeModelError(f"provenance of {what} is malformed: {reason:.200}", path=what) from error


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return moment.astimezone(timezone.utc)


def of_an_arrival() -> dict[str, str]:
    """Who registers what came from elsewhere: what this process is tells nothing of the model."""
    return {"actor": actor.current()}


def of_this_process() -> dict[str, str]:
    """Who registers, and where."""
    return {
        "actor": actor.current(),
        "host": socket.gethostname(),
        "user": actor.user(),
        "python": platform.python_version(),
        "machine": platform.machine(),
    }
