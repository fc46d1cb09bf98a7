"""What can be wrong with the config of a block: what it repeats, what runs side by side, what is locked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mainspring.definition.findings import did_you_mean
from mainspring.definition.kind_keys import ON_ERROR, RANGE_KEYS, concurrency_max, iterations_max, loop_items_max
from mainspring.graph.faults import Fault, flag, whole_number

branches_max = 1_000
"""How many branches a parallel or a race may have."""

_BODY = "give `body: {nodes: [...]}`, the graph that it is to run"


def for_each(config: dict[str, Any]) -> Iterator[Fault]:
    """It has a list, or a range."""
    given = [key for key in ("items", "range") if key in config]
    if len(given) != 1:
        what = "neither `items` nor a `range`" if not given else "both `items` and a `range`"
        yield Fault(f"a forEach has {what}", ("range",) if given else (), "give `items: ${ input.lines }`")
    count = _items(config.get("items", ""))
    if isinstance(count, Fault):
        yield count
    yield from _range(config["range"]) if "range" in config else ()
    yield from _many(config, count if isinstance(count, int) else None, "items")
    if not isinstance(config.get("stopWhen", True), str | bool):
        yield Fault("a condition is an expression, as text", ("stopWhen",))
    more = config.get("more")
    if not (more is None or isinstance(more, list) or (isinstance(more, str) and "${" in more)):
        yield Fault("`more` is a list, or `${ }` that gives one", ("more",), "as in `more: ${ value.found }`")
    yield from body(config)


def _items(items: Any) -> int | Fault | None:
    """How many there are, as far as that is known."""
    if isinstance(items, list | dict):
        return len(items)
    if isinstance(items, str):
        return None
    if type(items) is not int or items < 0:
        return Fault("`items` is a list, an object, a whole number of at least 0, or an expression", ("items",))
    if items > loop_items_max:
        return Fault(f"{items} items are more than loop_items_max, {loop_items_max}", ("items",), code="MS219")
    return items


def _range(given: Any) -> Iterator[Fault]:
    example = "write `range: {from: 1, to: 10}`"
    if not isinstance(given, dict):
        yield Fault("`range` is an object", ("range",), example)
        return
    if "to" not in given:
        yield Fault("`range` needs `to`", ("range",), example)
    for key in given.keys() - set(RANGE_KEYS):
        yield Fault(
            f"unknown key `{str(key)[:80]}` in `range`", ("range", key), did_you_mean(key, RANGE_KEYS) or example
        )
    for key in given.keys() & set(RANGE_KEYS):
        if isinstance(given[key], bool) or not isinstance(given[key], int | float | str):
            yield Fault(f"`{key}` is a number, or an expression that gives one", ("range", key))
    first, last, step = given.get("from", 0), given.get("to"), given.get("step", 1)
    if step == 0 and not isinstance(step, bool):
        yield Fault("a step of 0 leads nowhere", ("range", "step"))
    elif all(isinstance(one, int | float) for one in (first, last, step)) and last is not None:
        count = (last - first) / step
        if count >= loop_items_max:
            message = f"the range has {count + 1:.0f} numbers, more than loop_items_max, {loop_items_max}"
            yield Fault(message, ("range", "to"), code="MS219")


def parallel(config: dict[str, Any]) -> Iterator[Fault]:
    """It has branches."""
    yield from race(config)
    branches = config.get("branches")
    yield from _many(config, len(branches) if isinstance(branches, list) else None, "branches")


def race(config: dict[str, Any]) -> Iterator[Fault]:
    """It has branches too."""
    branches, example = config.get("branches"), "give `branches: [{nodes: [...]}, {nodes: [...]}]`"
    if not isinstance(branches, list) or not branches:
        yield Fault("it needs `branches`, a list of bodies", ("branches",) if "branches" in config else (), example)
        return
    if len(branches) > branches_max:
        message = f"{len(branches)} branches are more than branches_max, {branches_max}"
        yield Fault(message, ("branches",), "run a forEach over what differs between them", "MS219")
    for index, branch in enumerate(branches):
        if not isinstance(branch, dict):
            yield Fault("a branch is a body: an object with `nodes`", ("branches", index), example)


def _many(config: dict[str, Any], count: int | None, what: str) -> Iterator[Fault]:
    """What holds for all that run several bodies."""
    yield from whole_number(config, "concurrency", "concurrency_max", concurrency_max)
    yield from whole_number(config, "succeedAt", "loop_items_max", loop_items_max)
    wanted, told = config.get("succeedAt"), config.get("onError", ON_ERROR[0])
    if type(wanted) is int and count is not None and count < wanted <= loop_items_max and "more" not in config:
        yield Fault(f"`succeedAt` is {wanted}, and there are only {count} {what}", ("succeedAt",), code="MS219")
    if told not in ON_ERROR:
        yield Fault("`onError` is failFast or collect", ("onError",))


def passes(config: dict[str, Any]) -> Iterator[Fault]:
    """A while or an until: it has a condition."""
    if "condition" not in config:
        yield Fault("it needs a condition", (), 'give `config: {condition: "value.left > 0"}`')
    elif not isinstance(config["condition"], str | bool):
        yield Fault("a condition is an expression, as text", ("condition",))
    yield from whole_number(config, "maxIterations", "iterations_max", iterations_max)
    yield from flag(config, "collect")
    yield from body(config)


def mutex(config: dict[str, Any]) -> Iterator[Fault]:
    """It has a name."""
    name = config.get("name")
    if not isinstance(name, str) or not name:
        at = ("name",) if "name" in config else ()
        yield Fault("a mutex needs a `name`, as text: that of the lock", at, 'as in `name: "stock-${ input.sku }"`')
    yield from body(config)


def body(config: dict[str, Any]) -> Iterator[Fault]:
    """What has no body, or one that is no graph."""
    if "body" not in config:
        yield Fault("it needs a body", (), _BODY)
    elif not isinstance(config["body"], dict):
        yield Fault("a body is an object with `nodes`, or a list of nodes", ("body",), _BODY)
