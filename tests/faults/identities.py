"""Everything that a server can authenticate by: certificates, keys, credentials; and contexts that name them."""

from __future__ import annotations

import base64
import json
import os
import time
from pathlib import Path
from typing import Any

import nkeys
import trustme


class Certificates:
    """A certificate authority, and the certificates it signed for 127.0.0.1 and for a client.

    Args:
        folder: for the files.
    """

    def __init__(self, folder: Path) -> None:
        authority, stranger = trustme.CA(), trustme.CA()
        self.ca, self.other_ca = folder / "ca.pem", folder / "other-ca.pem"
        authority.cert_pem.write_to_path(self.ca)
        stranger.cert_pem.write_to_path(self.other_ca)
        self._folder = folder
        for name in ("127.0.0.1", "client@example.com"):
            leaf = authority.issue_cert(name)
            leaf.private_key_pem.write_to_path(folder / f"{name}.key")
            leaf.cert_chain_pems[0].write_to_path(folder / f"{name}.pem")
        self.client = {
            "cert": str(folder / "client@example.com.pem"),
            "key": str(folder / "client@example.com.key"),
        }

    def config(self, extra: str = "") -> str:
        """Return the lines of a server's configuration that enable TLS."""
        cert, key = self._folder / "127.0.0.1.pem", self._folder / "127.0.0.1.key"
        return f'tls {{ cert_file: "{cert}", key_file: "{key}", ca_file: "{self.ca}", {extra} }}\n'


class Key:
    """An nkey.

    Args:
        kind: prefix of its seed.
    """

    def __init__(self, kind: int) -> None:
        self.seed = nkeys.encode_seed(os.urandom(32), kind)
        self.pair: Any = nkeys.from_seed(bytearray(self.seed))
        self.public: str = self.pair.public_key.decode()


def jwt(issuer: Key, subject: Key, kind: str, **claims: Any) -> str:
    """Sign a NATS JWT, version 2."""

    def encoded(part: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()

    body = {
        "jti": base64.b32encode(os.urandom(32)).decode().rstrip("="),
        "iat": int(time.time()) - 60,
        "iss": issuer.public,
        "name": kind,
        "sub": subject.public,
        "nats": {"type": kind, "version": 2, **claims},
    }
    signed = f"{encoded({'typ': 'JWT', 'alg': 'ed25519-nkey'})}.{encoded(body)}"
    signature = base64.urlsafe_b64encode(issuer.pair.sign(signed.encode())).rstrip(b"=").decode()
    return f"{signed}.{signature}"


class Operator:
    """An operator with an account that has JetStream, and a user in it."""

    _LIMITS = ("subs", "data", "payload", "imports", "exports", "conn", "leaf", "mem_storage", "disk_storage")

    def __init__(self) -> None:
        operator, self._account = Key(nkeys.PREFIX_BYTE_OPERATOR), Key(nkeys.PREFIX_BYTE_ACCOUNT)
        system = Key(nkeys.PREFIX_BYTE_ACCOUNT)
        limits = {**dict.fromkeys((*self._LIMITS, "streams", "consumer"), -1), "wildcards": True}
        without = {**dict.fromkeys(self._LIMITS[:7], -1), "wildcards": True}
        permissions: dict[str, Any] = {"pub": {}, "sub": {}}
        accounts = {
            self._account: jwt(
                operator, self._account, "account", limits=limits, default_permissions=permissions
            ),
            system: jwt(operator, system, "account", limits=without, default_permissions=permissions),
        }
        preload = "\n".join(f"{account.public}: {text}" for account, text in accounts.items())
        self.config = (
            f"operator: {jwt(operator, operator, 'operator', system_account=system.public)}\n"
            f"system_account: {system.public}\nresolver: MEMORY\nresolver_preload: {{\n{preload}\n}}\n"
        )

    def credentials(self) -> str:
        """Return a credentials file of a new user."""
        user = Key(nkeys.PREFIX_BYTE_USER)
        claims: dict[str, Any] = {"pub": {}, "sub": {}, "subs": -1, "data": -1, "payload": -1}
        token = jwt(self._account, user, "user", **claims)
        return (
            f"-----BEGIN NATS USER JWT-----\n{token}\n------END NATS USER JWT------\n\n"
            f"-----BEGIN USER NKEY SEED-----\n{user.seed.decode()}\n------END USER NKEY SEED------\n"
        )


def write_context(home: Path, **settings: object) -> str:
    """Write a context of the NATS CLI, and return its name."""
    folder = home / ".config/nats/context"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "test.json").write_text(json.dumps(settings))
    return "test"
