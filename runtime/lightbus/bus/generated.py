"""Support for generated packages: the format guard, their packaged schemas, `deprecated`."""

from __future__ import annotations

import functools
import importlib.resources
import sys

from lightbus.errors import FormatMismatch, SchemaError
from lightbus.schema import FORMAT, EventContract, SchemaDocument

if sys.version_info >= (3, 13):
    from warnings import deprecated
else:
    from typing_extensions import deprecated

__all__ = ["GeneratedSchema", "deprecated", "require_format"]


def require_format(number: int) -> None:
    """Refuse to load generated code of another format; each generated module calls this first.

    Args:
        number: the format the module was generated in.

    Raises:
        FormatMismatch: an ImportError that names both ways to fix it.
    """
    if number == FORMAT:
        return
    age = "newer" if number > FORMAT else "older"
    fixes = (
        "upgrade lightbus-nats here, or generate the package with the lightbus-gen of this version"
        if number > FORMAT
        else "generate the package again with the lightbus-gen of this version, or pin lightbus-nats lower"
    )
    raise FormatMismatch(
        f"it is in format {number}, {age} than format {FORMAT} which this lightbus reads: {fixes}",
        source=f"the generated package {sys._getframe(1).f_globals.get('__package__')}",
    )


class GeneratedSchema:
    """A schema document inside a generated package, read when an event of it is first used.

    Args:
        package: name of the package, `__package__` in its modules.
        path: path of the document in the package, such as `schemas/auth.json`.
    """

    def __init__(self, package: str, path: str) -> None:
        self._package, self._path = package, path

    def contract(self, event: str) -> EventContract:
        """Return the contract of one event.

        Raises:
            SchemaError: the document is missing from the package or does not hold the event.
        """
        return self._document.contract(event)

    @functools.cached_property
    def _document(self) -> SchemaDocument:
        source = f"{self._package}/{self._path}"
        try:
            text = importlib.resources.files(self._package).joinpath(self._path).read_bytes()
        except OSError as error:
            raise SchemaError(
                f"the generated package is incomplete ({error.strerror}); run lightbus-gen again",
                source=source,
            ) from error
        return SchemaDocument.parse(text, source=source)
