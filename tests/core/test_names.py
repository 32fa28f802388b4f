"""Names of models and paths of their files: the grammar, and what a refusal says."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_registry.errors import InvalidNameError
from model_registry.names import check_member_path, check_member_paths, check_model_name, name_key, oci_repository

OCI_REPOSITORY = re.compile(r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*")
DEVICES = ("con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10)))

words = st.text("abAB01", min_size=1, max_size=3)


@st.composite
def spelled(draw: st.DrawFn, separators: list[str], pieces: st.SearchStrategy[str], most: int) -> str:
    """Pieces with a separator between each two."""
    first, *rest = draw(st.lists(pieces, min_size=1, max_size=most))
    return first + "".join(draw(st.sampled_from(separators)) + piece for piece in rest)


names = spelled(["/"], spelled([".", "_", "__", "-", "--", "---"], words, 4), 4)


@pytest.mark.parametrize(
    "name",
    [
        "linear_model",
        "mnist_classifier",
        "bert-base-uncased",
        "Org/BERT.v2",
        "a__b",
        "a---b",
        "0",
        "con1",
        "console",
        "aux-model",
        "a/b/c/d",
        "latest",
        "x" * 200,
    ],
)
def test_a_model_may_have_this_name(name: str) -> None:
    assert check_model_name(name) == name


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        (None, "a model name is a string, not NoneType (None)"),
        (b"bytes", "a model name is a string, not bytes (b'bytes')"),
        ("", "the model name is empty"),
        ("x" * 201, "201 characters are too many"),
        ("x" * 300, "300 characters are too many"),
        ("a\0b", r"'\x00' (U+0000, NUL) at position 2 is not allowed"),
        ("a\nb", r"'\n' (U+000A, a character without a name) at position 2"),
        ("a b", "' ' (U+0020, SPACE) at position 2"),
        ("a\\b", "(U+005C, REVERSE SOLIDUS)"),
        ("a:", "(U+003A, COLON)"),
        ("a@", "(U+0040, COMMERCIAL AT)"),
        ("b\u0435rt", "(U+0435, CYRILLIC SMALL LETTER IE) at position 2"),
        ("\uff41bc", "(U+FF41, FULLWIDTH LATIN SMALL LETTER A)"),
        ("\u212aelvin", "(U+212A, KELVIN SIGN)"),
        ("a\u2044b", "(U+2044, FRACTION SLASH)"),
        ("a\u202eb", r"'\u202e' (U+202E, RIGHT-TO-LEFT OVERRIDE)"),
        ("a\ud800", r"'\ud800' (U+D800, a character without a name)"),
        ("com\u00b9", "(U+00B9, SUPERSCRIPT ONE)"),
        (".", "part '.' would leave its folder"),
        ("..", "part '..' would leave its folder"),
        ("../x", "part '..' would leave its folder"),
        ("a/../../b", "part '..' would leave its folder"),
        ("/etc/passwd", "a part between '/' is empty"),
        ("a/", "a part between '/' is empty"),
        ("a//b", "a part between '/' is empty"),
        ("-a", "part '-a' must begin and end with a letter or digit"),
        ("a/.hidden", "part '.hidden' must begin and end with a letter or digit"),
        ("a_", "part 'a_' must begin and end with a letter or digit"),
        ("a..b", "part 'a..b' has separators in a row other than '__' or hyphens"),
        ("a___b", "part 'a___b' has separators in a row"),
        ("a.-b", "part 'a.-b' has separators in a row"),
        ("a/nul.tar.gz/b", "part 'nul.tar.gz' is the device NUL on Windows"),
        *((f"a/{device.upper()}.txt", f"is the device {device.upper()} on Windows") for device in DEVICES),
        *((device, f"is the device {device.upper()} on Windows") for device in DEVICES),
    ],
)
def test_a_refused_name_is_told_in_one_line_with_what_is_allowed(name: object, problem: str) -> None:
    with pytest.raises(InvalidNameError, match="ASCII letters and digits") as refusal:
        check_model_name(name)
    assert problem in str(refusal.value)
    assert str(refusal.value).isprintable()  # one line, and no character that a terminal would act on
    assert refusal.value.value == name
    assert len(str(refusal.value)) < 400


@pytest.mark.parametrize(
    ("name", "parts"),
    [("a:1.0", ("a", "1.0")), ("team/a:@best", ("team/a", "@best")), ("a@best", ("a", "@best"))],
)
def test_a_name_with_a_version_is_told_how_both_are_given(name: str, parts: tuple[str, str]) -> None:
    hint = f"it holds a version — give the two by themselves: {parts[0]!r}, {parts[1]!r}"
    with pytest.raises(InvalidNameError, match=f"^model name {name!r}: {hint}$"):
        check_model_name(name)


@given(st.text())
def test_what_is_accepted_is_an_oci_repository_but_for_its_case(name: str) -> None:
    try:
        check_model_name(name)
    except InvalidNameError:
        return
    assert OCI_REPOSITORY.fullmatch(name.lower())


@given(names)
def test_every_name_of_the_grammar_is_accepted(name: str) -> None:
    assert check_model_name(name) == name
    assert OCI_REPOSITORY.fullmatch(oci_repository(name))


@given(names, names)
def test_repositories_differ_where_names_differ_by_more_than_case(one: str, other: str) -> None:
    assert (oci_repository(one) == oci_repository(other)) == (one.casefold() == other.casefold())


def test_names_that_differ_only_by_case_are_the_same_name() -> None:
    assert name_key("Org/BERT") == name_key("org/bert") == oci_repository("ORG/Bert") == "org/bert"


def test_a_look_alike_has_no_key() -> None:
    with pytest.raises(InvalidNameError, match="KELVIN SIGN"):
        name_key("\u212a")  # which folds onto "k"


@pytest.mark.parametrize(
    "path",
    ["model.safetensors", "a/b c/d.json", "weights/layer-[1] (copy)+=,;'~!#$%&@^`{}.bin", ".gitattributes", "x" * 512],
)
def test_a_file_may_have_this_path(path: str) -> None:
    assert check_member_path(path) == path


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        (3, "a member path is a string, not int (3)"),
        ("", "the member path is empty"),
        ("x" * 513, "513 characters are too many"),
        ("/etc/passwd", "a part between '/' is empty"),
        ("a//b", "a part between '/' is empty"),
        ("a/", "a part between '/' is empty"),
        ("./a", "part '.' would leave its folder"),
        ("a/../b", "part '..' would leave its folder"),
        ("a.", "part 'a.' ends with '.'"),
        ("a/.../b", "part '...' ends with '.'"),
        ("a /b", "part 'a ' ends with ' '"),
        ("a/con", "part 'con' is the device CON on Windows"),
        ("Lpt1.txt", "part 'Lpt1.txt' is the device LPT1 on Windows"),
        ("nul .txt", "part 'nul .txt' is the device NUL on Windows"),
        ("C:/x", "(U+003A, COLON) at position 2"),
        ("a\\b", "(U+005C, REVERSE SOLIDUS)"),
        *((f"a{c}b", "at position 2 is not allowed") for c in '*?"<>|\0\n\x1b\x7f'),
        ("\u00e9", "(U+00E9, LATIN SMALL LETTER E WITH ACUTE)"),
    ],
)
def test_a_refused_path_is_told_in_one_line_with_what_is_allowed(path: object, problem: str) -> None:
    with pytest.raises(InvalidNameError, match="printable ASCII") as refusal:
        check_member_path(path)
    assert problem in str(refusal.value)
    assert str(refusal.value).isprintable()


def test_paths_of_one_version_may_share_folders() -> None:
    paths = ["a/b", "a/c", "ab", "b/a/b"]
    assert check_member_paths(iter(paths)) == tuple(paths)


@pytest.mark.parametrize(
    ("paths", "problem"),
    [
        (["a", "a"], "'a' is the same file as 'a' where case does not count"),
        (["x/README.md", "x/readme.MD"], "'x/readme.MD' is the same file as 'x/README.md'"),
        (["a/b/c", "a"], "'a/b/c' needs 'a' to be a folder, which is a file"),
        (["A/b", "a/B/c"], "'a/B/c' needs 'A/b' to be a folder, which is a file"),
        (["ok", "../x"], "part '..' would leave its folder"),
    ],
)
def test_paths_that_cannot_lie_in_one_folder_are_refused(paths: list[str], problem: str) -> None:
    with pytest.raises(InvalidNameError, match=re.escape(problem)):
        check_member_paths(paths)
