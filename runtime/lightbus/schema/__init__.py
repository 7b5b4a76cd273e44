"""Schema documents: made from `Api` classes or read from files, and what events are checked against."""

from lightbus.schema.formats import FormatType, format_type

FORMAT = 1
"""The number of the schema document format, written as `lightbus`."""

__all__ = ["FORMAT", "FormatType", "format_type"]
