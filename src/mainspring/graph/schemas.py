"""JSON Schemas: what a workflow and its nodes take and give.

A schema is compiled when a value is first checked against it, once for each plan, and the library behind it is imported
then: a definition without schemas pays for none of this, nor does whoever only looks at one that has them. A check is a
function of the value's JSON alone, so the machine may ask it like a condition.

A schema comes with the definition and is trusted as that is, but not to be harmless by accident: its size, its depth, what
its references unfold to and what its patterns compile to have bounds. Patterns run in linear time whatever the value is
(no look-around, no back references). References lead into the schema itself; nothing is ever fetched.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import msgspec
from msgspec import Struct

from mainspring.definition.findings import Pointer, did_you_mean

schema_bytes_max = 256 * 1024
"""A schema's size as JSON."""

schema_depth_max = 64
"""How deep a schema's values may be nested."""

schema_unfolded_max = 100_000
"""How many parts a schema may have with each reference counted as what it leads to: references to references double."""

pattern_bytes_max = 1024 * 1024
"""What a pattern may compile to."""

faults_listed_max = 10
"""How many faults of a value are told."""

all_faults_bytes_max = 64 * 1024
"""Of a value with more JSON than this only the first fault is looked for."""

fault_length_max = 300
"""How long one fault may be told: values can be long."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
STANDARD = "https://json-schema.org/draft/2020-12/schema"
_TYPES = ("array", "boolean", "integer", "null", "number", "object", "string")


class SchemaFault(Struct, frozen=True):
    """What is wrong with a schema, and where in it. `code` is a finding's."""

    code: str
    message: str
    pointer: Pointer = ()
    hint: str | None = None


class Check:
    """Whether a value matches a schema. `what` names the value in what is told of it: `input`, `output`."""

    __slots__ = ("_schema", "_validator", "_what")

    def __init__(self, schema: dict[str, Any], what: str) -> None:
        self._schema = schema
        self._what = what
        self._validator: Any = None

    def __call__(self, raw: bytes) -> tuple[str, ...]:
        """What is wrong with a value given as JSON, each with its path: `input.items[2].price: -1 is less than …`."""
        try:
            validator = self._validator
            if validator is None:
                validator = self._validator = _compile(self._schema)
            value = msgspec.json.decode(raw)
            if validator.is_valid(value):
                return ()
            return self._told(validator, value, len(raw))
        except RecursionError:
            return (f"{self._what}: the value is nested too deeply to be checked",)
        except ValueError as error:
            # Definitions are checked when they are loaded; one from an older store may never have been.
            return (f"{self._what}: the schema cannot be used: {_short(str(error).partition(chr(10))[0])}",)

    def _told(self, validator: Any, value: Any, size: int) -> tuple[str, ...]:
        if size > all_faults_bytes_max:
            try:
                validator.validate(value)
            except ValueError as error:
                return (_fault(self._what, error), "… (the value is large: only its first fault was looked for)")
        errors = list(validator.iter_errors(value))
        told = [_fault(self._what, error) for error in islice(errors, faults_listed_max)]
        if len(errors) > faults_listed_max:
            told.append(f"… and {len(errors) - faults_listed_max} more")
        return tuple(told)


def check_of(schema: dict[str, Any] | None, what: str) -> Check | None:
    """The check that a schema asks for; None where there is no schema."""
    return None if schema is None else Check(schema, what)


def _compile(schema: dict[str, Any]) -> Any:
    import jsonschema_rs

    return jsonschema_rs.validator_for(schema, **_options(jsonschema_rs))


def _options(library: Any) -> dict[str, Any]:
    """No network, patterns in linear time, and formats that are meant: the library's default only notes them."""
    patterns = library.RegexOptions(size_limit=pattern_bytes_max, dfa_size_limit=pattern_bytes_max)
    return {"pattern_options": patterns, "validate_formats": True, "offline": True}


# --- what is told ---------------------------------------------------------------------------------------------------


def _fault(what: str, error: Any) -> str:
    return f"{what}{path_text(error.instance_path)}: {_short(error.message)}{_closest(what, error)}"


def _closest(what: str, error: Any) -> str:
    """Of a value that matches none of several schemas: what the one that it came furthest with says."""
    branches = [branch[0] for branch in getattr(error.kind, "context", None) or () if branch]
    if error.kind.name not in ("anyOf", "oneOf") or not branches:
        return ""
    furthest = max(branches, key=lambda one: len(one.instance_path))
    if len(furthest.instance_path) <= len(error.instance_path):
        return ""
    return f" (closest: {what}{path_text(furthest.instance_path)}: {_short(furthest.message)})"


def path_text(path: Iterable[str | int]) -> str:
    """A way into a value, as in `.items[2].price` and `["odd name"]`."""
    parts = []
    for part in path:
        if isinstance(part, int):
            parts.append(f"[{part}]")
        elif _NAME.fullmatch(part):
            parts.append(f".{part}")
        else:
            parts.append(f"[{msgspec.json.encode(part).decode()}]")
    return "".join(parts)


def _short(text: str) -> str:
    """Without its middle where it is long: the value stands at the beginning, what is wrong with it at the end."""
    half = fault_length_max // 2
    return text if len(text) <= fault_length_max else f"{text[:half]} … {text[-half:]}"


# --- what is wrong with a schema itself -----------------------------------------------------------------------------


def faults_of(schema: dict[str, Any]) -> list[SchemaFault]:
    """All that is wrong with a schema."""
    try:
        size = len(msgspec.json.encode(schema))
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        return [SchemaFault("MS240", f"the schema is no JSON: {error}")]
    if size > schema_bytes_max:
        return [SchemaFault("MS242", f"the schema has {size} bytes, and schema_bytes_max is {schema_bytes_max}")]
    deep = _too_deep(schema)
    if deep is not None:
        return [SchemaFault("MS242", f"the schema is nested deeper than schema_depth_max, {schema_depth_max}", deep)]
    found = list(_malformed(schema))
    if found:
        return found
    if _unfolded(schema) > schema_unfolded_max:
        message = f"the schema's references unfold to more than schema_unfolded_max, {schema_unfolded_max}, parts"
        return [SchemaFault("MS242", message, (), "a part that refers twice to the next, which does too, doubles")]
    return list(_uncompiled(schema))


def _too_deep(schema: Any) -> Pointer | None:
    stack: list[tuple[Any, Pointer]] = [(schema, ())]
    while stack:
        value, at = stack.pop()
        if len(at) > schema_depth_max:
            return at[:schema_depth_max]
        stack.extend((child, (*at, key)) for key, child in _children(value))
    return None


def _children(value: Any) -> Iterable[tuple[str | int, Any]]:
    if isinstance(value, dict):
        return value.items()
    return enumerate(value) if isinstance(value, list | tuple) else ()


def _malformed(schema: dict[str, Any]) -> Iterator[SchemaFault]:
    """What the standard's own schema of schemas says (of an older draft, compiling tells the first fault)."""
    import jsonschema_rs

    if schema.get("$schema", STANDARD) != STANDARD:
        return
    standard = jsonschema_rs.validator_for({"$ref": STANDARD}, **_options(jsonschema_rs))
    # The standard's own says some things several times, once for each of its vocabularies.
    found = dict.fromkeys(_malformation(error) for error in standard.iter_errors(schema))
    yield from islice(found, faults_listed_max)


def _malformation(error: Any) -> SchemaFault:
    at = tuple(error.instance_path)
    if error.kind.name == "format" and at and ("pattern" in at[-1:] or "patternProperties" in at[-2:]):
        return _bad_pattern(str(error.instance), at)
    if error.kind.name == "anyOf" and at and at[-1] == "type":
        hint = did_you_mean(error.instance, _TYPES) or f"there are {', '.join(_TYPES)}"
        return SchemaFault("MS240", f"no JSON Schema: {_short(str(error.instance))} is no type", at, hint)
    return SchemaFault("MS240", f"no JSON Schema: {_short(error.message)}", at)


def _bad_pattern(pattern: str, at: Pointer) -> SchemaFault:
    message = f"the pattern `{_short(pattern)}` cannot be used"
    return SchemaFault("MS243", message, at, "it runs in linear time: no look-around, no back references")


def _uncompiled(schema: dict[str, Any]) -> Iterator[SchemaFault]:
    """What compiling finds: references that lead nowhere, patterns that compile to too much, faults of older drafts."""
    try:
        _compile(schema)
    except ValueError as error:
        message = str(getattr(error, "message", error))
        kind = getattr(getattr(error, "kind", None), "name", "")
        if kind == "$ref" and "meta-schema" in message:
            hint = "leave it out for draft 2020-12; drafts 4, 6, 7 and 2019-09 are known too"
            draft = _short(str(schema.get("$schema")))
            yield SchemaFault("MS240", f"`$schema` names no draft that is known: {draft}", ("$schema",), hint)
        elif kind == "$ref":
            hint = "references lead into the schema itself, as in `#/$defs/address`; nothing is fetched"
            at = _reference(schema, message)
            yield SchemaFault("MS241", f"the reference leads nowhere: {_short(message)}", at, hint)
        elif kind:
            yield _malformation(error)
        else:
            yield SchemaFault("MS240", f"the schema cannot be used: {_short(message)}")


def _reference(schema: dict[str, Any], message: str) -> Pointer:
    """Where the reference stands that the message is about."""
    stack: list[tuple[Any, Pointer]] = [(schema, ())]
    while stack:
        value, at = stack.pop()
        if isinstance(value, dict):
            target = value.get("$ref")
            if isinstance(target, str) and target.lstrip("#") and target.lstrip("#") in message:
                return (*at, "$ref")
        stack.extend((child, (*at, key)) for key, child in _children(value))
    return ()


def _unfolded(schema: dict[str, Any]) -> int:
    """The number of a schema's parts with each reference counted as what it leads to. One into itself counts once."""
    sizes: dict[int, int] = {}

    def size(value: Any) -> int:
        if not isinstance(value, dict | list | tuple):
            return 0
        known = sizes.get(id(value))
        if known is None:
            sizes[id(value)] = 1  # what is met again on the way to its own size refers to itself
            known = 1 + sum(size(child) for _, child in _children(value))
            if isinstance(value, dict) and isinstance(value.get("$ref"), str):
                known += size(_resolved(schema, value["$ref"]))
            sizes[id(value)] = known
        return known

    try:
        return size(schema)
    except RecursionError:  # a chain of references as long as Python's stack
        return schema_unfolded_max + 1


def _resolved(schema: dict[str, Any], reference: str) -> Any:
    """What a reference of the form `#/a/b` leads to; None for any other, and for one that leads nowhere."""
    value: Any = schema
    if not reference.startswith("#/"):
        return schema if reference == "#" else None
    for part in reference[2:].split("/"):
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict):
            value = value.get(name)
        elif isinstance(value, list | tuple) and name.isdecimal() and int(name) < len(value):
            value = value[int(name)]
        else:
            return None
    return value
