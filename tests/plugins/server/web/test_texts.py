from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

import pytest

import model_registry_server.web as package
from model_registry import errors as core_errors
from model_registry.errors import ModelRegistryError
from model_registry_server import errors as server_errors
from model_registry_server.transfer import errors as transfer_errors
from model_registry_server.web.error_texts import ERRORS
from model_registry_server.web.language import accepted
from model_registry_server.web.page_texts import PAGES
from model_registry_server.web.texts import TEXTS, text, word
from model_registry_server.web.troubles import trouble_of, trouble_of_document
from model_registry_server.web.value_texts import VALUES

FOLDER = Path(package.__file__).parent
SOURCES = "\n".join(path.read_text() for suffix in ("html", "py") for path in sorted(FOLDER.rglob(f"*.{suffix}")))
USED = set(re.findall(r"""\b(?:t|text)\(\s*["']([a-z_0-9]+)["']""", SOURCES))
GROUPS = set(re.findall(r"""\b(?:word|_first)\(\s*["']([a-z_]+)["']""", SOURCES))
HAN = re.compile("[\u4e00-\u9fff]")
#: Names that are the same in Chinese.
_NAMES = {"origin.python", "origin.git", "nav_webhooks"}


def test_no_text_stands_in_two_catalogs() -> None:
    assert len(TEXTS) == len(PAGES) + len(VALUES) + len(ERRORS)


@pytest.mark.parametrize("module", [core_errors, server_errors, transfer_errors])
def test_every_kind_of_error_is_told_in_both_languages_with_what_to_do(module: ModuleType) -> None:
    kinds = [each for each in vars(module).values() if isinstance(each, type) and issubclass(each, ModelRegistryError)]
    assert kinds
    for kind in kinds:
        assert f"error.{kind.__name__}" in TEXTS
        told = trouble_of(kind("what happened", hint="what to do"), "zh")
        assert HAN.search(told.kind)
        assert HAN.search(told.advice)
        assert (told.message, told.hint) == ("what happened", "what to do")


def test_an_error_of_a_plugin_is_told_by_the_nearest_kind_that_is_known() -> None:
    class OfAPlugin(core_errors.UnsafeModelError):
        pass

    assert trouble_of(OfAPlugin("x"), "en").kind == TEXTS["error.UnsafeModelError"][0]
    assert trouble_of_document({"type": "Nonsense", "message": "x"}, "zh").kind == TEXTS["error.ModelRegistryError"][1]
    assert trouble_of_document({}, "zh").message == ""


def test_every_text_that_a_page_uses_exists() -> None:
    assert len(USED) > 100
    assert USED - TEXTS.keys() == set()


def test_no_text_is_unused() -> None:
    assert {key for key in TEXTS if "." not in key} - USED == set()
    assert {key.partition(".")[0] for key in TEXTS if "." in key} == GROUPS


def test_every_text_is_in_both_languages() -> None:
    for key, (english, chinese) in TEXTS.items():
        assert english.strip(), key
        assert not HAN.search(english), key
        assert key in _NAMES or HAN.search(chinese), key


def test_both_languages_fill_in_the_same_values() -> None:
    for key, texts in TEXTS.items():
        names = [sorted(re.findall(r"\{(\w+)\}", each)) for each in texts]
        assert names[0] == names[1], key


def test_no_template_holds_a_text_of_its_own() -> None:
    for path in sorted(FOLDER.rglob("*.html")):
        assert not HAN.search(path.read_text().replace("中文", "")), path


def test_a_value_without_a_name_is_told_as_it_is() -> None:
    assert word("state", "failed", "zh") == "失败"
    assert word("state", "<new>", "zh") == "<new>"
    assert text("parameters", "en", n="4 k") == "4 k parameters"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en-US,en;q=0.9,zh;q=0.8", "en"),
        ("fr;q=1, zh-TW;q=0.3, en;q=0.2", "zh"),
        ("zh;q=0, en", "en"),
        ("zh;q=x", "en"),
        ("fr", "en"),
    ],
)
def test_the_language_is_the_one_that_the_browser_prefers(header: str, expected: str) -> None:
    assert accepted(header) == expected
