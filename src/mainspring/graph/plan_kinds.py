"""What the kinds of node that decide are told in their config, compiled once a plan. The machine's rules ask these."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from mainspring.definition.deciding import SWITCHES, cases, default_port
from mainspring.definition.model import Node
from mainspring.expression import Expression, Template, compile_expression, compile_template
from mainspring.graph import plan_waits

Computed = Expression | Template
"""What is called with a scope. `roots` says what it looks at."""

LEVELS = ("debug", "info", "warning", "error")
STATUSES = ("completed", "failed", "cancelled")
TRANSFORMS = ("output", "map", "filter", "reduce", "enrich", "template")


class Condition(NamedTuple):
    """An `if`: whether it holds. `reads_value`: it looks at the node's own input, as with all of these."""

    holds: Computed
    reads_value: bool


class Cases(NamedTuple):
    """A switch: each case's port with its condition, in order, and the port for when none holds."""

    cases: tuple[tuple[str, Computed], ...]
    default: str
    all: bool
    reads_value: bool


class Transform(NamedTuple):
    """What is made: `way` is one of TRANSFORMS. `items` is None where it is not made of a list."""

    way: str
    make: Computed
    items: Computed | None
    initial: Computed | None
    reads_value: bool


class Note(NamedTuple):
    """What a log node says."""

    message: Computed
    level: str
    reads_value: bool


class Ending(NamedTuple):
    """How a terminate node ends the instance. Without an output it is the node's input."""

    status: str
    output: Template | None
    reason: Template | None
    reads_value: bool


class Milestone(NamedTuple):
    """The nodes between whose ends the way is open (None: not bounded on that side)."""

    after: str | None
    before: str | None


class Stopping(NamedTuple):
    """The nodes that a cancel node stops."""

    nodes: tuple[str, ...]


def computed(value: Any) -> Computed:
    """An expression, bare or within `${ }`; what is no text is a template."""
    return compile_expression(value) if isinstance(value, str) and "${" not in value else compile_template(value)


def condition_of(config: dict[str, Any]) -> Any:
    """The condition of an `if`, by either of its names."""
    return config.get("condition", config.get("expression"))


def told(node: Node) -> Any:
    """What the machine is to know of the node's config; None where this kind of node is told nothing."""
    compiler = _COMPILERS.get(node.type)
    return None if compiler is None else compiler(node.config)


def reads(*parts: Computed | None) -> bool:
    """Whether one of them looks at the node's own input."""
    return any(part is not None and "value" in part.roots for part in parts)


def _if(config: dict[str, Any]) -> Condition:
    holds = computed(condition_of(config))
    return Condition(holds, reads(holds))


def _switch(config: dict[str, Any]) -> Cases:
    found = tuple((case.port or "", computed(case.expression)) for case in cases(config))
    looks = reads(*(condition for _, condition in found))
    return Cases(found, default_port(config), config.get("match") == "all", looks)


def _transform(config: dict[str, Any]) -> Transform:
    way = next(way for way in TRANSFORMS if way in config)
    what = config[way]
    if way not in _OF_ITEMS:
        make: Computed = compile_template(what)
        return Transform(way, make, None, None, way == "enrich" or reads(make))
    items = computed(what["items"])
    make = compile_template(what["as"]) if way == "map" else computed(what[_OF_ITEMS[way]])
    initial = compile_template(what.get("initial")) if way == "reduce" else None
    return Transform(way, make, items, initial, reads(items, make, initial))


_OF_ITEMS = {"map": "as", "filter": "where", "reduce": "next"}
"""Those that go through a list, each with the key of what is asked of each item."""


def _log(config: dict[str, Any]) -> Note | None:
    if config.get("message") is None:
        return None
    level = config.get("level", "info")
    message = compile_template(config["message"])
    return Note(message, level if level in LEVELS else "info", reads(message))


def _terminate(config: dict[str, Any]) -> Ending:
    output = compile_template(config["output"]) if "output" in config else None
    reason = compile_template(config["reason"]) if config.get("reason") is not None else None
    return Ending(config.get("status", "completed"), output, reason, reads(output, reason))


def _milestone(config: dict[str, Any]) -> Milestone:
    return Milestone(config.get("after"), config.get("before"))


def _cancel(config: dict[str, Any]) -> Stopping:
    nodes = config.get("nodes", ())
    return Stopping((nodes,) if isinstance(nodes, str) else tuple(nodes))


_COMPILERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "if": _if,
    **dict.fromkeys(sorted(SWITCHES), _switch),
    "transform": _transform,
    "log": _log,
    "terminate": _terminate,
    "milestone": _milestone,
    "cancel": _cancel,
    "wait": plan_waits.wait_of,
    "delay": plan_waits.until_of,
}
