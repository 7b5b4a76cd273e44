"""Names on the server and in Python."""

from __future__ import annotations

import keyword
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lightbus import naming

WIRE_NAMES = st.lists(
    st.one_of(
        st.text(max_size=12),
        st.sampled_from(
            ["class", "class_", "self", "user-name", "user_name", "2nd", "", "_", "__a", "ﬁ", "fi"]
        ),
        st.from_regex(r"[a-z_-]{1,4}", fullmatch=True),
    ),
    unique=True,
)


class TestPythonNames:
    @pytest.mark.parametrize(
        ("wire", "name"),
        [
            ("username", "username"),
            ("größe", "größe"),
            ("match", "match"),  # a soft keyword is a valid parameter name
            ("class", "class_"),
            ("None", "None_"),
            ("self", "self_"),
            ("user-name", "user_name"),
            ("user.name", "user_name"),
            ("$schema", "_schema"),
            ("2nd", "_2nd"),
            ("", "_"),
            ("日-本", "_"),
            ("__a", "_a"),  # a class body would mangle it
            ("__init__", "_init__"),
            ("\ufb01", "_"),  # Python would read this ligature as "fi"
        ],
    )
    def test_examples(self, wire: str, name: str) -> None:
        assert naming.python_names([wire]) == {wire: name}

    def test_an_identifier_keeps_its_name_whatever_the_others_are(self) -> None:
        assert naming.python_names(["user-name", "user_name", "user.name", "user_name_"]) == {
            "user-name": "user_name__",
            "user_name": "user_name",
            "user.name": "user_name___",
            "user_name_": "user_name_",
        }

    @given(WIRE_NAMES)
    @example(["class", "class_"])
    @example(["a-b", "a.b", "a_b"])
    @example(["ﬁ", "fi"])
    @example(["__a", "-_a"])
    def test_are_distinct_parameter_names_in_order(self, wires: list[str]) -> None:
        names = naming.python_names(wires)
        assert list(names) == wires
        as_python_reads_them = {unicodedata.normalize("NFKC", name) for name in names.values()}
        assert len(as_python_reads_them) == len(wires)
        for name in names.values():
            assert name.isidentifier()
            assert not keyword.iskeyword(name)
            assert name != "self"
            assert not name.startswith("__") or name.endswith("__")  # a class body mangles the others
        exec(f"def handler(self, {', '.join(names.values())}): ..." if names else "")

    @given(WIRE_NAMES)
    def test_are_stable(self, wires: list[str]) -> None:
        assert naming.python_names(wires) == naming.python_names(iter(wires))

    @given(WIRE_NAMES, st.text(max_size=8))
    def test_a_new_last_property_renames_no_other_unless_it_is_plain(
        self, wires: list[str], new: str
    ) -> None:
        if new in wires:
            return
        before, after = naming.python_names(wires), naming.python_names([*wires, new])
        changed = {wire for wire in wires if before[wire] != after[wire]}
        assert not changed or after[new] == new


class TestServerNames:
    def test_spelling(self) -> None:
        assert naming.stream("lightbus", "shop.orders") == "lightbus-shop-orders"
        assert naming.stream_subjects("lightbus", "shop.orders") == "lightbus.shop.orders.*"
        assert naming.subject("test", "shop.orders", "sold") == "test.shop.orders.sold"
        assert naming.durable("mailer", "welcome") == "mailer-welcome"
        assert naming.durable("", "welcome") == "welcome"
        assert naming.dead_letter_stream("lightbus") == "lightbus-dead-letters"

    def test_a_durable_that_is_too_long(self) -> None:
        assert len(naming.durable("s" * 100, "l" * 27)) == 128
        with pytest.raises(ValueError, match="has 129 characters; at most 128 fit"):
            naming.durable("s" * 100, "l" * 28)

    @given(
        st.tuples(
            st.from_regex(naming._SERVICE, fullmatch=True), st.from_regex(r"[a-z_]\w{0,9}", fullmatch=True)
        ),
        st.tuples(
            st.from_regex(naming._SERVICE, fullmatch=True), st.from_regex(r"[a-z_]\w{0,9}", fullmatch=True)
        ),
    )
    def test_different_listeners_have_different_durables(
        self, one: tuple[str, str], other: tuple[str, str]
    ) -> None:
        if one != other and all(len(service) < 50 for service, _ in (one, other)):
            assert naming.durable(*one) != naming.durable(*other)


class TestProblems:
    @pytest.mark.parametrize("name", ["auth", "shop.orders", "a1", "my_company.auth"])
    def test_api_names(self, name: str) -> None:
        assert naming.api_problem(name) is None

    @pytest.mark.parametrize(
        ("name", "problem"),
        [
            ("", "'' is not a valid API name"),
            ("shop-orders", "'shop-orders' is not a valid API name"),
            ("shop..orders", "'shop..orders' is not a valid API name"),
            ("größe", "'größe' is not a valid API name"),
            ("auth\n", "'auth\\n' is not a valid API name"),
            ("*", "'*' is not a valid API name"),
            ("shop._orders", "begins with an underscore"),
            ("shop.class", "'class' of API name 'shop.class' is a Python keyword"),
            ("close", "bus.close is a method of the bus"),
            ("close.account", "bus.close is a method of the bus"),
            ("dead.letters", "is reserved"),
        ],
    )
    def test_api_names_that_cannot_be(self, name: str, problem: str) -> None:
        assert problem in str(naming.api_problem(name))

    @pytest.mark.parametrize("name", ["", "user-created", "class", "_private", "a.b", "a b", "größe", "a\n"])
    def test_event_names_that_cannot_be(self, name: str) -> None:
        assert naming.event_problem("user_created") is None
        assert repr(name) in str(naming.event_problem(name))

    @pytest.mark.parametrize("name", ["", "user-created", "a.b", "a b", "größe", "*", "a\n"])
    def test_listener_names_that_cannot_be(self, name: str) -> None:
        assert naming.listener_problem("send_mail") is None
        assert repr(name) in str(naming.listener_problem(name))

    @pytest.mark.parametrize("name", ["", "a.b", "a b", "*", ">", "a\n"])
    def test_service_names_and_prefixes_that_cannot_be(self, name: str) -> None:
        assert naming.service_problem("mail-er_2") is None
        assert repr(name) in str(naming.service_problem(name))
        assert naming.prefix_problem("staging-2") is None
        assert repr(name) in str(naming.prefix_problem(name))

    @pytest.mark.parametrize("name", ["", "user-name", "class", "a b"])
    def test_parameter_names_that_cannot_be(self, name: str) -> None:
        assert naming.parameter_problem("größe") is None
        assert repr(name) in str(naming.parameter_problem(name))
