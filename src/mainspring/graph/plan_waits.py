"""What nodes that wait for somebody, for a time or for a child are told in their config, compiled once a plan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from mainspring.definition.bodies import bodies
from mainspring.definition.kind_keys import SELF, WAITS_FOR
from mainspring.definition.model import Node
from mainspring.expression import Template, compile_template
from mainspring.graph.schemas import Check, check_of


class Wait(NamedTuple):
    """A wait: for `kind`, by any of `names`. `listed`: the names were given as a list, and are its ports."""

    kind: str
    names: tuple[Template, ...]
    listed: bool
    check: Check | None
    reads_value: bool


class Until(NamedTuple):
    """A delay that ends at a time."""

    time: Template
    reads_value: bool


class Child(NamedTuple):
    """A subflow that starts an instance of its own: what its workflow is known by, and whether it waits for the end.

    `output` makes the node's output of the child's, which is `value` there.
    """

    name: str
    waits: bool
    output: Template | None = None


Keeps = Mapping[str, frozenset[str] | None]
"""By kind, the names of what is kept when nobody waits for it; None: all of them."""


def wait_of(config: dict[str, Any]) -> Wait:
    """A wait's config."""
    kind = next(kind for kind in WAITS_FOR if kind in config)
    told = config[kind]
    names = tuple(compile_template(name) for name in (told if isinstance(told, list) else [told]))
    reads = any("value" in name.roots for name in names)
    return Wait(kind, names, isinstance(told, list), check_of(config.get("schema"), "payload"), reads)


def until_of(config: dict[str, Any]) -> Until | None:
    """A delay's config, where it says until when."""
    if "until" not in config:
        return None
    time = compile_template(config["until"])
    return Until(time, "value" in time.roots)


def child_of(config: dict[str, Any]) -> Child | None:
    """A subflow's config, where it names a workflow."""
    if "workflow" not in config:
        return None
    output = None if config.get("output") is None else compile_template(config["output"])
    return Child(child_name(config), config.get("wait", True) is not False, output)


def child_name(config: dict[str, Any]) -> str:
    """What a subflow calls the workflow that it starts: its id, and its version where one is told."""
    version = config.get("version")
    return str(config["workflow"]) if version is None else f"{config['workflow']}@{version}"


def all_nodes(nodes: tuple[Node, ...]) -> Iterator[Node]:
    """The nodes of a graph, and those of all bodies within them."""
    line = list(nodes)
    for node in line:
        yield node
        line.extend(inner for _, body in bodies(node) for inner in body.nodes)


def children_named(nodes: tuple[Node, ...]) -> tuple[str, ...]:
    """What the subflows of a definition call the workflows that they start, each once; not the definition itself."""
    names = (child_name(node.config) for node in all_nodes(nodes) if starts_child(node))
    return tuple(dict.fromkeys(name for name in names if name != SELF))


def starts_child(node: Node) -> bool:
    """Whether it is a subflow with an instance of its own."""
    return node.type == "subflow" and isinstance(node.config.get("workflow"), str)


def keeps_of(nodes: tuple[Node, ...]) -> Keeps:
    """What is kept when it comes before anybody waits for it."""
    found: dict[str, set[str] | None] = {}
    for node in all_nodes(nodes):
        kind = next((kind for kind in WAITS_FOR if kind in node.config), None) if node.type == "wait" else None
        if kind is None or _transient(kind, node.config):
            continue
        told = node.config[kind]
        for name in told if isinstance(told, list) else [told]:
            names = found.setdefault(kind, set())
            if names is None or (isinstance(name, str) and "${" in name):
                found[kind] = None
            else:
                names.add(str(name))
    return {kind: None if names is None else frozenset(names) for kind, names in found.items()}


def may_take(nodes: tuple[Node, ...], kind: str, name: str) -> bool:
    """Whether some wait of a definition may wait for this, transient or not."""
    for node in all_nodes(nodes):
        if node.type == "wait" and kind in node.config:
            told = node.config[kind]
            for one in told if isinstance(told, list) else [told]:
                if one == name or (isinstance(one, str) and "${" in one):
                    return True
    return False


def _transient(kind: str, config: dict[str, Any]) -> bool:
    return bool(config.get("transient", kind == "event"))
