"""Provenance: when and where, in a record of its own that refers to the version."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timezone
from pathlib import Path

import pytest

from model_registry import ModelRegistry, provenance

NOON = datetime(2024, 2, 29, 12, 0, 0, 123456, tzinfo=timezone.utc)


def test_a_record_is_an_oci_artifact_without_content_about_its_subject() -> None:
    empty = {
        "mediaType": "application/vnd.oci.empty.v1+json",
        "digest": f"sha256:{hashlib.sha256(b'{}').hexdigest()}",
        "size": 2,
    }
    assert json.loads(provenance.write("a" * 64, 7, NOON, {"host": "here"})) == {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "artifactType": "application/vnd.model-registry.provenance.v1+json",
        "config": empty,
        "layers": [empty],
        "subject": {
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "artifactType": "application/vnd.cncf.model.manifest.v1+json",
            "digest": "sha256:" + "a" * 64,
            "size": 7,
        },
        "annotations": {
            "org.opencontainers.image.created": "2024-02-29T12:00:00.123456Z",
            "io.model-registry.host": "here",
        },
    }


def test_this_process_is_told_in_texts() -> None:
    facts = provenance.of_this_process()
    assert facts.keys() == {"actor", "host", "user", "python", "machine"}
    assert all(isinstance(text, str) for text in facts.values())


@pytest.mark.parametrize("error", [KeyError("uid not found"), OSError("no name")])
def test_a_user_without_a_name_is_nobody(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail() -> str:
        raise error

    monkeypatch.setattr("getpass.getuser", fail)
    assert provenance.of_this_process()["user"] == ""


def test_every_version_has_one_that_is_kept_as_a_blob(registry: ModelRegistry) -> None:
    entry = registry.register_model("m", b"x")
    documents = [path.read_bytes() for path in Path("models/blobs/sha256").iterdir()]
    (record,) = [json.loads(data) for data in documents if b"provenance.v1+json" in data]
    assert record["subject"]["digest"] == f"sha256:{entry.digest}"
    assert record["annotations"]["org.opencontainers.image.created"] == entry.registered_at.isoformat().replace(
        "+00:00", "Z"
    )
    for descriptor in (record["config"], *record["layers"], record["subject"]):
        assert any(f"sha256:{hashlib.sha256(data).hexdigest()}" == descriptor["digest"] for data in documents)
    registry.collect_garbage()
    assert len(list(Path("models/blobs/sha256").iterdir())) == len(documents)
