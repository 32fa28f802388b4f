"""How commands fail: one line, what to do, and a code that means something."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from command_line import Done, run

from model_registry import errors
from model_registry.cli.exit_codes import MEANINGS, ExitCode, code_of

CODES = {
    "ModelNotFoundError": 3, "VersionNotFoundError": 3, "SourceNotFoundError": 3, "RegistryNotFoundError": 3,
    "VersionExistsError": 4, "DestinationExistsError": 4,
    "InvalidNameError": 2, "InvalidMetadataError": 2, "InvalidOptionError": 2, "InvalidQueryError": 2,
    "ConfigurationError": 2,
    "IntegrityError": 5, "UnsafeModelError": 6, "PermissionRequiredError": 6,
    "UnsupportedModelError": 7, "UnsupportedFormatError": 7, "ClassNotFoundError": 7, "PluginError": 7,
    "PluginLoadError": 7, "StorageError": 8, "ParityError": 9, "RegistrationLostError": 8,
    "AliasMovedError": 1, "ModelRegistryError": 1,
}  # fmt: skip


def fail_with(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("model_registry.registry.ModelRegistry.list_models", fail)


@pytest.mark.parametrize("name", [name for name, kind in vars(errors).items() if isinstance(kind, type)])
def test_every_error_of_the_registry_has_its_code(name: str) -> None:
    assert code_of(getattr(errors, name)("what happened")) == CODES[name]


@pytest.mark.parametrize(
    ("error", "code"),
    [(ZeroDivisionError(), 1), (MemoryError(), 1), (PermissionError(13, "no"), 8), (KeyboardInterrupt(), 130)],
)
def test_other_errors_have_theirs(error: BaseException, code: int) -> None:
    assert code_of(error) == code


def test_whoever_may_not_do_it_is_refused_also_by_what_a_plugin_opens() -> None:
    class ForbiddenError(errors.ModelRegistryError, PermissionError):
        pass

    assert code_of(ForbiddenError("not yours")) == ExitCode.REFUSED


def test_every_code_has_a_meaning() -> None:
    assert set(MEANINGS) == set(ExitCode)


def test_no_registry_is_made_by_looking(site: object) -> None:
    for words in (["list"], ["show", "m"], ["load-check", "m"], ["export", "m", "1", "x"], ["remove", "m"], ["gc"],
                  ["restore", "m"], ["validate"], ["compare", "m", "m"]):  # fmt: skip
        done = run(*words, "--registry", "nowhere")
        assert (done.code, done.out) == (3, "")
        assert done.err.startswith("error: no registry at ")
        assert "\nhint: check the path; registering a model makes one\n" in done.err


@pytest.mark.parametrize("words", [["list"], ["register", "weights.bin", "--name", "m"]])
def test_a_file_is_no_registry(weights: Path, words: list[str]) -> None:
    done = run("--registry", weights, *words)
    assert (done.code, done.out) == (3, "")
    assert done.err == f"error: no registry at {weights.absolute()}: that is a file\nhint: give the registry's folder\n"


def test_an_unexpected_error_is_one_line(digits: Done, monkeypatch: pytest.MonkeyPatch) -> None:
    fail_with(monkeypatch, ZeroDivisionError("by\nzero"))
    done = run("list")
    assert done.code == 1
    assert done.err == (
        "error: unexpected ZeroDivisionError: by zero\n"
        "hint: run it again with --debug for the traceback, and report it\n"
    )


@pytest.mark.parametrize("words", [["--debug", "list"], ["list", "--debug"]])
def test_debug_shows_the_traceback(digits: Done, monkeypatch: pytest.MonkeyPatch, words: list[str]) -> None:
    fail_with(monkeypatch, ZeroDivisionError("\x1b[2J"))
    done = run(*words)
    assert "Traceback (most recent call last):\n" in done.err
    assert "error: unexpected ZeroDivisionError" in done.err
    assert "\x1b" not in done.err


@pytest.mark.parametrize(
    ("error", "line", "code"),
    [
        (MemoryError(), "error: there is not enough memory\n", 1),
        (KeyboardInterrupt(), "error: interrupted\n", 130),
        (PermissionError(13, "Permission denied", "a"), "error: Permission denied: a\n", 8),
        (errors.StorageError("the disk refused", hint="pass allow_code=True"), "error: the disk refused\n"
         "hint: add --allow-code\n", 8),
    ],
)  # fmt: skip
def test_the_line_of(digits: Done, monkeypatch: pytest.MonkeyPatch, error: BaseException, line: str, code: int) -> None:
    fail_with(monkeypatch, error)
    done = run("list")
    assert (done.code, done.out, done.err) == (code, "", line)


def test_programs_get_the_error_as_a_document(digits: Done) -> None:
    done = run("show", "digit", "--json")
    assert done.code == 3
    assert done.document == {
        "error": {
            "type": "ModelNotFoundError",
            "message": "there is no model 'digit'",
            "hint": "did you mean 'digits'?",
            "exit_code": 3,
        }
    }
    assert done.err.startswith("error: there is no model 'digit'\n")


def test_a_missing_argument_is_a_document_too() -> None:
    assert run("show", "--json").document["error"]["exit_code"] == 2


def test_mistakes_in_the_configuration_are_told_a_line_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_REGISTRY_CREATE", "perhaps")
    monkeypatch.setenv("MODEL_REGISTRY_CACHE_SIZE", "much")
    done = run("list")
    assert done.code == 2
    assert done.err.splitlines()[0] == "error: 2 mistakes in the configuration:"
    assert len(done.err.splitlines()) == 3


def test_warnings_of_the_registry_are_lines_without_traceback(digits: Done, monkeypatch: pytest.MonkeyPatch) -> None:
    def warn(*_: object, **__: object) -> list[object]:
        try:
            raise RuntimeError("\x1b why")
        except RuntimeError:
            logging.getLogger("model_registry").exception("a plugin failed in %s", "loaded")
        logging.getLogger("model_registry").info("quiet")
        return []

    monkeypatch.setattr("model_registry.registry.ModelRegistry.list_models", warn)
    assert run("list").err == "error: a plugin failed in loaded (RuntimeError: \\x1b why)\n"
    assert "Traceback" in run("list", "--debug").err
    assert "info: quiet\n" in run("list", "--verbose").err
    assert logging.getLogger("model_registry").level == logging.NOTSET
