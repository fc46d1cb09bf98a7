"""What all drawings say about a node and a connection, in the same few words."""

from __future__ import annotations

from typing import Any

from mainspring.definition.bodies import bodies, body_types
from mainspring.definition.durations import format_duration
from mainspring.definition.kind_keys import LOOPS, WAITS_FOR
from mainspring.definition.model import Node
from mainspring.definition.ports import MAY_TIME_OUT
from mainspring.graph.analysis.structure import Edge

label_chars_max = 60
"""Characters of a label in a drawing; what is longer is cut, with an ellipsis."""

listed_max = 10
"""Names that are listed of a wait or a cancel."""

_FAMILIES = {
    "work": ("function", "script", "transform", "log"),
    "world": ("http", "email", "sql"),
    "choice": ("if", "switch", "decision"),
    "body": ("while", "until", "forEach", "subflow", "parallel", "race", "mutex"),
    "wait": ("delay", "timer", "wait", "milestone"),
    "begin": ("trigger", "event", "webhook"),
    "end": ("terminate", "cancel", "join"),
}
_FAMILY_OF = {kind: family for family, kinds in _FAMILIES.items() for kind in kinds}


def family(node: Node) -> str:
    """The group of kinds that a node's type belongs to: they look alike."""
    return _FAMILY_OF.get(node.type, "work")


def one_line(text: str, limit: int = label_chars_max) -> str:
    """The text on one line, without characters that cannot be shown, at most so long."""
    flat = " ".join(text[: 20 * limit].split())
    shown = "".join(char if char.isprintable() else "\ufffd" for char in flat)
    return shown if len(shown) <= limit else shown[: max(limit - 1, 0)] + "…"


def name(text: str, limit: int) -> str:
    """An id on one line, cut in its middle: the ends of generated ids are what differs."""
    flat = one_line(text, 1_000)
    tail = (limit - 1) // 2
    return flat if len(flat) <= limit else f"{flat[: limit - 1 - tail]}…{flat[len(flat) - tail :]}"


def subtitle(node: Node, degree: int) -> str:
    """What is said beneath a node's id: what it is, and what is special about how it runs."""
    return " · ".join([node.name or node.type, *remarks(node, degree)])


def remarks(node: Node, degree: int) -> list[str]:
    """What is special about how a node joins and runs. `degree`: how many connections lead to it."""
    said = []
    join = node.join
    if join is not None and join.kind != "all":
        said.append(f"{join.n} of {degree}" if join.kind == "n" else f"joins {join.kind}")
    said += told(node)
    if node.retry is not None and node.retry.strategy != "none" and node.retry.max_attempts > 1:
        said.append(f"{node.retry.max_attempts} attempts")
    return said


def told(node: Node) -> list[str]:
    """What a block has within it, what a wait waits for, what a cancel stops: as far as a few words can say it."""
    config = node.config
    said = _within(node)
    if node.type == "forEach" and type(config.get("concurrency")) is int and config["concurrency"] > 1:
        said.append(f"{config['concurrency']} at a time")
    if node.type == "subflow" and isinstance(config.get("workflow"), str):
        said.append(f"runs {one_line(config['workflow'])}")
    if node.type == "mutex":
        said.append(f"locks {_listed(config.get('name'))}")
    if node.type == "wait":
        said += [f"for {kind} {_listed(config[kind])}" for kind in WAITS_FOR if kind in config]
    if node.type == "cancel":
        said.append(f"stops {_listed(config.get('nodes'))}")
    if node.type == "milestone":
        said += [f"{key} {_listed(config[key])}" for key in ("after", "before") if key in config]
    if node.type in MAY_TIME_OUT and node.timeout is not None:
        said.append(f"at most {format_duration(node.timeout)}")
    return said


def _within(node: Node) -> list[str]:
    """How much there is in its bodies."""
    if node.type not in body_types:
        return []
    found = [body for _, body in bodies(node)]
    count = sum(len(body.nodes) for body in found)
    nodes = f"{count} node{'' if count == 1 else 's'}"
    if node.type in ("parallel", "race"):
        return [f"{len(found)} branch{'' if len(found) == 1 else 'es'}, {nodes}"]
    return [f"repeats {nodes}" if node.type in LOOPS else f"{nodes} within"] if found else []


def _listed(names: Any) -> str:
    return one_line(", ".join(map(str, names[:listed_max])) if isinstance(names, list | tuple) else str(names), 40)


def label(edge: Edge) -> str:
    """What a connection needs in order to fire, and which ports it ties; empty where it is a plain one."""
    if edge.kind == "compensation":
        return "undo"
    if edge.kind == "fallback":
        return "instead"
    said = []
    if edge.trigger != "complete":
        said.append("on fail" if edge.trigger == "fail" else "always")
    if edge.source_port is not None:
        said.append(edge.source_port)
    if edge.condition is not None:
        said.append(f"if {edge.condition}")
    if edge.target_port is not None:
        said.append(f"▸ {edge.target_port}")
    return " ".join(said)


def style(edge: Edge) -> str:
    """How a connection is drawn: `plain`, `fail` (dashed) or `help` (dotted)."""
    return "help" if edge.helps else "fail" if edge.trigger == "fail" else "plain"
