"""The lines between server and worker: each a JSON document, in ASCII.

The server says what to do::

    {"task": "validate", "arguments": {"deep": true}, "actor": "ada", "registry": {"path": "models"}}

The worker answers with any number of reports and of parts of what it finds, and one end::

    {"progress": {"what": "validating", "bytes_done": 5, "bytes_total": 9, "items_done": 1, "items_total": 2}}
    {"part": {"read": {"5f2c…": true}}}
    {"result": {"total_models": 2}}
    {"error": {"type": "ModelNotFoundError", "message": "…", "hint": "…", "facts": {"model": "m"}}}
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

#: The module of what every worker can do.
TASK_MODULE = "model_registry_server.jobs.tasks"
#: Bytes of the longest answer.
LONGEST_LINE = 64 << 20


def line_of(message: Mapping[str, Any]) -> bytes:
    """A message as a line.

    :raises TypeError: for what JSON has no word for; ValueError for a number that it has none for.
    """
    return json.dumps(message, separators=(",", ":"), allow_nan=False).encode("ascii") + b"\n"
