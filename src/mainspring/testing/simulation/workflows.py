"""Random workflows: graphs with conditions, ports, failures, delays, retries and timeouts; and the classics."""

from __future__ import annotations

from random import Random
from typing import Any

from mainspring.definition.model import Connection, Node, Retry, Workflow

PORTS = ("left", "right")

CONDITIONS = ("output.v >= 50", "output.v < 30", "nodes.n0.output.v >= 20", "input.k >= 3")
FAIL_CONDITIONS = ('error.type == "Flaky"', 'error.type != "Broken"')
RAISING = "1 / 0 > output.v"


def draw_workflow(random: Random, number: int) -> Workflow:
    """One definition."""
    shape = random.random()
    if shape < 0.1:
        return _chain(random, number)
    if shape < 0.2:
        return _fan(random, number)
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
    nodes = [_node(random, index, False, (f"n{index - 1}",) if index else ()) for index in range(length)]
    return Workflow(id=f"chain{number}", nodes=tuple(nodes), **_policies(random))


def _fan(random: Random, number: int) -> Workflow:
    width = random.randrange(2, 8)
    nodes = [_node(random, 0, False)]
    nodes += [_node(random, index, False, ("n0",)) for index in range(1, width + 1)]
    nodes.append(_node(random, width + 1, False, tuple(f"n{index}" for index in range(1, width + 1))))
    return Workflow(id=f"fan{number}", nodes=tuple(nodes), **_policies(random))


def _graph(random: Random, number: int) -> Workflow:
    size = random.randrange(2, 15)
    density = random.choice((0.1, 0.25, 0.5))
    connections: list[Connection] = []
    depends: dict[int, list[str]] = {}
    leaving: set[int] = set()
    for target in range(1, size):
        sources = [source for source in range(target) if random.random() < density]
        if not sources and random.random() < 0.8:
            sources = [random.randrange(target)]
        for source in sources[:4]:
            if random.random() < 0.2:
                depends.setdefault(target, []).append(f"n{source}")
                continue
            connection = _connection(random, source, target)
            if connection.source_port is not None:
                leaving.add(source)
            connections.append(connection)
    nodes = [_node(random, index, index in leaving, tuple(depends.get(index, ()))) for index in range(size)]
    return Workflow(id=f"graph{number}", nodes=tuple(nodes), connections=tuple(connections), **_policies(random))


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


def _node(random: Random, index: int, ports: bool, depends_on: tuple[str, ...] = ()) -> Node:
    kind = random.random()
    some: dict[str, Any] = {}
    if random.random() < 0.15:
        some["input"] = {"x": "${ input.k }", "y": f"${{ nodes.n{random.randrange(index + 1)}.output.v }}"}
    if kind < 0.12:
        duration = random.choice((0, 1, 50, 400, 1_500, 4_000, 9_000))
        return Node(id=f"n{index}", type="delay", config={"duration": duration}, depends_on=depends_on, **some)
    if kind < 0.18:
        return Node(id=f"n{index}", type=random.choice(("trigger", "log")), depends_on=depends_on, **some)
    if random.random() < 0.3:
        some["timeout"] = random.choice((60, 250, 1_000, 3_000))
    if random.random() < 0.5:
        some["retry"] = _retry(random)
    if random.random() < 0.15:
        some["max_concurrent_executions"] = random.randrange(1, 4)
    config = _traits(random, ports, "timeout" in some)
    return Node(id=f"n{index}", type="function", config=config, depends_on=depends_on, **some)


def _traits(random: Random, ports: bool, timeout: bool) -> dict[str, Any]:
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
    if ports:
        traits["ports"] = [None, *PORTS]
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
