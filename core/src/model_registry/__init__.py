"""A registry of AI models that needs no server, trusts no file, and loses nothing.

::

    from model_registry import ModelRegistry

    registry = ModelRegistry("./models")
    registry.register_model("digits", model, performance_metrics={"accuracy": 0.98})
    model, _ = registry.load_model("digits")

Names are imported when they are first used, so ``import model_registry`` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from model_registry.comparison import Change as Change
    from model_registry.comparison import Comparison as Comparison
    from model_registry.comparison import FileChange as FileChange
    from model_registry.comparison import MetricChange as MetricChange
    from model_registry.comparison import TensorChange as TensorChange
    from model_registry.errors import AliasMovedError as AliasMovedError
    from model_registry.errors import ClassNotFoundError as ClassNotFoundError
    from model_registry.errors import ConfigurationError as ConfigurationError
    from model_registry.errors import DestinationExistsError as DestinationExistsError
    from model_registry.errors import IntegrityError as IntegrityError
    from model_registry.errors import InvalidMetadataError as InvalidMetadataError
    from model_registry.errors import InvalidNameError as InvalidNameError
    from model_registry.errors import InvalidOptionError as InvalidOptionError
    from model_registry.errors import InvalidQueryError as InvalidQueryError
    from model_registry.errors import ModelNotFoundError as ModelNotFoundError
    from model_registry.errors import ModelRegistryError as ModelRegistryError
    from model_registry.errors import ParityError as ParityError
    from model_registry.errors import PermissionRequiredError as PermissionRequiredError
    from model_registry.errors import PluginError as PluginError
    from model_registry.errors import PluginLoadError as PluginLoadError
    from model_registry.errors import RegistrationLostError as RegistrationLostError
    from model_registry.errors import RegistryNotFoundError as RegistryNotFoundError
    from model_registry.errors import SourceNotFoundError as SourceNotFoundError
    from model_registry.errors import StorageError as StorageError
    from model_registry.errors import UnsafeModelError as UnsafeModelError
    from model_registry.errors import UnsupportedFormatError as UnsupportedFormatError
    from model_registry.errors import UnsupportedModelError as UnsupportedModelError
    from model_registry.errors import VersionExistsError as VersionExistsError
    from model_registry.errors import VersionNotFoundError as VersionNotFoundError
    from model_registry.example_inputs import read_example_inputs as read_example_inputs
    from model_registry.hookspecs import EXAMPLE_INPUTS as EXAMPLE_INPUTS
    from model_registry.hookspecs import Source as Source
    from model_registry.hookspecs import Stage as Stage
    from model_registry.hookspecs import VersionFiles as VersionFiles
    from model_registry.hookspecs import hookimpl as hookimpl
    from model_registry.kinds import Content as Content
    from model_registry.kinds import Kind as Kind
    from model_registry.kinds import content_of as content_of
    from model_registry.loaders import ModelLoader as ModelLoader
    from model_registry.parity import cases as cases
    from model_registry.progress import progress_here as progress_here
    from model_registry.records import Array as Array
    from model_registry.records import Arrival as Arrival
    from model_registry.records import BatchFailure as BatchFailure
    from model_registry.records import BatchReport as BatchReport
    from model_registry.records import CollectReport as CollectReport
    from model_registry.records import Conversion as Conversion
    from model_registry.records import Detection as Detection
    from model_registry.records import Download as Download
    from model_registry.records import Event as Event
    from model_registry.records import ExportedPath as ExportedPath
    from model_registry.records import ExportRequest as ExportRequest
    from model_registry.records import FileRecord as FileRecord
    from model_registry.records import Finding as Finding
    from model_registry.records import FormatSpec as FormatSpec
    from model_registry.records import Inputs as Inputs
    from model_registry.records import InputSpec as InputSpec
    from model_registry.records import LineageNode as LineageNode
    from model_registry.records import LoadedModel as LoadedModel
    from model_registry.records import LoadRequest as LoadRequest
    from model_registry.records import ModelEntry as ModelEntry
    from model_registry.records import ModelMetadata as ModelMetadata
    from model_registry.records import OutputParity as OutputParity
    from model_registry.records import Parent as Parent
    from model_registry.records import ParentVersion as ParentVersion
    from model_registry.records import ParityReport as ParityReport
    from model_registry.records import PluginInfo as PluginInfo
    from model_registry.records import ProgressReport as ProgressReport
    from model_registry.records import RebuildReport as RebuildReport
    from model_registry.records import RepairReport as RepairReport
    from model_registry.records import Runner as Runner
    from model_registry.records import SaveRequest as SaveRequest
    from model_registry.records import SearchPage as SearchPage
    from model_registry.records import TensorRecord as TensorRecord
    from model_registry.records.archive import ArchiveReport as ArchiveReport
    from model_registry.records.archive import BaseFile as BaseFile
    from model_registry.records.archive import ColdFile as ColdFile
    from model_registry.records.archive import Encoded as Encoded
    from model_registry.records.archive import Span as Span
    from model_registry.records.compression import Compression as Compression
    from model_registry.records.compression import CompressionReport as CompressionReport
    from model_registry.records.compression import CompressionTrial as CompressionTrial
    from model_registry.records.compression import CompressRequest as CompressRequest
    from model_registry.registry import ModelRegistry as ModelRegistry
    from model_registry.search.asked import fields_of_query as fields_of_query
    from model_registry.shortcuts import register_huggingface_model as register_huggingface_model
    from model_registry.shortcuts import register_onnx_model as register_onnx_model
    from model_registry.shortcuts import register_pytorch_model as register_pytorch_model
    from model_registry.vocabulary import CompressionType as CompressionType
    from model_registry.vocabulary import ModelFormat as ModelFormat
    from model_registry.vocabulary import ModelType as ModelType

_HOMES = {
    "comparison": "Change Comparison FileChange MetricChange TensorChange",
    "errors": (
        "AliasMovedError ClassNotFoundError ConfigurationError DestinationExistsError IntegrityError"
        " InvalidMetadataError InvalidNameError InvalidOptionError InvalidQueryError ModelNotFoundError"
        " ModelRegistryError ParityError PermissionRequiredError PluginError PluginLoadError RegistrationLostError"
        " RegistryNotFoundError SourceNotFoundError StorageError UnsafeModelError UnsupportedFormatError"
        " UnsupportedModelError VersionExistsError VersionNotFoundError"
    ),
    "example_inputs": "read_example_inputs",
    "hookspecs": "EXAMPLE_INPUTS Source Stage VersionFiles hookimpl",
    "kinds": "Content Kind content_of",
    "loaders": "ModelLoader",
    "records": (
        "Array Arrival BatchFailure BatchReport CollectReport Conversion Detection"
        " Download Event ExportRequest ExportedPath FileRecord Finding FormatSpec InputSpec Inputs"
        " LineageNode LoadRequest LoadedModel ModelEntry ModelMetadata OutputParity Parent ParentVersion"
        " ParityReport PluginInfo ProgressReport RebuildReport RepairReport Runner SaveRequest SearchPage"
        " TensorRecord"
    ),
    "records.archive": "ArchiveReport BaseFile ColdFile Encoded Span",
    "records.compression": "Compression CompressRequest CompressionReport CompressionTrial",
    "parity": "cases",
    "progress": "progress_here",
    "registry": "ModelRegistry",
    "search.asked": "fields_of_query",
    "shortcuts": "register_huggingface_model register_onnx_model register_pytorch_model",
    "vocabulary": "CompressionType ModelFormat ModelType",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}

__all__ = sorted(_HOME_OF)


def __getattr__(name: str) -> object:
    if name == "__version__":
        return import_module("importlib_metadata").version("model-registry-core")
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
