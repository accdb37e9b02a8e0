"""Files to Descriptions: one internal form, whatever was written."""

from apifold.description.description import Answer, Body, Description, Operation, Parameter, json_schema
from apifold.description.known import KnownDescriptions
from apifold.description.leniency import loosened
from apifold.description.load import Placement, api_name, load, with_operations
from apifold.description.model import is_model
from apifold.description.overlay import is_overlay
from apifold.description.sources import ParsedFiles, Sources

__all__ = [
    "Answer", "Body", "Description", "KnownDescriptions", "Operation", "Parameter", "ParsedFiles", "Placement",
    "Sources", "api_name", "is_model", "is_overlay", "json_schema", "load", "loosened", "with_operations",
]  # fmt: skip
