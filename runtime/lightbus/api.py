"""What a producer writes: `Api` classes with `Event`s of `Parameter`s.

Definitions are checked when the class is created, so a mistake is reported at import and names its place.
"""

from __future__ import annotations

import enum
import functools
import inspect
from collections.abc import Container, Iterable, Mapping
from typing import Any, ClassVar

from lightbus import naming
from lightbus.errors import DefinitionError, DuplicateApi


class _NoDefault(enum.Enum):
    NO_DEFAULT = "no default"

    def __repr__(self) -> str:
        return "NO_DEFAULT"


NO_DEFAULT = _NoDefault.NO_DEFAULT
"""Marks a required parameter: one without a default."""

_MUTABLE = (list, dict, set, bytearray)
_META_KEYS = ("name", "version", "description")


class Parameter:
    """One named value an event carries.

    Args:
        name: an identifier, the keyword argument of `fire()` and of the handlers.
        type: a Python type (see docs/definitions.md for all); left out, any JSON value is accepted.
        default: makes the parameter optional; immutable. `fire()` fills it in, so handlers always get it.
        description: text for the schema and the generated client.
        deprecated: True, or what to use instead: "use ship_to".
        allow_breaking: reasons by rule of `lightbus-gen breaking`, for breaks that are intended.
    """

    __slots__ = ("allow_breaking", "default", "deprecated", "description", "name", "type")

    def __init__(
        self,
        name: str,
        type: Any = Any,
        default: Any = NO_DEFAULT,
        *,
        description: str = "",
        deprecated: bool | str = False,
        allow_breaking: Mapping[str, str] | None = None,
    ) -> None:
        self.name, self.type, self.default, self.description = name, type, default, description
        self.deprecated, self.allow_breaking = deprecated, dict(allow_breaking or {})

    @property
    def is_required(self) -> bool:
        """Whether `fire()` must be given this parameter."""
        return self.default is NO_DEFAULT

    def __repr__(self) -> str:
        default = "" if self.is_required else f", default={self.default!r}"
        return f"Parameter({self.name!r}, {self.type!r}{default})"


class Event:
    """An event of an API.

    Args:
        parameters: `Parameter`s and bare names, in a tuple or list. A single string is one parameter.
        description: text for the schema and the generated client.
        deprecated: True, or what to use instead: "use order_placed". Firing it is a `DeprecationWarning`.
        allow_breaking: reasons by rule of `lightbus-gen breaking`, for breaks that are intended.

    Raises:
        DefinitionError: when the `Api` class is created, for a name or default that cannot be used.
    """

    __slots__ = ("_items", "allow_breaking", "api", "deprecated", "description", "name", "parameters")

    def __init__(
        self,
        parameters: Iterable[str | Parameter] | str = (),
        *,
        description: str = "",
        deprecated: bool | str = False,
        allow_breaking: Mapping[str, str] | None = None,
    ) -> None:
        self._items = parameters
        self.deprecated, self.allow_breaking = deprecated, dict(allow_breaking or {})
        self.description = inspect.cleandoc(description)
        self.parameters: tuple[Parameter, ...] = ()
        self.api = self.name = ""

    def bind(self, api: str, name: str) -> Event:
        """Return a checked copy of this event, bound to an API and a name.

        Each subclass binds its own copy, so classes can share the events of a base class.

        Raises:
            DefinitionError: the name or a parameter cannot be used.
        """
        wrong = functools.partial(DefinitionError, api=api, event=name)
        if problem := naming.event_problem(name):
            raise wrong(problem)
        if problem := _remark_problem(self):
            raise wrong(problem)
        items = self._items
        if isinstance(items, str) and naming.parameter_problem(items):
            names = [part for part in items.replace(",", " ").split() if part]
            written = ", ".join(repr(part) for part in names) + ("," if len(names) < 2 else "")
            raise wrong(
                f"parameters={items!r} is one string, and not an identifier. Write: parameters=({written})"
            )
        if isinstance(items, (str, Parameter)):
            items = (items,)
        elif not isinstance(items, (tuple, list)):
            raise wrong(
                f"parameters must be a tuple or list of names and Parameters, not {type(items).__name__}"
            )
        parameters: dict[str, Parameter] = {}
        for item in items:
            parameter = Parameter(item) if isinstance(item, str) else item
            if not isinstance(parameter, Parameter):
                raise wrong(f"{item!r} is neither a name nor a Parameter")
            if problem := _problem(parameter, parameters):
                raise wrong(problem, parameter=parameter.name)
            parameters[parameter.name] = parameter
        bound = Event(
            self._items,
            description=self.description,
            deprecated=self.deprecated,
            allow_breaking=self.allow_breaking,
        )
        bound.api, bound.name, bound.parameters = api, name, tuple(parameters.values())
        return bound

    def __repr__(self) -> str:
        return f"<Event {self.api}.{self.name}>" if self.name else "<Event>"


def _problem(parameter: Parameter, earlier: Container[str]) -> str | None:
    """Return what is wrong with a parameter that follows others, None if nothing is."""
    if isinstance(parameter.default, _MUTABLE):
        return (
            f"the default {parameter.default!r} is mutable and would be shared by every event;"
            " use a tuple, a frozen value, or no default"
        )
    if parameter.name in earlier:
        return "is defined twice"
    return naming.parameter_problem(parameter.name) or _remark_problem(parameter)


def _remark_problem(item: Event | Parameter) -> str | None:
    """Return what is wrong with the remarks on an event or parameter, None if nothing is."""
    if not isinstance(item.deprecated, (bool, str)) or item.deprecated == "":
        return f"deprecated={item.deprecated!r} is neither True nor what to use instead"
    for rule, reason in item.allow_breaking.items():
        if not isinstance(reason, str) or not reason.strip():
            return f"allow_breaking gives no reason for {rule}; write {{{rule!r}: 'the reason'}}"
    return None


class Api:
    """Base class of API definitions.

    A subclass holds `Event`s as class attributes and a `class Meta` with `name` (identifiers joined by
    dots) and optionally `version` and `description`; the docstring serves as description otherwise.
    Defining the class registers it for `lightbus.create()`.

    Raises:
        DefinitionError: at class definition, naming the API, event and parameter at fault.
        DuplicateApi: another class already defines the same API name.
    """

    api_name: ClassVar[str]
    api_version: ClassVar[str]
    api_description: ClassVar[str]
    api_events: ClassVar[dict[str, Event]]

    def __init_subclass__(cls, abstract: bool = False) -> None:
        super().__init_subclass__()
        if abstract:
            return
        meta = cls.__dict__.get("Meta")
        name = getattr(meta, "name", None)
        if not isinstance(name, str):
            raise DefinitionError(
                f'add the API\'s name to class {cls.__name__}:\n    class Meta:\n        name = "..."',
                api=cls.__name__,
            )
        if problem := naming.api_problem(name):
            raise DefinitionError(problem, api=cls.__name__)
        unknown = [key for key in vars(meta) if not key.startswith("__") and key not in _META_KEYS]
        if unknown:
            raise DefinitionError(
                f"class Meta has no setting {unknown[0]!r}; it takes {', '.join(_META_KEYS)}", api=name
            )
        if bare := [key for key, value in vars(cls).items() if value is Event]:
            raise DefinitionError(f"write {bare[0]} = Event(), with brackets", api=name)
        events = {
            key: value.bind(name, key)
            for base in reversed(cls.__mro__)
            for key, value in vars(base).items()
            if isinstance(value, Event)
        }
        cls.api_name = name
        cls.api_version = str(getattr(meta, "version", ""))
        cls.api_description = inspect.cleandoc(getattr(meta, "description", None) or cls.__doc__ or "")
        cls.api_events = events
        other = registry.get(name, cls)  # a class that is defined again, as by a reload, replaces itself
        if (other.__module__, other.__qualname__) != (cls.__module__, cls.__qualname__):
            raise DuplicateApi(
                f"is defined twice, by {other.__module__}.{other.__qualname__}"
                f" and by {cls.__module__}.{cls.__qualname__}. Rename one of them in its class Meta.",
                api=name,
            )
        registry[name] = cls


registry: dict[str, type[Api]] = {}
"""The `Api` classes of this process, by API name."""
