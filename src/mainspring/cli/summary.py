"""The end of a run, as a person likes to read it: what failed and was skipped and why, how long, the output."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from mainspring.cli.look import STYLES, Screen, cells, pad, short
from mainspring.cli.node_lines import PATH_MAX, TIME_WIDTH, node_lines
from mainspring.cli.words import clean, count, duration, one_line, pretty
from mainspring.engine.result import InstanceResult, NodeResult

NODES_MAX = 30
"""A graph with more nodes than this is summarised."""

LISTED_MAX = 10
SLOWEST = 5
OUTPUT_LINES = 16
OUTPUT_LINES_FAILED = 8
ERRORS_MAX = 3


_IN_WORDS = {
    "completed": "completed",
    "failed": "failed",
    "partial_success": "succeeded in part",
    "cancelled": "was cancelled",
    "compensated": "was undone",
}
_ORDER = (
    "completed",
    "failed",
    "skipped",
    "cancelled",
    "running",
    "retrying",
    "waiting",
    "gathering",
    "ready",
    "pending",
)


def show_summary(screen: Screen, result: InstanceResult, look_next: str, told: Collection[str] = ()) -> None:
    """All of it but for the nodes that were `told` already. `look_next` is the command that shows more."""
    left = [node for node in result.nodes.values() if node.path not in told]
    if left:
        screen.line()
        show_nodes(screen, left)
    if result.done and result.output not in (None, {}):
        screen.line()
        lines_max = OUTPUT_LINES if result.status == "completed" else OUTPUT_LINES_FAILED
        show_value(screen, "output", result.output, f"{look_next} --json", lines_max)
    screen.line()
    screen.line(verdict(screen, result))
    if result.reason and result.status != "completed":
        screen.hanging("  ", clean(result.reason), 2)
        _causes(screen, result)
    screen.line(screen.paint(f"  {look_next}", "dim"))


def _causes(screen: Screen, result: InstanceResult) -> None:
    """The failures that nobody handled, once more: beside the verdict is where they are looked for."""
    unhandled = [(path, error) for path, error in result.errors.items() if not result.nodes[path].handled]
    for path, error in unhandled[:ERRORS_MAX]:
        text = one_line(f"{path}: {error.type}: {error.message}", (screen.width or 160) - 4)
        screen.line(f"  {screen.paint(text, 'red')}")
    if len(unhandled) > ERRORS_MAX:
        screen.line(f"  … {len(unhandled) - ERRORS_MAX:,} more")


def verdict(screen: Screen, result: InstanceResult) -> str:
    """`✓ order completed in 1.2 s · 4 completed, 2 skipped · 1 retry`."""
    words = _IN_WORDS.get(result.status, f"is {result.status}")
    took = f" in {duration(result.ended_at - result.started_at)}" if result.ended_at is not None else ""
    head = screen.paint(f"{clean(result.workflow)} {words}{took}", f"{STYLES.get(result.status, 'dim')} bold")
    parts = [f"{screen.symbol(result.status)} {head}", counts(result)]
    retries = sum(node.attempts - 1 for node in result.nodes.values() if node.attempts > 1)
    degraded = sum(1 for node in result.nodes.values() if node.degraded)
    if degraded:
        parts.append(f"{degraded:,} degraded")
    if retries:
        parts.append(count(retries, "retry", "retries"))
    return (" · " if screen.unicode else " | ").join(parts)


def counts(result: InstanceResult) -> str:
    """`4 completed, 2 skipped`."""
    found = Counter(node.status for node in result.nodes.values())
    known = [*_ORDER, *(status for status in found if status not in _ORDER)]
    return ", ".join(f"{found[status]:,} {status.replace('_', ' ')}" for status in known if found[status])


def show_nodes(screen: Screen, nodes: list[NodeResult]) -> None:
    """These nodes, or of many those that matter."""
    if len(nodes) <= NODES_MAX:
        node_lines(screen, nodes)
        return
    telling = [node for node in nodes if node.status not in ("completed", "skipped", "pending")]
    telling.sort(key=lambda node: node.status != "failed")
    _some(screen, telling, "more that did not complete")
    _some(screen, [node for node in nodes if node.status == "skipped"], "more skipped")
    completed = sum(1 for node in nodes if node.status == "completed")
    screen.line(f"  {screen.symbol('completed')} {count(completed, 'node')} of {len(nodes):,} completed")
    _slowest(screen, nodes)


def _some(screen: Screen, nodes: list[NodeResult], rest: str) -> None:
    node_lines(screen, nodes[:LISTED_MAX])
    if len(nodes) > LISTED_MAX:
        screen.line(screen.paint(f"    … and {len(nodes) - LISTED_MAX:,} {rest}", "dim"))


def _slowest(screen: Screen, nodes: list[NodeResult]) -> None:
    timed = [(n.ended_at - n.started_at, n) for n in nodes if n.started_at is not None and n.ended_at is not None]
    timed.sort(key=lambda pair: -pair[0])
    slow = [(time, node) for time, node in timed[:SLOWEST] if time > 0]
    if not slow:
        return
    screen.line("  the slowest:")
    width = min(max(cells(node.path) for _, node in slow), PATH_MAX)
    for time, node in slow:
        screen.line(f"    {pad(short(node.path, width), width)}  {duration(time):>{TIME_WIDTH}}")


def show_value(screen: Screen, title: str, value: object, how_to_see_all: str, lines_max: int = OUTPUT_LINES) -> None:
    """A value as pretty JSON, so many lines of it."""
    lines = pretty(value).splitlines()
    room = (screen.width or 200) - 4
    screen.line(screen.paint(title, "bold"))
    for line in lines[:lines_max]:
        screen.line("  " + (line if len(line) <= room else line[: room - 1] + "…"))
    if len(lines) > lines_max or any(len(line) > room for line in lines[:lines_max]):
        left = f"{count(len(lines) - lines_max, 'more line')}; " if len(lines) > lines_max else ""
        screen.line(screen.paint(f"  … {left}all of it: {how_to_see_all}", "dim"))
