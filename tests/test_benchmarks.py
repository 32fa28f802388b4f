"""The benchmarks run, each subject at a very small scale, and say something of each target. No time is looked at."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
#: The subjects, and how many rows each yields.
SUBJECTS = {
    "registering": 4,
    "loading": 6,
    "transformers_onnx": 3,
    "detecting": 3,
    "small_models": 7,
    "deduplication": 2,
    "archiving": 30,
    "compressing": 26,
    "comparing": 3,
    "command_line": 4,
    "serving": 7,
    "browsing": 3,
    "catalog": 11,
    "growth": 3,
}
MEASURE = """
import json, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import run
from measuring import Scale
place = Path(sys.argv[3])
title, subject = run.subjects(place)[sys.argv[2]]
rows = run.measure(subject, Scale(mebibytes=16, pairs=1, models=2, versions=(200, 400)), place)
print(json.dumps([[row.what, row.figure, row.target, row.reached] for row in rows]))
"""


@pytest.mark.parametrize("subject", SUBJECTS)
def test_a_subject_yields_its_rows(subject: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", MEASURE, str(BENCHMARKS), subject, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert len(rows) == SUBJECTS[subject]
    for what, figure, target, reached in rows:
        assert what
        assert figure
        assert bool(target) == isinstance(reached, bool)
    images = [image.read_bytes() for image in tmp_path.glob("*.png")]
    assert len(images) == {"catalog": 1, "growth": 2}.get(subject, 0)
    assert all(image.startswith(b"\x89PNG") for image in images)


def test_every_subject_is_tried() -> None:
    code = "import sys; sys.path.insert(0, sys.argv[1]); import run; print(*run.subjects(None))"
    command = [sys.executable, "-c", code, str(BENCHMARKS)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.split() == [*SUBJECTS]
