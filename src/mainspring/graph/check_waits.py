"""What can be wrong with the config of a node that waits: for somebody, for a time, for a child."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mainspring.definition.kind_keys import SELF, WAITS_FOR
from mainspring.definition.times import parse_time
from mainspring.graph.check_schemas import faults_of
from mainspring.graph.faults import Fault, flag

names_max = 100
"""How many names one wait may have."""

name_characters_max = 200


def wait(config: dict[str, Any]) -> Iterator[Fault]:
    """It waits for one thing, which has a name, or several."""
    named = [kind for kind in WAITS_FOR if kind in config]
    if len(named) != 1:
        what = "nothing to wait for" if not named else f"{' and '.join(named)}, and waits for one of them only"
        yield Fault(f"a wait has {what}", (named[1],) if named else (), "give `signal: NAME`, `event:` or `approval:`")
    else:
        yield from _names(config, named[0])
    schema = config.get("schema")
    if schema is not None and not isinstance(schema, dict):
        yield Fault("`schema` is a JSON Schema, an object", ("schema",))
    elif schema is not None:
        yield from (Fault(one.message, ("schema", *one.pointer), one.hint, one.code) for one in faults_of(schema))
    yield from flag(config, "transient")


def _names(config: dict[str, Any], kind: str) -> Iterator[Fault]:
    told = config[kind]
    if not isinstance(told, list):
        yield from _name(told, (kind,))
    elif kind == "approval":
        yield Fault("an approval has one name", (kind,), "wait for a list of signals, or for each approval by itself")
    elif not 1 <= len(told) <= names_max:
        yield Fault(f"`{kind}` is a name, or a list of 1 to {names_max} (names_max) names", (kind,))
    else:
        for index, name in enumerate(told):
            yield from _name(name, (kind, index))
            if name in told[:index]:
                yield Fault(f"the name `{str(name)[:80]}` is listed twice", (kind, index), "leave one out")


def _name(name: Any, at: tuple[str | int, ...]) -> Iterator[Fault]:
    if not isinstance(name, str) or not name:
        yield Fault("a name is a text, and not an empty one", at)
    elif len(name) > name_characters_max and "${" not in name:
        yield Fault(f"a name has at most name_characters_max, {name_characters_max}, characters", at)


def delay(config: dict[str, Any]) -> Iterator[Fault]:
    """A time, or how long."""
    if "until" not in config:
        return
    if "duration" in config:
        yield Fault("a delay has `duration` and `until`, and only one of them can end it", ("until",), "leave one out")
    until = config["until"]
    if not (isinstance(until, str) and "${" in until) and parse_time(until) is None:
        hint = "write it as ISO 8601, `2026-05-01T08:00:00Z`, or as UTC milliseconds"
        yield Fault(f"`{str(until)[:60]}` is no time for `until`", ("until",), hint)


def subflow(config: dict[str, Any]) -> Iterator[Fault]:
    """The workflow by its id, or a body."""
    if "workflow" not in config:
        if "body" not in config:
            yield Fault("a subflow names no workflow", (), "give `config: {workflow: ID}`, or a `body`")
        for key in ("version", "wait", "output"):
            if key in config:
                yield Fault(f"`{key}` is told of a `workflow`, and there is none", (key,), "leave it out")
        return
    if "body" in config:
        yield Fault("a subflow has `workflow` and `body`, and only one of them can be run", ("body",), "leave one out")
    workflow, version = config["workflow"], config.get("version")
    if not isinstance(workflow, str) or not workflow:
        yield Fault("`workflow` is the id of a workflow, as text", ("workflow",))
    elif "${" in workflow:
        hint = "name it as it is; an `if` or a `switch` can choose between several subflows"
        yield Fault("`workflow` is known before anything runs, so it cannot be computed", ("workflow",), hint)
    if version is not None and (isinstance(version, bool) or not isinstance(version, str | int | float)):
        yield Fault("`version` is that of the workflow, as text", ("version",))
    elif version is not None and workflow == SELF:
        yield Fault("`self` is this very version of the workflow", ("version",), "leave `version` out")
    yield from flag(config, "wait")
