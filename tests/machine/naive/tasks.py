"""What a run's work comes to: its tries in a row, without the time between them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .shape import Shape
from .state import Run
from .values import Raised, work

Asks = Callable[[tuple[str, Any], Any], bool]
"""Whether a condition holds in a node's own config, where `value` is its input."""


def ends_at_once(node: dict[str, Any], run: Run) -> bool:
    """Whether a run ends in the turn in which it starts. One with a limit waits for its slot first, whatever comes then."""
    if node["type"] == "function":
        return run.doomed and not node["limited"]
    return node["type"] != "delay" or node["duration"] == 0 or run.doomed


def perform(shape: Shape, run: Run, asks: Asks) -> None:
    """The run ends as its node's outcomes say: try k of run r has outcome k + r - 1, at most the last one."""
    node = shape.nodes[run.node]
    if run.doomed:
        run.fails("MappingError")
    elif node["type"] in ("if", "switch"):
        _decide(node, run, asks)
    elif node["type"] == "terminate":
        run.completes({"last": run.input} if node["decides"]["wraps"] else run.input)
    elif node["type"] != "function":
        run.completes(run.input)
    else:
        tries = 0
        while not run.status:
            outcome = node["outcomes"][min(tries + run.number - 1, len(node["outcomes"]) - 1)]
            tries += 1
            _try(shape, run, outcome, tries)


def _decide(node: dict[str, Any], run: Run, asks: Asks) -> None:
    """An `if` or a `switch` leaves by the port of the first case that holds, or of all, or else by the default."""
    found: list[str] = []
    for port, condition in node["decides"]["cases"]:
        try:
            if (node["decides"]["all"] or not found) and asks(condition, run.input):
                found.append(port)
        except Raised:
            run.fails("ConditionError", code=port if node["type"] == "switch" else None)
            return
    run.completes(run.input, *(dict.fromkeys(found) or [node["decides"]["default"]]))


def _try(shape: Shape, run: Run, outcome: dict[str, Any], tries: int) -> None:
    if outcome["kind"] == "ok":
        ports = {shape.edges[index]["port"] for index in shape.outgoing[run.node]}
        if outcome["port"] is not None and outcome["port"] not in ports:
            run.fails("UnknownPort")
        else:
            run.completes(work(outcome["base"], run.input), outcome["port"])
        return
    type = "NodeTimeout" if outcome["kind"] == "hang" else outcome["type"]
    fatal = bool(outcome.get("fatal"))
    if fatal or not _again(shape.nodes[run.node]["retry"], type, tries):
        run.fails(type, fatal)


def _again(retry: dict[str, Any] | None, type: str, tries: int) -> bool:
    if retry is None or tries >= retry["maxAttempts"] or type in retry["doNotRetryOn"]:
        return False
    return not retry["retryOn"] or type in retry["retryOn"]
