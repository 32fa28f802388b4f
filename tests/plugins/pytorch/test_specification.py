"""Every PyTorch line of the user's specification runs as it was written, in one process and one folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

QUICK_START = """
from model_registry import ModelRegistry, ModelFormat, ModelType

# 创建注册表
registry = ModelRegistry("./models")

# 注册PyTorch模型
import torch
import torch.nn as nn

model = nn.Linear(10, 1)
entry = registry.register_model(
    name="linear_model",
    model=model,
    model_format=ModelFormat.PYTORCH,
    model_type=ModelType.CUSTOM,
    version="1.0.0",
    description="简单线性模型"
)

# 加载模型
loaded_model, tokenizer = registry.load_model("linear_model", "1.0.0")
"""

SHORTCUT = """
from model_registry import register_pytorch_model

entry = register_pytorch_model("short", model)
"""

WORKFLOW = """
import torch
import torch.nn as nn
from model_registry import ModelRegistry, ModelFormat, ModelType

# 1. 创建注册表
registry = ModelRegistry("./my_models")

# 2. 创建和训练模型
class MNISTClassifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.flatten = nn.Flatten()
        self.layers = nn.Sequential(
            nn.Linear(28*28, 512),
            nn.ReLU(),
            nn.Dropout(0.2),
            nn.Linear(512, 10)
        )

    def forward(self, x):
        x = self.flatten(x)
        return self.layers(x)

model = MNISTClassifier()
# ... 训练过程 ...

# 3. 注册训练好的模型
entry = registry.register_model(
    name="mnist_classifier",
    model=model,
    model_format=ModelFormat.PYTORCH,
    model_type=ModelType.CLASSIFICATION,
    version="1.0.0",
    description="MNIST手写数字分类器",
    author="Your Name",
    training_dataset="MNIST",
    training_epochs=10,
    performance_metrics={
        "accuracy": 0.98,
        "loss": 0.05,
        "f1_score": 0.97
    },
    tags=["mnist", "classification", "cnn"],
    input_shape=[1, 28, 28],
    output_shape=[10]
)

print(f"注册成功! 模型ID: {entry.metadata.name}:{entry.metadata.version}")
print(f"参数数量: {entry.metadata.parameters_count:,}")
print(f"模型大小: {entry.metadata.model_size_mb:.2f} MB")

# 4. 稍后加载使用
loaded_model, _ = registry.load_model("mnist_classifier", "1.0.0")

# 5. 进行推理
test_input = torch.randn(1, 1, 28, 28)
with torch.no_grad():
    predictions = loaded_model(test_input)
    predicted_class = torch.argmax(predictions, dim=1)
    print(f"预测类别: {predicted_class.item()}")
"""

VERSIONS = """
# 注册多个版本
versions = [
    {"version": "1.0.0", "accuracy": 0.95},
    {"version": "1.1.0", "accuracy": 0.97},
    {"version": "2.0.0", "accuracy": 0.99}
]

for ver in versions:
    registry.register_model(
        name="my_model",
        model=trained_models[ver["version"]],
        model_format=ModelFormat.PYTORCH,
        version=ver["version"],
        performance_metrics={"accuracy": ver["accuracy"]}
    )

# 列出所有版本
models = registry.list_models()
my_models = [m for m in models if m.metadata.name == "my_model"]
for model in sorted(my_models, key=lambda x: x.metadata.version):
    acc = model.metadata.performance_metrics.get("accuracy", "N/A")
    print(f"版本 {model.metadata.version}: 准确率 {acc}")

# 加载最新版本
latest_model, _ = registry.load_model("my_model", "latest")
"""

BATCH = """
# 列出所有分类模型
classification_models = registry.list_models(ModelType.CLASSIFICATION)
print(f"分类模型数量: {len(classification_models)}")

# 验证所有模型
validation_result = registry.validate_registry()
print(f"总模型数: {validation_result['total_models']}")
print(f"有效模型数: {validation_result['valid_models']}")
if validation_result['errors']:
    print("错误:")
    for error in validation_result['errors']:
        print(f"  - {error}")

# 临时加载模型（自动清理）
with registry.temporary_model("my_model") as (model, tokenizer):
    # 使用模型
    result = model(input_data)
    # 退出时自动清理资源
"""

SAFETY = """
# 使用安全加载选项
loaded_model, _ = registry.load_model(
    "my_model",
    weights_only=True  # PyTorch安全加载
)

# 验证模型完整性
entry = registry.get_model_info("my_model")
if not entry.verify_integrity():
    print("⚠️ 模型文件可能已损坏!")
"""

DEVICE = """
# 指定设备加载
model, _ = registry.load_model(
    "my_model",
    device="cuda" if torch.cuda.is_available() else "cpu"
)
"""

METADATA = """
from model_registry import CompressionType

# 详细的元数据
registry.register_model(
    name="production_model",
    model=model,
    model_format=ModelFormat.PYTORCH,
    model_type=ModelType.CLASSIFICATION,

    # 训练信息
    training_framework="PyTorch 2.0",
    training_dataset="Custom Dataset v2.1",
    training_epochs=50,

    # 性能指标
    performance_metrics={
        "accuracy": 0.987,
        "precision": 0.985,
        "recall": 0.989,
        "f1_score": 0.987,
        "inference_time_ms": 15.2
    },

    # 压缩信息
    compression_type=CompressionType.QUANTIZATION_INT8,
    compression_ratio=0.25,
    original_size_mb=400.0,

    # 依赖信息
    dependencies=["torch>=2.0", "torchvision>=0.15"],
    python_version="3.9",

    # 标签和文档
    tags=["production", "optimized", "quantized"],
    license="MIT",
    repository_url="https://github.com/myorg/mymodel",
    paper_url="https://arxiv.org/abs/xxxx.xxxxx"
)
"""

ERRORS = """
try:
    # 模型注册
    entry = registry.register_model(name, model, model_format)
except ValueError as e:
    print(f"注册失败: {e}")
except FileNotFoundError as e:
    print(f"文件未找到: {e}")
except Exception as e:
    print(f"未知错误: {e}")

try:
    # 模型加载
    model, tokenizer = registry.load_model(name, version)
except ValueError as e:
    print(f"模型未找到: {e}")
except RuntimeError as e:
    print(f"完整性验证失败: {e}")
except ImportError as e:
    print(f"缺少依赖: {e}")
"""

TROUBLE = """
# 验证注册表
validation = registry.validate_registry()
print(validation['errors'])

# 重新计算校验和
entry.calculate_checksum()

# 使用分片加载
model, _ = registry.load_model(name, max_memory={"0": "8GiB"})
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run snippets one after the other in one namespace; gives what they print."""
    monkeypatch.chdir(tmp_path)
    # As in a script: its classes are in a module that the process has.
    script = type(pytest)("specification_script")
    monkeypatch.setitem(__import__("sys").modules, "specification_script", script)

    def run(*snippets: str, **given: Any) -> str:
        vars(script).update(given)
        for snippet in snippets:
            exec(compile(snippet, "specification", "exec"), vars(script))  # the user's own lines
        run.names = vars(script)  # type: ignore[attr-defined]
        return capsys.readouterr().out

    return run


def test_quick_start(run: Any) -> None:
    import torch

    run(QUICK_START, SHORTCUT)
    names = run.names
    assert torch.equal(names["loaded_model"].weight, names["model"].weight)
    assert names["tokenizer"] is None
    assert names["entry"].reference == "short:1.0.0"
    assert names["registry"].get_model_info("linear_model").metadata.description == "简单线性模型"


def test_complete_workflow(run: Any) -> None:
    printed = run(WORKFLOW)
    assert "注册成功! 模型ID: mnist_classifier:1.0.0" in printed
    assert "参数数量: 407,050" in printed
    assert "模型大小: 1.63 MB" in printed
    assert "预测类别: " in printed
    assert type(run.names["loaded_model"]) is run.names["MNISTClassifier"]
    assert run.names["entry"].metadata.input_shape == [1, 28, 28]


def test_versions_batches_safety_and_devices(run: Any) -> None:
    import torch
    from torch import nn

    trained = {version: nn.Linear(3, 2) for version in ("1.0.0", "1.1.0", "2.0.0")}
    printed = run(WORKFLOW, VERSIONS, BATCH, SAFETY, DEVICE, trained_models=trained, input_data=torch.zeros(1, 3))
    assert "版本 1.0.0: 准确率 0.95\n版本 1.1.0: 准确率 0.97\n版本 2.0.0: 准确率 0.99\n" in printed
    assert "分类模型数量: 1\n总模型数: 4\n有效模型数: 4\n" in printed
    assert "⚠️" not in printed
    assert torch.equal(run.names["latest_model"].weight, trained["2.0.0"].weight)
    assert torch.equal(run.names["result"], trained["2.0.0"].bias.detach().reshape(1, 2))


def test_detailed_metadata_comes_back(run: Any) -> None:
    run(QUICK_START, METADATA)
    found = run.names["registry"].get_model_info("production_model").metadata
    assert found.compression_type == "quantization_int8"
    assert found.compression_ratio == 0.25
    assert found.original_size_mb == 400.0
    assert found.performance_metrics["inference_time_ms"] == 15.2
    assert found.dependencies == ["torch>=2.0", "torchvision>=0.15"]
    assert (found.python_version, found.license, found.training_epochs) == ("3.9", "MIT", 50)
    assert found.tags == ["production", "optimized", "quantized"]
    assert found.paper_url == "https://arxiv.org/abs/xxxx.xxxxx"


@pytest.mark.parametrize(
    ("name", "model", "version", "said"),
    [
        ("linear_model", "missing.pt", "9.9.9", ["文件未找到: ", "模型未找到: "]),
        ("../linear_model", None, "1.0.0", ["注册失败: ", "模型未找到: "]),
    ],
)
def test_errors_are_caught_as_written(run: Any, name: str, model: Any, version: str, said: list[str]) -> None:
    run(QUICK_START)
    printed = run(ERRORS, name=name, model=model, model_format="pytorch", version=version)
    assert [line.partition(": ")[0] + ": " for line in printed.splitlines()] == said


def test_a_damaged_file_is_a_runtime_error_as_written(run: Any, tmp_path: Path) -> None:
    run(QUICK_START)
    weights = next(file for file in run.names["entry"].files if file.path == "model.safetensors")
    blob = tmp_path / "models" / "blobs" / "sha256" / weights.sha256
    blob.chmod(0o644)
    content = bytearray(blob.read_bytes())
    content[-1] ^= 1
    blob.write_bytes(content)
    printed = run(ERRORS, name="linear_model", model=None, model_format="pytorch", version="1.0.0")
    assert "完整性验证失败: linear_model:1.0.0: file 'model.safetensors' was changed" in printed
    assert run.names["entry"].verify_integrity() is False


def test_troubleshooting(run: Any) -> None:
    printed = run(QUICK_START, TROUBLE, name="linear_model")
    assert printed == "[]\n"
    assert run.names["entry"].calculate_checksum() == run.names["entry"].digest
