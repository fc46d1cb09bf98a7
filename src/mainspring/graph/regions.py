"""Which nodes a join with `cancelOthers` stops: those all of whose paths to a leaf pass it (SEMANTICS 17).

A node that every path from v to the end passes is a post-dominator of v. The nearest ones form a tree whose root is the
end itself; a join's region is what hangs below it. In an acyclic graph one pass in reverse order finds the tree: a node's
parent is the lowest common ancestor of its successors. Ancestors are found with jump pointers, in logarithmic time.
"""

from __future__ import annotations

from collections.abc import Sequence


class Regions:
    """The tree of nearest post-dominators. Nodes are numbers; the end has the number after the last one."""

    __slots__ = ("_depth", "_jump", "_parent", "below")

    def __init__(self, successors: Sequence[Sequence[int]]) -> None:
        end = len(successors)
        self._parent = [end] * (end + 1)
        self._jump = [end] * (end + 1)
        self._depth = [0] * (end + 1)
        self.below: list[list[int]] = [[] for _ in range(end + 1)]
        for node in _sinks_first(successors):
            parent = end
            for place, successor in enumerate(successors[node]):
                parent = successor if place == 0 else self._common(parent, successor)
            self._hang(node, parent)

    def _hang(self, node: int, parent: int) -> None:
        depth, jump = self._depth, self._jump
        self._parent[node] = parent
        depth[node] = depth[parent] + 1
        far = jump[parent]
        jump[node] = jump[far] if depth[parent] - depth[far] == depth[far] - depth[jump[far]] else parent
        self.below[parent].append(node)

    def _common(self, one: int, other: int) -> int:
        """The lowest common ancestor."""
        depth, jump, parent = self._depth, self._jump, self._parent
        if depth[one] < depth[other]:
            one, other = other, one
        while depth[one] > depth[other]:
            one = jump[one] if depth[jump[one]] >= depth[other] else parent[one]
        while one != other:
            if jump[one] != jump[other]:
                one, other = jump[one], jump[other]
            else:
                one, other = parent[one], parent[other]
        return one

    def region(self, node: int) -> list[int]:
        """The nodes all of whose paths to a leaf pass `node`, in the order of their numbers."""
        found: list[int] = []
        work = list(self.below[node])
        while work:
            inner = work.pop()
            found.append(inner)
            work.extend(self.below[inner])
        return sorted(found)


def _sinks_first(successors: Sequence[Sequence[int]]) -> list[int]:
    """Each node after all of its successors."""
    sources: list[list[int]] = [[] for _ in successors]
    left = [len(into) for into in successors]
    for node, into in enumerate(successors):
        for successor in into:
            sources[successor].append(node)
    line = [node for node, count in enumerate(left) if not count]
    for node in line:
        for source in sources[node]:
            left[source] -= 1
            if not left[source]:
                line.append(source)
    return line
