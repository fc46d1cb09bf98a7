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
from collections.abc import Iterable
from itertools import islice
from typing import Any

import msgspec

pattern_bytes_max = 1024 * 1024
"""What a pattern may compile to."""

value_depth_max = 100
"""How deep a value may be nested that is checked against a schema with references: one into itself follows the value, on
the process's own stack. (A schema without references looks no deeper than it is itself.)"""

faults_listed_max = 10
"""How many faults of a value are told."""

all_faults_bytes_max = 64 * 1024
"""Of a value with more JSON than this only the first fault is looked for."""

fault_length_max = 300
"""How long one fault may be told: values can be long."""

_REFERENCES = (b'"$ref":', b'"$dynamicRef":', b'"$recursiveRef":')
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


class Check:
    """Whether a value matches a schema. `what` names the value in what is told of it: `input`, `output`."""

    __slots__ = ("_recursive", "_schema", "_validator", "_what")

    def __init__(self, schema: dict[str, Any], what: str) -> None:
        self._schema = schema
        self._what = what
        self._validator: Any = None
        self._recursive = False

    def __call__(self, raw: bytes) -> tuple[str, ...]:
        """What is wrong with a value given as JSON, each with its path: `input.items[2].price: -1 is less than …`."""
        try:
            validator = self._validator
            if validator is None:
                self._recursive = any(key in msgspec.json.encode(self._schema) for key in _REFERENCES)
                validator = self._validator = compiled(self._schema)
            value = msgspec.json.decode(raw)
            if self._recursive and _deeper_than(value, value_depth_max):
                return (f"{self._what}: the value is nested deeper than value_depth_max, {value_depth_max}",)
            if validator.is_valid(value):
                return ()
            return self._told(validator, value, len(raw))
        except RecursionError:
            return (f"{self._what}: the value is nested too deeply to be checked",)
        except ValueError as error:
            # Definitions are checked when they are loaded; one from an older store may never have been.
            return (f"{self._what}: the schema cannot be used: {short(str(error).partition(chr(10))[0])}",)

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


def _deeper_than(value: Any, limit: int) -> bool:
    layer = [value]
    for _ in range(limit):
        children = (one.values() if type(one) is dict else one for one in layer if type(one) in (dict, list))
        layer = [child for inner in children for child in inner if type(child) in (dict, list)]
        if not layer:
            return False
    return True


def check_of(schema: dict[str, Any] | None, what: str) -> Check | None:
    """The check that a schema asks for; None where there is no schema."""
    return None if schema is None else Check(schema, what)


def compiled(schema: dict[str, Any]) -> Any:
    import jsonschema_rs

    return jsonschema_rs.validator_for(schema, **options(jsonschema_rs))


def options(library: Any) -> dict[str, Any]:
    """No network, patterns in linear time, and formats that are meant: the library's default only notes them."""
    patterns = library.RegexOptions(size_limit=pattern_bytes_max, dfa_size_limit=pattern_bytes_max)
    return {"pattern_options": patterns, "validate_formats": True, "offline": True}


# --- what is told ---------------------------------------------------------------------------------------------------


def _fault(what: str, error: Any) -> str:
    return f"{what}{path_text(error.instance_path)}: {short(error.message)}{_closest(what, error)}"


def _closest(what: str, error: Any) -> str:
    """Of a value that matches none of several schemas: what the one that it came furthest with says."""
    branches = [branch[0] for branch in getattr(error.kind, "context", None) or () if branch]
    if error.kind.name not in ("anyOf", "oneOf") or not branches:
        return ""
    furthest = max(branches, key=lambda one: len(one.instance_path))
    if len(furthest.instance_path) <= len(error.instance_path):
        return ""
    return f" (closest: {what}{path_text(furthest.instance_path)}: {short(furthest.message)})"


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


def short(text: str) -> str:
    """Without its middle where it is long: the value stands at the beginning, what is wrong with it at the end."""
    half = fault_length_max // 2
    return text if len(text) <= fault_length_max else f"{text[:half]} … {text[-half:]}"
