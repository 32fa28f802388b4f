"""When and where a version was registered: an OCI manifest of its own that refers to the version as its subject.

It is kept as a blob beside the version's, so that a catalog rebuilt from the blobs knows it too, and it is not part of
the version's identity.
"""

from __future__ import annotations

import platform
import socket
from collections.abc import Mapping
from datetime import datetime

from model_registry import actor, canonical_json
from model_registry.manifest import ARTIFACT_TYPE, MANIFEST_TYPE, descriptor

PROVENANCE_TYPE = "application/vnd.model-registry.provenance.v1+json"
#: OCI's blob for «nothing here»: the config and only layer of an artifact that is all annotations.
EMPTY_BLOB = b"{}"
EMPTY_SHA256 = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
EMPTY_TYPE = "application/vnd.oci.empty.v1+json"
CREATED = "org.opencontainers.image.created"


def write(manifest_sha256: str, manifest_size: int, registered_at: datetime, facts: Mapping[str, str]) -> bytes:
    """The provenance record's bytes.

    :param facts: More annotations; their keys get the prefix ``io.model-registry.``.
    """
    annotations = {f"io.model-registry.{key}": value for key, value in facts.items()}
    empty = descriptor(EMPTY_TYPE, EMPTY_SHA256, len(EMPTY_BLOB))
    subject = {**descriptor(MANIFEST_TYPE, manifest_sha256, manifest_size), "artifactType": ARTIFACT_TYPE}
    return canonical_json.dump(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "artifactType": PROVENANCE_TYPE,
            "config": empty,
            "layers": [empty],
            "subject": subject,
            "annotations": {CREATED: registered_at.isoformat().replace("+00:00", "Z"), **annotations},
        }
    )


def of_this_process() -> dict[str, str]:
    """Who registers, and where."""
    return {
        "actor": actor.current(),
        "host": socket.gethostname(),
        "user": actor.user(),
        "python": platform.python_version(),
        "machine": platform.machine(),
    }
