"""What a run's work comes to: its tries in a row, without the time between them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .scopes import Sight
from .state import Run
from .values import Raised, holds, work


def perform(run: Run, sees: Sight, may_retry: Callable[[], bool]) -> None:
    """The run ends as its node's outcomes say: try k of run r has outcome k + r - 1, at most the last one.

    `may_retry` takes one from the budget of retries, where there is one left.
    """
    node = run.spec
    if node["type"] in ("if", "switch"):
        _decide(node, run, sees)
    elif node["type"] == "terminate":
        run.completes({"last": run.input} if node["decides"]["wraps"] else run.input)
    elif node["type"] != "function":
        run.completes(run.input)
    else:
        while not run.status:
            attempt(run, may_retry)


def attempt(run: Run, may_retry: Callable[[], bool]) -> None:
    """One more try. The run has no status yet where there is to be another."""
    outcomes = run.spec["outcomes"]
    outcome = outcomes[min(run.tries + run.number - 1, len(outcomes) - 1)]
    run.tries += 1
    _try(run, outcome, run.tries, may_retry)


def _decide(node: dict[str, Any], run: Run, sees: Sight) -> None:
    """An `if` or a `switch` leaves by the port of the first case that holds, or of all, or else by the default."""
    found: list[str] = []
    for port, condition in node["decides"]["cases"]:
        try:
            if (node["decides"]["all"] or not found) and holds(condition, run.input, sees):
                found.append(port)
        except Raised:
            run.fails("ConditionError", code=port if node["type"] == "switch" else None)
            return
    run.completes(run.input, *(dict.fromkeys(found) or [node["decides"]["default"]]))


def _try(run: Run, outcome: dict[str, Any], tries: int, may_retry: Callable[[], bool]) -> None:
    if outcome["kind"] == "ok":
        ports = {run.scope.shape.edges[index]["port"] for index in run.scope.shape.outgoing[run.node]}
        if outcome["port"] is not None and outcome["port"] not in ports:
            run.fails("UnknownPort")
            return
        run.completes(work(outcome["base"], run.input), outcome["port"])
        run.scope.variables.update(dict.fromkeys(outcome.get("sets", ()), run.output["v"]))
        return
    type = "NodeTimeout" if outcome["kind"] == "hang" else outcome["type"]
    fatal = bool(outcome.get("fatal"))
    if fatal or not _again(run.spec["retry"], type, tries) or not may_retry():
        run.fails(type, fatal)


def _again(retry: dict[str, Any] | None, type: str, tries: int) -> bool:
    if retry is None or tries >= retry["maxAttempts"] or type in retry["doNotRetryOn"]:
        return False
    return not retry["retryOn"] or type in retry["retryOn"]
