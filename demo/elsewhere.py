"""Run a script of ``serving/`` in a process that can import nothing of the demo but what it is given."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from safetensors.torch import save_file

from digits import Digits

HERE = Path(__file__).parent


def run_elsewhere(script: str, registry: Path, digits: Digits, scratch: Path, *, modules: Sequence[str]) -> Any:
    """Give ``script`` the registry and the digits; its answer is one line of JSON.

    :param modules: The modules of the demo that the process may import.
    :raises SystemExit: if the script fails; what it said goes to stderr.
    """
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        for module in modules:
            shutil.copy(HERE / f"{module}.py", folder)
        digits_path = Path(folder) / "digits.safetensors"
        save_file({"images": digits.images, "labels": digits.labels}, digits_path)
        command = [sys.executable, str(HERE / "serving" / script), str(registry.resolve()), str(digits_path)]
        environment = {**os.environ, "PYTHONPATH": folder}
        done = subprocess.run(command, env=environment, cwd=folder, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(f"{script} failed with exit code {done.returncode}")
    return json.loads(done.stdout)
