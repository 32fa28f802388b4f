"""The models that the standard's own test suite ships: registered, loaded, and run with the outputs that it expects."""

from __future__ import annotations

import locale
import shutil
import subprocess
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator

from model_registry import UnsafeModelError

DATA = Path(onnx.__file__).parent / "backend" / "test" / "data"
SIMPLE = sorted(path.parent for path in (DATA / "simple").glob("*/model.onnx"))
LIGHT = sorted((DATA / "light").glob("*.onnx"))
#: Gradients are for training builds of the runtime, and no other runtime has them.
IMPOSSIBLE = {"test_gradient_of_add", "test_gradient_of_add_and_mul"}


def has_locale() -> bool:
    """The runtime's StringNormalizer needs a locale that small machines do not have."""
    try:
        locale.setlocale(locale.LC_CTYPE, "en_US.UTF-8")
    except locale.Error:
        return False
    locale.setlocale(locale.LC_CTYPE, "")
    return True


@pytest.fixture(scope="session")
def english(tmp_path_factory) -> Iterator[bool]:
    """Whether the runtime has the locale: that of the machine, or one that is made here for it."""
    if has_locale():
        yield True
        return
    folder = tmp_path_factory.mktemp("locales")
    make = shutil.which("localedef")
    with pytest.MonkeyPatch.context() as patch:
        if make is not None:
            patch.setenv("LOCPATH", str(folder))
            subprocess.run([make, "-i", "en_US", "-f", "UTF-8", str(folder / "en_US.UTF-8")], check=False)
        yield has_locale()


def run(registry, folder, feed, english):
    """By the runtime; by the standard's own evaluator where the runtime cannot for want of a locale."""
    if folder.name.startswith("test_strnorm") and not english:
        return ReferenceEvaluator(registry.load_model("m", as_="proto").model).run(None, feed)
    return registry.load_model("m").model.run(None, feed)


def inputs(model):
    weights = {tensor.name for tensor in model.graph.initializer}
    return [value for value in model.graph.input if value.name not in weights]


def read(path: Path, kind: onnx.TypeProto):
    if kind.HasField("sequence_type"):
        return numpy_helper.to_list(onnx.SequenceProto.FromString(path.read_bytes()))
    return numpy_helper.to_array(onnx.TensorProto.FromString(path.read_bytes()))


def require_equal(found, expected, *, rtol: float = 1e-3) -> None:
    if isinstance(expected, list):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            require_equal(one, other)
    elif expected.dtype.kind in "OUS":
        assert found.tolist() == expected.tolist()
    else:
        assert found.dtype == expected.dtype
        np.testing.assert_allclose(found, expected, rtol=rtol, atol=1e-7)


def test_there_are_as_many_as_the_package_has() -> None:
    assert len(SIMPLE) >= 20
    assert len(LIGHT) >= 9


@pytest.mark.parametrize("folder", SIMPLE, ids=lambda path: path.name)
def test_simple(registry, folder, english) -> None:
    entry = registry.register_model("m", folder / "model.onnx")
    model = onnx.load(folder / "model.onnx")
    if folder.name in IMPOSSIBLE:
        with pytest.raises(UnsafeModelError, match=r"onnxruntime cannot use model.onnx"):
            registry.load_model("m")
        assert [finding.code for finding in registry.validate_registry()["findings"]] == ["session-impossible"]
        return
    assert [item["name"] for item in entry.metadata.extra["inputs"]] == [item.name for item in inputs(model)]
    for data in sorted(folder.glob("test_data_set_*")):
        values = dict(enumerate(inputs(model)))
        feed = {value.name: read(data / f"input_{number}.pb", value.type) for number, value in values.items()}
        found = run(registry, folder, feed, english)
        for number, value in enumerate(model.graph.output):
            require_equal(found[number], read(data / f"output_{number}.pb", value.type))


@pytest.mark.parametrize("path", LIGHT, ids=lambda path: path.stem)
def test_light(registry, path) -> None:
    entry = registry.register_model("m", path)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # their initializers are inputs as well, of which the runtime warns
    with warnings.catch_warnings():
        session, _ = registry.load_model("m", session_options=options)
    feed = {}
    for item in session.get_inputs():
        shape = [size if isinstance(size, int) else 1 for size in item.shape]
        feed[item.name] = (np.arange(np.prod(shape)).reshape(shape) / np.prod(shape)).astype(np.float32)
    expected = numpy_helper.to_array(
        onnx.TensorProto.FromString(path.with_name(f"{path.stem}_output_0.pb").read_bytes())
    )
    require_equal(session.run(None, feed)[0], expected, rtol=2e-3)
    assert entry.metadata.framework == "onnx"
