"""What can be wrong with a JSON Schema itself: all of it at once, each fault with its place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any
from urllib.parse import unquote

import msgspec
from msgspec import Struct

from mainspring.definition.findings import Pointer, did_you_mean
from mainspring.graph.schemas import compiled, faults_listed_max, options, short

schema_bytes_max = 256 * 1024
"""A schema's size as JSON."""

schema_depth_max = 64
"""How deep a schema's values may be nested."""

schema_unfolded_depth_max = 128
"""The same with each reference counted as what it leads to. Deep schemas and deep values take of the process's own stack."""

schema_unfolded_max = 100_000
"""How many parts a schema may have with each reference counted as what it leads to: references to references double."""

STANDARD = "https://json-schema.org/draft/2020-12/schema"
_DATA = frozenset({"const", "default", "enum", "examples"})
"""Keywords whose values are no schemas."""
_TYPES = ("array", "boolean", "integer", "null", "number", "object", "string")


class SchemaFault(Struct, frozen=True):
    """What is wrong with a schema, and where in it. `code` is a finding's."""

    code: str
    message: str
    pointer: Pointer = ()
    hint: str | None = None


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
    found = [*_malformed(schema), *_bad_patterns(schema), *_lost_references(schema)]
    if found:
        return found
    size, depth = _unfolded(schema)
    if depth > schema_unfolded_depth_max:
        what = f"schema_unfolded_depth_max, {schema_unfolded_depth_max}"
        return [SchemaFault("MS242", f"the schema's references unfold deeper than {what}")]
    if size > schema_unfolded_max:
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
    standard = jsonschema_rs.validator_for({"$ref": STANDARD}, **options(jsonschema_rs))
    # It says some things several times, once for each of its vocabularies. Patterns are looked at by themselves.
    errors = (error for error in standard.iter_errors(schema) if error.kind.name != "format")
    found = dict.fromkeys(_malformation(error) for error in errors)
    yield from islice(found, faults_listed_max)


def _malformation(error: Any) -> SchemaFault:
    at = tuple(error.instance_path)
    if error.kind.name == "anyOf" and at and at[-1] == "type":
        hint = did_you_mean(error.instance, _TYPES) or f"there are {', '.join(_TYPES)}"
        return SchemaFault("MS240", f"no JSON Schema: {short(str(error.instance))} is no type", at, hint)
    return SchemaFault("MS240", f"no JSON Schema: {short(error.message)}", at)


def _parts(schema: dict[str, Any]) -> Iterator[tuple[dict[str, Any], Pointer]]:
    """All objects within a schema that may be schemas, in order."""
    stack: list[tuple[Any, Pointer]] = [(schema, ())]
    while stack:
        value, at = stack.pop()
        if isinstance(value, dict):
            yield value, at
        children = [(child, (*at, key)) for key, child in _children(value) if key not in _DATA]
        stack.extend(reversed(children))


def _bad_patterns(schema: dict[str, Any]) -> Iterator[SchemaFault]:
    """Each pattern by itself: compiling the whole would stop at the first."""
    for part, at in _parts(schema):
        inner = part.get("patternProperties")
        places = [(key, (*at, "patternProperties", key)) for key in inner] if isinstance(inner, dict) else []
        for pattern, place in [(part.get("pattern"), (*at, "pattern")), *places]:
            if isinstance(pattern, str) and not _can_be_used(pattern):
                hint = "it runs in linear time: no look-around, no back references"
                yield SchemaFault("MS243", f"the pattern `{short(pattern)}` cannot be used", place, hint)


def _can_be_used(pattern: str) -> bool:
    try:
        compiled({"pattern": pattern})
    except ValueError:
        return False
    return True


def _lost_references(schema: dict[str, Any]) -> Iterator[SchemaFault]:
    """References of the form `#/a/b` that lead nowhere. Where parts have names of their own, only compiling can tell."""
    parts = list(_parts(schema))
    if any("$id" in part for part, at in parts if at):
        return
    for part, at in parts:
        reference = part.get("$ref")
        if isinstance(reference, str) and reference.startswith("#/") and _resolved(schema, reference) is None:
            yield _lost(f"{short(reference)} is not in the schema", (*at, "$ref"))


def _lost(message: str, at: Pointer) -> SchemaFault:
    hint = "references lead into the schema itself, as in `#/$defs/address`; nothing is fetched"
    return SchemaFault("MS241", f"the reference leads nowhere: {message}", at, hint)


def _uncompiled(schema: dict[str, Any]) -> Iterator[SchemaFault]:
    """What only compiling finds: references by other names, faults of older drafts. It stops at the first."""
    try:
        compiled(schema)
    except ValueError as error:
        message = str(getattr(error, "message", error))
        kind = getattr(getattr(error, "kind", None), "name", "")
        if kind == "$ref" and "meta-schema" in message:
            hint = "leave it out for draft 2020-12; drafts 4, 6, 7 and 2019-09 are known too"
            draft = short(str(schema.get("$schema")))
            yield SchemaFault("MS240", f"`$schema` names no draft that is known: {draft}", ("$schema",), hint)
        elif kind == "$ref":
            at, reference = _reference(schema, message)
            yield _lost(f"{short(reference)} is not in the schema" if reference else short(message), at)
        elif kind:
            yield _malformation(error)
        else:
            yield SchemaFault("MS240", f"the schema cannot be used: {short(message)}")


def _reference(schema: dict[str, Any], message: str) -> tuple[Pointer, str]:
    """Where the reference stands that the message is about, and what it says."""
    for part, at in _parts(schema):
        target = part.get("$ref")
        if isinstance(target, str) and target.lstrip("#") and target.lstrip("#") in message:
            return (*at, "$ref"), target
    return (), ""


def _unfolded(schema: dict[str, Any]) -> tuple[int, int]:
    """How many parts a schema has and how deep they are nested, each reference counted as what it leads to.

    A reference that leads back to where it stands in counts once: how often it is followed is up to the value.
    """
    known: dict[int, tuple[int, int]] = {}

    def measure(value: Any) -> tuple[int, int]:
        if not isinstance(value, dict | list | tuple):
            return 0, 0
        if id(value) not in known:
            known[id(value)] = 1, 1
            inner = [measure(child) for _, child in _children(value)]
            if isinstance(value, dict) and isinstance(value.get("$ref"), str):
                inner.append(measure(_resolved(schema, value["$ref"])))
            known[id(value)] = 1 + sum(size for size, _ in inner), 1 + max((depth for _, depth in inner), default=0)
        return known[id(value)]

    try:
        return measure(schema)
    except RecursionError:  # a chain of references as long as Python's stack
        return schema_unfolded_max + 1, schema_unfolded_depth_max + 1


def _resolved(schema: dict[str, Any], reference: str) -> Any:
    """What a reference of the form `#/a/b` leads to; None for any other, and for one that leads nowhere."""
    value: Any = schema
    if not reference.startswith("#/"):
        return schema if reference == "#" else None
    for part in reference[2:].split("/"):
        name = unquote(part).replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict):
            value = value.get(name)
        elif isinstance(value, list | tuple) and name.isdecimal() and int(name) < len(value):
            value = value[int(name)]
        else:
            return None
    return value
