"""`ms.WorkflowGraph`: a workflow's graph, to be asked about by the ids of its nodes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from math import isfinite
from typing import NamedTuple

from mainspring.definition.findings import did_you_mean
from mainspring.definition.load import Definition
from mainspring.definition.model import Workflow
from mainspring.errors import MainspringError
from mainspring.graph.analysis import cycles, order, paths
from mainspring.graph.analysis.processed import ProcessedWorkflow, written
from mainspring.graph.analysis.structure import Structure

Names = tuple[str, ...]


class UnknownNode(MainspringError, KeyError):
    """The graph has no node of this id."""

    def __str__(self) -> str:
        return str(self.args[0])


class CriticalPath(NamedTuple):
    """The path that takes longest, and how long it takes."""

    nodes: Names
    length: float


class WorkflowGraph:
    """The graph of a workflow: its shape, its levels, its paths.

    Neighbours, branches and paths are about nodes: two connections between the same two nodes are one edge. Nodes that
    compensate or stand in are apart, in `off_graph`. A graph with a cycle is analysed as far as that makes sense: what
    does not is None or empty, `cycle` shows one, and `blocked` names the nodes that can never run.

    Raises DefinitionError where a connection names a node that does not exist.
    """

    def __init__(self, workflow: Workflow | Definition) -> None:
        self.workflow = workflow.workflow if isinstance(workflow, Definition) else workflow
        self.structure = Structure(self.workflow)

    def __len__(self) -> int:
        return len(self.structure.names)

    def __contains__(self, node: str) -> bool:
        return node in self.structure.index

    # -- shape

    @cached_property
    def roots(self) -> Names:
        """Where the workflow begins: nodes without predecessors."""
        return self._names(node for node in self.structure.on_graph if not self.structure.before[node])

    @cached_property
    def leaves(self) -> Names:
        """Where it ends: nodes without successors."""
        return self._names(node for node in self.structure.on_graph if not self.structure.after[node])

    @property
    def off_graph(self) -> Names:
        """Nodes that only compensate or stand in for another."""
        return self._names(sorted(self.structure.off_graph))

    @property
    def branch_points(self) -> Names:
        """Nodes with several successors."""
        return self._names(node for node, targets in enumerate(self.structure.after) if len(targets) > 1)

    @property
    def convergence_points(self) -> Names:
        """Nodes with several predecessors."""
        return self._names(node for node, sources in enumerate(self.structure.before) if len(sources) > 1)

    def successors(self, node: str) -> Names:
        """The nodes to which its connections lead."""
        return self._names(self.structure.after[self._number(node)])

    def predecessors(self, node: str) -> Names:
        """The nodes from which connections lead to it."""
        return self._names(self.structure.before[self._number(node)])

    def adjacency(self) -> dict[str, Names]:
        """The successors of each node."""
        return {
            name: self._names(after) for name, after in zip(self.structure.names, self.structure.after, strict=True)
        }

    # -- order

    @cached_property
    def levels(self) -> tuple[Names, ...]:
        """Parallel groups: the nodes of a level may run side by side once those of the levels before have ended."""
        return tuple(self._names(level) for level in self._levels)

    def depth(self, node: str) -> int | None:
        """The number of the node's level, from 0: the longest way to it from a root. None where it can never run."""
        return self._depths.get(self._number(node))

    def critical_path(self, durations: Mapping[str, float] | None = None, *, default: float = 1) -> CriticalPath | None:
        """The path that takes longest where each node takes its duration, `default` if it has none.

        None where there is a cycle.
        """
        given = {self._number(name): value for name, value in (durations or {}).items()}
        for value in (*given.values(), default):
            if not (isfinite(value) and value >= 0):
                raise ValueError(f"a duration must be a finite number and not negative, not {value}")
        if self.blocked:
            return None
        path, length = order.critical_path(self.structure, self._order, given, default)
        return CriticalPath(self._names(path), length)

    @property
    def bottlenecks(self) -> Names:
        """Nodes that every path from a root to a leaf passes; empty where there is a cycle."""
        return () if self.blocked else self._names(order.bottlenecks(self.structure, self._order))

    @cached_property
    def cycle(self) -> Names:
        """A short cycle, from the node on it that the definition names first; empty where there is none."""
        after = self.structure.after
        return self._names(cycles.short_cycle(cycles.components(self._blocked, after), after))

    @property
    def blocked(self) -> Names:
        """Nodes on a cycle or behind one: they can never run."""
        return self._names(self._blocked)

    # -- paths

    def count_paths(self, source: str | None = None, target: str | None = None) -> int | None:
        """Exactly how many paths lead from one node to another (by default: from any root to any leaf).

        None where a cycle lies between them.
        """
        if source is None and target is None:
            structure = self.structure
            return None if self._blocked else paths.count_all(self._order, structure.after, structure.before)
        sources, targets = self._ends(source, target)
        return paths.count(sources, targets, self.structure.after, self.structure.before)

    def paths(
        self, source: str | None = None, target: str | None = None, *, limit: int = paths.paths_listed_max
    ) -> Iterator[Names]:
        """The paths themselves, one after the other, none of which visits a node twice; at most `limit`."""
        sources, targets = self._ends(source, target)
        found = paths.listed(sources, targets, self.structure.after, self.structure.before, limit)
        return (self._names(path) for path in found)

    def reaches(self, source: str, target: str) -> bool:
        """Whether a path leads from one node to another; each node reaches itself."""
        return paths.reaches(self._number(source), self._number(target), self.structure.after)

    def descendants(self, node: str) -> Names:
        """All nodes that can be reached from it."""
        number = self._number(node)
        return self._names(sorted(paths.reach((number,), self.structure.after) - {number}))

    def ancestors(self, node: str) -> Names:
        """All nodes that it can be reached from."""
        number = self._number(node)
        return self._names(sorted(paths.reach((number,), self.structure.before) - {number}))

    def between(self, source: str, target: str) -> Names:
        """All nodes on ways from one node to another, both included; empty where there is none."""
        onward = paths.reach((self._number(source),), self.structure.after)
        return self._names(sorted(onward & paths.reach((self._number(target),), self.structure.before)))

    # -- the whole

    def process(self) -> ProcessedWorkflow:
        """All of it as one frozen value."""
        structure = self.structure
        index = structure.index
        total = self.count_paths()
        critical = None if self._blocked else order.critical_path(structure, self._order, {}, 1)[0]

        def number(names: Names) -> tuple[int, ...]:
            return tuple(map(index.__getitem__, names))

        return ProcessedWorkflow(
            workflow=self.workflow.id,
            nodes=tuple(structure.names),
            successors=tuple(map(tuple, structure.after)),
            connections=sum(1 for edge in structure.edges if not edge.helps),
            roots=number(self.roots),
            leaves=number(self.leaves),
            levels=tuple(map(tuple, self._levels)),
            branch_points=number(self.branch_points),
            convergence_points=number(self.convergence_points),
            critical_path=tuple(critical or ()),
            bottlenecks=number(self.bottlenecks),
            path_count=None if total is None else written(total),
            cycle=number(self.cycle),
            blocked=tuple(self._blocked),
            off_graph=tuple(sorted(structure.off_graph)),
        )

    # -- numbers

    @cached_property
    def _levels(self) -> list[list[int]]:
        return order.levels(self.structure)

    @cached_property
    def _order(self) -> list[int]:
        return [node for level in self._levels for node in level]

    @cached_property
    def _depths(self) -> dict[int, int]:
        return {node: depth for depth, level in enumerate(self._levels) for node in level}

    @cached_property
    def _blocked(self) -> list[int]:
        ordered = set(self._order)
        return [node for node in self.structure.on_graph if node not in ordered]

    def _ends(self, source: str | None, target: str | None) -> tuple[list[int], list[int]]:
        index = self.structure.index
        sources = [index[name] for name in self.roots] if source is None else [self._number(source)]
        return sources, [index[name] for name in self.leaves] if target is None else [self._number(target)]

    def _names(self, numbers: Iterable[int]) -> Names:
        return tuple(map(self.structure.names.__getitem__, numbers))

    def _number(self, name: str) -> int:
        number = self.structure.index.get(name)
        if number is None:
            hint = did_you_mean(name, self.structure.index)
            raise UnknownNode(f"the workflow {self.workflow.id} has no node {name!r}{f'; {hint}' if hint else ''}")
        return number
