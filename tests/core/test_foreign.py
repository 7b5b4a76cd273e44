"""Text from outside: nothing in it steers a terminal or forges a line, and what people write stays readable."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightbus.foreign import escaped, escaped_json, escaped_lines, keep_hidden, without_logins

TEXTS = st.text(st.characters(), max_size=20)  # surrogates included
HARMFUL = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def is_harmless(text: str) -> bool:
    return not HARMFUL.intersection(map(unicodedata.category, text))


@given(TEXTS)
def test_a_text_is_one_harmless_line_that_keeps_what_is_printable(text: str) -> None:
    shown = escaped(text)
    assert is_harmless(shown)
    assert shown.splitlines() == ([shown] if shown else [])
    shown.encode()
    assert [char for char in shown if char in text and not char.isascii()] == [
        char for char in text if char.isprintable() and not char.isascii()
    ]


@pytest.mark.parametrize(
    "text", ["Ольга", "山田 太郎", "naïve café", "👍🏽 ❤️", "Σ≤∞", "עברית", "العربية", r"C:\new"]
)
def test_what_people_write_stays_as_it_is(text: str) -> None:
    assert escaped(text) == escaped_lines(text) == text
    assert escaped_json({text: text}) == json.dumps({text: text}, ensure_ascii=False)


@given(TEXTS)
def test_only_line_feeds_remain_of_lines_and_what_follows_them_is_indented(text: str) -> None:
    first, *others = escaped_lines(text, "  ").split("\n")
    assert len(others) == text.count("\n")
    assert all(map(is_harmless, [first, *others]))
    assert all(line.startswith("  ") for line in others)


@given(st.dictionaries(TEXTS, TEXTS | st.integers() | st.lists(TEXTS)))
def test_json_has_the_same_values(value: dict[str, object]) -> None:
    line = escaped_json(value)
    assert is_harmless(line)
    assert json.loads(line) == json.loads(json.dumps(value))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31m\x07", r"\x1b[31m\x07"),
        ("\x9b2J\x7f", r"\x9b2J\x7f"),
        ("a\r\nb", r"a\r\nb"),
        ("\u202eevil\u2066", r"\u202eevil\u2066"),
        ("a\u200bb\u2028c\ufeff", r"a\u200bb\u2028c\ufeff"),
        ("\ud800", r"\ud800"),
        ("\U000e0041", r"\U000e0041"),
    ],
)
def test_the_escapes(text: str, shown: str) -> None:
    assert escaped(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('create(url="nats://joe:pw@host")', 'create(url="nats://host")'),
        ("nats://joe:p@w/o#rd@host:4222, tls://token@other", "nats://host:4222, tls://other"),
        ("nats://joe:s3'cret@host", "nats://host"),
        ("('nats://host', 'a@b')", "('nats://host', 'a@b')"),
        (r"amqp:\/\/joe:pw@host", r"amqp:\/\/host"),
        (r"\"amqp:\\/\\/joe:pw@host\"", r"\"amqp:\\/\\/host\""),
        ("url=//joe:pw@host", "url=//host"),
        ("nats%3A%2F%2Fjoe:pw@host", "nats%3A%2F%2Fhost"),
        ("?to=nats%3a%2f%2fjoe%3Apw%40host", "?to=nats%3a%2f%2fhost"),
        ("no answer of nats://joe:s3 cret@host:1 today", "no answer of nats://host:1 today"),
        ("nats://joe:s3\tcret@host", "nats://host"),
        ("nats://joe:s3\u2028cret@host", "nats://host"),
        ("""nats://joe:s(3)"}@host""", "nats://host"),
        ("https://host/?token=abc&a=1", "https://host/?token=…&a=1"),
        ("https://host/?a=1&access_token=abc 'x'", "https://host/?a=1&access_token=… 'x'"),
        ("https://host/?Password=abc", "https://host/?Password=…"),
    ],
)
def test_logins_are_left_out_of_urls(text: str, shown: str) -> None:
    assert without_logins(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "see https://example.com and mail a@b",
        "see https://example.com:8080 and mail a@b",
        "see https://example.com:8080/path a@b",
        "nats://host: ask a@b",
        "nats://host:port, ask a@b",
        "nats://host:tag was built by joe, ask a@b",
        "nats://[::1]:4222 a@b",
        '{"url": "nats://host:4222", "mail": "a@b"}',
        '{"url":"nats://host:4222"},"a@b"',
        "('nats://host', 'a@b')",
        "a // comment: a@b",
        "the password= or ?token",
        "is it a token=1? yes & secret",
    ],
)
def test_ordinary_text_is_not_taken_for_a_login(text: str) -> None:
    assert without_logins(text) == text


def test_the_logins_of_this_process_are_left_out_wherever_they_are() -> None:
    keep_hidden("jane:s3cret-9@host:4222, nats://a-long-token@other")
    assert without_logins('create(url="jane:s3cret-9@host:4222")') == 'create(url="host:4222")'
    assert without_logins("a-long-token@other") == "other"
