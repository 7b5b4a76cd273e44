"""The table of rules: name, reason, example and safe way of each."""

from __future__ import annotations

import itertools

from lightbus.errors import did_you_mean
from lightbus_gen.compat.rules.rule import Category, Direction, Rule
from lightbus_gen.read.input_problems import input_error

_WIRE, _CODE = Category.WIRE, Category.CODE
_BACK, _FORE, _BOTH = Direction.BACKWARD, Direction.FORWARD, Direction.BOTH

_STORED = "A stream keeps events for as long as its settings say, and a new listener reads them all."
_RUNNING = "Producers and listeners deploy separately: old listeners run while the new producer fires."
_NEW_FIELD = "add a new optional field beside it, move listeners over, and deprecate the old one"
_NEW_EVENT = "add a new event with the new payload, fire both for a while, and deprecate the old one"
_LISTENERS_FIRST = (
    "deploy the listeners with the new schema first, and record the break with x-lightbus-allow-breaking"
)
_KEEP = "keep accepting what the old schema accepted, and check the tighter rule in code"


def _pair(
    narrowed: tuple[str, str, str, str], widened: tuple[str, str, str, str], *, wide: str, narrow: str
) -> tuple[Rule, Rule]:
    """Return the two rules of a change: from `wide` to `narrow`, and the reverse.

    Args:
        narrowed, widened: the id, title, effect and fix of each rule.
        wide, narrow: an example, as in `Rule.before` and `Rule.after`.
    """
    id_, title, effect, fix = narrowed
    backward = Rule(id_, _WIRE, _BACK, title, f"{_STORED} {effect}", wide, narrow, fix)
    id_, title, effect, fix = widened
    return backward, Rule(id_, _WIRE, _FORE, title, f"{_RUNNING} {effect}", narrow, wide, fix)


PAIRS: dict[str, tuple[Rule, Rule]] = {
    "required_new": _pair(
        ("REQUIRED_FIELD_ADDED", "a new field must be there",
         "None of them has the field, and a default does not help: it is filled in when an event is fired.",
         "make the new field optional"),
        ("REQUIRED_FIELD_REMOVED", "a field that was always there is gone",
         "They refuse an event without it.",
         "keep the field and deprecate it; make it optional once every listener runs with that schema, then remove it"),
        wide='{"type": "object", "properties": {"name": {"type": "string"}}}',
        narrow='{"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}}, "required": ["age"]}'),
    "required": _pair(
        ("FIELD_BECAME_REQUIRED", "a field that could be missing must be there",
         "Those without the field are refused.",
         "leave the field optional in the schema, and always give it when firing"),
        ("FIELD_BECAME_OPTIONAL", "a field that was always there may be missing",
         "They refuse an event without it.", _LISTENERS_FIRST),
        wide='{"type": "object", "properties": {"name": {"type": "string"}}}',
        narrow='{"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}'),
    "type": _pair(
        ("TYPE_NARROWED", "a value of a type that was allowed is refused",
         "Those with a value of the old type are refused.", _NEW_FIELD),
        ("TYPE_WIDENED", "a value may have a type that was refused before",
         "They refuse a value of the new type.", _NEW_FIELD),
        wide='{"type": "object", "properties": {"size": {"type": "number"}}}',
        narrow='{"type": "object", "properties": {"size": {"type": "integer"}}}'),
    "values": _pair(
        ("ENUM_VALUE_REMOVED", "a listed value is gone",
         "Those with the value are refused.",
         "keep the value in the schema, and stop firing it"),
        ("ENUM_VALUE_ADDED", "there is a new listed value",
         "They refuse a value they do not list.", _LISTENERS_FIRST),
        wide='{"type": "object", "properties": {"colour": {"enum": ["red", "blue"]}}}',
        narrow='{"type": "object", "properties": {"colour": {"enum": ["red"]}}}'),
    "values_listed": _pair(
        ("ENUM_ADDED", "only listed values are taken now",
         "Those with any other value are refused.", _KEEP),
        ("ENUM_REMOVED", "values are not limited to a list any more",
         "They refuse a value they do not list.", _LISTENERS_FIRST),
        wide='{"type": "object", "properties": {"colour": {"type": "string"}}}',
        narrow='{"type": "object", "properties": {"colour": {"enum": ["red"]}}}'),
    "branch": _pair(
        ("BRANCH_REMOVED", "no branch of a union takes a value that one took before",
         "Those that only the old branch takes are refused.",
         "keep the branch, and stop firing it"),
        ("BRANCH_ADDED", "a union has a branch that none of the old ones takes",
         "They refuse a value of the new branch.", _LISTENERS_FIRST),
        wide='{"type": "object", "properties": {"by": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}}}',
        narrow='{"type": "object", "properties": {"by": {"anyOf": [{"type": "string"}, {"type": "null"}]}}}'),
    "forbidden": _pair(
        ("VALUE_FORBIDDEN", "a value may not be there at all",
         "Those that have it are refused.",
         "leave the field out of the schema: what a schema does not declare is ignored"),
        ("VALUE_ALLOWED", "a value may be there that was forbidden",
         "They refuse an event that has it.",
         "add a field of another name"),
        wide='{"type": "object", "properties": {"note": {"type": "string"}}}',
        narrow='{"type": "object", "properties": {"note": false}}'),
    "range": _pair(
        ("RANGE_NARROWED", "numbers that were allowed are refused",
         "Those with a number outside the new range are refused.", _KEEP),
        ("RANGE_WIDENED", "numbers are allowed that were refused",
         "They refuse a number outside the old range.", _LISTENERS_FIRST),
        wide='{"type": "object", "properties": {"size": {"type": "integer"}}}',
        narrow='{"type": "object", "properties": {"size": {"type": "integer", "minimum": 1}}}'),
    "multiple_of": _pair(
        ("MULTIPLE_OF_NARROWED", "numbers must be multiples of something now",
         "Those with any other number are refused.", _KEEP),
        ("MULTIPLE_OF_WIDENED", "numbers need not be such multiples any more",
         "They refuse a number that is not a multiple.", _LISTENERS_FIRST),
        wide='{"type": "object", "properties": {"size": {"type": "integer"}}}',
        narrow='{"type": "object", "properties": {"size": {"type": "integer", "multipleOf": 10}}}'),
    "length": _pair(
        ("LENGTH_NARROWED", "texts of a length that was allowed are refused",
         "Those with a longer or shorter text are refused.", _KEEP),
        ("LENGTH_WIDENED", "texts may have a length that was refused",
         "They refuse a text of the new length.", _LISTENERS_FIRST),
        wide='{"type": "object", "properties": {"name": {"type": "string"}}}',
        narrow='{"type": "object", "properties": {"name": {"type": "string", "maxLength": 5}}}'),
    "item_count": _pair(
        ("ITEM_COUNT_NARROWED", "lists of a length that was allowed are refused",
         "Those with more or fewer items are refused.", _KEEP),
        ("ITEM_COUNT_WIDENED", "lists may have a length that was refused",
         "They refuse a list of the new length.", _LISTENERS_FIRST),
        wide='{"type": "object", "properties": {"tags": {"type": "array", "items": {"type": "string"}}}}',
        narrow='{"type": "object", "properties": {"tags": {"type": "array", "items": {"type": "string"}, "minItems": 1}}}'),
    "field_count": _pair(
        ("FIELD_COUNT_NARROWED", "objects of a size that was allowed are refused",
         "Those with more or fewer properties are refused.", _KEEP),
        ("FIELD_COUNT_WIDENED", "objects may have a size that was refused",
         "They refuse an object of the new size.", _LISTENERS_FIRST),
        wide='{"type": "object", "properties": {"labels": {"type": "object"}}}',
        narrow='{"type": "object", "properties": {"labels": {"type": "object", "minProperties": 1}}}'),
    "pattern": _pair(
        ("PATTERN_NARROWED", "texts that were allowed do not match",
         "Those with a text that does not match are refused.", _KEEP),
        ("PATTERN_WIDENED", "texts are allowed that did not match",
         "They refuse a text that does not match the old pattern.", _LISTENERS_FIRST),
        wide='{"type": "object", "properties": {"code": {"type": "string"}}}',
        narrow='{"type": "object", "properties": {"code": {"type": "string", "pattern": "^[A-Z]{2}$"}}}'),
    "format": _pair(
        ("FORMAT_NARROWED", "texts must have a format now, or another one",
         "Those with any other text are refused. Formats are checked, not only noted.", _NEW_FIELD),
        ("FORMAT_WIDENED", "texts need not have the format any more",
         "They refuse any other text. Formats are checked, not only noted.", _NEW_FIELD),
        wide='{"type": "object", "properties": {"born": {"type": "string"}}}',
        narrow='{"type": "object", "properties": {"born": {"type": "string", "format": "date"}}}'),
    "unique_items": _pair(
        ("UNIQUE_ITEMS_ADDED", "items may not repeat any more",
         "Those with a repeated item are refused.", _KEEP),
        ("UNIQUE_ITEMS_REMOVED", "items may repeat now",
         "They refuse a list with a repeated item.", _LISTENERS_FIRST),
        wide='{"type": "object", "properties": {"tags": {"type": "array", "items": {"type": "string"}}}}',
        narrow='{"type": "object", "properties": {"tags": {"type": "array", "items": {"type": "string"}, "uniqueItems": true}}}'),
    "dependency": _pair(
        ("DEPENDENCY_ADDED", "a field must be there beside another",
         "Those with only the first are refused.", _KEEP),
        ("DEPENDENCY_REMOVED", "a field may be missing beside another",
         "They refuse an event with only the first.", _LISTENERS_FIRST),
        wide='{"type": "object", "properties": {"card": {"type": "string"}, "name": {"type": "string"}}}',
        narrow='{"type": "object", "properties": {"card": {"type": "string"}, "name": {"type": "string"}}, "dependentRequired": {"card": ["name"]}}'),
    "opaque": _pair(
        ("UNCLASSIFIED_NARROWING", "a payload that was valid is refused, for a reason that has no rule of its own",
         "The payload shown is refused.", _NEW_EVENT),
        ("UNCLASSIFIED_WIDENING", "a payload is valid that was refused, for a reason that has no rule of its own",
         "They refuse the payload shown.", _NEW_EVENT),
        wide='{"type": "object", "properties": {"size": {"type": "integer"}}}',
        narrow='{"type": "object", "properties": {"size": {"type": "integer", "not": {"minimum": 100}}}}'),
}  # fmt: skip
"""The rules of each kind of obstacle: (backward, forward)."""

RULES: tuple[Rule, ...] = (
    Rule("API_REMOVED", _WIRE, _BOTH, "an API is gone, or has another name",
         "Its events no longer have a producer or a listener.", "", "",
         "keep the schema until the stream holds none of its events and nobody listens; deprecate it first"),
    Rule("EVENT_REMOVED", _WIRE, _BOTH, "an event is gone, or has another name",
         "The event's name is its address: listeners subscribe to the old name, and stored events carry it.", "", "",
         "keep the event, mark it deprecated: true, and add the new one beside it"),
    Rule("FIELD_RENAMED", _WIRE, _BOTH, "a field has another name",
         "To a listener, a renamed field is one missing field and one unknown field. If it is optional, events arrive without its value.",
         '{"type": "object", "properties": {"mail": {"type": "string"}}, "required": ["mail"]}',
         '{"type": "object", "properties": {"email": {"type": "string"}}, "required": ["email"]}',
         "add the new name as an optional field, fill in both, and deprecate the old one"),
    *itertools.chain.from_iterable(PAIRS.values()),
    Rule("UNDECIDED", _WIRE, _BOTH, "whether the change breaks anything could not be found out",
         "Neither a proof that nothing breaks nor a payload that breaks was found.",
         '{"type": "object", "properties": {"code": {"type": "string", "pattern": "^(?=a)\\\\w+$"}}}',
         '{"type": "object", "properties": {"code": {"type": "string", "pattern": "^(?=[ab])\\\\w+$"}}}',
         "look at the two schemas; if all is well, say so with x-lightbus-allow-breaking, or use --allow-undecided"),
    Rule("EVENT_DEPRECATED", _WIRE, _BOTH, "an event is deprecated now",
         "Nothing breaks. Type checkers report code that still fires it, and firing it or listening to it warns with a DeprecationWarning.",
         '{"type": "object", "properties": {"name": {"type": "string"}}}',
         '{"type": "object", "properties": {"name": {"type": "string"}}, "deprecated": true}',
         "move producers and listeners to another event; remove this one when nobody uses it", "note"),
    Rule("FIELD_DEPRECATED", _WIRE, _BOTH, "a field is deprecated now",
         "Nothing breaks. The field stays until no running listener needs it.",
         '{"type": "object", "properties": {"name": {"type": "string"}}}',
         '{"type": "object", "properties": {"name": {"type": "string", "deprecated": true}}}',
         "move listeners off the field; remove it when none reads it", "note"),
    Rule("ARGUMENT_REQUIRED", _CODE, _BOTH, "fire() needs an argument that it did not need",
         "Calls without it fail type checking, and at run time.",
         '{"type": "object", "properties": {"name": {"type": "string"}}}',
         '{"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}',
         "make the field optional, or give it a default", "warning"),
    Rule("ARGUMENT_REMOVED", _CODE, _BOTH, "an argument of fire() and of handlers is gone",
         "Calls that pass it and handlers that take it fail type checking.",
         '{"type": "object", "properties": {"name": {"type": "string"}}}',
         '{"type": "object", "properties": {}}',
         "deprecate the field first, and remove it when no code uses it", "warning"),
    Rule("CLASS_RENAMED", _CODE, _BOTH, "the payload class has another name",
         "Code that imports the class by its old name fails.",
         '{"type": "object", "properties": {}, "x-python-name": "Old"}',
         '{"type": "object", "properties": {}, "x-python-name": "New"}',
         'keep the old name with "x-python-name"', "warning"),
    Rule("ANNOTATION_NARROWED", _CODE, _BOTH, "an argument of fire() takes fewer types",
         "Calls that pass one of the other types fail type checking.",
         '{"type": "object", "properties": {"size": {"type": ["integer", "string"]}}}',
         '{"type": "object", "properties": {"size": {"type": "integer"}}}',
         _NEW_FIELD, "warning"),
    Rule("ANNOTATION_WIDENED", _CODE, _BOTH, "handlers get more types",
         "Handlers annotated with the old types fail type checking.",
         '{"type": "object", "properties": {"size": {"type": "integer"}}}',
         '{"type": "object", "properties": {"size": {"type": ["integer", "string"]}}}',
         _NEW_FIELD, "warning"),
)  # fmt: skip
_BY_ID = {about.id: about for about in RULES}


def rule(id_: str) -> Rule:
    """Return a rule by its id.

    Raises:
        InputError: no rule has this id.
    """
    if id_ not in _BY_ID:
        hint = did_you_mean(id_.upper(), _BY_ID)
        raise input_error(
            "UNKNOWN_RULE", f"there is no rule {id_!r}{hint}", "see them all: lightbus-gen rules"
        )
    return _BY_ID[id_]
