"""What can be wrong with the config of a node that decides, or that makes a value; and where in a config what is computed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any, NamedTuple

from mainspring.definition.deciding import cases, cases_key
from mainspring.definition.findings import Pointer, did_you_mean
from mainspring.definition.kind_keys import CLOSED, KIND_KEYS
from mainspring.definition.model import Node
from mainspring.graph import check_blocks, check_stopping, check_waits
from mainspring.graph.faults import Fault
from mainspring.graph.plan_kinds import LEVELS, STATUSES, TRANSFORMS, condition_of

cases_max = 1_000
"""The most cases that a switch may have: they are tried one after the other."""


def faults(node: Node) -> Iterator[Fault]:
    """All that is wrong with the shape of the config; its expressions are another matter."""
    check = _CHECKS.get(node.type)
    if check is not None:
        yield from check(node.config)
    if node.type in CLOSED:
        yield from _unknown_keys(node.config, KIND_KEYS[node.type], node.type)


def _unknown_keys(config: dict[str, Any], known: Collection[str], kind: str) -> Iterator[Fault]:
    """A key that is nearly a known one is an error; others may be an editor's."""
    for key in config:
        if key not in known:
            meant = did_you_mean(key, known)
            message = f"a node of type {kind} has no key `{str(key)[:80]}`"
            hint = meant or f"known here: {', '.join(known)}"
            yield Fault(message, (key,), hint, "MS237" if meant is None else "MS261")


class Place(NamedTuple):
    """Where in a config something is computed. `bare`: text is an expression as it stands, a `condition` perhaps."""

    value: Any
    way: Pointer
    bare: bool
    condition: bool
    sees: frozenset[str]


_VALUE = frozenset(("value",))
_EACH = frozenset(("value", "item", "index"))
_LOOP = frozenset(("value", "item", "index", "loop"))
_PASS = frozenset(("value", "index", "loop"))


def computed(node: Node) -> Iterator[Place]:
    """All that is not just a template, with what it sees beside what mappings see."""
    config, kind = node.config, node.type
    if kind in ("if", "while", "until"):
        sees = _VALUE if kind == "if" else _PASS
        yield from (
            Place(config[key], (key,), True, True, sees) for key in ("condition", "expression") if key in config
        )
    elif kind in ("switch", "decision"):
        for case in cases(config):
            if case.key is not None:
                yield Place(case.expression, (cases_key(config), case.place, case.key), True, True, _VALUE)
    elif kind == "transform":
        for way, keys in _BARE.items():
            what = config.get(way)
            if isinstance(what, dict):
                for key, value in what.items():
                    sees = _VALUE if key in ("items", "initial") else _EACH
                    yield Place(value, (way, key), key in keys, key == "where", sees)
    elif kind == "forEach":
        yield from _for_each(config)


def _for_each(config: dict[str, Any]) -> Iterator[Place]:
    if "items" in config:
        yield Place(config["items"], ("items",), True, False, _VALUE)
    if isinstance(config.get("range"), dict):
        yield from (Place(value, ("range", key), True, False, _VALUE) for key, value in config["range"].items())
    if "stopWhen" in config:
        yield Place(config["stopWhen"], ("stopWhen",), True, True, _LOOP)
    if "more" in config:
        yield Place(config["more"], ("more",), False, False, _LOOP)


def skipped(node: Node) -> tuple[str, ...]:
    """The keys of the config that are not templates throughout."""
    return _SKIPPED.get(node.type, ())


_CONDITIONS = ("condition", "conditions", "cases", "expression")
_BARE = {"map": ("items",), "filter": ("items", "where"), "reduce": ("items", "next")}
_NEEDED = {"map": ("items", "as"), "filter": ("items", "where"), "reduce": ("items", "initial", "next")}
_SKIPPED: dict[str, tuple[str, ...]] = {
    "script": ("code",),  # its own `${NAME}` is the shell's, not ours
    "function": ("code", "handler"),
    **dict.fromkeys(("if", "switch", "decision", "while", "until"), _CONDITIONS),
    "transform": tuple(_BARE),
    "forEach": ("items", "range", "stopWhen", "more"),
    "wait": ("schema",),
    "subflow": ("workflow", "version"),
}


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
    "forEach": check_blocks.for_each,
    "while": check_blocks.passes,
    "until": check_blocks.passes,
    "parallel": check_blocks.parallel,
    "race": check_blocks.race,
    "mutex": check_blocks.mutex,
    "subflow": check_waits.subflow,
    "wait": check_waits.wait,
    "delay": check_waits.delay,
    "cancel": check_stopping.cancel,
    "milestone": check_stopping.milestone,
}
