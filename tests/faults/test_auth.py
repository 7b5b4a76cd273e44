"""Authentication: every method works, and every mistake is reported at once (scenario 20)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import nkeys
import pytest

import lightbus
from lightbus import ConnectionFailed
from lightbus.testing import NatsServer
from tests.cli.kit import free_port
from tests.faults.identities import Certificates, Key, Operator, write_context
from tests.faults.jobs import JobApi
from tests.faults.ledger import Ledger
from tests.faults.proxy import Proxy
from tests.faults.waiting import BOUND
from tests.faults.workers import Workers

Way = tuple[str, dict[str, str]]  # configuration of the server, settings of the context

PASSWORD = "authorization { user: svc, password: right }\n"
TOKEN = "authorization { token: right }\n"


def by_password(home: Path) -> Way:
    return PASSWORD, {"user": "svc", "password": "right"}


def by_password_in_url(home: Path) -> Way:
    return PASSWORD, {"url": "nats://svc:right@{}"}


def by_token(home: Path) -> Way:
    return TOKEN, {"token": "right"}


def by_token_in_url(home: Path) -> Way:
    return TOKEN, {"url": "nats://right@{}"}


def by_nkey(home: Path) -> Way:
    key = Key(nkeys.PREFIX_BYTE_USER)
    (home / "seed.nk").write_bytes(key.seed + b"\n")
    return f"authorization {{ users = [ {{ nkey: {key.public} }} ] }}\n", {"nkey": "~/seed.nk"}


def by_credentials(home: Path) -> Way:
    operator = Operator()
    (home / "user.creds").write_text(operator.credentials())
    return operator.config, {"creds": str(home / "user.creds")}


def by_certificate(home: Path) -> Way:
    files = Certificates(home)
    return files.config("verify: true"), {"ca": str(files.ca), **files.client}


def by_certificate_as_user(home: Path) -> Way:
    files = Certificates(home)
    users = "authorization { users = [ { user: client@example.com } ] }\n"
    return files.config("verify_and_map: true") + users, {"ca": str(files.ca), **files.client}


def by_handshake_first(home: Path) -> Way:
    files = Certificates(home)
    return files.config("handshake_first: true"), {"ca": str(files.ca), "tls_first": "yes"}


WAYS = [
    *(by_password, by_password_in_url, by_token, by_token_in_url, by_nkey, by_credentials),
    *(by_certificate, by_certificate_as_user, by_handshake_first),
]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
async def test_every_way_to_authenticate_works_also_when_the_connection_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: Callable[[Path], Way]
) -> None:
    config, settings = way(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    with NatsServer(config=config) as server:
        async with lightbus.create(url=server.url, apis=[JobApi], timeout=BOUND) as nobody:
            with pytest.raises(ConnectionFailed):
                await nobody.job.wanted.fire_async(number=0)
        address = settings.get("url", "nats://{}").format(server.url.removeprefix("nats://"))
        monkeypatch.setenv("NATS_CONTEXT", write_context(tmp_path, **{**settings, "url": address}))
        async with lightbus.create(apis=[JobApi], timeout=BOUND) as bus:
            await bus.job.wanted.fire_async(number=1)
            server.kill()
            await asyncio.to_thread(server.start)
            await bus.job.wanted.fire_async(number=2)


class Mistake:
    """A mistake in authentication.

    Args:
        said: what the command prints about it.
        config: of the server.
        settings: of the context.
    """

    def __init__(self, said: str, config: str = "", **settings: str) -> None:
        self.said, self.config, self.settings = said, config, settings


def wrong_password(home: Path) -> Mistake:
    return Mistake("Authorization Violation", PASSWORD, user="svc", password="wr0ng")


def wrong_token(home: Path) -> Mistake:
    return Mistake("Authorization Violation", TOKEN, token="wr0ng")


def no_password(home: Path) -> Mistake:
    return Mistake("Authorization Violation", PASSWORD)


def unknown_nkey(home: Path) -> Mistake:
    config, _ = by_nkey(home)
    (home / "seed.nk").write_bytes(Key(nkeys.PREFIX_BYTE_USER).seed)
    return Mistake("Authorization Violation", config, nkey="~/seed.nk")


def spoilt_nkey(home: Path) -> Mistake:
    (home / "seed.nk").write_text("wr0ng")
    return Mistake("seed.nk, which cannot be used: its seed is not an nkey seed", nkey="~/seed.nk")


def strangers_credentials(home: Path) -> Mistake:
    (home / "user.creds").write_text(Operator().credentials())
    return Mistake("Authorization Violation", Operator().config, creds="~/user.creds")


def missing_credentials(home: Path) -> Mistake:
    return Mistake("user.creds, which cannot be read", creds="~/user.creds")


def spoilt_credentials(home: Path) -> Mistake:
    (home / "user.creds").write_text("wr0ng")
    return Mistake("which cannot be used: there is no NATS USER JWT in it", creds="~/user.creds")


def strange_authority(home: Path) -> Mistake:
    files = Certificates(home)
    return Mistake("certificate verify failed", files.config(), ca=str(files.other_ca))


def spoilt_authority(home: Path) -> Mistake:
    (home / "ca.pem").write_text("wr0ng")
    return Mistake("the TLS files cannot be used (ca", ca="~/ca.pem")


def no_certificate(home: Path) -> Mistake:
    files = Certificates(home)
    return Mistake("certificate required", files.config("verify: true"), ca=str(files.ca))


def nobody_there(home: Path) -> Mistake:
    return Mistake("connection refused", url=f"nats://svc:wr0ng@127.0.0.1:{free_port()}")


MISTAKES = [
    *(wrong_password, wrong_token, no_password, unknown_nkey, spoilt_nkey, strangers_credentials),
    *(missing_credentials, spoilt_credentials, strange_authority, spoilt_authority, no_certificate),
    nobody_there,
]


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.__name__)
async def test_s20_a_service_that_cannot_come_in_says_why_and_ends(
    tmp_path: Path, ledger: Ledger, mistake: Callable[[Path], Mistake]
) -> None:
    """nats-py alone would try for minutes, or for ever."""
    made = mistake(tmp_path)
    with NatsServer(config=made.config) as server:
        workers = Workers(server.url, ledger, tmp_path)
        try:
            context = write_context(tmp_path, **{"url": server.url, **made.settings})
            service = workers.start(context=context)
            assert await asyncio.to_thread(service.end) == 1
        finally:
            workers.clean_up()
    assert made.said in service.output
    assert "Traceback" not in service.output
    assert "wr0ng" not in service.output


async def test_s20_no_secret_goes_over_a_wire_that_should_be_encrypted(
    server: NatsServer, proxy: Proxy, workers: Workers
) -> None:
    heard = proxy.listen_in()
    service = workers.start(url=proxy.url.replace("nats://", "tls://svc:wr0ng@"))
    assert await asyncio.to_thread(service.end) == 1
    assert "TLS was asked for, and the server does not offer it" in service.output
    assert proxy.connections
    assert b"wr0ng" not in heard
    assert b"CONNECT" not in heard
    assert "wr0ng" not in service.output
