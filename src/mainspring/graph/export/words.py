"""What all drawings say about a node and a connection, in the same few words."""

from __future__ import annotations

from mainspring.definition.model import Node
from mainspring.graph.analysis.structure import Edge

label_chars_max = 60
"""Characters of a label in a drawing; what is longer is cut, with an ellipsis."""

_FAMILIES = {
    "work": ("function", "script", "transform", "log"),
    "world": ("http", "email", "sql"),
    "choice": ("if", "switch", "decision"),
    "body": ("while", "until", "forEach", "subflow", "parallel", "race"),
    "wait": ("delay", "timer", "wait", "mutex", "milestone"),
    "begin": ("trigger", "event", "webhook"),
    "end": ("terminate", "join"),
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
    body = node.config.get("body")
    if isinstance(body, dict) and isinstance(body.get("nodes"), list):
        said.append(f"repeats {len(body['nodes'])} node{'' if len(body['nodes']) == 1 else 's'}")
    if node.retry is not None and node.retry.strategy != "none" and node.retry.max_attempts > 1:
        said.append(f"{node.retry.max_attempts} attempts")
    return said


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
