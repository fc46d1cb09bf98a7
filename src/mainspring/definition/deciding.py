"""What `if` and `switch` nodes say of their cases, read in one place for the doors, the checks and the plan.

`decision` is an editor's word for `switch`: `conditions` with an `id` each, and a `defaultPath`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

SWITCHES = frozenset({"switch", "decision"})
CASE_PORTS = ("port", "id", "path")
CASE_EXPRESSIONS = ("expression", "condition", "when")
DEFAULT_KEYS = ("defaultPath", "defaultPort", "default")
DEFAULT = "default"
"""The port of a switch none of whose conditions holds, where it names no other."""

IF_PORTS = ("true", "false")
_IF_SPELLINGS = {"then": "true", "yes": "true", "else": "false", "no": "false"}
_ELSE = ("else", "otherwise", DEFAULT)


class Case(NamedTuple):
    """One case of a switch as it is written. `key` is the key that its expression has (None: it has none)."""

    place: int
    port: str | None
    key: str | None
    expression: Any


def cases_key(config: Mapping[str, Any]) -> str:
    """What the list of cases is called."""
    return "cases" if "cases" in config and "conditions" not in config else "conditions"


def cases(config: Mapping[str, Any]) -> Iterator[Case]:
    """The cases that are objects, in order."""
    listed = config.get(cases_key(config))
    for index, item in enumerate(listed if isinstance(listed, list | tuple) else ()):
        if isinstance(item, Mapping):
            key = next((key for key in CASE_EXPRESSIONS if key in item), None)
            yield Case(index, _first(item, CASE_PORTS), key, None if key is None else item[key])


def default_port(config: Mapping[str, Any]) -> str:
    """The port by which a switch leaves where no condition holds."""
    return _first(config, DEFAULT_KEYS) or DEFAULT


def _first(item: Mapping[str, Any], keys: tuple[str, ...]) -> str | None:
    return next((str(item[key]) for key in keys if isinstance(item.get(key), str | int) and item[key] != ""), None)


def spellings_of_decision(type: str, config: Any) -> dict[str, str]:
    """Other words for the ports of such a node: `then` and `else`, and for the default of a switch `else`."""
    if type == "if":
        return _IF_SPELLINGS
    if type in SWITCHES and isinstance(config, Mapping):
        ports = {case.port for case in cases(config)} | {default_port(config)}
        return {word: default_port(config) for word in _ELSE if word not in ports}
    return {}
