"""The configuration: where values come from, which mistakes are told, and how plugins get their options."""

from __future__ import annotations

import enum
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent
from time import perf_counter
from typing import Any, Literal

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_registry.config import Mistake, Place, Settings, load_settings, structure_options
from model_registry.errors import ConfigurationError
from model_registry.vocabulary import ModelFormat

#: For each setting: a key of the file, a variable's text and what it gives, and two more values.
SCALARS: Mapping[str, tuple[str, Any, Any, Any]] = {
    "catalog": ("sqlite:variable.sqlite", "sqlite:variable.sqlite", "sqlite:file.sqlite", "sqlite:keyword.sqlite"),
    "blobs": ("file:variable", "file:variable", "file:file", "s3://bucket/prefix"),
    "default_format": ("onnx", "onnx", "pytorch", "safetensors"),
    "auto_validate": ("no", False, False, True),
    "capture_environment": ("No", False, False, True),
    "compression_threshold": ("1.5", 1.5, 10, 20.5),
    "keep_hot": ("5", 5, 1, 0),
    "idle_days": ("30", 30.0, 7, 0.5),
    "auto_archive": ("yes", True, True, False),
    "backup_enabled": ("0", False, False, True),
    "keep_removed_days": ("0", 0.0, 1, 0.25),
    "cache_size": ("1000", 1000.0, 5, 0),
    "trusted_models": ("a/*, b", ("a/*", "b"), ["file"], ["keyword", "*"]),
    "create": ("Off", False, False, True),
    "plugin_order": ("pytorch,onnx", ("pytorch", "onnx"), ["file"], ["keyword"]),
    "disabled_plugins": ("onnx,", ("onnx",), ["file"], ["keyword"]),
}
FILE_KEYS = {"plugin_order": "plugins.order", "disabled_plugins": "plugins.disabled"}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, empty."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(text: str, path: str = "registry.toml") -> Path:
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(dedent(text), encoding="utf-8")
    return file


def settings(environ: Mapping[str, str] | None = None, **keywords: object) -> Settings:
    return load_settings(keywords, environ or {})


def mistakes(environ: Mapping[str, str] | None = None, **keywords: object) -> list[str]:
    with pytest.raises(ConfigurationError) as refusal:
        settings(environ, **keywords)
    return lines_of(refusal.value)


def lines_of(error: ConfigurationError) -> list[str]:
    told: Any = error.mistakes
    lines = [str(mistake) for mistake in told]
    assert all(line in str(error) for line in lines)
    return lines


def toml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value)


def held(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


# Where values come from


def test_without_any_source_everything_is_at_its_default() -> None:
    found = settings()
    assert found == Settings()
    assert found.path == Path("models")
    assert set(found.origins.values()) == {"default"}
    assert set(found.origins) == {"path", *SCALARS}


@pytest.mark.parametrize("name", SCALARS)
def test_keyword_goes_before_environment_before_file_before_default(name: str) -> None:
    text, in_variable, in_file, in_keyword = SCALARS[name]
    table, key = FILE_KEYS.get(name, f"registry.{name}").split(".")
    write(f"[{table}]\n\n{key} = {toml(in_file)}\n")
    variable = f"MODEL_REGISTRY_{name.upper()}"

    found = settings()
    assert getattr(found, name) == held(in_file)
    assert found.origins[name] == "registry.toml:3"

    found = settings({variable: text})
    assert getattr(found, name) == in_variable
    assert found.origins[name] == f"environment {variable}"

    found = settings({variable: text}, **{name: in_keyword})
    assert getattr(found, name) == held(in_keyword)
    assert found.origins[name] == "keyword"


@pytest.mark.parametrize("name", SCALARS)
def test_a_keyword_of_none_and_an_empty_variable_say_nothing(name: str) -> None:
    found = settings({f"MODEL_REGISTRY_{name.upper()}": ""}, **{name: None}, plugins=None, path=None, config=None)
    assert found == Settings()


def test_a_format_may_be_a_constant() -> None:
    assert settings(default_format=ModelFormat.PYTORCH).default_format == "pytorch"


@pytest.mark.parametrize("text", ["1", "true", "YES", "On", " on "])
def test_words_for_true(text: str) -> None:
    assert settings({"MODEL_REGISTRY_CREATE": text}).create is True


@pytest.mark.parametrize("text", ["0", "false", "No", "OFF"])
def test_words_for_false(text: str) -> None:
    assert settings({"MODEL_REGISTRY_CREATE": text}).create is False


def test_a_variable_empties_a_list_with_a_comma() -> None:
    write("[registry]\ntrusted_models = ['*']")
    assert settings({"MODEL_REGISTRY_TRUSTED_MODELS": ","}).trusted_models == ()


def test_variables_that_container_platforms_set_are_no_mistakes() -> None:
    assert settings({"MODEL_REGISTRY_PORT": "tcp://10.0.0.1:80", "MODEL_REGISTRY_SERVICE_HOST": "x"}) == Settings()


def test_paths_start_at_the_folder_of_the_file_and_elsewhere_at_the_current_one(folder: Path) -> None:
    write("[registry]\npath = 'models'", "deep/settings.toml")
    assert settings(config="deep/settings.toml").path == folder / "deep/models"
    assert settings({"MODEL_REGISTRY_PATH": "models"}, config="deep/settings.toml").path == Path("models")
    assert settings(path=Path("here"), config="deep/settings.toml").path == Path("here")
    assert settings(registry_path="here").path == Path("here")
    write(f"[registry]\npath = {toml(str(folder))}", "deep/settings.toml")
    assert settings(config=Path("deep/settings.toml")).path == folder


def test_a_tilde_is_the_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    write("[registry]\npath = '~/models'")
    assert settings().path == Path("/home/somebody/models")
    assert mistakes({"MODEL_REGISTRY_PATH": "~nobody-at-all/x"}) == [
        "environment MODEL_REGISTRY_PATH: expected a path in the home of a user that exists, found '~nobody-at-all/x'"
    ]


# Which file


def test_the_named_file_is_read_instead_of_the_one_in_the_current_folder() -> None:
    write("[registry]\ncache_size = 1")
    write("[registry]\ncache_size = 2", "by/variable.toml")
    write("[registry]\ncache_size = 3", "by/keyword.toml")
    environ = {"MODEL_REGISTRY_CONFIG": "by/variable.toml"}
    assert settings().cache_size == 1
    assert settings(environ).cache_size == 2
    assert settings(environ, config="by/keyword.toml").cache_size == 3
    assert settings(environ).origins["cache_size"] == "by/variable.toml:2"


def test_a_named_file_must_exist(folder: Path) -> None:
    write("[registry]\ncache_size = 1")
    assert mistakes(config="no.toml") == ["keyword config: there is no file 'no.toml'"]
    assert mistakes(config=folder) == [f"keyword config: there is no file {str(folder)!r}"]
    assert mistakes(config=3) == ["keyword config: expected the path of a TOML file, found 3"]
    environ = {"MODEL_REGISTRY_CONFIG": "no.toml"}
    assert mistakes(environ) == ["environment MODEL_REGISTRY_CONFIG: there is no file 'no.toml'"]


def test_a_file_inside_the_registry_is_never_read() -> None:
    write("[registry]\ntrusted_models = ['*']", "models/registry.toml")
    assert settings(path="models").trusted_models == ()
    write("[registry]\npath = 'models'")
    assert settings().trusted_models == ()


def test_a_file_with_a_byte_order_mark_and_windows_lines_is_read() -> None:
    Path("registry.toml").write_bytes(b"\xef\xbb\xbf[registry]\r\n# here\r\ncache_size = 1\r\n")
    assert settings().cache_size == 1
    assert settings().origins["cache_size"] == "registry.toml:3"


# Mistakes


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (b"[registry]\nx =\n", "registry.toml:2: no valid TOML: Invalid value"),
        (b"a = [\n  1,\n\n\n", "registry.toml:2: no valid TOML: Invalid value (at end of document)"),
        (b"a = 1\n\na = 2\n", "registry.toml:3: no valid TOML: Cannot overwrite a value"),
        (b"a = '\xff'", "registry.toml: not UTF-8, as TOML must be"),
    ],
)
def test_a_file_that_is_no_toml_is_told_with_its_line_and_hides_no_other_mistake(text: bytes, line: str) -> None:
    Path("registry.toml").write_bytes(text)
    (told, other) = sorted(mistakes(create=3), reverse=True)
    assert told.startswith(line)
    assert other == "keyword create: expected true or false, found 3"


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("path", "", "a path"),
        ("path", "a\0b", "a path"),
        ("path", 3, "a path"),
        ("catalog", "catalog.sqlite", "a URL such as 'sqlite:catalog.sqlite' or 'file:.'"),
        ("blobs", r"C:\blobs", "a URL such as 'sqlite:catalog.sqlite' or 'file:.'"),
        ("default_format", 1, "a name"),
        ("default_format", "", "a name"),
        ("auto_validate", 1, "true or false"),
        ("auto_validate", "false", "true or false"),
        ("cache_size", "1000", "a number"),
        ("cache_size", True, "a number"),
        ("cache_size", -1, "a finite number of at least 0"),
        ("keep_removed_days", float("inf"), "a finite number of at least 0"),
        ("compression_threshold", 10**400, "a finite number of at least 0"),
        ("keep_hot", 2.5, "a whole number of at least 0"),
        ("keep_hot", True, "a whole number of at least 0"),
        ("keep_hot", -1, "a whole number of at least 0"),
        ("trusted_models", "*", "a list of names"),
        ("trusted_models", ["a", 3], "a list of names"),
        ("trusted_models", [""], "a list of names"),
        ("plugin_order", {"a": 1}, "a list of names"),
    ],
)
def test_nothing_is_coerced(name: str, value: object, expected: str) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        load_settings({name: value}, {})
    assert refusal.value.mistakes == [Mistake("keyword", None, name, value, expected)]
    assert f"keyword {name}: expected {expected}, found " in str(refusal.value)


@pytest.mark.parametrize(
    ("variable", "text", "expected"),
    [
        ("CACHE_SIZE", "lots", "a number"),
        ("CACHE_SIZE", "nan", "a finite number of at least 0"),
        ("CACHE_SIZE", "-3", "a finite number of at least 0"),
        ("CREATE", "maybe", "true or false"),
        ("BLOBS", "here", "a URL such as 'sqlite:catalog.sqlite' or 'file:.'"),
    ],
)
def test_a_variable_that_stands_for_nothing_is_a_mistake(variable: str, text: str, expected: str) -> None:
    (line,) = mistakes({f"MODEL_REGISTRY_{variable}": text})
    assert line.startswith(f"environment MODEL_REGISTRY_{variable}: expected {expected}, found ")


def test_one_mistake_is_one_line() -> None:
    write("[registry]\n\nauto_validat = true\n")
    with pytest.raises(ConfigurationError) as refusal:
        settings()
    assert str(refusal.value) == "registry.toml:3: registry.auto_validat: unknown key; did you mean 'auto_validate'?"
    assert refusal.value.mistakes == [
        Mistake("registry.toml", 3, "registry.auto_validat", "auto_validat", "", "auto_validate", "unknown key")
    ]


def test_all_mistakes_of_all_sources_are_told_at_once() -> None:
    write(
        """\
        # The settings
        [registry]
        cache_size = "lots"  # that is none
        trusted_models = [
          "a",  # cut here, the file is none
          3,
        ]

        [registri]
        x = 1
        [plugins]
        oder = []
        order = "x"
        pytorch = 3
        """
    )
    with pytest.raises(ConfigurationError) as refusal:
        settings(
            {"MODEL_REGISTRY_CACHE_SIZE": "lots"},
            cache_siz=3,
            xyzzy=1,
            plugins={"onnx": 4},
            path="a",
            registry_path="b",
        )
    assert str(refusal.value).splitlines() == [
        "11 mistakes in the configuration:",
        "  registry.toml:3: registry.cache_size: expected a number, found 'lots'",
        "  registry.toml:4: registry.trusted_models: expected a list of names, found ['a', 3]",
        "  registry.toml:9: registri: unknown key; did you mean 'registry'?",
        "  registry.toml:12: plugins.oder: unknown key; did you mean 'order'?",
        "  registry.toml:13: plugins.order: expected a list of names, found 'x'",
        "  registry.toml:14: plugins.pytorch: expected a table, found 3",
        "  environment MODEL_REGISTRY_CACHE_SIZE: expected a number, found 'lots'",
        "  keyword cache_siz: unknown key; did you mean 'cache_size'?",
        "  keyword xyzzy: unknown key",
        "  keyword plugins.onnx: expected a table, found 4",
        "  keyword registry_path: another name of 'path', which is given too",
    ]


@pytest.mark.parametrize("value", ["x", [1], {3: {}}])
def test_plugins_must_be_tables(value: object) -> None:
    (line,) = mistakes(plugins=value)
    assert line.startswith("keyword plugins: expected a table of tables, one for each plugin, found ")


def test_tables_must_be_tables() -> None:
    write("registry = 3\nplugins = 'x'")
    assert mistakes() == [
        "registry.toml:1: registry: expected a table, found 3",
        "registry.toml:2: plugins: expected a table, found 'x'",
    ]


# Lines


@pytest.mark.parametrize(
    "text",
    [
        "[plugins.p]\n\n\nkey = 1\n",
        "[plugins]\np.other = 1\n\np.key = 1\n",
        "[plugins.p]\ntext = '''\nkey = 2'''\n  key = 1\n",
        "[plugins.p]\n# key = 1\n\nkey = [\n  1,\n  2,\n]\n",
        "# [plugins.p]\n\n[plugins]\np = {a = 1, key = 1}\n",
        'plugins.\'p\'.a = 1\nregistry = {}\n\n"plugins".p."key" = 1\n',
    ],
)
def test_the_line_of_a_key_is_where_its_statement_begins(text: str) -> None:
    write(text)
    assert settings().origins["plugins.p.key"] == "registry.toml:4"


keys = st.text("abc_-", min_size=1, max_size=3)
values = st.sampled_from(["1", "'x'", "[\n 1,\n # c\n 2,\n]", '"""\na = 1\n[b]\n"""', "{a = 1}", "2020-01-01"])


@given(st.dictionaries(keys, values, max_size=6), st.lists(st.sampled_from(["", "# c = 1", "  "]), max_size=3))
def test_every_key_is_found_on_the_line_where_it_was_written(table: dict[str, str], between: list[str]) -> None:
    lines, expected = ["[plugins.p]"], {}
    for key, value in table.items():
        lines += between
        expected[f"plugins.p.{key}"] = f"registry.toml:{len(lines) + 1}"
        lines += f"{key} = {value}".split("\n")
    write("\n".join(lines))
    found = settings().origins
    assert {key: found[key] for key in expected} == expected
    assert found["plugins.p"] == "registry.toml:1"


# Options of plugins


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@attrs.frozen
class Nested:
    size: int = 0
    files: tuple[Path, ...] = ()


@attrs.frozen
class Options:
    trusted_modules: tuple[str, ...] = ()
    names: frozenset[str] = frozenset()
    pair: tuple[int, str] = (1, "a")
    count: int = 1
    ratio: float = 1.0
    limit: float | None = None
    strict: bool = False
    title: str | None = None
    either: int | str = 0
    cache: Path | None = None
    nested: Nested = Nested()
    several: tuple[Nested, ...] = ()
    sizes: Mapping[str, int] = attrs.field(factory=dict)
    mode: Literal["fast", "safe"] = "safe"
    colour: Colour = Colour.RED
    format: ModelFormat = ModelFormat.PYTORCH
    anything: Any = None
    positive: int = attrs.field(default=1, validator=attrs.validators.gt(0))
    short: str = attrs.field(default="", validator=attrs.validators.max_len(3))
    level: str = attrs.field(default="low", validator=attrs.validators.in_(("low", "high")))


@attrs.frozen
class Required:
    token: str
    retries: int = 3

    def __attrs_post_init__(self) -> None:
        if self.token == "never":
            raise ValueError("that token is no token")


def anywhere(*path: str | int) -> Place:
    return Place("keyword", ("options", *path))


def option_mistakes(cls: type, table: Mapping[str, Any]) -> list[str]:
    with pytest.raises(ConfigurationError) as refusal:
        structure_options(cls, table, where=anywhere)
    return [line.removeprefix("keyword options").removeprefix(".") for line in lines_of(refusal.value)]


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("trusted_modules", ["a", "b"], ("a", "b")),
        ("names", ["a", "a"], frozenset({"a"})),
        ("pair", [2, "b"], (2, "b")),
        ("count", 3, 3),
        ("ratio", 2, 2.0),
        ("limit", 2, 2.0),
        ("limit", None, None),
        ("strict", True, True),
        ("title", "x", "x"),
        ("either", "x", "x"),
        ("either", 2, 2),
        ("cache", "a/b", Path("a/b")),
        ("nested", {"size": 2}, Nested(2)),
        ("several", [{"size": 2}, {}], (Nested(2), Nested())),
        ("sizes", {"a": 1}, {"a": 1}),
        ("mode", "fast", "fast"),
        ("colour", "blue", Colour.BLUE),
        ("format", "onnx", ModelFormat.ONNX),
        ("anything", {"a": [1]}, {"a": [1]}),
    ],
)
def test_an_option_takes(name: str, given: object, expected: object) -> None:
    found = getattr(structure_options(Options, {name: given}, where=anywhere), name)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("table", "line"),
    [
        ({"trusted_modules": "torch"}, "trusted_modules: expected a list of strings, found 'torch'"),
        ({"trusted_modules": {"torch": 1}}, "trusted_modules: expected a list of strings, found {'torch': 1}"),
        ({"trusted_modules": ["a", 3]}, "trusted_modules[1]: expected a string, found 3"),
        ({"names": "ab"}, "names: expected a list of strings, found 'ab'"),
        ({"pair": "ab"}, "pair: expected a list of 2 items, found 'ab'"),
        ({"pair": [1]}, "pair: expected a list of 2 items, found [1]"),
        ({"pair": [1, 2]}, "pair[1]: expected a string, found 2"),
        ({"count": "3"}, "count: expected a whole number, found '3'"),
        ({"count": True}, "count: expected a whole number, found True"),
        ({"count": 3.0}, "count: expected a whole number, found 3.0"),
        ({"ratio": "3"}, "ratio: expected a number, found '3'"),
        ({"limit": True}, "limit: expected a number, found True"),
        ({"strict": "false"}, "strict: expected true or false, found 'false'"),
        ({"strict": 1}, "strict: expected true or false, found 1"),
        ({"title": 3}, "title: expected a string, found 3"),
        ({"either": 1.5}, "either: expected a whole number or a string, found 1.5"),
        ({"cache": 3}, "cache: expected a path, found 3"),
        ({"nested": 3}, "nested: expected a table, found 3"),
        ({"nested": "size"}, "nested: expected a table, found 'size'"),
        ({"nested": {"size": "x"}}, "nested.size: expected a whole number, found 'x'"),
        ({"nested": {"sise": 1}}, "nested.sise: unknown key; did you mean 'size'?"),
        ({"several": [{}, {"size": "x"}]}, "several[1].size: expected a whole number, found 'x'"),
        ({"several": {"size": 1}}, "several: expected a list, found {'size': 1}"),
        ({"sizes": {"a": "b"}}, "sizes.a: expected a whole number, found 'b'"),
        ({"sizes": [1]}, "sizes: expected a table, found [1]"),
        ({"mode": "slow"}, "mode: expected one of 'fast', 'safe', found 'slow'"),
        ({"colour": "green"}, "colour: expected one of 'red', 'blue', found 'green'"),
        ({"format": 3}, "format: expected a string, found 3"),
        ({"positive": -1}, "positive: 'positive' must be > 0: -1"),
        ({"short": "long"}, "short: Length of 'short' must be <= 3: 4"),
        ({"level": "off"}, "level: 'level' must be in ('low', 'high') (got 'off')"),
        ({"trusted_module": []}, "trusted_module: unknown key; did you mean 'trusted_modules'?"),
        ({"xyzzy": 1}, "xyzzy: unknown key"),
    ],
)
def test_an_option_refuses(table: Mapping[str, Any], line: str) -> None:
    assert option_mistakes(Options, table) == [line]


def test_validators_do_not_hide_each_other_nor_behind_types() -> None:
    table = {"positive": 0, "short": "long", "count": "x", "nonsense": 1, "ratio": 2.0}
    assert sorted(option_mistakes(Options, table)) == [
        "count: expected a whole number, found 'x'",
        "nonsense: unknown key",
        "positive: 'positive' must be > 0: 0",
        "short: Length of 'short' must be <= 3: 4",
    ]


@pytest.mark.parametrize(
    ("table", "lines"),
    [
        ({}, ["token: missing; it takes a string"]),
        ({"retries": "x"}, ["retries: expected a whole number, found 'x'", "token: missing; it takes a string"]),
        ({"token": 3}, ["token: expected a string, found 3"]),
        ({"token": "never"}, [": that token is no token"]),
        ({"token": "never", "retries": "x"}, ["retries: expected a whole number, found 'x'"]),  # the whole is not known
    ],
)
def test_required_options_and_checks_of_the_whole(table: Mapping[str, Any], lines: list[str]) -> None:
    assert sorted(option_mistakes(Required, table)) == lines


def test_options_of_a_plugin_are_told_with_file_line_and_key() -> None:
    write(
        """\
        [plugins.pytorch]
        trusted_modules = [
          "a",
          1,
        ]
        count = "x"
        [[plugins.pytorch.several]]
        size = 1
        [[plugins.pytorch.several]]
        size = "x"
        """
    )
    found = settings(plugins={"pytorch": {"count": "y", "strct": True}})
    with pytest.raises(ConfigurationError) as refusal:
        found.plugin_options("pytorch", Options)
    assert lines_of(refusal.value) == [
        "registry.toml:2: plugins.pytorch.trusted_modules[1]: expected a string, found 1",
        "registry.toml:10: plugins.pytorch.several[1].size: expected a whole number, found 'x'",
        "keyword plugins.pytorch.count: expected a whole number, found 'y'",
        "keyword plugins.pytorch.strct: unknown key; did you mean 'strict'?",
    ]


def test_a_missing_option_is_told_where_the_table_is() -> None:
    write("\n[plugins.hub]\nretries = 1")
    with pytest.raises(ConfigurationError, match=r"^registry.toml:2: plugins.hub.token: missing; it takes a string$"):
        settings(plugins={"hub": {"retries": 2}}).plugin_options("hub", Required)
    with pytest.raises(ConfigurationError, match=r"^configuration plugins.other.token: missing; it takes a string$"):
        settings().plugin_options("other", Required)


def test_keywords_go_over_the_table_of_the_file_key_by_key() -> None:
    write("[plugins.pytorch]\ncount = 2\ntitle = 'file'\n[plugins.onnx]\nx = 1")
    found = settings(plugins={"pytorch": {"count": 3}, "new": {}})
    assert found.plugin_tables == {"pytorch": {"count": 3, "title": "file"}, "onnx": {"x": 1}, "new": {}}
    assert found.plugin_options("pytorch", Options) == Options(count=3, title="file")
    assert found.origins["plugins.pytorch.count"] == "keyword"
    assert found.origins["plugins.pytorch.title"] == "registry.toml:3"
    assert found.origins["plugins.pytorch"] == "registry.toml:1"


def test_paths_among_options_start_where_they_were_written(folder: Path) -> None:
    write("[plugins.p]\ncache = 'a'\nnested = {files = ['b', '/c']}", "deep/registry.toml")
    options = settings(config="deep/registry.toml").plugin_options("p", Options)
    assert options.cache == folder / "deep/a"
    assert options.nested.files == (folder / "deep/b", Path("/c"))
    overridden = settings(config="deep/registry.toml", plugins={"p": {"cache": "a"}})
    assert overridden.plugin_options("p", Options).cache == Path("a")


# Speed


def test_importing_and_default_settings_import_no_parser_and_no_structurer() -> None:
    script = "import sys, model_registry.config as c; s = c.load_settings({}, {}); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert {"cattrs", "tomli", "packaging", "difflib"}.isdisjoint(done.stdout.split())
    assert "model_registry.config.settings" in done.stdout


def test_default_settings_take_less_than_two_milliseconds() -> None:
    def seconds() -> float:
        begin = perf_counter()
        settings()
        return perf_counter() - begin

    assert min(seconds() for _ in range(5)) < 0.002
