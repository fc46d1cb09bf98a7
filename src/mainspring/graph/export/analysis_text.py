"""The analysis as a table for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mainspring.graph.analysis import WorkflowGraph
from mainspring.graph.export import words
from mainspring.graph.export.lanes import PLAIN
from mainspring.graph.export.text import Paint, unpainted

names_max = 8
path_nodes_max = 10
_WIDTH = 15


def analysis_text(graph: WorkflowGraph, paint: Paint = unpainted, plain: bool = False) -> str:
    """Counts, ends, branches, levels, the critical path and the number of paths, as lines."""
    told = "\n".join(_lines(graph, paint)) + "\n"
    return told.translate(PLAIN) if plain else told


def _lines(graph: WorkflowGraph, paint: Paint) -> Iterator[str]:
    found = graph.process()

    def row(title: str, value: str, remark: str = "") -> str:
        said = f"{paint(title.ljust(_WIDTH), 'dim')} {value}"
        return f"  {said}{paint(f'  {remark}', 'dim') if remark else ''}"

    yield paint(words.one_line(graph.workflow.name or graph.workflow.id), "bold")
    yield ""
    yield row("nodes", f"{len(found.nodes):,}", _of_off(found.names(found.off_graph)))
    yield row("connections", f"{found.connections:,}")
    yield row("begins with", _names(found.names(found.roots)))
    yield row("ends with", _names(found.names(found.leaves)))
    yield row("branches at", _names(found.names(found.branch_points)))
    yield row("joins at", _names(found.names(found.convergence_points)))
    yield row("levels", f"{len(found.levels):,}", f"at most {found.width:,} side by side")
    if found.path_count is None:
        cycle = found.names((*found.cycle, found.cycle[0]))
        yield row("cycle", paint(_path(cycle), "red"))
        yield row("can never run", _names(found.names(found.blocked)))
        return
    yield row("critical path", _path(found.names(found.critical_path)), f"{len(found.critical_path):,} long")
    yield row(
        "bottlenecks", _names(found.names(found.bottlenecks)), "every path passes them" if found.bottlenecks else ""
    )
    yield row(
        "paths",
        f"{int(found.path_count):,}"
        if found.path_count.isdigit() and len(found.path_count) <= 30
        else found.path_count,
    )


def _of_off(names: Sequence[str]) -> str:
    return f"of these off the graph: {_names(names)}" if names else ""


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(words.name(name, 30) for name in names[:names_max])
    more = f" … {len(names) - names_max:,} more" if len(names) > names_max else ""
    return shown + more if names else "–"


def _path(names: Sequence[str]) -> str:
    shown = [words.name(name, 30) for name in names]
    if len(shown) > path_nodes_max:
        half = path_nodes_max // 2
        shown = [*shown[:half], f"… {len(names) - 2 * half:,} more …", *shown[-half:]]
    return " → ".join(shown)
