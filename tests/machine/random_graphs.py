"""Random graphs as plain data, and the definition that mainspring makes of one.

They are drawn from a `random.Random`: a seeded one in the command, Hypothesis's own in the properties, which can shrink.
Only valid graphs are made: what the rules forbid (docs/semantics.md, 15 and the table of how often a node can run) is
never drawn, and no node runs more than `RUNS_MAX` times, so that each graph's run stays short.
"""

from __future__ import annotations

from random import Random
from typing import Any

import msgspec

from mainspring.definition.model import Workflow
from mainspring.graph.plan import Plan

from . import failure_documents
from .block_documents import CONDITIONS, block_config, condition_text, template_text
from .naive import Shape

RUNS_MAX = 12
NODE_TIMEOUT_MS = 700
DELAY_MS = 40
ASKED = [shape for shape in CONDITIONS if shape != "error"]
"""What nodes that decide are asked."""

STYLES = {
    # how many sources, how many connections from each, how often a connection has nothing that stops it
    "wild": ((0, 1, 1, 1, 2, 2, 3), (1, 1, 1, 1, 2), 0.0),
    "calm": ((0, 1, 1, 2, 2, 3), (1, 1, 1, 2), 0.7),
    "repeating": ((0, 0, 1, 1, 1, 2, 2, 3), (1, 1, 1, 2), 0.8),
    "race": ((0, 0, 1, 1, 2, 2, 3), (1, 1, 1, 1, 2), 0.8),
}


def random_graph(
    random: Random, policy: str = "continue", style: str | None = None, count: int | None = None
) -> dict[str, Any]:
    """2 to 14 nodes (or `count`), each connected to some before it."""
    style = style or random.choice(sorted(STYLES))
    count = random.randint(2, 14) if count is None else count
    graph: dict[str, Any] = {
        "nodes": [],
        "connections": [],
        "policy": policy,
        "input": random.choice((None, {"x": 1}, {"x": 3, "y": "ü"})),
        "output": None,
    }
    for number in range(count):
        _add(random, graph, number, style)
    if random.random() < 0.5:  # the order of the definition is the author's
        random.shuffle(graph["nodes"])
        random.shuffle(graph["connections"])
    if random.random() < 0.2:
        graph["output"] = random.sample([node["id"] for node in graph["nodes"]], 1)
    return graph


def _add(random: Random, graph: dict[str, Any], number: int, style: str) -> None:
    """One more node, with its connections from those before it."""
    sources, parallel, plain = STYLES[style]
    node = _node(random, f"n{number}", style)
    before = [earlier["id"] for earlier in graph["nodes"]]
    repeating = _repeating(graph)
    chosen = random.sample(before, min(len(before), random.choice(sources)))
    if style == "repeating" and repeating and chosen and random.random() < 0.6:
        chosen[0] = random.choice(repeating)
    if style == "race":  # ends that meet: only what leads nowhere else is stopped
        loose = [id for id in before if all(edge["source"] != id for edge in graph["connections"])]
        chosen = random.sample(loose, min(len(loose), len(chosen)))
    if before and random.random() < 0.1:
        node["dependsOn"] = [random.choice(before)]
    graph["nodes"].append(node)
    written = len(graph["connections"])
    for source in dict.fromkeys(chosen):
        for _ in range(random.choice(parallel)):
            edge = _edge(random, source, node["id"], len(graph["connections"]), random.random() < plain)
            if edge["condition"] and edge["condition"][0] == "done":
                edge["condition"] = ("done", random.choice([id for id in before if id not in repeating]))
            ports = _leaves_by(next(one for one in graph["nodes"] if one["id"] == source))
            if ports and edge["trigger"] != "fail":
                edge["port"] = random.choice((*ports, *ports, *ports, None))
            graph["connections"].append(edge)
    node["join"] = _join(random, graph, node["id"], style)
    if Shape(graph).most[node["id"]] > RUNS_MAX:
        graph["connections"] = graph["connections"][: written + 1]
        node["dependsOn"] = []
        node["join"] = None
    _ports(random, graph, node)
    _mapping(random, graph, node)
    node["decides"] = _decides(random, node["type"], [id for id in before if id not in repeating])


def _leaves_by(node: dict[str, Any]) -> list[str]:
    """The ports of a node that decides."""
    if node["type"] == "terminate" or not node["decides"]:
        return []
    return [*dict.fromkeys((*(port for port, _ in node["decides"]["cases"]), node["decides"]["default"]))]


def _decides(random: Random, type: str, before: list[str]) -> dict[str, Any] | None:
    """What an if, a switch or a terminate is told. An if is a switch of one case."""
    if type == "terminate":
        return {"status": random.choice(("completed", "failed", "cancelled")), "wraps": random.random() < 0.5}
    if type not in ("if", "switch"):
        return None
    shapes = [shape for shape in ASKED if before or shape != "done"]
    cases = []
    for port in ("true",) if type == "if" else random.choices("pqr", k=random.randint(1, 4)):
        shape = random.choice([shape for shape in shapes if shape != "raise" or random.random() < 0.3])
        cases.append((port, (shape, random.choice(before) if shape == "done" else random.randint(0, 3))))
    default = "false" if type == "if" else random.choice(("default", "default", "p"))
    return {"cases": cases, "default": default, "all": type == "switch" and random.random() < 0.5}


def _repeating(graph: dict[str, Any]) -> list[str]:
    shape = Shape(graph)
    return [id for id in shape.nodes if shape.repeats(id)]


def _node(random: Random, id: str, style: str) -> dict[str, Any]:
    type = random.choice(("function",) * 8 + ("delay", "trigger", "log", "if", "switch", "switch"))
    if style == "repeating":
        type = random.choice(("function",) * 5 + ("delay", "trigger", "log", "if", "switch"))
    if random.random() < 0.02:
        type = "terminate"
    retry = None
    if type == "function" and random.random() < 0.5:
        retry = {
            "maxAttempts": random.randint(1, 4),
            "retryOn": random.choice(([], [], ["A"], ["A", "NodeTimeout"])),
            "doNotRetryOn": random.choice(([], [], ["B"])),
        }
    return {
        "id": id,
        "type": type,
        "duration": random.choice((DELAY_MS, DELAY_MS, 0)),
        "retry": retry,
        "mapping": None,
        "limited": type == "function" and random.random() < 0.2,
        "outcomes": [_outcome(random, style) for _ in range(random.randint(1, 3))],
        "join": None,
        "dependsOn": [],
        "decides": None,
    }


def node_of(id: str) -> dict[str, Any]:
    """A function that stands alone: nothing of it is drawn yet."""
    dull = {"type": "function", "duration": 0, "retry": None, "mapping": None, "limited": False, "join": None}
    return {"id": id, **dull, "outcomes": [], "dependsOn": [], "decides": None}


def _outcome(random: Random, style: str) -> dict[str, Any]:
    kind = random.choice(("ok", "ok", "ok", "ok", *(("ok",) * 4 if style != "wild" else ()), "fail", "hang"))
    if kind == "ok":
        port = random.choice((None, None, None, "p", "q")) if style == "wild" else None
        return {"kind": "ok", "base": random.randint(0, 4), "port": port}
    return {"kind": kind, "type": random.choice("AB"), "fatal": kind == "fail" and random.random() < 0.1}


def _edge(random: Random, source: str, target: str, index: int, plain: bool) -> dict[str, Any]:
    shape = random.choice((None, None, None, "greater", "equal", "missing", "error", "input", "done", "raise"))
    value: Any = random.choice("AB") if shape == "error" else random.randint(0, 3)
    dull = plain or shape is None or (shape == "raise" and random.random() < 0.5)
    return {
        "id": f"e{index}" if random.random() < 0.7 else None,
        "source": source,
        "target": target,
        "trigger": random.choice(("complete", "all") if plain else ("complete", "complete", "complete", "all", "fail")),
        "port": None if plain else random.choice((None, None, None, "p", "q")),
        "targetPort": None,
        "condition": None if dull else (shape, value),
    }


def _join(random: Random, graph: dict[str, Any], id: str, style: str) -> dict[str, Any] | None:
    """A join that is allowed here."""
    shape = Shape(graph)
    sources = shape.sources(id)
    repeating = any(shape.repeats(source) for source in sources)
    if not sources or (random.random() < 0.2 and (not repeating or len(sources) == 1)):
        return None
    kind = random.choice(("all", "any", "any", "n", "n", "each", "ports"))
    if style == "race":
        kind = random.choice(("any", "any", "n", "n", "all"))
    if (repeating and len(sources) > 1) or (style == "repeating" and random.random() < 0.6):
        kind = "each"
    join: dict[str, Any] = {"kind": kind}
    if kind == "n":
        join["n"] = random.randint(1, len(sources))
    if kind in ("any", "n") and not repeating and random.random() < (0.8 if style == "race" else 0.4):
        join["cancelOthers"] = True
    if random.random() < 0.3:
        join["capacity"] = random.randint(1, 6)
    return join


def _ports(random: Random, graph: dict[str, Any], node: dict[str, Any]) -> None:
    """Target ports: of some nodes, and of each that joins by ports (one at least has a name)."""
    incoming = [edge for edge in graph["connections"] if edge["target"] == node["id"]]
    shape = Shape(graph)
    must = shape.join(node["id"]) == "ports"
    if must and not incoming:
        node["join"] = None
    elif incoming and (must or random.random() < 0.25):
        ports = random.choice((("a", "b"), ("a", "b", None), ("a", None), ("a",)))
        for edge in incoming:
            edge["targetPort"] = random.choice(ports)
        if must and all(edge["targetPort"] is None for edge in incoming):
            incoming[0]["targetPort"] = "a"
        if Shape(graph).most[node["id"]] > RUNS_MAX:
            node["join"] = None


def _mapping(random: Random, graph: dict[str, Any], node: dict[str, Any]) -> None:
    """Some nodes map their input: from a source that runs once, from no node, or in vain."""
    shape = Shape(graph)
    if not shape.incoming[node["id"]] or random.random() > 0.15:
        return
    once = [source for source in shape.sources(node["id"]) if not shape.repeats(source)]
    kind, source = random.choice((("value", True), ("value", True), ("value", None), ("raise", None)))
    node["mapping"] = (kind, random.choice(once) if source and once else None)
    if shape.join(node["id"]) != "all":
        node["limited"] = (
            False  # the mapping is evaluated once the slot is there: what has ended by then is not the graph's
        )


def plan_of(graph: dict[str, Any]) -> Plan:
    """The same graph as mainspring's plan."""
    return Plan(msgspec.convert(document_of(graph), Workflow), "v1")


def document_of(graph: dict[str, Any]) -> dict[str, Any]:
    """The graph as a definition."""
    return {
        "id": "w",
        "failurePolicy": graph["policy"],
        **_graph_document(graph),
        **failure_documents.whole(graph),
        "output": {id: f"${{ nodes.{id}.output }}" for id in graph["output"]} if graph["output"] else None,
    }


def _graph_document(graph: dict[str, Any]) -> dict[str, Any]:
    """The nodes and connections of the graph, or of a body."""
    return {
        "nodes": [_node_document(node) for node in (*graph["nodes"], *failure_documents.off_graph(graph))],
        "connections": [_edge_document(edge) for edge in graph["connections"]],
    }


def _node_document(node: dict[str, Any]) -> dict[str, Any]:
    document: dict[str, Any] = {"id": node["id"], "type": node["type"]}
    if node["type"] == "function" and any(outcome["kind"] == "hang" for outcome in node["outcomes"]):
        document["timeout"] = NODE_TIMEOUT_MS
    if node["type"] == "delay":
        document["config"] = {"duration": node["duration"]}
    if node["type"] in ("if", "switch", "terminate"):
        document["config"] = _decides_document(node["type"], node["decides"])
    if node.get("timeout"):
        document["timeout"] = node["timeout"]
    config = block_config(node, _graph_document)
    if config is not None:
        document["config"] = config
    if node["retry"]:
        document["retry"] = {**node["retry"], "initialDelay": 20}
    if node["limited"]:
        document["maxConcurrentExecutions"] = 1
    if node["join"]:
        document["join"] = node["join"]
    if node["dependsOn"]:
        document["dependsOn"] = node["dependsOn"]
    if node["mapping"]:
        document["input"] = _mapped(*node["mapping"])
    return {**document, **failure_documents.of_node(node)}


def _decides_document(type: str, decides: dict[str, Any]) -> dict[str, Any]:
    if type == "terminate":
        output = {"output": {"last": "${ value }"}} if decides["wraps"] else {}
        return {"status": decides["status"], **output}
    cases = [{"id": port, "expression": condition_text(condition, "value")} for port, condition in decides["cases"]]
    if type == "if":
        return {"condition": cases[0]["expression"]}
    default = {} if decides["default"] == "default" else {"defaultPath": decides["default"]}
    return {"conditions": cases, "match": "all" if decides["all"] else "first", **default}


def _mapped(kind: str, source: Any) -> Any:
    if kind == "make":
        return template_text(source)
    output = f"${{ nodes.{source}.output }}" if source else None
    return {"from": template_text(("raise",)) if kind == "raise" else output, "x": "${ input.x }"}


def _edge_document(edge: dict[str, Any]) -> dict[str, Any]:
    condition = edge["condition"]
    return {
        "id": edge["id"],
        "source": edge["source"],
        "target": edge["target"],
        "trigger": edge["trigger"],
        "sourcePort": edge["port"],
        "targetPort": edge["targetPort"],
        "condition": None if condition is None else condition_text(condition, "output"),
    }
