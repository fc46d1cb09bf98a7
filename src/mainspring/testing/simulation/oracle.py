"""What the rules say, worked out a second time: routing, retries, mappings. Written from SEMANTICS.md."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from mainspring.definition.model import Node, Retry, Workflow
from mainspring.testing.simulation.joins import Edge, rules
from mainspring.testing.simulation.workflows import DURATION_TEMPLATE, RAISING

Condition = Callable[[Any, Any, "Values"], bool]


class Values(Struct):
    """What conditions and mappings can see beside the ended node."""

    input: Any
    outputs: dict[str, Any]
    completed: set[str]


def _v(output: Any) -> int | None:
    found = output.get("v") if isinstance(output, dict) else None
    return found if isinstance(found, int) else None


def _at_least(value: int | None, bound: int) -> bool:
    return value is not None and value >= bound


CONDITIONS: dict[str, Condition] = {
    "output.v >= 50": lambda output, error, values: _at_least(_v(output), 50),
    "output.v < 30": lambda output, error, values: (value := _v(output)) is not None and value < 30,
    "nodes.n0.output.v >= 20": lambda output, error, values: _at_least(_v(values.outputs.get("n0")), 20),
    "nodes.n1.output.v >= 20": lambda output, error, values: _at_least(_v(values.outputs.get("n1")), 20),
    "nodes.n1.completed": lambda output, error, values: "n1" in values.completed,
    "input.k >= 3": lambda output, error, values: values.input["k"] >= 3,
    'error.type == "Flaky"': lambda output, error, values: error is not None and error["type"] == "Flaky",
    'error.type != "Broken"': lambda output, error, values: error is not None and error["type"] != "Broken",
}


class Graph:
    """A workflow's connections by their ends, and how its nodes join."""

    def __init__(self, workflow: Workflow) -> None:
        self.workflow = workflow
        self.nodes: dict[str, Node] = {node.id: node for node in workflow.nodes}
        self.incoming: dict[str, list[Edge]] = {path: [] for path in self.nodes}
        self.outgoing: dict[str, list[Edge]] = {path: [] for path in self.nodes}
        edges = [
            Edge(index, one.source, one.target, one.trigger, one.source_port, one.condition, one.target_port, one.id)
            for index, one in enumerate(workflow.connections)
        ]
        known = {(edge.source, edge.target) for edge in edges if edge.trigger != "fail"}
        for node in workflow.nodes:
            for source in node.depends_on:
                if (source, node.id) not in known:
                    known.add((source, node.id))
                    edges.append(Edge(len(edges), source, node.id))
        self.edges = edges
        for edge in edges:
            self.incoming[edge.target].append(edge)
            self.outgoing[edge.source].append(edge)
        self.rules = rules(self.nodes, self.incoming)

    def fired_by_completion(
        self, path: str, port: str | None, output: Any, values: Values
    ) -> tuple[set[int], set[int]]:
        """The connections that fire, and those whose condition cannot be evaluated."""
        wanted = [edge for edge in self.outgoing[path] if edge.trigger != "fail" and edge.port == port]
        return _fired(wanted, output, None, values)

    def fired_by_failure(self, path: str, error: Any, values: Values) -> tuple[set[int], set[int]]:
        """The same for a node that failed for good."""
        wanted = [edge for edge in self.outgoing[path] if edge.trigger != "complete" and edge.port is None]
        return _fired(wanted, None, error, values)

    def retry_of(self, path: str) -> Retry | None:
        """The policy that holds for a node."""
        return self.nodes[path].retry or self.workflow.retry


def _fired(edges: list[Edge], output: Any, error: Any, values: Values) -> tuple[set[int], set[int]]:
    fired, raising = set(), set()
    for edge in edges:
        if edge.condition == RAISING:
            raising.add(edge.index)
        elif edge.condition is None or CONDITIONS[edge.condition](output, error, values):
            fired.add(edge.index)
    return fired, raising


def tries_again(retry: Retry | None, failures: int, kind: str, kinds: tuple[str, ...], fatal: bool) -> bool:
    """Whether an attempt that failed is followed by another one, after `failures` failures in all."""
    if fatal or retry is None or retry.strategy == "none" or failures >= retry.max_attempts:
        return False
    names = {"*", kind, *kinds}
    if names & set(retry.do_not_retry_on):
        return False
    return not retry.retry_on or bool(names & set(retry.retry_on))


def backoff_bounds(retry: Retry, failures: int) -> tuple[int, int]:
    """The least and the most milliseconds before the retry after the `failures`-th failure."""
    base = float(retry.initial_delay)
    if retry.strategy == "linear":
        base *= failures
    elif retry.strategy == "exponential":
        base *= retry.multiplier ** (failures - 1)
    least, most = base * (1 - retry.jitter), base * (1 + retry.jitter)
    return int(min(least, retry.max_delay)), int(min(most, retry.max_delay) + 1)


def mapped_input(template: dict[str, Any], values: Values) -> dict[str, Any] | None:
    """What an input mapping of the drawn shapes gives; None where it cannot be evaluated."""
    if "z" in template and values.input["k"] == 2:
        return None
    other = values.outputs[template["y"].split(".")[1]]
    found = {"x": values.input["k"], "y": other.get("v") if isinstance(other, dict) else None}
    if "z" in template:
        found["z"] = 6 // (values.input["k"] - 2)
    return found


def delay_of(config: dict[str, Any], input: Any) -> int | None:
    """How long a delay lasts, in milliseconds; None where its expression gives no duration."""
    duration = config["duration"]
    if duration == DURATION_TEMPLATE:
        duration = input["k"] * 150 - 150
    return int(duration) if duration >= 0 else None
