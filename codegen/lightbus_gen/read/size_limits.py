"""Limits on the input. What exceeds one is refused at its place, before it makes anything slow."""

from __future__ import annotations

MAX_FILES = 10_000
"""Files below the schemas folder; links between folders can turn a handful into millions."""

MAX_BYTES = 10_000_000
"""Bytes of a JSON file, characters of expanded YAML; the largest published schemas have about 5 MB."""

MAX_YAML_BYTES = 500_000
"""Bytes of a YAML file, which takes about a hundred times as long to read as JSON."""

MAX_VALUES = 250_000
"""JSON values in a file, with YAML aliases expanded."""

MAX_DEPTH = 100
"""Nesting levels of objects and arrays."""

MAX_KEY = 1_000
"""Characters of a key, which may become a name in the generated package."""

MAX_DIGITS = 1_000
"""Digits of a number; Python's conversion takes quadratic time."""
