"""Graphs as plain data, by hand: the naive interpreter's and the comparison's own cases."""

from __future__ import annotations

from typing import Any

from .naive.shape import plain_edge

OK = {"kind": "ok", "base": 0, "port": None}
BAD = {"kind": "fail", "type": "A", "fatal": False}


def graph(arrows: str, *edges: dict[str, Any], policy: str = "continue", **nodes: dict[str, Any]) -> dict[str, Any]:
    """`a>b` is a connection; what the n-th one has beside its ends stands in `edges[n]`.

    Nodes are functions unless said, and defined in the order of their ids.
    """
    pairs = [tuple(arrow.split(">")) for arrow in arrows.split()]
    ids = sorted({*nodes, *(id for pair in pairs for id in pair)})
    extra = [*edges, *({} for _ in pairs)]
    dull = {"type": "function", "duration": 40, "retry": None, "mapping": None, "limited": False}
    return {
        "nodes": [
            {"id": id, **dull, "outcomes": [OK], "join": None, "dependsOn": [], "decides": None, **nodes.get(id, {})}
            for id in ids
        ],
        "connections": [{**plain_edge(*pair), **more} for pair, more in zip(pairs, extra, strict=False)],
        "policy": policy,
        "input": {"x": 1},
        "output": None,
    }


def body(
    arrows: str = "", *edges: dict[str, Any], output: Any = None, name: str | None = None, **nodes: dict[str, Any]
) -> dict[str, Any]:
    """A body, in the notation of `graph`."""
    whole = graph(arrows, *edges, **nodes)
    return {"nodes": whole["nodes"], "connections": whole["connections"], "output": output, "name": name}


def block(type: str, *bodies: dict[str, Any], timeout: int | None = None, **config: Any) -> dict[str, Any]:
    """The fields of a node that has these bodies. While and until make at most 9 passes unless told."""
    if type in ("while", "until"):
        config = {"maxIterations": 9, "collect": False, **config}
    return {"type": type, "timeout": timeout, "block": {**config, "bodies": list(bodies)}}
