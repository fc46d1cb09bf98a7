"""Lanes: a graph as rows of characters, one for each node, with the connections between them running beside.

Nodes come in topological order, short branches first, so that lanes stay short and few. Each lane leads to one node; a
connection to a node that has a lane runs into that lane. Where lines cross, the one that goes across is broken.
"""

from __future__ import annotations

from typing import NamedTuple

from mainspring.graph.analysis.structure import Structure

PLAIN = str.maketrans(
    {
        "│": "|", "─": "-", **dict.fromkeys("├┤┼┬┴╮╯╰╭", "+"), "●": "*", "◆": "?", "◷": "~", "▶": ">", "◎": "@", "■": "#",
        "○": "o", "×": "x", "–": "-", "…": "...", "·": "-", "→": "->", "↻": "!", "▸": ">",
    }
)  # fmt: skip
"""What stands for each sign where only ASCII can be shown."""


class Row(NamedTuple):
    """A row of lanes; `node` is -1 where it only connects."""

    lanes: str
    node: int = -1


def rows(structure: Structure, lanes_max: int) -> list[Row] | None:
    """The drawing; None where it would need more lanes."""
    order = _order(structure)
    place = {node: number for number, node in enumerate(order)}
    lanes: list[int] = []  # the node that each leads to; -1 where it is free
    drawn: list[Row] = []
    ended = -1  # the lane that ended in the row before
    for node in order:
        begins = node not in lanes
        at = _take(lanes, node)
        if begins and at == ended:
            # Right beneath an end it would look like what follows it.
            drawn.append(Row(_across(lanes, -1, at)))
        if len(lanes) > lanes_max:
            return None
        drawn.append(Row(_across(lanes, at), node))
        targets = [one for one in structure.after[node] if place[one] > place[node]]
        connecting = _connect(lanes, at, targets)
        if len(lanes) > lanes_max:
            return None
        if connecting:
            drawn.append(Row(connecting))
        ended = at if lanes[at] < 0 else -1
        while lanes and lanes[-1] < 0:
            lanes.pop()
    return drawn


def _order(structure: Structure) -> list[int]:
    """In topological order, and of several nodes first those from which the way to an end is shortest.

    Where a cycle stands in the way, its first node is taken as if nothing led into it any more.
    """
    height = _heights(structure)
    waiting = [len(sources) for sources in structure.before]
    ready = [node for node in structure.on_graph if not waiting[node]][::-1]
    left = dict.fromkeys(structure.on_graph)
    order: list[int] = []
    while left:
        if not ready:
            ready.append(_opened(structure, left))
        node = ready.pop()
        if node not in left:
            continue
        del left[node]
        order.append(node)
        following = []
        for target in structure.after[node]:
            waiting[target] -= 1
            if not waiting[target] and target in left:
                following.append(target)
        following.sort(key=lambda one: height[one], reverse=True)
        ready.extend(following)
    return order


def _opened(structure: Structure, left: dict[int, None]) -> int:
    """Where to open a cycle: at a node that something drawn already leads to, else at the first."""
    entered = (node for node in left if any(source not in left for source in structure.before[node]))
    return next(entered, next(iter(left)))


def _heights(structure: Structure) -> list[int]:
    """How far it is at most from each node to an end (0 for nodes before a cycle)."""
    left = [len(targets) for targets in structure.after]
    height = [0] * len(left)
    stack = [node for node in structure.on_graph if not left[node]]
    while stack:
        node = stack.pop()
        for source in structure.before[node]:
            height[source] = max(height[source], height[node] + 1)
            left[source] -= 1
            if not left[source]:
                stack.append(source)
    return height


def _take(lanes: list[int], node: int) -> int:
    """The lane in which a node stands: the one that leads to it, else a free one."""
    if node in lanes:
        return lanes.index(node)
    return _free(lanes, node, 0)


def _free(lanes: list[int], node: int, start: int) -> int:
    for number in range(start, len(lanes)):
        if lanes[number] < 0:
            lanes[number] = node
            return number
    lanes.append(node)
    return len(lanes) - 1


def _across(lanes: list[int], at: int, empty: int = -1) -> str:
    drawn = ["│" if lane >= 0 and number != empty else " " for number, lane in enumerate(lanes)]
    if at >= 0:
        drawn[at] = "●"
    return " ".join(drawn)


def _connect(lanes: list[int], at: int, targets: list[int]) -> str:
    """Lead from the lane of a node to those of its targets; the row that shows it, empty where none is needed."""
    known = [lanes.index(target) for target in targets if target in lanes]
    fresh = [target for target in targets if target not in lanes]
    before = list(lanes)
    lanes[at] = fresh[0] if fresh else -1
    opened = [_free(lanes, target, at + 1) for target in fresh[1:]]
    if not known and not opened:
        return ""
    return _row(before, lanes, at, {*known, *opened}, set(opened))


def _row(before: list[int], lanes: list[int], at: int, ends: set[int], opened: set[int]) -> str:
    first, last = min(at, *ends), max(at, *ends)
    drawn = []
    for number in range(len(lanes)):
        left, right = first < number <= last, first <= number < last
        if number == at:
            char = _CORNERS[left, right, lanes[at] >= 0, True]
        elif number in ends:
            char = _CORNERS[left, right, True, number not in opened]
        elif number < len(before) and before[number] >= 0:
            char = "│"
        else:
            char = "─" if left and right else " "
        drawn.append(char + ("─" if right else " "))
    return "".join(drawn).rstrip()


# By what leaves a place: to the left, to the right, down, up.
_CORNERS = {
    (False, True, True, True): "├",
    (True, False, True, True): "┤",
    (True, True, True, True): "┼",
    (False, True, False, True): "╰",
    (True, False, False, True): "╯",
    (True, True, False, True): "┴",
    (False, True, True, False): "╭",
    (True, False, True, False): "╮",
    (True, True, True, False): "┬",
}
