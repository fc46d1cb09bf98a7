"""What can be wrong with the config of a node that decides, or that makes a value."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from mainspring.definition.deciding import cases, cases_key
from mainspring.definition.findings import Pointer, did_you_mean
from mainspring.definition.model import Node
from mainspring.graph.plan_kinds import LEVELS, STATUSES, TRANSFORMS, condition_of

cases_max = 1_000
"""The most cases that a switch may have: they are tried one after the other."""


class Fault(NamedTuple):
    """What is wrong, where in the config, and what to write instead."""

    message: str
    at: Pointer = ()
    hint: str | None = None


def faults(node: Node) -> Iterator[Fault]:
    """All that is wrong with the shape of the config; its expressions are another matter."""
    check = _CHECKS.get(node.type)
    if check is not None:
        yield from check(node.config)


def expressions(node: Node) -> Iterator[tuple[Any, Pointer, bool]]:
    """Where in the config an expression may stand without `${ }`, and whether it is a condition."""
    config = node.config
    if node.type in ("if", "while", "until"):
        yield from ((config[key], (key,), True) for key in ("condition", "expression") if key in config)
    elif node.type in ("switch", "decision"):
        for case in cases(config):
            if case.key is not None:
                yield case.expression, (cases_key(config), case.place, case.key), True
    elif node.type == "transform":
        for way, keys in _BARE.items():
            what = config.get(way)
            if isinstance(what, dict):
                yield from ((what[key], (way, key), key == "where") for key in keys if key in what)


def skipped(node: Node) -> tuple[str, ...]:
    """The keys of the config that are not templates throughout."""
    if node.type == "script":
        return ("code",)  # its own `${NAME}` is the shell's, not ours
    if node.type == "function":
        return ("code", "handler")
    if node.type in ("if", "switch", "decision", "while", "until"):
        return ("condition", "conditions", "cases", "expression")
    return tuple(_BARE) if node.type == "transform" else ()


def templates(node: Node) -> Iterator[tuple[Any, Pointer]]:
    """The templates within those keys."""
    for way, keys in _BARE.items():
        what = node.config.get(way)
        if node.type == "transform" and isinstance(what, dict):
            yield from ((value, (way, key)) for key, value in what.items() if key not in keys)


_BARE = {"map": ("items",), "filter": ("items", "where"), "reduce": ("items", "next")}
_NEEDED = {"map": ("items", "as"), "filter": ("items", "where"), "reduce": ("items", "initial", "next")}


def _if(config: dict[str, Any]) -> Iterator[Fault]:
    condition = condition_of(config)
    if condition is None:
        yield Fault("an `if` needs a condition", (), 'give `config: {condition: "input.amount > 100"}`')
    elif not isinstance(condition, str | bool):
        at = ("condition" if "condition" in config else "expression",)
        yield Fault("a condition is an expression, as text", at)


def _switch(config: dict[str, Any]) -> Iterator[Fault]:
    key = cases_key(config)
    listed = config.get(key)
    if not isinstance(listed, list) or not listed:
        yield Fault(
            "a switch needs a list of conditions",
            (key,) if key in config else (),
            'give `config: {conditions: [{id: large, expression: "input.amount > 100"}]}`',
        )
        return
    if len(listed) > cases_max:
        yield Fault(f"{len(listed)} conditions are more than cases_max, {cases_max}", (key,))
    for index, item in enumerate(listed):
        if not isinstance(item, dict):
            yield Fault("a case is an object", (key, index), "write `{id: PORT, expression: EXPRESSION}`")
    for case in cases(config):
        if case.port is None:
            yield Fault("a case needs an `id`, the port by which to leave", (key, case.place))
        if case.key is None:
            yield Fault("a case needs an `expression`", (key, case.place))
        elif not isinstance(case.expression, str | bool):
            yield Fault("a condition is an expression, as text", (key, case.place, case.key))
    yield from _one_of(config, "match", ("first", "all"))


def _transform(config: dict[str, Any]) -> Iterator[Fault]:
    named = [way for way in TRANSFORMS if way in config]
    if len(named) != 1:
        what = "nothing to make" if not named else f"{' and '.join(named)}, and only one of them can be its output"
        yield Fault(f"a transform has {what}", (named[1],) if named else (), f"give one of {', '.join(TRANSFORMS)}")
        return
    way, what = named[0], config[named[0]]
    if way in _NEEDED:
        example = ", ".join(f"{key}: …" for key in _NEEDED[way])
        if not isinstance(what, dict):
            yield Fault(f"`{way}` is an object", (way,), f"write `{way}: {{{example}}}`")
            return
        for key in _NEEDED[way]:
            if key not in what:
                yield Fault(f"`{way}` needs `{key}`", (way,), f"write `{way}: {{{example}}}`")
        for key in what.keys() - set(_NEEDED[way]):
            yield Fault(f"unknown key `{str(key)[:80]}` in `{way}`", (way, key), did_you_mean(key, _NEEDED[way]))
        if isinstance(what.get("items", ""), str | list):
            return
        yield Fault("`items` is a list, or an expression that gives one", (way, "items"))
    elif way == "enrich" and not isinstance(what, dict | str):
        yield Fault("`enrich` is an object: the fields that are added", (way,))
    elif way == "template" and not isinstance(what, str):
        yield Fault("`template` is a text; other values are made by `output`", (way,))


def _log(config: dict[str, Any]) -> Iterator[Fault]:
    yield from _one_of(config, "level", LEVELS)


def _terminate(config: dict[str, Any]) -> Iterator[Fault]:
    yield from _one_of(config, "status", STATUSES)


def _one_of(config: dict[str, Any], key: str, words: tuple[str, ...]) -> Iterator[Fault]:
    value = config.get(key, words[0])
    if value not in words:
        hint = did_you_mean(value, words) or f"it is one of {', '.join(words)}"
        yield Fault(f"unknown value `{str(value)[:80]}` for `{key}`", (key,), hint)


_CHECKS: dict[str, Callable[[dict[str, Any]], Iterator[Fault]]] = {
    "if": _if,
    "switch": _switch,
    "decision": _switch,
    "transform": _transform,
    "log": _log,
    "terminate": _terminate,
}
