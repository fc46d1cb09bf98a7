"""Random graphs with all that has bodies or waits: a plain graph (`random_graphs`), some of whose nodes become such.

The bodies are plain graphs again, furnished in the same way, two deep. Their nodes have the names of those outside
(n0, n1…), so that what looks outward may find the wrong one; those of a branch have its letter before them, so that a
node's way of names is its own.
"""

from __future__ import annotations

from random import Random
from typing import Any

from .naive import Shape
from .random_graphs import random_graph

DEPTH_MAX = 2
NAMES = ("s", "t", "s0", "s1")
SMALL = ((2, 6), (1, 4), (1, 3))
"""How many nodes a graph has, at least and at most, by its depth."""

BLOCKS = ("forEach", "forEach", "while", "until", "parallel", "race", "mutex", "subflow")
BECOMES = ("function", "function", "trigger", "log")
TIMEOUT_MS = 300
WEIGHT = 0.5


class Place:
    """Where a graph stands: how deep, in how many loops, and which nodes are around it."""

    def __init__(self, depth: int = 0, loops: int = 0, around: tuple[str, ...] = ()) -> None:
        self.depth = depth
        self.loops = loops
        self.around = around

    def within(self, graph: dict[str, Any], loop: bool) -> Place:
        """That of a body of one of the graph's nodes."""
        ids = tuple(node["id"] for node in graph["nodes"])
        return Place(self.depth + 1, self.loops + loop, (*self.around, *ids))


def random_block_graph(random: Random, policy: str = "continue", weight: float = WEIGHT) -> dict[str, Any]:
    """A small graph in which `weight` of the nodes that could be blocks are."""
    graph = random_graph(random, policy, count=random.randint(*SMALL[0]))
    furnish(random, graph, Place(), weight)
    return graph


def furnish(random: Random, graph: dict[str, Any], place: Place, weight: float) -> None:
    """Some of its nodes become blocks, waits, and so on; others set variables; conditions look further."""
    order = sorted(graph["nodes"], key=lambda node: str(node["id"]))
    for number, node in enumerate(order):
        if node["type"] in BECOMES:
            _become(random, graph, node, [earlier["id"] for earlier in order[:number]], place, weight)
        if node["type"] == "function":
            for outcome in node["outcomes"]:
                if outcome["kind"] == "ok" and outcome["port"] is None and random.random() < 0.3:
                    outcome["sets"] = random.sample("ab", random.choice((1, 1, 2)))
        if random.random() < 0.25:
            node["mapping"] = ("make", _seen(random, graph, place))
        if node["type"] == "switch" and random.random() < 0.5:
            node["decides"]["cases"] = [
                (port, _condition(random, graph, place)) for port, _ in node["decides"]["cases"]
            ]
    for edge in graph["connections"]:
        if edge["condition"] and random.random() < 0.6:
            edge["condition"] = _condition(random, graph, place, edge["source"])
        _port(random, graph, edge)


def _become(
    random: Random, graph: dict[str, Any], node: dict[str, Any], before: list[str], place: Place, weight: float
) -> None:
    """Perhaps another kind of node. Those that run often are left as they are, to keep runs short."""
    chance = random.random()
    if chance < weight / (1, 1, 2)[place.depth] and place.depth < DEPTH_MAX and Shape(graph).most[node["id"]] <= 3:
        _change(node, random.choice(BLOCKS))
        node["block"] = _block(random, graph, node["type"], place, weight)
        node["timeout"] = TIMEOUT_MS if random.random() < 0.12 else None
    elif chance > 0.87:
        _change(node, "wait")
        node["wait"] = _wait(random, place)
        node["timeout"] = TIMEOUT_MS if random.random() < 0.25 else None
    elif chance > 0.83:
        _change(node, "delay")
        node.update(until=random.choice((0, 900, 1040, 5_000)), iso=random.random() < 0.5)
    elif chance > 0.79 and before:
        _change(node, "milestone")
        others = [other["id"] for other in graph["nodes"] if other is not node]
        told = random.choice(((1, 0), (1, 0), (0, 1), (1, 1)))
        if Shape(graph).repeats(node["id"]):  # (what it waits for may wait for room with it)
            told = (0, 1)
        node["milestone"] = {
            "after": random.choice(before) if told[0] else None,
            "before": random.choice(others) if told[1] else None,
        }
    elif chance > 0.75 and len(graph["nodes"]) > 1:
        _change(node, "cancel")
        others = [other["id"] for other in graph["nodes"] if other is not node]
        node["cancels"] = random.sample(others, random.randint(1, min(2, len(others))))


def _change(node: dict[str, Any], kind: str) -> None:
    node.update(type=kind, retry=None, limited=False)


def _port(random: Random, graph: dict[str, Any], edge: dict[str, Any]) -> None:
    """A connection from a node that leaves by ports leaves by one of them, as a rule."""
    node = next(one for one in graph["nodes"] if one["id"] == edge["source"])
    ports: list[str | None] = []
    if node["type"] == "race":
        ports = [body["name"] for body in node["block"]["bodies"]]
    elif node["type"] == "wait":
        ports = ["approved", "rejected"] if node["wait"]["kind"] == "approval" else [None]
        ports = list(NAMES) if isinstance(node["wait"]["names"], list) else ports
    elif node["type"] == "milestone":
        ports = ["open", "closed"]
    elif not node.get("timeout") and not node.get("block"):
        return
    if edge["trigger"] != "fail":
        edge["port"] = random.choice((*ports, *ports, "timeout" if node.get("timeout") else None, None))


# --- blocks


def _block(random: Random, graph: dict[str, Any], kind: str, place: Place, weight: float) -> dict[str, Any]:
    within = place.within(graph, kind in ("forEach", "while", "until"))
    count = random.choice((1, 2, 2, 3)) if kind in ("parallel", "race") else 1
    block: dict[str, Any] = {}
    if kind == "forEach":
        block = _for_each(random, place)
    elif kind in ("while", "until"):
        block = _loop(random, kind, graph, place)
    elif kind == "parallel":
        block = {"concurrency": random.choice((None, None, 1, 2)), **_policy(random)}
    elif kind == "mutex":
        block = {"name": random.choice(("m", "m", "m", ("text", "m", ("get", "index")) if place.loops else "k"))}
        if random.random() < 0.05:
            block["name"] = ("raise",)
    block["bodies"] = [_body(random, within, "" if count == 1 else "abc"[at], weight) for at in range(count)]
    if kind == "forEach" and random.random() < 0.01:
        block.update(items=130, concurrency=random.choice((1, 200)))
        block["bodies"] = [_body(random, within, "", 0, count=1)]
    return block


def _policy(random: Random) -> dict[str, Any]:
    return {
        "onError": random.choice((None, None, "failFast", "collect", "collect")),
        "succeedAt": random.choice((None, None, None, 1, 2)),
    }


def _for_each(random: Random, place: Place) -> dict[str, Any]:
    trees = [1, 2, None, {"more": [3, {"more": [4]}]}, {"more": [], "v": 2}, 5]
    items: Any = random.choice(
        (
            random.sample(trees, random.randint(0, 4)),
            random.sample(trees, random.randint(1, 4)),
            {"k": 1, "l": {"v": 2}},
            random.randint(0, 4),
            ("get", "value.v"),
            ("get", random.choice(("variables.a", "loop.count", "index"))),
            {"range": _range(random)},
        )
    )
    if random.random() < 0.04:
        items = random.choice((("raise",), 1.5, -1))
    more = random.random() < 0.4
    stop = random.choice(
        (("is", ("value.v", ">", 2)), ("is", ("index", "==", 1)), ("is", ("item", "==", 2)), ("raise", 0))
    )
    return {
        "items": items,
        "concurrency": random.choice((None, 1, 2, 2, 3, 9)),
        "more": ("get", "item.more") if more else ("raise",) if random.random() < 0.03 else None,
        "stopWhen": stop if random.random() < 0.2 else None,
        **_policy(random),
    }


def _range(random: Random) -> dict[str, Any]:
    told: dict[str, Any] = {"to": random.choice((0, 1, 3, ("get", "value.v")))}
    if random.random() < 0.4:
        told["from"] = random.randint(-1, 3)
    if random.random() < 0.4:
        told["step"] = random.choice((1, 2, -1, -2, 0))
    return told


def _loop(random: Random, kind: str, graph: dict[str, Any], place: Place) -> dict[str, Any]:
    until = kind == "until"
    condition: Any = random.choice(
        (
            ("is", ("index", ">" if until else "<", random.randint(0, 3))),
            ("is", ("value.v", "<" if until else ">", random.randint(0, 3))),
            ("is", ("variables.a", random.choice("<>"), random.randint(0, 3))),
            ("is", (random.choice(("loop.index", "loop.state.v", "loop.count")), "<", random.randint(1, 3))),
            _condition(random, graph, place),
        )
    )
    block = {
        "condition": condition,
        "maxIterations": random.choice((1, 2, 3, 5)),
        "collect": random.random() < 0.4,
    }
    if random.random() < 0.4:
        block["initial"] = random.choice(({"v": 1}, {"v": ("get", "value.v")}, ("get", "item"), 0))
    if random.random() < 0.03:
        block["initial"] = ("raise",)
    return block


def _body(random: Random, place: Place, letter: str, weight: float, count: int | None = None) -> dict[str, Any]:
    graph = random_graph(random, count=count or random.randint(*SMALL[place.depth]))
    for node in graph["nodes"]:  # (what could be seen from outside is drawn anew, from all that is seen here)
        if node["mapping"] and node["mapping"][1]:
            node["mapping"] = ("value", letter + node["mapping"][1])
        node["id"] = letter + node["id"]
        node["dependsOn"] = [letter + id for id in node["dependsOn"]]
        for at, (port, (shape, value)) in enumerate((node["decides"] or {}).get("cases", ())):
            node["decides"]["cases"][at] = (port, (shape, letter + value if shape == "done" else value))
    for edge in graph["connections"]:
        edge.update(source=letter + edge["source"], target=letter + edge["target"])
        if edge["condition"] and edge["condition"][0] == "done":
            edge["condition"] = ("done", letter + edge["condition"][1])
    furnish(random, graph, place, weight)
    output: Any = None
    if random.random() < 0.4:
        output = random.choice((_seen(random, graph, place), ("get", f"nodes.{graph['nodes'][-1]['id']}.output")))
    elif random.random() < 0.05:
        output = ("raise",)
    name = random.choice(("p", "q", None))
    return {"nodes": graph["nodes"], "connections": graph["connections"], "output": output, "name": name}


# --- waits, and what is looked at


def _wait(random: Random, place: Place) -> dict[str, Any]:
    kind = random.choice(("signal", "signal", "event", "approval"))
    names: Any = random.choice(NAMES[:2])
    if kind != "approval" and random.random() < 0.3:
        names = random.sample(NAMES, 2)
    elif place.loops and random.random() < 0.3:
        names = ("text", "s", ("get", "index"))
    elif random.random() < 0.03:
        names = ("raise",)
    return {
        "kind": kind,
        "names": names,
        "schema": None if kind == "approval" else random.choice((None, None, "number", "object")),
        "transient": random.choice((None, None, True, False)),
    }


def _seen(random: Random, graph: dict[str, Any], place: Place) -> dict[str, Any]:
    """An object of what is seen from a graph."""
    ids = [node["id"] for node in graph["nodes"]]
    paths = ["item", "index", "variables.a", "variables.b", "loop", "loop.outer.index", "input.x"]
    paths += [f"nodes.{random.choice((*ids, *place.around))}.output"]
    return {path.replace(".", "_"): ("get", path) for path in random.sample(paths, random.randint(1, 4))}


def _condition(random: Random, graph: dict[str, Any], place: Place, source: str | None = None) -> tuple[str, Any]:
    """A condition that looks further. Not at a connection's own source: one that repeats has ended, and has not."""
    ids = tuple(id for id in (*(node["id"] for node in graph["nodes"]), *place.around) if id != source) or ("nobody",)
    if random.random() < 0.25:
        return ("done", random.choice(ids))
    if random.random() < 0.05:
        return ("raise", 0)
    paths = ["index", "loop.index", "loop.count", "loop.outer.index", "loop.state.v", "variables.a", "variables.b"]
    path = random.choice((*paths, "item", f"nodes.{random.choice(ids)}.output.v"))
    return ("is", (path, "==" if path == "item" else random.choice(("==", "<", ">")), random.randint(0, 3)))
