"""The records that cross a border: between caller and registry, core and plugin, catalog and core.

All are immutable. Sizes are bytes unless a name says otherwise; ``*_mb`` are megabytes of 1,000,000 bytes.
"""

from __future__ import annotations

from model_registry.records.contents import FileRecord, TensorRecord
from model_registry.records.entry import LoadedModel, ModelEntry, SearchPage
from model_registry.records.facts import Event, LineageNode
from model_registry.records.formats import Conversion, Detection, FormatSpec, PluginInfo
from model_registry.records.metadata import MEGABYTE, ModelMetadata, Parent
from model_registry.records.parity import ExportedPath, OutputParity, ParityReport
from model_registry.records.reports import (
    BatchFailure,
    BatchReport,
    CollectReport,
    Finding,
    ProgressReport,
    RebuildReport,
    RepairReport,
)
from model_registry.records.requests import Arrival, Download, ExportRequest, LoadRequest, ParentVersion, SaveRequest
from model_registry.records.signature import ITEM_BYTES, Array, Inputs, InputSpec, Runner

__all__ = [
    "ITEM_BYTES",
    "MEGABYTE",
    "Array",
    "Arrival",
    "BatchFailure",
    "BatchReport",
    "CollectReport",
    "Conversion",
    "Detection",
    "Download",
    "Event",
    "ExportRequest",
    "ExportedPath",
    "FileRecord",
    "Finding",
    "FormatSpec",
    "InputSpec",
    "Inputs",
    "LineageNode",
    "LoadRequest",
    "LoadedModel",
    "ModelEntry",
    "ModelMetadata",
    "OutputParity",
    "Parent",
    "ParentVersion",
    "ParityReport",
    "PluginInfo",
    "ProgressReport",
    "RebuildReport",
    "RepairReport",
    "Runner",
    "SaveRequest",
    "SearchPage",
    "TensorRecord",
]
