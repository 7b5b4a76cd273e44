"""Credentials files, as `nsc` writes them: a user's JWT and the seed that signs for it; and files with only a seed.

They are read at every connect, so that a renewed file takes effect. nats-py's own reader of credentials files never
returns when there is no JWT (measured on 2.16).
"""

from __future__ import annotations

import base64
import re
from pathlib import Path

_BLOCK = re.compile(rb"-BEGIN (?P<what>NATS USER JWT|USER NKEY SEED)-+\s+(?P<value>\S+)\s+-+END")


class CredentialsError(Exception):
    """A file does not hold a JWT and a seed, or only a seed, as expected."""


class Credentials:
    """A credentials file."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)

    def _part(self, what: bytes) -> bytes:
        parts = {block["what"]: block["value"] for block in _BLOCK.finditer(self._path.read_bytes())}
        if what not in parts:
            raise CredentialsError(f"there is no {what.decode()} in it")
        return parts[what]

    def jwt(self) -> bytearray:
        """Return the user's JWT; raises as `check` does."""
        return bytearray(self._part(b"NATS USER JWT"))

    def sign(self, nonce: str) -> bytes:
        """Sign the server's nonce, in base64; raises as `check` does."""
        return _sign(self._part(b"USER NKEY SEED"), nonce)

    def check(self) -> None:
        """Check that the file can be used.

        Raises:
            OSError: it cannot be read. CredentialsError: it does not hold a JWT and a seed.
        """
        self.jwt()
        self.sign("")


def check_seed(path: str) -> None:
    """Check that a file holds a seed; raises as `Credentials.check` does."""
    _sign(Path(path).read_bytes().strip(), "")


def _sign(seed: bytes, nonce: str) -> bytes:
    import nkeys

    try:
        pair = nkeys.from_seed(bytearray(seed))
    except Exception as error:  # of several types, not all of them from nkeys
        raise CredentialsError("its seed is not an nkey seed") from error
    return base64.b64encode(pair.sign(nonce.encode()))
