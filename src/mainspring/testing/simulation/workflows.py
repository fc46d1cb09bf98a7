"""Random workflows: graphs with conditions, ports, failures, delays, retries and timeouts; and the classics."""

from __future__ import annotations

from random import Random
from typing import Any

from msgspec.structs import replace

from mainspring.definition.model import Connection, Node, Retry, Workflow
from mainspring.testing.simulation.draw_joins import Joiner

PORTS = ("left", "right")

CONDITIONS = (
    "output.v >= 50",
    "output.v < 30",
    "nodes.n0.output.v >= 20",
    "nodes.n1.output.v >= 20",
    "nodes.n1.completed",
    "input.k >= 3",
)
FAIL_CONDITIONS = ('error.type == "Flaky"', 'error.type != "Broken"')
RAISING = "1 / 0 > output.v"
RAISING_TEMPLATE = "${ 6 / (input.k - 2) }"
DURATION_TEMPLATE = "${ input.k * 150 - 150 }"


def draw_workflow(random: Random, number: int) -> Workflow:
    """One definition."""
    shape = random.random()
    if shape < 0.1:
        return _chain(random, number)
    if shape < 0.25:
        return _fan(random, number)
    if shape < 0.45:
        return _pipeline(random, number)
    return _graph(random, number)


def _policies(random: Random) -> dict[str, Any]:
    some: dict[str, Any] = {}
    if random.random() < 0.25:
        some["failure_policy"] = "fail_fast"
    if random.random() < 0.25:
        some["timeout"] = random.randrange(500, 12_000)
    if random.random() < 0.15:
        some["retry"] = _retry(random)
    if random.random() < 0.3:
        some["variables"] = {"start": random.randrange(10)}
    return some


def _chain(random: Random, number: int) -> Workflow:
    length = random.randrange(2, 9)
    nodes = [_node(random, index, (f"n{index - 1}",) if index else ()) for index in range(length)]
    return Workflow(id=f"chain{number}", nodes=tuple(nodes), **_policies(random))


def _fan(random: Random, number: int) -> Workflow:
    """One, several beside each other, and one that joins them; or several races one after another."""
    width = random.randrange(2, 8)
    nodes = [_node(random, 0)]
    nodes += [_node(random, index, ("n0",)) for index in range(1, width + 1)]
    last = _node(random, width + 1)
    connections = [_connection(random, index, width + 1) for index in range(1, width + 1)]
    if random.random() < 0.3:  # some wait for others that race
        nodes[width] = replace(nodes[width], depends_on=("n1", "n2")[: width - 1] or ("n0",))
    return _joined(random, f"fan{number}", [*nodes, last], connections, share=0.7)


def _pipeline(random: Random, number: int) -> Workflow:
    """Several feed one that runs for each of them, and what comes after it: a line, a fork, a fork that comes together."""
    width = random.randrange(2, 7)
    nodes = [_node(random, index) for index in range(width + random.randrange(2, 6))]
    connections = [_connection(random, index, width) for index in range(width)]
    for index in range(width + 1, len(nodes)):
        for source in random.sample(range(width, index), min(index - width, random.choice((1, 1, 2)))):
            connections.append(_connection(random, source, index))
    kind = random.choice(("each", "each", "ports"))
    return _joined(random, f"pipeline{number}", nodes, connections, share=0.5, kinds={width: kind})


def _graph(random: Random, number: int) -> Workflow:
    size = random.randrange(2, 15)
    density = random.choice((0.1, 0.25, 0.5))
    connections: list[Connection] = []
    depends: dict[int, list[str]] = {}
    for target in range(1, size):
        sources = [source for source in range(target) if random.random() < density]
        if not sources and random.random() < 0.8:
            sources = [random.randrange(target)]
        for source in sources[:4]:
            if random.random() < 0.2:
                depends.setdefault(target, []).append(f"n{source}")
                continue
            connections += [_connection(random, source, target) for _ in range(1 + (random.random() < 0.1))]
    nodes = [_node(random, index, tuple(depends.get(index, ()))) for index in range(size)]
    return _joined(random, f"graph{number}", nodes, connections, share=random.choice((0.0, 0.4, 0.8)))


def _joined(
    random: Random,
    id: str,
    nodes: list[Node],
    connections: list[Connection],
    share: float,
    kinds: dict[int, str] | None = None,
) -> Workflow:
    """The graph with its joins, its connections in an order of their own, some with an id."""
    joiner = Joiner(random, connections, share)
    nodes = [joiner.joined(node, (kinds or {}).get(index)) for index, node in enumerate(nodes)]
    works = {node.id for node in nodes if node.type == "function"}
    joiner.connections = [one if one.source in works else replace(one, source_port=None) for one in joiner.connections]
    random.shuffle(joiner.connections)
    connections = [
        replace(one, id=f"c{index}") if random.random() < 0.2 else one for index, one in enumerate(joiner.connections)
    ]
    leaving = {one.source for one in connections if one.source_port is not None}
    nodes = [
        replace(node, config={**node.config, "ports": [None, *PORTS]})
        if node.id in leaving and node.type == "function"
        else node
        for node in nodes
    ]
    return Workflow(id=id, nodes=tuple(nodes), connections=tuple(connections), **_policies(random))


def _connection(random: Random, source: int, target: int) -> Connection:
    trigger, condition, port = "complete", None, None
    if random.random() < 0.2:
        trigger = random.choice(("fail", "all"))
    if random.random() < 0.3:
        choices = FAIL_CONDITIONS if trigger == "fail" else CONDITIONS
        condition = random.choice(choices)
        if trigger == "complete" and random.random() < 0.05:
            condition = RAISING
    if trigger == "complete" and random.random() < 0.15:
        port = random.choice(PORTS)
    return Connection(
        source=f"n{source}",
        target=f"n{target}",
        trigger=trigger,  # type: ignore[arg-type]
        condition=condition,
        source_port=port,
    )


def _node(random: Random, index: int, depends_on: tuple[str, ...] = ()) -> Node:
    kind = random.random()
    some: dict[str, Any] = {}
    if random.random() < 0.15:
        some["input"] = {"x": "${ input.k }", "y": f"${{ nodes.n{random.randrange(index + 1)}.output.v }}"}
        if random.random() < 0.25:
            some["input"]["z"] = RAISING_TEMPLATE
    if kind < 0.12:
        duration = random.choice((0, 1, 50, 400, 1_500, 4_000, 9_000, DURATION_TEMPLATE))
        return Node(id=f"n{index}", type="delay", config={"duration": duration}, depends_on=depends_on, **some)
    if kind < 0.18:
        return Node(id=f"n{index}", type=random.choice(("trigger", "log")), depends_on=depends_on, **some)
    if random.random() < 0.3:
        some["timeout"] = random.choice((60, 250, 1_000, 3_000))
    if random.random() < 0.5:
        some["retry"] = _retry(random)
    if random.random() < 0.15:
        some["max_concurrent_executions"] = random.randrange(1, 4)
    config = _traits(random, "timeout" in some)
    return Node(id=f"n{index}", type="function", config=config, depends_on=depends_on, **some)


def _traits(random: Random, timeout: bool) -> dict[str, Any]:
    """How the simulated work of a node behaves: probabilities, from which each attempt draws."""
    traits: dict[str, Any] = {"fail": random.choice((0, 0, 0.1, 0.5, 1)), "ms": random.choice((0, 5, 40, 200))}
    if random.random() < 0.05:
        traits["fatal"] = 0.3
    if random.random() < 0.1:
        traits["slow"] = 0.5
    if timeout:
        traits["block"] = random.choice((0, 0.3))
        traits["lost"] = random.choice((0, 0.3))
    if random.random() < 0.15:
        traits["absent"] = True
    if random.random() < 0.25:
        traits["sets"] = True
    if random.random() < 0.03:
        traits["large"] = True
    return traits


def _retry(random: Random) -> Retry:
    some: dict[str, Any] = {}
    if random.random() < 0.2:
        some["retry_on"] = random.choice((("Flaky",), ("TimeoutError", "Flaky"), ("*",)))
    if random.random() < 0.2:
        some["do_not_retry_on"] = ("Busy",)
    return Retry(
        strategy=random.choice(("none", "fixed", "fixed", "linear", "exponential", "exponential")),
        max_attempts=random.randrange(1, 5),
        initial_delay=random.choice((5, 60, 400, 1_500)),
        max_delay=random.choice((300, 3_000)),
        multiplier=random.choice((1.5, 2.0, 3.0)),
        jitter=random.choice((0.0, 0.25, 1.0)),
        **some,
    )
