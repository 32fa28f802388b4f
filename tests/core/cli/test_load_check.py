"""``load-check``: loads as a program would."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import Done, run

from model_registry import ModelRegistry


def test_says_what_came(digits: Done) -> None:
    done = run("load-check", "digits")
    assert done.code == 0
    assert done.out.startswith("digits:1.0.1 loads: builtins.bytes; 16 B verified, loaded in 0.")


def test_json_names_the_tokenizer_too(weights: Path) -> None:
    run("register", weights, "--name", "m", "--option", "tokenizer=words")
    document = run("load-check", "m", "--json", "--option", "upper=true").document
    assert document.pop("seconds") >= 0
    assert document == {
        "name": "m",
        "version": "1.0.0",
        "type": "builtins.bytes",
        "tokenizer_type": "builtins.str",
        "bytes_verified": 21,
    }


def test_code_runs_only_with_permission() -> None:
    Path("model.py").write_text("open('ran', 'w').close(); model = 7")
    run("register", "model.py", "--name", "m", "--format", "script")
    refused = run("load-check", "m")
    assert refused.code == 6
    assert "hint: if you trust it, add --allow-code, or add 'm' to trusted_models" in refused.err
    assert not Path("ran").exists()
    assert "loads: builtins.int" in run("load-check", "m", "--allow-code").out


def test_damage_is_found(digits: Done) -> None:
    blob = ModelRegistry("models").get_model_info("digits").files[0].sha256  # type: ignore[union-attr]
    path = Path("models/blobs/sha256", blob)
    path.chmod(0o644)
    path.write_bytes(b"BYTES of a modem")
    done = run("load-check", "digits")
    assert done.code == 5
    assert "file 'weights.bin' was changed on disk" in done.err


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("loud=1", "knows no option 'loud'"),
        ("allow_code=true", "--option allow_code=… says what has an argument or option of its own"),
    ],
)
def test_options_that_are_none(digits: Done, option: str, message: str) -> None:
    done = run("load-check", "digits", "--option", option)
    assert done.code == 2
    assert message in done.err
