"""The whole analysis as one frozen value, to be stored beside a version of a definition.

Nodes are numbers, in the order of `nodes`: the JSON of a large graph stays small. It is a function of the definition alone,
so equal definitions have equal bytes. Fields are only ever appended, each with a default.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import log10

import msgspec
from msgspec import Struct

path_digits_max = 100
"""Digits up to which a number of paths is written down exactly in `path_count`. `WorkflowGraph.count_paths()` has all."""

Numbers = tuple[int, ...]


class ProcessedWorkflow(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """All that `WorkflowGraph` finds out, except what depends on durations or on two chosen nodes.

    `levels` are the parallel groups; a node's depth is the number of its level. `cycle` is one short cycle: a graph
    that has one has no critical path and no number of paths, and the nodes in `blocked` can never run.
    `path_count` is exact up to `path_digits_max` digits, and beyond them as `1.234567e+1234`.
    """

    workflow: str
    nodes: tuple[str, ...]
    successors: tuple[Numbers, ...]
    connections: int
    roots: Numbers
    leaves: Numbers
    levels: tuple[Numbers, ...]
    branch_points: Numbers = ()
    convergence_points: Numbers = ()
    critical_path: Numbers = ()
    bottlenecks: Numbers = ()
    path_count: str | None = None
    cycle: Numbers = ()
    blocked: Numbers = ()
    off_graph: Numbers = ()
    form: int = 1

    @property
    def width(self) -> int:
        """How many nodes may at most run side by side by their levels."""
        return max(map(len, self.levels), default=0)

    @property
    def depths(self) -> tuple[int | None, ...]:
        """The level of each node; None where it has none."""
        found: list[int | None] = [None] * len(self.nodes)
        for depth, level in enumerate(self.levels):
            for node in level:
                found[node] = depth
        return tuple(found)

    def names(self, numbers: Iterable[int]) -> tuple[str, ...]:
        """The ids of nodes given by number."""
        return tuple(self.nodes[number] for number in numbers)

    def to_json(self) -> bytes:
        """The form in which it is stored."""
        return _encoder.encode(self)

    @classmethod
    def from_json(cls, data: bytes) -> ProcessedWorkflow:
        """The same, read back."""
        return _decoder.decode(data)


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(ProcessedWorkflow)


def written(number: int) -> str:
    """A number of paths as text: exact while it is short. A long one is never turned into decimals, which is quadratic."""
    if number < 10**path_digits_max:
        return str(number)
    shift = number.bit_length() - 64
    exponent = log10(number >> shift) + shift * log10(2)
    whole = int(exponent)
    return f"{10 ** (exponent - whole):.6f}e+{whole}"
