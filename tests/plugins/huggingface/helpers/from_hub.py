"""Register from the hub that the environment names. Usage: from_hub.py REGISTRY REPOSITORY [KEY=VALUE…]"""

from __future__ import annotations

import json
import sys

from model_registry import ModelRegistry, ModelRegistryError

registry, repo_id, *pairs = sys.argv[1:]
try:
    opened, reports = ModelRegistry(registry), []
    with opened.progress(reports.append):
        entry = opened.register_from_hub(repo_id, **dict(pair.split("=", 1) for pair in pairs))
except ModelRegistryError as error:
    print(json.dumps({"error": type(error).__name__, "message": str(error)}))
else:
    files = {file.path: file.sha256 for file in entry.files}
    data = entry.metadata
    told = {"reference": entry.reference, "files": files, "origin": data.extra["origin"], "license": data.license}
    told |= {
        "url": data.repository_url,
        "base_model": data.extra.get("base_model"),
        "downloaded": max(report.bytes_done for report in reports if report.what.startswith("downloading ")),
        "card": data.extra.get("model_card"),
    }
    print(json.dumps(told))
