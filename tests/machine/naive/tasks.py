"""What a run's work comes to: its tries in a row, without the time between them."""

from __future__ import annotations

from typing import Any

from .shape import Shape
from .state import Run
from .values import work


def ends_at_once(node: dict[str, Any], run: Run) -> bool:
    """Whether a run ends in the turn in which it starts. One with a limit waits for its slot first, whatever comes then."""
    if node["type"] == "function":
        return run.doomed and not node["limited"]
    return node["type"] != "delay" or node["duration"] == 0 or run.doomed


def perform(shape: Shape, run: Run) -> None:
    """The run ends as its node's outcomes say: try k of run r has outcome k + r - 1, at most the last one."""
    node = shape.nodes[run.node]
    if run.doomed:
        run.fails("MappingError")
    elif node["type"] != "function":
        run.completes(run.input)
    else:
        tries = 0
        while not run.status:
            outcome = node["outcomes"][min(tries + run.number - 1, len(node["outcomes"]) - 1)]
            tries += 1
            _try(shape, run, outcome, tries)


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
