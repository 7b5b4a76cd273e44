"""The generated package as an installable distribution: its name, version and requirement."""

from __future__ import annotations

from dataclasses import dataclass

from lightbus.schema import FORMAT_SINCE
from lightbus_gen.read.input_problems import input_error
from lightbus_gen.write.plan import MARK

BESIDE = ("pyproject.toml", "README.md")
"""The files of a distribution, beside its package in the output folder."""

RUNTIME = "lightbus-nats"


@dataclass(frozen=True, slots=True)
class Distribution:
    """An installable distribution.

    Attributes:
        name: its name on a package index.
        version: its version, normalised.
        requirement: the runtime it needs: the first version that reads the generated format, or newer.
    """

    name: str
    version: str
    requirement: str = f"{RUNTIME}>={FORMAT_SINCE}"


def mark(package: str) -> str:
    """Return the header that marks the files beside a package; each package in a folder has its own."""
    return f"{MARK}for {package} "


def checked_distribution(name: str, version: str) -> Distribution | None:
    """Check a distribution's name and version.

    Returns:
        The distribution, or None if no name or no version is given.

    Raises:
        InputError: one of them is not valid, or a version is given without a name.
    """
    from packaging.utils import InvalidName, canonicalize_name
    from packaging.version import InvalidVersion, Version

    if not name:
        if version:
            message = f"version = {version!r} is that of a distribution, which has no name"
            raise input_error("INVALID_CONFIG", message, "add distribution, such as --distribution acme-bus")
        return None
    try:
        canonical = canonicalize_name(name, validate=True)
    except InvalidName:
        message = f"distribution = {name!r} is not a distribution name"
        fix = "use letters, digits, '-', '_' and '.', with a letter or digit at both ends"
        raise input_error("INVALID_CONFIG", message, fix) from None
    if canonical == RUNTIME:
        message = f"distribution = {name!r} is the name of the runtime"
        raise input_error("INVALID_CONFIG", message, "choose another")
    if not version:  # which the release adds
        return None
    try:
        return Distribution(name, str(Version(version)))
    except InvalidVersion:
        message = f"version = {version!r} is not a version"
        fix = "write one as Python packages have it, such as 1.4.0 or 2.0rc1"
        raise input_error("INVALID_CONFIG", message, fix) from None
