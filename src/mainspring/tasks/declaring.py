"""`@ms.node_kind("slack.post", …)`: a kind of node of one's own, with its config, its ports and its icon.

A task is a step of one project; a kind is a step for everybody: what its author decides stands in the code, what the author
of a workflow decides stands in the node's `config`, and what a run brings stands in its `input`. So the function of a kind
takes up to three parameters, known by their names:

    input     the node's input, whole; with an annotation it is converted and held, as a task's parameters are
    config    the node's config, its templates evaluated, as the type that was declared
    context   the TaskContext (`ctx`, or any name that is annotated with it)
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from pathlib import PurePath
from typing import Any, TypeVar

import msgspec

from mainspring.definition.node_kind import ATTRIBUTE
from mainspring.graph.custom_kinds import NodeKind, declare
from mainspring.tasks.annotations import EMPTY, is_context, parameters_of, read, title_of
from mainspring.tasks.typed import conversion_of, own_keys

F = TypeVar("F", bound=Callable[..., Any])

CONTEXTS = ("context", "ctx")
_BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def node_kind(
    name: str,
    *,
    config: Any = None,
    ports: Iterable[str] = (),
    icon: str = "",
    what: str = "",
    process: bool = False,
) -> Callable[[F], F]:
    """Make a function the work of a kind of node that definitions call `name`. The function itself comes back.

    `config` is the type of a node's config (a msgspec Struct, a dataclass, a TypedDict) or a JSON Schema for it; left out, it
    is what the parameter `config` is annotated with. `ports` are the ports by which it may leave beside the primary output
    (`return ms.Output(value, port="…")`). `icon` is a character or two, `what` says in a line what it does (else the
    docstring's first line). With `process` each call runs in a process of its own pool.

    Raises TypeError where the function or the config cannot be those of a kind, ValueError where the name is another's.
    """
    if not isinstance(name, str):
        raise TypeError('a node kind needs a name: @ms.node_kind("slack.post")')

    def register(function: F) -> F:
        takes = parameters(function)
        asked = config
        if asked is None and "config" in takes:
            asked = _annotated(function, "config")
        schema, type = _declared_config(name, asked, "config" in takes)
        kind = NodeKind(name, function, what or _first_line(function), icon, _ports(name, ports), schema, type, process)
        declare(kind)
        try:
            setattr(function, ATTRIBUTE, kind)
        except (AttributeError, TypeError) as error:
            raise TypeError(f"{function!r} takes no attributes: wrap it in a function") from error
        return function

    return register


def parameters(function: Callable[..., Any]) -> dict[str, str]:
    """Which parameter takes what: `input`, `config` and `context`, each with the parameter's own name. Raises TypeError."""
    takes: dict[str, str] = {}
    for parameter in parameters_of(function):
        role = parameter.name
        if role in CONTEXTS or is_context(parameter.annotation, function):
            role = "context"
        elif role not in ("input", "config"):
            if parameter.default is not EMPTY:
                continue
            role = ""
        if not role or role in takes or parameter.kind not in _BY_NAME:
            raise TypeError(
                f"{title_of(function)}: the function of a node kind takes `input`, `config` and `context` (or fewer), "
                f"by these names, and not `{parameter.name}`: what a run brings is in `input`, what a node says in `config`"
            )
        takes[role] = parameter.name
    return takes


def _annotated(function: Callable[..., Any], name: str) -> Any:
    """The type that a parameter's annotation declares; None where that is no type of its own keys (`dict`, nothing)."""
    found = next(read(each.annotation, function) for each in parameters_of(function) if each.name == name)
    if isinstance(found, str):
        raise TypeError(
            f"{title_of(function)}: the annotation of `config`, {found!r}, cannot be read here: the type must stand at the "
            f"top of its module, and be imported when the program runs; or name it: @ms.node_kind(…, config=…)"
        )
    return found if own_keys(found) is not None else None


def _declared_config(name: str, asked: Any, taken: bool) -> tuple[dict[str, Any], Any]:
    """The schema of the config, and the type that it is decoded to (None: plain objects)."""
    if asked is None:
        # Whoever does not even take a config has no use for any key of it; one that takes it bare takes all.
        return (
            {"type": "object"} if taken else {"type": "object", "properties": {}, "additionalProperties": False}
        ), None
    if isinstance(asked, dict):
        try:
            return msgspec.json.decode(msgspec.json.encode(asked), type=dict[str, Any]), None
        except (TypeError, ValueError, RecursionError) as error:
            raise TypeError(f"the config schema of the node kind {name!r} is no JSON: {error}") from None
    if own_keys(asked) is None or conversion_of(asked) is None:
        raise TypeError(
            f"the config of the node kind {name!r} is a msgspec Struct, a dataclass, a TypedDict or a JSON Schema (a dict), "
            f"not {asked!r}"
        )
    return _schema_of(asked), asked


def _schema_of(type: Any) -> dict[str, Any]:
    """A type as JSON Schema. Keys that it does not have are refused: decoding would drop them without a word."""
    whole: dict[str, Any] = msgspec.json.schema(type, schema_hook=_path_schema)
    parts: dict[str, Any] = whole.get("$defs", {})
    for part in parts.values():
        if "properties" in part:
            part.setdefault("additionalProperties", False)
    top = whole.get("$ref", "").removeprefix("#/$defs/")
    if top in parts:
        used = f'"#/$defs/{top}"'.encode() in msgspec.json.encode(parts)
        whole = {**parts[top], "$defs": {key: part for key, part in parts.items() if used or key != top}}
    if not whole.get("$defs"):
        whole.pop("$defs", None)
    return whole


def _path_schema(asked: Any) -> dict[str, Any]:
    """A path is a text. msgspec asks for what it does not know by itself."""
    if isinstance(asked, type) and issubclass(asked, PurePath):
        return {"type": "string"}
    raise NotImplementedError


def _ports(name: str, ports: Iterable[str]) -> tuple[str, ...]:
    listed = (ports,) if isinstance(ports, str) else tuple(ports)
    if len(set(listed)) != len(listed) or not all(isinstance(port, str) and port for port in listed):
        raise TypeError(f"the ports of the node kind {name!r} are texts, each once, not {listed!r}")
    return listed


def _first_line(function: Callable[..., Any]) -> str:
    return (inspect.getdoc(function) or "").partition("\n")[0].rstrip(".")
