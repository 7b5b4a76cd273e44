"""Whether one schema accepts everything that another accepts, where the validator's library can tell."""

from __future__ import annotations

from typing import Any

import jsonschema_rs


def is_covered(reader: Any, writer: Any) -> bool:
    """Whether it is certain that every value valid by `writer` is valid by `reader`.

    Args:
        reader, writer: schemas that refer to nothing outside themselves.

    Returns:
        False as well where it cannot be told: for a schema there is no model of, or an older jsonschema-rs.
    """
    canonicalize = getattr(jsonschema_rs, "canonicalize", None)
    if canonicalize is None:
        return False
    try:
        forms = [canonicalize(schema, validate_formats=True, offline=True) for schema in (reader, writer)]
        return bool(forms[0].covers(forms[1]) == jsonschema_rs.canonical.Containment.YES)
    except Exception:  # whatever it cannot model is not certain
        return False
