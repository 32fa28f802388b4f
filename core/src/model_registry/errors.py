"""Every error of the registry, in one small tree.

::

    ModelRegistryError
    ├── ModelNotFoundError        (ValueError)         no such model
    │   └── VersionNotFoundError                       the model exists, the version does not
    ├── VersionExistsError        (ValueError)         versions are immutable
    ├── InvalidNameError          (ValueError)         a model name, version or member path
    ├── InvalidMetadataError      (ValueError)         metadata that JSON cannot hold, or of the wrong type
    ├── InvalidOptionError        (ValueError)         an option that no plugin knows
    ├── InvalidQueryError         (ValueError)         a search that cannot be understood
    ├── ParityError               (ValueError)         a conversion whose result computes something else
    ├── ConfigurationError        (ValueError)         registry.toml, environment or keyword
    ├── UnsupportedModelError     (ValueError)         a model that the format's plugin cannot store
    ├── UnsafeModelError          (ValueError)         content that was refused before anything ran
    ├── UnsupportedFormatError    (ValueError, ImportError)   no loaded plugin handles the format
    ├── ClassNotFoundError        (ValueError, ImportError)   a class that the loading process does not offer
    ├── PermissionRequiredError   (PermissionError)    the step may execute code and nobody allowed it
    ├── IntegrityError            (RuntimeError)       bytes that do not match their digest
    ├── PluginError               (RuntimeError)       an installed plugin that misbehaves
    │   └── PluginLoadError       (ImportError)        … that cannot be imported or used
    ├── SourceNotFoundError       (FileNotFoundError)  the file or folder to register
    ├── RegistryNotFoundError     (FileNotFoundError)  no registry at this place
    ├── DestinationExistsError    (FileExistsError)    an export would overwrite something
    ├── RegistrationLostError     (RuntimeError)       the registration's lease ran out under it
    ├── AliasMovedError           (RuntimeError)       somebody changed the alias since the change to take back
    └── StorageError              (OSError)            the disk or the database refused

Each also is the built-in that a caller would catch, and carries its facts as attributes.
"""

from __future__ import annotations


class ModelRegistryError(Exception):
    """Base of all errors raised on purpose by the registry and its plugins.

    ``str(error)`` is one line: what happened and where, then what to do.

    :param message: What happened, and where.
    :param hint: What to do next; empty if there is nothing to say.
    :param facts: What the error is about (``model=``, ``version=``, ``path=``, …); kept as attributes.
    """

    def __init__(self, message: str, *, hint: str = "", **facts: object) -> None:
        super().__init__(f"{message} — {hint}" if hint else message)
        self.message = message
        self.hint = hint
        self.facts = facts

    def __getattr__(self, name: str) -> object:
        facts = self.__dict__.get("facts", {})
        if name in facts:
            return facts[name]
        raise AttributeError(f"{type(self).__name__} carries no {name!r}; it carries {sorted(facts)}")


class ModelNotFoundError(ModelRegistryError, ValueError):
    """No model of this name. Facts: ``model``."""


class VersionNotFoundError(ModelNotFoundError):
    """The model has no such version. Facts: ``model``, ``version``."""


class VersionExistsError(ModelRegistryError, ValueError):
    """The version is taken, and versions are immutable. Facts: ``model``, ``version``, ``digest``."""


class InvalidNameError(ModelRegistryError, ValueError):
    """A model name, a version or a member path that the registry cannot hold. Facts: ``value``."""


class InvalidMetadataError(ModelRegistryError, ValueError):
    """Metadata of the wrong type, or that JSON cannot hold. Facts: ``field``."""


class InvalidOptionError(ModelRegistryError, ValueError):
    """An option that the format's plugin does not know. Facts: ``option``, ``format``."""


class InvalidQueryError(ModelRegistryError, ValueError):
    """A search that cannot be understood. Facts: ``query``, ``column`` (from 1; one past the end if it ends early)."""


class ConfigurationError(ModelRegistryError, ValueError):
    """One or more mistakes in the configuration. Facts: ``mistakes``."""


class ParityError(ModelRegistryError, ValueError):
    """The result of a conversion does not compute what its source does. Nothing was kept. Facts: ``report``."""


class UnsupportedModelError(ModelRegistryError, ValueError):
    """The plugin knows the format but cannot store this model. Facts depend on the plugin."""


class UnsafeModelError(ModelRegistryError, ValueError):
    """A file that asks for more than data, refused before anything ran. Facts: ``path``."""


class UnsupportedFormatError(ModelRegistryError, ValueError, ImportError):
    """No plugin took the model. Facts: ``format``, ``distribution``."""


class ClassNotFoundError(ModelRegistryError, ValueError, ImportError):
    """The loading process does not offer a class of the model. Facts: ``class_name``."""


class PermissionRequiredError(ModelRegistryError, PermissionError):
    """The step may execute code from the artifact and nobody allowed it. Facts: ``model``, ``version``."""


class IntegrityError(ModelRegistryError, RuntimeError):
    """Stored bytes do not match their digest. Facts: ``path``, ``expected``, ``found``."""


class PluginError(ModelRegistryError, RuntimeError):
    """An installed plugin broke the contract. Facts: ``plugin``, ``distribution``."""


class PluginLoadError(PluginError, ImportError):
    """An installed plugin cannot be imported or used. Facts: ``plugin``, ``distribution``."""


class SourceNotFoundError(ModelRegistryError, FileNotFoundError):
    """The file or folder to register does not exist. Facts: ``path``."""


class RegistryNotFoundError(ModelRegistryError, FileNotFoundError):
    """There is no registry at this place. Facts: ``path``."""


class DestinationExistsError(ModelRegistryError, FileExistsError):
    """An export would overwrite something. Facts: ``path``."""


class RegistrationLostError(ModelRegistryError, RuntimeError):
    """The registration was taken for dead and its claims were dropped. Nothing became visible."""


class AliasMovedError(ModelRegistryError, RuntimeError):
    """The last change of the alias is another one than was said. Facts: ``model``, ``alias``, ``expected``."""


class StorageError(ModelRegistryError, OSError):
    """The disk or the database refused; nothing was half done. Facts: ``path``."""
