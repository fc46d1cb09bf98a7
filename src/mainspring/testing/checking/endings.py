"""What must hold of a run once it is over: it ended, nothing is left, and it came to what it comes to without a crash."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mainspring.engine.result import InstanceResult
from mainspring.errors import ExpressionError
from mainspring.expression import compile_expression, truthy
from mainspring.machine.lifecycle import NODE_FINAL
from mainspring.testing.checking.ledger import Broken
from mainspring.testing.checking.numbers import numbers_broken
from mainspring.testing.checking.trial import Trial
from mainspring.testing.checking.undoing import undoing_faults
from mainspring.testing.killing import _without_attempts


def broken_at_end(trial: Trial, peaceful: Trial | None = None) -> Broken | None:
    """The first invariant that does not hold of a trial that is over. `peaceful` is the same case without the crash."""
    if trial.broken is not None:
        return trial.broken
    return next(_faults(trial, peaceful), None)


def _faults(trial: Trial, peaceful: Trial | None) -> Iterator[Broken]:
    for result in trial.results.values():
        yield from (Broken("it ends", text) for text in _stuck(trial, result))
        if result.done:
            yield from (Broken("no token is lost", text) for text in _left(trial, result))
            yield from (Broken("limits hold", text) for text in numbers_broken(result, trial.ledger.deeds))
            yield from (
                Broken("compensation", text) for text in undoing_faults(result, trial.ledger.deeds, trial.space.parts)
            )
    yield from _own(trial)
    if peaceful is not None:
        yield from _changed(trial, peaceful)


def _stuck(trial: Trial, result: InstanceResult) -> Iterator[str]:
    """An instance that is at no end waits for something that can be named."""
    if result.done:
        return
    if result.status == "parked":
        yield f"{result.id} is parked: {result.reason}"
    elif not any(other.instance.waits for other in trial.results.values()):
        under_way = [f"{path} is {node.status}" for path, node in result.nodes.items() if node.status not in NODE_FINAL]
        what = "; ".join(under_way[:4]) or "all its nodes are at their ends"
        yield f"nothing can happen any more, and {result.id} is {result.status}: {what}"


def _left(trial: Trial, result: InstanceResult) -> Iterator[str]:
    """At the end each node is at its end, each body is closed, and nobody is at work."""
    instance = result.instance
    for path, node in result.nodes.items():
        if node.status not in NODE_FINAL:
            yield f"{result.id} is {result.status}, and {path} is {node.status}"
    for address in instance.open:
        yield f"{result.id} is {result.status}, and the body {address} is open"
    if instance.finished < instance.plan.on_graph or instance.active:
        yield f"{result.id} has counted {instance.finished} ends of {instance.plan.on_graph}"
    for (id, path), deed in trial.ledger.in_work.items():
        if id == result.id:
            yield f"{result.id} is {result.status}, and attempt {deed.attempt} of {path} is still at work"


def outcome(trial: Trial) -> dict[str, Any]:
    """What a crash must not change: all but times, attempts, and who ended first."""
    return {
        id: (
            result.status,
            _without_attempts(result.output),
            result.variables,
            {path: (node.status, node.port, _without_attempts(node.output)) for path, node in result.nodes.items()},
        )
        for id, result in trial.results.items()
    }


def _changed(trial: Trial, peaceful: Trial) -> Iterator[Broken]:
    expected, found = outcome(peaceful), outcome(trial)
    for id in {**expected, **found}:
        if id not in found or id not in expected:
            yield Broken(
                "crashes change nothing", f"{id} is there only {'without' if id in expected else 'with'} the crash"
            )
        elif expected[id] != found[id]:
            yield Broken("crashes change nothing", f"{id}: {_difference(expected[id], found[id])}")


def _difference(expected: tuple[Any, ...], found: tuple[Any, ...]) -> str:
    for what, before, after in zip(("status", "output", "variables"), expected[:3], found[:3], strict=True):
        if before != after:
            return f"without the crash its {what} is {_short(before)}, with it {_short(after)}"
    for path, before in expected[3].items():
        after = found[3].get(path)
        if before != after:
            return f"without the crash {path} is {_short(before)}, with it {_short(after)}"
    return "other nodes"


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 80 else f"{text[:79]}…"


# --- the user's own -------------------------------------------------------------------------------------------------


def _own(trial: Trial) -> Iterator[Broken]:
    for result in trial.results.values():
        invariants = result.instance.plan.workflow.invariants
        if not invariants or not result.done:
            continue
        seen = seen_at_end(trial, result)
        for number, invariant in enumerate(invariants, start=1):
            name = invariant.name or f"invariant {number}"
            try:
                holds = truthy(compile_expression(invariant.expression)(seen))
            except ExpressionError as error:
                yield Broken(name, f"it cannot be asked: {error.message}")
                continue
            if not holds:
                yield Broken(name, f"{result.id} ended {result.status}, and this is false: {invariant.expression}")


def seen_at_end(trial: Trial, result: InstanceResult) -> dict[str, Any]:
    """What an invariant's expression sees."""
    nodes: dict[str, Any] = {path: _node(node) for path, node in result.nodes.items()}
    for node in result.instance.plan.nodes:
        if node.off_graph:
            nodes[node.id] = _off_graph(trial, result.id, node.id)
    return {
        "nodes": nodes,
        "input": result.input,
        "output": result.output,
        "variables": result.variables,
        "status": result.status,
    }


_ENDS = ("completed", "failed", "skipped", "cancelled", "compensated")


def _node(node: Any) -> dict[str, Any]:
    error = None if node.error is None else {"type": node.error.type, "message": node.error.message}
    seen: dict[str, Any] = {name: node.status == name for name in _ENDS}
    # What was undone had completed.
    seen["completed"] = node.status in ("completed", "compensated", "compensation_failed")
    return {**seen, "status": node.status, "output": node.output, "error": error, "attempts": node.attempts}


def _off_graph(trial: Trial, instance: str, id: str) -> Mapping[str, Any]:
    """A node that undoes, or stands in: it has no state of its own, so what counts is what it did."""
    keys = {
        deed.key
        for deed in trial.ledger.deeds
        if deed.what == "begin" and deed.instance == instance and deed.node is not None and deed.node.id == id
    }
    done = {deed.key for deed in trial.ledger.deeds if deed.what == "done" and deed.key in keys}
    failed = bool(keys) and keys - done != set()
    status = "failed" if failed else "completed" if done else "skipped"
    seen: dict[str, Any] = dict.fromkeys(_ENDS, False)
    return {
        **seen,
        "completed": bool(done),
        "failed": failed,
        "skipped": not keys,
        "status": status,
        "times": len(done),
    }
