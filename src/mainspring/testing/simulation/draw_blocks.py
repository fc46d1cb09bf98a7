"""Draw blocks, and nodes that decide, into a drawn graph: some of its nodes become such. Bodies are drawn likewise, two deep.

The nodes of bodies have the names of those outside, so that an expression that looks outward may find the wrong one. They are
quick and few: what is looked for is in their order, not in their number.
"""

from __future__ import annotations

from random import Random
from typing import Any

import msgspec
from msgspec.structs import replace

from mainspring.definition.model import Body, Connection, Node, Retry, Workflow
from mainspring.testing.simulation.draw_joins import Joiner
from mainspring.testing.simulation.joins import Edge, rules

SHARE = 0.4
"""So many of the workflows have blocks."""

DEPTH_MAX = 2
BLOCKS = ("forEach", "forEach", "forEach", "while", "until", "parallel", "race", "race", "mutex", "subflow")
RUNS_MAX = 3
"""A node that may run more often does not become a block."""

RAISING = "${ 6 / (input.k - 2) }"
BRANCHES = ("left", "right", None)
LOCKS = (("stock", "stock", "lock-${ input.k }", RAISING), ("inner", "inner", "inner-${ index }"))
"""By how deep the mutex is: whoever has an inner lock never asks for an outer one, so nobody waits for ever."""

DECISIONS = (
    "value.v >= 50",
    "input.k >= 3",
    "index < 1",
    "nodes.n0.completed",
    "variables.last != null",
    "1 / 0 > value.v",
)


def with_blocks(random: Random, workflow: Workflow) -> Workflow:
    """The workflow; a share of them has blocks."""
    if random.random() >= SHARE:
        return workflow
    nodes = _furnished(random, list(workflow.nodes), list(workflow.connections), 0)
    connections = _leaving_rightly(random, nodes, list(workflow.connections))
    return replace(workflow, nodes=tuple(nodes), connections=tuple(connections))


def _furnished(random: Random, nodes: list[Node], connections: list[Connection], depth: int) -> list[Node]:
    """The same nodes, some of which have become others."""
    most = _runs(nodes, connections)
    asked = {source for node in nodes for source in node.depends_on}
    made: list[Node] = []
    for node in nodes:
        draw = random.random()
        if draw < (0.25, 0.2)[depth] and most[node.id] <= RUNS_MAX:
            node = _block(random, node, depth, node.id in asked)
        elif draw < 0.33 and node.id not in asked:
            # A milestone that runs often would keep upstream from ever ending what it waits for.
            before = [one.id for one in made] if most[node.id] == 1 else []
            node = _decides(random, node, before, [one.id for one in nodes if one is not node])
        made.append(node)
    return made


def _runs(nodes: list[Node], connections: list[Connection]) -> dict[str, int]:
    incoming: dict[str, list[Edge]] = {node.id: [] for node in nodes}
    for one in connections:
        incoming[one.target].append(Edge(0, one.source, one.target, target_port=one.target_port))
    for node in nodes:
        incoming[node.id] += [Edge(0, source, node.id) for source in node.depends_on]
    return {id: rule.most for id, rule in rules({node.id: node for node in nodes}, incoming).items()}


def _change(node: Node, type: str, config: dict[str, Any], timeout: int | None = None) -> Node:
    return replace(node, type=type, config=config, timeout=timeout, retry=None, max_concurrent_executions=None)


def _leaving_rightly(random: Random, nodes: list[Node], connections: list[Connection]) -> list[Connection]:
    """The connections of these nodes, each from a port that its source has."""
    sources = {node.id: node for node in nodes}
    return [_leaving(random, one, sources[one.source]) for one in connections]


def _leaving(random: Random, one: Connection, source: Node) -> Connection:
    """The connection leaves by a port that its source has."""
    if source.type == "function" or one.trigger == "fail":
        return one
    ports: list[str | None] = [None]
    if source.type == "race":
        ports = [branch.get("name") for branch in source.config["branches"]]
    elif source.type == "if":
        ports = ["true", "false"]
    elif source.type == "switch":
        ports = ["left", "right", "default"]
    elif source.type == "milestone":
        ports = ["open", "closed"]
    if source.timeout is not None:
        ports = [*ports, "timeout"]
    port = random.choice(ports)
    return replace(one, source_port=port, trigger="complete" if port is not None else one.trigger)


# --- nodes that decide ----------------------------------------------------------------------------------------------


def _decides(random: Random, node: Node, before: list[str], others: list[str]) -> Node:
    kinds = ["if", "if", "switch", *(["cancel"] if others else []), *(["milestone"] if before else [])]
    kind = random.choice(kinds)
    if kind == "if":
        return _change(node, "if", {"condition": random.choice(DECISIONS)})
    if kind == "switch":
        cases = [{"port": port, "when": random.choice(DECISIONS)} for port in ("left", "right")]
        return _change(node, "switch", {"cases": cases, "match": random.choice(("first", "all"))})
    if kind == "cancel":
        return _change(node, "cancel", {"nodes": random.sample(others, random.randint(1, min(2, len(others))))})
    told = {"after": random.choice(before)}
    closing = [id for id in others if id not in told.values()]
    if closing and random.random() < 0.5:
        told["before"] = random.choice(closing)
    return _change(node, "milestone", told)


# --- blocks ---------------------------------------------------------------------------------------------------------


def _block(random: Random, node: Node, depth: int, asked: bool) -> Node:
    kind = random.choice(BLOCKS)
    timeout = random.choice((60, 400, 1_500)) if random.random() < 0.3 else None
    return _change(node, kind, _config(random, kind, depth, asked), timeout)


def _config(random: Random, kind: str, depth: int, asked: bool) -> dict[str, Any]:
    if kind == "forEach":
        items = _items(random)
        return {**items, **_many(random, of=_count(items)), "body": _body(random, depth)}
    if kind in ("while", "until"):
        return {**_passes(random, kind), "body": _body(random, depth)}
    if kind == "parallel":
        branches = [_body(random, depth) for _ in range(random.randint(1, 3))]
        return {**_many(random, of=len(branches)), "branches": branches}
    if kind == "race":
        branches = [_body(random, depth, random.choice(BRANCHES)) for _ in range(random.randint(1, 3))]
        if asked:  # somebody follows it by its primary output
            branches[0].pop("name", None)
        return {"branches": branches}
    name = {"name": random.choice(LOCKS[depth])} if kind == "mutex" else {}
    return {**name, "body": _body(random, depth)}


def _count(told: dict[str, Any]) -> int:
    """How many bodies are worth asking for: no more than there are for sure, where that is known."""
    items = told.get("items", told.get("range", {}).get("to"))
    return (
        3
        if isinstance(items, str)
        else max(1, items if isinstance(items, int) else len(items) if "items" in told else 1)
    )


def _many(random: Random, of: int = 1) -> dict[str, Any]:
    told: dict[str, Any] = {}
    if random.random() < 0.6:
        told["concurrency"] = random.randint(1, 3)
    if random.random() < 0.5:
        told["onError"] = random.choice(("failFast", "collect", "collect"))
    if random.random() < 0.25:
        told["succeedAt"] = random.randint(1, of)
    return told


def _items(random: Random) -> dict[str, Any]:
    trees = [{"more": [3, 4]}, {"more": [{"more": [5]}]}, 1, 2, {"v": 60}]
    shape = random.random()
    if shape < 0.25:
        told: dict[str, Any] = {"items": random.sample(trees, random.randint(1, 4))}
    elif shape < 0.4:
        told = {"items": random.choice((1, 2, 3, 5, {"a": 1, "b": 2}))}
    elif shape < 0.6:
        told = {"range": {"from": random.randint(0, 2), "to": random.choice((1, 4, "${ input.k }")), "step": 1}}
    else:
        told = {
            "items": random.choice(
                ("${ input.k }", "${ input.k }", "${ input.k - 1 }", f"{RAISING}", "${ input.k - 3 }")
            )
        }
    if random.random() < 0.5:
        told["more"] = random.choice(("${ item.more }", "${ index < 1 ? [7] : null }", "${ value.v >= 90 ? 1 : null }"))
    if random.random() < 0.25:
        told["stopWhen"] = random.choice(
            ("value.v >= 70", "index >= 2", "loop.count >= 4 && index >= 1", "1 / 0 > index")
        )
    return told


def _passes(random: Random, kind: str) -> dict[str, Any]:
    going = (
        "index < 2",
        "index < 3 && value.v < 70",
        "variables.last == null && index < 2",
        "index < input.k",
        "1 / 0 > index",
    )
    ending = ("index >= 2", "value.v >= 40", "variables.last != null", "loop.state.v >= 60", "1 / 0 > index")
    told: dict[str, Any] = {"condition": random.choice(going if kind == "while" else ending)}
    told["maxIterations"] = random.randint(1, 4)
    if random.random() < 0.5:
        told["collect"] = True
    if random.random() < 0.5:
        told["initial"] = random.choice(({"v": 5}, {"v": "${ input.k }"}, RAISING))
    return told


def _body(random: Random, depth: int, name: str | None = None) -> dict[str, Any]:
    """A graph of a few nodes, as the tree that stands in a config."""
    count = random.choice((1, 1, 2, 2, 3, 4)) if depth == 0 else random.choice((1, 1, 2))
    connections: list[Connection] = []
    for target in range(1, count):
        if random.random() < 0.75:
            connections.append(_connection(random, random.randrange(target), target))
    nodes = [_node(random, index) for index in range(count)]
    joiner = Joiner(random, connections, share=0.5)
    nodes = [joiner.joined(node) for node in nodes]
    connections = joiner.connections
    if depth + 1 < DEPTH_MAX:
        nodes = _furnished(random, nodes, connections, depth + 1)
    connections = _leaving_rightly(random, nodes, connections)
    leaving = {one.source for one in connections if one.source_port is not None}
    nodes = [
        replace(node, config={**node.config, "ports": [None, "left", "right"]})
        if node.id in leaving and node.type == "function"
        else node
        for node in nodes
    ]
    output: Any = None
    if random.random() < 0.4:
        output = {"v": f"${{ nodes.n{random.randrange(count)}.output.v }}", "i": "${ index }"}
        if random.random() < 0.1:
            output["z"] = RAISING
    body = Body(nodes=tuple(nodes), connections=tuple(connections), output=output, name=name)
    tree: dict[str, Any] = msgspec.to_builtins(body)
    return tree


def _connection(random: Random, source: int, target: int) -> Connection:
    trigger: Any = random.choice(("complete", "complete", "complete", "all", "fail"))
    condition = None
    if random.random() < 0.3 and trigger == "complete":
        condition = random.choice(
            ("output.v >= 50", "index < 1", "nodes.n0.output.v >= 20", "loop.outer.index == 1", "1 / 0 > output.v")
        )
    port = random.choice(("left", "right")) if trigger == "complete" and random.random() < 0.1 else None
    return Connection(source=f"n{source}", target=f"n{target}", trigger=trigger, condition=condition, source_port=port)


def _node(random: Random, index: int) -> Node:
    draw, id = random.random, f"n{index}"
    some: dict[str, Any] = {}
    if draw() < 0.2:
        seen = (
            "item",
            "index",
            "loop.count",
            "loop.state",
            "loop.outer.index",
            "variables.last",
            "nodes.n1.output.v",
            "input.k",
        )
        some["input"] = {"v": "${ input.k }", "x": f"${{ {random.choice(seen)} }}"}
    if draw() < 0.12:
        return Node(id=id, type="delay", config={"duration": random.choice((0, 1, 50, 300, 2_500))}, **some)
    if draw() < 0.15:
        return Node(id=id, type=random.choice(("trigger", "log")), **some)
    if draw() < 0.2:
        some["timeout"] = random.choice((60, 250))
    if draw() < 0.4:
        some["retry"] = Retry(
            strategy=random.choice(("fixed", "exponential")),
            max_attempts=random.randrange(2, 4),
            initial_delay=random.choice((5, 60, 300)),
            max_delay=400,
            jitter=random.choice((0.0, 0.25)),
        )
    traits: dict[str, Any] = {"fail": random.choice((0, 0, 0.1, 0.4)), "ms": random.choice((0, 5, 40, 200))}
    if "timeout" in some:
        traits["block"] = random.choice((0, 0.3))
        traits["lost"] = random.choice((0, 0.3))
    if draw() < 0.05:
        traits["absent"] = True
    if draw() < 0.4:
        traits["sets"] = True
    return Node(id=id, type="function", config=traits, **some)
