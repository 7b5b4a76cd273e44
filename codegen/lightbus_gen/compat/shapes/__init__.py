"""A schema seen as one shape: references resolved, branches expanded, fields listed."""
