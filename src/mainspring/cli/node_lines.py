"""A node as lines: symbol, path, duration, and what there is to say of it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from itertools import chain, islice

from mainspring.cli.body_words import Budget, Inner, block_words, inside, is_open, look_of
from mainspring.cli.look import Screen, cells, pad, short
from mainspring.cli.words import clean, clock, count, duration, local, now_ms, one_line, relative
from mainspring.engine.result import NodeResult
from mainspring.graph.plan_policies import BY_DEFAULT
from mainspring.machine.events import ErrorRecord

PATH_MAX = 40
INNER_MAX = 12
"""Of what is under way in the bodies of one block, so many nodes are told."""

FAILED_MAX = 3
"""Of the bodies that failed, so many."""

_WITH_ERRORS = frozenset({"failed", "retrying", "falling_back", "compensation_failed"})

TIME_WIDTH = 8
MESSAGE_MAX = 2_000
SOON_MS = 60_000
HALF_A_DAY_MS = 43_200_000


def node_lines(screen: Screen, nodes: Iterable[NodeResult]) -> None:
    """Each node on its line, the columns aligned; errors beneath, and of a block some of what is in its bodies."""
    shown, budget = list(nodes), Budget()
    within = [list(islice(inside(node, budget), INNER_MAX + 1)) for node in shown]
    wide = (cells(one.node.path) + 2 * one.depth for one in (*map(partial(Inner, 0), shown), *chain(*within)))
    width = min(max(wide, default=0), PATH_MAX)
    for node, inner in zip(shown, within, strict=True):
        node_line(screen, node, width)
        for one in inner[:INNER_MAX]:
            node_line(screen, one.node, width - 2 * one.depth, "  " + "  " * one.depth, one.branch)
        if len(inner) > INNER_MAX:
            screen.line(screen.paint("    … and more", "dim"))
        _failed_bodies(screen, node)


def _failed_bodies(screen: Screen, node: NodeResult) -> None:
    bodies = node.bodies
    if bodies is not None and bodies.failed:
        told_errors(screen, islice(node.body_errors(), FAILED_MAX), "    ")
        if bodies.failed > FAILED_MAX:
            screen.line(screen.paint(f"    … and {bodies.failed - FAILED_MAX:,} more that failed", "dim"))


def node_line(screen: Screen, node: NodeResult, width: int, indent: str = "  ", branch: str = "") -> None:
    """One node, with its error where it failed. `branch`: the name of the branch that it is in."""
    prefix = f"{indent}{screen.symbol(look_of(node))} {pad(short(node.path, width), width)}  {took(node):>{TIME_WIDTH}}"
    told = ", ".join(part for part in (branch, notes(node)) if part)
    if told:
        style = "dim" if node.status in ("skipped", "pending") else ""
        screen.hanging(prefix + "  ", told, len(indent) + 2 + width + 2 + TIME_WIDTH + 2, style)
    else:
        screen.line(prefix.rstrip())
    if node.error is not None and (node.degraded or node.status in _WITH_ERRORS):
        error_lines(screen, node.error, " " * (len(indent) + 2))


def told_errors(screen: Screen, errors: Iterable[tuple[str, ErrorRecord]], indent: str = "  ") -> None:
    """Bodies that failed, a line for each."""
    room = (screen.width or 160) - len(indent) - 4
    for address, error in errors:
        text = f"{clean(address)}  {one_line(f'{error.type}: {error.message}', max(room - cells(address), 20))}"
        screen.line(f"{indent}{screen.symbol('failed')} {text}")


def took(node: NodeResult) -> str:
    """How long its last attempt took, or has taken so far."""
    if node.started_at is None or node.status == "skipped":
        return ""
    if node.ended_at is not None:
        return duration(node.ended_at - node.started_at)
    return duration(now_ms() - node.started_at) if look_of(node) == "running" else ""


def notes(node: NodeResult) -> str:
    """What there is to say of a node beside its status and time."""
    words, waits = block_words(node), waiting(node)
    told = [words] if words else []
    plain = (
        node.status in ("completed", "failed", "skipped", "falling_back")
        or is_open(node)
        or (waits and node.status == "waiting")
    )
    if not plain:
        told.append(node.status.replace("_", " "))
    if node.runs > 1:
        told.append(count(node.runs, "run"))
    if node.attempts > 1:
        told.append(count(node.attempts, "attempt"))
    if node.cached:
        told.append("from the cache")
    if node.crashes:
        told.append(count(node.crashes, "crash", "crashes"))
    if node.port is not None:
        told.append(f"left by port {node.port}")
    if node.status == "failed" and node.handled:
        told.append("the failure was handled")
    elif node.status == "failed" and node.decision and node.rule != BY_DEFAULT:
        told.append(f"{node.decision}: {clean(node.rule)}")
    if node.degraded and node.stand_in:
        told.append(f"{clean(node.stand_in)} stood in for {clean(node.path)}")
    elif node.status == "falling_back":
        told.append(f"{clean(node.stand_in)} stands in")
    if node.status == "skipped":
        told.append(f"skipped: {clean(node.reason)}")
    elif node.reason:
        told.append(clean(node.reason))
    return ", ".join([*told, waits] if waits else told)


def waiting(node: NodeResult) -> str:
    """What it waits for and until when ("" where it does not wait)."""
    if node.status == "retrying":
        what = "the next attempt"
    elif node.status == "gathering":
        what = "the next message"
    elif is_open(node):
        return ""
    elif node.waits_for and node.status in ("waiting", "ready"):
        what = "its limits" if node.waits_for.startswith("node:") else clean(node.waits_for)
    else:
        return ""
    if node.due is None:
        return f"waits for {what}"
    awaited = "waits" if what == "timer" else f"waits for {what},"
    now = now_ms()
    if node.due - now < SOON_MS:
        return f"{awaited} {duration(node.due - now)} more" if node.due > now else f"{awaited} due now"
    when = clock(node.due)[:8] if node.due - now < HALF_A_DAY_MS else local(node.due)
    return f"{awaited} until {when} ({relative(node.due, now)})"


def error_lines(screen: Screen, error: ErrorRecord, indent: str) -> None:
    """Type, message, and the line of the user's own code that raised it."""
    code = "" if error.code is None else f" (code {error.code})"
    message = clean(error.message)[:MESSAGE_MAX]
    text = f"{clean(error.type)}: {message}{clean(code)}"
    for number, line in enumerate(text.splitlines() or [""]):
        screen.hanging(indent + "  " * (number > 0), line, len(indent) + 2 * (number > 0), "")
    place = last_frame(error.stack)
    if place:
        screen.line(indent + screen.paint(f"at {one_line(place, 160)}", "dim"))


def last_frame(stack: str | None) -> str:
    """The last place in a Python stack with its source line, as `orders.py:35 in charge: raise …`."""
    lines = (stack or "").splitlines()
    found = [index for index, line in enumerate(lines) if line.lstrip().startswith('File "')]
    if not found:
        return ""
    parts = lines[found[-1]].strip().split('"')
    file = parts[1].rpartition("/")[2]
    where = parts[2].removeprefix(", line ").replace(", in ", " in ")
    source = lines[found[-1] + 1].strip() if found[-1] + 1 < len(lines) else ""
    return f"{file}:{where}: {source}" if source else f"{file}:{where}"
