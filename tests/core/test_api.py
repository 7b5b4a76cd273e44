"""Definitions, and the errors for invalid ones."""

from __future__ import annotations

from typing import Any

import pytest

from lightbus.api import NO_DEFAULT, Api, Event, Parameter, registry
from lightbus.errors import DefinitionError, DuplicateApi


def define(parameters: Any = (), **attributes: Any) -> type[Api]:
    class Meta:
        name = "auth"

    return type(
        "AuthApi", (Api,), {"__module__": __name__, "Meta": Meta, "sold": Event(parameters), **attributes}
    )


class TestDefinition:
    def test_facts(self) -> None:
        class AuthApi(Api):
            """Users.

            They come and go.
            """

            user_created = Event(
                parameters=(
                    Parameter("username", str, description="Login."),
                    Parameter("admin", bool, False),
                ),
                description="""
                    A user was created.
                """,
            )
            user_deleted = Event(parameters=("username",))

            class Meta:
                name = "my_company.auth"
                version = 2

        assert AuthApi.api_name == "my_company.auth"
        assert AuthApi.api_version == "2"
        assert AuthApi.api_description == "Users.\n\nThey come and go."
        assert list(AuthApi.api_events) == ["user_created", "user_deleted"]
        event = AuthApi.api_events["user_created"]
        assert (event.api, event.name, event.description) == (
            "my_company.auth",
            "user_created",
            "A user was created.",
        )
        username, admin = event.parameters
        assert (username.name, username.type, username.description) == ("username", str, "Login.")
        assert username.is_required
        assert username.default is NO_DEFAULT
        assert (admin.default, admin.is_required) == (False, False)
        assert AuthApi.api_events["user_deleted"].parameters[0].type is Any
        assert registry == {"my_company.auth": AuthApi}

    @pytest.mark.parametrize(
        "parameters",
        ["username", ("username",), ["username"], Parameter("username"), (Parameter("username"),)],
    )
    def test_one_parameter_however_it_is_written(self, parameters: Any) -> None:
        (parameter,) = define(parameters).api_events["sold"].parameters
        assert parameter.name == "username"

    def test_meta_description_comes_before_the_docstring(self) -> None:
        class AuthApi(Api):
            """For programmers."""

            class Meta:
                name = "auth"
                description = "For readers."

        assert AuthApi.api_description == "For readers."

    def test_inherited_events(self) -> None:
        class Base(Api, abstract=True):
            created = Event(("a",))
            deleted = Event(("a",))

        class Users(Base):
            deleted = Event(("b",))

            class Meta:
                name = "users"

        class Orders(Base):
            class Meta:
                name = "orders"

        assert [event.parameters[0].name for event in Users.api_events.values()] == ["a", "b"]
        assert Users.api_events["created"].api == "users"
        assert Orders.api_events["created"].api == "orders"
        assert list(registry) == ["users", "orders"]

    def test_repr(self) -> None:
        assert repr(Parameter("a", int, 1)) == "Parameter('a', <class 'int'>, default=1)"
        assert repr(Parameter("a", int)) == "Parameter('a', <class 'int'>)"
        assert repr(define().api_events["sold"]) == "<Event auth.sold>"
        assert repr(Event()) == "<Event>"


class TestMistakes:
    @pytest.mark.parametrize(
        ("parameters", "problem"),
        [
            (
                "a, b",
                "event auth.sold: parameters='a, b' is one string, and not an identifier. Write: parameters=('a', 'b')",
            ),
            ("class", "Write: parameters=('class',)"),
            (5, "event auth.sold: parameters must be a tuple or list of names and Parameters, not int"),
            ({"a", "b"}, "must be a tuple or list of names and Parameters, not set"),
            ((5,), "event auth.sold: 5 is neither a name nor a Parameter"),
            (("a", "a"), "event auth.sold, parameter 'a': is defined twice"),
            (
                ("user-name",),
                "event auth.sold, parameter 'user-name': 'user-name' is not a Python identifier",
            ),
            (("class",), "parameter 'class': 'class' is not a Python identifier"),
            ((Parameter("a", list, []),), "parameter 'a': the default [] is mutable"),
            ((Parameter("a", dict, {}),), "parameter 'a': the default {} is mutable"),
        ],
    )
    def test_of_parameters(self, parameters: Any, problem: str) -> None:
        with pytest.raises(DefinitionError) as caught:
            define(parameters)
        assert problem in str(caught.value)
        assert (caught.value.api, caught.value.event) == ("auth", "sold")
        assert registry == {}

    @pytest.mark.parametrize("name", ["_sold", "größe", "api_name", "api_events"])
    def test_of_event_names(self, name: str) -> None:
        with pytest.raises(DefinitionError, match=f"event auth.{name}: "):
            define(**{name: Event()})

    def test_of_meta(self) -> None:
        with pytest.raises(
            DefinitionError, match="API AuthApi: add the API's name to class AuthApi:\n    class Meta:"
        ):
            type("AuthApi", (Api,), {})
        with pytest.raises(DefinitionError, match="API AuthApi: 'no-name' is not a valid API name"):
            type("AuthApi", (Api,), {"Meta": type("Meta", (), {"name": "no-name"})})
        with pytest.raises(DefinitionError, match="class Meta has no setting 'nme'; it takes name, version"):
            type("AuthApi", (Api,), {"Meta": type("Meta", (), {"name": "auth", "nme": 1})})

    def test_two_classes_of_one_name(self) -> None:
        define()
        with pytest.raises(DuplicateApi, match=r"API auth: is defined twice, by .*AuthApi and by .*Other"):
            type("Other", (Api,), {"__module__": __name__, "Meta": type("Meta", (), {"name": "auth"})})

    def test_a_module_that_is_loaded_again_replaces_its_classes(self) -> None:
        define()
        again = define()
        assert registry == {"auth": again}


def test_an_event_without_brackets_is_no_event() -> None:
    with pytest.raises(DefinitionError, match=r"write created = Event\(\), with brackets"):

        class ShopApi(Api):
            created = Event

            class Meta:
                name = "shop"
