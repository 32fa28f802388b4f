"""The plugin manager: what is installed is found, loaded late, ordered, guarded, and told of when it fails."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest
from fake_plugins import BYTES, Installer

from model_registry import (
    ConfigurationError,
    ModelLoader,
    ModelRegistry,
    PluginError,
    PluginInfo,
    PluginLoadError,
    StorageError,
    UnsupportedFormatError,
    UnsupportedModelError,
)

HEAD = """
from attrs import field, frozen, validators
from model_registry import *
from model_registry import hookimpl
"""

FORMAT = "    @hookimpl\n    def formats(self): return [FormatSpec({!r}, 'x', save_options=frozenset({{'option'}}))]\n"


def plugin(body: str = "    pass\n", *, format: str = "", options: str = "") -> str:
    """The text of a plugin's module."""
    return f"{HEAD}\n{options}\nclass Plugin:\n" + (FORMAT.format(format) if format else "") + body


def info(registry: ModelRegistry, name: str) -> PluginInfo:
    (found,) = [each for each in registry.plugins() if each.name == name]
    return found


@pytest.fixture
def empty(install: Installer) -> ModelRegistry:
    """A registry to which the test adds plugins; none is looked for before it is needed."""
    return ModelRegistry("models")


class TestDiscovery:
    def test_tells_what_a_plugin_is(self, install: Installer, empty: ModelRegistry) -> None:
        install("bytes", BYTES, distribution="acme-bytes", version="2.1")
        assert info(empty, "bytes") == PluginInfo(
            "bytes", "acme-bytes", "2.1", "ready", ("bytes", "loud", "script"), ""
        )
        assert {"bytes", "loud", "script"} <= empty.formats().keys()

    def test_imports_no_plugin_before_it_is_needed(self, install: Installer) -> None:
        module = install("bytes", BYTES)
        registry = ModelRegistry("models", plugins={"bytes": {}})
        registry.list_models()
        registry.get_model_info("m")
        registry.remove_model("m")
        registry.get_detailed_stats()
        assert not install.is_imported(module)
        registry.formats()
        assert install.is_imported(module)

    def test_listing_plugins_imports_no_framework(self, install: Installer, alone: Path) -> None:
        install("bytes", BYTES)
        code = "import sys; from model_registry import ModelRegistry; ModelRegistry('m').plugins(); print(*sys.modules)"
        path = {"PYTHONPATH": str(install.site), "PATH": ""}
        printed = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=path
        ).stdout
        assert "fake_bytes" in printed.split()
        assert not {"torch", "numpy", "onnx", "transformers"} & set(printed.split())

    def test_makes_one_instance_for_each_registry(self, install: Installer) -> None:
        module = install("counted", plugin("    made = []\n    def __init__(self): self.made.append(self)\n"))
        registries = [ModelRegistry(path) for path in ("a", "b")]
        for registry in registries * 2:
            registry.formats()
        assert len(sys.modules[module].Plugin.made) == 2


class TestFailing:
    """A plugin that fails is remembered, listed with its reason, and named when its format is needed."""

    @pytest.mark.parametrize(
        ("source", "problem"),
        [
            ("import missing_framework", "ModuleNotFoundError: No module named 'missing_framework'"),
            ("def", "SyntaxError: "),
            ("raise RuntimeError('out of luck')", "RuntimeError: out of luck"),
            ("other = 1", "has no attribute 'Plugin'"),
            ("Plugin = 3", "TypeError: its entry point is a int, not a class"),
            ("def Plugin(): pass", "TypeError: its entry point is a function, not a class"),
            (plugin("    def __init__(self): 1 / 0\n"), "ZeroDivisionError: division by zero"),
            (plugin("    @hookimpl\n    def svae(self, request): pass\n"), "an unknown hook 'svae'; meant 'save'?"),
            (plugin("    @hookimpl\n    def xyzzy(self): pass\n"), "an unknown hook 'xyzzy'"),
            (plugin("    @hookimpl\n    def load(self, request, fils): pass\n"), "fils"),
            (plugin("    @hookimpl\n    def formats(self): 1 / 0\n"), "ZeroDivisionError: division by zero"),
            (
                plugin("    @hookimpl\n    def formats(self): return ['bytes']\n"),
                "formats gave a str, not a FormatSpec",
            ),
            (plugin("    @hookimpl\n    def formats(self): return None\n"), "TypeError"),
        ],
    )
    def test_is_told_and_the_others_work(
        self, install: Installer, empty: ModelRegistry, source: str, problem: str
    ) -> None:
        install("broken", source, distribution="acme-broken")
        install("bytes", BYTES)
        found = info(empty, "broken")
        assert (found.status, found.distribution, found.formats) == ("failed", "acme-broken", ())
        assert problem in found.problem
        assert empty.load_model("m", empty.register_model("m", b"x").version).model == b"x"
        with pytest.raises(UnsupportedFormatError, match=r"plugin broken \(acme-broken\) failed: ") as refusal:
            empty.register_model("n", b"x", "other")
        assert problem in str(refusal.value)

    def test_two_owners_of_a_name_are_both_refused(self, install: Installer, empty: ModelRegistry) -> None:
        modules = [install("twin", plugin(format="twin"), distribution=name) for name in ("acme-one", "acme-two")]
        told = [each for each in empty.plugins() if each.name == "twin"]
        assert [(each.status, each.formats) for each in told] == [("failed", ())] * 2
        expected = "two distributions claim the plugin name 'twin': acme-one 1.0 and acme-two 1.0; uninstall one"
        assert {each.problem for each in told} == {expected}
        assert not any(map(install.is_imported, modules))
        with pytest.raises(UnsupportedFormatError, match=r"acme-one 1.0 and acme-two 1.0"):
            empty.register_model("m", b"x", "twin")

    def test_two_owners_of_a_format_are_an_error_until_one_is_disabled(
        self, install: Installer, empty: ModelRegistry
    ) -> None:
        install("one", plugin(format="same"), distribution="acme-one")
        install("two", plugin(format="same"), distribution="acme-two")
        for _ in range(2):
            with pytest.raises(
                PluginError, match=r"both acme-... and acme-... claim the format 'same' — disable one"
            ) as error:
                empty.formats()
            assert {"acme-one", "acme-two"} <= set(str(error.value).split())
        assert {each.name for each in empty.plugins()} >= {"one", "two"}
        assert "same" in ModelRegistry("other", disabled_plugins=["two"]).formats()

    @pytest.mark.parametrize(
        ("requirement", "problem"),
        [
            (
                "model-registry-core>=99",
                r"^it needs model-registry-core >=99, installed is [0-9.]+; upgrade one of them$",
            ),
            ("model_registry.Core (>=99)", "it needs model-registry-core >=99"),
            ("model-registry-core<0.0.1", "it needs model-registry-core <0.0.1"),
            ("model-registry-core>=0.0.1", ""),
            ("model-registry-core", ""),
            ("model-registry-core-extras>=99", ""),
            ("model-registry-core>=99; python_version < '3'", ""),
            ("model-registry-core>=99; extra == 'next'", ""),
            ("torch>=99", ""),
        ],
    )
    def test_built_for_another_core_is_not_imported(
        self, install: Installer, empty: ModelRegistry, requirement: str, problem: str
    ) -> None:
        import re

        module = install("future", plugin(), requires=["other-thing>=1", requirement])
        found = info(empty, "future")
        assert re.search(problem, found.problem) if problem else found.problem == ""
        assert (found.status == "failed") == (not install.is_imported(module)) == bool(problem)

    def test_disabled_is_never_imported(self, install: Installer) -> None:
        module = install("bytes", "raise SystemExit('imported')")
        registry = ModelRegistry("models", disabled_plugins=["bytes"])
        assert info(registry, "bytes").status == "disabled"
        with pytest.raises(UnsupportedFormatError, match=r"no plugin handles the format 'bytes'.*disabled: .*bytes"):
            registry.register_model("m", b"x", "bytes")
        assert not install.is_imported(module)

    def test_a_misspelt_name_in_the_file_is_told_with_its_line(self, install: Installer) -> None:
        install("bytes", BYTES)
        Path("registry.toml").write_text("[plugins]\norder = ['bites']\n\n[plugins.byte]\nx = 1\n")
        registry = ModelRegistry("models")
        for ask in (registry.formats, registry.formats, registry.plugins):
            with pytest.raises(ConfigurationError) as refusal:
                ask()
            first, second = map(str, refusal.value.mistakes)
            assert first.startswith("registry.toml:2: plugins.order")
            assert "no installed plugin is called 'bites'" in first
            assert second.startswith("registry.toml:4: plugins.byte: no installed plugin is called 'byte'")
            assert first.endswith("did you mean 'bytes'?")


class TestOptions:
    SOURCE = plugin(
        "    Options = Options\n    def __init__(self, options): self.options = options\n"
        "    @hookimpl\n    def save(self, request, stage):\n"
        "        stage.add('x', repr(self.options).encode())\n        return True\n"
        "    @hookimpl\n    def load(self, request, files): return LoadedModel(files.read('x').decode())\n",
        format="optional",
        options="@frozen\nclass Options:\n    size: int = 3\n    names: tuple[str, ...] = ()\n",
    )

    def test_come_from_the_plugins_table(self, install: Installer) -> None:
        install("optional", self.SOURCE)
        Path("registry.toml").write_text("[plugins.optional]\nsize = 4\nnames = ['a']\n")
        registry = ModelRegistry("models", plugins={"optional": {"names": ["b"]}})
        registry.register_model("m", b"x", "optional")
        assert registry.load_model("m").model == "Options(size=4, names=('b',))"

    def test_that_are_wrong_are_all_told_each_time(self, install: Installer) -> None:
        install("optional", self.SOURCE)
        install("second", self.SOURCE.replace("'optional'", "'second'"))
        Path("registry.toml").write_text("[plugins.optional]\nsize = 'x'\nnams = []\n[plugins.second]\nsize = 1.5\n")
        registry = ModelRegistry("models")
        for _ in range(2):
            with pytest.raises(ConfigurationError) as refusal:
                registry.formats()
            lines = [str(mistake) for mistake in refusal.value.mistakes]
            assert [line.split(": ")[:2] for line in lines] == [
                ["registry.toml:2", "plugins.optional.size"],
                ["registry.toml:3", "plugins.optional.nams"],
                ["registry.toml:5", "plugins.second.size"],
            ]
        found = info(registry, "optional")
        assert found.status == "failed"
        assert "plugins.optional.size" in found.problem


class TestOrder:
    SOURCE = "    @hookimpl\n    def metadata(self, format, files): return {'author': type(self).__module__}\n"

    @pytest.mark.parametrize(
        ("order", "first"), [([], "fake_a"), (["b"], "fake_b"), (["c", "a"], "fake_c"), (["a", "b"], "fake_a")]
    )
    def test_says_who_is_asked_first(self, install: Installer, order: list[str], first: str) -> None:
        for name in "cab":
            install(name, plugin(self.SOURCE))
        install("bytes", BYTES)
        registry = ModelRegistry("models", plugin_order=order)
        assert registry.register_model("m", b"x").metadata.author == first
        assert registry.register_model("m", b"x", author="me").metadata.author == "me"


class TestWrapping:
    SOURCE = plugin(
        "    @hookimpl(wrapper=True)\n"
        "    def save(self, request, stage):\n"
        "        done = yield\n"
        "        stage.add('seal.txt', b'sealed')\n"
        "        return done\n"
        "    @hookimpl(wrapper=True)\n"
        "    def load(self, request, files):\n"
        "        loaded = yield\n"
        "        return LoadedModel(loaded.model, files.read('seal.txt').decode())\n"
    )

    def test_sees_every_save_and_load(self, install: Installer, empty: ModelRegistry) -> None:
        install("bytes", BYTES)
        install("seal", self.SOURCE)
        Path("model.py").write_text("model = 7")
        entry = empty.register_model("m", "model.py", "script")
        assert [file.path for file in entry.files] == ["model.py", "seal.txt"]
        assert tuple(empty.load_model("m", allow_code=True)) == (7, "sealed")

    def test_sees_custom_loaders_too(self, install: Installer, empty: ModelRegistry) -> None:
        install("seal", self.SOURCE)
        empty.loaders["custom"] = Text()
        empty.register_model("m", 3, "custom")
        assert tuple(empty.load_model("m")) == ("3", "sealed")


class Text(ModelLoader):
    def load(self, model_path: str, **kwargs: object) -> str:
        return Path(model_path).read_text()

    def save(self, model: object, model_path: str, **kwargs: object) -> None:
        Path(model_path).write_text(str(model))


class TestMisbehaving:
    BODY = "    @hookimpl\n    def {}(self, {}):\n        {}\n"

    @pytest.mark.parametrize(
        ("statement", "error", "line"),
        [
            (
                "1 / 0",
                PluginError,
                "plugin bad (acme-bad) failed in save: ZeroDivisionError: division by zero — please tell",
            ),
            (
                "import missing_thing",
                PluginLoadError,
                "failed in save: ModuleNotFoundError: No module named 'missing_thing'",
            ),
            ("open('/missing/file')", StorageError, "failed in save: FileNotFoundError: "),
            ("raise UnsupportedModelError('not this')", UnsupportedModelError, "not this"),
            ("stage.add('../x', b'')", ValueError, "part '..' would leave its folder"),
            ("stage.add('x', b'1', kind='weights'); return True", PluginError, "KeyError: 'weights'"),
            ("return None", UnsupportedFormatError, "no plugin saves the format 'bad'"),
            ("return True", UnsupportedModelError, "there is nothing to store: the model has no files"),
        ],
    )
    def test_in_save_leaves_nothing(
        self, install: Installer, empty: ModelRegistry, statement: str, error: type[Exception], line: str
    ) -> None:
        body = self.BODY.format(
            "save", "request, stage", statement + "\n        return True" * statement.startswith("stage")
        )
        install("bad", plugin(body, format="bad"), distribution="acme-bad")
        with pytest.raises(error) as refusal:
            empty.register_model("m", b"x", "bad")
        assert line in str(refusal.value)
        assert (empty.list_models(), list(Path("models").glob("staging/*"))) == ([], [])
        assert list(Path("models").glob("blobs/sha256/*")) == []

    @pytest.mark.parametrize(
        ("statement", "line"),
        [
            ("1 / 0", "plugin bad (acme-bad) failed in load: ZeroDivisionError: division by zero"),
            ("return b'x'", "plugin bad (acme-bad) broke its contract: load gave bytes, not LoadedModel"),
            ("return files.local('other')", "KeyError: 'other'"),
        ],
    )
    def test_in_load_is_named(self, install: Installer, empty: ModelRegistry, statement: str, line: str) -> None:
        body = self.BODY.format("save", "stage", "stage.add('x', b'1')\n        return True")
        install(
            "bad",
            plugin(body + self.BODY.format("load", "request, files", statement), format="bad"),
            distribution="acme-bad",
        )
        empty.register_model("m", b"x", "bad")
        with pytest.raises(PluginError) as refusal:
            empty.load_model("m")
        assert line in str(refusal.value)
        assert (refusal.value.plugin, refusal.value.distribution) == ("bad", "acme-bad")

    def test_is_blamed_and_no_other(self, install: Installer, empty: ModelRegistry) -> None:
        install("bytes", BYTES)
        install("meddler", plugin(self.BODY.format("validate", "files", "1 / 0"), format="own"), distribution="acme-m")
        with pytest.raises(
            PluginError, match=r"^plugin meddler \(acme-m\) failed in validate: ZeroDivisionError"
        ) as told:
            empty.register_model("m", b"x")
        assert (told.value.plugin, told.value.distribution) == ("meddler", "acme-m")

    def test_wrapping_what_each_plugin_is_told_by_itself_is_a_failure(
        self, install: Installer, empty: ModelRegistry
    ) -> None:
        body = "    @hookimpl(wrapper=True)\n    def registered(self, entry):\n        return (yield)\n"
        install("wrapper", plugin(body, format="own"))
        (info,) = [info for info in empty.plugins() if info.name == "wrapper"]
        assert info.status == "failed"
        assert "it wraps the hook 'registered', of which each plugin is told by itself" in info.problem

    @pytest.mark.parametrize(
        ("hook", "arguments", "statement"),
        [
            ("detect", "model", "1 / 0"),
            ("validate", "format, files", "return [1 / 0]"),
            ("metadata", "format, files", "return 3"),
        ],
    )
    def test_elsewhere_is_an_error_of_ours(
        self, install: Installer, empty: ModelRegistry, hook: str, arguments: str, statement: str
    ) -> None:
        install("bytes", BYTES)
        install("bad", plugin(self.BODY.format(hook, arguments, statement)))
        with pytest.raises(PluginError, match=f"failed in {hook}: "):
            empty.register_model("m", b"x")
        assert empty.list_models() == []

    def test_two_formats_that_claim_one_model_alike_are_told(self, install: Installer, empty: ModelRegistry) -> None:
        install("bytes", BYTES)
        install("rival", plugin(self.BODY.format("detect", "model", "return Detection('rival')"), format="rival"))
        with pytest.raises(
            PluginError,
            match=r"^a bytes is claimed by bytes \(as 'bytes'\) and rival \(as 'rival'\) — say which with .*",
        ):
            empty.register_model("m", b"x")

    def test_the_more_specific_claim_wins(self, install: Installer, empty: ModelRegistry) -> None:
        install("bytes", BYTES)
        install("rival", plugin(self.BODY.format("detect", "model", "return Detection('script', rank=-1)")))
        assert empty.register_model("m", b"x").metadata.format == "bytes"


class TestEvents:
    NAMES = ("registered", "loaded", "released", "removed", "restored")
    SOURCE = plugin(
        "    seen = []\n"
        + "".join(
            f"    @hookimpl\n    def {name}(self, entry): self.seen.append(({name!r}, entry.reference))\n"
            for name in NAMES
        )
    )

    def live(self, registry: ModelRegistry) -> None:
        registry.register_model("m", b"x")
        with registry.temporary_model("m"):
            pass
        registry.remove_model("m")
        registry.restore_model("m")

    def test_tell_of_a_versions_life(self, install: Installer, empty: ModelRegistry) -> None:
        install("bytes", BYTES)
        module = install("watch", self.SOURCE)
        self.live(empty)
        assert sys.modules[module].Plugin.seen == [(name, "m:1.0.0") for name in self.NAMES]

    def test_that_fail_are_logged_and_undo_nothing(
        self, install: Installer, empty: ModelRegistry, caplog: pytest.LogCaptureFixture
    ) -> None:
        install("bytes", BYTES)
        install("grumpy", self.SOURCE.replace("self.seen.append(", "print(1 / 0, "))
        with caplog.at_level(logging.ERROR, "model_registry"):
            self.live(empty)
        assert [record.message for record in caplog.records] == [
            f"plugin grumpy failed in {name}" for name in self.NAMES
        ]
        assert empty.load_model("m").model == b"x"

    def test_reach_the_others_when_one_fails(self, install: Installer, empty: ModelRegistry) -> None:
        install("bytes", BYTES)
        install("grumpy", self.SOURCE.replace("self.seen.append(", "print(1 / 0, "))
        module = install("watch", self.SOURCE)
        self.live(empty)
        assert sys.modules[module].Plugin.seen == [(name, "m:1.0.0") for name in self.NAMES]

    def test_reach_nobody_when_nothing_happened(self, install: Installer, empty: ModelRegistry) -> None:
        install("bytes", BYTES)
        module = install("watch", self.SOURCE)
        empty.remove_model("m")
        with pytest.raises(UnsupportedModelError):
            empty.register_model("m", 3, "bytes")
        assert sys.modules[module].Plugin.seen == []
