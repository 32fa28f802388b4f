"""The ``registry.toml`` at the root: it loads, it says what is the default anyway, and it leaves nothing out."""

from __future__ import annotations

from pathlib import Path

import attrs
import tomli

from model_registry.config import Settings, load_settings

ROOT = Path(__file__).parent.parent
FILE = ROOT / "registry.toml"
REFERENCE = ROOT / "docs" / "reference" / "configuration.md"

#: Not written by users under [registry].
ELSEWHERE = {"plugin_order": "order", "disabled_plugins": "disabled", "plugin_tables": "", "origins": ""}


def test_it_says_the_defaults() -> None:
    written = load_settings({"config": FILE}, environ={})
    default = load_settings({}, environ={"MODEL_REGISTRY_PATH": str(ROOT / "models")})
    assert attrs.evolve(written, plugin_tables={}) == attrs.evolve(default, plugin_tables={})


def test_it_tells_of_every_key() -> None:
    settings = {attribute.name for attribute in attrs.fields(Settings)}
    text = FILE.read_text(encoding="utf-8")
    missing = {key for key in settings - set(ELSEWHERE) if f"\n{key} =" not in text and f"\n# {key} =" not in text}
    assert not missing
    assert set(tomli.loads(text)["plugins"]) == {"order", "disabled"}  # tables of plugins need them installed


def test_the_reference_has_every_key_and_variable() -> None:
    rows = [line for line in REFERENCE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    named = {row.split("`")[1] for row in rows}
    settings = {attribute.name for attribute in attrs.fields(Settings)}
    assert named >= {ELSEWHERE.get(key, key) for key in settings} - {""}
    text = "\n".join(rows)
    for key in settings - {"plugin_tables", "origins"}:
        assert f"`MODEL_REGISTRY_{key.upper()}`" in text
