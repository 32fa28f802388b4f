"""Whether code from an artifact may run: only by the user's own word, in the call or in the configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from model_registry import ModelRegistry, PermissionRequiredError
from model_registry.operations.policy import code_allowed

SCRIPT = "import pathlib; pathlib.Path('executed').touch(); model = 7"


@pytest.mark.parametrize(
    ("name", "trusted", "allow_code", "weights_only", "expected"),
    [
        ("m", (), False, None, False),
        ("m", (), True, None, True),
        ("m", (), True, True, False),
        ("m", ("m",), False, None, True),
        ("m", ("m",), False, True, False),
        ("m", ("m",), True, True, False),
        ("m", ("m",), False, False, True),
        ("M", ("m",), False, None, True),
        ("m", ("M",), False, None, True),
        ("mine/a", ("mine/*",), False, None, True),
        ("mine", ("mine/*",), False, None, False),
        ("yours/mine/a", ("mine/*",), False, None, False),
        ("m", ("*",), False, None, True),
        ("ab", ("a",), False, None, False),
    ],
)
def test_the_users_word_counts(
    name: str, trusted: tuple[str, ...], allow_code: bool, weights_only: bool | None, expected: bool
) -> None:
    assert code_allowed(name, trusted, allow_code=allow_code, weights_only=weights_only) is expected


@pytest.mark.parametrize("allow_code", [True, False])
def test_weights_only_false_needs_the_configuration_as_well(allow_code: bool) -> None:
    with pytest.raises(
        PermissionRequiredError, match=r"^weights_only=False lets 'm' execute code.*trusted_models"
    ) as refusal:
        code_allowed("m", ("n",), allow_code=allow_code, weights_only=False)
    assert refusal.value.model == "m"


class TestLoadingAFormatThatExecutesCode:
    @pytest.fixture
    def stored(self, registry: ModelRegistry) -> ModelRegistry:
        Path("model.py").write_text(SCRIPT)
        registry.register_model("org/m", "model.py", "script")
        assert not Path("executed").exists()
        return registry

    @pytest.mark.parametrize(
        "options", [{}, {"weights_only": True}, {"weights_only": True, "allow_code": True}], ids=str
    )
    def test_is_refused_before_anything_runs(self, stored: ModelRegistry, options: dict[str, bool]) -> None:
        line = "^loading format 'script' can execute code that is stored with model 'org/m' — if you trust it"
        with pytest.raises(PermissionRequiredError, match=line):
            stored.load_model("org/m", **options)
        assert not Path("executed").exists()

    def test_is_done_when_the_call_says_so(self, stored: ModelRegistry) -> None:
        assert stored.load_model("org/m", allow_code=True).model == 7

    def test_is_done_when_the_configuration_says_so(self, stored: ModelRegistry) -> None:
        trusting = ModelRegistry("models", trusted_models=["org/*"])
        assert trusting.load_model("org/m", weights_only=False).model == 7

    def test_is_not_decided_by_a_configuration_inside_the_registry(self, stored: ModelRegistry) -> None:
        Path("models/registry.toml").write_text("[registry]\ntrusted_models = ['*']\n")
        with pytest.raises(PermissionRequiredError):
            ModelRegistry("models").load_model("org/m")
        assert not Path("executed").exists()


def test_a_plugin_asks_for_permission_where_only_some_models_need_it(registry: ModelRegistry) -> None:
    Path("folder").mkdir()
    Path("folder/hook.py").write_text("x")
    registry.register_model("m", "folder", "bytes")
    with pytest.raises(
        PermissionRequiredError, match=r"^running hook.py can execute code that is stored with model 'm'"
    ):
        registry.load_model("m")
    assert registry.load_model("m", allow_code=True).model == "ran hook.py"
