"""`--pool NAME=SIZE`: how many places the pools have that nodes name, for the time of one command."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from mainspring.definition.load import Definition
    from mainspring.definition.model import Node

HELP = "A pool has so many places; may be repeated."
SIZE_MAX = 1_000_000


def sizes(given: Iterable[str]) -> dict[str, int]:
    """What was said of pools. Raises UsageError."""
    pools: dict[str, int] = {}
    for text in given:
        name, equals, size = text.partition("=")
        if not name or not equals or not size.isdecimal() or not 1 <= int(size) <= SIZE_MAX:
            raise click.UsageError(
                f"--pool {text}: give a name and a number of places from 1 to {SIZE_MAX:,}, as in --pool gpu=2"
            )
        pools[name] = int(size)
    return pools


def refuse_missing(definition: Definition, pools: dict[str, int]) -> None:
    """Before anything runs: a node that names a pool that nobody has given a size. Raises UsageError."""
    named = {pool: where for where, pool in _named(definition.workflow.nodes, "")}
    missing = {pool: where for pool, where in named.items() if pool not in pools}
    if missing:
        pool, where = next(iter(missing.items()))
        options = " ".join(f"--pool {name}=N" for name in missing)
        raise click.UsageError(
            f"{where} needs a place of the pool {pool}, and nothing says how many it has: add {options}"
        )


def _named(nodes: Iterable[Node], within: str) -> Iterator[tuple[str, str]]:
    """Each node that names a pool, in bodies too: where it is, and the pool."""
    from mainspring.definition.bodies import bodies

    for node in nodes:
        if node.pool is not None:
            yield f"{within}{node.id}", node.pool
        for _, body in bodies(node):
            yield from _named(body.nodes, f"{within}{node.id}.")
