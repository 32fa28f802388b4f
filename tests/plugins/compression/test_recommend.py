"""What is worth doing to a model: tried, measured, told in a table and a picture, and kept only if that is asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from model_registry import (
    CompressionType,
    InvalidOptionError,
    ModelRegistry,
    ProgressReport,
    UnsupportedFormatError,
    VersionExistsError,
)
from model_registry.cli import root

torch = pytest.importorskip("torch")
pytest.importorskip("model_registry_pytorch")
nn = torch.nn

SIZES = [CompressionType.QUANTIZATION_INT4, CompressionType.QUANTIZATION_INT8, CompressionType.FP16]


def run_command(*words: str) -> Result:
    return CliRunner().invoke(root, words)


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelRegistry:
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10)).eval()
    made = ModelRegistry("models")
    made.register_model("m", model, version="1.0.0", input_shape=[64])
    made.register_model("small", nn.Linear(2, 2), version="1.0.0", input_shape=[2])
    return made


def test_everything_that_can_be_done_is_tried_and_nothing_kept(registry: ModelRegistry) -> None:
    report = registry.recommend_compression("m", "1.0.0", max_drop=0.001)
    assert {trial.type for trial in report.trials} == {
        *SIZES,
        CompressionType.QUANTIZATION_FP8,
        CompressionType.BF16,
        CompressionType.PRUNING_UNSTRUCTURED,
        CompressionType.PRUNING_STRUCTURED,
        CompressionType.LOW_RANK,
    }
    ratios = [trial.ratio for trial in report.trials if trial.ratio is not None]
    assert ratios == sorted(ratios)
    best = report.recommended
    assert best is not None
    for trial in report.trials:
        if trial.cosine is not None and trial.ratio is not None:
            assert bool(trial.problem) == (trial.cosine < 0.999)
            assert trial.size_mb == pytest.approx(trial.ratio * report.size_mb)
            assert trial.latency_ms is not None
            if not trial.problem:
                assert best.ratio is not None
                assert best.ratio <= trial.ratio * 1.02  # of those that are about as small, the fastest
    assert report.kept is None
    assert len(registry.list_models(name="m")) == 1
    table = str(report).splitlines()
    assert table[0].split() == ["type", "MB", "ratio", "cosine", "difference", "ms"]
    assert len(table) == len(report.trials) + 2
    [line] = [line for line in table if line.endswith("recommended")]
    assert line.startswith(best.type)


def test_what_is_recommended_is_kept_if_asked(registry: ModelRegistry) -> None:
    calls = []

    def evaluate(model: torch.nn.Module) -> float:
        calls.append(model)
        dtype = next(model.parameters()).dtype
        return float(model(torch.ones(1, 64, dtype=dtype)).detach().sum())

    report = registry.recommend_compression(
        "m",
        types=[*SIZES, *SIZES],
        evaluate=evaluate,
        max_drop=100.0,
        keep=True,
        new_name="small-m",
        new_version="2.0.0",
    )
    assert report.kept is not None
    assert report.kept.reference == "small-m:2.0.0"
    assert report.kept.metadata.compression_type == CompressionType.QUANTIZATION_INT4
    assert report.kept.size == pytest.approx(report.trials[0].size_mb * 1e6)
    assert report.metric == pytest.approx(evaluate(registry.load_model("m").model))
    assert len(calls) == 1 + len(SIZES) + 1 + 1, "the source was measured more than once"
    assert "metric" in str(report).splitlines()[0]


def test_what_comes_to_nothing_is_told_and_stops_nothing(registry: ModelRegistry) -> None:
    report = registry.recommend_compression(
        "small", types=[CompressionType.QUANTIZATION_INT8, CompressionType.LOW_RANK]
    )
    assert report.recommended is None
    told = {trial.type: trial.problem for trial in report.trials}
    assert "has no weight that quantization_int8 makes smaller" in told[CompressionType.QUANTIZATION_INT8]
    assert all(told.values())


def test_a_metric_that_fails_is_told_and_stops_nothing(registry: ModelRegistry) -> None:
    def evaluate(model: torch.nn.Module) -> float:
        return float(model(torch.ones(1, 64)).detach().sum())  # no half precision

    report = registry.recommend_compression("m", types=SIZES, evaluate=evaluate, max_drop=100.0)
    assert report.recommended is not None
    [half] = [trial for trial in report.trials if trial.type == CompressionType.FP16]
    assert half.problem.startswith("evaluate failed with the smaller model: RuntimeError: mat1 and mat2")


def test_the_picture_shows_every_trial(registry: ModelRegistry) -> None:
    pytest.importorskip("matplotlib")
    for name in ("costs.svg", "costs.png"):
        Path(name).write_text("an older one")
        registry.recommend_compression("m", types=SIZES, plot=name)
    assert Path("costs.png").read_bytes().startswith(b"\x89PNG")
    drawing = ElementTree.parse("costs.svg").getroot()  # drawn here
    assert drawing.tag.endswith("svg")
    drawn = Path("costs.svg").read_text()
    for name in (*SIZES, "as it is", "megabytes", "milliseconds of a run"):
        assert name in drawn
    assert sorted(path.name for path in Path().iterdir()) == ["costs.png", "costs.svg", "models"]


def test_mistakes_are_told_before_anything_is_tried(registry: ModelRegistry) -> None:
    def evaluate(model: Any) -> float:
        raise AssertionError("it was tried")

    for plot, problem in (("costs.txt", "no picture"), ("nowhere/costs.svg", "nowhere/costs.svg cannot be written")):
        with pytest.raises(InvalidOptionError, match=problem):
            registry.recommend_compression("m", plot=plot, evaluate=evaluate)
    Path("d.svg").mkdir()
    with pytest.raises(InvalidOptionError, match=r"d\.svg cannot be written"):
        registry.recommend_compression("m", plot="d.svg", evaluate=evaluate)
    with pytest.raises(InvalidOptionError, match="new_name and new_version are for what is kept"):
        registry.recommend_compression("m", new_name="n", evaluate=evaluate)
    with pytest.raises(VersionExistsError):
        registry.recommend_compression("m", keep=True, new_version="1.0.0", evaluate=evaluate)
    with pytest.raises(InvalidOptionError, match="types is empty"):
        registry.recommend_compression("m", types=[], evaluate=evaluate)
    with pytest.raises(UnsupportedFormatError, match="smaller by 'distilled'"):
        registry.recommend_compression("m", types=["fp16", "distilled"], evaluate=evaluate)


def test_it_tells_how_far_it_is(registry: ModelRegistry) -> None:
    reports: list[ProgressReport] = []
    registry.recommend_compression("m", types=SIZES, progress=reports.append)
    assert reports[0].what == "trying to make m:1.0.0 smaller"
    assert (reports[-1].items_done, reports[-1].items_total, reports[-1].finished) == (3, 3, True)


def test_the_command_recommends(registry: ModelRegistry) -> None:
    pytest.importorskip("matplotlib")
    done = run_command(
        "recommend-compression", "m:1.0.0", "--by", "fp16", "--by", "quantization_int8", "--plot", "c.svg"
    )
    assert done.exit_code == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "m:1.0.0"
    assert [line.split()[0] for line in lines[3:6]] == ["as", "quantization_int8", "fp16"]
    assert lines[4].endswith("recommended")
    assert Path("c.svg").is_file()
    told = json.loads(
        run_command("--json", "recommend-compression", "m", "--by", "fp16", "--keep", "--name", "k").stdout
    )
    assert (told["recommended"], told["kept"]) == ("fp16", "k:1.0.0")
    assert told["trials"][0]["ratio"] < 0.6
    limit = ("--by", "quantization_int4", "--max-drop", "0")
    assert "nothing is small and good enough" in run_command("recommend-compression", "m", *limit).stdout
    refused = run_command("recommend-compression", "m", *limit, "--keep")
    assert refused.exit_code == 9
    assert "--keep" in run_command("recommend-compression", "m", "--name", "n").stderr


def test_the_command_compresses(registry: ModelRegistry) -> None:
    done = run_command("compress", "m", "--by", "quantization_int4", "--option", "block_size=16", "--min-cosine", "0.9")
    assert done.exit_code == 0, done.stderr
    assert "registered m:1.0.1: " in done.stdout
    assert "% of m:1.0.0" in done.stdout
    assert "output: cosine 0.99" in done.stdout
    assert registry.resolve("m").metadata.extra["compression"]["options"] == {"block_size": 16}
    told = json.loads(run_command("--json", "compress", "m:1.0.0", "--by", "fp16", "--as-version", "1.0.0+fp16").stdout)
    assert told["reference"] == "m:1.0.0+fp16"
    refused = run_command("compress", "m:1.0.0", "--by", "quantization_int4", "--max-drop", "1e-9")
    assert refused.exit_code != 0
    assert "less than max_drop=1e-09 allows" in refused.stderr
    assert "there is bf16, fp16" in run_command("compress", "m", "--by", "magic").stderr
    assert run_command("compress", "m:1.0.0", "--by", "FP16").exit_code == 0
