"""The errors: a small tree, each the built-in that a caller would catch, with its facts as attributes."""

from __future__ import annotations

import copy
import inspect
import pickle

import pytest

import model_registry
from model_registry import errors
from model_registry.config import Mistake
from model_registry.errors import ModelRegistryError

TREE = {
    "ModelNotFoundError": (ModelRegistryError, ValueError),
    "VersionNotFoundError": (errors.ModelNotFoundError,),
    "VersionExistsError": (ModelRegistryError, ValueError),
    "InvalidNameError": (ModelRegistryError, ValueError),
    "InvalidMetadataError": (ModelRegistryError, ValueError),
    "InvalidOptionError": (ModelRegistryError, ValueError),
    "InvalidQueryError": (ModelRegistryError, ValueError),
    "ParityError": (ModelRegistryError, ValueError),
    "ConfigurationError": (ModelRegistryError, ValueError),
    "UnsupportedModelError": (ModelRegistryError, ValueError),
    "UnsafeModelError": (ModelRegistryError, ValueError),
    "UnsupportedFormatError": (ModelRegistryError, ValueError, ImportError),
    "ClassNotFoundError": (ModelRegistryError, ValueError, ImportError),
    "PermissionRequiredError": (ModelRegistryError, PermissionError),
    "IntegrityError": (ModelRegistryError, RuntimeError),
    "PluginError": (ModelRegistryError, RuntimeError),
    "PluginLoadError": (errors.PluginError, ImportError),
    "SourceNotFoundError": (ModelRegistryError, FileNotFoundError),
    "RegistryNotFoundError": (ModelRegistryError, FileNotFoundError),
    "DestinationExistsError": (ModelRegistryError, FileExistsError),
    "RegistrationLostError": (ModelRegistryError, RuntimeError),
    "AliasMovedError": (ModelRegistryError, RuntimeError),
    "StorageError": (ModelRegistryError, OSError),
}
CLASSES = [cls for _, cls in inspect.getmembers(errors, inspect.isclass)]


def test_the_tree_is_the_one_drawn() -> None:
    assert {cls.__name__: cls.__bases__ for cls in CLASSES if cls is not ModelRegistryError} == TREE
    drawn = [line for line in (errors.__doc__ or "").splitlines() if "──" in line]
    assert [line.split("── ")[1].split()[0] for line in drawn] == list(TREE)


@pytest.mark.parametrize("cls", CLASSES)
def test_every_error_is_public_and_says_what_it_is(cls: type[ModelRegistryError]) -> None:
    assert getattr(model_registry, cls.__name__) is cls
    assert cls.__doc__


@pytest.mark.parametrize("cls", CLASSES)
def test_an_error_is_one_line_with_facts(cls: type[ModelRegistryError]) -> None:
    error = cls("it broke", hint="mend it", model="m", version=None)
    assert str(error) == "it broke — mend it"
    assert (error.message, error.hint, error.model, error.version) == ("it broke", "mend it", "m", None)
    assert str(cls("it broke")) == "it broke"


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))])
@pytest.mark.parametrize("cls", CLASSES)
def test_an_error_crosses_processes_whole(cls: type[ModelRegistryError], copied: object) -> None:
    error = cls("it broke", hint="mend it", path="a/b", mistakes=[Mistake("keyword", None, "x")])
    again = copied(error)  # type: ignore[operator]
    assert type(again) is cls
    assert (str(again), again.message, again.hint, again.facts) == (str(error), "it broke", "mend it", error.facts)
    assert again.mistakes == error.mistakes


def test_a_fact_that_an_error_does_not_carry_is_told_with_those_it_does() -> None:
    with pytest.raises(AttributeError, match=r"^IntegrityError carries no 'modle'; it carries \['model', 'path'\]$"):
        _ = errors.IntegrityError("x", path="p", model="m").modle


def test_facts_of_errors_that_are_import_errors_are_not_hidden_by_its_attributes() -> None:
    assert errors.PluginLoadError("x", path="a", name="b").facts == {"path": "a", "name": "b"}
