"""What blocks are told in their config, compiled once a plan. The machine's rules ask these.

All have three things in common. `carries`: the state goes from one body to the next. `keeps`: the results of the bodies
are collected. `tolerant`: the errors of those that failed are told of beside the results.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from mainspring.definition.model import Node
from mainspring.expression import Template, compile_template
from mainspring.graph.plan_kinds import Computed, computed, condition_of, reads
from mainspring.graph.plan_waits import Child, child_of

iterations_default = 1_000
"""How many passes a while or until makes at most where it does not say so itself."""


class Many(NamedTuple):
    """A forEach, or branches side by side. `items` and `range` are None for branches; `concurrency` 0 is no bound."""

    items: Computed | None
    range: tuple[Computed, Computed, Computed] | None
    concurrency: int
    tolerant: bool
    fails_fast: bool
    succeed_at: int | None
    stop_when: Computed | None
    more: Template | None
    reads_value: bool
    carries: bool = False
    keeps: bool = True


class Passes(NamedTuple):
    """A while or until."""

    condition: Computed
    until: bool
    initial: Template | None
    iterations_max: int
    keeps: bool
    reads_value: bool
    concurrency: int = 1
    carries: bool = True
    tolerant: bool = False


class Race(NamedTuple):
    """Branches, of which the first that completes counts."""

    names: tuple[str | None, ...]
    concurrency: int = 0
    reads_value: bool = False
    carries: bool = False
    keeps: bool = False
    tolerant: bool = True


class Alone(NamedTuple):
    """One body, run once: within a lock of this name, or (None) just so."""

    lock: Template | None
    reads_value: bool = False
    concurrency: int = 1
    carries: bool = False
    keeps: bool = False
    tolerant: bool = False


def block(node: Node) -> Any:
    """What the machine is to know of a block; None where the node is none."""
    compiler = _COMPILERS.get(node.type)
    return None if compiler is None else compiler(node)


def _for_each(node: Node) -> Many:
    config = node.config
    items = computed(config["items"]) if "items" in config else None
    told = config.get("range")
    bounds = None
    if isinstance(told, dict) and items is None:
        bounds = (computed(told.get("from", 0)), computed(told["to"]), computed(told.get("step", 1)))
    stop_when = computed(config["stopWhen"]) if config.get("stopWhen") is not None else None
    more = compile_template(config["more"]) if config.get("more") is not None else None
    return Many(
        items,
        bounds,
        config.get("concurrency") or 1,
        _tolerant(config),
        _fails_fast(config),
        config.get("succeedAt"),
        stop_when,
        more,
        reads(items, *(bounds or ())),
    )


def _tolerant(config: dict[str, Any]) -> bool:
    """Whether its output tells of errors beside the results."""
    return config.get("onError") == "collect" or config.get("succeedAt") is not None


def _fails_fast(config: dict[str, Any]) -> bool:
    """Whether the first body that fails is its end: as it is told, else unless some are enough."""
    return bool(config.get("onError", "collect" if config.get("succeedAt") is not None else "failFast") == "failFast")


def _parallel(node: Node) -> Many:
    config = node.config
    at_a_time, wanted = config.get("concurrency") or 0, config.get("succeedAt")
    return Many(None, None, at_a_time, _tolerant(config), _fails_fast(config), wanted, None, None, False)


def _passes(node: Node) -> Passes:
    config = node.config
    initial = compile_template(config["initial"]) if "initial" in config else None
    return Passes(
        computed(condition_of(config)),
        node.type == "until",
        initial,
        config.get("maxIterations") or iterations_default,
        config.get("collect") is True,
        reads(initial),
    )


def _race(node: Node) -> Race:
    branches = node.config.get("branches", ())
    return Race(tuple(branch.get("name") if isinstance(branch, dict) else None for branch in branches))


def _alone(node: Node) -> Alone | Child | None:
    if node.type == "subflow":
        return Alone(None) if "body" in node.config else child_of(node.config)
    name = compile_template(node.config["name"])
    return Alone(name, reads(name))


_COMPILERS: dict[str, Callable[[Node], Any]] = {
    "forEach": _for_each,
    "parallel": _parallel,
    "while": _passes,
    "until": _passes,
    "race": _race,
    "mutex": _alone,
    "subflow": _alone,
}
