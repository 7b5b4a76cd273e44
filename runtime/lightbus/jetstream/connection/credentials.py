"""Credentials files, as `nsc` writes them: a user's JWT and the seed that signs for it; and files with a seed alone.

They are read again at every connect, so that one that was renewed is used. nats-py's own reading of a
credentials file never ends when there is no JWT in it (measured on 2.16).
"""

from __future__ import annotations

import base64
import re
from pathlib import Path

_BLOCK = re.compile(rb"-+BEGIN (?P<what>NATS USER JWT|USER NKEY SEED)-+\s+(?P<value>\S+)\s+-+END")


class CredentialsError(Exception):
    """A file does not hold what it should."""


class Credentials:
    """A credentials file.

    Args:
        path: where it is.
    """

    def __init__(self, path: str) -> None:
        self._path = Path(path)

    def _part(self, what: bytes) -> bytes:
        parts = {found["what"]: found["value"] for found in _BLOCK.finditer(self._path.read_bytes())}
        if what not in parts:
            raise CredentialsError(f"there is no {what.decode()} in it")
        return parts[what]

    def jwt(self) -> bytearray:
        """Return the user's JWT; raises as `check` does."""
        return bytearray(self._part(b"NATS USER JWT"))

    def sign(self, nonce: str) -> bytes:
        """Sign what the server sent, in base64; raises as `check` does."""
        return _sign(self._part(b"USER NKEY SEED"), nonce)

    def check(self) -> None:
        """Make sure that the file can be used.

        Raises:
            OSError: it cannot be read. CredentialsError: it does not hold a JWT and a seed.
        """
        self.jwt()
        self.sign("")


def check_seed(path: str) -> None:
    """Make sure that a file holds a seed; raises as `Credentials.check` does."""
    _sign(Path(path).read_bytes().strip(), "")


def _sign(seed: bytes, nonce: str) -> bytes:
    import nkeys

    try:
        pair = nkeys.from_seed(bytearray(seed))
    except Exception as error:  # of several kinds, not all of them its own
        raise CredentialsError("its seed is not one of an nkey") from error
    return base64.b64encode(pair.sign(nonce.encode()))
