"""JSON Schema itself: keywords, references, metaschemas, validation, formats."""
