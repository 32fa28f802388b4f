"""What bodies look like: those that clients send, which are checked, and those of answers, for ``/openapi.json``."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Path
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from model_registry_server.security.roles import Role

JobState = Literal["queued", "running", "cancelling", "succeeded", "failed", "cancelled"]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$", examples=["9f86d081884c7d659a2feaa0c55ad015" * 2])]
Text = Annotated[str, Field(max_length=100_000)]
Name = Annotated[str, Field(min_length=1, max_length=500, examples=["digits"])]
VersionText = Annotated[str, Field(min_length=1, max_length=200, examples=["1.0.0"])]
Pattern = Annotated[str, Field(min_length=1, max_length=200, examples=["team-a/*"])]
WebhookUrl = Annotated[str, Field(min_length=1, max_length=2000, examples=["https://ci.example.com/hook"])]
NUMBER = Path(ge=0, lt=1 << 31, description="Of the file in the upload")


def shallow(value: dict[str, Any]) -> dict[str, Any]:
    """:raises ValueError: if it is nested deeper than whoever writes it down again can follow."""
    level: list[Any] = [value]
    for _ in range(_MOST_LEVELS):
        level = [item for each in level for item in (each.values() if isinstance(each, dict) else each)]
        level = [item for item in level if isinstance(item, (dict, list))]
        if not level:
            return value
    raise ValueError(f"nested more than {_MOST_LEVELS} levels deep")


_MOST_LEVELS = 32
Anything = Annotated[dict[str, Any], AfterValidator(shallow)]


class _Given(BaseModel):
    """What a client sends: nothing in it may be unknown."""

    model_config = ConfigDict(extra="forbid", strict=True)


class _Told(BaseModel):
    """What is answered: more may be told later."""

    model_config = ConfigDict(extra="allow")


# What clients send


class VersionChoice(_Given):
    version: VersionText = "latest"


class TagValue(_Given):
    value: Annotated[str, Field(max_length=10_000, examples=["production"])]


class Description(_Given):
    description: Annotated[str | None, Field(max_length=100_000, examples=["Reads handwritten digits"])] = None


class ParentRecord(_Given):
    relation: Annotated[str, Field(min_length=1, max_length=100, examples=["derived"])]
    name: Name
    version: VersionText | None = None
    digest: Sha256 | None = None


Parent = Annotated[str, Field(min_length=1, max_length=700, examples=["base:1.0.0"])] | ParentRecord


class Link(_Given):
    version: VersionText = "latest"
    parent: Parent
    relation: Annotated[str | None, Field(min_length=1, max_length=100, examples=["derived"])] = None


class Parity(_Given):
    a: Annotated[str, Field(min_length=1, max_length=700, examples=["digits:1.0.0"])]
    b: Annotated[str, Field(min_length=1, max_length=700, examples=["digits-onnx"])]
    tolerance: Annotated[float | None, Field(ge=0, le=1)] = None


class _Made(_Given):
    version: VersionText = "latest"
    new_name: Name | None = None
    new_version: VersionText | None = None


class Convert(_Made):
    to: Annotated[str, Field(min_length=1, max_length=100, examples=["onnx"])]
    check: bool = True
    allow_mismatch: bool = False
    tolerance: Annotated[float | None, Field(ge=0, le=1)] = None
    options: Annotated[Anything, Field(examples=[{"opset": 18}])] = {}


class Compress(_Made):
    compression: Annotated[str, Field(min_length=1, max_length=100, examples=["quantization_int8"])]
    max_drop: Annotated[float | None, Field(ge=0)] = None
    min_cosine: Annotated[float | None, Field(ge=-1, le=1)] = None
    options: Anything = {}


class Recommend(_Made):
    types: Annotated[list[str] | None, Field(max_length=50, examples=[["quantization_int8"]])] = None
    max_drop: Annotated[float | None, Field(ge=0)] = None
    min_cosine: Annotated[float | None, Field(ge=-1, le=1)] = None
    keep: bool = False


class FromHub(_Given):
    repo_id: Annotated[str, Field(min_length=1, max_length=300, examples=["sentence-transformers/all-MiniLM-L6-v2"])]
    revision: Annotated[str | None, Field(min_length=1, max_length=200, examples=["main"])] = None
    version: VersionText | None = None
    parent: Annotated[list[Parent], Field(max_length=100)] = []
    exist_ok: bool = False
    metadata: Annotated[Anything, Field(examples=[{"description": "Sentences to vectors"}])] = {}


class ArchiveOrder(_Given):
    name: Name | None = None
    keep: Annotated[int | None, Field(ge=0, lt=1 << 31)] = None


class CollectOrder(_Given):
    keep_removed_days: Annotated[float | None, Field(ge=0, le=36500)] = None


class RepairOrder(_Given):
    dry_run: bool = False


class UploadedVersion(BaseModel):
    """What is registered of an upload; beside these, any metadata."""

    model_config = ConfigDict(extra="allow")
    upload: str
    name: Name
    version: VersionText | None = None
    format: str | None = None
    exist_ok: bool = False
    metadata: Anything = {}


class FileAnnounced(_Given):
    path: Annotated[str, Field(min_length=1, max_length=500, examples=["model.safetensors"])]
    size: Annotated[int | None, Field(ge=0, lt=1 << 62, examples=[1_048_576])] = None
    sha256: Sha256 | None = None


class NewUpload(_Given):
    files: Annotated[list[FileAnnounced], Field(min_length=1, max_length=10_000)]


class Offered(_Given):
    blobs: Annotated[dict[Sha256, Annotated[int, Field(ge=0, lt=1 << 62)]], Field(max_length=100_000)]


class Receive(_Given):
    digest: Sha256
    upload: Annotated[str | None, Field(pattern="^[0-9a-f]{32}$")] = None
    records: Annotated[list[Sha256], Field(max_length=1000)] = []
    exist_ok: bool = False
    registered_at: Annotated[datetime | None, Field(strict=False, examples=["2026-01-31T12:00:00Z"])] = None


class TokenOrder(_Given):
    name: Annotated[str | None, Field(min_length=1, max_length=100, examples=["ci"])] = None
    role: Annotated[Role, Field(strict=False)] = Role.READER
    models: Annotated[list[Pattern], Field(min_length=1, max_length=100)] = ["*"]
    expires_at: Annotated[datetime | None, Field(strict=False)] = None


class WebhookOrder(_Given):
    url: WebhookUrl
    events: Annotated[list[Pattern], Field(min_length=1, max_length=100, examples=[["registered", "alias-*"]])] = ["*"]
    models: Annotated[list[Pattern], Field(min_length=1, max_length=100)] = ["*"]
    secret: Annotated[str | None, Field(max_length=200, description="whsec_ and base64; one is made")] = None
    description: Annotated[str | None, Field(max_length=1000)] = None
    active: bool = True


class WebhookChange(_Given):
    url: WebhookUrl | None = None
    events: Annotated[list[Pattern] | None, Field(min_length=1, max_length=100)] = None
    models: Annotated[list[Pattern] | None, Field(min_length=1, max_length=100)] = None
    description: Annotated[str | None, Field(max_length=1000)] = None
    active: bool | None = None


# What is answered


class Problem(_Told):
    """RFC 9457. ``error`` names the class that the Python client raises."""

    type: str
    title: str
    status: int
    detail: str
    hint: str = ""
    error: str = ""
    facts: dict[str, Any] = {}


class Version(_Told):
    name: Name
    version: str
    reference: Annotated[str, Field(examples=["digits:1.0.0"])]
    digest: Sha256
    size: int
    registered_at: datetime
    removed_at: datetime | None
    metadata: dict[str, Any]


class VersionPage(_Told):
    versions: list[Version]
    cursor: str | None


class File(_Told):
    path: str
    size: int
    sha256: Sha256
    media_type: str


class ParentTold(_Told):
    relation: str
    name: str
    version: str | None
    digest: str | None


class VersionDetails(Version):
    description: str | None
    aliases: list[str]
    tags: dict[str, str]
    parents: list[ParentTold]
    children: list[ParentTold]
    files: list[File]
    provenance: dict[str, Any] | None
    environment: dict[str, Any] | None
    model: dict[str, Any]


class Tensor(_Told):
    name: str
    dtype: str
    shape: list[int]
    path: str
    offset: int
    nbytes: int


class Inside(_Told):
    tensors: list[Tensor]
    modules: dict[str, str]


class Verified(_Told):
    digest: Sha256
    checksum: Sha256
    intact: bool


class Restored(_Told):
    restored: list[Version]


class Removed(_Told):
    removed: list[Version]
    restorable: bool


class Aliases(_Told):
    aliases: dict[str, str]


class AliasSet(Version):
    alias: str


class AliasUndone(_Told):
    alias: str
    version: Version | None


class Deleted(_Told):
    deleted: str


class Tags(_Told):
    tags: dict[str, str]


class Tag(_Told):
    key: str
    value: str


class Linked(_Told):
    parent: ParentTold


class Unlinked(_Told):
    unlinked: bool


class LineageNode(_Told):
    relation: str
    name: str | None
    version: str | None
    digest: str | None
    state: Literal["visible", "removed", "unknown", "hidden"]
    repeated: bool
    entry: Version | None
    parents: list[LineageNode]
    children: list[LineageNode]


class Event(_Told):
    id: int
    at: datetime
    actor: str
    action: str
    model: str
    version: str | None
    subject: str | None
    before: Any
    after: Any


class Events(_Told):
    events: list[Event]
    more: bool
    cursor: int | None


class Comparison(_Told):
    a: Version
    b: Version
    identical: bool
    metadata: list[dict[str, Any]]
    metrics: list[dict[str, Any]]
    environment: list[dict[str, Any]]
    files: list[dict[str, Any]]
    tensors: list[dict[str, Any]]
    modules: list[dict[str, Any]]
    notes: list[str]


class Job(_Told):
    id: str
    kind: str
    state: JobState
    models: list[str]
    actor: str
    arguments: dict[str, Any]
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    progress: dict[str, Any] | None
    result: Any
    error: dict[str, Any] | None
    url: str


class Jobs(_Told):
    jobs: list[Job]
    cursor: str | None


class Step(_Told):
    source: str
    target: str
    lossless: bool


class Plan(_Told):
    steps: list[Step]


class Validation(_Told):
    total_models: int
    valid_models: int
    errors: list[str]
    warnings: list[str]
    findings: list[dict[str, Any]]


class Stats(_Told):
    models: int
    versions: int
    logical_bytes: int
    stored_bytes: int


class Plugins(_Told):
    plugins: list[dict[str, Any]]
    formats: list[dict[str, Any]]


class UploadFile(_Told):
    number: int
    path: str
    size: int | None
    sha256: str | None
    offset: int
    done: bool


class Upload(_Told):
    id: str
    owner: str
    created_at: datetime
    touched_at: datetime
    files: list[UploadFile]


class Missing(_Told):
    missing: list[Sha256]


class NextVersion(_Told):
    version: str


class Blobs(_Told):
    name: str
    version: str
    digest: Sha256
    blobs: dict[str, int]
    registered_at: datetime


class Caller(_Told):
    name: str
    role: Role
    models: list[str]


class Token(_Told):
    id: str
    name: str
    role: Role
    models: list[str]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


class Tokens(_Told):
    tokens: list[Token]


class NewToken(Token):
    token: str


class AuditEntry(_Told):
    id: int
    at: datetime
    actor: str
    action: str
    subject: str
    details: Any
    address: str
    previous: str
    hash: str


class AuditLog(_Told):
    entries: list[AuditEntry]


class AuditVerified(_Told):
    intact: bool
    problem: dict[str, Any] | None
    head: str


class Health(_Told):
    status: Literal["ok"]


class Webhook(_Told):
    id: str
    url: str
    events: list[str]
    models: list[str]
    description: str | None
    active: bool
    created_at: datetime
    ended_because: str | None


class NewWebhook(Webhook):
    secret: str


class Webhooks(_Told):
    webhooks: list[Webhook]


class Delivery(_Told):
    id: str
    webhook: str
    event: int | None
    action: str
    state: Literal["pending", "delivered", "failed"]
    attempts: int
    created_at: datetime
    next_try_at: datetime | None
    last_try_at: datetime | None
    status: int | None
    error: str | None
    duration: float | None
    payload: dict[str, Any]


class Deliveries(_Told):
    deliveries: list[Delivery]
    cursor: str | None


_BYTES = {"schema": {"type": "string", "format": "binary"}}
FILE: dict[int | str, dict[str, Any]] = {
    200: {"description": "The bytes", "content": {"application/octet-stream": _BYTES, "application/x-tar": _BYTES}},
    206: {"description": "A part of the bytes", "content": {"application/octet-stream": _BYTES}},
    304: {"description": "The client has it already"},
    412: {"description": "The content is another one", "model": Problem},
    416: {"description": "There are no such bytes", "model": Problem},
}
JOB_INSTEAD: dict[int | str, dict[str, Any]] = {202: {"description": "A job to wait for", "model": Job}}
EXPORT = {**FILE, **JOB_INSTEAD}
EVENTS: dict[int | str, dict[str, Any]] = {
    200: {"description": "Server-sent events", "content": {"text/event-stream": {"schema": {"type": "string"}}}}
}
METRICS: dict[int | str, dict[str, Any]] = {
    200: {"description": "Metrics", "content": {"text/plain": {"schema": {"type": "string"}}}}
}
NOT_READY: dict[int | str, dict[str, Any]] = {503: {"description": "Not ready", "model": Problem}}

_FORM = {
    "type": "object",
    "required": ["name", "file"],
    "properties": {
        "name": {"type": "string", "minLength": 1},
        "file": {"type": "string", "format": "binary"},
        "version": {"type": "string"},
        "format": {"type": "string"},
        "type": {"type": "string"},
        "description": {"type": "string"},
        "tags": {"type": "string", "description": "Separated by commas"},
        "performance_metrics": {"type": "string", "description": "A JSON object", "example": '{"accuracy": 0.98}'},
        "parent": {"type": "string"},
        "exist_ok": {"type": "string", "enum": ["true", "false"]},
        "metadata": {"type": "string", "description": "A JSON object of anything else"},
        "options": {"type": "string", "description": "A JSON object of options of the format's plugin"},
    },
}
UPLOAD_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {"schema": _FORM},
            "application/json": {"schema": UploadedVersion.model_json_schema()},
            "application/octet-stream": _BYTES,
        },
    }
}
