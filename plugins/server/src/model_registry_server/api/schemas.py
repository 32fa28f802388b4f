"""What bodies look like: those that clients send, which are checked, and those of answers, for ``/openapi.json``."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from fastapi import Path
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    model_validator,
)
from pydantic_core import PydanticCustomError

from model_registry_server.api.bodies import MOST_BYTES
from model_registry_server.api_path import API
from model_registry_server.security.roles import Role

JobState = Literal["queued", "running", "cancelling", "succeeded", "failed", "cancelled"]
_SHA256 = "9f86d081884c7d659a2feaa0c55ad015" * 2
_ID = "8f14e45fceea167a"
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$", examples=[_SHA256])]
Name = Annotated[str, Field(min_length=1, max_length=500, examples=["digits"])]
VersionText = Annotated[str, Field(min_length=1, max_length=200, examples=["1.0.0"])]
Reference = Annotated[str, Field(min_length=1, max_length=700, examples=["digits:1.0.0"])]
Format = Annotated[str, Field(min_length=1, max_length=100, examples=["onnx"])]
Compression = Annotated[str, Field(min_length=1, max_length=100, examples=["quantization_int8"])]
Relation = Annotated[str, Field(min_length=1, max_length=100, examples=["derived"])]
FilePath = Annotated[str, Field(min_length=1, max_length=500, examples=["model.safetensors"])]
VersionTold = Annotated[str, Field(examples=["1.0.0"])]
PathTold = Annotated[str, Field(examples=["model.safetensors"])]
Hash = Annotated[str, Field(examples=[_SHA256])]
Alias = Annotated[str, Field(examples=["champion"])]
Bytes = Annotated[int, Field(ge=0, lt=1 << 62, examples=[1_048_576])]
Share = Annotated[float, Field(ge=0, le=1, examples=[0.001])]
Moment = Annotated[datetime, Field(examples=["2026-01-31T12:00:00Z"])]
Later = Annotated[datetime, Field(examples=["2027-01-31T12:00:00Z"])]
Pattern = Annotated[str, Field(min_length=1, max_length=200, examples=["team-a/*"])]
Patterns = Annotated[list[Pattern], Field(min_length=1, max_length=100)]
EventPatterns = Annotated[list[Pattern], Field(min_length=1, max_length=100, examples=[["registered", "alias-*"]])]
WebhookUrl = Annotated[str, Field(min_length=1, max_length=2000, examples=["https://ci.example.com/hook"])]
Id = Annotated[str, Field(examples=[_ID])]
UploadId = Annotated[str, Field(pattern="^[0-9a-f]{32}$", examples=[_ID * 2])]
Who = Annotated[str, Field(examples=["ci"])]
Said = Annotated[str, Field(max_length=100_000, examples=["Reads handwritten digits"])]
Flag = Annotated[bool, Field(examples=[True])]
Count = Annotated[int, Field(examples=[12])]
#: For what mostly is not there.
_NOTHING = Field(examples=[None])
_NONE = Field(examples=[[]])
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


#: Mistakes of one body that are told one by one: to tell each takes far longer than to find it.
_MOST_MISTAKES = 100


class _Given(BaseModel):
    """What a client sends: nothing in it may be unknown.

    :cvar most_bytes: As many as the body may have.
    """

    model_config = ConfigDict(extra="forbid", strict=True)
    most_bytes: ClassVar[int] = 256 << 10

    @model_validator(mode="wrap")
    @classmethod
    def _with_few_mistakes(cls, given: Any, validate: ValidatorFunctionWrapHandler) -> Any:
        try:
            return validate(given)
        except ValidationError as error:
            count = error.error_count()
            if count <= _MOST_MISTAKES:
                raise
        message = "has {count} fields or items that are not as they must be"
        raise PydanticCustomError("too_many_mistakes", message, {"count": count})


class _Told(BaseModel):
    """What is answered: more may be told later."""

    model_config = ConfigDict(extra="allow")


# What clients send


class VersionChoice(_Given):
    version: VersionText = "latest"


class TagValue(_Given):
    value: Annotated[str, Field(max_length=10_000, examples=["production"])]


class Description(_Given):
    most_bytes = 2 << 20
    description: Said | None = None


class ParentRecord(_Given):
    relation: Relation
    name: Name
    version: VersionText | None = None
    digest: Sha256 | None = None


Parent = Annotated[str, Field(min_length=1, max_length=700, examples=["base:1.0.0"])] | ParentRecord


class Link(_Given):
    version: VersionText = "latest"
    parent: Parent
    relation: Relation | None = None


class Parity(_Given):
    a: Reference
    b: Annotated[Reference, Field(examples=["digits-onnx"])]
    tolerance: Share | None = None


class _Made(_Given):
    version: VersionText = "latest"
    new_name: Annotated[Name | None, Field(examples=["digits-small"])] = None
    new_version: VersionText | None = None


class Convert(_Made):
    to: Format
    check: bool = True
    allow_mismatch: bool = False
    tolerance: Share | None = None
    options: Annotated[Anything, Field(examples=[{"opset": 18}])] = {}


class Compress(_Made):
    compression: Compression
    max_drop: Annotated[float | None, Field(ge=0, examples=[0.01])] = None
    min_cosine: Annotated[float | None, Field(ge=-1, le=1)] = None
    options: Anything = {}


class Recommend(_Made):
    types: Annotated[list[str] | None, Field(max_length=50, examples=[["quantization_int8"]])] = None
    max_drop: Annotated[float | None, Field(ge=0, examples=[0.01])] = None
    min_cosine: Annotated[float | None, Field(ge=-1, le=1)] = None
    keep: bool = False


class FromHub(_Given):
    repo_id: Annotated[str, Field(min_length=1, max_length=300, examples=["sentence-transformers/all-MiniLM-L6-v2"])]
    revision: Annotated[str | None, Field(min_length=1, max_length=200, examples=["main"])] = None
    version: VersionText | None = None
    parent: Annotated[list[Parent], Field(max_length=100, examples=[[]])] = []
    exist_ok: bool = False
    metadata: Annotated[Anything, Field(examples=[{"description": "Sentences to vectors"}])] = {}


class ArchiveOrder(_Given):
    name: Name | None = None
    keep: Annotated[int | None, Field(ge=0, lt=1 << 31, examples=[3])] = None


class CollectOrder(_Given):
    keep_removed_days: Annotated[float | None, Field(ge=0, le=36500, examples=[30])] = None


class RepairOrder(_Given):
    dry_run: Flag = False


class UploadedVersion(BaseModel):
    """What is registered of an upload; beside these, any metadata."""

    model_config = ConfigDict(extra="allow")
    upload: Annotated[str, Field(max_length=100, examples=[_ID * 2])]
    name: Name
    version: VersionText | None = None
    format: Annotated[str | None, Field(examples=["safetensors"])] = None
    exist_ok: bool = False
    metadata: Annotated[Anything, Field(examples=[{"description": "Reads handwritten digits"}])] = {}


class FileAnnounced(_Given):
    path: FilePath
    size: Bytes | None = None
    sha256: Sha256 | None = None


class NewUpload(_Given):
    most_bytes = MOST_BYTES
    files: Annotated[list[FileAnnounced], Field(min_length=1, max_length=10_000)]


class Offered(_Given):
    most_bytes = MOST_BYTES
    blobs: Annotated[
        dict[Sha256, Annotated[int, Field(ge=0, lt=1 << 62)]],
        Field(max_length=100_000, examples=[{_SHA256: 1_048_576}]),
    ]


class Receive(_Given):
    digest: Sha256
    upload: UploadId | None = None
    records: Annotated[list[Sha256], Field(max_length=1000)] = []
    exist_ok: bool = False
    registered_at: Annotated[Moment | None, Field(strict=False)] = None


class TokenOrder(_Given):
    name: Annotated[str | None, Field(min_length=1, max_length=100, examples=["ci"])] = None
    role: Annotated[Role, Field(strict=False, examples=[Role.WRITER])] = Role.READER
    models: Patterns = ["*"]
    expires_at: Annotated[Later | None, Field(strict=False)] = None


class WebhookOrder(_Given):
    url: WebhookUrl
    events: EventPatterns = ["*"]
    models: Patterns = ["*"]
    secret: Annotated[str | None, Field(max_length=200, description="whsec_ and base64; one is made")] = None
    description: Annotated[str | None, Field(max_length=1000, examples=["Tests each new version"])] = None
    active: bool = True


class WebhookChange(_Given):
    url: WebhookUrl | None = None
    events: EventPatterns | None = None
    models: Patterns | None = None
    description: Annotated[str | None, Field(max_length=1000, examples=["Tests each new version"])] = None
    active: Flag | None = None


# What is answered


_METADATA = {
    "name": "digits",
    "version": "1.0.0",
    "format": "pytorch",
    "model_type": "classification",
    "description": "Reads handwritten digits",
    "tags": ["mnist"],
    "performance_metrics": {"accuracy": 0.97},
    "parents": [],
    "extra": {},
}


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
    version: VersionTold
    reference: Reference
    digest: Sha256
    size: Bytes
    registered_at: Moment
    removed_at: Annotated[datetime | None, _NOTHING]
    metadata: Annotated[dict[str, Any], Field(examples=[_METADATA])]


class VersionPage(_Told):
    versions: list[Version]
    cursor: Annotated[str | None, _NOTHING]


class File(_Told):
    path: PathTold
    size: Bytes
    sha256: Sha256
    media_type: Annotated[str, Field(examples=["application/vnd.cncf.model.weight.v1.raw"])]


class ParentTold(_Told):
    relation: Relation
    name: Annotated[str, Field(examples=["base"])]
    version: VersionTold | None
    digest: Hash | None


class VersionDetails(Version):
    description: Said | None
    aliases: list[Alias]
    tags: Annotated[dict[str, str], Field(examples=[{"stage": "production"}])]
    parents: list[ParentTold]
    children: list[ParentTold]
    files: list[File]
    provenance: Annotated[dict[str, Any] | None, Field(examples=[{"actor": "ci"}])]
    environment: Annotated[dict[str, Any] | None, _NOTHING]
    model: Annotated[dict[str, Any], Field(examples=[{"description": None, "tags": {}}])]


class Tensor(_Told):
    name: Annotated[str, Field(examples=["layers.0.weight"])]
    dtype: Annotated[str, Field(examples=["float32"])]
    shape: Annotated[list[int], Field(examples=[[512, 512]])]
    path: PathTold
    offset: Annotated[int, Field(examples=[128])]
    nbytes: Bytes


class Inside(_Told):
    tensors: list[Tensor]
    modules: Annotated[dict[str, str], Field(examples=[{"layers.0": "torch.nn.Linear"}])]
    tensor_count: Count
    module_count: Count
    nbytes: Bytes


class Verified(_Told):
    digest: Sha256
    checksum: Sha256
    intact: Flag


class Restored(_Told):
    restored: list[Version]


class Removed(_Told):
    removed: list[Version]
    restorable: Flag


class Aliases(_Told):
    aliases: Annotated[dict[str, str], Field(examples=[{"champion": "1.0.0"}])]


class AliasSet(Version):
    alias: Alias


class AliasUndone(_Told):
    alias: Alias
    version: Version | None


class Deleted(_Told):
    deleted: Annotated[str, Field(examples=["champion"])]


class Tags(_Told):
    tags: Annotated[dict[str, str], Field(examples=[{"stage": "production"}])]


class Tag(_Told):
    key: Annotated[str, Field(examples=["stage"])]
    value: Annotated[str, Field(examples=["production"])]


class Linked(_Told):
    parent: ParentTold


class Unlinked(_Told):
    unlinked: Flag


class LineageNode(_Told):
    relation: Annotated[str, Field(examples=[""])]
    name: Name | None
    version: VersionTold | None
    digest: Hash | None
    state: Literal["visible", "removed", "unknown", "hidden"]
    repeated: Annotated[bool, Field(examples=[False])]
    entry: Version | None
    parents: list[LineageNode]
    children: list[LineageNode]


class Event(_Told):
    id: Annotated[int, Field(examples=[1200])]
    at: Moment
    actor: Who
    action: Annotated[str, Field(examples=["alias-set"])]
    model: Name
    version: VersionTold | None
    subject: Annotated[str | None, Field(examples=["champion"])]
    before: Annotated[Any, Field(examples=["0.9.0"])]
    after: Annotated[Any, Field(examples=["1.0.0"])]


class Events(_Told):
    events: list[Event]
    more: Annotated[bool, Field(examples=[False])]
    cursor: Annotated[int | None, _NOTHING]


class Comparison(_Told):
    a: Version
    b: Version
    identical: Annotated[bool, Field(examples=[False])]
    metadata: Annotated[list[dict[str, Any]], _NONE]
    metrics: Annotated[list[dict[str, Any]], _NONE]
    environment: Annotated[list[dict[str, Any]], _NONE]
    files: Annotated[list[dict[str, Any]], _NONE]
    tensors: Annotated[list[dict[str, Any]], _NONE]
    modules: Annotated[list[dict[str, Any]], _NONE]
    notes: Annotated[list[str], _NONE]
    file_count: Count
    tensor_count: Count
    module_count: Count
    tensor_statuses: Annotated[dict[str, Count], Field(examples=[{"identical": 6, "changed": 2}])]


class Job(_Told):
    id: Id
    kind: Annotated[str, Field(examples=["convert"])]
    state: JobState
    models: list[Name]
    actor: Who
    arguments: Annotated[dict[str, Any], Field(examples=[{"name": "digits", "version": "1.0.0", "to": "onnx"}])]
    created_at: Moment
    started_at: Annotated[datetime | None, _NOTHING]
    finished_at: Annotated[datetime | None, _NOTHING]
    progress: Annotated[dict[str, Any] | None, _NOTHING]
    result: Annotated[Any, _NOTHING]
    error: Annotated[dict[str, Any] | None, _NOTHING]
    url: Annotated[str, Field(examples=[f"{API}/jobs/{_ID}"])]


class Jobs(_Told):
    jobs: list[Job]
    cursor: Annotated[str | None, _NOTHING]


class Step(_Told):
    source: Annotated[str, Field(examples=["pytorch"])]
    target: Annotated[str, Field(examples=["onnx"])]
    lossless: Annotated[bool, Field(examples=[False])]


class Plan(_Told):
    steps: list[Step]


class Validation(_Told):
    total_models: Count
    valid_models: Count
    errors: Annotated[list[str], _NONE]
    warnings: Annotated[list[str], _NONE]
    findings: Annotated[list[dict[str, Any]], _NONE]


class Stats(_Told):
    models: Annotated[int, Field(examples=[3])]
    versions: Count
    logical_bytes: Annotated[int, Field(examples=[12_582_912])]
    stored_bytes: Annotated[int, Field(examples=[4_194_304])]


_PLUGIN = {"name": "onnx", "distribution": "model-registry-onnx", "version": "0.1.0", "status": "ready"}


class Plugins(_Told):
    plugins: Annotated[list[dict[str, Any]], Field(examples=[[{**_PLUGIN, "formats": ["onnx"], "problem": ""}]])]
    formats: Annotated[list[dict[str, Any]], Field(examples=[[{"id": "onnx", "title": "ONNX model"}]])]


class UploadFile(_Told):
    number: Annotated[int, Field(examples=[0])]
    path: PathTold
    size: Bytes | None
    sha256: Hash | None
    offset: Annotated[int, Field(examples=[524_288])]
    done: Annotated[bool, Field(examples=[False])]


class Upload(_Told):
    id: UploadId
    owner: Who
    created_at: Moment
    touched_at: Moment
    files: list[UploadFile]


class Missing(_Told):
    missing: list[Sha256]


class NextVersion(_Told):
    version: Annotated[str, Field(examples=["1.0.1"])]


class Blobs(_Told):
    name: Name
    version: VersionTold
    digest: Sha256
    blobs: Annotated[dict[str, int], Field(examples=[{_SHA256: 1_048_576}])]
    registered_at: Moment


class Caller(_Told):
    name: Who
    role: Role
    models: list[Pattern]


class Token(_Told):
    id: Id
    name: Who
    role: Role
    models: list[Pattern]
    created_at: Moment
    expires_at: Later | None
    revoked_at: Annotated[datetime | None, _NOTHING]
    last_used_at: Moment | None


class Tokens(_Told):
    tokens: list[Token]


class NewToken(Token):
    token: Annotated[str, Field(examples=["mr_…"])]


class AuditEntry(_Told):
    id: Annotated[int, Field(examples=[1200])]
    at: Moment
    actor: Who
    action: Annotated[str, Field(examples=["set_alias"])]
    subject: Annotated[str, Field(examples=["digits"])]
    details: Annotated[Any, Field(examples=[{"alias": "champion"}])]
    address: Annotated[str, Field(examples=["192.0.2.7"])]
    previous: Hash
    hash: Hash


class AuditLog(_Told):
    entries: list[AuditEntry]


class AuditVerified(_Told):
    intact: Flag
    problem: Annotated[dict[str, Any] | None, _NOTHING]
    head: Hash


class Health(_Told):
    status: Literal["ok"]


class Webhook(_Told):
    id: Id
    url: WebhookUrl
    events: EventPatterns
    models: list[Pattern]
    description: Annotated[str | None, Field(examples=["Tests each new version"])]
    active: Flag
    created_at: Moment
    ended_because: Annotated[str | None, _NOTHING]


class NewWebhook(Webhook):
    secret: Annotated[str, Field(examples=["whsec_…"])]


class Webhooks(_Told):
    webhooks: list[Webhook]


class Delivery(_Told):
    id: Id
    webhook: Id
    event: Annotated[int | None, Field(examples=[1200])]
    action: Annotated[str, Field(examples=["registered"])]
    state: Literal["pending", "delivered", "failed"]
    attempts: Annotated[int, Field(examples=[0])]
    created_at: Moment
    next_try_at: Moment | None
    last_try_at: Annotated[datetime | None, _NOTHING]
    status: Annotated[int | None, _NOTHING]
    error: Annotated[str | None, _NOTHING]
    duration: Annotated[float | None, _NOTHING]
    payload: Annotated[dict[str, Any], Field(examples=[{"id": _ID, "event": {}, "version": None}])]


class Deliveries(_Told):
    deliveries: list[Delivery]
    cursor: Annotated[str | None, _NOTHING]


def refused(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Answers that the document has for all routes."""
    return {status: {"$ref": f"#/components/responses/{status}"} for status in statuses}


def _text(description: str, media_type: str, example: str) -> dict[int | str, dict[str, Any]]:
    schema = {"type": "string", "examples": [example]}
    return {200: {"description": description, "content": {media_type: {"schema": schema}}}}


_BYTES = {"type": "string", "format": "binary", "examples": ["(the bytes of the file)"]}
_FILE = {"application/octet-stream": {"schema": _BYTES}}
FILE: dict[int | str, dict[str, Any]] = {
    200: {"description": "The bytes", "content": {**_FILE, "application/x-tar": {"schema": _BYTES}}},
    206: {"description": "A part of the bytes", "content": _FILE},
    304: {"description": "The client has it already"},
    **refused(412, 416),
}
JOB_INSTEAD: dict[int | str, dict[str, Any]] = {202: {"description": "A job to wait for", "model": Job}}
EXPORT = {**FILE, **JOB_INSTEAD}
EVENTS = _text("Server-sent events", "text/event-stream", 'id: 1200\nevent: alias-set\ndata: {"id": 1200, …}\n\n')
METRICS = _text("Metrics", "text/plain", "model_registry_models 3.0\n")
NOT_READY = refused(503)

_FORM = {
    "type": "object",
    "required": ["name", "file"],
    "properties": {
        "name": {"type": "string", "minLength": 1, "examples": ["digits"]},
        "file": {"type": "string", "format": "binary", "examples": ["(the bytes of the file)"]},
        "version": {"type": "string", "examples": ["1.0.0"]},
        "format": {"type": "string", "examples": ["safetensors"]},
        "type": {"type": "string", "examples": ["classification"]},
        "description": {"type": "string", "examples": ["Reads handwritten digits"]},
        "tags": {"type": "string", "description": "Separated by commas", "examples": ["mnist, cnn"]},
        "performance_metrics": {"type": "string", "description": "A JSON object", "examples": ['{"accuracy": 0.98}']},
        "parent": {"type": "string", "examples": ["base:1.0.0"]},
        "exist_ok": {"type": "string", "enum": ["true", "false"]},
        "metadata": {"type": "string", "description": "A JSON object of anything else", "examples": ['{"epochs": 3}']},
        "options": {"type": "string", "description": "A JSON object of options of the format's plugin"},
    },
}


def _body(**schemas: Any) -> dict[str, Any]:
    kinds = {"form": "multipart/form-data", "json": "application/json", "file": "application/octet-stream"}
    content = {kinds[kind]: {"schema": schema} for kind, schema in schemas.items()}
    return {"requestBody": {"required": True, "content": content}}


UPLOAD_BODY = _body(form=_FORM, json=UploadedVersion.model_json_schema(), file=_BYTES)
PART_BODY = _body(file=_BYTES)
