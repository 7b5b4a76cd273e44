"""Schema documents: made from `Api` classes or read from files, and what events are checked against."""

from lightbus.schema.contract import EventContract
from lightbus.schema.definition import FORMAT, FORMAT_SINCE, api_document
from lightbus.schema.document import SchemaDocument
from lightbus.schema.formats import FormatType, format_type
from lightbus.schema.openness import open_schema
from lightbus.schema.payload import ParameterContract
from lightbus.schema.validation import is_pattern, pattern_matches

__all__ = [
    "FORMAT",
    "FORMAT_SINCE",
    "EventContract",
    "FormatType",
    "ParameterContract",
    "SchemaDocument",
    "api_document",
    "format_type",
    "is_pattern",
    "open_schema",
    "pattern_matches",
]
