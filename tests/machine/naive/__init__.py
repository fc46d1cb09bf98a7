"""The meaning of a graph, a second time: written from docs/semantics.md and semantics-blocks.md, with nothing of mainspring.

No events, no effects, no journal, no retries over time, no crashes. What is left is who puts which message where, and who
takes it: `Naive` goes through the waves of each turn as the text tells them. Which work ends first is not the graph's to
say, so a caller does (`turn`). What tasks do is part of the graph, which is plain data (see `random_graphs`).
"""

from .interpreter import Naive
from .shape import Graph, Shape, edges_of
from .state import Run as NaiveRun
from .values import stable, work
from .waits import all_nodes

__all__ = ["Graph", "Naive", "NaiveRun", "Shape", "all_nodes", "edges_of", "stable", "work"]
