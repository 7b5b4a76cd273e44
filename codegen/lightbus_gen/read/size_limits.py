"""How large an input may be. Past a limit the input is refused where it passes it, before anything gets slow."""

from __future__ import annotations

MAX_FILES = 10_000
"""Files below the schemas folder; links between folders can make a handful stand for millions."""

MAX_BYTES = 10_000_000
"""Size of a JSON file, and of the text that YAML stands for; the largest published schemas have about 5 MB."""

MAX_YAML_BYTES = 500_000
"""Size of a YAML file, which takes about a hundred times as long to read as JSON."""

MAX_VALUES = 250_000
"""JSON values in a file, aliases of YAML written out."""

MAX_DEPTH = 100
"""Objects and arrays inside one another."""

MAX_KEY = 1_000
"""Characters of a key, which may become a name in the generated package."""

MAX_DIGITS = 1_000
"""Digits of a number; Python by itself takes time that grows with their square."""
