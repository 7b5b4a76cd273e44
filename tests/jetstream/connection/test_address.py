"""The sources of the server's address."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightbus.errors import UsageError
from lightbus.jetstream.connection.address import resolve


def write_context(home: Path, name: str, **settings: object) -> dict[str, str]:
    folder = home / ".config" / "nats"
    (folder / "context").mkdir(parents=True)
    (folder / "context" / f"{name}.json").write_text(json.dumps(settings))
    (folder / "context.txt").write_text(f"{name}\n")
    return {"HOME": str(home)}


def test_the_argument_comes_first(tmp_path: Path) -> None:
    environment = {**write_context(tmp_path, "prod", url="nats://context"), "NATS_URL": "nats://environment"}
    assert resolve("nats://argument", environment).servers == ("nats://argument",)
    assert resolve(None, environment).servers == ("nats://environment",)
    del environment["NATS_URL"]
    assert resolve(None, environment).servers == ("nats://context",)
    assert resolve(None, {"HOME": str(tmp_path / "nobody")}).servers == ("nats://127.0.0.1:4222",)


def test_an_empty_home_is_not_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A branch could bring a context."""
    (tmp_path / ".config/nats").mkdir(parents=True)
    (tmp_path / ".config/nats/context.txt").write_text("theirs")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    assert resolve(None, {"HOME": ""}).origin == "the default"


def test_a_user_without_a_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 2**31 - 7)  # of no user
    assert resolve(None, {}).origin == "the default"
    with pytest.raises(UsageError, match="NATS context 'work' cannot be read"):
        resolve(None, {"NATS_CONTEXT": "work"})


@pytest.mark.parametrize("url", ["NATS://127.0.0.1:4222", "Nats://127.0.0.1:4222"])
def test_the_scheme_may_be_in_capitals(url: str) -> None:
    assert resolve(url, {}).servers == ("nats://127.0.0.1:4222",)


def test_a_file_of_contexts_that_cannot_be_read_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "nats").mkdir()
    (tmp_path / "nats/context").mkdir()
    (tmp_path / "nats/context.txt").write_text("work")
    (tmp_path / "nats/context/work.json").mkdir()  # which even root cannot read
    with pytest.raises(UsageError, match="NATS context 'work' cannot be read: Is a directory"):
        resolve(None, {"XDG_CONFIG_HOME": str(tmp_path)})


def test_a_context_can_be_named_in_the_environment(tmp_path: Path) -> None:
    environment = write_context(tmp_path, "staging", url="nats://staging")
    (tmp_path / ".config/nats/context.txt").write_text("another")
    assert resolve(None, {**environment, "NATS_CONTEXT": "staging"}).servers == ("nats://staging",)


def test_a_context_brings_its_credentials(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("")
    environment = write_context(
        tmp_path,
        "prod",
        url="nats://a:4222, nats://b:4222",
        user="svc",
        password="secret",
        ca="~/ca.pem",
        inbox_prefix="_INBOX_svc",
    )
    address = resolve(None, environment)
    assert address.servers == ("nats://a:4222", "nats://b:4222")
    assert address.options == {"user": "svc", "password": "secret", "inbox_prefix": "_INBOX_svc"}
    assert address.tls_files == {"ca": str(tmp_path / "ca.pem")}
    assert address.wants_tls
    assert address.origin == "NATS context 'prod'"


@pytest.mark.parametrize("key", ["creds", "ca", "cert", "key"])
def test_a_file_that_is_missing_is_named(tmp_path: Path, key: str) -> None:
    with pytest.raises(UsageError, match=f"sets '{key}' to .*gone, which cannot be read"):
        resolve(None, write_context(tmp_path, "prod", **{key: "~/gone"}))


def test_a_host_alone_is_enough() -> None:
    assert resolve("broker.example:4333").servers == ("nats://broker.example:4333",)


def test_credentials_are_never_displayed() -> None:
    assert resolve("nats://user:secret@broker:4222").display == "nats://broker:4222"


@pytest.mark.parametrize("url", ["http://broker", "nats://", "nats://host:port", "nats://host:99999", ","])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match=r"write it like nats://127\.0\.0\.1:4222"):
        resolve(url)


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"url": "\xff"}'])
def test_a_context_that_is_no_object_is_refused(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "nats/context/odd.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(text)
    with pytest.raises(UsageError, match=r"NATS context 'odd' is not a JSON object: .*odd\.json"):
        resolve(None, {"NATS_CONTEXT": "odd", "XDG_CONFIG_HOME": str(tmp_path)})


def test_a_missing_context_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="NATS context 'gone' cannot be read"):
        resolve(None, {"HOME": str(tmp_path), "NATS_CONTEXT": "gone"})


def test_what_a_context_asks_for_is_never_ignored(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="sets 'jetstream_domain'"):
        resolve(None, write_context(tmp_path, "hub", url="nats://hub", jetstream_domain="hub"))


@pytest.mark.parametrize(
    "url",
    [
        "nats://user:se#cret@host:4222",
        "nats://user:se/cret@host:4222",
        "nats://user:se?cret@host:4222",
        "nats://user:se,cret@host:4222",
        "nats://user:se@cret@host:nowhere",
        "user:se#cret@host",
        "nats://user:se[cret@host",
        "nats://user:se]cret@host",
        "nats://user:se[cret]@host",
        "nats://user:se@cret@host",
        "nats://user:se cret@host",
        "nats://user:se%cret@host",
        "nats://user:se%ffcret@host",
        "nats://user:1/cret@host",  # without the "/", the server "user" with port 1
        "nats://user:1,cret@host",
        "nats://secret/cret@host",
        "nats://secret?cret@host",
        "user:secret://cret@host",
        "nats://user:se\u2100cret@host@h\u2100",  # a host that cannot be one
    ],
)
def test_a_password_that_breaks_the_url_is_not_shown(url: str) -> None:
    with pytest.raises(UsageError, match="in a password as %23") as caught:
        resolve(url, {})
    assert "cret" not in str(caught.value) and "user" not in str(caught.value)
    assert caught.value.__context__ is None  # Python's own error quotes the address


@pytest.mark.parametrize("url", ["nats://user:secret", "user:secret", "nats://[::1]:secret"])
def test_a_password_without_a_host_is_not_shown(url: str) -> None:
    with pytest.raises(UsageError, match="is not the address") as caught:
        resolve(url, {})
    assert "secret" not in str(caught.value)


def test_the_command_that_is_shown_encodes_a_password() -> None:
    password = "p@s[s]/w#r?d, 41%é"
    with pytest.raises(UsageError) as caught:
        resolve(f"nats://joe:{password}@host", {})
    (command,) = re.findall(r"^  (python3 .+)$", str(caught.value), re.MULTILINE)
    program = shlex.split(command)[2].replace("getpass.getpass()", "input()")
    done = subprocess.run([sys.executable, "-c", program], input=password, capture_output=True, text=True)
    assert resolve(f"nats://joe:{done.stdout.strip()}@host", {}).options["password"] == password
    assert "nats context add" in str(caught.value) and password not in str(caught.value)


TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


@given(TEXT, TEXT)
def test_what_is_percent_encoded_arrives_as_it_was(user: str, password: str) -> None:
    user_info = f"{quote(user, safe='')}:{quote(password, safe='')}"
    address = resolve(f"nats://{user_info}@one:4222, tls://{user_info}@two", {})
    assert address.servers == ("nats://one:4222", "tls://two")
    assert address.options == {"user": user, "password": password}
    assert resolve(f"{quote(user, safe='')}@one", {}).options == {"token": user}


@given(
    st.text(st.sampled_from("aB7%/?#[]@,:;&$~ 'é\n\t\x00\u2100")), st.sampled_from(["nats://", "", "ws://"])
)
def test_a_password_is_used_or_refused_and_never_shown(middle: str, scheme: str) -> None:
    password = f"Xq7{middle}Zk9"
    try:
        address = resolve(f"{scheme}joe:{password}@host:4222", {})
    except UsageError as error:
        shown = str(error)
        assert "in a password as %23" in shown
    else:
        shown = f"{address} {address.display}"
        assert address.options == {"user": "joe", "password": unquote(password)}
    assert not [part for part in ("Xq7", "Zk9", "joe") if part in shown]


def test_servers_share_one_login() -> None:
    """Else half of a password with a comma could be taken for a server; and other servers are discovered."""
    with pytest.raises(UsageError, match="different logins"):
        resolve("nats://joe:one@a, nats://joe:two@b", {})


def test_a_query_is_not_displayed() -> None:
    address = resolve("wss://host/path?token=secret#more", {})
    assert address.servers == ("wss://host/path?token=secret#more",)
    assert address.display == "wss://host/path"
    assert "secret" not in repr(address)


@pytest.mark.parametrize(
    "url", ["nats:/joe:s3cret", "nats:/s3cret", "ws:/joe:1/s3cret", "nats://joe/s3cret", "nats:///joe:s3cret"]
)
def test_a_login_behind_a_mistaken_slash_is_not_shown(url: str) -> None:
    try:
        address = resolve(url, {})
        shown = f"{address} {address.display}"
    except UsageError as error:
        shown = str(error)
    assert "s3cret" not in shown


KEYS = ["url", "user", "password", "token", "inbox_prefix", "creds", "nkey", "ca", "cert", "key"]


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("value", [5, 12345.5, True, ["s3cret"], {"s3cret": 1}, "s3cret\x00x"])
def test_a_setting_that_is_no_text_is_named(tmp_path: Path, key: str, value: object) -> None:
    with pytest.raises(UsageError, match=f"NATS context 'prod' sets '{key}' to") as caught:
        resolve(None, write_context(tmp_path, "prod", **{key: value}))
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("name", [b"\xff\xfe", b"pr\x00od"])
def test_a_name_of_a_context_that_is_no_text_is_refused(tmp_path: Path, name: bytes) -> None:
    environment = write_context(tmp_path, "prod")
    (tmp_path / ".config/nats/context.txt").write_bytes(name)
    with pytest.raises(UsageError, match=r"does not hold the name of a NATS context: .*context\.txt"):
        resolve(None, environment)
