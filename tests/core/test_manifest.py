"""The manifest: valid by the OCI image specification 1.1 and the ModelPack specification, and read without trust.

The rules are checked by hand here, as their texts give them:
https://github.com/opencontainers/image-spec/blob/v1.1.0/manifest.md and descriptor.md,
https://github.com/modelpack/model-spec/blob/main/docs/spec.md and docs/config.md
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_registry import FileRecord, ModelEntry, ModelMetadata, ModelRegistry, UnsafeModelError, manifest
from model_registry.vocabulary import ModelFormat

RFC_6838 = re.compile(r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}")
DIGEST = re.compile(r"sha256:[a-f0-9]{64}")
METADATA = ModelMetadata("org/m", "1.0", ModelFormat.CUSTOM)


def hex_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def record(path: str, data: bytes = b"x") -> FileRecord:
    return FileRecord(path, len(data), hex_of(data), manifest.media_type(path))


def written(*paths: str) -> bytes:
    return manifest.write(map(record, paths), b'{"our":"metadata"}', b"{}")


@pytest.fixture
def entry(registry: ModelRegistry) -> ModelEntry:
    return registry.register_model(
        "org/M", b"abcdef", version="1.0+cuda", parts=2, author="Ada", license="MIT", repository_url="https://x.org/y"
    )


def blob(digest: str) -> bytes:
    """A blob of the registry, which has the digest that it is called by."""
    data = Path("models/blobs/sha256", digest.removeprefix("sha256:")).read_bytes()
    assert hex_of(data) == digest.removeprefix("sha256:")
    return data


def check_descriptor(descriptor: dict[str, Any]) -> None:
    """descriptor.md: REQUIRED are mediaType, digest and size; annotations map strings to strings."""
    assert RFC_6838.fullmatch(descriptor["mediaType"])
    assert DIGEST.fullmatch(descriptor["digest"])
    assert type(descriptor["size"]) is int
    assert descriptor["size"] == len(blob(descriptor["digest"]))
    assert descriptor.keys() <= {"mediaType", "digest", "size", "annotations", "artifactType"}
    assert all(isinstance(text, str) for pair in descriptor.get("annotations", {}).items() for text in pair)


def check_manifest(document: dict[str, Any]) -> None:
    """manifest.md: schemaVersion MUST be 2, and what else is there is of the specification."""
    assert document["schemaVersion"] == 2
    assert document["mediaType"] == "application/vnd.oci.image.manifest.v1+json"
    assert RFC_6838.fullmatch(document["artifactType"])
    assert document.keys() <= {
        "schemaVersion", "mediaType", "artifactType", "config", "layers", "subject", "annotations"
    }  # fmt: skip
    assert document["layers"], "for portability, at least one"
    for descriptor in [
        document["config"],
        *document["layers"],
        *([document["subject"]] if "subject" in document else []),
    ]:
        check_descriptor(descriptor)


class TestTheRecordOfAVersion:
    def test_is_an_oci_manifest_of_a_modelpack_artifact(self, entry: ModelEntry) -> None:
        document = json.loads(blob(entry.digest))
        check_manifest(document)
        assert document["artifactType"] == "application/vnd.cncf.model.manifest.v1+json"
        assert document["config"]["mediaType"] == "application/vnd.cncf.model.config.v1+json"
        assert "subject" not in document
        assert "annotations" not in document

    def test_names_every_file_in_a_raw_layer_with_its_path_and_title(self, entry: ModelEntry) -> None:
        *files, ours = json.loads(blob(entry.digest))["layers"]
        for layer, name, data in zip(files, ["part-0.bin", "part-1.bin"], [b"ace", b"bdf"], strict=True):
            assert layer["mediaType"] == "application/vnd.cncf.model.weight.v1.raw"
            assert layer["annotations"] == {"org.opencontainers.image.title": name, "org.cncf.model.filepath": name}
            assert blob(layer["digest"]) == data
        assert ours["mediaType"] == "application/vnd.model-registry.version.v1+json"
        assert "annotations" not in ours

    def test_has_our_metadata_in_the_last_layer(self, entry: ModelEntry) -> None:
        document = json.loads(blob(json.loads(blob(entry.digest))["layers"][-1]["digest"]))
        assert document["schemaVersion"] == 1
        assert document["writer"] == {"plugin": "bytes", "version": "1.0"}
        assert (document["metadata"]["name"], document["metadata"]["version"]) == ("org/M", "1.0+cuda")

    def test_has_a_modelpack_config(self, entry: ModelEntry) -> None:
        document = json.loads(blob(entry.digest))
        config = json.loads(blob(document["config"]["digest"]))
        assert config == {  # docs/config.md: descriptor, config and modelfs are REQUIRED
            "descriptor": {
                "name": "org/M",
                "version": "1.0+cuda",
                "authors": ["Ada"],
                "licenses": ["MIT"],
                "sourceURL": "https://x.org/y",
            },
            "config": {"format": "bytes", "paramSize": "0K"},
            "modelfs": {"type": "layers", "diffIds": [layer["digest"] for layer in document["layers"]]},
        }

    def test_lies_in_an_oci_image_layout(self, entry: ModelEntry) -> None:
        assert json.loads(Path("models/oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}
        index = json.loads(Path("models/index.json").read_text())
        assert index == {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []}
        assert all(re.fullmatch("[a-f0-9]{64}", path.name) for path in Path("models/blobs/sha256").iterdir())

    def test_has_canonical_bytes(self, entry: ModelEntry) -> None:
        data = blob(entry.digest)
        assert data == json.dumps(json.loads(data), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


class TestTheSameModelHasTheSameDigest:
    def test_in_another_registry_at_another_time_on_another_machine(
        self, registry: ModelRegistry, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        one = registry.register_model("m", b"abc", description="d", performance_metrics={"a": 1, "b": 2.0}, x=1, y=2)
        monkeypatch.setattr("socket.gethostname", lambda: "elsewhere")
        monkeypatch.setattr("platform.python_version", lambda: "3.99")
        monkeypatch.setattr("getpass.getuser", lambda: "somebody")
        monkeypatch.setattr("time.time_ns", lambda: 2_000_000_000 * 10**9)
        other = ModelRegistry("other").register_model(
            "m", b"abc", y=2, x=1, performance_metrics={"b": 2.0, "a": 1}, description="d"
        )
        assert other.digest == one.digest
        assert other.registered_at != one.registered_at

    @pytest.mark.parametrize(
        "changed",
        [
            {"model": b"abd"},
            {"parts": 2},
            {"description": "e"},
            {"x": 1.0},
            {"version": "1.0"},
            {"name": "M"},
            {"z": None},
        ],
        ids=str,
    )
    def test_and_another_one_another(self, registry: ModelRegistry, changed: dict[str, Any]) -> None:
        said: dict[str, Any] = {"name": "m", "model": b"abc", "version": "1.0.0", "description": "d", "x": 1}
        one = registry.register_model(**said)
        assert ModelRegistry("other").register_model(**{**said, **changed}).digest != one.digest

    def test_in_whatever_order_its_files_come(self) -> None:
        assert written("b", "a/c", "a/b") == written("a/b", "b", "a/c")


@pytest.mark.parametrize(
    ("path", "kind", "expected"),
    [
        ("model.bin", "", "application/vnd.cncf.model.weight.v1.raw"),
        ("a/config.JSON", "", "application/vnd.cncf.model.weight.config.v1.raw"),
        ("README.md", "", "application/vnd.cncf.model.doc.v1.raw"),
        ("model.py", "", "application/vnd.cncf.model.code.v1.raw"),
        ("model.py", "weight", "application/vnd.cncf.model.weight.v1.raw"),
        ("x", "dataset", "application/vnd.cncf.model.dataset.v1.raw"),
    ],
)
def test_a_file_has_the_media_type_of_what_it_is(path: str, kind: str, expected: str) -> None:
    assert manifest.media_type(path, kind) == expected


def test_a_kind_that_is_none_is_an_error() -> None:
    with pytest.raises(KeyError, match="weights"):
        manifest.media_type("x", "weights")


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (None, None), (0, "0K"), (50, "0.1K"), (1_000, "1K"), (1_500, "1.5K"), (999_999, "1000K"), (1_000_000, "1M"),
        (6_700_000_000, "6.7B"), (70_000_000_000, "70B"), (1_800_000_000_000, "1.8T"), (2 * 10**15, "2Q"),
    ],
)  # fmt: skip
def test_a_parameter_count_is_written_as_modelpack_says(count: int | None, expected: str | None) -> None:
    assert manifest.parameter_size(count) == expected


def test_a_config_leaves_out_what_nobody_said() -> None:
    config = json.loads(manifest.write_config(METADATA, [], b"{}"))
    assert config["descriptor"] == {"name": "org/m", "version": "1.0"}
    assert config["config"] == {"format": "custom"}
    assert len(config["modelfs"]["diffIds"]) == 1


@given(st.sets(st.sampled_from(["a", "b.json", "c/d", "c/e.py", "f g", "z" * 500])))
def test_what_was_written_is_read(paths: set[str]) -> None:
    read = manifest.read(written(*paths), what="m:1.0")
    assert read.files == tuple(record(path) for path in sorted(paths))
    assert read.metadata == (hex_of(b'{"our":"metadata"}'), 18)
    assert read.config == (hex_of(b"{}"), 2)
    assert {sha256 for sha256, _ in read.blobs()} >= {hex_of(b"{}"), hex_of(b'{"our":"metadata"}')}


def test_digests_are_replaced_everywhere_they_stand() -> None:
    data = written("a", "b")
    assert manifest.with_digests(data, {}) == data
    changed = manifest.read(manifest.with_digests(data, {hex_of(b"x"): "1" * 64, hex_of(b"{}"): "2" * 64}), what="it")
    assert [file.sha256 for file in changed.files] == ["1" * 64] * 2
    assert changed.config == ("2" * 64, 2)


def layer(path: Any = "a", **changes: Any) -> dict[str, Any]:
    return {
        "mediaType": "x/y",
        "digest": "sha256:" + "0" * 64,
        "size": 1,
        "annotations": {"org.cncf.model.filepath": path},
        **changes,
    }


def hostile(change: Callable[[dict[str, Any]], Any]) -> bytes:
    document = json.loads(written("a", "b"))
    return json.dumps(change(document) or document).encode()


@pytest.mark.parametrize(
    "change",
    [
        *[
            (lambda document, path=path: document["layers"].insert(0, layer(path)))
            for path in (
                "../x", "a/../../b", "/etc/passwd", "a\\b", "C:x", "", ".", "con", "a\0b", "x" * 513, "a\u2044b",
                "a\n", 3, None,
                ["a"], {"a": 1}, "a", "A", "a/b",
            )
        ],
        *[
            (lambda document, digest=digest: document["layers"].insert(0, layer("c", digest=digest)))
            for digest in (
                "0" * 64, "sha256:" + "0" * 63, "sha256:" + "A" * 64, "sha512:" + "0" * 64, "sha256:../" + "0" * 61,
                "sha256:" + "0" * 64 + "\n", "", 0, None, [], {}, True,
            )
        ],
        *[
            (lambda document, size=size: document["layers"].insert(0, layer("c", size=size)))
            for size in (-1, 1.0, "1", None, True, [1], 2**63, 10**4000)
        ],
        *[
            (lambda document, wrong=wrong: document["layers"].insert(0, wrong))
            for wrong in (None, 3, "x", [], [[]], {}, layer(annotations=None), layer(annotations=[]),
            layer(annotations="x"))
        ],
        *[(lambda document, wrong=wrong: document.update(layers=wrong)) for wrong in ([], {}, None, "ab", 3, {"a": 1})],
        *[(lambda document, wrong=wrong: document.update(config=wrong)) for wrong in ([], {}, None, "ab", 3)],
        lambda document: document.pop("artifactType") and None,
        lambda document: document.update(artifactType="application/vnd.docker.container.image.v1+json"),
        lambda document: document["layers"].pop() and None,
        lambda document: document["layers"].append(layer("c")),
        lambda document: [document],
        lambda document: "text",
        lambda document: 3,
    ],
)  # fmt: skip
def test_a_manifest_that_is_none_is_refused_in_one_line(change: Callable[[dict[str, Any]], Any]) -> None:
    with pytest.raises(UnsafeModelError, match=r"^manifest of m:1\.0 is malformed: .") as refusal:
        manifest.read(hostile(change), what="m:1.0")
    assert str(refusal.value).isprintable()
    assert len(str(refusal.value)) < 400


@pytest.mark.parametrize("data", [b"", b"\x80", b"[" * 100_000, b'{"layers":[],"layers":[]}', b"{} x"])
def test_a_manifest_that_is_no_json_is_refused(data: bytes) -> None:
    with pytest.raises(UnsafeModelError, match=r"^manifest of m:1\.0 is not the JSON it should be: "):
        manifest.read(data, what="m:1.0")


@given(st.data())
def test_nothing_but_our_error_comes_of_a_damaged_manifest(data: st.DataObject) -> None:
    good = bytearray(written("a", "b/c"))
    for _ in range(data.draw(st.integers(1, 4))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.sampled_from(b'"{}[],:0-.a/\\\x00\xff'))
    with suppress(UnsafeModelError):
        manifest.read(bytes(good), what="it")
