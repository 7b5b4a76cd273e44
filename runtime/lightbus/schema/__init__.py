"""Schema documents, made from `Api` classes or read from files, and the validation of events."""

from lightbus.schema.contract import EventContract
from lightbus.schema.document import SchemaDocument, document_defects
from lightbus.schema.language.formats import FormatType, format_type
from lightbus.schema.language.openness import open_schema
from lightbus.schema.language.pattern_bounds import is_pattern
from lightbus.schema.language.validation import pattern_matches
from lightbus.schema.payload.parameters import ParameterContract
from lightbus.schema.python.from_api import FORMAT, FORMAT_SINCE, api_document

__all__ = [
    "FORMAT",
    "FORMAT_SINCE",
    "EventContract",
    "FormatType",
    "ParameterContract",
    "SchemaDocument",
    "api_document",
    "document_defects",
    "format_type",
    "is_pattern",
    "open_schema",
    "pattern_matches",
]
