"""What can be wrong with a node of a custom kind: nobody knows the kind, it cannot be used, its config is not what it takes.

A config is held to its kind's JSON Schema before anything runs. What `${ }` stands for is not known then: whatever the schema
says of such a value, or of what is around it because of that value, is left to the run.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

from mainspring.definition.findings import Pointer, did_you_mean
from mainspring.definition.model import Node
from mainspring.errors import ExpressionError
from mainspring.expression import template_parts
from mainspring.graph import custom_kinds
from mainspring.graph.custom_kinds import NodeKind, Unusable
from mainspring.graph.schemas import compiled, faults_listed_max, short

_OF_KEYS = frozenset(
    (
        *(
            "required",
            "additionalProperties",
            "unevaluatedProperties",
            "propertyNames",
            "minProperties",
            "maxProperties",
        ),
        *("dependentRequired", "minItems", "maxItems", "type"),
    )
)
"""What a schema can say of an object or a list without looking at the values in it."""

_BY_CHANCE = frozenset({"if", "then", "else", "not", "anyOf", "oneOf", "contains", "dependentSchemas"})
"""Parts of a schema that hold or not by other values."""


class CustomFault(NamedTuple):
    """What is wrong, as a finding has it. `at` leads there from the node."""

    code: str
    message: str
    at: Pointer
    hint: str | None = None
    needs: str = ""
    """The key that is missing, where that is what is wrong."""


def known_names(node_types: Collection[str]) -> list[str]:
    """Everything that a misspelled type may have been meant to be."""
    return [*node_types, *custom_kinds.names()]


def faults(node: Node, kind: NodeKind | Unusable) -> Iterator[CustomFault]:
    """All that is wrong with a node of a custom kind."""
    if isinstance(kind, Unusable):
        message = f"the node kind `{node.type}` cannot be used here: {kind.reason}"
        sources = " and ".join(source.text() for source in kind.sources)
        yield CustomFault("MS272", message, ("type",), f"it comes from {sources}; `mainspring nodes` lists it")
        return
    try:
        validator = compiled(kind.schema)
        errors = list(validator.iter_errors(node.config))
    except (ValueError, RecursionError) as error:
        why = short(str(getattr(error, "message", error)).partition("\n")[0])
        message = f"the node kind `{node.type}` cannot be used here: the schema of its config is wrong: {why}"
        yield CustomFault("MS272", message, ("type",), "whoever wrote the kind must mend it")
        return
    computed = dict(_computed(node.config, ()))
    told = list(dict.fromkeys(fault for error in errors for fault in _told(kind, error, computed)))
    # A misspelled key is one that is missing and one too many. It is told once.
    meant = {(fault.at[:-1], fault.hint) for fault in told}
    for fault in told[:faults_listed_max]:
        if (fault.at, f"did you mean `{fault.needs}`?") not in meant:
            yield fault


def _told(kind: NodeKind, error: Any, computed: dict[Pointer, bool], made: int = 0) -> Iterator[CustomFault]:
    """`made` is how far the way through the schema leads to a choice that is made already."""
    way: Pointer = tuple(error.instance_path)
    keyword = error.kind.name
    meant = _meant(error)
    if meant and way not in computed:
        for inner in meant:
            yield from _told(kind, inner, computed, len(error.evaluation_path))
        return
    if not _certain(way, keyword, set(map(str, error.evaluation_path[made:])), computed):
        return
    at = ("config", *way)
    place = f"`{'.'.join(map(str, way))}`" if way else "the config"
    if keyword == "additionalProperties":
        known = keys_at(kind.schema, way)
        for name in error.kind.as_dict().get("unexpected", ()):
            hint = did_you_mean(name, known) or (f"it takes {', '.join(known)}" if known else "it takes none")
            yield CustomFault("MS271", f"`{short(name)}` means nothing to a {kind.name} node", (*at, name), hint)
    elif keyword == "required":
        name = error.kind.as_dict().get("property", "")
        yield CustomFault("MS271", f"{place} of a {kind.name} node needs `{name}`", at, _meaning(kind, way, name), name)
    else:
        yield CustomFault("MS271", f"{place} of a {kind.name} node: {short(error.message)}", at)


def _meant(error: Any) -> list[Any]:
    """Of a choice between null and something else, as an optional object is, what is wrong with the something."""
    if error.kind.name != "anyOf":
        return []
    way = error.instance_path
    branches = [branch for branch in error.kind.context if not _of_another_type(branch, way)]
    return list(branches[0]) if len(branches) == 1 else []


def _of_another_type(branch: Any, way: Any) -> bool:
    return any(error.kind.name == "type" and error.instance_path == way for error in branch)


def _certain(way: Pointer, keyword: str, keywords: set[str], computed: dict[Pointer, bool]) -> bool:
    """Whether what a schema says holds whatever the values will be that are not known yet."""
    if way in computed:
        return computed[way] and keyword == "type"  # it will be a text, though nobody knows which
    by_chance = bool(computed) and bool(_BY_CHANCE & keywords)
    around = any(other[: len(way)] == way for other in computed)
    return not by_chance and (not around or keyword in _OF_KEYS)


def _computed(value: Any, way: Pointer) -> Iterator[tuple[Pointer, bool]]:
    """The places of values that are computed, each with whether it will be a text for certain."""
    if isinstance(value, str) and "${" in value:
        try:
            parts = template_parts(value)
        except ExpressionError:
            yield way, False  # the checks of templates have said so
            return
        if any(not isinstance(part, str) for part in parts):
            yield way, len(parts) > 1
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _computed(item, (*way, key))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _computed(item, (*way, index))


def keys_at(schema: dict[str, Any], way: Pointer = ()) -> dict[str, dict[str, Any]]:
    """The keys of the object at a place in a config, each with its schema; none where the schema names none."""
    here: Any = _resolved(schema, schema)
    for part in way:
        inner = here.get("properties", {}).get(part) if isinstance(part, str) else None
        here = _resolved(schema, inner or here.get("items" if isinstance(part, int) else "additionalProperties"))
    keys = here.get("properties")
    return {name: _resolved(schema, key) for name, key in keys.items()} if isinstance(keys, dict) else {}


def _resolved(schema: dict[str, Any], part: Any) -> dict[str, Any]:
    """What a part says, with what its reference leads to, and of a choice between null and something, that."""
    for _ in range(8):
        if not isinstance(part, dict):
            return {}
        choices = [one for one in part.get("anyOf", ()) if one != {"type": "null"}]
        if len(choices) == 1:
            part = {**part, "anyOf": (), **choices[0]}
        reference = part.get("$ref")
        if not isinstance(reference, str) or not reference.startswith("#/$defs/"):
            return dict(part)
        own = {key: value for key, value in part.items() if key != "$ref"}
        part = {**schema["$defs"].get(reference.removeprefix("#/$defs/"), {}), **own} if "$defs" in schema else own
    return {}


def _meaning(kind: NodeKind, way: Pointer, name: str) -> str | None:
    meaning = keys_at(kind.schema, way).get(name, {}).get("description")
    return f"`{name}`: {meaning}" if isinstance(meaning, str) else None
